"""What the experiments of this package share: keys, subsets, and the labelled result."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._streams import mix_seed, philox_block, uniform_pair
from sims._validate import integer

if TYPE_CHECKING:
    import xarray

__all__ = ["flag", "key_of", "labelled", "random_subset", "records", "subset_of"]

CELL = np.uint64(61)  # names these experiments in a replicate's key
SUBSET = np.uint64(18)  # stream
ONE = np.uint64(1)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def key_of(seed: np.uint64) -> np.uint64:
    """The key of a replicate."""
    # A compiled function returns a plain int, which would be typed anew, by its size, where it is passed on.
    return np.uint64(mix_seed(seed, CELL))


@kernel
def random_subset(key, d, size, out):  # type: ignore[no-untyped-def]
    """Set bits of out[: ceil(d/64)]: each by a coin where size < 0, else a uniform set of `size` of the d."""
    words = (d + 63) // 64
    if size < 0:
        for block in range((words + 1) // 2):
            a, b, c, e = philox_block(key, SUBSET, 0, block)
            out[2 * block] = a | (b << np.uint64(32))
            if 2 * block + 1 < words:
                out[2 * block + 1] = c | (e << np.uint64(32))
        if d % 64:
            out[words - 1] &= (ONE << np.uint64(d % 64)) - ONE
        return
    for w in range(words):
        out[w] = np.uint64(0)
    left = size
    for i in range(d):  # selection sampling
        u, _ = uniform_pair(key, SUBSET, 1, i)
        if u * (d - i) < left:
            out[i >> 6] |= ONE << np.uint64(i & 63)
            left -= 1


def subset_of(key: np.uint64, d: int, size: int | None) -> np.ndarray:
    """The hidden subset of a replicate, as words of bits."""
    bits = np.zeros((d + 63) // 64, np.uint64)
    random_subset(key, d, -1 if size is None else size, bits)
    return bits


def flag(name: str, value: Any) -> bool:
    """Return a truth value, and nothing else as one."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def class_size(d: int, size: int | None) -> int:
    """Number of parities of the class."""
    return 2**d if size is None else math.comb(d, size)


def records(record_at: Any, n_samples: int) -> list[int]:
    """Increasing counts of samples at which to look; the last one alone by default."""
    if record_at is None:
        return [n_samples]
    if not isinstance(record_at, (list, tuple, range, np.ndarray)) or np.ndim(record_at) != 1 or len(record_at) == 0:
        raise ValueError(f"record_at must be an increasing sequence of integers, got {record_at!r}")
    found = [integer("record_at", value, 0, n_samples) for value in record_at]
    if any(left >= right for left, right in itertools.pairwise(found)):
        raise ValueError(f"record_at must be increasing, got {record_at!r}")
    return found


def labelled(
    columns: dict[str, tuple[tuple[str, ...], Any, str, str]],
    replicates: np.ndarray,
    attributes: dict[str, Any],
    coordinates: dict[str, Any] | None = None,
) -> xarray.Dataset:
    """Name the arrays: dimensions after ``replicate``, values, units, meaning."""
    import xarray

    variables = {
        name: (("replicate", *dims), values, {"units": units, "long_name": meaning})
        for name, (dims, values, units, meaning) in columns.items()
    }
    return xarray.Dataset(
        variables, {"seed": ("replicate", replicates.astype(np.int64)), **(coordinates or {})}, attributes
    )
