r"""REINFORCE and GRPO on the linear model by sampled gradients, every weight free.

A step draws a batch of answers from the current model, forms advantages, and adds eta times the mean of
advantage x (gradient of the log-probability of the answer). With the logit z of a binary token and its +-1 features f,
that gradient is (1[token = +1] - sigma(z)) f at the token's position.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._streams import mix_seed, uniform_pair
from sims._validate import choice, integer, real
from sims._validate import seeds as checked_seeds
from sims.linear_model._descent import ONE
from sims.linear_model._signed import logistic
from sims.parity_mixture import _prompt_bits

if TYPE_CHECKING:
    import xarray

__all__ = ["policy_gradient"]

CELL = np.uint64(54)
PROMPT, HEAD, CHAIN = (np.uint64(number) for number in range(3))
SHIFT = np.uint64(24)


@kernel
def _draw(key, step, d, bits, prompt_step, w_first, w_stop, w_chain, x, y, scores):  # type: ignore[no-untyped-def]
    """Draw one answer; returns its length, whether its last token is the parity, and whether all tokens are right.

    x, y (d): signs of the prompt and the answer. scores (d + 1): 1[token] - sigma(logit) at position 1, at the stop
    decision (EOS being 1), at l = 2..d. w_stop: x, y_1, y_1x, bias; w_chain[l-2]: x, y_1..y_(l-1), y_(l-1)x.
    """
    _prompt_bits(key, PROMPT, prompt_step, d, bits)
    margin = 0.0
    for i in range(d):
        x[i] = 1.0 - 2.0 * float((bits[i >> 6] >> np.uint64(i & 63)) & ONE)
        margin += x[i] * w_first[i]
    u, v = uniform_pair(key, HEAD, step, 0)
    chance = logistic(margin)
    y[0] = 1.0 if u < chance else -1.0
    scores[0] = (1.0 if u < chance else 0.0) - chance
    margin = w_stop[2 * d + 1] + y[0] * w_stop[d]
    for i in range(d):
        margin += x[i] * (w_stop[i] + y[0] * w_stop[d + 1 + i])
    chance = logistic(margin)
    stops = v < chance
    scores[1] = (1.0 if stops else 0.0) - chance
    parity = 1.0
    for i in range(d):
        parity *= x[i]
    if stops:
        return 1, y[0] == parity, y[0] == parity
    exact = y[0] == x[0]
    spare = 0.0
    for j in range(1, d):
        margin = 0.0
        before = y[j - 1]
        for i in range(d):
            margin += x[i] * (w_chain[j - 1, i] + before * w_chain[j - 1, d + j + i])
        for i in range(j):
            margin += y[i] * w_chain[j - 1, d + i]
        if j % 2 == 1:
            u, spare = uniform_pair(key, CHAIN, step, j // 2)
        else:
            u = spare
        chance = logistic(margin)
        y[j] = 1.0 if u < chance else -1.0
        scores[j + 1] = (1.0 if u < chance else 0.0) - chance
        exact = exact and y[j] == before * x[j]
    return d, y[d - 1] == parity, exact


@kernel
def _add(d, length, scale, x, y, scores, g_first, g_stop, g_chain):  # type: ignore[no-untyped-def]
    """Add scale times the gradient of the log-probability of one answer."""
    a = scale * scores[0]
    b = scale * scores[1]
    for i in range(d):
        g_first[i] += a * x[i]
        g_stop[i] += b * x[i]
        g_stop[d + 1 + i] += b * y[0] * x[i]
    g_stop[d] += b * y[0]
    g_stop[2 * d + 1] += b
    if length == 1:
        return
    for j in range(1, d):
        c = scale * scores[j + 1]
        for i in range(d):
            g_chain[j - 1, i] += c * x[i]
            g_chain[j - 1, d + j + i] += c * y[j - 1] * x[i]
        for i in range(j):
            g_chain[j - 1, d + i] += c * y[i]


@kernel
def _steps(  # type: ignore[no-untyped-def]
    key, first, last, d, groups, group_size, eta, baseline, kind, whole, by_length, w_first, w_stop, w_chain, record
):
    """Make steps first..last-1; kind 0: reward minus baseline, 1: population std, 2: sample std, 3: centred only.

    record[step + 1]: alpha, ln c, mean reward, long share of the batch, norm of the idle weights of position 1 and of
    the stop position. groups x group_size answers a step, one prompt a group; O(d) time for a short answer and O(d^2)
    for a long one.
    """
    bits = np.empty((d + 63) // 64, np.uint64)
    x = np.empty((group_size, d))
    y = np.empty((group_size, d))
    scores = np.empty((group_size, d + 1))
    lengths = np.empty(group_size, np.int64)
    rewards = np.empty(group_size)
    g_first = np.empty(d)
    g_stop = np.empty(2 * d + 2)
    g_chain = np.empty(w_chain.shape)
    batch = groups * group_size
    for step in range(first, last):
        g_first[:] = 0.0
        g_stop[:] = 0.0
        g_chain[:] = 0.0
        total, long = 0.0, 0.0
        for g in range(groups):
            mean, square = 0.0, 0.0
            for k in range(group_size):
                sample = g * group_size + k
                address = (np.uint64(step) << SHIFT) + np.uint64(sample)
                prompt = (np.uint64(step) << SHIFT) + np.uint64(g)
                length, ends_right, exact = _draw(
                    key, address, d, bits, prompt, w_first, w_stop, w_chain, x[k], y[k], scores[k]
                )
                right = (exact if length > 1 else ends_right) if whole else ends_right
                lengths[k] = length
                rewards[k] = 1.0 if right else 0.0
                mean += rewards[k] / group_size
                long += length > 1
            total += mean * group_size
            for k in range(group_size):
                square += (rewards[k] - mean) ** 2
            deviation = math.sqrt(square / (group_size if kind == 1 else max(group_size - 1, 1)))
            for k in range(group_size):
                if kind == 0:
                    advantage = rewards[k] - baseline
                elif kind == 3:
                    advantage = rewards[k] - mean
                else:
                    advantage = (rewards[k] - mean) / deviation if square > 0.0 else 0.0
                if by_length:
                    advantage /= 2.0 if lengths[k] == 1 else d + 1.0
                if advantage != 0.0:
                    _add(d, lengths[k], eta * advantage / batch, x[k], y[k], scores[k], g_first, g_stop, g_chain)
        w_first += g_first
        w_stop += g_stop
        w_chain += g_chain
        record[step + 1, 0] = w_first[0]
        record[step + 1, 1] = -(w_stop[d + 1] + w_stop[2 * d + 1])
        record[step + 1, 2] = total / batch
        record[step + 1, 3] = long / batch
        idle = 0.0
        for i in range(1, d):
            idle += w_first[i] ** 2
        record[step + 1, 4] = math.sqrt(idle)
        idle = 0.0
        for i in range(2 * d + 1):
            if i != d + 1:
                idle += w_stop[i] ** 2
        record[step + 1, 5] = math.sqrt(idle)


METHODS = {"reinforce": 0, "grpo": 1, "grpo_sample": 2, "grpo_mean": 3}


def policy_gradient(
    d: int,
    p_0: float,
    n_steps: int,
    batch: int,
    eta: float,
    seeds: int | Any,
    *,
    method: str = "reinforce",
    group_size: int = 2,
    baseline: float = 0.0,
    reward: str = "r_e2e",
    by_length: bool = False,
    stop_disagree_logit: float = 30.0,
    chain_logit: float = 30.0,
) -> xarray.Dataset:
    r"""Train the linear model by sampled policy gradients, starting calibrated on D(p_0).

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [2, 512] (the theory takes d >= 3).
    p_0 : float
        Share of long answers at the start, in (0, 1).
    n_steps : int
        Steps, an integer in [0, 10000000].
    batch : int
        Answers in each step, an integer in [1, 1000000]; for GRPO a multiple of `group_size`.
    eta : float
        Step size, in (0, 1000].
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    method : {"reinforce", "grpo", "grpo_sample", "grpo_mean"}, optional
        Advantage: reward minus baseline; or within groups that answer one prompt, reward minus the group's mean,
        divided by its standard deviation (divisor G, or G - 1) or by nothing. A group of equal rewards counts 0.
    group_size : int, optional
        G for GRPO, an integer in [2, 10000].
    baseline : float, optional
        b in [0, 1] of REINFORCE.
    reward : {"r_cot", "r_e2e"}, optional
        Whether an answer must be one of the two right ones throughout, or only end in the parity.
    by_length : bool, optional
        Divide each answer's loss by its tokens, EOS counted.
    stop_disagree_logit : float, optional
        z- at the start, in [-50, 50]: 30 stands for an EOS that is certain after a wrong first token.
    chain_logit : float, optional
        Weight of y_(l-1) x_l at the start, in [-50, 50]: 30 stands for an exact chain.

    Returns
    -------
    xarray.Dataset
        Over (replicate, step), step 0 being the start: ``first_token_logit`` (alpha), ``go_on_log_odds`` (ln c),
        ``mean_reward`` and ``long_share`` of the step's batch (0 at step 0), ``idle_first`` and ``idle_stop`` (norms of
        the weights without population gradient). Over (replicate,): ``time`` at which ln c first reaches 0, by linear
        interpolation, infinite where it does not; greedy decoding goes on from there.

    Raises
    ------
    ValueError
        Outside the ranges above, or if the batch is no multiple of the group.

    Notes
    -----
    REINFORCE (Williams 1992) and GRPO (Shao et al., arXiv 2402.03300) without clipping, as in Tsilivis et al.,
    arXiv 2510.11495. O(d^2) memory beside the record.

    Examples
    --------
    >>> run = policy_gradient(4, 0.2, 40, 200, 0.5, seeds=0)
    >>> bool(run.go_on_log_odds.isel(replicate=0, step=-1) > run.go_on_log_odds.isel(replicate=0, step=0))
    True
    """
    import xarray

    d = integer("d", d, 2, 512)
    p_0 = real("p_0", p_0, 0.0, 1.0, open_low=True, open_high=True)
    n_steps = integer("n_steps", n_steps, 0, 10**7)
    batch = integer("batch", batch, 1, 10**6)
    eta = real("eta", eta, 0.0, 1000.0, open_low=True)
    replicates = checked_seeds(seeds)
    kind = METHODS[choice("method", method, tuple(METHODS))]
    size = integer("group_size", group_size, 2, 10_000)
    b = real("baseline", baseline, 0.0, 1.0)
    whole = choice("reward", reward, ("r_cot", "r_e2e")) == "r_cot"
    if not isinstance(by_length, (bool, np.bool_)):
        raise ValueError(f"by_length must be True or False, got {by_length!r}")
    other = real("stop_disagree_logit", stop_disagree_logit, -50.0, 50.0)
    link = real("chain_logit", chain_logit, -50.0, 50.0)
    if kind == 0:
        size = 1
    elif batch % size:
        raise ValueError(f"batch must be a multiple of group_size = {size}, got {batch}")
    if len(replicates) * (n_steps + 1) > 2**25:
        raise ValueError(f"n_steps must be smaller for {len(replicates)} seeds, got {n_steps}")
    record = np.zeros((len(replicates), n_steps + 1, 6))
    for r, seed in enumerate(replicates):
        key = np.uint64(mix_seed(seed, CELL))
        agree = math.log((1 - p_0) / (2 * p_0))
        w_first, w_stop, w_chain = np.zeros(d), np.zeros(2 * d + 2), np.zeros((d - 1, 3 * d - 1))
        w_first[0] = math.log((1 + p_0) / (1 - p_0))
        w_stop[d + 1], w_stop[2 * d + 1] = (agree - other) / 2, (agree + other) / 2
        for k in range(d - 1):
            w_chain[k, d + 2 * k + 2] = link  # y_(l-1) x_l with l = k + 2
        record[r, 0, :2] = w_first[0], -agree
        for first in range(0, n_steps, 1000):  # an interrupt is heard between two calls
            _steps(
                key, first, min(first + 1000, n_steps), d, batch // size, size, eta, b, kind, whole, bool(by_length),
                w_first, w_stop, w_chain, record[r],
            )  # fmt: skip
    over = ("replicate", "step")
    columns = {
        "first_token_logit": ("1", "weight of x_1 at position 1"),
        "go_on_log_odds": ("1", "ln of the odds of going on after y_1 = x_1"),
        "mean_reward": ("1", "mean reward of the batch"),
        "long_share": ("1", "long answers of the batch"),
        "idle_first": ("1", "norm of the other weights of position 1"),
        "idle_stop": ("1", "norm of the other weights of the stop position"),
    }
    variables: dict[str, Any] = {
        name: (over, record[..., k], {"units": units, "long_name": meaning})
        for k, (name, (units, meaning)) in enumerate(columns.items())
    }
    times = np.array([_crossing(path) for path in record[..., 1]])
    variables["time"] = (
        ("replicate",),
        times,
        {"units": "steps", "long_name": "first step with even odds of going on"},
    )
    return xarray.Dataset(
        variables,
        {"seed": ("replicate", replicates.astype(np.int64)), "step": np.arange(n_steps + 1)},
        {
            "experiment": "post_training.policy_gradient",
            "d": d,
            "p_0": p_0,
            "batch": batch,
            "eta": eta,
            "method": method,
            "group_size": size,
            "baseline": b,
            "reward": reward,
            "by_length": int(by_length),
            "stop_disagree_logit": other,
            "chain_logit": link,
        },
    )


def _crossing(path: np.ndarray) -> float:
    """Where a path first reaches 0, by linear interpolation."""
    above = np.flatnonzero(path >= 0)
    if not len(above):
        return math.inf
    k = int(above[0])
    return 0.0 if k == 0 else float(k - path[k] / (path[k] - path[k - 1]))
