"""Bounds on STaR over chains of steps: lost transitions, counts of rounds, and means that never fall."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from proofs_check.bounds import INSTANCE, Bound, Exactly, Measured, narrowed, times
from proofs_check.claims import Mutant, find
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.samples import Counts, Means
from proofs_check.star._common import theory

__all__ = ["BOUNDS"]

CLAIMS = {claim.id.split(".")[1]: claim for claim in find(["star"])}
DELTA = Real(0.05, 0.95, meaning="distance of every step above guessing", symbol=r"\delta")
TARGET = Real(0.0, 1.0, meaning="position of the target accuracy between .5 + .5/M and .999")


_times = partial(times, "star")


# ---------------------------------------------------------------- lost transitions


def _lost_at_once(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Runs of one round that lose some right transition."""
    delta = (point["delta"],) * point["n_steps"]
    run = lab.sims.star.simulate(delta, point["n_states"], point["n_trajectories"], 1, seeds)
    lost = run["rows_lost"].values[:, -1] > 0
    limit = float(lab.theory.star.loss_union_bound(list(delta), point["n_states"], point["n_trajectories"]))
    return Measured(Counts(int(lost.sum()), lost.size), limit)


def _ever_lost(lab: Lab, delta: tuple[float, ...], n_states: int, count: int, seeds: Sequence[int]) -> Counts:
    run = lab.sims.star.simulate(delta, n_states, count, 60, seeds)
    lost = (run["rows_lost"].values > 0).any(axis=1)
    return Counts(int(lost.sum()), lost.size)


