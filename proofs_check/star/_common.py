"""What the claims about STaR share: domains, symbols, enumeration of paths, single trajectories, use of bounds.

For statements about a chain of any length the other steps enter through the product of their
deltas alone: a chain of the two steps ``(delta_n, Pi_{-n})`` then stands for all of them, with
``Pi_{-n}`` a free variable in (0, 1) and M a free variable above 1.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from proofs_check.certificates import is_zero
from proofs_check.claims import Simulation
from proofs_check.domains import Domain, Integer, Real
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell, Verdict

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = [
    "ANY",
    "BOX",
    "CHAIN",
    "CHAINS",
    "DERIVED",
    "DISTANCE",
    "OTHERS",
    "PAPER",
    "PI",
    "SINGLE",
    "STATES",
    "STEPS",
    "D",
    "F",
    "M",
    "chain_name",
    "deltas_of_rows",
    "enumerated",
    "first_step_right",
    "identity",
    "law_of_paths",
    "one_trajectory",
    "permutations",
    "product_of_deltas",
    "random_tables",
    "refit_of_paths",
    "resimulated",
    "right_chance",
    "right_steps",
    "share_over_bound",
    "single_leg",
    "symmetric_tables",
    "text",
    "theory",
    "witness_below_zero",
]

PAPER = "Chang, Lee, Shih, Tseng, Wu, RL-STaR, arXiv 2410.23912"
DERIVED = "derived in theory.star"
D, PI, M = (sp.Symbol(name, positive=True) for name in ("d", "q", "M"))
OTHERS = sp.symbols("a b c e", positive=True)
BOX: dict[sp.Symbol, tuple[Any, Any]] = {D: (0, 1), PI: (0, 1), M: (1, sp.oo)}
STATES = Integer(2, meaning="states M of a layer", symbol="M")
STEPS = Integer(2, meaning="steps N of the chain", symbol="N", largest_drawn=12)
DISTANCE = Real(0, 1, meaning="distance of a step above guessing", symbol=r"\delta")
CHAIN = Domain({"n_steps": STEPS, "n_states": STATES, "delta": DISTANCE})
F = Fraction
ANY = {"n_steps": "any", "n_states": "any"}
CHAINS: tuple[tuple[tuple[Fraction, ...], int], ...] = (
    ((F(1, 2), F(1, 2)), 2),
    ((F(1, 5), F(2, 5), F(7, 10)), 3),
    ((F(0), F(1, 3)), 4),
    ((F(1, 10), F(1, 2), F(1, 4), F(9, 10)), 2),
    ((F(1), F(1, 2), F(1, 7)), 3),
)
SINGLE: tuple[dict[str, Any], ...] = (
    {"n_states": 2, "delta": (0.5, 0.5)},
    {"n_states": 3, "delta": (0.3, 0.5, 0.7)},
)

Tables = Sequence[Sequence[Sequence[Any]]]


def theory() -> Any:
    """The closed forms as shipped, for mutants that bend one of them."""
    import theory.star as module

    return module


def product_of_deltas(delta: Any, n_states: Any) -> Any:
    """Pi, for mutants that are made of it."""
    return np.multiply.reduce(np.asarray(delta), axis=-1)


def right_chance(delta: Any, n_states: int) -> float:
    """The probability alpha of the right successor at a distance delta above guessing."""
    return float((1 + (n_states - 1) * delta) / n_states)


def resimulated(**changed: Any) -> dict[str, Callable[..., Any]]:
    """A mutant simulator: STaR with some other arguments than it was given."""

    def simulate(*given: Any, **options: Any) -> Any:
        from sims import star

        return star.simulate(*given, **{**options, **changed})

    return {"star.simulate": simulate}


def text(values: Iterable[Any]) -> str:
    """Values as one word of a cell's description."""
    return ", ".join(map(str, values))


def chain_name(delta: Sequence[Any], n_states: int) -> dict[str, Any]:
    """A chain as the parameters of a cell."""
    return {"n_states": n_states, "n_steps": len(delta), "delta": text(delta)}


# ---------------------------------------------------------------- path by path


def permutations(n_steps: int, n_states: int, seed: int = 5) -> tuple[tuple[int, ...], ...]:
    """A fixed bijection a step."""
    generator = np.random.default_rng(seed)
    return tuple(tuple(int(s) for s in generator.permutation(n_states)) for _ in range(n_steps))


def symmetric_tables(delta: Sequence[Any], n_states: int, maps: Sequence[Sequence[int]] | None = None) -> list[Any]:
    """Rows of the symmetric family around `maps` (the identity by default)."""
    chosen = maps or [list(range(n_states))] * len(delta)
    return [
        [[(1 - d) / n_states + (d if t == chosen[n][s] else 0) for t in range(n_states)] for s in range(n_states)]
        for n, d in enumerate(delta)
    ]


