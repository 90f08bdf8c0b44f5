"""Plain numbers for the formulas that need a numerical solver."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theory._validate import real

__all__ = ["number", "plain", "ridge_number"]


def plain(name: str, value: Any) -> Any:
    """Return a validated value as float or float array; an expression with free symbols has none."""
    if isinstance(value, (float, np.ndarray)):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a real number without free symbols, got {value!r}") from None


def number(name: str, value: Any, low: float = -math.inf, high: float = math.inf, **ends: bool) -> Any:
    """Validate as :func:`theory._validate.real` does and return a float or float array."""
    return plain(name, real(name, value, low, high, **ends))


def ridge_number(name: str, value: Any) -> Any:
    """Return a positive ridge as float or float array."""
    return number(name, value, 0, open_low=True)
