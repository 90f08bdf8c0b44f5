"""Small compiled helpers of the mid-training simulators, the names of their experiments, and array checks.

Every experiment has a constant that enters the key of its streams, so that equal seeds give
unrelated draws in different experiments.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sims._kernels import kernel
from sims._streams import mix_seed, uniform_pair
from sims._validate import integer

__all__ = ["CELLS", "draw_category", "index_table", "law", "real_table", "replicate_key", "uniform"]

CELLS = {
    "elimination": 501,
    "count_rule": 502,
    "unseen": 503,
    "independent": 504,
    "typed": 505,
    "footprint": 506,
    "semi_mdp": 507,
    "option": 508,
    "lock": 509,
    "macros": 510,
    "macro_text": 511,
    "skills": 512,
    "skill_text": 513,
    "skill_tasks": 514,
    "fit": 515,
    "sampled_fit": 516,
    "policy": 517,
    "segmental": 518,
}


@kernel
def uniform(key, stream, step, block):  # type: ignore[no-untyped-def]
    """One uniform number in [0, 1)."""
    first, _ = uniform_pair(key, stream, step, block)
    return first


@kernel
def draw_category(cumulative, u):  # type: ignore[no-untyped-def]
    """The first index whose cumulative probability exceeds u, by bisection; the last one if rounding leaves none."""
    low, high = 0, cumulative.shape[0] - 1
    while low < high:
        middle = (low + high) // 2
        if cumulative[middle] > u:
            high = middle
        else:
            low = middle + 1
    return low


def replicate_key(seed: Any, experiment: str) -> np.uint64:
    """The key of one replicate of an experiment, always of the type that the kernels were compiled for."""
    return np.uint64(mix_seed(np.uint64(seed), np.uint64(CELLS[experiment])))


def law(name: str, value: Any, *, complete: bool = True) -> np.ndarray:
    """Return a probability vector (total one, or at most one if not `complete`) as ``float64``."""
    array = real_table(name, value, 1, 0.0, 1.0)
    total = float(array.sum())
    if total > 1.0 + 1e-9 or (complete and total < 1.0 - 1e-9):
        raise ValueError(f"{name} must be probabilities with total {'1' if complete else '<= 1'}, got total {total!r}")
    return array


def real_table(name: str, value: Any, n_dims: int, low: float = -np.inf, high: float = np.inf) -> np.ndarray:
    """Return a non-empty C-ordered ``float64`` array with `n_dims` dimensions and finite entries in [low, high]."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be a rectangular array of real numbers, got {value!r}") from None
    if array.ndim != n_dims or array.size == 0 or array.dtype.kind not in "iuf":
        raise ValueError(
            f"{name} must be a non-empty array of real numbers with {n_dims} dimensions, got shape {array.shape}"
        )
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(array).all() or array.min() < low or array.max() > high:
        raise ValueError(f"{name} must hold real numbers in [{low}, {high}], got {array!r}")
    return array


def index_table(name: str, value: Any, n_dims: int, size: int) -> np.ndarray:
    """Return a non-empty C-ordered ``int64`` array with `n_dims` dimensions and entries in [0, size - 1]."""
    integer("size", size, 1)
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be a rectangular array of integers, got {value!r}") from None
    if array.ndim != n_dims or array.size == 0 or array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be a non-empty array of integers with {n_dims} dimensions, got shape {array.shape}"
        )
    array = np.ascontiguousarray(array, dtype=np.int64)
    if array.min() < 0 or array.max() >= size:
        raise ValueError(f"{name} must hold integers in [0, {size - 1}], got values in [{array.min()}, {array.max()}]")
    return array
