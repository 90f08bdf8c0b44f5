"""The fast Walsh-Hadamard transform, in place and in two sweeps through memory.

Entry S of the transform of v is the sum of v[x] (-1)^(number of common bits of S and x). One level replaces the pairs
(u, w) whose indices differ in one bit by (u + w, u - w); the levels are taken from the lowest bit to the highest,
whatever the blocking, so all programs below give the same bits as the plain loop over levels.

The lowest 12 levels stay within blocks of 32 KiB. The others pair entries 4096 or more apart: strips of
neighbouring columns are copied into a buffer, where their rows are transformed, and back, since rows a power of two
apart would otherwise share one set of the cache.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sims._kernels import kernel

__all__ = ["LARGEST", "transform", "walsh_hadamard"]

LARGEST = 24  # of d: 128 MiB
LOW = 12  # levels done within a block
STRIP = 32  # neighbouring columns of the high levels
FOUR = ir.VectorType(ir.DoubleType(), 4)


def _vector(function: Callable[..., Any]) -> Any:
    """Make the function below part of compiled code; its first argument is numba's own."""
    return intrinsic(function)


def _vector_levels(levels: int) -> Callable[..., Any]:
    """Code for 1 to 3 levels on four neighbouring columns of the rows p, p + h, p + 2h...

    Numba vectorises such loops only after checks that its slices do not overlap, which cost more than the work.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        position, distance = arguments[1], arguments[2]
        places, rows = [], []
        for _ in range(1 << levels):
            places.append(builder.bitcast(builder.gep(data, [position]), FOUR.as_pointer()))
            rows.append(builder.load(places[-1], align=8))
            position = builder.add(position, distance)
        for level in range(levels):
            for i in range(1 << levels):
                if not i >> level & 1:
                    j = i | 1 << level
                    rows[i], rows[j] = builder.fadd(rows[i], rows[j]), builder.fsub(rows[i], rows[j])
        for place, row in zip(places, rows, strict=True):
            builder.store(row, place, align=8)
        return context.get_dummy_value()

    return generate


@_vector
def _one_level(typing_context, array, position, distance):  # type: ignore[no-untyped-def]
    """One level on array[position : position + 4] and the row `distance` further."""
    return types.void(array, types.int64, types.int64), _vector_levels(1)


@_vector
def _two_levels(typing_context, array, position, distance):  # type: ignore[no-untyped-def]
    """Two levels on four such rows."""
    return types.void(array, types.int64, types.int64), _vector_levels(2)


@_vector
def _three_levels(typing_context, array, position, distance):  # type: ignore[no-untyped-def]
    """Three levels on eight such rows."""
    return types.void(array, types.int64, types.int64), _vector_levels(3)


@kernel
def _first_three(block):  # type: ignore[no-untyped-def]
    """The three lowest levels, eight entries at a time."""
    for i in range(0, len(block), 8):
        a, b, c, d = block[i], block[i + 1], block[i + 2], block[i + 3]
        e, f, g, h = block[i + 4], block[i + 5], block[i + 6], block[i + 7]
        a, b, c, d, e, f, g, h = a + b, a - b, c + d, c - d, e + f, e - f, g + h, g - h
        a, b, c, d, e, f, g, h = a + c, b + d, a - c, b - d, e + g, f + h, e - g, f - h
        block[i], block[i + 1], block[i + 2], block[i + 3] = a + e, b + f, c + g, d + h
        block[i + 4], block[i + 5], block[i + 6], block[i + 7] = a - e, b - f, c - g, d - h


@kernel
def _levels(values, start, n, first):  # type: ignore[no-untyped-def]
    """All levels of values[start : start + n] from the one that pairs entries `first` >= 4 apart on."""
    h = first
    while 4 * h < n:
        for i in range(start, start + n, 8 * h):
            for j in range(i, i + h, 4):
                _three_levels(values, j, h)
        h *= 8
    if 2 * h < n:
        for i in range(start, start + n, 4 * h):
            for j in range(i, i + h, 4):
                _two_levels(values, j, h)
    elif h < n:
        for i in range(start, start + n, 2 * h):
            for j in range(i, i + h, 4):
                _one_level(values, j, h)


@kernel
def _low_levels(values, size, first, last):  # type: ignore[no-untyped-def]
    """Transform the blocks first..last-1 of `size` entries each."""
    for k in range(first, last):
        if size >= 8:
            _first_three(values[k * size : (k + 1) * size])
            _levels(values, k * size, size, 8)
        elif size == 4:
            a, b, c, d = values[0], values[1], values[2], values[3]
            a, b, c, d = a + b, a - b, c + d, c - d
            values[0], values[1], values[2], values[3] = a + c, b + d, a - c, b - d
        elif size == 2:
            values[0], values[1] = values[0] + values[1], values[0] - values[1]


@kernel
def _high_levels(values, size, first, last, buffer):  # type: ignore[no-untyped-def]
    """The levels above a block, on the strips first..last-1 of the columns of the matrix with rows of `size`."""
    rows = len(values) // size
    for k in range(first, last):
        column = k * STRIP
        for r in range(rows):
            start = r * size + column
            for j in range(STRIP):
                buffer[r * STRIP + j] = values[start + j]
        _levels(buffer, 0, rows * STRIP, STRIP)
        for r in range(rows):
            start = r * size + column
            for j in range(STRIP):
                values[start + j] = buffer[r * STRIP + j]


def _shares(count: int, threads: int) -> list[tuple[int, int]]:
    ends = [count * k // threads for k in range(threads + 1)]
    return [(a, b) for a, b in itertools.pairwise(ends) if a < b]


def transform(values: np.ndarray, threads: int = 1) -> None:
    """Transform contiguous float64 `values`, whose length is a power of two, in place.

    Time O(d 2^d) in two sweeps; memory 256 * 2^(d-12) bytes for each thread beside the values.
    """
    n = len(values)
    size = min(n, 1 << LOW)
    blocks = n // size
    if threads == 1 or blocks < threads:
        _low_levels(values, size, 0, blocks)
        if blocks > 1:
            _high_levels(values, size, 0, size // STRIP, np.empty(blocks * STRIP))
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda ends: _low_levels(values, size, *ends), _shares(blocks, threads)))
        strips = _shares(size // STRIP, threads)
        list(pool.map(lambda ends: _high_levels(values, size, *ends, np.empty(blocks * STRIP)), strips))


def walsh_hadamard(values: np.ndarray, *, threads: int = 1, overwrite: bool = False) -> np.ndarray:
    """Fast Walsh-Hadamard transform of 2^d numbers: for every S the sum of v[x] (-1)^(common bits of S and x).

    Parameters
    ----------
    values : array
        2^d real numbers of size at most 1e300, d from 0 to 24. Bit i of an index is set where x_(i+1) = -1.
    threads : int, optional
        From 1 to 64; the result has the same bits for any number.
    overwrite : bool, optional
        Work in `values` itself, which must then be contiguous float64.

    Returns
    -------
    numpy.ndarray
        In natural order, not normalised: divided by 2^d it holds the Walsh coefficients E[v chi_S]. Applied twice it
        gives 2^d times the input.

    Raises
    ------
    ValueError
        Where the length is no such power of two, or outside the ranges above.

    Notes
    -----
    Time O(d 2^d) in two sweeps through memory; no memory beyond the result but 256 * 2^(d-12) bytes a thread.

    Examples
    --------
    >>> walsh_hadamard([1.0, 2.0, 3.0, 4.0]).tolist()
    [10.0, -2.0, -4.0, 0.0]
    """
    from sims._validate import integer

    threads = integer("threads", threads, 1, 64)
    if not isinstance(overwrite, (bool, np.bool_)):
        raise ValueError(f"overwrite must be True or False, got {overwrite!r}")
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        raise ValueError(f"values must be 2^d real numbers, got {values!r}") from None
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise ValueError(f"values must be one row of real numbers, got {values!r}")
    if not 0 < len(array) <= 1 << LARGEST or len(array) & (len(array) - 1):
        raise ValueError(f"values must hold 2^d numbers, d in [0, {LARGEST}], got {len(array)}")
    if not (np.abs(array.astype(np.float64)) <= 1e300).all():  # sums of 2^24 of them stay finite
        raise ValueError("values must be real numbers in [-1e300, 1e300]")
    if overwrite:
        if array is not values or array.dtype != np.float64 or not (array.flags.c_contiguous and array.flags.writeable):
            raise ValueError("values must be a contiguous, writeable float64 array to be overwritten")
        work = array
    else:
        work = np.array(array, dtype=np.float64, order="C")
    transform(work, threads)
    return work
