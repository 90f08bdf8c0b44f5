"""The exact chain of tables at M = N = 2 with K trajectories a round, in rationals."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from theory import _validate

__all__ = ["SampledChain", "sampled_chain", "sampled_round"]

Tables = tuple[Fraction, Fraction, Fraction, Fraction]
RIGHT: Tables = (Fraction(1), Fraction(1), Fraction(1), Fraction(1))
SWAPPED: Tables = (Fraction(0), Fraction(0), Fraction(0), Fraction(0))


def _accuracy(tables: Tables) -> Fraction:
    """J of right probabilities (step 1 rows 0 and 1, step 2 rows 0 and 1), truth the identity."""
    a, b, c, d = tables
    return (a * c + (1 - a) * (1 - d) + b * d + (1 - b) * (1 - c)) / 2


@lru_cache(maxsize=32)
def _kept_counts(n_trajectories: int) -> tuple[tuple[tuple[int, int, int, int], int, int], ...]:
    """All counts of the four kept paths (00, 01, 10, 11: start and middle), rejected count, multinomial coefficient."""
    found = []
    for i in range(n_trajectories + 1):
        for j in range(n_trajectories + 1 - i):
            for k in range(n_trajectories + 1 - i - j):
                for m in range(n_trajectories + 1 - i - j - k):
                    rest = n_trajectories - i - j - k - m
                    ways = math.factorial(n_trajectories)
                    for count in (i, j, k, m, rest):
                        ways //= math.factorial(count)
                    found.append(((i, j, k, m), rest, ways))
    return tuple(found)


def _refit(tables: Tables, counts: tuple[int, int, int, int]) -> Tables:
    """New right probabilities from kept path counts; rows without a visit keep their values."""
    i, j, k, m = counts
    rows = ((i, j), (m, k), (i, k), (m, j))  # (right, wrong) at step 1 row 0, row 1; step 2 row 0, row 1
    pairs = zip(rows, tables, strict=True)
    return tuple(Fraction(right, right + wrong) if right + wrong else old for (right, wrong), old in pairs)  # type: ignore[return-value]


def sampled_round(tables: Any, n_trajectories: int) -> dict[Tables, Fraction]:
    """Exact law of the tables after one sampled round, two states and two steps.

    Parameters
    ----------
    tables : sequence of four Fraction
        Right probabilities of step 1 at states 0 and 1, then of step 2 at states 0 and 1, each in [0, 1].
    n_trajectories : int
        K in [1, 12].

    Returns
    -------
    dict
        Probability of each reachable tuple of right probabilities.

    Raises
    ------
    ValueError
        If there are not four tables entries, one is no rational in [0, 1], or K leaves its range.

    Examples
    --------
    >>> law = sampled_round([Fraction(3, 4)] * 4, 2)
    >>> sum(law.values()), len(law)
    (Fraction(1, 1), 11)
    """
    start = _tables(tables)
    n_trajectories = _validate.integer("n_trajectories", n_trajectories, 1, 12)
    a, b, c, d = start
    paths = (a * c / 2, (1 - a) * (1 - d) / 2, (1 - b) * (1 - c) / 2, b * d / 2)
    miss = 1 - sum(paths)
    powers = [[chance**count for count in range(n_trajectories + 1)] for chance in (*paths, miss)]
    law: dict[Tables, Fraction] = defaultdict(Fraction)
    for counts, rest, ways in _kept_counts(n_trajectories):
        chance = ways * powers[4][rest]
        for path, count in enumerate(counts):
            if chance == 0:
                break
            chance *= powers[path][count]
        if chance:
            law[_refit(start, counts)] += chance
    return dict(law)


def _tables(tables: Any) -> Tables:
    try:
        values = tuple(tables)
    except TypeError:
        raise ValueError(f"tables must hold four right probabilities, got {tables!r}") from None
    if len(values) != 4:
        raise ValueError(f"tables must hold four right probabilities, got {tables!r}")
    found = []
    for value in values:
        value = Fraction(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(value, Fraction):
            raise ValueError(f"tables must hold Fractions in [0, 1], got {value!r}")
        found.append(_validate.real("tables", value, 0, 1))
    return found[0], found[1], found[2], found[3]


@dataclass(frozen=True)
class SampledChain:
    """The chain from one start: reachable tables, exact transition laws, and where it ends.

    Attributes
    ----------
    n_trajectories : int
        K.
    states : tuple
        Reachable tables, the start first, each as four right probabilities.
    laws : tuple of dict
        For each state, the probability of each successor's index.
    """

    n_trajectories: int
    states: tuple[Tables, ...]
    laws: tuple[dict[int, Fraction], ...]

    def accuracies(self) -> tuple[Fraction, ...]:
        """J of every reachable state."""
        return tuple(_accuracy(state) for state in self.states)

    def absorbing(self) -> tuple[int, ...]:
        """Indices of the states that never change."""
        return tuple(index for index, law in enumerate(self.laws) if law.get(index) == 1)

    def loss_after_one_round(self) -> Fraction:
        """Probability that some right transition, present at the start, is lost in the first round."""
        start = self.states[0]
        return sum(
            (
                chance
                for index, chance in self.laws[0].items()
                if any(new == 0 < old for new, old in zip(self.states[index], start, strict=True))
            ),
            Fraction(0),
        )

    def absorption(self) -> dict[Tables, float]:
        """Probability of each final state, from the linear system of the exact laws (solved in floats)."""
        final = self.absorbing()
        moving = [index for index in range(len(self.states)) if index not in set(final)]
        if not moving:
            return {self.states[0]: 1.0}
        place = {index: row for row, index in enumerate(moving)}
        column = {index: number for number, index in enumerate(final)}
        matrix = np.eye(len(moving))
        ends = np.zeros((len(moving), len(final)))
        for index in moving:
            for successor, chance in self.laws[index].items():
                if successor in place:
                    matrix[place[index], place[successor]] -= float(chance)
                else:
                    ends[place[index], column[successor]] += float(chance)
        hit = np.linalg.solve(matrix, ends)[0]
        return {self.states[index]: float(chance) for index, chance in zip(final, hit, strict=True) if chance > 0}

    def summary(self) -> dict[str, float]:
        """Mean final accuracy and the chances to end all right, both steps swapped, or stuck at J = 1/2."""
        law = self.absorption()
        return {
            "accuracy": sum(chance * float(_accuracy(state)) for state, chance in law.items()),
            "right": law.get(RIGHT, 0.0),
            "swapped": law.get(SWAPPED, 0.0),
            "stuck": sum(chance for state, chance in law.items() if _accuracy(state) == Fraction(1, 2)),
        }


def sampled_chain(delta: Any, n_trajectories: int) -> SampledChain:
    """All tables that sampled rounds reach from two equal steps over two states, with exact laws.

    Parameters
    ----------
    delta : Fraction or int
        Common start in [-1, 1].
    n_trajectories : int
        K in [1, 8]; the number of reachable tables grows like K^8 at first (19, 160, 568 at K = 2, 4,
        6 from delta = 1/2).

    Returns
    -------
    SampledChain
        States, laws, absorption.

    Raises
    ------
    ValueError
        If `delta` is no rational in [-1, 1] or K leaves its range.

    Examples
    --------
    >>> chain = sampled_chain(Fraction(1, 2), 2)
    >>> len(chain.states), round(float(chain.loss_after_one_round()), 4)
    (19, 0.1211)
    """
    n_trajectories = _validate.integer("n_trajectories", n_trajectories, 1, 8)
    if not isinstance(delta, (Fraction, int)) or isinstance(delta, bool):
        raise ValueError(f"delta must be a Fraction in [-1, 1], got {delta!r}")
    right = (1 + _validate.real("delta", Fraction(delta), -1, 1)) / 2
    states: list[Tables] = [(right, right, right, right)]
    index = {states[0]: 0}
    laws: list[dict[int, Fraction]] = []
    while len(laws) < len(states):
        law = {}
        for successor, chance in sampled_round(states[len(laws)], n_trajectories).items():
            if successor not in index:
                index[successor] = len(states)
                states.append(successor)
            law[index[successor]] = chance
        laws.append(law)
    return SampledChain(n_trajectories, tuple(states), tuple(laws))
