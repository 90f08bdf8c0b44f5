"""How far two open questions got: the mean accuracy after a sampled round, and how many trajectories a run needs."""

from __future__ import annotations

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.samples import Counts
from proofs_check.star._common import DERIVED, STATES, STEPS, F, random_tables, share_over_bound, theory
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS", "certified", "gap_polynomial"]

Polynomial = dict[tuple[int, ...], Fraction]
CERTIFICATES = ((2, 1), (2, 2), (2, 3), (3, 1))


def _times(first: Polynomial, second: Polynomial) -> Polynomial:
    result: Polynomial = defaultdict(Fraction)
    for e, c in first.items():
        for f, d in second.items():
            result[tuple(a + b for a, b in zip(e, f, strict=True))] += c * d
    return result


def _plus(first: Polynomial, second: Polynomial, scale: int = 1) -> Polynomial:
    result: Polynomial = defaultdict(Fraction, first)
    for e, c in second.items():
        result[e] += scale * c
    return result


@lru_cache(maxsize=8)
def gap_polynomial(n_steps: int, n_kept: int) -> Mapping[tuple[int, ...], Fraction]:
    """``(E[J' | kept] - J) J^kept`` for two states, from the definition, as a polynomial in odds.

    Variables are the odds x of the start's law and of each row (right probability ``x/(1+x)``);
    the polynomial is multiplied by ``(1+x)^(kept+1)`` in each of them, which changes no sign.

    Parameters
    ----------
    n_steps, n_kept : int
        N >= 1, and kept trajectories >= 1.

    Returns
    -------
    mapping of exponents to Fraction
        Coefficients, zeros left out.

    Examples
    --------
    >>> len(gap_polynomial(1, 1)) > 0
    True
    """
    size = 1 + 2 * n_steps
    zero = (0,) * size

    def chance(index: int, stays: bool) -> Polynomial:
        unit = tuple(int(k == index) for k in range(size))
        return {unit: F(1)} if stays else {zero: F(1), unit: F(-1)}

    start = [chance(0, True), chance(0, False)]
    rows = {(n, a, b): chance(1 + 2 * n + a, a == b) for n in range(n_steps) for a in range(2) for b in range(2)}
    paths = [(a, *middle, a) for a in range(2) for middle in itertools.product(range(2), repeat=n_steps - 1)]
    weights = []
    for path in paths:
        weight = start[path[0]]
        for n in range(n_steps):
            weight = _times(weight, rows[n, path[n], path[n + 1]])
        weights.append(weight)
    correct: Polynomial = {}
    for weight in weights:
        correct = _plus(correct, weight)
    total: Polynomial = {}
    for kept in itertools.combinations_with_replacement(range(len(paths)), n_kept):
        ways = math.factorial(n_kept)
        for index in set(kept):
            ways //= math.factorial(kept.count(index))
        mass: Polynomial = {zero: F(ways)}
        for index in kept:
            mass = _times(mass, weights[index])
        after: Polynomial = {}
        for s in range(2):
            reach: dict[int, Polynomial] = {s: {zero: F(1)}}
            for n in range(n_steps):
                moved: dict[int, Polynomial] = {}
                for a, value in reach.items():
                    seen = [paths[index][n + 1] for index in kept if paths[index][n] == a]
                    for b in range(2):
                        step = {zero: F(seen.count(b), len(seen))} if seen else rows[n, a, b]
                        moved[b] = _plus(moved.get(b, {}), _times(value, step))
                reach = moved
            after = _plus(after, _times(start[s], reach[s]))
        total = _plus(total, _times(mass, after))
    power: Polynomial = {zero: F(1)}
    for _ in range(n_kept + 1):
        power = _times(power, correct)
    total = _plus(total, power, -1)
    degree = n_kept + 1
    odds: Polynomial = total
    for index in range(size):  # p^e -> x^e (1+x)^(degree-e), one variable at a time
        expanded: Polynomial = defaultdict(Fraction)
        for e, c in odds.items():
            for k in range(degree - e[index] + 1) if c else ():
                shifted = (*e[:index], e[index] + k, *e[index + 1 :])
                expanded[shifted] += c * math.comb(degree - e[index], k)
        odds = expanded
    return {e: c for e, c in odds.items() if c}


@lru_cache(maxsize=8)
def _terms(n_steps: int, n_kept: int) -> tuple[tuple[Any, ...], ...]:
    """Stored terms: a weight, a scale, two exponents and one between them."""
    data = resources.files("proofs_check.star").joinpath(f"kept_mean_N{n_steps}_k{n_kept}.json").read_text("utf-8")
    return tuple(
        (F(weight), F(scale), tuple(first), tuple(second), tuple(middle))
        for weight, scale, first, second, middle in json.loads(data)["terms"]
    )


