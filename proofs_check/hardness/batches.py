"""Claims about one batch of short demonstrations: its mean squared signal over all parities, beside sampling noise."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any

import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.hardness._common import (
    GRADIENT_SQUARE,
    LENGTH,
    SYMBOLS,
    character,
    closed_forms,
    patterns,
    prompts,
    square_mean,
    subsets,
)
from proofs_check.samples import Means
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _batch_identity(lab: Lab) -> Iterator[Cell]:
    """Every batch of one and two prompts at d = 1, 2, values as symbols; the induction over n is that of a variance."""
    t = lab.theory.hardness
    for d in (1, 2):
        values = SYMBOLS[: 2**d]
        for n in (1, 2):
            total: Any = sp.Integer(0)
            for batch in product(range(2**d), repeat=n):
                for s in subsets(d):
                    seen = sum((values[i] * character(s, prompts(d)[i]) for i in batch), start=sp.Integer(0))
                    total += (seen / n / 2) ** 2
            mean = total / 2**d / 2 ** (d * n)
            gap = sp.expand(mean - t.batch_signal_mean(d, square_mean([values]), n))
            yield lab.true({"d": d, "batch": n}, is_zero(gap), "mean over parities and batches")
    m, v, n = sp.symbols("m v n", positive=True)
    step = ((n - 1) ** 2 * (m + v / (n - 1)) + 2 * (n - 1) * m + m + v) / n**2 - (m + v / n)
    yield lab.true({"batch": "n - 1 -> n"}, is_zero(step), "a further independent term")


def _batch_listed(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.hardness
    for d, n in ((2, 3), (3, 2)):
        for rows in patterns(d)[:2]:
            total = Fraction(0)
            for batch in product(range(2**d), repeat=n):
                for s in subsets(d):
                    for row in rows:
                        seen = sum(row[i] * character(s, prompts(d)[i]) for i in batch)
                        total += Fraction(seen * seen, 4 * n * n)
            mean = total / 2**d / 2 ** (d * n)
            cell = {"d": d, "batch": n}
            yield lab.equal(cell, mean, t.batch_signal_mean(d, square_mean(rows), n))
            signal = t.signal_mean(d, square_mean(rows))
            ratio = Fraction(n, 2**d - 1)
            yield lab.equal(cell, signal / (mean - signal), ratio, "signal over noise")
            yield lab.close(cell, float(t.signal_to_noise(d, n)), float(ratio), 1e-15, "signal over noise, function")


BATCH = Claim(
    id="hardness.batch_signal",
    statement=(
        "In a batch of n short demonstrations the mean squared signal over all parities is (G/4)(2^-d + (1 - 2^-d)/n), "
        "G = E|grad f|^2: signal over sampling noise is n/(2^d - 1), the same for every predictor."
    ),
    latex=(
        r"\frac{1}{2^d}\sum_S \mathbb{E}\Bigl|\frac{1}{2n}\sum_{i=1}^n \chi_S(x_i)\nabla f(x_i)\Bigr|^2 = "
        r"\frac{\mathbb{E}|\nabla f|^2}{4}\Bigl(2^{-d} + \frac{1-2^{-d}}{n}\Bigr)"
    ),
    origin="derived",
    source="variance of a mean of n, averaged over hardness.parseval",
    kind="exact",
    domain=Domain(
        {"d": LENGTH, "gradient_square": GRADIENT_SQUARE, "batch": Integer(1, meaning="demonstrations", symbol="n")}
    ),
    functions=("hardness.batch_signal_mean", "hardness.signal_to_noise"),
    evidence=(
        Exact("identity", "all batches of one and two, values as symbols", _batch_identity, cost=0.3),
        Exact("enumeration", "all batches of two and three, in rationals", _batch_listed, scope="cells", cost=0.3),
        Simulation(
            "mean squared signal of sampled batches, linear predictor",
            "hardness.gradient_signal",
            cells=[{"d": 4, "batch": 8}, {"d": 5, "batch": 64}],
            parameters=lambda cell: {"d": cell["d"], "predictor": "linear", "n_samples": cell["batch"]},
            # |grad f|^2 = d at every prompt, so a batch has at most d/4, where it holds one prompt only.
            extract=lambda data, cell: Means(data["mean_signal"].values, 0.0, cell["d"] / 4),
            predict=lambda theory, cell: theory.hardness.batch_signal_mean(cell["d"], float(cell["d"]), cell["batch"]),
            resolution=lambda cell, predicted: 0.15 * predicted.low,
            planned_n=4096,
            unit="batch",
            cost=1.0,
        ),
    ),
    mutants=(
        Mutant(
            "only the noise 1/n is left",
            "the mean gradient adds 2^-d",
            theory={"hardness.batch_signal_mean": lambda d, square, n: square / 4 * Fraction(1, n)},
        ),
        Mutant(
            "the signal is 2^(-d/2)",
            "squared coefficients add up to E|grad f|^2, so 2^d of them have the mean 2^-d of it",
            theory={
                "hardness.batch_signal_mean": lambda d, square, n: (
                    closed_forms().batch_signal_mean(d, square, n) + square / 4 / 2 ** (d // 2)
                ),
                "hardness.signal_to_noise": lambda d, n: n / 2 ** (d // 2),
            },
        ),
    ),
    remarks=(
        "So about 2^d demonstrations before a batch's mean gradient shows the subset on average. No bound for learners "
        "that use the single gradients otherwise: hardness.rank_law."
    ),
)

CLAIMS = (BATCH,)
