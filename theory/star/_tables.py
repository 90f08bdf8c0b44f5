"""Arbitrary transition tables: the refit, the KL identity, hints.

``tables[n, s, t]`` is the probability that step n+1 goes from state s to state t. Relabelling the
layers makes the truth the identity, so that the answer to start s is s; another answer map, a
start law and a reward may be given.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np

from theory import _math, _validate
from theory.star import _steps

__all__ = [
    "expected_reward",
    "fit_partially",
    "hint_potential",
    "hinted_refit",
    "improvement_terms",
    "mean_reward_after_kept",
    "path_law",
    "prompt_accuracies",
    "refit",
    "tables_from_maps",
    "tables_right_path_share",
    "temper_tables",
    "transition_weights",
    "verifier_reward",
]

MAX_PATHS = 2_000_000
ROW_SUM = 1e-9  # how far a float row may sum from 1


def numbers(name: str, value: Any, like: Any = None) -> Any:
    """Return a rectangular array of non-negative numbers: ``float64``, or ``object`` for exact entries.

    Next to exact entries, those of `like`, whole numbers are exact too.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be a rectangular array of numbers, got {value!r}") from None
    if array.ndim == 0:
        raise ValueError(f"{name} must be an array of numbers, got {value!r}")
    if array.dtype.kind in "iu" and like is not None and like.dtype == object:
        array = array.astype(object)
    if array.dtype != object:
        return _validate.real(name, array, 0)
    result = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        entry: Any = array.item(index)
        entry = Fraction(entry) if _steps.whole(entry) else entry
        result[index] = _validate.real(name, entry if like is None else _steps.beside(entry, like), 0)
    return _steps.alike(result)


def _sums_to_one(array: Any) -> bool:
    sums = np.asarray(np.add.reduce(array, axis=-1))
    for total in sums.flat:
        if _math.is_symbolic(total) or type(total).__module__.startswith("flint"):
            continue
        if total != 1 and (isinstance(total, Fraction) or abs(total - 1) > ROW_SUM):
            return False
    return True


def checked_tables(tables: Any) -> Any:
    array = numbers("tables", tables)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or array.shape[0] < 1 or array.shape[1] < 2:
        raise ValueError(f"tables must have shape (N, M, M) with N >= 1 and M >= 2, got {array.shape}")
    if not _sums_to_one(array):
        raise ValueError("tables must hold rows that sum to 1, got other sums")
    return array


def _start_law(start: Any, like: Any) -> Any:
    n_states = like.shape[1]
    if start is None:
        law = np.empty(n_states, dtype=like.dtype)
        law[:] = _steps.beside(Fraction(1, n_states), like) if like.dtype == object else 1 / n_states
        return law
    law = numbers("start", start, like)
    if law.shape != (n_states,) or not _sums_to_one(law):
        raise ValueError(f"start must be a probability vector over {n_states} states, got {start!r}")
    return law


def _reward(reward: Any, like: Any) -> Any:
    n_steps, n_states = like.shape[:2]
    if reward is None:
        identity = np.empty((n_states, n_states), dtype=like.dtype)
        identity[:] = np.array(np.eye(n_states, dtype=int), dtype=like.dtype)
        return identity
    array = numbers("reward", reward, like)
    if array.shape not in ((n_states, n_states), (n_states,) * (n_steps + 1)):
        raise ValueError(
            f"reward must have shape (M, M) for start and answer, or (M,) * (N+1) for paths, got {array.shape}"
        )
    return array


def checked_maps(maps: Any) -> np.ndarray:
    array = np.asarray(maps)
    if array.ndim != 2 or array.dtype.kind not in "iu" or array.shape[0] < 1 or array.shape[1] < 2:
        raise ValueError(f"maps must be an integer array of shape (N, M) with M >= 2, got {maps!r}")
    if (array < 0).any() or (array >= array.shape[1]).any():
        raise ValueError(f"maps must hold states in [0, {array.shape[1] - 1}], got {maps!r}")
    return array


