r"""The temporal bound with sticky latents: soft value iteration, its gap, and the number of switches.

Latents follow the sticky prior of :mod:`theory.mid_training.knob`. A text a_1..a_T enters only through the
log-emissions :math:`\ell_t(z)=\ln\pi(a_t|s_t,z)`, a table of shape (T, K). For every law q of the latents
:math:`\ln p(a)-\mathrm{ELBO}(q)=\mathrm{KL}(q\|p(z|a))`, and the posterior solves a soft Bellman equation whose
exponentiated values are the backward messages. With
:math:`\ln Z(c)=\ln\sum_ze^{\sum_t\ell_t(z_t)-c\,\mathrm{sw}(z)}`, :math:`-\mathrm d\ln Z/\mathrm dc` is the mean and
:math:`\mathrm d^2\ln Z/\mathrm dc^2` the variance of the number of switches.

Bound: Zhang, Yu, Feng, Jin, Wang, Peebles and Wang (arXiv 2509.25810); the forms below are derived here.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from theory.mid_training._inputs import scalar, table

__all__ = [
    "Bound",
    "best_scores_by_switches",
    "constant_path_penalty",
    "evidence_bound",
    "log_partition",
    "posterior_transitions",
    "soft_values",
    "sticky_log_likelihood",
    "switch_moments",
]


def _emissions(log_emissions: Any) -> np.ndarray:
    return table("log_emissions", log_emissions, (None, None))


def _log_mean(values: np.ndarray) -> np.ndarray:
    top = values.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(values - top).mean(axis=-1)) + top[..., 0])


def soft_values(log_emissions: Any, alpha: float) -> np.ndarray:
    r"""Solve the soft Bellman equation of the latents.

    Parameters
    ----------
    log_emissions : array_like
        :math:`\ell_t(z)`, shape (T, K), finite.
    alpha : float
        Stickiness in [0, 1].

    Returns
    -------
    numpy.ndarray
        Q_1..Q_T, shape (T, K): :math:`Q_t(z)=\ell_t(z)+V_{t+1}(z)`,
        :math:`V_t(z')=\ln(\alpha e^{Q_t(z')}+(1-\alpha)\,\mathrm{mean}_ze^{Q_t(z)})`, :math:`V_{T+1}=0`. Then
        :math:`e^{V_{t+1}(z)}=p(a_{t+1:T}|z_t=z)`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Zhang et al. (arXiv 2509.25810) for the E-step as reinforcement learning; the recursion is derived here. Cost T K.

    Examples
    --------
    >>> soft_values([[0.0, 0.0]], 0.5).tolist()
    [[0.0, 0.0]]
    """
    ell = _emissions(log_emissions)
    a = scalar("alpha", alpha, 0, 1)
    q = np.empty_like(ell)
    following = np.zeros(ell.shape[1])
    with np.errstate(divide="ignore"):
        stay, move = np.log(a), np.log1p(-a)
    for t in range(len(ell) - 1, -1, -1):
        q[t] = ell[t] + following
        following = np.logaddexp(stay + q[t], move + _log_mean(q[t]))
    return q


def sticky_log_likelihood(log_emissions: Any, alpha: float) -> float:
    """Return ln p(a) of a text under sticky latents.

    Parameters
    ----------
    log_emissions, alpha
        As in :func:`soft_values`; alpha = 0 gives the memoryless product of means, alpha = 1 the mean of whole-text
        products (a mixture of K sequence models, not next-token prediction).

    Returns
    -------
    float
        The log-likelihood in nats.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the log-mean-exp of Q_1.

    Examples
    --------
    >>> sticky_log_likelihood([[0.0, 0.0], [0.0, 0.0]], 0.3)
    0.0
    """
    return float(_log_mean(soft_values(log_emissions, alpha)[0]))


def posterior_transitions(log_emissions: Any, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the smoothing law of the latents as a Markov chain.

    Parameters
    ----------
    log_emissions, alpha
        As in :func:`soft_values`.

    Returns
    -------
    initial : numpy.ndarray
        q(z_1), shape (K,).
    transitions : numpy.ndarray
        :math:`q_t(z|z')=P_{z'z}e^{Q_t(z)-V_t(z')}`, shape (T - 1, K, K), entry [t, z', z] for the step into t + 2.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here; equals the posterior p(z | a).

    Examples
    --------
    >>> initial, transitions = posterior_transitions([[0.0, 0.0], [0.0, 0.0]], 0.5)
    >>> transitions[0].tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    """
    q = soft_values(log_emissions, alpha)
    length, k = q.shape
    a = float(alpha)
    prior = np.full((k, k), (1.0 - a) / k) + a * np.eye(k)
    weights = np.exp(q - q.max(axis=1, keepdims=True))
    joint = prior * weights[1:, None, :] if length > 1 else np.empty((0, k, k))
    totals = joint.sum(axis=2, keepdims=True)
    # a latent that cannot go on (alpha = 1 and an underflowing weight) has no reachable successor: keep the prior row
    transitions = np.where(totals > 0, joint / np.where(totals > 0, totals, 1.0), prior)
    return weights[0] / weights[0].sum(), transitions


