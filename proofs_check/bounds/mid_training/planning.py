"""Bounds on planning with options: sweeps and their moduli, spans, random durations, and a budget of backups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from proofs_check.bounds import INSTANCE, Bound, Exactly, Measured, narrowed
from proofs_check.bounds.mid_training._common import CLAIMS, Measure, times
from proofs_check.claims import Mutant
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.mid_training._common import shipped
from proofs_check.samples import Means

__all__ = ["PLANNING"]

MODEL: dict[str, Real | Integer] = {
    "n_states": Integer(1, 5, meaning="states"),
    "n_options": Integer(1, 4, meaning="options"),
    "discount": Real(0.05, 0.95, meaning="discount per primitive step", symbol=r"\gamma"),
    "longest": Integer(1, 6, meaning="longest duration"),
    "instance": INSTANCE,
}


def _model(lab: Lab, point: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Rewards, kernels, best values by sweeping until nothing changes, and the modulus."""
    data = lab.sims.mid_training.draw_semi_mdp(
        point["n_states"], point["n_options"], point["discount"], point["longest"], [point["instance"]]
    )
    rewards, kernels = data["reward"].values[0], data["kernel"].values[0]
    modulus = float(kernels.sum(axis=2).max())
    sweeps = max(1, math.ceil(math.log(1e-15 * (1 - modulus)) / math.log(modulus)))
    best = lab.sims.mid_training.value_iteration(rewards, kernels, sweeps)["value"].values[-1]
    return rewards, kernels, best, modulus


