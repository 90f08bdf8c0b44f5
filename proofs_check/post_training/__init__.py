"""Claims about post-training: rounds of filtering by reward, their limits and knobs, and policy gradients.

Rounds in theory: ``doubling`` (what one round does to the odds), ``rounds`` (how many it takes, and the lengths),
``error_propagation`` (calibration errors over the rounds), ``finite`` (extinction, and a budget of samples),
``full_round`` (the map off calibration, and which reward grows the chain).

The training inside a round: ``refit`` (its optimum after filtering), ``warm_start`` (going on from the old weights),
``early_starts`` (too few right chains, and errors that are copied), ``heated_training`` (temperature on trained
models).

What may be turned: ``temperature``, ``verifier`` (with the length penalty), ``training_data`` (noisy demonstrations,
leaps, one pool of prompts).

Policy gradients: ``policy_gradient`` (exact gradients, GRPO's weights), ``reinforce`` (its flow, the natural gradient,
division by length), ``race`` (against STaR).

From beginning to end: ``cost`` (the samples that all of it takes).
"""

from __future__ import annotations

from proofs_check.claims import Claim
from proofs_check.post_training import (
    cost,
    doubling,
    early_starts,
    error_propagation,
    finite,
    full_round,
    heated_training,
    policy_gradient,
    race,
    refit,
    reinforce,
    rounds,
    temperature,
    training_data,
    verifier,
    warm_start,
)

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = (
    *doubling.CLAIMS,
    *rounds.CLAIMS,
    *error_propagation.CLAIMS,
    *finite.CLAIMS,
    *full_round.CLAIMS,
    *refit.CLAIMS,
    *warm_start.CLAIMS,
    *early_starts.CLAIMS,
    *heated_training.CLAIMS,
    *temperature.CLAIMS,
    *verifier.CLAIMS,
    *training_data.CLAIMS,
    *policy_gradient.CLAIMS,
    *reinforce.CLAIMS,
    *race.CLAIMS,
    *cost.CLAIMS,
)
