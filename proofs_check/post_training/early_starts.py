"""Claims about starts that are too early: too few right chains, and errors that training copies or averages away.

Every round trains from zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.enumeration import feature_values, prefix_parities
from proofs_check.post_training._common import (
    P_0,
    TOKEN_ERROR,
    TRAINED_LENGTH,
    closed_forms,
    logistic_optimum,
    majority_leg,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult

__all__ = ["CLAIMS"]


# ---------------------------------------------------------------- starts that are too early


def _early_cells(lab: Lab) -> Iterator[Cell]:
    """d = 20, token error .11: R = .109 under r_cot, D = .0089 under r_e2e; the long share before any growth."""
    t = lab.theory.post_training
    start = t.calibrated_state(20, 0.1, 0.11)
    odds = (1 - start.stop_agree) / start.stop_agree
    for kind, factor in (("r_cot", 2 * 0.89**19), ("r_e2e", 1 + 0.78**19)):
        after = t.full_round(*start[1:], kind)
        yield lab.close(
            {"d": 20, "token_error": 0.11, "reward": kind},
            (1 - after.stop_agree) / after.stop_agree / odds,
            factor,
            1e-12,
        )
    # Right chains kept by the first round, against the number from which they multiply.
    k = t.half_chain_sequences(20)
    yield lab.true({"d": 20}, t.kept_chains_round(0.9 * k, 20) < 0.9 * k, "fewer than K_1/2 become fewer")
    yield lab.close({"d": 20}, t.kept_chains_round(k, 20), k, 1e-9 * k, "K_1/2 reproduces itself")


def _early_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "p_0": cell["p_0"], "n_samples": cell["n_samples"], "n_rounds": 8,
        "pretrain_samples": cell["first"],
        "ridge": {"first": 0.05, "stop": 0.05, "chain": 1e-3}, "reward": "r_cot", "n_prompts": 64,
    }  # fmt: skip


def _against_gate(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs that generalise with less than a third of K_1/2 kept right chains in round 1, or do not with three times."""
    half = theory.post_training.half_chain_sequences(cell["d"])
    kept = data["kept_long"].values[:, 1]
    good = data["greedy_accuracy"].values[:, -1] > 0.75
    return np.asarray((good & (kept < half / 3)) | (~good & (kept > 3 * half)))


def _ignores_errors(u: Any, v: Any, w: Any, errors: Any, kind: str = "r_cot") -> Any:
    return closed_forms().full_round(u, v, w, [0 * e for e in errors], kind)


EARLY = Claim(
    id="post_training.too_early_start",
    statement=(
        "Under r_cot a start is too early when its first round keeps too few right chains: N p_0 R below K_1/2, the "
        "number that trains a chain to R = 1/2; below a third of it runs are lost, above three times they generalise. "
        "R < 1/2 alone costs a factor 2R once and is no verdict: enough samples make up for it."
    ),
    latex=r"N p_0 R_0 < K_{1/2}:\ \text{lost};\qquad c' = 2R_0c \text{ once}",
    origin="derived",
    source="the repelling number of kept chains, started at N p_0 R_0",
    kind="threshold",
    domain=Domain({"d": TRAINED_LENGTH, "p_0": P_0}),
    evidence=(
        Exact("enumeration", "the map at d = 20, e = .11, and the repelling number", _early_cells, scope="cells"),
        majority_leg(
            "trained runs on the wrong side of their kept chains",
            {
                "quick": [
                    {"d": 10, "p_0": 0.4, "n_samples": 1000, "first": 100},
                    {"d": 10, "p_0": 0.4, "n_samples": 4000, "first": 300},
                ],
                "full": [
                    {"d": 10, "p_0": 0.4, "n_samples": 1000, "first": 100},
                    {"d": 10, "p_0": 0.4, "n_samples": 8000, "first": 150},
                    {"d": 20, "p_0": 0.25, "n_samples": 3000, "first": 400},
                    {"d": 20, "p_0": 0.4, "n_samples": 20_000, "first": 1000},
                    {"d": 20, "p_0": 0.25, "n_samples": 40_000, "first": 40_000},
                ],
            },
            _early_parameters,
            _against_gate,
            1.5,
        ),
    ),
    mutants=(
        Mutant(
            "chain errors do not matter, and fifty long answers train a chain",
            "at e = .11 a chain is right with probability .109",
            theory={
                "post_training.full_round": _ignores_errors,
                "post_training.half_chain_sequences": lambda d, rate=1.25: 3.0,
            },
        ),
        Mutant(
            "forty thousand kept chains are needed",
            "with some 700 kept chains at d = 10 runs generalise although R_0 < 1/2",
            theory={"post_training.half_chain_sequences": lambda d, rate=1.25: 40_000.0},
        ),
    ),
    remarks=(
        "Between a third of K_1/2 and three times it the claim says nothing. The second cell starts with R about .4, "
        "below one half, and generalises."
    ),
)

