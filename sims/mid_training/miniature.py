r"""Reasoning as action abstraction in miniature: worlds of skills from demonstrations to reinforcement learning.

A replicate is a world: its skills, its demonstrations, a held-out text and a set of goals, all from one seed.
Mid-training fits sticky latents to the demonstrations; the baselines predict the next token. What is measured: held-out
negative log-likelihood, agreement with the true skills, coverage of goals, and what a goal then costs to find. All
likelihoods are per predicted token; the first token of a line is context.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sims._validate import integer, real
from sims._validate import seeds as check_seeds
from sims.mid_training.baselines import ngram_log_probabilities, ngram_nll, tree_probabilities
from sims.mid_training.latents import (
    best_paths,
    expectation_step,
    fit_sticky_latents,
    next_token_log_probabilities,
    sticky_log_likelihoods,
)
from sims.mid_training.metrics import adjusted_mutual_information, boundary_f1, goal_coverage, map_recovery
from sims.mid_training.rl import goal_policy_gradient
from sims.mid_training.worlds import draw_skill_tasks, draw_skills, skill_demonstrations, skill_emission

if TYPE_CHECKING:
    import xarray

__all__ = ["SkillWorld", "compare_with_next_token", "race_to_goal", "sweep_switch_penalty"]

HELD_OUT = 2**32  # added to a seed: the held-out text is the demonstrations of a far seed


class SkillWorld(NamedTuple):
    """Sizes of a skill world.

    Attributes
    ----------
    n_tokens : int
        A, a prime.
    n_skills : int
        K.
    switch_probability : float
        beta.
    noise : float
        eta.
    length : int
        Tokens per demonstration.
    n_segments : int
        L, skills per goal.
    duration : int
        tau, tokens per skill of a goal.
    """

    n_tokens: int = 13
    n_skills: int = 4
    switch_probability: float = 0.2
    noise: float = 0.05
    length: int = 60
    n_segments: int = 3
    duration: int = 4

    @property
    def alpha(self) -> float:
        """Stickiness of the exact model."""
        return 1.0 - self.switch_probability * self.n_skills / (self.n_skills - 1)


class _Instance(NamedTuple):
    maps: np.ndarray
    train: np.ndarray
    test: np.ndarray
    skills: np.ndarray
    goals: np.ndarray
    goal_skills: np.ndarray


def _draw(world: SkillWorld, n_demonstrations: int, n_test: int, n_goals: int, seed: int) -> _Instance:
    maps = draw_skills(world.n_tokens, world.n_skills, seed)["skill_map"].values[0]
    common = (maps, world.switch_probability, world.noise, world.length)
    train = skill_demonstrations(*common, n_demonstrations, seed)["token"].values[0]
    test = skill_demonstrations(*common, n_test, seed + HELD_OUT)
    goals = draw_skill_tasks(maps, world.n_segments, world.duration, n_goals, seed)
    return _Instance(
        maps,
        train,
        test["token"].values[0],
        test["skill"].values[0],
        goals["token"].values[0],
        goals["skill"].values[0],
    )


def _world(world: SkillWorld | None) -> SkillWorld:
    chosen = SkillWorld() if world is None else world
    if not isinstance(chosen, SkillWorld):
        raise ValueError(f"world must be a SkillWorld, got {world!r}")
    integer("n_skills", chosen.n_skills, 2)
    real("switch_probability", chosen.switch_probability, 0.0, (chosen.n_skills - 1) / chosen.n_skills)
    real("noise", chosen.noise, 0.0, 1.0, open_low=True, open_high=True)
    return chosen


def _seeds(value: Any) -> list[int]:
    keys = [int(seed) for seed in check_seeds(value)]
    if max(keys) >= HELD_OUT:
        raise ValueError(f"seeds must lie in [0, {HELD_OUT - 1}], got {max(keys)}")
    return keys


def _orders(orders: Any) -> list[int]:
    if not isinstance(orders, (list, tuple)):
        raise ValueError(f"orders must be a tuple of integers >= 1, got {orders!r}")
    return [integer("orders", order, 1, 64) for order in orders]


def _options(fit: Any) -> dict[str, Any]:
    allowed = [p.name for p in signature(fit_sticky_latents).parameters.values() if p.kind is p.KEYWORD_ONLY]
    allowed = [name for name in allowed if name not in ("seeds", "switch_penalty", "alpha")]
    if fit is None:
        return {}
    if not isinstance(fit, Mapping) or not set(fit) <= set(allowed):
        raise ValueError(f"fit must map names among {', '.join(allowed)} to values, got {fit!r}")
    return dict(fit)


def compare_with_next_token(
    n_demonstrations: Any,
    seeds: Any,
    *,
    world: SkillWorld | None = None,
    orders: tuple[int, ...] = (1, 2, 3),
    n_test: int = 200,
    n_goals: int = 500,
    fit: Mapping[str, Any] | None = None,
) -> xarray.Dataset:
    """Fit sticky latents and n-grams to growing numbers of demonstrations and compare them on held-out text and goals.

    Parameters
    ----------
    n_demonstrations : sequence of int
        Sizes n >= 1; smaller sets are the first lines of larger ones.
    seeds : int or sequence of int
        One replicate, that is one world, each; below 2**32.
    world : SkillWorld, optional
        Sizes of the world.
    orders : tuple of int
        Orders of the n-grams, smoothed by the constant that is best on the held-out text.
    n_test, n_goals : int
        Held-out lines and goals, >= 1.
    fit : mapping, optional
        Further keyword arguments of :func:`sims.mid_training.fit_sticky_latents`.

    Returns
    -------
    xarray.Dataset
        Over (replicate, n_demonstrations): ``coverage``, ``nll``, ``ami``, ``boundary_f1``, ``map_recovery``,
        ``alpha``; ``nll_ngram`` (replicate, n_demonstrations, order); over (replicate): ``true_nll``, ``true_ami``,
        ``true_boundary_f1``, for the true parameters.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Cost: one robust fit per replicate and size.

    Examples
    --------
    >>> result = compare_with_next_token([5], 0, n_test=20, fit={"n_restarts": 1, "swap_passes": 0})
    >>> bool(result["true_nll"][0] < result["nll"][0, 0])
    True
    """
    import xarray

    chosen = _world(world)
    sizes = [integer("n_demonstrations", n, 1) for n in np.atleast_1d(np.asarray(n_demonstrations))]
    keys = _seeds(seeds)
    options = _options(fit)
    n_held, goals = integer("n_test", n_test, 1), integer("n_goals", n_goals, 1)
    widths = _orders(orders)
    names = ("coverage", "nll", "ami", "boundary_f1", "map_recovery", "alpha")
    rows = {name: np.empty((len(keys), len(sizes))) for name in names}
    truth = {name: np.empty(len(keys)) for name in ("true_nll", "true_ami", "true_boundary_f1")}
    ngrams = np.empty((len(keys), len(sizes), len(widths)))
    for r, seed in enumerate(keys):
        data = _draw(chosen, max(sizes), n_held, goals, seed)
        emission = skill_emission(data.maps, chosen.noise)
        scores = _scores(data, emission, chosen.alpha)
        for name in truth:
            truth[name][r] = scores[name.removeprefix("true_")]
        for i, n in enumerate(sizes):
            train = data.train[:n]
            result = fit_sticky_latents(train, chosen.n_tokens, chosen.n_skills, seeds=seed, **options)
            learned, alpha = result["emission"].values[0], float(result["alpha"][0])
            scores = _scores(data, learned, alpha)
            scores["coverage"] = goal_coverage(learned, data.goals, chosen.duration)
            scores["map_recovery"] = map_recovery(learned, data.maps)
            scores["alpha"] = alpha
            for name in names:
                rows[name][r, i] = scores[name]
            for o, order in enumerate(widths):
                ngrams[r, i, o] = ngram_nll(train, data.test, chosen.n_tokens, order).attrs["best_nll"]
    dims = ("replicate", "n_demonstrations")
    labels = {
        "coverage": "share of goals covered by the learned maps",
        "nll": "held-out negative log-likelihood per token",
        "ami": "adjusted mutual information of best paths and skills",
        "boundary_f1": "F1 score of skill boundaries",
        "map_recovery": "share of map entries found",
        "alpha": "learned stickiness",
    }
    variables: dict[str, Any] = {
        name: (dims, rows[name], {"long_name": labels[name], "units": "nat" if name == "nll" else "1"})
        for name in names
    }
    variables["nll_ngram"] = ((*dims, "order"), ngrams, {"long_name": "the same for n-grams", "units": "nat"})
    for name, values in truth.items():
        long_name = labels[name.removeprefix("true_")] + ", true parameters"
        variables[name] = ("replicate", values, {"long_name": long_name, "units": "nat" if "nll" in name else "1"})
    return xarray.Dataset(
        variables,
        coords={"seed": ("replicate", keys), "n_demonstrations": sizes, "order": widths},
        attrs={**chosen._asdict(), "n_test": n_held, "n_goals": goals},
    )


def _scores(data: _Instance, emission: np.ndarray, alpha: float) -> dict[str, float]:
    paths = best_paths(data.test, emission, alpha)["latent"].values
    return {
        "nll": -float(sticky_log_likelihoods(data.test, emission, alpha).sum()) / data.skills.size,
        "ami": adjusted_mutual_information(data.skills, paths),
        "boundary_f1": boundary_f1(data.skills, paths),
    }


def sweep_switch_penalty(
    penalties: Any,
    n_demonstrations: int,
    seeds: Any,
    *,
    world: SkillWorld | None = None,
    n_test: int = 200,
    fit: Mapping[str, Any] | None = None,
) -> xarray.Dataset:
    """Fit sticky latents at fixed prices per switch and score them on held-out text.

    Parameters
    ----------
    penalties : sequence of float
        Prices c >= 0.
    n_demonstrations : int
        Lines of text, >= 1.
    seeds, world, n_test, fit
        As in :func:`compare_with_next_token`.

    Returns
    -------
    xarray.Dataset
        Over (replicate, penalty): ``nll``, ``cross_entropy`` (minus the mean log-emission of the latents under the
        posterior) and ``divergence`` (of the posterior from the sticky prior), which add up to ``nll``;
        ``switch_rate``: posterior switches per step; ``ami``.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    The conditional cross-entropy alone is no loss of a language model: its minimum lies at another price than that of
    nll.

    Examples
    --------
    >>> result = sweep_switch_penalty([1.0], 5, 0, n_test=20, fit={"n_restarts": 1, "swap_passes": 0})
    >>> total = result["cross_entropy"] + result["divergence"]
    >>> bool(abs(total - result["nll"]).max() < 1e-9)
    True
    """
    import xarray

    chosen = _world(world)
    prices = [real("penalties", c, 0.0) for c in np.atleast_1d(np.asarray(penalties, dtype=object))]
    n = integer("n_demonstrations", n_demonstrations, 1)
    keys = _seeds(seeds)
    options = _options(fit)
    n_held = integer("n_test", n_test, 1)
    names = ("nll", "cross_entropy", "divergence", "switch_rate", "ami")
    rows = {name: np.empty((len(keys), len(prices))) for name in names}
    for r, seed in enumerate(keys):
        data = _draw(chosen, n, n_held, 1, seed)
        for i, price in enumerate(prices):
            result = fit_sticky_latents(
                data.train, chosen.n_tokens, chosen.n_skills, seeds=seed, switch_penalty=price, **options
            )
            learned, alpha = result["emission"].values[0], float(result["alpha"][0])
            step = expectation_step(data.test, learned, alpha)
            conditional = -float((step["count"].values * np.log(learned)).sum()) / data.skills.size
            scores = _scores(data, learned, alpha)
            rows["nll"][r, i] = scores["nll"]
            rows["ami"][r, i] = scores["ami"]
            rows["cross_entropy"][r, i] = conditional
            rows["divergence"][r, i] = scores["nll"] - conditional
            rows["switch_rate"][r, i] = float(step["switches"]) / (len(data.test) * (chosen.length - 2))
    labels = {
        "nll": ("held-out negative log-likelihood per token", "nat"),
        "cross_entropy": ("mean cross-entropy given posterior latents, per token", "nat"),
        "divergence": ("divergence of the posterior from the prior, per token", "nat"),
        "switch_rate": ("posterior switches per step", "1"),
        "ami": ("adjusted mutual information of best paths and skills", "1"),
    }
    return xarray.Dataset(
        {
            name: (("replicate", "penalty"), rows[name], {"long_name": labels[name][0], "units": labels[name][1]})
            for name in names
        },
        coords={"seed": ("replicate", keys), "penalty": prices},
        attrs={**chosen._asdict(), "n_train": n, "n_test": n_held},
    )


def race_to_goal(
    n_demonstrations: int,
    seeds: Any,
    *,
    world: SkillWorld | None = None,
    orders: tuple[int, ...] = (1, 2, 3),
    smoothing: float = 0.3,
    n_goals: int = 200,
    n_clean: int = 20_000,
    longest: int = 6,
    n_trained: int = 5,
    max_episodes: int = 200_000,
    fit: Mapping[str, Any] | None = None,
) -> xarray.Dataset:
    """Compare what goals cost from different starts: tokens, n-grams, the latent prior, macros, and the clean control.

    Parameters
    ----------
    n_demonstrations, seeds, world, orders, fit
        As in :func:`compare_with_next_token`.
    smoothing : float
        k > 0 of the n-grams.
    n_goals : int
        Goals, >= 1.
    n_clean : int
        Clean goal strings from which the full-context control learns its tree, >= 1.
    longest : int
        Durations 1..longest are tried where the duration is not known, >= 1.
    n_trained : int
        The first so many goals are also trained by policy gradient, >= 0.
    max_episodes : int
        Budget of one training.

    Returns
    -------
    xarray.Dataset
        ``log_episodes`` (replicate, start): mean over goals of the logarithm of the expected number of episodes until
        the first success; ``episodes`` (replicate, start, goal): episodes of policy gradient to success probability
        0.95, the budget where it was not reached; ``reached`` likewise; ``coverage`` (replicate): share of goals the
        learned maps can type, the only ones that macros ever solve.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Starts: ``tokens`` (uniform), ``ngram1``.., ``latent_prior`` (the fitted model as next-token prior), ``true_prior``
    (the true parameters, noise included), ``full_context`` (tree over clean goals: it finds goals as fast as uniform
    macros do), ``macros`` (learned maps with the true duration), ``macros_any_duration``, ``macros_unpruned`` (all
    affine maps). Macro methods cost the logarithm of their library per segment; uncovered goals are counted in
    ``coverage``, not in them.

    Examples
    --------
    >>> result = race_to_goal(20, 0, n_goals=5, n_clean=100, n_trained=0, fit={"n_restarts": 2})
    >>> [round(float(x), 2) for x in result["log_episodes"].sel(start=["tokens", "macros"])[0]]
    [30.78, 4.16]
    """
    import xarray

    chosen = _world(world)
    n, goals = integer("n_demonstrations", n_demonstrations, 1), integer("n_goals", n_goals, 1)
    clean, reach = integer("n_clean", n_clean, 1), integer("longest", longest, 1)
    trained = integer("n_trained", n_trained, 0, goals)
    budget = integer("max_episodes", max_episodes, 1)
    keys = _seeds(seeds)
    options = _options(fit)
    size, k, segments = chosen.n_tokens, chosen.n_skills, chosen.n_segments
    widths = _orders(orders)
    libraries = {"macros": k, "macros_any_duration": reach * k, "macros_unpruned": size * (size - 1)}
    methods = ("tokens", *(f"ngram{o}" for o in widths), "latent_prior", "true_prior", "full_context", *libraries)
    cost = np.empty((len(keys), len(methods)))
    episodes = np.empty((len(keys), len(methods), trained), dtype=np.int64)
    reached = np.empty(episodes.shape, dtype=np.bool_)
    coverage = np.empty(len(keys))
    for r, seed in enumerate(keys):
        data = _draw(chosen, n, 1, goals, seed)
        result = fit_sticky_latents(data.train, size, k, seeds=seed, **options)
        learned, alpha = result["emission"].values[0], float(result["alpha"][0])
        coverage[r] = goal_coverage(learned, data.goals, chosen.duration)
        steps = segments * chosen.duration
        starts: dict[str, np.ndarray] = {"tokens": np.full((goals, steps, size), -math.log(size))}
        for o in widths:
            starts[f"ngram{o}"] = ngram_log_probabilities(data.train, data.goals, size, o, smoothing)
        starts["latent_prior"] = next_token_log_probabilities(data.goals, learned, alpha)
        true = skill_emission(data.maps, chosen.noise)
        starts["true_prior"] = next_token_log_probabilities(data.goals, true, chosen.alpha)
        control = draw_skill_tasks(data.maps, segments, chosen.duration, clean, seed + HELD_OUT)["token"].values[0]
        starts["full_context"] = _tree_start(control, data.goals, size)
        for i, method in enumerate(methods):
            if method in libraries:
                cost[r, i] = segments * math.log(libraries[method])
                logits = np.zeros((trained, segments, libraries[method]))
                right = np.zeros((trained, segments), dtype=np.int64)
            else:
                along = np.take_along_axis(starts[method], data.goals[:, 1:, None], axis=2)
                cost[r, i] = -float(along.sum(axis=(1, 2)).mean())
                logits, right = starts[method], data.goals[:, 1:]
            for g in range(trained):
                run = goal_policy_gradient(logits[g], right[g], seed * trained + g, max_episodes=budget)
                episodes[r, i, g] = int(run["episodes"][0]) if bool(run["reached"][0]) else budget
                reached[r, i, g] = bool(run["reached"][0])
    dims = ("replicate", "start", "goal")
    return xarray.Dataset(
        {
            "log_episodes": (
                ("replicate", "start"),
                cost,
                {"long_name": "mean logarithm of the expected episodes to a first success", "units": "nat"},
            ),
            "episodes": (dims, episodes, {"long_name": "episodes to success probability 0.95", "units": "1"}),
            "reached": (dims, reached, {"long_name": "training reached its target", "units": "1"}),
            "coverage": ("replicate", coverage, {"long_name": "share of goals covered", "units": "1"}),
        },
        coords={"seed": ("replicate", keys), "start": list(methods)},
        attrs={**chosen._asdict(), "n_train": n, "n_goals": goals, "max_episodes": budget, "smoothing": smoothing},
    )


def _tree_start(train: np.ndarray, goals: np.ndarray, size: int) -> np.ndarray:
    """Log-probabilities of all next tokens along the goals under a tree with a trace of smoothing."""
    n_goals, length = goals.shape
    lines = np.repeat(goals[:, None, :], (length - 1) * size, axis=1).reshape(n_goals, length - 1, size, length)
    for t in range(1, length):
        lines[:, t - 1, :, t] = np.arange(size)
    probabilities = tree_probabilities(train, lines.reshape(-1, length), size, 1e-6)
    table = probabilities.reshape(n_goals, length - 1, size, length)
    chosen = np.empty((n_goals, length - 1, size))
    for t in range(1, length):
        chosen[:, t - 1, :] = table[:, t - 1, :, t]
    return np.log(chosen)
