"""The autoregressive linear model, token by token: features, training step by step, probabilities, decoding.

Imports nothing of the project. Positions are numbered 0 (first token), 1 (stop or go on), then l = 2..d at index l.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


def answer(x: Sequence[int], is_long: bool) -> list[int]:
    """Return the tokens of the right long or short answer, without EOS."""
    tokens = []
    product = 1
    for sign in x:
        product = product * sign
        tokens.append(product)
    return tokens if is_long else tokens[-1:]


def features(position: int, x: Sequence[int], y: Sequence[int]) -> np.ndarray:
    """Return the +-1 features of a position, given the prompt and the answer so far."""
    if position == 0:
        return np.array([float(sign) for sign in x])
    if position == 1:
        return np.array([float(s) for s in [*x, y[0], *(y[0] * sign for sign in x), 1]])
    prefix = list(y[: position - 1])
    return np.array([float(s) for s in [*x, *prefix, *(prefix[-1] * sign for sign in x)]])


def example(position: int, x: Sequence[int], is_long: bool) -> tuple[np.ndarray, int]:
    """Return features and target that a demonstration gives at a position."""
    y = answer(x, is_long)
    if position == 0:
        return features(0, x, y), y[0]
    if position == 1:
        return features(1, x, y), -1 if is_long else 1
    return features(position, x, y), y[position - 1]


def positions(d: int) -> list[int]:
    """Return all positions in the order first, stop, l = 2..d."""
    return [0, 1, *range(2, d + 1)]


def sgd(vectors: Sequence[np.ndarray], targets: Sequence[int], ridge: float, start: np.ndarray | None = None) -> Any:
    """Return the average of the iterates w^(1)..w^(T), T the number of examples: steps 1/(ridge t) from w^(1)."""
    w = np.zeros(len(vectors[0]), vectors[0].dtype) if start is None else start.copy()
    total = np.zeros_like(w)
    for t, (f, y) in enumerate(zip(vectors, targets, strict=True), 1):
        total = total + w
        margin = y * (w * f).sum()
        gradient = -y * f / (1 + np.exp(margin)) + ridge * w
        w = w - gradient / (ridge * t)
    return total / len(vectors)


def train(
    x: np.ndarray, is_long: np.ndarray, ridge: Sequence[float], caps: Sequence[int], dtype: Any = np.float64
) -> list[np.ndarray]:
    """Return the averaged weights of every position after all the demonstrations, zero where there was no example."""
    d = x.shape[1]
    weights = []
    for index, position in enumerate(positions(d)):
        vectors, targets = [], []
        for signs, route in zip(x.tolist(), is_long.tolist(), strict=True):
            if (position < 2 or route) and len(vectors) < caps[index]:
                f, y = example(position, signs, route)
                vectors.append(f.astype(dtype))
                targets.append(y)
        size = len(example(position, x[0].tolist(), True)[0])
        weights.append(sgd(vectors, targets, dtype(ridge[index])) if vectors else np.zeros(size, dtype))
    return weights


def logistic(z: float) -> float:
    """Return 1/(1 + exp(-z))."""
    return 1 / (1 + math.exp(-z))


def probability(weights: Sequence[np.ndarray], position: int, x: Sequence[int], y: Sequence[int], token: int) -> float:
    """Return the chance of a token (at the stop position +1 is EOS)."""
    return logistic(token * float((weights[position] * features(position, x, y)).sum()))


def long_correct(weights: Sequence[np.ndarray], x: Sequence[int]) -> float:
    """Return the chance of the right long answer."""
    d = len(x)
    y = answer(x, True)
    chance = probability(weights, 0, x, [], y[0]) * probability(weights, 1, x, y[:1], -1)
    for position in range(2, d + 1):
        chance *= probability(weights, position, x, y, y[position - 1])
    return chance


def short_correct(weights: Sequence[np.ndarray], x: Sequence[int]) -> float:
    """Return the chance of the right short answer, EOS included."""
    y = answer(x, False)
    return probability(weights, 0, x, [], y[0]) * probability(weights, 1, x, y, 1)


def greedy(weights: Sequence[np.ndarray], x: Sequence[int]) -> list[int]:
    """Return the greedy answer; a logit of 0 is +1, and goes on at the stop position."""
    y = [1 if (weights[0] * features(0, x, [])).sum() >= 0 else -1]
    if (weights[1] * features(1, x, y)).sum() > 0:
        return y
    for position in range(2, len(x) + 1):
        y.append(1 if (weights[position] * features(position, x, y)).sum() >= 0 else -1)
    return y
