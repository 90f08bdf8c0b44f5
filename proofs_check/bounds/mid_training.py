"""Bounds on mid-training: demonstrations that prune a library, what is left out, planning sweeps, and likelihoods."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from proofs_check.bounds import INSTANCE, Bound, Crossing, Exactly, Measured, narrowed
from proofs_check.claims import Mutant, find
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.samples import Counts, Means

__all__ = ["BOUNDS"]

CLAIMS = {claim.id.split(".")[1]: claim for claim in find(["mid_training"])}
Measure = Callable[[Lab, Mapping[str, Any], Sequence[int]], Measured]


def _theory() -> Any:
    import theory.mid_training as module

    return module


def _times(name: str, factor: float) -> dict[str, Callable[..., Any]]:
    return {f"mid_training.{name}": lambda *a, **k: getattr(_theory(), name)(*a, **k) * factor}


# ---------------------------------------------------------------- how many demonstrations prune

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


def _all_gone(lab: Lab, family: str, point: Mapping[str, Any], n: int, seeds: Sequence[int]) -> np.ndarray:
    """Trials in which n demonstrations eliminate every bad subset."""
    rooms = lab.sims.mid_training
    if family == "independent failures":
        data = rooms.draw_independent_failures(point["n_options"], point["failure_rate"], n, seeds, n_trials=100)
        return np.asarray(data["wrong_survivors"].values == 0).ravel()
    data = rooms.draw_unseen_types(point["n_kept"], point["failure_rate"], n, seeds, n_trials=100)
    return np.asarray(data["unseen"].values == 0).ravel()


def _complexity(
    lab: Lab, family: str, point: Mapping[str, Any], sizes: Sequence[int], seeds: Sequence[int]
) -> Crossing:
    """Least of the sizes at which nothing bad is left with probability 1 - delta."""
    tried = tuple(sorted(set(sizes)))
    gone = [_all_gone(lab, family, point, n, seeds) for n in tried]
    return Crossing(tried, tuple(int(g.sum()) for g in gone), gone[0].size, 1 - point["delta"])


def _sufficient(count: str, family: str) -> Bound:
    """Measured sample complexity over a number of demonstrations that suffices."""

    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        kept = 1 if family == "independent failures" else point["n_kept"]
        limit = math.ceil(
            getattr(lab.theory.mid_training, count)(point["n_options"], kept, point["failure_rate"], point["delta"])
        )
        return Measured(
            _complexity(lab, family, point, [math.ceil(share * limit) for share in SHARES], seeds), float(limit)
        )

    domain = narrowed(
        CLAIMS["union_count"].domain,
        n_options=(13, 60) if family == "coupons" else (2, 60),
        n_kept=(1, 12) if family == "coupons" else (1, 1),
        failure_rate=(0.02, 0.08) if family == "coupons" else (0.02, 0.7),
        delta=(0.05, 0.9),
    )
    return Bound(
        "mid_training.union_count",
        "upper",
        domain,
        measure,
        part=f"{count.replace('_', ' ')}, {family}",
        n=4,
        mutants=(
            Mutant(
                "a tenth of the count",
                "the bad subsets are too many to be gone so soon",
                theory=_times(count, 0.1),
            ),
        ),
        cost=0.05,
    )


def _single(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """One bad subset beside the good one."""
    limit = float(lab.theory.mid_training.single_subset_lower_count(point["failure_rate"], point["delta"]))
    sizes = [max(1, math.ceil(share * limit)) for share in (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 4.0)]
    return Measured(_complexity(lab, "independent failures", {**point, "n_options": 2}, sizes, seeds), limit)


def _blocks(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Bit blocks at the largest number of demonstrations for which failure is guaranteed."""
    d, least, q = point["n_types"], point["threshold"], point["light_share"] / point["n_types"]
    t = lab.theory.mid_training
    n = max(0, math.floor(t.block_lower_count(d, least, q * least)))
    survives = lab.sims.mid_training.draw_unseen_types(d, q, n, seeds, n_trials=250)["unseen"].values >= least
    return Measured(Counts(int(survives.sum()), survives.size), float(t.block_survival_guarantee(least)))


COUNTS = (
    *(
        _sufficient(count, family)
        for count in ("union_count", "paper_count", "loose_union_count")
        for family in ("independent failures", "coupons")
    ),
    Bound(
        "mid_training.smallest_counts",
        "lower",
        Domain(
            {
                name: narrowed(CLAIMS["union_count"].domain, failure_rate=(0.02, 0.7), delta=(0.05, 0.9)).parameters[
                    name
                ]
                for name in ("failure_rate", "delta")
            }
        ),
        _single,
        part="one bad subset",
        n=8,
        mutants=(
            Mutant(
                "five times as many are needed",
                "one subset has no logarithm of the library to pay",
                theory=_times("single_subset_lower_count", 5.0),
            ),
        ),
    ),
    Bound(
        "mid_training.block_lower_bound",
        "lower",
        Domain(
            {
                "n_types": Integer(2, 60, meaning="light task types d", symbol="d"),
                "threshold": Integer(1, 10, meaning="failed light types from which a subset is bad", symbol="F"),
                "light_share": Real(0.05, 1.0, meaning="probability d q of a light type"),
            },
            {"d >= 2F": lambda cell: cell["n_types"] >= 2 * cell["threshold"]},
        ),
        _blocks,
        n=8,
        mutants=(
            Mutant(
                "for three times as many demonstrations and more",
                "there the mean number of unseen types is far below F",
                theory={
                    "mid_training.block_lower_count": lambda d, f, s: (
                        3 * _theory().block_lower_count(d, f, s) + 2 * d / s
                    )
                },
            ),
        ),
    ),
)

# ---------------------------------------------------------------- what is lost after pruning


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
        found = getattr(_theory(), count)(*arguments)
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
                theory=_times("empirical_risk_count", 0.005),
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
                theory=_times("missing_mass_bound", 0.2),
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
                theory=_times("footprint_count", 0.1),
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

# ---------------------------------------------------------------- planning

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
        most = math.ceil(_theory().sweeps_bound(largest, tolerance, modulus)) + 1
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
    # 1 - F^L of weights that add up to 1 but for their rounding may be off by k L units in the last place
    return Measured(Means(np.where(covered, best - start, best), 0.0, 1.0), limit + k * length * 2.0**-52)


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
                theory=_times("sweeps_bound", 0.25),
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
                theory=_times("sweeps_bound_linear", 0.1),
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
                theory=_times("sweeps_reward_convention", 0.1),
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
                theory=_times("duration_modulus", 0.25),
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
                theory=_times("planning_regret", 1 / 3),
            ),
        ),
        ceiling=1.0,
    ),
)

# ---------------------------------------------------------------- likelihoods


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
                        _theory().sticky_log_likelihood(logs, alpha) * 1.2
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
                theory={"mid_training.log_partition": lambda logs, penalty: _theory().log_partition(logs, penalty) / 2},
            ),
        ),
    ),
)

BOUNDS = (*COUNTS, *LOSSES, *PLANNING, *LIKELIHOODS)
