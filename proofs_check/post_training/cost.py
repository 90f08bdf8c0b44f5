"""The claim about the samples that the whole of post-training takes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Real
from proofs_check.post_training._common import LENGTH, PAPER, rate_leg
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

KAPPA = Real(0, 8, meaning="exponent of the start, p_0 = d^-kappa", symbol=r"\kappa")


def _theory() -> Any:
    import theory.post_training as module

    return module


def _counted(lab: Lab) -> Iterator[Cell]:
    """Rounds counted by doubling odds; samples a round against extinction and for the chain."""
    t = lab.theory.post_training
    for d, kappa in ((10, 1.0), (20, 1.0), (20, 2.0), (50, 0.5)):
        cost = t.total_cost(d, kappa)
        odds, n = 1 / (d**kappa - 1), 0
        while odds < 0.5 * (1 - 1e-12):
            odds, n = 2 * odds, n + 1
        cell = {"d": d, "kappa": kappa}
        yield lab.equal(cell, cost.n_rounds, n, "rounds")
        yield lab.close(cell, cost.for_the_chain / (2 * d ** (kappa + 2)), 1.0, 1e-12, "2 d^(kappa+2) a round")
        risk = t.extinction_probability(d**-kappa, max(1, math.ceil(cost.for_the_chain)))
        yield lab.true(cell, risk < 1e-20, f"extinction at that many: {risk:.3g}")


def _parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    p = cell["d"] ** -cell["kappa"]
    n_rounds = math.ceil(math.log2((1 / p - 1) / 2)) + 2
    return {
        "d": cell["d"], "p_0": p, "n_samples": round(cell["factor"] * 2 * cell["d"] ** 2 / p), "n_rounds": n_rounds,
        "start_ridge": 1e-6, "ridge": {"first": 0.05, "stop": 0.05, "chain": 1e-3}, "n_prompts": 128,
    }  # fmt: skip


def _unlike(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs that generalise within two rounds of the prediction with too few samples, or do not with enough."""
    cost = theory.post_training.total_cost(cell["d"], cell["kappa"])
    enough = data.attrs["n_samples"] >= max(cost.for_the_chain, cost.against_extinction)
    good = data["greedy_accuracy"].values[:, -1] > 0.75
    return np.asarray(~good if enough else good)


COST = Claim(
    id="post_training.total_cost",
    statement=(
        "From p_0 = d^-kappa, a chain retrained from zero every round needs about 2 d^(kappa+2) samples a round, far "
        "more than "
        "extinction does: a quarter of that fails although extinction has probability below 1e-20, four times that "
        "succeeds."
    ),
    latex=(
        r"N \approx 2d^{\kappa+2} \gg \frac{d^{\kappa}\ln(1/\delta)}{0.797},\qquad \text{total} \approx "
        r"2d^{\kappa+2}(\kappa\log_2 d - 1)"
    ),
    origin="derived",
    source=f"samples that a chain takes, and the extinction law; {PAPER}, Theorem 2, states a polynomial",
    kind="rate",
    domain=Domain({"d": LENGTH, "kappa": KAPPA}),
    evidence=(
        Exact("enumeration", "rounds and samples at four points", _counted, scope="cells"),
        rate_leg(
            "trained runs on either side",
            "post_training.star",
            {
                "full": [
                    {"d": d, "kappa": kappa, "factor": factor}
                    for d, kappa in ((10, 1.0), (16, 0.75))
                    for factor in (0.25, 4.0)
                ]
            },
            _parameters,
            _unlike,
            150.0,
        ),
    ),
    mutants=(
        Mutant(
            "extinction alone sets the cost",
            "d = 10, N = 500: kept chains are too few to retrain on",
            theory={
                "post_training.total_cost": lambda d, kappa: _theory().total_cost(d, kappa)._replace(for_the_chain=0.0)
            },
        ),
        Mutant(
            "d^(kappa+3) samples a round, in one round more",
            "then N = 8 d^(kappa+2) would fail at d = 16",
            theory={
                "post_training.total_cost": lambda d, kappa: (
                    _theory()
                    .total_cost(d, kappa)
                    ._replace(
                        for_the_chain=float(d) ** (kappa + 3), n_rounds=_theory().total_cost(d, kappa).n_rounds + 1
                    )
                )
            },
        ),
    ),
    remarks="The trained runs belong to the full profile. Ridge .05 at the first positions, 1e-3 on the chain.",
)

CLAIMS = (COST,)
