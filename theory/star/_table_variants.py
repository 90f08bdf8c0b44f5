"""Arbitrary transition tables beyond the plain refit: few kept trajectories, noise, temperature, hints.

The same variants as in the symmetric family, without its closed forms: the refit to k kept
trajectories in mean, the share of right paths, a noisy verifier as a reward, rows at a temperature,
and hints to failed prompts with the potential that they never lower.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np

from theory import _validate
from theory.star import _steps
from theory.star._tables import (
    MAX_PATHS,
    checked_maps,
    checked_reward,
    checked_start,
    checked_tables,
    expected_reward,
    partial_products,
    refit,
)

__all__ = [
    "hint_potential",
    "hinted_refit",
    "mean_reward_after_kept",
    "prompt_accuracies",
    "tables_right_path_share",
    "temper_tables",
    "verifier_reward",
]


def mean_reward_after_kept(tables: Any, n_kept: int, *, start: Any = None) -> Any:
    """Mean accuracy of the refit to `n_kept` kept trajectories, exactly, by enumerating what is kept.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M), truth the identity; floats or Fractions, with J > 0 unless `n_kept` is 0.
    n_kept : int
        Kept trajectories, drawn from the law of right ones; 0 returns J.
    start : array_like, optional
        Law of S_0; uniform by default.

    Returns
    -------
    float or Fraction
        E[J' | n_kept]; a sampled round of K trajectories averages it over n_kept ~ Binomial(K, J).

    Raises
    ------
    ValueError
        If nothing can be kept, or there are more than 2 000 000 multisets of kept trajectories.

    Notes
    -----
    That this is never below J for any n_kept >= 1 is stronger than that a sampled round never lowers
    the mean accuracy. It is proved for n_kept = 1 (any tables, start law and bijective truth: swap tails
    at the first meeting) and, by certificates in the odds, for n_kept = 2 and 3 at M = N = 2; otherwise open,
    without a counterexample.

    Examples
    --------
    >>> mean_reward_after_kept([[[Fraction(3, 4), Fraction(1, 4)], [Fraction(1, 4), Fraction(3, 4)]]] * 2, 1)
    Fraction(121, 160)
    """
    array = checked_tables(tables)
    law = checked_start(start, array)
    n_kept = _validate.integer("n_kept", n_kept, 0)
    accuracy = expected_reward(array, start=law)
    if n_kept == 0:
        return accuracy
    if accuracy == 0:
        raise ValueError("tables must give some right answer a positive probability, got J = 0")
    n_steps, n_states = array.shape[:2]
    paths = [(s, *middle, s) for s in range(n_states) for middle in product(range(n_states), repeat=n_steps - 1)]
    if math.comb(len(paths) + n_kept - 1, n_kept) > MAX_PATHS:
        raise ValueError(f"n_kept must leave at most {MAX_PATHS} multisets of kept trajectories, got {n_kept}")
    chances = []
    for path in paths:
        chance = law[path[0]] / accuracy
        for n in range(n_steps):
            chance = chance * array[n, path[n], path[n + 1]]
        chances.append(chance)
    total = 0 * accuracy
    for kept in combinations_with_replacement(range(len(paths)), n_kept):
        weight: Any = math.factorial(n_kept)
        for index in set(kept):
            weight //= math.factorial(kept.count(index))
        for index in kept:
            weight = weight * chances[index]
        if weight == 0:
            continue
        fitted = array.copy()
        counts = np.zeros((n_steps, n_states, n_states), dtype=np.int64)
        for index in kept:
            for n in range(n_steps):
                counts[n, paths[index][n], paths[index][n + 1]] += 1
        for n, s in zip(*np.nonzero(counts.sum(axis=2)), strict=True):
            visits = int(counts[n, s].sum())
            exact = array.dtype == object
            fitted[n, s] = [Fraction(int(c), visits) if exact else c / visits for c in counts[n, s]]
        total = total + weight * np.add.reduce(law * np.diagonal(partial_products(fitted)[-1]))
    return _steps.plain(np.asarray(total))


def tables_right_path_share(tables: Any, *, maps: Any = None, start: Any = None) -> Any:
    """Share R of the kept trajectories with every step right, arbitrary tables.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M).
    maps : array_like of int, optional
        Right successors, shape (N, M); the identity by default.
    start : array_like, optional
        Law of S_0; uniform by default.

    Returns
    -------
    float or Fraction
        R; 0 where nothing is kept.

    Raises
    ------
    ValueError
        If the tables, maps or start law have the wrong shape or entries.

    Examples
    --------
    >>> round(tables_right_path_share([[[0.75, 0.25], [0.25, 0.75]]] * 2), 12)
    0.9
    """
    array = checked_tables(tables)
    n_steps, n_states = array.shape[:2]
    chosen = checked_maps(np.tile(np.arange(n_states), (n_steps, 1)) if maps is None else maps)
    law = checked_start(start, array)
    here = np.arange(n_states)
    reward = np.zeros((n_states, n_states), dtype=int)
    path = law
    for n in range(n_steps):
        path = path * array[n, here, chosen[n, here]]
        here = chosen[n, here]
    reward[np.arange(n_states), here] = 1
    if array.dtype == object:
        reward = np.array([[Fraction(int(entry)) for entry in row] for row in reward], dtype=object)
    kept = expected_reward(array, start=law, reward=reward)
    return _steps.plain(np.asarray(np.add.reduce(path) / kept)) if kept != 0 else 0 * kept


def verifier_reward(n_states: int, false_negative: Any, false_positive: Any) -> Any:
    """Acceptance probability by start and answer: 1-mu on the diagonal, nu off it (a reward for :func:`refit`).

    Parameters
    ----------
    n_states : int
        M >= 2.
    false_negative : float, Fraction, sympy.Expr or flint.arb
        mu in [0, 1], the chance that a right answer is rejected.
    false_positive : float, Fraction, sympy.Expr or flint.arb
        nu in [0, 1], the chance that a wrong answer is accepted.

    Returns
    -------
    numpy.ndarray
        Shape (M, M).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> verifier_reward(2, 0.25, 0.5).tolist()
    [[0.75, 0.5], [0.5, 0.75]]
    """
    n_states = _validate.integer("n_states", n_states, 2)
    mu = _validate.real("false_negative", _steps.beside(false_negative, false_positive), 0, 1)
    nu = _validate.real("false_positive", _steps.beside(false_positive, false_negative), 0, 1)
    result = np.empty((n_states, n_states), dtype=float if isinstance(mu, float) and isinstance(nu, float) else object)
    result[:] = nu
    result[np.arange(n_states), np.arange(n_states)] = 1 - mu
    return result


def temper_tables(tables: Any, temperature: Any) -> Any:
    """Every row sampled at temperature tau: ``T^(1/tau)``, normalised.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M), rows summing to 1; floats or Fractions.
    temperature : float
        tau > 0.

    Returns
    -------
    numpy.ndarray
        Floats, shape (N, M, M).

    Raises
    ------
    ValueError
        If the tables have the wrong shape or entries, or tau is not positive.

    Examples
    --------
    >>> temper_tables([[[0.75, 0.25], [0.25, 0.75]]], 0.5)[0, 0].round(6).tolist()
    [0.9, 0.1]
    """
    array = checked_tables(tables).astype(float)
    temperature = _validate.real("temperature", temperature, 0, open_low=True)
    relative = (array / array.max(axis=-1, keepdims=True)) ** (1 / temperature)
    return relative / relative.sum(axis=-1, keepdims=True)


def prompt_accuracies(tables: Any) -> Any:
    """Accuracy ``J(s) = P(S_N = s | S_0 = s)`` of each start, truth the identity.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M), rows summing to 1, truth the identity; floats or Fractions.

    Returns
    -------
    numpy.ndarray
        Shape (M,).

    Raises
    ------
    ValueError
        If the tables have the wrong shape or entries.

    Examples
    --------
    >>> prompt_accuracies([[[0.75, 0.25], [0.5, 0.5]]]).tolist()
    [0.75, 0.5]
    """
    return np.diagonal(partial_products(checked_tables(tables))[-1]).copy()


def hinted_refit(tables: Any, hint: Any, *, start: Any = None) -> Any:
    """One iteration when a share h of failed prompts adds a path drawn from the model's law given the right answer.

    Prompt s then weighs ``h + (1-h) J(s)`` instead of J(s); prompts with J(s) = 0 have no such path.
    J itself can fall; :func:`hint_potential` never does.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M), truth the identity.
    hint : float or Fraction
        h in [0, 1].
    start : array_like, optional
        Law of S_0; uniform by default.

    Returns
    -------
    numpy.ndarray
        Shape (N, M, M). A row that no kept path visits keeps its values.

    Raises
    ------
    ValueError
        If the tables or the start law have the wrong shape or entries, or `hint` leaves its range.

    Examples
    --------
    >>> tables = [[[0.75, 0.25], [0.25, 0.75]]] * 2
    >>> bool(np.allclose(hinted_refit(tables, 1.0), refit(tables)))
    True
    """
    array = checked_tables(tables)
    hint = _validate.real("hint", _steps.beside(hint, array), 0, 1)
    right = prompt_accuracies(array)
    reward = checked_reward(None, array)
    for s, chance in enumerate(right):
        if chance != 0:
            reward[s, s] = (hint + (1 - hint) * chance) / chance
    return refit(array, start=start, reward=reward)


def hint_potential(tables: Any, hint: Any, *, start: Any = None) -> float:
    """What hinted iterations never lower: ``Phi_h = E_s[h log J(s) + (1-h) J(s)]``.

    Every start of positive probability needs J(s) > 0 when h > 0.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M), rows summing to 1, truth the identity; floats or Fractions.
    hint : float or Fraction
        h in [0, 1].
    start : array_like, optional
        Law of S_0, shape (M,); uniform by default.

    Returns
    -------
    float
        Phi_h: the accuracy at h = 0, a mean log-accuracy (at most 0) at h = 1.

    Raises
    ------
    ValueError
        If the tables or the start law have the wrong shape or entries, `hint` leaves its range, or a start of
        positive probability has J(s) = 0 while h > 0.

    Examples
    --------
    >>> hint_potential([[[0.75, 0.25], [0.25, 0.75]]] * 2, 0.0)
    0.625
    """
    array = checked_tables(tables)
    hint = _validate.real("hint", hint, 0, 1)
    total = 0.0
    for chance, right in zip(checked_start(start, array), prompt_accuracies(array), strict=True):
        if chance > 0:
            if hint > 0 and right == 0:
                raise ValueError("tables must give every start some right path when hint > 0, got J(s) = 0")
            total += float(chance) * (float(hint) * (math.log(right) if hint > 0 else 0.0) + float((1 - hint) * right))
    return total
