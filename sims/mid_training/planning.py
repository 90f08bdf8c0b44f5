r"""Value iteration with options, option roll-outs, and locks opened by macro strings.

A semi-Markov decision process with m options is given by R_z(s), shape (m, S), and P_z(s'|s) with the discount folded
in, shape (m, S, S). A sweep computes :math:`V\leftarrow\max_{z\in B}R_z+P_zV`. The goal lock: states are the lengths of
the goal prefix typed so far; an option is a string that leads on if it continues the goal and to failure (value zero)
if not; the reward one comes with the last token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._validate import integer, real
from sims._validate import seeds as check_seeds
from sims.mid_training._draws import draw_category, index_table, law, real_table, replicate_key, uniform

if TYPE_CHECKING:
    import xarray

__all__ = ["draw_semi_mdp", "explore_lock", "goal_lock", "roll_out_option", "value_iteration"]


@kernel
def _sweeps(rewards, kernels, kept, values, greedy):  # type: ignore[no-untyped-def]
    """Fill values[1:] by sweeps over the kept options: S^2 |B| products a sweep; memory: all iterates."""
    n_states = rewards.shape[1]
    for sweep in range(1, values.shape[0]):
        for s in range(n_states):
            best, arg = -np.inf, 0
            for i in range(kept.shape[0]):
                z = kept[i]
                total = rewards[z, s]
                for t in range(n_states):
                    total += kernels[z, s, t] * values[sweep - 1, t]
                if total > best:
                    best, arg = total, z
            values[sweep, s] = best
            greedy[sweep - 1, s] = arg


def value_iteration(
    rewards: Any, kernels: Any, n_sweeps: int, *, kept: Any = None, start: Any = None
) -> xarray.Dataset:
    """Run synchronous value iteration over a subset of options.

    Parameters
    ----------
    rewards : array_like
        R_z(s), shape (m, S).
    kernels : array_like
        P_z(s'|s) with the discount folded in, shape (m, S, S), non-negative with row sums below one.
    n_sweeps : int
        N >= 1.
    kept : sequence of int, optional
        The subset B; all options by default.
    start : array_like, optional
        V_0, shape (S,); zero by default.

    Returns
    -------
    xarray.Dataset
        ``value`` (iterate, state) for V_0..V_N, ``greedy`` (sweep, state): the option chosen in each sweep, with
        respect to the iterate before it; ``change`` (sweep): sup norm of the difference; attribute ``modulus``: the
        largest row sum.

    Raises
    ------
    ValueError
        If a shape, an entry or a row sum is wrong.

    Notes
    -----
    A sweep costs S^2 |B|. Nothing is random.

    Examples
    --------
    >>> value_iteration([[1.0]], [[[0.5]]], 2)["value"].values.ravel().tolist()
    [0.0, 1.0, 1.5]
    """
    import xarray

    r = real_table("rewards", rewards, 2)
    p = real_table("kernels", kernels, 3, 0.0, 1.0)
    if p.shape != (r.shape[0], r.shape[1], r.shape[1]):
        raise ValueError(f"kernels must have shape {(r.shape[0], r.shape[1], r.shape[1])}, got {p.shape}")
    if p.sum(axis=2).max() >= 1.0:
        raise ValueError(f"kernels must have row sums below 1, got {float(p.sum(axis=2).max())!r}")
    sweeps = integer("n_sweeps", n_sweeps, 1)
    chosen = np.arange(len(r)) if kept is None else np.unique(index_table("kept", kept, 1, len(r)))
    values = np.zeros((sweeps + 1, r.shape[1]))
    if start is not None:
        first = real_table("start", start, 1)
        if first.shape != (r.shape[1],):
            raise ValueError(f"start must have shape ({r.shape[1]},), got {first.shape}")
        values[0] = first
    greedy = np.empty((sweeps, r.shape[1]), dtype=np.int64)
    _sweeps(r, p, chosen.astype(np.int64), values, greedy)
    return xarray.Dataset(
        {
            "value": (("iterate", "state"), values, {"long_name": "value iterate", "units": "value"}),
            "greedy": (("sweep", "state"), greedy, {"long_name": "maximising option", "units": "1"}),
            "change": (
                "sweep",
                np.abs(np.diff(values, axis=0)).max(axis=1),
                {"long_name": "sup norm of the change", "units": "value"},
            ),
        },
        attrs={"n_sweeps": sweeps, "modulus": float(p[chosen].sum(axis=2).max()), "n_kept": len(chosen)},
    )


@kernel
def _random_semi_mdp(key, gamma, rewards, kernels, work):  # type: ignore[no-untyped-def]
    """Random duration laws, next-state laws and rewards, all from exponential weights."""
    n_options, n_states = rewards.shape
    longest = work.shape[0]
    for z in range(n_options):
        for s in range(n_states):
            step = z * n_states + s
            total = 0.0
            for tau in range(longest):
                work[tau] = -np.log(1.0 - uniform(key, 0, step, tau))
                total += work[tau]
            factor, power = 0.0, 1.0
            for tau in range(longest):
                power *= gamma
                factor += work[tau] / total * power
            total = 0.0
            for t in range(n_states):
                kernels[z, s, t] = -np.log(1.0 - uniform(key, 1, step, t))
                total += kernels[z, s, t]
            for t in range(n_states):
                kernels[z, s, t] *= factor / total
            rewards[z, s] = uniform(key, 2, step, 0) * (1.0 - factor) / (1.0 - gamma)


def draw_semi_mdp(n_states: int, n_options: int, discount: float, longest: int, seeds: Any) -> xarray.Dataset:
    """Draw random semi-Markov models whose primitive rewards lie in [0, 1].

    Parameters
    ----------
    n_states, n_options : int
        S >= 1 and m >= 1.
    discount : float
        gamma in (0, 1) per primitive step.
    longest : int
        Durations lie in 1..longest.
    seeds : int or sequence of int
        One replicate, that is one model, each.

    Returns
    -------
    xarray.Dataset
        ``reward`` (replicate, option, state) and ``kernel`` (replicate, option, state, next_state).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Duration laws and next-state laws are uniform on their simplices; R_z(s) is a uniform share of the largest possible
    (1 - E gamma^tau)/(1 - gamma).

    Examples
    --------
    >>> draw_semi_mdp(2, 3, 0.9, 4, [0, 1])["kernel"].shape
    (2, 3, 2, 2)
    """
    import xarray

    n = integer("n_states", n_states, 1)
    m = integer("n_options", n_options, 1)
    gamma = real("discount", discount, 0.0, 1.0, open_low=True, open_high=True)
    reach = integer("longest", longest, 1)
    keys = check_seeds(seeds)
    rewards = np.empty((len(keys), m, n))
    kernels = np.empty((len(keys), m, n, n))
    for row, seed in enumerate(keys):
        _random_semi_mdp(replicate_key(seed, "semi_mdp"), gamma, rewards[row], kernels[row], np.empty(reach))
    return xarray.Dataset(
        {
            "reward": (
                ("replicate", "option", "state"),
                rewards,
                {"long_name": "reward of an option", "units": "value"},
            ),
            "kernel": (
                ("replicate", "option", "state", "next_state"),
                kernels,
                {"long_name": "discounted transition kernel", "units": "1"},
            ),
        },
        coords={"seed": ("replicate", keys)},
        attrs={"discount": gamma, "longest": reach},
    )


@kernel
def _roll_out(key, cumulative, rewards, policy, termination, gamma, start, longest, returns, factors, ends):  # type: ignore[no-untyped-def]
    """Discounted return, gamma^tau and last state of every roll-out; memory: three numbers each."""
    for i in range(returns.shape[0]):
        s, power, total, tau = start, 1.0, 0.0, 0
        while True:
            a = draw_category(policy[s], uniform(key, 0, i, tau))
            total += power * rewards[a, s]
            power *= gamma
            s = draw_category(cumulative[a, s], uniform(key, 1, i, tau))
            tau += 1
            if uniform(key, 2, i, tau) < termination[s] or tau >= longest:
                break
        returns[i], factors[i], ends[i] = total, power, s


def roll_out_option(
    transitions: Any,
    rewards: Any,
    policy: Any,
    termination: Any,
    discount: float,
    start: int,
    seeds: Any,
    *,
    n_rollouts: int = 1000,
    longest: int = 10_000,
) -> xarray.Dataset:
    """Run an option many times from one state in the primitive process.

    Parameters
    ----------
    transitions : array_like
        P(s'|s,a), shape (A, S, S), rows of total one.
    rewards : array_like
        r(s, a), shape (A, S).
    policy : array_like
        pi(a|s), shape (S, A), rows of total one.
    termination : array_like
        Probability of stopping on arrival, shape (S,).
    discount : float
        gamma in (0, 1).
    start : int
        First state.
    seeds : int or sequence of int
        One replicate each.
    n_rollouts : int
        At least 1.
    longest : int
        Roll-outs are cut after so many steps, >= 1.

    Returns
    -------
    xarray.Dataset
        ``discounted_reward``, ``discount_factor`` (gamma^tau) and ``last_state`` (replicate, rollout).

    Raises
    ------
    ValueError
        If a shape or a probability is wrong.

    Notes
    -----
    The means estimate R_z(s) and, with the last state, P_z(.|s).

    Examples
    --------
    >>> result = roll_out_option([[[1.0]]], [[1.0]], [[1.0]], [1.0], 0.5, 0, 0, n_rollouts=2)
    >>> result["discount_factor"].values.tolist()
    [[0.5, 0.5]]
    """
    import xarray

    p = real_table("transitions", transitions, 3, 0.0, 1.0)
    n_actions, n_states = p.shape[:2]
    r = real_table("rewards", rewards, 2)
    pi = real_table("policy", policy, 2, 0.0, 1.0)
    beta = real_table("termination", termination, 1, 0.0, 1.0)
    shapes = (p.shape[2] == n_states, r.shape == (n_actions, n_states), pi.shape == (n_states, n_actions))
    if not all(shapes) or beta.shape != (n_states,):
        raise ValueError(
            f"transitions, rewards, policy and termination must agree in shape, got {p.shape}, {r.shape}, "
            f"{pi.shape} and {beta.shape}"
        )
    if np.abs(p.sum(axis=2) - 1.0).max() > 1e-9 or np.abs(pi.sum(axis=1) - 1.0).max() > 1e-9:
        raise ValueError("transitions and policy must have rows of total 1, got other totals")
    gamma = real("discount", discount, 0.0, 1.0, open_low=True, open_high=True)
    first = integer("start", start, 0, n_states - 1)
    n = integer("n_rollouts", n_rollouts, 1)
    cut = integer("longest", longest, 1, 2**32 - 2)
    keys = check_seeds(seeds)
    returns, factors = np.empty((len(keys), n)), np.empty((len(keys), n))
    ends = np.empty((len(keys), n), dtype=np.int64)
    p_sum, pi_sum = np.cumsum(p, axis=2), np.cumsum(pi, axis=1)
    for row, seed in enumerate(keys):
        key = replicate_key(seed, "option")
        _roll_out(key, p_sum, r, pi_sum, beta, gamma, first, cut, returns[row], factors[row], ends[row])
    dims = ("replicate", "rollout")
    return xarray.Dataset(
        {
            "discounted_reward": (dims, returns, {"long_name": "discounted reward", "units": "value"}),
            "discount_factor": (dims, factors, {"long_name": "gamma to the duration", "units": "1"}),
            "last_state": (dims, ends, {"long_name": "state at termination", "units": "1"}),
        },
        coords={"seed": ("replicate", keys)},
        attrs={"discount": gamma, "start": first, "n_rollouts": n, "longest": cut},
    )


def goal_lock(goal: Any, options: Any, discount: float) -> xarray.Dataset:
    """Build the semi-Markov model of typing a goal string with given option strings.

    Parameters
    ----------
    goal : sequence of int
        The goal, H >= 1 tokens >= 0.
    options : sequence of sequences of int
        The strings that can be typed, each of length >= 1.
    discount : float
        gamma in (0, 1) per token.

    Returns
    -------
    xarray.Dataset
        ``reward`` (option, state) and ``kernel`` (option, state, next_state) on the prefix lengths 0..H; a string that
        does not continue the goal ends the episode with value zero. The value at prefix 0 is gamma^(H-1) if the goal
        can be typed, else 0.

    Raises
    ------
    ValueError
        If a string is empty or holds a negative token.

    Notes
    -----
    Nothing is random.

    Examples
    --------
    >>> model = goal_lock([0, 1], [[0], [1], [0, 1]], 0.5)
    >>> value_iteration(model["reward"], model["kernel"], 1)["value"].values[-1].tolist()
    [0.5, 1.0, 0.0]
    """
    import xarray

    target = index_table("goal", goal, 1, 2**62)
    listed = isinstance(options, (list, tuple, np.ndarray)) and np.ndim(options[:1]) > 0
    strings = [index_table("options", option, 1, 2**62) for option in options] if listed else []
    if not strings:
        raise ValueError(f"options must hold at least one string, got {options!r}")
    gamma = real("discount", discount, 0.0, 1.0, open_low=True, open_high=True)
    size = len(target) + 1
    rewards = np.zeros((len(strings), size))
    kernels = np.zeros((len(strings), size, size))
    for z, string in enumerate(strings):
        for s in range(size - len(string)):
            if np.array_equal(target[s : s + len(string)], string):
                kernels[z, s, s + len(string)] = gamma ** len(string)
                if s + len(string) == len(target):
                    rewards[z, s] = gamma ** (len(string) - 1)
    return xarray.Dataset(
        {
            "reward": (("option", "state"), rewards, {"long_name": "reward of an option", "units": "value"}),
            "kernel": (("option", "state", "next_state"), kernels, {"long_name": "discounted kernel", "units": "1"}),
        },
        attrs={"discount": gamma, "goal_length": len(target)},
    )


@kernel
def _explore(key, cumulative, length, kept, budget, first):  # type: ignore[no-untyped-def]
    """Episode of the first success for every goal, 0 for none within the budget."""
    for goal in range(first.shape[0]):
        first[goal] = 0
        reachable = True
        for h in range(length):
            reachable = reachable and draw_category(cumulative, uniform(key, 0, goal, h)) < kept
        if not reachable:
            continue
        for episode in range(budget):
            opened = True
            for h in range(length):
                # the goal's macro is one of the kept ones: a uniform choice hits it with probability 1/kept
                wanted = draw_category(cumulative, uniform(key, 0, goal, h))
                if min(int(kept * uniform(key, 1 + h, goal, episode)), kept - 1) != wanted:
                    opened = False
                    break
            if opened:
                first[goal] = episode + 1
                break


def explore_lock(
    weights: Any, goal_length: int, kept: int, n_episodes: int, seeds: Any, *, n_goals: int = 1000
) -> xarray.Dataset:
    """Explore goals of independent macros uniformly with the first `kept` macros, one wrong choice ending an episode.

    Parameters
    ----------
    weights : array_like
        Law of one macro of a goal; the first `kept` entries are the ones tried (sort it to keep the heaviest).
    goal_length : int
        L >= 1.
    kept : int
        j in [1, K].
    n_episodes : int
        Budget E >= 0 per goal.
    seeds : int or sequence of int
        One replicate each.
    n_goals : int
        At least 1.

    Returns
    -------
    xarray.Dataset
        ``first_success`` (replicate, goal): the episode of the first success, 0 if there was none.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    The mean of ``first_success == 0`` estimates the regret; with all macros kept and a large budget the first success
    is geometric.

    Examples
    --------
    >>> explore_lock([1.0], 2, 1, 5, 0, n_goals=3)["first_success"].values.tolist()
    [[1, 1, 1]]
    """
    import xarray

    w = law("weights", weights)
    length = integer("goal_length", goal_length, 1, 2**16)
    j = integer("kept", kept, 1, len(w))
    budget = integer("n_episodes", n_episodes, 0, 2**32 - 1)
    goals = integer("n_goals", n_goals, 1)
    keys = check_seeds(seeds)
    first = np.empty((len(keys), goals), dtype=np.int64)
    for row, seed in enumerate(keys):
        _explore(replicate_key(seed, "lock"), np.cumsum(w), length, j, budget, first[row])
    return xarray.Dataset(
        {
            "first_success": (
                ("replicate", "goal"),
                first,
                {"long_name": "episode of the first success, 0 for none", "units": "1"},
            )
        },
        coords={"seed": ("replicate", keys)},
        attrs={"goal_length": length, "kept": j, "n_episodes": budget, "n_goals": goals},
    )