def certified(polynomial: Mapping[tuple[int, ...], Fraction], terms: Any) -> bool:
    """Whether weighted AM-GM terms show that a polynomial is non-negative for positive variables.

    Each term says ``p s^q x^u + q s^-p x^v >= (p+q) x^m`` where ``p u + q v = (p+q) m``; taking
    the terms away with non-negative weights must leave non-negative coefficients only.

    Examples
    --------
    >>> square = {(2,): Fraction(1), (1,): Fraction(-2), (0,): Fraction(1)}
    >>> certified(square, [(Fraction(1), Fraction(1), (2,), (0,), (1,))]), certified(square, [])
    (True, False)
    """
    rest = defaultdict(Fraction, polynomial)
    for weight, scale, first, second, middle in terms:
        if weight < 0 or scale <= 0 or first == second:
            return False
        whole = math.gcd(*(abs(x - y) for x, y in zip(first, second, strict=True)))
        index = next(i for i, (x, y) in enumerate(zip(first, second, strict=True)) if x != y)
        q = whole * (middle[index] - first[index]) // (second[index] - first[index])
        p = whole - q
        between = all(p * x + q * y == (p + q) * z for x, y, z in zip(first, second, middle, strict=True))
        if p <= 0 or q <= 0 or not between:
            return False
        rest[first] -= weight * p * scale**q
        rest[second] -= weight * q / scale**p
        rest[middle] += weight * (p + q)
    return all(c >= 0 for c in rest.values())


def _shipped_gap(lab: Lab, n_steps: int, n_kept: int, index: int) -> tuple[Fraction, Fraction, Fraction]:
    """Shipped mean and J at rational tables and a start law, and the polynomial's value of (mean - J) J^kept."""
    tables = random_tables(n_steps, 2, 600 + index, largest=9)
    start = [F(1 + index, 9), F(8 - index, 9)]
    array = np.array(tables, dtype=object)
    law = np.array(start, dtype=object)
    t = lab.theory.star
    mean = t.mean_reward_after_kept(array, n_kept, start=law)
    right = t.expected_reward(array, start=law)
    odds = [start[0] / start[1], *(row[s] / row[1 - s] for table in tables for s, row in enumerate(table))]
    value = F(0)
    for e, c in gap_polynomial(n_steps, n_kept).items():
        value += c * math.prod(x**k for x, k in zip(odds, e, strict=True))
    return mean, right, value / math.prod((1 + x) ** (n_kept + 1) for x in odds)


def _certificate_cells(lab: Lab) -> Iterator[Cell]:
    for n_steps, n_kept in CERTIFICATES:
        where = {"n_states": 2, "n_steps": n_steps, "kept": n_kept}
        fine = _checked(n_steps, n_kept)
        yield lab.true(where, fine or None, f"{len(_terms(n_steps, n_kept))} terms leave no negative coefficient")
        for index in range(2):
            mean, right, gap = _shipped_gap(lab, n_steps, n_kept, index)
            yield lab.equal({**where, "table": index}, (mean - right) * right**n_kept, gap, "the shipped mean")


@lru_cache(maxsize=8)
def _checked(n_steps: int, n_kept: int) -> bool:
    return certified(gap_polynomial(n_steps, n_kept), _terms(n_steps, n_kept))


def _kept_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for n_steps, n_kept in CERTIFICATES:
        for index in range(4 if lab.profile == "quick" else 60):
            tables = np.array(random_tables(n_steps, 2, 700 + index, least=0), dtype=object)
            law = np.array([F(1 + index % 5, 6), F(5 - index % 5, 6)], dtype=object)
            right = t.expected_reward(tables, start=law)
            if right == 0:
                continue
            mean = t.mean_reward_after_kept(tables, n_kept, start=law)
            where = {"n_states": 2, "n_steps": n_steps, "kept": n_kept, "table": index}
            yield lab.true(where, mean >= right, f"J {float(right):.6f}, mean after {float(mean):.6f}")


def _gains(pairs: Iterable[tuple[Any, Any]], says: str) -> dict[str, Any]:
    """Mean accuracy after a round over the accuracy before it, from pairs of exact numbers; the least is the slack."""
    ratios = [float(mean / right) for mean, right in pairs if right > 0]
    return {
        "ratio": min(ratios),
        "interval": [min(ratios), max(ratios)],
        "vacuous": [],
        "detail": f"mean accuracy after over accuracy before, {says}: least and range over {len(ratios)} tables",
    }


