"""Throughput of the post-training simulators: ``python benchmarks/post_training.py``.

Every row is measured twice and the better time kept. Tokens are those of sampled answers, EOS excluded; a round of STaR
counts its sampling and its retraining.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from sims import post_training
from sims.post_training._rollout import reward, roll_out
from sims.post_training._star import CHUNK, _Replicate, optimum


def best(call: Callable[[], object]) -> float:
    """Return the shorter of two running times, in seconds."""
    times = []
    for _ in range(2):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def parts(d: int, p: float, chunks: int) -> tuple[float, float, float]:
    """Sampled tokens, rewarded answers and trained answers a second, each alone."""
    ridge = np.full(d + 1, 0.01)
    run = _Replicate(d, np.uint64(0), ridge, 0)
    run.heads_out[:], run.chain_out[:] = optimum(d, p, np.full(d + 1, 1e-6), None)
    pool = np.zeros((0, (d + 63) // 64), np.uint64)
    tally = np.zeros(7, np.int64)

    def sample() -> None:
        for k in range(chunks):
            roll_out(
                run.key, 1, k * CHUNK, CHUNK, d, run.heads_out, run.chain_out, 1.0, pool,
                run.bits, run.tokens, run.is_long, run.waiting,
            )  # fmt: skip

    def judge() -> None:
        for k in range(chunks):
            reward(
                run.key, 1, k * CHUNK, CHUNK, d, True, 1.0, 0.0, 0.0, run.bits, run.tokens, run.is_long, run.kept, tally
            )

    def train() -> None:
        run.begin(0)
        for _ in range(chunks):
            run.train(CHUNK, 0)

    sampling, judging = best(sample), best(judge)
    tokens = chunks * float(np.where(run.is_long, d, 1).sum())
    training = best(train)
    return tokens / sampling, chunks * CHUNK / judging, chunks * float(run.kept.sum()) / training


def main() -> None:
    """Print one table a simulator."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lengths", type=int, nargs="+", default=[20, 50, 200])
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.1, 0.5])
    parser.add_argument("--chunks", type=int, default=8, help="of 4096 answers")
    options = parser.parse_args()
    parts(3, 0.5, 1)  # compiles, or loads what is compiled
    post_training.star(3, 0.5, 10, 1, 0)
    print("one thread")
    print(f"{'d':>4} {'p':>6} {'tokens/s':>12} {'rewarded/s':>12} {'trained/s':>12} {'STaR answers/s':>15}")
    for d in options.lengths:
        for p in options.shares:
            tokens, judged, trained = parts(d, p, options.chunks)
            n = options.chunks * CHUNK
            whole = n / best(lambda d=d, p=p, n=n: post_training.star(d, p, n, 1, 0, start_ridge=1e-6, n_prompts=8))
            print(f"{d:>4} {p:>6g} {tokens:>12,.0f} {judged:>12,.0f} {trained:>12,.0f} {whole:>15,.0f}", flush=True)
    post_training.refit_shares(0.1, 10, 1, 0)
    runs = 20_000
    seconds = best(lambda: post_training.refit_shares(1e-3, 1000, 20, range(runs)))
    print(f"\nrefit by shares, N = 1000: {20 * runs / seconds:,.0f} rounds a second")
    post_training.policy_gradient(4, 0.2, 1, 4, 0.1, 0)
    seconds = best(lambda: post_training.policy_gradient(20, 0.1, 50, 400, 0.1, 0))
    print(f"policy gradient, d = 20, p = .1: {50 * 400 / seconds:,.0f} answers a second")


if __name__ == "__main__":
    main()
