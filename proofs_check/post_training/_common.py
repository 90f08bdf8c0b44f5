"""What the claims about post-training share: domains, symbols, the filtered mixture, and rates of failing runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from proofs_check.claims import Simulation
from proofs_check.domains import Integer, Real
from proofs_check.enumeration import Outcome, feature_values, prefix_parities
from proofs_check.samples import Counts

__all__ = [
    "LENGTH",
    "PAPER",
    "P_0",
    "RATE",
    "ROUNDS",
    "SAMPLES",
    "SIGMAS",
    "STAR_CELLS",
    "TAU",
    "TOKEN_ERROR",
    "TRAINED_LENGTH",
    "P",
    "answers_of_state",
    "closed_forms",
    "filtered",
    "fitted",
    "kept_long_counts",
    "logistic_optimum",
    "majority_leg",
    "off_time",
    "one_round",
    "point",
    "rate_leg",
    "reinforce_parameters",
    "rewarded",
    "rounds_ahead",
    "shares_of",
    "star_parameters",
    "time_margin",
]

PAPER = "Tsilivis, Malach, Ullrich, Kempe, arXiv 2510.11495"
P = sp.Symbol("p", positive=True)
P_0 = Real(0, 1, open_low=True, open_high=True, meaning="share of long answers at the start", symbol="p_0")
LENGTH = Integer(3, meaning="length of the prompt", largest_drawn=200)
ROUNDS = Integer(0, 1000, meaning="rounds", symbol="n", largest_drawn=60)
SAMPLES = Integer(1, meaning="answers drawn in every round", symbol="N", largest_drawn=10**6)
TRAINED_LENGTH = Integer(3, 100_000, meaning="length of the prompt", largest_drawn=200)
TOKEN_ERROR = Real(0, 0.5, open_high=True, meaning="error of a chain token", symbol="e")
TAU = Real(0, open_low=True, meaning="sampling temperature", symbol=r"\tau")
RATE = 0.1  # share of runs that may fall outside a margin


def closed_forms() -> Any:
    """Return the closed forms as they are, out of a mutant's reach."""
    import theory.post_training as module

    return module


def point() -> tuple[Fraction, ...]:
    """Shares across (0, 1), with ties of the greedy threshold and their neighbours."""
    tiny = Fraction(1, 10**9)
    ties = [Fraction(1, 1 + 2 ** (n + 1)) for n in range(6)]
    return (
        *[tie + shift for tie in ties for shift in (-tiny, 0, tiny)],
        Fraction(1, 10**6),
        Fraction(1, 2),
        Fraction(99, 100),
    )


def rewarded(outcome: Outcome, kind: str) -> bool:
    """r_cot: the whole answer is the long or the short right one; r_e2e: its last token is the parity."""
    chain = prefix_parities(outcome.prompt)
    body = outcome.answer[:-1]
    if kind == "r_cot":
        return body in (chain, chain[-1:])
    return body[-1] == chain[-1]


def answers_of_state(d: int, u: Any, stop: Any, other: Any, errors: Sequence[Any]) -> list[Outcome]:
    """Every prompt and answer of a model with these conditionals; token l errs relative to y_(l-1) x_l."""
    from itertools import product

    law = []
    weight = Fraction(1, 2**d)
    for prompt in product((-1, 1), repeat=d):
        for first in (prompt[0], -prompt[0]):
            agrees = first == prompt[0]
            chance = (u if agrees else 1 - u) * weight
            ends = stop if agrees else other
            law.append(Outcome(chance * ends, prompt, (first, 0)))
            for flips in product((False, True), repeat=d - 1):
                y, mass = [first], chance * (1 - ends)
                for sign, flip, e in zip(prompt[1:], flips, errors, strict=True):
                    y.append(-y[-1] * sign if flip else y[-1] * sign)
                    mass = mass * (e if flip else 1 - e)
                law.append(Outcome(mass, prompt, (*y, 0)))
    return law


def filtered(law: Sequence[Outcome], kind: str) -> list[Outcome]:
    """The kept part of a law, not normalised."""
    return [o for o in law if rewarded(o, kind)]


def shares_of(law: Sequence[Outcome]) -> dict[str, Any]:
    """Kept mass and every conditional that the linear model reads; None where nothing shows it."""

    def mass(event: Callable[[Outcome], bool]) -> Any:
        return sum((o.probability for o in law if event(o)), start=Fraction(0))

    def ratio(top: Any, bottom: Any) -> Any:
        return None if bottom == 0 else top / bottom

    def agrees(o: Outcome) -> bool:
        return o.answer[0] == o.prompt[0]

    def is_short(o: Outcome) -> bool:
        return len(o.answer) == 2

    kept = mass(lambda o: True)
    long = mass(lambda o: not is_short(o))
    d = len(law[0].prompt) if law else 0
    return {
        "kept": kept,
        "long": long,
        "first_token": ratio(mass(agrees), kept),
        "stop_agree": ratio(mass(lambda o: agrees(o) and is_short(o)), mass(agrees)),
        "stop_disagree": ratio(mass(lambda o: not agrees(o) and is_short(o)), mass(lambda o: not agrees(o))),
        "chain_errors": tuple(
            ratio(mass(lambda o, i=i: not is_short(o) and o.answer[i] != o.answer[i - 1] * o.prompt[i]), long)  # type: ignore[misc]
            for i in range(1, d)
        ),
    }


