"""Claims about finite samples: one round, whole runs over two states, smoothing and mixing."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.samples import Counts
from proofs_check.star._common import (
    BOX,
    CHAINS,
    DERIVED,
    OTHERS,
    PI,
    STATES,
    STEPS,
    D,
    M,
    chain_name,
    enumerated,
    identity,
    right_steps,
    single_leg,
    theory,
    witness_below_zero,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

F = Fraction
SAMPLED = Domain({"n_steps": STEPS, "n_states": STATES, "K": Integer(1, meaning="trajectories a round")})
SMALL = (((F(1, 2), F(1, 2)), 2), ((F(1, 5), F(2, 5)), 3), ((F(1, 3), F(1, 2), F(1, 4)), 2))


# ---------------------------------------------------------------- one round


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


LOSS = Claim(
    id="star.one_round_loss",
    statement=(
        "One sampled round of K trajectories loses a given right transition with probability "
        "(1 - alpha_n A_n/M)^K - (1 - J/M)^K."
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
            cells=({"n_states": 2, "delta": (0.5, 0.5), "K": 4},),
            parameters=lambda cell: {
                "n_states": 2, "delta": cell["delta"], "n_trajectories": cell["K"], "n_rounds": 1,
            },
            extract=lambda data, cell: Counts(
                int((data["rows_lost"].values[:, 1] > 0).sum()), data.sizes["replicate"]
            ),
            predict=lambda t, cell: (0.0, float(t.star.loss_union_bound(cell["delta"], 2, cell["K"]))),
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
            cells=({"n_states": 2, "delta": (0.001, 0.001), "K": 60},),
            parameters=lambda cell: {
                "n_states": 2, "delta": cell["delta"], "n_trajectories": cell["K"], "n_rounds": 200,
            },
            extract=lambda data, cell: Counts(
                int((data["rows_lost"].values > 0).any(axis=1).sum()), data.sizes["replicate"]
            ),
            predict=lambda t, cell: (0.0, _summed(t.star, 0.001, 2, 2, cell["K"], 200)),
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


# ---------------------------------------------------------------- fluctuation


def _covariance_cells(lab: Lab) -> Iterator[Cell]:
    """Covariances of being right at two steps under the law of a kept path: those of the state averages times K J."""
    for delta, n_states in (*SMALL, CHAINS[1]):
        total, _, _, law, maps = enumerated(delta, n_states)
        right = [{path for path in law if path[n + 1] == maps[n][path[n]]} for n in range(len(delta))]
        shipped = lab.theory.star.fluctuation_covariance(list(delta), n_states)
        for n, m in itertools.combinations_with_replacement(range(len(delta)), 2):
            both = sum(law[path] for path in right[n] & right[m]) / total
            one, two = (sum(law[path] for path in right[k]) / total for k in (n, m))
            where = {**chain_name(delta, n_states), "steps": f"{n + 1},{m + 1}"}
            yield lab.equal(where, both - one * two, shipped[n, m])


def _covariance_identity(lab: Lab) -> Iterator[Cell]:
    a, b, c, _ = OTHERS
    t = lab.theory.star
    pair = t.fluctuation_covariance([a, b], M)
    where = {"n_steps": 2, "n_states": "any"}
    yield identity(lab, where, pair[0, 1], pair[0, 0], "two steps: both right or both wrong, correlation 1")
    yield identity(lab, where, pair[0, 0], t.row_variance([a, b], M)[0], "the variance is alpha'(1-alpha')")
    three = t.fluctuation_covariance([a, b, c], M)
    right = (1 + (M - 1) * a * b * c) / M
    alpha = [(1 + (M - 1) * x) / M for x in (a, b, c)]
    after = [(1 + (M - 1) * x) / M for x in t.update([a, b, c], M)]
    stated = alpha[0] * alpha[1] * alpha[2] / right - after[0] * after[1]
    yield identity(lab, {**where, "n_steps": 3}, three[0, 1], stated, "right at two of three steps means at the third")


def _pair(data: Any, cell: Mapping[str, Any]) -> Counts:
    right = right_steps(data)
    return Counts(int((right[:, 0] & right[:, 1]).sum()), len(right))


def _pair_chance(t: Any, cell: Mapping[str, Any]) -> float:
    delta, n_states = cell["delta"], cell["n_states"]
    after = (1 + (n_states - 1) * t.star.update(delta, n_states)) / n_states
    return float(t.star.fluctuation_covariance(delta, n_states)[0, 1] + after[0] * after[1])


SPREAD = {"n_states": 3, "delta": (0.5, 0.5, 0.5, 0.5), "K": 4000}


def _beyond(data: Any, cell: Mapping[str, Any], t: Any) -> Counts:
    """Runs whose first step's mean right frequency lies beyond 1.5 predicted standard deviations."""
    delta, n_states = cell["delta"], cell["n_states"]
    mean = (1 + (n_states - 1) * t.star.update(delta, n_states)[0]) / n_states
    kept = cell["K"] * theory().accuracy(delta, n_states)
    deviation = math.sqrt(float(t.star.fluctuation_covariance(delta, n_states)[0, 0]) / kept)
    off = np.abs(data["step_right"].values[:, 1, 0] - float(mean)) > 1.5 * deviation
    return Counts(int(off.sum()), int(off.size))


