r"""Sequences for decoders: prompts, long and short answers, tokens, and the uniforms that sampling consumes.

The bit of a sign is 1 for -1, so the parity of signs is an exclusive or of bits. Token ids: 0 and 1 are bits, EOS = 2,
PAD = 3. All draws are addressed by (seed, stream, index): any part of any batch can be drawn alone, and a training run
that was stopped needs no generator's state to go on.

Leap k: the chain shows every k-th prefix parity and the whole parity, chain_l = x_1 + ... + x_min(lk, d) (mod 2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._streams import mix_seed, philox_block, uniform_pair
from sims._validate import choice, integer, real
from sims._validate import seeds as checked_seeds

if TYPE_CHECKING:
    import xarray

__all__ = ["EOS", "PAD", "demonstrations"]

CELL = np.uint64(71)  # names these experiments in a replicate's key
EOS, PAD = 2, 3

PROMPT, ROUTE, FLIP, TEST_PROMPT, TEST_TOKEN, ROLL_PROMPT, ROLL_TOKEN, VERIFIER, ORDER, WEIGHTS, ZIP = range(11)

ONE = np.uint64(1)


def replicate_key(seed: Any) -> np.uint64:
    """The 64-bit key of a replicate."""
    return np.uint64(mix_seed(np.uint64(seed), CELL))


def weights_key(key: np.uint64) -> int:
    """The seed of PyTorch's generator for the weights at the start."""
    return int(mix_seed(key, np.uint64(WEIGHTS))) % 2**63


