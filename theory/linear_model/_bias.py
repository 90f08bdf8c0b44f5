"""What the ridge costs: distance of each regularised probability from the true one, and the share of long answers.

Each distance is the ridge times the size of a logit over the mass of its condition, from the scalar
equation of the regularised optimum; ``..._by_definition`` is the plain difference of probabilities.
"""

from __future__ import annotations

from typing import Any

from theory._math import sigmoid
from theory.linear_model._numbers import number, ridge_number
from theory.linear_model._optimum import (
    regularised_chain_weight,
    regularised_first_token_weight,
    regularised_stop_logit_agree,
    regularised_stop_logit_disagree,
)

__all__ = [
    "chain_bias",
    "chain_bias_by_definition",
    "first_token_bias",
    "first_token_bias_by_definition",
    "regularised_long_share",
    "stop_agree_bias",
    "stop_agree_bias_by_definition",
    "stop_disagree_bias",
    "stop_disagree_bias_by_definition",
]


def first_token_bias(p_cot: Any, ridge: Any) -> Any:
    r"""Distance of P(y_1 = x_1) at the regularised optimum from (1 + p)/2.

    Parameters
    ----------
    p_cot : float or array
        Share p of long demonstrations, in [0, 1].
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    float or array
        lambda w with w from :func:`regularised_first_token_weight`; the probability is too small by this much.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the optimality condition itself. The definition (:func:`first_token_bias_by_definition`)
    subtracts nearly equal numbers; this form keeps all digits.

    Examples
    --------
    >>> round(first_token_bias(0.5, 0.1), 10), round(first_token_bias_by_definition(0.5, 0.1), 10)
    (0.0736876169, 0.0736876169)
    """
    return ridge_number("ridge", ridge) * regularised_first_token_weight(p_cot, ridge)


def first_token_bias_by_definition(p_cot: Any, ridge: Any) -> Any:
    r"""Distance ``|sigma(w) - (1 + p)/2|``, as it reads; absolute accuracy only.

    Parameters
    ----------
    p_cot, ridge : float or array
        As in :func:`first_token_bias`.

    Returns
    -------
    float or array
        Equal to :func:`first_token_bias` up to a few times 1e-16, absolutely.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> round(first_token_bias_by_definition(0.2, 0.05), 8)
    0.01679684
    """
    p = number("p_cot", p_cot, 0, 1)
    return abs(sigmoid(regularised_first_token_weight(p, ridge)) - (1 + p) / 2)


def stop_agree_bias(p_cot: Any, ridge: Any) -> Any:
    r"""Distance of P(EOS | y_1 = x_1) at the regularised optimum from (1 - p)/(1 + p).

    Parameters
    ----------
    p_cot : float, Fraction or array
        Share p of long demonstrations, in [0, 1].
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    float or array
        lambda |z|/(1 + p) with z from :func:`regularised_stop_logit_agree`; the probability is pulled to 1/2.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the optimality condition itself, which keeps all digits.

    Examples
    --------
    >>> round(stop_agree_bias(0.2, 0.1), 8), round(stop_agree_bias_by_definition(0.2, 0.1), 8)
    (0.04233224, 0.04233224)
    """
    z = regularised_stop_logit_agree(p_cot, ridge)
    p = number("p_cot", p_cot, 0, 1)
    return ridge_number("ridge", ridge) * abs(z) / (1 + p)


def stop_agree_bias_by_definition(p_cot: Any, ridge: Any) -> Any:
    r"""Distance ``|sigma(z) - (1 - p)/(1 + p)|``, as it reads; absolute accuracy only.

    Parameters
    ----------
    p_cot, ridge : float or array
        As in :func:`stop_agree_bias`.

    Returns
    -------
    float or array
        Equal to :func:`stop_agree_bias` up to a few times 1e-16, absolutely.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> round(stop_agree_bias_by_definition(0.5, 0.1), 8)
    0.03574489
    """
    z = regularised_stop_logit_agree(p_cot, ridge)
    p = number("p_cot", p_cot, 0, 1)
    return abs(sigmoid(z) - (1 - p) / (1 + p))


