"""Claims about Theorem 1: errors of positions add up to that of the long answer, and the samples that it asks for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Real
from proofs_check.linear_model._common import LENGTH, PAPER, closed_forms
from proofs_check.linear_model.descent import exceeding_runs
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _telescoping(lab: Lab) -> list[Cell]:
    """|prod a - prod b| <= sum |a_i - b_i| for factors in [0, 1], by induction; then the shipped sum is that sum."""
    a, b, u, v = sp.symbols("a b u v", positive=True)  # products so far u, v; next factors a, b
    proof = Proof()
    proof.identity(
        "u a - v b = (u - v) a + v (a - b): one more factor adds one more difference",
        u * a - v * b,
        (u - v) * a + v * (a - b),
    )
    t = lab.theory.linear_model
    first, stop = Fraction(1, 128), Fraction(1, 64)
    for d in (3, 6):
        chain = [1 / 256] * (d - 1)
        total = t.long_correct_error_bound(float(first), float(stop), chain)
        proof.step(
            f"d = {d}: the bound is the sum of the position errors", total == float(first + stop) + (d - 1) / 256
        )

    def witness() -> dict[str, Any] | None:
        # True factors 1, model factors 1 - e: the product of d + 1 of them is about 1 - (d + 1) e.
        e, d = 1e-6, 5
        true, model = 1.0, (1 - e) ** (d + 1)
        return {"e": e, "d": d} if true - model > t.long_correct_error_bound(e, e, [e] * (d - 1)) else None

    return proof.cells({"factors": "[0, 1]"}, witness)


def _sizes_cells(lab: Lab) -> Iterator[Cell]:
    """At the returned sizes every position's bound meets its share; one step fewer misses it."""
    t = lab.theory.linear_model
    for d, p, epsilon, delta in ((3, 0.2, 0.1, 0.1), (10, 0.5, 0.05, 0.2), (20, 0.1, 0.2, 0.01)):
        sizes = t.theorem_1_sample_sizes(d, p, epsilon, delta)
        cell = {"d": d, "p_cot": p, "epsilon": epsilon, "delta": delta}
        yield lab.true(cell, sizes.position_error * (d + 1) <= epsilon * (1 + 1e-12), "the shares add up to epsilon")
        for position, ridge, steps in (
            ("first", sizes.ridge_first, sizes.steps_first),
            ("stop", sizes.ridge_stop, sizes.steps_stop),
            (d, sizes.ridge_chain, sizes.steps_chain[-1]),
        ):
            rho2 = t.feature_norm_squared(position, d)
            reach = t.probability_deviation_bound(rho2, ridge, steps, sizes.position_delta)
            yield lab.true(
                {**cell, "position": position}, reach <= sizes.position_error / 2, f"statistical term {reach:.3g}"
            )
        biases = (
            t.first_token_bias_bound(p, sizes.ridge_first),
            t.stop_agree_bias_bound(p, sizes.ridge_stop),
            t.stop_disagree_bias_bound(p, sizes.ridge_stop),
            t.chain_bias_bound(sizes.ridge_chain),
        )
        worst = max(biases)
        yield lab.true(cell, worst <= sizes.position_error / 2 * (1 + 1e-9), f"largest bias bound {worst:.3g}")


def _growth_cells(lab: Lab) -> Iterator[Cell]:
    """Steps grow like d^7, epsilon^-4 and 1/delta up to logarithms: doubling ratios lie within a log's factor."""
    t = lab.theory.linear_model
    base = {"d": 12, "p_cot": 0.2, "epsilon": 0.02, "delta": 0.05}

    def steps(**changes: Any) -> float:
        return float(t.theorem_1_sample_sizes(**{**base, **changes}).steps_first)

    for name, value, exponent in (("d", 24, 7), ("epsilon", 0.01, 4), ("delta", 0.025, 1)):
        observed = math.log2(steps(**{name: value}) / steps())
        yield lab.close({**base, name: value}, observed, exponent, 0.35, f"exponent in {name} (logarithms allow 0.35)")


def _long_bound(t: Any, cell: Mapping[str, Any]) -> float:
    d, delta = cell["d"], cell["delta"] / (cell["d"] + 1)
    schedule = (cell["ridge"], cell["n_steps"], delta)
    chain = [t.chain_error_bound(d, position, *schedule) for position in range(2, d + 1)]
    first = t.first_token_error_bound(d, cell["p_cot"], *schedule)
    return float(t.long_correct_error_bound(first, t.stop_agree_error_bound(d, cell["p_cot"], *schedule), chain))


