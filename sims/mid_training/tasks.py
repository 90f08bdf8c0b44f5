r"""Batched draws of demonstrated tasks: which subsets of options survive, which options are seen.

A demonstration is a task drawn from a law over types. Elimination deletes a subset B of options as soon as one drawn
task loses more than eps with it; a subset is a bit, a task type is a mask of the subsets it leaves alive, and n
demonstrations are n bitwise ANDs. The counting rule keeps a subset that fails at most t draws. Four families (coupons
and bit blocks through the number of unseen types, independent failures, typed blocks) have no need of an explicit list
of subsets. With footprints the learner sees the options used and keeps them.

Every trial is a fresh set of n demonstrations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sims._kernels import kernel
from sims._validate import integer, real
from sims._validate import seeds as check_seeds
from sims.mid_training._draws import draw_category, law, real_table, replicate_key, uniform

if TYPE_CHECKING:
    import xarray

__all__ = [
    "draw_footprints",
    "draw_independent_failures",
    "draw_typed_failures",
    "draw_unseen_types",
    "prune_by_count",
    "prune_by_elimination",
]


@kernel
def _eliminate(key, cumulative, alive_after, bad, n, alive, survived, all_gone):  # type: ignore[no-untyped-def]
    """AND the masks of n drawn types for every trial; memory: 8 bytes per 64 subsets."""
    n_words = alive.shape[0]
    for trial in range(all_gone.shape[0]):
        alive[:] = ~np.uint64(0)
        for i in range(n):
            y = draw_category(cumulative, uniform(key, 0, trial, i))
            for w in range(n_words):
                alive[w] &= alive_after[y, w]
        gone = True
        for w in range(n_words):
            gone = gone and (alive[w] & bad[w]) == np.uint64(0)
        all_gone[trial] = gone
        for b in range(survived.shape[0]):
            survived[b] += np.int64((alive[b // 64] >> np.uint64(b % 64)) & np.uint64(1))


def _gap_table(gaps: Any, probabilities: Any) -> tuple[np.ndarray, np.ndarray]:
    table = real_table("gaps", gaps, 2, 0.0)
    p = law("probabilities", probabilities)
    if p.shape[0] != table.shape[0]:
        raise ValueError(
            f"probabilities must have the {table.shape[0]} entries of the first axis of gaps, got {p.shape[0]}"
        )
    return table, p


def _pack(flags: np.ndarray) -> np.ndarray:
    """Boolean (rows, subsets) to uint64 words, lowest bit first; missing bits are zero."""
    words = np.zeros((flags.shape[0], (flags.shape[1] + 63) // 64), dtype=np.uint64)
    for b in range(flags.shape[1]):
        words[:, b // 64] |= flags[:, b].astype(np.uint64) << np.uint64(b % 64)
    return words


def prune_by_elimination(
    gaps: Any,
    probabilities: Any,
    tolerance: float,
    failure_rate: float,
    n_demonstrations: int,
    seeds: Any,
    *,
    n_trials: int = 1000,
) -> xarray.Dataset:
    """Draw demonstrations and delete every subset that loses more than `tolerance` on one of them.

    Parameters
    ----------
    gaps : array_like
        Value lost by each subset on each task type, shape (types, subsets), >= 0.
    probabilities : array_like
        Law of the task type.
    tolerance : float
        eps >= 0.
    failure_rate : float
        sigma in (0, 1]: a subset is bad when it loses more than eps with at least this probability.
    n_demonstrations : int
        n >= 0 per trial.
    seeds : int or sequence of int
        One replicate each.
    n_trials : int
        Independent sets of demonstrations per replicate, >= 1.

    Returns
    -------
    xarray.Dataset
        ``all_bad_eliminated`` (replicate, trial), ``survivals`` (replicate, subset): in how many trials the subset
        stays; ``bad`` (subset) and ``mean_gap`` (subset), the exact mean loss.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    One AND per 64 subsets and demonstration. Model: tasks with computable losses, as in Zhang et al. (arXiv
    2509.25810).

    Examples
    --------
    >>> result = prune_by_elimination([[0.0, 1.0], [0.0, 0.0]], [0.5, 0.5], 0.1, 0.5, 3, 0, n_trials=4)
    >>> result["survivals"].sel(subset=0).values.tolist()
    [4]
    """
    import xarray

    table, p = _gap_table(gaps, probabilities)
    eps = real("tolerance", tolerance, 0.0)
    sigma = real("failure_rate", failure_rate, 0.0, 1.0, open_low=True)
    n = integer("n_demonstrations", n_demonstrations, 0, 2**32 - 1)
    trials = integer("n_trials", n_trials, 1)
    keys = check_seeds(seeds)
    fails = table > eps
    # the rate is a sum of probabilities: a subset exactly at sigma must not slip off by rounding
    bad = p @ fails >= sigma - 1e-12
    alive_after, bad_words = _pack(~fails), _pack(bad[None, :])[0]
    gone = np.empty((len(keys), trials), dtype=np.bool_)
    survived = np.zeros((len(keys), table.shape[1]), dtype=np.int64)
    cumulative = np.cumsum(p)
    for row, seed in enumerate(keys):
        alive = np.empty(alive_after.shape[1], dtype=np.uint64)
        key = replicate_key(seed, "elimination")
        _eliminate(key, cumulative, alive_after, bad_words, n, alive, survived[row], gone[row])
    return xarray.Dataset(
        {
            "all_bad_eliminated": (("replicate", "trial"), gone, {"long_name": "no bad subset survives", "units": "1"}),
            "survivals": (("replicate", "subset"), survived, {"long_name": "trials survived", "units": "1"}),
            "bad": ("subset", bad, {"long_name": "subset is bad", "units": "1"}),
            "mean_gap": ("subset", p @ table, {"long_name": "mean value lost", "units": "value"}),
        },
        coords={"seed": ("replicate", keys)},
        attrs={"tolerance": eps, "failure_rate": sigma, "n_demonstrations": n, "n_trials": trials},
    )


@kernel
def _count_failures(key, cumulative, fails, n, threshold, counts, survived):  # type: ignore[no-untyped-def]
    """Count the failures of every subset in n draws; memory: one counter per subset."""
    for trial in range(survived.shape[0]):
        counts[:] = 0
        for i in range(n):
            y = draw_category(cumulative, uniform(key, 0, trial, i))
            for b in range(counts.shape[0]):
                counts[b] += fails[y, b]
        for b in range(counts.shape[0]):
            survived[trial, b] = counts[b] <= threshold


def prune_by_count(
    gaps: Any,
    probabilities: Any,
    tolerance: float,
    n_demonstrations: int,
    allowed_failures: int,
    seeds: Any,
    *,
    n_trials: int = 1000,
) -> xarray.Dataset:
    """Draw demonstrations and keep every subset that fails at most `allowed_failures` of them.

    Parameters
    ----------
    gaps, probabilities, tolerance, n_demonstrations, seeds, n_trials
        As in :func:`prune_by_elimination`.
    allowed_failures : int
        Threshold t >= 0.

    Returns
    -------
    xarray.Dataset
        ``survives`` (replicate, trial, subset) with ``mean_gap`` and ``failure_rate`` (subset), the exact values.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    With threshold 0 the draws and the survivors differ from :func:`prune_by_elimination` only by the stream.

    Examples
    --------
    >>> result = prune_by_count([[0.0, 1.0]], [1.0], 0.1, 3, 2, 0, n_trials=1)
    >>> result["survives"].values.tolist()
    [[[True, False]]]
    """
    import xarray

    table, p = _gap_table(gaps, probabilities)
    eps = real("tolerance", tolerance, 0.0)
    n = integer("n_demonstrations", n_demonstrations, 0, 2**32 - 1)
    threshold = integer("allowed_failures", allowed_failures, 0)
    trials = integer("n_trials", n_trials, 1)
    keys = check_seeds(seeds)
    fails = table > eps
    survives = np.empty((len(keys), trials, table.shape[1]), dtype=np.bool_)
    cumulative = np.cumsum(p)
    for row, seed in enumerate(keys):
        counts = np.empty(table.shape[1], dtype=np.int64)
        key = replicate_key(seed, "count_rule")
        _count_failures(key, cumulative, fails.astype(np.int64), n, threshold, counts, survives[row])
    return xarray.Dataset(
        {
            "survives": (("replicate", "trial", "subset"), survives, {"long_name": "subset is kept", "units": "1"}),
            "mean_gap": ("subset", p @ table, {"long_name": "mean value lost", "units": "value"}),
            "failure_rate": ("subset", p @ fails, {"long_name": "probability of a failure", "units": "1"}),
        },
        coords={"seed": ("replicate", keys)},
        attrs={"tolerance": eps, "allowed_failures": threshold, "n_demonstrations": n, "n_trials": trials},
    )


@kernel
def _unseen(key, d, q, n, seen, unseen, wrong):  # type: ignore[no-untyped-def]
    """Number of light types not drawn, and of wrong guesses at their bits; memory: one byte per type."""
    for trial in range(unseen.shape[0]):
        seen[:] = 0
        left = d
        for i in range(n):
            u = uniform(key, 0, trial, i)
            if u < d * q:
                y = min(int(u / q), d - 1)
                if seen[y] == 0:
                    seen[y] = 1
                    left -= 1
        unseen[trial] = left
        misses = 0
        for i in range(left):
            if uniform(key, 1, trial, i) < 0.5:
                misses += 1
        wrong[trial] = misses


def draw_unseen_types(
    n_types: int, type_probability: float, n_demonstrations: int, seeds: Any, *, n_trials: int = 1000
) -> xarray.Dataset:
    """Draw tasks of d equally likely light types and count the types that no demonstration shows.

    In the coupon family all bad subsets are gone iff no type is unseen; in the bit-block family with threshold F a bad
    subset survives iff at least F are.

    Parameters
    ----------
    n_types : int
        d >= 1.
    type_probability : float
        q in (0, 1/d]; the other tasks show no light type.
    n_demonstrations : int
        n >= 0.
    seeds : int or sequence of int
        One replicate each.
    n_trials : int
        At least 1.

    Returns
    -------
    xarray.Dataset
        ``unseen`` (replicate, trial) and ``wrong`` (replicate, trial): how many of the unseen bits a learner that
        guesses them by fair coins gets wrong.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Cost: one draw per demonstration.

    Examples
    --------
    >>> draw_unseen_types(3, 0.2, 0, 0, n_trials=2)["unseen"].values.tolist()
    [[3, 3]]
    """
    import xarray

    d = integer("n_types", n_types, 1)
    q = real("type_probability", type_probability, 0.0, 1.0, open_low=True)
    if d * q > 1.0 + 1e-12:
        raise ValueError(f"type_probability must be a real number in (0, 1/n_types], got {type_probability!r}")
    n = integer("n_demonstrations", n_demonstrations, 0, 2**32 - 1)
    trials = integer("n_trials", n_trials, 1)
    keys = check_seeds(seeds)
    unseen = np.empty((len(keys), trials), dtype=np.int64)
    wrong = np.empty_like(unseen)
    for row, seed in enumerate(keys):
        _unseen(replicate_key(seed, "unseen"), d, q, n, np.empty(d, dtype=np.int8), unseen[row], wrong[row])
    return xarray.Dataset(
        {
            "unseen": (("replicate", "trial"), unseen, {"long_name": "unseen task types", "units": "1"}),
            "wrong": (("replicate", "trial"), wrong, {"long_name": "unseen bits guessed wrong", "units": "1"}),
        },
        coords={"seed": ("replicate", keys)},
        attrs={"n_types": d, "type_probability": q, "n_demonstrations": n, "n_trials": trials},
    )


@kernel
def _independent(key, m, sigma, n, survivors):  # type: ignore[no-untyped-def]
    """Number of options without a failure in n tasks; an option's draws stop at its first failure."""
    for trial in range(survivors.shape[0]):
        alive = 0
        for option in range(m):
            lives = True
            for i in range(n):
                if uniform(key, option, trial, i) < sigma:
                    lives = False
                    break
            alive += lives
        survivors[trial] = alive