def law_of_paths(
    tables: Tables, reward: Callable[[tuple[int, ...]], Any], start: Sequence[Any] | None = None
) -> dict[tuple[int, ...], Any]:
    """Probability times reward of each of the M^(N+1) paths."""
    n_states = len(tables[0])
    law = start or [F(1, n_states)] * n_states
    found = {}
    for path in itertools.product(range(n_states), repeat=len(tables) + 1):
        weight = reward(path) * law[path[0]]
        for n, table in enumerate(tables):
            if weight == 0:
                break
            weight = weight * table[path[n]][path[n + 1]]
        found[path] = weight
    return found


def refit_of_paths(tables: Tables, law: Mapping[tuple[int, ...], Any]) -> list[list[list[Any]]]:
    """Every row set to its weighted frequencies; a row without weight keeps its values."""
    n_states = len(tables[0])
    counts = [[[F(0)] * n_states for _ in range(n_states)] for _ in tables]
    for path, weight in law.items():
        for n in range(len(tables)):
            counts[n][path[n]][path[n + 1]] += weight
    return [
        [[c / sum(row) for c in row] if sum(row) else list(old) for row, old in zip(table, olds, strict=True)]
        for table, olds in zip(counts, tables, strict=True)
    ]


@lru_cache(maxsize=256)
def enumerated(
    delta: tuple[Any, ...], n_states: int, right: Any = 1, wrong: Any = 0, seed: int = 5
) -> tuple[Any, Any, list[Any], dict[tuple[int, ...], Any], tuple[tuple[int, ...], ...]]:
    """Accepted mass, its share without an error, next rows, path weights and bijections of a symmetric chain.

    A right answer is accepted with probability `right`, a wrong one with `wrong`.
    """
    maps = permutations(len(delta), n_states, seed)

    def image(path: tuple[int, ...], upto: int) -> int:
        here = path[0]
        for n in range(upto):
            here = maps[n][here]
        return here

    tables = symmetric_tables(delta, n_states, maps)
    law = law_of_paths(tables, lambda path: right if path[-1] == image(path, len(delta)) else wrong)
    total = sum(law.values())
    clean = sum(w for path, w in law.items() if all(path[n + 1] == maps[n][path[n]] for n in range(len(delta))))
    return total, clean / total if total else F(0), refit_of_paths(tables, law), law, maps


def deltas_of_rows(rows: Tables, maps: Sequence[Sequence[int]] | None = None) -> tuple[Any, ...]:
    """The deltas of a symmetric chain around `maps` (the identity by default), read off the first row of each step."""
    n_states = len(rows[0])
    right = [image[0] for image in maps] if maps else [0] * len(rows)
    return tuple((n_states * table[0][state] - 1) / (n_states - 1) for table, state in zip(rows, right, strict=True))


def random_tables(n_steps: int, n_states: int, seed: int, largest: int = 6, least: int = 1) -> list[Any]:
    """Rational tables from small integer weights."""
    generator = np.random.default_rng([n_steps, n_states, seed])
    tables = []
    for _ in range(n_steps):
        table = []
        for _ in range(n_states):
            row = [int(x) for x in generator.integers(least, largest + 1, n_states)]
            table.append([F(x, sum(row) or 1) for x in row] if sum(row) else [F(1, n_states)] * n_states)
        tables.append(table)
    return tables


# ---------------------------------------------------------------- symbols

_POINTS = (sp.Rational(1, 3), sp.Rational(2, 5), sp.Rational(3, 7), sp.Rational(5, 11), sp.Rational(1, 13))


def _place(symbols: Iterable[sp.Symbol], turn: int = 0, box: Mapping[sp.Symbol, tuple[Any, Any]] | None = None) -> Any:
    """A rational point: values in (0, 1), spread over wider ranges, and M = 3, 4, 5, ..."""
    point = {}
    for index, symbol in enumerate(sorted(symbols, key=str)):
        value = _POINTS[(index + turn) % len(_POINTS)]
        if symbol == M or symbol.is_integer:
            value = sp.Integer(3 + turn)
        elif box is not None and symbol in box:
            low, high = map(sp.sympify, box[symbol])
            value = low + value / (1 - value) if high == sp.oo else low + value * (high - low)
        point[symbol] = value
    return point


def identity(lab: Lab, where: Mapping[str, Any], left: Any, right: Any, says: str) -> Cell:
    """Two expressions are equal: shown by expansion, refuted at a rational point, or undecided."""
    gap = sp.sympify(left) - sp.sympify(right)
    for turn in range(3):
        point = _place(gap.free_symbols, turn)
        value = gap.subs(point)
        if value.is_Rational and value != 0:
            shown = {str(k): str(v) for k, v in point.items()}
            return Cell(shown, Verdict.FAILS, detail=f"off by {value}: {says}")
    if _vanishes(gap):
        return lab.true(where, True, says)
    return lab.true(where, None, f"not shown: {says}")


