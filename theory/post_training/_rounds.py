r"""Rounds of filtering by reward in the population: shares, thresholds, and how calibration errors travel.

One round of STaR keeps the sampled answers that are rewarded and trains on them. When the model is calibrated
at share p of long answers, a long answer is right for sure and a short one half of the time, so Bayes' rule
multiplies the odds p/(1-p) by 2. Everything here follows from that one line.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from theory._math import exp, is_symbolic, log, sqrt
from theory._validate import integer, real
from theory.linear_model import regularised_stop_logit_agree

__all__ = [
    "EnvelopeFixedPoints",
    "envelope_fixed_points",
    "error_amplification",
    "error_bound_paper",
    "error_bound_telescoped",
    "expected_length",
    "go_on_odds_with_ridge",
    "greedy_accuracy",
    "long_fraction",
    "long_fraction_from_odds",
    "long_odds",
    "lower_envelope",
    "reweighted",
    "rounds_to_generalise",
    "total_error_factor",
    "upper_envelope",
]

MOST_ROUNDS = 100_000


def half_power(n: Any) -> Any:
    """2^-n, exact for rationals by their own arithmetic; n an int, an integer array or a symbol."""
    if is_symbolic(n):
        import sympy

        return sympy.Integer(2) ** (-n)
    if isinstance(n, np.ndarray):
        return np.exp2(-n.astype(np.float64))
    return Fraction(1, 2**n)


def _share(name: str, value: Any) -> Any:
    return real(name, value, 0, 1, open_low=True)


def like(number: Any, other: Any) -> Any:
    """Return the rational `number` in the arithmetic of `other`: floats for floats, else exact."""
    if not isinstance(number, Fraction):
        return number
    if isinstance(other, (float, np.ndarray)):
        return float(number)
    if is_symbolic(other):
        import sympy

        return sympy.Rational(number.numerator, number.denominator)
    if type(other).__module__.split(".")[0] == "flint":
        from flint import fmpq

        return fmpq(number.numerator, number.denominator)
    return number


def shrink(n: Any, other: Any) -> Any:
    """2^-n in the arithmetic of `other`."""
    return like(half_power(n), other)


def long_fraction(p_0: Any, n_rounds: Any) -> Any:
    r"""Share p_n = 2^n p_0/(2^n p_0 + 1 - p_0) of long answers after n rounds of filtering by reward.

    Parameters
    ----------
    p_0 : number or array
        Share of long answers before the first round, in (0, 1].
    n_rounds : int, array of int or sympy.Expr
        Rounds n, an integer in [0, 100000].

    Returns
    -------
    number or array
        The share p_n, evaluated as p_0/(p_0 + (1-p_0) 2^-n), which never overflows.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis, Malach, Ullrich and Kempe, arXiv 2510.11495, proof of Theorem 2: kept answers have the law D(q) with
    q = 2p/(1+p).

    Examples
    --------
    >>> from fractions import Fraction
    >>> long_fraction(Fraction(1, 5), 1), long_fraction(0.1, 0)
    (Fraction(1, 3), 0.1)
    """
    p = _share("p_0", p_0)
    n = integer("n_rounds", n_rounds, 0, MOST_ROUNDS)
    return p / (p + (1 - p) * shrink(n, p))


def long_odds(p: Any) -> Any:
    """Odds p/(1 - p) of a long answer.

    Parameters
    ----------
    p : number or array
        Share of long answers, in [0, 1).

    Returns
    -------
    number or array
        The odds o; one round of filtering by reward doubles them.

    Raises
    ------
    ValueError
        If `p` leaves its range.

    Notes
    -----
    The inverse of :func:`long_fraction_from_odds`.

    Examples
    --------
    >>> from fractions import Fraction
    >>> long_odds(Fraction(1, 3))
    Fraction(1, 2)
    """
    p = real("p", p, 0, 1, open_high=True)
    return p / (1 - p)


def long_fraction_from_odds(odds: Any) -> Any:
    """Share o/(1 + o) of long answers at given odds.

    Parameters
    ----------
    odds : number or array
        Odds o, in [0, inf).

    Returns
    -------
    number or array
        The share.

    Raises
    ------
    ValueError
        If `odds` is negative or infinite.

    Notes
    -----
    The inverse of :func:`long_odds`.

    Examples
    --------
    >>> long_fraction_from_odds(1.0)
    0.5
    """
    o = real("odds", odds, 0)
    return o / (1 + o)


def reweighted(shares: Any, success: Any) -> Any:
    """Shares w_k s_k / sum of response types after one round that keeps each with its own success probability.

    Parameters
    ----------
    shares : sequence of number
        Weights w_k of the response types, each in [0, inf), not all zero; they need not add up to 1.
    success : sequence of number
        Probabilities s_k, each in [0, 1], as many; some w_k s_k must be positive.

    Returns
    -------
    tuple of number
        The new shares; they add up to 1.

    Raises
    ------
    ValueError
        If the sequences do not fit together, or nothing is kept.

    Notes
    -----
    Bayes' rule; with two types, success 1 and 1/2, it is the doubling of the odds.

    Examples
    --------
    >>> from fractions import Fraction
    >>> reweighted([Fraction(1, 5), Fraction(4, 5)], [1, Fraction(1, 2)])
    (Fraction(1, 3), Fraction(2, 3))
    """
    weights: list[Any] = []
    kept: list[Any] = []
    for name, value, out, top in (("shares", shares, weights, None), ("success", success, kept, 1)):
        if isinstance(value, (str, bytes)) or not hasattr(value, "__len__") or not hasattr(value, "__getitem__"):
            raise ValueError(f"{name} must be a sequence of numbers, got {value!r}")
        items = list(value) if not hasattr(value, "keys") else []
        if not items:
            raise ValueError(f"{name} must be a sequence of at least one number, got {value!r}")
        for item in items:
            if isinstance(item, int) and not isinstance(item, bool):
                item = Fraction(item)
            if np.ndim(item) != 0 if isinstance(item, (np.ndarray, list, tuple)) else False:
                raise ValueError(f"{name} must hold single numbers, got {item!r}")
            out.append(real(name, item, 0) if top is None else real(name, item, 0, top))
    if len(weights) != len(kept):
        raise ValueError(f"success must hold {len(weights)} numbers as shares does, got {len(kept)}")
    products = [w * s for w, s in zip(weights, kept, strict=True)]
    total = sum(products[1:], start=products[0])
    if not is_symbolic(total) and not total > 0:
        raise ValueError(f"success must keep something, got {success!r} at shares {shares!r}")
    return tuple(product / total for product in products)


def rounds_to_generalise(p_0: Any) -> Any:
    r"""Least number of rounds after which greedy decoding writes the long answer: least n with 2^n >= (1-p_0)/(2 p_0).

    Parameters
    ----------
    p_0 : number or array
        Share of long answers before the first round, in (0, 1]. The double nearest to a tie 1/(1 + 2^(n+1)) counts
        as that tie, and a tie as success.

    Returns
    -------
    int, array of int or sympy.Expr
        The number n* of rounds, 0 for p_0 >= 1/3.

    Raises
    ------
    ValueError
        If `p_0` leaves its range or is a ball.

    Notes
    -----
    Derived here from p_n >= 1/3 iff the odds 2^n p_0/(1-p_0) reach 1/2; Tsilivis et al., arXiv 2510.11495, state the
    order log((1-p_0)/p_0).

    Examples
    --------
    >>> rounds_to_generalise([0.5, 1 / 3, 0.3, 0.2, 0.01])
    array([0, 0, 1, 1, 6])
    """
    p = _share("p_0", p_0)
    if is_symbolic(p):
        import sympy

        return sympy.Max(0, sympy.ceiling(sympy.log((1 - p) / (2 * p), 2)))
    if isinstance(p, Fraction):
        need, n = (1 - p) / (2 * p), 0
        if need > 1:
            n = max(0, (need.numerator // need.denominator).bit_length() - 1)
            while 2**n < need:
                n += 1
        return n
    if not isinstance(p, (float, np.ndarray)):
        raise ValueError(f"p_0 must be a number or an array of numbers, got {p!r}")
    values = np.atleast_1d(np.asarray(p, dtype=np.float64))
    estimate = np.log1p(-np.minimum(values, 0.5)) / np.log(2.0) - np.log2(values) - 1.0
    n = np.maximum(np.floor(estimate) - 1, 0).astype(np.int64)
    for _ in range(4):
        n += values < _tie(n)
    return int(n[0]) if isinstance(p, float) else n.reshape(p.shape)


def _tie(n: np.ndarray) -> np.ndarray:
    """The double nearest to 1/(1 + 2^(n+1)).

    With x = 2^-(n+1) it is x - x^2 + ...: doubles below x lie x 2^-53 apart, so for n + 1 = 53 it is the one next to
    x (1 + 2^53 itself is no double), and from n = 53 on x.
    """
    power = np.exp2(-(n + 1.0))
    low = 1.0 / (1.0 + np.exp2(np.minimum(n, 51) + 1.0))
    return np.where(n < 52, low, np.where(n == 52, np.nextafter(power, 0.0), power))


def greedy_accuracy(p_0: Any, n_rounds: Any) -> Any:
    """Accuracy of greedy decoding after n rounds: 1/2 before :func:`rounds_to_generalise`, 1 from then on.

    Parameters
    ----------
    p_0 : number or array
        Share of long answers before the first round, in (0, 1].
    n_rounds : int or array of int
        Rounds n, an integer in [0, 100000].

    Returns
    -------
    float or array
        1/2 or 1.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, Theorem 2, with the exact round in place of its order.

    Examples
    --------
    >>> greedy_accuracy(0.1, 2), greedy_accuracy(0.1, 3)
    (0.5, 1.0)
    """
    n = integer("n_rounds", n_rounds, 0, MOST_ROUNDS)
    if is_symbolic(n):
        raise ValueError(f"n_rounds must be an integer or an array of integers, got {n!r}")
    needed = rounds_to_generalise(p_0)
    if is_symbolic(needed):
        raise ValueError(f"p_0 must be a number or an array of numbers, got {p_0!r}")
    found = np.where(np.asarray(n) >= np.asarray(needed), 1.0, 0.5)
    return float(found) if found.ndim == 0 else found


def expected_length(d: Any, p_0: Any, n_rounds: Any) -> Any:
    """Mean number 1 + (d-1) p_n of sampled answer tokens (EOS not counted) after n rounds.

    Parameters
    ----------
    d : int or array of int
        Length of the prompt, at least 2.
    p_0 : number or array
        Share of long answers before the first round, in (0, 1].
    n_rounds : int or array of int
        Rounds n, an integer in [0, 100000].

    Returns
    -------
    number or array
        Mean length, from 1 + (d-1) p_0 up to d.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: a long answer has d tokens, a short one has 1.

    Examples
    --------
    >>> expected_length(11, 0.2, 2)
    6.0
    """
    d = integer("d", d, 2)
    return 1 + (d - 1) * long_fraction(p_0, n_rounds)


def error_amplification(p_k: Any, n_rounds: Any) -> Any:
    r"""Derivative 2^n/(1 + (2^n - 1) p_k)^2 of the share n rounds later with respect to the share now.

    Parameters
    ----------
    p_k : number or array
        Share of long answers now, in (0, 1].
    n_rounds : int, array of int or sympy.Expr
        Rounds n in between, an integer in [0, 1000].

    Returns
    -------
    number or array
        Factor by which a small error of p_k is multiplied; below 2^n, and below 1 once 2^n p_k^2 > 1.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here by differentiating :func:`long_fraction`, as h/(h + (1-h) p)^2 with h = 2^-n.

    Examples
    --------
    >>> error_amplification(1.0, 3), error_amplification(0.5, 1)
    (0.125, 0.8888888888888888)
    """
    p = _share("p_k", p_k)
    n = integer("n_rounds", n_rounds, 0, 1000)
    small = shrink(n, p)
    return small / (small + (1 - small) * p) ** 2


def total_error_factor(p_0: Any, n_rounds: Any) -> Any:
    r"""Worst first-order error after round n, in units of the calibration error of each round: E_n.

    :math:`E_n = \sum_{k=0}^{n} \partial p_n/\partial p_k`, that is, with M = 2^n,
    [(1-p)^2 (2M-1) + 2p(1-p) M (n+1) + p^2 M (2M-1)]/(1-p+Mp)^2.

    Parameters
    ----------
    p_0 : number or array
        Share of long answers before the first round, in (0, 1].
    n_rounds : int, array of int or sympy.Expr
        Rounds n, an integer in [0, 400].

    Returns
    -------
    number or array
        E_n, counting an error of p_0 too: 1 at n = 0, about 2^(n+1) at first, back to 2 at the end.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: 1 + (2^(n-k)-1) p_k = (1-p_0+2^n p_0)/(1-p_0+2^k p_0), then three geometric sums.

    Examples
    --------
    >>> from fractions import Fraction
    >>> total_error_factor(Fraction(1, 2), 0), total_error_factor(Fraction(1, 2), 1)
    (Fraction(1, 1), Fraction(17, 9))
    """
    p = _share("p_0", p_0)
    n = integer("n_rounds", n_rounds, 0, 400)
    h = shrink(n, p)
    # Numerator and denominator divided by M^2, so that nothing overflows.
    top = (1 - p) ** 2 * (2 * h - h * h) + 2 * p * (1 - p) * h * (n + 1) + p * p * (2 - h)
    return top / ((1 - p) * h + p) ** 2


def error_bound_paper(epsilon: Any, n_rounds: Any) -> Any:
    """The order 2^n epsilon of the error after n rounds, as published.

    Parameters
    ----------
    epsilon : number or array
        Calibration error of each round, in [0, 1].
    n_rounds : int, array of int or sympy.Expr
        Rounds n, an integer in [0, 1000].

    Returns
    -------
    number or array
        2^n epsilon. With its constant the bound is :func:`error_bound_telescoped`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, proof of Theorem 2 (up to constants).

    Examples
    --------
    >>> error_bound_paper(0.001, 3)
    0.008
    """
    e = real("epsilon", epsilon, 0, 1)
    return e / shrink(integer("n_rounds", n_rounds, 0, 1000), e)


def error_bound_telescoped(epsilon: Any, n_rounds: Any) -> Any:
    """Bound (2^(n+1) - 1) epsilon on the error after n rounds when every round, the start included, errs by epsilon.

    Parameters
    ----------
    epsilon : number or array
        Calibration error of each round, in [0, 1].
    n_rounds : int, array of int or sympy.Expr
        Rounds n, an integer in [0, 1000].

    Returns
    -------
    number or array
        The bound; it holds for every p_0 since q -> 2q/(1+q) has slopes in [1/2, 2] on [0, 1].

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: e_n <= 2 e_(n-1) + epsilon, summed.

    Examples
    --------
    >>> error_bound_telescoped(0.001, 3)
    0.015
    """
    e = real("epsilon", epsilon, 0, 1)
    h = shrink(integer("n_rounds", n_rounds, 0, 1000), e)
    return e * (2 - h) / h


class EnvelopeFixedPoints(NamedTuple):
    """Fixed points of q -> 2q/(1+q) - epsilon.

    Attributes
    ----------
    lower : number
        The repelling one q-: shares below it die out in the worst case.
    upper : number
        The attracting one q+: where the worst case ends.
    """

    lower: Any
    upper: Any


def envelope_fixed_points(epsilon: Any) -> EnvelopeFixedPoints:
    r"""Fixed points ((1-eps) -+ sqrt((1-eps)^2 - 4 eps))/2 of the worst case q -> 2q/(1+q) - eps.

    Parameters
    ----------
    epsilon : number or array
        Calibration error of each round, in [0, 0.1715]; they are real up to 3 - 2 sqrt 2 = 0.17157.

    Returns
    -------
    EnvelopeFixedPoints
        (1 + q-)(1 + q+) = 2, q- about epsilon, 1 - q+ about 2 epsilon. Growth is sure iff the share exceeds q-.

    Raises
    ------
    ValueError
        If `epsilon` leaves its range.

    Notes
    -----
    Derived here: q^2 - (1-eps) q + eps = 0. The smaller root is evaluated as eps/q+.

    Examples
    --------
    >>> [round(q, 6) for q in envelope_fixed_points(1e-3)]
    [0.001002, 0.997998]
    """
    e = real("epsilon", epsilon, 0, 0.1715)
    upper = ((1 - e) + sqrt((1 - e) ** 2 - 4 * e)) / 2
    return EnvelopeFixedPoints(e / upper, upper)


def _moebius(q_0: Any, lower: Any, upper: Any, n: Any) -> Any:
    """The n-th iterate of 2q/(1+q) -+ eps through its fixed points, floored at 0."""
    rate = 2 / (1 + lower) ** 2
    gap = upper - q_0
    away = q_0 - lower
    decay = exp(-n * log(rate))  # K^-n: 0 where K^n would overflow
    # q = (q- z + q+ K^n z0 ...)/..., written with decay so that large n are harmless.
    top = upper * away + lower * gap * decay
    bottom = away + gap * decay
    if isinstance(top, np.ndarray) or isinstance(bottom, np.ndarray):
        gone = (top <= 0) | (bottom <= 0)
        return np.where(gone, 0.0, np.maximum(top, 0.0) / np.where(gone, 1.0, bottom))
    if is_symbolic(top):
        return top / bottom
    return top / bottom if top > 0 and bottom > 0 else 0 * abs(top)


def lower_envelope(p_0: Any, epsilon: Any, n_rounds: Any) -> Any:
    r"""Smallest possible share after n rounds when every round, the start included, errs by at most epsilon.

    Parameters
    ----------
    p_0 : number or array
        Share of long answers before the first round, in (0, 1].
    epsilon : number or array
        Calibration error of each round, in [0, 0.1715].
    n_rounds : int or array of int
        Rounds n, an integer in [0, 100000].

    Returns
    -------
    number or array
        q_n of q_0 = p_0 - eps, q' = 2q/(1+q) - eps, or 0 once that has become negative.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: (q_n - q-)/(q+ - q_n) = K^n (q_0 - q-)/(q+ - q_0), K = 2/(1+q-)^2, with the fixed points of
    :func:`envelope_fixed_points`. The map increases, so erring downwards every time is the worst case.

    Examples
    --------
    >>> round(lower_envelope(0.01, 1e-4, 100), 6), lower_envelope(0.01, 0.02, 100)
    (0.9998, 0.0)
    """
    p, e = _share("p_0", p_0), real("epsilon", epsilon, 0, 0.1715)
    n = integer("n_rounds", n_rounds, 0, MOST_ROUNDS)
    lower, upper = envelope_fixed_points(e)
    return _moebius(p - e, lower, upper, n)


def upper_envelope(p_0: Any, epsilon: Any, n_rounds: Any) -> Any:
    r"""Largest possible share after n rounds when every round, the start included, errs by at most epsilon.

    Parameters
    ----------
    p_0 : number or array
        Share of long answers before the first round, in (0, 1].
    epsilon : number or array
        Calibration error of each round, in [0, 0.1715].
    n_rounds : int or array of int
        Rounds n, an integer in [0, 100000].

    Returns
    -------
    number or array
        q_n of q_0 = p_0 + eps, q' = 2q/(1+q) + eps, or 1 once that has passed 1.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the formula of :func:`lower_envelope` with -eps; its attracting fixed point lies above 1.

    Examples
    --------
    >>> round(upper_envelope(0.01, 1e-4, 3), 6), upper_envelope(0.01, 1e-4, 40)
    (0.076106, 1.0)
    """
    p, e = _share("p_0", p_0), real("epsilon", epsilon, 0, 0.1715)
    n = integer("n_rounds", n_rounds, 0, MOST_ROUNDS)
    upper = ((1 + e) + sqrt((1 + e) ** 2 + 4 * e)) / 2
    lower = -e / upper
    found = _moebius(p + e, lower, upper, n)
    if isinstance(found, np.ndarray):
        return np.minimum(found, 1.0)
    return found if is_symbolic(found) or not found > 1 else 0 * found + 1


def go_on_odds_with_ridge(p_0: Any, n_rounds: int, ridge: Any, chain_right: Any = 1.0) -> Any:
    r"""Odds of going on after agreement, n rounds on, when every refit is a ridge optimum instead of the exact law.

    Parameters
    ----------
    p_0 : number or array
        Share of long answers of a calibrated start, in (0, 1).
    n_rounds : int
        Rounds n, an integer in [0, 1000].
    ridge : number or array
        lambda of the stop position, in (0, inf).
    chain_right : number or array, optional
        R in (0, 1], probability that a chain of the retrained model is right throughout; the start's is exact.

    Returns
    -------
    float or array
        c_n, with c_0 = 2 p_0/(1-p_0) and 2 c_0 after a round without ridge.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: a round takes c to 2 R c, which is the law D(p) with p = c/(2+c) as far as the stop position sees, and
    the ridge optimum there is that of :func:`theory.linear_model.regularised_stop_logit_agree`. Large samples assumed.

    Examples
    --------
    >>> round(go_on_odds_with_ridge(0.1, 2, 1e-9), 6), round(go_on_odds_with_ridge(0.1, 2, 0.05), 2)
    (0.888889, 1.01)
    """
    p = real("p_0", p_0, 0, 1, open_low=True, open_high=True)
    n = integer("n_rounds", n_rounds, 0, 1000)
    right = real("chain_right", chain_right, 0, 1, open_low=True)
    lam = real("ridge", ridge, 0, open_low=True)
    if not isinstance(n, int) or any(is_symbolic(v) for v in (p, lam, right)):
        raise ValueError(f"n_rounds must be one integer and the others numbers, got {n_rounds!r}, {p_0!r}, {ridge!r}")
    c = 2 * p / (1 - p)
    for k in range(n):
        target = 2 * c * (right if k else 1)
        # Shares are kept inside (0, 1), where the optimum is defined.
        share = np.clip(target / (2 + target), 1e-300, 1 - 2.0**-53)
        c = np.exp(-np.asarray(regularised_stop_logit_agree(share, lam)))
    return float(c) if np.ndim(c) == 0 else c