def _kept_gains(lab: Lab) -> dict[str, Any]:
    t = lab.theory.star

    def pairs() -> Iterator[tuple[Any, Any]]:
        for (n_steps, n_kept), index in itertools.product(CERTIFICATES, range(4)):
            tables = np.array(random_tables(n_steps, 2, 700 + index, least=0), dtype=object)
            right = t.expected_reward(tables)
            yield (t.mean_reward_after_kept(tables, n_kept) if right else right), right

    return _gains(pairs(), "1 to 3 kept trajectories")


def _round_gains(lab: Lab) -> dict[str, Any]:
    def pairs() -> Iterator[tuple[Any, Any]]:
        for count, index in itertools.product((2, 4, 6), range(3)):
            tables, law = _sampled(lab, count, index)
            yield _mean_right(law), _right_of(tables)

    return _gains(pairs(), "whole rounds of 2, 4 and 6 trajectories at M = N = 2")


def _map_instead(tables: Any, n_kept: int, *, start: Any = None) -> Any:
    return theory().expected_reward(theory().refit(tables, start=start), start=start)


def _half_loss(tables: Any, n_kept: int, *, start: Any = None) -> Any:
    return theory().mean_reward_after_kept(tables, n_kept, start=start) * F(9, 10)


KEPT_MEAN = Claim(
    id="star.few_kept_never_hurt_on_average",
    statement=(
        "With two states, refitting to 1 kept trajectory (N = 2, 3) or to 2 or 3 (N = 2) never lowers the mean "
        "accuracy, for any tables and start law; hence a sampled round of K <= 3 trajectories does not at M = N = 2."
    ),
    latex=r"\mathbb{E}[J' \mid k \text{ kept}] \ge J, \qquad M = 2,\ (N, k) \in \{(2,1), (2,2), (2,3), (3,1)\}",
    origin="derived",
    source=DERIVED + "; weighted inequalities of arithmetic and geometric means in the odds, stored and re-verified",
    kind="lower",
    domain=Domain({"n_steps": Integer(2, 3), "n_states": Integer(2, 2)}),
    evidence=(
        Exact("certificate", "stored terms re-verified from the definition", _certificate_cells, cost=1.5),
        Exact("enumeration", "mean after all kept multisets, rational tables", _kept_cells, scope="cells", cost=0.5),
    ),
    mutants=(
        Mutant(
            "the mean is the accuracy of the infinite-sample refit",
            "the mean accuracy after a sampled round is another number",
            theory={"star.mean_reward_after_kept": _map_instead},
        ),
        Mutant(
            "a tenth of the mean is lost",
            "near the truth there is nothing to spare",
            theory={"star.mean_reward_after_kept": _half_loss},
        ),
    ),
    tightness=_kept_gains,
    remarks=(
        "The truth may be any bijection, by relabelling. One kept trajectory: also proved by hand for any N, M "
        "(swap tails where two right paths first meet)."
    ),
)


def _search(lab: Lab) -> Iterator[Cell]:
    """Exact means over random rational tables, sizes beyond the certificates."""
    t = lab.theory.star
    sizes = ((2, 3, 2, 6), (3, 2, 2, 6), (2, 2, 4, 6)) if lab.profile == "quick" else (
        (2, 3, 2, 200), (3, 2, 2, 200), (2, 2, 4, 200), (2, 3, 3, 60), (3, 2, 3, 60), (2, 4, 2, 40)
    )  # fmt: skip
    for n_steps, n_states, n_kept, trials in sizes:
        least = None
        for index in range(trials):
            tables = np.array(random_tables(n_steps, n_states, 900 + index, least=0), dtype=object)
            right = t.expected_reward(tables)
            if right == 0:
                continue
            gap = t.mean_reward_after_kept(tables, n_kept) - right
            least = gap if least is None else min(least, gap)
        where = {"n_states": n_states, "n_steps": n_steps, "kept": n_kept}
        yield lab.true(
            where, least is not None and least >= 0, f"least gain of {trials} tables: {float(least or 0):.3g}"
        )


def _whole_round(lab: Lab) -> Iterator[Cell]:
    """Mean accuracy of a sampled round of K trajectories at M = N = 2, from its exact law."""
    for count, index in itertools.product((2, 4, 6), range(3)):
        tables, law = _sampled(lab, count, index)
        right, mean = _right_of(tables), _mean_right(law)
        where = {"n_states": 2, "n_steps": 2, "K": count, "table": index}
        yield lab.true(where, mean >= right, f"J {float(right):.6f} -> {float(mean):.6f}")