# ---------------------------------------------------------------- early starts under the end-to-end reward


def _teachers(lab: Lab) -> Iterator[Cell]:
    """d = 4, position 4, every feature free: students of independent errors, and of those of a linear teacher."""
    t = lab.theory.post_training
    d, position = 4, 4
    prompts = list(product((-1, 1), repeat=d))
    chains = [prefix_parities(x) for x in prompts]
    rows = np.array([feature_values(position, x, y[:3]) for x, y in zip(prompts, chains, strict=True)], float)
    truth = np.array([y[3] for y in chains], float)
    for e in (0.1, 0.3):
        both = np.concatenate([rows, rows])
        targets = np.concatenate([truth, -truth])
        weights = np.concatenate([np.full(16, (1 - e) / 16), np.full(16, e / 16)])
        margins = truth * (rows @ logistic_optimum(both, targets, weights, 1e-7))
        # The ridge moves the margin by 1e-7 ln((1-e)/e)/(e(1-e)) < 3e-6 here.
        wrong = float((1 / (1 + np.exp(margins))).mean())
        cell = {"errors": "independent", "token_error": e}
        yield lab.close(cell, t.retrained_error(e, True, True), wrong, 3e-6, "error of the calibrated student")
        yield lab.close(cell, t.retrained_error(e, True, False), float((margins <= 0).mean()), 0.0, "of its signs")
    idle = np.random.default_rng(1)
    for attempt in range(2):
        teacher = np.asarray(idle.normal(0, 0.45, rows.shape[1]))
        teacher[d + position - 1 + d - 1] += 1.0
        told = np.sign(rows @ teacher)
        student = np.sign(rows @ logistic_optimum(rows, told, np.full(16, 1 / 16), 1e-6))
        rate = float((told != truth).mean())
        cell = {"errors": "linear", "teacher": attempt, "token_error": rate}
        yield lab.true(cell, 0 < rate < 0.5 and bool((student == told).all()), "the student's signs are the teacher's")
        yield lab.close(cell, t.retrained_error(rate, False, False), float((student != truth).mean()), 0.0, "its error")


def _student_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    start: dict[str, Any] = (
        {"start_token_error": cell["token_error"], "start_ridge": 1e-4}
        if cell["independent"]
        else {"pretrain_samples": cell["first"], "start_ridge": {"first": 0.05, "stop": 0.05, "chain": 1e-3}}
    )
    return {
        "d": 20, "p_0": 0.4, "n_samples": cell["n_samples"], "n_rounds": cell["n_rounds"], "reward": "r_e2e",
        "false_positive": 0.0 if cell["filtered"] else 1.0, "n_prompts": 64,
        "ridge": {"first": 0.05, "stop": 0.05, "chain": cell["ridge"]}, **start,
    }  # fmt: skip


