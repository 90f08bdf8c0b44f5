"""What the claims about sticky latents share: random texts, priors, and sums over all paths of the latents."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np

from proofs_check.domains import Integer, Real
from proofs_check.mid_training._common import generator

__all__ = [
    "LENGTH",
    "PENALTY",
    "SLACK",
    "chain_law",
    "enumerated_evidence",
    "joint_law",
    "log_emissions",
    "number_of_switches",
    "path_prior",
    "random_chain",
    "random_emissions",
]

PENALTY = Real(0, 30, meaning="price per switch c, nats", symbol="c")
LENGTH = Integer(1, meaning="length of the text T", symbol="T", largest_drawn=200)
# Sums of at most 3^6 products of at most 12 factors, logarithms of size 20: rounding stays below this.
SLACK = 1e-11


@lru_cache(maxsize=1)
def random_emissions() -> list[tuple[np.ndarray, float]]:
    """Random log-emissions with a stickiness each."""
    rng = generator(30)
    sizes = ((6, 3), (5, 2), (1, 3), (4, 4), (5, 3))
    return [
        (rng.normal(-1.5, 1.2, size), alpha) for size, alpha in itertools.product(sizes[:4], (0.0, 0.3, 0.8, 0.99))
    ] + [(rng.normal(-1.0, 3.0, sizes[4]), 0.6)]


def path_prior(path: tuple[int, ...], alpha: float, k: int) -> float:
    """Prior probability of a path, step by step."""
    probability = 1 / k
    for before, after in itertools.pairwise(path):
        probability *= alpha * (before == after) + (1 - alpha) / k
    return probability


def joint_law(ell: np.ndarray, alpha: float) -> dict[tuple[int, ...], float]:
    """p(path, text) of all K^T paths."""
    length, k = ell.shape
    return {
        path: path_prior(path, alpha, k) * math.exp(math.fsum(ell[t, z] for t, z in enumerate(path)))
        for path in itertools.product(range(k), repeat=length)
    }


@lru_cache(maxsize=64)
def enumerated_evidence(index: int) -> tuple[dict[tuple[int, ...], float], float]:
    """The joint law of a random text and its paths, and the log-likelihood of the text."""
    ell, alpha = random_emissions()[index]
    joint = joint_law(ell, alpha)
    return joint, math.log(math.fsum(joint.values()))


def random_chain(rng: np.random.Generator, length: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """A Markov law of the latents: initial law and one transition matrix a step."""
    return rng.dirichlet(np.ones(k)), rng.dirichlet(np.ones(k), size=(length - 1, k)).reshape(length - 1, k, k)


def chain_law(path: tuple[int, ...], initial: np.ndarray, moves: np.ndarray) -> float:
    """Probability of a path under a Markov law."""
    probability = float(initial[path[0]])
    for t, (before, after) in enumerate(itertools.pairwise(path)):
        probability *= float(moves[t, before, after])
    return probability


def number_of_switches(path: tuple[int, ...]) -> int:
    """How often the latent changes along a path."""
    return sum(a != b for a, b in itertools.pairwise(path))


def log_emissions(tokens: np.ndarray, emission: np.ndarray) -> np.ndarray:
    """Log-probability of each token after the one before it, by position and latent."""
    return np.asarray(np.log(emission[:, tokens[:-1], tokens[1:]].T))
