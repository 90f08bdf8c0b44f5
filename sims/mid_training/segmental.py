r"""Explicit durations: a multigram model, for text of macros whose lengths are fixed.

Sticky latents have geometric durations and no memory of where a macro began, so they are misspecified on macro text. A
multigram (Deligne and Bimbot, Speech Communication 1997) draws a text as a string of independent chunks of one to D
tokens with probabilities theta:

.. math:: p(a_{1:T})=\sum_{\text{segmentations}}\prod_{\text{chunks }w}\theta_w .

Expectation-maximisation: forward sums over the last chunk, backward sums over the next one, expected chunk counts,
normalise; chunks of two and more tokens whose expected count falls below a threshold are dropped for good.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._validate import integer, real
from sims.mid_training._draws import index_table, real_table

if TYPE_CHECKING:
    import xarray

__all__ = ["fit_multigram", "multigram_log_likelihoods", "multigram_segments"]


@kernel
def _offsets(size, longest, offset):  # type: ignore[no-untyped-def]
    """Where the strings of each length begin in the table of chunks."""
    offset[0] = 0
    for n in range(1, longest + 1):
        offset[n] = offset[n - 1] + (size ** (n - 1) if n > 1 else 0)


@kernel
def _chunk_pass(tokens, size, chunk, offset, forward, backward, counts, per_line, tally):  # type: ignore[no-untyped-def]
    """Forward-backward over segmentations; every token carries a factor A, so that the sums stay in range.

    O(T D) per line; memory: two rows of T + 1 numbers.
    """
    longest = offset.shape[0] - 1
    length = tokens.shape[1]
    for i in range(tokens.shape[0]):
        forward[0] = 1.0
        for t in range(1, length + 1):
            forward[t] = 0.0
            code, power, factor = 0, 1, 1.0
            for n in range(1, min(longest, t) + 1):
                code += tokens[i, t - n] * power
                power *= size
                factor *= size
                forward[t] += forward[t - n] * chunk[offset[n] + code] * factor
        per_line[i] = math.log(forward[length]) - length * math.log(size)
        if not tally:
            continue
        backward[length] = 1.0
        for t in range(length - 1, -1, -1):
            backward[t] = 0.0
            code, factor = 0, 1.0
            for n in range(1, min(longest, length - t) + 1):
                code = code * size + tokens[i, t + n - 1]
                factor *= size
                backward[t] += chunk[offset[n] + code] * factor * backward[t + n]
        for t in range(length):
            code, factor = 0, 1.0
            for n in range(1, min(longest, length - t) + 1):
                code = code * size + tokens[i, t + n - 1]
                factor *= size
                weight = chunk[offset[n] + code] * factor
                counts[offset[n] + code] += forward[t] * weight * backward[t + n] / forward[length]


@kernel
def _fit_chunks(  # type: ignore[no-untyped-def]
    tokens, size, least, n_iterations, tolerance, chunk, offset, forward, backward, counts, per_line, trace
):
    """Expectation-maximisation in place; returns the number of iterations."""
    before = -np.inf
    for iteration in range(n_iterations):
        counts[:] = 0.0
        _chunk_pass(tokens, size, chunk, offset, forward, backward, counts, per_line, True)
        objective = 0.0
        for i in range(tokens.shape[0]):
            objective += per_line[i]
        trace[iteration] = objective
        total, dropped = 0.0, False
        for w in range(counts.shape[0]):
            if w < size:
                counts[w] += 0.01  # single tokens stay possible, so that every text is
            elif counts[w] < least:
                dropped = dropped or counts[w] > 0.0
                counts[w] = 0.0
            total += counts[w]
        for w in range(counts.shape[0]):
            chunk[w] = counts[w] / total
        if not dropped and objective - before < tolerance:
            return iteration + 1
        before = objective
    return n_iterations


@kernel
def _best_segments(tokens, size, log_chunk, offset, score, length_of, segment):  # type: ignore[no-untyped-def]
    """Most probable segmentation of each line, written as the chunk's table index at each of its tokens."""
    longest = offset.shape[0] - 1
    length = tokens.shape[1]
    for i in range(tokens.shape[0]):
        score[0] = 0.0
        for t in range(1, length + 1):
            score[t] = -np.inf
            code, power = 0, 1
            for n in range(1, min(longest, t) + 1):
                code += tokens[i, t - n] * power
                power *= size
                value = score[t - n] + log_chunk[offset[n] + code]
                if value > score[t]:
                    score[t] = value
                    length_of[t] = n
        t = length
        while t > 0:
            n = length_of[t]
            code = 0
            for j in range(t - n, t):
                code = code * size + tokens[i, j]
            for j in range(t - n, t):
                segment[i, j] = offset[n] + code
            t -= n


def _checked(tokens: Any, n_tokens: int, longest: int) -> tuple[np.ndarray, int, np.ndarray]:
    size = integer("n_tokens", n_tokens, 2, 2**12)
    lines = index_table("tokens", tokens, 2, size)
    if lines.shape[1] > 200:
        raise ValueError(f"tokens must have at most 200 positions a line, got {lines.shape[1]}")
    reach = integer("longest", longest, 1, lines.shape[1])
    if reach * math.log2(size) > 22:
        raise ValueError(f"longest must keep n_tokens**longest at most 2**22, got {longest!r} with n_tokens {size}")
    offset = np.empty(reach + 1, dtype=np.int64)
    _offsets(size, reach, offset)
    return lines, size, offset


