r"""Goal strings by GRPO: a lock of softmax decisions, from whatever start.

A goal asks for H decisions with b choices each; the first wrong choice ends the episode with reward zero, the last
right one gives reward one. Group-relative policy optimisation (Shao et al., arXiv 2402.03300, without clipping and
reference) draws a group of episodes, centres the rewards by the group mean, divides by the group standard deviation,
and moves the logits of the decisions visited by the step size times the group mean of advantage times score. A group
without variation moves nothing.

Tokens, a soft prior and macros differ only in the start: the logits along the goal's path, one row a decision.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._validate import integer, real
from sims._validate import seeds as check_seeds
from sims.mid_training._draws import index_table, real_table, replicate_key, uniform

if TYPE_CHECKING:
    import xarray

__all__ = ["goal_policy_gradient", "policy_flow"]


@kernel
def _softmax(logits, out):  # type: ignore[no-untyped-def]
    top = logits[0]
    for c in range(1, logits.shape[0]):
        top = max(top, logits[c])
    total = 0.0
    for c in range(logits.shape[0]):
        out[c] = math.exp(logits[c] - top)
        total += out[c]
    for c in range(logits.shape[0]):
        out[c] /= total


@kernel
def _success(logits, goal, policy):  # type: ignore[no-untyped-def]
    """Fill the policy of every decision; the product of the right choices' probabilities."""
    probability = 1.0
    for h in range(logits.shape[0]):
        _softmax(logits[h], policy[h])
        probability *= policy[h, goal[h]]
    return probability


@kernel
def _train(key, goal, group, step, normalise, target, budget, logits, policy, chosen, reached):  # type: ignore[no-untyped-def]
    """Groups of episodes until the success probability reaches the target or the budget ends; returns (episodes,
    probability).

    Memory: one row of choices per episode of a group.
    """
    n_decisions = logits.shape[0]
    episodes, round_ = 0, 0
    probability = _success(logits, goal, policy)
    while probability < target and episodes + group <= budget:
        wins = 0
        for g in range(group):
            reached[g] = 0
            for h in range(n_decisions):
                u = uniform(key, h, round_, g)
                c = 0
                while c < policy.shape[1] - 1 and u >= policy[h, c]:
                    u -= policy[h, c]
                    c += 1
                chosen[g, h] = c
                reached[g] = h + 1
                if c != goal[h]:
                    break
            if reached[g] == n_decisions and chosen[g, n_decisions - 1] == goal[n_decisions - 1]:
                wins += 1
        episodes += group
        round_ += 1
        if wins == 0 or wins == group:
            continue
        mean = wins / group
        scale = math.sqrt(mean * (1.0 - mean)) if normalise else 1.0
        for g in range(group):
            won = reached[g] == n_decisions and chosen[g, n_decisions - 1] == goal[n_decisions - 1]
            push = step * ((1.0 if won else 0.0) - mean) / scale / group
            for h in range(reached[g]):
                for c in range(policy.shape[1]):
                    logits[h, c] -= push * policy[h, c]
                logits[h, chosen[g, h]] += push
        probability = _success(logits, goal, policy)
    return episodes, probability


