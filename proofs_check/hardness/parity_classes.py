"""Claims about classes of parities: what those of k signs can hold, and how many can have a strong signal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer, Real
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


# ---------------------------------------------------------------- sparse parities


def _sparse_certificate(lab: Lab) -> list[Cell]:
    """The bound times the size of the class is the total; what the class leaves out is a sum of squares."""
    t = lab.theory.hardness
    square = sp.Symbol("G", positive=True)
    proof = Proof()
    for d, k in ((4, 2), (9, 3), (30, 15)):
        proof.identity(
            f"C({d},{k}) times the bound is the total",
            math.comb(d, k) * t.signal_mean_bound(d, k, square, P),
            (1 - P) ** 2 * square / 4,
        )
    for k in range(4):
        left = (1 - P) ** 2 * square_mean([SYMBOLS]) / 4
        inside = sum((((1 - P) * coefficient(SYMBOLS, s, 3) / 2) ** 2 for s in subsets(3, k)), start=sp.Integer(0))
        others = [s for s in subsets(3) if len(s) != k]
        outside = sum((((1 - P) * coefficient(SYMBOLS, s, 3) / 2) ** 2 for s in others), start=sp.Integer(0))
        proof.identity(f"total - class = squares of the others, d = 3, k = {k}", left - inside, outside)
    proof.step("one more sign keeps the identity", half_sums_keep_squares())

    def witness() -> dict[str, Any] | None:
        for d, k in ((4, 2), (9, 3)):  # f = sum of all monomials of k signs: signal 1/2 each
            if t.signal_mean_bound(d, k, Fraction(math.comb(d, k))) < Fraction(1, 4):
                return {"d": str(d), "subset_size": str(k), "f": "sum of all monomials of k signs"}
        return None

    return proof.cells({"d": "{1, 2, ...}", "subset_size": "{0, ..., d}"}, witness)


def _sparse_listed(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.hardness
    d = 4
    for rows in patterns(d):
        for k in range(d + 1):
            members = subsets(d, k)
            total = sum((coefficient(row, s, d) ** 2 for row in rows for s in members), start=Fraction(0))
            bound = t.signal_mean_bound(d, k, square_mean(rows))
            cell = {"d": d, "subset_size": k}
            yield lab.at_most(cell, total / 4 / len(members), bound)
    for k in range(d + 1):
        rows = [[character(s, x) for x in prompts(d)] for s in subsets(d, k)]
        total = sum((coefficient(row, s, d) ** 2 for row in rows for s in subsets(d, k)), start=Fraction(0))
        bound = t.signal_mean_bound(d, k, square_mean(rows))
        yield lab.equal({"d": d, "subset_size": k}, total / 4 / math.comb(d, k), bound, "attained by the monomials")


def _above_sparse(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    square = data["gradient_square"].values
    bounds = np.column_stack(
        [theory.hardness.signal_mean_bound(cell["d"], k, square) for k in range(cell["d"] + 1)]
    ).astype(float)
    return np.asarray(data["degree_mean"].values - bounds * (1 + transform_rounding(cell["d"])))


def _sparse_tightness(lab: Lab) -> dict[str, Any]:
    ratios = []
    for cell in SPARSE_CELLS:
        for data in lab.measure("hardness.gradient_signal", 128, **_sparse_parameters(cell)):
            square = data["gradient_square"].values[:, None]
            bound = square / (4 * np.array([math.comb(cell["d"], k) for k in range(cell["d"] + 1)]))
            ratios.append(float((data["degree_mean"].values / bound).max()))
    return {
        "ratio": max(ratios),
        "interval": None,
        "vacuous": "nowhere: a class of one parity can hold the whole gradient",
        "detail": "1 at the monomials of one degree; below 1 at networks at their start",
    }


SPARSE_CELLS: tuple[dict[str, Any], ...] = (
    {"d": 8, "predictor": "two_layer", "activation": "tanh", "degree_of_monomials": 1},
    {"d": 8, "predictor": "two_layer", "activation": "relu", "degree_of_monomials": 1},
    {"d": 8, "predictor": "monomials", "activation": "relu", "degree_of_monomials": 3},
)


def _sparse_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "predictor": cell["predictor"], "width": 4, "activation": cell["activation"],
        "degree": cell["degree_of_monomials"],
    }  # fmt: skip


SPARSE = Claim(
    id="hardness.sparse_signal",
    statement=(
        "The mean squared signal over the C(d, k) parities of k signs is at most (1-p)^2 E|grad f|^2/(4 C(d, k)), "
        "attained by predictors that are linear in the monomials of k signs."
    ),
    latex=(
        r"\frac{1}{\binom{d}{k}} \sum_{|S| = k} \Bigl|\tfrac{1-p}{2}\,\mathbb{E}[\chi_S\nabla f]\Bigr|^2 \le "
        r"\frac{(1-p)^2\,\mathbb{E}|\nabla f|^2}{4\binom{d}{k}}"
    ),
    origin="derived",
    source=PARSEVAL_SOURCE,
    kind="upper",
    domain=Domain(
        {"d": LENGTH, "subset_size": Integer(0, 1000, meaning="signs in a parity", symbol="k", largest_drawn=300)},
        {"k <= d": lambda cell: cell["subset_size"] <= cell["d"]},
    ),
    functions=("hardness.signal_mean_bound",),
    evidence=(
        Exact("certificate", "the total less the class is a sum of squares", _sparse_certificate, cost=0.4),
        Exact("enumeration", "gradients in whole numbers, every k; equality", _sparse_listed, scope="cells", cost=0.1),
        Simulation(
            "networks with a class of sparse parities above its bound",
            "hardness.gradient_signal",
            cells=SPARSE_CELLS,
            parameters=_sparse_parameters,
            judge_units=misses(_above_sparse),
            predict=lambda theory, cell: 0.0,
            compare="upper",
            resolution=0.25,
            planned_n=128,
            unit="network",
            cost=0.6,
        ),
    ),
    mutants=(
        Mutant(
            "2^d stands in the place of C(d, k)",
            "the monomials of one sign have the signal 1/2 at d parities",
            theory={
                "hardness.signal_mean_bound": lambda d, k, square, p=0: closed_forms().signal_total(square, p) / 2**d
            },
        ),
        Mutant(
            "the bound is (1-p)^2 E|grad f|^2/(8 C(d, k))",
            "the monomials of k signs reach twice that",
            theory={
                "hardness.signal_mean_bound": lambda d, k, square, p=0: (
                    closed_forms().signal_mean_bound(d, k, square, p) / 2
                )
            },
        ),
    ),
    tightness=_sparse_tightness,
)


# ---------------------------------------------------------------- shares


def _share_listed(lab: Lab) -> Iterator[Cell]:
    """Count parities by their signal; equal coefficients attain the bound."""
    t = lab.theory.hardness
    d = 4
    for rows in patterns(d):
        signals = [sum((coefficient(row, s, d) ** 2 for row in rows), start=Fraction(0)) / 4 for s in subsets(d)]
        for threshold in (Fraction(1, 8), Fraction(1, 3), Fraction(1, 2), Fraction(2)):
            count = sum(signal >= threshold**2 for signal in signals)
            square = square_mean(rows)
            cell = {"d": d, "threshold": threshold}
            yield lab.at_most(cell, count, t.signal_count_bound(square, threshold), "count")
            share = t.signal_share_bound(2**d, square, threshold)
            yield lab.at_most(cell, Fraction(count, 2**d), share, "share")
    for held in (1, 3, 6):
        square = Fraction(held)  # f = sum of `held` monomials with weights of their own: signal 1/2 at each
        cell = {"d": d, "threshold": Fraction(1, 2)}
        yield lab.equal(cell, held, t.signal_count_bound(square, Fraction(1, 2)), "attained, count")
        share = t.signal_share_bound(2**d, square, Fraction(1, 2))
        yield lab.equal(cell, Fraction(held, 2**d), share, "attained, share")


def _share_symbolic(lab: Lab) -> Iterator[Cell]:
    """n t^2 times the share bound is the total, below 1."""
    t = lab.theory.hardness
    for n, square, threshold, p in (
        (2**20, Fraction(3), Fraction(1, 50), Fraction(1, 4)),
        (math.comb(30, 7), Fraction(11, 7), Fraction(1, 9), Fraction(0)),
        (2**400, Fraction(10**6), Fraction(1, 10**9), Fraction(1, 2)),
    ):
        share = t.signal_share_bound(n, square, threshold, p)
        total = (1 - p) ** 2 * square / 4
        yield lab.equal({"p_cot": p, "threshold": threshold}, n * threshold**2 * share, total, "Markov's inequality")
        count = t.signal_count_bound(square, threshold, p)
        yield lab.equal({"p_cot": p, "threshold": threshold}, math.floor(total / threshold**2), count, "whole counts")
    yield lab.equal({"threshold": Fraction(1, 10)}, t.signal_share_bound(4, Fraction(5), Fraction(1, 10)), 1, "vacuous")


FACTORS = (1.0, 4.0, 16.0, 256.0)


def _too_many(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    n = 2 ** cell["d"]
    above = []
    for index, factor in enumerate(FACTORS):
        # t^2 is that multiple of the measured mean, lowered by its rounding error.
        threshold = np.sqrt(factor * data["mean_signal"].values * (1 - transform_rounding(cell["d"])))
        square = data["gradient_square"].values
        count = data["exceeding"].values[:, index]
        above.append(count > np.asarray(theory.hardness.signal_count_bound(square, threshold)))
        above.append(count / n > np.asarray(theory.hardness.signal_share_bound(n, square, threshold)) * (1 + 1e-12))
    return np.column_stack(above).astype(float)


SHARE = Claim(
    id="hardness.signal_share",
    statement=(
        "At most floor((1-p)^2 E|grad f|^2/(4 t^2)) parities have a signal of norm t or more, whatever d: the share of "
        "a class of n parities is at most (1-p)^2 E|grad f|^2/(4 n t^2)."
    ),
    latex=(
        r"\left|\left\{S : \left|\tfrac{1-p}{2}\mathbb{E}[\chi_S\nabla f]\right| \ge t\right\}\right| \le "
        r"\left\lfloor \frac{(1-p)^2\,\mathbb{E}|\nabla f|^2}{4t^2} \right\rfloor"
    ),
    origin="derived",
    source="Markov's inequality on hardness.parseval",
    kind="upper",
    domain=Domain(
        {
            "gradient_square": GRADIENT_SQUARE,
            "threshold": Real(1e-100, 1e100, meaning="norm of the signal", symbol="t"),
            "p_cot": P_COT,
        }
    ),
    functions=("hardness.signal_count_bound", "hardness.signal_share_bound"),
    evidence=(
        Exact("identity", "bound times n t^2 against the total, in rationals", _share_symbolic, scope="cells"),
        Exact("enumeration", "gradients in whole numbers, counted; equality", _share_listed, scope="cells", cost=0.1),
        Simulation(
            "networks with more strong parities than allowed",
            "hardness.gradient_signal",
            cells=[{"d": 8, "predictor": "two_layer", "activation": a, "p_cot": 0.0} for a in ("tanh", "relu")]
            + [{"d": 8, "predictor": "linear", "activation": "relu", "p_cot": 0.0}],
            parameters=network_settings,
            judge_units=misses(_too_many),
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
            "fewer than that many",
            "three monomials with weights of their own have the signal 1/2, and E|grad f|^2 = 3",
            theory={
                "hardness.signal_count_bound": lambda square, t, p=0: (
                    np.maximum(0, closed_forms().signal_count_bound(square, t, p) - 1)
                    if isinstance(square, np.ndarray)
                    else max(0, closed_forms().signal_count_bound(square, t, p) - 1)
                ),
            },
        ),
        Mutant(
            "a quarter of that share",
            "the first d parities hold all of a linear predictor's signal",
            theory={
                "hardness.signal_share_bound": lambda n, square, t, p=0: (
                    closed_forms().signal_share_bound(n, square, 4 * t, p) * 4
                ),
            },
        ),
    ),
)

CLAIMS = (SPARSE, SHARE)
