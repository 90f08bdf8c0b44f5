"""Law of the averaged iterates after many steps of the 1/(lambda t) schedule.

Each direction of the weights has its own curvature and noise at the regularised optimum; the variance
of its average is that of the linearised recursion. The mean overshoots the optimum by a term of
order 1/T, and the sign of the stop logit decides how often greedy decoding goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from theory._math import sqrt
from theory._validate import choice, integer, real
from theory.linear_model._averaging import asymptotic_variance
from theory.linear_model._bias import chain_bias
from theory.linear_model._numbers import number, plain, ridge_number
from theory.linear_model._optimum import (
    regularised_first_token_weight,
    regularised_stop_logit_agree,
    regularised_stop_logit_disagree,
)

__all__ = [
    "PairVariances",
    "StopVariances",
    "chain_asymptotic_variance",
    "first_token_asymptotic_variance",
    "first_token_coupling",
    "first_token_mean_shift",
    "first_token_mean_square_error",
    "first_token_pair_asymptotic_variances",
    "greedy_continue_share",
    "stop_agree_logit_asymptotic_variance",
    "stop_asymptotic_variances",
    "stop_logit_mean_shift",
    "threshold_width",
]


class PairVariances(NamedTuple):
    """Large-T variances, times T, of two combinations of weights.

    Attributes
    ----------
    sum_direction : float or array
        T times the variance of (w_2 + w_3)/sqrt(2).
    difference_direction : float or array
        T times the variance of (w_2 - w_3)/sqrt(2).
    """

    sum_direction: Any
    difference_direction: Any


@dataclass(frozen=True)
class StopVariances:
    """Large-T variances, times T, of the averaged weights of the stop position in orthonormal directions.

    Attributes
    ----------
    agree : float or array
        Along (bias + x_1 y_1)/sqrt(2), which moves the logit after y_1 = x_1 only.
    disagree : float or array
        Along (bias - x_1 y_1)/sqrt(2), which moves the logit after y_1 = -x_1 only.
    first_agree : float or array
        Along (x_1 + y_1)/sqrt(2), zero as a feature after y_1 = -x_1.
    first_disagree : float or array
        Along (x_1 - y_1)/sqrt(2), zero as a feature after y_1 = x_1.
    idle : float or array
        Along each of x_j and y_1 x_j, j = 2..d.
    agree_disagree_covariance : float or array
        T times the covariance of the first two, negative below p = 1/3; all other pairs are uncorrelated.
    """

    agree: Any
    disagree: Any
    first_agree: Any
    first_disagree: Any
    idle: Any
    agree_disagree_covariance: Any


def _first_token_moments(p_cot: Any, ridge: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Return p, lambda, w, the curvature and the mean square E[g^2] of the loss's slope at the optimum."""
    p = number("p_cot", p_cot, 0, 1)
    lam = ridge_number("ridge", ridge)
    w = regularised_first_token_weight(p, lam)
    tail = np.exp(-w) / (1 + np.exp(-w))  # sigma(-w), w >= 0
    curvature = tail / (1 + np.exp(-w))
    square = (1 + p) / 2 * tail**2 + (1 - p) / 2 / (1 + np.exp(-w)) ** 2
    return p, lam, w, curvature, square


def _result(value: Any) -> Any:
    return value if isinstance(value, np.ndarray) and value.ndim else float(value)


def first_token_asymptotic_variance(p_cot: Any, ridge: Any, relevant: bool) -> Any:
    r"""Limit of T Var of one averaged weight of position 1.

    Parameters
    ----------
    p_cot : float or array
        Share p of long demonstrations, in [0, 1].
    ridge : float or array
        Ridge lambda > 0.
    relevant : bool
        True for the weight of x_1, False for each other one (d >= 4; for d = 3 see
        :func:`first_token_pair_asymptotic_variances`).

    Returns
    -------
    float or array
        :func:`asymptotic_variance` with h = sigma'(w) and S = s^2 - (lambda w)^2 or S = s^2.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. s^2 = ((1 + p)/2) sigma(-w)^2 + ((1 - p)/2) sigma(w)^2 is the mean square of the loss's slope.
    Along x_1 the slope takes the values -sigma(-w) and sigma(w), one apart, so its variance
    s^2 - (lambda w)^2 is simply (1 - p^2)/4, and this is what is evaluated.

    Examples
    --------
    >>> [round(first_token_asymptotic_variance(0.2, 0.2, relevant), 2) for relevant in (True, False)]
    [1.55, 1.56]
    """
    if not isinstance(relevant, bool):
        raise ValueError(f"relevant must be True or False, got {relevant!r}")
    p, lam, _, curvature, square = _first_token_moments(p_cot, ridge)
    return _result(asymptotic_variance(curvature, (1 - p) * (1 + p) / 4 if relevant else square, lam))