def _lost_over_a_run(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """At the conjectured number of trajectories a round, against three times the accepted chance."""
    delta = (point["delta"],) * point["n_steps"]
    count = math.ceil(lab.theory.star.required_trajectories(list(delta), point["n_states"], point["failure"]))
    return Measured(_ever_lost(lab, delta, point["n_states"], max(1, count), seeds), min(1.0, 3 * point["failure"]))


def _summed(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """The one-round bound summed along the path of the map."""
    delta = (point["delta"],) * point["n_steps"]
    path = lab.theory.star.iterate(list(delta), point["n_states"], 59)
    limit = float(np.sum(lab.theory.star.loss_union_bound(path, point["n_states"], point["n_trajectories"])))
    return Measured(_ever_lost(lab, delta, point["n_states"], point["n_trajectories"], seeds), limit)


ONE_ROUND: dict[str, Real | Integer] = {
    "delta": DELTA,
    "n_trajectories": Integer(1, 400, meaning="trajectories a round", symbol="K"),
}
SIZES: dict[str, Any] = {"n_steps": (2, 5), "n_states": (2, 8)}

LOSSES = (
    Bound(
        "star.one_round_loss",
        "upper",
        Domain(
            {**narrowed(Domain({k: CLAIMS["one_round_loss"].domain.parameters[k] for k in SIZES}), **SIZES).parameters}
            | ONE_ROUND
        ),
        _lost_at_once,
        part="union over rows",
        n=600,
        mutants=(
            Mutant(
                "a quarter of it",
                "the losses of different rows hardly coincide where they are rare",
                theory=_times("loss_union_bound", 0.25),
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "star.trajectories_for_a_run",
        "upper",
        narrowed(
            CLAIMS["trajectories_for_a_run"].domain,
            {
                "delta": Real(0.4, 0.7, meaning="distance of every step above guessing", symbol=r"\delta"),
                "failure": Real(0.02, 0.1, meaning="accepted chance of a loss", symbol=r"\eta"),
            },
            n_steps=(2, 3),
            n_states=(2, 4),
        ),
        _lost_over_a_run,
        n=128,
        mutants=(
            Mutant(
                "a fortieth of the trajectories",
                "drift then loses a transition in most runs",
                theory=_times("required_trajectories", 1 / 40),
            ),
        ),
        ceiling=1.0,
        cost=0.05,
    ),
    Bound(
        "star.summed_loss_bound_covers_a_run",
        "upper",
        Domain(
            {
                "n_steps": Integer(3, 3, meaning="steps N", symbol="N"),
                "n_states": Integer(4, 6, meaning="states M", symbol="M"),
                "delta": Real(0.1, 0.3, meaning="distance of every step above guessing", symbol=r"\delta"),
                "n_trajectories": Integer(400, 1000, meaning="trajectories a round", symbol="K"),
            }
        ),
        _summed,
        n=32,
        ceiling=1.0,
        fails=True,
        cost=0.1,
    ),
)

# ---------------------------------------------------------------- counts of rounds


def _goal(point: Mapping[str, Any]) -> float:
    least = 0.5 + 0.5 / point["n_states"]
    return float(least + (0.999 - least) * point["target"])


def _log_ratio(delta: float, n_states: int) -> float:
    return math.log1p(n_states * delta / (1 - delta))


def _counted(delta: float, target: float, n_steps: int, n_states: int, temperature: float = 1.0) -> tuple[float, int]:
    """Rounds until equal steps reach an accuracy, by iterating the map: with a part of the last round, and whole."""
    goal = _log_ratio(((n_states * target - 1) / (n_states - 1)) ** (1 / n_steps), n_states)
    value, rounds = _log_ratio(delta, n_states), 0
    if value >= goal:
        return 0.0, 0
    while True:
        cold = value / temperature
        tempered = math.expm1(cold) / (math.exp(cold) + n_states - 1)
        after = cold + _log_ratio(min(tempered ** (n_steps - 1), 1 - 2.0**-53), n_states)
        if after >= goal:
            part = math.log(goal / value) / math.log(after / value)
            return rounds + part, rounds + 1
        value, rounds = after, rounds + 1


def _bracket(side: int) -> Callable[[Lab, Mapping[str, Any], Sequence[int]], Measured]:
    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        arguments = (point["delta"], _goal(point), point["n_steps"], point["n_states"])
        exact, whole = _counted(*arguments)
        limit = float(lab.theory.star.rounds_bracket(*arguments)[side])
        # Every round rounds L a few times, relatively, and a round multiplies L by 1 + f/L.
        return Measured(Exactly(exact, 1e-9 * (1 + exact) + 2.0**-48 * whole**2), limit)

    return measure


def _cold(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    arguments = (point["delta"], _goal(point), point["n_steps"], point["n_states"], point["temperature"])
    limit = float(lab.theory.star.tempered_rounds_bound(*arguments))
    return Measured(Exactly(float(_counted(*arguments)[1])), float(math.ceil(limit - 1e-9)))


COUNTED: dict[str, Real | Integer] = {"delta": DELTA, "target": TARGET}

ROUNDS = (
    *(
        Bound(
            "star.rounds_bracket",
            kind,
            narrowed(
                Domain({name: CLAIMS["rounds_bracket"].domain.parameters[name] for name in ("n_steps", "n_states")}),
                COUNTED,
                n_steps=(2, 4),
                n_states=(2, 64),
            ),
            _bracket(side),
            part=f"{kind} end",
            mutants=(
                Mutant(
                    "the other end",
                    "the ends differ for N > 2",
                    theory={"star.rounds_bracket": lambda *a: theory().rounds_bracket(*a)[::-1]},
                ),
            ),
        )
        for side, kind in enumerate(("lower", "upper"))
    ),
    Bound(
        "star.cold_sampling_sharpens",
        "upper",
        narrowed(
            Domain(
                {name: CLAIMS["cold_sampling_sharpens"].domain.parameters[name] for name in ("n_steps", "n_states")}
            ),
            {**COUNTED, "temperature": Real(0.2, 0.98, meaning="temperature of the sampling", symbol=r"\tau")},
            n_steps=(2, 8),
            n_states=(2, 64),
        ),
        _cold,
        part="rounds",
        mutants=(
            Mutant(
                "a fifth of the rounds",
                "long chains gain from the temperature alone at first",
                theory=_times("tempered_rounds_bound", 0.2),
            ),
        ),
    ),
)

# ---------------------------------------------------------------- means that never fall


def _random_tables(point: Mapping[str, Any]) -> np.ndarray:
    """Rows from Dirichlet laws of random sharpness, the truth being the identity."""
    generator = np.random.default_rng([52, point["instance"]])
    n_steps, n_states = point["n_steps"], point["n_states"]
    sharpness = 10 ** generator.uniform(-1, 1)
    return np.asarray(generator.dirichlet(np.full(n_states, sharpness), size=(n_steps, n_states)))


def _mean_accuracy(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    run = lab.sims.star.simulate_tables(_random_tables(point), point["n_trajectories"], 1, seeds)
    return Measured(
        Means(run["accuracy"].values[:, 1], 0.0, 1.0), float(lab.theory.star.expected_reward(_random_tables(point)))
    )


def _refitted(tables: np.ndarray) -> tuple[np.ndarray, float]:
    """Kept frequencies of every step and the accuracy, by listing all paths from a uniform start."""
    n_steps, n_states = tables.shape[:2]
    counts = np.zeros_like(tables)
    total = 0.0
    for path in itertools.product(range(n_states), repeat=n_steps):
        chance = 1.0 / n_states
        start = path[-1]  # an answer is right if the path ends where it began
        for n, (state, following) in enumerate(zip((start, *path), path, strict=False)):
            chance *= tables[n, state, following]
        for n, (state, following) in enumerate(zip((start, *path), path, strict=False)):
            counts[n, state, following] += chance
        total += chance
    rows = counts.sum(axis=2, keepdims=True)
    return np.where(rows > 0, counts / np.where(rows > 0, rows, 1.0), tables), total


def _accuracy_after(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    tables = _random_tables(point)
    for _ in range(point["n_rounds"]):
        tables, _ = _refitted(tables)
    after = _refitted(_refitted(tables)[0])[1]
    return Measured(Exactly(after, 2.0**-46), float(lab.theory.star.expected_reward(tables)))


def _better(tables: Any, **k: Any) -> Any:
    """Midway between the accuracy and 1."""
    return (1 + theory().expected_reward(tables, **k)) / 2


NEVER = (
    Bound(
        "star.mean_accuracy_never_falls",
        "lower",
        Domain(
            {
                "n_steps": Integer(2, 3, meaning="steps N", symbol="N"),
                "n_states": Integer(2, 3, meaning="states M", symbol="M"),
                "n_trajectories": Integer(1, 12, meaning="trajectories K", symbol="K"),
                "instance": INSTANCE,
            }
        ),
        _mean_accuracy,
        n=800,
        mutants=(
            Mutant(
                "midway between the accuracy and 1",
                "a round of one trajectory gains little",
                theory={"star.expected_reward": _better},
            ),
        ),
    ),
    Bound(
        "star.refit_never_lowers_reward",
        "lower",
        Domain(
            {
                "n_steps": Integer(2, 3, meaning="steps N", symbol="N"),
                "n_states": Integer(2, 4, meaning="states M", symbol="M"),
                "n_rounds": Integer(0, 3, meaning="rounds before", symbol="t"),
                "instance": INSTANCE,
            }
        ),
        _accuracy_after,
        mutants=(
            Mutant(
                "midway between the accuracy and 1",
                "far from the end a round closes less than half of the gap",
                theory={"star.expected_reward": _better},
            ),
        ),
    ),
)

BOUNDS = (*LOSSES, *ROUNDS, *NEVER)
