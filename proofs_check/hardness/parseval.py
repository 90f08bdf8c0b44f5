"""Claims about all parities together: what the squared signals add up to, alone and in the mixture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain
from proofs_check.enumeration import mixture
from proofs_check.hardness._common import (
    GRADIENT_SQUARE,
    LENGTH,
    P_COT,
    PARSEVAL_SOURCE,
    SYMBOLS,
    P,
    character,
    closed_forms,
    coefficient,
    half_sums_keep_squares,
    misses,
    network_settings,
    patterns,
    prompts,
    square_mean,
    subsets,
    transform_rounding,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


DOMAIN = Domain({"d": LENGTH, "gradient_square": GRADIENT_SQUARE, "p_cot": P_COT})
SHARES = (Fraction(0), Fraction(1, 3), Fraction(9, 10))


def _symbolic(lab: Lab) -> Iterator[Cell]:
    """One component with symbols for values, d = 1, 2; one more sign splits a coefficient into half sums."""
    t = lab.theory.hardness
    for d in (1, 2):
        values = SYMBOLS[: 2**d]
        total = sum((((1 - P) * coefficient(values, s, d) / 2) ** 2 for s in subsets(d)), start=sp.Integer(0))
        square = square_mean([values])
        yield lab.true({"d": d}, is_zero(total - t.signal_total(square, P)), "sum over all parities")
        yield lab.true({"d": d}, is_zero(total / 2**d - t.signal_mean(d, square, P)), "mean over all parities")
    yield lab.true({"d": "d -> d + 1"}, half_sums_keep_squares(), "((u+w)/2)^2 + ((u-w)/2)^2 = (u^2 + w^2)/2")


def _listed(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.hardness
    for d in (2, 4):
        for index, rows in enumerate(patterns(d)):
            total = sum((coefficient(row, s, d) ** 2 for row in rows for s in subsets(d)), start=Fraction(0))
            for p in SHARES:
                cell = {"d": d, "p_cot": p, "pattern": str(index)}
                yield lab.equal(cell, (1 - p) ** 2 * total / 4, t.signal_total(square_mean(rows), p))


def _off(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    predicted = np.asarray(
        theory.hardness.signal_mean(cell["d"], data["gradient_square"].values, cell.get("p_cot", 0.0)), dtype=float
    )
    return np.asarray(np.abs(data["mean_signal"].values / predicted - 1) - transform_rounding(cell["d"]))


def _in_training(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "n_samples": 640, "width": 8, "activation": cell["activation"], "record_at": (160, 640),
        "signals": True,
    }  # fmt: skip


def _networks(profile: str) -> list[dict[str, Any]]:
    cells = [
        {"d": d, "predictor": predictor, "activation": activation, "p_cot": p}
        for d, p in ((6, 0.3), (10, 0.0))
        for predictor, activation in (("two_layer", "tanh"), ("random_features", "relu"))
    ]
    if profile == "full":
        cells += [{"d": d, "predictor": "two_layer", "activation": "relu", "p_cot": 0.3} for d in (14, 18)]
    return cells


def _with_share(change: Any) -> dict[str, Any]:
    def simulate(*, p_cot: float = 0.0, **options: Any) -> Any:
        from sims import hardness

        return hardness.gradient_signal(p_cot=change(p_cot), **options)

    return {"hardness.gradient_signal": simulate}


def _total(square: Any, p: Any = 0) -> Any:
    return closed_forms().signal_total(square, p)


PARSEVAL = Claim(
    id="hardness.parseval",
    statement=(
        "Whatever the predictor f, the squared signals of the 2^d parities, the parts of the logistic loss' gradient "
        "that depend on which parity labels the prompts, add up to (1-p)^2 E|grad f|^2/4: their mean is that over 2^d."
    ),
    latex=(
        r"\sum_{S} \Bigl| \tfrac{1-p}{2}\,\mathbb{E}[\chi_S \nabla f] \Bigr|^2 = \frac{(1-p)^2}{4}\,"
        r"\mathbb{E}|\nabla f|^2"
    ),
    origin="derived",
    source=PARSEVAL_SOURCE,
    kind="exact",
    domain=DOMAIN,
    functions=("hardness.signal_total", "hardness.signal_mean"),
    evidence=(
        Exact("identity", "values of one component as symbols, d by induction", _symbolic, cost=0.2),
        Exact("enumeration", "gradients in whole numbers, every parity", _listed, scope="cells", cost=0.1),
        Simulation(
            "networks whose mean squared signal is off the prediction",
            "hardness.gradient_signal",
            cells=_networks,
            parameters=network_settings,
            judge_units=misses(_off),
            predict=lambda theory, cell: 0.0,
            compare="upper",
            resolution=0.25,
            planned_n={"quick": 128, "full": 128},
            unit="network",
            cost=1.0,
        ),
        Simulation(
            "networks in training whose mean squared signal is off",
            "hardness.short_route",
            cells=[{"d": 6, "activation": "relu"}, {"d": 8, "activation": "tanh"}],
            parameters=_in_training,
            judge_units=misses(_off),
            predict=lambda theory, cell: 0.0,
            compare="upper",
            resolution=0.25,
            planned_n=128,
            unit="training",
            cost=0.5,
        ),
    ),
    mutants=(
        Mutant(
            "the mean over the 2^d parities is (1-p)^2 E|grad f|^2/(4 2^(d/2))",
            "that is larger than the sum divided by its 2^d terms",
            theory={
                "hardness.signal_mean": lambda d, square, p=0: _total(square, p) / 2 ** (d // 2),
                "hardness.signal_total": lambda square, p=0: 4 * _total(square, p),
            },
        ),
        Mutant(
            "the factor 1/4 is dropped",
            "the label enters the logistic loss as -y f/2",
            theory={
                "hardness.signal_mean": lambda d, square, p=0: 4 * closed_forms().signal_mean(d, square, p),
                "hardness.signal_total": lambda square, p=0: 4 * _total(square, p),
            },
        ),
        Mutant(
            "(1-p) stands in the place of (1-p)^2",
            "the gradient carries the weight 1-p of short demonstrations, its square carries the square",
            theory={
                "hardness.signal_mean": lambda d, square, p=0: (1 - p) * _total(square) / 2**d,
                "hardness.signal_total": lambda square, p=0: (1 - p) * _total(square),
            },
        ),
        Mutant(
            "gradients are taken with p^2 long demonstrations",
            "they were asked for with p",
            sims=_with_share(lambda p: p * p),
        ),
    ),
    remarks="An equality: the statistical-query bound on the mean signal has no slack. One parity may have all of it.",
)


# ---------------------------------------------------------------- the mixture


def _first_token(lab: Lab) -> Iterator[Cell]:
    """The gradient at position 1 of D(p) with the full parity replaced by each subset's, from the listed law."""
    t = lab.theory.hardness
    for d in (2, 3):
        for rows in patterns(d):
            for p in (*SHARES, Fraction(1)):
                law = list(mixture(d, p))
                index = {x: i for i, x in enumerate(prompts(d))}
                moved = Fraction(0)
                for s in subsets(d):
                    for row in rows:
                        signal = sum(
                            (
                                o.probability * row[index[o.prompt]] * character(s, o.prompt) / 2
                                for o in law
                                if len(o.answer) == 2
                            ),
                            start=Fraction(0),
                        )
                        moved += signal * signal
                predicted = t.signal_mean(d, square_mean(rows), p)
                yield lab.equal({"d": d, "p_cot": p}, moved / 2**d, predicted, "mean over all subsets")