def rate_leg(
    name: str,
    experiment: str,
    cells: Mapping[str, Sequence[Mapping[str, Any]]],
    parameters: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    outside: Callable[[Any, Mapping[str, Any], Any], np.ndarray],
    cost: float,
    planned_n: int = 256,
) -> Simulation:
    """Share of runs outside a margin against the allowed rate; 256 runs without one certify 10 %."""

    def judge_units(data: Any, cell: Mapping[str, Any], theory: Any) -> Counts:
        found = np.asarray(outside(data, cell, theory))
        return Counts(int(found.sum()), int(found.size))

    return Simulation(
        name,
        experiment,
        cells=lambda profile: cells[profile],
        parameters=parameters,
        judge_units=judge_units,
        predict=lambda theory, cell: (0.0, RATE),
        compare="upper",
        resolution=0.02,
        planned_n=planned_n,
        looks=4,
        unit="training run",
        cost=cost,
        profiles=tuple(cells),
    )


def majority_leg(
    name: str,
    cells: Mapping[str, list[dict[str, Any]]],
    parameters: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    wrong: Callable[[Any, Mapping[str, Any], Any], np.ndarray],
    cost: float,
) -> Simulation:
    """Share of runs on the wrong side against one half."""

    def judge_units(data: Any, cell: Mapping[str, Any], theory: Any) -> Counts:
        found = np.asarray(wrong(data, cell, theory))
        return Counts(int(found.sum()), int(found.size))

    return Simulation(
        name,
        "post_training.star",
        cells=lambda profile: cells[profile],
        parameters=parameters,
        judge_units=judge_units,
        predict=lambda theory, cell: (0.0, 0.5),
        compare="upper",
        resolution=0.02,
        planned_n=48,
        looks=4,
        unit="training run",
        cost=cost,
        profiles=tuple(cells),
    )


SIGMAS = 3.3  # a normal value is further off once in 1000; at twice the variance, which finite training may add, in 50
# lambda^2 T is 20 or more at the first two positions, so that their limit law applies.
STAR_CELLS = {
    "quick": [{"d": 5, "p_0": 0.1, "n_samples": 4000, "ridge": 0.1}],
    "full": [
        {"d": 5, "p_0": 0.1, "n_samples": 4000, "ridge": 0.1},
        {"d": 8, "p_0": 0.04, "n_samples": 16_000, "ridge": 0.05},
        {"d": 20, "p_0": 0.1, "n_samples": 40_000, "ridge": 0.05},
    ],
}


def star_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Four rounds from a calibrated start, each trained from zero; the separable chain takes a small ridge."""
    return {
        "d": cell["d"], "p_0": cell["p_0"], "n_samples": cell["n_samples"], "n_rounds": 4, "start_ridge": 1e-7,
        "ridge": {"first": cell["ridge"], "stop": cell["ridge"], "chain": 2e-3}, "n_prompts": 2048,
    }  # fmt: skip


class Ahead(NamedTuple):
    """What one round should make of the model before it, and how far its training may end from that.

    Attributes
    ----------
    ln_odds : float
        ln of the odds of going on after agreement.
    long_share : float
        Probability of going on after the first token.
    ln_odds_margin, long_share_margin : float
        SIGMAS standard deviations and half of the mean overshoot.
    """

    ln_odds: float
    long_share: float
    ln_odds_margin: float
    long_share_margin: float


def rounds_ahead(data: Any, cell: Mapping[str, Any], factor: float) -> list[list[Ahead]]:
    """For every run and round: its own model n, `factor` for the kept odds of going on (r_cot), the ridge optimum.

    The chain enters by the run's own probability R of an exact chain; filtering multiplies the odds by factor R.
    """
    names = ("first_token", "stop_agree", "stop_disagree", "long_correct", "kept")
    columns = tuple(data[name].values for name in names)
    return _rounds_ahead(_Columns(columns), int(cell["d"]), float(cell["ridge"]), factor)


class _Columns:
    """Arrays that compare by their bytes, so that claims and mutants that read one measurement share the work."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.values = values
        self.key = tuple(v.tobytes() for v in values)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Columns) and self.key == other.key


