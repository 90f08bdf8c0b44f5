"""Claims about arbitrary tables: the exact gain of a refit, and of a partial one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import Proof
from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain, Integer
from proofs_check.star._common import DERIVED, STATES, F, identity, law_of_paths, random_tables, refit_of_paths, theory
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS", "ends_right", "exact_array"]

TABLES = Domain({"n_steps": Integer(1, meaning="steps N"), "n_states": STATES})


def exact_array(tables: Any) -> np.ndarray:
    """Nested lists of rationals as an object array."""
    array = np.empty((len(tables), len(tables[0]), len(tables[0])), dtype=object)
    for index in np.ndindex(array.shape):
        array[index] = tables[index[0]][index[1]][index[2]]
    return array


def ends_right(path: tuple[int, ...]) -> int:
    """1 if a path ends where it started, with the truth the identity."""
    return int(path[0] == path[-1])


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
        array, law = exact_array(tables), np.array(start, dtype=object)
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
        array, law = exact_array(tables), np.array(start, dtype=object)
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
        array, law = exact_array(tables), np.array(start, dtype=object)
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


CLAIMS = (GAIN, PARTIAL)