def stop_disagree_bias(p_cot: Any, ridge: Any) -> Any:
    r"""Probability of going on after y_1 = -x_1 at the regularised optimum; the true one is 0.

    Parameters
    ----------
    p_cot : float or array
        Share p of long demonstrations, in [0, 1).
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    float or array
        lambda z/(1 - p) with z from :func:`regularised_stop_logit_disagree`; at most 1/2.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the optimality condition itself.

    Examples
    --------
    >>> round(stop_disagree_bias(0.2, 0.1), 8), round(stop_disagree_bias_by_definition(0.2, 0.1), 8)
    (0.1851936, 0.1851936)
    """
    z = regularised_stop_logit_disagree(p_cot, ridge)
    p = number("p_cot", p_cot, 0, 1, open_high=True)
    # The share first: lambda/(1 - p) may overflow where the product does not.
    return ridge_number("ridge", ridge) * (z / (1 - p))


def stop_disagree_bias_by_definition(p_cot: Any, ridge: Any) -> Any:
    r"""Probability ``sigma(-z)`` of going on, as it reads; here the definition loses no digits either.

    Parameters
    ----------
    p_cot, ridge : float or array
        As in :func:`stop_disagree_bias`.

    Returns
    -------
    float or array
        Equal to :func:`stop_disagree_bias` up to rounding.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> round(stop_disagree_bias_by_definition(0.5, 0.01), 8)
    0.05635978
    """
    return sigmoid(-regularised_stop_logit_disagree(p_cot, ridge))


def chain_bias(ridge: Any) -> Any:
    r"""Probability of a wrong token at a position l >= 2 at the regularised optimum; the true one is 0.

    Parameters
    ----------
    ridge : float or array
        Ridge lambda > 0.

    Returns
    -------
    float or array
        lambda w with w from :func:`regularised_chain_weight`; at most 1/2.

    Raises
    ------
    ValueError
        If `ridge` is not positive.

    Notes
    -----
    Derived here: the optimality condition itself.

    Examples
    --------
    >>> round(chain_bias(0.1), 8), round(chain_bias_by_definition(0.1), 8)
    (0.16335062, 0.16335062)
    """
    return ridge_number("ridge", ridge) * regularised_chain_weight(ridge)


def chain_bias_by_definition(ridge: Any) -> Any:
    r"""Probability ``sigma(-w)`` of a wrong token, as it reads.

    Parameters
    ----------
    ridge : float or array
        As in :func:`chain_bias`.

    Returns
    -------
    float or array
        Equal to :func:`chain_bias` up to rounding.

    Raises
    ------
    ValueError
        If `ridge` is not positive.

    Examples
    --------
    >>> round(chain_bias_by_definition(0.001), 8)
    0.00524519
    """
    return sigmoid(-regularised_chain_weight(ridge))


def regularised_long_share(p_cot: Any, ridge_first: Any, ridge_stop: Any, *, correct_start: bool = True) -> Any:
    r"""Share of long answers sampled at temperature 1 from the regularised optimum.

    Parameters
    ----------
    p_cot : float or array
        Share p of long demonstrations, in [0, 1).
    ridge_first, ridge_stop : float or array
        Ridges of position 1 and of the stop position, positive.
    correct_start : bool
        True counts the answers that start with x_1 and go on; False counts every answer that goes on.

    Returns
    -------
    float or array
        u (1 - v), plus (1 - u)(1 - v') if `correct_start` is False, where u = P(y_1 = x_1), v and v' the
        probabilities of EOS after an agreeing and a disagreeing first token.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here; equal to p without ridge. Chain errors change neither share.

    Examples
    --------
    >>> round(regularised_long_share(0.05, 1e-3, 1e-3), 5)
    0.0511
    """
    p = number("p_cot", p_cot, 0, 1, open_high=True)
    ridge_first = ridge_number("ridge_first", ridge_first)
    ridge_stop = ridge_number("ridge_stop", ridge_stop)
    u = (1 + p) / 2 - first_token_bias(p, ridge_first)
    go_on = sigmoid(-regularised_stop_logit_agree(p, ridge_stop))
    share = u * go_on
    return share if correct_start else share + (1 - u) * stop_disagree_bias(p, ridge_stop)
