"""Claims about how a sampled round scatters around the map: covariances, and the excess of the mean accuracy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.samples import Counts
from proofs_check.star._common import (
    CHAINS,
    DERIVED,
    OTHERS,
    F,
    M,
    chain_name,
    enumerated,
    identity,
    right_steps,
    single_leg,
    theory,
)
from proofs_check.star.sampled_rounds import SAMPLED, SMALL
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


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


CLAIMS = (COVARIANCE, EXCESS)
