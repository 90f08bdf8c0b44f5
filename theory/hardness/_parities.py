r"""How much of a gradient depends on which parity labels the prompts, and how that splits over the parities.

With x uniform on {-1,+1}^d, chi_S the product of the signs in S and g the gradient of a predictor f in its weights, the
logistic loss log(2 cosh(f/2)) - y f/2 at the label y = chi_S(x) has the gradient E[tanh(f/2) g]/2 - E[chi_S g]/2. Only
the second part, the *signal* of S, depends on S; it is half the Walsh coefficient of g at S. The 2^d parities are an
orthonormal basis, so the squared signals of all of them add up to E|g|^2/4.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from theory._math import is_symbolic
from theory._validate import integer, real

__all__ = [
    "batch_signal_mean",
    "halfspace_accuracy_bound",
    "halfspace_accuracy_bound_exact",
    "parity_count",
    "signal_count_bound",
    "signal_mean",
    "signal_mean_bound",
    "signal_share_bound",
    "signal_to_noise",
    "signal_total",
    "symmetric_relu_coefficient",
    "symmetric_relu_coefficient_exact",
    "unit_ratio_samples",
]

LARGEST = 1000  # of d, so that 2^d is a double
MOST = 2**LARGEST


def _two_to(d: Any) -> Any:
    """2^d: an int for an int, floats for an array."""
    return np.exp2(d.astype(np.float64)) if isinstance(d, np.ndarray) else 2**d


def _smaller(left: Any, right: Any) -> Any:
    """The smaller of two numbers, of whatever kind; balls by their common lower part."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.minimum(left, right)
    if is_symbolic(left) or is_symbolic(right):
        import sympy

        return sympy.Min(left, right)
    for one, other in ((left, right), (right, left)):
        if type(one).__name__ == "arb":
            return one.min(other)
    return min(left, right)


def _short_square(p_cot: Any) -> Any:
    """(1 - p)^2; the plain 0 of the default leaves rationals rational."""
    if type(p_cot) is int and p_cot == 0:
        return 1
    share = 1 - real("p_cot", p_cot, 0, 1)
    return share * share


def parity_count(d: Any, subset_size: Any = None) -> Any:
    """Number of parities of d signs: 2^d, or the binomial coefficient C(d, k) of those on k signs.

    Parameters
    ----------
    d : int or array of int
        Number of signs, from 1 to 1000.
    subset_size : int or array of int, optional
        k, from 0 to d; all sizes if left out.

    Returns
    -------
    int, array or sympy.Expr
        Exact for ints, floats for arrays.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> parity_count(10), parity_count(10, 3)
    (1024, 120)
    """
    size = integer("d", d, 1, LARGEST)
    if subset_size is None:
        return _two_to(size)
    k = integer("subset_size", subset_size, 0, LARGEST)
    if is_symbolic(size) or is_symbolic(k):
        import sympy

        return sympy.binomial(size, k)
    if np.any(np.asarray(k) > np.asarray(size)):
        raise ValueError(f"subset_size must be an integer in [0, d], got {subset_size!r} at d = {d!r}")
    if isinstance(size, int) and isinstance(k, int):
        return math.comb(size, k)
    from scipy.special import comb

    return comb(size, k)


def signal_total(gradient_square: Any, p_cot: Any = 0) -> Any:
    """Sum of the squared signals of all 2^d parities: (1-p)^2 E|grad f|^2/4.

    Parameters
    ----------
    gradient_square : number or array
        E|grad f|^2 over uniform prompts, in [0, inf).
    p_cot : number or array, optional
        Share p of long demonstrations, in [0, 1]: the short ones carry the parity with weight 1 - p.

    Returns
    -------
    number or array
        Exact, whatever the predictor.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: Parseval's identity for each component of grad f, and the factor 1/2 of the logistic loss, squared.

    Examples
    --------
    >>> signal_total(8.0, 0.5)
    0.5
    """
    return _short_square(p_cot) * real("gradient_square", gradient_square, 0) / 4


def signal_mean(d: Any, gradient_square: Any, p_cot: Any = 0) -> Any:
    """Mean squared signal over all 2^d parities: (1-p)^2 E|grad f|^2/(4 2^d), exactly.

    Parameters
    ----------
    d : int or array of int
        Number of signs, from 1 to 1000.
    gradient_square : number or array
        E|grad f|^2 over uniform prompts, in [0, inf).
    p_cot : number or array, optional
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    number or array
        Mean over subsets S of |(1-p) E[chi_S grad f]/2|^2.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here; the equality behind the usual statistical-query bound.

    Examples
    --------
    >>> signal_mean(10, 1024.0)
    0.25
    """
    return signal_total(gradient_square, p_cot) / _two_to(integer("d", d, 1, LARGEST))


