"""Learners of a hidden parity: elimination, one-bit search, and noisy gradient descent on all monomials."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._streams import philox_block, uniform_pair
from sims._validate import integer, real
from sims._validate import seeds as checked_seeds
from sims.hardness._arguments import ONE, class_size, flag, key_of, labelled, subset_of
from sims.hardness._transform import _low_levels
from sims.linear_model._vectors import bit_count
from sims.parity_mixture import FRESH, PROMPT, _prompt_bits

if TYPE_CHECKING:
    import xarray

__all__ = ["gaussian_elimination", "noisy_gradient", "one_bit_search"]

GUESS, NOISE = np.uint64(19), np.uint64(20)  # streams
ZERO = np.uint64(0)


@kernel
def _label(bits, subset, words, flipped):  # type: ignore[no-untyped-def]
    total = ZERO
    for w in range(words):
        total ^= bit_count(bits[w] & subset[w]) & ONE
    return total ^ flipped


@kernel
def _eliminate(key, d, first, last, subset, flipped, affine, rows, labels, held, rank):  # type: ignore[no-untyped-def]
    """Reduce the labelled prompts first..last-1 into `rows`, each kept at its lowest bit; returns rank and last gain.

    rows (d + 1, words + 1), labels and held (d + 1): bit d is the constant. O(rank d/64) a prompt.
    """
    words = (d + 63) // 64
    columns = rows.shape[1]
    row = np.zeros(columns + 1, np.uint64)
    gained = -1
    for step in range(first, last):
        for w in range(columns):
            row[w] = ZERO
        _prompt_bits(key, PROMPT, step, d, row)
        label = _label(row, subset, words, flipped)
        if affine:
            row[d >> 6] |= ONE << np.uint64(d & 63)
        at = np.int64(-1)
        for w in range(columns):
            while row[w]:
                low = row[w] & (~row[w] + ONE)
                p = 64 * w + np.int64(bit_count(low - ONE))
                if not held[p]:
                    at = p
                    break
                for v in range(w, columns):
                    row[v] ^= rows[p, v]
                label ^= labels[p]
            if at >= 0:
                break
        if at >= 0:
            for w in range(columns):
                rows[at, w] = row[w]
            labels[at] = label
            held[at] = True
            rank += 1
            gained = step + 1
    return rank, gained


@kernel
def _solve(key, d, affine, rows, labels, held, found):  # type: ignore[no-untyped-def]
    """Back-substitute into found (words + 1), undetermined bits by coins; returns the constant's bit."""
    columns = rows.shape[1]
    for w in range(columns):
        found[w] = ZERO
    for p in range(d if affine else d - 1, -1, -1):
        if held[p]:
            value = labels[p]
            for w in range(columns):
                value ^= bit_count(rows[p, w] & found[w]) & ONE
        else:
            word, _, _, _ = philox_block(key, GUESS, p, 0)
            value = word & ONE
        if value:
            found[p >> 6] |= ONE << np.uint64(p & 63)
    constant = ZERO
    if affine:
        constant = (found[d >> 6] >> np.uint64(d & 63)) & ONE
        found[d >> 6] &= ~(ONE << np.uint64(d & 63))
    return constant


