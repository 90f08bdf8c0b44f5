"""Bounds on likelihoods of text with latents: the evidence lower bound, and the price of switches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from proofs_check.bounds import INSTANCE, Bound, Exactly, Measured
from proofs_check.claims import Mutant
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.mid_training._common import shipped

__all__ = ["LIKELIHOODS"]


def _text(point: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """A random text and a random positive emission table."""
    generator = np.random.default_rng([57, point["instance"]])
    k, size = point["n_latents"], 3
    emission = 0.02 / size + 0.98 * generator.dirichlet(np.full(size, 10 ** generator.uniform(-1, 1)), size=(k, size))
    return generator.integers(0, size, point["length"] + 1), emission, generator


def _evidence(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Likelihood per token under the bound of a random look-ahead law, against the likelihood itself."""
    tokens, emission, generator = _text(point)
    weights = generator.normal(0.0, 2.0, point["look_ahead"] + 2)
    data = lab.sims.mid_training.look_ahead_bound(tokens[None, :], emission, point["alpha"], weights)
    logs = np.log(emission[:, tokens[:-1], tokens[1:]]).T
    exact = lab.theory.mid_training.sticky_log_likelihood(logs, point["alpha"]) / point["length"]
    found = float(data["bound"].values.sum()) / point["length"]
    return Measured(Exactly(math.exp(found), 1e-12), math.exp(exact))


def _switches(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Mean number of switches at a price, by listing all paths, against the fall of the log-partition function."""
    tokens, emission, _ = _text(point)
    logs = np.log(emission[:, tokens[:-1], tokens[1:]]).T
    paths = np.array(list(itertools.product(range(point["n_latents"]), repeat=point["length"])))
    switches = (np.diff(paths, axis=1) != 0).sum(axis=1)
    scores = logs[np.arange(point["length"]), paths].sum(axis=1) - point["penalty"] * switches
    chances = np.exp(scores - scores.max())
    mean = float(chances @ switches / chances.sum())
    t = lab.theory.mid_training
    limit = (t.log_partition(logs, 0.0) - t.log_partition(logs, point["penalty"])) / point["penalty"]
    return Measured(Exactly(mean, 1e-11 * (1 + 1 / point["penalty"])), float(limit))


TEXT: dict[str, Real | Integer] = {"n_latents": Integer(1, 3, meaning="latents K", symbol="K"), "instance": INSTANCE}

LIKELIHOODS = (
    Bound(
        "mid_training.elbo_gap",
        "upper",
        Domain(
            {
                **TEXT,
                "length": Integer(1, 30, meaning="tokens"),
                "alpha": Real(0.0, 0.99, meaning="stickiness"),
                "look_ahead": Integer(-1, 4, meaning="tokens the law of the latents sees ahead"),
            }
        ),
        _evidence,
        part="evidence lower bound",
        mutants=(
            Mutant(
                "the logarithm of the likelihood times 1.2",
                "laws of the latents close to the posterior come within a few percent of the likelihood",
                theory={
                    "mid_training.sticky_log_likelihood": lambda logs, alpha: (
                        shipped().sticky_log_likelihood(logs, alpha) * 1.2
                    )
                },
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "mid_training.expected_switches",
        "upper",
        Domain(
            {
                **TEXT,
                "n_latents": Integer(2, 3, meaning="latents K", symbol="K"),
                "length": Integer(2, 6, meaning="tokens"),
                "penalty": Real(0.01, 6.0, meaning="price of a switch", symbol="c"),
            }
        ),
        _switches,
        part="price of switches",
        mutants=(
            Mutant(
                "half of the fall",
                "at a small price the fall is the price times the mean",
                theory={"mid_training.log_partition": lambda logs, penalty: shipped().log_partition(logs, penalty) / 2},
            ),
        ),
    ),
)
