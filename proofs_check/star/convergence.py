"""Claims about where rounds lead: to the truth from positive deltas, what zeros do, and the speed at the end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain
from proofs_check.samples import Counts
from proofs_check.star._common import (
    ANY,
    BOX,
    CHAIN,
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
    deltas_of_rows,
    enumerated,
    identity,
    resimulated,
    symmetric_tables,
    theory,
    witness_below_zero,
)
from proofs_check.star.family import own_delta_counted
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _gap_proof(lab: Lab) -> list[Cell]:
    t = lab.theory.star
    gap = t.gap_update([D, PI], M)[0]
    slack = sp.Symbol("u", positive=True)  # m = u Pi_{-n}
    floor, box = slack * PI, {**BOX, slack: (0, 1)}
    proof = Proof()
    proof.identity("1 - delta' = (1-delta)(1-Pi_(-n))/(1+(M-1)Pi)", gap, 1 - t.update([D, PI], M)[0])
    # All deltas only rise, so Pi_{-n} stays above its first value m > 0.
    proof.nonnegative("each round shrinks 1 - delta by 1 - m at least", (1 - floor) * (1 - D) - gap, box)
    return proof.cells(ANY, witness_below_zero([(1 - PI) * (1 - D) - gap, gap - (1 - t.update([D, PI], M)[0])]))


def _limit_cells(lab: Lab) -> Iterator[Cell]:
    """Iterate in rationals until the bound (1 - m)^t of the gap is small, and compare with the stated limit."""
    for delta, n_states in (((F(1, 2), F(1, 3)), 2), ((F(1, 2), F(1, 5), F(3, 4)), 3), ((F(0), F(1, 2), F(1, 2)), 4)):
        now = tuple(delta)
        for _ in range(12):
            rows, maps = enumerated(now, n_states)[2], enumerated(now, n_states)[4]
            moved = deltas_of_rows(rows, maps)
            now = tuple(d if d == 1 else Fraction(d).limit_denominator(10**12) for d in moved)
        goal = [float(x) for x in lab.theory.star.limit(list(delta), n_states)]
        off = max(abs(float(d) - g) for d, g in zip(now, goal, strict=True))
        # 12 rounds end in the quadratic phase; rounding to 12 digits each round is not amplified there.
        yield lab.at_most(chain_name(delta, n_states), off, 1e-9, "distance from the stated limit after 12 rounds")


def _shrunk_gap(delta: Any, n_states: Any) -> Any:
    array, rest = np.asarray(delta), theory().products_of_others(delta, n_states)
    return (1 - array) * (1 - rest) ** 2 / (1 + (n_states - 1) * array * rest)


CONVERGENCE = Claim(
    id="star.convergence",
    statement="If every delta is positive, all deltas and J go to 1, the gaps at least geometrically.",
    latex=r"1 - \delta_n' = \frac{(1-\delta_n)(1-\Pi_{-n})}{1+(M-1)\Pi}, \qquad \delta_n > 0\ \forall n "
    r"\Rightarrow \delta_n \to 1",
    origin="paper",
    source=PAPER + "; the rate " + DERIVED,
    kind="property",
    domain=CHAIN,
    evidence=(
        Exact("certificate", "the gap shrinks by a factor fixed at the start", _gap_proof),
        Exact("enumeration", "twelve rounds of all paths", _limit_cells, scope="cells"),
        Simulation(
            "runs that end with every step right",
            "star.simulate",
            cells=({"n_states": 4, "delta": (0.5, 0.5, 0.5)},),
            parameters=lambda cell: {**cell, "n_trajectories": 3000, "n_rounds": 12},
            extract=lambda data, cell: Counts(int((data["final_class"].values == 0).sum()), data.sizes["replicate"]),
            predict=lambda t, cell: (
                (0.9, 1.0) if min(t.star.limit(cell["delta"], cell["n_states"])) == 1 else (0.0, 0.1)
            ),
            resolution=0.05,
            planned_n=256,
            looks=2,
            cost=0.5,
        ),
    ),
    mutants=(
        Mutant(
            "the limit is 9/10",
            "no delta below 1 is fixed while the others are positive",
            theory={"star.limit": lambda delta, n_states: np.full(len(delta), 0.9)},
        ),
        Mutant(
            "the gap is multiplied by (1-Pi_(-n))^2",
            "evidence enters once a round",
            theory={"star.gap_update": _shrunk_gap},
        ),
        Mutant(
            "runs stop one round after they began",
            "one round does not reach the limit",
            sims=resimulated(n_rounds=1),
        ),
    ),
    remarks="The simulated leg asks for nine runs in ten: at this size losses of a right transition are rarer still.",
)


def _zero_proof(lab: Lab) -> Iterator[Cell]:
    update = lab.theory.star.update
    a, b, c, _ = OTHERS
    zero = sp.Integer(0)
    for rest in ((a,), (a, b), (a, b, c)):
        after = update([zero, *rest], M)
        where = {"n_states": "any", "n_steps": len(rest) + 1}
        yield identity(lab, where, after[0], sp.prod(rest), "the one zero step becomes Pi_(-m)")
        for index, value in enumerate(rest):
            yield identity(lab, where, after[index + 1], value, "the others stay in that round")
    some: tuple[tuple[Any, ...], ...] = ((), (a,), (a, b))
    for rest in some:
        for index, value in enumerate(update([zero, zero, *rest], M)):
            says = "with two zeros nothing changes"
            yield identity(lab, {"n_states": "any"}, value, (zero, zero, *rest)[index], says)


def _zero_cells(lab: Lab) -> Iterator[Cell]:
    for n_steps in (2, 3, 4):
        for zeros in itertools.product((False, True), repeat=n_steps):
            delta = tuple(F(0) if zero else F(1, 2 + n) for n, zero in enumerate(zeros))
            _, _, rows, _, maps = enumerated(delta, 2)
            changed = rows != symmetric_tables(delta, 2, maps)
            moves = any(d != x for d, x in zip(delta, lab.theory.star.update(list(delta), 2), strict=True))
            ends = [float(x) for x in lab.theory.star.limit(list(delta), 2)]
            allowed = lab.theory.star.number_of_zero_steps(list(delta), 2) <= 1
            agree = changed == moves == allowed and (min(ends) == 1.0) == allowed
            yield lab.true(chain_name(delta, 2), agree, f"changes: {changed}, at most one zero: {allowed}")


ONE_ZERO = Claim(
    id="star.one_zero_criterion",
    statement=(
        "With infinitely many samples anything changes exactly if at most one step guesses; a single guessing step "
        "becomes the product of the others in round one, while these stay."
    ),
    latex=r"\delta_m = 0 \Rightarrow \delta_m' = \Pi_{-m},\ \delta_n' = \delta_n\ (n \ne m)",
    origin="paper",
    source=PAPER + "; that the criterion is sharp " + DERIVED,
    kind="threshold",
    domain=CHAIN,
    evidence=(
        Exact("identity", "one and two zeros among symbols", _zero_proof),
        Exact("enumeration", "every pattern of zeros for N = 2, 3, 4, all paths", _zero_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the evidence for a step is the product of all deltas",
            "with one zero that product vanishes, and the zero step would never start",
            theory={"star.update": own_delta_counted},
        ),
        Mutant(
            "the zero step becomes the mean of the others",
            "the evidence is their product",
            theory={"star.update": lambda delta, n_states: _mean_of_others(delta)},
        ),
    ),
)


def _mean_of_others(delta: Any) -> Any:
    array = np.asarray(delta)
    zero = np.asarray(array == 0, dtype=bool)
    mean = np.add.reduce(array) / max(1, len(array) - 1)
    return np.where(zero, mean, array)


def _finite_two_zeros(lab: Lab) -> Iterator[Cell]:
    """The exact law of one round of K trajectories from two guessing steps over two states."""
    goal = [F(1, 2) * (1 + F(int(2 * x), 2)) for x in lab.theory.star.limit([F(0), F(0)], 2)]
    for count in (1, 2, 4):
        law = lab.theory.star.sampled_round([F(1, 2)] * 4, count)
        stay = law.get((goal[0], goal[0], goal[1], goal[1]), F(0))
        yield lab.equal({"n_states": 2, "n_steps": 2, "K": count}, stay, F(1), "chance that the tables are as claimed")


TWO_ZEROS = Claim(
    id="star.two_zeros_never_change",
    statement="Two guessing steps never change, whatever the number of trajectories.",
    latex=r"\delta_1 = \delta_2 = 0 \Rightarrow P(\text{tables unchanged}) = 1",
    origin="derived",
    source="the criterion for infinitely many samples, carried to finite samples",
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    expected="fails",
    repaired_by="star.one_zero_criterion",
    evidence=(
        Exact("enumeration", "exact law of one sampled round at M = N = 2", _finite_two_zeros, scope="cells"),
        Simulation(
            "runs of 40 trajectories a round that still guess after 200 rounds",
            "star.simulate",
            cells=({"n_states": 2, "delta": (0.0, 0.0)},),
            parameters=lambda cell: {**cell, "n_trajectories": 40, "n_rounds": 200},
            extract=lambda data, cell: Counts(
                int((data["step_right"].values[:, -1] == data["step_right"].values[:, 0]).all(axis=1).sum()),
                data.sizes["replicate"],
            ),
            predict=lambda t, cell: 1.0,  # every run
            resolution=0.05,
            planned_n=128,
            looks=1,
            cost=0.2,
        ),
    ),
    mutants=(
        Mutant(
            "two guessing steps jump to the truth",
            "sampling moves them at random, to either labelling of the middle states",
            theory={"star.limit": lambda delta, n_states: np.ones(len(delta))},
        ),
        Mutant(
            "two guessing steps go half way",
            "sampling moves them at random",
            theory={"star.limit": lambda delta, n_states: np.full(len(delta), 0.5)},
        ),
    ),
    remarks="One kept trajectory fixes the rows it visits; drift then learns some labelling of the middle states.",
)


# ---------------------------------------------------------------- the end


def _quadratic_proof(lab: Lab) -> Iterator[Cell]:
    eps = sp.Symbol("epsilon", positive=True)
    length = sp.Symbol("N", integer=True, positive=True)
    rest = sp.Symbol("c", positive=True)
    # Pi_{-n} = (1 - eps)^(N-1) = 1 - (N-1) eps + c eps^2 with bounded c.
    others = 1 - (length - 1) * eps + rest * eps**2
    ratio = sp.cancel(lab.theory.star.gap_update([1 - eps, others], M)[0] / eps**2).subs(eps, 0)
    rate = lab.theory.star.local_rate(length, M)
    yield identity(lab, ANY, ratio, rate, "limit of eps'/eps^2, N a symbol")


def _quadratic_cells(lab: Lab) -> Iterator[Cell]:
    eps = F(1, 10**6)
    for n_steps, n_states in ((2, 2), (3, 2), (3, 3)):
        _, _, rows, _, maps = enumerated((1 - eps,) * n_steps, n_states)
        gap = 1 - deltas_of_rows(rows, maps)[0]
        rate = lab.theory.star.local_rate(n_steps, n_states)
        # The next order is a polynomial in eps with coefficients below N^2 after division by eps^2.
        off = n_steps**2 * 1e-6
        yield lab.close({"n_steps": n_steps, "n_states": n_states}, float(gap / eps**2), float(rate), off)


LOCAL = Claim(
    id="star.quadratic_end",
    statement="Near the truth the gap of equal deltas is squared: eps' ~ ((N-1)/M) eps^2.",
    latex=r"1 - \delta' \sim \frac{N-1}{M}\,(1-\delta)^2",
    origin="derived",
    source=DERIVED,
    kind="rate",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    functions=("star.local_rate",),
    evidence=(
        Exact("identity", "limit of the ratio, N and M symbols", _quadratic_proof),
        Exact("enumeration", "rows of all paths at eps = 1e-6", _quadratic_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the coefficient is N/M",
            "a step is not evidence for itself",
            theory={"star.local_rate": lambda n_steps, n_states: n_steps / n_states},
        ),
        Mutant(
            "the coefficient is (N-1)/(M-1)",
            "1 - Pi_(-n) ~ (N-1) eps is divided by 1+(M-1)Pi ~ M",
            theory={"star.local_rate": lambda n_steps, n_states: (n_steps - 1) / (n_states - 1)},
        ),
    ),
)


CLAIMS = (CONVERGENCE, ONE_ZERO, TWO_ZEROS, LOCAL)