BERRY_ESSEEN = 0.04  # 2 x 0.4748 x E|x|^3/s^3 / sqrt(K J) = 0.033 here, and the row sizes' own spread of order 1/(K J)


COVARIANCE = Claim(
    id="star.fluctuation_across_steps",
    statement=(
        "State averages of the sampled right frequencies have covariance Sigma/(K J): steps are correlated, fully for "
        "N = 2, and each average is normal for large K."
    ),
    latex=r"\Sigma_{nn} = \alpha_n'(1-\alpha_n'), \quad "
    r"\Sigma_{nm} = \frac{\alpha_n\alpha_m A_{nm}}{J} - \alpha_n'\alpha_m'",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=SAMPLED,
    evidence=(
        Exact("identity", "N = 2 and 3 in symbols", _covariance_identity, scope="cells"),
        Exact("enumeration", "the law of kept paths", _covariance_cells, scope="cells"),
        single_leg(
            "kept trajectories right at both of the first two steps",
            _pair,
            _pair_chance,
            cells=({"n_states": 3, "delta": (0.3, 0.5, 0.7)}, {"n_states": 3, "delta": (0.5, 0.5, 0.5, 0.5)}),
        ),
        Simulation(
            "runs beyond 1.5 predicted standard deviations",
            "star.simulate",
            cells=(SPREAD,),
            parameters=lambda cell: {
                "n_states": 3, "delta": cell["delta"], "n_trajectories": cell["K"], "n_rounds": 1,
            },
            judge_units=_beyond,
            predict=lambda t, cell: (0.1336 - BERRY_ESSEEN, 0.1336 + BERRY_ESSEEN),
            resolution=0.06,
            planned_n=1200,
            looks=3,
            cost=1.0,
        ),
    ),
    mutants=(
        Mutant(
            "steps are uncorrelated",
            "kept trajectories are bridges: an error is repaired later",
            theory={"star.fluctuation_covariance": lambda delta, n_states: _diagonal(delta, n_states)},
        ),
        Mutant(
            "the spread is that of the rows before the round",
            "kept frequencies have mean alpha', not alpha",
            theory={"star.fluctuation_covariance": lambda delta, n_states: 4
            * theory().fluctuation_covariance(delta, n_states)},
        ),
    ),
    remarks="The normal law is taken with the Berry-Esseen error of the kept count, .04 on the two tails together.",
)  # fmt: skip


def _diagonal(delta: Any, n_states: Any) -> Any:
    shipped = theory().fluctuation_covariance(delta, n_states)
    return shipped * np.eye(shipped.shape[-1], dtype=int)


def _excess_cells(lab: Lab) -> Iterator[Cell]:
    """The second-order term over all kept paths, in rationals."""
    for delta, n_states in (SMALL[0], SMALL[1], ((F(1, 3), F(1, 2), F(1, 4)), 2)):
        count = 400
        found = lab.theory.star.mean_accuracy_excess(list(delta), n_states, count)
        yield lab.equal({**chain_name(delta, n_states), "K": count}, _second_order(delta, n_states) / count, found)


@lru_cache(maxsize=8)
def _second_order(delta: tuple[Fraction, ...], n_states: int) -> Fraction:
    from proofs_check.star._common import law_of_paths, refit_of_paths, symmetric_tables

    tables = symmetric_tables(delta, n_states)
    law = law_of_paths(tables, lambda path: int(path[0] == path[-1]))
    after = refit_of_paths(tables, law)
    total = sum(law.values())
    mean = F(0)
    for path, weight in law.items():
        for n, m in itertools.combinations(range(len(delta)), 2):
            product = np.array([[F(int(i == j)) for j in range(n_states)] for i in range(n_states)], dtype=object)
            for k in range(len(delta)):
                factor = np.array(after[k], dtype=object)
                if k in (n, m):
                    state, successor = path[k], path[k + 1]
                    factor = np.full((n_states, n_states), F(0), dtype=object)
                    factor[state] = [F(int(x == successor)) - after[k][state][x] for x in range(n_states)]
                product = product @ factor
            mean += weight / total * sum(product[i, i] for i in range(n_states)) / n_states
    scale: Fraction = F(n_states**2) / total
    return scale * mean


