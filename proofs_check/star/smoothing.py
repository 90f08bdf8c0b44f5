"""Claims about smoothing counts and mixing rounds: where they stop short of the truth, and what they guard against."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.samples import Counts
from proofs_check.star._common import (
    BOX,
    CHAINS,
    DERIVED,
    PI,
    D,
    F,
    M,
    chain_name,
    enumerated,
    identity,
    theory,
    witness_below_zero,
)
from proofs_check.star.sampled_rounds import SAMPLED
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _smoothing_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    k = sp.Symbol("k", positive=True)
    count = sp.Symbol("K", integer=True, positive=True)
    right = (1 + (M - 1) * D * PI) / M
    visits = count * right / M
    alpha = (1 + (M - 1) * t.update([D, PI], M)[0]) / M
    smoothed = (visits * alpha + k) / (visits + k * M)
    found = t.smoothed_update([D, PI], M, count, k)[0]
    where = {"n_states": "any"}
    yield identity(lab, where, (1 + (M - 1) * found) / M, smoothed, "k added to each of M counts of K J/M visits")


def _level_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    k = sp.Symbol("k", positive=True)
    count = sp.Symbol("K", integer=True, positive=True)
    where = {"n_states": "any"}
    for n_steps in (2, 3, 5):
        moved = t.smoothed_update([D] * n_steps, M, count, k)[0] - D
        level = t.smoothing_level(D, n_steps, M)
        scale = D * count / M / (count * (1 + (M - 1) * D**n_steps) / M + k * M**2)
        stated = scale * (level - k * M**3 / count)
        yield identity(lab, {**where, "n_steps": n_steps}, moved, stated, "fixed where the level is k M^3/K")


def _smoothing_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for n_steps, n_states, count in ((3, 8, 2000), (3, 8, 20_000), (2, 4, 500), (4, 3, 5000)):
        points = t.smoothed_fixed_points(n_steps, n_states, count, 1.0)
        for name, d in (("lower", points.lower), ("upper", points.upper)):
            if d is None:
                continue
            signs = []
            for x in (d * (1 - 1e-6), min(d * (1 + 1e-6), 1.0)):
                exact = _smoothed(F(x), n_steps, n_states, count)
                signs.append(1 if exact > F(x) else -1)
            wanted = [-1, 1] if name == "lower" else [1, -1]
            where = {"n_steps": n_steps, "n_states": n_states, "K": count, "point": name}
            yield lab.true(where, signs == wanted, f"{d:.6f}: moves {signs} on either side")
    none = t.smoothed_fixed_points(3, 8, 300, 1.0)
    yield lab.true({"n_steps": 3, "n_states": 8, "K": 300}, none.upper is None, "too much smoothing: all fall")


def _smoothed(d: Fraction, n_steps: int, n_states: int, count: int) -> Fraction:
    """One smoothed round in mean field, from counts."""
    rest = d ** (n_steps - 1)
    right = (1 + (n_states - 1) * d * rest) / n_states
    alpha = (1 + (n_states - 1) * d) / n_states * (1 + (n_states - 1) * rest) / n_states / right
    visits = count * right / n_states
    return (n_states * (visits * alpha + 1) / (visits + n_states) - 1) / (n_states - 1)


def _wider_points(scale: float) -> Any:
    def points(n_steps: int, n_states: int, count: int, pseudo: float) -> Any:
        found = theory().smoothed_fixed_points(n_steps, n_states, count, pseudo)
        move = [None if x is None else x * scale for x in (found.lower, found.upper)]
        return type(found)(*move)

    return points


SMOOTHING = Claim(
    id="star.smoothing_fixed_points",
    statement=(
        "With k added to every count, in mean field, equal deltas are fixed where d^(N-2)(1-d)(1+(M-1)d) = k M^3/K: "
        "the upper root attracts, the lower one (N >= 3) is a barrier, and too much smoothing leaves none."
    ),
    latex=r"\delta' = (1-w) F(\delta), \qquad d^{N-2}(1-d)(1+(M-1)d) = \frac{kM^3}{K}",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=SAMPLED,
    evidence=(
        Exact("identity", "smoothed map, Pi_(-n), M and K symbols", _smoothing_identity),
        Exact("identity", "its fixed points for N = 2, 3, 5", _level_identity, scope="cells", cost=0.2),
        Exact("enumeration", "both sides of the fixed points, rationals", _smoothing_cells, scope="cells"),
        Simulation(
            "runs of 12 smoothed rounds that end outside .04 of the predicted J",
            "star.simulate",
            cells=({"n_states": 8, "delta": (0.9, 0.9, 0.9), "K": 2000},),
            parameters=lambda cell: {
                "n_states": 8, "delta": cell["delta"], "n_trajectories": cell["K"], "n_rounds": 12, "smoothing": 1.0,
            },
            judge_units=lambda data, cell, t: _outside(data, cell, t),
            predict=lambda t, cell: (0.0, 0.1),
            compare="upper",
            resolution=0.06,
            planned_n=130,
            looks=2,
            cost=0.8,
        ),
    ),
    mutants=(
        Mutant(
            "the level is k M^2/K",
            "a row gets K J/M visits and k M additions, in M rows",
            theory={
                "star.smoothed_fixed_points": lambda n, m, count, k: theory().smoothed_fixed_points(n, m, count, k / m),
                "star.smoothed_update": lambda delta, n_states, count, k: theory().smoothed_update(
                    delta, n_states, count, k
                )
                * 1,
            },
        ),
        Mutant(
            "smoothing keeps half of the round's gain",
            "it mixes guessing in, not the old rows",
            theory={
                "star.smoothed_update": lambda delta, n_states, count, k: (
                    np.asarray(delta) + theory().update(delta, n_states)
                )
                / 2
            },
        ),
        Mutant(
            "the upper fixed point lies at 9/10 of its place",
            "there the map still rises",
            theory={"star.smoothed_fixed_points": _wider_points(0.9)},
        ),
    ),
)  # fmt: skip


def _outside(data: Any, cell: Mapping[str, Any], t: Any) -> Counts:
    upper = t.star.smoothed_fixed_points(3, 8, cell["K"], 1.0).upper
    wanted = float(theory().accuracy([upper] * 3, 8))
    off = np.abs(data["accuracy"].values[:, -1] - wanted) > 0.04
    return Counts(int(off.sum()), int(off.size))


def _mixing_proof(lab: Lab) -> list[Cell]:
    t = lab.theory.star
    m = sp.Symbol("m", positive=True)
    box = {**BOX, m: (0, 1)}
    moved = t.mixed_update([D, PI], M, m)[0]
    after = t.update([D, PI], M)[0]
    eps = sp.Symbol("epsilon", positive=True)
    gap = 1 - t.mixed_update([1 - eps] * 3, M, m)[0]
    proof = Proof()
    proof.identity("the increment is times 1-m: same fixed points", moved - D, (1 - m) * (after - D))
    proof.positive("J still rises", moved - D, box)
    rate = sp.limit(sp.cancel(sp.together(gap) / eps), eps, 0)
    proof.identity("the end is linear at rate m", rate, m)
    off = sp.together((moved - D) - (1 - m) * (after - D))
    return proof.cells({"n_states": "any", "n_steps": "any"}, witness_below_zero([moved - D, -(off**2)], box))


def _mixing_cells(lab: Lab) -> Iterator[Cell]:
    for (delta, n_states), share in itertools.product(CHAINS[:3], (F(1, 2), F(9, 10))):
        _, _, rows, _, maps = enumerated(delta, n_states)
        found = lab.theory.star.mixed_update(list(delta), n_states, share)
        for n, d in enumerate(delta):
            old = (1 + (n_states - 1) * d) / n_states
            mixed = (1 - share) * rows[n][0][maps[n][0]] + share * old
            where = {**chain_name(delta, n_states), "m": str(share), "step": n + 1}
            yield lab.equal(where, (n_states * mixed - 1) / (n_states - 1), found[n])


MIXING = Claim(
    id="star.mixing_slows_and_keeps",
    statement=(
        "Mixing a share m of the old tables into the refit keeps the fixed points and the improvement, multiplies the "
        "increments by 1-m and makes the end linear at rate m; no right probability falls by more than a factor m."
    ),
    latex=r"\delta' - \delta = (1-m)\,(F(\delta) - \delta), \qquad 1 - \delta' \sim m\,(1-\delta)",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=SAMPLED,
    evidence=(
        Exact("certificate", "increments, sign and end, symbols", _mixing_proof, cost=0.3),
        Exact("enumeration", "mixed rows of all paths", _mixing_cells, scope="cells"),
        Simulation(
            "runs of one mixed round in which a right transition is lost",
            "star.simulate",
            cells=({"n_states": 2, "delta": (0.5, 0.5), "K": 4},),
            parameters=lambda cell: {
                "n_states": 2, "delta": cell["delta"], "n_trajectories": cell["K"], "n_rounds": 20, "mixing": 0.5,
            },
            extract=lambda data, cell: Counts(
                int((data["rows_lost"].values > 0).any(axis=1).sum()), data.sizes["replicate"]
            ),
            # A visited row keeps m of its old chance: nothing is lost as long as the map goes only part of the way.
            predict=lambda t, cell: 0.0 if t.star.mixed_update(cell["delta"], 2, 0.5)[0] < 0.8 else 1.0,
            resolution=0.05,
            planned_n=1000,
            looks=1,
            cost=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "the increments are times m/2",
            "m is the share of the old tables",
            theory={
                "star.mixed_update": lambda delta, n_states, mixing: theory().mixed_update(
                    delta, n_states, 1 - mixing / 2
                )
            },
        ),
        Mutant(
            "mixing changes nothing",
            "a share m of every row stays old",
            theory={"star.mixed_update": lambda delta, n_states, mixing: theory().update(delta, n_states)},
        ),
    ),
)  # fmt: skip


CLAIMS = (SMOOTHING, MIXING)
