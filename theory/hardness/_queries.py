r"""How often a learner must look before it can tell which parity labels the prompts.

A hidden subset S is uniform over a class of n parities of uniform prompts. All bounds compare what the learner sees
with what it would see if the labels were fair coins, independent of the prompts: a function of prompt and label splits
into a part free of the label and b(x) y, and its mean under S differs from that under coins by the Walsh coefficient of
b at S, whose squares over the class add up to at most E[b^2]. Three ways of looking:

* *tolerance* (statistical queries): a mean is answered to within tau. One query shows at most ceil(B/tau^2) - 1
  parities, B the sum of the squares over the class; a learner told "as under coins" by q queries has excluded no others
  and names one, so it succeeds with probability at most (q (ceil(B/tau^2) - 1) + 1)/n. Queries may depend on answers.
* *noise*: a gradient step reads the population gradient plus N(0, sigma^2 I). With s the mean squared signal over the
  class (an upper bound along the path), the divergence from coins over T steps is on average at most K = T s/(2
  sigma^2), and the success probability at most 1/n + min(sqrt(K/2), sqrt(1 - exp(-K))) (Pinsker; Bretagnolle and
  Huber). If the gradient of the predictor is free of its weights (fixed features), divergences can be taken in the
  other direction, and K >= kl(success, 1/n), which adds a factor of order log n.
* *messages*: each fresh demonstration is seen through one of A messages, a function of it chosen from the messages
  before. The likelihood ratio against coins is a martingale with conditional variance at most A/(2n) on average over
  the class, and the success probability is at most 1/n + sqrt(T A/(2n)).

None of them bounds a learner that reads its samples in full: d + O(1) of them determine the subset. Without tolerance,
noise or a limit on messages, there is no bound here.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from theory._math import exp, log, sqrt
from theory._validate import integer, real
from theory.hardness._parities import MOST, _smaller

__all__ = [
    "fixed_features_steps",
    "gradient_information",
    "identification_bound",
    "message_samples",
    "message_success_bound",
    "noisy_gradient_steps",
    "noisy_gradient_success_bound",
    "noticed_parities",
    "statistical_queries",
    "statistical_query_success_bound",
]


def _positive_part(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.maximum(value, 0.0)
    return max(value, 0 * value)


def _rational(name: str, value: Any) -> Fraction:
    if not isinstance(value, (float, Fraction)):
        raise ValueError(f"{name} must be one number, got {value!r}")
    return Fraction(value)


def noticed_parities(total: float | Fraction, tolerance: float | Fraction) -> int:
    """Largest number of parities whose signal can exceed the tolerance: max(0, ceil(B/tau^2) - 1).

    Parameters
    ----------
    total : number
        B, sum of the squared signals over the class, in [0, 1e100]: 1 for a query whose values have at most the size 1,
        :func:`signal_total` for a gradient.
    tolerance : number
        tau, in [1e-100, 1e100]: signals of norm tau or less may be answered as if labels were coins.

    Returns
    -------
    int
        In exact arithmetic on the numbers given.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here; attained at every tau = 2^(-d/2) - 0 by a bent function, all of whose coefficients have that size.

    Examples
    --------
    >>> noticed_parities(1, 0.25), noticed_parities(1, 0.24)
    (15, 17)
    """
    most = _rational("total", real("total", total, 0, 1e100))
    tau = _rational("tolerance", real("tolerance", tolerance, 1e-100, 1e100))
    return max(0, math.ceil(most / (tau * tau)) - 1)


def statistical_query_success_bound(n_queries: Any, n_parities: Any, noticed: Any) -> Any:
    """Bound min(1, (q m + 1)/n) on the chance to name a parity of a class of n after q queries that each show m.

    Parameters
    ----------
    n_queries : int or array of int
        q, at least 0.
    n_parities : int or array of int
        Size n of the class, from 1 to 2^1000.
    noticed : int or array of int
        m, from 0 to 10^300; see :func:`noticed_parities`.

    Returns
    -------
    float or array
        For a uniform subset and queries answered as under coins wherever the tolerance allows; 1 is vacuous.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here; the argument is that of Blum et al. (1994) and Kearns (1998), the constant is exact.

    Examples
    --------
    >>> statistical_query_success_bound(10, 2**10, 3)
    0.0302734375
    """
    q = integer("n_queries", n_queries, 0)
    n = integer("n_parities", n_parities, 1, MOST)
    m = integer("noticed", noticed, 0, 10**300)
    if all(isinstance(value, int) for value in (q, n, m)):
        return (q * m + 1) / n if q * m + 1 < n else 1.0
    return np.minimum(1.0, (np.asarray(q, float) * np.asarray(m, float) + 1) / np.asarray(n, float))


def statistical_queries(n_parities: Any, noticed: Any, success: Any) -> Any:
    """Queries below which a uniform parity of a class of n is named with a chance under s: (s n - 1)/m.

    Parameters
    ----------
    n_parities : int or array of int
        Size n of the class, from 1 to 2^1000.
    noticed : int or array of int
        m, from 0 to 10^300; see :func:`noticed_parities`.
    success : number or array
        s, in [0, 1].

    Returns
    -------
    float or array
        0 where the bound is vacuous (s n <= 1); infinite where m = 0 and it is not.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here from :func:`statistical_query_success_bound`.

    Examples
    --------
    >>> statistical_queries(2**10, 3, 0.5)
    170.33333333333334
    """
    n = integer("n_parities", n_parities, 1, MOST)
    m = integer("noticed", noticed, 0, 10**300)
    missing = _positive_part(real("success", success, 0, 1) * n - 1)
    if isinstance(missing, np.ndarray) or isinstance(m, np.ndarray):
        wanted, shown = np.broadcast_arrays(np.asarray(missing, float), np.asarray(m, float))
        out = np.where(wanted > 0, np.inf, 0.0)
        return np.divide(wanted, shown, out=out, where=shown > 0)
    if m == 0:
        return math.inf if missing > 0 else 0.0
    return missing / m


def gradient_information(n_steps: Any, signal_square: Any, noise: Any) -> Any:
    """Divergence K = T s/(2 sigma^2) gathered by T gradients of mean squared signal s with noise N(0, sigma^2 I).

    Parameters
    ----------
    n_steps : int or array of int
        T, at least 0.
    signal_square : number or array
        s, mean over the class of the squared signal, in [0, 1e100]; along a path the largest.
    noise : number or array
        sigma of each component, in [1e-100, 1e100].

    Returns
    -------
    number or array
        In nat: mean over the class of the Kullback-Leibler divergence between coins and the parity.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: under coins the path is free of the subset, and each step adds the squared signal over 2 sigma^2.

    Examples
    --------
    >>> gradient_information(8, 0.25, 1.0)
    1.0
    """
    steps = integer("n_steps", n_steps, 0)
    square = real("signal_square", signal_square, 0, 1e100)
    sigma = real("noise", noise, 1e-100, 1e100)
    return steps * square / (2 * sigma * sigma)


def noisy_gradient_success_bound(n_steps: Any, n_parities: Any, signal_square: Any, noise: Any) -> Any:
    """Bound 1/n + min(sqrt(K/2), sqrt(1 - exp(-K))) on the chance to name a parity after T noisy population gradients.

    Parameters
    ----------
    n_steps : int or array of int
        T, at least 0.
    n_parities : int or array of int
        Size n of the class, from 1 to 2^1000.
    signal_square : number or array
        Mean over the class of the squared signal, in [0, 1e100]: (1-p)^2 E|grad f|^2/(4n) bounds it.
    noise : number or array
        sigma of each component, in [1e-100, 1e100].

    Returns
    -------
    float or array
        For steps that may depend on all gradients before; 1 is vacuous.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: mean total variation over the class by Pinsker's inequality or that of Bretagnolle and Huber, and
    Jensen's. K is :func:`gradient_information`.

    Examples
    --------
    >>> round(noisy_gradient_success_bound(100, 2**10, 0.25 / 2**10, 1.0), 4)
    0.0791
    """
    n = integer("n_parities", n_parities, 1, MOST)
    k = gradient_information(n_steps, signal_square, noise)
    if isinstance(k, np.ndarray) or isinstance(n, np.ndarray):
        gathered = np.asarray(k, float)
        gain = np.minimum(np.sqrt(gathered / 2), np.sqrt(-np.expm1(-gathered)))
        return np.minimum(1.0, 1 / np.asarray(n, float) + gain)
    if type(k).__module__.split(".")[0] in ("sympy", "flint"):
        return _smaller(1 / n + _smaller(sqrt(k / 2), sqrt(1 - exp(-k))), 1)
    value = float(k)
    return min(1.0, 1 / n + min(math.sqrt(value / 2), math.sqrt(-math.expm1(-value))))


def _advantage(success: Any, n: Any) -> tuple[Any, Any]:
    """delta = (s - 1/n)^+ and 1 - delta, the latter without cancellation."""
    delta = _positive_part(success - 1 / n)
    return delta, 1 - success + 1 / n


def noisy_gradient_steps(n_parities: Any, signal_square: Any, noise: Any, success: Any) -> Any:
    """Steps below which noisy population gradients name a uniform parity with a chance under s.

    Parameters
    ----------
    n_parities : int or array of int
        Size n of the class, from 1 to 2^1000.
    signal_square : number or array
        Mean over the class of the squared signal, in [1e-305, 1e100].
    noise : number or array
        sigma of each component, in [1e-100, 1e100].
    success : number or array
        s, in [0, 1].

    Returns
    -------
    float or array
        (2 sigma^2/signal_square) max(2 delta^2, -ln(1 - delta^2)), delta = s - 1/n; 0 where s <= 1/n.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here, the inverse of :func:`noisy_gradient_success_bound`. With signal_square = (1-p)^2 E|grad f|^2/(4n) the
    steps grow like n: 2^d for all parities.

    Examples
    --------
    >>> round(noisy_gradient_steps(2**10, 0.25 / 2**10, 1.0, 0.5))
    4080
    """
    n = integer("n_parities", n_parities, 1, MOST)
    square = real("signal_square", signal_square, 1e-305, 1e100)
    sigma = real("noise", noise, 1e-100, 1e100)
    delta, rest = _advantage(real("success", success, 0, 1), n)
    if any(isinstance(value, np.ndarray) for value in (delta, square, sigma)):
        needed = np.maximum(2 * np.square(delta), -np.log(np.minimum(rest, 1.0)) - np.log1p(delta))
        return np.maximum(needed, 0.0) * 2 * sigma * (sigma / square)
    needed = 2 * delta * delta
    if rest < 1:
        needed = max(needed, -log(rest) - log(1 + delta))
    return 2 * sigma * (sigma / square) * needed


def _bernoulli_divergence(success: float, chance: float) -> float:
    """kl(s, q) in nat for s >= q."""
    total = 0.0
    if success > 0:
        total += success * (math.log(success) - math.log(chance))
    if success < 1:
        total += (1 - success) * (math.log1p(-success) - math.log1p(-chance))
    return max(total, 0.0)


def fixed_features_steps(n_parities: int, signal_square: float, noise: float, success: float) -> float:
    """Steps below which noisy gradients of a predictor with fixed features name a parity with a chance under s.

    Parameters
    ----------
    n_parities : int
        Size n of the class, from 1 to 2^1000.
    signal_square : float
        Mean over the class of the squared signal, in [1e-305, 1e100]; free of the weights.
    noise : float
        sigma of each component, in [1e-100, 1e100].
    success : float
        s, in [0, 1].

    Returns
    -------
    float
        (2 sigma^2/signal_square) kl(s, 1/n), of order n log n; 0 where s <= 1/n.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the mean divergence of the parities from coins is exactly K, and success against coins has the chance
    1/n (Fano's inequality in its binary form).

    Examples
    --------
    >>> round(fixed_features_steps(2**10, 0.25 / 2**10, 1.0, 0.5))
    22717
    """
    n = integer("n_parities", n_parities, 1, MOST)
    square = real("signal_square", signal_square, 1e-305, 1e100)
    sigma = real("noise", noise, 1e-100, 1e100)
    share = real("success", success, 0, 1)
    for name, value in (("n_parities", n), ("signal_square", square), ("noise", sigma), ("success", share)):
        if not isinstance(value, (int, float, Fraction)):
            raise ValueError(f"{name} must be one number, got {value!r}")
    if share * n <= 1:
        return 0.0
    return 2 * float(sigma) * (float(sigma) / float(square)) * _bernoulli_divergence(float(share), 1 / n)


def message_success_bound(n_samples: Any, n_parities: Any, n_messages: Any) -> Any:
    """Bound 1/n + sqrt(T A/(2n)) on the chance to name a parity from T demonstrations, each seen as one of A messages.

    Parameters
    ----------
    n_samples : int or array of int
        T, at least 0.
    n_parities : int or array of int
        Size n of the class, from 1 to 2^1000.
    n_messages : int or array of int
        A, from 2 to 2^1000: 2 for one bit a demonstration.

    Returns
    -------
    float or array
        For messages that may depend on all messages before; 1 is vacuous.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: with L the likelihood ratio against coins, E[(1 - L)^+] <= a + (1/(4a)) times its expected squared
    increments, for every a > 0. Weights kept in full precision send far too many messages for this bound to bite.

    Examples
    --------
    >>> message_success_bound(16, 2**10, 2)
    0.1259765625
    """
    steps = integer("n_samples", n_samples, 0)
    n = integer("n_parities", n_parities, 1, MOST)
    a = integer("n_messages", n_messages, 2, MOST)
    if any(isinstance(value, np.ndarray) for value in (steps, n, a)):
        shares = np.asarray(steps, float) * (np.asarray(a, float) / (2 * np.asarray(n, float)))
        return np.minimum(1.0, 1 / np.asarray(n, float) + np.sqrt(shares))
    if all(isinstance(value, int) for value in (steps, n, a)):
        return 1.0 if steps * a >= 2 * n else min(1.0, 1 / n + math.sqrt(steps * a / (2 * n)))
    return _smaller(1 / n + sqrt(steps * a / (2 * n)), 1)


def message_samples(n_parities: Any, n_messages: Any, success: Any) -> Any:
    """Demonstrations below which messages name a uniform parity with a chance under s: 2 n (s - 1/n)^2/A.

    Parameters
    ----------
    n_parities : int or array of int
        Size n of the class, from 1 to 2^1000.
    n_messages : int or array of int
        A, from 2 to 2^1000.
    success : number or array
        s, in [0, 1].

    Returns
    -------
    number or array
        0 where s <= 1/n.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here, the inverse of :func:`message_success_bound`.

    Examples
    --------
    >>> message_samples(2**20, 2, 0.5)
    262143.00000095367
    """
    n = integer("n_parities", n_parities, 1, MOST)
    a = integer("n_messages", n_messages, 2, MOST)
    delta, _ = _advantage(real("success", success, 0, 1), n)
    return 2 * n * delta * delta / a


def identification_bound(n_samples: Any, n_parities: Any) -> Any:
    """Bound min(1, 2^N/n) on the chance of any learner whatever to name a uniform parity of a class of n.

    Parameters
    ----------
    n_samples : int or array of int
        N, at least 0: labelled prompts.
    n_parities : int or array of int
        Size n of the class, from 1 to 2^1000.

    Returns
    -------
    float or array
        1 from N = log2(n) on.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Elementary: given the prompts there are 2^N rows of labels, and a learner is right for at most one parity on each.

    Examples
    --------
    >>> identification_bound(7, 2**10)
    0.125
    """
    count = integer("n_samples", n_samples, 0)
    n = integer("n_parities", n_parities, 1, MOST)
    if isinstance(count, int) and isinstance(n, int):
        return 1.0 if count >= n.bit_length() else min(1.0, 2**count / n)
    if isinstance(count, np.ndarray) or isinstance(n, np.ndarray):
        exponent = np.asarray(count, float) - np.log2(np.asarray(n, float))
        return np.exp2(np.minimum(exponent, 0.0))
    return _smaller(2**count / n, 1)
