"""Claims about post-training: rounds of filtering by reward, their limits and knobs, and policy gradients."""

from __future__ import annotations

from proofs_check.post_training import cost, finite, full_round, gradients, knobs, rounds, trained

__all__ = ["CLAIMS"]

CLAIMS = (
    *rounds.CLAIMS,
    *finite.CLAIMS,
    *full_round.CLAIMS,
    *trained.CLAIMS,
    *knobs.CLAIMS,
    *gradients.CLAIMS,
    *cost.CLAIMS,
)
