r"""Post-training of the autoregressive linear model by simulation: STaR with real retraining, and policy gradients.

The model and its losses are those of :mod:`sims.linear_model` (Tsilivis, Malach, Ullrich and Kempe, arXiv 2510.11495).

* :func:`star` draws answers token by token from the current model, keeps what the reward accepts and retrains by
  averaged stochastic gradient descent: the algorithm itself.
* :func:`policy_gradient` moves all weights of the model by sampled gradients, REINFORCE or GRPO.
* :func:`tabular_star` and :func:`refit_shares` replace the training by the shares among the kept answers: what remains
  of STaR when every training is perfect, with N answers a round.
"""

from __future__ import annotations

from sims.post_training._gradients import policy_gradient
from sims.post_training._shares import refit_shares, tabular_star
from sims.post_training._star import star

__all__ = ["policy_gradient", "refit_shares", "star", "tabular_star"]
