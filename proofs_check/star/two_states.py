"""Claims about whole runs of two steps over two states, whose exact law is that of a finite chain."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.samples import Counts
from proofs_check.star._common import DERIVED, F, theory
from proofs_check.star.sampled_rounds import SAMPLED
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _literal_chain(delta: Fraction, count: int) -> dict[tuple[Fraction, ...], Fraction]:
    """Law after one round from every ordered sample of paths, kept or not."""
    from proofs_check.star._common import law_of_paths, symmetric_tables

    tables = symmetric_tables((delta, delta), 2)
    paths = law_of_paths(tables, lambda _: 1)
    law: dict[tuple[Fraction, ...], Fraction] = defaultdict(Fraction)
    for drawn in itertools.product(paths, repeat=count):
        chance = math.prod(paths[path] for path in drawn)
        kept = [path for path in drawn if path[0] == path[-1]]
        found = []
        for n in range(2):
            for s in range(2):
                seen = [path[n + 1] for path in kept if path[n] == s]
                found.append(F(seen.count(s), len(seen)) if seen else tables[n][s][s])
        law[tuple(found)] += chance
    return law


@lru_cache(maxsize=8)
def _literal(delta: Fraction, count: int) -> Mapping[tuple[Fraction, ...], Fraction]:
    return dict(_literal_chain(delta, count))


def _round_law_cells(lab: Lab) -> Iterator[Cell]:
    for delta, count in ((F(1, 2), 2), (F(1, 2), 3), (F(0), 3)):
        right = (1 + delta) / 2
        law = lab.theory.star.sampled_round([right] * 4, count)
        where = {"delta": str(delta), "n_states": 2, "n_steps": 2, "K": count}
        yield lab.true(where, dict(law) == dict(_literal(delta, count)), f"law over {len(law)} tables, exactly")
    for count, states in ((2, 19), (4, 160)):
        chain = lab.theory.star.sampled_chain(F(1, 2), count)
        where = {"delta": "1/2", "n_states": 2, "n_steps": 2, "K": count}
        yield lab.equal(where, len(chain.states), states, "reachable tables")


def _ends(kind: str) -> Any:
    def extract(data: Any, cell: Mapping[str, Any]) -> Counts:
        final, right = data["final_class"].values, data["step_right"].values[:, -1, :]
        hit = {"right": final == 0, "swapped": (right == 0).all(axis=1), "stuck": data["accuracy"].values[:, -1] == 0.5}
        return Counts(int(hit[kind].sum()), data.sizes["replicate"])

    return extract


@lru_cache(maxsize=32)
def _summary(chain: Any, delta: Fraction, count: int) -> dict[str, float]:
    return dict(chain(delta, count).summary())


def _chain_leg(kind: str) -> Simulation:
    return Simulation(
        f"runs of 60 rounds that end {kind}",
        "star.simulate",
        cells=({"n_states": 2, "delta": (0.5, 0.5), "K": 4}, {"n_states": 2, "delta": (0.0, 0.0), "K": 4}),
        parameters=lambda cell: {"n_states": 2, "delta": cell["delta"], "n_trajectories": cell["K"], "n_rounds": 60},
        extract=_ends(kind),
        predict=lambda t, cell: _summary(t.star.sampled_chain, Fraction(cell["delta"][0]), cell["K"])[kind],
        resolution=0.05,
        planned_n=8000,
        looks=3,
        cost=0.3,
    )


@lru_cache(maxsize=16)
def _other_chain(delta: Fraction, count: int, shift: int, factor: Fraction) -> Any:
    return theory().sampled_chain(delta * factor, max(1, count + shift))


CHAIN_LAW = Claim(
    id="star.exact_chain_of_two_states",
    statement=(
        "At M = N = 2 runs of K trajectories a round form a finite chain of tables; they end all right, both steps "
        "swapped, or stuck at J = 1/2, with exact chances. From guessing, right and swapped are equally likely: rising "
        "J alone is no evidence of right reasoning."
    ),
    latex=r"K = 4,\ \delta_0 = \tfrac12:\ (.8262, .0223, .1515); \qquad "
    r"\delta_0 = 0:\ P(\text{right}) = P(\text{swapped}) = .3186",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=SAMPLED,
    evidence=(
        Exact("enumeration", "every ordered sample of paths, one round", _round_law_cells, scope="cells", cost=0.3),
        _chain_leg("right"),
        _chain_leg("swapped"),
        _chain_leg("stuck"),
    ),
    mutants=(
        Mutant(
            "the chain is that of two trajectories fewer",
            "fewer samples lose more",
            theory={
                "star.sampled_round": lambda tables, count: theory().sampled_round(tables, max(1, count - 1)),
                "star.sampled_chain": lambda delta, count: _other_chain(delta, count, -2, F(1)),
            },
        ),
        Mutant(
            "the chain is that of one trajectory",
            "a single kept path fixes its rows for ever",
            theory={
                "star.sampled_round": lambda tables, count: theory().sampled_round(tables, 1),
                "star.sampled_chain": lambda delta, count: _other_chain(delta, count, -3, F(1)),
            },
        ),
        Mutant(
            "the start is a quarter of the stated delta below guessing",
            "then steps end swapped more often than right",
            theory={"star.sampled_chain": lambda delta, count: _other_chain(delta, count, 0, F(-1, 4))},
        ),
    ),
    remarks="Sixty rounds leave runs that still move with a chance far below the resolution of .05.",
)


CLAIMS = (CHAIN_LAW,)
