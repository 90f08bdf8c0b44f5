"""Reading one value a position: 1, 2a (first token, stop or go on), then l = 2..d (the chain)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sims._validate import integer, real

__all__ = ["HEADS", "per_position", "ridge_values", "step_values"]

HEADS = ("first", "stop", "chain")


def per_position(name: str, value: Any, d: int, read: Callable[[str, Any], Any], missing: Any = None) -> list[Any]:
    """Return d + 1 checked values, in the order first, stop, l = 2..d.

    `value` is one number for all, a mapping with the keys first, stop and chain (one number or d - 1), or a sequence of
    d + 1. A key left out takes the value `missing`, where that is not None.
    """
    if isinstance(value, Mapping):
        unknown = [key for key in value if key not in HEADS]
        lacking = [] if missing is not None else [key for key in HEADS if key not in value]
        if unknown or lacking:
            raise ValueError(f"{name} as a mapping must have the keys {', '.join(HEADS)}, got {list(value)!r}")
        chain = value.get("chain", missing)
        if isinstance(chain, (list, tuple)) or (isinstance(chain, np.ndarray) and chain.ndim > 0):
            links = [read(f"{name}['chain']", item) for item in chain]
            if len(links) != d - 1:
                raise ValueError(f"{name}['chain'] must be one number or d - 1 = {d - 1} of them, got {len(links)}")
        else:
            links = [read(f"{name}['chain']", chain)] * (d - 1)
        return [read(f"{name}[{key!r}]", value.get(key, missing)) for key in HEADS[:2]] + links
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0):
        if len(value) != d + 1:
            raise ValueError(
                f"{name} as a sequence must hold d + 1 = {d + 1} numbers (first, stop, l = 2..d), got {len(value)}"
            )
        return [read(name, item) for item in value]
    return [read(name, value)] * (d + 1)


def ridge_values(value: Any, d: int) -> np.ndarray:
    """Return lambda at the d + 1 positions, each at least 1e-12."""
    return np.array(per_position("ridge", value, d, lambda name, item: real(name, item, 1e-12, 1e12)))


def step_values(value: Any, d: int, n_samples: int) -> np.ndarray:
    """Return the caps on the steps of the d + 1 positions; None is no cap."""
    if value is None:
        return np.full(d + 1, n_samples, np.int64)
    caps = per_position("n_steps", value, d, lambda name, item: integer(name, item, 0), n_samples)
    return np.array([min(cap, n_samples) for cap in caps], np.int64)