@lru_cache(maxsize=16)
def _rounds_ahead(columns: _Columns, d: int, lam: float, factor: float) -> list[list[Ahead]]:
    import theory.post_training as t

    ridges = {"ridge_first": lam, "ridge_stop": lam, "ridge_chain": 2e-3}
    u, v, w, exact = (column[:, :-1] for column in columns.values[:4])
    kept = columns.values[4][:, 1:]
    right = np.minimum(1.0, exact / (u * (1 - v)))
    # Kept masses: long right, short agreeing, short disagreeing.
    long, agree, against = u * (1 - v) * right * factor / 2, u * v / 2, (1 - u) * w / 2
    share, stop = (long + agree) / (long + agree + against), agree / (long + agree)
    found: list[list[Ahead]] = [[] for _ in range(len(u))]
    for n in range(u.shape[1]):
        # The noise hardly depends on the run: it is taken at the medians.
        law = (float(np.median(share[:, n])), float(np.median(stop[:, n])), 1.0, [0.0])
        n_kept = float(np.median(kept[:, n]))
        spread = t.refit_spread(*law, n_kept, n_kept, **ridges)
        # Averaged logits pass the optimum by the overshoot, the first term of a series: as much again as half of it is
        # put up with, beside the noise.
        passed = t.refit_overshoot(*law[:3], [0.0] * (d - 1), n_kept, n_kept, **ridges)
        for run, row in enumerate(found):
            aim = t.ridge_refit(float(share[run, n]), float(stop[run, n]), 1.0, [0.0], **ridges)
            a, b, c = (
                1 / (1 + math.exp(-math.log(q / (1 - q)) - over))
                for q, over in zip((float(x) for x in aim[1:4]), passed[:3], strict=True)
            )
            slopes = ((c - b) * a * (1 - a), a * b * (1 - b), (1 - a) * c * (1 - c))
            noise = math.sqrt(sum((x * y) ** 2 for x, y in zip(slopes, spread[:3], strict=True)))
            slack = sum(abs(x * y) for x, y in zip(slopes, passed[:3], strict=True)) / 2
            going = a * (1 - b) + (1 - a) * (1 - c)
            row.append(
                Ahead(
                    math.log(1 / b - 1),
                    going,
                    SIGMAS * spread.stop_agree + abs(passed.stop_agree) / 2,
                    SIGMAS * noise + slack,
                )
            )
    return found


# ---------------------------------------------------------------- one round


def one_round(cell: Mapping[str, Any], **knobs: Any) -> dict[str, Any]:
    """Sampling and filtering alone: the start is calibrated to 1e-6."""
    return {
        "d": cell["d"], "p_0": cell["p_0"], "n_samples": 4096, "n_rounds": 1, "start_ridge": 1e-8, "n_prompts": 1,
        **knobs,
    }  # fmt: skip


def kept_long_counts(data: Any, cell: Mapping[str, Any]) -> Counts:
    """Long ones among the kept answers of the first round."""
    return Counts(int(data["kept_long"].values[:, 1].sum()), int(data["kept"].values[:, 1].sum()))


# ---------------------------------------------------------------- students with every feature free


def logistic_optimum(rows: np.ndarray, targets: np.ndarray, weights: np.ndarray, ridge: float) -> np.ndarray:
    """Minimiser of sum weights ln(1 + exp(-target <w, row>)) + ridge/2 |w|^2, by Newton's method with halving."""
    w = np.zeros(rows.shape[1])

    def loss(v: np.ndarray) -> float:
        return float((weights * np.logaddexp(0, -targets * (rows @ v))).sum() + ridge / 2 * v @ v)

    for _ in range(100):
        margins = targets * (rows @ w)
        wrong = 0.5 * (1 - np.tanh(margins / 2))
        gradient = -(weights * targets * wrong) @ rows + ridge * w
        if np.abs(gradient).max() < 1e-15:
            break
        hessian = (rows.T * (weights * wrong * (1 - wrong))) @ rows + ridge * np.eye(len(w))
        step = np.linalg.solve(hessian, gradient)
        scale = 1.0
        while scale > 1e-6 and loss(w - scale * step) > loss(w) + 1e-16:
            scale /= 2
        w = w - scale * step
    return w


def fitted(law: Sequence[Outcome], position: str | int, ridge: float) -> tuple[np.ndarray, list[int]]:
    """Full-feature optimum of a position on a kept law, and where its relevant features stand."""
    kept = float(sum(o.probability for o in law))
    longs = [o for o in law if len(o.answer) > 2]
    rows, targets, weights = [], [], []
    total = kept if position in ("first", "stop") else float(sum(o.probability for o in longs))
    for o in law if position in ("first", "stop") else longs:
        if position == "first":
            rows.append(feature_values("first", o.prompt, ()))
            targets.append(o.answer[0])
        elif position == "stop":
            rows.append(feature_values("stop", o.prompt, o.answer[:1]))
            targets.append(1 if len(o.answer) == 2 else -1)
        else:
            rows.append(feature_values(position, o.prompt, o.answer[: int(position) - 1]))
            targets.append(o.answer[int(position) - 1])
        weights.append(float(o.probability) / total)
    d = len(law[0].prompt)
    relevant = [0] if position == "first" else [d + 1, 2 * d + 1] if position == "stop" else [d + 2 * int(position) - 2]
    w = logistic_optimum(np.array(rows, float), np.array(targets, float), np.array(weights), ridge)
    return w, relevant


