"""Bounds on learning a parity: gradients' signals, queries, noise and messages, and what elimination needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from proofs_check.bounds import INSTANCE, Bound, Crossing, Exactly, Measured, times
from proofs_check.claims import Mutant, find
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.samples import Counts

__all__ = ["BOUNDS"]

CLAIMS = {claim.id.split(".")[1]: claim for claim in find(["hardness"])}
PREDICTORS = ("linear", "monomials", "random_features", "two_layer")
ACTIVATIONS = ("relu", "tanh")


_times = partial(times, "hardness")


def _counts(found: Any) -> Counts:
    values = np.asarray(found)
    return Counts(int(values.sum()), int(values.size))


# ---------------------------------------------------------------- signals of gradients

NETWORK: dict[str, Real | Integer] = {
    "d": Integer(2, 9, meaning="number of signs"),
    "predictor": Integer(0, 3, meaning="linear, monomials of a degree, random features, two layers"),
    "degree": Integer(0, 4, meaning="degree of the monomials"),
    "activation": Integer(0, 1, meaning="relu or tanh"),
    "width": Integer(1, 12, meaning="hidden units"),
    "p_cot": Real(0.0, 0.99, meaning="share of long demonstrations", symbol="p"),
    "instance": INSTANCE,
}


def _signals(lab: Lab, point: Mapping[str, Any]) -> Any:
    return lab.sims.hardness.gradient_signal(
        point["d"], PREDICTORS[point["predictor"]], [point["instance"]], width=point["width"],
        activation=ACTIVATIONS[point["activation"]], degree=min(point["degree"], point["d"]), p_cot=point["p_cot"],
        parities=True,
    )  # fmt: skip


def _sparse(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Mean squared signal over the parities of k signs."""
    data = _signals(lab, point)
    k = min(point["subset_size"], point["d"])
    square = float(data["gradient_square"].values[0])
    limit = float(lab.theory.hardness.signal_mean_bound(point["d"], k, square, point["p_cot"]))
    return Measured(Exactly(float(data["degree_mean"].values[0, k]), 2.0**-44 * square), limit)


