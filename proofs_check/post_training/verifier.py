"""The claim about a length penalty and a verifier that errs: the factor of the odds, and where growth stops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Real
from proofs_check.enumeration import Outcome
from proofs_check.post_training._common import (
    LENGTH,
    answers_of_state,
    kept_long_counts,
    one_round,
    rewarded,
    shares_of,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

BETA = Real(0, 100, meaning="length penalty", symbol=r"\beta")
MU = Real(0, 1, open_high=True, meaning="false negatives", symbol=r"\mu")
NU = Real(0, 1, meaning="false positives", symbol=r"\nu")


def _factor_identity(lab: Lab) -> Iterator[Cell]:
    """Ratio of the probabilities that a long and a short answer are kept, with symbols."""
    t = lab.theory.post_training
    mu, nu, beta, d = sp.symbols("mu nu beta d", positive=True)
    long_kept = (1 - mu) * sp.exp(-beta * (d - 1))
    short_kept = (1 - mu) / 2 + nu / 2
    size = sp.Symbol("d", integer=True, positive=True)
    shipped = t.go_on_factor(size, beta, mu, nu, sp.Integer(1)).subs(size, d)
    yield lab.true({"d": "symbol"}, is_zero(shipped - long_kept / short_kept), "odds factor")
    yield lab.true({"d": "symbol"}, is_zero(t.verifier_factor(mu, nu) - 2 * (1 - mu) / (1 - mu + nu)), "verifier alone")
    yield lab.true(
        {"d": "symbol"},
        sp.simplify(t.go_on_factor(size, t.critical_length_penalty(size)) - 1) == 0,
        "factor 1 at the critical penalty",
    )
    yield lab.true(
        {"d": "symbol"},
        is_zero(t.wrong_share_of_kept_short(mu, nu) - (nu / 2) / short_kept),
        "wrong kept short answers",
    )


def _factor_cells(lab: Lab) -> Iterator[Cell]:
    """Keep every listed answer with the probability that verifier and penalty give it, in rationals."""
    t = lab.theory.post_training
    half = Fraction(1, 2)
    for mu, nu in ((Fraction(0), Fraction(0)), (Fraction(1, 5), Fraction(1, 10)), (Fraction(1, 2), Fraction(3, 4))):
        law = answers_of_state(3, Fraction(5, 8), Fraction(2, 3), Fraction(1), [Fraction(0)] * 2)
        kept = [Outcome(o.probability * (1 - mu if rewarded(o, "r_cot") else nu), o.prompt, o.answer) for o in law]
        found = shares_of(kept)
        odds = (1 - found["stop_agree"]) / found["stop_agree"]
        yield lab.equal({"mu": mu, "nu": nu}, odds, t.verifier_factor(mu, nu) * half, "odds, from 1/2")
        wrong = sum((o.probability for o in kept if len(o.answer) == 2 and not rewarded(o, "r_cot")), start=Fraction(0))
        short = sum((o.probability for o in kept if len(o.answer) == 2), start=Fraction(0))
        yield lab.equal(
            {"mu": mu, "nu": nu}, wrong / short, t.wrong_share_of_kept_short(mu, nu), "wrong among kept short ones"
        )


def _knob_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return one_round(
        cell,
        length_penalty=cell["length_penalty"],
        false_negative=cell["false_negative"],
        false_positive=cell["false_positive"],
    )


def _factor_share(theory: Any, cell: Mapping[str, Any]) -> float:
    """All long answers against all short ones, from p_0."""
    kappa = theory.post_training.go_on_factor(
        cell["d"], cell["length_penalty"], cell["false_negative"], cell["false_positive"]
    )
    odds = float(kappa) * cell["p_0"] / (1 - cell["p_0"])
    return float(odds / (1 + odds))


_KNOB_CELLS = [
    {"d": d, "p_0": 0.3, "length_penalty": beta, "false_negative": mu, "false_positive": nu}
    for d, beta, mu, nu in (
        (8, 0.05, 0.0, 0.0),
        (8, 0.2, 0.0, 0.0),
        (20, 0.0, 0.2, 0.1),
        (20, 0.0, 0.5, 0.75),
        (8, 0.05, 0.1, 0.2),
    )
]

FACTORS = Claim(
    id="post_training.penalty_and_verifier",
    statement=(
        "A length penalty e^(-beta (|y|-1)) and verifier errors multiply the odds by 2(1-mu)/(1-mu+nu) e^(-beta "
        "(d-1)): growth stops "
        "at beta* = ln 2/(d-1), and at 1 - mu = nu; kept short answers are wrong with probability nu/(1-mu+nu)."
    ),
    latex=r"\kappa = \frac{2(1-\mu)}{1-\mu+\nu}\,e^{-\beta(d-1)},\qquad \beta^* = \frac{\ln 2}{d-1}",
    origin="derived",
    source="probabilities that a long and a short answer are kept",
    kind="exact",
    domain=Domain({"d": LENGTH, "length_penalty": BETA, "false_negative": MU, "false_positive": NU}),
    functions=("post_training.go_on_factor", "post_training.verifier_factor", "post_training.critical_length_penalty"),
    evidence=(
        Exact("identity", "kept probabilities with symbols", _factor_identity),
        Exact("enumeration", "every answer of length 3, kept with its probability", _factor_cells, scope="cells"),
        Simulation(
            "kept long answers of the linear model",
            "post_training.star",
            cells=_KNOB_CELLS,
            parameters=_knob_parameters,
            extract=kept_long_counts,
            predict=_factor_share,
            resolution=0.03,
            planned_n=16,
            unit="block of 4096 answer",
            cost=0.5,
        ),
    ),
    mutants=(
        Mutant(
            "false positives do not matter: factor 2",
            "wrong short answers are then kept too",
            theory={
                "post_training.verifier_factor": lambda mu, nu: 2 + 0 * mu + 0 * nu,
                "post_training.go_on_factor": lambda d, beta=0.0, mu=0.0, nu=0.0, right=1.0: (
                    2 * sp.exp(-beta * (d - 1))
                ),
                "post_training.wrong_share_of_kept_short": lambda mu, nu: 0 * mu,
            },
        ),
        Mutant(
            "the penalty is e^(-beta d)",
            "a short answer pays nothing, a long one for d - 1 tokens",
            theory={
                "post_training.go_on_factor": lambda d, beta=0.0, mu=0.0, nu=0.0, right=1.0: (
                    2 * (1 - mu) / (1 - mu + nu) * sp.exp(-beta * d)
                )
            },
        ),
    ),
)

CLAIMS = (FACTORS,)