def first_token_coupling(p_cot: Any, ridge: Any) -> Any:
    r"""Covariance E[g^2 x_2 x_3] between the gradient's coordinates 2 and 3 at d = 3.

    Parameters
    ----------
    p_cot : float or array
        Share p of long demonstrations, in [0, 1].
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    float or array
        (1 - p)(sigma(-w)^2 - sigma(w)^2)/2 = -(1 - p) tanh(w/2)/2; zero for every pair of coordinates at d >= 4.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: at d = 3 a short sequence agrees with x_1 iff x_2 x_3 = 1; long ones average x_2 x_3 to 0.

    Examples
    --------
    >>> round(first_token_coupling(0.2, 0.2), 6)
    -0.044363
    """
    p, _, w, _, _ = _first_token_moments(p_cot, ridge)
    return _result(-(1 - p) / 2 * np.tanh(np.asarray(w) / 2))


def first_token_pair_asymptotic_variances(p_cot: Any, ridge: Any) -> PairVariances:
    r"""Limits of T Var of (w_2 + w_3)/sqrt(2) and (w_2 - w_3)/sqrt(2) of position 1 at d = 3.

    Parameters
    ----------
    p_cot : float or array
        Share p of long demonstrations, in [0, 1].
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    PairVariances
        :func:`asymptotic_variance` with S = s^2 + C and S = s^2 - C, C from :func:`first_token_coupling`. Their
        mean is T times the variance of w_2 or w_3, half their difference T times the covariance.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here; the curvature is the same in every direction, so only the gradient's covariance is rotated.

    Examples
    --------
    >>> pair = first_token_pair_asymptotic_variances(0.2, 0.2)
    >>> round(pair.sum_direction, 3), round(pair.difference_direction, 3)
    (1.275, 1.847)
    """
    _, lam, _, curvature, square = _first_token_moments(p_cot, ridge)
    coupling = first_token_coupling(p_cot, ridge)
    return PairVariances(
        _result(asymptotic_variance(curvature, square + coupling, lam)),
        _result(asymptotic_variance(curvature, square - coupling, lam)),
    )


def stop_asymptotic_variances(p_cot: Any, ridge: Any) -> StopVariances:
    r"""Limits of T Var of the averaged weights of the stop position, d >= 4.

    Parameters
    ----------
    p_cot : float or array
        Share p of long demonstrations, in [0, 1).
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    StopVariances
        One value a direction, and the one covariance that does not vanish.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here, :func:`asymptotic_variance` with the following. Let P = (1 + p)/2, P' = (1 - p)/2 be the shares
    of agreement and disagreement, z, z' the two logits, q = (1 - p)/(1 + p), h = P sigma'(z), h' = P' sigma'(z'),
    s = P (q sigma(-z)^2 + (1 - q) sigma(z)^2), s' = P' sigma(-z')^2. A direction that acts after agreement only has
    curvature 2h and mean square gradient 2s; where the mean gradient does not vanish, along
    (bias + x_1 y_1)/sqrt(2), its square (lambda z)^2/2 is subtracted. Likewise after disagreement. Idle
    features act after both: h + h' and s + s'. A step moves either the logit after agreement or that after
    disagreement, so E[product of the two gradients] = 0 and their covariance is minus the product of their means,
    -lambda^2 z z'/2; with curvatures k = 2h, k' = 2h' and F's integral taken for two exponents, the factor of
    T Cov is (k + k' + 2 lambda)/((k + lambda)(k' + lambda)(k + k' + lambda)). It disappears as lambda -> 0.

    Examples
    --------
    >>> v = stop_asymptotic_variances(0.2, 0.2)
    >>> [round(float(x), 2) for x in (v.agree, v.disagree, v.first_agree, v.first_disagree, v.idle)]
    [1.42, 0.36, 1.44, 0.6, 1.21]
    """
    z = regularised_stop_logit_agree(p_cot, ridge)
    other = regularised_stop_logit_disagree(p_cot, ridge)
    p = number("p_cot", p_cot, 0, 1, open_high=True)
    lam = ridge_number("ridge", ridge)
    agreement, disagreement = (1 + p) / 2, (1 - p) / 2
    low, high = 1 / (1 + np.exp(z)), 1 / (1 + np.exp(-z))
    tail = np.exp(-other) / (1 + np.exp(-other))
    h_agree, h_disagree = agreement * low * high, disagreement * tail / (1 + np.exp(-other))
    s_agree = disagreement * low**2 + p * high**2
    s_disagree = disagreement * tail**2
    joint = 2 * (h_agree + h_disagree)
    crossed = (joint + 2 * lam) / (2 * h_agree + lam) / (2 * h_disagree + lam) / (joint + lam)
    # tail = lambda z'/(1 - p), so that 2 s' - (lambda z')^2/2 = (1 - p) tail^2 - (1 - p)^2 tail^2/2.
    return StopVariances(
        agree=_result(asymptotic_variance(2 * h_agree, 2 * s_agree - (lam * z) ** 2 / 2, lam)),
        disagree=_result(asymptotic_variance(2 * h_disagree, (1 - p) * (1 + p) * tail**2 / 2, lam)),
        first_agree=_result(asymptotic_variance(2 * h_agree, 2 * s_agree, lam)),
        first_disagree=_result(asymptotic_variance(2 * h_disagree, 2 * s_disagree, lam)),
        idle=_result(asymptotic_variance(h_agree + h_disagree, s_agree + s_disagree, lam)),
        agree_disagree_covariance=_result(-(lam * z) * (lam * other) / 2 * crossed),
    )