class Bound(NamedTuple):
    """Parts of the evidence lower bound of a Markov law of the latents.

    Attributes
    ----------
    bound : float
        reward - divergence.
    reward : float
        Mean of sum_t ln pi(a_t | s_t, z_t).
    divergence : float
        KL of the law from the sticky prior.
    gap : float
        KL of the law from the posterior.
    """

    bound: float
    reward: float
    divergence: float
    gap: float


def evidence_bound(log_emissions: Any, alpha: float, initial: Any, transitions: Any) -> Bound:
    """Return the evidence lower bound of a Markov law of the latents, and its gap.

    Parameters
    ----------
    log_emissions : array_like
        Shape (T, K).
    alpha : float
        Stickiness in [0, 1).
    initial : array_like
        q(z_1), shape (K,), total one.
    transitions : array_like
        q_t(z | z'), shape (T - 1, K, K), rows of total one.

    Returns
    -------
    Bound
        ``bound + gap`` equals ln p(a) for every law; the gap is summed from its own divergences, not by subtraction.

    Raises
    ------
    ValueError
        If a shape or a total is wrong.

    Notes
    -----
    Zhang et al. (arXiv 2509.25810) for the bound; the identity is derived here. A Markov law loses nothing: the
    posterior is Markov.

    Examples
    --------
    >>> result = evidence_bound([[0.0, 0.0]], 0.5, [1.0, 0.0], [])
    >>> round(result.gap, 6)
    0.693147
    """
    from scipy.special import rel_entr

    ell = _emissions(log_emissions)
    length, k = ell.shape
    a = scalar("alpha", alpha, 0, 1, open_high=True)
    first = table("initial", initial, (k,), 0.0, 1.0)
    if length == 1:
        moves = np.empty((0, k, k))
    else:
        moves = table("transitions", transitions, (length - 1, k, k), 0.0, 1.0)
    totals = np.concatenate([[first.sum()], moves.sum(axis=2).ravel()])
    if np.abs(totals - 1.0).max() > 1e-9:
        raise ValueError(f"initial and transitions must have rows of total 1, got totals up to {float(totals.max())!r}")
    prior = np.full((k, k), (1.0 - a) / k) + a * np.eye(k)
    best_first, best_moves = posterior_transitions(ell, a)
    marginal = first
    reward = float(marginal @ ell[0])
    divergence = float(rel_entr(first, 1.0 / k).sum())
    gap = float(rel_entr(first, best_first).sum())
    for t in range(length - 1):
        divergence += float(marginal @ rel_entr(moves[t], prior).sum(axis=1))
        gap += float(marginal @ rel_entr(moves[t], best_moves[t]).sum(axis=1))
        marginal = marginal @ moves[t]
        reward += float(marginal @ ell[t + 1])
    return Bound(reward - divergence, reward, divergence, gap)


