"""Many iterations in the symmetric family: the path, its limit, and the speed at the end.

With every delta positive all of them go to 1, and ``1 - delta_n' = (1 - delta_n)(1 - Pi_{-n})/(1 + (M-1) Pi)``
squares the gap near the truth. One step at 0 is lifted by the others in the first iteration; two
steps at 0 stay there, and nothing moves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory import _validate
from theory.star._family import update
from theory.star._steps import divide, family, others, plain, states, steps

__all__ = ["gap_update", "iterate", "limit", "local_rate", "number_of_zero_steps"]


def iterate(delta: Any, n_states: Any, n_rounds: int) -> Any:
    """Deltas over the rounds, round 0 first.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        As for :func:`update`.
    n_states : int or sympy.Expr
        M >= 2.
    n_rounds : int
        Rounds, at least 0.

    Returns
    -------
    numpy.ndarray
        Shape ``(n_rounds + 1,) + delta.shape``.

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, M is below 2 or `n_rounds` negative.

    Examples
    --------
    >>> iterate([0.5, 0.5], 2, 1).tolist()
    [[0.5, 0.5], [0.8, 0.8]]
    """
    delta, n_states = family(delta, n_states)
    n_rounds = _validate.integer("n_rounds", n_rounds, 0)
    rounds = [delta]
    for _ in range(n_rounds):
        rounds.append(update(rounds[-1], n_states))
    return np.stack(rounds)


def number_of_zero_steps(delta: Any, n_states: Any) -> Any:
    """How many steps guess (``delta_n = 0``): learning starts if and only if there is at most one.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    int or numpy.ndarray
        Count over the last axis.

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Examples
    --------
    >>> number_of_zero_steps([0.0, 0.3, 0.2], 4)
    1
    """
    delta, _ = family(delta, n_states)
    return plain(np.sum(np.asarray(delta == 0, dtype=bool), axis=-1))


def limit(delta: Any, n_states: Any) -> Any:
    """Where the iteration ends, for deltas in [0, 1] and infinitely many samples.

    All ones if at most one step guesses; otherwise nothing ever moves. A single step is learned in
    one round.

    Parameters
    ----------
    delta : array_like
        The N steps on the last axis, each in [0, 1]: below guessing other limits exist.
    n_states : int
        M >= 2.

    Returns
    -------
    numpy.ndarray
        Limit of every delta.

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Notes
    -----
    Source: arXiv 2410.23912 for the limit; that one zero is allowed and two are not: the evidence
    for step n is ``l(Pi_{-n})``, zero for all n exactly when two deltas are zero.

    Examples
    --------
    >>> limit([[0.0, 0.3, 0.2], [0.0, 0.0, 0.2]], 4).tolist()
    [[1.0, 1.0, 1.0], [0.0, 0.0, 0.2]]
    """
    states(n_states)
    delta = steps(delta, 0.0)
    stuck = np.sum(np.asarray(delta == 0, dtype=bool), axis=-1, keepdims=True) > 1
    return np.where(stuck, delta, np.ones_like(delta))


def gap_update(delta: Any, n_states: Any) -> Any:
    """``1 - delta_n'`` in one quotient without cancellation of the result: ``(1-delta_n)(1-Pi_{-n})/(1+(M-1)Pi)``.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    numpy.ndarray
        ``1 - delta_n'``, same shape; ``1 - delta_n`` where nothing is kept (J = 0).

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Examples
    --------
    >>> from fractions import Fraction
    >>> gap_update([Fraction(1, 2)] * 2, 2).tolist()
    [Fraction(1, 5), Fraction(1, 5)]
    """
    delta, n_states = family(delta, n_states)
    rest = others(delta)
    return divide((1 - delta) * (1 - rest), 1 + (n_states - 1) * delta * rest, 1 - delta)


def local_rate(n_steps: Any, n_states: Any) -> Any:
    """Coefficient of the quadratic end, equal deltas: ``1 - delta' ~ ((N-1)/M) (1 - delta)^2``.

    Parameters
    ----------
    n_steps : int
        N >= 1.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    float or sympy.Expr
        ``(N-1)/M``.

    Raises
    ------
    ValueError
        If N is below 1 or M below 2.

    Examples
    --------
    >>> local_rate(3, 8)
    0.25
    """
    n_steps = _validate.integer("n_steps", n_steps, 1)
    return (n_steps - 1) / states(n_states)
