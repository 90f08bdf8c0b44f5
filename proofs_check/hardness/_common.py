"""What the claims about hardness share: domains, literal sums over prompts and parities, and judged runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, product
from typing import Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.domains import Integer, Real
from proofs_check.samples import Counts

__all__ = [
    "GRADIENT_SQUARE",
    "LENGTH",
    "PAPER",
    "PARSEVAL_SOURCE",
    "P_COT",
    "SYMBOLS",
    "P",
    "character",
    "closed_forms",
    "coefficient",
    "half_sums_keep_squares",
    "misses",
    "network_settings",
    "patterns",
    "prompts",
    "square_mean",
    "subsets",
    "transform_rounding",
]

PAPER = "Tsilivis, Malach, Ullrich, Kempe, arXiv 2510.11495"
PARSEVAL_SOURCE = "Parseval's identity for the components of the gradient of log(2 cosh(f/2)) - y f/2"
P = sp.Symbol("p", positive=True)
SYMBOLS = tuple(sp.Symbol(f"g_{i}", real=True) for i in range(8))
LENGTH = Integer(1, 1000, meaning="number of signs", largest_drawn=300)
P_COT = Real(0, 1, meaning="share of long demonstrations", symbol="p")
GRADIENT_SQUARE = Real(0, 1e100, meaning="E|grad f|^2", symbol=r"\mathbb{E}|\nabla f|^2")

Row = Sequence[Any]


def closed_forms() -> Any:
    """Return the closed forms as they are, out of a mutant's reach."""
    import theory.hardness as module

    return module


def prompts(d: int) -> list[tuple[int, ...]]:
    """All sign vectors of length d."""
    return list(product((1, -1), repeat=d))


def subsets(d: int, size: int | None = None) -> list[tuple[int, ...]]:
    """All subsets of range(d), or those of one size."""
    sizes = range(d + 1) if size is None else (size,)
    return [s for k in sizes for s in combinations(range(d), k)]


def character(subset: tuple[int, ...], x: tuple[int, ...]) -> int:
    """The product of the signs in a subset."""
    value = 1
    for i in subset:
        value *= x[i]
    return value


def coefficient(values: Row, subset: tuple[int, ...], d: int) -> Any:
    """E[chi_S g] by listing every prompt."""
    total = sum((v * character(subset, x) for v, x in zip(values, prompts(d), strict=True)), start=Fraction(0))
    return total / 2**d


def square_mean(rows: Sequence[Row]) -> Any:
    """E|g|^2 of a gradient with the given components."""
    return sum((v * v for row in rows for v in row), start=Fraction(0)) / len(rows[0])


def patterns(d: int) -> list[list[list[int]]]:
    """Gradients on 2^d prompts, in small whole numbers: dense, sparse, and all of one degree."""
    generator = np.random.default_rng(d)
    dense = [[int(v) for v in generator.integers(-4, 5, 2**d)] for _ in range(3)]
    spike = [[5 if i == 2 else 0 for i in range(2**d)]]
    characters = [[character(s, x) for x in prompts(d)] for s in subsets(d, 2)]
    return [dense, spike, characters]


def misses(
    gap: Callable[[Any, Mapping[str, Any], Any], np.ndarray],
) -> Callable[[Any, Mapping[str, Any], Any], Counts]:
    """Count the runs in which a gap is positive."""

    def judge(data: Any, cell: Mapping[str, Any], theory: Any) -> Counts:
        gaps = np.asarray(gap(data, cell, theory))
        found = (gaps.reshape(len(gaps), -1) > 0).any(axis=1)
        return Counts(int(found.sum()), int(found.size))

    return judge


def half_sums_keep_squares() -> bool:
    """((u+w)/2)^2 + ((u-w)/2)^2 = (u^2 + w^2)/2: one more sign splits a coefficient into half sums."""
    u, w = sp.symbols("u w", real=True)
    return is_zero(((u + w) / 2) ** 2 + ((u - w) / 2) ** 2 - (u**2 + w**2) / 2)


def transform_rounding(d: int) -> float:
    """Relative error of a sum of 2^d squares of transforms in d levels, all terms positive, with room for E|grad|^2."""
    return float((2**d + 8 * d + 64) * 2.0**-52)


def network_settings(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of hardness.gradient_signal for a cell that names a predictor of width 4."""
    return {
        "d": cell["d"], "predictor": cell["predictor"], "width": 4, "activation": cell["activation"],
        "p_cot": cell["p_cot"],
    }  # fmt: skip
