"""Claims about regret: the part that pruning costs, and the part that learning inside the pruned set costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from proofs_check.claims import Claim, Exact, Mutant
from proofs_check.domains import Domain
from proofs_check.mid_training._common import PAPER, generator, replaced, shipped
from proofs_check.mid_training._models import (
    best_values_by_linear_program,
    best_values_by_search,
    policy_values_by_solve,
    random_models,
)
from proofs_check.verdicts import Cell

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = ["CLAIMS"]


def _regret_cases() -> Iterator[tuple[int, np.ndarray, np.ndarray, tuple[int, ...], np.ndarray, bool]]:
    """Models with a kept set and a random policy, inside it or anywhere."""
    rng = generator(20)
    for index, (rewards, kernels) in enumerate(random_models(5)):
        kept = ((0,), (1, 2), (0, 2), (0, 1, 2))[index % 4]
        for inside in (True, False):
            policy = rng.dirichlet(np.ones(3), size=4)
            if inside:
                policy[:, [z for z in range(3) if z not in kept]] = 0.0
                policy /= policy.sum(axis=1, keepdims=True)
            yield index, rewards, kernels, kept, policy, inside


def _regret_identity(lab: Lab) -> Iterator[Cell]:
    """Three values by three solvers: all policies, the linear program, scipy's dense solver."""
    for index, rewards, kernels, kept, policy, inside in _regret_cases():
        parts = lab.theory.mid_training.regret_parts(rewards, kernels, kept, policy, 0)
        best = float(best_values_by_search(rewards, kernels, (0, 1, 2))[0])
        pruned = float(best_values_by_search(rewards, kernels, kept)[0])
        reached = float(policy_values_by_solve(rewards, kernels, policy)[0])
        # Condition 1/(1-gamma) <= 10 of systems of size 4; values below 10.
        slack = 1e-11
        cell = {"model": index, "kept": str(kept), "inside": inside}
        yield lab.close(cell, best - pruned, parts.pruning, slack, "pruning error")
        yield lab.close(cell, pruned - reached, parts.learning, slack, "error inside the pruned set")
        yield lab.close(cell, parts.total, parts.pruning + parts.learning, slack, "identity")


def _regret_signs(lab: Lab) -> Iterator[Cell]:
    negative = 0
    for index, rewards, kernels, kept, policy, inside in _regret_cases():
        t = lab.theory.mid_training
        parts = t.regret_parts(rewards, kernels, kept, policy, 0)
        cell = {"model": index, "kept": str(kept)}
        yield lab.at_most(cell, -1e-11, parts.pruning, "pruning error is not negative")
        if inside:
            yield lab.at_most(cell, -1e-11, parts.learning, "nor is the error of a policy over kept options")
        negative += parts.learning < -1e-6
        values = t.optimal_values(rewards, kernels, kept)
        # HiGHS solves to a feasibility of 1e-7, amplified by at most 1/(1-gamma) = 10.
        gap = float(np.abs(values - best_values_by_linear_program(rewards, kernels, kept)).max())
        yield lab.close(cell, gap, 0.0, 1e-5, "policy iteration against the linear program")
        for fewer in itertools.combinations(kept, max(1, len(kept) - 1)):
            below = t.optimal_values(rewards, kernels, fewer)
            yield lab.at_most(
                {**cell, "fewer": str(fewer)}, float((below - values).max()), 1e-11, "antitone in the set"
            )
    yield lab.true({"policies": "outside the kept set"}, negative > 0, f"second term negative in {negative} cases")


REGRET = Claim(
    id="mid_training.regret_decomposition",
    statement=(
        "Regret is pruning error plus regret inside the pruned set, for any subset and policies. The first term is "
        "never negative and falls as the set grows; the second is non-negative if the policy uses kept options only, "
        "and can be negative otherwise."
    ),
    latex=(r"\mathbb{E}[V^*_{\mathcal Z}-V^\pi] = \mathbb{E}[V^*_{\mathcal Z}-V^*_B] + \mathbb{E}[V^*_B-V^\pi]"),
    origin="paper",
    source=f"{PAPER}, regret decomposition",
    kind="exact",
    domain=Domain({}),
    evidence=(
        Exact(
            "identity",
            "all policies and dense solves against policy iteration",
            _regret_identity,
            scope="cells",
            cost=0.4,
        ),
        Exact(
            "enumeration", "signs, order of sets, and scipy's linear program", _regret_signs, scope="cells", cost=0.4
        ),
    ),
    mutants=(
        Mutant(
            "the pruning error is the best value of the pruned set minus that of the library",
            "fewer options are never better",
            theory=replaced(
                regret_parts=lambda *a: (lambda p: p._replace(pruning=-p.pruning, learning=p.total + p.pruning))(
                    shipped().regret_parts(*a)
                )
            ),
        ),
        Mutant(
            "the second term is measured from the whole library",
            "that counts the pruning error twice",
            theory=replaced(
                regret_parts=lambda *a: (lambda p: p._replace(learning=p.total))(shipped().regret_parts(*a))
            ),
        ),
        Mutant(
            "the best value takes one sweep",
            "later decisions count",
            theory=replaced(
                optimal_values=lambda r, p, kept=None: np.asarray(r)[list(kept or range(len(r)))].max(axis=0)
            ),
        ),
    ),
)


CLAIMS = (REGRET,)
