"""Bounds on the linear model: what ridge and finitely many samples cost, at optima and runs of stochastic descent.

Biases are those of the numerical optimum over all features, at every prompt; runs are trained by the simulator.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

import numpy as np

from proofs_check.bounds import INSTANCE, Bound, Crossing, Exactly, Measured, Quantiles, narrowed, times
from proofs_check.claims import Mutant, find
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.linear_model._common import closed_forms, design, newton_optimum

__all__ = ["BOUNDS"]

CLAIMS = {claim.id.split(".")[1]: claim for claim in find(["linear_model"])}
SMALL = Integer(3, 4, meaning="length of the prompt")


_times = partial(times, "linear_model")


# ---------------------------------------------------------------- ridge


@lru_cache(maxsize=4096)
def _biases(position: str | int, d: int, p: float, ridge: float) -> tuple[dict[str, float], float]:
    """Largest distance from the true probability over prompts, at the optimum over all features, and its error.

    At the stop position one for prompts after agreement and one after disagreement.
    """
    share = Fraction(p)
    w, distance = newton_optimum(position, d, share, ridge)
    _, features, targets = design(position, d, share)
    chances = 1 / (1 + np.exp(-(features @ w)))
    # A logit is off by at most |f| times the distance, a probability by a quarter of that, and some roundings.
    error = distance * math.sqrt(features.shape[1]) / 4 + 16 * 2.0**-53
    if position == "first":
        return {
            "first_token": float(np.abs(np.where(features[:, 0] > 0, chances, 1 - chances) - (1 + p) / 2).max())
        }, error
    if position == "stop":
        agree = features[:, d + 1] > 0  # y_1 x_1
        after = float(np.abs(chances[agree] - (1 - p) / (1 + p)).max())
        return {"stop_agree": after, "stop_disagree": float((1 - chances[~agree]).max())}, error
    return {"chain": float((1 / (1 + np.exp(targets * (features @ w)))).max())}, error


def _bias_bound(row: str, paper: bool) -> Bound:
    name = f"{row}_bias_bound" + ("_paper" if paper else "")
    position: str | int = 3 if row == "chain" else "first" if row == "first_token" else "stop"

    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        p = point.get("p_cot", 0.5)
        values, error = _biases(position, point["d"], p, point["ridge"])
        arguments = (point["ridge"],) if row == "chain" else (p, point["ridge"])
        return Measured(Exactly(values[row], error), float(getattr(lab.theory.linear_model, name)(*arguments)))

    ranges: dict[str, Any] = {"ridge": (1e-4, 10.0)}
    if row != "chain":
        ranges["p_cot"] = (0.01, 0.99)
    return Bound(
        f"linear_model.{name}",
        "upper",
        narrowed(CLAIMS[name].domain, {"d": SMALL}, **ranges),
        measure,
        mutants=(
            Mutant(
                "an eighth of the bound",
                "bias / bound is above 0.4 at lambda = 1/20, p = 1/2",
                theory=_times(name, 0.125),
            ),
        ),
        ceiling=1.0,
    )


# ---------------------------------------------------------------- norms, gaps, and Propositions 1 to 3


def _norm(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Averages over few iterates bound their largest iterate from below; position by position."""
    d, n_steps = point["d"], point["n_steps"]
    data = lab.sims.linear_model.pretrain(
        d, point["p_cot"], n_steps, point["ridge"], [point["instance"]], positions=("first", "stop"), weights=True,
        n_prompts=1,
    )  # fmt: skip
    t = lab.theory.linear_model
    # The first iterate is 0, so the others' mean has T/(T-1) times the norm of the average.
    grown = n_steps / (n_steps - 1)
    best = (0.0, 1.0)
    for position in ("first", "stop"):
        norm = float(np.linalg.norm(data[f"w_{position}"].values[0])) * grown
        limit = float(t.iterate_norm_bound(t.feature_norm_squared(position, d), point["ridge"]))
        if norm / limit >= best[0] / best[1]:
            best = (norm, limit)
    # each of T steps adds a few roundings of numbers below the bound
    return Measured(Exactly(best[0], 2.0**-52 * 8 * n_steps * best[1] * math.sqrt(d)), best[1])


