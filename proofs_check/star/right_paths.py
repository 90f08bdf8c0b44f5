"""Claims about right paths: the share of kept trajectories that are right at every step, and that it never falls."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.samples import Counts
from proofs_check.star._common import (
    ANY,
    BOX,
    CHAIN,
    CHAINS,
    DERIVED,
    OTHERS,
    PAPER,
    PI,
    STATES,
    STEPS,
    D,
    F,
    M,
    chain_name,
    enumerated,
    identity,
    product_of_deltas,
    resimulated,
    right_steps,
    single_leg,
    text,
    theory,
    witness_below_zero,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _share_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    a, b, c, _ = OTHERS
    for chain in ((a, b), (a, b, c)):
        product = sp.prod((1 + (M - 1) * x) / M for x in chain)
        correct = (1 + (M - 1) * sp.prod(chain)) / M
        where = {"n_steps": len(chain), "n_states": "any"}
        yield identity(lab, where, t.right_path_share(list(chain), M), product / correct, "prod alpha / J")
    # alpha_n' = alpha_n A_n/J makes prod alpha' / J' = prod alpha prod A / (J^N J'); here at rational points.
    points: tuple[tuple[Fraction, ...], ...] = ((F(1, 3), F(2, 5)), (F(1, 10), F(9, 10), F(1, 2)), (F(1, 4),) * 5)
    for point in points:
        for n_states in (2, 3, 64):
            before, after = (t.right_path_share(list(x), n_states) for x in (point, t.update(list(point), n_states)))
            gain = t.right_path_share_gain(list(point), n_states)
            yield lab.equal(chain_name(point, n_states), after, gain * before, "R'/R = prod A_n/(J^(N-1) J')")


def _share_cells(lab: Lab) -> Iterator[Cell]:
    for delta, n_states in CHAINS:
        where = chain_name(delta, n_states)
        share = enumerated(delta, n_states)[1]
        yield lab.equal(where, share, lab.theory.star.right_path_share(list(delta), n_states))
        yield lab.equal(where, 1 - share, lab.theory.star.wrong_path_share(list(delta), n_states), "1 - R")
    for n_steps, n_states in ((2, 2), (3, 3)):
        share = enumerated((F(0),) * n_steps, n_states)[1]
        yield lab.equal(chain_name((0,) * n_steps, n_states), share, F(1, n_states ** (n_steps - 1)), "guessing")


def _all_right(data: Any, cell: Mapping[str, Any]) -> Counts:
    right = right_steps(data)
    return Counts(int(right.all(axis=1).sum()), len(right))


def _share_without_normalisation(delta: Any, n_states: Any) -> Any:
    array = np.asarray(delta)
    return np.multiply.reduce((1 + (n_states - 1) * array) / n_states, axis=-1)


def _share_deltas(delta: Any, n_states: Any) -> Any:
    return product_of_deltas(delta, n_states) / theory().accuracy(delta, n_states)


SHARE = Claim(
    id="star.right_path_share",
    statement=(
        "A kept trajectory has every step right with probability R = prod alpha_n / J; a round multiplies R by "
        "prod A_n/(J^(N-1) J'); a guessing model has R = M^(1-N)."
    ),
    latex=r"R = \frac{\prod_n \alpha_n}{J}, \qquad \frac{R'}{R} = \frac{\prod_n A_n}{J^{N-1} J'}",
    origin="paper",
    source=PAPER + " (kept errors); the law of a round " + DERIVED,
    kind="exact",
    domain=CHAIN,
    evidence=(
        Exact("identity", "N = 2, 3 in symbols, the law of a round at rational points", _share_identity, scope="cells"),
        Exact("enumeration", "all paths", _share_cells, scope="cells"),
        single_leg(
            "kept trajectories with every step right",
            _all_right,
            lambda t, cell: float(t.star.right_path_share(cell["delta"], cell["n_states"])),
        ),
    ),
    mutants=(
        Mutant(
            "R = prod alpha_n",
            "R is a share of the kept trajectories",
            theory={"star.right_path_share": _share_without_normalisation},
        ),
        Mutant(
            "R = Pi/J",
            "a step is right with probability alpha, above delta",
            theory={"star.right_path_share": _share_deltas},
        ),
        Mutant(
            "the simulator samples at temperature 1/2",
            "R is that of temperature 1",
            sims=resimulated(temperature=0.5),
        ),
    ),
)


def _monotone_proof(lab: Lab) -> list[Cell]:
    """R never falls: its logarithmic derivative is non-negative, and the round raises every delta."""
    t = lab.theory.star
    share = (1 + (M - 1) * D) * sp.Symbol("C", positive=True) / (1 + (M - 1) * D * PI)
    slope = sp.diff(share, D) / share
    stated = (M - 1) * (1 - PI) / ((1 + (M - 1) * D) * (1 + (M - 1) * D * PI))
    two = t.right_path_share([D, PI], M)
    # At N = 2 the other step's own factor is the constant C; for any N it is the product of the other alphas.
    ratio = sp.diff(two, D) / two
    raised = t.update([D, PI], M)[0] - D
    proof = Proof()
    left = (1 + (M - 1) * D * PI) - PI * (1 + (M - 1) * D)
    proof.identity("(1+(M-1)Pi) - Pi_(-n)(1+(M-1)delta_n) = 1 - Pi_(-n)", left, 1 - PI)
    proof.identity("d log R/d delta_n, any N", slope, stated)
    proof.identity("the same from the shipped R at N = 2", ratio, stated)
    proof.positive("it is positive for Pi_(-n) < 1", stated, BOX)
    proof.positive("the round raises every delta", raised, BOX)
    return proof.cells(ANY, witness_below_zero([raised, -((ratio - stated) ** 2)]))


@lru_cache(maxsize=1)
def _grid_chains() -> tuple[tuple[tuple[Fraction, ...], int], ...]:
    values = (F(0), F(1, 20), F(1, 2), F(19, 20), F(1))
    pairs = [(pair, n_states) for n_states in (2, 3) for pair in itertools.combinations_with_replacement(values, 2)]
    triples = [((a, b, F(1, 3)), 2) for a, b in itertools.combinations_with_replacement(values, 2)]
    return (*pairs, *triples)


def _monotone_cells(lab: Lab) -> Iterator[Cell]:
    for delta, n_states in _grid_chains():
        before = enumerated(delta, n_states)[1]
        after = enumerated(tuple(lab.theory.star.update(list(delta), n_states)), n_states)[1]
        shipped = lab.theory.star.right_path_share(list(delta), n_states)
        fine = after >= before and shipped == before
        yield lab.true(chain_name(delta, n_states), fine, f"R {before} -> {after}")


def _solver_cells(lab: Lab) -> Iterator[Cell]:
    """An SMT solver on Pi_{-n} <= 1 and the certificate's identity for chains of up to five steps."""
    import z3

    after = sp.lambdify((D, PI, M), sp.together(lab.theory.star.update([D, PI], M)[0] - D), "math")
    for n_steps in (2, 3, 4, 5):
        solver = z3.Solver()
        solver.set("timeout", 5000)
        d, m = z3.Reals("d m")
        rest = [z3.Real(f"x{k}") for k in range(n_steps - 1)]
        product = rest[0]
        for x in rest[1:]:
            product = product * x
        solver.add(m >= 2, d >= 0, d <= 1, *(z3.And(x >= 0, x <= 1) for x in rest))
        solver.add(z3.Or(product > 1, (1 + (m - 1) * d * product) - product * (1 + (m - 1) * d) < 0))
        found = solver.check()
        verdict = None if found == z3.unknown else found == z3.unsat and after(0.3, 0.5, 3) > 0
        yield lab.true({"n_steps": n_steps, "n_states": "any"}, verdict, f"z3: {found}")