def _forward(tables: Any) -> list[Any]:
    """Products of the first n tables, n = 0..N, the identity first."""
    found = [_reward(None, tables)]
    for table in tables:
        found.append(found[-1] @ table)
    return found


def tables_from_maps(delta: Any, maps: Any) -> Any:
    """Tables of the symmetric family around given right successors: ``delta_n F_n + (1-delta_n)/M 11^T``.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction or sympy.Expr
        The N steps, each in [-1/(M-1), 1].
    maps : array_like of int
        Shape (N, M): the right successor of every state at every step; bijections or not.

    Returns
    -------
    numpy.ndarray
        Shape (N, M, M).

    Raises
    ------
    ValueError
        If the maps are no states, a delta leaves its range, or their numbers differ.

    Examples
    --------
    >>> tables_from_maps([0.5], [[1, 0]]).tolist()
    [[[0.25, 0.75], [0.75, 0.25]]]
    """
    chosen = checked_maps(maps)
    n_steps, n_states = chosen.shape
    delta, _ = _steps.family(delta, n_states)
    if delta.shape != (n_steps,):
        raise ValueError(f"delta must hold one value for each of the {n_steps} maps, got shape {delta.shape}")
    result = np.empty((n_steps, n_states, n_states), dtype=delta.dtype)
    for n in range(n_steps):
        result[n] = (1 - delta[n]) / n_states
        result[n, np.arange(n_states), chosen[n]] += delta[n]
    return result


def expected_reward(tables: Any, *, start: Any = None, reward: Any = None) -> Any:
    """Expected reward of a trajectory; the accuracy J when the reward is 1 for the right answer.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M), rows summing to 1; floats or Fractions.
    start : array_like, optional
        Law of S_0, shape (M,); uniform by default.
    reward : array_like, optional
        Non-negative, shape (M, M) (by start and answer; the identity by default) or (M,)*(N+1) (by path).

    Returns
    -------
    float or Fraction
        E[w].

    Raises
    ------
    ValueError
        If the tables, the start law or the reward have the wrong shape or entries.

    Examples
    --------
    >>> expected_reward([[[0.75, 0.25], [0.25, 0.75]]] * 2)
    0.625
    """
    array = checked_tables(tables)
    law, weight = _start_law(start, array), _reward(reward, array)
    if weight.ndim == 2:
        return _steps.plain(np.asarray(np.add.reduce(law * np.add.reduce(_forward(array)[-1] * weight, axis=1))))
    return _steps.plain(np.asarray(np.add.reduce(_path_mass(array, law, weight), axis=None)))


def _path_mass(tables: Any, law: Any, weight: Any) -> Any:
    """Probability times reward of every path, shape (M,)*(N+1)."""
    n_steps, n_states = tables.shape[:2]
    if n_states ** (n_steps + 1) > MAX_PATHS:
        raise ValueError(f"tables must have at most {MAX_PATHS} paths M^(N+1), got {n_states ** (n_steps + 1)}")
    mass = law
    for table in tables:
        mass = mass[..., None] * table
    if weight.ndim == 2 and n_steps > 1:
        weight = weight.reshape((n_states,) + (1,) * (n_steps - 1) + (n_states,))
    return mass * weight


def path_law(tables: Any, *, start: Any = None, reward: Any = None) -> Any:
    """Law q of a kept path: probability times reward over J, by enumeration.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M), rows summing to 1; floats or Fractions.
    start : array_like, optional
        Law of S_0, shape (M,); uniform by default.
    reward : array_like, optional
        Non-negative, shape (M, M) (by start and answer; the identity by default) or (M,)*(N+1) (by path).

    Returns
    -------
    numpy.ndarray
        Shape (M,)*(N+1).

    Raises
    ------
    ValueError
        If the tables, the start law or the reward have the wrong shape or entries,
        there are more than 2 000 000 paths M^(N+1), or no path is rewarded (J = 0).

    Examples
    --------
    >>> path_law([[[0.75, 0.25], [0.25, 0.75]]] * 2)[0, :, 0].tolist()
    [0.45, 0.05]
    """
    array = checked_tables(tables)
    mass = _path_mass(array, _start_law(start, array), _reward(reward, array))
    total = np.add.reduce(mass, axis=None)
    if total == 0:
        raise ValueError("tables must give some rewarded path a positive probability, got J = 0")
    return mass / total


