"""What the claims about the linear model share: domains, symbols, and the full-dimensional problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import sympy as sp

from proofs_check.domains import Domain, Integer, Real
from proofs_check.enumeration import examples

__all__ = [
    "DOMAIN",
    "LAMBDA",
    "LENGTH",
    "PAPER",
    "POSITIONS",
    "P_COT",
    "RIDGE",
    "P",
    "closed_forms",
    "design",
    "newton_optimum",
    "one_logarithm",
    "retrained",
    "ridge_grid",
    "share_grid",
    "split_logarithms",
    "two_heads",
]

PAPER = "Tsilivis, Malach, Ullrich, Kempe, arXiv 2510.11495"
P = sp.Symbol("p", positive=True)
LAMBDA = sp.Symbol("lambda", positive=True)
P_COT = Real(0, 1, open_low=True, open_high=True, meaning="share of long demonstrations", symbol="p")
RIDGE = Real(0, open_low=True, meaning="ridge coefficient of a position", symbol=r"\lambda")
LENGTH = Integer(3, meaning="length of the prompt")
DOMAIN = Domain({"p_cot": P_COT, "ridge": RIDGE})
POSITIONS: tuple[str | int, ...] = ("first", "stop", 2, 3)


def closed_forms() -> Any:
    """The unmutated closed forms, for mutants and figures."""
    import theory.linear_model as module

    return module


def share_grid() -> tuple[Fraction, ...]:
    """Shares p across (0, 1), near both ends and on both sides of 1/3."""
    return (
        Fraction(1, 10_000), Fraction(1, 20), Fraction(1, 5), Fraction(1, 3) - Fraction(1, 1000),
        Fraction(1, 3) + Fraction(1, 1000), Fraction(1, 2), Fraction(4, 5), Fraction(9999, 10_000),
    )  # fmt: skip


def ridge_grid() -> tuple[Fraction, ...]:
    """Ridges from tiny to larger than any used in training."""
    return Fraction(1, 10**6), Fraction(1, 1000), Fraction(1, 20), Fraction(1, 2), Fraction(10)


def two_heads(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Train position 1 and the stop position; every prompt at d <= 10, 256 fresh ones above."""
    return {
        "d": cell["d"], "p_cot": cell["p_cot"], "n_samples": cell["n_steps"], "ridge": cell["ridge"],
        "positions": ("first", "stop"), "n_prompts": 256, "weights": True,
    }  # fmt: skip


def retrained(change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Callable[..., Any]]:
    """A mutant simulator: pre-training with other arguments than it was given."""

    def pretrain(*given: Any, **options: Any) -> Any:
        from sims import linear_model

        names = ("d", "p_cot", "n_samples", "ridge", "seeds")
        return linear_model.pretrain(**change({**dict(zip(names, given, strict=False)), **options}))

    return {"linear_model.pretrain": pretrain}


def one_logarithm(expression: sp.Expr) -> sp.Expr:
    """Join a sum of logarithms into one; every argument here is positive for 0 < p < 1."""
    return sp.logcombine(sp.sympify(expression), force=True)


def split_logarithms(expression: sp.Expr) -> sp.Expr:
    """Write logarithms through those of p, 1+p, 1-p and primes, so that equal sums look equal."""
    return sp.expand_log(sp.sympify(expression), force=True)


@lru_cache(maxsize=64)
def design(position: str | int, d: int, p: Fraction) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, features and targets of a position's exact training distribution, as float arrays."""
    listed = list(examples(position, d, p))
    weights = np.array([float(e.probability) for e in listed])
    features = np.array([e.features for e in listed], dtype=float)
    targets = np.array([e.target for e in listed], dtype=float)
    return weights, features, targets


def objective_gradient(
    position: str | int, d: int, p: Fraction, ridge: float, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gradient and Hessian of the ridge logistic loss at `w`, over all features and all prompts."""
    weights, features, targets = design(position, d, p)
    margin = targets * (features @ w)
    wrong = np.exp(-np.logaddexp(0.0, margin))  # sigma(-margin) without overflow
    gradient = -(features * (weights * wrong * targets)[:, None]).sum(axis=0) + ridge * w
    curvature = weights * wrong * (1 - wrong)
    return gradient, (features * curvature[:, None]).T @ features + ridge * np.eye(w.size)


def newton_optimum(position: str | int, d: int, p: Fraction, ridge: float) -> tuple[np.ndarray, float]:
    """Minimiser over all features by damped Newton steps, and a bound on its distance from the true one.

    Strong convexity bounds the distance by |gradient| / ridge; rounding of the gradient is included.
    """
    w = np.zeros(design(position, d, p)[1].shape[1])
    for _ in range(200):
        gradient, hessian = objective_gradient(position, d, p, ridge, w)
        step = np.linalg.solve(hessian, gradient)
        # Self-concordance: a damped step never overshoots, full steps end quadratically.
        w = w - step / (1 + max(0.0, float(np.abs(design(position, d, p)[1] @ step).max()) - 1.0))
        if float(np.abs(step).max()) < 1e-15 * (1 + float(np.abs(w).max())):
            break
    gradient, _ = objective_gradient(position, d, p, ridge, w)
    rounding = 64 * np.finfo(float).eps * (1 + ridge * float(np.abs(w).max()))
    return w, (float(np.linalg.norm(gradient)) + rounding) / ridge