def switch_moments(log_emissions: Any, penalty: float) -> tuple[float, float, float]:
    r"""Return ln Z(c) with the mean and variance of the number of switches.

    Parameters
    ----------
    log_emissions : array_like
        Shape (T, K), finite.
    penalty : float
        c >= 0.

    Returns
    -------
    log_partition, mean, variance : float
        :math:`\ln Z(c)`, :math:`-\mathrm d\ln Z/\mathrm dc` and :math:`\mathrm d^2\ln Z/\mathrm dc^2`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: one forward pass carries, for every latent, the weight of the paths that end there with the mean and
    the mean square of their switches. At ``c = switch_penalty(alpha, K)`` the law is the sticky posterior, so the mean
    is non-increasing in c for every single text. Cost T K.

    Examples
    --------
    >>> _, mean, variance = switch_moments([[0.0, 0.0], [0.0, 0.0]], 0.0)
    >>> mean, variance
    (0.5, 0.25)
    """
    ell = _emissions(log_emissions)
    price = math.exp(-scalar("penalty", penalty, 0))
    log_weight, first, second = ell[0], np.zeros(ell.shape[1]), np.zeros(ell.shape[1])
    for row in ell[1:]:
        top = log_weight.max()
        weight = np.exp(log_weight - top)
        # moments of the switches weighted by the paths; moving adds one switch
        m1, m2 = weight * first, weight * second
        moved0 = weight.sum() - weight
        moved1 = m1.sum() - m1 + moved0
        moved2 = (m2.sum() - m2) + 2.0 * (m1.sum() - m1) + moved0
        total = weight + price * moved0
        first, second = (m1 + price * moved1) / total, (m2 + price * moved2) / total
        log_weight = np.log(total) + top + row
    top = log_weight.max()
    weight = np.exp(log_weight - top)
    share = weight / weight.sum()
    mean = float(share @ first)
    variance = float(share @ (second - 2.0 * mean * first + mean * mean))
    return float(top + np.log(weight.sum())), mean, max(0.0, variance)


def log_partition(log_emissions: Any, penalty: float) -> float:
    """Return ln Z(c), the log-sum over latent paths of likelihood times exp(-c switches).

    Parameters
    ----------
    log_emissions, penalty
        As in :func:`switch_moments`.

    Returns
    -------
    float
        ln Z(c), nats.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: ``ln p(a) = ln Z(c) - ln K - (T - 1) ln(1 + (K - 1) exp(-c))``.

    Examples
    --------
    >>> round(log_partition([[0.0, 0.0], [0.0, 0.0]], 0.0), 6) == round(math.log(4), 6)
    True
    """
    return switch_moments(log_emissions, penalty)[0]


def best_scores_by_switches(log_emissions: Any) -> np.ndarray:
    """Return the largest total emission of a path with exactly j switches, for every j.

    Parameters
    ----------
    log_emissions : array_like
        Shape (T, K), finite.

    Returns
    -------
    numpy.ndarray
        Shape (T,): entry j for j switches; -inf where K = 1 leaves none. The best penalised score at price c is the
        maximum of ``entry[j] - c j``: convex and piecewise linear in c.

    Raises
    ------
    ValueError
        If `log_emissions` is no such table.

    Notes
    -----
    Derived here; dynamic programming over (step, switches, latent), cost T^2 K.

    Examples
    --------
    >>> best_scores_by_switches([[0.0, -1.0], [-1.0, 0.0]]).tolist()
    [-1.0, 0.0]
    """
    ell = _emissions(log_emissions)
    length, k = ell.shape
    scores = np.full((length, k), -np.inf)
    scores[0] = ell[0]
    for row in ell[1:]:
        moved = np.full_like(scores, -np.inf)
        if k > 1:
            order = np.argsort(scores, axis=1)
            best, runner_up = order[:, -1], order[:, -2]
            lines = np.arange(length)
            others = np.repeat(scores[lines, best][:, None], k, axis=1)
            others[lines, best] = scores[lines, runner_up]
            moved[1:] = others[:-1]
        scores = np.maximum(scores, moved) + row
    return np.asarray(scores.max(axis=1))


def constant_path_penalty(log_emissions: Any) -> float:
    """Return the smallest price at which a path without switches is optimal.

    Parameters
    ----------
    log_emissions : array_like
        Shape (T, K), finite.

    Returns
    -------
    float
        c* = max over paths with switches of (L(z) - best constant)/sw(z), at least 0.

    Raises
    ------
    ValueError
        If `log_emissions` is no such table.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> constant_path_penalty([[0.0, -1.0], [-1.0, 0.0]])
    1.0
    """
    scores = best_scores_by_switches(log_emissions)
    if len(scores) == 1:
        return 0.0
    gains = (scores[1:] - scores[0]) / np.arange(1, len(scores))
    return max(0.0, float(gains.max()))