def goal_policy_gradient(
    start: Any,
    goal: Any,
    seeds: Any,
    *,
    group: int = 16,
    step: float = 0.5,
    target: float = 0.95,
    max_episodes: int = 10**6,
    normalise: bool = True,
) -> xarray.Dataset:
    """Train a goal by group-relative policy gradient until its success probability reaches a target.

    Parameters
    ----------
    start : array_like
        Logits (log-probabilities will do) of every choice at every decision along the goal, shape (H, b); zeros for a
        uniform start over b tokens or b macros.
    goal : array_like of int
        The right choice at each decision, shape (H,).
    seeds : int or sequence of int
        One replicate each.
    group : int
        Episodes per update, >= 2.
    step : float
        Step size > 0.
    target : float
        Success probability in (0, 1) that ends the training; it is computed from the policy, not estimated.
    max_episodes : int
        Budget, >= 1; training ends unfinished when the next group would exceed it.
    normalise : bool
        Divide centred rewards by the group standard deviation.

    Returns
    -------
    xarray.Dataset
        ``episodes`` (replicate), ``success_probability`` (replicate) at the end, and ``reached`` (replicate).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Cost: an episode draws at most H choices among b; memory O(H (b + group)). Later decisions of an episode do not
    exist after a wrong choice, so their logits stay.

    Examples
    --------
    >>> result = goal_policy_gradient([[0.0, 0.0]], [1], 0)
    >>> bool(result["reached"][0])
    True
    """
    import xarray

    first = real_table("start", start, 2)
    right = index_table("goal", goal, 1, first.shape[1])
    if len(right) != len(first):
        raise ValueError(f"goal must have the {len(first)} decisions of start, got {len(right)}")
    keys = check_seeds(seeds)
    size = integer("group", group, 2, 2**20)
    rate = real("step", step, 0.0, open_low=True)
    level = real("target", target, 0.0, 1.0, open_low=True, open_high=True)
    budget = integer("max_episodes", max_episodes, 1)
    episodes, probability = np.empty(len(keys), dtype=np.int64), np.empty(len(keys))
    for row, seed in enumerate(keys):
        logits, policy = first.copy(), np.empty_like(first)
        chosen = np.zeros((size, len(first)), dtype=np.int64)
        reached = np.zeros(size, dtype=np.int64)
        key = replicate_key(seed, "policy")
        episodes[row], probability[row] = _train(
            key, right, size, rate, bool(normalise), level, budget, logits, policy, chosen, reached
        )
    return xarray.Dataset(
        {
            "episodes": ("replicate", episodes, {"long_name": "episodes used", "units": "1"}),
            "success_probability": ("replicate", probability, {"long_name": "success probability", "units": "1"}),
            "reached": ("replicate", probability >= level, {"long_name": "target reached", "units": "1"}),
        },
        coords={"seed": ("replicate", keys)},
        attrs={
            "group": size,
            "step": rate,
            "target": level,
            "max_episodes": budget,
            "normalise": int(bool(normalise)),
            "start_log_probability": float(
                sum(row[c] - np.logaddexp.reduce(row) for row, c in zip(first, right, strict=True))
            ),
        },
    )


@kernel
def _flow(logits, goal, normalise, rate, target, longest, policy):  # type: ignore[no-untyped-def]
    """Euler steps of the exact policy gradient; returns (time, probability)."""
    probability = _success(logits, goal, policy)
    steps = 0
    while probability < target and steps < longest:
        scale = rate * probability
        if normalise:
            scale /= math.sqrt(probability * (1.0 - probability))
        for h in range(logits.shape[0]):
            for c in range(logits.shape[1]):
                logits[h, c] += scale * ((1.0 if c == goal[h] else 0.0) - policy[h, c])
        probability = _success(logits, goal, policy)
        steps += 1
    return steps * rate, probability


def policy_flow(
    start: Any, goal: Any, *, step: float = 1e-3, target: float = 0.95, normalise: bool = False, max_steps: int = 10**7
) -> tuple[float, float]:
    """Follow the exact policy gradient of a goal in small steps until its success probability reaches a target.

    Parameters
    ----------
    start, goal
        As in :func:`goal_policy_gradient`.
    step : float
        Euler step > 0, in units of time.
    target : float
        Success probability in (0, 1).
    normalise : bool
        Divide the gradient by the standard deviation of the reward.
    max_steps : int
        Where to stop unfinished, >= 1.

    Returns
    -------
    time, success_probability : float
        At the end.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    All episodes that fail at a decision share the reward zero, so its gradient is the success probability times the
    score of the right choice. Nothing is random.

    Examples
    --------
    >>> time, _ = policy_flow([[0.0, 0.0, 0.0, 0.0]], [2])
    >>> round(time, 1)
    22.3
    """
    first = real_table("start", start, 2).copy()
    right = index_table("goal", goal, 1, first.shape[1])
    if len(right) != len(first):
        raise ValueError(f"goal must have the {len(first)} decisions of start, got {len(right)}")
    rate = real("step", step, 0.0, open_low=True)
    level = real("target", target, 0.0, 1.0, open_low=True, open_high=True)
    longest = integer("max_steps", max_steps, 1)
    time, probability = _flow(first, right, bool(normalise), rate, level, longest, np.empty_like(first))
    return float(time), float(probability)