def transition_weights(tables: Any, *, start: Any = None, reward: Any = None) -> Any:
    """Reward-weighted mass of every transition, ``E[w; S_{n-1} = s, S_n = t]``.

    Each step's entries sum to J. A reward on start and answer costs O(N M^3), one on paths an enumeration.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M), rows summing to 1; floats or Fractions.
    start : array_like, optional
        Law of S_0, shape (M,); uniform by default.
    reward : array_like, optional
        Non-negative, shape (M, M) (by start and answer; the identity by default) or (M,)*(N+1) (by path).

    Returns
    -------
    numpy.ndarray
        Shape (N, M, M).

    Raises
    ------
    ValueError
        If the tables, the start law or the reward have the wrong shape or entries,
        or a reward on paths meets more than 2 000 000 of them.

    Examples
    --------
    >>> float(transition_weights([[[0.75, 0.25], [0.25, 0.75]]] * 2)[0, 0, 0])
    0.28125
    """
    array = checked_tables(tables)
    law, weight = _start_law(start, array), _reward(reward, array)
    n_steps = array.shape[0]
    result = np.empty_like(array)
    if weight.ndim > 2:
        mass = _path_mass(array, law, weight)
        for n in range(n_steps):
            result[n] = np.add.reduce(mass, axis=tuple(k for k in range(n_steps + 1) if k not in (n, n + 1)))
        return result
    forward = _forward(array)
    backward = weight.T  # by current state and start: expected reward from here on
    for n in reversed(range(n_steps)):
        reached = forward[n].T * law  # by state and start
        result[n] = array[n] * (reached @ backward.T)
        backward = array[n] @ backward
    return result


def refit(tables: Any, *, start: Any = None, reward: Any = None) -> Any:
    """One iteration with infinitely many samples: every row becomes its reward-weighted frequencies.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M), rows summing to 1; floats or Fractions.
    start : array_like, optional
        Law of S_0, shape (M,); uniform by default.
    reward : array_like, optional
        Non-negative, shape (M, M) (by start and answer; the identity by default) or (M,)*(N+1) (by path).

    Returns
    -------
    numpy.ndarray
        Shape (N, M, M). A row that no rewarded path visits keeps its values.

    Raises
    ------
    ValueError
        If the tables, the start law or the reward have the wrong shape or entries,
        or a reward on paths meets more than 2 000 000 of them.

    Notes
    -----
    Never lowers the expected reward, whatever the tables, start law and reward: the expectation-
    maximisation argument of Dayan and Hinton (1997); see :func:`improvement_terms`. The weight of t
    in row s is ``T_n(t|s) V_n(s,t)``, V the expected reward of paths through that transition, averaged
    over the starts that lead to s.

    Examples
    --------
    >>> refit([[[0.75, 0.25], [0.25, 0.75]]] * 2)[0].round(6).tolist()
    [[0.9, 0.1], [0.1, 0.9]]
    """
    array = checked_tables(tables)
    weights = transition_weights(array, start=start, reward=reward)
    rows = np.add.reduce(weights, axis=-1)
    result = array.copy()
    for n, s in np.ndindex(rows.shape):
        if rows[n, s] != 0:
            result[n, s] = weights[n, s] / rows[n, s]
    return result