def draw_independent_failures(
    n_options: int, failure_rate: float, n_demonstrations: int, seeds: Any, *, n_trials: int = 1000
) -> xarray.Dataset:
    """Draw tasks that each of m - 1 options fails independently, and count the options without a failure.

    Parameters
    ----------
    n_options : int
        m >= 1; one further property of the family, an option that never fails, is among them.
    failure_rate : float
        sigma in [0, 1].
    n_demonstrations : int
        n >= 0.
    seeds : int or sequence of int
        One replicate each.
    n_trials : int
        At least 1.

    Returns
    -------
    xarray.Dataset
        ``wrong_survivors`` (replicate, trial).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Cost: at most (m - 1) n draws per trial.

    Examples
    --------
    >>> draw_independent_failures(3, 1.0, 1, 0, n_trials=1)["wrong_survivors"].values.tolist()
    [[0]]
    """
    import xarray

    m = integer("n_options", n_options, 1, 2**32 - 1)
    sigma = real("failure_rate", failure_rate, 0.0, 1.0)
    n = integer("n_demonstrations", n_demonstrations, 0, 2**32 - 1)
    trials = integer("n_trials", n_trials, 1)
    keys = check_seeds(seeds)
    survivors = np.empty((len(keys), trials), dtype=np.int64)
    for row, seed in enumerate(keys):
        _independent(replicate_key(seed, "independent"), m - 1, sigma, n, survivors[row])
    return xarray.Dataset(
        {"wrong_survivors": (("replicate", "trial"), survivors, {"long_name": "wrong options left", "units": "1"})},
        coords={"seed": ("replicate", keys)},
        attrs={"n_options": m, "failure_rate": sigma, "n_demonstrations": n, "n_trials": trials},
    )


