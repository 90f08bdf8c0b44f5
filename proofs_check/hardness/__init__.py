"""Claims about hardness: what short answers say about the parity, what long ones show, and what learning takes.

The gradient's signal: ``parseval`` (all parities together, and the mixture), ``parity_classes`` (parities of k signs,
and how many have a strong signal), ``batches`` (signal and sampling noise), ``single_parity`` (the full parity, which
an average over subsets does not speak of), ``signal`` (the long route's steps beside the short answer).

Learners: ``queries`` (statistical queries, noisy gradients, fixed features, messages), ``elimination`` (how few
demonstrations any learner needs).

Samples, measured: ``thresholds`` (the share 1/3), ``pretraining_samples`` (growth with d and 1/epsilon, Theorem 1's
count, chains), ``post_training_samples`` (the answers that STaR and policy gradients draw), ``separation``
(next-token prediction alone against STaR).
"""

from __future__ import annotations

from proofs_check.claims import Claim
from proofs_check.hardness import (
    batches,
    elimination,
    parity_classes,
    parseval,
    post_training_samples,
    pretraining_samples,
    queries,
    separation,
    signal,
    single_parity,
    thresholds,
)

__all__ = ["CLAIMS"]

CLAIMS: tuple[Claim, ...] = (
    *parseval.CLAIMS,
    *parity_classes.CLAIMS,
    *batches.CLAIMS,
    *single_parity.CLAIMS,
    *signal.CLAIMS,
    *queries.CLAIMS,
    *elimination.CLAIMS,
    *thresholds.CLAIMS,
    *pretraining_samples.CLAIMS,
    *post_training_samples.CLAIMS,
    *separation.CLAIMS,
)
