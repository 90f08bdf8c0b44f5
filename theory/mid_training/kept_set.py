r"""How large the pruned set should be: exploration against coverage.

Goals are strings of L independent macros with sorted weights w and heads :math:`F_j=w_1+\dots+w_j`. Keeping the j
heaviest and exploring uniformly for E episodes, where one wrong choice ends an episode, leaves the regret

.. math:: \mathrm{regret}(j,E)=1-F_j^L\bigl(1-(1-j^{-L})^E\bigr).

The best j grows with E: :math:`(1-x^E)/(1-y^E)` increases in E for x > y, so the probability of success is
log-supermodular in (j, E). Cutting text of macros of length tau0 into chunks of length tau makes demonstrations (which
grow with :math:`|Z|\ln|Z|`) and exploration (which grows with :math:`\ln|Z|/\tau` per token) prefer tau = tau0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory._math import log
from theory._validate import integer, real
from theory.mid_training._inputs import law, whole

__all__ = [
    "best_kept_size",
    "chunk_demonstrations",
    "chunk_exploration",
    "chunk_library_size",
    "exploration_regret",
    "planning_regret",
]


def _length(goal_length: Any) -> int:
    return whole("goal_length", goal_length, 1)


def _tail_share(weights: Any) -> np.ndarray:
    """Return what the K - j lightest options hold of the total weight, for j = 1, ..., K; the last entry is 0.

    Sums from the lightest on never fall, rounded or not, so a share of the rounded total stays in [0, 1).
    """
    law_ = law("weights", weights)
    rising = np.cumsum(np.array(sorted(law_), dtype=law_.dtype))
    tails = np.concatenate([rising[-2::-1], np.zeros(1, dtype=law_.dtype)])
    return np.asarray(tails / rising[-1])


def _dropped_goal(weights: Any, length: int) -> np.ndarray:
    """Return ``1 - F_j**L``, the chance that a goal needs a dropped macro, for j = 1, ..., K."""
    tails = _tail_share(weights)
    return np.asarray(1 - (1 - tails) ** length if tails.dtype == object else -np.expm1(length * np.log1p(-tails)))


def exploration_regret(weights: Any, goal_length: int, n_episodes: int) -> np.ndarray:
    r"""Return the regret of keeping the j heaviest macros and exploring uniformly, for every j.

    Parameters
    ----------
    weights : sequence of float or Fraction
        Law of one macro of the goal, K entries in any order.
    goal_length : int
        L >= 1.
    n_episodes : int
        E >= 0.

    Returns
    -------
    numpy.ndarray
        Shape (K,): entry j - 1 is :math:`1-F_j^L(1-(1-j^{-L})^E)`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. Floats add the chance that the goal needs a dropped macro and the chance that the episodes miss it,
    both from logarithms: no entry is negative, and a small regret keeps its digits.

    Examples
    --------
    >>> from fractions import Fraction
    >>> exploration_regret([Fraction(1, 2), Fraction(1, 2)], 1, 1).tolist()
    [Fraction(1, 2), Fraction(1, 2)]
    """
    length, n = _length(goal_length), whole("n_episodes", n_episodes, 0)
    dropped = _dropped_goal(weights, length)
    sizes = np.arange(1, len(dropped) + 1)
    if dropped.dtype == object:
        from fractions import Fraction

        unseen = np.array([(1 - Fraction(1, int(j) ** length)) ** n for j in sizes], dtype=object)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            unseen = np.exp(n * np.log1p(-(sizes.astype(np.float64) ** -length)))
        unseen[0] = 0.0 if n else 1.0
    return np.asarray(dropped + (1 - dropped) * unseen)


def planning_regret(weights: Any, goal_length: int, modulus: Any, n_backups: int) -> np.ndarray:
    r"""Return a bound on the loss when a budget of backups is spent on sweeps over the j heaviest macros.

    Parameters
    ----------
    weights, goal_length
        As in :func:`exploration_regret`.
    modulus : float or Fraction
        Contraction per sweep, in [0, 1).
    n_backups : int
        C >= 0 backups; one sweep over j options costs j.

    Returns
    -------
    numpy.ndarray
        Shape (K,): entry j - 1 is :math:`1-F_j^L+\bar\gamma^{\lfloor C/j\rfloor}`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. For very small budgets every entry is near one and the position of the minimum carries no meaning.
    Floats use ``-expm1(L log1p(-T))`` with the dropped share T = 1 - F_j added up from the lightest macro: no entry
    is negative, a small one keeps its digits, and with every macro kept only the power of the modulus is left.

    Examples
    --------
    >>> planning_regret([0.5, 0.5], 1, 0.5, 2).tolist()
    [0.75, 0.5]
    """
    length, budget = _length(goal_length), whole("n_backups", n_backups, 0)
    dropped = _dropped_goal(weights, length)
    g = real("modulus", modulus, 0, 1, open_high=True)
    powers = [g ** (budget // j) for j in range(1, len(dropped) + 1)]
    return np.asarray(dropped + np.array(powers, dtype=dropped.dtype))


def best_kept_size(regret: Any) -> int:
    """Return the smallest size at which a regret curve has its minimum.

    Parameters
    ----------
    regret : array_like
        Shape (K,), as returned by :func:`exploration_regret` or :func:`planning_regret`.

    Returns
    -------
    int
        j in [1, K].

    Raises
    ------
    ValueError
        If `regret` is no non-empty vector.

    Notes
    -----
    A definition.

    Examples
    --------
    >>> from theory.mid_training import zipf_weights
    >>> w = zipf_weights(32)
    >>> [best_kept_size(exploration_regret(w, 3, 10**e)) for e in range(6)]
    [1, 2, 4, 8, 17, 32]
    """
    values = np.asarray(regret)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"regret must be a non-empty vector, got shape {values.shape}")
    return int(np.argmin(values)) + 1


def chunk_library_size(n_macros: Any, true_duration: int, duration: int) -> Any:
    r"""Return how many strings occur when text of macros of length tau0 is cut into chunks of length tau.

    Parameters
    ----------
    n_macros : int, array_like of int or sympy.Expr
        K >= 1, macros with distinct sub-chunks.
    true_duration : int
        tau0 >= 1.
    duration : int
        tau >= 1, a divisor or a multiple of tau0.

    Returns
    -------
    same kind as `n_macros`
        :math:`K\tau_0/\tau` for a divisor, :math:`K^{\tau/\tau_0}` for a multiple.

    Raises
    ------
    ValueError
        If an argument leaves its range, or neither duration divides the other.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> [chunk_library_size(6, 4, tau) for tau in (1, 2, 4, 8)]
    [24, 12, 6, 36]
    """
    k = integer("n_macros", n_macros, 1)
    true = whole("true_duration", true_duration, 1)
    tau = whole("duration", duration, 1)
    if true % tau == 0:
        return k * (true // tau)
    if tau % true == 0:
        return k ** (tau // true)
    raise ValueError(
        f"duration must divide true_duration or be a multiple of it, got {tau!r} with true_duration {true!r}"
    )


def chunk_exploration(n_macros: Any, true_duration: int, duration: int) -> Any:
    r"""Return the exploration cost per token of a chunk length, in nats.

    Parameters
    ----------
    n_macros, true_duration, duration
        As in :func:`chunk_library_size`.

    Returns
    -------
    float, numpy.ndarray or sympy.Expr
        :math:`\ln|Z_\tau|/\tau`; constant for multiples of tau0 and larger for divisors.

    Raises
    ------
    ValueError
        As :func:`chunk_library_size`.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> [round(chunk_exploration(6, 4, tau), 3) for tau in (1, 2, 4, 8)]
    [3.178, 1.242, 0.448, 0.448]
    """
    return log(chunk_library_size(n_macros, true_duration, duration)) / duration


def chunk_demonstrations(n_macros: Any, true_duration: int, duration: int) -> Any:
    r"""Return the demonstration cost of a chunk length.

    Parameters
    ----------
    n_macros, true_duration, duration
        As in :func:`chunk_library_size`.

    Returns
    -------
    float, numpy.ndarray or sympy.Expr
        :math:`|Z_\tau|\ln|Z_\tau|`, the order of the number of chunks that shows all of them.

    Raises
    ------
    ValueError
        As :func:`chunk_library_size`.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> [round(chunk_demonstrations(6, 4, tau)) for tau in (1, 2, 4, 8)]
    [76, 30, 11, 129]
    """
    size = chunk_library_size(n_macros, true_duration, duration)
    return size * log(size)
