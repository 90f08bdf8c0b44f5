"""Claims about STaR on a chain of M-ary steps."""

from __future__ import annotations

from proofs_check.claims import Claim
from proofs_check.star import family, finite, open_questions, rounds, tables, variants

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = (
    *family.CLAIMS,
    *rounds.CLAIMS,
    *variants.CLAIMS,
    *finite.CLAIMS,
    *tables.CLAIMS,
    *open_questions.CLAIMS,
)
