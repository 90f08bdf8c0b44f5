"""Tokens a second of the compiled expectation-maximisation, beside numpy and hmmlearn in the same run.

Run as ``python -m benchmarks.mid_training``. Text of a skill world with A = 31, K = 12: 2000 lines of 256 tokens. Each
rate is the best of a few repetitions, in processor time; they are comparable within one run only.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from sims.mid_training import draw_skills, fit_sticky_latents, skill_demonstrations, skill_emission, value_iteration
from sims.mid_training._expectation import _soft_pass, work_arrays

N_TOKENS, N_LATENTS, LENGTH, N_LINES = 31, 12, 256, 2000


def best(action: Callable[[], object], repetitions: int = 3) -> float:
    """Shortest of a few processor times, seconds; everything here runs on one thread."""
    times = []
    for _ in range(repetitions):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


def numpy_pass(lines: np.ndarray, emission: np.ndarray, alpha: float) -> tuple[np.ndarray, float, float]:
    """Scaled forward-backward over all lines at once: counts (latent, previous, token), switches, log-likelihood."""
    k, size = emission.shape[:2]
    move = (1.0 - alpha) / k
    steps = lines.shape[1] - 1
    likelihoods = emission[:, lines[:, :-1], lines[:, 1:]].transpose(2, 1, 0)
    forward = np.empty_like(likelihoods)
    scales = np.empty((steps, len(lines)))
    law = np.full((len(lines), k), 1.0 / k)
    for t in range(steps):
        joint = law * likelihoods[t]
        scales[t] = joint.sum(axis=1)
        forward[t] = joint / scales[t][:, None]
        law = alpha * forward[t] + move
    message = np.ones((len(lines), k))
    counts = np.zeros((k, size * size))
    switches = 0.0
    for t in range(steps - 1, -1, -1):
        code = lines[:, t] * size + lines[:, t + 1]
        posterior = forward[t] * message
        for z in range(k):
            counts[z] += np.bincount(code, weights=posterior[:, z], minlength=size * size)
        message = message * likelihoods[t] / scales[t][:, None]
        if t > 0:
            switches += float((1.0 - (alpha + move) * (forward[t - 1] * message).sum(axis=1)).sum())
            message = alpha * message + move * message.sum(axis=1, keepdims=True)
    return counts.reshape(k, size, size), switches, float(np.log(scales).sum())


def hmmlearn_rate(lines: np.ndarray, emission: np.ndarray, alpha: float) -> float | None:
    """Tokens a second of one iteration of hmmlearn's categorical model on pairs of tokens, if it is installed.

    It normalises over pairs, so its M-step is another one; its passes over the text are the same work.
    """
    try:
        hmm: Any = importlib.import_module("hmmlearn.hmm")
    except ImportError:
        return None
    import warnings

    k, size = emission.shape[:2]
    pairs = (lines[:, :-1] * size + lines[:, 1:]).reshape(-1, 1)
    model = hmm.CategoricalHMM(k, n_iter=1, tol=0.0, init_params="", params="te")
    model.n_features = size * size
    model.startprob_ = np.full(k, 1.0 / k)
    model.transmat_ = np.full((k, k), (1.0 - alpha) / k) + alpha * np.eye(k)
    model.emissionprob_ = emission.reshape(k, -1) / size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds = best(lambda: model.fit(pairs, [lines.shape[1] - 1] * len(lines)), 1)
    return float(pairs.size / seconds)


def main() -> None:
    """Print the rates."""
    maps = draw_skills(N_TOKENS, N_LATENTS, 0)["skill_map"].values[0]
    lines = skill_demonstrations(maps, 0.2, 0.05, LENGTH, N_LINES, 0)["token"].values[0]
    emission, alpha = skill_emission(maps, 0.05), 1.0 - 0.2 * N_LATENTS / (N_LATENTS - 1)
    predicted = N_LINES * (LENGTH - 1)
    table = np.ascontiguousarray(emission.transpose(1, 2, 0))
    work = work_arrays(N_LINES, LENGTH, N_TOKENS, N_LATENTS)

    def compiled() -> float:
        work[0][:] = 0.0
        return float(_soft_pass(lines, table, alpha, work[1], work[2], work[3], work[0], work[4]))

    switches = compiled()
    reference, reference_switches, likelihood = numpy_pass(lines, emission, alpha)
    print(f"largest difference of expected counts: {np.abs(work[0].transpose(2, 0, 1) - reference).max():.2e}")
    print(f"differences of switches and log-likelihood: {switches - reference_switches:.2e}, "
          f"{work[4].sum() - likelihood:.2e}")  # fmt: skip
    rates = {"compiled E-step": predicted / best(compiled)}
    rates["numpy E-step"] = predicted / best(lambda: numpy_pass(lines, emission, alpha))
    other = hmmlearn_rate(lines, emission, alpha)
    if other is not None:
        rates["hmmlearn iteration"] = other
    for name, rate in rates.items():
        print(f"{name:>20}: {rate / 1e6:8.2f} million tokens a second, {rates['compiled E-step'] / rate:6.1f} x")

    def forty() -> object:
        return fit_sticky_latents(
            lines,
            N_TOKENS,
            N_LATENTS,
            n_restarts=1,
            restart_iterations=1,
            swap_passes=0,
            n_iterations=40,
            tolerance=0.0,
        )

    print(f"40 iterations on {lines.size} tokens: {best(forty):.2f} s")
    rng = np.random.default_rng(0)
    kernels = rng.dirichlet(np.ones(200), size=(50, 200)) * 0.95
    rewards = rng.uniform(size=(50, 200))
    value_iteration(rewards, kernels, 1)
    seconds = best(lambda: value_iteration(rewards, kernels, 20))
    print(f"value iteration, 200 states, 50 options: {20 * 200 * 50 / seconds / 1e6:.2f} million backups a second")


if __name__ == "__main__":
    main()