NORM = Bound(
    "linear_model.iterate_norm",
    "upper",
    narrowed(
        CLAIMS["iterate_norm"].domain,
        {
            "d": Integer(3, 40, meaning="length of the prompt"),
            "p_cot": Real(0.01, 0.99, meaning="share of long demonstrations"),
            "n_steps": Integer(2, 200, meaning="steps"),
            "instance": INSTANCE,
        },
        drop=("rho_squared",),
        ridge=(1e-3, 10.0),
    ),
    _norm,
    mutants=(
        Mutant(
            "rho/(5 lambda)",
            "the second iterate has norm rho/(2 lambda)",
            theory=_times("iterate_norm_bound", 0.2),
        ),
    ),
)


def _grid(name: str) -> Domain:
    ranges: dict[str, Any] = {"ridge": (0.01, 10.0), "delta": (0.01, 0.99)}
    if name == "chain_error_bound":
        return narrowed(CLAIMS[name].domain, drop=("p_cot",), d=(3, 5), n_steps=(2, 20_000), **ranges)
    return narrowed(CLAIMS[name].domain, d=(3, 24), p_cot=(0.02, 0.98), n_steps=(2, 40_000), **ranges)


def _head(lab: Lab, position: str, point: Mapping[str, Any], seeds: Sequence[int]) -> Any:
    """Train one position, and evaluate it at every prompt (d <= 10) or at 128 of them."""
    return lab.sims.linear_model.pretrain(
        point["d"], point["p_cot"], point["n_steps"], point["ridge"], seeds, positions=(position,), n_prompts=128
    )


