"""Bounds on mid-training, by subject.

``pruning_counts``
    How many demonstrations prune a library: counts that suffice, and lower bounds.
``pruning_errors``
    What is lost after pruning: the subsets that are left, rules that tolerate failures, empirical risk, footprints.
``planning``
    Value iteration with options: sweeps, reward conventions, spans, random durations, a budget of backups.
``likelihoods``
    Text with latents: the evidence lower bound, and how many switches a price leaves.
"""

from __future__ import annotations

from proofs_check.bounds import Bound
from proofs_check.bounds.mid_training.likelihoods import LIKELIHOODS
from proofs_check.bounds.mid_training.planning import PLANNING
from proofs_check.bounds.mid_training.pruning_counts import COUNTS
from proofs_check.bounds.mid_training.pruning_errors import LOSSES

__all__ = ["BOUNDS"]

BOUNDS: tuple[Bound, ...] = (*COUNTS, *LOSSES, *PLANNING, *LIKELIHOODS)
