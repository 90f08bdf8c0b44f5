"""Parities, gradients and linear algebra over GF(2) by plain loops.

Imports nothing of the project. Bit i of an index or a mask stands for the sign x_(i+1); a set bit is -1.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction


def common(a: int, b: int) -> int:
    """Return the number of bits set in both."""
    count = 0
    while a and b:
        if a % 2 == 1 and b % 2 == 1:
            count = count + 1
        a, b = a // 2, b // 2
    return count


def signs(x: int, d: int) -> list[int]:
    """Return the signs of a prompt."""
    return [-1 if (x >> i) % 2 == 1 else 1 for i in range(d)]


def hadamard(values: Sequence[float]) -> list[float]:
    """Return the transform by the O(4^d) double sum."""
    found = []
    for s in range(len(values)):
        total = 0.0
        for x in range(len(values)):
            total = total + values[x] * (-1) ** common(s, x)
        found.append(total)
    return found


def butterflies(values: Sequence[float]) -> list[float]:
    """Return the transform level by level, from the lowest bit to the highest."""
    work = [float(v) for v in values]
    half = 1
    while half < len(work):
        for low in range(len(work)):
            if (low // half) % 2 == 0:
                u, w = work[low], work[low + half]
                work[low], work[low + half] = u + w, u - w
        half = 2 * half
    return work


def network(weights: Sequence[float], x: Sequence[int], width: int, relu: bool) -> float:
    """Return f(x); weights are W row by row, then b, a, c."""
    d = len(x)
    w = [weights[i * width : (i + 1) * width] for i in range(d)]
    b = weights[d * width : (d + 1) * width]
    a = weights[(d + 1) * width : (d + 2) * width]
    total = weights[(d + 2) * width]
    for j in range(width):
        z = b[j]
        for i in range(d):
            z = z + w[i][j] * x[i]
        total = total + a[j] * (max(z, 0.0) if relu else math.tanh(z))
    return total


def gradient(function: Callable[[list[float]], float], weights: Sequence[float], step: float) -> list[float]:
    """Return central differences in every weight."""
    found = []
    for k in range(len(weights)):
        up, down = list(weights), list(weights)
        up[k], down[k] = up[k] + step, down[k] - step
        found.append((function(up) - function(down)) / (2 * step))
    return found


def squared_signals(gradients: Sequence[Sequence[float]]) -> list[float]:
    """Return |E[chi_S g]/2|^2 for every S, from the gradients at all prompts."""
    n = len(gradients)
    found = []
    for s in range(n):
        total = 0.0
        for k in range(len(gradients[0])):
            mean = 0.0
            for x in range(n):
                mean = mean + gradients[x][k] * (-1) ** common(s, x) / n
            total = total + (mean / 2) ** 2
        found.append(total)
    return found


def loss_slope_by_label(value: float, label: int) -> float:
    """Return the derivative of log(1 + exp(-y f)) in f."""
    return -label / (1 + math.exp(label * value))


def trained(
    weights: Sequence[float], prompts: Sequence[int], d: int, subset: int, width: int, relu: bool, rate: float
) -> list[float]:
    """Return the weights after one step on a batch, with the gradient written out for each weight."""
    total = [0.0] * len(weights)
    for x in prompts:
        sign = signs(x, d)
        label = (-1) ** common(x, subset)
        slope = loss_slope_by_label(network(weights, sign, width, relu), label)
        for j in range(width):
            z = weights[d * width + j]
            for i in range(d):
                z = z + weights[i * width + j] * sign[i]
            outer = weights[(d + 1) * width + j]
            if relu:
                value, rise = max(z, 0.0), (1.0 if z > 0 else 0.0)
            else:
                value, rise = math.tanh(z), 1 - math.tanh(z) ** 2
            for i in range(d):
                total[i * width + j] += slope * outer * rise * sign[i]
            total[d * width + j] += slope * outer * rise
            total[(d + 1) * width + j] += slope * value
        total[(d + 2) * width] += slope
    return [w - rate * g / len(prompts) for w, g in zip(weights, total, strict=True)]


def rank(rows: Sequence[Sequence[int]]) -> int:
    """Return the rank over GF(2) by column-wise elimination of bits."""
    work = [list(row) for row in rows]
    found = 0
    for column in range(len(work[0]) if work else 0):
        pivot = None
        for r in range(found, len(work)):
            if work[r][column] == 1:
                pivot = r
                break
        if pivot is None:
            continue
        work[found], work[pivot] = work[pivot], work[found]
        for r in range(len(work)):
            if r != found and work[r][column] == 1:
                work[r] = [(u + w) % 2 for u, w in zip(work[r], work[found], strict=True)]
        found = found + 1
    return found


def rank_law(d: int, n: int) -> list[Fraction]:
    """Return P(rank = 0), ..., P(rank = d) of n uniform rows by listing all matrices."""
    counts = [0] * (d + 1)
    for bits in itertools.product((0, 1), repeat=d * n):
        counts[rank([bits[i * d : (i + 1) * d] for i in range(n)])] += 1
    return [Fraction(c, 2 ** (d * n)) for c in counts]


def consistent(rows: Sequence[Sequence[int]], labels: Sequence[int], d: int) -> list[int]:
    """Return the masks of all subsets that give every row its label."""
    found = []
    for s in range(2**d):
        if all(sum(row[i] * ((s >> i) % 2) for i in range(d)) % 2 == y for row, y in zip(rows, labels, strict=True)):
            found.append(s)
    return found


def alternating_relu(d: int) -> Fraction:
    """Return E[x_1...x_d max(0, x_1 + ... + x_d)] by listing every prompt."""
    total = Fraction(0)
    for x in itertools.product((-1, 1), repeat=d):
        total += math.prod(x) * max(0, sum(x))
    return total / 2**d
