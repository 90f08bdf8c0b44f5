"""Claims about chains with structure: two states, two steps, and steps that merge states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Integer
from proofs_check.star._common import (
    DERIVED,
    STATES,
    STEPS,
    F,
    identity,
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


def _two_state_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    names = sp.symbols("x0:6", positive=True)
    for n_steps in (1, 2, 3):
        tables = np.empty((n_steps, 2, 2), dtype=object)
        for n in range(n_steps):
            x, y = names[2 * n], names[2 * n + 1]
            tables[n] = [[x, 1 - x], [1 - y, y]]
        stated = (1 + sp.prod(t.two_state_agreements(tables))) / 2
        yield identity(lab, {"n_states": 2, "n_steps": n_steps}, t.expected_reward(tables), stated, "J = (1+prod)/2")


def _two_state_ends(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for index in range(12):
        n_steps = 2 + index % 3
        tables = np.array(random_tables(n_steps, 2, 300 + index, largest=9), dtype=float)
        if np.prod(tables[:, 0, 0] + tables[:, 1, 1] - 1) <= 0.002:
            continue
        ends = np.asarray(t.two_state_limit(tables))
        for _ in range(400):
            tables = theory().refit(tables)
        wanted = np.where(ends, 1.0, 0.0)
        off = float(np.abs(tables[:, 0, 0] - wanted).max() + np.abs(tables[:, 1, 1] - wanted).max())
        where = {"n_states": 2, "n_steps": n_steps, "instance": index}
        yield lab.at_most(where, off, 1e-6, "distance from the stated end after 400 rounds")


TWO_STATES = Claim(
    id="star.two_states_sign_rule",
    statement=(
        "Over two states J = (1 + prod lambda_n)/2, lambda_n the two right probabilities less 1; where the product is "
        "positive, steps with positive lambda end right, the others swapped, and J goes to 1."
    ),
    latex=r"J = \frac{1 + \prod_n \lambda_n}{2}, \qquad \lambda_n = T_n(0,0) + T_n(1,1) - 1",
    origin="derived",
    source=DERIVED,
    kind="property",
    domain=Domain({"n_steps": Integer(1), "n_states": Integer(2, 2)}),
    evidence=(
        Exact("identity", "J in symbols for N = 1, 2, 3", _two_state_identity, scope="cells"),
        Exact("enumeration", "limits of random tables", _two_state_ends, scope="cells"),
    ),
    mutants=(
        Mutant(
            "lambda_n is the mean of the two right probabilities",
            "guessing must give 0",
            theory={"star.two_state_agreements": lambda tables: (tables[:, 0, 0] + tables[:, 1, 1]) / 2},
        ),
        Mutant(
            "every step ends right",
            "an even number may end swapped",
            theory={"star.two_state_limit": lambda tables: np.ones(len(tables), dtype=bool)},
        ),
    ),
)


def _symbolic_pair(n_states: int) -> np.ndarray:
    entries = iter(sp.symbols(f"x0:{2 * n_states * (n_states - 1)}", positive=True))
    tables = np.empty((2, n_states, n_states), dtype=object)
    for n in range(2):
        for s in range(n_states):
            row = [next(entries) for _ in range(n_states - 1)]
            tables[n, s] = [*row, 1 - sum(row)]
    return tables


def _doubling_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    tables = _symbolic_pair(2)
    moved = t.two_step_weights(t.refit(tables))
    stated = t.two_step_weights_update(t.two_step_weights(tables))
    for i, j in np.ndindex(2, 2):
        where = {"n_states": 2, "n_steps": 2, "entry": f"{i}{j}"}
        yield identity(lab, where, moved[i, j], stated[i, j], "X' = X^2/(row sum x column sum)")
    for n_states in (2, 3):
        free = np.array(sp.symbols(f"y0:{n_states**2}", positive=True), dtype=object).reshape(n_states, n_states)
        after = t.two_step_weights_update(free)
        order = [*range(1, n_states), 0]
        before = sp.prod(free[i, k] for i, k in enumerate(order)) / sp.prod(np.diagonal(free))
        later = sp.prod(after[i, k] for i, k in enumerate(order)) / sp.prod(np.diagonal(after))
        where = {"n_states": n_states, "n_steps": 2}
        yield identity(lab, where, later, before**2, "a permutation against the identity: squared each round")


def _doubling_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for index in range(4):
        tables = random_tables(2, 3, 400 + index)
        rows = refit_of_paths(tables, law_of_paths(tables, ends_right))
        old, new = ([[x[0][i][j] * x[1][j][i] for j in range(3)] for i in range(3)] for x in (tables, rows))
        where = {"n_states": 3, "n_steps": 2, "instance": index}
        found = t.two_step_weights_update(t.two_step_weights(exact_array(tables))).tolist()
        yield lab.true(where, found == new, "weights of all paths after a round")
        ratio = t.two_step_log_ratio(exact_array([new])[0], [1, 2, 0]) / t.two_step_log_ratio(
            exact_array([old])[0], [1, 2, 0]
        )
        # Two logarithms of order 1 with a few roundings, divided.
        yield lab.close(where, float(ratio), 2.0, 1e-11, "log-ratio after over before")


DOUBLING = Claim(
    id="star.two_steps_double_every_log_ratio",
    statement=(
        "With N = 2 the kept masses X_ij = T_1(i,j) T_2(j,i) obey X' = X^2/(row sum x column sum), so the log-weight "
        "of every permutation against the identity doubles each round; for equal deltas L_t = 2^t L_0."
    ),
    latex=r"X_{ij}' = \frac{X_{ij}^2}{\sum_k X_{ik} \sum_k X_{kj}}, \qquad L_t = 2^t L_0",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=Domain({"n_steps": Integer(2, 2), "n_states": STATES}),
    evidence=(
        Exact("identity", "tables and weights in symbols", _doubling_identity, cost=0.4),
        Exact("enumeration", "weights of all paths", _doubling_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "X' = X^2/J",
            "rows are normalised one by one",
            theory={
                "star.two_step_weights_update": lambda weights: (
                    np.asarray(weights) ** 2 / np.add.reduce(np.asarray(weights), axis=None)
                )
            },
        ),
        Mutant(
            "X' = X^3/(row sum x column sum)^2",
            "that would treble log-ratios",
            theory={
                "star.two_step_weights_update": lambda weights: (
                    theory().two_step_weights_update(weights)
                    * theory().two_step_weights_update(weights)
                    / np.asarray(weights)
                )
            },
        ),
    ),
)


def _answers(goal: list[int]) -> Callable[[tuple[int, ...]], int]:
    return lambda path: int(path[-1] == goal[path[0]])


def _maps_cells(lab: Lab) -> Iterator[Cell]:
    for maps, delta in (
        (((0, 1, 2), (0, 0, 2)), (F(1, 5), F(1, 5))),
        (((1, 1, 1), (2, 0, 0), (0, 1, 1)), (F(1, 3), F(1, 2), F(3, 4))),
        (((1, 0), (0, 0), (1, 1)), (F(0), F(1, 2), F(1))),
    ):
        n_states = len(maps[0])

        def image(start: int, chosen: Any = maps) -> int:
            here = start
            for row in chosen:
                here = row[here]
            return here

        tables = symmetric_tables(delta, n_states, maps)
        answers = [image(s) for s in range(n_states)]
        law = law_of_paths(tables, _answers(answers))
        where = {"n_states": n_states, "n_steps": len(maps), "maps": str(maps)}
        yield lab.equal(where, sum(law.values()), lab.theory.star.map_accuracy(list(delta), maps))


def _maps_identity(lab: Lab) -> Iterator[Cell]:
    a, b = sp.symbols("a b", positive=True)
    maps = [[0, 1, 2], [0, 0, 2]]
    chance = lab.theory.star.collision_probabilities(maps)
    # Follow the last step that guesses: none, the first, or the second.
    stated = a * b + (1 - a) * b * sp.Rational(str(chance[0])) + (1 - b) * sp.Rational(str(chance[1]))
    found = sp.sympify(lab.theory.star.map_accuracy([a, b], maps))
    where = {"n_states": 3, "n_steps": 2}
    yield identity(lab, where, sp.nsimplify(found), stated, "split by the last step that guesses")
    yield lab.equal(where, chance[0], F(5, 9), "answers 0, 0, 2 twice: (2/3)^2 + (1/3)^2")
    for order in ([1, 0], [0, 1]):
        for value in lab.theory.star.collision_probabilities([order, [1, 0]]):
            yield lab.equal({"n_states": 2, "n_steps": 2, "maps": str(order)}, value, F(1, 2), "1/M for bijections")


MAPS = Claim(
    id="star.accuracy_around_maps",
    statement=(
        "Around arbitrary maps the first accuracy is Pi plus, for the last step that guesses, its collision chance."
    ),
    latex=r"J = \Pi + \sum_m (1-\delta_m) \prod_{k>m} \delta_k\; c_m",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    evidence=(
        Exact("identity", "the split by the last guessing step", _maps_identity, scope="cells"),
        Exact("enumeration", "all paths around maps that merge states", _maps_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "every c_m is 1/M",
            "only for bijections",
            theory={"star.map_accuracy": lambda delta, maps: theory().accuracy(delta, len(maps[0]))},
        ),
        Mutant(
            "the first step that guesses decides",
            "later guesses overwrite it",
            theory={"star.map_accuracy": lambda delta, maps: theory().map_accuracy(delta[::-1], maps)},
        ),
    ),
)


CLAIMS = (TWO_STATES, DOUBLING, MAPS)
