"""Throughput of the linear model's trainer beside the literal loop in NumPy: ``python benchmarks/linear_model.py``.

Every row is measured twice and the better time kept; the literal loop runs on the same demonstrations, fewer of them.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import numpy as np

from sims import linear_model


def literal(x: np.ndarray, is_long: np.ndarray, ridge: float) -> None:
    """Train all positions step by step, a vector operation each: the algorithm as it is written down."""
    d = x.shape[1]
    sizes = [d, 2 * d + 2, *(2 * d + position - 1 for position in range(2, d + 1))]
    weights = [np.zeros(size) for size in sizes]
    totals = [np.zeros(size) for size in sizes]
    seen = [0] * (d + 1)
    for signs, route in zip(x.astype(float), is_long, strict=True):
        prefix = signs.cumprod()
        y1 = prefix[0] if route else prefix[-1]
        examples = [(signs, y1), (np.concatenate([signs, [y1], y1 * signs, [1.0]]), -1.0 if route else 1.0)]
        if route:
            examples += [(np.concatenate([signs, prefix[:k], prefix[k - 1] * signs]), prefix[k]) for k in range(1, d)]
        for j, (features, target) in enumerate(examples):
            w = weights[j]
            totals[j] += w
            seen[j] += 1
            pull = target / (1 + np.exp(min(target * (w @ features), 700.0)))
            weights[j] = w + (pull * features - ridge * w) / (ridge * seen[j])


def best(call: Callable[[], object]) -> float:
    """Return the shorter of two running times, in seconds."""
    times = []
    for _ in range(2):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Print one row for each length of prompt, share and number of seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[20, 50, 100])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.2, 1.0])
    parser.add_argument("--seconds", type=float, default=1.0, help="aimed at for each measurement")
    options = parser.parse_args()
    jobs = os.cpu_count() or 1
    linear_model.pretrain(3, 0.5, 10, 0.1, 0)  # compiles, or loads what is compiled
    print(f"demonstrations a second, all positions, ridge 0.01; 8 seeds on {jobs} threads")
    print(f"{'d':>4} {'p_cot':>6} {'1 seed':>12} {'8 seeds':>12} {'literal':>9} {'ratio':>7}")
    for d in options.lengths:
        for p in options.shares:
            rate = 20_000.0
            for _ in range(2):  # the first pass finds the size of the second
                n = max(1000, int(rate * options.seconds))
                rate = n / best(lambda d=d, p=p, n=n: linear_model.pretrain(d, p, n, 0.01, 0, n_prompts=10))
            many = (
                8
                * n
                / best(lambda d=d, p=p, n=n: linear_model.pretrain(d, p, n, 0.01, range(8), n_prompts=10, jobs=jobs))
            )
            few = 1000 if p < 1 else 200
            x, is_long = linear_model.draw_demonstrations(d, p, few, 0)
            slow = few / best(lambda x=x, is_long=is_long: literal(x, is_long, 0.01))
            print(f"{d:>4} {p:>6g} {rate:>12,.0f} {many:>12,.0f} {slow:>9,.0f} {rate / slow:>7,.0f}", flush=True)


if __name__ == "__main__":
    main()
