"""Elementary functions that follow the type of their argument.

One formula serves numbers, arrays, exact rationals, SymPy expressions and Arb balls,
so that what a proof looks at is the function a user calls. A Fraction leaves the
rationals here and becomes a float.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["exp", "expm1", "is_symbolic", "lambertw", "log", "log1p", "sigmoid", "sqrt"]


def _home(x: Any) -> str:
    return type(x).__module__.split(".")[0]


def is_symbolic(x: Any) -> bool:
    """Whether `x` is a SymPy expression."""
    return _home(x) == "sympy"


def _dispatch(x: Any, name: str, on_float: Any) -> Any:
    home = _home(x)
    if home == "sympy":
        import sympy

        return getattr(sympy, name)(x)
    if home == "flint":
        return getattr(x, name)()
    if isinstance(x, np.ndarray):
        return on_float(x)
    return float(on_float(float(x)))


def exp(x: Any) -> Any:
    """Exponential."""
    return _dispatch(x, "exp", np.exp)


def log(x: Any) -> Any:
    """Natural logarithm."""
    return _dispatch(x, "log", np.log)


def sqrt(x: Any) -> Any:
    """Non-negative square root."""
    return _dispatch(x, "sqrt", np.sqrt)


def log1p(x: Any) -> Any:
    """``log(1 + x)``, accurate for small `x`."""
    return log(1 + x) if _home(x) == "sympy" else _dispatch(x, "log1p", np.log1p)


def expm1(x: Any) -> Any:
    """``exp(x) - 1``, accurate for small `x`."""
    return exp(x) - 1 if _home(x) == "sympy" else _dispatch(x, "expm1", np.expm1)


def sigmoid(x: Any) -> Any:
    """Logistic function ``1 / (1 + exp(-x))``, without overflow on floats."""
    if isinstance(x, np.ndarray):
        damped = np.exp(-np.abs(x))
        return np.where(x >= 0, 1 / (1 + damped), damped / (1 + damped))
    if _home(x) in ("sympy", "flint"):
        return 1 / (1 + exp(-x))
    small = math.exp(-abs(x))
    return 1 / (1 + small) if x >= 0 else small / (1 + small)


def lambertw(x: Any) -> Any:
    """Principal branch of Lambert's W on [0, inf): the w with ``w exp(w) = x``."""
    home = _home(x)
    if home == "sympy":
        import sympy

        return sympy.LambertW(x)
    if home == "flint":
        return x.lambertw()
    from scipy.special import lambertw as principal

    argument: Any = x if isinstance(x, np.ndarray) else float(x)
    value = np.real(principal(argument))
    return value if isinstance(x, np.ndarray) else float(value)
