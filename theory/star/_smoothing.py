"""Smoothed counts and mixed rounds in the symmetric family, in mean field.

Adding a pseudo-count k to every transition keeps rows from losing successors, and pulls them towards
guessing: the map has fixed points where ``smoothing_level(d) = k M^3/K``, the upper one stable. Keeping a share
m of the old tables moves no fixed point, makes the end linear at rate m, and no right probability
falls by more than the factor m in one iteration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from theory import _validate
from theory.star import _family, _steps
from theory.star._finite import sampled_family

__all__ = [
    "FixedPoints",
    "mixed_update",
    "smoothed_fixed_points",
    "smoothed_fixed_points_estimate",
    "smoothed_update",
    "smoothing_level",
    "smoothing_weight",
]


@dataclass(frozen=True)
class FixedPoints:
    """Fixed points above 0 of the smoothed map: the unstable `lower` and the stable `upper` (None: there is none)."""

    lower: float | None
    upper: float | None


def smoothing_weight(delta: Any, n_states: Any, n_trajectories: Any, pseudo_count: Any) -> Any:
    """Weight of the uniform law after add-k smoothing in mean field: ``w = k M^2/(K J + k M^2)``.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1]; J > 0 unless k > 0.
    n_states : int or sympy.Expr
        M >= 2.
    n_trajectories : int or sympy.Expr
        K >= 1.
    pseudo_count : float, Fraction, sympy.Expr or flint.arb
        k >= 0, added to every count.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        w in [0, 1], the last axis reduced; 1 where nothing is kept.

    Raises
    ------
    ValueError
        If an argument leaves its range, there is no step, or J = 0 while k = 0.

    Examples
    --------
    >>> smoothing_weight([1.0, 1.0], 2, 12, 1.0)
    0.25
    """
    delta, n_states, count = sampled_family(delta, n_states, n_trajectories)
    pseudo_count = _validate.real("pseudo_count", _steps.beside(pseudo_count, delta), 0)
    if np.any(np.asarray(pseudo_count == 0, dtype=bool)):
        _steps.kept(delta, n_states)  # nothing kept and nothing added leaves no weights
    correct = _family.accuracy(delta, n_states)
    mass = pseudo_count * n_states**2
    return _steps.finite("pseudo_count", lambda: mass / (count * correct + mass))


def smoothed_update(delta: Any, n_states: Any, n_trajectories: Any, pseudo_count: Any) -> Any:
    """One round with k added to every count, in mean field (visits replaced by K J/M): ``(1-w) F(delta)``.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1]; J > 0 unless k > 0.
    n_states : int or sympy.Expr
        M >= 2.
    n_trajectories : int or sympy.Expr
        K >= 1.
    pseudo_count : float, Fraction, sympy.Expr or flint.arb
        k >= 0, added to every count.

    Returns
    -------
    numpy.ndarray
        Next deltas, same shape.

    Raises
    ------
    ValueError
        If an argument leaves its range, there is no step, or J = 0 while k = 0.

    Examples
    --------
    >>> smoothed_update([1.0, 1.0], 2, 12, 1.0).tolist()
    [0.75, 0.75]
    """
    weight = smoothing_weight(delta, n_states, n_trajectories, pseudo_count)
    return (1 - np.asarray(weight)[..., None]) * _family.update(delta, n_states)


def smoothing_level(delta: Any, n_steps: Any, n_states: Any) -> Any:
    """The level ``d^(N-2)(1-d)(1+(M-1)d)`` that equals ``k M^3/K`` at a fixed point of the smoothed map, d > 0.

    Parameters
    ----------
    delta : float, array_like, Fraction, sympy.Expr or flint.arb
        Common delta d, in [0, 1].
    n_steps : int
        N >= 2.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `delta`
        The level, at least 0.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> smoothing_level(0.5, 3, 8)
    1.125
    """
    n_steps, n_states = _validate.integer("n_steps", n_steps, 2), _steps.states(n_states)
    delta = _validate.real("delta", _steps.beside(delta, n_states), 0, 1)
    low = 1 if n_steps == 2 else delta ** (n_steps - 2)
    return low * (1 - delta) * (1 + (n_states - 1) * delta)


def _peak(n_steps: int, n_states: int) -> float:
    """Where :func:`smoothing_level` is largest: the positive root of its derivative, a quadratic."""
    a = n_states - 1
    square, linear, constant = -a * n_steps, (a - 1) * (n_steps - 1), n_steps - 2
    return (-linear - math.sqrt(linear**2 - 4 * square * constant)) / (2 * square)


def smoothed_fixed_points(n_steps: int, n_states: int, n_trajectories: int, pseudo_count: float) -> FixedPoints:
    """Common deltas above 0 that the smoothed map keeps: where :func:`smoothing_level` is ``k M^3/K``.

    Parameters
    ----------
    n_steps, n_states, n_trajectories : int
        N >= 2, M >= 2, K >= 1.
    pseudo_count : float
        k > 0.

    Returns
    -------
    FixedPoints
        The level rises to one maximum and falls to 0 at d = 1: the root on the falling side is
        stable, the other one (always there for N >= 3 below the maximum) unstable. Both None if the
        level never gets as high: every model falls to guessing.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> points = smoothed_fixed_points(3, 8, 2000, 1.0)
    >>> round(points.lower, 3), round(points.upper, 3)
    (0.148, 0.966)
    >>> smoothed_fixed_points(3, 8, 300, 1.0)
    FixedPoints(lower=None, upper=None)
    """
    n_steps, n_states = _validate.integer("n_steps", n_steps, 2), _validate.integer("n_states", n_states, 2)
    n_trajectories = _validate.integer("n_trajectories", n_trajectories, 1)
    pseudo_count = _steps.number("pseudo_count", pseudo_count, 0, open_low=True)
    level = pseudo_count * n_states**3 / n_trajectories
    peak = _peak(n_steps, n_states)

    def excess(d: float) -> float:
        return float(smoothing_level(d, n_steps, n_states)) - level

    if excess(peak) < 0 or (peak == 0 and excess(0.0) <= 0):
        return FixedPoints(None, None)
    upper = float(brentq(excess, peak, 1.0, xtol=1e-15))
    lower = float(brentq(excess, 0.0, peak, xtol=1e-15)) if peak > 0 and excess(0.0) < 0 else None
    return FixedPoints(lower, upper)


def smoothed_fixed_points_estimate(n_steps: Any, n_states: Any, n_trajectories: Any, pseudo_count: Any) -> Any:
    """Ends of :func:`smoothed_fixed_points` for light smoothing, N >= 3: ``(k M^3/K)^(1/(N-2))`` and ``1 - k M^2/K``.

    Parameters
    ----------
    n_steps, n_states, n_trajectories : int
        N >= 3, M >= 2, K >= 1.
    pseudo_count : float, Fraction, sympy.Expr or flint.arb
        k > 0, with ``k M^3/K`` small.

    Returns
    -------
    tuple of two numbers
        Estimates of the unstable and the stable fixed point.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Examples
    --------
    >>> low, high = smoothed_fixed_points_estimate(3, 8, 10**6, 1.0)
    >>> round(low, 6), round(high, 6)
    (0.000512, 0.999936)
    """
    n_steps, n_states = _validate.integer("n_steps", n_steps, 3), _validate.integer("n_states", n_states, 2)
    n_trajectories = _validate.integer("n_trajectories", n_trajectories, 1)
    pseudo_count = _validate.real("pseudo_count", pseudo_count, 0, open_low=True)
    level = _steps.finite("pseudo_count", lambda: pseudo_count * n_states**3 / n_trajectories)
    return level ** (1 / (n_steps - 2)), 1 - level / n_states


def mixed_update(delta: Any, n_states: Any, mixing: Any) -> Any:
    """One round that keeps a share m of the old tables: ``(1-m) F(delta) + m delta``.

    Same fixed points as :func:`theory.star.update` and still never less accurate; the increments are
    times 1-m, the end is linear at rate m, and no right probability falls by more than a factor m.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.
    mixing : float, Fraction, sympy.Expr or flint.arb
        m in [0, 1), the share of the old tables that is kept.

    Returns
    -------
    numpy.ndarray
        Next deltas, same shape.

    Raises
    ------
    ValueError
        If an argument leaves its range or there is no step.

    Examples
    --------
    >>> mixed_update([0.5, 0.5], 2, 0.5).tolist()
    [0.65, 0.65]
    """
    delta, n_states = _steps.family(delta, n_states)
    mixing = _validate.real("mixing", _steps.beside(mixing, delta), 0, 1, open_high=True)
    return delta + (1 - mixing) * _family._improvement(delta, n_states)