def _iterate_spread(limit: Any, curvature: Any, ridge: Any) -> Any:
    """Return t times the variance of one iterate, S/(lambda (2h + lambda)), from the limit for the average."""
    with np.errstate(over="ignore"):
        return limit * (curvature + ridge) / ridge / 2


def _overshoot(kappa: Any, logit: Any, n_steps: Any) -> Any:
    """Return (kappa/2) tanh(logit/2) (ln T)/T; nothing bends at a logit of 0, however wide the spread."""
    bend = np.tanh(np.asarray(logit) / 2) * np.log(n_steps) / n_steps
    with np.errstate(over="ignore", invalid="ignore"):
        return _result(np.where(bend == 0, 0.0, kappa / 2 * bend))


def first_token_mean_shift(d: Any, p_cot: Any, ridge: Any, n_steps: Any) -> Any:
    r"""Mean overshoot of the averaged weight of x_1 at position 1, to second order.

    Parameters
    ----------
    d : int
        Length of the prompt, at least 3.
    p_cot : float or array
        Share p of long demonstrations, in [0, 1].
    ridge : float or array
        Ridge lambda > 0.
    n_steps : int or array of int
        Steps T >= 1.

    Returns
    -------
    float or array
        (kappa/2) tanh(w/2) (ln T)/T, where kappa/t is the variance over runs of the logit of iterate t.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. Iterate t has spread kappa/t around the optimum, and the mean gradient bends: it gains
    sigma''(w) kappa/(2t). So s_(t+1) = (1 - (m + 1)/t) s_t - sigma''(w) kappa/(2 lambda t^2), with the solution
    s_t = -sigma''(w) kappa/(2 h t) with h = sigma'(w), and sigma''/sigma' = -tanh(w/2). Averaging 1/t gives (ln T)/T,
    up to O(1/T). The overshoot is of order d (ln T)/T against a spread of order 1/sqrt(T): the central limit law
    needs T >> (d ln T)^2 before its centre is the optimum.

    Examples
    --------
    >>> round(first_token_mean_shift(20, 0.2, 0.1, 10_000), 5)
    0.00536
    """
    d = integer("d", d, 3)
    n_steps = integer("n_steps", n_steps, 1)
    _, lam, w, curvature, _ = _first_token_moments(p_cot, ridge)
    relevant = first_token_asymptotic_variance(p_cot, ridge, True)
    idle = first_token_asymptotic_variance(p_cot, ridge, False)
    kappa = _iterate_spread(relevant + (d - 1) * idle, curvature, lam)
    return _overshoot(kappa, w, n_steps)


