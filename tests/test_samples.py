"""Samples of simulation legs: they add up, refuse each other, and their intervals miss as seldom as they say."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.samples import Counts, Means, Medians, Sample, Variances

VALUES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


def _misses_above(n: int, rank: int) -> Fraction:
    """P(the rank-th smallest of n values lies above the median): fewer than `rank` heads in n fair tosses."""
    return sum((Fraction(math.comb(n, k), 2**n) for k in range(rank)), start=Fraction(0))


@pytest.mark.parametrize("alpha", [0.5, 0.05, 1e-3])
@pytest.mark.parametrize("n", [1, 2, 5, 10, 17, 40])
def test_the_interval_of_a_median_is_the_narrowest_one_that_misses_seldom_enough(n: int, alpha: float) -> None:
    interval = Medians(np.arange(1.0, n + 1)).interval(alpha)
    # Ranks are their own values here; either side may miss with alpha/2, and by symmetry they are mirror images.
    rank = max((r for r in range(1, n + 1) if _misses_above(n, r) <= Fraction(alpha) / 2), default=0)
    assert interval.low == (rank or -math.inf)
    assert interval.high == (n + 1 - rank if rank else math.inf)


@given(VALUES, VALUES, st.sampled_from([0.3, 1e-3, 1e-9]))
def test_medians_of_parts_are_those_of_the_whole(first: list[float], second: list[float], alpha: float) -> None:
    added = Medians(np.array(first)) + Medians(np.array(second))
    whole = Medians(np.array(first + second))
    assert added.size == whole.size == len(first) + len(second)
    assert added.estimate == whole.estimate == statistics.median(first + second)
    assert added.interval(alpha) == whole.interval(alpha)
    assert whole.interval(alpha).low <= whole.estimate <= whole.interval(alpha).high
    assert whole.level_kind == "exact"


def test_an_interval_for_the_median_does_not_mind_outliers() -> None:
    values = np.concatenate([np.linspace(-1, 1, 999), [1e300]])
    interval = Medians(values).interval(1e-6)
    assert -0.2 < interval.low < 0 < interval.high < 0.2


@pytest.mark.parametrize(
    "sample",
    [Counts(1, 2), Means(np.ones(2)), Medians(np.ones(2)), Variances(np.ones(2))],
    ids=lambda s: type(s).__name__,
)
def test_samples_of_different_kinds_do_not_add_up(sample: Sample) -> None:
    others = (Counts(1, 2), Means(np.ones(2)), Medians(np.ones(2)), Variances(np.ones(2)))
    for other in others:
        if type(other) is type(sample):
            assert (sample + other).size == 4
        else:
            with pytest.raises(TypeError, match="unsupported operand"):
                sample + other
