"""Tokens a second of a small decoder, in training and in sampling with and without the cache.

    python benchmarks/transformer.py [--d D] [--depth L] [--width W] [--threads T] [--device cpu|cuda]

Tokens are those that the decoder reads: prompt and answer of every demonstration without the last EOS; in sampling the
prompts and the answers written. Best of three repeats, by the clock and by the process's own time, which a busy machine
disturbs less (on a processor with one thread).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from sims.transformer._checkpoints import one_thread
from sims.transformer._data import PAD, draw_demonstrations, prompts, replicate_key, uniforms
from sims.transformer._decoder import Architecture, initial_weights, roll_out, weight_count
from sims.transformer._training import OPTIMISER, Learner, answer_loss

P_COT, BATCH, ROWS = 0.25, 128, 1024


def best(work: Callable[[], int], repeats: int = 3) -> str:
    """Highest rates over the repeats, after one for warming up."""
    work()
    clock, own = 0.0, 0.0
    for _ in range(repeats):
        began, began_own = time.perf_counter(), time.process_time()
        count = work()
        clock = max(clock, count / (time.perf_counter() - began))
        own = max(own, count / max(time.process_time() - began_own, 1e-9))
    return f"{clock:12,.0f} tokens/s by the clock {own:12,.0f} by process time"


def main() -> None:
    """Print one line a task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("d", 12), ("depth", 2), ("width", 64), ("heads", 4), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    d = given.d
    shape = Architecture(given.depth, given.width, given.heads, 2 * d)
    key = replicate_key(0)
    with one_thread(given.threads, given.device):
        learner = Learner(shape, initial_weights(shape, 0), OPTIMISER, given.device)

        def synchronise() -> None:
            if given.device == "cuda":
                torch.cuda.synchronize()

        def train() -> int:
            count = 0
            for step in range(10):
                x, _, y = draw_demonstrations(key, step * BATCH, BATCH, d, P_COT)
                loss = answer_loss(learner.views(), shape, x, y, np.full(BATCH, 1 / BATCH))
                learner.step(loss, 1e-3)
                count += x.size + int((y != PAD).sum()) - BATCH
            synchronise()
            return count

        x = prompts(key, 5, 0, ROWS, d)
        u = uniforms(key, 6, 0, ROWS, d + 1)

        def sample(cached: bool) -> int:
            y = roll_out(learner.frozen(), shape, x, d + 1, uniforms=u, cached=cached)
            synchronise()
            return x.size + int((y != PAD).sum())

        print(f"d {d}, depth {given.depth}, width {given.width}, {weight_count(shape)} weights, {given.device}, "
              f"{given.threads} threads, PyTorch {torch.__version__}")  # fmt: skip
        print(f"training            {best(train)}")
        print(f"sampling, cache     {best(lambda: sample(True))}")
        print(f"sampling, no cache  {best(lambda: sample(False))}")


if __name__ == "__main__":
    main()
