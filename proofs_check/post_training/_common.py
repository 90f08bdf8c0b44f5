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
from proofs_check.enumeration import Outcome, prefix_parities
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
    "P",
    "answers_of_state",
    "filtered",
    "point",
    "rate_leg",
    "rewarded",
    "rounds_ahead",
    "shares_of",
    "star_parameters",
]

PAPER = "Tsilivis, Malach, Ullrich, Kempe, arXiv 2510.11495"
P = sp.Symbol("p", positive=True)
P_0 = Real(0, 1, open_low=True, open_high=True, meaning="share of long answers at the start", symbol="p_0")
LENGTH = Integer(3, meaning="length of the prompt", largest_drawn=200)
ROUNDS = Integer(0, 1000, meaning="rounds", symbol="n", largest_drawn=60)
SAMPLES = Integer(1, meaning="answers drawn in every round", symbol="N", largest_drawn=10**6)
RATE = 0.1  # share of runs that may fall outside a margin


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
