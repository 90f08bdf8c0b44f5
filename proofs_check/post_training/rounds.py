"""Claims about how many rounds make greedy decoding right, and how the answers lengthen meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof, is_zero
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain
from proofs_check.post_training._common import (
    LENGTH,
    P_0,
    PAPER,
    ROUNDS,
    STAR_CELLS,
    P,
    closed_forms,
    kept_long_counts,
    one_round,
    point,
    rate_leg,
    rounds_ahead,
    star_parameters,
)
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


# ---------------------------------------------------------------- rounds to generalise


def _rounds_identity(lab: Lab) -> list[Cell]:
    """p_n - 1/3 has the sign of 2^(n+1) p - (1-p), whatever 2^n is."""
    t = lab.theory.post_training
    proof = Proof()
    m = sp.Symbol("m", positive=True)
    q = m * P / (m * P + 1 - P)
    proof.identity(
        "p_n - 1/3 = (2 m p - (1-p))/(3 (m p + 1 - p))",
        q - sp.Rational(1, 3),
        (2 * m * P - (1 - P)) / (3 * (m * P + 1 - P)),
    )
    proof.positive("the denominator is positive", m * P + 1 - P, {P: (0, 1), m: (0, sp.oo)})
    for p in point():
        n = t.rounds_to_generalise(p)
        least = 2 ** (n + 1) * p >= 1 - p and (n == 0 or 2**n * p < 1 - p)
        proof.step(f"least at p_0 = {p}", least)

    def witness() -> dict[str, Any] | None:
        for p in point():
            n = t.rounds_to_generalise(p)
            if not (2 ** (n + 1) * p >= 1 - p and (n <= 0 or 2**n * p < 1 - p)):
                return {"p_0": str(p), "n": str(n)}
        return None

    return proof.cells({"p_0": "(0, 1)"}, witness)


def _rounds_cells(lab: Lab) -> Iterator[Cell]:
    """Count the rounds by iterating the filter, in rationals, until greedy decoding is right."""
    t, mixture = lab.theory.post_training, lab.theory.parity_mixture
    for p in point():
        q, n = p, 0
        while mixture.greedy_accuracy(q) < 1:
            q, n = 2 * q / (1 + q), n + 1
        yield lab.equal({"p_0": p}, n, t.rounds_to_generalise(p))


def _late_or_early(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs not right on 95 % of prompts one round after the predicted one, or right on 75 % two rounds before it."""
    n = theory.post_training.rounds_to_generalise(cell["p_0"])
    accuracy = data["greedy_accuracy"].values
    last = accuracy.shape[1] - 1
    before = accuracy[:, min(max(n - 2, 0), last)]
    after = accuracy[:, min(n + 1, last)]
    return np.asarray((after < 0.95) | (before > 0.75))


