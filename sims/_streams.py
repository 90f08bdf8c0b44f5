"""Counter-based random streams: a draw is a pure function of (seed, stream, step, block).

Philox4x32-10 (Salmon et al., SC 2011) turns a 64-bit key and a 128-bit counter into four
32-bit words. The key comes from the replicate's seed, so replicates need no shared state and
any number of workers draws the same bits; the counter holds the stream (what the draw is
for), the step and the block within the step, so any draw can be repeated alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload

from sims._kernels import kernel

__all__ = ["mix_seed", "philox", "philox_block", "uniform_pair"]

MULTIPLIER_0 = np.uint64(0xD2511F53)
MULTIPLIER_1 = np.uint64(0xCD9E8D57)
WEYL_0 = np.uint64(0x9E3779B9)
WEYL_1 = np.uint64(0xBB67AE85)
MASK = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


@kernel
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Four 32-bit words (as ``uint64``) from the counter (c0, c1, c2, c3) and the key (k0, k1)."""
    for _ in range(10):
        product_0 = MULTIPLIER_0 * c0
        product_1 = MULTIPLIER_1 * c2
        c0 = (product_1 >> HALF) ^ c1 ^ k0
        c1 = product_1 & MASK
        c2 = (product_0 >> HALF) ^ c3 ^ k1
        c3 = product_0 & MASK
        k0 = (k0 + WEYL_0) & MASK
        k1 = (k1 + WEYL_1) & MASK
    return c0, c1, c2, c3


@kernel
def _mixed(seed, cell):  # type: ignore[no-untyped-def]
    """Splitmix64 of the seed, then of the seed's image and the cell."""
    z = np.uint64(seed)
    for word in (np.uint64(0), np.uint64(cell)):
        z = z ^ word
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return z


def mix_seed(seed: Any, cell: Any) -> np.uint64:
    """The 64-bit key of a replicate, for its seed and the cell (the experiment's own constant).

    Callable from Python and from kernels. From Python the key is a NumPy scalar, because a Python int
    above 2**63 does not enter a kernel again.
    """
    return np.uint64(_mixed(np.uint64(seed), np.uint64(cell)))


@overload(mix_seed)
def _mix_seed_in_kernels(seed, cell):  # type: ignore[no-untyped-def]
    # Numba compares this signature with that of what it returns, annotations included.
    return lambda seed, cell: _mixed(seed, cell)


@kernel
def philox_block(key, stream, step, block):  # type: ignore[no-untyped-def]
    """Four 32-bit words addressed by (key, stream, step, block); step < 2**64, stream and block < 2**32."""
    wide = np.uint64(step)
    return philox(
        np.uint64(block) & MASK,
        wide & MASK,
        wide >> HALF,
        np.uint64(stream) & MASK,
        np.uint64(key) & MASK,
        np.uint64(key) >> HALF,
    )


@kernel
def uniform_pair(key, stream, step, block):  # type: ignore[no-untyped-def]
    """Two independent uniforms in [0, 1) with 53 bits each."""
    a, b, c, d = philox_block(key, stream, step, block)
    scale = 1.0 / 9007199254740992.0
    first = float((a >> np.uint64(5)) * np.uint64(67108864) + (b >> np.uint64(6))) * scale
    second = float((c >> np.uint64(5)) * np.uint64(67108864) + (d >> np.uint64(6))) * scale
    return first, second
