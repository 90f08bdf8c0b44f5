"""Bounds on what is lost after pruning: errors of the subsets that are left, of rules that count, and of footprints."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from proofs_check.bounds import Bound, Exactly, Measured, narrowed
from proofs_check.bounds.mid_training._common import CLAIMS, Measure, times
from proofs_check.claims import Mutant
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.mid_training._common import shipped
from proofs_check.samples import Counts, Means

__all__ = ["LOSSES"]


def _two_types(point: Mapping[str, Any]) -> tuple[float, float, float]:
    """Losses on the failed and on the other tasks, and how often a subset that is not bad fails."""
    eps, largest = point["tolerance"], point["largest_gap"]
    return eps + (largest - eps) * point["shape"], eps * point["shape"], point["failure_rate"] * point["nearness"]


def _lost(false: bool) -> Measure:
    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        worst, other, rate = _two_types(point)
        data = lab.sims.mid_training.prune_by_count(
            [[worst], [other]], [rate, 1 - rate], point["tolerance"], 0, 0, [0], n_trials=1
        )
        limit = (
            point["tolerance"]
            if false
            else lab.theory.mid_training.pruning_error_bound(
                point["tolerance"], point["failure_rate"], point["largest_gap"]
            )
        )
        return Measured(Exactly(float(data["mean_gap"].values[0]), 2.0**-50 * point["largest_gap"]), float(limit))

    return measure


LOSS_DOMAIN = narrowed(
    CLAIMS["pruning_error"].domain,
    {
        "shape": Real(0.0, 1.0, meaning="losses over the largest allowed ones"),
        "nearness": Real(0.0, 0.999, meaning="failure rate over the one from which a subset is bad"),
    },
    tolerance=(0.001, 0.5),
    failure_rate=(0.01, 0.99),
    largest_gap=(0.5, 10.0),
)


def _count_rule(count: str) -> Measure:
    """A target that fails a quarter of sigma, and bad options that fail sigma of the tasks, on types of their own."""

    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        m, sigma, delta = point["n_options"], point["failure_rate"], point["delta"]
        t = lab.theory.mid_training
        if count == "count_rule_exact":
            n, threshold = t.count_rule_exact(m, 1, sigma, delta)
        else:
            n = math.ceil(t.count_rule_chernoff(m, 1, sigma, delta))
            threshold = math.floor(sigma * n / 2)
        rates = [sigma / 4] + [sigma] * (m - 1)
        data = lab.sims.mid_training.prune_by_count(
            np.vstack([np.eye(m), np.zeros(m)]), [*rates, 1 - sum(rates)], 0.5, n, threshold, seeds, n_trials=250
        )
        kept = data["survives"].values
        wrong = ~kept[..., 0] | kept[..., 1:].any(axis=-1)
        return Measured(Counts(int(wrong.sum()), wrong.size), delta)

    return measure


def _fewer(count: str) -> Callable[..., Any]:
    def fewer(*arguments: Any) -> Any:
        found = getattr(shipped(), count)(*arguments)
        return (max(1, found[0] // 40), found[1]) if isinstance(found, tuple) else found / 40

    return fewer


def _empirical_risk(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Best option of mean loss (1 - x)/2, the others worse by a little more than x; losses 0 or Dmax."""
    m, excess, delta, largest = point["n_options"], point["excess"], point["delta"], point["largest_gap"]
    n = math.ceil(lab.theory.mid_training.empirical_risk_count(m, 1, largest, excess * largest, delta))
    generator = np.random.default_rng([53, *seeds])
    rates = np.full(m, min(1.0, (1 + excess) / 2 + 1e-9))
    rates[0] = (1 - excess) / 2
    picked = generator.binomial(n, rates, size=(200 * len(seeds), m)).argmin(axis=1)
    return Measured(Counts(int((picked != 0).sum()), picked.size), delta)


def _missing(lab: Lab, weights: np.ndarray, n: int, seeds: Sequence[int]) -> Means:
    loss = lab.sims.mid_training.draw_footprints(weights, n, seeds, n_trials=250)["loss"].values
    # trials are independent draws, and a weight sum may round below 0
    return Means(np.clip(loss.ravel(), 0.0, 1.0), 0.0, 1.0)