def _excess_limit(lab: Lab) -> Iterator[Cell]:
    """K (E[J'] - J of the map) at M = N = 2 from exact multinomial laws, extrapolated to large K."""
    found = lab.theory.star.mean_accuracy_excess([F(1, 2)] * 2, 2, 1)
    # Two Richardson steps over K = 16, 32, 64 leave an error of order 1/K^3, far below one per cent.
    yield lab.close({"n_states": 2, "n_steps": 2, "K": "to infinity"}, _extrapolated(), float(found), 0.02)


@lru_cache(maxsize=1)
def _extrapolated() -> float:
    from scipy.stats import binom

    start = 0.75
    chances = np.array([start * start / 2, (1 - start) ** 2 / 2, (1 - start) ** 2 / 2, start * start / 2])
    right = chances.sum()
    limit = float(theory().accuracy(theory().update([0.5, 0.5], 2), 2))

    def mean(count: int) -> float:
        """Given the kept visits to each start, the kept paths through either middle state are binomial."""
        total = 0.0
        kept = np.arange(count + 1)
        split = chances[0] / (chances[0] + chances[1])
        for k, p_kept in zip(kept, binom.pmf(kept, count, right), strict=True):
            if p_kept < 1e-14:
                continue
            first = np.arange(k + 1)
            p_first = binom.pmf(first, k, 0.5)
            for s, p_s in zip(first, p_first, strict=True):
                if p_kept * p_s < 1e-13:
                    continue
                i, m = np.arange(s + 1)[:, None], np.arange(k - s + 1)[None, :]
                p = binom.pmf(i, s, split) * binom.pmf(m, k - s, split)
                j, b = s - i, k - s - m

                def row(good: Any, bad: Any) -> Any:
                    return np.where(good + bad > 0, good / np.maximum(good + bad, 1), start)

                w, x, y, z = row(i, j), row(m, b), row(i, b), row(m, j)
                value = (w * y + (1 - w) * (1 - z) + x * z + (1 - x) * (1 - y)) / 2
                total += p_kept * p_s * float((p * value).sum())
        return total

    a, b, c = ((mean(k) - limit) * k for k in (16, 32, 64))
    first, second = 2 * b - a, 2 * c - b
    return (4 * second - first) / 3


EXCESS = Claim(
    id="star.mean_accuracy_excess",
    statement=(
        "After one sampled round the mean accuracy exceeds that of the map by a term of order 1/K, from the "
        "correlations of the steps."
    ),
    latex=r"\mathbb{E}[J'] - J_{\text{map}} \approx \frac{M^2}{KJ}\, \mathbb{E}_{\text{kept}} \sum_{n<m} "
    r"\frac{\mathrm{tr}(\cdots E_n \cdots E_m \cdots)}{M}",
    origin="derived",
    source=DERIVED + ": accuracy is multilinear in the tables",
    kind="rate",
    domain=SAMPLED,
    evidence=(
        Exact("enumeration", "the second-order term over all kept paths", _excess_cells, scope="cells", cost=0.2),
        Exact("enumeration", "exact means at M = N = 2, extrapolated in K", _excess_limit, scope="cells", cost=0.5),
    ),
    mutants=(
        Mutant(
            "the mean accuracy is that of the map",
            "steps are correlated: for N = 2 every kept error is repaired",
            theory={"star.mean_accuracy_excess": lambda delta, n_states, count: 0 * delta[0]},
        ),
        Mutant(
            "the excess has M where it has M^2",
            "a row gets K J/M visits, and a pair of steps shares the start's M states",
            theory={
                "star.mean_accuracy_excess": lambda delta, n_states, count: (
                    theory().mean_accuracy_excess(delta, n_states, count) / n_states
                )
            },
        ),
    ),
)


# ---------------------------------------------------------------- whole runs over two states


def _literal_chain(delta: Fraction, count: int) -> dict[tuple[Fraction, ...], Fraction]:
    """Law after one round from every ordered sample of paths, kept or not."""
    from proofs_check.star._common import law_of_paths, symmetric_tables

    tables = symmetric_tables((delta, delta), 2)
    paths = law_of_paths(tables, lambda _: 1)
    law: dict[tuple[Fraction, ...], Fraction] = defaultdict(Fraction)
    for drawn in itertools.product(paths, repeat=count):
        chance = math.prod(paths[path] for path in drawn)
        kept = [path for path in drawn if path[0] == path[-1]]
        found = []
        for n in range(2):
            for s in range(2):
                seen = [path[n + 1] for path in kept if path[n] == s]
                found.append(F(seen.count(s), len(seen)) if seen else tables[n][s][s])
        law[tuple(found)] += chance
    return law