def chain_length(d: int, leap: int) -> int:
    """Number of tokens of a long answer, EOS excluded."""
    return -(-d // leap)


@kernel
def _prompts(key, stream, first, x):  # type: ignore[no-untyped-def]
    """Fair bits for prompts first, first + 1, ...; O(n d)."""
    for n in range(len(x)):
        for i in range(0, x.shape[1], 128):
            words = philox_block(key, stream, first + n, i >> 7)
            for j in range(i, min(i + 128, x.shape[1])):
                word = words[0]
                part = (j - i) >> 5
                if part == 1:
                    word = words[1]
                elif part == 2:
                    word = words[2]
                elif part == 3:
                    word = words[3]
                x[n, j] = (word >> np.uint64(j & 31)) & ONE


@kernel
def _answers(key, first, p_cot, leap, noise, emitted, x, is_long, y):  # type: ignore[no-untyped-def]
    """Answers of D(p) to given prompts, PAD behind EOS; a long token is flipped with probability `noise`."""
    n_tokens = y.shape[1] - 1
    d = x.shape[1]
    for n in range(len(x)):
        u, _ = uniform_pair(key, ROUTE, first + n, 0)
        is_long[n] = u < p_cot
        y[n, :] = PAD
        running = 0
        if is_long[n]:
            for token in range(n_tokens):
                for i in range(token * leap, min((token + 1) * leap, d)):
                    running ^= x[n, i]
                y[n, token] = running
                if noise > 0.0:
                    v, _ = uniform_pair(key, FLIP, first + n, token)
                    if v < noise:
                        y[n, token] = running ^ 1
                        if emitted:
                            running ^= 1
            y[n, n_tokens] = EOS
        else:
            for i in range(d):
                running ^= x[n, i]
            y[n, 0] = running
            y[n, 1] = EOS


@kernel
def _uniforms(key, stream, first, out):  # type: ignore[no-untyped-def]
    for n in range(len(out)):
        for j in range(0, out.shape[1], 2):
            u, v = uniform_pair(key, stream, first + n, j >> 1)
            out[n, j] = u
            if j + 1 < out.shape[1]:
                out[n, j + 1] = v


def prompts(key: np.uint64, stream: int, first: int, count: int, d: int) -> np.ndarray:
    """Prompts first .. first + count - 1 of a stream, bits as int64 (count, d)."""
    x = np.empty((count, d), np.int64)
    _prompts(key, stream, first, x)
    return x


def every_prompt(d: int) -> np.ndarray:
    """All 2**d prompts, bits as int64, x_1 the least significant."""
    return (np.arange(2**d, dtype=np.int64)[:, None] >> np.arange(d)) & 1


def draw_demonstrations(
    key: np.uint64,
    first: int,
    count: int,
    d: int,
    p_cot: float,
    leap: int = 1,
    noise: float = 0.0,
    noise_kind: str = "emitted",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Demonstrations first .. first + count - 1: prompts (count, d), is_long (count,), answers (count, chain + 1)."""
    x = prompts(key, PROMPT, first, count, d)
    is_long = np.empty(count, np.bool_)
    y = np.empty((count, chain_length(d, leap) + 1), np.int64)
    _answers(key, first, p_cot, leap, noise, noise_kind == "emitted", x, is_long, y)
    return x, is_long, y


def chain(x: np.ndarray, leap: int = 1) -> np.ndarray:
    """The right chains of prompts (n, d), without EOS; the last token is the parity."""
    running = np.bitwise_xor.accumulate(x, axis=1)
    ends = np.minimum(np.arange(1, chain_length(x.shape[1], leap) + 1) * leap, x.shape[1]) - 1
    return np.ascontiguousarray(running[:, ends])


def uniforms(key: np.uint64, stream: int, first: int, count: int, width: int) -> np.ndarray:
    """Uniforms in [0, 1) of 53 bits for indices first .. first + count - 1, shape (count, width)."""
    out = np.empty((count, width))
    _uniforms(key, stream, first, out)
    return out


def demonstrations(
    d: int,
    p_cot: float,
    n_samples: int,
    seeds: int | Any,
    *,
    leap: int = 1,
    noise: float = 0.0,
    noise_kind: str = "emitted",
) -> xarray.Dataset:
    """Draw demonstrations from D(p) as tokens: the ones that a decoder with the same seed is trained on.

    Parameters
    ----------
    d : int
        Length of the prompt, 2 <= d <= 1024.
    p_cot : float
        Share p of long demonstrations, in [0, 1].
    n_samples : int
        Demonstrations drawn for each seed, an integer in [1, 10000000].
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    leap : int, optional
        k in [1, d-1]: long answers show every k-th prefix parity, and the parity last.
    noise : float, optional
        Chance in [0, 0.5] that a token of a long demonstration is flipped.
    noise_kind : {"emitted", "true"}, optional
        Whether the tokens after a flip continue the emitted prefix or the true one.

    Returns
    -------
    xarray.Dataset
        ``prompt`` (replicate, sample, coordinate) and ``answer`` (replicate, sample, token) as token ids: the bits 0
        and 1 (the sign -1), EOS = 2, PAD = 3; ``is_long`` (replicate, sample).

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Tsilivis, Malach, Ullrich and Kempe (arXiv 2510.11495), the mixture D(p_cot) and its partial chains.

    Examples
    --------
    >>> drawn = demonstrations(3, 1.0, 2, seeds=0)
    >>> bool((drawn["answer"].values[0, :, 2] == drawn["prompt"].values[0].sum(axis=1) % 2).all())
    True
    """
    import xarray

    d = integer("d", d, 2, 1024)
    p_cot = real("p_cot", p_cot, 0.0, 1.0)
    n_samples = integer("n_samples", n_samples, 1, 10**7)
    replicates = checked_seeds(seeds)
    leap = integer("leap", leap, 1, d - 1)
    noise = real("noise", noise, 0.0, 0.5)
    noise_kind = choice("noise_kind", noise_kind, ("emitted", "true"))
    drawn = [
        draw_demonstrations(replicate_key(seed), 0, n_samples, d, p_cot, leap, noise, noise_kind) for seed in replicates
    ]
    x, is_long, y = (np.stack(arrays) for arrays in zip(*drawn, strict=True))
    over = ("replicate", "sample")
    return xarray.Dataset(
        {
            "prompt": ((*over, "coordinate"), x.astype(np.int8), {"units": "token", "long_name": "prompt"}),
            "is_long": (over, is_long, {"units": "1", "long_name": "drawn from the long route"}),
            "answer": ((*over, "token"), y.astype(np.int8), {"units": "token", "long_name": "answer, PAD behind EOS"}),
        },
        {"seed": ("replicate", replicates.astype(np.int64))},
        {
            "experiment": "transformer.demonstrations",
            "d": d,
            "p_cot": p_cot,
            "n_samples": n_samples,
            "leap": leap,
            "noise": noise,
            "noise_kind": noise_kind,
        },
    )
