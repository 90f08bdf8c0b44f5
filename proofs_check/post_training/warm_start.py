"""The claim about rounds that go on from the old weights: what they remember, and the chain that they keep."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.post_training._common import P_0, SIGMAS, closed_forms, majority_leg, rate_leg
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _memory_identity(lab: Lab) -> Iterator[Cell]:
    """The literal step on a quadratic loss with noiseless gradients, in rationals, from zero and from a clock."""
    t = lab.theory.post_training
    for clock, n, h, lam in ((1, 6, Fraction(1, 5), Fraction(1, 20)), (50, 40, Fraction(1, 4), Fraction(1, 10))):
        x, total = Fraction(1), Fraction(0)  # deviation from the optimum, 1 at the start of the round
        for k in range(n):
            total += x
            x -= (h + lam) * x / (lam * (clock + 1 + k))
        # 40 products of floats.
        cell = {"clock": clock, "n_steps": n}
        yield lab.close(cell, t.memory(clock, n, float(h), float(lam)), float(total / n), 1e-13, "share remembered")
    # T >> t_0: the sum is that of (t_0/t)^(m+1), about t_0/m, with relative corrections (m+1)/t_0 and (t_0/T)^m.
    for m in (2.0, 4.0):
        found = t.memory(1000, 100_000, m, 1.0)
        yield lab.close({"clock": 1000, "h/lambda": m}, found * m * 100, 1.0, 0.01 + (m + 1) / 1000, "t_0/(m T)")


def _warm_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    heads = cell["ridge"]
    return {
        "d": 5, "p_0": cell["p_0"], "n_samples": cell["n_samples"], "n_rounds": 1, "warm_start": cell["clock"],
        "start_ridge": {"first": heads, "stop": heads, "chain": 1e-6},
        "ridge": {"first": heads, "stop": heads, "chain": 2e-3},
    }  # fmt: skip


def _off_memory(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs whose ln c after a round is not between the old and the refitted one as the memory says."""
    t = theory.post_training
    ridges = {"ridge_first": cell["ridge"], "ridge_stop": cell["ridge"], "ridge_chain": 2e-3}
    u, stop, other = (float(data[name].values[0, 0]) for name in ("first_token", "stop_agree", "stop_disagree"))
    errors = [1e-5] * 4
    kept = closed_forms().full_round(u, stop, other, errors, "r_cot")
    aim = float(closed_forms().ridge_refit(*kept[1:], **ridges).stop_agree)
    n_kept = cell["n_samples"] * float(kept.kept)
    share = 0.0
    if cell["clock"]:
        curvature = 2 * float(kept.first_token) * aim * (1 - aim)
        share = t.memory(cell["clock"], round(n_kept), curvature, cell["ridge"])
    old, new = math.log(1 / stop - 1), math.log(1 / aim - 1)
    seen = np.log(1 / data["stop_agree"].values[:, 1] - 1)
    spread = closed_forms().refit_spread(*kept[1:], n_kept, n_kept, **ridges).stop_agree
    # The loss is no quadratic: over a move x of the logit its curvature changes by |1 - 2v| x, at most a quarter of it.
    bend = 0.25 * share * (1 - share) * abs(new - old)
    return np.asarray(np.abs(seen - (new + share * (old - new))) > SIGMAS * spread + bend)


def _few_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "p_0": cell["p_0"], "n_samples": cell["n_samples"], "n_rounds": 12, "start_ridge": 1e-6,
        "ridge": {"first": 0.05, "stop": 0.05, "chain": 1e-3}, "n_prompts": 64, "warm_start": cell["clock"],
    }  # fmt: skip


def _unlike_memory(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs that end otherwise than they should: too few long answers to train on, or a chain that is remembered."""
    t = theory.post_training
    n_long = cell["n_samples"] * cell["p_0"]
    lasts = n_long > t.half_chain_sequences(cell["d"])
    if cell["clock"]:
        error = 0.00525  # lambda W(1/lambda) at 1e-3; curvature e(1-e)
        lasts = lasts or t.memory(cell["clock"], round(n_long), error * (1 - error), 1e-3) > 0.5
    good = data["greedy_accuracy"].values[:, -1] > 0.75
    return np.asarray(~good if lasts else good)


WARM = Claim(
    id="post_training.warm_start",
    statement=(
        "A round that goes on from the old weights at clock t_0 keeps a share of the old logits, about t_0 lambda/(h "
        "T) for T >> t_0, so ln c grows by less than ln 2 a round; a round from zero keeps none. In exchange the chain "
        "is "
        "not "
        "learned anew: 80 long answers a round, too few to train one at d = 20 from zero, then suffice."
    ),
    latex=(
        r"z' = z_\lambda + \varphi\,(z - z_\lambda),\qquad \varphi = \frac1T\sum_{t=0}^{T-1}\prod_{s=t_0+1}^{t_0+t}"
        r"\Bigl(1-\frac{h/\lambda+1}{s}\Bigr) \approx \frac{t_0\lambda}{hT}"
    ),
    origin="derived",
    source="the steps 1/(lambda t) on a quadratic loss",
    kind="rate",
    domain=Domain({"p_0": P_0}),
    evidence=(
        Exact("enumeration", "the literal steps, and the limit of short clocks", _memory_identity, scope="cells"),
        rate_leg(
            "runs whose ln c after a round is elsewhere",
            "post_training.star",
            {
                "quick": [{"p_0": 0.2, "n_samples": 8000, "ridge": 0.1, "clock": 2000}],
                "full": [
                    {"p_0": 0.2, "n_samples": 8000, "ridge": 0.1, "clock": clock} for clock in (0, 500, 2000, 8000)
                ],
            },
            _warm_parameters,
            _off_memory,
            0.6,
        ),
        majority_leg(
            "runs on 80 long answers a round, from zero and warm",
            {
                "quick": [{"d": 20, "p_0": 0.05, "n_samples": 1600, "clock": clock} for clock in (0, 1000)],
                "full": [{"d": 20, "p_0": 0.05, "n_samples": 1600, "clock": clock} for clock in (0, 1000)],
            },
            _few_parameters,
            _unlike_memory,
            1.2,
        ),
    ),
    mutants=(
        Mutant(
            "a warm start remembers nothing",
            "with t_0 = 2000 and T = 4700 an eighth of the old ln c is left",
            theory={"post_training.memory": lambda clock, n, h, lam: 0.0},
        ),
        Mutant(
            "it remembers t_0/(t_0 + T), as counts would",
            "steps of 1/(lambda t) relax faster than they count: 0.13 against 0.3",
            theory={"post_training.memory": lambda clock, n, h, lam: clock / (clock + n)},
        ),
        Mutant(
            "ten long answers train a chain",
            "at d = 20 about 700 are needed from zero",
            theory={"post_training.half_chain_sequences": lambda d, rate=1.25: 10.0},
        ),
    ),
    remarks=(
        "All other claims about trained runs are about rounds that train from zero, as the published algorithm does. "
        "The "
        "clock counts steps at every position alike, so a long clock slows the heads (h/lambda of order 2) while it "
        "protects the chain (whose few long answers make few steps). A chain is called remembered where its share "
        "exceeds one half in a round; that suffices and is not needed: at clock 200 the share is .4, and all of 48 "
        "runs lasted too."
    ),
)

CLAIMS = (WARM,)