def _falling_update(delta: Any, n_states: Any) -> Any:
    """Deltas shrink by the evidence instead of growing."""
    array = np.asarray(delta)
    return array * (1 - array) / 2 + array / 2


MONOTONE = Claim(
    id="star.right_share_never_falls",
    statement="The share of kept trajectories with every step right never falls, for any N, M and deltas in [0, 1].",
    latex=(
        r"\frac{\partial \log R}{\partial \delta_n} = \frac{(M-1)(1-\Pi_{-n})}{(1+(M-1)\delta_n)(1+(M-1)\Pi)} \ge 0"
        r" \Rightarrow R' \ge R"
    ),
    origin="derived",
    source=DERIVED,
    kind="property",
    domain=CHAIN,
    evidence=(
        Exact("certificate", "logarithmic derivative of R, Pi_(-n) and M symbols", _monotone_proof),
        Exact("enumeration", "R before and after a round, all paths", _monotone_cells, scope="cells", cost=0.3),
        Exact("solver", "the certificate's inequality for N <= 5", _solver_cells),
    ),
    mutants=(
        Mutant(
            "the same of a round that lowers deltas",
            "R rises with every delta, so it falls there",
            theory={"star.update": _falling_update},
        ),
        Mutant(
            "the same of R = prod alpha_n",
            "its logarithmic derivative lacks the term of J",
            theory={"star.right_path_share": _share_without_normalisation},
        ),
    ),
)


