r"""Two-layer networks on signs: their start, their training on short answers, and their values on all prompts.

f(x) = c + sum_j a_j phi(b_j + sum_i W_ij x_i) with m hidden units, phi the ReLU or tanh. Starts:

* ``gaussian``: W_ij and b_j normal with variance 1/d, a_j = +-m^(-1/2), c = 0;
* ``signs``: W_ij = +-d^(-1/2), b_j = 0 or d^(-1/2) by a coin, a_j and c as above.

Training is plain stochastic gradient descent on the logistic loss log(1 + exp(-y f)), y the parity of a subset, fresh
uniform prompts in batches, a constant step. Bit i of a prompt is set where x_(i+1) = -1.
"""

from __future__ import annotations

import numpy as np

from sims._kernels import kernel
from sims._streams import uniform_pair
from sims.linear_model._vectors import bit_count
from sims.parity_mixture import FRESH, PROMPT, _prompt_bits

__all__ = ["ACTIVATIONS", "STARTS", "accuracy_everywhere", "accuracy_on_fresh", "preactivation", "start", "train"]

ACTIVATIONS = ("relu", "tanh")
STARTS = ("gaussian", "signs")
WEIGHT, OUTER = np.uint64(16), np.uint64(17)  # streams, beside those of the demonstrations
ONE = np.uint64(1)


@kernel
def start(key, d, signs, w, b, a):  # type: ignore[no-untyped-def]
    """Draw W (d, m), b (m,) and a (m,)."""
    m = len(a)
    scale = 1.0 / np.sqrt(float(d))
    for j in range(m):
        for i in range(d + 1):
            u, v = uniform_pair(key, WEIGHT, j, i)
            if not signs:
                value = np.sqrt(-2.0 * np.log(1.0 - u)) * np.cos(2.0 * np.pi * v) * scale
            elif i < d:
                value = scale if u < 0.5 else -scale
            else:
                value = scale if u < 0.5 else 0.0
            if i < d:
                w[i, j] = value
            else:
                b[j] = value
        u, v = uniform_pair(key, OUTER, j, 0)
        a[j] = (1.0 if u < 0.5 else -1.0) / np.sqrt(float(m))


@kernel
def preactivation(w, j, bias, z):  # type: ignore[no-untyped-def]
    """Fill z (2^d) with b_j + sum_i W_ij x_i for all prompts, by doubling; O(2^d)."""
    d = w.shape[0]
    total = bias
    for i in range(d):
        total += w[i, j]
    z[0] = total
    for i in range(d):
        h = 1 << i
        twice = 2.0 * w[i, j]
        for r in range(h):
            z[h + r] = z[r] - twice


@kernel
def _forward(bits, d, w, b, a, c, relu, z):  # type: ignore[no-untyped-def]
    """Value of f at one prompt; leaves the preactivations in z."""
    m = len(a)
    for j in range(m):
        z[j] = b[j]
    for i in range(d):
        row = w[i]
        if (bits >> np.uint64(i)) & ONE:
            for j in range(m):
                z[j] -= row[j]
        else:
            for j in range(m):
                z[j] += row[j]
    total = c
    for j in range(m):
        if relu:
            total += a[j] * max(z[j], 0.0)
        else:
            total += a[j] * np.tanh(z[j])
    return total


@kernel
def train(key, d, subset, first, last, batch, rate, relu, w, b, a, c, gw, gb, ga, z):  # type: ignore[no-untyped-def]
    """Run the batches first..last-1. Time O(batch d m) each; gw, gb, ga, z are room for gradients."""
    m = len(a)
    bits = np.empty(1, np.uint64)
    for step in range(first, last):
        for i in range(d):
            gw[i] = 0.0
        gb[:] = 0.0
        ga[:] = 0.0
        gc = 0.0
        for k in range(batch):
            _prompt_bits(key, PROMPT, step * batch + k, d, bits)
            x = bits[0]
            y = -1.0 if bit_count(x & subset) & ONE else 1.0
            f = _forward(x, d, w, b, a, c[0], relu, z)
            pull = y / (1.0 + np.exp(y * f)) / batch
            gc += pull
            for j in range(m):
                if relu:
                    ga[j] += pull * max(z[j], 0.0)
                    z[j] = pull * a[j] if z[j] > 0.0 else 0.0
                else:
                    value = np.tanh(z[j])
                    ga[j] += pull * value
                    z[j] = pull * a[j] * (1.0 - value * value)
                gb[j] += z[j]
            for i in range(d):
                row = gw[i]
                if (x >> np.uint64(i)) & ONE:
                    for j in range(m):
                        row[j] -= z[j]
                else:
                    for j in range(m):
                        row[j] += z[j]
        c[0] += rate * gc
        for j in range(m):
            a[j] += rate * ga[j]
            b[j] += rate * gb[j]
        for i in range(d):
            row = w[i]
            step_row = gw[i]
            for j in range(m):
                row[j] += rate * step_row[j]


@kernel
def accuracy_everywhere(d, subset, w, b, a, c, relu, z, f):  # type: ignore[no-untyped-def]
    """Share of all 2^d prompts with the right sign of f, and the mean chance of the right answer; O(m 2^d)."""
    n = 1 << d
    f[:] = c
    for j in range(len(a)):
        preactivation(w, j, b[j], z)
        outer = a[j]
        if relu:
            for r in range(n):
                f[r] += outer * max(z[r], 0.0)
        else:
            for r in range(n):
                f[r] += outer * np.tanh(z[r])
    right = 0
    chance = 0.0
    for r in range(n):
        y = -1.0 if bit_count(np.uint64(r) & subset) & ONE else 1.0
        right += (f[r] >= 0.0) == (y > 0.0)
        chance += 1.0 / (1.0 + np.exp(-y * f[r]))
    return right / n, chance / n


@kernel
def accuracy_on_fresh(key, d, subset, count, w, b, a, c, relu, z):  # type: ignore[no-untyped-def]
    """The same on `count` fresh prompts; O(count d m)."""
    bits = np.empty(1, np.uint64)
    right = 0
    chance = 0.0
    for step in range(count):
        _prompt_bits(key, FRESH, step, d, bits)
        f = _forward(bits[0], d, w, b, a, c, relu, z)
        y = -1.0 if bit_count(bits[0] & subset) & ONE else 1.0
        right += (f >= 0.0) == (y > 0.0)
        chance += 1.0 / (1.0 + np.exp(-y * f))
    return right / count, chance / count
