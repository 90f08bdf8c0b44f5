r"""What is left after pruning, and rules that need no perfect subset.

A subset that is not bad loses at most eps on all but a share sigma of the tasks, hence on average less than
:math:`\varepsilon+\sigma(D_{max}-\varepsilon)`; a two-point law comes arbitrarily close, so the loss is not about eps.
Nor need the best subset survive elimination: a mean loss of eps allows failures on half of the tasks. Counting failures
against a threshold, or minimising the mean loss on the demonstrations, tolerates them. Notation as in
:mod:`theory.mid_training.pruning`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory._math import is_symbolic, log
from theory._validate import integer, real
from theory.mid_training._inputs import law, scalar, subset_sizes
from theory.mid_training.pruning import _log_binomial, _rates, log_binomial

__all__ = [
    "count_rule_chernoff",
    "count_rule_exact",
    "empirical_risk_count",
    "head_mass",
    "pruning_error",
    "pruning_error_bound",
    "repaired_count",
    "repaired_tolerances",
    "smallest_target_size",
    "target_survival",
    "zipf_weights",
]


def pruning_error(tolerance: Any, failure_rate: Any, largest_gap: Any) -> Any:
    r"""Return the mean value lost by a subset that loses `largest_gap` on its failures and `tolerance` elsewhere.

    Parameters
    ----------
    tolerance : float, array_like, Fraction, sympy.Expr or flint.arb
        eps >= 0.
    failure_rate : same kinds
        b in [0, 1].
    largest_gap : same kinds
        D_max >= 0.

    Returns
    -------
    same kind
        :math:`(1-b)\varepsilon + b D_{max}`, the largest mean loss of any subset with failure rate b, attained by this
        two-point law.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: bound the loss by eps off the failures and by its maximum on them.

    Examples
    --------
    >>> round(pruning_error(0.05, 0.0999, 1.0), 6)
    0.144905
    """
    eps = real("tolerance", tolerance, 0)
    b = real("failure_rate", failure_rate, 0, 1)
    gap = real("largest_gap", largest_gap, 0)
    return (1 - b) * eps + b * gap


def pruning_error_bound(tolerance: Any, failure_rate: Any, largest_gap: Any) -> Any:
    r"""Return the bound on the mean loss of a subset that is not bad.

    Parameters
    ----------
    tolerance, largest_gap
        As in :func:`pruning_error`.
    failure_rate
        sigma in [0, 1].

    Returns
    -------
    same kind
        :math:`\varepsilon + \sigma(D_{max}-\varepsilon)`, strict for a subset with b < sigma and eps < D_max.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. It repairs the reading of Zhang et al. (arXiv 2509.25810) that the loss is about eps after pruning:
    :func:`pruning_error` with b just below sigma comes arbitrarily close to this bound.

    Examples
    --------
    >>> round(pruning_error_bound(0.05, 0.1, 1.0), 6)
    0.145
    """
    eps = real("tolerance", tolerance, 0)
    sigma = real("failure_rate", failure_rate, 0, 1)
    gap = real("largest_gap", largest_gap, 0)
    return eps + sigma * (gap - eps)


def repaired_tolerances(total_error: Any, largest_gap: Any) -> tuple[Any, Any]:
    """Return the pair (eps, sigma) that keeps the mean loss after pruning below `total_error`.

    Parameters
    ----------
    total_error : float, array_like, Fraction, sympy.Expr or flint.arb
        Wanted mean loss, positive and at most twice `largest_gap`.
    largest_gap : same kinds
        D_max > 0.

    Returns
    -------
    tuple
        ``(total_error / 2, total_error / (2 largest_gap))``.

    Raises
    ------
    ValueError
        If an argument is not positive, or the second entry would exceed one.

    Notes
    -----
    Derived here by giving half of the error to each term of :func:`pruning_error_bound`.

    Examples
    --------
    >>> repaired_tolerances(0.25, 1.0)
    (0.125, 0.125)
    """
    total = real("total_error", total_error, 0, open_low=True)
    gap = real("largest_gap", largest_gap, 0, open_low=True)
    real("total_error / (2 largest_gap)", total / (2 * gap), 0, 1)
    return total / 2, total / (2 * gap)


def repaired_count(n_options: Any, n_kept: Any, total_error: Any, largest_gap: Any, delta: Any) -> Any:
    r"""Return a number of demonstrations after which the mean loss is at most `total_error`.

    Parameters
    ----------
    n_options, n_kept, delta
        As in :func:`union_count`.
    total_error, largest_gap
        As in :func:`repaired_tolerances`.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`(2D_{max}/\varepsilon_{tot})(k\ln m+\ln(1/\delta))`, with probability at least 1 - delta, provided
        some k-subset loses at most eps almost surely (otherwise nothing need survive).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here from :func:`repaired_tolerances` and the union bound.

    Examples
    --------
    >>> round(repaired_count(20, 5, 0.25, 1.0, 0.1), 2)
    138.25
    """
    m, k = subset_sizes(n_options, n_kept)
    _, sigma = repaired_tolerances(total_error, largest_gap)
    delta = real("delta", delta, 0, 1, open_low=True)
    return (k * log(m) - log(delta)) / sigma


def target_survival(failure_rate: Any, n_demonstrations: Any) -> Any:
    r"""Return the probability that a subset survives elimination.

    Parameters
    ----------
    failure_rate : float, array_like, Fraction, sympy.Expr or flint.arb
        b(B) in [0, 1].
    n_demonstrations : int, array_like of int or sympy.Expr
        n >= 0.

    Returns
    -------
    same kind as `failure_rate`
        :math:`(1-b)^n`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Elementary. With a loss of ``eps (1 + x)`` on a share ``1/(1 + x)`` of the tasks and none elsewhere the mean loss is
    eps, and yet the subset survives only with probability ``(x/(1 + x))**n``: a small mean loss does not protect the
    subset one wants to keep.

    Examples
    --------
    >>> from fractions import Fraction
    >>> target_survival(Fraction(1, 2), 20)
    Fraction(1, 1048576)
    """
    b = real("failure_rate", failure_rate, 0, 1)
    n = integer("n_demonstrations", n_demonstrations, 0)
    return (1 - b) ** n


def count_rule_chernoff(n_options: Any, n_kept: Any, failure_rate: Any, delta: Any) -> Any:
    r"""Return a number of demonstrations that suffices for the counting rule.

    The rule keeps a subset that fails at most ``sigma n / 2`` demonstrations.

    Parameters
    ----------
    n_options, n_kept, failure_rate, delta
        As in :func:`union_count`.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\max\{(8/\sigma)\ln(2\binom mk/\delta),\ (12/\sigma)\ln(2/\delta)\}`: with probability 1 - delta all bad
        subsets go and a target with failure rate at most sigma/4 stays.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here from the two multiplicative Chernoff tails at half and at twice the mean.

    Examples
    --------
    >>> import math
    >>> math.ceil(count_rule_chernoff(30, 4, 0.2, 0.05))
    557
    """
    sigma, delta = _rates(failure_rate, delta)
    first = 8 * (log_binomial(n_options, n_kept) + log(2) - log(delta)) / sigma
    second = 12 * (log(2) - log(delta)) / sigma
    if is_symbolic(first) or is_symbolic(second):
        import sympy

        return sympy.Max(first, second)
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return np.maximum(first, second)
    return first if first >= second else second


def count_rule_exact(
    n_options: int, n_kept: int, failure_rate: float, delta: float, target_rate: float | None = None
) -> tuple[int, int]:
    r"""Return the smallest number of demonstrations, and a threshold, that binomial tails certify for a counting rule.

    Parameters
    ----------
    n_options, n_kept : int
        m and k, 1 <= k <= m.
    failure_rate, delta : float
        sigma and delta in (0, 1).
    target_rate : float, optional
        Largest failure rate of the subset to be kept, in [0, sigma); sigma/4 by default.

    Returns
    -------
    n_demonstrations, threshold : int
        The first n with a threshold t (keep a subset that fails at most t demonstrations) such that
        :math:`\binom mk P(\mathrm{Bin}(n,\sigma)\le t)+P(\mathrm{Bin}(n,b)>t)\le\delta`, and the t of the smallest sum.

    Raises
    ------
    ValueError
        If an argument leaves its range, or more than 5000 demonstrations would be needed.

    Notes
    -----
    Derived here: the union bound of :func:`count_rule_chernoff` with the tails left exact. The scan over n ends at the
    Chernoff count at the latest when the target rate is sigma/4.

    Examples
    --------
    >>> count_rule_exact(30, 4, 0.2, 0.05)
    (214, 17)
    """
    from scipy.stats import binom

    m, k = subset_sizes(n_options, n_kept)
    sigma = scalar("failure_rate", failure_rate, 0, 1, open_low=True, open_high=True)
    delta = scalar("delta", delta, 0, 1, open_low=True, open_high=True)
    target = sigma / 4 if target_rate is None else scalar("target_rate", target_rate, 0, sigma, open_high=True)
    log_subsets = _log_binomial(m, k)
    for n in range(1, 5001):
        thresholds = np.arange(n + 1)
        log_bad = log_subsets + binom.logcdf(thresholds, n, sigma)
        risk = np.exp(np.minimum(log_bad, 1.0)) + binom.sf(thresholds, n, target)
        best = int(np.argmin(risk))
        if risk[best] <= delta:
            return n, best
    raise ValueError(f"failure_rate must allow a count of at most 5000 demonstrations, got {failure_rate!r}")


def empirical_risk_count(n_options: Any, n_kept: Any, largest_gap: Any, excess: Any, delta: Any) -> Any:
    r"""Return a number of demonstrations after which the smallest mean loss on them is nearly the best one.

    Parameters
    ----------
    n_options, n_kept, delta
        As in :func:`union_count`.
    largest_gap : float, array_like, Fraction, sympy.Expr or flint.arb
        D_max > 0.
    excess : same kinds
        x > 0, the admitted excess over the best subset's mean loss.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`(2D_{max}^2/x^2)\ln(2\binom mk/\delta)`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: Hoeffding's inequality at x/2 on both sides, for all subsets at once.

    Examples
    --------
    >>> round(empirical_risk_count(30, 4, 1.0, 0.2, 0.05), 1)
    695.4
    """
    gap = real("largest_gap", largest_gap, 0, open_low=True)
    x = real("excess", excess, 0, open_low=True)
    delta = real("delta", delta, 0, 1, open_low=True)
    return 2 * gap**2 / x**2 * (log_binomial(n_options, n_kept) + log(2) - log(delta))


def zipf_weights(n_options: int, exponent: float = 1.0) -> np.ndarray:
    """Return weights proportional to ``j**(-exponent)``, j = 1..K, in decreasing order.

    Parameters
    ----------
    n_options : int
        K >= 1.
    exponent : float
        At least 0; 0 gives equal weights.

    Returns
    -------
    numpy.ndarray
        Shape (K,), total one.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Zipf's law; a definition.

    Examples
    --------
    >>> [round(float(w), 4) for w in zipf_weights(3)]
    [0.5455, 0.2727, 0.1818]
    """
    n = integer("n_options", n_options, 1)
    power = scalar("exponent", exponent, 0)
    weights = np.arange(1, n + 1, dtype=np.float64) ** -power
    return np.asarray(weights / weights.sum())


def head_mass(weights: Any) -> np.ndarray:
    """Return the total weight of the j heaviest options for every j.

    Parameters
    ----------
    weights : sequence of float or Fraction
        A probability law on K options, in any order.

    Returns
    -------
    numpy.ndarray
        Shape (K + 1,): F_0 = 0, ..., F_K = 1, non-decreasing.

    Raises
    ------
    ValueError
        If `weights` is no probability law.

    Notes
    -----
    A definition.

    Examples
    --------
    >>> head_mass([0.25, 0.5, 0.25]).tolist()
    [0.0, 0.5, 0.75, 1.0]
    """
    law_ = law("weights", weights)
    ordered = np.array(sorted(law_, reverse=True), dtype=law_.dtype)
    return np.concatenate([np.zeros(1, dtype=law_.dtype), np.cumsum(ordered)])


def smallest_target_size(weights: Any, goal_length: int, tolerance: float) -> int:
    r"""Return the size of the smallest option set whose mean loss on goals of L independent macros is at most eps.

    Parameters
    ----------
    weights : sequence of float or Fraction
        Law of one macro of the goal.
    goal_length : int
        L >= 1.
    tolerance : float
        eps in [0, 1].

    Returns
    -------
    int
        The smallest k with :math:`F_k^L \ge 1-\varepsilon` (value one for a reached goal, no discount); 0 if eps = 1.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: among k-subsets the k heaviest macros cover a goal most often. A float law is allowed to miss the
    level by four units in the last place, so that ``eps = 0`` finds the support.

    Examples
    --------
    >>> smallest_target_size(zipf_weights(32), 3, 0.1)
    28
    """
    heads = head_mass(weights)
    length = integer("goal_length", goal_length, 1)
    eps = real("tolerance", tolerance, 0, 1)
    slack = 0 if heads.dtype == object else 2.0**-50
    return next(k for k, head in enumerate(heads) if head**length >= 1 - eps - slack)
