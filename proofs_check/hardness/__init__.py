"""Claims about hardness: what short answers say about the parity, what long ones show, and what learning takes."""

from __future__ import annotations

from proofs_check.hardness import complexity, elimination, parseval, queries, signal

__all__ = ["CLAIMS"]

CLAIMS = (
    *parseval.CLAIMS,
    *signal.CLAIMS,
    *queries.CLAIMS,
    *elimination.CLAIMS,
    *complexity.CLAIMS,
)