# ---------------------------------------------------------------- times of policy gradients


@lru_cache(maxsize=64)
def time_margin(p: float, method: str, group: int | None, batch: int, baseline: float, d: int) -> tuple[float, float]:
    """What sampled steps of size 1/2 may differ from the flow's time by: a bias of finite steps, a standard deviation.

    Finite steps: the mean update is iterated as it stands, and compared with the flow. Noise: linear propagation of
    (alpha, ln c) with the covariance of one step; its first-passage time spreads by sd(ln c)/speed. Idle weights: a
    logit variance s^2 from the 2d idle features of the stop position slows by at most s^2/2, relatively.
    """
    t, eta = closed_forms(), 0.5
    alpha, x = math.log((1 + p) / (1 - p)), math.log(2 * p / (1 - p))
    flow_time = t.policy_gradient_time(p, eta, method, group)
    cov, idle, steps = np.zeros((2, 2)), 0.0, 0

    def speeds(a: float, y: float) -> np.ndarray:
        found = t.flow(1 / (1 + math.exp(-a)), 1 / (1 + math.exp(y)), method, group)
        return np.array([float(found.first_token), float(found.go_on)])

    while True:
        u, v = 1 / (1 + math.exp(-alpha)), 1 / (1 + math.exp(x))
        move = eta * speeds(alpha, x)
        if method == "reinforce":
            short, long = ((1 - baseline) ** 2 + baseline**2) / 2, (1 - baseline) ** 2
            noise = np.array(
                [
                    [u * (1 - u) ** 2 * (v * short + (1 - v) * long) + (1 - u) * u**2 * short,
                     -2 * u * (1 - u) * v * (1 - v) * (short - long)],
                    [-2 * u * (1 - u) * v * (1 - v) * (short - long),
                     4 * u * (v * (1 - v) ** 2 * short + (1 - v) * v**2 * long)],
                ]
            ) / batch  # fmt: skip
            weight = long
        else:
            # Advantages of a group have squares that add up to G at most, so (sum A s)^2 <= G sum s^2.
            noise = np.diag([u * (1 - u), 4 * u * v * (1 - v)]) * (group or 2) / batch
            weight = float(group or 2)
        h = 1e-5
        jacobian = np.column_stack(
            [
                (speeds(alpha + h, x) - speeds(alpha - h, x)) / (2 * h),
                (speeds(alpha, x + h) - speeds(alpha, x - h)) / (2 * h),
            ]
        )
        step = np.eye(2) + eta * jacobian
        cov = step @ cov @ step.T + eta**2 * noise
        idle += eta**2 * 2 * d * u * v * (1 - v) * weight / batch
        steps += 1
        if x + move[1] >= 0:
            discrete = steps - 1 + (0 - x) / move[1]
            deviation = math.sqrt(cov[1, 1]) / move[1]
            return abs(discrete - flow_time) + idle / 2 * flow_time, deviation
        alpha, x = alpha + move[0], x + move[1]


def off_time(method: str) -> Any:
    """Judge of the runs whose time to generalise is further from the flow's than steps and noise explain."""

    def outside(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
        t = theory.post_training
        if method == "reinforce":
            expected = t.reinforce_time(cell["p_0"], 0.5)
            bias, deviation = time_margin(cell["p_0"], "reinforce", None, 200, 0.5, 4)
        else:
            # The flow's time, in which the group's weight at the start, s = 1/2, is the factor over REINFORCE.
            exact = closed_forms().policy_gradient_time(cell["p_0"], 0.5, "grpo", cell["group_size"])
            expected = (
                exact * closed_forms().grpo_weight(0.5, cell["group_size"]) / t.grpo_weight(0.5, cell["group_size"])
            )
            bias, deviation = time_margin(cell["p_0"], "grpo", cell["group_size"], 240, 0.0, 4)
        return np.asarray(np.abs(data["time"].values - expected) > bias + SIGMAS * deviation)

    return outside


def reinforce_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Steps enough for the flow's time at this start, with baseline 1/2."""
    return {"d": 4, "p_0": cell["p_0"], "n_steps": int(4.5 / cell["p_0"]), "batch": 200, "eta": 0.5, "baseline": 0.5}
