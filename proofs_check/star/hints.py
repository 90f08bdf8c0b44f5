"""Claims about hints to failed prompts: from the model, uniform, and the potential that they never lower."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.samples import Counts
from proofs_check.star._common import (
    ANY,
    CHAIN,
    CHAINS,
    DERIVED,
    PI,
    STATES,
    STEPS,
    D,
    F,
    M,
    chain_name,
    deltas_of_rows,
    first_step_right,
    identity,
    law_of_paths,
    random_tables,
    refit_of_paths,
    right_chance,
    single_leg,
    symmetric_tables,
    theory,
    witness_below_zero,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

H = sp.Symbol("h", positive=True)


def _hint_identity(lab: Lab) -> Iterator[Cell]:
    """All prompts of the family have one accuracy, so the hinted law of kept paths is the kept law."""
    t = lab.theory.star
    right = t.accuracy([D, PI], M)
    rate = right + H * (1 - right)
    yield identity(lab, ANY, t.hinted_kept_rate(right, H), rate, "kept share J + h(1-J)")
    # Kept mass of a right path: its own chance p once, and again with weight h(1-J)/J.
    p = sp.Symbol("p", positive=True)
    yield identity(lab, ANY, (p + H * (1 - right) * p / right) / rate, p / right, "the kept law is that without hints")


def _hinted_rows(delta: Sequence[Any], n_states: int, hint: Any, uniform: bool) -> tuple[Any, list[Any]]:
    """Kept mass and rows when failed prompts are retried, path by path, the truth the identity."""
    tables = symmetric_tables(delta, n_states)
    law = law_of_paths(tables, lambda path: int(path[0] == path[-1]))
    by_prompt = [sum(w for path, w in law.items() if path[0] == s) * n_states for s in range(n_states)]
    middle = n_states ** (len(delta) - 1)
    hinted = {}
    for path, weight in law.items():
        if path[0] != path[-1]:
            continue
        fails = hint * (1 - by_prompt[path[0]])
        chance = F(1, middle * n_states) if uniform else weight / by_prompt[path[0]]
        hinted[path] = weight + fails * chance
    return sum(hinted.values()), refit_of_paths(tables, hinted)


def _hint_cells(lab: Lab) -> Iterator[Cell]:
    for (delta, n_states), hint in itertools.product(CHAINS[:3], (F(1, 3), F(1))):
        mass, rows = _hinted_rows(delta, n_states, hint, uniform=False)
        where = {**chain_name(delta, n_states), "hint": str(hint)}
        right = lab.theory.star.accuracy(list(delta), n_states)
        yield lab.equal(where, mass, lab.theory.star.hinted_kept_rate(right, hint), "kept share")
        expected = symmetric_tables(list(lab.theory.star.update(list(delta), n_states)), n_states)
        yield lab.true(where, rows == expected, "rows are those without hints")


MODEL_HINTS = Claim(
    id="star.model_hints_change_no_map",
    statement=(
        "Retrying a share h of failed prompts with paths from the model's law given the right answer leaves the map of "
        "the symmetric family unchanged; only the kept share grows, to J + h(1-J)."
    ),
    latex=r"\delta' = F(\delta), \qquad J \mapsto J + h(1 - J)",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=CHAIN,
    evidence=(
        Exact("identity", "the hinted law of a kept path", _hint_identity),
        Exact("enumeration", "all kept and hinted paths", _hint_cells, scope="cells"),
        single_leg(
            "kept trajectories with h = 1/2",
            lambda data, cell: Counts(int(data["kept"].values[:, 1].sum()), data.sizes["replicate"]),
            lambda t, c: float(t.star.hinted_kept_rate(float(t.star.accuracy(c["delta"], c["n_states"])), 0.5)),
            hint=0.5,
        ),
        single_leg(
            "right first steps of kept trajectories with h = 1/2",
            first_step_right,
            lambda t, c: right_chance(t.star.update(c["delta"], c["n_states"])[0], c["n_states"]),
            hint=0.5,
        ),
    ),
    mutants=(
        Mutant(
            "the kept share is J + h",
            "only failed prompts are retried",
            theory={"star.hinted_kept_rate": lambda accuracy, hint: accuracy + hint},
        ),
        Mutant(
            "hinted rounds learn at half speed",
            "the hinted law is the kept law",
            theory={"star.update": lambda delta, n_states: _halfway(delta, n_states)},
        ),
    ),
)


def _halfway(delta: Any, n_states: Any) -> Any:
    return (np.asarray(delta) + theory().update(delta, n_states)) / 2


def _uniform_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    right = t.accuracy([D, PI], M)
    clean = t.update([D, PI], M)[0]
    mixed = right * clean / (right + H * (1 - right))
    found = t.uniform_hint_update([D, PI], M, H)[0]
    yield identity(lab, ANY, found, mixed, "clean rows and uniform rows in proportion J : h(1-J)")


def _barrier_identity(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for n_steps in (2, 3, 5):
        change = t.uniform_hint_update([D] * n_steps, M, H)[0] - D
        scale = D * (1 + (M - 1) * D**n_steps + H * (M - 1) * (1 - D**n_steps)) ** -1
        polynomial = t.hint_barrier_polynomial(D, n_steps, M, H)
        where = {"n_steps": n_steps, "n_states": "any"}
        yield identity(lab, where, change, scale * polynomial, "the barrier polynomial")
        eps = sp.Symbol("epsilon", positive=True)
        gap = 1 - t.uniform_hint_update([1 - eps] * n_steps, M, H)[0]
        rate = sp.limit(sp.cancel(sp.together(gap) / eps), eps, 0)
        yield identity(lab, where, rate, H * n_steps * (M - 1) / M, "the end is linear at h N (M-1)/M")


def _uniform_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for (delta, n_states), hint in itertools.product(CHAINS[:3], (F(1, 10), F(1))):
        rows = _hinted_rows(delta, n_states, hint, uniform=True)[1]
        after = t.uniform_hint_update(list(delta), n_states, hint)
        for n, observed in enumerate(deltas_of_rows(rows)):
            where = {**chain_name(delta, n_states), "hint": str(hint), "step": n + 1}
            yield lab.equal(where, observed, after[n])
    for n_steps, n_states, share, barrier in (
        (3, 8, 0.1, 0.310),
        (3, 64, 0.1, 0.383),
        (2, 8, 0.1, 0.0),
        (3, 8, 1.0, 1.0),
    ):
        where = {"n_steps": n_steps, "n_states": n_states, "hint": share}
        yield lab.close(where, t.hint_barrier(n_steps, n_states, share), barrier, 5.1e-4, "barrier to three digits")


UNIFORM_HINTS = Claim(
    id="star.uniform_hints",
    statement=(
        "Hinted paths that are uniform among those ending right mix guessing into every row: the truth attracts only "
        "if h N (M-1) < M, and for N >= 3 there is a barrier below it."
    ),
    latex=r"\delta' = \frac{J\,F(\delta)}{J + h(1-J)}, \qquad \epsilon' \sim \frac{hN(M-1)}{M}\,\epsilon",
    origin="derived",
    source=DERIVED,
    kind="exact",
    domain=CHAIN,
    evidence=(
        Exact("identity", "the map, Pi_(-n), M and h symbols", _uniform_identity),
        Exact("identity", "barrier polynomial and end for N = 2, 3, 5", _barrier_identity, scope="cells", cost=0.4),
        Exact("enumeration", "all kept and hinted paths", _uniform_cells, scope="cells"),
        single_leg(
            "right first steps with uniform hints, h = 1/2",
            first_step_right,
            lambda t, c: right_chance(t.star.uniform_hint_update(c["delta"], c["n_states"], 0.5)[0], c["n_states"]),
            hint=0.5,
            hint_law="uniform",
        ),
    ),
    mutants=(
        Mutant(
            "uniform hints leave the map as it is",
            "a uniform path knows nothing of the single steps",
            theory={"star.uniform_hint_update": lambda delta, n_states, hint: theory().update(delta, n_states)},
        ),
        Mutant(
            "every prompt is hinted, not only those that failed",
            "hints come after failures",
            theory={
                "star.uniform_hint_update": lambda delta, n_states, hint: theory().update(delta, n_states) / (1 + hint)
            },
        ),
    ),
)


def _potential_proof(lab: Lab) -> list[Cell]:
    """phi(u) = h u + (1-h) e^u lies above its tangents; the tangent's slope is the prompt's weight."""
    u, w = sp.Symbol("u", real=True), sp.Symbol("w", positive=True)
    phi = H * u + (1 - H) * sp.exp(u)
    above = phi.subs(u, u + w) - phi - sp.diff(phi, u) * w
    proof = Proof()
    proof.identity("phi above its tangent by (1-h)e^u (e^w - 1 - w)", above, (1 - H) * sp.exp(u) * (sp.exp(w) - 1 - w))
    for sign, says in ((1, "w > 0"), (-1, "w < 0")):
        rest = sp.exp(sign * w) - 1 - sign * w
        proof.identity(f"e^w - 1 - w vanishes at 0, {says}", rest.subs(w, 0), sp.Integer(0))
        proof.positive(f"and rises away from 0, {says}", sp.diff(rest, w), {w: (0, sp.oo)})
    right = sp.Symbol("J", positive=True)
    proof.identity("slope at u = log J: the prompt's kept weight", H + (1 - H) * right, right + H * (1 - right))
    proof.identity("which is what the lab keeps", lab.theory.star.hinted_kept_rate(right, H), H + (1 - H) * right)
    # The rest is the inequality for rewards: sum_s weight(s) log(J'(s)/J(s)) >= 0 after the weighted refit.
    off = lab.theory.star.hinted_kept_rate(right, H) - H - (1 - H) * right
    return proof.cells(ANY, witness_below_zero([-(off**2)], {right: (0, 1), H: (0, 1)}))


def _hint_tables() -> list[tuple[Any, list[Fraction], Fraction]]:
    found = []
    for index in range(16):
        n_steps, n_states = 1 + index % 3, 2 + index % 2
        tables = random_tables(n_steps, n_states, index)
        start = [x / 6 for x in ([F(1), F(5)] if n_states == 2 else [F(1), F(2), F(3)])]
        found.append((tables, start, F(1 + index % 4, 4)))
    return found


def _by_prompt(weights: Mapping[int, Fraction]) -> Any:
    return lambda path: weights[path[0]] if path[0] == path[-1] else 0


def _potential_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for index, (tables, start, hint) in enumerate(_hint_tables()):
        array = np.array(tables, dtype=object)
        law = np.array(start, dtype=object)
        right = _prompt(tables)
        weights = {s: (hint + (1 - hint) * right[s]) / right[s] for s in range(len(right))}
        paths = law_of_paths(tables, _by_prompt(weights), start)
        rows = refit_of_paths(tables, paths)
        where = {"n_states": len(right), "n_steps": len(tables), "table": index, "hint": str(hint)}
        yield lab.true(where, t.hinted_refit(array, hint, start=law).tolist() == rows, "rows of all hinted paths")
        later = _prompt(rows)

        before = float(t.hint_potential(array, hint, start=law))
        # The sum has a handful of terms below 10: rounding stays below 1e-13.
        yield lab.close(where, _potential(right, hint, start), before, 1e-13, "the potential")
        yield lab.at_most(where, before, _potential(later, hint, start) + 1e-13, "it does not fall")


def _potential(each: Sequence[Any], hint: Fraction, start: Sequence[Fraction]) -> float:
    terms = (float(p) * (float(hint) * math.log(x) + float((1 - hint) * x)) for p, x in zip(start, each, strict=True))
    return sum(terms)


def _prompt(tables: Any) -> list[Any]:
    n_states = len(tables[0])
    law = law_of_paths(tables, lambda path: int(path[0] == path[-1]))
    return [n_states * sum(w for path, w in law.items() if path[0] == s) for s in range(n_states)]


POTENTIAL = Claim(
    id="star.hint_potential",
    statement=(
        "For arbitrary tables and start laws, rounds with hints from the model never lower E_s[h log J(s) + (1-h) "
        "J(s)], J(s) the accuracy of prompt s."
    ),
    latex=r"\Phi_h = \mathbb{E}_s\bigl[h \log J(s) + (1-h) J(s)\bigr], \qquad \Phi_h' \ge \Phi_h",
    origin="derived",
    source=DERIVED + ": the tangent of u -> h u + (1-h) e^u and the inequality for rewards, prompt by prompt",
    kind="property",
    domain=Domain({"n_steps": Integer(1), "n_states": STATES}),
    evidence=(
        Exact("certificate", "the convex function above its tangent", _potential_proof),
        Exact("enumeration", "hinted paths of random rational tables", _potential_cells, scope="cells", cost=0.3),
    ),
    mutants=(
        Mutant(
            "a prompt weighs h J(s)",
            "kept and hinted paths add up to h + (1-h) J(s)",
            theory={"star.hinted_kept_rate": lambda accuracy, hint: hint * accuracy},
        ),
        Mutant(
            "the potential is E_s[log J(s)] whatever h",
            "that is the case h = 1",
            theory={"star.hint_potential": lambda tables, hint, *, start=None: theory().hint_potential(
                tables, F(1), start=start
            )},
        ),
    ),
)  # fmt: skip


def _hints_lower(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    tables = t.witness("hints_lower_accuracy")
    start = [F(3, 5), F(2, 5)]
    law = np.array(start, dtype=object)
    before = t.expected_reward(tables, start=law)
    after = t.expected_reward(t.hinted_refit(tables, F(1), start=law), start=law)
    right = _prompt(tables.tolist())
    paths = law_of_paths(tables.tolist(), lambda path: 1 / right[path[0]] if path[0] == path[-1] else 0, start)
    literal = sum(
        law_of_paths(refit_of_paths(tables.tolist(), paths), lambda path: int(path[0] == path[-1]), start).values()
    )
    where = {"n_states": 2, "n_steps": 2, "hint": "1"}
    yield lab.true(where, after >= before and literal == after, f"J {before} -> {after}, all paths: {literal}")


HINTS_LOWER = Claim(
    id="star.hints_raise_accuracy",
    statement="Hints from the model never lower the accuracy, whatever the tables.",
    latex=r"J' \ge J \quad\text{for every } h \in [0, 1]",
    origin="derived",
    source="the symmetric family, carried to arbitrary tables",
    kind="property",
    domain=Domain({"n_steps": STEPS, "n_states": STATES}),
    expected="fails",
    repaired_by="star.hint_potential",
    evidence=(
        Exact("enumeration", "two prompts that share a middle state, exact", _hints_lower, scope="cells"),
        Simulation(
            "runs with h = 1 that end no less accurate after a round",
            "star.simulate_tables",
            cells=({"n_states": 2, "n_steps": 2},),
            parameters=lambda cell: {
                "tables": (((1.0, 0.0), (1.0, 0.0)), ((0.99, 0.01), (0.5, 0.5))),
                "start": (0.6, 0.4),
                "n_trajectories": 4000,
                "n_rounds": 1,
                "hint": 1.0,
            },
            extract=lambda data, cell: Counts(
                int((data["accuracy"].values[:, 1] >= data["accuracy"].values[:, 0]).sum()), data.sizes["replicate"]
            ),
            predict=lambda t, cell: (0.9 * float(t.star.hinted_kept_rate(0.5, 1.0)), 1.0),
            compare="lower",
            resolution=0.05,
            planned_n=128,
            looks=1,
            cost=0.1,
        ),
    ),
    mutants=(
        Mutant(
            "the same when the majority prompt is answered with probability .98",
            "the refit still serves both prompts alike",
            theory={"star.witness": lambda name: _shared(F(98, 100))},
        ),
        Mutant(
            "the same when the majority prompt is answered with probability .95",
            "the refit still serves both prompts alike",
            theory={"star.witness": lambda name: _shared(F(95, 100))},
        ),
    ),
)


def _shared(right: Fraction) -> Any:
    tables = theory().witness("hints_lower_accuracy").copy()
    tables[1, 0, 0], tables[1, 0, 1] = right, 1 - right
    return tables


CLAIMS = (MODEL_HINTS, UNIFORM_HINTS, POTENTIAL, HINTS_LOWER)