def _share(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Share of all parities with a signal of a norm t, t^2 a multiple of the mean squared signal."""
    data = _signals(lab, point)
    signal, square = data["signal"].values[0], float(data["gradient_square"].values[0])
    threshold = math.sqrt(point["factor"] * float(signal.mean()))
    if not threshold > 0:
        return Measured(Exactly(0.0), 1.0)
    limit = lab.theory.hardness.signal_share_bound(signal.size, square, threshold, point["p_cot"])
    # a signal that equals t up to rounding counts
    return Measured(Exactly(float((signal >= threshold**2 * (1 + 1e-9)).mean()), 2.0**-44), float(limit))


def _hidden(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Largest squared signal of a parity against twice the mean."""
    data = _signals(lab, point)
    limit = 2 * lab.theory.hardness.signal_mean(point["d"], float(data["gradient_square"].values[0]), point["p_cot"])
    return Measured(Exactly(float(data["largest_signal"].values[0]), 1e-12), float(limit))


def _halfspace(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Share of the prompts whose parity a linear predictor names, between a majority and a random one."""
    d, mixture = point["d"], point["mixture"]
    generator = np.random.default_rng([60, point["instance"]])
    weights = generator.choice([-1.0, 1.0], d) * (1 - mixture) + generator.normal(size=d) * mixture
    x = 1 - 2.0 * ((np.arange(2**d)[:, None] >> np.arange(d)) & 1)
    named = np.where(x @ weights + point["bias"] >= 0, 1.0, -1.0)
    limit = lab.theory.hardness.halfspace_accuracy_bound(d)
    return Measured(Exactly(float((named == x.prod(axis=1)).mean())), float(limit) + 2.0**-50)


SIGNALS = (
    Bound(
        "hardness.halfspace",
        "upper",
        Domain(
            {
                "d": Integer(1, 11, meaning="number of signs"),
                "mixture": Real(0.0, 1.0, meaning="0 for a majority, 1 for normal weights"),
                "bias": Real(-3.0, 3.0, meaning="bias of the predictor"),
                "instance": INSTANCE,
            }
        ),
        _halfspace,
        mutants=(
            Mutant(
                "nothing but a guess",
                "the majority of two signs, ties to +1, is right on three prompts of four",
                theory={"hardness.halfspace_accuracy_bound": lambda d: 0.5},
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "hardness.sparse_signal",
        "upper",
        Domain({**NETWORK, "subset_size": Integer(0, 5, meaning="signs of a parity", symbol="k")}),
        _sparse,
        mutants=(
            Mutant(
                "a hundredth of it",
                "networks and monomials have a good part of their signal at parities of few signs",
                theory=_times("signal_mean_bound", 0.01),
            ),
        ),
    ),
    Bound(
        "hardness.signal_share",
        "upper",
        Domain({**NETWORK, "factor": Real(0.5, 300.0, meaning="t^2 over the mean squared signal")}),
        _share,
        mutants=(
            Mutant(
                "a tenth of the share",
                "networks put a good part of their signal on few parities",
                theory=_times("signal_share_bound", 0.1),
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "hardness.every_subset_hidden",
        "upper",
        Domain({**NETWORK, "d": Integer(4, 9, meaning="number of signs")}),
        _hidden,
        fails=True,
    ),
)

# ---------------------------------------------------------------- queries, noise, messages


def _queries(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Ask for E[y chi_S] one subset after the other, answered by 0 within the tolerance, and guess in the end.

    An answer 0 is within the tolerance for every subset but the hidden one, whose mean is 1 > tau.
    """
    n, q = 2 ** point["d"], min(point["n_queries"], 2 ** point["d"] - 1)
    generator = np.random.default_rng([59, *seeds[:1], len(seeds)])
    hidden = generator.integers(0, n, len(seeds))
    guessed = generator.integers(q, n, len(seeds))
    t = lab.theory.hardness
    limit = t.statistical_query_success_bound(q, n, t.noticed_parities(1.0, point["tolerance"]))
    return Measured(_counts((hidden < q) | (hidden == guessed)), float(limit))


def _noisy(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Descent on the monomials divided by sqrt(n), whose squared gradient is 1."""
    d, steps, noise = point["d"], point["n_steps"], point["noise"]
    found = lab.sims.hardness.noisy_gradient(d, steps, noise, seeds)["identified"].values
    # the mean squared signal over the 2^d parities
    limit = lab.theory.hardness.noisy_gradient_success_bound(steps, 2**d, 0.25 * 2.0**-d, noise)
    return Measured(_counts(found), float(limit))


def _messages(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    d, n_samples = point["d"], point["n_samples"]
    found = lab.sims.hardness.one_bit_search(d, n_samples, seeds)["identified"].values
    return Measured(_counts(found), float(lab.theory.hardness.message_success_bound(n_samples, 2**d, 2)))


def _named(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    d, n_samples = point["d"], min(point["n_samples"], point["d"])
    found = lab.sims.hardness.gaussian_elimination(d, n_samples, seeds)["identified"].values
    return Measured(_counts(found), float(lab.theory.hardness.identification_bound(n_samples, 2**d)))


def _eliminated(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Least number of prompts that determine the parity with probability 1 - delta, from one run of each seed."""
    d, delta = point["d"], point["delta"]
    limit = d + math.ceil(math.log2(1 / delta))
    stated = int(lab.theory.hardness.elimination_samples(d, delta))
    sizes = tuple(sorted({*range(d, limit + 1), stated}))
    needed = lab.sims.hardness.gaussian_elimination(d, sizes[-1], seeds)["needed"].values
    good = tuple(int(((needed >= 0) & (needed <= n)).sum()) for n in sizes)
    return Measured(Crossing(sizes, good, len(seeds), 1 - delta), float(min(stated, limit)))


LEARNERS = (
    Bound(
        "hardness.statistical_queries",
        "upper",
        Domain(
            {
                "d": Integer(2, 12, meaning="number of signs"),
                "n_queries": Integer(0, 4000, meaning="queries", symbol="q"),
                "tolerance": Real(0.05, 0.99, meaning="tolerance of an answer", symbol=r"\tau"),
            }
        ),
        _queries,
        n=4000,
        mutants=(
            Mutant(
                "half of it",
                "at a tolerance near 1 every query settles one parity",
                theory={
                    "hardness.statistical_query_success_bound": lambda q, n, m: 0.5 * (q + 1) / n,
                },
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "hardness.noisy_gradient",
        "upper",
        Domain(
            {
                "d": Integer(2, 6, meaning="number of signs"),
                "n_steps": Integer(1, 100, meaning="steps", symbol="T"),
                "noise": Real(0.05, 5.0, meaning="noise of a component", symbol=r"\sigma"),
            }
        ),
        _noisy,
        n=200,
        mutants=(
            Mutant(
                "half of a guess",
                "without any signal a guess names the parity with probability 1/n",
                theory={"hardness.noisy_gradient_success_bound": lambda steps, n, signal, noise: 0.5 / n},
            ),
        ),
        ceiling=1.0,
        cost=0.03,
    ),
    Bound(
        "hardness.messages",
        "upper",
        Domain(
            {
                "d": Integer(2, 12, meaning="number of signs"),
                "n_samples": Integer(0, 2000, meaning="demonstrations", symbol="T"),
            }
        ),
        _messages,
        n=1000,
        mutants=(
            Mutant(
                "a guess alone",
                "half of the bits exclude a candidate each",
                theory={"hardness.message_success_bound": lambda samples, n, messages: 1 / n},
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "hardness.any_learner",
        "upper",
        Domain(
            {
                "d": Integer(1, 30, meaning="number of signs"),
                "n_samples": Integer(0, 30, meaning="labelled prompts", symbol="N"),
            }
        ),
        _named,
        part="2^(N-d)",
        n=1000,
        mutants=(
            Mutant(
                "a sixteenth of it",
                "a label excludes half of the parities and no more",
                theory=_times("identification_bound", 1 / 16),
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "hardness.elimination_confidence",
        "upper",
        Domain(
            {
                "d": Integer(1, 64, meaning="number of signs"),
                "delta": Real(0.002, 0.9, meaning="admitted chance of failure", symbol=r"\delta"),
            }
        ),
        _eliminated,
        n=1500,
        mutants=(
            Mutant(
                "one prompt fewer than signs",
                "d unknowns take d equations",
                theory={"hardness.elimination_samples": lambda d, delta: d - 1},
            ),
        ),
    ),
)

BOUNDS = (*SIGNALS, *LEARNERS)