def _error_after(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Sup error after N sweeps, with the tolerance that the stated count needs N sweeps for."""
    rewards, kernels, best, modulus = _model(lab, point)
    value = float(best.max())
    tolerance = value * point["tolerance"]
    n = max(1, math.ceil(lab.theory.mid_training.sweeps_bound(value, tolerance, modulus) - 1e-12))
    reached = lab.sims.mid_training.value_iteration(rewards, kernels, n)["value"].values[-1]
    return Measured(Exactly(float((best - reached).max()), 1e-12 * (1 + value)), tolerance)


def _first_below(lab: Lab, rewards: Any, kernels: Any, best: Any, tolerance: float, most: int) -> float:
    """Sweeps after which the sup error is at most the tolerance."""
    values = lab.sims.mid_training.value_iteration(rewards, kernels, max(1, most))["value"].values
    small = (best - values).max(axis=1) <= tolerance * (1 + 1e-10)
    return float(small.argmax()) if small.any() else math.inf


def _sweeps(convention: str) -> Measure:
    """Sweeps counted on random models, rewards of a primitive step in [0, 1]."""

    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        rewards, kernels, best, modulus = _model(lab, point)
        t, discount = lab.theory.mid_training, point["discount"]
        largest = 1 / (1 - discount)
        tolerance = largest * point["tolerance"]
        if convention == "linear":
            limit = t.sweeps_bound_linear(largest, tolerance, modulus)
        else:
            limit = t.sweeps_reward_convention(1.0, tolerance, modulus, discount, reward="primitive")
        most = math.ceil(shipped().sweeps_bound(largest, tolerance, modulus)) + 1
        counted = _first_below(lab, rewards, kernels, best, tolerance, most)
        return Measured(Exactly(counted), float(math.ceil(limit - 1e-9)))

    return measure


def _one_state(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """One state, reward 1 a step, one option of fixed duration, with the modulus in the logarithm."""
    discount, duration = point["discount"], point["duration"]
    modulus = discount**duration
    best = 1 / (1 - discount)
    tolerance = best * point["tolerance"]
    limit = max(1, math.ceil(lab.theory.mid_training.sweeps_reward_convention(1.0, tolerance, modulus)))
    most = math.ceil(math.log(1 / point["tolerance"]) / -math.log(modulus)) + 1
    counted = _first_below(lab, [[(1 - modulus) / (1 - discount)]], [[[modulus]]], np.array([best]), tolerance, most)
    return Measured(Exactly(counted), float(limit))


def _span(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Span of the difference after one sweep from two starts, all options equally long."""
    generator = np.random.default_rng([54, point["instance"]])
    s, m, tau = point["n_states"], point["n_options"], point["duration"]
    kernels = point["discount"] ** tau * generator.dirichlet(np.full(s, 0.3), size=(m, s))
    rewards = generator.random((m, s))
    starts = generator.normal(0.0, 5.0, (2, s))
    ends = [lab.sims.mid_training.value_iteration(rewards, kernels, 1, start=v)["value"].values[-1] for v in starts]
    modulus = float(lab.theory.mid_training.duration_modulus([0.0] * (tau - 1) + [1.0], point["discount"]))
    limit = modulus * float(np.ptp(starts[0] - starts[1]))
    return Measured(Exactly(float(np.ptp(ends[0] - ends[1])), 1e-13 * (1 + float(np.abs(starts).max()))), limit)


def _jensen(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """E gamma^tau of a random law of durations."""
    generator = np.random.default_rng([55, point["instance"]])
    law = generator.dirichlet(np.full(point["longest"], 10 ** generator.uniform(-1, 1)))
    durations = np.arange(1, point["longest"] + 1)
    exact = math.fsum(law * point["discount"] ** durations)
    limit = float(lab.theory.mid_training.jensen_modulus(max(1.0, float(law @ durations)), point["discount"]))
    return Measured(Exactly(exact, 2.0**-48 * exact), limit)


def _budget(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Goals of L independent macros: lost if a macro was dropped, otherwise planned with the sweeps that are left."""
    k, length, tau, discount = point["n_macros"], point["goal_length"], point["duration"], point["discount"]
    kept = min(point["kept"], k)
    weights = np.arange(1, k + 1, dtype=float) ** -point["exponent"]
    weights /= weights.sum()
    limit = float(lab.theory.mid_training.planning_regret(weights, length, discount**tau, point["C"])[kept - 1])
    goals = np.random.default_rng([56, *seeds]).choice(k, size=(500 * len(seeds), length), p=weights)
    covered = (goals < kept).all(axis=1)
    options = [[macro] * tau for macro in range(k)]
    lock = lab.sims.mid_training.goal_lock([0] * (tau * length), options, discount)
    run = lab.sims.mid_training.value_iteration(lock["reward"].values, lock["kernel"].values, length + 1)[
        "value"
    ].values
    sweeps = min(point["C"] // kept, length + 1)
    start, best = run[sweeps, 0], run[-1, 0]
    return Measured(Means(np.where(covered, best - start, best), 0.0, 1.0), limit)


PLANNING = (
    Bound(
        "mid_training.value_iteration",
        "upper",
        Domain({**MODEL, "tolerance": Real(1e-6, 0.9, meaning="tolerance over the largest value")}),
        _error_after,
        part="error after the stated sweeps",
        mutants=(
            Mutant(
                "a quarter of the sweeps",
                "the error falls by the modulus a sweep, up to a constant",
                theory=times("sweeps_bound", 0.25),
            ),
        ),
    ),
    Bound(
        "mid_training.value_iteration",
        "upper",
        Domain({**MODEL, "tolerance": Real(1e-6, 0.9, meaning="tolerance over Rmax/(1 - gamma)")}),
        _sweeps("linear"),
        part="linear count",
        mutants=(
            Mutant(
                "a tenth of the sweeps",
                "the error falls by the modulus a sweep",
                theory=times("sweeps_bound_linear", 0.1),
            ),
        ),
    ),
    Bound(
        "mid_training.reward_convention",
        "upper",
        Domain({**MODEL, "tolerance": Real(1e-6, 0.9, meaning="tolerance over Rmax/(1 - gamma)")}),
        _sweeps("primitive"),
        mutants=(
            Mutant(
                "a tenth of the sweeps",
                "the error falls by the modulus a sweep",
                theory=times("sweeps_reward_convention", 0.1),
            ),
        ),
    ),
    Bound(
        "mid_training.modulus_in_the_logarithm",
        "upper",
        Domain(
            {
                "discount": Real(0.9, 0.995, meaning="discount per primitive step"),
                "duration": Integer(2, 100, meaning="duration of the option"),
                "tolerance": Real(1e-3, 0.9, meaning="tolerance over Rmax/(1 - gamma)"),
            }
        ),
        _one_state,
        fails=True,
    ),
    Bound(
        "mid_training.span_equal_durations",
        "upper",
        Domain(
            {name: MODEL[name] for name in ("n_options", "discount", "instance")}
            | {
                "n_states": Integer(2, 5, meaning="states"),
                "duration": Integer(1, 6, meaning="duration of every option"),
            }
        ),
        _span,
        mutants=(
            Mutant(
                "a quarter of it",
                "a nearly deterministic option moves the span with factor gamma^tau",
                theory=times("duration_modulus", 0.25),
            ),
        ),
    ),
    Bound(
        "mid_training.random_durations",
        "lower",
        Domain(
            {
                "discount": Real(0.05, 0.99, meaning="discount per primitive step"),
                "longest": Integer(1, 12, meaning="longest duration"),
                "instance": INSTANCE,
            }
        ),
        _jensen,
        mutants=(
            Mutant(
                "the root of it, at half of the mean duration",
                "for a constant duration the modulus is gamma^tau itself",
                theory={"mid_training.jensen_modulus": lambda mean, discount: discount ** (mean / 2)},
            ),
        ),
    ),
    Bound(
        "mid_training.planning_budget",
        "upper",
        narrowed(
            CLAIMS["planning_budget"].domain,
            {
                "n_macros": Integer(2, 12, meaning="macros of the library"),
                "kept": Integer(1, 12, meaning="macros kept"),
                "goal_length": Integer(1, 4, meaning="macros of a goal", symbol="L"),
                "duration": Integer(1, 4, meaning="tokens of a macro"),
                "exponent": Real(0.0, 3.0, meaning="Zipf exponent of the weights"),
                "discount": Real(0.5, 0.999, meaning="discount per token"),
            },
            C=(0, 100),
        ),
        _budget,
        n=4,
        mutants=(
            Mutant(
                "a third of it",
                "with all weight on dropped macros nothing else is lost",
                theory=times("planning_regret", 1 / 3),
            ),
        ),
        ceiling=1.0,
    ),
)
