r"""Confidence intervals for a sample size fixed beforehand, at error probabilities down to 1e-12.

An interval with error probability ``alpha`` covers the true value with probability at least ``1 - alpha``,
``alpha/2`` on either side. Exact (non-asymptotic) ones:

* binomial share: K ~ Bin(n, q). The lower end is the q at which P(K >= k) = alpha/2, a quantile of Beta(k, n-k+1); the
  upper end the q at which P(K <= k) = alpha/2, a quantile of Beta(k+1, n-k).
* mean of independent values in [low, high], width r: Hoeffding's half-width r sqrt(ln(2/alpha)/(2n)), and the empirical
  Bernstein half-width sqrt(2 V ln(4/alpha)/n) + 7 r ln(4/alpha)/(3(n-1)), V the unbiased sample variance.
* quantile: the number of values at or below the q-quantile is at least Bin(n, q) in law, the number strictly below it
  at most, so two order statistics enclose it.

Asymptotic ones (Student's t for a mean, and for a variance through squared deviations) are refused unless the sample
is long and its skewness small: the leading term of the relative error of the normal tail at z is
|skewness| z^3/(6 sqrt n), required to be at most 1/2.

Every interval is for one look at one sample; looking again after more draws spends the error probability again.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from sims._validate import integer, real

__all__ = [
    "Interval",
    "bounded_mean",
    "clopper_pearson",
    "empirical_bernstein",
    "hoeffding",
    "quantile_interval",
    "student_t",
    "student_t_applies",
    "variance_interval",
]

MINIMUM_N = 1000  # student_t: fewest values
MAXIMUM_SKEW_TERM = 0.5  # student_t: largest |skewness| z^3/(6 sqrt n)


class Interval(NamedTuple):
    """A closed interval, or an array of them with equal shapes.

    Attributes
    ----------
    low, high : float or numpy.ndarray
        Ends of the interval, in the units of what was measured; infinite where the sample says nothing.
    """

    low: Any
    high: Any


def _level(alpha: float) -> float:
    return real("alpha", alpha, 0.0, 1.0, open_low=True, open_high=True)


def _plain(value: Any) -> Any:
    """A float where the result has no dimension."""
    return float(value) if np.ndim(value) == 0 else value


def _sample(values: Any, axis: int, least: int) -> np.ndarray:
    """Return finite float values with the sample along the first axis."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"values must be a rectangular array of real numbers, got {values!r}") from None
    if array.ndim == 0:
        raise ValueError(f"values must have at least one dimension, got {values!r}")
    axis = integer("axis", axis, -array.ndim, array.ndim - 1)
    array = np.moveaxis(array, axis, 0)
    if len(array) < least:
        raise ValueError(f"values must hold at least {least} numbers along axis {axis}, got {len(array)}")
    if not np.isfinite(array).all():
        raise ValueError(f"values must be finite real numbers in (-inf, inf), got {values!r}")
    return array


def _numbers(name: str, value: Any) -> np.ndarray:
    """Return `value` as a float array, or refuse what is none."""
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be a number or an array of numbers, got {value!r}")
    return array.astype(np.float64)


def _range(low: float, high: float) -> tuple[float, float]:
    low = real("low", low)
    return low, real("high", high, low, open_low=True)


def _bounded(values: Any, low: float, high: float, axis: int, least: int) -> np.ndarray:
    array = _sample(values, axis, least)
    if (array < low).any() or (array > high).any():
        raise ValueError(f"values must lie in [low, high] = [{low}, {high}], got {array.min()} to {array.max()}")
    return array


