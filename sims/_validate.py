"""Checks at the public edge of :mod:`sims`: plain numbers only.

Every check raises ``ValueError`` naming the argument, the value received and the range
allowed, before any work is done.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

__all__ = ["choice", "integer", "real", "seeds", "signs"]

MOST_SEEDS = 10_000_000


def real(
    name: str,
    value: Any,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    open_low: bool = False,
    open_high: bool = False,
) -> float:
    """Return `value` as a finite ``float`` inside the range, ends included unless open."""
    left = "(" if open_low or math.isinf(low) else "["
    right = ")" if open_high or math.isinf(high) else "]"
    message = f"{name} must be a real number in {left}{low}, {high}{right}, got {value!r}"
    if isinstance(value, (bool, np.bool_, str, bytes, complex, np.complexfloating)):
        raise ValueError(message)
    try:
        if np.ndim(value) != 0:
            raise ValueError(message)
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(message) from None
    outside = number < low or number > high or (open_low and number == low) or (open_high and number == high)
    if not math.isfinite(number) or outside:
        raise ValueError(message)
    return number


def integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an ``int`` in [low, high]; floats are refused, whole or not."""
    message = f"{name} must be an integer in [{low}, {'inf)' if high is None else f'{high}]'}, got {value!r}"
    if isinstance(value, (bool, np.bool_)):
        raise ValueError(message)
    try:
        number = operator.index(value)
    except TypeError:
        raise ValueError(message) from None
    if number < low or (high is not None and number > high):
        raise ValueError(message)
    if number >= 2**63:
        raise ValueError(f"{name} must be an integer below 2**63, got {number}")
    return number


def choice(name: str, value: Any, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of the `allowed` words."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return value


def seeds(value: Any) -> np.ndarray:
    """Return the seeds as a one-dimensional ``uint64`` array, one replicate each.

    An int is one seed; a sequence holds distinct ints in [0, 2**63), at most ten million of them.
    """
    is_sequence = isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim == 1)
    if isinstance(value, (str, bytes)) or (isinstance(value, Iterable) and not is_sequence):
        raise ValueError(f"seeds must be an int or a sequence of ints, got {value!r}")
    if is_sequence and len(value[:1]) == 0:
        raise ValueError("seeds must hold at least one seed, got an empty sequence")
    if is_sequence and len(value[MOST_SEEDS : MOST_SEEDS + 1]) > 0:
        raise ValueError(f"seeds must be at most {MOST_SEEDS} at a time, got more: {value[:3]!r} and so on")
    items = list(value) if is_sequence else [value]
    numbers = [integer("seeds", item, 0, 2**63 - 1) for item in items]
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"seeds must be distinct (equal seeds give equal replicates), got {value!r}")
    return np.array(numbers, dtype=np.uint64)


def signs(name: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    """Return `value` as a C-ordered ``int8`` array of -1 and +1 with the stated shape (None: free)."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be a rectangular array of -1 and +1, got {value!r}") from None
    fits = array.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, array.shape, strict=True))
    if not fits:
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}")
    if array.dtype.kind not in "if" or not np.isin(array, (-1, 1)).all():
        raise ValueError(f"{name} must hold only -1 and +1, got {array!r}")
    return np.ascontiguousarray(array, dtype=np.int8)