PAIRS = (((F(1, 4), F(1)), (F(1, 2), F(1, 2)), 2), ((F(1, 9), F(1)), (F(1, 3), F(1, 3)), 3))


def _same_accuracy(lab: Lab) -> Iterator[Cell]:
    for first, second, n_states in PAIRS:
        same = enumerated(first, n_states)[0] == enumerated(second, n_states)[0]
        predicted = lab.theory.star.right_path_share(list(second), n_states)
        observed = enumerated(first, n_states)[1]
        detail = f"equal J: {same}; share at {text(first)} against that at {text(second)}"
        yield lab.equal(chain_name(first, n_states), observed, predicted, detail)


SAME_SHARE = Claim(
    id="star.accuracy_determines_right_share",
    statement="Two models of equal accuracy have the same share of right paths: J says whether reasoning is right.",
    latex=r"J(\delta) = J(\tilde\delta) \Rightarrow R(\delta) = R(\tilde\delta)",
    origin="derived",
    source="a reading of accuracy curves",
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    expected="fails",
    repaired_by="star.right_path_share",
    evidence=(
        Exact("enumeration", "pairs of equal accuracy, all paths", _same_accuracy, scope="cells"),
        single_leg(
            "kept trajectories with every step right at (1/4, 3/4), against equal deltas",
            _all_right,
            lambda t, cell: float(t.star.right_path_share([(cell["delta"][0] * cell["delta"][1]) ** 0.5] * 2, 3)),
            cells=({"n_states": 3, "delta": (0.1, 0.9)},),
            resolution=0.02,
        ),
    ),
    mutants=(
        Mutant(
            "the share of equal accuracy is prod alpha_n of equal deltas",
            "unequal deltas of the same product have another product of alphas, and R is a share of the kept",
            theory={"star.right_path_share": _share_without_normalisation},
        ),
        Mutant(
            "the share of equal accuracy is Pi/J",
            "this is a function of J, and R is not",
            theory={"star.right_path_share": _share_deltas},
        ),
    ),
)


def _wrong_limit(lab: Lab) -> Iterator[Cell]:
    eps = sp.Symbol("epsilon", positive=True)
    for n_steps in (2, 3, 5):
        share = 1 - lab.theory.star.right_path_share([1 - eps] * n_steps, M)
        ratio = sp.limit(sp.cancel(sp.together(share) / eps**2), eps, 0)
        rate = sp.nsimplify(lab.theory.star.wrong_path_rate(n_steps, M))
        yield identity(lab, {"n_steps": n_steps, "n_states": "any"}, ratio, rate, "limit of (1-R)/eps^2")


def _wrong_cells(lab: Lab) -> Iterator[Cell]:
    eps = F(1, 10**6)
    for n_steps, n_states in ((2, 2), (3, 2), (3, 3)):
        wrong = 1 - enumerated((1 - eps,) * n_steps, n_states)[1]
        rate = float(lab.theory.star.wrong_path_rate(n_steps, n_states))
        # The next order in eps has a coefficient below N^3.
        yield lab.close({"n_steps": n_steps, "n_states": n_states}, float(wrong / eps**2), rate, n_steps**3 * 1e-6)


WRONG_RATE = Claim(
    id="star.wrong_paths_vanish",
    statement="Near the truth the share of kept trajectories with an error is C(N,2) (M-1)/M^2 eps^2.",
    latex=r"1 - R \sim \binom{N}{2} \frac{M-1}{M^2}\,(1-\delta)^2",
    origin="derived",
    source=DERIVED + "; that it vanishes: " + PAPER,
    kind="rate",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    functions=("star.wrong_path_rate",),
    evidence=(
        Exact("identity", "limit of the ratio for N = 2, 3, 5, M a symbol", _wrong_limit, scope="cells"),
        Exact("enumeration", "all paths at eps = 1e-6", _wrong_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the coefficient is C(N,2)/M",
            "two errors must cancel: the second leads back with probability 1/M of its own",
            theory={"star.wrong_path_rate": lambda n, m: n * (n - 1) / sp.Integer(2) / m},
        ),
        Mutant(
            "the coefficient is N^2 (M-1)/(2 M^2)",
            "two errors lie at different steps",
            theory={"star.wrong_path_rate": lambda n, m: n * n / sp.Integer(2) * (m - 1) / m**2},
        ),
    ),
)


CLAIMS = (SHARE, MONOTONE, SAME_SHARE, WRONG_RATE)
