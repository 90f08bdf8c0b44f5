r"""Gradient descent with steps 1/(lambda t): statistical terms, Propositions 1-3, Theorem 1, averaged iterate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from theory._math import log, sqrt
from theory._validate import integer, real
from theory.linear_model._bias_bounds import (
    chain_bias_bound_paper,
    first_token_bias_bound_paper,
    stop_agree_bias_bound_paper,
    stop_disagree_bias_bound_paper,
)
from theory.linear_model._numbers import number
from theory.linear_model._optimum import feature_norm_squared, first_token_weight, stop_agree_logit

__all__ = [
    "SampleSizes",
    "averaged_iterate_weights",
    "chain_error_bound",
    "first_token_error_bound",
    "iterate_norm_bound",
    "logit_deviation_bound",
    "long_correct_error_bound",
    "objective_gap_bound",
    "probability_deviation_bound",
    "short_correct_error_bound",
    "stop_agree_error_bound",
    "stop_disagree_error_bound",
    "theorem_1_sample_sizes",
]

MOST_STEPS = 10**300  # sufficient step counts pass 2**63 soon; beyond this a float overflows


def _schedule(ridge: Any, n_steps: Any, delta: Any) -> tuple[Any, Any, Any]:
    return (
        real("ridge", ridge, 0, open_low=True),
        integer("n_steps", n_steps, 1, MOST_STEPS),
        real("delta", delta, 0, 1, open_low=True),
    )


def objective_gap_bound(rho_squared: Any, ridge: Any, n_steps: Any, delta: Any) -> Any:
    r"""High-probability bound 2 rho^2 (1 + ln T)/(delta lambda T) on the objective gap of the averaged iterate.

    Parameters
    ----------
    rho_squared : number or array
        Squared feature norm rho^2 > 0, see :func:`feature_norm_squared`.
    ridge : number or array
        Ridge lambda > 0.
    n_steps : int or array of int
        Number of steps T >= 1.
    delta : number or array
        Failure probability, in (0, 1].

    Returns
    -------
    number or array
        With probability at least 1 - delta, objective(average) - objective(optimum) is at most this.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495. Re-derived: each gradient is g f + lambda w with |g| <= 1, |f| = rho and
    |w| <= rho/lambda (:func:`iterate_norm_bound`), so its norm is at most 2 rho. For a lambda-strongly convex
    objective and steps 1/(lambda t), expanding |w_(t+1) - w*|^2 and summing gives a mean gap of at most
    ((2 rho)^2/(2 lambda T)) sum 1/t <= 2 rho^2 (1 + ln T)/(lambda T); Jensen moves the average inside and
    Markov's inequality divides by delta.

    Examples
    --------
    >>> objective_gap_bound(20, 0.5, 1, 1.0)
    80.0
    """
    rho_squared = real("rho_squared", rho_squared, 0, open_low=True)
    ridge, n_steps, delta = _schedule(ridge, n_steps, delta)
    return 2 * rho_squared * (1 + log(n_steps)) / (delta * ridge * n_steps)


def logit_deviation_bound(rho_squared: Any, ridge: Any, n_steps: Any, delta: Any) -> Any:
    r"""High-probability bound (2 rho^2/lambda) sqrt((1 + ln T)/(delta T)) on every logit's distance from the optimum's.

    Parameters
    ----------
    rho_squared, ridge, n_steps, delta
        As in :func:`objective_gap_bound`.

    Returns
    -------
    number or array
        With probability at least 1 - delta, \|<average - optimum, f>\| is at most this for every vector f of
        rho^2 signs at once.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495. Re-derived: strong convexity, (lambda/2) |w - w*|^2 <= gap, then
    Cauchy-Schwarz, \|<w - w*, f>\| <= rho |w - w*|.

    Examples
    --------
    >>> logit_deviation_bound(20, 0.5, 1, 1.0)
    80.0
    """
    rho_squared = real("rho_squared", rho_squared, 0, open_low=True)
    ridge, n_steps, delta = _schedule(ridge, n_steps, delta)
    return 2 * rho_squared / ridge * sqrt((1 + log(n_steps)) / (delta * n_steps))


def probability_deviation_bound(rho_squared: Any, ridge: Any, n_steps: Any, delta: Any) -> Any:
    r"""High-probability bound on every predicted probability's distance from the regularised optimum's.

    Parameters
    ----------
    rho_squared, ridge, n_steps, delta
        As in :func:`objective_gap_bound`.

    Returns
    -------
    number or array
        A quarter of :func:`logit_deviation_bound`. From 1 on it says nothing.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495: the logistic function has slope at most 1/4.

    Examples
    --------
    >>> round(probability_deviation_bound(20, 1e-3, 10**6, 0.1), 1)  # far above 1: vacuous
    121.7
    """
    return logit_deviation_bound(rho_squared, ridge, n_steps, delta) / 4


def first_token_error_bound(d: Any, p_cot: Any, ridge: Any, n_steps: Any, delta: Any) -> Any:
    r"""Bound on \|P(y_1 = x_1) - (1 + p)/2\| for the trained position 1, every prompt at once.

    Parameters
    ----------
    d : int or sympy.Expr
        Length of the prompt, at least 3.
    p_cot : number or array
        Share p of long demonstrations, in [0, 1).
    ridge : number or array
        Ridge lambda > 0.
    n_steps : int or array of int
        Steps T >= 1.
    delta : number or array
        Failure probability, in (0, 1].

    Returns
    -------
    number or array
        (d/(2 lambda)) sqrt((1 + ln T)/(delta T)) + lambda ln((1 + p)/(1 - p))/(1 - p^2). From 1 on it says nothing.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, Proposition 1: statistical term plus published bias.

    Examples
    --------
    >>> round(first_token_error_bound(5, 0.2, 0.1, 10**8, 0.1), 4)
    0.0771
    """
    d = integer("d", d, 3)
    bias = first_token_bias_bound_paper(p_cot, ridge)
    return probability_deviation_bound(feature_norm_squared("first", d), ridge, n_steps, delta) + bias


def _stop_statistical_term(d: Any, ridge: Any, n_steps: Any, delta: Any, printed: bool) -> Any:
    if not isinstance(printed, bool):
        raise ValueError(f"printed must be True or False, got {printed!r}")
    d = integer("d", d, 3)
    half = probability_deviation_bound(feature_norm_squared("stop", d), ridge, n_steps, delta)
    return 2 * half if printed else half


def stop_agree_error_bound(d: Any, p_cot: Any, ridge: Any, n_steps: Any, delta: Any, *, printed: bool = True) -> Any:
    r"""Bound on \|P(EOS \| y_1 = x_1) - (1 - p)/(1 + p)\| for the trained stop position, every prompt at once.

    Parameters
    ----------
    d : int or sympy.Expr
        Length of the prompt, at least 3.
    p_cot : number or array
        Share p of long demonstrations, in (0, 1).
    ridge : number or array
        Ridge lambda > 0.
    n_steps : int or array of int
        Steps T >= 1.
    delta : number or array
        Failure probability, in (0, 1].
    printed : bool
        True: statistical term 2(d + 1)/lambda as published; False: the (d + 1)/lambda that the argument gives.

    Returns
    -------
    number or array
        Statistical term plus :func:`stop_agree_bias_bound_paper`. From 1 on it says nothing.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, Proposition 2. rho^2 = 2d + 2 and the quarter of
    :func:`probability_deviation_bound` give (d + 1)/lambda, half of what is printed: the proposition is valid
    and loose by this factor.

    Examples
    --------
    >>> loose = stop_agree_error_bound(5, 0.2, 0.1, 10**8, 0.1)
    >>> sharp = stop_agree_error_bound(5, 0.2, 0.1, 10**8, 0.1, printed=False)
    >>> round(loose, 4), round(sharp, 4)
    (0.2322, 0.1486)
    """
    bias = stop_agree_bias_bound_paper(p_cot, ridge)
    return _stop_statistical_term(d, ridge, n_steps, delta, printed) + bias


def stop_disagree_error_bound(d: Any, p_cot: Any, ridge: Any, n_steps: Any, delta: Any, *, printed: bool = True) -> Any:
    r"""Bound on P(go on \| y_1 = -x_1) for the trained stop position, every prompt at once.

    Parameters
    ----------
    d : int or sympy.Expr
        Length of the prompt, at least 3.
    p_cot : number or array
        Share p of long demonstrations, in [0, 1).
    ridge, n_steps, delta, printed
        As in :func:`stop_agree_error_bound`.

    Returns
    -------
    number or array
        Statistical term plus sqrt(lambda/(1 - p)). From 1 on it says nothing.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, Proposition 2; the factor 2 as in :func:`stop_agree_error_bound`.

    Examples
    --------
    >>> round(stop_disagree_error_bound(5, 0.2, 0.01, 10**12, 0.1), 4)
    0.1321
    """
    bias = stop_disagree_bias_bound_paper(p_cot, ridge)
    return _stop_statistical_term(d, ridge, n_steps, delta, printed) + bias


def chain_error_bound(d: Any, position: Any, ridge: Any, n_steps: Any, delta: Any) -> Any:
    r"""Bound on the probability of a wrong token at a trained position l >= 2, every right prefix at once.

    Parameters
    ----------
    d : int or sympy.Expr
        Length of the prompt, at least 3.
    position : int
        l in 2..d.
    ridge : number or array
        Ridge lambda > 0.
    n_steps : int or array of int
        Steps T >= 1 (each takes a long sequence).
    delta : number or array
        Failure probability, in (0, 1].

    Returns
    -------
    number or array
        ((2d + l - 1)/(2 lambda)) sqrt((1 + ln T)/(delta T)) + sqrt(lambda). From 1 on it says nothing.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, Proposition 3.

    Examples
    --------
    >>> round(chain_error_bound(5, 3, 0.01, 10**12, 0.1), 4)
    0.1102
    """
    d = integer("d", d, 3)
    if isinstance(position, str):
        raise ValueError(f"position must be an integer in [2, {d}], got {position!r}")
    bias = chain_bias_bound_paper(ridge)
    return probability_deviation_bound(feature_norm_squared(position, d), ridge, n_steps, delta) + bias


def long_correct_error_bound(first_error: Any, stop_error: Any, chain_errors: Any) -> Any:
    r"""Bound on \|P(long correct chain \| x) - p\| from bounds at the positions.

    Parameters
    ----------
    first_error : number or array
        Bound on \|P(y_1 = x_1) - (1 + p)/2\|, at least 0.
    stop_error : number or array
        Bound on \|P(EOS \| y_1 = x_1) - (1 - p)/(1 + p)\|, at least 0.
    chain_errors : array_like
        Bounds on the probability of a wrong token at l = 2..d, at least 0, positions on the last axis.

    Returns
    -------
    float or array
        Sum of all bounds, no more than 1.

    Raises
    ------
    ValueError
        If a bound is negative or no number.

    Notes
    -----
    Derived here. P(long correct | x) = u (1 - v) (1 - e_2)...(1 - e_d) and p = ((1 + p)/2) (2p/(1 + p)) 1...1.
    For factors in [0, 1] a difference of products telescopes,
    a_1..a_n - b_1..b_n = sum_i b_1..b_(i-1) (a_i - b_i) a_(i+1)..a_n, so it is at most the sum of |a_i - b_i|.

    Examples
    --------
    >>> round(long_correct_error_bound(0.01, 0.02, [0.001, 0.001]), 6)
    0.032
    """
    first = number("first_error", first_error, 0)
    stop = number("stop_error", stop_error, 0)
    chain = np.atleast_1d(number("chain_errors", chain_errors, 0))
    total = np.minimum(first + stop + chain.sum(axis=-1), 1.0)
    return total if np.ndim(total) else float(total)


def short_correct_error_bound(first_error: Any, stop_agree_error: Any, stop_disagree_error: Any) -> Any:
    r"""Bound on \|P(short correct \| x) - (1 - p)/2\| from bounds at the first two positions.

    Parameters
    ----------
    first_error : number or array
        Bound on \|P(y_1 = x_1) - (1 + p)/2\|, at least 0.
    stop_agree_error, stop_disagree_error : number or array
        Bounds on the error of P(EOS) after an agreeing and after a disagreeing first token, at least 0.

    Returns
    -------
    float or array
        first_error plus the larger of the other two, no more than 1.

    Raises
    ------
    ValueError
        If a bound is negative or no number.

    Notes
    -----
    Derived here. The short answer is right with probability u v if the parity is x_1 and (1 - u) v' if it is
    -x_1; the true values are both (1 - p)/2, with factors (1 + p)/2 times (1 - p)/(1 + p) and (1 - p)/2 times 1.

    Examples
    --------
    >>> round(short_correct_error_bound(0.01, 0.02, 0.03), 6)
    0.04
    """
    first = number("first_error", first_error, 0)
    agree = number("stop_agree_error", stop_agree_error, 0)
    disagree = number("stop_disagree_error", stop_disagree_error, 0)
    total = np.minimum(first + np.maximum(agree, disagree), 1.0)
    return total if np.ndim(total) else float(total)


@dataclass(frozen=True)
class SampleSizes:
    """Ridges, steps and sequences that the bounds ask for; see :func:`theorem_1_sample_sizes`.

    Attributes
    ----------
    position_error : float
        What each of the d + 1 position errors may be at most, epsilon/(d + 1).
    position_delta : float
        Failure probability granted to each of d + 2 events, delta/(d + 2).
    ridge_first, ridge_stop, ridge_chain : float
        Ridge of position 1, of the stop position and of every position l >= 2.
    steps_first, steps_stop : int
        Steps at position 1 and at the stop position, one sequence each.
    steps_chain : tuple of int
        Steps at positions l = 2..d, one long sequence each.
    n_sequences : int
        Sequences to draw from D(p) so that all steps can be made.
    """

    position_error: float
    position_delta: float
    ridge_first: float
    ridge_stop: float
    ridge_chain: float
    steps_first: int
    steps_stop: int
    steps_chain: tuple[int, ...]
    n_sequences: int


def _least(enough: Callable[[int], bool]) -> int:
    """Return the least T >= 1 with ``enough(T)``, for a predicate that stays true."""
    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _separable_ridge(bias: float) -> float:
    """Return the m with m W(1/m) = bias in (0, 1): then W = -ln(bias), as m W = exp(-W)."""
    return bias / -math.log(bias)


def theorem_1_sample_sizes(d: Any, p_cot: Any, epsilon: Any, delta: Any, *, greedy: bool = True) -> SampleSizes:
    r"""Explicit ridges, steps and sequences after which Theorem 1's conclusions hold with probability 1 - delta.

    Parameters
    ----------
    d : int
        Length of the prompt, at least 3.
    p_cot : float
        Share p of long demonstrations, in (0, 3/4); with `greedy` other than 1/3.
    epsilon : float
        Largest error allowed of P(long correct | x) and of P(short correct | x), in (0, 1).
    delta : float
        Failure probability, in (0, 1).
    greedy : bool
        Whether greedy decoding must also be on the right side at every position.

    Returns
    -------
    SampleSizes
        Sufficient values; all step counts grow like d^7/(epsilon^4 delta), up to logarithms.

    Raises
    ------
    ValueError
        If an argument leaves its range, or p is 1/3 and `greedy` is set.

    Notes
    -----
    After Tsilivis et al., arXiv 2510.11495, Theorem 1; the constants are derived here. The error of
    P(long correct | x) is at most a sum of d + 1 position errors (:func:`long_correct_error_bound`), that of
    P(short correct | x) of two. Each gets t = epsilon/(d + 1), half for the ridge and half for the statistics.
    With `greedy`, t at position 1 is at most p/2, after agreement at most \|1 - 3p\|/(2(1 + p)), elsewhere at most
    1/2, so that no probability crosses 1/2 (the bias bounds are strict).

    Ridge: the sharper bias bounds solved for lambda, exactly: (t/2)/L at position 1; the smaller of
    (t/2)(1 + p)/\|Z\| and (1 - p) s/ln(1/s), s = t/2, at the stop position; s/ln(1/s) at l >= 2.
    Steps: least T with :func:`probability_deviation_bound` at most t/2 at failure probability delta/(d + 2).
    Sequences: with mean mu = N p, P(fewer than K long ones) <= exp(-(mu - K)^2/(2 mu)) (Chernoff), which is
    delta/(d + 2) at mu = K + a + sqrt(a^2 + 2 a K), a = ln((d + 2)/delta).

    Examples
    --------
    >>> sizes = theorem_1_sample_sizes(5, 0.2, 0.1, 0.1)
    >>> round(sizes.ridge_first, 6), sizes.n_sequences > 10**12
    (0.020553, True)
    """
    d = integer("d", d, 3)
    if not isinstance(d, int):
        raise ValueError(f"d must be one integer in [3, inf), got {d!r}")
    p = number("p_cot", p_cot, 0, 0.75, open_low=True, open_high=True)
    epsilon = number("epsilon", epsilon, 0, 1, open_low=True, open_high=True)
    delta = number("delta", delta, 0, 1, open_low=True, open_high=True)
    for name, value in (("p_cot", p), ("epsilon", epsilon), ("delta", delta)):
        if isinstance(value, np.ndarray):
            raise ValueError(f"{name} must be one number, got an array of shape {value.shape}")
    # The tie as greedy_accuracy decides it: the double 1/3 stands for it.
    margin = abs(1 - 3 * p) / (2 * (1 + p))
    if greedy and margin == 0:
        raise ValueError(f"p_cot must be in (0, 1/3) or (1/3, 3/4) for a statement on greedy decoding, got {p!r}")
    share = epsilon / (d + 1)
    share_delta = delta / (d + 2)
    target_first = min(share, p / 2) if greedy else share
    target_stop = min(share, margin) if greedy else share

    logit = abs(float(stop_agree_logit(p)))
    ridge_first = target_first / 2 / float(first_token_weight(p))
    ridge_stop = (1 - p) * _separable_ridge(target_stop / 2)
    if logit > 0:
        ridge_stop = min(ridge_stop, target_stop / 2 * (1 + p) / logit)
    ridge_chain = _separable_ridge(share / 2)

    def steps(rho_squared: int, ridge: float, target: float) -> int:
        return _least(lambda n: bool(probability_deviation_bound(rho_squared, ridge, n, share_delta) <= target / 2))

    steps_first = steps(feature_norm_squared("first", d), ridge_first, target_first)
    steps_stop = steps(feature_norm_squared("stop", d), ridge_stop, target_stop)
    steps_chain = tuple(steps(feature_norm_squared(l, d), ridge_chain, share) for l in range(2, d + 1))  # noqa: E741
    long_needed = max(steps_chain)
    a = -math.log(share_delta)
    mean = long_needed + a + math.sqrt(a * a + 2 * a * long_needed)
    # One part in 10^12 covers the rounding of the line above.
    n_sequences = max(math.ceil(mean / p * (1 + 1e-12)), steps_first, steps_stop)
    return SampleSizes(
        position_error=share,
        position_delta=share_delta,
        ridge_first=ridge_first,
        ridge_stop=ridge_stop,
        ridge_chain=ridge_chain,
        steps_first=steps_first,
        steps_stop=steps_stop,
        steps_chain=steps_chain,
        n_sequences=n_sequences,
    )


def averaged_iterate_weights(n_steps: Any, *, exact: bool = False) -> Any:
    r"""Coefficient of each step's gradient in the average of the iterates w^(1), ..., w^(T).

    Parameters
    ----------
    n_steps : int
        Number of iterates T, in [1, 10^8]; at most 10 000 if `exact`.
    exact : bool
        Return rational numbers instead of an array.

    Returns
    -------
    numpy.ndarray of shape (T,) or tuple of Fraction
        c_1, ..., c_T with average = -(1/lambda) sum_s c_s g_s f_s, where g_s f_s is the gradient of the loss,
        ridge not included, at w^(s). c_s = (H_(T-1) - H_(s-1))/T with harmonic numbers H; c_T = 0.

    Raises
    ------
    ValueError
        If `n_steps` leaves its range or is no integer.

    Notes
    -----
    Derived here. The step w^(t+1) = (1 - 1/t) w^(t) - g_t f_t/(lambda t) makes t w^(t+1) a running sum of
    -g_s f_s/lambda over s <= t: no shrinking is left. Averaging w^(t+1) over t < T gives step s the weight
    (1/T) sum of 1/t over s <= t <= T - 1. The T-th sample never enters. The sum is taken from the small end.

    Examples
    --------
    >>> averaged_iterate_weights(3, exact=True)
    (Fraction(1, 2), Fraction(1, 6), Fraction(0, 1))
    >>> averaged_iterate_weights(3)
    array([0.5       , 0.16666667, 0.        ])
    """
    most = 10_000 if exact else 10**8  # rationals grow with T, and the array takes eight bytes a step
    n_steps = integer("n_steps", n_steps, 1, most)
    if not isinstance(n_steps, int):
        raise ValueError(f"n_steps must be one integer in [1, {most}], got {n_steps!r}")
    if exact:
        tail = Fraction(0)
        backwards = [tail]
        for t in range(n_steps - 1, 0, -1):
            tail += Fraction(1, t)
            backwards.append(tail / n_steps)
        return tuple(reversed(backwards))
    weights = np.zeros(n_steps)
    weights[:-1] = np.cumsum(1 / np.arange(n_steps - 1, 0, -1))[::-1] / n_steps
    return weights


def iterate_norm_bound(rho_squared: Any, ridge: Any) -> Any:
    r"""Bound rho/lambda on the Euclidean norm of every iterate.

    Parameters
    ----------
    rho_squared : number or array
        Squared feature norm rho^2 > 0.
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        sqrt(rho_squared)/ridge.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: t w^(t+1) is a sum of t vectors of norm below rho/lambda (:func:`averaged_iterate_weights`).

    Examples
    --------
    >>> iterate_norm_bound(16, 0.5)
    8.0
    """
    rho_squared = real("rho_squared", rho_squared, 0, open_low=True)
    return sqrt(rho_squared) / real("ridge", ridge, 0, open_low=True)