def _unlike_students(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs whose error after the first round is on the wrong side of half the start's."""
    errors = data["chain_error"].values
    n_long = 0.4 * cell["n_samples"]
    calibrated = bool(cell["ridge"] ** 2 * n_long > 1)
    expected = theory.post_training.retrained_error(0.15, bool(cell["independent"]), calibrated)
    copied = errors[:, 1] > errors[:, 0] / 2
    return np.asarray(copied != (expected > 0.075))


def _student_cell(independent: bool, ridge: float, filtered_too: bool) -> dict[str, Any]:
    start = {"token_error": 0.17} if independent else {"first": 250}
    return {
        "independent": independent, "ridge": ridge, "filtered": filtered_too, "n_samples": 10_000, "n_rounds": 1,
        **start,
    }  # fmt: skip


def _students_figure(result: ClaimResult) -> Figure:
    """Token error over rounds under r_e2e from starts with the same error of different kinds."""
    from matplotlib.figure import Figure

    from proofs_check.figures import simulated_points, style
    from sims.post_training import star

    with style():
        figure = Figure(figsize=(6.4, 3.8), layout="constrained")
        ax = figure.add_subplot()
        for index, (independent, ridge, name) in enumerate(
            (
                (True, 1e-3, "independent errors, ridge .001"),
                (False, 1e-3, "errors of a short pre-training, ridge .001"),
                (True, 0.03, "independent errors, ridge .03"),
            )
        ):
            cell = {**_student_cell(independent, ridge, True), "n_rounds": 6}
            errors = star(**_student_parameters(cell), seeds=range(20)).chain_error.values
            low, high = np.quantile(errors, (0.05, 0.95), axis=0)
            simulated_points(ax, np.arange(7), np.median(errors, axis=0), low, high, name, index)
        ax.set(xlabel="round", ylabel="token error", yscale="log")
        ax.legend(fontsize="small")
    return figure


END_TO_END = Claim(
    id="post_training.early_start_end_to_end",
    statement=(
        "Under r_e2e with D << 1 the filter hardly selects; whether an early start recovers is decided by the kind of "
        "its errors. Errors that fall independently of the prompt cannot be learned by a linear student, and training "
        "beyond calibration (lambda^2 K < 1) averages them away, filter or not; errors of a short pre-training are "
        "signs "
        "of a linear predictor and are copied, and so are independent ones by a calibrated student (lambda^2 K > 1). "
        "'Away' means: more than halved in one round."
    ),
    latex=(
        r"e' \approx e\ \text{(linear errors, or } \lambda^2K > 1),\qquad e' \ll e\ \text{(independent errors and "
        r"} \lambda^2K \ll 1)"
    ),
    origin="derived",
    source="what a linear predictor can represent; limits of the ridge optimum and of its sign",
    kind="threshold",
    domain=Domain({"token_error": TOKEN_ERROR}),
    evidence=(
        Exact("enumeration", "students of both kinds of teachers, every feature free, d = 4", _teachers, "cells"),
        majority_leg(
            "runs whose errors are copied or averaged away against the rule",
            {
                "quick": [
                    _student_cell(True, 1e-3, False),
                    _student_cell(False, 1e-3, False),
                    _student_cell(True, 0.03, True),
                ],
                "full": [
                    _student_cell(independent, ridge, chosen)
                    for independent, ridge in ((True, 1e-3), (False, 1e-3), (True, 0.03), (False, 0.03))
                    for chosen in (True, False)
                ],
            },
            _student_parameters,
            _unlike_students,
            1.2,
        ),
    ),
    mutants=(
        Mutant(
            "independent errors are copied as well",
            "the majority of answers to a prompt is right",
            theory={"post_training.retrained_error": lambda e, independent, calibrated: e},
        ),
        Mutant(
            "a linear teacher's errors are averaged away as well",
            "its answers to a prompt are all alike",
            theory={"post_training.retrained_error": lambda e, independent, calibrated: e if calibrated else 0 * e},
        ),
        Mutant(
            "a calibrated student averages independent errors away as well",
            "its optimum reproduces their rate",
            theory={"post_training.retrained_error": lambda e, independent, calibrated: 0 * e if independent else e},
        ),
    ),
    figure=_students_figure,
    remarks=(
        "Starting errors .17 (independent) and about .18 (250 demonstrations, d = 20): the same rate, opposite fates. "
        "Greedy accuracy tells them apart before post-training starts: 1 against one half. Cells without a filter "
        "accept every answer."
    ),
)

CLAIMS = (EARLY, END_TO_END)
