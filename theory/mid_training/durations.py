r"""What durations do to planning: fixed, mixed, random and geometric.

On one state whose option runs tau steps for one unit of reward each, N sweeps from zero leave exactly
:math:`\gamma^{\tau N}V^*`. With several options the error from below shrinks with the longest of them and the error
from above with the shortest. A random duration acts through :math:`E[\gamma^\tau]\ge\gamma^{E\tau}`; for geometric
termination with probability beta the effective horizon is exactly :math:`1+\gamma\beta/(1-\gamma)`.
"""

from __future__ import annotations

from typing import Any

from theory._math import is_symbolic
from theory._validate import integer, real
from theory.mid_training._inputs import items, law, whole
from theory.mid_training.planning import sweeps_bound

__all__ = [
    "duration_modulus",
    "effective_horizon",
    "geometric_horizon",
    "geometric_modulus",
    "jensen_modulus",
    "one_state_iterates",
    "one_state_sweeps",
    "span_after_sweep",
    "speed_up",
    "speed_up_shown",
]


def one_state_sweeps(reward_max: Any, tolerance: Any, discount: Any, duration: Any) -> Any:
    r"""Return the exact number of sweeps on one state with one option of fixed duration, before rounding up.

    Parameters
    ----------
    reward_max : float, array_like, Fraction, sympy.Expr or flint.arb
        Reward of each primitive step, > 0.
    tolerance : same kinds
        eps > 0.
    discount : same kinds
        gamma in (0, 1).
    duration : int, array_like of int or sympy.Expr
        tau >= 1.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\ln(R_{max}/(\varepsilon(1-\gamma)))/(\tau\ln(1/\gamma))`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the error after N sweeps from zero is exactly gamma^(tau N) V*.

    Examples
    --------
    >>> import math
    >>> [math.ceil(one_state_sweeps(1.0, eps, 0.99, 100)) for eps in (1.0, 0.1, 0.01)]
    [5, 7, 10]
    """
    tau = integer("duration", duration, 1)
    gamma = real("discount", discount, 0, 1, open_low=True, open_high=True)
    return sweeps_bound(real("reward_max", reward_max, 0, open_low=True) / (1 - gamma), tolerance, gamma) / tau


def one_state_iterates(durations: Any, discount: Any, start: Any, n_sweeps: int) -> list[Any]:
    r"""Return the value iterates on one state whose options pay one per step for fixed durations.

    Parameters
    ----------
    durations : sequence of int
        tau of each option, >= 1.
    discount : float, Fraction, sympy.Rational or flint.arb
        gamma in (0, 1).
    start : same kinds
        V_0.
    n_sweeps : int
        N in [0, 1000000].

    Returns
    -------
    list
        V_0..V_N. From below the error shrinks by gamma to the longest duration, from above by gamma to the shortest.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: with x = V - V* every option maps x to ``gamma**tau x``, and the maximum picks the largest image.

    Examples
    --------
    >>> [round(20.0 - v, 3) for v in one_state_iterates([1, 10], 0.95, 0.0, 2)]
    [20.0, 11.975, 7.17]
    """
    taus = [whole("durations", tau, 1) for tau in items("durations", durations)]
    if not taus:
        raise ValueError(f"durations must hold at least one integer >= 1, got {durations!r}")
    gamma = real("discount", discount, 0, 1, open_low=True, open_high=True)
    value = real("start", start)
    n = whole("n_sweeps", n_sweeps, 0, 10**6)
    values = [value]
    for _ in range(n):
        options = [(1 - gamma**tau) / (1 - gamma) + gamma**tau * value for tau in taus]
        value = options[0]
        for option in options[1:]:
            value = option if option > value else value
        values.append(value)
    return values


def speed_up(duration: Any) -> Any:
    """Return by how much options of a fixed duration cut the exact number of sweeps.

    Parameters
    ----------
    duration : int, array_like of int or sympy.Expr
        tau >= 1.

    Returns
    -------
    same kind
        tau itself, from :func:`one_state_sweeps`.

    Raises
    ------
    ValueError
        If `duration` is no integer >= 1.

    Notes
    -----
    Derived here. A goal string of L macros of tau tokens takes L sweeps with macros and L tau with tokens.

    Examples
    --------
    >>> speed_up(4)
    4
    """
    return integer("duration", duration, 1)


def speed_up_shown(discount: Any, duration: Any) -> Any:
    r"""Return the speed-up visible in effective horizons.

    Parameters
    ----------
    discount : float, array_like, Fraction, sympy.Expr or flint.arb
        gamma in (0, 1).
    duration : int, array_like of int or sympy.Expr
        tau >= 1.

    Returns
    -------
    same kind as `discount`
        :math:`(1-\gamma^\tau)/(1-\gamma)\le\tau`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the ratio of 1/(1 - gamma) to 1/(1 - gamma^tau).

    Examples
    --------
    >>> from fractions import Fraction
    >>> speed_up_shown(Fraction(1, 2), 2)
    Fraction(3, 2)
    """
    gamma = real("discount", discount, 0, 1, open_low=True, open_high=True)
    return (1 - gamma ** integer("duration", duration, 1)) / (1 - gamma)


