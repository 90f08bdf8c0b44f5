"""Measured samples and the confidence intervals they give.

A sample grows look by look and turns into an interval at a given error probability: counts
through Clopper and Pearson, bounded values through bounds that need no distribution, other
values through Student's t where enough of them tame the skewness, medians through order
statistics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from proofs_check.verdicts import Interval

__all__ = ["Counts", "Means", "Medians", "Sample", "Variances"]


class Sample(Protocol):
    """What a simulation leg extracts from a dataset."""

    @property
    def level_kind(self) -> str:
        """``exact`` or ``asymptotic``: what the interval's level is worth."""

    @property
    def size(self) -> int:
        """Number of units."""

    @property
    def estimate(self) -> float:
        """The measured figure."""

    def __add__(self, other: Sample) -> Sample: ...

    def interval(self, alpha: float) -> Interval:
        """An interval that misses the truth with probability at most `alpha`."""


@dataclass(frozen=True)
class Counts:
    """Successes in independent trials of one probability.

    Examples
    --------
    >>> (Counts(3, 10) + Counts(2, 10)).estimate
    0.25
    """

    successes: int
    trials: int
    level_kind: ClassVar[str] = "exact"

    def __add__(self, other: Sample) -> Counts:
        if not isinstance(other, Counts):
            return NotImplemented
        return Counts(self.successes + other.successes, self.trials + other.trials)

    @property
    def size(self) -> int:
        """Number of trials."""
        return self.trials

    @property
    def estimate(self) -> float:
        """Observed frequency."""
        return self.successes / self.trials if self.trials else 0.5

    def interval(self, alpha: float) -> Interval:
        """Clopper-Pearson interval, missing the truth with probability at most `alpha`."""
        if not self.trials:
            return Interval(0.0, 1.0)
        from sims.intervals import clopper_pearson

        return Interval(*map(float, clopper_pearson(self.successes, self.trials, alpha)))


@dataclass(frozen=True, eq=False)
class Means:
    """Independent values whose mean is meant; `low` and `high` bound each of them, if known."""

    values: np.ndarray
    low: float = -math.inf
    high: float = math.inf

    @property
    def level_kind(self) -> str:
        """Exact for bounded values, asymptotic for others."""
        return "exact" if math.isfinite(self.high - self.low) else "asymptotic"

    def __add__(self, other: Sample) -> Means:
        if not isinstance(other, Means):
            return NotImplemented
        return Means(np.concatenate([self.values, other.values]), self.low, self.high)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(self.values.size)

    @property
    def estimate(self) -> float:
        """Sample mean."""
        return float(np.mean(self.values))

    def interval(self, alpha: float) -> Interval:
        """Interval for the mean; unbounded when neither bounds nor normality can be used."""
        from sims.intervals import bounded_mean, student_t, student_t_applies

        if not np.isfinite(self.values).all():
            raise ValueError("measured values must be finite")
        if self.level_kind == "exact":
            return Interval(*map(float, bounded_mean(self.values, alpha, self.low, self.high)))
        if float(np.ptp(self.values)) == 0.0 or not student_t_applies(self.values, alpha):
            return Interval(-math.inf, math.inf)
        return Interval(*map(float, student_t(self.values, alpha)))


@dataclass(frozen=True, eq=False)
class Medians:
    """Independent values of one law whose median is meant.

    Examples
    --------
    >>> (Medians(np.array([3.0, 1.0])) + Medians(np.array([2.0]))).estimate
    2.0
    """

    values: np.ndarray
    level_kind: ClassVar[str] = "exact"

    def __add__(self, other: Sample) -> Medians:
        if not isinstance(other, Medians):
            return NotImplemented
        return Medians(np.concatenate([self.values, other.values]))

    @property
    def size(self) -> int:
        """Number of values."""
        return int(self.values.size)

    @property
    def estimate(self) -> float:
        """Sample median."""
        return float(np.median(self.values))

    def interval(self, alpha: float) -> Interval:
        """Interval between two order statistics, whatever the law; unbounded where too few values allow none."""
        from sims.intervals import quantile_interval

        return Interval(*map(float, quantile_interval(self.values, 0.5, alpha)))


@dataclass(frozen=True, eq=False)
class Variances:
    """Independent values whose variance, times `factor`, is meant."""

    values: np.ndarray
    factor: float = 1.0
    level_kind: ClassVar[str] = "asymptotic"

    def __add__(self, other: Sample) -> Variances:
        if not isinstance(other, Variances):
            return NotImplemented
        return Variances(np.concatenate([self.values, other.values]), self.factor)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(self.values.size)

    @property
    def estimate(self) -> float:
        """Sample variance times the factor."""
        return float(np.var(self.values, ddof=1)) * self.factor

    def interval(self, alpha: float) -> Interval:
        """Student's t interval of the squared deviations, where their skewness allows it."""
        # With n >= 1000 the estimated centre biases the squares by a relative 1/n, far inside the interval.
        deviations = (self.values - np.mean(self.values)) ** 2 * (self.size / (self.size - 1)) * self.factor
        return Means(deviations).interval(alpha)
