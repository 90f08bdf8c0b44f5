"""The claim about temperature on trained models: where it destroys their chains.

Every round trains from zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.post_training._common import (
    TAU,
    TRAINED_LENGTH,
    answers_of_state,
    closed_forms,
    filtered,
    fitted,
    majority_leg,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _heat_map(lab: Lab) -> Iterator[Cell]:
    """Rounds of the trained map against a loop written out: temper, list every answer (d = 3), filter, refit."""
    t = lab.theory.post_training
    d, tau, ridge = 3, 1.5, 0.05
    for kind in ("r_cot", "r_e2e"):
        state = t.calibrated_state(d, 0.3, 0.05)
        u, stop, other, errors = 0.65, 0.7 / 1.3, 1.0, [0.05, 0.05]
        for _ in range(3):
            hot = [q ** (1 / tau) / (q ** (1 / tau) + (1 - q) ** (1 / tau)) for q in (u, stop, other, *errors)]
            law = filtered(answers_of_state(d, hot[0], hot[1], hot[2], hot[3:]), kind)
            chances = {}
            for position in ("first", "stop", 2, 3):
                w, at = fitted([o for o in law if o.probability > 0], position, ridge)
                chances[position] = w[at]
            plus, minus = chances["stop"][1] + chances["stop"][0], chances["stop"][1] - chances["stop"][0]
            u, stop, other, *errors = (
                float(1 / (1 + math.exp(-z)))
                for z in (chances["first"][0], plus, minus, -chances[2][0], -chances[3][0])
            )
            state = t.trained_round(*state[1:], kind, tau, ridge_first=ridge, ridge_stop=ridge, ridge_chain=ridge)
        for name, mine in (("first_token", u), ("stop_agree", stop), ("stop_disagree", other)):
            # Three rounds, each passing on an error of 1e-12 at most doubled.
            yield lab.close(
                {"d": d, "reward": kind, "temperature": tau}, float(getattr(state, name)), mine, 1e-10, name
            )
        yield lab.close({"d": d, "reward": kind, "temperature": tau}, state.chain_errors[1], errors[1], 1e-10, "e_3")


def _hot_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "p_0": 0.3, "n_samples": cell["n_samples"], "n_rounds": cell["n_rounds"],
        "start_token_error": 0.01, "start_ridge": 1e-7, "reward": cell["reward"], "temperature": cell["temperature"],
        "ridge": {"first": 0.05, "stop": 0.05, "chain": cell["ridge"]},
    }  # fmt: skip


def _hot_side(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs whose last token error is on the wrong side of 1/4, or whose drawn accuracy contradicts a ruined chain."""
    t = theory.post_training
    state = t.calibrated_state(cell["d"], 0.3, 0.01)
    for _ in range(cell["n_rounds"]):
        state = t.trained_round(
            *state[1:], cell["reward"], cell["temperature"], ridge_first=0.05, ridge_stop=0.05,
            ridge_chain=cell["ridge"],
        )  # fmt: skip
    ruined = state.chain_errors[0] > 0.25
    error = data["chain_error"].values[:, -1]
    wrong = (error > 0.25) != ruined
    if ruined:  # answers are long, and right half of the time
        share = data["drawn_correct"].values[:, -1] / data["drawn"].values[:, -1]
        length = data["drawn_long"].values[:, -1] / data["drawn"].values[:, -1]
        wrong |= (share > 0.55) | (length < 0.3)
    else:
        wrong |= data["greedy_accuracy"].values[:, -1] < 0.75
    return np.asarray(wrong)


def _hot(
    d: int, ridge: float, n_samples: int, n_rounds: int, pairs: Sequence[tuple[str, float]]
) -> list[dict[str, Any]]:
    return [
        {"d": d, "ridge": ridge, "n_samples": n_samples, "n_rounds": n_rounds, "reward": reward, "temperature": tau}
        for reward, tau in pairs
    ]


TRAINED_HEAT = Claim(
    id="post_training.temperature_destroys_trained_chains",
    statement=(
        "On trained models too, high temperature with r_e2e fails where training is calibrated (lambda^2 K >= 1): "
        "tempering multiplies the token errors that the ridge leaves, and the reward, which sees only their parity, "
        "cannot "
        "repair them: the error goes to 1/2, accuracy to 1/2, answers stay long. The same temperature with r_cot, and "
        "r_e2e "
        "at "
        "temperature 1, keep the chain."
    ),
    latex=(
        r"e \mapsto \text{temper} \mapsto \frac{e(1-D_{-l})}{1+D} \mapsto \lambda m = (1-e)-\sigma(m):\quad "
        r"\tau = 1.6,\ \lambda = .01:\ e \to \tfrac12"
    ),
    origin="derived",
    source="the full round on tempered states, followed by the ridge optimum",
    kind="threshold",
    domain=Domain({"d": TRAINED_LENGTH, "temperature": TAU}),
    evidence=(
        Exact("enumeration", "three rounds at d = 3 by listing and fitting every weight", _heat_map, "cells", cost=0.3),
        majority_leg(
            "trained runs on the other side",
            {
                "quick": _hot(5, 0.03, 4000, 14, [("r_e2e", 1.5), ("r_cot", 1.3)]),
                "full": [
                    *_hot(5, 0.03, 4000, 14, [("r_e2e", 1.5), ("r_cot", 1.3), ("r_e2e", 1.0)]),
                    *_hot(6, 0.01, 60_000, 10, [("r_e2e", 1.6), ("r_cot", 1.6), ("r_e2e", 1.0)]),
                ],
            },
            _hot_parameters,
            _hot_side,
            2.0,
        ),
    ),
    mutants=(
        Mutant(
            "the two rewards do the same",
            "r_e2e keeps every even number of slips",
            theory={
                "post_training.trained_round": lambda u, v, w, errors, kind="r_cot", tau=1.0, **ridges: (
                    closed_forms().trained_round(u, v, w, errors, "r_cot", tau, **ridges)
                )
            },
        ),
        Mutant(
            "temperature does not matter",
            "at temperature 1 the chain lasts",
            theory={
                "post_training.trained_round": lambda u, v, w, errors, kind="r_cot", tau=1.0, **ridges: (
                    closed_forms().trained_round(u, v, w, errors, kind, 1.0, **ridges)
                )
            },
        ),
    ),
    remarks=(
        "Far from calibration (lambda^2 K << 1) averaged descent sharpens: with chain ridge .001 and 4000 long answers "
        "even "
        "temperature 2.2 does not ruin a chain of ten tokens. The published failure needs a learner that reproduces "
        "the "
        "frequencies it is trained on."
    ),
)

CLAIMS = (TRAINED_HEAT,)