def signal_mean_bound(d: Any, subset_size: Any, gradient_square: Any, p_cot: Any = 0) -> Any:
    """Bound (1-p)^2 E|grad f|^2/(4 C(d, k)) on the mean squared signal over the parities of k signs.

    Parameters
    ----------
    d : int or array of int
        Number of signs, from 1 to 1000.
    subset_size : int or array of int
        k, from 0 to d.
    gradient_square : number or array
        E|grad f|^2 over uniform prompts, in [0, inf).
    p_cot : number or array, optional
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    number or array
        Attained exactly by predictors whose gradient has no Walsh coefficient of another degree.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here from the total over all parities, of which a class takes no more than the whole.

    Examples
    --------
    >>> signal_mean_bound(10, 3, 120.0)
    0.25
    """
    return signal_total(gradient_square, p_cot) / parity_count(d, subset_size)


def signal_count_bound(gradient_square: Any, threshold: Any, p_cot: Any = 0) -> Any:
    """Largest number of parities whose signal can have a norm of at least t: floor((1-p)^2 E|grad f|^2/(4 t^2)).

    Parameters
    ----------
    gradient_square : number or array
        E|grad f|^2 over uniform prompts, in [0, 1e100].
    threshold : number or array
        t, in [1e-100, 1e100].
    p_cot : number or array, optional
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    int or array
        Free of d. Floats are rounded up by a few units in the last place before the floor, so that it stays a bound.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here (Markov's inequality on the squared signals).

    Examples
    --------
    >>> signal_count_bound(4.0, 0.5)
    4
    """
    t = real("threshold", threshold, 1e-100, 1e100)
    most = real("gradient_square", gradient_square, 0, 1e100)
    ratio = signal_total(most, p_cot) / (t * t)
    if isinstance(ratio, Fraction):
        return math.floor(ratio)
    raised = ratio * (1 + 2.0**-50)
    return np.floor(raised) if isinstance(raised, np.ndarray) else math.floor(raised)


def signal_share_bound(n_parities: Any, gradient_square: Any, threshold: Any, p_cot: Any = 0) -> Any:
    """Bound min(1, (1-p)^2 E|grad f|^2/(4 n t^2)) on the share of a class of n parities with a signal of at least t.

    Parameters
    ----------
    n_parities : int or array of int
        Size n of the class, from 1 to 2^1000; see :func:`parity_count`.
    gradient_square : number or array
        E|grad f|^2 over uniform prompts, in [0, inf).
    threshold : number or array
        t, in [1e-100, 1e100].
    p_cot : number or array, optional
        Share p of long demonstrations, in [0, 1].

    Returns
    -------
    number or array
        1 where the bound is vacuous.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here (Markov's inequality); :func:`signal_count_bound` also uses that counts are whole.

    Examples
    --------
    >>> signal_share_bound(2**10, 1.0, 0.5)
    0.0009765625
    """
    n = integer("n_parities", n_parities, 1, MOST)
    t = real("threshold", threshold, 1e-100, 1e100)
    return _smaller(signal_total(gradient_square, p_cot) / (t * t) / n, 1)


def batch_signal_mean(d: Any, gradient_square: Any, batch: Any) -> Any:
    """Mean over all parities and batches of the squared signal seen in one batch: (G/4)(2^-d + (1 - 2^-d)/n).

    Parameters
    ----------
    d : int or array of int
        Number of signs, from 1 to 1000.
    gradient_square : number or array
        G = E|grad f|^2 over uniform prompts, in [0, inf).
    batch : int or array of int
        Short demonstrations n in the batch, at least 1.

    Returns
    -------
    number or array
        Mean of |sum of y grad f|^2/(4 n^2): the signal 2^-d G/4 plus the sampling noise.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: one demonstration has the mean square G/4, of which G/(4 2^d) belongs to its mean.

    Examples
    --------
    >>> batch_signal_mean(3, 8.0, 7)
    0.5
    """
    share = _two_to(integer("d", d, 1, LARGEST))
    n = integer("batch", batch, 1)
    return signal_total(gradient_square) * (n + share - 1) / (share * n)


def signal_to_noise(d: Any, batch: Any) -> Any:
    """Squared signal over squared sampling noise of a batch's gradient, each averaged over all parities: n/(2^d - 1).

    Parameters
    ----------
    d : int or array of int
        Number of signs, from 1 to 1000.
    batch : int or array of int
        Short demonstrations n in the batch, at least 1.

    Returns
    -------
    number or array
        The same for every predictor.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. It says when a batch's mean gradient, read as a sum, shows the subset; it is no bound on what can be
    learned from the single gradients, of which d + O(1) determine the subset.

    Examples
    --------
    >>> signal_to_noise(10, 1023)
    1.0
    """
    return integer("batch", batch, 1) / (_two_to(integer("d", d, 1, LARGEST)) - 1)


