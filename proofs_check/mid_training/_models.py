"""What the claims about planning share: random semi-Markov models, and their values by literal search."""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
import sympy as sp

__all__ = ["G", "best_values_by_linear_program", "best_values_by_search", "policy_values_by_solve", "random_models"]

G = sp.Symbol("gamma", positive=True)


@lru_cache(maxsize=2)
def random_models(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Random semi-Markov models: three options on four states, discounted kernels with row sums E[gamma^tau]."""
    from sims.mid_training import draw_semi_mdp

    found = []
    for gamma, longest in ((0.9, 1), (0.9, 6), (0.6, 3)):
        drawn = draw_semi_mdp(4, 3, gamma, longest, range(count))
        found += [(drawn["reward"].values[i], drawn["kernel"].values[i]) for i in range(count)]
    return found


def policy_values_by_solve(rewards: np.ndarray, kernels: np.ndarray, policy: np.ndarray) -> np.ndarray:
    """Values of a policy, probabilities (state, option), by scipy's dense solver."""
    from scipy import linalg

    kernel = np.einsum("sz,zst->st", policy, kernels)
    return np.asarray(linalg.solve(np.eye(len(kernel)) - kernel, np.einsum("sz,zs->s", policy, rewards)))


_BEST: dict[tuple[bytes, bytes, tuple[int, ...]], np.ndarray] = {}


def best_values_by_search(rewards: np.ndarray, kernels: np.ndarray, kept: tuple[int, ...]) -> np.ndarray:
    """Best values over all deterministic policies; remembered, since mutants ask again."""
    key = rewards.tobytes(), kernels.tobytes(), kept
    if key not in _BEST:
        _BEST[key] = _search(rewards, kernels, kept)
    return _BEST[key]


def _search(rewards: np.ndarray, kernels: np.ndarray, kept: tuple[int, ...]) -> np.ndarray:
    states = rewards.shape[1]
    best = np.full(states, -np.inf)
    for choice in itertools.product(kept, repeat=states):
        policy = np.zeros((states, len(rewards)))
        policy[np.arange(states), choice] = 1.0
        best = np.maximum(best, policy_values_by_solve(rewards, kernels, policy))
    return best


def best_values_by_linear_program(rewards: np.ndarray, kernels: np.ndarray, kept: tuple[int, ...]) -> np.ndarray:
    """Smallest V with V >= R_z + P_z V for every kept option, by scipy's HiGHS."""
    from scipy.optimize import linprog

    states = rewards.shape[1]
    rows = np.concatenate([kernels[z] - np.eye(states) for z in kept])
    limits = np.concatenate([-rewards[z] for z in kept])
    found = linprog(np.ones(states), A_ub=rows, b_ub=limits, bounds=[(None, None)] * states, method="highs")
    return np.asarray(found.x)
