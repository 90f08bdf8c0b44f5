"""Claims about the symmetric family: its accuracy, one round in closed form, as Bayes' rule, and its gain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Real
from proofs_check.samples import Counts
from proofs_check.star._common import (
    ANY,
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
    F,
    M,
    chain_name,
    deltas_of_rows,
    enumerated,
    identity,
    product_of_deltas,
    resimulated,
    right_chance,
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

__all__ = ["CLAIMS", "own_delta_counted"]


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
            theory={"star.accuracy": lambda delta, n_states: product_of_deltas(delta, n_states)},
        ),
        Mutant(
            "J = (1 + M Pi)/(M + 1)",
            "at Pi = 0 the answer is right with probability 1/M",
            theory={
                "star.accuracy": lambda delta, n_states: (
                    (1 + n_states * product_of_deltas(delta, n_states)) / (n_states + 1)
                )
            },
        ),
        Mutant(
            "the simulator accepts a tenth of the wrong answers",
            "J counts right answers alone",
            sims=resimulated(false_positive=0.1),
        ),
    ),
    figure=_accuracy_curves,
)


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
    return right_chance(after, cell["n_states"])


def own_delta_counted(delta: Any, n_states: Any) -> Any:
    """The product of all deltas where that of the others belongs."""
    array = np.asarray(delta)
    every = product_of_deltas(array, n_states)
    return (array + every + (n_states - 2) * array * every) / (1 + (n_states - 1) * array * every)


def _two_states_only(delta: Any, n_states: Any) -> Any:
    rest = theory().products_of_others(delta, n_states)
    array = np.asarray(delta)
    return (array + rest) / (1 + (n_states - 1) * array * rest)


def _round_map(result: ClaimResult) -> Figure:
    """Equal deltas before and after a round: the closed form, and first steps of single kept trajectories."""
    from proofs_check.figures import labelled_axes, simulated_points, theory_line
    from sims import star as simulator
    from sims.intervals import clopper_pearson

    figure, ax = labelled_axes("delta before the round", "delta after it")
    grid, starts = np.linspace(0.0, 1.0, 101), np.linspace(0.1, 0.9, 5)
    for index, (n_steps, n_states) in enumerate(((2, 8), (3, 8), (5, 8), (3, 2))):
        name = f"N = {n_steps}, M = {n_states}"
        theory_line(ax, grid, [theory().update([float(d)] * n_steps, n_states)[0] for d in grid], f"map, {name}", index)
        counts = []
        for start in starts:
            right = right_steps(simulator.simulate((float(start),) * n_steps, n_states, 1, 1, range(8000)))[:, 0]
            counts.append((int(right.sum()), len(right)))
        right, kept = np.array(counts).T
        ends = (right / kept, *clopper_pearson(right, kept, 1e-3))
        estimate, low, high = ((n_states * alpha - 1) / (n_states - 1) for alpha in ends)
        simulated_points(ax, starts, estimate, low, high, "kept trajectories", index)
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, linestyle=":")
    ax.set_ylim(top=1.3)
    ax.legend(loc="upper left", fontsize="x-small", ncols=2)
    return figure


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
            theory={"star.update": own_delta_counted, "star.rational_update": own_delta_counted},
        ),
        Mutant(
            "the term (M-2) delta Pi_(-n) is absent for every M",
            "it vanishes at M = 2 only",
            theory={"star.update": _two_states_only, "star.rational_update": _two_states_only},
        ),
        Mutant(
            "the simulator samples at temperature 1/2",
            "the map is that of temperature 1",
            sims=resimulated(temperature=0.5),
        ),
    ),
    figure=_round_map,
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
        for n, after in enumerate(deltas_of_rows(rows, maps)):
            yield lab.equal({**chain_name(delta, n_states), "step": n + 1}, after - delta[n], gains[n])
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


CLAIMS = (ACCURACY, UPDATE, BAYES, GROUP, IMPROVEMENT)
