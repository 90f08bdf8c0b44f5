"""Confidence intervals: exact coverage, known answers at small levels, refusals."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sims import intervals

LEVELS = st.sampled_from([0.5, 0.1, 1e-3, 1e-6, 1e-10, 1e-12])


def binomial_law(n: int, q: float) -> np.ndarray:
    return np.array([math.comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(n + 1)])


@pytest.mark.parametrize("alpha", [0.3, 0.05, 1e-3])
@pytest.mark.parametrize("n", [1, 2, 5, 13, 30])
def test_clopper_pearson_covers_by_enumeration(n, alpha):
    low, high = intervals.clopper_pearson(np.arange(n + 1), n, alpha)
    ends = np.concatenate([low, high])
    grid = np.unique(np.clip(np.concatenate([np.linspace(0, 1, 201), ends - 1e-9, ends + 1e-9]), 0, 1))
    for q in grid:
        law = binomial_law(n, q)
        # 1e-12: rounding of a sum of n + 1 probabilities.
        assert law[low > q].sum() <= alpha / 2 + 1e-12
        assert law[high < q].sum() <= alpha / 2 + 1e-12


@pytest.mark.parametrize("alpha", [1e-3, 1e-6, 1e-10, 1e-12])
@pytest.mark.parametrize(("k", "n"), [(1, 10), (5, 10), (200, 1000), (3, 100_000), (99_990, 100_000)])
def test_clopper_pearson_solves_its_equations_in_high_precision(k, n, alpha):
    low, high = intervals.clopper_pearson(k, n, alpha)
    with mpmath.workdps(60):
        at_low = mpmath.betainc(k, n - k + 1, 0, mpmath.mpf(low), regularized=True)
        at_high = mpmath.betainc(k + 1, n - k, mpmath.mpf(high), 1, regularized=True)
        # An end off by a few ulps moves its tail by that times d log(tail)/d log(end), at most n here: 1e-9 for 1e5.
        assert abs(at_low / (mpmath.mpf(alpha) / 2) - 1) < 1e-8
        assert abs(at_high / (mpmath.mpf(alpha) / 2) - 1) < 1e-8


@given(st.integers(1, 10**6), st.floats(0, 1), LEVELS)
def test_clopper_pearson_mirrors_and_holds_the_share(n, share, alpha):
    k = round(share * n)
    low, high = intervals.clopper_pearson(k, n, alpha)
    assert 0 <= low <= k / n <= high <= 1
    other = intervals.clopper_pearson(n - k, n, alpha)
    assert low == pytest.approx(1 - other.high, abs=1e-12)
    wider = intervals.clopper_pearson(k, n, alpha / 10)
    assert wider.low <= low
    assert high <= wider.high


def test_clopper_pearson_without_successes_is_the_rule_of_three():
    _, high = intervals.clopper_pearson(0, 219, 2e-10)
    assert high == pytest.approx(1 - (1e-10) ** (1 / 219), rel=1e-13)


def test_hoeffding_and_bernstein_widths():
    values = np.tile([0.0, 1.0, 1.0, 4.0], 500)
    alpha, n = 1e-10, 2000
    low, high = intervals.hoeffding(values.mean(), n, alpha, -1, 9)
    # Solves exp(-2 n h^2/r^2) = alpha/2.
    assert math.exp(-2 * n * ((high - low) / 2) ** 2 / 100) == pytest.approx(alpha / 2, rel=1e-9)
    low, high = intervals.empirical_bernstein(values, alpha, -1, 9)
    half = math.sqrt(2 * values.var(ddof=1) * math.log(4 / alpha) / n) + 70 * math.log(4 / alpha) / (3 * (n - 1))
    assert (low, high) == pytest.approx((1.5 - half, 1.5 + half), rel=1e-12)
    both = intervals.bounded_mean(values, alpha, -1, 9)
    first = intervals.hoeffding(1.5, n, alpha / 2, -1, 9)
    second = intervals.empirical_bernstein(values, alpha / 2, -1, 9)
    assert both == (max(first.low, second.low), min(first.high, second.high))


def misses_at_most(misses: int, runs: int, alpha: float) -> bool:
    """Whether a miss rate of at most alpha is compatible with what was seen; wrongly denied with probability 1e-9."""
    return intervals.clopper_pearson(misses, runs, 2e-9).low <= alpha


@given(st.integers(0, 2**32), st.sampled_from([0.02, 0.3, 0.5]))
def test_bounded_means_cover_by_simulation(seed, q):
    values = (np.random.default_rng(seed).random((30, 400)) < q).astype(float)
    for low, high in (
        intervals.bounded_mean(values, 0.1, 0, 1),
        intervals.empirical_bernstein(values, 0.1, 0, 1),
        intervals.hoeffding(values.mean(axis=0), 30, 0.1, 0, 1),
    ):
        assert misses_at_most(int(((low > q) | (high < q)).sum()), 400, 0.1)


def test_student_covers_at_its_nominal_level_by_simulation():
    rng = np.random.default_rng(1)
    runs, alpha = 4000, 0.05
    values = rng.exponential(size=(1000, runs))
    low, high = intervals.student_t(values[:, intervals.student_t_applies(values, alpha)], alpha)
    misses = int(((low > 1) | (high < 1)).sum())
    # Nominal: a quarter more than alpha is granted for what the asymptotic level leaves out at skewness 2.
    assert misses_at_most(misses, len(low), 1.25 * alpha)
    assert not misses_at_most(misses, len(low), alpha / 2)
    low, high = intervals.variance_interval(rng.normal(size=(1000, runs)), alpha)
    misses = int(((low > 1) | (high < 1)).sum())
    assert misses_at_most(misses, runs, 1.25 * alpha)
    assert not misses_at_most(misses, runs, alpha / 2)


@pytest.mark.parametrize("alpha", [0.05, 1e-4, 1e-9, 1e-12])
@pytest.mark.parametrize("n", [1000, 100_000])
def test_student_quantile_against_high_precision(n, alpha):
    values = np.tile([-1.0, 1.0], n // 2)
    low, high = intervals.student_t(values, alpha)
    t = (high - low) / 2 / math.sqrt(values.var(ddof=1) / n)
    with mpmath.workdps(50):
        freedom = mpmath.mpf(n - 1)
        tail = mpmath.betainc(freedom / 2, 0.5, 0, freedom / (freedom + mpmath.mpf(t) ** 2), regularized=True)
        # Relative error of the tail: t^2 times that of t, a few ulps of it.
        assert abs(tail / alpha - 1) < 1e-11


def test_student_agrees_with_scipy():
    values = np.random.default_rng(3).normal(size=2000)
    want = stats.ttest_1samp(values, 0).confidence_interval(1 - 1e-6)
    assert tuple(intervals.student_t(values, 1e-6)) == pytest.approx((want.low, want.high), rel=1e-9)


def test_student_is_refused_where_it_is_not_asymptotic():
    values = np.random.default_rng(0).normal(size=999)
    with pytest.raises(ValueError, match="at least 1000"):
        intervals.student_t(values, 0.05)
    rare = np.zeros(5000)
    rare[:5] = 1
    assert not intervals.student_t_applies(rare, 1e-9)
    with pytest.raises(ValueError, match="skewness"):
        intervals.student_t(rare, 1e-9)
    constant = np.full(2000, 0.1)
    assert not intervals.student_t_applies(constant, 0.05)
    with pytest.raises(ValueError, match="not all equal"):
        intervals.student_t(constant, 0.05)


@pytest.mark.parametrize(("n", "q", "alpha"), [(20, 0.5, 0.1), (50, 0.1, 0.05), (400, 0.9, 1e-6), (10, 0.5, 1e-12)])
def test_quantile_interval_against_the_binomial_law(n, q, alpha):
    low, high = intervals.quantile_interval(np.arange(1, n + 1), q, alpha)
    ranks = np.arange(1, n + 1)
    lower = [r for r in ranks if stats.binom.cdf(r - 1, n, q) <= alpha / 2]
    upper = [r for r in ranks if stats.binom.sf(r - 1, n, q) <= alpha / 2]
    assert low == (max(lower) if lower else -math.inf)
    assert high == (min(upper) if upper else math.inf)


@given(st.integers(0, 2**32), st.sampled_from([0.1, 0.5, 0.8]))
def test_quantile_interval_covers_also_with_ties(seed, q):
    values = np.random.default_rng(seed).integers(0, 5, size=(60, 300)).astype(float)
    low, high = intervals.quantile_interval(values, q, 0.1)
    true = math.floor(5 * q) if 5 * q % 1 else None  # a whole 5q makes the quantile a range
    if true is None:
        true_low, true_high = 5 * q - 1, 5 * q
        assert misses_at_most(int(((low > true_low) | (high < true_high)).sum()), 300, 0.1)
    else:
        assert misses_at_most(int(((low > true) | (high < true)).sum()), 300, 0.1)


@given(st.integers(1000, 1200), st.integers(0, 2**32))
def test_an_axis_is_as_good_as_a_loop(n, seed):
    values = np.random.default_rng(seed).random((n, 3))
    for function in (
        lambda v, **k: intervals.bounded_mean(v, 1e-4, 0, 1, **k),
        lambda v, **k: intervals.student_t(v, 1e-4, **k),
        lambda v, **k: intervals.variance_interval(v, 1e-4, **k),
        lambda v, **k: intervals.quantile_interval(v, 0.3, 1e-4, **k),
    ):
        together = function(values.T, axis=1)
        for column in range(3):
            alone = function(values[:, column])
            assert isinstance(alone.low, float)
            # Sums along different axes are ordered differently.
            assert tuple(alone) == pytest.approx((together.low[column], together.high[column]), rel=1e-12)


BAD = [
    (lambda: intervals.clopper_pearson(3, 2, 0.1), r"successes must be integers in \[0, n\]"),
    (lambda: intervals.clopper_pearson(-1, 2, 0.1), "successes"),
    (lambda: intervals.clopper_pearson(1.0, 2, 0.1), "successes"),
    (lambda: intervals.clopper_pearson(0, 0, 0.1), "n must be"),
    (lambda: intervals.clopper_pearson([1, 2], [3, 4, 5], 0.1), "broadcast"),
    (lambda: intervals.clopper_pearson(1, 2, 0.0), "alpha"),
    (lambda: intervals.clopper_pearson(1, 2, 1.0), "alpha"),
    (lambda: intervals.clopper_pearson(1, 2, math.nan), "alpha"),
    (lambda: intervals.hoeffding(2, 10, 0.1, 0, 1), "mean must lie"),
    (lambda: intervals.hoeffding(math.nan, 10, 0.1, 0, 1), "mean must lie"),
    (lambda: intervals.hoeffding(0.5, 0, 0.1, 0, 1), "n must be"),
    (lambda: intervals.hoeffding(0.5, 10, 0.1, 1, 1), "high"),
    (lambda: intervals.empirical_bernstein([0.5], 0.1, 0, 1), "at least 2"),
    (lambda: intervals.empirical_bernstein([0.5, 2], 0.1, 0, 1), "lie in"),
    (lambda: intervals.bounded_mean([0.5, math.nan], 0.1, 0, 1), "finite"),
    (lambda: intervals.bounded_mean(["a"], 0.1, 0, 1), "values must be a rectangular"),
    (lambda: intervals.bounded_mean([0.5, 0.5], 0.1, 0, 1, axis=1), "axis"),
    (lambda: intervals.student_t(0.5, 0.1), "dimension"),
    (lambda: intervals.quantile_interval([1, 2], 0.0, 0.1), "quantile"),
    (lambda: intervals.quantile_interval([], 0.5, 0.1), "at least 1"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_input_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()