def _passes_elsewhere(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """200 long answers in round 1 leave ln odds with variance (1/200)(1 + 1/2 + 1/4 + ...) = 1/100, against ln 2."""
    n = theory.post_training.rounds_to_generalise(cell["p_0"])
    shares = data["long_fraction"].values
    passed = shares >= 1 / 3
    first = np.where(passed.any(axis=1), passed.argmax(axis=1), 10**6)
    return np.asarray(np.abs(first - n) > 1)


GENERALISE = Claim(
    id="post_training.rounds_to_generalise",
    statement=(
        "Greedy decoding is right on every prompt from the least n with 2^n >= (1-p_0)/(2 p_0) on, ties included. In "
        "at least 90 % of runs trained models are right on 95 % of the prompts one round later, and on no more than 75 "
        "% two rounds before."
    ),
    latex=r"n^* = \min\left\{n \ge 0 : 2^n \ge \frac{1-p_0}{2p_0}\right\}",
    origin="derived",
    source=f"p_n >= 1/3; {PAPER}, Theorem 2, gives the order log((1-p_0)/p_0)",
    kind="threshold",
    domain=Domain({"p_0": P_0}),
    functions=("post_training.rounds_to_generalise",),
    evidence=(
        Exact("certificate", "sign of p_n - 1/3, and leastness on both sides of six ties", _rounds_identity, cost=0.3),
        Exact("enumeration", "rounds counted by iteration", _rounds_cells, scope="cells"),
        rate_leg(
            "runs that generalise elsewhere", "post_training.star", STAR_CELLS, star_parameters, _late_or_early, 0.1
        ),
        rate_leg(
            "runs of sampled shares that pass 1/3 in another round than n*, the one before or the one after",
            "post_training.refit_shares",
            {
                "quick": [{"p_0": 0.01, "n_samples": 20_000}],
                "full": [{"p_0": 10.0**-k, "n_samples": 200 * 10**k} for k in (2, 3, 4)],
            },
            lambda cell: {"p_0": cell["p_0"], "n_samples": cell["n_samples"], "n_rounds": 18},
            _passes_elsewhere,
            0.2,
        ),
    ),
    mutants=(
        Mutant(
            "one round more is needed",
            "at p_0 = 1/5 the share after one round is exactly 1/3",
            theory={"post_training.rounds_to_generalise": lambda p: closed_forms().rounds_to_generalise(p) + 1},
        ),
        Mutant(
            "the odds must reach 8",
            "greedy decoding goes on from odds 1/2",
            theory={"post_training.rounds_to_generalise": lambda p: closed_forms().rounds_to_generalise(p) + 4},
        ),
        Mutant(
            "half as many rounds suffice",
            "at p_0 = 1/65 five rounds are needed",
            theory={"post_training.rounds_to_generalise": lambda p: closed_forms().rounds_to_generalise(p) // 2},
        ),
    ),
    remarks=(
        "One round is ln 2 of ln c. At the round itself, which may be a tie, a prompt's logit is spread by about "
        "sqrt(12 d/T), so trained models are judged a round to either side, where ln 2 is three such widths or more."
    ),
)

# ---------------------------------------------------------------- lengths


def _length_identity(lab: Lab) -> Iterator[Cell]:
    t, mixture = lab.theory.post_training, lab.theory.parity_mixture
    d = sp.Symbol("d", integer=True, positive=True)
    for n in range(4):
        gap = t.expected_length(d, P, n) - mixture.expected_length(d, 2**n * P / (2**n * P + 1 - P))
        yield lab.true({"n_rounds": n}, is_zero(gap), "length of a calibrated model at the share of round n")


def _growth(data: Any, cell: Mapping[str, Any]) -> Counts:
    """Kept long answers: the mean length of what the next model is trained on is 1 + (d-1) times their share."""
    return kept_long_counts(data, cell)


def _longer(data: Any, cell: Mapping[str, Any], theory: Any) -> np.ndarray:
    """Runs with a round whose mean length is not what the closed form makes of the model before it."""
    t, d = theory.post_training, cell["d"]
    before = data["long_fraction"].values[:, :-1]
    seen = data["length"].values[:, 1:]
    ahead = rounds_ahead(data, cell, 2.0)
    shares = np.array([[a.long_share for a in run] for run in ahead])
    margin = np.array([[a.long_share_margin for a in run] for run in ahead])
    # The closed form takes a calibrated model at share p to length 1 + (d-1) p_1; what ridge, the chain and lost
    # calibration change is known from the model before, and added.
    share = np.clip(before, 1e-9, 1 - 1e-9)
    law = np.array([[float(t.expected_length(d, float(p), 1)) for p in run] for run in share])
    exact = 1 + (d - 1) * 2 * share / (1 + share)
    expected = law + (1 + (d - 1) * shares - exact)
    return np.asarray((np.abs(seen - expected) > (d - 1) * margin).any(axis=1))


LENGTHS = Claim(
    id="post_training.length_growth",
    statement=(
        "Sampled answers have 1 + (d-1) p_n tokens on average after n rounds, growing from round to round up to d."
    ),
    latex=r"\mathbb{E}\,|y|_n = 1 + (d-1)\,p_n",
    origin="derived",
    source="a long answer has d tokens, a short one 1",
    kind="exact",
    domain=Domain({"d": LENGTH, "p_0": P_0, "n_rounds": ROUNDS}),
    functions=("post_training.expected_length",),
    evidence=(
        Exact("identity", "the mixture's mean length at the share of round n", _length_identity),
        Simulation(
            "share of kept long answers, as a length",
            "post_training.star",
            cells=[{"d": d, "p_0": p} for d in (5, 20) for p in (0.1, 0.3)],
            parameters=one_round,
            extract=_growth,
            predict=lambda theory, cell: (
                (theory.post_training.expected_length(cell["d"], cell["p_0"], 1) - 1) / (cell["d"] - 1)
            ),
            resolution=0.03,
            planned_n=8,
            unit="block of 4096 answer",
            cost=0.2,
        ),
        rate_leg("runs whose lengths leave the path", "post_training.star", STAR_CELLS, star_parameters, _longer, 0.1),
    ),
    mutants=(
        Mutant(
            "the length doubles each round",
            "only the odds do",
            theory={"post_training.expected_length": lambda d, p, n: (1 + (d - 1) * p) * 2**n},
        ),
        Mutant(
            "the length is 1 + (d-1) p_(n+1)",
            "at n = 0 it is that of the start",
            theory={"post_training.expected_length": lambda d, p, n: closed_forms().expected_length(d, p, n + 1)},
        ),
        Mutant(
            "the length stays",
            "kept answers are longer than drawn ones",
            theory={"post_training.expected_length": lambda d, p, n: 1 + (d - 1) * p},
        ),
    ),
)

CLAIMS = (GENERALISE, LENGTHS)
