"""Claims about the loss that is left once all bad subsets are gone."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Real
from proofs_check.lab import Lab
from proofs_check.mid_training._common import (
    FAILURE_RATE,
    PAPER,
    TOLERANCE,
    generator,
    random_law,
    replaced,
    sequences,
    shipped,
)
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

__all__ = ["CLAIMS"]


def _tables() -> Iterator[tuple[list[Fraction], list[list[Fraction]], Fraction]]:
    """Random laws of four task types with losses of six subsets in rationals, and a tolerance."""
    rng = generator(5)
    for _ in range(30):
        gaps = [[Fraction(int(x), 20) for x in rng.integers(0, 21, 4)] for _ in range(6)]
        yield random_law(4, rng), gaps, Fraction(int(rng.integers(1, 8)), 20)


def _loss_certificate(lab: Lab) -> list[Cell]:
    t = lab.theory.mid_training
    eps, sigma, b, over = (sp.Symbol(name, positive=True) for name in ("epsilon", "sigma", "b", "x"))
    gap = eps + over
    loss, bound = t.pruning_error(eps, b, gap), t.pruning_error_bound(eps, sigma, gap)
    proof = Proof()
    proof.identity("bound - loss = (sigma - b)(D - eps)", bound - loss, (sigma - b) * over)
    more = sp.Symbol("y", positive=True)
    box = {eps: (0, sp.oo), over: (0, sp.oo), b: (0, 1), more: (0, sp.oo)}
    proof.positive("positive for b < sigma and eps < D", sp.expand((bound - loss).subs(sigma, b + more)), box)
    half = t.repaired_tolerances(eps, gap)
    proof.positive("eps_tot/2 and eps_tot/(2D) leave less than eps_tot", eps - t.pruning_error_bound(*half, gap), box)

    def witness() -> dict[str, str] | None:
        at = {
            eps: sp.Rational(1, 20),
            over: sp.Rational(19, 20),
            b: sp.Rational(999, 10_000),
            sigma: sp.Rational(1, 10),
        }
        short = sp.nsimplify((bound - (eps + b * over)).subs(at)) <= 0
        total = sp.nsimplify((eps - (half[0] + half[1] * (gap - half[0]))).subs(at)) <= 0
        return {"eps": "1/20", "D": "1", "b": "0.0999", "sigma": "0.1"} if short or total else None

    return proof.cells({"b": "[0, sigma)"}, witness)


def _loss_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.mid_training
    for index, (law, gaps, eps) in enumerate(_tables()):
        for row in gaps:
            rate = sum((p for p, gap in zip(law, row, strict=True) if gap > eps), start=Fraction(0))
            mean = sum((p * gap for p, gap in zip(law, row, strict=True)), start=Fraction(0))
            sigma = min(Fraction(1), rate + Fraction(1, 100))
            cell = {"table": index, "failure_rate": rate}
            yield lab.at_most(cell, mean, t.pruning_error(eps, rate, Fraction(1)), "loss at its failure rate")
            yield lab.at_most(
                cell, mean, t.pruning_error_bound(eps, sigma, Fraction(1)), "bound of a subset that is not bad"
            )
    attained = t.pruning_error_bound(0.05, 0.1, 1.0) - ((1 - 0.0999) * 0.05 + 0.0999)
    yield lab.close(
        {"tolerance": 0.05, "failure_rate": 0.1}, attained, 0.0, 1e-3, "two-point law: bound nearly attained"
    )


def _survivors(cell: Mapping[str, Any]) -> dict[str, Any]:
    """A subset that loses one on a rare type and eps elsewhere, and a bad one, after the union count of tasks."""
    eps, rate = cell["tolerance"], 0.4 * cell["failure_rate"]
    return {
        "gaps": [[1.0, 1.0], [eps, 1.0]], "probabilities": [rate, 1 - rate], "tolerance": eps, "allowed_failures": 0,
        "n_demonstrations": math.ceil(shipped().union_count(2, 1, cell["failure_rate"], 0.1)), "n_trials": 500,
    }  # fmt: skip


def _too_large(data: Any, cell: Mapping[str, Any], theory: Any) -> Counts:
    bound = theory.mid_training.pruning_error_bound(cell["tolerance"], cell["failure_rate"], 1.0)
    above = data["mean_gap"].values > bound + 1e-12
    wrong = (data["survives"].values & above).any(axis=-1)
    return Counts(int(wrong.sum()), wrong.size)


LOSS = Claim(
    id="mid_training.pruning_error",
    statement=(
        "A subset that fails a share b < sigma of the tasks loses at most (1-b) eps + b Dmax on average, below "
        "eps + sigma (Dmax - eps); two-point losses attain it. For a total eps_tot take eps = eps_tot/2 and "
        "sigma = eps_tot/(2 Dmax)."
    ),
    latex=r"\mathbb{E}\,\Delta(M,\hat B) \le (1-b)\varepsilon + b D_{max} < \varepsilon + \sigma(D_{max}-\varepsilon)",
    origin="derived",
    source=f"repairs the reading of {PAPER} that the pruning error is about eps",
    kind="upper",
    domain=Domain(
        {
            "tolerance": Real(0, symbol=r"\varepsilon"),
            "failure_rate": Real(0, 1, symbol=r"\sigma"),
            "largest_gap": Real(0, symbol="D_{max}"),
        }
    ),
    functions=("mid_training.pruning_error", "mid_training.pruning_error_bound"),
    evidence=(
        Exact("certificate", "slack (sigma - b)(D - eps), and the halved tolerances", _loss_certificate),
        Exact("enumeration", "random loss tables in rationals, and the two-point law", _loss_cells, scope="cells"),
        Simulation(
            "share of trials in which a survivor of elimination loses more than the bound",
            "mid_training.prune_by_count",
            cells=[{"tolerance": 0.05, "failure_rate": 0.1}, {"tolerance": 0.01, "failure_rate": 0.3}],
            parameters=_survivors,
            judge_units=_too_large,
            predict=lambda theory, cell: (0.0, 0.1),
            compare="upper",
            planned_n=4,
            looks=4,
            unit="500 trials",
            cost=0.2,
        ),
    ),
    mutants=(
        Mutant(
            "below eps (1 + sigma)",
            "failures cost up to Dmax, not eps",
            theory=replaced(pruning_error_bound=lambda eps, sigma, gap: eps * (1 + sigma)),
        ),
        Mutant(
            "sigma = eps_tot/Dmax is small enough",
            "the two halves must add up to eps_tot",
            theory=replaced(repaired_tolerances=lambda total, gap: (total, total / gap)),
        ),
        Mutant(
            "at most eps + b Dmax/2",
            "failures may cost Dmax",
            theory=replaced(pruning_error=lambda eps, b, gap: eps + b * gap / 2),
        ),
    ),
    tightness=lambda lab: {
        "ratio": float(lab.theory.mid_training.pruning_error(0.05, 0.0999, 1.0)) / 0.145,
        "interval": [0.1449 / 0.145, 1.0],
        "vacuous": ["sigma Dmax near the value itself"],
        "detail": "two-point losses: .1449 against .1450",
    },
)


def _loss_witness(lab: Lab) -> Iterator[Cell]:
    """Loss 1 just below the rate sigma, eps elsewhere."""
    t = lab.theory.mid_training
    for eps, sigma in (
        (Fraction(1, 20), Fraction(1, 10)),
        (Fraction(1, 100), Fraction(1, 20)),
        (Fraction(1, 5), Fraction(1, 2)),
    ):
        b = sigma - Fraction(1, 10_000)
        yield lab.at_most(
            {"eps": eps, "sigma": sigma, "b": b}, t.pruning_error(eps, b, Fraction(1)), eps, "mean loss against eps"
        )


def _loss_survives(lab: Lab) -> Iterator[Cell]:
    """The same subset on tables of two task types: it is not bad, elimination keeps it, its loss is far above eps."""
    t = lab.theory.mid_training
    eps, sigma = Fraction(1, 20), Fraction(1, 10)
    b = Fraction(9, 100)
    for n in (3, 6):
        alive = sum((p for drawn, p in sequences([b, 1 - b], n) if 0 not in drawn), start=Fraction(0))
        expected = alive * t.pruning_error(eps, b, Fraction(1)) + (1 - alive) * 0
        detail = f"b < sigma = {sigma}, survives with probability {float(alive):.3f}"
        yield lab.at_most({"eps": eps, "b": b, "n": n}, expected / alive, eps, detail)


LOSS_FALSE = Claim(
    id="mid_training.pruning_error_is_eps",
    statement="Once all bad subsets are gone, what is left loses at most eps on average.",
    latex=r"\mathbb{E}\,\Delta(M,\hat B) \le \varepsilon",
    origin="paper",
    source=f"{PAPER}, pruning error",
    kind="upper",
    domain=Domain({"eps": TOLERANCE, "sigma": FAILURE_RATE}),
    evidence=(
        Exact("identity", "two-point losses in rationals", _loss_witness, scope="cells"),
        Exact("enumeration", "the survivor of all sequences of two task types", _loss_survives, scope="cells"),
    ),
    mutants=(
        Mutant(
            "even if failures cost only Dmax/2",
            "b Dmax/2 alone exceeds eps in some of the cells",
            theory=replaced(pruning_error=lambda eps, b, gap: (1 - b) * eps + b * gap / 2),
        ),
        Mutant(
            "at most eps/2",
            "smaller than a bound that already fails",
            theory=replaced(pruning_error=lambda eps, b, gap: 2 * ((1 - b) * eps + b * gap)),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.pruning_error",
)


CLAIMS = (LOSS, LOSS_FALSE)
