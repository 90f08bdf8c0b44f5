r"""Squared Walsh coefficients of a predictor's gradient at all 2^d parities.

The gradient of a two-layer network has the components phi(z_j), a_j phi'(z_j) x_i, a_j phi'(z_j) and 1. A factor x_i
moves a coefficient from S to S with i added or removed, so two transforms a hidden unit give the spectrum of all
d + 2 components of it. Prompts carry weights: 1 each, or the counts of a batch.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np

from sims._kernels import kernel
from sims.hardness._networks import preactivation
from sims.hardness._transform import transform
from sims.linear_model._vectors import bit_count
from sims.parity_mixture import PROMPT, _prompt_bits

__all__ = ["batch_counts", "monomial_spectrum", "network_spectrum", "summary"]


@kernel
def batch_counts(key, d, first, last, counts):  # type: ignore[no-untyped-def]
    """Count the prompts first..last-1 of a batch."""
    bits = np.empty(1, np.uint64)
    for step in range(first, last):
        _prompt_bits(key, PROMPT, step, d, bits)
        counts[np.int64(bits[0])] += 1.0


@kernel
def _unit(z, outer, relu, counts, value, slope):  # type: ignore[no-untyped-def]
    """Weighted phi(z) and a phi'(z) of one unit on all prompts, and the sums of their unweighted squares."""
    value_square = 0.0
    slope_square = 0.0
    for r in range(len(z)):
        if relu:
            v = max(z[r], 0.0)
            s = outer if z[r] > 0.0 else 0.0
        else:
            v = np.tanh(z[r])
            s = outer * (1.0 - v * v)
        value_square += v * v
        slope_square += s * s
        value[r] = v * counts[r]
        slope[r] = s * counts[r]
    return value_square, slope_square


@kernel
def _add_squares(values, scale, total):  # type: ignore[no-untyped-def]
    for r in range(len(values)):
        v = values[r] * scale
        total[r] += v * v


@kernel
def _add_neighbours(slopes, d, total):  # type: ignore[no-untyped-def]
    """Add what the factors 1, x_1, ..., x_d make of the squared coefficients `slopes`."""
    for r in range(len(slopes)):
        moved = slopes[r]
        for i in range(d):
            moved += slopes[r ^ (1 << i)]
        total[r] += moved


def network_spectrum(
    w: np.ndarray,
    b: np.ndarray,
    a: np.ndarray,
    relu: bool,
    inner: bool,
    counts: np.ndarray,
    weight: float,
    threads: int,
) -> tuple[np.ndarray, float]:
    """Squared coefficients |E[chi_S grad f]|^2 over all S, and E|grad f|^2 over all prompts.

    `inner`: W, b and c are weights too. `counts`/`weight` is the law of the prompt. Time O(m d 2^d), memory 48 * 2^d
    bytes.
    """
    d, n = w.shape[0], len(counts)
    z, value, slope = np.empty(n), np.empty(n), np.empty(n)
    total, slopes = np.zeros(n), np.zeros(n)
    square = 0.0
    for j in range(len(a)):
        preactivation(w, j, b[j], z)
        value_square, slope_square = _unit(z, a[j], relu, counts, value, slope)
        square += value_square / n
        transform(value, threads)
        _add_squares(value, 1.0 / weight, total)
        if inner:
            square += (d + 1) * slope_square / n
            transform(slope, threads)
            _add_squares(slope, 1.0 / weight, slopes)
    if inner:
        _add_neighbours(slopes, d, total)
        value[:] = counts
        transform(value, threads)
        _add_squares(value, 1.0 / weight, total)
        square += 1.0
    return total, square


@kernel
def _monomial(mask, counts, values):  # type: ignore[no-untyped-def]
    for r in range(len(values)):
        values[r] = -counts[r] if bit_count(np.uint64(r) & mask) & np.uint64(1) else counts[r]


def monomial_spectrum(d: int, degree: int, counts: np.ndarray, weight: float, threads: int) -> tuple[np.ndarray, float]:
    """The same for a linear predictor on all products of `degree` signs; O(C(d, degree) d 2^d)."""
    values, total = np.empty(len(counts)), np.zeros(len(counts))
    for chosen in combinations(range(d), degree):
        _monomial(np.uint64(sum(1 << i for i in chosen)), counts, values)
        transform(values, threads)
        _add_squares(values, 1.0 / weight, total)
    return total, float(comb(d, degree))


@kernel
def summary(total, d, thresholds, by_degree, largest, exceeding):  # type: ignore[no-untyped-def]
    """Sums and maxima by degree, and how many reach each threshold; returns where the largest lies."""
    best = 0
    by_degree[:] = 0.0
    largest[:] = 0.0
    exceeding[:] = 0
    for r in range(len(total)):
        k = np.int64(bit_count(np.uint64(r)))
        by_degree[k] += total[r]
        if total[r] > largest[k]:
            largest[k] = total[r]
        if total[r] > total[best]:
            best = r
        for t in range(len(thresholds)):
            exceeding[t] += total[r] >= thresholds[t]
    return best