def stop_logit_mean_shift(d: Any, p_cot: Any, ridge: Any, n_steps: Any, after: str) -> Any:
    r"""Mean overshoot of the averaged logit of EOS, to second order.

    Parameters
    ----------
    d : int
        Length of the prompt, at least 4.
    p_cot : float or array
        Share p of long demonstrations, in [0, 1).
    ridge : float or array
        Ridge lambda > 0.
    n_steps : int or array of int
        Steps T >= 1.
    after : {"agree", "disagree"}
        Whether the first token was x_1.

    Returns
    -------
    float or array
        (kappa/2) tanh(z/2) (ln T)/T, z the logit of the optimum and kappa/t the variance of the logit of iterate t.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived as :func:`first_token_mean_shift`; kappa adds up 2 along each of the two directions that act after this
    first token alone and 1 along each of the 2(d - 1) idle features.

    Examples
    --------
    >>> round(stop_logit_mean_shift(20, 0.2, 0.1, 40_000, "disagree"), 5)
    0.00956
    """
    d = integer("d", d, 4)
    n_steps = integer("n_steps", n_steps, 1)
    after = choice("after", after, ("agree", "disagree"))
    v = stop_asymptotic_variances(p_cot, ridge)
    z, other = regularised_stop_logit_agree(p_cot, ridge), regularised_stop_logit_disagree(p_cot, ridge)
    p = number("p_cot", p_cot, 0, 1, open_high=True)
    lam = ridge_number("ridge", ridge)
    h_agree = (1 + p) / 2 / (4 * np.cosh(np.asarray(z) / 2) ** 2)
    h_disagree = (1 - p) / 2 / (4 * np.cosh(np.asarray(other) / 2) ** 2)
    own, h, logit = (
        (v.agree + v.first_agree, h_agree, z)
        if after == "agree"
        else (v.disagree + v.first_disagree, h_disagree, other)
    )
    kappa = 2 * _iterate_spread(own, 2 * h, lam) + 2 * (d - 1) * _iterate_spread(v.idle, h_agree + h_disagree, lam)
    return _overshoot(kappa, logit, n_steps)


def stop_agree_logit_asymptotic_variance(d: Any, p_cot: Any, ridge: Any) -> Any:
    r"""Limit of T Var of the averaged stop logit after y_1 = x_1, the same for every prompt.

    Parameters
    ----------
    d : int
        Length of the prompt, at least 4.
    p_cot : float or array
        Share p of long demonstrations, in [0, 1).
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    float or array
        2 V(agree) + 2 V(first_agree) + 2 (d - 1) V(idle); 12 d at p = 1/3 as lambda -> 0.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: after agreement the feature vector has the component sqrt(2) along (bias + x_1 y_1)/sqrt(2) and,
    up to sign, along (x_1 + y_1)/sqrt(2), and 1, up to sign, along each of 2(d - 1) idle features.

    Examples
    --------
    >>> round(stop_agree_logit_asymptotic_variance(20, 1 / 3, 1e-6), 2)
    239.98
    """
    d = integer("d", d, 4)
    v = stop_asymptotic_variances(p_cot, ridge)
    return _result(2 * v.agree + 2 * v.first_agree + 2 * (d - 1) * v.idle)


def chain_asymptotic_variance(ridge: Any, coincident: bool) -> Any:
    r"""Limit of T Var of an averaged irrelevant weight of a position l >= 2, or of a coincident pair's sum.

    Parameters
    ----------
    ridge : float or array
        Ridge lambda > 0.
    coincident : bool
        False: one irrelevant feature. True: the sum of the weights of two irrelevant features that are equal on
        right prefixes (their difference stays 0).

    Returns
    -------
    float or array
        (S/h^2) F(h/lambda), or (S/h^2) F(2h/lambda) for the pair, with h = e(1 - e), S = e^2, e = lambda w. The
        relevant weight has variance of order 1/T^2 (limit 0): its gradient is deterministic.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. At the optimum the loss's slope is -sigma(-w) = -e at every long sequence. For a pair the sum is
    sqrt(2) times the weight along their common direction, which has curvature 2h and gradient variance 2S.

    Examples
    --------
    >>> round(chain_asymptotic_variance(0.2, False), 2), round(chain_asymptotic_variance(0.2, True), 2)
    (0.52, 0.86)
    """
    if not isinstance(coincident, bool):
        raise ValueError(f"coincident must be True or False, got {coincident!r}")
    lam = ridge_number("ridge", ridge)
    e = chain_bias(lam)
    h = e * (1 - e)
    if coincident:
        return _result(2 * asymptotic_variance(2 * h, 2 * e**2, lam))
    return _result(asymptotic_variance(h, e**2, lam))