def clopper_pearson(successes: Any, n: Any, alpha: float) -> Interval:
    """Enclose a probability, given the number of successes in n independent trials.

    Parameters
    ----------
    successes : int or array of int
        Number of successes, 0 <= successes <= n; broadcasts with `n`.
    n : int or array of int
        Number of trials, n >= 1.
    alpha : float
        Error probability in (0, 1), half of it on either side.

    Returns
    -------
    Interval
        Ends in [0, 1], shaped as the arguments broadcast.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    C. J. Clopper and E. S. Pearson, Biometrika 26 (1934). The quantiles of the beta law are taken from the tail that is
    small, so an end keeps its relative accuracy at any level.

    Examples
    --------
    >>> low, high = clopper_pearson(0, 10, 0.05)
    >>> low, round(high, 6)
    (0.0, 0.308497)
    """
    alpha = _level(alpha)
    k, trials = np.asarray(successes), np.asarray(n)
    for name, array in (("successes", k), ("n", trials)):
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name} must be integers in [0, inf), got {array!r}")
    if (trials < 1).any():
        raise ValueError(f"n must be an integer in [1, inf), got {n!r}")
    try:
        k, trials = np.broadcast_arrays(k.astype(np.float64), trials.astype(np.float64))
    except ValueError:
        raise ValueError(f"successes and n must broadcast, got shapes {k.shape} and {trials.shape}") from None
    if (k < 0).any() or (k > trials).any():
        raise ValueError(f"successes must be integers in [0, n], got {successes!r} of n = {n!r}")
    # The placeholders keep the parameters of the beta law positive where an end is known without it.
    low = np.where(k == 0, 0.0, special.betaincinv(np.maximum(k, 1.0), trials - np.maximum(k, 1.0) + 1, alpha / 2))
    fewer = np.minimum(k, trials - 1)
    high = np.where(k == trials, 1.0, special.betainccinv(fewer + 1, trials - fewer, alpha / 2))
    return Interval(_plain(low), _plain(high))


def hoeffding(mean: Any, n: int, alpha: float, low: float, high: float) -> Interval:
    """Enclose the mean of independent values in [low, high] from their average alone.

    Parameters
    ----------
    mean : float or array
        Average of the n values, in [low, high].
    n : int
        Number of values, n >= 1.
    alpha : float
        Error probability in (0, 1), half of it on either side.
    low, high : float
        Range of a value, low < high.

    Returns
    -------
    Interval
        Clipped to [low, high], shaped as `mean`.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    W. Hoeffding, J. Amer. Statist. Assoc. 58 (1963), Theorem 2.

    Examples
    --------
    >>> tuple(round(end, 4) for end in hoeffding(0.5, 1000, 0.01, 0, 1))
    (0.4485, 0.5515)
    """
    alpha = _level(alpha)
    low, high = _range(low, high)
    n = integer("n", n, 1)
    average = _numbers("mean", mean)
    if not ((average >= low) & (average <= high)).all():
        raise ValueError(f"mean must lie in [low, high] = [{low}, {high}], got {mean!r}")
    half = (high - low) * math.sqrt(math.log(2 / alpha) / (2 * n))
    return Interval(_plain(np.maximum(average - half, low)), _plain(np.minimum(average + half, high)))


def empirical_bernstein(values: Any, alpha: float, low: float, high: float, *, axis: int = 0) -> Interval:
    """Enclose the mean of independent values in [low, high], tighter than Hoeffding's where they vary little.

    Parameters
    ----------
    values : array
        At least two values, all in [low, high].
    alpha : float
        Error probability in (0, 1), half of it on either side.
    low, high : float
        Range of a value, low < high.
    axis : int, optional
        The axis that holds the sample; one interval for every entry along the others.

    Returns
    -------
    Interval
        Clipped to [low, high].

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    A. Maurer and M. Pontil, COLT 2009 (arXiv 0907.3740), Theorem 4, once on either side at alpha/2.

    Examples
    --------
    >>> tuple(round(end, 4) for end in empirical_bernstein([0.25] * 1000, 0.01, 0, 1))
    (0.236, 0.264)
    """
    alpha = _level(alpha)
    low, high = _range(low, high)
    array = _bounded(values, low, high, axis, 2)
    n = len(array)
    logarithm = math.log(4 / alpha)
    average = array.mean(axis=0)
    half = np.sqrt(2 * array.var(axis=0, ddof=1) * logarithm / n) + 7 * (high - low) * logarithm / (3 * (n - 1))
    return Interval(_plain(np.maximum(average - half, low)), _plain(np.minimum(average + half, high)))