def _vanishes(gap: sp.Expr) -> bool:
    """Whether an expression is 0; rational ones by expanding the numerator over a common denominator."""
    if not gap.is_rational_function(*gap.free_symbols) or gap.has(sp.Float):
        return is_zero(gap)
    numerator, denominator = sp.fraction(sp.together(gap))
    symbols = sorted(gap.free_symbols, key=str)
    if not symbols:
        return bool(numerator == 0 and denominator != 0)
    return bool(sp.Poly(numerator, *symbols).is_zero and not sp.Poly(denominator, *symbols).is_zero)


def witness_below_zero(
    expressions: Iterable[Any], box: Mapping[sp.Symbol, tuple[Any, Any]] | None = None
) -> Callable[[], dict[str, str] | None]:
    """A search for a rational point of the box at which an expression that should be >= 0 is negative."""
    wanted = [sp.sympify(e) for e in expressions]

    def search() -> dict[str, str] | None:
        for expression in wanted:
            for turn in range(5):
                point = _place(expression.free_symbols, turn, box or BOX)
                value = sp.simplify(expression.subs(point))
                if value.is_real and bool(value < 0):
                    return {str(k): str(v) for k, v in point.items()} or {"at": "every point"}
        return None

    return search


# ---------------------------------------------------------------- one trajectory a round


def one_trajectory(cell: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """A single trajectory and its refit: what is kept, and which of its steps were right, can be read off the rows."""
    return {"delta": cell["delta"], "n_states": cell["n_states"], "n_trajectories": 1, "n_rounds": 1, **options}


def right_steps(data: Any) -> np.ndarray:
    """For every kept trajectory, which steps were right: the visited row moved to the right or a wrong successor."""
    kept = data["kept"].values[:, 1] > 0
    before, after = data["step_right"].values[:, 0, :], data["step_right"].values[:, 1, :]
    return np.asarray((after > before)[kept])


def first_step_right(data: Any, cell: Mapping[str, Any]) -> Counts:
    """Kept trajectories whose first step was right."""
    right = right_steps(data)[:, 0]
    return Counts(int(right.sum()), len(right))


def single_leg(
    name: str,
    judged: Callable[[Any, Mapping[str, Any]], Counts],
    predict: Callable[[Any, Mapping[str, Any]], Any],
    *,
    cells: Sequence[Mapping[str, Any]] = SINGLE,
    resolution: float = 0.04,
    planned_n: int = 30_000,
    compare: str = "exact",
    **options: Any,
) -> Simulation:
    """A leg on single trajectories; legs with the same cells and options share what they measure."""
    return Simulation(
        name,
        "star.simulate",
        cells=cells,
        parameters=lambda cell: one_trajectory(cell, **options),
        extract=judged,
        predict=predict,
        compare=compare,
        resolution=resolution,
        planned_n=planned_n,
        looks=3,
        unit="trajectory",
        cost=0.4,
    )


# ---------------------------------------------------------------- how much of a bound is used


def share_over_bound(
    says: str,
    experiment: str | Callable[..., Any],
    cells: Callable[[str], Sequence[Mapping[str, Any]]],
    parameters: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    extract: Callable[[Any, Mapping[str, Any]], Counts],
    bound: Callable[[Any, Mapping[str, Any]], float],
    n: int,
) -> Callable[[Lab], dict[str, Any]]:
    """Tightness of a bound on a share of runs: measured share over bound, at the cell where it is largest.

    `bound` gets the closed forms and a cell; where it is 1 or more it is vacuous. The interval is that of
    Clopper and Pearson at level 1e-6.
    """

    def measure(lab: Lab) -> dict[str, Any]:
        found, vacuous = [], []
        for cell in cells(lab.profile):
            limit, shown = bound(lab.theory.star, cell), {**cell, "delta": text(np.ravel(cell["delta"]))}
            if limit >= 1:
                vacuous.append(shown)
                continue
            sample = Counts(0, 0)
            for data in lab.measure(experiment, n, **parameters(cell)):
                sample += extract(data, cell)
            low, high = sample.interval(1e-6)
            found.append((sample.estimate / limit, low / limit, high / limit, shown))
        ratios = [ratio for ratio, *_ in found]
        ratio, low, high, where = max(found, key=lambda item: item[0])
        at = ", ".join(f"{name} = {value}" for name, value in where.items())
        detail = f"{says}; from {min(ratios):.2g} to {max(ratios):.2g} over {len(found)} cells, largest at {at}"
        return {"ratio": ratio, "interval": [low, high], "vacuous": vacuous, "detail": detail}

    return measure
