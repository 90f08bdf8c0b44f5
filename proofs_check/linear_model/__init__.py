"""Claims about the autoregressive linear model: what it learns, how ridge biases it, and what SGD adds."""

from __future__ import annotations

from proofs_check.linear_model import asymptotics, bias, descent, optimum, training

__all__ = ["CLAIMS"]

CLAIMS = (*optimum.CLAIMS, *bias.CLAIMS, *descent.CLAIMS, *asymptotics.CLAIMS, *training.CLAIMS)
