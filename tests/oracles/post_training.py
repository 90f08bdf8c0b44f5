"""Literal versions of post-training, from its definition; plain loops that import nothing from the code they judge."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

Sequence_ = tuple[int, ...]


def prefix(x: Sequence[int]) -> list[int]:
    """Running products of the prompt."""
    found, running = [], 1
    for sign in x:
        running *= sign
        found.append(running)
    return found


def answers(x: Sequence[int], u: Any, stop: Any, other: Any, errors: Sequence[Any]) -> list[tuple[Any, Sequence_]]:
    """Every answer to a prompt with its probability; token l is y_(l-1) x_l unless it errs."""
    found: list[tuple[Any, Sequence_]] = []
    for first in (1, -1):
        agrees = first == x[0]
        chance = u if agrees else 1 - u
        ends = stop if agrees else other
        found.append((chance * ends, (first,)))
        for flips in itertools.product((False, True), repeat=len(x) - 1):
            y, p = [first], chance * (1 - ends)
            for sign, flip, e in zip(x[1:], flips, errors, strict=True):
                y.append(-y[-1] * sign if flip else y[-1] * sign)
                p = p * (e if flip else 1 - e)
            found.append((p, tuple(y)))
    return found


def reward(x: Sequence[int], y: Sequence[int], kind: str) -> bool:
    """r_cot: the whole answer is the long or the short right one; r_e2e: its last token is the parity."""
    chain = prefix(x)
    if kind == "r_cot":
        return list(y) in (chain, chain[-1:])
    return y[-1] == chain[-1]


def kept_law(
    d: int, u: Any, stop: Any, other: Any, errors: Sequence[Any], kind: str
) -> tuple[Any, list[tuple[Any, Sequence_, Sequence_]]]:
    """Kept mass, and the (unnormalised) kept prompts and answers."""
    law = []
    for x in itertools.product((-1, 1), repeat=d):
        for chance, y in answers(x, u, stop, other, errors):
            if reward(x, y, kind):
                law.append((chance * Fraction(1, 2**d), x, y))
    return sum((w for w, _, _ in law), start=Fraction(0)), law


def refit(law: list[tuple[Any, Sequence_, Sequence_]], d: int) -> dict[str, Any]:
    """Shares among the kept answers of every relation that the linear model reads."""

    def share(of: Callable[[Any, Any], bool], among: Callable[[Any, Any], bool]) -> Any:
        bottom = sum((w for w, x, y in law if among(x, y)), start=Fraction(0))
        top = sum((w for w, x, y in law if among(x, y) and of(x, y)), start=Fraction(0))
        return None if bottom == 0 else top / bottom

    return {
        "first_token": share(lambda x, y: y[0] == x[0], lambda x, y: True),
        "stop_agree": share(lambda x, y: len(y) == 1, lambda x, y: y[0] == x[0]),
        "stop_disagree": share(lambda x, y: len(y) == 1, lambda x, y: y[0] != x[0]),
        "chain_errors": [
            share(lambda x, y, i=i: y[i] != y[i - 1] * x[i], lambda x, y: len(y) > 1)  # type: ignore[misc]
            for i in range(1, d)
        ],
    }


def noisy_long(x: Sequence[int], eta: Any, follows_emitted: bool) -> list[tuple[Any, Sequence_]]:
    """Every noisy long demonstration of a prompt with its probability."""
    found = []
    for flips in itertools.product((False, True), repeat=len(x)):
        chance: Any = 1
        y: list[int] = []
        truth = 1
        for sign, flip in zip(x, flips, strict=True):
            truth *= sign
            base = (y[-1] if y else 1) * sign if follows_emitted else truth
            y.append(-base if flip else base)
            chance = chance * (eta if flip else 1 - eta)
        found.append((chance, tuple(y)))
    return found


def noisy_law(d: int, p: Any, eta: Any, follows_emitted: bool) -> list[tuple[Any, Sequence_, Sequence_]]:
    """The mixture with noisy long demonstrations."""
    law: list[tuple[Any, Sequence_, Sequence_]] = []
    for x in itertools.product((-1, 1), repeat=d):
        law.append(((1 - p) * Fraction(1, 2**d), x, (prefix(x)[-1],)))
        law += [(p * c * Fraction(1, 2**d), x, y) for c, y in noisy_long(x, eta, follows_emitted)]
    return law


def guessing_accuracy(odds: Any, g: Any) -> Any:
    """Greedy accuracy of a calibrated model that sees the long answer's first token and a guess of the parity."""
    p = odds / (1 + odds)
    total = 0 * p
    for parity in (1, -1):
        for first_long in (1, -1):  # independent of the parity
            for guess in (1, -1):
                chance = (1 + g) / 2 if guess == parity else (1 - g) / 2
                # Given the guess, the parity equals it with probability (1+g)/2.
                law = {s: (1 - p) * ((1 + g) / 2 if s == guess else (1 - g) / 2) for s in (1, -1)}
                emitted = max((1, -1), key=lambda s: (law[s] + (p if s == first_long else 0), s == first_long))
                goes_on = emitted == first_long and p >= law[emitted]
                total = total + Fraction(1, 4) * chance * (1 if goes_on else int(emitted == parity))
    return total