def _free_part(lab: Lab) -> Iterator[Cell]:
    """Long demonstrations have the same first token, whichever subset; so the rest of the gradient is free of it."""
    t = lab.theory.hardness
    square = sp.Symbol("G", positive=True)
    for d in (1, 5):
        ratio = t.signal_mean(d, square, P) / t.signal_mean(d, square)
        yield lab.true({"d": d, "p_cot": "symbol"}, is_zero(ratio - (1 - P) ** 2), "the factor is (1-p)^2")


def _ratio_off(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    mean = theory.hardness.signal_mean(cell["d"], 1.0, cell["p_cot"]) * data["gradient_square"].values
    return np.asarray(np.abs(data["mean_signal"].values - mean) / mean - transform_rounding(cell["d"]))


MIXTURE_FACTOR = Claim(
    id="hardness.mixture_factor",
    statement=(
        "In the mixture of long and short demonstrations the first token's gradient depends on the subset through the "
        "short ones only: the squared signal carries the factor (1-p)^2."
    ),
    latex=(
        r"\nabla_S = -\tfrac{p}{2}\mathbb{E}[x_1\nabla f] - \tfrac{1-p}{2}\mathbb{E}[\chi_S\nabla f] "
        r"+ \text{free of } S"
    ),
    origin="derived",
    source="law of the first token of D(p)",
    kind="exact",
    domain=DOMAIN,
    evidence=(
        Exact("enumeration", "the listed law of D(p), every subset", _first_token, scope="cells", cost=0.3),
        Exact("identity", "ratio to p = 0 with p a symbol", _free_part),
        Simulation(
            "networks on mixtures whose mean squared signal is off",
            "hardness.gradient_signal",
            cells=[{"d": 7, "predictor": "two_layer", "activation": "relu", "p_cot": p} for p in (0.1, 0.5, 0.9)],
            parameters=network_settings,
            judge_units=misses(_ratio_off),
            predict=lambda theory, cell: 0.0,
            compare="upper",
            resolution=0.25,
            planned_n=128,
            unit="network",
            cost=0.3,
        ),
    ),
    mutants=(
        Mutant(
            "the factor is 1 - p",
            "a signal of half the size has a quarter of the square",
            theory={"hardness.signal_mean": lambda d, square, p=0: (1 - p) * _total(square) / 2**d},
        ),
        Mutant(
            "the factor is 1 - p^2",
            "at p = 1/2 it is 1/4, not 3/4",
            theory={"hardness.signal_mean": lambda d, square, p=0: (1 - p * p) * _total(square) / 2**d},
        ),
    ),
)

CLAIMS = (PARSEVAL, MIXTURE_FACTOR)
