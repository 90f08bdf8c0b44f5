"""Claims about STaR on a chain of M-ary steps.

In the order of the theory: the symmetric family (its map, where rounds lead, right paths, steps below
guessing, round counts), its variants (noise, temperature, hints), finite samples (one round, its
fluctuations, whole runs over two states, smoothing), arbitrary tables (the gain of a refit, chains with
structure, counterexamples), and how far two open questions got.
"""

from __future__ import annotations

from proofs_check.claims import Claim
from proofs_check.star import (
    below_guessing,
    convergence,
    counterexamples,
    family,
    fluctuations,
    hints,
    noise,
    open_questions,
    right_paths,
    rounds,
    sampled_rounds,
    smoothing,
    structure,
    tables,
    temperature,
    two_states,
)

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = (
    *family.CLAIMS,
    *convergence.CLAIMS,
    *right_paths.CLAIMS,
    *below_guessing.CLAIMS,
    *rounds.CLAIMS,
    *noise.CLAIMS,
    *temperature.CLAIMS,
    *hints.CLAIMS,
    *sampled_rounds.CLAIMS,
    *fluctuations.CLAIMS,
    *two_states.CLAIMS,
    *smoothing.CLAIMS,
    *tables.CLAIMS,
    *structure.CLAIMS,
    *counterexamples.CLAIMS,
    *open_questions.CLAIMS,
)
