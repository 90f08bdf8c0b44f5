r"""Planning with options: regret decomposition, number of sweeps, and what durations do.

An option z runs for tau >= 1 steps; its model is :math:`R_z(s)=E\sum_{i<\tau}\gamma^ir_i` and
:math:`P_z(s'|s)=E[\gamma^\tau 1\{s_\tau=s'\}]`, the discount folded in. The operator
:math:`T_BV(s)=\max_{z\in B}R_z(s)+\sum_{s'}P_z(s'|s)V(s')` contracts the sup norm with modulus
:math:`\bar\gamma=\max_{s,z\in B}E[\gamma^\tau|s,z]`. From :math:`V_0=0` and rewards >= 0 the iterates increase and

.. math:: 0\le V^*-V_N\le (P_{\pi^*})^NV^*\le\bar\gamma^{\,N}V_{max},

so the durations of the optimal options govern the error from below, while from above the shortest option can.
Adding and subtracting :math:`V^*_B` splits the regret of a policy into the loss by pruning and the loss inside the
pruned set (Zhang, Yu, Feng, Jin, Wang, Peebles and Wang, arXiv 2509.25810).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from theory._math import log
from theory._validate import choice, integer, real
from theory.mid_training._inputs import scalar, table

__all__ = [
    "RegretParts",
    "optimal_values",
    "option_model",
    "policy_values",
    "regret_parts",
    "sweeps_bound",
    "sweeps_bound_linear",
    "sweeps_reward_convention",
]


class RegretParts(NamedTuple):
    """Regret of a policy at one state, split at the best value of the pruned set.

    Attributes
    ----------
    pruning : float
        V*_Z - V*_B, never negative.
    learning : float
        V*_B - V^pi, never negative when pi uses options of B only.
    total : float
        V*_Z - V^pi.
    """

    pruning: float
    learning: float
    total: float


def _models(rewards: Any, kernels: Any) -> tuple[np.ndarray, np.ndarray]:
    r = table("rewards", rewards, (None, None))
    p = table("kernels", kernels, (r.shape[0], r.shape[1], r.shape[1]), 0.0, 1.0)
    rows = p.sum(axis=2)
    if (rows >= 1.0).any():
        raise ValueError(f"kernels must have row sums E[gamma^tau] below 1, got {float(rows.max())!r}")
    return r, p


def _subset(kept: Any, n_options: int) -> np.ndarray:
    chosen = np.unique(np.asarray(integer("kept", np.asarray(kept), 0, n_options - 1)))
    if chosen.size == 0:
        raise ValueError(f"kept must hold at least one option in [0, {n_options - 1}], got {kept!r}")
    return chosen


def optimal_values(rewards: Any, kernels: Any, kept: Any = None) -> np.ndarray:
    """Return the best values that the kept options reach, by policy iteration with linear solves.

    Parameters
    ----------
    rewards : array_like
        R_z(s), shape (m, S).
    kernels : array_like
        P_z(s'|s) with the discount folded in, shape (m, S, S), row sums below one.
    kept : sequence of int, optional
        The subset B; all options by default.

    Returns
    -------
    numpy.ndarray
        V*_B, shape (S,).

    Raises
    ------
    ValueError
        If a shape or a row sum is wrong, or `kept` is empty.

    Notes
    -----
    Howard's policy iteration; a switch is made only for a gain beyond rounding, so it ends.

    Examples
    --------
    >>> optimal_values([[1.0]], [[[0.5]]]).tolist()
    [2.0]
    """
    r, p = _models(rewards, kernels)
    chosen = np.arange(len(r)) if kept is None else _subset(kept, len(r))
    r, p = r[chosen], p[chosen]
    states = np.arange(r.shape[1])
    policy = np.argmax(r, axis=0)
    while True:
        values = np.linalg.solve(np.eye(len(states)) - p[policy, states], r[policy, states])
        backed_up = r + p @ values
        best = np.argmax(backed_up, axis=0)
        gain = backed_up[best, states] - backed_up[policy, states]
        better = gain > 1e-12 * (1.0 + np.abs(values))
        if not better.any():
            return np.asarray(values)
        policy = np.where(better, best, policy)


def policy_values(rewards: Any, kernels: Any, policy: Any) -> np.ndarray:
    """Return the values of a policy over options by a linear solve.

    Parameters
    ----------
    rewards, kernels : array_like
        As in :func:`optimal_values`.
    policy : array_like
        Either one option per state, integers of shape (S,), or probabilities of shape (S, m).

    Returns
    -------
    numpy.ndarray
        V^pi, shape (S,).

    Raises
    ------
    ValueError
        If a shape, an option or a probability is wrong.

    Notes
    -----
    Elementary.

    Examples
    --------
    >>> policy_values([[1.0], [0.0]], [[[0.5]], [[0.5]]], [[0.5, 0.5]]).tolist()
    [1.0]
    """
    r, p = _models(rewards, kernels)
    n_options, n_states = r.shape
    if np.ndim(policy) == 1:
        chosen = np.asarray(integer("policy", np.asarray(policy), 0, n_options - 1))
        if chosen.shape != (n_states,):
            raise ValueError(f"policy must have shape ({n_states},), got {chosen.shape}")
        mix = np.zeros((n_states, n_options))
        mix[np.arange(n_states), chosen] = 1.0
    else:
        mix = table("policy", policy, (n_states, n_options), 0.0, 1.0)
        if np.abs(mix.sum(axis=1) - 1.0).max() > 1e-9:
            raise ValueError(f"policy must have rows of total 1, got totals {mix.sum(axis=1).tolist()!r}")
    reward = np.einsum("sz,zs->s", mix, r)
    kernel = np.einsum("sz,zst->st", mix, p)
    return np.asarray(np.linalg.solve(np.eye(n_states) - kernel, reward))


def regret_parts(rewards: Any, kernels: Any, kept: Any, policy: Any, start: int) -> RegretParts:
    """Split the regret of a policy into the loss by pruning and the loss inside the pruned set.

    Parameters
    ----------
    rewards, kernels, policy : array_like
        As in :func:`policy_values`.
    kept : sequence of int
        The subset B.
    start : int
        The initial state.

    Returns
    -------
    RegretParts
        With ``total`` from V*_Z and V^pi alone, so that the identity ``total = pruning + learning`` can be tested.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Zhang et al. (arXiv 2509.25810), regret decomposition: add and subtract V*_B.

    Examples
    --------
    >>> regret_parts([[1.0], [0.25]], [[[0.5]], [[0.5]]], [1], [1], 0)
    RegretParts(pruning=1.5, learning=0.0, total=1.5)
    """
    r, _ = _models(rewards, kernels)
    s = integer("start", start, 0, r.shape[1] - 1)
    best = float(optimal_values(rewards, kernels)[s])
    pruned = float(optimal_values(rewards, kernels, kept)[s])
    reached = float(policy_values(rewards, kernels, policy)[s])
    return RegretParts(best - pruned, pruned - reached, best - reached)


def option_model(
    transitions: Any, rewards: Any, policy: Any, termination: Any, discount: float
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the semi-Markov model of an option with a Markov policy and random termination.

    Parameters
    ----------
    transitions : array_like
        P(s'|s,a) of the primitive process, shape (A, S, S), rows of total one.
    rewards : array_like
        r(s, a), shape (A, S).
    policy : array_like
        pi(a|s) of the option, shape (S, A), rows of total one.
    termination : array_like
        Probability of stopping on arrival in each state, shape (S,), in [0, 1].
    discount : float
        gamma in (0, 1).

    Returns
    -------
    reward : numpy.ndarray
        R_z, shape (S,).
    kernel : numpy.ndarray
        P_z, shape (S, S), discount folded in.

    Raises
    ------
    ValueError
        If a shape or a probability is wrong.

    Notes
    -----
    Sutton, Precup and Singh (Artificial Intelligence 1999): with M = P_pi diag(1 - beta),
    ``R = r_pi + gamma M R`` and ``P = gamma P_pi diag(beta) + gamma M P``.

    Examples
    --------
    >>> reward, kernel = option_model([[[1.0]]], [[1.0]], [[1.0]], [0.5], 0.5)
    >>> [round(float(x), 6) for x in (reward[0], kernel[0, 0])]
    [1.333333, 0.333333]
    """
    p = table("transitions", transitions, (None, None, None), 0.0, 1.0)
    n_actions, n_states = p.shape[:2]
    r = table("rewards", rewards, (n_actions, n_states))
    pi = table("policy", policy, (n_states, n_actions), 0.0, 1.0)
    beta = table("termination", termination, (n_states,), 0.0, 1.0)
    gamma = scalar("discount", discount, 0, 1, open_low=True, open_high=True)
    if p.shape[2] != n_states or np.abs(p.sum(axis=2) - 1.0).max() > 1e-9 or np.abs(pi.sum(axis=1) - 1.0).max() > 1e-9:
        raise ValueError(f"transitions and policy must have rows of total 1, got shapes {p.shape} and {pi.shape}")
    step = gamma * np.einsum("sa,ast->st", pi, p)
    going_on = np.eye(n_states) - step * (1.0 - beta)
    reward = np.linalg.solve(going_on, np.einsum("sa,as->s", pi, r))
    return np.asarray(reward), np.asarray(np.linalg.solve(going_on, step * beta))


def sweeps_bound(largest_value: Any, tolerance: Any, modulus: Any) -> Any:
    r"""Return a number of value-iteration sweeps from zero that brings the sup error below `tolerance`.

    Parameters
    ----------
    largest_value : float, array_like, Fraction, sympy.Expr or flint.arb
        V_max > 0, a bound on V*.
    tolerance : same kinds
        eps > 0.
    modulus : same kinds
        Contraction modulus in (0, 1).

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\ln(V_{max}/\varepsilon)/\ln(1/\bar\gamma)`, negative when zero sweeps suffice.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here from the contraction.

    Examples
    --------
    >>> round(sweeps_bound(100.0, 1.0, 0.99**100), 3)
    4.582
    """
    value = real("largest_value", largest_value, 0, open_low=True)
    eps = real("tolerance", tolerance, 0, open_low=True)
    g = real("modulus", modulus, 0, 1, open_low=True, open_high=True)
    return log(value / eps) / -log(g)


def sweeps_bound_linear(largest_value: Any, tolerance: Any, modulus: Any) -> Any:
    r"""Return the larger, linear form of :func:`sweeps_bound`.

    Parameters
    ----------
    largest_value, tolerance, modulus
        As there.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\ln(V_{max}/\varepsilon)/(1-\bar\gamma)`; larger by the factor ``ln(1/g)/(1 - g)`` while V_max >= eps.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here from ``ln(1/g) >= 1 - g``.

    Examples
    --------
    >>> round(sweeps_bound_linear(100.0, 1.0, 0.5), 4)
    9.2103
    """
    value = real("largest_value", largest_value, 0, open_low=True)
    eps = real("tolerance", tolerance, 0, open_low=True)
    g = real("modulus", modulus, 0, 1, open_low=True, open_high=True)
    return log(value / eps) / (1 - g)


def sweeps_reward_convention(
    reward_max: Any, tolerance: Any, modulus: Any, discount: Any = None, *, reward: str = "decision"
) -> Any:
    r"""Return the number of sweeps in the form of the paper, for either meaning of its reward bound.

    Parameters
    ----------
    reward_max : float, array_like, Fraction, sympy.Expr or flint.arb
        R_max > 0.
    tolerance, modulus
        As in :func:`sweeps_bound`.
    discount : same kinds, optional
        gamma in (0, 1) per primitive step; needed (and used) for ``reward="primitive"``.
    reward : {"decision", "primitive"}
        Whether R_max bounds the reward of one option, or of one primitive step.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\ln(R_{max}/(\varepsilon(1-g)))/(1-\bar\gamma)` with :math:`g=\bar\gamma` for rewards per decision (the
        paper's expression) and :math:`g=\gamma` for rewards per primitive step.

    Raises
    ------
    ValueError
        If an argument leaves its range or `discount` is missing.

    Notes
    -----
    Zhang et al. (arXiv 2509.25810) for the decision form; derived here for the other. The paper's form is too small
    when R_max bounds primitive rewards: then V_max = R_max/(1 - gamma).

    Examples
    --------
    >>> g = 0.99**100
    >>> round(sweeps_reward_convention(1.0, 1.0, g), 2)
    0.72
    >>> round(sweeps_reward_convention(1.0, 1.0, g, 0.99, reward="primitive"), 2)
    7.26
    """
    choice("reward", reward, ("decision", "primitive"))
    peak = real("reward_max", reward_max, 0, open_low=True)
    g = real("modulus", modulus, 0, 1, open_low=True, open_high=True)
    if discount is not None:
        real("discount", discount, 0, 1, open_low=True, open_high=True)
    if reward == "decision":
        return sweeps_bound_linear(peak / (1 - g), tolerance, g)
    if discount is None:
        raise ValueError('discount must be a real number in (0, 1) for reward="primitive", got None')
    gamma = real("discount", discount, 0, 1, open_low=True, open_high=True)
    return sweeps_bound_linear(peak / (1 - gamma), tolerance, g)