def bounded_mean(values: Any, alpha: float, low: float, high: float, *, axis: int = 0) -> Interval:
    """Enclose the mean of independent values in [low, high]: the better of two intervals on either side.

    Parameters
    ----------
    values : array
        At least two values, all in [low, high].
    alpha : float
        Error probability in (0, 1), half of it for each of the two intervals.
    low, high : float
        Range of a value, low < high.
    axis : int, optional
        The axis that holds the sample; one interval for every entry along the others.

    Returns
    -------
    Interval
        Intersection of :func:`hoeffding` and :func:`empirical_bernstein`, each at alpha/2; it always holds the average.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Examples
    --------
    >>> tuple(round(end, 4) for end in bounded_mean([0.0, 1.0] * 500, 0.01, 0, 1))
    (0.4453, 0.5547)
    """
    alpha = _level(alpha)
    first = empirical_bernstein(values, alpha / 2, low, high, axis=axis)
    array = np.moveaxis(np.asarray(values, dtype=np.float64), axis, 0)
    average = np.clip(array.mean(axis=0), low, high)  # rounding may carry it past an end
    second = hoeffding(average, len(array), alpha / 2, low, high)
    return Interval(_plain(np.maximum(first.low, second.low)), _plain(np.minimum(first.high, second.high)))


def _skew_term(array: np.ndarray, alpha: float) -> np.ndarray:
    """|skewness| z^3/(6 sqrt n); infinite for a sample without variance, whose skewness is unknown."""
    n = len(array)
    centred = array - array.mean(axis=0)
    scale = np.abs(centred).max(axis=0)
    # Rounding alone leaves differences of this size in a constant sample.
    constant = scale <= 4 * np.finfo(float).eps * np.abs(array).max(axis=0)
    centred = centred / np.where(constant, 1.0, scale)  # against overflow and underflow of the third power
    variance = np.where(constant, 1.0, (centred**2).mean(axis=0))
    skewness = (centred**3).mean(axis=0) / variance**1.5
    z = -special.ndtri(alpha / 2)
    return np.asarray(np.where(constant, np.inf, np.abs(skewness) * z**3 / (6 * math.sqrt(n))))


def student_t_applies(values: Any, alpha: float, *, axis: int = 0) -> Any:
    """Tell whether the asymptotic interval of :func:`student_t` may be used.

    Parameters
    ----------
    values : array
        At least two values.
    alpha : float
        Error probability in (0, 1).
    axis : int, optional
        The axis that holds the sample.

    Returns
    -------
    bool or array of bool
        True where n >= 1000, the sample is not constant and |skewness| z^3/(6 sqrt n) <= 1/2, z the normal quantile at
        1 - alpha/2.

    Raises
    ------
    ValueError
        If `values` are not finite or `alpha` is outside (0, 1).

    Notes
    -----
    The first term of Cramer's expansion: P(tail beyond z) is off by the factor exp(skewness z^3/(6 sqrt n)) (H. Cramer,
    1938); the limit keeps that factor between exp(-1/2) and exp(1/2), as estimated by the sample's own skewness.

    Examples
    --------
    >>> student_t_applies([0.0, 1.0] * 500, 1e-9), student_t_applies([0.0] * 990 + [1.0] * 10, 1e-9)
    (True, False)
    """
    alpha = _level(alpha)
    array = _sample(values, axis, 2)
    applies = (_skew_term(array, alpha) <= MAXIMUM_SKEW_TERM) & (len(array) >= MINIMUM_N)
    return bool(applies) if np.ndim(applies) == 0 else applies


def _t_quantile(alpha: float, freedom: int) -> float:
    """The t with P(abs(T) > t) = alpha: t^2/(freedom + t^2) has the law Beta(1/2, freedom/2)."""
    share = float(special.betainccinv(0.5, freedom / 2, alpha))
    return math.sqrt(freedom * share / (1 - share))