def grpo_weight(s: float, size: int, sample: bool) -> float:
    """E over groups of the mean of advantage times (score direction), by listing the numbers of right answers."""
    total = 0.0
    for k in range(size + 1):
        chance = math.comb(size, k) * s**k * (1 - s) ** (size - k)
        mean = k / size
        variance = mean * (1 - mean) * (size / (size - 1) if sample else 1)
        if variance == 0:
            continue
        advantage_right = (1 - mean) / math.sqrt(variance)
        advantage_wrong = -mean / math.sqrt(variance)
        # d ln P(right) = (1-s) dtheta, d ln P(wrong) = -s dtheta, and ds = s(1-s) dtheta.
        total += chance * (mean * advantage_right * (1 - s) - (1 - mean) * advantage_wrong * s)
    return total / (s * (1 - s))


def shares_chain(p: float, n_samples: int, n_rounds: int, generator: np.random.Generator) -> list[float]:
    """Refitting by the kept shares: one run of the chain of long shares."""
    found = [p]
    for _ in range(n_rounds):
        kept_long = kept = 0
        for _ in range(n_samples):
            if generator.random() < p:
                kept_long += 1
                kept += 1
            elif generator.random() < 0.5:
                kept += 1
        p = kept_long / kept if kept else p
        found.append(p)
    return found


def features(position: int, x: Sequence[int], y: Sequence[int]) -> list[int]:
    """Features of position 0 (first token), 1 (stop or go on) and l = 2..d, as the model is defined."""
    if position == 0:
        return list(x)
    if position == 1:
        return [*x, y[0], *(y[0] * sign for sign in x), 1]
    last = y[position - 2]
    return [*x, *y[: position - 1], *(last * sign for sign in x)]


def token(position: int, y: Sequence[int]) -> int:
    """What the position aims at on an answer: y_1; +1 for EOS; y_l."""
    if position == 0:
        return y[0]
    return (1 if len(y) == 1 else -1) if position == 1 else y[position - 1]


def retrain(
    d: int,
    kept: Sequence[tuple[Sequence[int], Sequence[int]]],
    ridge: Sequence[float],
    start: Sequence[np.ndarray] | None = None,
    clock: int = 0,
) -> list[np.ndarray | None]:
    """Averaged descent on kept (prompt, answer) pairs, position by position; None where there was nothing."""
    found: list[np.ndarray | None] = []
    for index in range(d + 1):
        w: Any = None
        total: Any = None
        t, count = clock, 0
        for x, y in kept:
            if index >= 2 and len(y) == 1:
                continue
            f = np.array(features(index, x, y), dtype=float)
            if w is None:
                w = np.zeros(len(f)) if start is None else start[index].copy()
                total = np.zeros(len(f))
            t, count = t + 1, count + 1
            total = total + w
            aim = token(index, y)
            gradient = -aim * f / (1 + math.exp(aim * float(w @ f))) + ridge[index] * w
            w = w - gradient / (ridge[index] * t)
        found.append(None if w is None else total / count)
    return found


def log_probability(d: int, weights: Sequence[np.ndarray], x: Sequence[int], y: Sequence[int]) -> float:
    """Log-probability of an answer, EOS after a short one included."""
    total = 0.0
    for index in range(d + 1 if len(y) > 1 else 2):
        margin = float(weights[index] @ np.array(features(index, x, y), dtype=float))
        total -= math.log1p(math.exp(-token(index, y) * margin))
    return total