def _first_errors(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> np.ndarray:
    values = _head(lab, "first", point, seeds)["first_token"].values
    return np.asarray(np.abs(values - (1 + point["p_cot"]) / 2).max(axis=1))


def _agree_errors(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> np.ndarray:
    p = point["p_cot"]
    return np.asarray(np.abs(_head(lab, "stop", point, seeds)["stop_agree"].values - (1 - p) / (1 + p)).max(axis=1))


def _disagree_errors(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> np.ndarray:
    return np.asarray((1 - _head(lab, "stop", point, seeds)["stop_disagree"].values).max(axis=1))


def _chain_errors(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> np.ndarray:
    """The last position after T long sequences; it sees nothing else, so no short ones are drawn."""
    data = lab.sims.linear_model.pretrain(
        point["d"], 1.0, point["n_steps"], point["ridge"], seeds, positions=("chain",), n_prompts=128
    )
    return np.asarray(data["chain_error_max"].values[:, -1])


def _proposition(
    name: str,
    errors: Callable[[Lab, Mapping[str, Any], Sequence[int]], np.ndarray],
    limit: Callable[[Any, Mapping[str, Any]], float],
    cost: float,
) -> Bound:
    """The (1 - delta)-quantile of the largest error over prompts against the proposition's right side."""

    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        sample = Quantiles(errors(lab, point, seeds), 1 - point["delta"])
        return Measured(sample, float(limit(lab.theory.linear_model, point)))

    return Bound(
        f"linear_model.{name}",
        "upper",
        _grid(name),
        measure,
        n=32,
        cost=cost,
        mutants=(
            Mutant(
                "the bound divided by 100 000",
                "even at the longest runs drawn the error exceeds it in nearly all runs",
                theory=_times(name, 1e-5),
            ),
        ),
        ceiling=1.0,
    )


def _schedule(point: Mapping[str, Any]) -> tuple[Any, ...]:
    return point["ridge"], point["n_steps"], point["delta"]


PROPOSITIONS = (
    _proposition(
        "first_token_error_bound",
        _first_errors,
        lambda t, c: t.first_token_error_bound(c["d"], c["p_cot"], *_schedule(c)),
        0.06,
    ),
    _proposition(
        "stop_agree_error_bound",
        _agree_errors,
        lambda t, c: t.stop_agree_error_bound(c["d"], c["p_cot"], *_schedule(c)),
        0.06,
    ),
    _proposition(
        "stop_disagree_error_bound",
        _disagree_errors,
        lambda t, c: t.stop_disagree_error_bound(c["d"], c["p_cot"], *_schedule(c)),
        0.06,
    ),
    _proposition(
        "chain_error_bound",
        _chain_errors,
        lambda t, c: t.chain_error_bound(c["d"], c["d"], *_schedule(c)),
        0.1,
    ),
)


@lru_cache(maxsize=1024)
def _least_objective(d: int, p: float, ridge: float) -> tuple[np.ndarray, np.ndarray, float]:
    """Signed features and weights of position 1, and the objective at the optimum."""
    share = Fraction(p)
    w, _ = newton_optimum("first", d, share, ridge)
    weights, features, targets = design("first", d, share)
    signed = features * targets[:, None]
    least = float((np.logaddexp(0.0, -signed @ w) * weights).sum() + ridge / 2 * (w @ w))
    return signed, weights, least


def _gap(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    d, p, ridge, n_steps, delta = (point[name] for name in ("d", "p_cot", "ridge", "n_steps", "delta"))
    data = lab.sims.linear_model.pretrain(d, p, n_steps, ridge, seeds, positions=("first",), weights=True, n_prompts=1)
    signed, weights, least = _least_objective(d, p, ridge)
    w = data["w_first"].values
    gaps = (np.logaddexp(0.0, -w @ signed.T) * weights).sum(axis=1) + ridge / 2 * (w**2).sum(axis=1) - least
    t = lab.theory.linear_model
    limit = t.objective_gap_bound(t.feature_norm_squared("first", d), ridge, n_steps, delta)
    return Measured(Quantiles(gaps, 1 - delta), float(limit))


GAP = Bound(
    "linear_model.objective_gap_bound",
    "upper",
    narrowed(
        CLAIMS["objective_gap_bound"].domain,
        {"d": Integer(3, 5, meaning="length of the prompt"), "p_cot": Real(0.02, 0.98, meaning="share of long ones")},
        drop=("rho_squared",),
        ridge=(0.01, 10.0),
        n_steps=(2, 1000),
        delta=(0.01, 0.99),
    ),
    _gap,
    n=64,
    mutants=(
        Mutant(
            "the bound divided by 100 000",
            "even at the longest runs drawn the gap exceeds it in nearly all runs",
            theory=_times("objective_gap_bound", 1e-5),
        ),
    ),
)

# ---------------------------------------------------------------- Theorem 1


def _composed(answer: str) -> Callable[[Lab, Mapping[str, Any], Sequence[int]], Measured]:
    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        d, p, n_steps = point["d"], point["p_cot"], point["n_steps"]
        positions = ("first", "stop", "chain") if answer == "long" else ("first", "stop")
        n_samples = n_steps if answer == "short" else math.ceil(1.5 * n_steps / p) + 60
        data = lab.sims.linear_model.pretrain(
            d, p, n_samples, point["ridge"], seeds, n_steps=n_steps, positions=positions, n_prompts=128
        )
        target = p if answer == "long" else (1 - p) / 2
        errors = np.abs(data[f"{answer}_correct"].values - target).max(axis=1)
        errors = np.where(data["long_samples"].values >= n_steps, errors, 0.0) if answer == "long" else errors
        t = lab.theory.linear_model
        each = (point["ridge"], n_steps, point["delta"] / (d + 1 if answer == "long" else 2))
        first, agree = t.first_token_error_bound(d, p, *each), t.stop_agree_error_bound(d, p, *each)
        if answer == "long":
            limit = t.long_correct_error_bound(
                first, agree, [t.chain_error_bound(d, position, *each) for position in range(2, d + 1)]
            )
        else:
            limit = t.short_correct_error_bound(first, agree, t.stop_disagree_error_bound(d, p, *each))
        return Measured(Quantiles(errors, 1 - point["delta"]), float(limit))

    return measure


def _composed_bound(answer: str) -> Bound:
    return Bound(
        "linear_model.theorem_1",
        "upper",
        Domain(
            {
                **narrowed(
                    CLAIMS["theorem_1"].domain, drop=("epsilon",), d=(3, 10), p_cot=(0.1, 0.74), delta=(0.01, 0.99)
                ).parameters,
                "ridge": Real(0.01, 10.0, meaning="ridge of every position"),
                "n_steps": Integer(2, 300, meaning="steps of every position"),
            },
        ),
        _composed(answer),
        part=f"error of the {answer} answer",
        n=32,
        mutants=(
            Mutant(
                "the errors of the positions over 10^6",
                "they add up, and each is of the order of one percent at these sizes",
                theory=_times(f"{answer}_correct_error_bound", 1e-6),
            ),
        ),
        ceiling=1.0,
    )


SIZES = tuple(2**k for k in range(1, 13))


def _complexity(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Least power of two of demonstrations at which the long answer is within epsilon at every prompt."""
    d, p, epsilon, delta = (point[name] for name in ("d", "p_cot", "epsilon", "delta"))
    stated = lab.theory.linear_model.theorem_1_sample_sizes(d, p, epsilon, delta)
    sizes = tuple(n for n in SIZES if n < stated.n_sequences)
    if stated.n_sequences < SIZES[-1]:
        sizes = (*sizes, stated.n_sequences)
    data = lab.sims.linear_model.pretrain(
        d, p, sizes[-1], {"first": stated.ridge_first, "stop": stated.ridge_stop, "chain": stated.ridge_chain}, seeds,
        record_at=sizes, n_prompts=128,
    )  # fmt: skip
    long = np.abs(data["long_correct"].values - p).max(axis=2) <= epsilon
    short = np.abs(data["short_correct"].values - (1 - p) / 2).max(axis=2) <= epsilon
    good = (long & short).sum(axis=0)
    return Measured(Crossing(sizes, tuple(map(int, good)), len(seeds), 1 - delta), float(stated.n_sequences))


COMPLEXITY = Bound(
    "linear_model.theorem_1",
    "upper",
    narrowed(CLAIMS["theorem_1"].domain, d=(3, 10), p_cot=(0.05, 0.74), epsilon=(0.1, 0.99), delta=(0.05, 0.99)),
    _complexity,
    part="sample complexity",
    n=32,
    cost=0.1,
    mutants=(
        Mutant(
            "2 sequences are enough",
            "two demonstrations leave the positions l >= 2 almost untrained",
            theory={
                "linear_model.theorem_1_sample_sizes": lambda *a, **k: _few(
                    closed_forms().theorem_1_sample_sizes(*a, **k)
                )
            },
        ),
    ),
)


def _few(sizes: Any) -> Any:
    from dataclasses import replace

    return replace(sizes, n_sequences=2)


# ---------------------------------------------------------------- a false statement


def _misprint(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """lambda in the denominator, as it circulates."""
    values, error = _biases("first", point["d"], point["p_cot"], point["ridge"])
    printed = lab.theory.linear_model.first_token_bias_bound_paper(point["p_cot"], point["ridge"]) / point["ridge"] ** 2
    return Measured(Exactly(values["first_token"], error), float(printed))


MISPRINT = Bound(
    "linear_model.first_token_bias_misprint",
    "upper",
    narrowed(CLAIMS["first_token_bias_misprint"].domain, {"d": SMALL}, ridge=(1e-4, 1000.0), p_cot=(0.01, 0.99)),
    _misprint,
    ceiling=1.0,
    fails=True,
)

BOUNDS = (
    *(
        _bias_bound(row, paper)
        for row in ("first_token", "stop_agree", "stop_disagree", "chain")
        for paper in (False, True)
    ),
    NORM,
    GAP,
    *PROPOSITIONS,
    _composed_bound("long"),
    _composed_bound("short"),
    COMPLEXITY,
    MISPRINT,
)