def _all_positions(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "p_cot": cell["p_cot"], "n_samples": 4 * cell["n_steps"], "ridge": cell["ridge"],
        "n_steps": cell["n_steps"], "n_prompts": 256,
    }  # fmt: skip


def _long_errors(data: Any) -> np.ndarray:
    return np.asarray(np.abs(data["long_correct"].values - data.attrs["p_cot"]).max(axis=1))


THEOREM = Claim(
    id="linear_model.theorem_1",
    statement=(
        "With explicit ridges and polynomially many samples (d^7/(epsilon^4 delta) up to logarithms, in the constants "
        "derived here), SGD returns a model with |P(long correct | x) - p| <= epsilon for every x, with probability at "
        "least 1 - delta."
    ),
    latex=(
        r"T_j = \tilde O\!\left(\frac{d^7}{\epsilon^4\delta}\right) \implies \bigl|\pi(\text{long, "
        r"correct}\mid x) - p\bigr| \le \epsilon \ \text{ for every } x"
    ),
    origin="paper",
    source=f"{PAPER}, Theorem 1; constants composed here from Propositions 1-3",
    kind="upper",
    domain=Domain(
        {
            "d": LENGTH,
            "p_cot": Real(0, 0.75, open_low=True, open_high=True, meaning="share of long demonstrations"),
            "epsilon": Real(0, 1, open_low=True, open_high=True, meaning="error allowed"),
            "delta": Real(0, 1, open_low=True, open_high=True, meaning="failure probability"),
        },
        {"p != 1/3": lambda cell: cell["p_cot"] != 1 / 3},
    ),
    evidence=(
        Exact("certificate", "errors of factors add up over a product", _telescoping, scope="cells"),
        Exact("enumeration", "each position's bounds at the returned sizes", _sizes_cells, scope="cells"),
        Exact("enumeration", "growth of the returned sizes", _growth_cells, scope="cells"),
        Simulation(
            "share of runs whose long share leaves the composed bound",
            "linear_model.pretrain",
            cells=[
                {"d": 3, "p_cot": 0.5, "ridge": 0.05, "n_steps": 2000, "delta": 0.5},
                {"d": 5, "p_cot": 0.5, "ridge": 0.05, "n_steps": 2000, "delta": 0.5},
            ],
            parameters=_all_positions,
            judge_units=lambda data, cell, theory: exceeding_runs(
                _long_errors(data), _long_bound(theory.linear_model, cell)
            ),
            predict=lambda theory, cell: (0.0, cell["delta"]),
            compare="upper",
            resolution=0.1,
            planned_n=256,
            looks=2,
            unit="training run",
            cost=3.0,
        ),
    ),
    mutants=(
        Mutant(
            "the error of the product is the largest position error over 100",
            "errors of factors add up",
            theory={
                "linear_model.long_correct_error_bound": lambda first, stop, chain: (
                    max(first, stop, *np.ravel(chain)) / 1e4
                )
            },
        ),
        Mutant(
            "a hundredth of the steps at position 1 and twice its ridge are enough",
            "then neither the statistical term nor the bias meets its share",
            theory={
                "linear_model.theorem_1_sample_sizes": lambda *a, **k: _fewer(
                    closed_forms().theorem_1_sample_sizes(*a, **k)
                )
            },
        ),
        Mutant(
            "the steps grow like d^3/(epsilon^2 delta)",
            "the ridge itself must shrink with epsilon/d and enters squared",
            theory={
                "linear_model.theorem_1_sample_sizes": lambda *a, **k: _slower(
                    closed_forms().theorem_1_sample_sizes(*a, **k), *a, **k
                )
            },
        ),
    ),
    remarks=(
        "At sizes that can be simulated the composed bound is vacuous; the measured error is smaller by orders of "
        "magnitude."
    ),
)


def _fewer(sizes: Any) -> Any:
    from dataclasses import replace

    return replace(sizes, steps_first=max(1, sizes.steps_first // 100), ridge_first=2 * sizes.ridge_first)


def _slower(sizes: Any, *a: Any, **k: Any) -> Any:
    from dataclasses import replace

    d, epsilon = k.get("d", a[0] if a else 3), k.get("epsilon", a[2] if len(a) > 2 else 0.1)
    return replace(sizes, steps_first=max(1, int(sizes.steps_first * epsilon**2 / d**4)))


CLAIMS = (THEOREM,)
