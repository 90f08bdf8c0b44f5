"""Claims about arbitrary tables: the exact gain of a refit, chains with structure, and what fails in general."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant, Simulation
from proofs_check.domains import Domain, Integer
from proofs_check.samples import Counts
from proofs_check.star._common import (
    DERIVED,
    STATES,
    STEPS,
    identity,
    law_of_paths,
    random_tables,
    refit_of_paths,
    symmetric_tables,
    theory,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]

F = Fraction
TABLES = Domain({"n_steps": Integer(1, meaning="steps N"), "n_states": STATES})


def _exact(tables: Any) -> np.ndarray:
    array = np.empty((len(tables), len(tables[0]), len(tables[0])), dtype=object)
    for index in np.ndindex(array.shape):
        array[index] = tables[index[0]][index[1]][index[2]]
    return array


def _is_right(path: tuple[int, ...]) -> int:
    return int(path[0] == path[-1])


# ---------------------------------------------------------------- the gain


@lru_cache(maxsize=1)
def _instances() -> list[tuple[Any, list[Fraction], dict[tuple[int, ...], Fraction], Any]]:
    """Rational tables, start laws and graded rewards on paths, zeros among them."""
    found = []
    for index in range(10):
        n_states, n_steps = 2 + index % 2, 1 + index % 3
        tables = random_tables(n_steps, n_states, 100 + index, least=index % 2)
        weights = [F(1 + (index + s) % 4) for s in range(n_states)]
        start = [x / sum(weights) for x in weights]
        generator = np.random.default_rng(index)
        reward = {path: F(int(generator.integers(0, 4))) for path in law_of_paths(tables, lambda _: 1)}
        found.append((tables, start, reward, refit_of_paths(tables, law_of_paths(tables, reward.__getitem__, start))))
    return found


def _reward_array(reward: Mapping[tuple[int, ...], Fraction], n_states: int, n_steps: int) -> np.ndarray:
    array = np.empty((n_states,) * (n_steps + 1), dtype=object)
    for path, value in reward.items():
        array[path] = value
    return array


def _logarithms(terms: Iterator[tuple[Fraction, Fraction]]) -> dict[int, Fraction]:
    """A sum of rational multiples of logarithms of rationals, over the logarithms of primes: these are independent."""
    total: dict[int, Fraction] = defaultdict(Fraction)
    for weight, value in terms:
        for number, sign in ((value.numerator, 1), (value.denominator, -1)):
            for prime, power in sp.factorint(number).items():
                total[prime] += sign * power * weight
    return {prime: weight for prime, weight in total.items() if weight}


def _gain_exact(lab: Lab) -> Iterator[Cell]:
    """The identity with both sides written over logarithms of primes: equality of rationals, prime by prime."""
    t = lab.theory.star
    for index, (tables, start, reward, _) in enumerate(_instances()):
        if len(tables) * len(tables[0]) > 6 or index > 7:
            continue
        array, law = _exact(tables), np.array(start, dtype=object)
        paid = _reward_array(reward, len(tables[0]), len(tables))
        after = t.refit(array, start=law, reward=paid)
        before, later = (t.expected_reward(x, start=law, reward=paid) for x in (array, after))
        old, new = (t.path_law(x, start=law, reward=paid) for x in (array, after))

        def right(
            array: Any = array, after: Any = after, old: Any = old, new: Any = new
        ) -> Iterator[tuple[Fraction, Fraction]]:
            for path, chance in np.ndenumerate(old):
                if chance:
                    yield chance, chance / new[path]
            for n, s, x in np.ndindex(array.shape):
                through = sum(chance for path, chance in np.ndenumerate(old) if path[n] == s)
                if through and after[n, s, x]:
                    yield through * after[n, s, x], after[n, s, x] / array[n, s, x]

        left = _logarithms(iter([(F(1), later / before)]))
        where = {"n_states": len(tables[0]), "n_steps": len(tables), "instance": index}
        found = _logarithms(right())
        yield lab.true(where, left == found, f"log(J'/J) over {len(left)} primes, exactly")


def _gain_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for index, (tables, start, reward, rows) in enumerate(_instances()):
        array, law = _exact(tables), np.array(start, dtype=object)
        paid = _reward_array(reward, len(tables[0]), len(tables))
        where = {"n_states": len(tables[0]), "n_steps": len(tables), "instance": index}
        yield lab.true(where, t.refit(array, start=law, reward=paid).tolist() == rows, "rows of all rewarded paths")
        before, later = (sum(law_of_paths(x, reward.__getitem__, start).values()) for x in (tables, rows))
        yield lab.true(where, later >= before, f"J {float(before):.6f} -> {float(later):.6f}")
        terms, paths = t.improvement_terms(array, start=law, reward=paid)
        # A few dozen terms below 1 with a few roundings each.
        yield lab.close(where, float(terms.sum() + paths), math.log(later / before), 1e-13, "sum of the terms")
        fine = bool((terms >= -1e-15).all()) and paths >= -1e-15
        yield lab.true(where, fine, "no term is negative")


def _gain_proof(lab: Lab) -> Iterator[Cell]:
    p, p_new, w, j, j_new = (sp.Symbol(name, positive=True) for name in ("P", "Q", "w", "J", "K"))
    where = {"n_steps": "any", "n_states": "any"}
    # q = wP/J and q' = wP'/J' on every rewarded path.
    q, q_new = w * p / j, w * p_new / j_new
    yield identity(lab, where, p_new / p * q / q_new, j_new / j, "J'/J = (P'/P)(q/q') on every rewarded path")
    # Averaging log(P'/P) over q needs the mass through a transition: the row's mass times the new entry.
    names = sp.symbols("w0:8", positive=True)
    reward = np.array(names, dtype=object).reshape(2, 2, 2)
    half = np.full((2, 2, 2), F(1, 2), dtype=object)
    fresh = lab.theory.star.refit(half, reward=reward)
    for n in range(2):
        for s in range(2):
            masses = [sum(reward[path] for path in np.ndindex(2, 2, 2) if path[n : n + 2] == (s, x)) for x in range(2)]
            for x in range(2):
                says = "mass through a transition = mass of its row times the new entry, any path law"
                yield identity(lab, {"n_steps": 2, "n_states": 2}, masses[x], sum(masses) * fresh[n, s, x], says)
    x = sp.Symbol("x", positive=True)
    up, down = sp.log(1 + x) - 1 + 1 / (1 + x), sp.log(1 / (1 + x)) - 1 + (1 + x)
    proof = Proof()
    for name, gap in (("above", up), ("below", down)):
        proof.identity(f"log z >= 1 - 1/z: equality at 1, {name}", gap.subs(x, 0), sp.Integer(0))
        proof.positive(f"and the difference rises away from 1, {name}", sp.diff(gap, x), {x: (0, sp.oo)})
    # Hence both divergences are >= 0: sum p log(p/q) >= sum (p - q) = 0.
    yield from proof.cells(where)


def _half_refit(tables: Any, *, start: Any = None, reward: Any = None) -> Any:
    array = np.asarray(tables)
    return (array + theory().refit(array, start=start, reward=reward)) / (2 if array.dtype != object else F(2))


def _without_paths(tables: Any, *, start: Any = None, reward: Any = None) -> tuple[Any, float]:
    return theory().improvement_terms(tables, start=start, reward=reward)[0], 0.0


def _uniform_start(tables: Any, *, start: Any = None, reward: Any = None) -> Any:
    return theory().refit(tables, reward=reward)


GAIN = Claim(
    id="star.refit_never_lowers_reward",
    statement=(
        "For any tables, start law and reward, log(J'/J) of the refit is the sum of the rows' divergences, weighted by "
        "their visits, and the divergence of the path laws; so J never falls."
    ),
    latex=(
        r"\log\frac{J'}{J} = \sum_{n,s} q_n(s)\, \mathrm{KL}\bigl(T_n'(\cdot|s) \,\|\, T_n(\cdot|s)\bigr) "
        r"+ \mathrm{KL}(q \,\|\, q') \ge 0"
    ),
    origin="derived",
    source=DERIVED + "; the argument of Dayan and Hinton 1997",
    kind="exact",
    domain=TABLES,
    evidence=(
        Exact("certificate", "path by path, the average, and the sign of a divergence", _gain_proof),
        Exact("enumeration", "both sides over logarithms of primes", _gain_exact, scope="cells", cost=0.3),
        Exact("enumeration", "all paths of rational instances with graded rewards", _gain_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "a refit that goes half way obeys the identity",
            "its rows are not the visited frequencies",
            theory={"star.refit": _half_refit},
        ),
        Mutant(
            "the divergence of the path laws is absent",
            "it vanishes only when the refit changes nothing",
            theory={"star.improvement_terms": _without_paths},
        ),
        Mutant(
            "the refit weighs all starts alike",
            "kept visits follow the start law",
            theory={"star.refit": _uniform_start},
        ),
    ),
)


def _partial_proof(lab: Lab) -> list[Cell]:
    """The M-step objective is concave: log((1-c) + c x) >= c log x, term by term."""
    x, c = sp.Symbol("x", positive=True), sp.Symbol("c", positive=True)
    box = {c: (0, 1), x: (0, sp.oo)}
    proof = Proof()
    mixed = lab.theory.star.fit_partially(np.full((1, 2, 2), F(1, 2), dtype=object), F(1, 4))
    proof.step("rows still sum to 1", bool((mixed.sum(axis=2) == 1).all()))
    for name, z in (("above 1", 1 + x), ("below 1", 1 / (1 + x))):
        gap = sp.log(1 - c + c * z) - c * sp.log(z)
        slope = sp.together(sp.diff(sp.log(1 - c + c * (1 + x)) - c * sp.log(1 + x), x))
        if name == "below 1":
            slope = sp.together(sp.diff(sp.log(1 - c + c / (1 + x)) + c * sp.log(1 + x), x))
        proof.identity(f"equality at 1, {name}", gap.subs(x, 0), sp.Integer(0))
        proof.nonnegative(f"the difference rises away from 1, {name}", slope, box)
    return proof.cells({"n_steps": "any", "n_states": "any"}, {"rows": "do not sum to 1"})


def _partial_cells(lab: Lab) -> Iterator[Cell]:
    t = lab.theory.star
    for index, (tables, start, reward, rows) in enumerate(_instances()):
        array, law = _exact(tables), np.array(start, dtype=object)
        paid = _reward_array(reward, len(tables[0]), len(tables))
        before = sum(law_of_paths(tables, reward.__getitem__, start).values())
        for share in (F(1, 10), F(1, 2)):
            moved = t.fit_partially(array, share, start=law, reward=paid)
            literal = [
                [[o + share * (x - o) for o, x in zip(old, new, strict=True)] for old, new in zip(a, b, strict=True)]
                for a, b in zip(tables, rows, strict=True)
            ]
            later = sum(law_of_paths(literal, reward.__getitem__, start).values())
            where = {"n_states": len(tables[0]), "n_steps": len(tables), "instance": index, "share": str(share)}
            yield lab.true(where, moved.tolist() == literal and later >= before, f"J {before} -> {later}")


PARTIAL = Claim(
    id="star.partial_updates_never_lower_reward",
    statement="Going only a share c of the way to the refit never lowers J either, for any tables and reward.",
    latex=r"T'' = T + c\,(T' - T),\ 0 < c \le 1 \Rightarrow J'' \ge J",
    origin="derived",
    source=DERIVED + ": concavity of the objective that the refit maximises",
    kind="property",
    domain=TABLES,
    evidence=(
        Exact("certificate", "log((1-c) + c x) >= c log x", _partial_proof),
        Exact("enumeration", "rational instances, c = 1/10 and 1/2", _partial_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "going away from the refit by the same share is as good",
            "J falls there",
            theory={
                "star.fit_partially": lambda tables, share, **k: (
                    theory().fit_partially(tables, 1, **k) * (1 + share) - np.asarray(tables) * 0
                )
            },
        ),
        Mutant(
            "the share is c^2",
            "another table",
            theory={
                "star.fit_partially": lambda tables, share, **k: (
                    np.asarray(tables) * (1 - share) + theory().refit(tables, **k) * share**2
                )
            },
        ),
    ),
)


# ---------------------------------------------------------------- chains with structure


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
        rows = refit_of_paths(tables, law_of_paths(tables, _is_right))
        old, new = ([[x[0][i][j] * x[1][j][i] for j in range(3)] for i in range(3)] for x in (tables, rows))
        where = {"n_states": 3, "n_steps": 2, "instance": index}
        found = t.two_step_weights_update(t.two_step_weights(_exact(tables))).tolist()
        yield lab.true(where, found == new, "weights of all paths after a round")
        ratio = t.two_step_log_ratio(_exact([new])[0], [1, 2, 0]) / t.two_step_log_ratio(_exact([old])[0], [1, 2, 0])
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


# ---------------------------------------------------------------- what fails


def _ends_below(name: str, rounds: int) -> Callable[[Lab], Iterator[Cell]]:
    def run(lab: Lab) -> Iterator[Cell]:
        tables = lab.theory.star.witness(name)
        now, shown = tables.tolist(), []
        for _ in range(2):  # two rounds in rationals by all paths
            law = law_of_paths(now, _is_right)
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
    law = law_of_paths(tables, _is_right)
    return sum(w for path, w in law.items() if len(set(path)) == 1) / sum(law.values())


def _share_falls(lab: Lab) -> Iterator[Cell]:
    tables = lab.theory.star.witness("right_share_falls").tolist()
    rows = refit_of_paths(tables, law_of_paths(tables, _is_right))
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
        weights = lab.theory.star.two_step_weights(_exact(tables))
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

CLAIMS = (
    GAIN,
    PARTIAL,
    TWO_STATES,
    DOUBLING,
    MAPS,
    OPTIMUM,
    MODES,
    SHARE_FALLS,
    MERGING,
    STRICT_TWO,
)
