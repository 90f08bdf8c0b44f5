"""Bounds on the demonstrations that prune a library: numbers that suffice, and numbers that do not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from proofs_check.bounds import Bound, Crossing, Measured, narrowed
from proofs_check.bounds.mid_training._common import CLAIMS, times
from proofs_check.claims import Mutant
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.mid_training._common import shipped
from proofs_check.samples import Counts

__all__ = ["COUNTS"]

SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)


def _all_gone(lab: Lab, family: str, point: Mapping[str, Any], n: int, seeds: Sequence[int]) -> np.ndarray:
    """Trials in which n demonstrations eliminate every bad subset."""
    rooms = lab.sims.mid_training
    if family == "independent failures":
        data = rooms.draw_independent_failures(point["n_options"], point["failure_rate"], n, seeds, n_trials=100)
        return np.asarray(data["wrong_survivors"].values == 0).ravel()
    data = rooms.draw_unseen_types(point["n_kept"], point["failure_rate"], n, seeds, n_trials=100)
    return np.asarray(data["unseen"].values == 0).ravel()


def _complexity(
    lab: Lab, family: str, point: Mapping[str, Any], sizes: Sequence[int], seeds: Sequence[int]
) -> Crossing:
    """Least of the sizes at which nothing bad is left with probability 1 - delta."""
    tried = tuple(sorted(set(sizes)))
    gone = [_all_gone(lab, family, point, n, seeds) for n in tried]
    return Crossing(tried, tuple(int(g.sum()) for g in gone), gone[0].size, 1 - point["delta"])


def _sufficient(count: str, family: str) -> Bound:
    """Measured sample complexity over a number of demonstrations that suffices."""

    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        kept = 1 if family == "independent failures" else point["n_kept"]
        limit = math.ceil(
            getattr(lab.theory.mid_training, count)(point["n_options"], kept, point["failure_rate"], point["delta"])
        )
        return Measured(
            _complexity(lab, family, point, [math.ceil(share * limit) for share in SHARES], seeds), float(limit)
        )

    domain = narrowed(
        CLAIMS["union_count"].domain,
        n_options=(13, 60) if family == "coupons" else (2, 60),
        n_kept=(1, 12) if family == "coupons" else (1, 1),
        failure_rate=(0.02, 0.08) if family == "coupons" else (0.02, 0.7),
        delta=(0.05, 0.9),
    )
    return Bound(
        "mid_training.union_count",
        "upper",
        domain,
        measure,
        part=f"{count.replace('_', ' ')}, {family}",
        n=4,
        mutants=(
            Mutant(
                "a tenth of the count",
                "the bad subsets are too many to be gone so soon",
                theory=times(count, 0.1),
            ),
        ),
        cost=0.05,
    )


def _single(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """One bad subset beside the good one."""
    limit = float(lab.theory.mid_training.single_subset_lower_count(point["failure_rate"], point["delta"]))
    sizes = [max(1, math.ceil(share * limit)) for share in (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0, 4.0)]
    return Measured(_complexity(lab, "independent failures", {**point, "n_options": 2}, sizes, seeds), limit)


def _blocks(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
    """Bit blocks at the largest number of demonstrations for which failure is guaranteed."""
    d, least, q = point["n_types"], point["threshold"], point["light_share"] / point["n_types"]
    t = lab.theory.mid_training
    n = max(0, math.floor(t.block_lower_count(d, least, q * least)))
    survives = lab.sims.mid_training.draw_unseen_types(d, q, n, seeds, n_trials=250)["unseen"].values >= least
    return Measured(Counts(int(survives.sum()), survives.size), float(t.block_survival_guarantee(least)))


COUNTS = (
    *(
        _sufficient(count, family)
        for count in ("union_count", "paper_count", "loose_union_count")
        for family in ("independent failures", "coupons")
    ),
    Bound(
        "mid_training.smallest_counts",
        "lower",
        Domain(
            {
                name: narrowed(CLAIMS["union_count"].domain, failure_rate=(0.02, 0.7), delta=(0.05, 0.9)).parameters[
                    name
                ]
                for name in ("failure_rate", "delta")
            }
        ),
        _single,
        part="one bad subset",
        n=8,
        mutants=(
            Mutant(
                "five times as many are needed",
                "one subset has no logarithm of the library to pay",
                theory=times("single_subset_lower_count", 5.0),
            ),
        ),
    ),
    Bound(
        "mid_training.block_lower_bound",
        "lower",
        Domain(
            {
                "n_types": Integer(2, 60, meaning="light task types d", symbol="d"),
                "threshold": Integer(1, 10, meaning="failed light types from which a subset is bad", symbol="F"),
                "light_share": Real(0.05, 1.0, meaning="probability d q of a light type"),
            },
            {"d >= 2F": lambda cell: cell["n_types"] >= 2 * cell["threshold"]},
        ),
        _blocks,
        n=8,
        mutants=(
            Mutant(
                "for three times as many demonstrations and more",
                "there the mean number of unseen types is far below F",
                theory={
                    "mid_training.block_lower_count": lambda d, f, s: (
                        3 * shipped().block_lower_count(d, f, s) + 2 * d / s
                    )
                },
            ),
        ),
    ),
)
