"""Claims about the symmetric family: accuracy, the update, its limit, and the share of right paths."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Real
from proofs_check.samples import Counts
from proofs_check.star._common import (
    BOX,
    CHAIN,
    CHAINS,
    DERIVED,
    DISTANCE,
    OTHERS,
    PAPER,
    PI,
    SINGLE,
    STATES,
    STEPS,
    D,
    M,
    chain_name,
    enumerated,
    identity,
    right_steps,
    single_leg,
    symmetric_tables,
    text,
    theory,
    witness_below_zero,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]

F = Fraction
ANY = {"n_steps": "any", "n_states": "any"}


def _dot(values: Any, n_states: Any) -> Any:
    return np.multiply.reduce(np.asarray(values), axis=-1)


# ---------------------------------------------------------------- accuracy


def _product_law(lab: Lab) -> Iterator[Cell]:
    a, b, c, e = OTHERS
    # (a I + (1-a)/M U)(b I + (1-b)/M U) with U U = M U, U the matrix of ones.
    ones = a * (1 - b) / M + b * (1 - a) / M + (1 - a) * (1 - b) / M**2 * M
    yield identity(lab, ANY, ones, (1 - a * b) / M, "two steps multiply by multiplying their deltas")
    found = lab.theory.star.accuracy
    yield identity(lab, {**ANY, "n_steps": 1}, found([a], M), a + (1 - a) / M, "one step: a diagonal entry")
    for chain in ((a, b), (a, b, c), (a, b, c, e)):
        merged = [chain[0] * chain[1], *chain[2:]]
        says = "merging two steps keeps J: induction over the chain"
        yield identity(lab, {**ANY, "n_steps": len(chain)}, found(list(chain), M), found(merged, M), says)


def _accuracy_cells(lab: Lab) -> Iterator[Cell]:
    for delta, n_states in CHAINS:
        total = enumerated(delta, n_states)[0]
        yield lab.equal(chain_name(delta, n_states), total, lab.theory.star.accuracy(list(delta), n_states))


def _accuracy_curves(result: ClaimResult) -> Figure:
    from proofs_check.figures import labelled_axes, simulated_points, theory_line
    from sims import star as simulator
    from sims.intervals import clopper_pearson

    figure, ax = labelled_axes("rounds", "accuracy J")
    for index, (delta, n_states) in enumerate((((0.1, 0.1, 0.1), 64), ((0.2, 0.2, 0.2), 8), ((0.3, 0.3), 2))):
        curve = theory().accuracy(theory().iterate(delta, n_states, 10), n_states)
        label = f"N = {len(delta)}, M = {n_states}, delta = {delta[0]}"
        theory_line(ax, np.arange(11), curve, label, index)
        count = 200_000
        kept = simulator.simulate(delta, n_states, count, 11, [1]).kept.values[0]
        low, high = clopper_pearson(kept[1:], count, 1e-3)
        simulated_points(ax, np.arange(11), kept[1:] / count, low, high, f"{count} trajectories", index)
    ax.legend(loc="lower right")
    return figure


ACCURACY = Claim(
    id="star.accuracy",
    statement="The final answer is right with probability (1 + (M-1) Pi)/M, Pi the product of the deltas.",
    latex=r"J = \frac{1 + (M-1)\prod_n \delta_n}{M}",
    origin="paper",
    source=PAPER + ", N = 3; any N since such matrices multiply by multiplying their deltas",
    kind="exact",
    domain=Domain({"n_steps": STEPS.__class__(1, largest_drawn=12), "n_states": STATES, "delta": DISTANCE}),
    evidence=(
        Exact("identity", "product law and merging of steps, M a symbol", _product_law),
        Exact("enumeration", "all paths, random bijections", _accuracy_cells, scope="cells"),
        single_leg(
            "kept trajectories",
            lambda data, cell: Counts(int(data["kept"].values[:, 1].sum()), data.sizes["replicate"]),
            lambda t, cell: float(t.star.accuracy(cell["delta"], cell["n_states"])),
        ),
    ),
    mutants=(
        Mutant(
            "J = Pi",
            "a model that guesses is right with probability 1/M",
            theory={"star.accuracy": lambda delta, n_states: _dot(delta, n_states)},
        ),
        Mutant(
            "J = (1 + M Pi)/(M + 1)",
            "at Pi = 0 the answer is right with probability 1/M",
            theory={"star.accuracy": lambda delta, n_states: (1 + n_states * _dot(delta, n_states)) / (n_states + 1)},
        ),
        Mutant(
            "the simulator accepts a tenth of the wrong answers",
            "J counts right answers alone",
            sims={"star.simulate": lambda *a, **k: _simulate(*a, **{**k, "false_positive": 0.1})},
        ),
    ),
    figure=_accuracy_curves,
)


def _simulate(*given: Any, **options: Any) -> Any:
    from sims import star

    return star.simulate(*given, **options)


# ---------------------------------------------------------------- the update


def _update_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    alpha, agreed = (1 + (M - 1) * D) / M, (1 + (M - 1) * PI) / M
    correct = (1 + (M - 1) * D * PI) / M
    after = t.update([D, PI], M)[0]
    yield identity(lab, ANY, (1 + (M - 1) * after) / M, alpha * agreed / correct, "alpha' = alpha A / J")
    closed = (D + PI + (M - 2) * D * PI) / (1 + (M - 1) * D * PI)
    yield identity(lab, ANY, after, closed, "the printed quotient")
    yield identity(lab, ANY, t.rational_update([D, PI], M)[0], after, "both shipped forms")
    a, b, c, _ = OTHERS
    for rest in ((a, b), (a, b, c)):
        merged = t.update([D, sp.prod(rest)], M)[0]
        says = "the other steps enter through their product"
        yield identity(lab, {**ANY, "n_steps": len(rest) + 1}, t.update([D, *rest], M)[0], merged, says)
    yield identity(
        lab,
        {**ANY, "n_steps": 3},
        t.update([D] * 3, M)[0],
        ((M - 2) * D**3 + D**2 + D) / ((M - 1) * D**3 + 1),
        "the published map for N = 3 and equal deltas",
    )


def _update_cells(lab: Lab) -> Iterator[Cell]:
    for delta, n_states in CHAINS:
        _, _, rows, _, maps = enumerated(delta, n_states)
        after = lab.theory.star.update(list(delta), n_states)
        expected = symmetric_tables(list(after), n_states, maps)
        yield lab.true(chain_name(delta, n_states), rows == expected, f"rows of all paths against {text(after)}")


def _step_cells() -> list[dict[str, Any]]:
    return [{**cell, "step": step} for cell in SINGLE for step in (1, len(cell["delta"]))]


def _right_at(data: Any, cell: Mapping[str, Any]) -> Counts:
    right = right_steps(data)[:, cell["step"] - 1]
    return Counts(int(right.sum()), len(right))


def _alpha_after(t: Any, cell: Mapping[str, Any]) -> float:
    after = t.star.update(cell["delta"], cell["n_states"])[cell["step"] - 1]
    return float((1 + (cell["n_states"] - 1) * after) / cell["n_states"])


def _unweighted(delta: Any, n_states: Any) -> Any:
    """The product of all deltas where that of the others belongs."""
    array = np.asarray(delta)
    every = _dot(array, n_states)
    return (array + every + (n_states - 2) * array * every) / (1 + (n_states - 1) * array * every)


def _two_states_only(delta: Any, n_states: Any) -> Any:
    rest = theory().products_of_others(delta, n_states)
    array = np.asarray(delta)
    return (array + rest) / (1 + (n_states - 1) * array * rest)


UPDATE = Claim(
    id="star.closed_update",
    statement=(
        "One iteration with infinitely many samples keeps the symmetric family and maps the deltas in closed form, for "
        "any number of steps and states, unequal deltas and any bijections."
    ),
    latex=(
        r"\delta_n' = \frac{\delta_n + \Pi_{-n} + (M-2)\,\delta_n \Pi_{-n}}{1 + (M-1)\,\Pi}, \qquad "
        r"\alpha_n' = \frac{\alpha_n A_n}{J}"
    ),
    origin="paper",
    source=PAPER + ", N = 3 and equal deltas; in general " + DERIVED,
    kind="exact",
    domain=CHAIN,
    evidence=(
        Exact("identity", "kept share of the right transition, Pi_(-n) and M symbols", _update_identity),
        Exact("enumeration", "rows from all paths, random bijections", _update_cells, scope="cells"),
        single_leg("right transitions of kept trajectories", _right_at, _alpha_after, cells=_step_cells()),
    ),
    mutants=(
        Mutant(
            "the evidence for a step is the product of all deltas",
            "a step's own delta must not count twice",
            theory={"star.update": _unweighted, "star.rational_update": _unweighted},
        ),
        Mutant(
            "the term (M-2) delta Pi_(-n) is absent for every M",
            "it vanishes at M = 2 only",
            theory={"star.update": _two_states_only, "star.rational_update": _two_states_only},
        ),
        Mutant(
            "the simulator samples at temperature 1/2",
            "the map is that of temperature 1",
            sims={"star.simulate": lambda *a, **k: _simulate(*a, **{**k, "temperature": 0.5})},
        ),
    ),
)


# ---------------------------------------------------------------- Bayes and the group


def _bayes_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    after = t.update([D, PI], M)[0]
    yield identity(lab, ANY, t.odds(after, M), t.odds(D, M) * t.odds(PI, M), "r(delta') = r(delta) r(Pi_(-n))")
    yield identity(lab, ANY, t.bayes_update([D, PI], M)[0], after, "the shipped Bayes form")
    yield identity(lab, ANY, t.from_odds(t.odds(D, M), M), D, "delta from its odds")


def _odds_cells(lab: Lab) -> Iterator[Cell]:
    """Odds of the refitted rows, path by path, against the products of odds."""
    for delta, n_states in CHAINS:
        if max(delta) == 1:
            continue
        _, _, rows, _, maps = enumerated(delta, n_states)
        for n, d in enumerate(delta):
            row, right = rows[n][0], maps[n][0]
            rest = Fraction(1)
            for k, other in enumerate(delta):
                rest *= other if k != n else 1
            odds = row[right] / row[(right + 1) % n_states]
            yield lab.equal(
                {**chain_name(delta, n_states), "step": n + 1},
                odds,
                lab.theory.star.odds(d, n_states) * lab.theory.star.odds(rest, n_states),
            )


def _odds_of_two(delta: Any, n_states: Any) -> Any:
    return (1 + delta) / (1 - delta)


def _odds_complement(delta: Any, n_states: Any) -> Any:
    return (1 + (n_states - 1) * delta) / ((n_states - 1) * (1 - delta))


BAYES = Claim(
    id="star.bayes_rule",
    statement=(
        "One iteration is Bayes' rule: the odds of a step are multiplied by the odds at the product of the others."
    ),
    latex=r"r(\delta_n') = r(\delta_n)\, r(\Pi_{-n}), \qquad L_n' = L_n + \ell(\Pi_{-n})",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=Domain({"n_steps": STEPS, "n_states": STATES, "delta": Real(0, 1, open_high=True, meaning="distance")}),
    functions=("star.odds",),
    evidence=(
        Exact("identity", "Pi_(-n) and M symbols", _bayes_identity),
        Exact("enumeration", "odds of the rows of all paths", _odds_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the odds are (1+delta)/(1-delta) for every M",
            "that is the case M = 2",
            theory={"star.odds": _odds_of_two},
        ),
        Mutant(
            "the odds are those against all wrong successors together",
            "these do not multiply: each wrong successor is an alternative of its own",
            theory={"star.odds": _odds_complement},
        ),
    ),
)


def _group_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    a, b, c, _ = OTHERS
    join = t.combine
    where = {"n_states": "any"}
    yield identity(lab, where, join(a, b, M), join(b, a, M), "commutative")
    yield identity(lab, where, join(join(a, b, M), c, M), join(a, join(b, c, M), M), "associative")
    yield identity(lab, where, join(a, sp.Integer(0), M), a, "0 is neutral")
    yield identity(lab, where, join(a, t.inverse(a, M), M), sp.Integer(0), "the inverse")
    yield identity(lab, where, t.odds(join(a, b, M), M), t.odds(a, M) * t.odds(b, M), "the odds multiply")
    yield identity(lab, where, join(D, PI, M), t.update([D, PI], M)[0], "the update combines with Pi_(-n)")


def _group_cells(lab: Lab) -> Iterator[Cell]:
    """The combined delta as the first row of two steps around a loop, path by path."""
    for n_states in (2, 3, 5):
        for a, b in ((F(1, 2), F(1, 3)), (F(1, 5), F(2, 3)), (F(1, 7), F(-1, 9))):
            rows = enumerated((a, b), n_states)[2]
            maps = enumerated((a, b), n_states)[4]
            right = rows[0][0][maps[0][0]]
            where = {"n_states": n_states, "a": str(a), "b": str(b)}
            yield lab.equal(where, (n_states * right - 1) / (n_states - 1), lab.theory.star.combine(a, b, n_states))
            gone = lab.theory.star.combine(a, lab.theory.star.inverse(a, n_states), n_states)
            yield lab.equal(where, gone, F(0), "a combined with its inverse")


GROUP = Claim(
    id="star.group_law",
    statement=(
        "The operation behind the update is a commutative group law on (-1/(M-1), 1) with neutral element 0, on which "
        "the odds multiply."
    ),
    latex=r"a \oplus b = \frac{a + b + (M-2)ab}{1 + (M-1)ab}, \quad \ominus a = \frac{-a}{1 + (M-2)a}",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=Domain({"n_states": STATES}),
    evidence=(
        Exact("identity", "group axioms and homomorphism in symbols", _group_identity),
        Exact("enumeration", "rows of two steps from all paths", _group_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "a (+) b = (a + b)/(1 + ab)",
            "that is the law for M = 2",
            theory={"star.combine": lambda a, b, n_states: (a + b) / (1 + a * b)},
        ),
        Mutant(
            "the inverse of a is -a/(1 + (M-1) a)",
            "its odds are not 1/r",
            theory={"star.inverse": lambda a, n_states: -a / (1 + (n_states - 1) * a)},
        ),
    ),
)


# ---------------------------------------------------------------- improvement


def _improvement_proof(lab: Lab) -> list[Cell]:
    t = lab.theory.star
    gain = t.improvement([D, PI], M)[0]
    after = t.update([D, PI], M)[0]
    proof = Proof()
    proof.identity("delta' - delta is the stated gain", after - D, gain)
    proof.positive("it is positive for 0 < delta < 1, 0 < Pi_(-n)", gain, BOX)
    proof.identity("without evidence nothing is gained", gain.subs(PI, 0), sp.Integer(0))
    proof.identity("at the truth nothing is gained", gain.subs(D, 1), sp.Integer(0))
    # J rises with every delta: its derivative is (M-1) Pi_{-n}/M.
    proof.positive("J rises with each delta", sp.diff(t.accuracy([D, PI], M), D), BOX)
    return proof.cells(ANY, witness_below_zero([-((after - D - gain) ** 2), gain, -(gain.subs(PI, 0) ** 2)]))


def _improvement_cells(lab: Lab) -> Iterator[Cell]:
    for delta, n_states in (*CHAINS, ((F(0), F(0), F(1, 2)), 2), ((F(1), F(1)), 3), ((F(0), F(1), F(1)), 3)):
        total, _, rows, _, maps = enumerated(delta, n_states)
        gains = lab.theory.star.improvement(list(delta), n_states)
        for n, d in enumerate(delta):
            after = (n_states * rows[n][0][maps[n][0]] - 1) / (n_states - 1)
            yield lab.equal({**chain_name(delta, n_states), "step": n + 1}, after - d, gains[n])
        later = enumerated(tuple(d + g for d, g in zip(delta, gains, strict=True)), n_states)[0]
        moves = any(d < 1 and all(delta[k] > 0 for k in range(len(delta)) if k != n) for n, d in enumerate(delta))
        says = "J rises strictly exactly if a step below 1 has evidence"
        yield lab.true(chain_name(delta, n_states), (later > total) == moves and later >= total, says)


IMPROVEMENT = Claim(
    id="star.improvement",
    statement=(
        "Every step gains Pi_(-n) (1-delta_n)(1+(M-1)delta_n)/(1+(M-1)Pi) >= 0, so J never falls, and rises exactly if "
        "some step below the truth has evidence."
    ),
    latex=r"\delta_n' - \delta_n = \frac{\Pi_{-n}(1-\delta_n)(1+(M-1)\delta_n)}{1+(M-1)\Pi} \ge 0",
    origin="paper",
    source=PAPER,
    kind="exact",
    domain=CHAIN,
    evidence=(
        Exact("certificate", "the gain and its sign, Pi_(-n) and M symbols", _improvement_proof),
        Exact("enumeration", "gains of the rows of all paths", _improvement_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the gain is Pi_(-n) (1-delta)/(1+(M-1)Pi)",
            "the factor 1+(M-1)delta is missing: rows that are nearly right take most of the kept weight",
            theory={"star.improvement": lambda delta, n_states: _gain(delta, n_states, 0)},
        ),
        Mutant(
            "the gain is that of the odds form squared",
            "evidence enters once a round",
            theory={"star.improvement": lambda delta, n_states: _gain(delta, n_states, 2)},
        ),
    ),
)


def _gain(delta: Any, n_states: Any, power: int) -> Any:
    array, rest = np.asarray(delta), theory().products_of_others(delta, n_states)
    return rest * (1 - array) * (1 + (n_states - 1) * array) ** power / (1 + (n_states - 1) * array * rest)


# ---------------------------------------------------------------- convergence


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
            moved = tuple((n_states * rows[n][0][maps[n][0]] - 1) / (n_states - 1) for n in range(len(now)))
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
            sims={"star.simulate": lambda *a, **k: _simulate(*a, **{**k, "n_rounds": 1})},
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
            theory={"star.update": _unweighted},
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


# ---------------------------------------------------------------- below guessing


def _below_rows(lab: Lab) -> Iterator[Cell]:
    """Two rounds of all paths from (-1/2, -1/2) over two states: J rises while R falls."""
    now = (F(-1, 2), F(-1, 2))
    before = enumerated(now, 2)
    after_delta = tuple(lab.theory.star.update(list(now), 2))
    rows, maps = before[2], before[4]
    moved = tuple(2 * rows[n][0][maps[n][0]] - 1 for n in range(2))
    after = enumerated(moved, 2)
    yield lab.true(
        chain_name(now, 2),
        moved == after_delta and after[1] >= before[1],
        f"J {before[0]} -> {after[0]}, R {before[1]} -> {after[1]}",
    )
    ends = lab.theory.star.iterate(list(now), 2, 6)[-1]
    reached = lab.theory.star.limit([0.5, 0.5], 2)
    off = max(abs(float(d) - float(g)) for d, g in zip(ends, reached, strict=True))
    yield lab.at_most(chain_name(now, 2), off, 0.01, "distance from the limit of positive deltas after 6 rounds")


BELOW_HARMLESS = Claim(
    id="star.below_guessing_is_harmless",
    statement="Deltas below guessing are harmless: R does not fall and every step ends at the truth, as from above.",
    latex=r"\delta_n \in [-\tfrac{1}{M-1}, 0) \Rightarrow R' \ge R,\ \delta_n \to 1",
    origin="derived",
    source="the statements for non-negative deltas, carried below guessing",
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    expected="fails",
    repaired_by="star.right_share_never_falls",
    evidence=(
        Exact("enumeration", "M = 2 from (-1/2, -1/2), all paths", _below_rows, scope="cells"),
        Simulation(
            "runs from (-1/2, -1/2) that end with every step right",
            "star.simulate",
            cells=({"n_states": 2, "delta": (-0.5, -0.5)},),
            parameters=lambda cell: {**cell, "n_trajectories": 400, "n_rounds": 8},
            extract=lambda data, cell: Counts(int((data["final_class"].values == 0).sum()), data.sizes["replicate"]),
            predict=lambda t, cell: (float(min(t.star.limit([0.5, 0.5], 2))) - 0.1, 1.0),
            compare="lower",
            resolution=0.05,
            planned_n=128,
            looks=1,
            cost=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "they end half way",
            "both steps end swapped, at -1",
            theory={"star.limit": lambda delta, n_states: np.full(len(delta), 0.5)},
        ),
        Mutant(
            "they end nine tenths of the way",
            "both steps end swapped, at -1",
            theory={"star.limit": lambda delta, n_states: np.full(len(delta), 0.9)},
        ),
    ),
)


def _negative_pair_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    a, b, _, _ = OTHERS
    where = {"n_steps": 2, "n_states": "any"}
    first, second = t.update([a, b], M)
    yield identity(lab, where, t.odds(first, M), t.odds(second, M), "one round makes the odds of both steps equal")
    twice = t.update([D, D], M)[0]
    yield identity(lab, where, t.odds(twice, M), t.odds(D, M) ** 2, "then every round squares them")
    below = -PI / (M - 1)  # a delta between -1/(M-1) and 0
    proof = Proof()
    proof.positive("below guessing the odds are below 1", 1 - t.odds(below, M), BOX)
    proof.nonnegative("and not negative", t.odds(below, M), BOX)
    yield from proof.cells(where, witness_below_zero([1 - t.odds(below, M)]))
    yield identity(lab, where, t.from_odds(sp.Integer(0), M), -1 / (M - 1), "odds 0 are delta = -1/(M-1)")
    end = t.accuracy([-1 / (M - 1)] * 2, M)
    yield identity(lab, where, end, 1 / (M - 1), "and J = 1/(M-1) there")


def _negative_pair_cells(lab: Lab) -> Iterator[Cell]:
    for n_states, start in ((3, (F(-1, 4), F(-1, 3))), (4, (F(-1, 5), F(-1, 6)))):
        now = start
        for _ in range(9):
            _, _, rows, _, maps = enumerated(now, n_states)
            now = tuple((n_states * rows[n][0][maps[n][0]] - 1) / (n_states - 1) for n in range(2))
        wanted = lab.theory.star.accuracy([F(-1, n_states - 1)] * 2, n_states)
        found = enumerated(now, n_states)[0]
        # After nine squarings the odds are below (1/2)^500: the distance is far below the tolerance.
        yield lab.close(chain_name(start, n_states), float(found), float(wanted), 1e-9, "J after nine rounds")


NEGATIVE_PAIR = Claim(
    id="star.two_negative_steps",
    statement="Two steps below guessing over M >= 3 states end at -1/(M-1), never right, with J at 1/(M-1).",
    latex=r"N = 2,\ \delta_1, \delta_2 < 0,\ M \ge 3 \Rightarrow \delta_n \to \frac{-1}{M-1},\ J \to \frac{1}{M-1}",
    origin="derived",
    source=DERIVED,
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    evidence=(
        Exact("identity", "odds are equal after one round and squared from then on", _negative_pair_identity),
        Exact("enumeration", "nine rounds of all paths", _negative_pair_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "J ends at 1/M",
            "never being right twice is better than guessing: one wrong answer in M-1 is the right one",
            theory={"star.accuracy": lambda delta, n_states: _dot(delta, n_states) * 0 + 1 / sp.Integer(1) / n_states},
        ),
        Mutant(
            "J ends at 1/(M-1)^2",
            "the product of two negative deltas is positive",
            theory={"star.accuracy": lambda delta, n_states: _dot(delta, n_states)},
        ),
    ),
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
        gap = 1 - (n_states * rows[0][0][maps[0][0]] - 1) / (n_states - 1)
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


# ---------------------------------------------------------------- right paths


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
    return _dot(delta, n_states) / theory().accuracy(delta, n_states)


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
            sims={"star.simulate": lambda *a, **k: _simulate(*a, **{**k, "temperature": 0.5})},
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

CLAIMS = (
    ACCURACY,
    UPDATE,
    BAYES,
    GROUP,
    IMPROVEMENT,
    CONVERGENCE,
    ONE_ZERO,
    TWO_ZEROS,
    LOCAL,
    SHARE,
    MONOTONE,
    SAME_SHARE,
    WRONG_RATE,
    BELOW_HARMLESS,
    NEGATIVE_PAIR,
)
