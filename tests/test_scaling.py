"""Exponents and thresholds from intervals: known truths, an independent solver, coverage, bad input."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import binomtest

from sims.scaling import power_law, power_law_of_samples, threshold

TINY = 1e-9  # relative rounding of a handful of logarithms and quotients of numbers up to e^20


@st.composite
def brackets(draw: st.DrawFn) -> tuple[list[float], list[tuple[float, float]]]:
    """Increasing points and positive intervals, of any width and unrelated to each other."""
    k = draw(st.integers(3, 7))
    steps = draw(st.lists(st.floats(0.1, 1.5), min_size=k, max_size=k))
    x = np.exp(np.cumsum(steps))
    lows = draw(st.lists(st.floats(-2, 8), min_size=k, max_size=k))
    widths = draw(st.lists(st.floats(0, 3), min_size=k, max_size=k))
    return x.tolist(), [(math.exp(a), math.exp(a + w)) for a, w in zip(lows, widths, strict=True)]


def extreme(x: list[float], ends: list[tuple[float, float]], degree: int, sign: int) -> float | None:
    """Least (sign 1) or largest (sign -1) leading coefficient of a polynomial in ln x through all intervals."""
    t = np.log(x)
    rows = np.stack([t**k for k in range(degree + 1)], axis=1)
    low, high = np.log(np.array(ends)).T
    found = linprog(
        sign * np.eye(degree + 1)[degree],
        np.concatenate([rows, -rows]),
        np.concatenate([high, -low]),
        bounds=(None, None),
    )
    return None if found.status == 2 else float(sign * found.fun)


@given(brackets())
def test_ranges_of_slope_and_curvature_are_those_of_a_linear_programme(case: tuple) -> None:
    x, ends = case
    found = power_law(x, ends)
    for degree, low, high in ((1, found.low, found.high), (2, found.curvature.low, found.curvature.high)):
        least = extreme(x, ends, degree, 1)
        if least is None:
            assert low > high - 1e-6  # the solver's tolerance is 1e-7 in each constraint
        elif low <= high:
            assert low == pytest.approx(least, abs=1e-5)
            assert high == pytest.approx(extreme(x, ends, degree, -1), abs=1e-5)
    assert found.fits == (found.low <= found.high)
    assert (found.margin >= -TINY) or not found.fits
    assert found.fits or found.margin <= TINY


@given(brackets())
def test_the_best_line_keeps_the_largest_distance(case: tuple) -> None:
    """Maximise the margin as a linear programme in (intercept, slope, margin)."""
    x, ends = case
    found = power_law(x, ends)
    t = np.log(x)
    low, high = np.log(np.array(ends)).T
    rows = np.stack([np.ones_like(t), t], axis=1)
    above = np.concatenate([np.hstack([rows, np.ones((len(t), 1))]), np.hstack([-rows, np.ones((len(t), 1))])])
    solved = linprog([0, 0, -1], above, np.concatenate([high, -low]), bounds=(None, None))
    assert found.margin == pytest.approx(-solved.fun, abs=1e-6)
    line = math.log(found.prefactor) + found.exponent * t
    assert (line >= low + found.margin - 1e-8).all()
    assert (line <= high - found.margin + 1e-8).all()


@given(
    st.floats(-2, 4),
    st.floats(-3, 3),
    st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)), min_size=2, max_size=9),
    st.sampled_from([0.0, 1.0, -0.5]),
)
def test_a_true_power_law_is_never_excluded(b: float, c: float, slacks: list, power: float) -> None:
    x = [3.0 * 1.7**k for k in range(len(slacks))]
    values = [math.exp(c) * v**b * math.log(v) ** power for v in x]
    ends = [(n * math.exp(-a), n * math.exp(e)) for n, (a, e) in zip(values, slacks, strict=True)]
    found = power_law(x, ends, log_power=power)
    assert found.low - TINY * 100 <= b <= found.high + TINY * 100
    assert found.curvature.low - 1e-7 <= 0 <= found.curvature.high + 1e-7
    for interval in found.local:
        assert interval.low - 1e-7 <= b <= interval.high + 1e-7
    assert len(found.local) == len(x) - 1


def test_a_logarithm_is_told_from_a_power_when_the_intervals_are_sharp_enough() -> None:
    d = [10.0, 20.0, 40.0, 80.0, 160.0]
    sharp = [(n * 0.999, n * 1.001) for n in (v**2 * math.log(v) for v in d)]
    plain, with_log = power_law(d, sharp), power_law(d, sharp, log_power=1.0)
    assert not plain.fits
    assert plain.curved
    assert with_log.low < 2 < with_log.high
    assert not with_log.curved
    vague = [(n * 0.8, n * 1.25) for n in (v**2 * math.log(v) for v in d)]
    assert power_law(d, vague).fits
    assert not power_law(d, vague).curved


def test_open_ends_count_as_far_as_they_go() -> None:
    found = power_law([1, 10, 100], [(1, 2), (10, 20), (90, math.inf)])
    assert (found.low, found.high) == pytest.approx((math.log10(45) / 2, math.log10(20)))  # from 2 at 1 to 90 at 100
    assert power_law([1, 10, 100], [(1, 2), (10, 20), (3000, math.inf)]).fits is False
    below = power_law([1, 10, 100], [(0, 0.5), (10, 20), (90, 110)])
    assert below.low == pytest.approx(math.log10(20))  # through 0.5 at x = 1 and 10 at x = 10
    with pytest.raises(ValueError, match="at least two with both ends"):
        power_law([1, 10], [(1, 2), (10, math.inf)])


def test_searches_bring_their_confidence() -> None:
    results = [SimpleNamespace(interval=(n, 1.1 * n), confidence=0.99) for n in (10, 20, 40)]
    found = power_law([1, 2, 4], results)
    assert found.confidence == pytest.approx(0.97)
    assert found.low < 1 < found.high
    assert power_law([1, 2, 4], results, confidence=0.9).confidence == pytest.approx(0.7)
    assert power_law([1, 2], [(1, 1), (4, 4)]).exponent == pytest.approx(2)
    assert power_law([1, 2], [(1, 1), (4, 4)]).curvature == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("x", "ends", "message"),
    [
        ([1], [(1, 2)], "x must be a sequence of 2 to 300"),
        ([2, 1], [(1, 2), (1, 2)], "x must hold increasing"),
        ([0, 1], [(1, 2), (1, 2)], "x must hold increasing"),
        ([1, 2], [(1, 2)], "intervals must be 2 pairs"),
        ([1, 2], [(1, 2), (3, 2)], "0 <= low <= high"),
        ([1, 2], [(1, 2), 5], "pairs"),
        ([1, 2], [(1, 2), (math.nan, 3)], "0 <= low <= high"),
    ],
)
def test_bad_points_and_intervals_are_refused(x: list, ends: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        power_law(x, ends)


def test_logarithms_need_points_above_one() -> None:
    with pytest.raises(ValueError, match="x must be above 1"):
        power_law([1, 2], [(1, 2), (2, 3)], log_power=1)


@settings(max_examples=5)
@given(st.integers(0, 10**6))
def test_quantiles_of_samples_cover_at_the_stated_confidence(seed: int) -> None:
    """60 inferences at 80 %: more misses than Bin(60, 0.2) allows at 1e-6 would be no coverage."""
    generator = np.random.default_rng(seed)
    x = [2.0, 4.0, 8.0, 16.0]
    misses = 0
    for _ in range(60):
        samples = [v**1.5 * generator.exponential(size=80) for v in x]
        found = power_law_of_samples(x, samples, quantile=0.5, confidence=0.8)
        misses += not found.low <= 1.5 <= found.high
        assert found.confidence == pytest.approx(0.8)
    assert binomtest(misses, 60, 0.2, "greater").pvalue > 1e-6


def test_samples_may_never_arrive_but_must_be_positive() -> None:
    values = [[1.0] * 50, [2.0] * 50, [4.0] * 20 + [math.inf] * 30]
    found = power_law_of_samples([1, 2, 4], values, quantile=0.5, confidence=0.9)
    assert found.high == pytest.approx(1)
    with pytest.raises(ValueError, match="positive values"):
        power_law_of_samples([1, 2], [[1.0], [-1.0]])
    with pytest.raises(ValueError, match="samples must be 2 sequences"):
        power_law_of_samples([1, 2], [[1.0]])
    with pytest.raises(ValueError, match="at least two with both ends"):
        power_law_of_samples([1, 2], [[1.0, 2.0], [1.0, 3.0]], confidence=0.999)


# Thresholds


@settings(max_examples=5)
@given(st.integers(0, 10**6), st.sampled_from([0.5, 0.9]))
def test_thresholds_are_covered(seed: int, level: float) -> None:
    generator = np.random.default_rng(seed)
    p = np.linspace(0.1, 0.9, 9)
    centre, width = 0.43, 0.07
    truth = centre + width * math.log(level / (1 - level))
    misses, inside = 0, 0
    for _ in range(100):
        successes = generator.binomial(40, 1 / (1 + np.exp(-(p - centre) / width)))
        found = threshold(p, successes, 40, level=level, confidence=0.7)
        misses += not found.low <= truth <= found.high
        inside += abs(found.estimate - truth) < 0.1
        assert found.decreasing < math.log(1e6)
    assert binomtest(misses, 100, 0.3, "greater").pvalue > 1e-6
    assert inside >= 95  # the standard error of the estimate is about 0.01


def test_the_logistic_description_is_that_of_largest_likelihood() -> None:
    p, s, n = [0.0, 1.0, 2.0, 3.0], [3, 9, 14, 19], 20

    def loss(centre: float, width: float) -> float:
        z = (np.array(p) - centre) / width
        return float((n * np.logaddexp(0, z) - np.array(s) * z).sum())

    found = threshold(p, s, n)
    best = loss(found.estimate, found.width)
    for a, b in itertools.product((-1e-3, 0, 1e-3), repeat=2):
        assert loss(found.estimate + a, found.width + b) >= best - 1e-12


def test_jumps_and_one_sided_data_have_their_description() -> None:
    jump = threshold([0.1, 0.2, 0.4, 0.5], [0, 0, 50, 50], 50)
    assert jump.interval == (0.2, 0.4)
    assert jump.estimate == pytest.approx(0.3)
    assert jump.width == 0.0
    never, always = threshold([0.1, 0.2], [0, 0], 50), threshold([0.1, 0.2], [50, 50], 50)
    assert never.interval == (0.2, math.inf)
    assert always.interval == (-math.inf, 0.1)
    assert (never.estimate, always.estimate) == (0.2, 0.1)
    falling = threshold([0.1, 0.2, 0.3], [45, 25, 5], 50)
    assert falling.decreasing > math.log(1e6)
    assert falling.width == math.inf
    assert threshold([0.1, 0.2], [1, 2], [50, 3]).interval == (0.1, math.inf)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0.1], [1], 2), "p must hold at least two"),
        (([0.2, 0.1], [1, 1], 2), "p must hold at least two"),
        (([0.1, 0.2], [1], 2), "successes must be 2 integers"),
        (([0.1, 0.2], [1, 3], 2), "successes"),
        (([0.1, 0.2], [0.5, 1], 2), "successes must be 2 integers"),
        (([0.1, 0.2], [1, 1], 0), "n must"),
        (([0.1, 0.2], [1, 1], [2, 2, 2]), "n must be an integer"),
    ],
)
def test_bad_trials_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        threshold(*arguments)
