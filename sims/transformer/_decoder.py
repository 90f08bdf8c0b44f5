r"""A GPT-2 style decoder as functions of one flat vector of weights.

Blocks h + Attention(LN h), h + MLP(LN h), layer norm before each part and before the head; learned positions, the
tanh form of GELU, causal softmax attention scaled by 1/sqrt(width/heads), a head of its own. All weights are one
vector, so that an optimiser's state and a checkpoint are a few vectors too.

Only the answer is predicted, so the last block works on the prompt only as far as keys and values go.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

__all__ = ["Architecture", "Cache", "initial_weights", "logits", "roll_out", "weight_count"]

EPSILON = 1e-5


@dataclass(frozen=True)
class Architecture:
    """Sizes of a decoder: tokens it reads and predicts, and the longest input."""

    depth: int
    width: int
    heads: int
    n_positions: int
    n_inputs: int = 4
    n_outputs: int = 3


@lru_cache(maxsize=None)
def layout(shape: Architecture) -> tuple[tuple[str, tuple[int, ...], float], ...]:
    """Name, shape and standard deviation at the start (nan: ones) of every tensor, in the order of the vector."""
    width = shape.width
    scale = 0.02
    found: list[tuple[str, tuple[int, ...], float]] = [
        ("token", (shape.n_inputs, width), scale),
        ("position", (shape.n_positions, width), scale),
    ]
    for layer in range(shape.depth):
        residual = scale / math.sqrt(2 * shape.depth)
        found += [
            (f"{layer}.norm1.weight", (width,), math.nan),
            (f"{layer}.norm1.bias", (width,), 0.0),
            (f"{layer}.attention.weight", (3 * width, width), scale),
            (f"{layer}.attention.bias", (3 * width,), 0.0),
            (f"{layer}.projection.weight", (width, width), residual),
            (f"{layer}.projection.bias", (width,), 0.0),
            (f"{layer}.norm2.weight", (width,), math.nan),
            (f"{layer}.norm2.bias", (width,), 0.0),
            (f"{layer}.up.weight", (4 * width, width), scale),
            (f"{layer}.up.bias", (4 * width,), 0.0),
            (f"{layer}.down.weight", (width, 4 * width), residual),
            (f"{layer}.down.bias", (width,), 0.0),
        ]
    found += [
        ("norm.weight", (width,), math.nan),
        ("norm.bias", (width,), 0.0),
        ("head", (shape.n_outputs, width), scale),
    ]
    return tuple(found)


@lru_cache(maxsize=None)
def _sizes(shape: Architecture) -> tuple[int, ...]:
    return tuple(math.prod(size) for _, size, _ in layout(shape))


def weight_count(shape: Architecture) -> int:
    """Number of weights."""
    return sum(_sizes(shape))


def initial_weights(shape: Architecture, key: int) -> Any:
    """Weights at the start, GPT-2's normal law with narrower residual projections, from the key alone."""
    generator = torch.Generator().manual_seed(int(key) % 2**63)
    pieces = []
    for _, size, scale in layout(shape):
        if math.isnan(scale):
            pieces.append(torch.ones(size))
        elif scale == 0.0:
            pieces.append(torch.zeros(size))
        else:
            pieces.append(torch.randn(size, generator=generator) * scale)
    return torch.cat([piece.reshape(-1) for piece in pieces])


@lru_cache(maxsize=None)
def decayed(shape: Architecture) -> np.ndarray:
    """1 for the weights that weight decay shrinks, matrices and embeddings, and 0 for biases and norms."""
    return np.concatenate([np.full(math.prod(size), float(len(size) > 1)) for _, size, _ in layout(shape)])


def tensors(flat: Any, shape: Architecture) -> dict[str, Any]:
    """The named tensors as views of the vector."""
    pieces = flat.split(_sizes(shape))
    return {name: piece.view(size) for (name, size, _), piece in zip(layout(shape), pieces, strict=True)}


class Cache:
    """Keys and values of all layers for a batch, filled from the left."""

    def __init__(self, shape: Architecture, rows: int, length: int, device: Any) -> None:
        size = (shape.depth, 2, rows, shape.heads, length, shape.width // shape.heads)
        self.memory = torch.empty(size, device=device)
        self.filled = 0

    def take(self, rows: Any) -> None:
        """Keep some rows only."""
        self.memory = self.memory[:, :, rows].contiguous()


def _attention(
    w: dict[str, Any], shape: Architecture, layer: int, h: Any, tail: int, cache: Cache | None, causal: Any
) -> Any:
    rows, length, width = h.shape
    size = width // shape.heads
    weight, bias = w[f"{layer}.attention.weight"], w[f"{layer}.attention.bias"]
    if tail == length:
        q, k, v = F.linear(h, weight, bias).split(width, dim=2)
    else:
        q = F.linear(h[:, length - tail :], weight[:width], bias[:width])
        k, v = F.linear(h, weight[width:], bias[width:]).split(width, dim=2)
    q = q.view(rows, tail, shape.heads, size).transpose(1, 2)
    k = k.view(rows, length, shape.heads, size).transpose(1, 2)
    v = v.view(rows, length, shape.heads, size).transpose(1, 2)
    if cache is not None:
        end = cache.filled + length
        cache.memory[layer, 0, :, :, cache.filled : end] = k
        cache.memory[layer, 1, :, :, cache.filled : end] = v
        k, v = cache.memory[layer, 0, :, :, :end], cache.memory[layer, 1, :, :, :end]
    if tail == k.shape[2] and tail > 1:
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    elif tail == 1:
        mixed = F.scaled_dot_product_attention(q, k, v)
    else:
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=causal[k.shape[2] - tail : k.shape[2], : k.shape[2]])
    mixed = mixed.transpose(1, 2).reshape(rows, tail, width)
    return F.linear(mixed, w[f"{layer}.projection.weight"], w[f"{layer}.projection.bias"])


