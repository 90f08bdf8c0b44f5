"""Bounds on the bias that ridge causes: published, sharper, and from below.

For each kind of probability ``..._bound_paper`` is the published bound, ``..._bound`` one that is attained as
the ridge vanishes, and ``..._lower_bound`` says how closely. Positions whose optimum without ridge is
infinite have bounds in Lambert's W.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory._math import exp, lambertw, sqrt
from theory._validate import real
from theory.linear_model._optimum import first_token_weight, stop_agree_logit

__all__ = [
    "chain_bias_bound",
    "chain_bias_bound_paper",
    "chain_bias_lower_bound",
    "excess_long_share",
    "first_token_bias_bound",
    "first_token_bias_bound_paper",
    "first_token_bias_lower_bound",
    "stop_agree_bias_bound",
    "stop_agree_bias_bound_paper",
    "stop_agree_bias_lower_bound",
    "stop_disagree_bias_bound",
    "stop_disagree_bias_bound_paper",
    "stop_disagree_bias_lower_bound",
]


def _ridge(value: Any) -> Any:
    return real("ridge", value, 0, open_low=True)


def _share_of_others(ridge: Any, p: Any) -> Any:
    """Return m = ridge/(1 - p), infinite where a double overflows."""
    with np.errstate(over="ignore"):
        return ridge / (1 - p)


def _lambert_of_reciprocal(m: Any) -> Any:
    """Return W(1/m); on floats also where 1/m overflows, from w + ln w = -ln m."""
    if not isinstance(m, (float, np.ndarray)):
        return lambertw(1 / m)
    with np.errstate(over="ignore"):
        inverse = 1 / np.asarray(m, dtype=np.float64)
    value = np.asarray(lambertw(np.minimum(inverse, 1e308)), dtype=np.float64)
    if np.isinf(inverse).any():
        level = -np.log(m)
        deep = level
        for _ in range(12):  # the error shrinks by 1/w ~ 1/700 a step
            deep = level - np.log(np.maximum(deep, 1.0))
        value = np.where(np.isinf(inverse), deep, value)
    return value if isinstance(m, np.ndarray) else float(value)


def _separable_bound(m: Any) -> Any:
    """Return m W(1/m), which tends to 1 as m grows."""
    if isinstance(m, float):
        return 1.0 if m > 1e300 else m * _lambert_of_reciprocal(m)
    if isinstance(m, np.ndarray):
        finite = np.minimum(m, 1e300)
        return finite * _lambert_of_reciprocal(finite)
    return m * _lambert_of_reciprocal(m)


def _separable_lower_bound(m: Any) -> Any:
    """Return m W (1 - u(1 + u)/(W + (1 + u)^2)) with W = W(1/m) and u = exp(-W) = m W."""
    w = _lambert_of_reciprocal(m if not isinstance(m, (float, np.ndarray)) else np.minimum(m, 1e300) + 0.0)
    u = exp(-w)
    return u * (1 - u * (1 + u) / (w + (1 + u) ** 2))


def first_token_bias_bound(p_cot: Any, ridge: Any) -> Any:
    r"""Upper bound lambda ln((1 + p)/(1 - p)) on :func:`first_token_bias`.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1).
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        The bound; 0 at p = 0, strict otherwise.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the bias is lambda w, and w <= ln((1 + p)/(1 - p)) since the residual at that logit L is
    -lambda L <= 0. As lambda -> 0 the ratio tends to 1 (:func:`first_token_bias_lower_bound`).

    Examples
    --------
    >>> round(first_token_bias_bound(0.5, 0.1), 8)
    0.10986123
    """
    return _ridge(ridge) * first_token_weight(p_cot)


def first_token_bias_bound_paper(p_cot: Any, ridge: Any) -> Any:
    r"""Upper bound lambda ln((1 + p)/(1 - p))/(1 - p^2) on :func:`first_token_bias`, as published.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1).
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        1/(1 - p^2) times :func:`first_token_bias_bound`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, from Proposition 1 (strong convexity puts lambda in the numerator).

    Examples
    --------
    >>> round(first_token_bias_bound_paper(0.5, 0.1), 8)
    0.14648164
    """
    p = real("p_cot", p_cot, 0, 1, open_high=True)
    return _ridge(ridge) * first_token_weight(p) / ((1 - p) * (1 + p))


def first_token_bias_lower_bound(p_cot: Any, ridge: Any) -> Any:
    r"""Lower bound lambda L/(1 + 4 lambda/(1 - p^2)) on :func:`first_token_bias`, L = ln((1 + p)/(1 - p)).

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1).
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        The bound; its ratio to :func:`first_token_bias_bound` is 1 - O(lambda) at fixed p.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. The residual R(w) = (1 + p)/2 - sigma(w) - lambda w has R(L) = -lambda L and, at the optimum,
    R(w) = 0. Between them -R' = sigma' + lambda >= sigma'(L) + lambda with sigma'(L) = (1 - p^2)/4, as sigma'
    decreases on [0, inf). The mean value theorem gives L - w <= lambda L/(sigma'(L) + lambda), hence
    w >= L sigma'(L)/(sigma'(L) + lambda).

    Examples
    --------
    >>> round(first_token_bias_lower_bound(0.5, 0.1), 8)
    0.07164863
    """
    p = real("p_cot", p_cot, 0, 1, open_high=True)
    ridge = _ridge(ridge)
    with np.errstate(over="ignore"):
        return ridge * first_token_weight(p) / (1 + 4 * ridge / ((1 - p) * (1 + p)))


def stop_agree_bias_bound(p_cot: Any, ridge: Any) -> Any:
    r"""Upper bound lambda \|ln(2p/(1 - p))\|/(1 + p) on :func:`stop_agree_bias`.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in (0, 1).
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        The bound; 0 at p = 1/3, strict otherwise.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the bias is lambda |z|/(1 + p), and z lies between 0 and ln((1 - p)/(2p)), where the residual
    has the opposite sign. Never above the published bound, since (1 + p)^2 - 8p(1 - p) = (3p - 1)^2 >= 0.

    Examples
    --------
    >>> round(stop_agree_bias_bound(0.2, 0.1), 8)
    0.05776227
    """
    p = real("p_cot", p_cot, 0, 1, open_low=True, open_high=True)
    return _ridge(ridge) * abs(stop_agree_logit(p)) / (1 + p)


def stop_agree_bias_bound_paper(p_cot: Any, ridge: Any) -> Any:
    r"""Upper bound lambda (1 + p) \|ln(2p/(1 - p))\|/(8p(1 - p)) on :func:`stop_agree_bias`, as published.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in (0, 1).
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        (1 + p)^2/(8p(1 - p)) >= 1 times :func:`stop_agree_bias_bound`; the factor is 1 only at p = 1/3.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, from Proposition 2.

    Examples
    --------
    >>> round(stop_agree_bias_bound_paper(0.2, 0.1), 8)
    0.06498255
    """
    p = real("p_cot", p_cot, 0, 1, open_low=True, open_high=True)
    with np.errstate(over="ignore", divide="ignore"):
        return _ridge(ridge) * (1 + p) * abs(stop_agree_logit(p)) / (8 * p * (1 - p))


def stop_agree_bias_lower_bound(p_cot: Any, ridge: Any) -> Any:
    r"""Lower bound on :func:`stop_agree_bias`: the upper one divided by 1 + lambda (1 + p)/(2p(1 - p)).

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in (0, 1).
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        The bound; its ratio to :func:`stop_agree_bias_bound` is 1 - O(lambda) at fixed p.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here, as :func:`first_token_bias_lower_bound`: R(z) = (1 - p) - (1 + p) sigma(z) - lambda z is
    -lambda Z at Z = ln((1 - p)/(2p)), and between the optimum and Z, a segment on one side of 0,
    -R' >= (1 + p) sigma'(Z) + lambda with sigma'(Z) = 2p(1 - p)/(1 + p)^2.

    Examples
    --------
    >>> round(stop_agree_bias_lower_bound(0.2, 0.1), 8)
    0.04200892
    """
    p = real("p_cot", p_cot, 0, 1, open_low=True, open_high=True)
    ridge = _ridge(ridge)
    with np.errstate(over="ignore", divide="ignore"):
        return ridge * abs(stop_agree_logit(p)) / (1 + p) / (1 + ridge * (1 + p) / (2 * p * (1 - p)))


def stop_disagree_bias_bound(p_cot: Any, ridge: Any) -> Any:
    r"""Upper bound m W(1/m), m = lambda/(1 - p), on :func:`stop_disagree_bias`; W is Lambert's function.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1).
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        The bound, below 1 and at most sqrt(m).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: m z = sigma(-z) < exp(-z), so z exp(z) < 1/m and z < W(1/m); the bias is m z. And
    m W = sqrt(m) sqrt(W exp(-W)) <= sqrt(m), because W <= exp(W).

    Examples
    --------
    >>> round(stop_disagree_bias_bound(0.2, 0.1), 8)
    0.2007265
    """
    p = real("p_cot", p_cot, 0, 1, open_high=True)
    return _separable_bound(_share_of_others(_ridge(ridge), p))


def stop_disagree_bias_bound_paper(p_cot: Any, ridge: Any) -> Any:
    r"""Upper bound sqrt(lambda/(1 - p)) on :func:`stop_disagree_bias`, as published.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1).
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        The bound; it says nothing from lambda >= 1 - p on.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, from Proposition 2.

    Examples
    --------
    >>> round(stop_disagree_bias_bound_paper(0.2, 0.1), 8)
    0.35355339
    """
    p = real("p_cot", p_cot, 0, 1, open_high=True)
    return sqrt(_share_of_others(_ridge(ridge), p))


def stop_disagree_bias_lower_bound(p_cot: Any, ridge: Any) -> Any:
    r"""Lower bound on :func:`stop_disagree_bias`, with the rate at which the upper one is reached.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1).
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        m W (1 - u(1 + u)/(W + (1 + u)^2)) with m = lambda/(1 - p), W = W(1/m), u = exp(-W) = m W.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived in :func:`chain_bias_lower_bound`, with m for lambda.

    Examples
    --------
    >>> round(stop_disagree_bias_lower_bound(0.2, 0.1), 8)
    0.18485194
    """
    p = real("p_cot", p_cot, 0, 1, open_high=True)
    return _separable_lower_bound(_share_of_others(_ridge(ridge), p))


def chain_bias_bound(ridge: Any) -> Any:
    r"""Upper bound lambda W(1/lambda) on :func:`chain_bias`; W is Lambert's function.

    Parameters
    ----------
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        The bound, below 1 and at most sqrt(lambda).

    Raises
    ------
    ValueError
        If `ridge` is not positive.

    Notes
    -----
    Derived as :func:`stop_disagree_bias_bound`, with p = 0.

    Examples
    --------
    >>> round(chain_bias_bound(0.1), 8)
    0.1745528
    """
    return _separable_bound(_ridge(ridge))


def chain_bias_bound_paper(ridge: Any) -> Any:
    r"""Upper bound sqrt(lambda) on :func:`chain_bias`, as published.

    Parameters
    ----------
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        The bound; it says nothing from lambda >= 1 on.

    Raises
    ------
    ValueError
        If `ridge` is not positive.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, from Proposition 3.

    Examples
    --------
    >>> chain_bias_bound_paper(0.25)
    0.5
    """
    return sqrt(_ridge(ridge))


def chain_bias_lower_bound(ridge: Any) -> Any:
    r"""Lower bound on :func:`chain_bias`, with the rate at which the upper one is reached.

    Parameters
    ----------
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        lambda W (1 - u(1 + u)/(W + (1 + u)^2)) with W = W(1/lambda), u = exp(-W) = lambda W. Its ratio to
        :func:`chain_bias_bound` tends to 1 as lambda -> 0 and, like that of the bias itself, to 1/2 as
        lambda -> inf.

    Raises
    ------
    ValueError
        If `ridge` is not positive.

    Notes
    -----
    Derived here. R(w) = sigma(-w) - lambda w is convex for w >= 0, so its root is at least the point that
    Newton's step from W reaches. R(W) = u/(1 + u) - u = -u^2/(1 + u), because lambda W = u, and
    -R'(W) = u/(1 + u)^2 + u/W. The step is u(1 + u) W/(W + (1 + u)^2) to the left.

    Examples
    --------
    >>> round(chain_bias_lower_bound(0.1), 8)
    0.16310131
    """
    return _separable_lower_bound(_ridge(ridge))


def excess_long_share(p_cot: Any, ridge: Any, *, correct_start: bool = True) -> Any:
    r"""First-order surplus of long answers sampled at the regularised optimum, over p.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in (0, 1).
    ridge : number or array
        Ridge lambda > 0 of the stop position, small.
    correct_start : bool
        True counts the answers that start with x_1; False counts every answer that goes on.

    Returns
    -------
    number or array
        lambda ln((1 - p)/(2p))/2, positive below 1/3; with ``correct_start=False`` plus lambda W((1 - p)/lambda)/2.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here from share = u (1 - v) with v = (1 - p)/(1 + p) - lambda z/(1 + p) and u = (1 + p)/2; the
    ridge of position 1 lowers u by lambda_1 w_1 and so the share by 2p/(1 + p) lambda_1 w_1, of order p^2 for
    small p. The answers that start with -x_1 and go on add (1 - p)/2 times lambda z'/(1 - p); z' is the larger
    logit, so this second surplus exceeds the first for every small lambda.

    Examples
    --------
    >>> round(excess_long_share(0.05, 0.001), 8)
    0.00112565
    """
    p = real("p_cot", p_cot, 0, 1, open_low=True, open_high=True)
    ridge = _ridge(ridge)
    surplus = ridge * stop_agree_logit(p) / 2
    if correct_start:
        return surplus
    return surplus + ridge * _lambert_of_reciprocal(_share_of_others(ridge, p)) / 2