@kernel
def _typed(key, k, b, rho, n, counts, survivors):  # type: ignore[no-untyped-def]
    """Number of wrong options without a failure when only tasks of their block can fail them."""
    for trial in range(survivors.shape[0]):
        counts[:] = 0
        for i in range(n):
            counts[min(int(k * uniform(key, 0, trial, i)), k - 1)] += 1
        alive = 0
        for block in range(k):
            for option in range(b - 1):
                lives = True
                for i in range(counts[block]):
                    if uniform(key, 1 + block * b + option, trial, i) < rho:
                        lives = False
                        break
                alive += lives
        survivors[trial] = alive


def draw_typed_failures(
    n_blocks: int,
    block_size: int,
    type_failure_rate: float,
    n_demonstrations: int,
    seeds: Any,
    *,
    n_trials: int = 1000,
) -> xarray.Dataset:
    """Draw typed tasks that fail the wrong options of their own block independently, and count those without a failure.

    Parameters
    ----------
    n_blocks, block_size : int
        k >= 1 blocks of b >= 1 options, one good option each; a task's type is uniform on the blocks.
    type_failure_rate : float
        rho in [0, 1].
    n_demonstrations : int
        n >= 0.
    seeds : int or sequence of int
        One replicate each.
    n_trials : int
        At least 1.

    Returns
    -------
    xarray.Dataset
        ``wrong_survivors`` (replicate, trial).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Cost: at most n (1 + b - 1) draws per trial.

    Examples
    --------
    >>> draw_typed_failures(2, 3, 0.5, 0, 0, n_trials=1)["wrong_survivors"].values.tolist()
    [[4]]
    """
    import xarray

    k = integer("n_blocks", n_blocks, 1, 2**15)
    b = integer("block_size", block_size, 1, 2**15)
    rho = real("type_failure_rate", type_failure_rate, 0.0, 1.0)
    n = integer("n_demonstrations", n_demonstrations, 0, 2**32 - 1)
    trials = integer("n_trials", n_trials, 1)
    keys = check_seeds(seeds)
    survivors = np.empty((len(keys), trials), dtype=np.int64)
    for row, seed in enumerate(keys):
        _typed(replicate_key(seed, "typed"), k, b, rho, n, np.empty(k, dtype=np.int64), survivors[row])
    return xarray.Dataset(
        {"wrong_survivors": (("replicate", "trial"), survivors, {"long_name": "wrong options left", "units": "1"})},
        coords={"seed": ("replicate", keys)},
        attrs={
            "n_blocks": k,
            "block_size": b,
            "type_failure_rate": rho,
            "n_demonstrations": n,
            "n_trials": trials,
        },
    )