def unit_ratio_samples(signal_square: Any, mean_square: Any) -> Any:
    """Batch at which the squared mean of a gradient equals the squared sampling noise of the batch's mean.

    Parameters
    ----------
    signal_square : number or array
        Squared norm of the mean, in (0, inf).
    mean_square : number or array
        Mean squared norm of one demonstration's gradient, at least `signal_square`.

    Returns
    -------
    number or array
        (mean_square - signal_square)/signal_square.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Elementary. At zero weights: 2^d - 1 on average over the parities of the short route, against (d - p^2)/p^2 at the
    first token of the long route.

    Examples
    --------
    >>> unit_ratio_samples(0.25, 5.0)
    19.0
    """
    signal = real("signal_square", signal_square, 0, open_low=True)
    square = real("mean_square", mean_square, 0)
    symbolic = is_symbolic(signal) or is_symbolic(square)
    if not symbolic and np.any(np.asarray(square < signal)):
        raise ValueError(f"mean_square must be at least signal_square = {signal_square!r}, got {mean_square!r}")
    with np.errstate(over="ignore"):
        return (square - signal) / signal


def symmetric_relu_coefficient_exact(d: Any) -> Fraction:
    """Walsh coefficient at the full parity of max(0, x_1 + ... + x_d), as a rational.

    Parameters
    ----------
    d : int
        Number of signs, from 2 to 1000.

    Returns
    -------
    Fraction
        (-1)^(d/2 - 1) C(d-2, d/2 - 1)/2^(d-1) for even d, 0 for odd d.

    Raises
    ------
    ValueError
        If `d` leaves its range.

    Notes
    -----
    Derived here: twice summed by parts, the alternating sum over the number of minus signs leaves the second difference
    of max(0, s), which lives at s = 0. Weights of -1 and +1 only change the sign of the coefficient.

    Examples
    --------
    >>> [str(symmetric_relu_coefficient_exact(d)) for d in (2, 3, 4, 6)]
    ['1/2', '0', '-1/4', '3/16']
    """
    size = integer("d", d, 2, LARGEST)
    if not isinstance(size, int):
        raise ValueError(f"d must be one integer in [2, {LARGEST}], got {d!r}")
    if size % 2:
        return Fraction(0)
    half = size // 2 - 1
    return Fraction((-1) ** half * math.comb(size - 2, half), 2 ** (size - 1))


def symmetric_relu_coefficient(d: Any) -> float:
    """The same as a float: about (2 pi d)^(-1/2) in size for even d, so polynomial, not exponential, in d.

    Parameters
    ----------
    d : int
        Number of signs, from 2 to 1000.

    Returns
    -------
    float
        Correctly rounded.

    Raises
    ------
    ValueError
        If `d` leaves its range.

    Notes
    -----
    Derived here. An average over all subsets says nothing about one of them: a ReLU layer with weights -1 and +1 sees
    the full parity although the mean over the 2^d parities is exponentially small.

    Examples
    --------
    >>> symmetric_relu_coefficient(8)
    -0.15625
    """
    return float(symmetric_relu_coefficient_exact(d))


def halfspace_accuracy_bound_exact(d: Any) -> Fraction:
    """Largest share of prompts on which a halfspace can give the parity of all d signs, as a rational.

    Parameters
    ----------
    d : int
        Number of signs, from 1 to 1000.

    Returns
    -------
    Fraction
        1/2 + C(d-1, floor((d-1)/2))/2^d, attained by the majority (with a threshold next to 0 for even d).

    Raises
    ------
    ValueError
        If `d` leaves its range.

    Notes
    -----
    Derived here: the Walsh coefficient at the full set is at most each sign's influence, hence their mean; a halfspace
    is monotone up to signs, and of such functions the majority has the largest total influence.

    Examples
    --------
    >>> [str(halfspace_accuracy_bound_exact(d)) for d in (1, 2, 3, 6)]
    ['1', '3/4', '3/4', '21/32']
    """
    size = integer("d", d, 1, LARGEST)
    if not isinstance(size, int):
        raise ValueError(f"d must be one integer in [1, {LARGEST}], got {d!r}")
    return Fraction(1, 2) + Fraction(math.comb(size - 1, (size - 1) // 2), 2**size)


def halfspace_accuracy_bound(d: Any) -> float:
    """The same as a float: about 1/2 + (2 pi d)^(-1/2).

    Parameters
    ----------
    d : int
        Number of signs, from 1 to 1000.

    Returns
    -------
    float
        Correctly rounded.

    Raises
    ------
    ValueError
        If `d` leaves its range.

    Notes
    -----
    Derived here. It bounds what a linear predictor learns from short answers, with any number of them.

    Examples
    --------
    >>> halfspace_accuracy_bound(20)
    0.5880985260009766
    """
    return float(halfspace_accuracy_bound_exact(d))
