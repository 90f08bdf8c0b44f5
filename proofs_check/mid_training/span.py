"""Claims about the span seminorm: options of unequal duration do not contract it, so it may not stop planning."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.mid_training._common import DISCOUNT, generator, replaced, shipped
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _span_witness(lab: Lab) -> Iterator[Cell]:
    """Self-loops of one and five steps without reward: a constant has span zero, its image has not."""
    t = lab.theory.mid_training
    for gamma, durations in ((Fraction(9, 10), (1, 5)), (Fraction(1, 2), (2, 3))):
        out = t.span_after_sweep(durations, gamma, Fraction(1))
        yield lab.at_most(
            {"discount": gamma, "durations": str(durations)}, out, Fraction(0), "span after a sweep of a constant"
        )


def _span_stop(lab: Lab) -> Iterator[Cell]:
    """The first sweep changes both states by 1; the rule stops and extrapolates to 10, but V* is 10 and 2.44."""
    t = lab.theory.mid_training
    gamma, tau = 0.9, 5
    run = lab.sims.mid_training.value_iteration([[1.0, 1.0]], [[[gamma, 0.0], [0.0, gamma**tau]]], 1)["value"].values
    change = run[1] - run[0]
    extrapolated = run[1] + gamma / (1 - gamma) * change.mean()
    best = np.array([1 / (1 - gamma), 1 / (1 - gamma**tau)])
    error, span = float(np.abs(extrapolated - best).max()), float(np.ptp(change))
    out = float(t.span_after_sweep((1, tau), gamma, 1.0))
    yield lab.at_most(
        {"discount": gamma, "N": 1}, error, span / (1 - gamma), f"error at the stop; the next span is {out:.4f}"
    )


def _span_equal(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for gamma in lab.rationals():
        for tau in (1, 4):
            found = t.span_after_sweep((tau,) * 3, gamma, Fraction(7))
            yield lab.equal({"discount": gamma, "tau": tau}, Fraction(found), Fraction(0), "constants stay constants")
    for gamma, tau in ((Fraction(9, 10), 1), (Fraction(9, 10), 5)):
        level = Fraction(7) * (gamma ** min(1, tau) - gamma**tau)
        found = t.span_after_sweep((1, tau), gamma, Fraction(7))
        yield lab.equal({"discount": gamma, "tau": f"1, {tau}"}, Fraction(found), level, "two self-loops by hand")


def _span_contracts(lab: Lab) -> Iterator[Cell]:
    """Models whose options all last tau: the span of a difference shrinks by gamma^tau at least."""
    t = lab.theory.mid_training
    rng = generator(23)
    for tau in (1, 3):
        g = 0.9**tau
        for index in range(6):
            kernels = rng.dirichlet(np.ones(4), size=(3, 4)) * g
            rewards = rng.random((3, 4))
            starts = rng.normal(0.0, 3.0, (2, 4))
            runs = [lab.sims.mid_training.value_iteration(rewards, kernels, 4, start=v)["value"].values for v in starts]
            spans = np.ptp(runs[0] - runs[1], axis=1)
            ok = bool((spans[1:] <= g * spans[:-1] + 1e-12).all())
            zero = float(t.span_after_sweep((tau, tau), 0.9, 1.0))
            yield lab.true(
                {"tau": tau, "model": index}, ok and zero == 0.0, "span of a difference shrinks by gamma^tau"
            )


SPAN = Claim(
    id="mid_training.span_equal_durations",
    statement="If all options last equally long, a sweep maps constants to constants and contracts the span by "
    "gamma^tau.",
    latex=r"\mathrm{sp}(TU-TV) \le \gamma^\tau\,\mathrm{sp}(U-V) \quad(\text{all durations } \tau)",
    origin="derived",
    source="theory.mid_training.durations; rows of equal total",
    kind="upper",
    domain=Domain({"discount": DISCOUNT}),
    evidence=(
        Exact(
            "identity", "constants under equal durations, and two self-loops, in rationals", _span_equal, scope="cells"
        ),
        Exact("enumeration", "random models with equal durations", _span_contracts, scope="cells"),
    ),
    mutants=(
        Mutant(
            "a sweep of a constant always spreads it",
            "equal durations shift every state equally",
            theory=replaced(span_after_sweep=lambda taus, g, c: c * g ** min(taus)),
        ),
        Mutant(
            "the spread counts the longest duration only",
            "it is the difference of two discounts",
            theory=replaced(span_after_sweep=lambda taus, g, c: c * (1 - g ** max(taus))),
        ),
    ),
)

SPAN_FALSE = Claim(
    id="mid_training.span_stopping",
    statement="Value iteration with options contracts the span seminorm, so a small span of the change may stop it.",
    latex=r"\mathrm{sp}(TU-TV) \le \bar\gamma\,\mathrm{sp}(U-V)",
    origin="derived",
    source="true for primitive actions; often carried over",
    kind="upper",
    domain=Domain({"discount": DISCOUNT}),
    evidence=(
        Exact("identity", "two self-loops of different durations: span 0 in, more out", _span_witness, scope="cells"),
        Exact("enumeration", "the rule stops after one sweep with error 9", _span_stop, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the span out is at most half of what is computed",
            "half of a positive number is positive",
            theory=replaced(span_after_sweep=lambda taus, g, c: shipped().span_after_sweep(taus, g, c) / 2),
        ),
        Mutant(
            "a sweep of a constant over self-loops leaves the level times the modulus as span",
            "larger still than zero",
            theory=replaced(span_after_sweep=lambda taus, g, c: c * g ** min(taus)),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.span_equal_durations",
)


CLAIMS = (SPAN, SPAN_FALSE)
