"""Checks of the arguments that public functions of :mod:`theory` are given.

Closed forms accept floats, arrays, :class:`fractions.Fraction`, SymPy expressions
and Arb balls. A check returns the value in the form the formula works with, or raises
``ValueError`` naming the argument, the value received and the range allowed. A SymPy
expression with free symbols cannot be compared and passes; a ball is refused only
when it certainly leaves the range; one that is not a number means unknown and passes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

__all__ = ["choice", "integer", "real"]


def _range(low: float, high: float, open_low: bool, open_high: bool) -> str:
    left = "(" if open_low or math.isinf(low) else "["
    right = ")" if open_high or math.isinf(high) else "]"
    return f"{left}{low}, {high}{right}"


def _bounds(low: float, high: float, open_low: bool, open_high: bool) -> tuple[Callable[[Any], Any], ...]:
    """Return the two predicates "certainly too small" and "certainly too large"."""
    below = operator.le if open_low else operator.lt
    above = operator.ge if open_high else operator.gt
    return (lambda x: below(x, low)), (lambda x: above(x, high))


def real(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> Any:
    """Return `value` as a number or array inside the stated range.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : float, array_like, Fraction, sympy.Expr or flint.arb
        What the caller passed.
    low, high : float
        Ends of the range; infinite values are never allowed.
    open_low, open_high : bool
        Whether an end is excluded.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        Python and NumPy numbers become ``float``, sequences ``float64`` arrays;
        exact, symbolic and ball values stay as they are.

    Raises
    ------
    ValueError
        If the value is no real number, is NaN or infinite, or leaves the range.
    """
    too_small, too_large = _bounds(low, high, open_low, open_high)

    def refuse(bad: Any) -> ValueError:
        return ValueError(f"{name} must be a real number in {_range(low, high, open_low, open_high)}, got {bad!r}")

    if isinstance(value, (bool, np.bool_, str, bytes, complex, np.complexfloating)) or value is None:
        raise refuse(value)
    if isinstance(value, Fraction):
        if too_small(value) or too_large(value):
            raise refuse(value)
        return value
    home = type(value).__module__.split(".")[0]
    if home == "sympy":
        import sympy

        if not isinstance(value, sympy.Expr):
            raise refuse(value)
        if value.is_number:
            try:
                if not value.is_real or bool(too_small(value)) or bool(too_large(value)):
                    raise refuse(value)
            except TypeError:  # a comparison that cannot be decided
                raise refuse(value) from None
        return value
    if home == "flint":
        try:
            if too_small(value) or too_large(value):
                raise refuse(value)
        except TypeError:  # no ball on the real line
            raise refuse(value) from None
        return value
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "iuf" and not isinstance(value, int):
            raise refuse(value)
        with np.errstate(over="ignore"):
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise refuse(value) from None
    bad = ~np.isfinite(array) | too_small(array) | too_large(array)
    if bad.any():
        raise refuse(float(array[bad].flat[0]))
    return float(array) if array.ndim == 0 else array


def integer(name: str, value: Any, low: int, high: int | None = None) -> Any:
    """Return `value` as an ``int`` or integer array inside [low, high].

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : int, array_like of int, or sympy.Expr
        What the caller passed; floats are refused, whole or not.
    low, high : int
        Ends of the range, both included; ``high=None`` means no upper end below 2**63.

    Returns
    -------
    int, numpy.ndarray or sympy.Expr
        A Python ``int``, an ``int64`` array, or the symbol itself.

    Raises
    ------
    ValueError
        If the value is no integer or leaves the range.
    """
    shown = f"[{low}, {'inf)' if high is None else f'{high}]'}"

    def refuse(bad: Any) -> ValueError:
        return ValueError(f"{name} must be an integer in {shown}, got {bad!r}")

    if isinstance(value, (bool, np.bool_, str, bytes)) or value is None:
        raise refuse(value)
    if type(value).__module__.split(".")[0] == "sympy":
        import sympy

        if not isinstance(value, sympy.Expr):
            raise refuse(value)
        if value.is_number and (value.is_integer is not True or value < low or (high is not None and value > high)):
            raise refuse(value)
        return value
    try:
        number = operator.index(value)
    except TypeError:
        try:
            array = np.asarray(value)
        except (TypeError, ValueError, OverflowError):
            raise refuse(value) from None
        if array.dtype.kind not in "iu" or array.ndim == 0:
            raise refuse(value) from None
        largest = np.iinfo(np.int64).max
        bad = (array < low) | (array > (largest if high is None else min(high, largest)))
        if bad.any():
            raise refuse(int(array[bad].flat[0])) from None
        return array.astype(np.int64)
    if number < low or (high is not None and number > high):
        raise refuse(number)
    if high is None and number >= 2**63:
        raise ValueError(f"{name} must be an integer below 2**63, got {number}")
    return number


def choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of the `allowed` words, else raise ``ValueError``."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return value