def gaussian_elimination(
    d: int, n_samples: int, seeds: int | Any, *, subset_size: int | None = None, affine: bool = False
) -> xarray.Dataset:
    """Learn a hidden parity from labelled prompts by elimination over GF(2).

    Parameters
    ----------
    d : int
        Number of signs, 1 <= d <= 4096.
    n_samples : int
        Labelled prompts for each seed, 0 <= n_samples <= 2^40.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    subset_size : int, optional
        Draw the subset among those of this size, from 0 to d; by default each sign is in it by a coin. The learner does
        not use it.
    affine : bool, optional
        All labels are flipped by an unknown coin, which is a further unknown.

    Returns
    -------
    xarray.Dataset
        Over (replicate,): ``rank`` of the equations (of d, or d + 1); ``needed``, prompts at which everything was
        determined, -1 where that did not happen; ``identified``, whether the solution with undetermined bits guessed
        is the hidden subset; ``correct``, whether it answers one fresh prompt rightly.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Time O(d^2/64) for each prompt, memory d^2/8 bytes; rows are packed, 64 bits a word.

    Examples
    --------
    >>> learned = gaussian_elimination(40, 80, seeds=range(5))
    >>> bool(learned.identified.all()), int(learned.needed.min()) >= 40
    (True, True)
    """
    d = integer("d", d, 1, 4096)
    n_samples = integer("n_samples", n_samples, 0, 2**40)
    replicates = checked_seeds(seeds)
    if subset_size is not None:
        subset_size = integer("subset_size", subset_size, 0, d)
    affine = flag("affine", affine)
    unknowns = d + int(affine)
    count, columns = len(replicates), (unknowns + 63) // 64
    rank, needed = np.zeros(count, np.int64), np.full(count, -1, np.int64)
    identified, correct = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    words = (d + 63) // 64
    for r, seed in enumerate(replicates):
        key = key_of(seed)
        subset = subset_of(key, d, subset_size)
        flipped = np.uint64(philox_block(key, GUESS, d + 1, 0)[0]) & ONE if affine else ZERO
        rows, labels = np.zeros((unknowns, columns), np.uint64), np.zeros(unknowns, np.uint64)
        held = np.zeros(unknowns, np.bool_)
        for first in range(0, n_samples, 1 << 16):  # an interrupt is heard between two calls
            last = min(first + (1 << 16), n_samples)
            rank[r], gained = _eliminate(
                key, d, first, last, subset, flipped, affine, rows, labels, held, np.int64(rank[r])
            )
            if rank[r] == unknowns:
                needed[r] = gained
                break
        found = np.zeros(columns + 1, np.uint64)
        constant = _solve(key, d, affine, rows, labels, held, found)
        identified[r] = bool((found[:words] == subset).all())
        fresh = np.zeros(words + 1, np.uint64)
        _prompt_bits(key, FRESH, 0, d, fresh)
        answer = _label(fresh, found, words, np.uint64(constant))
        correct[r] = answer == _label(fresh, subset, words, flipped)
    columns_out: dict[str, tuple[tuple[str, ...], Any, str, str]] = {
        "rank": ((), rank, "equations", "rank of the labelled prompts"),
        "needed": ((), needed, "samples", "prompts at which everything was determined, -1: never"),
        "identified": ((), identified, "1", "the hidden subset was named"),
        "correct": ((), correct, "1", "a fresh prompt was answered rightly"),
    }
    attributes = {
        "experiment": "hardness.gaussian_elimination",
        "d": d,
        "n_samples": n_samples,
        "subset_size": "any" if subset_size is None else subset_size,
        "affine": int(affine),
    }
    return labelled(columns_out, replicates, attributes)


