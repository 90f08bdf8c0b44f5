r"""Next-token prediction without latents: n-grams and the full-context tree.

An order-o model predicts from the o tokens before (fewer at the start of a line, where the counts of shorter contexts
over all positions are used) with add-k smoothing. The tree model predicts from the whole prefix; on clean text of
equally likely strings it gives each of them exactly its share, the control beside which macro libraries must be shown.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._validate import integer, real
from sims.mid_training._draws import index_table, real_table
from sims.mid_training.latents import text

if TYPE_CHECKING:
    import xarray

__all__ = ["ngram_log_probabilities", "ngram_nll", "tree_probabilities"]


@kernel
def _count(tokens, order, size, counts, totals):  # type: ignore[no-untyped-def]
    """Counts of (context of `order` tokens, next token) over all positions with so long a context."""
    for i in range(tokens.shape[0]):
        for t in range(order, tokens.shape[1]):
            context = 0
            for j in range(t - order, t):
                context = context * size + tokens[i, j]
            counts[context, tokens[i, t]] += 1.0
            totals[context] += 1.0


@kernel
def _losses(tokens, first, last, order, size, counts, totals, smoothing, losses):  # type: ignore[no-untyped-def]
    """Add minus the log-probabilities of the tokens at positions first..last-1 for every smoothing constant."""
    for i in range(tokens.shape[0]):
        for t in range(first, last):
            context = 0
            for j in range(t - order, t):
                context = context * size + tokens[i, j]
            for s in range(smoothing.shape[0]):
                k = smoothing[s]
                losses[s] -= math.log((counts[context, tokens[i, t]] + k) / (totals[context] + k * size))


@kernel
def _predictions(tokens, first, last, order, size, counts, totals, k, out):  # type: ignore[no-untyped-def]
    """Log-probabilities of all next tokens at positions first..last-1."""
    for i in range(tokens.shape[0]):
        for t in range(first, last):
            context = 0
            for j in range(t - order, t):
                context = context * size + tokens[i, j]
            for a in range(size):
                out[i, t - 1, a] = math.log((counts[context, a] + k) / (totals[context] + k * size))


def _tables(train: np.ndarray, order: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    counts, totals = np.zeros((size**order, size)), np.zeros(size**order)
    _count(train, order, size, counts, totals)
    return counts, totals


def _order(order: Any, size: int) -> int:
    value = integer("order", order, 1, 64)
    if (value + 1) * math.log2(size) > 26:
        raise ValueError(f"order must keep n_tokens**(order + 1) at most 2**26, got {order!r} with n_tokens {size}")
    return value


def ngram_nll(
    train: Any, test: Any, n_tokens: int, order: int, smoothing: Any = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
) -> xarray.Dataset:
    """Return the held-out negative log-likelihood of an n-gram for several smoothing constants.

    Parameters
    ----------
    train, test : array_like of int
        Lines of text, shape (lines, length); the first token of a line is context only.
    n_tokens : int
        A >= 2, with A**(order + 1) at most 2**26.
    order : int
        Number of tokens of context, >= 1.
    smoothing : array_like
        Constants k > 0 added to every count.

    Returns
    -------
    xarray.Dataset
        ``nll`` (smoothing), nats per predicted token of `test`; attributes ``best_nll`` and ``best_smoothing``. Taking
        the best one tunes the constant on the test text, in favour of the baseline.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Memory A**(order + 1). Nothing is random.

    Examples
    --------
    >>> result = ngram_nll([[0, 1, 0, 1]], [[0, 1, 0]], 2, 1, [1.0])
    >>> round(float(result["nll"][0]), 6)
    0.346574
    """
    import xarray

    learn, size = text(train, n_tokens)
    lines, _ = text(test, n_tokens)
    width = _order(order, size)
    constants = real_table("smoothing", smoothing, 1, np.finfo(np.float64).tiny)
    losses = np.zeros(len(constants))
    length = lines.shape[1]
    for o in range(1, width + 1):
        if o >= length:
            break
        last = length if o == width else o + 1
        counts, totals = _tables(learn, o, size)
        _losses(lines, o, last, o, size, counts, totals, constants, losses)
    nll = losses / (len(lines) * (length - 1))
    best = int(np.argmin(nll))
    return xarray.Dataset(
        {"nll": ("smoothing", nll, {"long_name": "held-out negative log-likelihood per token", "units": "nat"})},
        coords={"smoothing": constants},
        attrs={"order": width, "best_nll": float(nll[best]), "best_smoothing": float(constants[best])},
    )


def ngram_log_probabilities(train: Any, tokens: Any, n_tokens: int, order: int, smoothing: float) -> np.ndarray:
    """Return the log-probability of every token as the next one under an n-gram, at each position of each line.

    Parameters
    ----------
    train, tokens : array_like of int
        Lines to count and lines to predict.
    n_tokens, order
        As in :func:`ngram_nll`.
    smoothing : float
        k > 0.

    Returns
    -------
    numpy.ndarray
        Shape (lines, length - 1, A).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Nothing is random.

    Examples
    --------
    >>> import numpy as np
    >>> np.exp(ngram_log_probabilities([[0, 1, 0, 1]], [[0, 1]], 2, 1, 1.0)).round(6).tolist()
    [[[0.25, 0.75]]]
    """
    learn, size = text(train, n_tokens)
    lines, _ = text(tokens, n_tokens)
    width = _order(order, size)
    k = real("smoothing", smoothing, 0.0, open_low=True)
    length = lines.shape[1]
    out = np.empty((len(lines), length - 1, size))
    for o in range(1, width + 1):
        if o >= length:
            break
        last = length if o == width else o + 1
        counts, totals = _tables(learn, o, size)
        _predictions(lines, o, last, o, size, counts, totals, k, out)
    return out


@kernel
def _descend(sorted_train, tokens, size, k, out):  # type: ignore[no-untyped-def]
    """Follow each line down the tree of sorted training lines: O(length log lines) each."""
    for i in range(tokens.shape[0]):
        low, high = 0, sorted_train.shape[0]
        for t in range(tokens.shape[1]):
            seen = high - low
            left, right = low, high
            while left < right:
                middle = (left + right) // 2
                if sorted_train[middle, t] < tokens[i, t]:
                    left = middle + 1
                else:
                    right = middle
            start = left
            right = high
            while left < right:
                middle = (left + right) // 2
                if sorted_train[middle, t] <= tokens[i, t]:
                    left = middle + 1
                else:
                    right = middle
            total = seen + k * size
            out[i, t] = (left - start + k) / total if total > 0.0 else 0.0
            low, high = start, left


def tree_probabilities(train: Any, tokens: Any, n_tokens: int, smoothing: float = 0.0) -> np.ndarray:
    """Return the probability of each token given its whole prefix under the tree of the training lines.

    Parameters
    ----------
    train, tokens : array_like of int
        Lines to count, and lines of at most their length to predict.
    n_tokens : int
        A >= 2.
    smoothing : float
        k >= 0 added to every count; without it an unseen prefix gives probability 0.

    Returns
    -------
    numpy.ndarray
        Shape (lines, length), the first token included; the product along a line is the probability of the string.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Sorting and bisection. Nothing is random.

    Examples
    --------
    >>> tree_probabilities([[0, 1], [1, 1]], [[1, 1]], 2).tolist()
    [[0.5, 1.0]]
    """
    size = integer("n_tokens", n_tokens, 2)
    learn = index_table("train", train, 2, size)
    lines = index_table("tokens", tokens, 2, size)
    if lines.shape[1] > learn.shape[1]:
        raise ValueError(f"tokens must have at most the {learn.shape[1]} positions of train, got {lines.shape[1]}")
    k = real("smoothing", smoothing, 0.0)
    ordered = np.ascontiguousarray(learn[np.lexsort(learn.T[::-1])])
    out = np.empty(lines.shape)
    _descend(ordered, lines, size, k, out)
    return out
