"""Claims about coverage as a function of the kept set: monotone, not submodular, and submodular for one step."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache, partial
from typing import Any

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.lab import Lab
from proofs_check.mid_training._common import ROUNDING, generator, random_law, replaced, shipped
from proofs_check.verdicts import Cell

__all__ = ["CLAIMS"]


def _all_masks(size: int) -> range:
    return range(1 << size)


def _marginal_gap(value: Any, size: int) -> tuple[Any, tuple[int, int, int]]:
    """Largest gain of an element at a superset over its gain at the subset, and where."""
    worst, where = None, (0, 0, 0)
    for small, large in itertools.product(_all_masks(size), repeat=2):
        if small & ~large:
            continue
        for z in range(size):
            if large >> z & 1:
                continue
            excess = (value(large | 1 << z) - value(large)) - (value(small | 1 << z) - value(small))
            if worst is None or excess > worst:
                worst, where = excess, (small, large, z)
    return worst, where


def _submodular_witness(lab: Lab) -> Iterator[Cell]:
    """One goal that needs two macros: values 0, 0, 0, 1."""
    share = lab.theory.mid_training.covered_share
    worst, where = _marginal_gap(lambda kept: share(kept, [0b11], [Fraction(1)]), 2)
    yield lab.at_most(
        {"goals": "{1,2}"}, Fraction(worst), Fraction(0), f"gain at a superset minus gain at the subset, {where}"
    )


def _submodular_strings(lab: Lab) -> Iterator[Cell]:
    """All goals of two macros out of three, equally likely, and values planned by policy iteration on a goal lock."""
    t = lab.theory.mid_training
    goals = [1 << i | 1 << j for i in range(3) for j in range(3)]
    worst, where = _marginal_gap(lambda kept: t.covered_share(kept, goals, [Fraction(1, 9)] * 9), 3)
    yield lab.at_most({"goals": "two macros of three"}, Fraction(worst), Fraction(0), str(where))


SUBMODULAR_FALSE = Claim(
    id="mid_training.coverage_is_submodular",
    statement="The mean value of planning with a set of options has diminishing returns, so greedy selection is "
    "near-optimal.",
    latex=r"f(B\cup\{z\})-f(B) \ge f(B'\cup\{z\})-f(B'), \quad B\subseteq B'",
    origin="derived",
    source="a tempting reading of pruning as set selection",
    kind="property",
    domain=Domain({}),
    evidence=(
        Exact("enumeration", "one goal that needs two macros: 0, 0, 0, 1", _submodular_witness, scope="cells"),
        Exact("identity", "all pairs out of three macros", _submodular_strings, scope="cells"),
    ),
    mutants=(
        Mutant(
            "the square of the coverage is submodular",
            "0, 0, 0, 1 is its own square",
            theory=replaced(covered_share=lambda *a: shipped().covered_share(*a) ** 2),
        ),
        Mutant(
            "half of the coverage is submodular",
            "scaling does not change the sign of a difference",
            theory=replaced(covered_share=lambda *a: shipped().covered_share(*a) / 2),
        ),
    ),
    expected="fails",
    repaired_by="mid_training.one_step_coverage",
)


def _one_step_values(lab: Lab, seed: int) -> tuple[Any, np.ndarray]:
    """Mean over states of the best reward among kept options, when every option ends the task."""
    rng = generator(100 + seed)
    rewards = rng.integers(0, 9, (5, 4)) / 8.0
    kernels = np.zeros((5, 4, 4))

    @lru_cache(maxsize=None)
    def value(kept: int) -> float:
        if kept == 0:
            return 0.0
        options = [z for z in range(5) if kept >> z & 1]
        return float(lab.theory.mid_training.optimal_values(rewards, kernels, options).mean())

    return value, rewards


def _one_step_cells(lab: Lab) -> Iterator[Cell]:
    for seed in range(2):
        value, rewards = _one_step_values(lab, seed)
        literal = max(
            abs(value(b) - float(rewards[[z for z in range(5) if b >> z & 1]].max(axis=0).mean())) for b in range(1, 32)
        )
        yield lab.close({"world": seed}, literal, 0.0, 64 * ROUNDING, "mean over tasks of the best kept reward")
        worst, where = _marginal_gap(value, 5)
        yield lab.at_most(
            {"world": seed}, worst, 64 * ROUNDING, f"gain at a superset minus gain at the subset, {where}"
        )


def _greedy_cells(lab: Lab) -> Iterator[Cell]:
    for seed in range(2):
        value, _ = _one_step_values(lab, seed)
        for size in (1, 2, 3):
            chosen = 0
            for _ in range(size):
                chosen = max((chosen | 1 << z for z in range(5) if not chosen >> z & 1), key=value)
            best = max(value(b) for b in range(32) if bin(b).count("1") == size)
            yield lab.at_most(
                {"world": seed, "size": size}, (1 - math.exp(-1)) * best, value(chosen) + 1e-12, "greedy value"
            )


def _share_of(share: Any, goals: list[int], weights: list[Fraction], kept: int) -> Any:
    return share(kept, goals, weights)


def _monotone_cells(lab: Lab) -> Iterator[Cell]:
    """Whatever goals need, more options never cover less; if each goal needs one option, coverage is even additive."""
    share = lab.theory.mid_training.covered_share
    rng = generator(12)
    for world in range(4):
        goals = [int(g) for g in rng.integers(1, 32, 6)]
        weights = random_law(6, rng)
        values = [share(b, goals, weights) for b in range(32)]
        rising = all(values[b] <= values[b | 1 << z] for b in range(32) for z in range(5))
        yield lab.true({"world": world}, rising and values[31] == 1 and values[0] == 0, "monotone from 0 to 1")
        single = [1 << int(z) for z in rng.integers(0, 5, 6)]
        worst, _ = _marginal_gap(partial(_share_of, share, single, weights), 5)
        yield lab.equal({"world": world}, Fraction(worst), Fraction(0), "additive for goals of one option")


ONE_STEP = Claim(
    id="mid_training.one_step_coverage",
    statement=(
        "The mean value of planning with a set of options never falls when options are added; if every option ends the "
        "task it is a facility-location function, submodular, and greedy selection reaches 1 - 1/e of the best value."
    ),
    latex=r"f(B) = \mathbb{E}\max_{z\in B}R_z(M), \qquad f(B_{greedy}) \ge (1-1/e)\max_{|B|=k}f(B)",
    origin="derived",
    source="a maximum over a set has diminishing returns; Nemhauser, Wolsey and Fisher 1978 for greedy",
    kind="property",
    domain=Domain({}),
    evidence=(
        Exact(
            "enumeration",
            "all pairs of nested sets on random one-step worlds",
            _one_step_cells,
            scope="cells",
            cost=0.4,
        ),
        Exact("enumeration", "greedy against the best set of each size", _greedy_cells, scope="cells", cost=0.2),
        Exact("identity", "monotone for any goals, additive for goals of one option", _monotone_cells, scope="cells"),
    ),
    mutants=(
        Mutant(
            "two of the options are worth something only together",
            "each has its own reward",
            theory=replaced(
                optimal_values=lambda r, p, kept: shipped().optimal_values(r, p, kept) * ({3, 4} <= set(kept))
            ),
        ),
        Mutant(
            "the share of goals missed grows with the kept set",
            "it is one minus a share that grows",
            theory=replaced(covered_share=lambda *a: 1 - shipped().covered_share(*a)),
        ),
        Mutant(
            "only the last option kept is used",
            "planning may choose any kept option",
            theory=replaced(optimal_values=lambda r, p, kept: shipped().optimal_values(r, p, [max(kept)])),
        ),
    ),
)


CLAIMS = (SUBMODULAR_FALSE, ONE_STEP)