@kernel
def _search(key, d, size, n_samples, subset):  # type: ignore[no-untyped-def]
    """Try candidates in turn, dropping one at its first wrong answer; returns the candidate held at the end."""
    candidate = (ONE << np.uint64(size)) - ONE if size > 0 else ZERO
    bits = np.zeros(2, np.uint64)
    tried = np.int64(1)
    for step in range(n_samples):
        _prompt_bits(key, PROMPT, step, d, bits)
        if bit_count(bits[0] & (candidate ^ subset)) & ONE:
            tried += 1
            if size < 0:
                candidate += ONE
            else:  # the next larger number with as many bits
                low = candidate & (~candidate + ONE)
                high = candidate + low
                candidate = high | (((candidate ^ high) >> np.uint64(2)) // low)
    return candidate, tried


def one_bit_search(d: int, n_samples: int, seeds: int | Any, *, subset_size: int | None = None) -> xarray.Dataset:
    """Look for a hidden parity with one bit from each demonstration: was the present candidate right on it?

    Parameters
    ----------
    d : int
        Number of signs, 1 <= d <= 62.
    n_samples : int
        Labelled prompts for each seed, 0 <= n_samples <= 2^32.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    subset_size : int, optional
        Search among the subsets of this size only, from 0 to d; the hidden one is uniform among them.

    Returns
    -------
    xarray.Dataset
        Over (replicate,): ``identified``, whether the candidate held at the end is the hidden subset; ``tried``,
        candidates looked at.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Candidates come in a fixed order and are dropped at their first wrong answer, after two demonstrations on average.
    Time O(1) for each demonstration, no memory.

    Examples
    --------
    >>> bool(one_bit_search(4, 400, seeds=range(5)).identified.all())
    True
    """
    d = integer("d", d, 1, 62)
    n_samples = integer("n_samples", n_samples, 0, 2**32)
    replicates = checked_seeds(seeds)
    if subset_size is not None:
        subset_size = integer("subset_size", subset_size, 0, d)
    identified, tried = np.zeros(len(replicates), np.bool_), np.zeros(len(replicates), np.int64)
    for r, seed in enumerate(replicates):
        key = key_of(seed)
        subset = subset_of(key, d, subset_size)[0]
        found, tried[r] = _search(key, d, -1 if subset_size is None else subset_size, n_samples, subset)
        identified[r] = np.uint64(found) == subset
    columns: dict[str, tuple[tuple[str, ...], Any, str, str]] = {
        "identified": ((), identified, "1", "the hidden subset was named"),
        "tried": ((), tried, "candidates", "candidates looked at"),
    }
    attributes = {
        "experiment": "hardness.one_bit_search",
        "d": d,
        "n_samples": n_samples,
        "subset_size": "any" if subset_size is None else subset_size,
        "class_size": class_size(d, subset_size),
    }
    return labelled(columns, replicates, attributes)


@kernel
def _descend(key, members, subset, n_steps, noise, rate, values, weights):  # type: ignore[no-untyped-def]
    """Noisy gradient descent from zero of f = sum of weights[S] chi_S over the members, divided by sqrt(members)."""
    size = len(values)
    count = len(members)
    scale = 1.0 / np.sqrt(float(count))
    weights[:] = 0.0
    for step in range(n_steps):
        for r in range(size):
            values[r] = 0.0
        for k in range(count):
            values[members[k]] = weights[k] * scale
        _low_levels(values, size, 0, 1)  # f on all prompts
        for r in range(size):
            values[r] = np.tanh(0.5 * values[r]) * 0.5
        _low_levels(values, size, 0, 1)
        for k in range(0, count, 2):
            u, v = uniform_pair(key, NOISE, step, k >> 1)
            radius = noise * np.sqrt(-2.0 * np.log(1.0 - u))
            for i in range(min(2, count - k)):
                member = members[k + i]
                gradient = values[member] / size * scale
                if member == subset:
                    gradient -= 0.5 * scale
                angle = 2.0 * np.pi * v
                gradient += radius * (np.cos(angle) if i == 0 else np.sin(angle))
                weights[k + i] -= rate * gradient
    best = 0
    for k in range(count):
        if weights[k] > weights[best]:
            best = k
    return members[best]


def noisy_gradient(
    d: int,
    n_steps: int,
    noise: float,
    seeds: int | Any,
    *,
    subset_size: int | None = None,
    learning_rate: float = 0.1,
) -> xarray.Dataset:
    r"""Learn a hidden parity by gradient descent on the population loss with Gaussian noise on every gradient.

    The predictor is linear in all n monomials of the class, each divided by sqrt(n), so that E|grad f|^2 = 1; it starts
    at zero and names the monomial with the largest weight.

    Parameters
    ----------
    d : int
        Number of signs, 1 <= d <= 12.
    n_steps : int
        Steps T, 0 <= n_steps <= 2^32.
    noise : float
        Standard deviation of the noise on each component of each gradient, in [0, 1e100].
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    subset_size : int, optional
        Class of the subsets of this size, from 0 to d; all 2^d by default.
    learning_rate : float, optional
        Constant step, in (0, 1e6].

    Returns
    -------
    xarray.Dataset
        Over (replicate,): ``identified``, whether the named monomial is the hidden one, which is uniform in the class.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Logistic loss. The gradient is exact, through two transforms a step; time O(d 2^d) for each step.

    Examples
    --------
    >>> bool(noisy_gradient(4, 50, 0.01, seeds=[0, 1]).identified.all())
    True
    """
    d = integer("d", d, 1, 12)
    n_steps = integer("n_steps", n_steps, 0, 2**32)
    noise = real("noise", noise, 0.0, 1e100)
    replicates = checked_seeds(seeds)
    if subset_size is not None:
        subset_size = integer("subset_size", subset_size, 0, d)
    rate = real("learning_rate", learning_rate, 0.0, 1e6, open_low=True)
    members = np.array(
        [mask for mask in range(2**d) if subset_size is None or mask.bit_count() == subset_size], dtype=np.int64
    )
    identified = np.zeros(len(replicates), np.bool_)
    values, weights = np.empty(2**d), np.empty(len(members))
    for r, seed in enumerate(replicates):
        key = key_of(seed)
        subset = np.int64(subset_of(key, d, subset_size)[0])
        identified[r] = _descend(key, members, subset, n_steps, noise, rate, values, weights) == subset
    attributes = {
        "experiment": "hardness.noisy_gradient",
        "d": d,
        "n_steps": n_steps,
        "noise": noise,
        "subset_size": "any" if subset_size is None else subset_size,
        "learning_rate": rate,
        "class_size": math.comb(d, subset_size) if subset_size is not None else 2**d,
    }
    return labelled({"identified": ((), identified, "1", "the hidden subset was named")}, replicates, attributes)
