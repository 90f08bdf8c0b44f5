"""Claims about mid-training as action abstraction: pruning, planning, latents, exploration, worlds in miniature.

In the order of the theory: pruning a library of options (how many demonstrations, lower bounds, families
in closed form, the error that is left, rules that tolerate failures, footprints, submodularity), planning
with what is left (regret, value iteration, durations, the span), latents of text (the temporal bound,
expectation-maximisation, stickiness, switches, causal latents, losses), exploration and first successes,
and whole worlds (tables of fits, a race, macros of fixed length).
"""

from __future__ import annotations

from proofs_check.claims import Claim
from proofs_check.mid_training import (
    causal_latents,
    durations,
    expectation_maximisation,
    exploration,
    families,
    first_success,
    fixed_lengths,
    footprints,
    identifiability,
    losses,
    lower_bounds,
    miniature,
    pruning,
    pruning_error,
    race,
    regret,
    span,
    stickiness,
    submodularity,
    switches,
    temporal_bound,
    tolerant_rules,
    value_iteration,
)

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = (
    *pruning.CLAIMS,
    *lower_bounds.CLAIMS,
    *families.CLAIMS,
    *pruning_error.CLAIMS,
    *tolerant_rules.CLAIMS,
    *footprints.CLAIMS,
    *submodularity.CLAIMS,
    *regret.CLAIMS,
    *value_iteration.CLAIMS,
    *durations.CLAIMS,
    *span.CLAIMS,
    *temporal_bound.CLAIMS,
    *expectation_maximisation.CLAIMS,
    *stickiness.CLAIMS,
    *switches.CLAIMS,
    *causal_latents.CLAIMS,
    *losses.CLAIMS,
    *identifiability.CLAIMS,
    *exploration.CLAIMS,
    *first_success.CLAIMS,
    *miniature.CLAIMS,
    *race.CLAIMS,
    *fixed_lengths.CLAIMS,
)
