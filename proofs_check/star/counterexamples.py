"""Claims that fail for arbitrary tables, each with exact tables that refute it, and one conjecture for two steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.samples import Counts
from proofs_check.star._common import (
    STATES,
    STEPS,
    F,
    law_of_paths,
    random_tables,
    refit_of_paths,
    symmetric_tables,
    theory,
)
from proofs_check.star.tables import ends_right, exact_array
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _ends_below(name: str, rounds: int) -> Callable[[Lab], Iterator[Cell]]:
    def run(lab: Lab) -> Iterator[Cell]:
        tables = lab.theory.star.witness(name)
        now, shown = tables.tolist(), []
        for _ in range(2):  # two rounds in rationals by all paths
            law = law_of_paths(now, ends_right)
            shown.append(sum(law.values()))
            now = refit_of_paths(now, law)
        ends = np.array(now, dtype=float)
        for _ in range(rounds):
            ends = theory().refit(ends)
        reached = float(theory().expected_reward(ends))
        where = {"n_states": len(tables[0]), "n_steps": len(tables)}
        first = ", ".join(f"{float(j):.4f}" for j in shown)
        yield lab.true(where, reached > 0.99, f"J {first}, ... -> {reached:.6f} after {rounds} rounds")

    return run


def _float_tables(name: str) -> tuple[Any, ...]:
    return tuple(tuple(tuple(float(x) for x in row) for row in table) for table in theory().witness(name))


def _run_leg(name: str, rounds: int) -> Simulation:
    tables = _float_tables(name)
    return Simulation(
        "runs of 2000 trajectories a round that end above J = .9",
        "star.simulate_tables",
        cells=({"n_states": len(tables[0]), "n_steps": len(tables)},),
        parameters=lambda cell: {"tables": tables, "n_trajectories": 2000, "n_rounds": rounds},
        extract=lambda data, cell: Counts(int((data["accuracy"].values[:, -1] > 0.9).sum()), data.sizes["replicate"]),
        predict=lambda t, cell: (0.9 * float(max(t.star.limit([0.5, 0.5], 3))), 1.0),
        compare="lower",
        resolution=0.05,
        planned_n=96,
        looks=1,
        cost=0.5,
    )


def _moved(name: str, step: int, row: int, change: Fraction) -> dict[str, Any]:
    """The witness with a little probability moved between two entries of one row."""

    def witness(asked: str) -> Any:
        tables = theory().witness(asked).copy()
        tables[step, row, 0] += change
        tables[step, row, 2] -= change
        return tables

    return {"star.witness": witness}


def _stops(
    ident: str, statement: str, latex: str, name: str, rounds: int, sample_rounds: int, repaired: str, remarks: str
) -> Claim:
    return Claim(
        id=ident,
        statement=statement,
        latex=latex,
        origin="derived",
        source="the symmetric family, carried to arbitrary tables",
        kind="property",
        domain=Domain({"n_steps": STEPS, "n_states": STATES}),
        expected="fails",
        repaired_by=repaired,
        evidence=(
            Exact("enumeration", "rational tables that stop below 1", _ends_below(name, rounds), scope="cells"),
            _run_leg(name, sample_rounds),
        ),
        mutants=(
            Mutant(
                "the same with 1/1000 moved in the first row",
                "the end is stable, and so is which end is reached",
                theory=_moved(name, 0, 0, F(1, 1000)),
            ),
            Mutant(
                "the same with 1/1000 moved in the last row",
                "the end is stable, and so is which end is reached",
                theory=_moved(name, -1, 1, F(-1, 1000)),
            ),
        ),
        remarks=remarks,
    )


OPTIMUM = _stops(
    "star.full_support_reaches_one",
    "Tables with full support always reach J = 1 (M >= 3).",
    r"T_n > 0 \Rightarrow J_t \to 1",
    "local_optimum",
    60,
    12,
    "star.refit_never_lowers_reward",
    "Two starts share a middle state: J rises from .363 to 2/3 and stays there.",
)
MODES = _stops(
    "star.strict_modes_reach_one",
    "If every right transition is the strict mode of its row, J goes to 1, for every N.",
    r"T_n(s|s) > \max_{t \ne s} T_n(t|s) \Rightarrow J_t \to 1",
    "strict_modes_stop",
    400,
    40,
    "star.convergence",
    "At N = 4 the tables end at J = 2/3; in the symmetric family the condition is enough.",
)


def _share_of(tables: Any) -> Any:
    law = law_of_paths(tables, ends_right)
    return sum(w for path, w in law.items() if len(set(path)) == 1) / sum(law.values())


def _share_falls(lab: Lab) -> Iterator[Cell]:
    tables = lab.theory.star.witness("right_share_falls").tolist()
    rows = refit_of_paths(tables, law_of_paths(tables, ends_right))
    before, after = _share_of(tables), _share_of(rows)
    where = {"n_states": 3, "n_steps": len(tables)}
    yield lab.true(where, after >= before, f"R {float(before):.6f} -> {float(after):.6f}, exact")


def _share_falls_shipped(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    tables = t.witness("right_share_falls")
    before, after = t.tables_right_path_share(tables), t.tables_right_path_share(t.refit(tables))
    where = {"n_states": 3, "n_steps": len(tables)}
    yield lab.true(where, after >= before, f"R {float(before):.6f} -> {float(after):.6f} by transition weights")


SHARE_FALLS = Claim(
    id="star.right_share_never_falls_in_general",
    statement="The share of right paths never falls under strict modes, whatever the tables.",
    latex=r"T_n(s|s) > \max_{t \ne s} T_n(t|s) \Rightarrow R' \ge R",
    origin="derived",
    source="the symmetric family, carried to arbitrary tables",
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    expected="fails",
    repaired_by="star.right_share_never_falls",
    evidence=(
        Exact(
            "enumeration", "R before and after a round, all paths in rationals", _share_falls, scope="cells", cost=0.2
        ),
        Exact("enumeration", "the same from products of tables", _share_falls_shipped, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the same with 1/1000 moved in the first row",
            "R falls in a neighbourhood",
            theory=_moved("right_share_falls", 0, 0, F(1, 1000)),
        ),
        Mutant(
            "the same with 1/1000 moved in the last row",
            "R falls in a neighbourhood",
            theory=_moved("right_share_falls", -1, 1, F(-1, 1000)),
        ),
    ),
)


def _merge_exact(lab: Lab) -> Iterator[Cell]:
    """f_1 = id, f_2 = (0, 0, 2): wrong middle states with the right image are kept for ever."""
    t = lab.theory.star
    maps = np.array([[0, 1, 2], [0, 0, 2]])
    reward = np.zeros((3, 3), dtype=int)
    reward[[0, 1, 2], [0, 0, 2]] = 1
    tables = np.asarray(t.tables_from_maps([0.2, 0.2], maps), dtype=float)
    for _ in range(60):
        tables = t.refit(tables, reward=reward.astype(float))
    right = float(t.expected_reward(tables, reward=reward.astype(float)))
    share = float(t.tables_right_path_share(tables, maps=maps))
    where = {"n_states": 3, "n_steps": 2}
    yield lab.true(where, share > 0.99, f"J -> {right:.6f}, R -> {share:.6f}, row {tables[0, 0].round(3).tolist()}")


def _merge_invariant(lab: Lab) -> Iterator[Cell]:
    """The odds of the two middle states with one image never change: their evidence is the same."""
    maps = ((0, 1, 2), (0, 0, 2))
    now = symmetric_tables((F(1, 5), F(1, 5)), 3, maps)
    first = now[0][0][0] / now[0][0][1]
    goal = (0, 0, 2)
    for _ in range(2):
        law = law_of_paths(now, lambda path: int(path[-1] == goal[path[0]]))
        now = refit_of_paths(now, law)
    odds = now[0][0][0] / now[0][0][1]
    limit = lab.theory.star.limit([F(1, 5), F(1, 5)], 3)
    learned = odds > first and float(max(limit)) > 0
    yield lab.true({"n_states": 3, "n_steps": 2}, learned, f"odds right : wrong with one image {first} -> {odds}")


MERGING = Claim(
    id="star.maps_that_merge_are_learned",
    statement="Where J goes to 1, R does too, also when steps merge states.",
    latex=r"J_t \to 1 \Rightarrow R_t \to 1",
    origin="derived",
    source="the bijective case, carried to maps",
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    expected="fails",
    repaired_by="star.convergence",
    evidence=(
        Exact("enumeration", "sixty rounds around a map that merges two states", _merge_exact, scope="cells"),
        Exact("enumeration", "odds between states of one image, in rationals", _merge_invariant, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the same with deltas of 1/2 at the start",
            "the odds between two states of one image never change",
            theory={"star.tables_from_maps": lambda delta, maps: theory().tables_from_maps([0.5, 0.5], maps)},
        ),
        Mutant(
            "the same with deltas of 1/3 at the start",
            "the odds between two states of one image never change",
            theory={"star.tables_from_maps": lambda delta, maps: theory().tables_from_maps([0.3, 0.3], maps)},
        ),
    ),
)


def _strict_pairs(profile: str) -> list[int]:
    return list(range(40 if profile == "quick" else 4000))


def _strict_modes_two(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for n_states in (2, 3, 4):
        failed = 0
        generator = np.random.default_rng(n_states)
        trials = len(_strict_pairs(lab.profile))
        for _ in range(trials):
            tables = generator.dirichlet(np.ones(n_states), size=(2, n_states))
            for n in range(2):
                for s in range(n_states):
                    k = int(tables[n, s].argmax())
                    tables[n, s, [s, k]] = tables[n, s, [k, s]]
            weights = t.two_step_weights(tables)
            for _ in range(60):
                weights = np.where(weights > 1e-200, weights, 0.0)
                weights = t.two_step_weights_update(weights)
            failed += bool(abs(np.diagonal(weights) - 1).max() > 1e-6)
        yield lab.equal({"n_states": n_states, "n_steps": 2}, failed, 0, f"of {trials} tables that do not end right")


def _strict_heaviest(lab: Lab) -> Iterator[Cell]:
    """Under strict modes the identity is the heaviest permutation: every log-ratio is negative and doubles."""
    from itertools import permutations

    for index in range(6):
        tables = random_tables(2, 3, 500 + index)
        for table in tables:
            for s, row in enumerate(table):
                row[s] = max(row) + F(1, 7)
                table[s] = [x / sum(row) for x in row]
        weights = lab.theory.star.two_step_weights(exact_array(tables))
        identity_weight = math.prod(weights[i, i] for i in range(3))
        others = [math.prod(weights[i, s[i]] for i in range(3)) for s in permutations(range(3)) if s != (0, 1, 2)]
        where = {"n_states": 3, "n_steps": 2, "instance": index}
        yield lab.true(where, max(others) < identity_weight, "the identity is strictly the heaviest permutation")


STRICT_TWO = Claim(
    id="star.strict_modes_suffice_for_two_steps",
    statement="With N = 2, if every right transition is the strict mode of its row, J goes to 1 with right steps.",
    latex=r"N = 2,\ T_n(s|s) > \max_{t \ne s} T_n(t|s) \Rightarrow J_t \to 1",
    origin="conjecture",
    source="the identity is the heaviest permutation and its lead doubles; that the masses follow is not proved",
    kind="property",
    domain=Domain({"n_steps": Integer(2, 2), "n_states": STATES}),
    evidence=(
        Exact("enumeration", "random tables, iterated masses", _strict_modes_two, scope="cells", cost=0.6),
        Exact("enumeration", "the identity is the heaviest permutation, rationals", _strict_heaviest, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the same without the square in the masses' map",
            "then masses are only balanced and nothing is selected",
            theory={
                "star.two_step_weights_update": lambda weights: (
                    weights / np.maximum(weights.sum(axis=1)[:, None], 1e-300)
                )
            },
        ),
        Mutant(
            "the same for masses T_1(i,j) T_2(i,j)",
            "a kept path returns from the middle state to its start",
            theory={"star.two_step_weights": lambda tables: np.asarray(tables)[0, ::-1] * np.asarray(tables)[1]},
        ),
    ),
    remarks="4000 random tables for each M = 2, 3, 4 in the full profile; none failed.",
)


CLAIMS = (OPTIMUM, MODES, SHARE_FALLS, MERGING, STRICT_TWO)