@lru_cache(maxsize=8)
def _literal(delta: Fraction, count: int) -> Mapping[tuple[Fraction, ...], Fraction]:
    return dict(_literal_chain(delta, count))


def _round_law_cells(lab: Lab) -> Iterator[Cell]:
    for delta, count in ((F(1, 2), 2), (F(1, 2), 3), (F(0), 3)):
        right = (1 + delta) / 2
        law = lab.theory.star.sampled_round([right] * 4, count)
        where = {"delta": str(delta), "n_states": 2, "n_steps": 2, "K": count}
        yield lab.true(where, dict(law) == dict(_literal(delta, count)), f"law over {len(law)} tables, exactly")
    for count, states in ((2, 19), (4, 160)):
        chain = lab.theory.star.sampled_chain(F(1, 2), count)
        where = {"delta": "1/2", "n_states": 2, "n_steps": 2, "K": count}
        yield lab.equal(where, len(chain.states), states, "reachable tables")


def _ends(kind: str) -> Any:
    def extract(data: Any, cell: Mapping[str, Any]) -> Counts:
        final, right = data["final_class"].values, data["step_right"].values[:, -1, :]
        hit = {"right": final == 0, "swapped": (right == 0).all(axis=1), "stuck": data["accuracy"].values[:, -1] == 0.5}
        return Counts(int(hit[kind].sum()), data.sizes["replicate"])

    return extract


@lru_cache(maxsize=32)
def _summary(chain: Any, delta: Fraction, count: int) -> dict[str, float]:
    return dict(chain(delta, count).summary())


def _chain_leg(kind: str) -> Simulation:
    return Simulation(
        f"runs of 60 rounds that end {kind}",
        "star.simulate",
        cells=({"n_states": 2, "delta": (0.5, 0.5), "K": 4}, {"n_states": 2, "delta": (0.0, 0.0), "K": 4}),
        parameters=lambda cell: {"n_states": 2, "delta": cell["delta"], "n_trajectories": cell["K"], "n_rounds": 60},
        extract=_ends(kind),
        predict=lambda t, cell: _summary(t.star.sampled_chain, Fraction(cell["delta"][0]), cell["K"])[kind],
        resolution=0.05,
        planned_n=8000,
        looks=3,
        cost=0.3,
    )


@lru_cache(maxsize=16)
def _other_chain(delta: Fraction, count: int, shift: int, factor: Fraction) -> Any:
    return theory().sampled_chain(delta * factor, max(1, count + shift))


CHAIN_LAW = Claim(
    id="star.exact_chain_of_two_states",
    statement=(
        "At M = N = 2 runs of K trajectories a round form a finite chain of tables; they end all right, both steps "
        "swapped, or stuck at J = 1/2, with exact chances. From guessing, right and swapped are equally likely: rising "
        "J alone is no evidence of right reasoning."
    ),
    latex=r"K = 4,\ \delta_0 = \tfrac12:\ (.8262, .0223, .1515); \qquad "
    r"\delta_0 = 0:\ P(\text{right}) = P(\text{swapped}) = .3186",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=SAMPLED,
    evidence=(
        Exact("enumeration", "every ordered sample of paths, one round", _round_law_cells, scope="cells", cost=0.3),
        _chain_leg("right"),
        _chain_leg("swapped"),
        _chain_leg("stuck"),
    ),
    mutants=(
        Mutant(
            "the chain is that of two trajectories fewer",
            "fewer samples lose more",
            theory={
                "star.sampled_round": lambda tables, count: theory().sampled_round(tables, max(1, count - 1)),
                "star.sampled_chain": lambda delta, count: _other_chain(delta, count, -2, F(1)),
            },
        ),
        Mutant(
            "the chain is that of one trajectory",
            "a single kept path fixes its rows for ever",
            theory={
                "star.sampled_round": lambda tables, count: theory().sampled_round(tables, 1),
                "star.sampled_chain": lambda delta, count: _other_chain(delta, count, -3, F(1)),
            },
        ),
        Mutant(
            "the start is a quarter of the stated delta below guessing",
            "then steps end swapped more often than right",
            theory={"star.sampled_chain": lambda delta, count: _other_chain(delta, count, 0, F(-1, 4))},
        ),
    ),
    remarks="Sixty rounds leave runs that still move with a chance far below the resolution of .05.",
)


# ---------------------------------------------------------------- smoothing and mixing


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

CLAIMS = (LOSS, SUMMED, BIAS, COVARIANCE, EXCESS, CHAIN_LAW, SMOOTHING, MIXING)
