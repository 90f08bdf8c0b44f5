"""Claims about the threshold p = 1/3: from which share of long demonstrations greedy answers become long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain
from proofs_check.hardness._common import PAPER
from proofs_check.hardness._sample_complexity import LENGTH, P_COT, Samples
from proofs_check.linear_model._common import retrained
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell, Interval, judge

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _critical_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "d": cell["d"], "p_cot": cell["p_cot"], "n_samples": cell["n"], "ridge": 0.05, "positions": ("stop",),
        "n_prompts": 64,
    }  # fmt: skip


def _goes_on(data: Any, cell: Mapping[str, Any]) -> Counts:
    """Runs in which greedy decoding goes on, after a right first token, at more than half of the prompts."""
    found = (data["stop_agree"].values <= 0.5).mean(axis=1) > 0.5
    return Counts(int(found.sum()), int(found.size))


def _critical_cells(profile: str) -> list[dict[str, Any]]:
    if profile == "quick":
        return [{"d": d, "p_cot": p, "n": 4000} for d in (5, 20) for p in (0.315, 0.35)]
    return [{"d": d, "p_cot": p, "n": 40_000} for d in (5, 10, 20, 50) for p in (0.31, 0.325, 0.342, 0.355)]


def _critical(samples: Samples, alpha: float, lab: Lab) -> list[Cell]:
    """For each d, the interval of the p at which half of the runs go on."""
    from sims.scaling import threshold

    found = []
    expected = float(lab.theory.parity_mixture.greedy_threshold())
    sizes = sorted({cell["d"] for cell, _ in samples})
    for d in sizes:
        mine = sorted(((c["p_cot"], s) for c, s in samples if c["d"] == d), key=lambda pair: pair[0])
        result = threshold(
            [p for p, _ in mine], [s.successes for _, s in mine], [s.trials for _, s in mine],
            confidence=1 - alpha / len(sizes),
        )  # fmt: skip
        interval = Interval(result.low, result.high)
        verdict = judge("exact", interval, Interval(expected, expected), 0.025)
        n = min(s.size for _, s in mine)
        found.append(
            Cell(
                {"d": d}, verdict, n, result.estimate, Interval(expected, expected), interval, 0.025, "half of the runs"
            )
        )
    return found


def _even_odds(lab: Lab) -> Iterator[Cell]:
    """At the threshold itself going on and stopping are equally likely after agreement; beside it they are not."""
    mixture = lab.theory.parity_mixture
    third = mixture.greedy_threshold_exact()
    yield lab.equal({"p_cot": str(third)}, mixture.continue_given_agreement(third), Fraction(1, 2))
    for shift in (Fraction(-1, 10**9), Fraction(1, 10**9)):
        above = mixture.continue_given_agreement(third + shift) > Fraction(1, 2)
        yield lab.true({"p_cot": f"{third} {'+' if shift > 0 else '-'} 1e-9"}, above == (shift > 0), "likelier token")
    gap = float(mixture.greedy_threshold()) - float(third)
    yield lab.close({"p_cot": "double"}, gap, 0.0, 2**-54, "the double is the rational, rounded")


CRITICAL = Claim(
    id="hardness.critical_share",
    statement=(
        "Whatever d, the trained model's greedy answers become long at the share p = 1/3 of long demonstrations: the p "
        "at which half of the training runs go on at most prompts lies in an interval that holds 1/3 and ends within "
        "0.025 of it."
    ),
    latex=(
        r"\Pr_{\mathrm{runs}}\bigl[\text{greedy goes on at most prompts}\bigr] = \tfrac12 \iff p = \tfrac13,"
        r"\qquad d \ge 4"
    ),
    origin="paper",
    source=f"{PAPER}, Theorem 1 (greedy decoding); measured by a threshold search",
    kind="threshold",
    domain=Domain({"d": LENGTH, "p_cot": P_COT}),
    evidence=(
        Exact("identity", "even odds at the threshold", _even_odds, scope="cells"),
        Simulation(
            "where half of the runs go on",
            "linear_model.pretrain",
            cells=_critical_cells,
            parameters=_critical_parameters,
            extract=_goes_on,
            combine=_critical,
            planned_n=128,
            looks=4,
            unit="training run",
            cost=1.5,
        ),
    ),
    mutants=(
        Mutant(
            "the threshold is 0.30",
            "at p = 0.315 EOS has probability .521 after agreement",
            theory={
                "parity_mixture.greedy_threshold": lambda: 0.30,
                "parity_mixture.greedy_threshold_exact": lambda: Fraction(3, 10),
            },
        ),
        Mutant(
            "the threshold is 0.36",
            "at p = 0.35 going on has probability .519 after agreement",
            theory={
                "parity_mixture.greedy_threshold": lambda: 0.36,
                "parity_mixture.greedy_threshold_exact": lambda: Fraction(9, 25),
            },
        ),
        Mutant(
            "training sees 0.06 more long demonstrations than it was told",
            "half of the runs would go on at p = 0.273",
            sims=retrained(lambda options: {**options, "p_cot": options["p_cot"] + 0.06}),
        ),
    ),
    remarks=(
        "The majority of a run's prompts follows the part of the logit that all prompts share, whose spread in p is "
        "about .54/sqrt(T) whatever d; single prompts spread more, like .77 sqrt(d/T) "
        "(linear_model.threshold_window). The interval needs only that more long demonstrations never make going on "
        "less likely."
    ),
)

CLAIMS = (CRITICAL,)