def first_token_mean_square_error(d: Any, p_cot: Any, n_steps: Any, ridge: Any = None) -> Any:
    r"""Mean over prompts of the variance of P(y_1 = x_1) after T steps, to leading order in 1/T.

    Parameters
    ----------
    d : int, array of int or sympy.Expr
        Length of the prompt, at least 3.
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].
    n_steps : int, array of int or sympy.Expr
        Steps T >= 1.
    ridge : float or array, optional
        Ridge lambda > 0; without it the limit lambda -> 0.

    Returns
    -------
    number or array
        d (1 - p^2)/(4T) without ridge; with it (h^2/T)(V + (d - 1) V'), V and V' from
        :func:`first_token_asymptotic_variance`, h = sigma'(w). Spread around the regularised optimum: the bias
        comes on top.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: a logit is a sum of d uncorrelated weights times signs, and the logistic function has slope h.
    As lambda -> 0, h and the gradient's variance are both (1 - p^2)/4 in every direction.

    Examples
    --------
    >>> round(first_token_mean_square_error(20, 0.2, 10**6) ** 0.5, 5)
    0.00219
    >>> round(first_token_mean_square_error(20, 0.2, 10**6, 0.01) ** 0.5, 5)
    0.00212
    """
    d = integer("d", d, 3)
    p = real("p_cot", p_cot, 0, 1)
    n_steps = integer("n_steps", n_steps, 1)
    if ridge is None:
        return d * (1 - p) * (1 + p) / (4 * n_steps)
    p, lam, _, curvature, square = _first_token_moments(p, ridge)
    trace = asymptotic_variance(curvature, (1 - p) * (1 + p) / 4, lam)
    trace = trace + (d - 1) * asymptotic_variance(curvature, square, lam)
    return _result(curvature**2 * trace / n_steps)


def greedy_continue_share(d: Any, p_cot: Any, n_steps: Any) -> Any:
    r"""Share of prompts that go on after y_1 = x_1 under greedy decoding, near p = 1/3, for small ridge and large T.

    Parameters
    ----------
    d : int or array of int
        Length of the prompt, at least 4.
    p_cot : float or array
        Share p of long demonstrations, in [0, 1]; meant for p near 1/3.
    n_steps : int or array of int
        Steps T >= 1.

    Returns
    -------
    float or array
        Phi((9/2)(p - 1/3)/sqrt(12 d/T)), Phi the normal distribution function; 1/2 at p = 1/3.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the logit of EOS is about normal with mean -(9/2)(p - 1/3), the linear part of ln((1 - p)/(2p)),
    and variance 12 d/T (:func:`stop_agree_logit_asymptotic_variance`).

    Examples
    --------
    >>> round(greedy_continue_share(20, 1 / 3 + 0.003, 200_000), 3)
    0.652
    """
    from scipy.special import ndtr

    d = integer("d", d, 4)
    p = number("p_cot", p_cot, 0, 1)
    n_steps = integer("n_steps", n_steps, 1)
    above = (2 * p - 1) + p  # 3p - 1, exact near 1/3
    return _result(ndtr(1.5 * above / np.sqrt(12 * plain("d", d) / plain("n_steps", n_steps))))


def threshold_width(d: Any, n_steps: Any) -> Any:
    r"""Width in p of the window around 1/3 in which greedy decoding is undecided after T steps.

    Parameters
    ----------
    d : int, array of int or sympy.Expr
        Length of the prompt, at least 4.
    n_steps : int, array of int or sympy.Expr
        Steps T >= 1.

    Returns
    -------
    number or array
        (2/9) sqrt(12 d/T) = 0.77 sqrt(d/T): one standard deviation of the logit, in units of p.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here, see :func:`greedy_continue_share`.

    Examples
    --------
    >>> round(threshold_width(20, 200_000), 5)
    0.0077
    """
    d = integer("d", d, 4)
    n_steps = integer("n_steps", n_steps, 1)
    return 2 * sqrt(12 * d / n_steps) / 9
