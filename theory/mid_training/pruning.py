r"""How many expert demonstrations prune a library of options, and what the pruning costs.

A task M drawn from a law p(M) is planned with the options of a set Z, :math:`m=|Z|`. For a subset B write
:math:`\Delta(M,B) = V^*_Z(s_0) - V^*_B(s_0) \ge 0` for the value lost by planning with B alone and
:math:`b(B) = P(\Delta(M,B) > \varepsilon)` for its failure rate; B is bad when :math:`b(B) \ge \sigma`. Elimination
deletes every k-subset that fails one of n independent demonstrated tasks. A bad subset survives one task with
probability at most :math:`1-\sigma`, and :math:`\binom mk (1-\sigma)^n \le \delta` at

.. math:: n = \frac{\ln\binom mk + \ln(1/\delta)}{-\ln(1-\sigma)} \le \frac{k\ln(em/k) + \ln(1/\delta)}{\sigma}.

The count :math:`k\ln(m/\delta)/\sigma` of Zhang, Yu, Feng, Jin, Wang, Peebles and Wang, "Learning to Reason as Action
Abstractions with Scalable Mid-Training RL" (arXiv 2509.25810), dominates the first expression, since
:math:`\binom mk \le m^k` and :math:`-\ln(1-\sigma)\ge\sigma`; it multiplies :math:`\ln(1/\delta)` by k without need.
All counts here are real thresholds: any integer at or above one suffices (take ``math.ceil``).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theory._math import exp, is_symbolic, log, log1p
from theory._validate import integer, real
from theory.mid_training._inputs import items, subset_sizes

__all__ = [
    "all_sizes_union_count",
    "block_lower_count",
    "block_survival_guarantee",
    "log_binomial",
    "loose_union_count",
    "order_of_growth",
    "paper_count",
    "single_subset_lower_count",
    "uniform_survival_bound",
    "union_count",
    "union_survival_bound",
]


def _log_binomial(m: int, k: int) -> float:
    if min(k, m - k) <= 4096:
        return math.log(math.comb(m, k))
    from scipy.special import betaln

    return float(-betaln(m - k + 1, k + 1) - math.log(m + 1))


def log_binomial(n_options: Any, n_kept: Any) -> Any:
    """Return the logarithm of the number of k-subsets of m options.

    Parameters
    ----------
    n_options, n_kept : int, array_like of int or sympy.Expr
        m and k with 1 <= k <= m.

    Returns
    -------
    float, numpy.ndarray or sympy.Expr
        ``ln C(m, k)``; correctly rounded from the integer while ``min(k, m - k) <= 4096``, through the log-beta
        function above that.

    Raises
    ------
    ValueError
        If an argument is no integer of its range.

    Notes
    -----
    Elementary.

    Examples
    --------
    >>> round(log_binomial(20, 5), 6)
    9.648853
    """
    m, k = subset_sizes(n_options, n_kept)
    if is_symbolic(m) or is_symbolic(k):
        import sympy

        return sympy.log(sympy.binomial(m, k))
    if isinstance(m, int) and isinstance(k, int):
        return _log_binomial(m, k)
    return np.vectorize(_log_binomial, otypes=[np.float64])(m, k)


def _rates(failure_rate: Any, delta: Any) -> tuple[Any, Any]:
    sigma = real("failure_rate", failure_rate, 0, 1, open_low=True, open_high=True)
    return sigma, real("delta", delta, 0, 1, open_low=True)


def union_count(n_options: Any, n_kept: Any, failure_rate: Any, delta: Any) -> Any:
    r"""Return the number of demonstrations at which the union bound over all k-subsets reaches `delta`.

    Parameters
    ----------
    n_options, n_kept : int, array_like of int or sympy.Expr
        m and k, 1 <= k <= m.
    failure_rate : float, array_like, Fraction, sympy.Expr or flint.arb
        sigma in (0, 1): a subset that fails at least this share of the tasks is bad.
    delta : same kinds
        Admitted probability in (0, 1] that a bad subset survives.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`(\ln\binom mk + \ln(1/\delta))/(-\ln(1-\sigma))`, to be rounded up.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: union bound over at most ``C(m, k)`` bad subsets, each surviving with probability at most
    ``(1 - sigma)**n``.

    Examples
    --------
    >>> import math
    >>> math.ceil(union_count(20, 5, 0.08, 0.1)), math.ceil(union_count(50, 1, 0.1, 0.01))
    (144, 81)
    """
    sigma, delta = _rates(failure_rate, delta)
    return (log_binomial(n_options, n_kept) - log(delta)) / -log1p(-sigma)


def loose_union_count(n_options: Any, n_kept: Any, failure_rate: Any, delta: Any) -> Any:
    r"""Return the closed upper bound of :func:`union_count` that shows its growth.

    Parameters
    ----------
    n_options, n_kept, failure_rate, delta
        As in :func:`union_count`.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`(k\ln(em/k) + \ln(1/\delta))/\sigma`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here from ``C(m, k) <= (em/k)**k`` and ``-ln(1 - sigma) >= sigma``.

    Examples
    --------
    >>> loose_union_count(20, 5, 0.08, 0.1) >= union_count(20, 5, 0.08, 0.1)
    True
    """
    m, k = subset_sizes(n_options, n_kept)
    sigma, delta = _rates(failure_rate, delta)
    return (k * (1 + log(m / k)) - log(delta)) / sigma


def paper_count(n_options: Any, n_kept: Any, failure_rate: Any, delta: Any) -> Any:
    r"""Return the paper's number of demonstrations with constant one.

    Parameters
    ----------
    n_options, n_kept, failure_rate, delta
        As in :func:`union_count`.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`k\ln(m/\delta)/\sigma`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Zhang et al. (arXiv 2509.25810), the order of ``|D_E|``, where k is the size of the smallest sufficient subset.
    Never below :func:`union_count`; not of matching order in `delta` for k >= 2.

    Examples
    --------
    >>> round(paper_count(20, 5, 0.08, 0.1), 2)
    331.14
    """
    m, k = subset_sizes(n_options, n_kept)
    sigma, delta = _rates(failure_rate, delta)
    return k * (log(m) - log(delta)) / sigma


def all_sizes_union_count(n_options: Any, failure_rate: Any, delta: Any) -> Any:
    r"""Return the union count when subsets of every size are candidates.

    Parameters
    ----------
    n_options, failure_rate, delta
        As in :func:`union_count`.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`(m\ln 2 + \ln(1/\delta))/(-\ln(1-\sigma))`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: there are ``2**m`` candidates.

    Examples
    --------
    >>> all_sizes_union_count(20, 0.08, 0.1) > union_count(20, 5, 0.08, 0.1)
    True
    """
    m = integer("n_options", n_options, 1)
    sigma, delta = _rates(failure_rate, delta)
    return (m * log(2) - log(delta)) / -log1p(-sigma)


def union_survival_bound(failure_rates: Any, n_demonstrations: int) -> Any:
    r"""Return the union bound on the probability that one of the listed bad subsets survives.

    Parameters
    ----------
    failure_rates : sequence of float or Fraction
        b(B) in [0, 1] of each bad subset.
    n_demonstrations : int
        n >= 0.

    Returns
    -------
    float or Fraction
        :math:`\sum_B (1-b(B))^n`; may exceed one, where it says nothing.

    Raises
    ------
    ValueError
        If a rate leaves [0, 1] or n is negative.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> round(union_survival_bound([0.5, 0.25], 4), 6)
    0.378906
    """
    n = integer("n_demonstrations", n_demonstrations, 0)
    rates = [real("failure_rates", rate, 0, 1) for rate in items("failure_rates", failure_rates)]
    return sum((1 - rate) ** n for rate in rates)


def uniform_survival_bound(n_options: Any, n_kept: Any, failure_rate: Any, n_demonstrations: Any) -> Any:
    r"""Return the union bound with every subset taken at the smallest bad failure rate.

    Parameters
    ----------
    n_options, n_kept, failure_rate
        As in :func:`union_count`.
    n_demonstrations : int, array_like of int or sympy.Expr
        n >= 0.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\binom mk(1-\sigma)^n`, computed in logarithms.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> round(uniform_survival_bound(50, 1, 0.1, 59), 5)
    0.09983
    """
    n = integer("n_demonstrations", n_demonstrations, 0)
    sigma = real("failure_rate", failure_rate, 0, 1, open_low=True, open_high=True)
    return exp(log_binomial(n_options, n_kept) + n * log1p(-sigma))


def single_subset_lower_count(failure_rate: Any, delta: Any) -> Any:
    r"""Return the number of demonstrations below which one bad subset alone survives too often.

    Parameters
    ----------
    failure_rate, delta
        As in :func:`union_count`; `failure_rate` is the smallest one of a bad subset.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\ln(1/\delta)/(-\ln(1-\sigma))`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: a subset with failure rate exactly sigma survives with probability ``(1 - sigma)**n``.

    Examples
    --------
    >>> round(single_subset_lower_count(0.2, 0.05), 4)
    13.4251
    """
    sigma, delta = _rates(failure_rate, delta)
    return -log(delta) / -log1p(-sigma)


def block_lower_count(n_types: Any, threshold: Any, failure_rate: Any) -> Any:
    r"""Return the number of demonstrations up to which the bit-block family still fails with large probability.

    Parameters
    ----------
    n_types : int, array_like of int or sympy.Expr
        d, the number of light task types.
    threshold : int, array_like of int or sympy.Expr
        F with 1 <= F <= d; a subset failing F light types is bad.
    failure_rate
        sigma = F q in (0, 1), q the probability of one light type; d q <= 1 is assumed.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\ln(d/2F)/(-\ln(1-\sigma/F))`. For n up to it a bad subset survives with probability at least
        :func:`block_survival_guarantee`. Negative where d < 2F: no claim.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. The indicators of unseen types are negatively associated with mean sum ``d (1 - q)**n >= 2F``, and the
    lower Chernoff tail at half the mean is at most ``exp(-F/4)``. With F = d/(2e) the count is about d/(2 e sigma), so
    the factor ``k ln(m/k)`` of :func:`union_count` cannot be removed.

    Examples
    --------
    >>> int(block_lower_count(40, 7, 0.15)), int(block_lower_count(224, 41, 0.15))
    (48, 274)
    """
    d = integer("n_types", n_types, 1)
    f = integer("threshold", threshold, 1)
    sigma = real("failure_rate", failure_rate, 0, 1, open_low=True, open_high=True)
    return log(d / (2 * f)) / -log1p(-sigma / f)


def block_survival_guarantee(threshold: Any) -> Any:
    """Return the probability of failure guaranteed up to :func:`block_lower_count`.

    Parameters
    ----------
    threshold : int, array_like of int or sympy.Expr
        F >= 1.

    Returns
    -------
    float, numpy.ndarray or sympy.Expr
        ``1 - exp(-F/4)``.

    Raises
    ------
    ValueError
        If `threshold` is no integer >= 1.

    Notes
    -----
    Derived here (Chernoff bound for negatively associated indicators).

    Examples
    --------
    >>> [round(block_survival_guarantee(f), 3) for f in (7, 14, 41)]
    [0.826, 0.97, 1.0]
    """
    f = integer("threshold", threshold, 1)
    return 1 - exp(-f / 4)


def order_of_growth(n_options: Any, n_kept: Any, failure_rate: Any, delta: Any) -> Any:
    r"""Return the worst-case order of the number of demonstrations.

    Parameters
    ----------
    n_options, n_kept, failure_rate, delta
        As in :func:`union_count`.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`(k\ln(m/k) + \ln(1/\delta))/\sigma`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here from :func:`loose_union_count` above and :func:`block_lower_count` with
    :func:`single_subset_lower_count` below.

    Examples
    --------
    >>> round(order_of_growth(128, 4, 0.2, 0.05), 3)
    84.293
    """
    m, k = subset_sizes(n_options, n_kept)
    sigma, delta = _rates(failure_rate, delta)
    return (k * log(m / k) - log(delta)) / sigma
