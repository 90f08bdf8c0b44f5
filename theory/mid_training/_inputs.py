"""Checks of vectors and tables at the public edge of :mod:`theory.mid_training`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from theory._validate import integer, real

__all__ = ["items", "law", "masks", "scalar", "subset_sizes", "table", "whole"]

SLACK = 1e-9  # a float law may miss its total by this much


def scalar(name: str, value: Any, low: float, high: float = math.inf, **ends: bool) -> float:
    """Return one float in the range, where arrays and symbols have no meaning."""
    checked = real(name, value, low, high, **ends)
    try:
        return float(checked)
    except TypeError:
        raise ValueError(f"{name} must be one real number, got {value!r}") from None


def whole(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return one ``int`` in the range, where arrays and symbols have no meaning."""
    checked = integer(name, value, low, high)
    try:
        return int(checked)
    except TypeError:
        raise ValueError(f"{name} must be one integer, got {value!r}") from None


def items(name: str, value: Any) -> list[Any]:
    """Return the entries of a sequence."""
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)) or np.ndim(value) == 0:
        raise ValueError(f"{name} must be a sequence, got {value!r}")
    return list(value)


def law(name: str, value: Any, *, complete: bool = True) -> np.ndarray:
    """Return a probability vector, ``float64`` or, if any entry is a Fraction, of dtype ``object``.

    `complete` asks for total one; otherwise the total may be anything up to one.
    """
    items = list(value) if isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes)) else None
    if not items or any(np.ndim(item) != 0 for item in items):
        raise ValueError(f"{name} must be a non-empty sequence of probabilities, got {value!r}")
    total_range = "1" if complete else "<= 1"
    refusal = ValueError(f"{name} must be probabilities in [0, 1] with total {total_range}, got {value!r}")
    if any(isinstance(item, Fraction) for item in items):
        exact = [Fraction(item) for item in items]
        total = sum(exact)
        if min(exact) < 0 or total > 1 or (complete and total != 1):
            raise refusal
        array = np.empty(len(exact), dtype=object)
        array[:] = exact
        return array
    array = np.asarray(real(name, items, 0, 1), dtype=np.float64)
    mass = float(array.sum())
    if mass > 1 + SLACK or (complete and mass < 1 - SLACK):
        raise refusal
    return array


def masks(name: str, value: Any, n_bits: int) -> list[int]:
    """Return a non-empty list of bit masks below ``2**n_bits``."""
    if isinstance(value, (str, bytes)) or np.ndim(value) != 1 or len(value) == 0:
        raise ValueError(f"{name} must be a non-empty sequence of integers in [0, {2**n_bits - 1}], got {value!r}")
    return [integer(name, item, 0, 2**n_bits - 1) for item in value]


def subset_sizes(n_options: Any, n_kept: Any) -> tuple[Any, Any]:
    """Check ``1 <= n_kept <= n_options`` where the two can be compared."""
    m = integer("n_options", n_options, 1)
    k = integer("n_kept", n_kept, 1)
    if not any(hasattr(x, "free_symbols") for x in (m, k)) and np.any(np.asarray(k) > np.asarray(m)):
        raise ValueError(f"n_kept must be an integer in [1, n_options], got {n_kept!r} with n_options {n_options!r}")
    return m, k


def table(
    name: str, value: Any, shape: tuple[int | None, ...], low: float = -np.inf, high: float = np.inf
) -> np.ndarray:
    """Return a ``float64`` array with finite entries in [low, high] and the stated shape (None: any positive size)."""
    array = np.asarray(real(name, value, low, high), dtype=np.float64)
    if array.ndim != len(shape) or any(
        got == 0 or want not in (None, got) for want, got in zip(shape, array.shape, strict=False)
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}")
    return array
