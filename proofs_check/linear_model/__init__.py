"""Claims about the autoregressive linear model: what it learns, how ridge biases it, and what SGD adds."""

from __future__ import annotations

from proofs_check.linear_model import bias, optimum

__all__ = ["CLAIMS"]

CLAIMS = (*optimum.CLAIMS, *bias.CLAIMS)
