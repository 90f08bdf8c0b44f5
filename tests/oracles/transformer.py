"""A decoder, its optimiser and its data, literally: plain loops over numbers, in double precision.

Nothing here comes from the code that it judges. Weights are a mapping from names to nested sequences:
``token``, ``position``, for each layer l ``l.norm1.weight``, ``l.norm1.bias``, ``l.attention.weight`` (3 width rows:
queries, keys, values), ``l.attention.bias``, ``l.projection.*``, ``l.norm2.*``, ``l.up.*``, ``l.down.*``, then
``norm.*`` and ``head``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

EOS, PAD = 2, 3


def norm(h: Sequence[float], weight: Sequence[float], bias: Sequence[float]) -> list[float]:
    """Layer norm with 1e-5 under the root."""
    mean = sum(h) / len(h)
    variance = sum((value - mean) ** 2 for value in h) / len(h)
    return [(h[i] - mean) / math.sqrt(variance + 1e-5) * weight[i] + bias[i] for i in range(len(h))]


def linear(h: Sequence[float], weight: Any, bias: Any = None) -> list[float]:
    """A row of outputs."""
    out = []
    for i in range(len(weight)):
        total = 0.0 if bias is None else float(bias[i])
        for j in range(len(h)):
            total += float(weight[i][j]) * h[j]
        out.append(total)
    return out


def gelu(z: float) -> float:
    """The tanh form."""
    return 0.5 * z * (1 + math.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def logits(w: Mapping[str, Any], depth: int, heads: int, tokens: Sequence[int]) -> list[list[float]]:
    """Logits behind every token."""
    width = len(w["token"][0])
    size = width // heads
    h = [[float(w["token"][t][i]) + float(w["position"][at][i]) for i in range(width)] for at, t in enumerate(tokens)]
    for layer in range(depth):
        queries, keys, values = [], [], []
        for row in h:
            normed = norm(row, w[f"{layer}.norm1.weight"], w[f"{layer}.norm1.bias"])
            joint = linear(normed, w[f"{layer}.attention.weight"], w[f"{layer}.attention.bias"])
            queries.append(joint[:width])
            keys.append(joint[width : 2 * width])
            values.append(joint[2 * width :])
        for at in range(len(tokens)):
            mixed = []
            for head in range(heads):
                part = range(head * size, (head + 1) * size)
                scores = [
                    sum(queries[at][i] * keys[before][i] for i in part) / math.sqrt(size) for before in range(at + 1)
                ]
                top = max(scores)
                shares = [math.exp(score - top) for score in scores]
                for i in part:
                    mixed.append(sum(shares[b] * values[b][i] for b in range(at + 1)) / sum(shares))
            change = linear(mixed, w[f"{layer}.projection.weight"], w[f"{layer}.projection.bias"])
            h[at] = [h[at][i] + change[i] for i in range(width)]
        for at in range(len(tokens)):
            normed = norm(h[at], w[f"{layer}.norm2.weight"], w[f"{layer}.norm2.bias"])
            inner = [gelu(z) for z in linear(normed, w[f"{layer}.up.weight"], w[f"{layer}.up.bias"])]
            change = linear(inner, w[f"{layer}.down.weight"], w[f"{layer}.down.bias"])
            h[at] = [h[at][i] + change[i] for i in range(width)]
    return [linear(norm(row, w["norm.weight"], w["norm.bias"]), w["head"]) for row in h]


def law(scores: Sequence[float], temperature: float = 1.0) -> list[float]:
    """Softmax."""
    top = max(scores)
    shares = [math.exp((score - top) / temperature) for score in scores]
    return [share / sum(shares) for share in shares]


def answer_law(
    w: Mapping[str, Any], depth: int, heads: int, prompt: Sequence[int], n_tokens: int, temperature: float = 1.0
) -> dict[tuple[int, ...], float]:
    """Probability of every answer of at most n_tokens tokens, EOS included where it comes."""
    found: dict[tuple[int, ...], float] = {}

    def grow(answer: tuple[int, ...], probability: float) -> None:
        if len(answer) == n_tokens or (answer and answer[-1] == EOS):
            found[answer] = probability
            return
        for token, chance in enumerate(law(logits(w, depth, heads, [*prompt, *answer])[-1], temperature)):
            grow((*answer, token), probability * chance)

    grow((), 1.0)
    return found


def right_chain(prompt: Sequence[int], leap: int = 1) -> list[int]:
    """Parities of the first leap, 2 leap, ... bits, and of all."""
    ends = [*range(leap, len(prompt), leap), len(prompt)]
    return [sum(prompt[:end]) % 2 for end in ends]


def adamw(
    weights: Sequence[float],
    gradients: Sequence[Sequence[float]],
    rate: float,
    beta1: float,
    beta2: float,
    decay: Sequence[float],
) -> list[float]:
    """Steps of AdamW with the given gradients; the decay is a number for each weight."""
    out = []
    for i in range(len(weights)):
        value, first, second = float(weights[i]), 0.0, 0.0
        for step, gradient in enumerate(gradients, 1):
            first = beta1 * first + (1 - beta1) * gradient[i]
            second = beta2 * second + (1 - beta2) * gradient[i] ** 2
            value -= rate * decay[i] * value
            value -= rate * (first / (1 - beta1**step)) / (math.sqrt(second / (1 - beta2**step)) + 1e-8)
        out.append(value)
    return out


def zipped(a: str, b: str, done: int) -> str:
    """Two numbers written after `done` steps: their first digits in pairs, then the rest of either."""
    pairs = "".join(a[i] + b[i] for i in range(done))
    return pairs + a[done:] + b[done:]
