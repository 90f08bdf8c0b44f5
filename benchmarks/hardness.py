"""Walsh-Hadamard transforms a second: ``python benchmarks/hardness.py``.

Compiled transforms (one and two threads) against a plain numpy butterfly and, where it fits, a product with
``scipy.linalg.hadamard``, all in the same run and checked to give the same numbers. The best of the repeats counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from scipy.linalg import hadamard

from sims.hardness import gradient_signal, walsh_hadamard


def numpy_butterfly(values: np.ndarray) -> None:
    """The plain loop over levels, in place, each level vectorised."""
    half = 1
    while half < len(values):
        pairs = values.reshape(-1, 2, half)
        total = pairs[:, 0] + pairs[:, 1]
        np.subtract(pairs[:, 0], pairs[:, 1], out=pairs[:, 1])
        pairs[:, 0] = total
        half *= 2


def best(call: Callable[[], object], repeats: int, seconds: float) -> float:
    """Shortest time of a call, after one that warms it; at least `repeats` of them, for at most about `seconds`."""
    call()
    times: list[float] = []
    while len(times) < repeats or sum(times) < seconds / 10:
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
        if sum(times) > seconds:
            break
    return min(times)


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 12, 14, 16, 20, 22, 24])
    parser.add_argument("--largest-matrix", type=int, default=14, help="largest d for scipy's matrix (8 * 4^d bytes)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="for one cell")
    options = parser.parse_args()
    print("transforms a second, in place")
    print(f"{'d':>3} {'one thread':>12} {'two':>12} {'numpy':>12} {'matrix':>12}  one/numpy  one/matrix")
    for d in options.sizes:
        values = np.random.default_rng(d).normal(size=2**d)
        compiled, plain = walsh_hadamard(values), values.copy()
        numpy_butterfly(plain)
        assert (compiled == plain).all()
        work = values.copy()

        def again(threads: int, work: np.ndarray = work) -> None:
            walsh_hadamard(work, threads=threads, overwrite=True)
            work *= 2.0 ** (-len(work).bit_length() // 2)  # or numbers overflow; timed with every program

        def again_plain(work: np.ndarray = work) -> None:
            numpy_butterfly(work)
            work *= 2.0 ** (-len(work).bit_length() // 2)

        rates = [
            1 / best(lambda a=again: a(1), options.repeats, options.seconds),
            1 / best(lambda a=again: a(2), options.repeats, options.seconds),
            1 / best(again_plain, options.repeats, options.seconds),
        ]
        shown = " ".join(f"{rate:12,.1f}" for rate in rates)
        ratio = f"{rates[0] / rates[2]:10.1f}"
        if d <= options.largest_matrix:
            matrix = hadamard(2**d, dtype=np.float64)
            # both sum 2^d numbers of size one
            assert np.abs(matrix @ values - compiled).max() < 2.0**d * 1e-13
            product = 1 / best(lambda m=matrix, v=values: m @ v, options.repeats, options.seconds)
            del matrix
            print(f"{d:>3} {shown} {product:12,.1f} {ratio} {rates[0] / product:11.1f}", flush=True)
        else:
            print(f"{d:>3} {shown} {'':>12} {ratio}", flush=True)
    d, width = 16, 16
    gradient_signal(4, "two_layer", 0, width=2)
    seconds = best(lambda: gradient_signal(d, "two_layer", 0, width=width), 2, options.seconds)
    parameters = width * (d + 2) + 1
    print(f"\nsignals of all 2^{d} parities in the gradient of {parameters} weights: {seconds * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