def fit_partially(tables: Any, share: Any, *, start: Any = None, reward: Any = None) -> Any:
    """A step towards the refit, ``T + c (T' - T)``, 0 < c <= 1; never lowers the expected reward either.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M), rows summing to 1; floats or Fractions.
    share : float, Fraction, sympy.Expr or flint.arb
        c in (0, 1].
    start : array_like, optional
        Law of S_0, shape (M,); uniform by default.
    reward : array_like, optional
        Non-negative, shape (M, M) (by start and answer; the identity by default) or (M,)*(N+1) (by path).

    Returns
    -------
    numpy.ndarray
        Shape (N, M, M); the refit itself at c = 1.

    Raises
    ------
    ValueError
        If the tables, the start law or the reward have the wrong shape or entries,
        or `share` leaves its range.

    Examples
    --------
    >>> fit_partially([[[0.75, 0.25], [0.25, 0.75]]] * 2, 0.5)[0].round(6).tolist()
    [[0.825, 0.175], [0.175, 0.825]]
    """
    array = checked_tables(tables)
    share = _validate.real("share", _steps.beside(share, array), 0, 1, open_low=True)
    return array + share * (refit(array, start=start, reward=reward) - array)


def _divergence(first: Any, second: Any) -> float:
    """Kullback-Leibler divergence of two laws given as arrays, in nats."""
    total = 0.0
    for p, q in zip(np.ravel(first), np.ravel(second), strict=True):
        if p > 0:
            if q == 0:
                return math.inf
            total += float(p) * math.log(float(p / q))
    return total


def improvement_terms(tables: Any, *, start: Any = None, reward: Any = None) -> tuple[Any, float]:
    """The two parts of the exact gain: ``log(J'/J)`` is the sum of all the row terms plus the path term.

    Parameters
    ----------
    tables : array_like
        Shape (N, M, M), rows summing to 1; floats or Fractions.
    start : array_like, optional
        Law of S_0, shape (M,); uniform by default.
    reward : array_like, optional
        Non-negative, shape (M, M) (by start and answer; the identity by default) or (M,)*(N+1) (by path).

    Returns
    -------
    rows : numpy.ndarray
        Shape (N, M): ``q_n(s) KL(T_n'(.|s) || T_n(.|s))``, q_n(s) the share of rewarded paths at s before step n.
    paths : float
        ``KL(q || q')`` of the reward-weighted path laws under the old and new tables.

    Raises
    ------
    ValueError
        If the tables, the start law or the reward have the wrong shape or entries,
        there are more than 2 000 000 paths M^(N+1), or no path is rewarded (J = 0).

    Notes
    -----
    Both are non-negative, hence J never falls. Derived: on rewarded paths ``log(J'/J) = log(P'/P) +
    log(q/q')``; average over q, whose transition frequencies are the new rows.

    Examples
    --------
    >>> tables = [[[0.75, 0.25], [0.25, 0.75]]] * 2
    >>> rows, paths = improvement_terms(tables)
    >>> gain = math.log(expected_reward(refit(tables)) / expected_reward(tables))
    >>> bool(abs(rows.sum() + paths - gain) < 1e-12)
    True
    """
    array = checked_tables(tables)
    old = path_law(array, start=start, reward=reward)
    after = refit(array, start=start, reward=reward)
    n_steps, n_states = array.shape[:2]
    rows = np.zeros((n_steps, n_states))
    for n in range(n_steps):
        share = np.add.reduce(old, axis=tuple(k for k in range(n_steps + 1) if k != n))
        for s in range(n_states):
            if share[s] > 0:
                rows[n, s] = float(share[s]) * _divergence(after[n, s], array[n, s])
    return rows, _divergence(old, path_law(after, start=start, reward=reward))


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
    law = _start_law(start, array)
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
        total = total + weight * np.add.reduce(law * np.diagonal(_forward(fitted)[-1]))
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
    law = _start_law(start, array)
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
    return np.diagonal(_forward(checked_tables(tables))[-1]).copy()


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
    reward = _reward(None, array)
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
    for chance, right in zip(_start_law(start, array), prompt_accuracies(array), strict=True):
        if chance > 0:
            if hint > 0 and right == 0:
                raise ValueError("tables must give every start some right path when hint > 0, got J(s) = 0")
            total += float(chance) * (float(hint) * (math.log(right) if hint > 0 else 0.0) + float((1 - hint) * right))
    return total
