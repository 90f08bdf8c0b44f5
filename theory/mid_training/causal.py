r"""Latents drawn before or after their token is seen.

If z_t is drawn from the past alone it is independent of a_t given the past, so the mean bound is at most minus the
conditional entropy of the text: full-context next-token prediction already attains it, and only hindsight, or a policy
of limited context, can gain. At fixed emissions the best causal law solves a soft Bellman equation with the mean inside
the exponent,

.. math:: V_t(\mathrm{prefix},z')=\ln\sum_zP_{z'z}\exp E_a[\ell(a,z)+V_{t+1}(\mathrm{prefix}\,a,z)] .
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from theory.mid_training._inputs import scalar, table, whole

__all__ = [
    "CausalValues",
    "causal_values",
]


class CausalValues(NamedTuple):
    """Values per token of three ways to use latents on a text from the sticky model itself.

    Attributes
    ----------
    smoothing : float
        Bound with hindsight latents, equal to the mean log-likelihood.
    causal : float
        Best bound when z_t is drawn before a_t is seen, with the emissions kept.
    full_context : float
        Value of next-token prediction that sees all of the past: minus the entropy rate of the text.
    bigram : float
        Value of next-token prediction that sees the previous token alone: minus the entropy rate given that token.
    """

    smoothing: float
    causal: float
    full_context: float
    bigram: float


def causal_values(emissions: Any, alpha: float, length: int, start: int | None = None) -> CausalValues:
    r"""Compare hindsight latents, causal latents and next-token prediction by the full tree of texts.

    Parameters
    ----------
    emissions : array_like
        pi(a | x, z), shape (K, A, A) with index (latent, previous token, token), positive, rows of total one.
    alpha : float
        Stickiness in [0, 1).
    length : int
        T >= 1 with A**T <= 20000.
    start : int, optional
        The token before the text; without it the first token is uniform whatever its latent, and counts among the T.

    Returns
    -------
    CausalValues
        In nats per token.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. A latent drawn before its token is independent of it given the past, so no causal law beats
    full-context next-token prediction; the best one solves
    :math:`V_t(\mathrm{prefix},z')=\ln\sum_zP_{z'z}\exp E_a[\ell(a,z)+V_{t+1}(\mathrm{prefix}\,a,z)]`.

    Examples
    --------
    >>> import numpy as np
    >>> stay = np.array([[0.95, 0.05], [0.05, 0.95]])
    >>> values = causal_values([stay, stay[::-1]], 0.85, 7)
    >>> round(values.smoothing, 3), round(values.causal, 3), round(values.bigram, 3)
    (-0.495, -0.998, -0.693)
    """
    pi = table("emissions", emissions, (None, None, None), 0.0, 1.0)
    k, size = pi.shape[:2]
    if pi.shape[2] != size or (pi <= 0).any() or np.abs(pi.sum(axis=2) - 1.0).max() > 1e-9:
        raise ValueError(f"emissions must be positive with shape (K, A, A) and rows of total 1, got shape {pi.shape}")
    a = scalar("alpha", alpha, 0, 1, open_high=True)
    n = whole("length", length, 1)
    if n * math.log(size) > math.log(20000):
        raise ValueError(f"length must keep A**length at most 20000, got {length!r} with A = {size}")
    first = size if start is None else whole("start", start, 0, size - 1)
    pi = np.concatenate([pi, np.full((k, 1, size), 1.0 / size)], axis=1)
    prior = np.full((k, k), (1.0 - a) / k) + a * np.eye(k)
    log_pi = np.log(pi)

    # bigram statistics of the text law: weight[t, x, a] accumulates P(x_{t-1} = x, a_t = a)
    weight = np.zeros((n, size + 1, size))

    def visit(t: int, token: int, belief: np.ndarray, probability: float) -> tuple[np.ndarray, float]:
        """Return V_t(prefix, .) over the previous latent and the mean of ln p(rest | prefix)."""
        if t == n:
            return np.zeros(k), 0.0
        predictive = belief @ pi[:, token]
        weight[t, token] += probability * predictive
        exponent = np.zeros(k)
        likelihood = 0.0
        for a_t in range(size):
            posterior = belief * pi[:, token, a_t]
            onward = (posterior / posterior.sum()) @ prior
            value, rest = visit(t + 1, a_t, onward, probability * predictive[a_t])
            exponent += predictive[a_t] * (log_pi[:, token, a_t] + value)
            likelihood += predictive[a_t] * (math.log(predictive[a_t]) + rest)
        top = exponent.max()
        weights = np.exp(exponent - top)
        mixed = prior @ weights if t else np.full(k, weights.mean())
        return np.log(mixed) + top, likelihood

    values, likelihood = visit(0, first, np.full(k, 1.0 / k), 1.0)
    context = weight.sum(axis=2, keepdims=True)
    conditional = np.divide(weight, context, out=np.ones_like(weight), where=context > 0)
    bigram = float((weight * np.log(np.where(conditional > 0, conditional, 1.0))).sum())
    likelihood = float(likelihood) / n
    return CausalValues(likelihood, float(values[0]) / n, likelihood, bigram / n)