@kernel
def _footprints(key, cumulative, weights, n, least, counts, kept, once):  # type: ignore[no-untyped-def]
    """Weight of the options counted at least `least` times, and share of draws whose option occurs once."""
    for trial in range(kept.shape[0]):
        counts[:] = 0
        for i in range(n):
            counts[draw_category(cumulative, uniform(key, 0, trial, i))] += 1
        mass, singles = 0.0, 0
        for j in range(counts.shape[0]):
            if counts[j] >= least:
                mass += weights[j]
            if counts[j] == 1:
                singles += 1
        kept[trial] = min(mass, 1.0)
        once[trial] = singles / max(n, 1)


def draw_footprints(
    weights: Any,
    n_demonstrations: int,
    seeds: Any,
    *,
    goal_length: int = 1,
    keep_count: int = 1,
    n_trials: int = 1000,
) -> xarray.Dataset:
    """Draw the options that demonstrations use, keep those seen often enough, and measure what is lost on fresh goals.

    Parameters
    ----------
    weights : array_like
        Law of one option of a goal.
    n_demonstrations : int
        n >= 0 goals demonstrated.
    seeds : int or sequence of int
        One replicate each.
    goal_length : int
        L >= 1 independent options per goal, all needed.
    keep_count : int
        An option is kept when seen at least so often, >= 1.
    n_trials : int
        At least 1.

    Returns
    -------
    xarray.Dataset
        ``kept_weight`` W and ``loss`` = 1 - W^L (replicate, trial), and ``seen_once``: the share of the n L options
        drawn that occur exactly once, the observable proxy of the missing mass.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    The loss on a fresh goal is averaged exactly given the kept set, so no second sampling is needed.

    Examples
    --------
    >>> draw_footprints([1.0], 3, 0, n_trials=1)["loss"].values.tolist()
    [[0.0]]
    """
    import xarray

    w = law("weights", weights)
    n = integer("n_demonstrations", n_demonstrations, 0, 2**31)
    length = integer("goal_length", goal_length, 1, 2**16)
    least = integer("keep_count", keep_count, 1)
    trials = integer("n_trials", n_trials, 1)
    keys = check_seeds(seeds)
    kept = np.empty((len(keys), trials))
    once = np.empty_like(kept)
    cumulative = np.cumsum(w)
    for row, seed in enumerate(keys):
        counts = np.empty(len(w), dtype=np.int64)
        key = replicate_key(seed, "footprint")
        _footprints(key, cumulative, w, n * length, least, counts, kept[row], once[row])
    return xarray.Dataset(
        {
            "kept_weight": (("replicate", "trial"), kept, {"long_name": "weight of the kept options", "units": "1"}),
            "loss": (("replicate", "trial"), 1.0 - kept**length, {"long_name": "share of goals lost", "units": "1"}),
            "seen_once": (("replicate", "trial"), once, {"long_name": "share of options seen once", "units": "1"}),
        },
        coords={"seed": ("replicate", keys)},
        attrs={"goal_length": length, "n_demonstrations": n, "keep_count": least, "n_trials": trials},
    )