def effective_horizon(modulus: Any) -> Any:
    """Return 1/(1 - modulus).

    Parameters
    ----------
    modulus : float, array_like, Fraction, sympy.Expr or flint.arb
        In [0, 1).

    Returns
    -------
    same kind
        The effective number of decisions.

    Raises
    ------
    ValueError
        If `modulus` leaves its range.

    Notes
    -----
    A definition.

    Examples
    --------
    >>> effective_horizon(0.75)
    4.0
    """
    return 1 / (1 - real("modulus", modulus, 0, 1, open_high=True))


def duration_modulus(duration_law: Any, discount: Any) -> Any:
    """Return E[gamma^tau] for a duration on 1, 2, ....

    Parameters
    ----------
    duration_law : sequence of float or Fraction
        P(tau = 1), P(tau = 2), ..., total one.
    discount : float, Fraction, sympy.Expr or flint.arb
        gamma in (0, 1).

    Returns
    -------
    number
        The mean; at least ``gamma**E[tau]`` by Jensen, with equality for constant tau alone.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    A definition.

    Examples
    --------
    >>> duration_modulus([0.5, 0.5], 0.5)
    0.375
    """
    p = law("duration_law", duration_law)
    gamma = real("discount", discount, 0, 1, open_low=True, open_high=True)
    weights = [entry if p.dtype == object else float(entry) for entry in p]
    return sum(weight * gamma ** (i + 1) for i, weight in enumerate(weights))


def geometric_modulus(termination: Any, discount: Any) -> Any:
    r"""Return E[gamma^tau] for an option that ends each step with probability `termination`.

    Parameters
    ----------
    termination : float, array_like, Fraction, sympy.Expr or flint.arb
        beta in (0, 1].
    discount : same kinds
        gamma in (0, 1).

    Returns
    -------
    same kind
        :math:`\gamma\beta/(1-\gamma(1-\beta))`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: a geometric series. Switches of the sticky latent prior follow this law.

    Examples
    --------
    >>> round(geometric_modulus(0.2, 0.95), 6)
    0.791667
    """
    beta = real("termination", termination, 0, 1, open_low=True)
    gamma = real("discount", discount, 0, 1, open_low=True, open_high=True)
    return gamma * beta / (1 - gamma * (1 - beta))


def geometric_horizon(termination: Any, discount: Any) -> Any:
    r"""Return the effective horizon under geometric termination.

    Parameters
    ----------
    termination, discount
        As in :func:`geometric_modulus`.

    Returns
    -------
    same kind
        :math:`1+\gamma\beta/(1-\gamma)`, equal to 1/(1 - E[gamma^tau]).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> round(geometric_horizon(0.2, 0.95), 6)
    4.8
    """
    beta = real("termination", termination, 0, 1, open_low=True)
    gamma = real("discount", discount, 0, 1, open_low=True, open_high=True)
    return 1 + gamma * beta / (1 - gamma)


def jensen_modulus(mean_duration: Any, discount: Any) -> Any:
    """Return gamma raised to the mean duration: a lower bound on the modulus, never a substitute for it.

    Parameters
    ----------
    mean_duration : float, array_like, Fraction or sympy.Expr
        E[tau] >= 1.
    discount : float, array_like or sympy.Expr
        gamma in (0, 1).

    Returns
    -------
    float, numpy.ndarray or sympy.Expr
        ``gamma**E[tau]``.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Jensen's inequality.

    Examples
    --------
    >>> round(jensen_modulus(5.0, 0.95), 6)
    0.773781
    """
    mean = real("mean_duration", mean_duration, 1)
    gamma = real("discount", discount, 0, 1, open_low=True, open_high=True)
    return gamma**mean


def span_after_sweep(durations: Any, discount: Any, level: Any) -> Any:
    """Return the spread of values after one sweep of a constant function over self-loops without reward.

    Parameters
    ----------
    durations : sequence of int
        tau of each state's only option, >= 1.
    discount : float, Fraction, sympy.Expr or flint.arb
        gamma in (0, 1).
    level : same kinds
        The constant, >= 0.

    Returns
    -------
    same kind
        ``level (gamma**min(tau) - gamma**max(tau))``, positive unless durations agree, although the spread before was
        zero: the operator does not contract the span seminorm, so a span stopping rule needs equal durations.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> round(span_after_sweep([1, 5], 0.9, 1.0), 4)
    0.3095
    """
    taus = [whole("durations", tau, 1) for tau in items("durations", durations)]
    if not taus:
        raise ValueError(f"durations must hold at least one integer >= 1, got {durations!r}")
    gamma = real("discount", discount, 0, 1, open_low=True, open_high=True)
    height = level if is_symbolic(level) else real("level", level, 0)
    return height * (gamma ** min(taus) - gamma ** max(taus))
