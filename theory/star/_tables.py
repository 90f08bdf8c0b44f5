"""Arbitrary transition tables: the refit, and what it gains as a sum of divergences.

``tables[n, s, t]`` is the probability that step n+1 goes from state s to state t. Relabelling the
layers makes the truth the identity, so that the answer to start s is s; another answer map, a
start law and a reward may be given.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from theory import _math, _validate
from theory.star import _steps

__all__ = [
    "expected_reward",
    "fit_partially",
    "improvement_terms",
    "path_law",
    "refit",
    "tables_from_maps",
    "transition_weights",
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
    """Tables of shape (N, M, M) whose rows sum to 1, or a ValueError."""
    array = numbers("tables", tables)
    if array.ndim != 3 or array.shape[1] != array.shape[2] or array.shape[0] < 1 or array.shape[1] < 2:
        raise ValueError(f"tables must have shape (N, M, M) with N >= 1 and M >= 2, got {array.shape}")
    if not _sums_to_one(array):
        raise ValueError("tables must hold rows that sum to 1, got other sums")
    return array


def checked_start(start: Any, like: Any) -> Any:
    """A law of the start over the states of `like`; uniform by default."""
    n_states = like.shape[1]
    if start is None:
        law = np.empty(n_states, dtype=like.dtype)
        law[:] = _steps.beside(Fraction(1, n_states), like) if like.dtype == object else 1 / n_states
        return law
    law = numbers("start", start, like)
    if law.shape != (n_states,) or not _sums_to_one(law):
        raise ValueError(f"start must be a probability vector over {n_states} states, got {start!r}")
    return law


def checked_reward(reward: Any, like: Any) -> Any:
    """Rewards by start and answer, or by path, for the tables `like`; by default 1 where the answer is the start."""
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
    """Maps of states, one row a step, or a ValueError."""
    array = np.asarray(maps)
    if array.ndim != 2 or array.dtype.kind not in "iu" or array.shape[0] < 1 or array.shape[1] < 2:
        raise ValueError(f"maps must be an integer array of shape (N, M) with M >= 2, got {maps!r}")
    if (array < 0).any() or (array >= array.shape[1]).any():
        raise ValueError(f"maps must hold states in [0, {array.shape[1] - 1}], got {maps!r}")
    return array


def partial_products(tables: Any) -> list[Any]:
    """Products of the first n tables, n = 0..N, the identity first."""
    found = [checked_reward(None, tables)]
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
    law, weight = checked_start(start, array), checked_reward(reward, array)
    if weight.ndim == 2:
        return _steps.plain(
            np.asarray(np.add.reduce(law * np.add.reduce(partial_products(array)[-1] * weight, axis=1)))
        )
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
    mass = _path_mass(array, checked_start(start, array), checked_reward(reward, array))
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
    law, weight = checked_start(start, array), checked_reward(reward, array)
    n_steps = array.shape[0]
    result = np.empty_like(array)
    if weight.ndim > 2:
        mass = _path_mass(array, law, weight)
        for n in range(n_steps):
            result[n] = np.add.reduce(mass, axis=tuple(k for k in range(n_steps + 1) if k not in (n, n + 1)))
        return result
    forward = partial_products(array)
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
