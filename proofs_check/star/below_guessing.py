"""Claims about chains with steps below guessing, of negative delta."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain
from proofs_check.samples import Counts
from proofs_check.star._common import (
    BOX,
    DERIVED,
    OTHERS,
    PI,
    STATES,
    STEPS,
    D,
    F,
    M,
    chain_name,
    deltas_of_rows,
    enumerated,
    identity,
    product_of_deltas,
    witness_below_zero,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _below_rows(lab: Lab) -> Iterator[Cell]:
    """Two rounds of all paths from (-1/2, -1/2) over two states: J rises while R falls."""
    now = (F(-1, 2), F(-1, 2))
    before = enumerated(now, 2)
    after_delta = tuple(lab.theory.star.update(list(now), 2))
    rows, maps = before[2], before[4]
    moved = deltas_of_rows(rows, maps)
    after = enumerated(moved, 2)
    yield lab.true(
        chain_name(now, 2),
        moved == after_delta and after[1] >= before[1],
        f"J {before[0]} -> {after[0]}, R {before[1]} -> {after[1]}",
    )
    ends = lab.theory.star.iterate(list(now), 2, 6)[-1]
    reached = lab.theory.star.limit([0.5, 0.5], 2)
    off = max(abs(float(d) - float(g)) for d, g in zip(ends, reached, strict=True))
    yield lab.at_most(chain_name(now, 2), off, 0.01, "distance from the limit of positive deltas after 6 rounds")


BELOW_HARMLESS = Claim(
    id="star.below_guessing_is_harmless",
    statement="Deltas below guessing are harmless: R does not fall and every step ends at the truth, as from above.",
    latex=r"\delta_n \in [-\tfrac{1}{M-1}, 0) \Rightarrow R' \ge R,\ \delta_n \to 1",
    origin="derived",
    source="the statements for non-negative deltas, carried below guessing",
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    expected="fails",
    repaired_by="star.right_share_never_falls",
    evidence=(
        Exact("enumeration", "M = 2 from (-1/2, -1/2), all paths", _below_rows, scope="cells"),
        Simulation(
            "runs from (-1/2, -1/2) that end with every step right",
            "star.simulate",
            cells=({"n_states": 2, "delta": (-0.5, -0.5)},),
            parameters=lambda cell: {**cell, "n_trajectories": 400, "n_rounds": 8},
            extract=lambda data, cell: Counts(int((data["final_class"].values == 0).sum()), data.sizes["replicate"]),
            predict=lambda t, cell: (float(min(t.star.limit([0.5, 0.5], 2))) - 0.1, 1.0),
            compare="lower",
            resolution=0.05,
            planned_n=128,
            looks=1,
            cost=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "they end half way",
            "both steps end swapped, at -1",
            theory={"star.limit": lambda delta, n_states: np.full(len(delta), 0.5)},
        ),
        Mutant(
            "they end nine tenths of the way",
            "both steps end swapped, at -1",
            theory={"star.limit": lambda delta, n_states: np.full(len(delta), 0.9)},
        ),
    ),
)


def _negative_pair_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    a, b, _, _ = OTHERS
    where = {"n_steps": 2, "n_states": "any"}
    first, second = t.update([a, b], M)
    yield identity(lab, where, t.odds(first, M), t.odds(second, M), "one round makes the odds of both steps equal")
    twice = t.update([D, D], M)[0]
    yield identity(lab, where, t.odds(twice, M), t.odds(D, M) ** 2, "then every round squares them")
    below = -PI / (M - 1)  # a delta between -1/(M-1) and 0
    proof = Proof()
    proof.positive("below guessing the odds are below 1", 1 - t.odds(below, M), BOX)
    proof.nonnegative("and not negative", t.odds(below, M), BOX)
    yield from proof.cells(where, witness_below_zero([1 - t.odds(below, M)]))
    yield identity(lab, where, t.from_odds(sp.Integer(0), M), -1 / (M - 1), "odds 0 are delta = -1/(M-1)")
    end = t.accuracy([-1 / (M - 1)] * 2, M)
    yield identity(lab, where, end, 1 / (M - 1), "and J = 1/(M-1) there")


def _negative_pair_cells(lab: Lab) -> Iterator[Cell]:
    for n_states, start in ((3, (F(-1, 4), F(-1, 3))), (4, (F(-1, 5), F(-1, 6)))):
        now = start
        for _ in range(9):
            _, _, rows, _, maps = enumerated(now, n_states)
            now = deltas_of_rows(rows, maps)
        wanted = lab.theory.star.accuracy([F(-1, n_states - 1)] * 2, n_states)
        found = enumerated(now, n_states)[0]
        # After nine squarings the odds are below (1/2)^500: the distance is far below the tolerance.
        yield lab.close(chain_name(start, n_states), float(found), float(wanted), 1e-9, "J after nine rounds")


NEGATIVE_PAIR = Claim(
    id="star.two_negative_steps",
    statement="Two steps below guessing over M >= 3 states end at -1/(M-1), never right, with J at 1/(M-1).",
    latex=r"N = 2,\ \delta_1, \delta_2 < 0,\ M \ge 3 \Rightarrow \delta_n \to \frac{-1}{M-1},\ J \to \frac{1}{M-1}",
    origin="derived",
    source=DERIVED,
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    evidence=(
        Exact("identity", "odds are equal after one round and squared from then on", _negative_pair_identity),
        Exact("enumeration", "nine rounds of all paths", _negative_pair_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "J ends at 1/M",
            "never being right twice is better than guessing: one wrong answer in M-1 is the right one",
            theory={
                "star.accuracy": lambda delta, n_states: (
                    product_of_deltas(delta, n_states) * 0 + 1 / sp.Integer(1) / n_states
                )
            },
        ),
        Mutant(
            "J ends at 1/(M-1)^2",
            "the product of two negative deltas is positive",
            theory={"star.accuracy": lambda delta, n_states: product_of_deltas(delta, n_states)},
        ),
    ),
)


CLAIMS = (BELOW_HARMLESS, NEGATIVE_PAIR)
