r"""Sampling the parity mixture D(p) of long and short demonstrations, and counting in it.

Following N. Tsilivis, E. Malach, K. Ullrich and J. Kempe (arXiv 2510.11495): the prompt x_1..x_d is uniform on
{-1,+1}^d and Z ~ Bernoulli(p). On the long route (Z = 1) the answer is all prefix parities x_1, x_1x_2, ...,
x_1...x_d; on the short route (Z = 0) it is the parity x_1...x_d alone. EOS ends either.

Nothing here knows the resulting probabilities: everything is drawn from this definition and counted. Where a model's
answer is wanted, the model is a *calibrated* one that sees only the features within reach of a linear predictor: the
relation x_1y_1 at the first token and at the decision to stop, y_{l-1}x_l y_l on the chain.

A sign -1 is a set bit, so a product of signs is an exclusive or of bits. All draws of a replicate depend on its seed
and on the index of the sample only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._streams import mix_seed, philox_block, uniform_pair
from sims._validate import integer, real
from sims._validate import seeds as checked_seeds

if TYPE_CHECKING:
    import xarray

__all__ = ["decode", "next_token_counts", "sample"]

CELL = np.uint64(1)  # names this experiment in a replicate's key
LARGEST = 65536  # of d

PROMPT, ROUTE, FRESH, TOKEN, STOP, CHAIN = (np.uint64(number) for number in range(6))  # streams

WORD = np.uint64(64)
ONE = np.uint64(1)
ZERO = np.uint64(0)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@kernel
def _prompt_bits(key, stream, step, d, out):  # type: ignore[no-untyped-def]
    """Fill out[: ceil(d/64)] with d fair bits, bit i of word w being x_{64w+i+1} = -1; zeros beyond d."""
    words = (d + 63) // 64
    for block in range((words + 1) // 2):
        a, b, c, e = philox_block(key, stream, step, block)
        out[2 * block] = a | (b << np.uint64(32))
        if 2 * block + 1 < words:
            out[2 * block + 1] = c | (e << np.uint64(32))
    if d % 64:
        out[words - 1] &= (ONE << np.uint64(d % 64)) - ONE


@kernel
def _is_long(key, step, p_cot):  # type: ignore[no-untyped-def]
    """Draw Z of one sample."""
    u, _ = uniform_pair(key, ROUTE, step, 0)
    return u < p_cot


@kernel
def _parity(bits, words):  # type: ignore[no-untyped-def]
    """The exclusive or of all bits: 1 when the product of the signs is -1."""
    total = ZERO
    for w in range(words):
        total ^= bits[w]
    for shift in (32, 16, 8, 4, 2, 1):
        total ^= total >> np.uint64(shift)
    return total & ONE


@kernel
def _sample(key, d, p_cot, first, x, is_long, y):  # type: ignore[no-untyped-def]
    """Write samples first, first + 1, ...: x (n, d) and y (n, d) as signs, y zero after its end. O(n d) time."""
    words = (d + 63) // 64
    bits = np.empty(words, np.uint64)
    for n in range(len(x)):
        step = first + n
        _prompt_bits(key, PROMPT, step, d, bits)
        is_long[n] = _is_long(key, step, p_cot)
        parity = np.int8(1)
        for i in range(d):
            sign = 1 - 2 * np.int8((bits[i >> 6] >> np.uint64(i & 63)) & ONE)
            parity = parity * sign
            x[n, i] = sign
            y[n, i] = parity if is_long[n] else 0
        if not is_long[n]:
            y[n, 0] = parity


@kernel
def _count(key, d, p_cot, first, last, counts):  # type: ignore[no-untyped-def]
    """Add samples first..last-1 to counts; O(d/64) a sample, no memory that grows."""
    words = (d + 63) // 64
    bits = np.empty(words, np.uint64)
    fresh = np.empty(words, np.uint64)
    for step in range(first, last):
        _prompt_bits(key, PROMPT, step, d, bits)
        is_long = _is_long(key, step, p_cot)
        answer = bits[0] & ONE if is_long else _parity(bits, words)
        relation = answer ^ (bits[0] & ONE)  # 0: y_1 = x_1
        counts[0] += relation == ZERO
        counts[1] += (not is_long) and relation == ZERO
        counts[2] += (not is_long) and relation == ONE
        counts[3] += is_long
        counts[4] += d if is_long else 1
        # The calibrated model replays a demonstration's relation and length on a prompt of its own.
        _prompt_bits(key, FRESH, step, d, fresh)
        counts[5] += is_long or ((fresh[0] & ONE) ^ relation) == _parity(fresh, words)


@kernel
def _learn(key, d, p_cot, first, last, table):  # type: ignore[no-untyped-def]
    """Count what a tabular learner of the relevant relations sees in samples first..last-1.

    table: y_1 = x_1; then for agreement and for disagreement: seen, stopped; then chain tokens seen, and equal to
    y_{l-1}x_l.
    """
    words = (d + 63) // 64
    bits = np.empty(words, np.uint64)
    for step in range(first, last):
        _prompt_bits(key, PROMPT, step, d, bits)
        is_long = _is_long(key, step, p_cot)
        answer = bits[0] & ONE if is_long else _parity(bits, words)
        relation = answer ^ (bits[0] & ONE)
        row = 1 if relation == ZERO else 3
        table[0] += relation == ZERO
        table[row] += 1
        table[row + 1] += not is_long
        if is_long:
            before = answer
            running = answer
            for i in range(1, d):
                bit = (bits[i >> 6] >> np.uint64(i & 63)) & ONE
                running ^= bit
                table[5] += 1
                table[6] += running == before ^ bit
                before = running


@kernel
def _decode(key, d, first, last, chances, counts):  # type: ignore[no-untyped-def]
    """Decode prompts first..last-1 token by token, sampled and greedy; O(d) a prompt.

    chances: P(y_1 = x_1), P(EOS | agree), P(EOS | disagree), P(y_l = y_{l-1}x_l). counts: right answers, tokens and
    long answers, sampled, then the same three greedy.
    """
    words = (d + 63) // 64
    bits = np.empty(words, np.uint64)
    for step in range(first, last):
        _prompt_bits(key, FRESH, step, d, bits)
        parity = _parity(bits, words)
        for greedy in range(2):
            u, v = uniform_pair(key, TOKEN, step, 0)
            agree = chances[0] >= 0.5 if greedy else u < chances[0]
            stop = chances[1] if agree else chances[2]
            token = (bits[0] & ONE) ^ (ZERO if agree else ONE)
            length = 1
            if not (stop > 0.5 if greedy else v < stop):
                length = d
                for i in range(1, d):
                    u, _ = uniform_pair(key, CHAIN, step, i)
                    right = chances[3] >= 0.5 if greedy else u < chances[3]
                    token ^= (bits[i >> 6] >> np.uint64(i & 63)) & ONE
                    token ^= ZERO if right else ONE
            counts[3 * greedy] += token == parity
            counts[3 * greedy + 1] += length
            counts[3 * greedy + 2] += length > 1


def _key(seed: np.uint64) -> np.uint64:
    # A compiled function returns a plain int, which would be typed anew, by its size, where it is passed on.
    return np.uint64(mix_seed(seed, CELL))


def _arguments(d: Any, p_cot: Any, n_samples: Any, seeds: Any) -> tuple[int, float, int, np.ndarray]:
    return (
        integer("d", d, 2, LARGEST),
        real("p_cot", p_cot, 0.0, 1.0),
        integer("n_samples", n_samples, 1, 2**53),
        checked_seeds(seeds),
    )


def _labelled(
    columns: dict[str, tuple[Any, str, str]], replicates: np.ndarray, attributes: dict[str, Any]
) -> xarray.Dataset:
    """Name the columns of an array (replicate, column)."""
    import xarray

    variables = {
        name: (("replicate",), values, {"units": units, "long_name": meaning})
        for name, (values, units, meaning) in columns.items()
    }
    return xarray.Dataset(variables, {"seed": ("replicate", replicates.astype(np.int64))}, attributes)


def sample(d: int, p_cot: float, n_samples: int, seeds: int | Any) -> xarray.Dataset:
    """Draw demonstrations from D(p).

    Parameters
    ----------
    d : int
        Length of the prompt, 2 <= d <= 65536.
    p_cot : float
        Share p of long demonstrations, in [0, 1].
    n_samples : int
        Demonstrations drawn for each seed, at least 1.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).

    Returns
    -------
    xarray.Dataset
        ``x`` (replicate, sample, coordinate), signs as int8; ``is_long`` (replicate, sample); ``y`` (replicate, sample,
        token): the answer's signs, 0 (EOS) after its end. Memory 2d + 1 bytes a demonstration.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Tsilivis, Malach, Ullrich and Kempe (arXiv 2510.11495), the definition of D(p_cot).

    Examples
    --------
    >>> drawn = sample(3, 1.0, 4, seeds=0)
    >>> bool((drawn.y == drawn.x.cumprod("coordinate").values).all())
    True
    """
    import xarray

    d, p_cot, n_samples, replicates = _arguments(d, p_cot, n_samples, seeds)
    x = np.empty((len(replicates), n_samples, d), np.int8)
    y = np.empty_like(x)
    is_long = np.empty((len(replicates), n_samples), np.bool_)
    for r, seed in enumerate(replicates):
        _sample(_key(seed), d, p_cot, 0, x[r], is_long[r], y[r])
    return xarray.Dataset(
        {
            "x": (("replicate", "sample", "coordinate"), x, {"units": "sign", "long_name": "prompt"}),
            "is_long": (("replicate", "sample"), is_long, {"units": "1", "long_name": "drawn from the long route"}),
            "y": (("replicate", "sample", "token"), y, {"units": "sign, 0 = EOS", "long_name": "answer"}),
        },
        {"seed": ("replicate", replicates.astype(np.int64))},
        {"experiment": "parity_mixture.sample", "d": d, "p_cot": p_cot, "n_samples": n_samples},
    )


def next_token_counts(d: int, p_cot: float, n_samples: int, seeds: int | Any) -> xarray.Dataset:
    """Count the next-token events of demonstrations drawn from D(p), and the right answers of a model that copies them.

    Parameters
    ----------
    d : int
        Length of the prompt, 2 <= d <= 65536.
    p_cot : float
        Share p of long demonstrations, in [0, 1].
    n_samples : int
        Demonstrations drawn for each seed, at least 1.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).

    Returns
    -------
    xarray.Dataset
        Counts over (replicate,), of n_samples: ``agree`` (y_1 = x_1), ``stop_agree`` and ``stop_disagree`` (EOS second,
        after either), ``long``, ``tokens`` (answer tokens in all, EOS excluded) and ``correct``: right last tokens of a
        calibrated model sampled at temperature 1. That model answers a prompt of its own with the relation x_1y_1 and
        the route of a demonstration drawn from D(p): exactly the law of the demonstrations given what it can see.
        Time O(d/64) a sample, constant memory.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Tsilivis, Malach, Ullrich and Kempe (arXiv 2510.11495), the next-token law of D(p_cot).

    Examples
    --------
    >>> counts = next_token_counts(5, 0.25, 1000, seeds=[1, 2])
    >>> bool((counts.long + counts.stop_agree + counts.stop_disagree == 1000).all())
    True
    """
    d, p_cot, n_samples, replicates = _arguments(d, p_cot, n_samples, seeds)
    counts = np.zeros((len(replicates), 6), np.int64)
    for r, seed in enumerate(replicates):
        for first in range(0, n_samples, 1_000_000):  # an interrupt is heard between two calls
            _count(_key(seed), d, p_cot, first, min(first + 1_000_000, n_samples), counts[r])
    columns = {
        "agree": (counts[:, 0], "samples", "demonstrations with y_1 = x_1"),
        "stop_agree": (counts[:, 1], "samples", "demonstrations with y_1 = x_1 that stop there"),
        "stop_disagree": (counts[:, 2], "samples", "demonstrations with y_1 = -x_1 that stop there"),
        "long": (counts[:, 3], "samples", "long demonstrations"),
        "tokens": (counts[:, 4], "tokens", "answer tokens of all demonstrations, EOS excluded"),
        "correct": (counts[:, 5], "samples", "right answers of the calibrated model, sampled at temperature 1"),
    }
    attributes = {"experiment": "parity_mixture.next_token_counts", "d": d, "p_cot": p_cot, "n_samples": n_samples}
    return _labelled(columns, replicates, attributes)


def decode(d: int, p_cot: float, n_samples: int, seeds: int | Any, *, n_prompts: int = 1000) -> xarray.Dataset:
    """Let a tabular learner count demonstrations from D(p), then decode fresh prompts with what it counted.

    Parameters
    ----------
    d : int
        Length of the prompt, 2 <= d <= 65536.
    p_cot : float
        Share p of long demonstrations, in [0, 1].
    n_samples : int
        Demonstrations to learn from, for each seed, at least 1.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    n_prompts : int, optional
        Prompts decoded after learning, at least 1.

    Returns
    -------
    xarray.Dataset
        Over (replicate,): the learned shares ``first_token`` (y_1 = x_1), ``stop_agree``, ``stop_disagree`` and
        ``chain_right`` (y_l = y_{l-1}x_l); and over the n_prompts the counts ``sampled_correct``, ``sampled_tokens``
        (EOS excluded), ``sampled_long`` at temperature 1, ``greedy_correct``, ``greedy_tokens``, ``greedy_long``. An
        event never met has the share 1/2. Greedy decoding breaks ties towards y_1 = x_1, going on, and the right chain.
        Time O(d) for every demonstration and prompt, constant memory.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Tsilivis, Malach, Ullrich and Kempe (arXiv 2510.11495), greedy and sampled decoding of the calibrated model.

    Examples
    --------
    >>> below, above = (decode(10, p, 20_000, seeds=3, n_prompts=50) for p in (0.2, 0.5))
    >>> int(below.greedy_tokens[0]), int(above.greedy_tokens[0]), int(above.greedy_correct[0])
    (50, 500, 50)
    """
    d, p_cot, n_samples, replicates = _arguments(d, p_cot, n_samples, seeds)
    n_prompts = integer("n_prompts", n_prompts, 1, 2**53)
    counts = np.zeros((len(replicates), 6), np.int64)
    chances = np.empty((len(replicates), 4))
    for r, seed in enumerate(replicates):
        key = _key(seed)
        table = np.zeros(7, np.int64)
        for first in range(0, n_samples, 100_000):  # an interrupt is heard between two calls
            _learn(key, d, p_cot, first, min(first + 100_000, n_samples), table)
        pairs = ((table[0], n_samples), (table[2], table[1]), (table[4], table[3]), (table[6], table[5]))
        chances[r] = [hits / seen if seen else 0.5 for hits, seen in pairs]
        for first in range(0, n_prompts, 100_000):
            _decode(key, d, first, min(first + 100_000, n_prompts), chances[r], counts[r])
    columns: dict[str, tuple[Any, str, str]] = {
        "first_token": (chances[:, 0], "1", "learned share of y_1 = x_1"),
        "stop_agree": (chances[:, 1], "1", "learned share of EOS after y_1 = x_1"),
        "stop_disagree": (chances[:, 2], "1", "learned share of EOS after y_1 = -x_1"),
        "chain_right": (chances[:, 3], "1", "learned share of y_l = y_{l-1}x_l"),
    }
    for start, how in ((0, "sampled"), (3, "greedy")):
        columns[f"{how}_correct"] = (counts[:, start], "prompts", f"right answers, {how}")
        columns[f"{how}_tokens"] = (counts[:, start + 1], "tokens", f"answer tokens in all, EOS excluded, {how}")
        columns[f"{how}_long"] = (counts[:, start + 2], "prompts", f"answers that went on after one token, {how}")
    attributes = {
        "experiment": "parity_mixture.decode",
        "d": d,
        "p_cot": p_cot,
        "n_samples": n_samples,
        "n_prompts": n_prompts,
    }
    return _labelled(columns, replicates, attributes)
