"""Claims about mid-training as action abstraction: pruning, planning, latents, exploration, a world in miniature."""

from __future__ import annotations

from proofs_check.claims import Claim
from proofs_check.mid_training import exploration, families, latents, miniature, planning, pruning, repairs

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = (
    *pruning.CLAIMS,
    *families.CLAIMS,
    *repairs.CLAIMS,
    *planning.CLAIMS,
    *latents.CLAIMS,
    *exploration.CLAIMS,
    *miniature.CLAIMS,
)
