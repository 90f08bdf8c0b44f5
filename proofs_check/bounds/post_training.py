"""Bounds on filtering and retraining: how errors travel, how many answers keep the long route, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from proofs_check.bounds import INSTANCE, Bound, Crossing, Exactly, Measured, Quantiles, narrowed, times
from proofs_check.claims import Mutant, find
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.post_training._common import closed_forms
from proofs_check.samples import Counts

__all__ = ["BOUNDS"]

CLAIMS = {claim.id.split(".")[1]: claim for claim in find(["post_training"])}
START = Real(1e-6, 0.5, meaning="share of long answers at the start", symbol="p_0")
ROUNDING = 64 * 2.0**-53  # a few roundings a round of numbers below 1


_times = partial(times, "post_training")


# ---------------------------------------------------------------- errors of calibration


def _erring_run(point: Mapping[str, Any]) -> tuple[float, float]:
    """Share after rounds that err by at most epsilon each, and without error; the direction 0 errs at random."""
    generator = np.random.default_rng([51, point["instance"]])
    q = p = point["p_0"]
    for n in range(point["n_rounds"] + 1):
        if n:
            q, p = 2 * q / (1 + q), 2 * p / (1 + p)
        sign = point["direction"] or generator.uniform(-1, 1)
        q = min(1.0, max(0.0, q + sign * point["epsilon"]))
    return q, p


def _telescoped(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    q, p = _erring_run(point)
    limit = lab.theory.post_training.error_bound_telescoped(point["epsilon"], point["n_rounds"])
    return Measured(Exactly(abs(q - p), ROUNDING), float(limit))


def _published_order(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    q, p = _erring_run(point)
    limit = lab.theory.post_training.error_bound_paper(point["epsilon"], point["n_rounds"])
    return Measured(Exactly(abs(q - p), ROUNDING), float(limit))


def _envelope(side: str) -> Callable[[Lab, Mapping[str, Any], Sequence[int]], Measured]:
    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        q, _ = _erring_run(point)
        limit = getattr(lab.theory.post_training, f"{side}_envelope")(point["p_0"], point["epsilon"], point["n_rounds"])
        # Near p_0 = eps the shares start from a difference, whose rounding each round at most doubles.
        return Measured(Exactly(q, ROUNDING * 2.0 ** point["n_rounds"]), float(limit))

    return measure


ERRING: dict[str, Real | Integer] = {
    "p_0": START,
    "direction": Integer(-1, 1, meaning="sign of all errors, or 0 for random ones"),
    "instance": INSTANCE,
}


def _measured_calibration(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """A simulated run: its own largest error of a round takes the place of epsilon."""
    p_0, n_rounds = point["p_0"], point["n_rounds"]
    run = lab.sims.post_training.refit_shares(p_0, point["n_samples"], n_rounds, [point["instance"]])
    shares = run["long_fraction"].values[0]
    epsilon = float(np.abs(shares[1:] - 2 * shares[:-1] / (1 + shares[:-1])).max(initial=0.0))
    truth = 2**n_rounds * p_0 / (2**n_rounds * p_0 + 1 - p_0)
    if not 0.0 <= epsilon <= 0.1715:
        return Measured(Exactly(abs(shares[-1] - truth), ROUNDING), math.inf)
    limit = lab.theory.post_training.error_bound_telescoped(epsilon, n_rounds)
    return Measured(Exactly(abs(float(shares[-1]) - truth), ROUNDING), float(limit))


SHORT_SUM = Mutant(
    "(n+1) epsilon",
    "small shares double, and so do their errors",
    theory={"post_training.error_bound_telescoped": lambda e, n: (n + 1) * e},
)

ERRORS = (
    Bound(
        "post_training.error_bound_telescoped",
        "upper",
        narrowed(CLAIMS["error_bound_telescoped"].domain, ERRING, epsilon=(1e-9, 0.1), n_rounds=(1, 20)),
        _telescoped,
        mutants=(SHORT_SUM,),
        ceiling=1.0,
    ),
    Bound(
        "post_training.error_bound_telescoped",
        "upper",
        Domain(
            {
                "p_0": Real(1e-3, 0.5, meaning="share of long answers at the start"),
                "n_samples": Integer(500, 10**6, meaning="answers a round"),
                "n_rounds": Integer(1, 12, meaning="rounds"),
                "instance": INSTANCE,
            }
        ),
        _measured_calibration,
        part="simulated rounds",
        mutants=(
            Mutant(
                "epsilon / 3",
                "a single round can err by epsilon itself",
                theory={"post_training.error_bound_telescoped": lambda e, n: e / 3},
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "post_training.error_propagation",
        "lower",
        narrowed(CLAIMS["error_bound_telescoped"].domain, ERRING, epsilon=(1e-9, 0.1), n_rounds=(1, 20)),
        _envelope("lower"),
        part="lower envelope",
        mutants=(
            Mutant(
                "no round errs",
                "errors downwards lower the share",
                theory={"post_training.lower_envelope": lambda p, e, n: 2**n * p / (2**n * p + 1 - p)},
            ),
        ),
    ),
    Bound(
        "post_training.error_propagation",
        "upper",
        narrowed(CLAIMS["error_bound_telescoped"].domain, ERRING, epsilon=(1e-9, 0.1), n_rounds=(1, 20)),
        _envelope("upper"),
        part="upper envelope",
        mutants=(
            Mutant(
                "no round errs",
                "errors upwards lift the share",
                theory={"post_training.upper_envelope": lambda p, e, n: 2**n * p / (2**n * p + 1 - p)},
            ),
        ),
        ceiling=1.0,
    ),
    Bound(
        "post_training.error_bound_constant_one",
        "upper",
        narrowed(
            CLAIMS["error_bound_constant_one"].domain,
            {"direction": Integer(-1, 1, meaning="sign of all errors, or 0 for random ones"), "instance": INSTANCE},
            p_0=(1e-6, 0.02),
            epsilon=(1e-9, 1e-3),
            n_rounds=(1, 6),
        ),
        _published_order,
        ceiling=1.0,
        fails=True,
    ),
)

# ---------------------------------------------------------------- losing the long route

RARE: dict[str, Real | Integer] = {
    "p_0": Real(1e-3, 0.2, meaning="share of long answers at the start", symbol="p_0"),
    "first_count": Real(0.2, 6.0, meaning="expected long answers in the first round, N p_0"),
}


def _lost(lab: Lab, p_0: float, n_samples: int, seeds: Sequence[int]) -> Counts:
    CLAIMS["extinction"].domain.validate({"p_0": p_0, "n_samples": n_samples})
    lost = lab.sims.post_training.refit_shares(p_0, n_samples, 40, seeds)["long_fraction"].values[:, -1] == 0
    return Counts(int(lost.sum()), int(lost.size))


def _error_of_limit_law(p_0: float, n_samples: int) -> float:
    """What the limit law leaves out of the logarithm, as derived with the claim."""
    return n_samples * p_0**3 + 0.5 / n_samples


def _extinction(kind: str) -> Callable[[Lab, Mapping[str, Any], Sequence[int]], Measured]:
    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        p_0 = point["p_0"]
        n_samples = max(1, round(point["first_count"] / p_0))
        value = float(lab.theory.post_training.extinction_probability(p_0, n_samples))
        error = _error_of_limit_law(p_0, n_samples)
        limit = value * math.exp(error if kind == "upper" else -error)
        return Measured(_lost(lab, p_0, n_samples, seeds), limit)

    return measure


def _kept(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    p_0, failure = point["p_0"], point["failure"]
    n_samples = math.ceil(lab.theory.post_training.samples_per_round(p_0, failure))
    limit = failure * math.exp(_error_of_limit_law(p_0, n_samples))
    return Measured(_lost(lab, p_0, max(1, n_samples), seeds), limit)


EXTINCTION = (
    *(
        Bound(
            "post_training.extinction",
            kind,
            Domain(RARE),
            _extinction(kind),
            part=f"{kind} end of the law",
            n=2000,
            mutants=(
                Mutant(
                    f"{factor:g} times the probability",
                    "the law is exact up to terms of third order",
                    theory=_times("extinction_probability", factor),
                ),
            ),
            ceiling=1.0,
        )
        for kind, factor in (("upper", 0.5), ("lower", 2.0))
    ),
    Bound(
        "post_training.extinction",
        "upper",
        Domain(
            {
                "p_0": RARE["p_0"],
                "failure": Real(0.01, 0.9, meaning="accepted probability of losing the long route", symbol=r"\delta"),
            }
        ),
        _kept,
        part="samples a round",
        n=2000,
        mutants=(
            Mutant(
                "half as many samples",
                "then the long route is lost with the root of the probability",
                theory=_times("samples_per_round", 0.5),
            ),
        ),
        ceiling=1.0,
    ),
)

# ---------------------------------------------------------------- rounds and total cost


def _rounds(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """First round with odds of at least 1/2, at ten thousand long answers in the first round, in nine runs of ten."""
    p_0 = point["p_0"]
    most = math.ceil(math.log2(max(1.0, (1 / p_0 - 1) / 2))) + 4
    shares = lab.sims.post_training.refit_shares(p_0, round(1e4 / p_0), most, seeds)["long_fraction"].values
    long = shares >= 1 / 3
    first = np.where(long.any(axis=1), long.argmax(axis=1), most + 1)
    return Measured(Quantiles(first.astype(float), 0.9), float(lab.theory.post_training.rounds_to_generalise(p_0)) + 1)


FACTORS = (0.25, 1.0, 2.0, 4.0)


def _cost(kind: str) -> Callable[[Lab, Mapping[str, Any], Sequence[int]], Measured]:
    """Samples a round from which half of the runs generalise, two rounds after the prediction."""

    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        d, kappa = point["d"], point["kappa"]
        stated = lab.theory.post_training.total_cost(d, kappa)
        sizes = tuple(round(factor * 2 * d ** (kappa + 2)) for factor in FACTORS)
        good = []
        for n_samples in sizes:
            data = lab.sims.post_training.star(
                d=d, p_0=d**-kappa, n_samples=n_samples, n_rounds=stated.n_rounds + 2, seeds=seeds, start_ridge=1e-6,
                ridge={"first": 0.05, "stop": 0.05, "chain": 1e-3}, n_prompts=64,
            )  # fmt: skip
            good.append(int((data["greedy_accuracy"].values[:, -1] > 0.75).sum()))
        limit = stated.for_the_chain * (4 if kind == "upper" else 0.25)
        return Measured(Crossing(sizes, tuple(good), len(seeds), 0.5), limit)

    return measure


COST = (
    Bound(
        "post_training.rounds_to_generalise",
        "upper",
        narrowed(CLAIMS["rounds_to_generalise"].domain, p_0=(1e-4, 0.33)),
        _rounds,
        n=64,
        mutants=(
            Mutant(
                "three quarters of the rounds, less two",
                "every round doubles the odds and no more",
                theory={
                    "post_training.rounds_to_generalise": lambda p: closed_forms().rounds_to_generalise(p) * 0.75 - 2
                },
            ),
        ),
    ),
    *(
        Bound(
            "post_training.total_cost",
            kind,
            narrowed(CLAIMS["total_cost"].domain, d=(5, 6), kappa=(0.5, 1.0)),
            _cost(kind),
            part=f"{kind} end of the samples a round",
            n=40,
            cost=0.35,
            mutants=(
                Mutant(
                    f"{factor:g} times the samples",
                    "a chain takes of the order of two d^2 long sequences",
                    theory={"post_training.total_cost": lambda d, kappa, factor=factor: _scaled(d, kappa, factor)},
                ),
            ),
        )
        for kind, factor in (("upper", 1 / 32), ("lower", 32.0))
    ),
)


def _scaled(d: int, kappa: float, factor: float) -> Any:
    cost = closed_forms().total_cost(d, kappa)
    return cost._replace(for_the_chain=cost.for_the_chain * factor)


# ---------------------------------------------------------------- temperature


def _margin(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Margin of a token among the answers kept under r_e2e, by counting the wrong tokens of a tempered chain."""
    d, tau, e = point["d"], point["temperature"], point["token_error"]
    t = lab.theory.post_training
    odds = (e / (1 - e)) ** (1 / tau)
    wrong = odds / (1 + odds)
    law = [math.comb(d - 2, k) * wrong**k * (1 - wrong) ** (d - 2 - k) for k in range(d - 1)]  # the d - 2 other tokens
    odd, even = math.fsum(law[1::2]), math.fsum(law[0::2])
    margin = 0.5 * math.log((1 - wrong) * even / (wrong * odd))
    limit = 2 * float(t.chain_margin(e)) / tau
    return Measured(Exactly(margin, 2.0**-50 * d * (1 + margin)), limit)


TEMPERATURE = Bound(
    "post_training.temperature_destroys_chains",
    "upper",
    narrowed(
        CLAIMS["temperature_destroys_chains"].domain,
        {"token_error": Real(1e-9, 0.49, meaning="token error of the chain")},
        d=(3, 60),
        temperature=(0.3, 5.0),
    ),
    _margin,
    part="margin after a round",
    mutants=(
        Mutant(
            "half of it, x/tau",
            "the reward adds to the tempered margin",
            theory=_times("chain_margin", 0.5),
        ),
    ),
)

BOUNDS = (*ERRORS, *EXTINCTION, *COST, TEMPERATURE)
