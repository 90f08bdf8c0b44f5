"""Chains with more structure: two states, two steps, and truths that merge states."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from theory import _math, _validate
from theory.star import _steps
from theory.star._tables import checked_maps, checked_tables, numbers

__all__ = [
    "collision_probabilities",
    "map_accuracy",
    "two_state_agreements",
    "two_state_limit",
    "two_step_log_ratio",
    "two_step_weights",
    "two_step_weights_update",
]


def two_state_agreements(tables: Any) -> Any:
    """Two states: ``lambda_n``, the two right probabilities of step n less 1; ``J = (1 + prod lambda_n)/2``.

    Parameters
    ----------
    tables : array_like
        Shape (N, 2, 2), rows summing to 1; floats or Fractions.

    Returns
    -------
    numpy.ndarray
        N agreements, each in [-1, 1].

    Raises
    ------
    ValueError
        If the tables have the wrong shape or entries.

    Examples
    --------
    >>> two_state_agreements([[[0.75, 0.25], [0.5, 0.5]]]).tolist()
    [0.25]
    """
    array = checked_tables(tables)
    if array.shape[1] != 2:
        raise ValueError(f"tables must have M = 2 states, got {array.shape[1]}")
    return array[:, 0, 0] + array[:, 1, 1] - 1


def two_state_limit(tables: Any) -> Any:
    """Two states, any rows with ``prod lambda_n > 0``: which steps end right (True) and which swapped (False).

    An even number ends swapped and J goes to 1.

    Parameters
    ----------
    tables : array_like
        Shape (N, 2, 2), rows summing to 1, with a positive product of agreements; floats or Fractions.

    Returns
    -------
    numpy.ndarray
        N booleans.

    Raises
    ------
    ValueError
        If the tables have the wrong shape or entries, or the product of the agreements is not positive.

    Examples
    --------
    >>> two_state_limit([[[0.75, 0.25], [0.5, 0.5]], [[0.9, 0.1], [0.2, 0.8]]]).tolist()
    [True, True]
    """
    agreement = two_state_agreements(tables)
    if not np.multiply.reduce(agreement) > 0:
        raise ValueError(f"tables must have a positive product of agreements, got {agreement.tolist()!r}")
    return np.asarray(agreement > 0, dtype=bool)


def two_step_weights(tables: Any) -> Any:
    """Two steps: the kept mass ``X_ij = T_1(i,j) T_2(j,i)`` of start i through middle state j, times M.

    Parameters
    ----------
    tables : array_like
        Shape (2, M, M), rows summing to 1, truth the identity; floats or Fractions.

    Returns
    -------
    numpy.ndarray
        X, shape (M, M), by start and middle state.

    Raises
    ------
    ValueError
        If the tables have the wrong shape or entries.

    Examples
    --------
    >>> two_step_weights([[[0.75, 0.25], [0.25, 0.75]]] * 2).tolist()
    [[0.5625, 0.0625], [0.0625, 0.5625]]
    """
    array = checked_tables(tables)
    if array.shape[0] != 2:
        raise ValueError(f"tables must have N = 2 steps, got {array.shape[0]}")
    return array[0] * array[1].T


def two_step_weights_update(weights: Any) -> Any:
    """Two steps: one iteration of the kept masses, ``X' = X^2/(row sum x column sum)``.

    Rows and columns must have positive sums.

    Parameters
    ----------
    weights : array_like
        X, shape (M, M), non-negative with positive row and column sums; floats or Fractions.

    Returns
    -------
    numpy.ndarray
        X', shape (M, M).

    Raises
    ------
    ValueError
        If the matrix is not square, an entry is negative, or a row or column sums to 0.

    Examples
    --------
    >>> two_step_weights_update([[0.5625, 0.0625], [0.0625, 0.5625]]).round(6).tolist()
    [[0.81, 0.01], [0.01, 0.81]]
    """
    array = numbers("weights", weights)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise ValueError(f"weights must be a square matrix, got shape {array.shape}")
    rows = np.add.reduce(array, axis=1)[:, None]
    columns = np.add.reduce(array, axis=0)[None, :]
    if np.any(np.asarray(rows == 0, dtype=bool)) or np.any(np.asarray(columns == 0, dtype=bool)):
        raise ValueError("weights must have positive row and column sums, got a zero sum")
    return array * array / (rows * columns)


def two_step_log_ratio(weights: Any, permutation: Any) -> Any:
    """Log-weight of a permutation against the identity, ``sum_i log X_{i,s(i)} - sum_i log X_ii``: doubles each round.

    Parameters
    ----------
    weights : array_like
        X, positive where it is read; floats, Fractions or SymPy expressions.
    permutation : sequence of int
        s, of the M states.

    Returns
    -------
    float or sympy.Expr
        0 for the identity; Fractions give a float.

    Raises
    ------
    ValueError
        If `permutation` is no permutation of the states, or a weight it or the identity reads is not positive.

    Examples
    --------
    >>> x = [[0.5, 0.1], [0.1, 0.5]]
    >>> y = two_step_weights_update(x)
    >>> round(two_step_log_ratio(y, [1, 0]) / two_step_log_ratio(x, [1, 0]), 12)
    2.0
    """
    array = numbers("weights", weights)
    try:
        order = [_validate.integer("permutation", item, 0, len(array) - 1) for item in permutation]
    except TypeError:
        raise ValueError(f"permutation must be a sequence of states, got {permutation!r}") from None
    if sorted(order) != list(range(len(array))):
        raise ValueError(f"permutation must be a permutation of {len(array)} states, got {permutation!r}")
    total: Any = 0
    for i, j in enumerate(order):
        for sign, entry in ((1, array[i, j]), (-1, array[i, i])):
            if not _math.is_symbolic(entry) and not entry > 0:
                raise ValueError(f"weights must be positive where the permutation and the diagonal lie, got {entry!r}")
            total = total + sign * _math.log(entry)
    return total


def collision_probabilities(maps: Any) -> Any:
    """Chance ``c_m`` that the right answer of a random start equals the answer from a random state after step m.

    ``c_m = sum_y nu_0(y) nu_m(y)``, nu_m the law of ``f_N o ... o f_{m+1}`` of a uniform state, m = 1..N.

    Parameters
    ----------
    maps : array_like of int
        Shape (N, M).

    Returns
    -------
    numpy.ndarray
        N Fractions; all 1/M for bijections.

    Raises
    ------
    ValueError
        If the maps have the wrong shape or hold what is no state.

    Examples
    --------
    >>> collision_probabilities([[0, 1, 2], [0, 0, 2]]).tolist()
    [Fraction(5, 9), Fraction(1, 3)]
    """
    chosen = checked_maps(maps)
    n_steps, n_states = chosen.shape

    def law(first: int) -> list[int]:
        here = np.arange(n_states)
        for n in range(first, n_steps):
            here = chosen[n, here]
        return [int(count) for count in np.bincount(here, minlength=n_states)]

    right = law(0)
    result = np.empty(n_steps, dtype=object)
    for m in range(1, n_steps + 1):
        result[m - 1] = Fraction(sum(a * b for a, b in zip(right, law(m), strict=True)), n_states**2)
    return result


def map_accuracy(delta: Any, maps: Any) -> Any:
    """Accuracy around arbitrary maps before the first refit: ``Pi + sum_m (1-delta_m) prod_{k>m} delta_k c_m``.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction or sympy.Expr
        The N steps, each in [-1/(M-1), 1].
    maps : array_like of int
        Shape (N, M); need not be bijections.

    Returns
    -------
    float, Fraction or sympy.Expr
        J. The last step that guesses decides the answer, which then is right with probability c_m.

    Raises
    ------
    ValueError
        If the maps are no states, a delta leaves its range, or their numbers differ.

    Examples
    --------
    >>> map_accuracy([Fraction(1, 5)] * 2, [[0, 1, 2], [0, 0, 2]])
    Fraction(89, 225)
    """
    chosen = checked_maps(maps)
    delta, _ = _steps.family(delta, chosen.shape[1])
    if delta.shape != (len(chosen),):
        raise ValueError(f"delta must hold one value for each of the {len(chosen)} maps, got shape {delta.shape}")
    chance = collision_probabilities(chosen)
    if delta.dtype != object:
        chance = chance.astype(float)
    total, tail = 0 * delta[0], 1 + 0 * delta[0]
    for m in reversed(range(len(delta))):
        total = total + (1 - delta[m]) * tail * chance[m]
        tail = tail * delta[m]
    return _steps.plain(np.asarray(total + tail))
