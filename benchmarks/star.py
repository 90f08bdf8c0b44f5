"""Trajectories a second of tabular STaR, compiled against plain numpy in the same run.

    python benchmarks/star.py [--rounds T] [--repeats R]

The numpy version keeps M x M tables, inverts cumulative rows for all K trajectories at once and counts
with bincount: the natural vectorised program. Both run the same settings; the best of R repeats counts.
The accuracies after the last round are printed beside the times, so that both are seen to do the work.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from sims import star

SETTINGS = (
    # N, M, K, delta
    (3, 8, 16_000, 0.1),
    (3, 64, 262_144, 0.1),
    (4, 3, 1_000, 0.5),
    (3, 512, 100_000, 0.3),
)


def numpy_star(delta: float, n_steps: int, n_states: int, count: int, rounds: int, seed: int) -> float:
    """Plain numpy; returns the accuracy of the last tables."""
    rng = np.random.default_rng(seed)
    tables = np.full((n_steps, n_states, n_states), (1 - delta) / n_states)
    tables[:, np.arange(n_states), np.arange(n_states)] += delta
    for _ in range(rounds):
        cumulative = np.cumsum(tables, axis=2)
        cumulative[:, :, -1] = 1.0
        path = np.empty((n_steps + 1, count), dtype=np.int64)
        path[0] = rng.integers(0, n_states, count)
        flat = cumulative + np.arange(n_states)[None, :, None]  # one sorted search over all rows of a step
        for step in range(n_steps):
            found = np.searchsorted(flat[step].ravel(), path[step] + rng.random(count), side="right")
            path[step + 1] = np.minimum(found - path[step] * n_states, n_states - 1)
        kept = path[:, path[0] == path[-1]]
        for step in range(n_steps):
            pairs = np.bincount(kept[step] * n_states + kept[step + 1], minlength=n_states**2)
            counts = pairs.reshape(n_states, n_states)
            visits = counts.sum(axis=1)
            seen = visits > 0
            tables[step, seen] = counts[seen] / visits[seen, None]
    product = tables[0]
    for table in tables[1:]:
        product = product @ table
    return float(np.trace(product) / n_states)


def compiled_star(delta: float, n_steps: int, n_states: int, count: int, rounds: int, seed: int, engine: str) -> float:
    """The shipped simulator; returns the accuracy of the last model."""
    run = star.simulate([delta] * n_steps, n_states, count, rounds, seed, engine=engine)
    return float(run.accuracy[0, -1])


def best(
    function: Callable[..., float], arguments: tuple[float, ...], repeats: int, **options: str
) -> tuple[float, float]:
    """Shortest time over the seeds and the last value."""
    times, value = [], 0.0
    for seed in range(repeats):
        begin = time.perf_counter()
        value = function(*arguments, seed, **options)
        times.append(time.perf_counter() - begin)
    return min(times), value


def main() -> None:
    """Print one line a setting."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    for engine in ("sparse", "dense"):
        star.simulate([0.5] * 2, 2, 10, 1, 0, engine=engine)  # compile
    print(f"{'N':>2} {'M':>5} {'K':>8}  {'numpy':>9} {'lists':>9} {'tables':>9}  lists/numpy  accuracies")
    for n_steps, n_states, count, delta in SETTINGS:
        arguments = (delta, n_steps, n_states, count, options.rounds)
        runs = [best(numpy_star, arguments, options.repeats)]
        runs += [best(compiled_star, arguments, options.repeats, engine=engine) for engine in ("sparse", "dense")]
        rates = [count * options.rounds / seconds for seconds, _ in runs]
        shown = " ".join(f"{rate / 1e6:8.2f}M" for rate in rates)
        values = [round(value, 3) for _, value in runs]
        print(f"{n_steps:2d} {n_states:5d} {count:8d}  {shown}  {rates[1] / rates[0]:10.1f}x  {values}")


if __name__ == "__main__":
    main()