def logits(
    w: dict[str, Any], shape: Architecture, tokens: Any, last: int | None = None, cache: Cache | None = None
) -> Any:
    """Logits behind the last `last` of the tokens (rows, length), or behind all; (rows, last, outputs).

    With a cache the tokens continue what it holds, and are added to it.
    """
    length = tokens.shape[1]
    tail = length if last is None else last
    start = 0 if cache is None else cache.filled
    h = F.embedding(tokens, w["token"]) + w["position"][start : start + length]
    total = start + length
    causal = torch.ones(total, total, dtype=torch.bool, device=h.device).tril()
    size = (shape.width,)
    for layer in range(shape.depth):
        keep = tail if layer == shape.depth - 1 else length
        normed = F.layer_norm(h, size, w[f"{layer}.norm1.weight"], w[f"{layer}.norm1.bias"], EPSILON)
        mixed = _attention(w, shape, layer, normed, keep, cache, causal)
        h = h[:, length - keep :] + mixed
        normed = F.layer_norm(h, size, w[f"{layer}.norm2.weight"], w[f"{layer}.norm2.bias"], EPSILON)
        inner = F.gelu(F.linear(normed, w[f"{layer}.up.weight"], w[f"{layer}.up.bias"]), approximate="tanh")
        h = h + F.linear(inner, w[f"{layer}.down.weight"], w[f"{layer}.down.bias"])
    if cache is not None:
        cache.filled = total
    h = F.layer_norm(h, size, w["norm.weight"], w["norm.bias"], EPSILON)
    return F.linear(h, w["head"])


def _choose(scores: Any, temperature: float, uniforms: np.ndarray | None) -> np.ndarray:
    """The token of every row: the likeliest, or the one whose cell of the cumulative law holds the uniform."""
    if uniforms is None:
        greedy: np.ndarray = scores.argmax(dim=1).cpu().numpy()
        return greedy
    law = torch.softmax(scores.double() / temperature, dim=1).cpu().numpy()
    cumulative = np.cumsum(law, axis=1)
    found: np.ndarray = (uniforms[:, None] >= cumulative[:, :-1]).sum(axis=1)
    return found


@torch.no_grad()  # type: ignore[untyped-decorator]
def roll_out(
    w: dict[str, Any],
    shape: Architecture,
    prompts: np.ndarray,
    n_tokens: int,
    *,
    temperature: float = 1.0,
    uniforms: np.ndarray | None = None,
    eos: int = 2,
    pad: int = 3,
    rows: int = 512,
    cached: bool = True,
) -> np.ndarray:
    """Continue prompts (n, d) by at most n_tokens tokens each, greedily or with the uniforms (n, n_tokens).

    Answers (n, n_tokens) end in EOS where the model says so, with PAD behind. Rows that have ended leave the batch.
    """
    device = w["head"].device
    out = np.full((len(prompts), n_tokens), pad, np.int64)
    for first in range(0, len(prompts), rows):
        part = prompts[first : first + rows]
        alive = np.arange(first, first + len(part))  # rows still at work, as rows of `out`
        cache = Cache(shape, len(part), part.shape[1] + n_tokens - 1, device) if cached else None
        tokens = torch.from_numpy(part).to(device)
        for position in range(n_tokens):
            scores = logits(w, shape, tokens, 1, cache)[:, 0]
            chosen = _choose(scores, temperature, None if uniforms is None else uniforms[alive, position])
            out[alive, position] = chosen
            going = np.flatnonzero(chosen != eos)
            if len(going) == 0 or position == n_tokens - 1:
                break
            fresh = torch.from_numpy(chosen[going]).to(device)[:, None]
            if len(going) < len(alive):
                kept = torch.from_numpy(going).to(device)
                alive = alive[going]
                if cache is not None:
                    cache.take(kept)
                else:
                    tokens = tokens[kept]
            tokens = fresh if cache is not None else torch.cat([tokens, fresh], dim=1)
    return out


def log_probabilities(
    w: dict[str, Any], shape: Architecture, prompts: Any, answers: Any, temperature: float = 1.0
) -> Any:
    """Log-probability of every token of the answers (n, length) behind the prompts (n, d), at a temperature."""
    inputs = torch.cat([prompts, answers[:, :-1]], dim=1)
    scores = logits(w, shape, inputs, answers.shape[1]) / temperature
    # PAD is never predicted: any index will do there, the caller leaves these places out.
    found = answers.clamp(max=shape.n_outputs - 1)
    return torch.log_softmax(scores, dim=2).gather(2, found[:, :, None])[:, :, 0]


def named(flat: np.ndarray, shape: Architecture) -> dict[str, np.ndarray]:
    """The tensors of a vector of weights as arrays, for inspection."""
    ends = np.cumsum(_sizes(shape))
    pieces: Sequence[np.ndarray] = np.split(flat, ends[:-1])
    return {name: piece.reshape(size) for (name, size, _), piece in zip(layout(shape), pieces, strict=True)}