def _weights(point: Mapping[str, Any]) -> np.ndarray:
    """All options but one equally light."""
    k = point["n_options"]
    light = min(point["light"], 1.0 / k)
    return np.array([light] * (k - 1) + [1.0 - light * (k - 1)])


def _mass(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    n = point["n_demonstrations"]
    limit = float(lab.theory.mid_training.missing_mass_bound(point["n_options"], n))
    return Measured(_missing(lab, _weights(point), n, seeds), limit)


def _footprints(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    n = math.ceil(lab.theory.mid_training.footprint_count(point["n_options"], point["tolerance"]))
    return Measured(_missing(lab, _weights(point), n, seeds), point["tolerance"])


def _survives(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """A subset of mean loss eps that loses (1+x) eps on a share 1/(1+x) of the tasks."""
    x = point["x"]
    data = lab.sims.mid_training.prune_by_elimination(
        [[0.1 * (1 + x)], [0.0]], [1 / (1 + x), x / (1 + x)], 0.1, 1 / (1 + x), point["n"], seeds, n_trials=250
    )
    return Measured(Counts(int(data["survivals"].values.sum()), 250 * len(seeds)), 0.5)


LIGHT: dict[str, Real | Integer] = {"light": Real(1e-3, 0.5, meaning="probability of each option but one")}
RULE = narrowed(
    CLAIMS["count_rule"].domain, n_options=(2, 4), n_kept=(1, 1), failure_rate=(0.05, 0.3), delta=(0.05, 0.9)
)

LOSSES = (
    Bound(
        "mid_training.pruning_error",
        "upper",
        LOSS_DOMAIN,
        _lost(false=False),
        mutants=(
            Mutant(
                "eps alone",
                "failed tasks lose more than eps",
                theory={"mid_training.pruning_error_bound": lambda eps, sigma, largest: eps},
            ),
        ),
    ),
    Bound("mid_training.pruning_error_is_eps", "upper", LOSS_DOMAIN, _lost(false=True), fails=True),
    *(
        Bound(
            "mid_training.count_rule",
            "upper",
            RULE,
            _count_rule(count),
            part=count.removeprefix("count_rule_"),
            n=4,
            mutants=(
                Mutant(
                    "a fortieth of the demonstrations",
                    "binomial tails at so few are of order one",
                    theory={f"mid_training.{count}": _fewer(count)},
                ),
            ),
            ceiling=1.0,
        )
        for count in ("count_rule_chernoff", "count_rule_exact")
    ),
    Bound(
        "mid_training.empirical_risk",
        "upper",
        narrowed(
            CLAIMS["empirical_risk"].domain,
            n_options=(2, 40),
            n_kept=(1, 1),
            largest_gap=(0.5, 10.0),
            excess=(0.02, 0.9),
            delta=(0.02, 0.9),
        ),
        _empirical_risk,
        n=4,
        mutants=(
            Mutant(
                "a two-hundredth of the demonstrations",
                "the means are then off by the excess itself",
                theory=times("empirical_risk_count", 0.005),
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "mid_training.missing_mass",
        "upper",
        narrowed(CLAIMS["missing_mass"].domain, LIGHT, n_options=(2, 40), n_demonstrations=(1, 300)),
        _mass,
        n=8,
        mutants=(
            Mutant(
                "a fifth of the bound",
                "laws with k - 1 options of probability 1/(n+1) come close to it",
                theory=times("missing_mass_bound", 0.2),
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "mid_training.missing_mass",
        "upper",
        Domain(
            {
                "n_options": Integer(2, 40, meaning="options k of the law", symbol="k"),
                "tolerance": Real(0.01, 0.9, meaning="accepted missing mass", symbol=r"\varepsilon"),
                **LIGHT,
            }
        ),
        _footprints,
        part="count",
        n=8,
        mutants=(
            Mutant(
                "a tenth of the demonstrations",
                "the missing mass falls like 1/n at worst",
                theory=times("footprint_count", 0.1),
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "mid_training.target_survives",
        "lower",
        Domain({"x": Real(0.5, 20.0, meaning="excess of the loss"), "n": Integer(1, 20, meaning="demonstrations")}),
        _survives,
        n=4,
        fails=True,
    ),
)
