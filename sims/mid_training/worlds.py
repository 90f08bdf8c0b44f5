r"""Two worlds whose latent structure is known.

Macro world: K hidden strings of tau tokens out of A; a goal is L independent macros, a demonstration types it with
every token replaced by a uniform other one with probability eta.

Skill world: tokens 0..A-1 (A prime) are also states, and skill k is a permutation :math:`x\mapsto ux+v \bmod A`. Each
step of a demonstration changes to a different skill with probability beta and emits the skill's image of the previous
token, or with probability eta a uniform other token, which is fed back. By default the maps have long cycles (u = 1
with v != 0, or u a primitive root): skills whose cycles are short, such as involutions, are nearly unidentifiable,
because their labels can be exchanged cycle by cycle at almost no cost. The sticky latent model is then exact, with
stickiness :math:`1-\beta K/(K-1)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._validate import integer, real
from sims._validate import seeds as check_seeds
from sims.mid_training._draws import draw_category, index_table, law, replicate_key, uniform

if TYPE_CHECKING:
    import xarray

__all__ = [
    "affine_maps",
    "count_chunks",
    "draw_macros",
    "draw_skill_tasks",
    "draw_skills",
    "macro_demonstrations",
    "skill_demonstrations",
    "skill_emission",
]


@kernel
def _distinct_strings(key, n_tokens, macros):  # type: ignore[no-untyped-def]
    """Distinct uniform strings by rejection; every attempt has its own address."""
    n_macros, duration = macros.shape
    attempt = 0
    j = 0
    while j < n_macros:
        for i in range(duration):
            macros[j, i] = min(int(n_tokens * uniform(key, 0, attempt, i)), n_tokens - 1)
        attempt += 1
        fresh = True
        for other in range(j):
            same = True
            for i in range(duration):
                same = same and macros[other, i] == macros[j, i]
            if same:
                fresh = False
                break
        j += fresh


def draw_macros(n_tokens: int, n_macros: int, duration: int, seeds: Any) -> xarray.Dataset:
    """Draw hidden libraries of distinct macro strings.

    Parameters
    ----------
    n_tokens : int
        A >= 2.
    n_macros : int
        K in [1, A**tau / 2], so that rejection ends quickly.
    duration : int
        tau >= 1.
    seeds : int or sequence of int
        One replicate, that is one library, each.

    Returns
    -------
    xarray.Dataset
        ``macro`` (replicate, macro, position), tokens.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Uniform on sets of K distinct strings.

    Examples
    --------
    >>> draw_macros(6, 5, 3, 0)["macro"].shape
    (1, 5, 3)
    """
    import xarray

    size = integer("n_tokens", n_tokens, 2, 2**31)
    tau = integer("duration", duration, 1, 2**20)
    k = integer("n_macros", n_macros, 1, max(1, size ** min(tau, 40) // 2))
    keys = check_seeds(seeds)
    macros = np.empty((len(keys), k, tau), dtype=np.int64)
    for row, seed in enumerate(keys):
        _distinct_strings(replicate_key(seed, "macros"), size, macros[row])
    return xarray.Dataset(
        {"macro": (("replicate", "macro", "position"), macros, {"long_name": "token", "units": "1"})},
        coords={"seed": ("replicate", keys)},
        attrs={"n_tokens": size},
    )


@kernel
def _write_macros(key, macros, cumulative, n_tokens, noise, tokens, labels):  # type: ignore[no-untyped-def]
    """Type goals of random macros with noise; memory: the text and its labels."""
    duration = macros.shape[1]
    for i in range(tokens.shape[0]):
        for h in range(labels.shape[1]):
            j = draw_category(cumulative, uniform(key, 0, i, h))
            labels[i, h] = j
            for t in range(duration):
                token = macros[j, t]
                position = h * duration + t
                if uniform(key, 1, i, position) < noise:
                    other = min(int((n_tokens - 1) * uniform(key, 2, i, position)), n_tokens - 2)
                    token = other + (other >= token)
                tokens[i, position] = token


def macro_demonstrations(
    macros: Any, weights: Any, n_tokens: int, noise: float, goal_length: int, n_demonstrations: int, seeds: Any
) -> xarray.Dataset:
    """Write noisy demonstrations of goals made of macros.

    Parameters
    ----------
    macros : array_like of int
        Shape (K, tau), tokens below `n_tokens`.
    weights : array_like
        Law of one macro of a goal, K entries.
    n_tokens : int
        A >= 2.
    noise : float
        eta in [0, 1]: probability that a token is replaced by a uniform other one.
    goal_length : int
        L >= 1 macros per goal.
    n_demonstrations : int
        n >= 1.
    seeds : int or sequence of int
        One replicate each.

    Returns
    -------
    xarray.Dataset
        ``token`` (replicate, demonstration, position) with L tau positions and ``macro`` (replicate, demonstration,
        segment).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Chunks are aligned with the macros.

    Examples
    --------
    >>> macro_demonstrations([[0, 1]], [1.0], 2, 0.0, 2, 1, 0)["token"].values.tolist()
    [[[0, 1, 0, 1]]]
    """
    import xarray

    size = integer("n_tokens", n_tokens, 2, 2**31)
    strings = index_table("macros", macros, 2, size)
    w = law("weights", weights)
    if len(w) != len(strings):
        raise ValueError(f"weights must have the {len(strings)} entries of macros, got {len(w)}")
    eta = real("noise", noise, 0.0, 1.0)
    length = integer("goal_length", goal_length, 1, 2**20)
    n = integer("n_demonstrations", n_demonstrations, 1)
    keys = check_seeds(seeds)
    tokens = np.empty((len(keys), n, length * strings.shape[1]), dtype=np.int64)
    labels = np.empty((len(keys), n, length), dtype=np.int64)
    for row, seed in enumerate(keys):
        key = replicate_key(seed, "macro_text")
        _write_macros(key, strings, np.cumsum(w), size, eta, tokens[row], labels[row])
    return xarray.Dataset(
        {
            "token": (("replicate", "demonstration", "position"), tokens, {"long_name": "token", "units": "1"}),
            "macro": (("replicate", "demonstration", "segment"), labels, {"long_name": "macro typed", "units": "1"}),
        },
        coords={"seed": ("replicate", keys)},
        attrs={"n_tokens": size, "noise": eta, "duration": strings.shape[1]},
    )


def count_chunks(tokens: Any, n_tokens: int, duration: int) -> np.ndarray:
    """Count every string of a given length among the aligned chunks of texts.

    Parameters
    ----------
    tokens : array_like of int
        Texts along the last axis; its length is a multiple of `duration`.
    n_tokens : int
        A >= 2, with A**tau at most 2**24.
    duration : int
        tau >= 1.

    Returns
    -------
    numpy.ndarray
        Shape (A**tau,), strings read as numbers in base A with the first token most significant.

    Raises
    ------
    ValueError
        If an argument leaves its range or the length is no multiple.

    Notes
    -----
    Nothing is random.

    Examples
    --------
    >>> count_chunks([[0, 1, 0, 1]], 2, 2).tolist()
    [0, 2, 0, 0]
    """
    size = integer("n_tokens", n_tokens, 2)
    tau = integer("duration", duration, 1, 24)
    if size**tau > 2**24:
        raise ValueError(f"n_tokens**duration must be at most 2**24, got {size}**{tau}")
    array = index_table("tokens", tokens, np.ndim(tokens), size)
    if array.ndim == 0 or array.shape[-1] % tau:
        raise ValueError(f"tokens must have a last axis that is a multiple of {tau}, got shape {array.shape}")
    chunks = array.reshape(-1, tau)
    return np.bincount(chunks @ size ** np.arange(tau - 1, -1, -1), minlength=size**tau)


def affine_maps(n_tokens: int, *, long_cycles: bool = True) -> np.ndarray:
    """List the permutations x -> u x + v modulo a prime.

    Parameters
    ----------
    n_tokens : int
        A, a prime >= 3.
    long_cycles : bool
        Keep only u = 1 with v != 0 (one cycle) and primitive roots u (a fixed point and one cycle).

    Returns
    -------
    numpy.ndarray
        Shape (number of maps, A): images of 0..A-1. All A (A - 1) maps or the ones with long cycles.

    Raises
    ------
    ValueError
        If `n_tokens` is no prime >= 3.

    Notes
    -----
    Nothing is random.

    Examples
    --------
    >>> len(affine_maps(13)), len(affine_maps(13, long_cycles=False))
    (64, 156)
    """
    size = integer("n_tokens", n_tokens, 3, 10_007)
    if any(size % divisor == 0 for divisor in range(2, int(size**0.5) + 1)):
        raise ValueError(f"n_tokens must be a prime in [3, 10007], got {n_tokens!r}")
    points = np.arange(size)
    rows: list[np.ndarray] = []
    for u in range(1, size):
        power, order = u, 1
        while power != 1:
            power, order = power * u % size, order + 1
        shifts = points[1:] if u == 1 and long_cycles else points
        if not long_cycles or u == 1 or order == size - 1:
            rows.extend((u * points + v) % size for v in shifts)
    return np.array(rows, dtype=np.int64)


def draw_skills(n_tokens: int, n_skills: int, seeds: Any, *, long_cycles: bool = True) -> xarray.Dataset:
    """Draw sets of different skill maps.

    Parameters
    ----------
    n_tokens : int
        A, a prime >= 3.
    n_skills : int
        K from 1 to the number of maps.
    seeds : int or sequence of int
        One replicate, that is one world, each.
    long_cycles : bool
        As in :func:`affine_maps`.

    Returns
    -------
    xarray.Dataset
        ``skill_map`` (replicate, skill, token).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Uniform without replacement.

    Examples
    --------
    >>> draw_skills(13, 4, 0)["skill_map"].shape
    (1, 4, 13)
    """
    import xarray

    maps = affine_maps(n_tokens, long_cycles=long_cycles)
    k = integer("n_skills", n_skills, 1, len(maps))
    keys = check_seeds(seeds)
    chosen = np.empty((len(keys), k, maps.shape[1]), dtype=np.int64)
    for row, seed in enumerate(keys):
        key = replicate_key(seed, "skills")
        order = np.arange(len(maps))
        for i in range(k):  # the first k steps of a Fisher-Yates shuffle
            j = i + min(int((len(maps) - i) * uniform(key, 0, i, 0)), len(maps) - i - 1)
            order[i], order[j] = order[j], order[i]
        chosen[row] = maps[order[:k]]
    return xarray.Dataset(
        {"skill_map": (("replicate", "skill", "token"), chosen, {"long_name": "image of a token", "units": "1"})},
        coords={"seed": ("replicate", keys)},
        attrs={"n_tokens": int(n_tokens), "long_cycles": int(bool(long_cycles))},
    )


@kernel
def _write_skills(key, maps, switch, noise, tokens, skills):  # type: ignore[no-untyped-def]
    """Text of a skill world; memory: the text and its skills."""
    n_skills, n_tokens = maps.shape
    for i in range(tokens.shape[0]):
        tokens[i, 0] = min(int(n_tokens * uniform(key, 0, i, 0)), n_tokens - 1)
        k = min(int(n_skills * uniform(key, 1, i, 0)), n_skills - 1)
        for t in range(skills.shape[1]):
            if t > 0 and n_skills > 1 and uniform(key, 2, i, t) < switch:
                other = min(int((n_skills - 1) * uniform(key, 3, i, t)), n_skills - 2)
                k = other + (other >= k)
            token = maps[k, tokens[i, t]]
            if uniform(key, 4, i, t) < noise:
                other = min(int((n_tokens - 1) * uniform(key, 5, i, t)), n_tokens - 2)
                token = other + (other >= token)
            tokens[i, t + 1] = token
            skills[i, t] = k


def skill_demonstrations(
    maps: Any, switch_probability: float, noise: float, length: int, n_demonstrations: int, seeds: Any
) -> xarray.Dataset:
    """Write demonstrations of a skill world.

    Parameters
    ----------
    maps : array_like of int
        Shape (K, A): image of every token under every skill.
    switch_probability : float
        beta in [0, 1]: probability of a change to a uniform other skill at each step after the first.
    noise : float
        eta in [0, 1]: probability that the emitted token is replaced by a uniform other one.
    length : int
        Tokens per demonstration, >= 2; the first is uniform and only serves as context.
    n_demonstrations : int
        n >= 1.
    seeds : int or sequence of int
        One replicate each.

    Returns
    -------
    xarray.Dataset
        ``token`` (replicate, demonstration, position) and ``skill`` (replicate, demonstration, step): the skill in
        force when token ``step + 1`` was emitted, one step fewer than tokens.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Fewer demonstrations with the same seed are the first ones of more.

    Examples
    --------
    >>> skill_demonstrations([[1, 2, 0]], 0.0, 0.0, 4, 1, 0)["token"].values.tolist()
    [[[1, 2, 0, 1]]]
    """
    import xarray

    table = index_table("maps", maps, 2, np.shape(maps)[-1] if np.ndim(maps) == 2 and np.size(maps) else 1)
    if table.shape[1] < 2:
        raise ValueError(f"maps must cover at least 2 tokens, got {table.shape[1]}")
    beta = real("switch_probability", switch_probability, 0.0, 1.0)
    eta = real("noise", noise, 0.0, 1.0)
    n_tokens = integer("length", length, 2, 2**31)
    n = integer("n_demonstrations", n_demonstrations, 1)
    keys = check_seeds(seeds)
    tokens = np.empty((len(keys), n, n_tokens), dtype=np.int64)
    skills = np.empty((len(keys), n, n_tokens - 1), dtype=np.int64)
    for row, seed in enumerate(keys):
        _write_skills(replicate_key(seed, "skill_text"), table, beta, eta, tokens[row], skills[row])
    return xarray.Dataset(
        {
            "token": (("replicate", "demonstration", "position"), tokens, {"long_name": "token", "units": "1"}),
            "skill": (("replicate", "demonstration", "step"), skills, {"long_name": "skill in force", "units": "1"}),
        },
        coords={"seed": ("replicate", keys)},
        attrs={"switch_probability": beta, "noise": eta},
    )


def draw_skill_tasks(maps: Any, n_segments: int, duration: int, n_tasks: int, seeds: Any) -> xarray.Dataset:
    """Draw goals of a skill world: a start, L skills without immediate repetition, tau clean steps each.

    Parameters
    ----------
    maps : array_like of int
        Shape (K, A).
    n_segments : int
        L >= 1; with one skill only L = 1.
    duration : int
        tau >= 1.
    n_tasks : int
        At least 1.
    seeds : int or sequence of int
        One replicate each.

    Returns
    -------
    xarray.Dataset
        ``token`` (replicate, task, position): start and goal, L tau + 1 tokens, and ``skill`` (replicate, task,
        segment).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Start and first skill are uniform.

    Examples
    --------
    >>> draw_skill_tasks([[1, 2, 0]], 1, 3, 1, 0)["token"].shape
    (1, 1, 4)
    """
    import xarray

    table = index_table("maps", maps, 2, np.shape(maps)[-1] if np.ndim(maps) == 2 and np.size(maps) else 1)
    segments = integer("n_segments", n_segments, 1, 2**20 if len(table) > 1 else 1)
    tau = integer("duration", duration, 1, 2**20)
    n = integer("n_tasks", n_tasks, 1)
    keys = check_seeds(seeds)
    tokens = np.empty((len(keys), n, segments * tau + 1), dtype=np.int64)
    skills = np.empty((len(keys), n, segments), dtype=np.int64)
    for row, seed in enumerate(keys):
        _write_tasks(replicate_key(seed, "skill_tasks"), table, tau, tokens[row], skills[row])
    return xarray.Dataset(
        {
            "token": (("replicate", "task", "position"), tokens, {"long_name": "token", "units": "1"}),
            "skill": (("replicate", "task", "segment"), skills, {"long_name": "skill of a segment", "units": "1"}),
        },
        coords={"seed": ("replicate", keys)},
        attrs={"n_segments": segments, "duration": tau},
    )


@kernel
def _write_tasks(key, maps, duration, tokens, skills):  # type: ignore[no-untyped-def]
    """Goals as chains of skills; memory: the strings."""
    n_skills, n_tokens = maps.shape
    for i in range(tokens.shape[0]):
        tokens[i, 0] = min(int(n_tokens * uniform(key, 0, i, 0)), n_tokens - 1)
        k = min(int(n_skills * uniform(key, 1, i, 0)), n_skills - 1)
        for h in range(skills.shape[1]):
            if h > 0:
                other = min(int((n_skills - 1) * uniform(key, 2, i, h)), n_skills - 2)
                k = other + (other >= k)
            skills[i, h] = k
            for t in range(duration):
                tokens[i, h * duration + t + 1] = maps[k, tokens[i, h * duration + t]]


def skill_emission(maps: Any, noise: float) -> np.ndarray:
    """Return the emission table of the true skills.

    Parameters
    ----------
    maps : array_like of int
        Shape (K, A).
    noise : float
        eta in [0, 1].

    Returns
    -------
    numpy.ndarray
        pi(a | x, k), shape (K, A, A): 1 - eta at the skill's image of x, eta/(A - 1) elsewhere.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Nothing is random.

    Examples
    --------
    >>> skill_emission([[1, 0]], 0.25).tolist()
    [[[0.25, 0.75], [0.75, 0.25]]]
    """
    table = index_table("maps", maps, 2, np.shape(maps)[-1] if np.ndim(maps) == 2 and np.size(maps) else 1)
    eta = real("noise", noise, 0.0, 1.0)
    n_skills, size = table.shape
    emission = np.full((n_skills, size, size), eta / (size - 1))
    emission[np.arange(n_skills)[:, None], np.arange(size)[None, :], table] = 1.0 - eta
    return emission