def student_t(values: Any, alpha: float, *, axis: int = 0) -> Interval:
    """Enclose the mean of independent values of any range, asymptotically.

    Parameters
    ----------
    values : array
        At least 1000 values, not all equal, of small skewness: see :func:`student_t_applies`.
    alpha : float
        Nominal error probability in (0, 1), half of it on either side.
    axis : int, optional
        The axis that holds the sample; one interval for every entry along the others.

    Returns
    -------
    Interval
        Average -+ t s/sqrt(n), s^2 the unbiased sample variance.

    Raises
    ------
    ValueError
        Outside the ranges above, or where :func:`student_t_applies` is false.

    Examples
    --------
    >>> tuple(round(end, 4) for end in student_t([0.0, 1.0] * 500, 0.05))
    (0.469, 0.531)
    """
    alpha = _level(alpha)
    array = _sample(values, axis, 2)
    n = len(array)
    term = _skew_term(array, alpha)
    if n < MINIMUM_N or (term > MAXIMUM_SKEW_TERM).any():
        raise ValueError(
            f"values must be at least {MINIMUM_N}, not all equal, with |skewness| z^3/(6 sqrt n) in [0, "
            f"{MAXIMUM_SKEW_TERM}], got n = {n} and {float(np.max(term)):.3g}"
        )
    average = array.mean(axis=0)
    half = _t_quantile(alpha, n - 1) * array.std(axis=0, ddof=1) / math.sqrt(n)
    return Interval(_plain(average - half), _plain(average + half))


def variance_interval(values: Any, alpha: float, *, axis: int = 0) -> Interval:
    """Enclose the variance of independent values, asymptotically.

    Parameters
    ----------
    values : array
        At least 1000 values whose squared deviations satisfy :func:`student_t_applies`.
    alpha : float
        Nominal error probability in (0, 1), half of it on either side.
    axis : int, optional
        The axis that holds the sample; one interval for every entry along the others.

    Returns
    -------
    Interval
        Lower end at least 0, in squared units of the values.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Student's interval on the squared deviations from the average, scaled by n/(n-1) so that their mean is the unbiased
    variance; estimating the mean moves it by a term of order 1/n, below the interval's width of order 1/sqrt(n).

    Examples
    --------
    >>> tuple(round(end, 3) for end in variance_interval([0.0, 1.0, 2.0] * 400, 0.05))
    (0.64, 0.694)
    """
    alpha = _level(alpha)
    array = _sample(values, axis, 2)
    squares = (array - array.mean(axis=0)) ** 2 * (len(array) / (len(array) - 1))
    low, high = student_t(squares, alpha)
    return Interval(_plain(np.maximum(low, 0.0)), high)


def quantile_interval(values: Any, quantile: float, alpha: float, *, axis: int = 0) -> Interval:
    """Enclose a quantile between two order statistics; exact for any law.

    Parameters
    ----------
    values : array
        At least one value.
    quantile : float
        q in (0, 1): encloses every number x with P(value < x) <= q <= P(value <= x).
    alpha : float
        Error probability in (0, 1), half of it on either side.
    axis : int, optional
        The axis that holds the sample; one interval for every entry along the others.

    Returns
    -------
    Interval
        The lower end is the r-th smallest value, r the largest with P(Bin(n, q) < r) <= alpha/2, and -inf if there is
        none; the upper end the s-th smallest, s the least with P(Bin(n, q) >= s) <= alpha/2, or inf.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Examples
    --------
    >>> quantile_interval(range(1, 101), 0.5, 0.05)
    Interval(low=40.0, high=61.0)
    """
    alpha = _level(alpha)
    q = real("quantile", quantile, 0.0, 1.0, open_low=True, open_high=True)
    array = np.sort(_sample(values, axis, 1), axis=0)
    n = len(array)
    rank = np.arange(1, n + 1, dtype=np.float64)
    below = special.betaincc(rank, n - rank + 1, q)  # P(Bin(n, q) < rank), increasing
    above = special.betainc(rank, n - rank + 1, q)  # P(Bin(n, q) >= rank), decreasing
    lower = int(np.count_nonzero(below <= alpha / 2))
    upper = n - int(np.count_nonzero(above <= alpha / 2)) + 1
    low = array[lower - 1] if lower >= 1 else np.full(array.shape[1:], -np.inf)
    high = array[upper - 1] if upper <= n else np.full(array.shape[1:], np.inf)
    return Interval(_plain(low), _plain(high))
