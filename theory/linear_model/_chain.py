r"""What token errors do to a whole chain, and how small the ridge must be for it."""

from __future__ import annotations

from typing import Any

from theory._math import expm1, is_symbolic, log
from theory._validate import integer, real

__all__ = ["chain_accuracy", "critical_chain_error", "critical_chain_ridge"]


def chain_accuracy(token_error: Any, d: Any) -> Any:
    r"""Probability (1 - e)^(d - 1) that positions 2..d are all right when each errs with probability e.

    Parameters
    ----------
    token_error : number or array
        Probability e of a wrong token given a right prefix, in [0, 1].
    d : int, array of int or sympy.Expr
        Length of the prompt, at least 2.

    Returns
    -------
    number or array
        Probability of an exact chain after a right first token.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the tokens are drawn one after the other, each given its prefix.

    Examples
    --------
    >>> from fractions import Fraction
    >>> chain_accuracy(Fraction(1, 2), 3)
    Fraction(1, 4)
    """
    e = real("token_error", token_error, 0, 1)
    d = integer("d", d, 2)
    return (1 - e) ** (d - 1)


def critical_chain_error(d: Any) -> Any:
    r"""Token error 1 - 2^(-1/(d - 1)) at which a whole chain is right half the time.

    Parameters
    ----------
    d : int, array of int or sympy.Expr
        Length of the prompt, at least 2.

    Returns
    -------
    float, array or sympy.Expr
        The e with (1 - e)^(d - 1) = 1/2; about ln 2/(d - 1).

    Raises
    ------
    ValueError
        If `d` is no integer of at least 2.

    Notes
    -----
    Derived here. Numbers are evaluated as -expm1(-ln 2/(d - 1)), which keeps its digits for large d.

    Examples
    --------
    >>> critical_chain_error(2), round(critical_chain_error(20), 5)
    (0.5, 0.03582)
    """
    d = integer("d", d, 2)
    if is_symbolic(d):
        import sympy

        return 1 - sympy.Integer(2) ** (-1 / (d - 1))
    return -expm1(-log(2) / (d - 1))


def critical_chain_ridge(d: Any) -> Any:
    r"""Ridge at which the regularised optimum samples a whole chain right half the time.

    Parameters
    ----------
    d : int, array of int or sympy.Expr
        Length of the prompt, at least 3 (at d = 2 every ridge is small enough).

    Returns
    -------
    float, array or sympy.Expr
        e/ln((1 - e)/e) with e from :func:`critical_chain_error`; the optimum's chain is right more than half the
        time iff the ridge is below.

    Raises
    ------
    ValueError
        If `d` is no integer of at least 3.

    Notes
    -----
    Derived here: a token error e = sigma(-w) = lambda w means w = ln((1 - e)/e) and lambda = e/w, exactly; e
    increases with lambda.

    Examples
    --------
    >>> [round(critical_chain_ridge(d), 4) for d in (10, 20, 50, 100)]
    [0.0294, 0.0109, 0.0033, 0.0014]
    """
    d = integer("d", d, 3)
    e = critical_chain_error(d)
    return e / log((1 - e) / e)