def _right_of(x: Any) -> Any:
    """Accuracy at M = N = 2, from the right probabilities of both rows of both steps."""
    return (x[0] * x[2] + (1 - x[0]) * (1 - x[3]) + x[1] * x[3] + (1 - x[1]) * (1 - x[2])) / 2


def _mean_right(law: Mapping[Any, Any]) -> Any:
    return sum(chance * _right_of(x) for x, chance in law.items())


def _sampled(lab: Lab, count: int, index: int) -> tuple[list[Any], Any]:
    """Random tables at M = N = 2 and the exact law of what a round of `count` trajectories makes of them."""
    rows = random_tables(2, 2, 950 + index)
    tables = [rows[0][0][0], rows[0][1][1], rows[1][0][0], rows[1][1][1]]
    return tables, lab.theory.star.sampled_round(tables, count)


def _bent_round(tables: Any, n_trajectories: int) -> Any:
    """A round whose kept paths swap the middle states of step 2."""
    law = theory().sampled_round(tables, n_trajectories)
    return {(x[0], x[1], 1 - x[2], 1 - x[3]): chance for x, chance in law.items()}


MEAN = Claim(
    id="star.mean_accuracy_never_falls",
    statement="A sampled round never lowers the mean accuracy, for any number of trajectories, tables and sizes.",
    latex=r"\mathbb{E}[J'] \ge J \quad\text{for every } K, N, M \text{ and all tables}",
    origin="conjecture",
    source="proved for a few kept trajectories over two states: star.few_kept_never_hurt_on_average",
    kind="lower",
    domain=Domain({"n_steps": Integer(1), "n_states": STATES}),
    evidence=(
        Exact("enumeration", "exact means over random rational tables", _search, scope="cells", cost=1.0),
        Exact("enumeration", "whole rounds at M = N = 2, exact laws", _whole_round, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the same of a tenth less",
            "near the truth there is nothing to spare",
            theory={"star.mean_reward_after_kept": _half_loss},
        ),
        Mutant(
            "the same when kept successors of the last step are swapped",
            "the refit then learns wrong answers",
            theory={"star.sampled_round": _bent_round},
        ),
    ),
    tightness=_round_gains,
    remarks=(
        "A search by local descent over 18 million tables in floats (N 2..4, M 2..4, up to 6 kept) found no fall "
        "beyond rounding; the infimum of the relative gain is 0, reached at the boundary."
    ),
)


# ---------------------------------------------------------------- how many trajectories a run needs

RULE = (
    {"n_steps": 2, "n_states": 2, "delta": 0.5, "rounds": 60, "K": 18},
    {"n_steps": 2, "n_states": 2, "delta": 0.5, "rounds": 60, "K": 3},
    {"n_steps": 3, "n_states": 2, "delta": 0.5, "rounds": 60, "K": 46},
    {"n_steps": 3, "n_states": 2, "delta": 0.5, "rounds": 60, "K": 6},
)
RULE_FULL = (
    *RULE,
    {"n_steps": 3, "n_states": 8, "delta": 0.1, "rounds": 40, "K": 24_000},
    {"n_steps": 2, "n_states": 16, "delta": 0.3, "rounds": 60, "K": 1000},
    {"n_steps": 4, "n_states": 4, "delta": 0.3, "rounds": 60, "K": 1900},
    {"n_steps": 5, "n_states": 2, "delta": 0.5, "rounds": 200, "K": 240},
)
LOSS = 0.05


def _allowed(star: Any, cell: Mapping[str, Any], failure: float) -> float:
    """3 eta where K reaches the rule, and nothing is said below it."""
    need = star.required_trajectories([float(cell["delta"])] * cell["n_steps"], cell["n_states"], failure)
    return min(1.0, 3 * failure) if cell["K"] >= need else 1.0


def _lost(data: Any, cell: Mapping[str, Any]) -> Counts:
    """Runs that lose a right transition at some round."""
    lost = (data["rows_lost"].values > 0).any(axis=1)
    return Counts(int(lost.sum()), len(lost))


def _rule_cells(profile: str) -> Sequence[Mapping[str, Any]]:
    return RULE if profile == "quick" else RULE_FULL


def _whole_run(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "delta": (cell["delta"],) * cell["n_steps"], "n_states": cell["n_states"], "n_trajectories": cell["K"],
        "n_rounds": cell["rounds"],
    }  # fmt: skip


