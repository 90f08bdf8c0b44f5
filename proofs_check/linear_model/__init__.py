"""Claims about the autoregressive linear model: what it learns, how ridge biases it, and what SGD adds.

In the order of the theory: the optimum of every position, the bias of ridge and how sharp its bounds
are, the average of SGD's iterates, bounds on it that hold with high probability, Theorem 1, the limit
law at many steps and what finite time adds to it, and trained models as wholes.
"""

from __future__ import annotations

from proofs_check.linear_model import (
    asymptotics,
    averaged_iterate,
    bias,
    bias_sharpness,
    descent,
    finite_time,
    optimum,
    theorem_1,
    training,
)

__all__ = ["CLAIMS"]

CLAIMS = (
    *optimum.CLAIMS,
    *bias.CLAIMS,
    *bias_sharpness.CLAIMS,
    *averaged_iterate.CLAIMS,
    *descent.CLAIMS,
    *theorem_1.CLAIMS,
    *asymptotics.CLAIMS,
    *finite_time.CLAIMS,
    *training.CLAIMS,
)
