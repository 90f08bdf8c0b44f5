"""Claims about transformers trained from scratch, held against the closed forms of the other subjects.

They belong to the profile ``transformer``. The runs are stored; nothing is trained, and PyTorch is not imported, unless
a base seed other than 0 asks for new runs, or a demonstration is started.
"""

from __future__ import annotations

from proofs_check.transformer import pretraining, rewriting, rounds

__all__ = ["CLAIMS"]

CLAIMS = (*pretraining.CLAIMS, *rounds.CLAIMS, *rewriting.CLAIMS)
