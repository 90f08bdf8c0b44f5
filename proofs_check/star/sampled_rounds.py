"""Claims about one round of K sampled trajectories: lost transitions, and the bias of rows that may stay unvisited."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.samples import Counts
from proofs_check.star._common import (
    DERIVED,
    PI,
    STATES,
    STEPS,
    D,
    F,
    M,
    chain_name,
    enumerated,
    identity,
    share_over_bound,
    theory,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS", "SAMPLED", "SMALL"]

SAMPLED = Domain({"n_steps": STEPS, "n_states": STATES, "K": Integer(1, meaning="trajectories a round")})
SMALL = (((F(1, 2), F(1, 2)), 2), ((F(1, 5), F(2, 5)), 3), ((F(1, 3), F(1, 2), F(1, 4)), 2))


@lru_cache(maxsize=32)
def _row_law(delta: tuple[Fraction, ...], n_states: int, count: int, step: int) -> tuple[Fraction, Fraction, Fraction]:
    """For one row and K trajectories, listed by what each does there: P(lost), mean right chance, P(visited)."""
    law, maps = enumerated(delta, n_states)[3], enumerated(delta, n_states)[4]
    state = maps[0][0] if step else 0
    wanted = maps[step][state]
    right = sum(w for path, w in law.items() if path[step] == state and path[step + 1] == wanted)
    wrong = sum(w for path, w in law.items() if path[step] == state) - right
    chances = {"right": right, "wrong": wrong, "none": 1 - right - wrong}
    before = (1 + (n_states - 1) * delta[step]) / n_states
    lost, mean, seen = F(0), F(0), F(0)
    for what in itertools.product(chances, repeat=count):
        chance = math.prod(chances[x] for x in what)
        good, visits = what.count("right"), count - what.count("none")
        lost += chance * (visits > 0 and good == 0)
        seen += chance * (visits > 0)
        mean += chance * (F(good, visits) if visits else before)
    return lost, mean, seen


COUNT = sp.Symbol("K", integer=True, positive=True)


def _free_powers(expression: Any, powers: dict[sp.Expr, sp.Symbol]) -> sp.Expr:
    """Replace K-th powers by free variables, one for each base: what is equal then is equal for every K."""

    def named(power: sp.Expr) -> sp.Symbol:
        return powers.setdefault(sp.factor(sp.together(power.base)), sp.Symbol(f"w{len(powers)}", positive=True))

    return sp.sympify(expression).replace(lambda e: e.is_Pow and e.exp == COUNT, named)


def _loss_identity(lab: Lab) -> Iterator[Cell]:
    """A kept trajectory takes the right transition with chance alpha A/M, visits its row with chance J/M."""
    t = lab.theory.star
    alpha, agreed, right = (1 + (M - 1) * D) / M, (1 + (M - 1) * PI) / M, (1 + (M - 1) * D * PI) / M
    powers: dict[sp.Expr, sp.Symbol] = {}
    stated = _free_powers((1 - alpha * agreed / M) ** COUNT - (1 - right / M) ** COUNT, powers)
    found = _free_powers(t.loss_probability([D, PI], M, COUNT)[0], powers)
    yield identity(lab, {"n_states": "any", "K": "any"}, found, stated, "no right transition, less no visit")
    yield identity(lab, {"n_states": "any"}, t.visit_probability([D, PI], M), right / M, "a visit to a row")


def _loss_cells(lab: Lab) -> Iterator[Cell]:
    for delta, n_states in SMALL:
        for count in (1, 3):
            for step in range(len(delta)):
                where = {**chain_name(delta, n_states), "K": count, "step": step + 1}
                found = lab.theory.star.loss_probability(list(delta), n_states, count)[step]
                yield lab.equal(where, _row_law(delta, n_states, count, step)[0], found)
    chain = _chain(F(1, 2), 4)
    bound = lab.theory.star.loss_union_bound([F(1, 2)] * 2, 2, 4)
    yield lab.at_most({"n_states": 2, "n_steps": 2, "K": 4}, chain.loss_after_one_round(), bound, "any loss")


@lru_cache(maxsize=8)
def _chain(delta: Fraction, count: int) -> Any:
    return theory().sampled_chain(delta, count)


def _loss_without_visits(delta: Any, n_states: Any, n_trajectories: Any) -> Any:
    array, rest = np.asarray(delta), theory().products_of_others(delta, n_states)
    taken = (1 + (n_states - 1) * array) * (1 + (n_states - 1) * rest) / n_states**3
    return (1 - taken) ** n_trajectories


def _loss_unkept(delta: Any, n_states: Any, n_trajectories: Any) -> Any:
    array = np.asarray(delta)
    return (1 - (1 + (n_states - 1) * array) / n_states**2) ** n_trajectories


def _one_round(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"n_states": cell["n_states"], "delta": cell["delta"], "n_trajectories": cell["K"], "n_rounds": 1}


def _lost_in_round(data: Any, cell: Mapping[str, Any]) -> Counts:
    """Runs of one round that lose some right transition."""
    return Counts(int((data["rows_lost"].values[:, 1] > 0).sum()), data.sizes["replicate"])


def _union_bound(star: Any, cell: Mapping[str, Any]) -> float:
    return float(star.loss_union_bound(cell["delta"], cell["n_states"], cell["K"]))


LOSS_CELLS: tuple[dict[str, Any], ...] = (
    {"n_states": 2, "delta": (0.5, 0.5), "K": 4},
    {"n_states": 2, "delta": (0.5, 0.5), "K": 16},
    {"n_states": 3, "delta": (0.3, 0.5, 0.7), "K": 32},
    {"n_states": 3, "delta": (0.3, 0.5, 0.7), "K": 4},
)


def _loss_figure(result: ClaimResult) -> Figure:
    """Share of right transitions that a round loses over K: the law, and the mean of many runs."""
    from proofs_check.figures import labelled_axes, simulated_points, theory_line
    from sims import star as simulator
    from sims.intervals import bounded_mean

    figure, ax = labelled_axes("trajectories K of the round", "share of right transitions lost")
    curve, counts, runs = np.unique(np.geomspace(1, 3000, 200).round()), (1, 3, 10, 30, 100, 300, 1000), 1000
    for index, (delta, n_states) in enumerate((((0.5, 0.5), 2), ((0.2, 0.2, 0.2), 4), ((0.1, 0.1, 0.1), 8))):
        name = f"N = {len(delta)}, M = {n_states}, delta = {delta[0]}"
        law = [float(np.mean(theory().loss_probability(delta, n_states, int(k)))) for k in curve]
        theory_line(ax, curve, law, f"law, {name}", index)
        lost = [simulator.simulate(delta, n_states, k, 1, range(runs)).rows_lost.values[:, 1] for k in counts]
        shares = [values / (len(delta) * n_states) for values in lost]
        low, high = zip(*(bounded_mean(values, 1e-3, 0.0, 1.0) for values in shares), strict=True)
        simulated_points(ax, counts, [float(x.mean()) for x in shares], low, high, f"{runs} runs", index)
    ax.set_xscale("log")
    ax.set_ylim(0.0, 0.75)
    ax.legend(loc="upper right", fontsize="x-small", ncols=2)
    return figure


LOSS = Claim(
    id="star.one_round_loss",
    statement=(
        "One sampled round of K trajectories loses a given right transition with probability (1 - alpha_n A_n/M)^K - "
        "(1 - J/M)^K."
    ),
    latex=r"P(\text{lost}) = \Bigl(1 - \frac{\alpha_n A_n}{M}\Bigr)^K - \Bigl(1 - \frac{J}{M}\Bigr)^K",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=SAMPLED,
    evidence=(
        Exact("identity", "chances of a visit and of a right transition, symbols", _loss_identity),
        Exact("enumeration", "every outcome of K trajectories at a row", _loss_cells, scope="cells"),
        Simulation(
            "runs of one round that lose some right transition, exact law at M = N = 2",
            "star.simulate",
            cells=LOSS_CELLS[:1],
            parameters=_one_round,
            extract=_lost_in_round,
            predict=lambda t, cell: (0.0, _union_bound(t.star, cell)),
            compare="upper",
            resolution=0.0,
            planned_n=40_000,
            looks=3,
            cost=0.3,
        ),
    ),
    mutants=(
        Mutant(
            "unvisited rows are lost too",
            "they keep their old values",
            theory={"star.loss_probability": _loss_without_visits},
        ),
        Mutant(
            "only rows of trajectories count, kept or not",
            "rejected trajectories are no evidence",
            theory={"star.loss_probability": _loss_unkept},
        ),
        Mutant(
            "the union bound is half as large",
            "losses of different transitions hardly overlap",
            theory={"star.loss_union_bound": lambda delta, n_states, count: theory().loss_union_bound(
                delta, n_states, count
            ) / 2},
        ),
    ),
    figure=_loss_figure,
    tightness=share_over_bound(
        "runs of one round that lose some right transition, over the union bound", "star.simulate",
        lambda profile: LOSS_CELLS, _one_round, _lost_in_round, _union_bound, 40_000,
    ),
)  # fmt: skip


def _summed(star: Any, delta: float, n_steps: int, n_states: int, count: int, rounds: int) -> float:
    path = theory().iterate([delta] * n_steps, n_states, rounds)
    return float(sum(star.loss_union_bound(row, n_states, count) for row in path))


def _summed_witness(lab: Lab) -> Iterator[Cell]:
    """Two guessing steps over two states end all right and all swapped equally often, by relabelling the middle.

    A run without a loss ends all right (only then are all right transitions left and nothing changes), so from
    delta = 0 at least half of all runs lose one. From delta > 0 a round's draws differ from those with
    probability at most 2 K delta, and tables no longer depend on delta once every row was visited in round one,
    which fails with probability at most 4 (1 - 1/4)^K.
    """
    for count, delta in ((100, F(1, 10_000)), (200, F(1, 100_000))):
        least = F(1, 2) - 2 * count * delta - 4 * F(3, 4) ** count
        rounds = math.ceil(math.log2(float(1 / delta))) + 8
        bound = _summed(lab.theory.star, float(delta), 2, 2, count, rounds)
        where = {"n_states": 2, "n_steps": 2, "K": count, "delta": str(delta)}
        yield lab.true(where, float(least) <= bound, f"P(loss) >= {float(least):.4f}, summed bound {bound:.2g}")
    chain = _chain(F(0), 4).summary()
    same = abs(chain["right"] - chain["swapped"]) < 1e-12
    yield lab.true({"n_states": 2, "n_steps": 2, "K": 4}, same or None, "right and swapped equally often from 0")


def _long_run(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {**_one_round(cell), "n_rounds": 200}


def _lost_in_run(data: Any, cell: Mapping[str, Any]) -> Counts:
    """Runs that lose a right transition at some round."""
    return Counts(int((data["rows_lost"].values > 0).any(axis=1).sum()), data.sizes["replicate"])


def _summed_bound(star: Any, cell: Mapping[str, Any]) -> float:
    return _summed(star, cell["delta"][0], len(cell["delta"]), cell["n_states"], cell["K"], 200)


SUMMED_CELLS: tuple[dict[str, Any], ...] = ({"n_states": 2, "delta": (0.001, 0.001), "K": 60},)


SUMMED = Claim(
    id="star.summed_loss_bound_covers_a_run",
    statement="The one-round loss bound, summed along the path of the infinite-sample map, bounds the loss of a run.",
    latex=r"P(\text{some right transition is ever lost}) \le \sum_t N M\, P_t(\text{lost})",
    origin="derived",
    source="the union bound over rounds, with each round's tables replaced by their mean",
    kind="upper",
    domain=SAMPLED,
    expected="fails",
    repaired_by="star.one_round_loss",
    evidence=(
        Exact("enumeration", "a lower bound on the loss by symmetry, in rationals", _summed_witness, scope="cells"),
        Simulation(
            "runs of 200 rounds that lose a right transition",
            "star.simulate",
            cells=SUMMED_CELLS,
            parameters=_long_run,
            extract=_lost_in_run,
            predict=lambda t, cell: (0.0, _summed_bound(t.star, cell)),
            compare="upper",
            planned_n=256,
            looks=1,
            cost=0.4,
        ),
    ),
    mutants=(
        Mutant(
            "twice the summed bound covers a run",
            "drift, not single rounds, loses transitions",
            theory={"star.loss_union_bound": lambda delta, n_states, count: 2 * theory().loss_union_bound(
                delta, n_states, count
            )},
        ),
        Mutant(
            "half of the summed bound covers a run",
            "drift, not single rounds, loses transitions",
            theory={"star.loss_union_bound": lambda delta, n_states, count: theory().loss_union_bound(
                delta, n_states, count
            ) / 2},
        ),
    ),
    tightness=share_over_bound(
        "runs of 200 rounds that lose a right transition, over the bound that they exceed", "star.simulate",
        lambda profile: SUMMED_CELLS, _long_run, _lost_in_run, _summed_bound, 256,
    ),
    remarks="The bound holds for the first round alone: sampled tables drift, and errors elsewhere tilt the evidence.",
)  # fmt: skip


def _bias_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    after = (1 + (M - 1) * t.update([D, PI], M)[0]) / M
    before, right = (1 + (M - 1) * D) / M, (1 + (M - 1) * D * PI) / M
    powers: dict[sp.Expr, sp.Symbol] = {}
    stated = _free_powers(after - (after - before) * (1 - right / M) ** COUNT, powers)
    found = _free_powers(t.mean_right_probability([D, PI], M, COUNT)[0], powers)
    yield identity(lab, {"n_states": "any", "K": "any"}, found, stated, "unbiased given a visit, else as before")


def _bias_cells(lab: Lab) -> Iterator[Cell]:
    for delta, n_states in SMALL:
        for count in (1, 3, 5):
            for step in range(len(delta)):
                where = {**chain_name(delta, n_states), "K": count, "step": step + 1}
                found = lab.theory.star.mean_right_probability(list(delta), n_states, count)[step]
                yield lab.equal(where, _row_law(delta, n_states, count, step)[1], found)


BIAS = Claim(
    id="star.one_round_bias",
    statement="After a sampled round the mean right probability of a row is alpha' - (alpha'-alpha)(1 - J/M)^K.",
    latex=r"\mathbb{E}[\hat\alpha_n] = \alpha_n' - (\alpha_n' - \alpha_n)\Bigl(1 - \frac{J}{M}\Bigr)^K",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=SAMPLED,
    evidence=(
        Exact("identity", "unbiased given a visit, symbols", _bias_identity),
        Exact("enumeration", "every outcome of K trajectories at a row", _bias_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "sampled rows are unbiased",
            "an unvisited row stays where it was",
            theory={
                "star.mean_right_probability": lambda delta, n_states, count: (
                    (1 + (n_states - 1) * theory().update(delta, n_states)) / n_states
                )
            },
        ),
        Mutant(
            "the bias has J where it has J/M",
            "a kept trajectory visits one state of M",
            theory={
                "star.mean_right_probability": lambda delta, n_states, count: _bias_of_kept(delta, n_states, count)
            },
        ),
    ),
)


def _bias_of_kept(delta: Any, n_states: Any, count: Any) -> Any:
    before, after = ((1 + (n_states - 1) * np.asarray(x)) / n_states for x in (delta, theory().update(delta, n_states)))
    return after - (after - before) * (1 - theory().accuracy(delta, n_states)) ** count


CLAIMS = (LOSS, SUMMED, BIAS)
