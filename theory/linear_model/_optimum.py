r"""Features, population optimum and regularised optima of the four kinds of position."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from theory._math import lambertw, log, log1p, sigmoid
from theory._validate import choice, integer, real
from theory.linear_model._numbers import number, plain, ridge_number

__all__ = [
    "chain_stationarity",
    "coincident_features",
    "feature_norm_squared",
    "first_token_stationarity",
    "first_token_weight",
    "regularised_chain_weight",
    "regularised_first_token_weight",
    "regularised_stop_logit_agree",
    "regularised_stop_logit_disagree",
    "relevant_features",
    "stop_agree_logit",
    "stop_agree_stationarity",
    "stop_disagree_stationarity",
]

_POSITIONS = ("first", "stop")


def _chain_position(position: Any, d: Any) -> Any:
    """Return `position` as an integer in [2, d]; a symbolic `d` cannot bound it."""
    limit = d if isinstance(d, int) else None
    return integer("position", position, 2, limit)


def feature_norm_squared(position: Any, d: Any) -> Any:
    r"""Squared Euclidean norm of a position's vector of :math:`\pm1` features, which is their number.

    Parameters
    ----------
    position : {"first", "stop"} or int
        ``"first"`` predicts y_1 from x; ``"stop"`` chooses between EOS and going on after y_1;
        l in 2..d predicts y_l from the prompt and y_1, ..., y_(l-1).
    d : int or sympy.Expr
        Length of the prompt, at least 2.

    Returns
    -------
    int or sympy.Expr
        d, 2d + 2 (2d + 1 features and a bias) or 2d + l - 1.

    Raises
    ------
    ValueError
        If `position` or `d` is none of these.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495. Position l sees z = (x, y_1..y_(l-1)) and the product of its last
    coordinate with each of x_1..x_d.

    Examples
    --------
    >>> feature_norm_squared("first", 20), feature_norm_squared("stop", 20), feature_norm_squared(7, 20)
    (20, 42, 46)
    """
    d = integer("d", d, 2)
    if isinstance(position, str):
        return d if choice("position", position, _POSITIONS) == "first" else 2 * d + 2
    return 2 * d + _chain_position(position, d) - 1


def relevant_features(position: Any, d: Any) -> tuple[str, ...]:
    """Names of the features that carry a position's signal; the weights of all others vanish at the optimum.

    Parameters
    ----------
    position : {"first", "stop"} or int
        As in :func:`feature_norm_squared`.
    d : int
        Length of the prompt, at least 3 (at d = 2 further features matter at ``"stop"``).

    Returns
    -------
    tuple of str
        Products of ``x1..xd`` and ``y1..yd``, and ``bias``. None of them equals another feature on right prefixes.

    Raises
    ------
    ValueError
        If `position` or `d` is none of these.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495.

    Examples
    --------
    >>> relevant_features("stop", 5), relevant_features(4, 5)
    (('x1 y1', 'bias'), ('y3 x4',))
    """
    d = integer("d", d, 3)
    if isinstance(position, str):
        return ("x1",) if choice("position", position, _POSITIONS) == "first" else ("x1 y1", "bias")
    position = _chain_position(position, d)
    return (f"y{position - 1} x{position}",)


def coincident_features(position: Any, d: Any) -> tuple[tuple[str, str], ...]:
    """Pairs of features of position l that are equal on every right prefix; ``"1"`` stands for the constant.

    Parameters
    ----------
    position : int
        l in 2..d.
    d : int
        Length of the prompt, at least 3.

    Returns
    -------
    tuple of pairs of str
        All of them. Gradient descent from 0 gives equal features equal weights, and they separate only once a
        prefix is wrong.

    Raises
    ------
    ValueError
        If `position` or `d` is none of these.

    Notes
    -----
    Derived here from y_k = x_1...x_k: y_1 = x_1, y_(l-1) x_(l-1) = y_(l-2) (at l = 2 the constant), and at l = 3
    y_2 x_1 = x_2, which makes three features equal there: x_1, y_1 and y_2 x_2.

    Examples
    --------
    >>> coincident_features(2, 5), coincident_features(5, 5)
    ((('y1', 'x1'), ('y1 x1', '1')), (('y1', 'x1'), ('y4 x4', 'y3')))
    """
    d = integer("d", d, 3)
    position = _chain_position(position, d)
    if position == 2:
        return ("y1", "x1"), ("y1 x1", "1")
    if position == 3:
        return ("y1", "x1"), ("y2 x2", "y1"), ("y2 x2", "x1"), ("y2 x1", "x2")
    return ("y1", "x1"), (f"y{position - 1} x{position - 1}", f"y{position - 2}")


def first_token_weight(p_cot: Any) -> Any:
    r"""Weight ln((1 + p)/(1 - p)) of x_1 at the unregularised optimum of position 1.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in [0, 1).

    Returns
    -------
    number or array
        The only non-zero coordinate of the minimiser, so that :math:`P(y_1 = 1 | x) = (1 + p x_1)/2`.

    Raises
    ------
    ValueError
        If `p_cot` leaves [0, 1).

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, Lemma 1. Written as a difference of two ``log1p`` of opposite signs,
    which loses no digits for p near 0 or 1.

    Examples
    --------
    >>> first_token_weight(0.5)  # ln 3
    1.0986122886681096
    """
    p = real("p_cot", p_cot, 0, 1, open_high=True)
    return log1p(p) - log1p(-p)


def stop_agree_logit(p_cot: Any) -> Any:
    r"""Logit ln((1 - p)/(2p)) of EOS after a first token equal to x_1, at the unregularised optimum.

    Parameters
    ----------
    p_cot : number or array
        Share p of long demonstrations, in (0, 1).

    Returns
    -------
    number or array
        Positive below p = 1/3, zero there, negative above.

    Raises
    ------
    ValueError
        If `p_cot` leaves (0, 1).

    Notes
    -----
    Derived from P(EOS | y_1 = x_1) = (1 - p)/(1 + p). Numbers are evaluated as ln(1 + (1 - 3p)/(2p)) between
    1/4 and 1/2, where 1 - 2p - p is exact in doubles, and as ln(1 - p) - ln(2p) elsewhere, so that sign and
    relative accuracy survive at the threshold; symbols and balls take the formula as it stands above.

    Examples
    --------
    >>> stop_agree_logit(0.2)  # ln 2
    0.6931471805599452
    >>> from fractions import Fraction
    >>> stop_agree_logit(Fraction(1, 3))
    0.0
    """
    p = real("p_cot", p_cot, 0, 1, open_low=True, open_high=True)
    if isinstance(p, np.ndarray):
        near = (p >= 0.25) & (p <= 0.5)
        safe = np.where(near, p, 0.25)
        return np.where(near, np.log1p(((1 - 2 * safe) - safe) / (2 * safe)), np.log1p(-p) - np.log(2 * p))
    if isinstance(p, (float, Fraction)):
        if Fraction(1, 4) <= p <= Fraction(1, 2):
            return log1p(((1 - 2 * p) - p) / (2 * p))
        return log1p(-p) - log(2 * p)
    return log((1 - p) / (2 * p))


def first_token_stationarity(weight: Any, p_cot: Any, ridge: Any) -> Any:
    r"""Residual (1 + p)/2 - sigma(w) - lambda w of the optimality condition at position 1.

    Parameters
    ----------
    weight : number or array
        Weight w of x_1.
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].
    ridge : number or array
        Ridge lambda > 0; the penalty is lambda |w|^2/2.

    Returns
    -------
    number or array
        Minus the derivative of the objective along x_1: decreasing in w, zero at the optimum.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: with a weight on x_1 alone the expected gradient along x_1 is sigma(w) - (1 + p)/2, and along
    every other coordinate it vanishes, because a sign flip of the other coordinates of x preserves the loss.

    Examples
    --------
    >>> first_token_stationarity(0.0, 0.5, 0.1)
    0.25
    """
    w = real("weight", weight)
    p = real("p_cot", p_cot, 0, 1)
    ridge = real("ridge", ridge, 0, open_low=True)
    return (1 + p) / 2 - sigmoid(w) - ridge * w


def stop_agree_stationarity(logit: Any, p_cot: Any, ridge: Any) -> Any:
    r"""Residual of the optimality condition for the logit of EOS after a first token equal to x_1.

    Parameters
    ----------
    logit : number or array
        z = b + a, with b the bias and a the weight of x_1 y_1.
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].
    ridge : number or array
        Ridge lambda > 0 (the bias is penalised too).

    Returns
    -------
    number or array
        ((1 + p)/2)((1 - p)/(1 + p) - sigma(z)) - lambda z/2: decreasing in z, zero at the optimum.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: a^2 + b^2 = (z^2 + z'^2)/2 with z' = b - a, so the objective splits into one term for the
    sequences with y_1 = x_1 (their share is (1 + p)/2) and one for the others.

    Examples
    --------
    >>> stop_agree_stationarity(0.0, 0.5, 0.1)
    -0.125
    """
    z = real("logit", logit)
    p = real("p_cot", p_cot, 0, 1)
    ridge = real("ridge", ridge, 0, open_low=True)
    return (1 + p) / 2 * ((1 - p) / (1 + p) - sigmoid(z)) - ridge / 2 * z


def stop_disagree_stationarity(logit: Any, p_cot: Any, ridge: Any) -> Any:
    r"""Residual of the optimality condition for the logit of EOS after a first token different from x_1.

    Parameters
    ----------
    logit : number or array
        z = b - a, with b the bias and a the weight of x_1 y_1.
    p_cot : number or array
        Share p of long demonstrations, in [0, 1].
    ridge : number or array
        Ridge lambda > 0 (the bias is penalised too).

    Returns
    -------
    number or array
        ((1 - p)/2) sigma(-z) - lambda z/2: decreasing in z, zero at the optimum.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here as :func:`stop_agree_stationarity`; these sequences, a share (1 - p)/2, always stop.

    Examples
    --------
    >>> stop_disagree_stationarity(0.0, 0.5, 0.1)
    0.125
    """
    z = real("logit", logit)
    p = real("p_cot", p_cot, 0, 1)
    ridge = real("ridge", ridge, 0, open_low=True)
    return (1 - p) / 2 * sigmoid(-z) - ridge / 2 * z


def chain_stationarity(weight: Any, ridge: Any) -> Any:
    r"""Residual sigma(-w) - lambda w of the optimality condition at a position l >= 2.

    Parameters
    ----------
    weight : number or array
        Weight w of y_(l-1) x_l, the logit of the right token.
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        Decreasing in w, zero at the optimum.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: on long sequences y_l = y_(l-1) x_l always, so the loss is log(1 + exp(-w)) and only the ridge
    keeps w finite.

    Examples
    --------
    >>> chain_stationarity(0.0, 0.1)
    0.5
    """
    w = real("weight", weight)
    ridge = real("ridge", ridge, 0, open_low=True)
    return sigmoid(-w) - ridge * w


def _root(excess: Any, deficit: Any, mass: Any, ridge: Any) -> Any:
    r"""Return the a >= 0 with ``mass sigma(-a) - deficit/2 = ridge a``, for ``excess = mass - deficit >= 0``.

    The left side minus the right one, F(a), is decreasing and convex for a >= 0, so Newton's steps from a point
    with F >= 0 rise to the root and never pass it. U = min(ln((mass + excess)/deficit), W(mass/ridge)) is above
    the root (drop either subtracted term, and sigma(-a) <= exp(-a)). If U > 2.1 then F(U - 1) > 0: there
    deficit/2 + ridge a <= 2 mass exp(-U), while sigma(1 - U) >= 2 exp(-U) because 2 (1 + e exp(-U)) <= e.
    Near 0 the same F is written with tanh, so that no digits cancel when all terms are small or nearly equal.
    """
    r, c, m, lam = np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in (excess, deficit, mass, ridge)))
    with np.errstate(divide="ignore", over="ignore"):
        ceiling = np.minimum(np.log(m + r) - np.log(c), lambertw(np.minimum(m / lam, 1e308)))
    a = np.where(ceiling > 2.1, ceiling - 1, 0.0)
    for _ in range(100):
        small = np.exp(-a)
        tail = m * small / (1 + small)
        gap = np.where(a < 1, (r - m * np.tanh(a / 2)) / 2, tail - c / 2)
        step = (gap - lam * a) / (tail / (1 + small) + lam)
        a = a + step
        if bool(np.all(np.abs(step) <= 2e-16 * a)):
            break
    a = np.maximum(a, 0.0)
    return a if a.ndim else float(a)


def regularised_first_token_weight(p_cot: Any, ridge: Any) -> Any:
    r"""Weight w of x_1 at the regularised optimum of position 1, the root of :func:`first_token_stationarity`.

    Parameters
    ----------
    p_cot : float or array
        Share p of long demonstrations, in [0, 1].
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    float or array
        0 <= w < ln((1 + p)/(1 - p)) (equal at p = 0), within a few ulps of the root of p = tanh(w/2) + 2 lambda w.

    Raises
    ------
    ValueError
        If an argument leaves its range or has free symbols.

    Notes
    -----
    Derived here. All other coordinates of the optimum are 0.

    Examples
    --------
    >>> w = regularised_first_token_weight(0.5, 0.1)
    >>> round(w, 10), abs(first_token_stationarity(w, 0.5, 0.1)) < 1e-16
    (0.7368761691, True)
    """
    p = number("p_cot", p_cot, 0, 1)
    ridge = ridge_number("ridge", ridge)
    return _root(p, 1 - p, 1.0, ridge)


def regularised_stop_logit_agree(p_cot: Any, ridge: Any) -> Any:
    r"""Logit z of EOS after a first token equal to x_1 at the regularised optimum of the stop position.

    Parameters
    ----------
    p_cot : float, Fraction or array
        Share p of long demonstrations, in [0, 1].
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    float or array
        The root of :func:`stop_agree_stationarity`, within a few ulps, with the exact sign of 1/3 - p: ridge
        never moves the greedy threshold. (The double ``1/3`` lies below 1/3 and gives a tiny positive value,
        ``Fraction(1, 3)`` gives 0.)

    Raises
    ------
    ValueError
        If an argument leaves its range or has free symbols.

    Notes
    -----
    Derived here: |z| solves |1 - 3p| = (1 + p) tanh(|z|/2) + 2 lambda |z|.

    Examples
    --------
    >>> z = regularised_stop_logit_agree(0.2, 0.1)
    >>> round(z, 10), abs(stop_agree_stationarity(z, 0.2, 0.1)) < 1e-16
    (0.5079868579, True)
    """
    p = real("p_cot", p_cot, 0, 1)
    ridge = ridge_number("ridge", ridge)
    # Before an exact fraction becomes a float, and exact for doubles in [1/4, 1/2].
    surplus = plain("p_cot", (1 - 2 * p) - p)
    p = plain("p_cot", p)
    magnitude = _root(abs(surplus), np.where(np.asarray(surplus) > 0, 4 * p, 2 * (1 - p)), 1 + p, ridge)
    return np.copysign(magnitude, surplus) if isinstance(magnitude, np.ndarray) else magnitude * float(np.sign(surplus))


def regularised_stop_logit_disagree(p_cot: Any, ridge: Any) -> Any:
    r"""Logit z of EOS after a first token different from x_1 at the regularised optimum of the stop position.

    Parameters
    ----------
    p_cot : float or array
        Share p of long demonstrations, in [0, 1).
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    float or array
        The positive root of :func:`stop_disagree_stationarity`, within a few ulps.

    Raises
    ------
    ValueError
        If an argument leaves its range or has free symbols.

    Notes
    -----
    Derived here: the chain's equation with ridge lambda/(1 - p).

    Examples
    --------
    >>> z = regularised_stop_logit_disagree(0.2, 0.1)
    >>> round(z, 10), abs(stop_disagree_stationarity(z, 0.2, 0.1)) < 1e-16
    (1.4815487861, True)
    """
    p = number("p_cot", p_cot, 0, 1, open_high=True)
    ridge = ridge_number("ridge", ridge)
    return _root(1 - p, 0.0, 1 - p, ridge)


def regularised_chain_weight(ridge: Any) -> Any:
    r"""Logit w of the right token at the regularised optimum of a position l >= 2.

    Parameters
    ----------
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    float or array
        The positive root of :func:`chain_stationarity`, within a few ulps; it grows like W(1/lambda).

    Raises
    ------
    ValueError
        If `ridge` is not positive or has free symbols.

    Notes
    -----
    Derived here. On right prefixes y_(l-1) x_l = x_1...x_l, which no other feature equals.

    Examples
    --------
    >>> w = regularised_chain_weight(0.1)
    >>> round(w, 10), abs(chain_stationarity(w, 0.1)) < 1e-16
    (1.6335061702, True)
    """
    return _root(1.0, 0.0, 1.0, ridge_number("ridge", ridge))