def fit_multigram(
    tokens: Any,
    n_tokens: int,
    longest: int,
    *,
    least_count: float = 1.0,
    n_iterations: int = 200,
    tolerance: float = 1e-7,
) -> xarray.Dataset:
    """Fit a multigram to text.

    Parameters
    ----------
    tokens : array_like of int
        Lines of at most 200 tokens, shape (lines, length).
    n_tokens : int
        A >= 2.
    longest : int
        D >= 1 tokens in the longest chunk, with A**D at most 2**22.
    least_count : float
        Chunks of two and more tokens with a smaller expected count are dropped, >= 0.
    n_iterations : int
        At least 1.
    tolerance : float
        Stop when an iteration gains less than this many nats per token and drops nothing, >= 0.

    Returns
    -------
    xarray.Dataset
        ``chunk_probability`` (string): one entry per string, those of length 1, then 2, ... in lexicographic order;
        ``objective`` (iteration): log-likelihood, held at its last value. It never falls but for dropped chunks and the
        0.01 that single tokens receive.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Starts from the counts of all substrings. O(T D) per line and iteration, memory sum of A**n. Nothing is random.

    Examples
    --------
    >>> fit = fit_multigram([[0, 1, 0, 1, 0, 1]] * 5, 2, 2)
    >>> int(fit["chunk_probability"].argmax("string"))
    3
    """
    import xarray

    lines, size, offset = _checked(tokens, n_tokens, longest)
    reach = len(offset) - 1
    least = real("least_count", least_count, 0.0)
    budget = integer("n_iterations", n_iterations, 1)
    gain = real("tolerance", tolerance, 0.0)
    counts = np.zeros(int(offset[reach]) + size**reach)
    length = lines.shape[1]
    for n in range(1, reach + 1):
        codes = np.zeros((len(lines), length - n + 1), dtype=np.int64)
        for j in range(n):
            codes = codes * size + lines[:, j : length - n + 1 + j]
        np.add.at(counts, offset[n] + codes.ravel(), 1.0)
    chunk = counts / counts.sum()
    chunk[:size] += 1e-9
    chunk /= chunk.sum()
    trace = np.empty(budget)
    forward, backward, per_line = np.empty(length + 1), np.empty(length + 1), np.empty(len(lines))
    done = _fit_chunks(
        lines, size, least, budget, gain * lines.size, chunk, offset, forward, backward, counts, per_line, trace
    )
    trace[done:] = trace[done - 1]
    return xarray.Dataset(
        {
            "chunk_probability": ("string", chunk, {"long_name": "probability of a chunk", "units": "1"}),
            "objective": ("iteration", trace, {"long_name": "log-likelihood", "units": "nat"}),
        },
        attrs={"n_tokens": size, "longest": reach, "least_count": least, "n_iterations": int(done)},
    )


def _model(tokens: Any, n_tokens: int, chunk: Any) -> tuple[np.ndarray, int, np.ndarray, np.ndarray]:
    table = real_table("chunk", chunk, 1, 0.0, 1.0)
    size = integer("n_tokens", n_tokens, 2, 2**12)
    reach, total = 1, size
    while total < len(table):
        reach += 1
        total += size**reach
    if total != len(table) or table[:size].min() <= 0.0:
        raise ValueError(f"chunk must have sum of n_tokens**n entries with positive single tokens, got {len(table)}")
    lines, size, _ = _checked(tokens, size, 1)
    offset = np.empty(reach + 1, dtype=np.int64)
    _offsets(size, reach, offset)
    return lines, size, offset, table


def multigram_log_likelihoods(tokens: Any, n_tokens: int, chunk: Any) -> np.ndarray:
    """Return the log-likelihood of every line under a multigram, the first token included.

    Parameters
    ----------
    tokens : array_like of int
        Shape (lines, length).
    n_tokens : int
        A >= 2.
    chunk : array_like
        Probabilities in the order of :func:`fit_multigram`, single tokens positive.

    Returns
    -------
    numpy.ndarray
        Shape (lines,), nats.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Nothing is random.

    Examples
    --------
    >>> multigram_log_likelihoods([[0, 1]], 2, [0.5, 0.5]).round(6).tolist()
    [-1.386294]
    """
    lines, size, offset, table = _model(tokens, n_tokens, chunk)
    per_line, work = np.empty(len(lines)), np.empty(lines.shape[1] + 1)
    _chunk_pass(lines, size, table, offset, work, work, table, per_line, False)
    return per_line


def multigram_segments(tokens: Any, n_tokens: int, chunk: Any) -> np.ndarray:
    """Return the most probable segmentation of every line.

    Parameters
    ----------
    tokens, n_tokens, chunk
        As in :func:`multigram_log_likelihoods`.

    Returns
    -------
    numpy.ndarray
        Shape (lines, length): at each token the table index of its chunk, as a label.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Nothing is random.

    Examples
    --------
    >>> multigram_segments([[0, 1, 0]], 2, [0.3, 0.1, 0.0, 0.6, 0.0, 0.0]).tolist()
    [[3, 3, 0]]
    """
    lines, size, offset, table = _model(tokens, n_tokens, chunk)
    segment = np.empty(lines.shape, dtype=np.int64)
    with np.errstate(divide="ignore"):
        log_table = np.log(table)
    work = np.empty(lines.shape[1] + 1, dtype=np.int64)
    _best_segments(lines, size, log_table, offset, np.empty(lines.shape[1] + 1), work, segment)
    return segment