def _rule_chain(lab: Lab) -> Iterator[Cell]:
    """At M = N = 2 a run that never loses a right transition ends all right, and only such a run does."""
    for delta, failure, counts in ((F(9, 10), 0.05, (1, 4)), (F(1, 2), 0.05, (4,))):
        for count in counts:
            lost = 1 - _chain_right(delta, count)
            where = {"delta": str(delta), "n_states": 2, "n_steps": 2, "K": count}
            allowed = _allowed(lab.theory.star, {**where, "delta": delta}, failure)
            yield lab.at_most({**where, "eta": failure}, lost, allowed, "chance of a loss; 3 eta from K* on")


@lru_cache(maxsize=16)
def _chain_right(delta: Fraction, count: int) -> float:
    return float(theory().sampled_chain(delta, count).summary()["right"])


def _fewer(factor: float) -> dict[str, Any]:
    return {
        "star.required_trajectories": lambda delta, n_states, failure, **k: (
            theory().required_trajectories(delta, n_states, failure, **k) / factor
        )
    }


def _loss_over_count(result: ClaimResult) -> Figure:
    """Share of runs that lose a right transition over K, with the one-round bound summed along the map's path."""
    from proofs_check.figures import labelled_axes, simulated_points, theory_line
    from sims import star as simulator
    from sims.intervals import clopper_pearson

    t = theory()
    figure, ax = labelled_axes("trajectories a round over K*", "share of runs that lose a right transition")
    factors = np.geomspace(1 / 16, 2, 11)
    for index, (delta, n_states) in enumerate((((0.5, 0.5), 2), ((0.3, 0.3, 0.3), 4))):
        need = t.required_trajectories(list(delta), n_states, LOSS)
        path = t.iterate(list(delta), n_states, 40)
        counts = [max(1, round(need * x)) for x in factors]
        summed = [min(1.0, float(np.sum(t.loss_union_bound(path, n_states, k)))) for k in counts]
        name = f"N = {len(delta)}, M = {n_states}, delta = {delta[0]}"
        theory_line(ax, factors, summed, f"summed one-round bound, {name}", index)
        runs, found = 200, []
        for k in counts:
            data = simulator.simulate(delta, n_states, k, 80, range(runs))
            found.append(_lost(data, {}).successes)
        low, high = clopper_pearson(np.array(found), runs, 1e-3)
        simulated_points(ax, factors, np.array(found) / runs, low, high, f"80 rounds, {name}", index)
    ax.set_xscale("log")
    ax.legend(loc="upper right")
    return figure


RULE_CLAIM = Claim(
    id="star.trajectories_for_a_run",
    statement=(
        "K* = M log(N M/eta)/(J_0 l(Pi_(-n)) alpha_0) trajectories a round keep every right transition for a whole run "
        "but for a chance of order eta."
    ),
    latex=r"K^* = \frac{M \log(NM/\eta)}{J_0\, \ell(\Pi_{-n})\, \alpha_0}, \qquad P(\text{loss}) \le 3\eta",
    origin="conjecture",
    source="drift against selection, as for the fixation of a favoured type (Kimura 1962); no proof",
    kind="upper",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    evidence=(
        Exact("enumeration", "exact chains at M = N = 2", _rule_chain, scope="cells", cost=0.5),
        Simulation(
            "runs at and below K* for eta = .05 that lose a right transition",
            "star.simulate",
            cells=_rule_cells,
            parameters=_whole_run,
            extract=_lost,
            predict=lambda t, cell: (0.0, _allowed(t.star, cell, LOSS)),
            compare="upper",
            resolution=0.0,
            planned_n={"quick": 1000, "full": 1000},
            looks=2,
            cost=1.0,
        ),
    ),
    mutants=(
        Mutant("a tenth of K* is enough", "rows then see a visit or two a round", theory=_fewer(10.0)),
        Mutant("a twentieth of K* is enough", "most rows then see no visit", theory=_fewer(20.0)),
    ),
    figure=_loss_over_count,
    tightness=share_over_bound(
        "runs that lose a right transition, over 3 eta where K reaches K*; nothing is said below it",
        "star.simulate",
        _rule_cells,
        _whole_run,
        _lost,
        lambda star, cell: _allowed(star, cell, LOSS),
        1000,
    ),
    remarks=(
        "Order eta is read as 3 eta. Over N 2..5, M 2..16, delta .1 to .5 and eta = .05 losses of 0 to .08 have been "
        "measured at K*, and .02 to .38 at half of it."
    ),
)

CLAIMS = (KEPT_MEAN, MEAN, RULE_CLAIM)
