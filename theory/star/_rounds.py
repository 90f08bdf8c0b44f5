"""How many rounds a target takes, equal deltas: the exact count, the integral and the two regimes."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.integrate import quad

from theory import _math, _validate
from theory.star import _family, _steps

__all__ = [
    "evidence",
    "evidence_slope",
    "rounds_bracket",
    "rounds_by_integral",
    "rounds_by_two_regimes",
    "rounds_to_target",
    "rounds_two_steps",
    "slow_phase",
    "slow_phase_exact",
    "slow_phase_few_states",
    "slow_phase_many_states",
    "target_log_ratio",
]

REGIME_END = 0.75  # upper end of the slow-phase integral


def _evidence(value: float, n_steps: float, n_states: float) -> float:
    """``l(d(L)^(N-1))`` for one finite positive float L, to full relative accuracy at both ends."""
    power = n_steps - 1
    if value > _family.ASYMPTOTIC:
        return value - math.log(power)
    small = math.exp(-value)
    rest = (-math.expm1(-value) / (1 + (n_states - 1) * small)) ** power
    missing = 1 - rest
    if rest > 0.5:
        missing = -math.expm1(power * (math.log1p(-small) - math.log1p((n_states - 1) * small)))
    return math.log1p(n_states * rest / missing)


def _slope(value: float, n_steps: float, n_states: float) -> float:
    """Derivative of :func:`_evidence`."""
    power = n_steps - 1
    if value > _family.ASYMPTOTIC:
        return 1.0
    small = math.exp(-value)
    delta = -math.expm1(-value) / (1 + (n_states - 1) * small)
    gap = n_states * small / (1 + (n_states - 1) * small)
    rest = delta**power
    missing = 1 - rest
    if rest > 0.5:
        missing = -math.expm1(power * (math.log1p(-small) - math.log1p((n_states - 1) * small)))
    moved = gap * (1 + (n_states - 1) * delta) / n_states
    return float(power * n_states * delta ** (power - 1) * moved / ((1 + (n_states - 1) * rest) * missing))


def _vectorized(function: Callable[..., float], *arguments: Any) -> Any:
    """Apply a scalar solver over broadcast arguments, the first of which may be too extreme for floats."""
    result = _steps.finite("delta", lambda: np.vectorize(function, otypes=[float])(*arguments))
    return _steps.plain(np.asarray(result))


def _start(delta: Any, n_steps: Any, n_states: Any) -> tuple[Any, int, int]:
    delta = _validate.real("delta", delta, 0, 1, open_low=True, open_high=True)
    return delta, _validate.integer("n_steps", n_steps, 2), _validate.integer("n_states", n_states, 2)


def evidence(log_ratio: Any, n_steps: Any, n_states: Any) -> Any:
    """Evidence a round adds to each step, equal deltas: ``f(L) = l(d(L)^(N-1))``.

    Parameters
    ----------
    log_ratio : float, array_like, sympy.Expr or flint.arb
        L > 0, the common log-ratio.
    n_steps : int
        N >= 2.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `log_ratio`
        f(L); equal to L when N = 2.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Notes
    -----
    For N >= 3 the ratio f(L)/L rises strictly from 0 to 1: see :func:`theory.star.temperature_threshold`.

    Examples
    --------
    >>> round(evidence(1e-3, 2, 64), 15)
    0.001
    """
    n_steps, n_states = _validate.integer("n_steps", n_steps, 2), _steps.states(n_states)
    log_ratio = _validate.real("log_ratio", log_ratio, 0, open_low=True)
    if isinstance(log_ratio, (float, np.ndarray)):
        return _vectorized(lambda value: _evidence(value, n_steps, n_states), log_ratio)
    ratio = _math.exp(log_ratio)
    rest = ((ratio - 1) / (ratio + n_states - 1)) ** (n_steps - 1)
    return _math.log((1 + (n_states - 1) * rest) / (1 - rest))


def evidence_slope(log_ratio: Any, n_steps: Any, n_states: Any) -> Any:
    """Derivative of :func:`evidence`: ``(N-1) M d^(N-2) d' / [(1+(M-1)p)(1-p)]``.

    Here ``p = d^(N-1)`` and ``d' = (1-d)(1+(M-1)d)/M``, the derivative of d in L.

    Parameters
    ----------
    log_ratio : float, array_like, sympy.Expr or flint.arb
        L > 0, the common log-ratio.
    n_steps : int
        N >= 2.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `log_ratio`
        f'(L); equal to 1 when N = 2.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Examples
    --------
    >>> round(evidence_slope(1.0, 2, 8), 12)
    1.0
    """
    n_steps, n_states = _validate.integer("n_steps", n_steps, 2), _steps.states(n_states)
    log_ratio = _validate.real("log_ratio", log_ratio, 0, open_low=True)
    if isinstance(log_ratio, (float, np.ndarray)):
        return _vectorized(lambda value: _slope(value, n_steps, n_states), log_ratio)
    ratio = _math.exp(log_ratio)
    delta = (ratio - 1) / (ratio + n_states - 1)
    rest = delta ** (n_steps - 1)
    moved = (1 - delta) * (1 + (n_states - 1) * delta) / n_states
    return (n_steps - 1) * n_states * delta ** (n_steps - 2) * moved / ((1 + (n_states - 1) * rest) * (1 - rest))


def target_log_ratio(target: Any, n_steps: Any, n_states: Any) -> Any:
    """Common log-ratio at which N equal steps reach accuracy `target`: ``delta* = ((M J* - 1)/(M - 1))^(1/N)``.

    Parameters
    ----------
    target : float or array_like
        J* in (1/M, 1).
    n_steps, n_states : int
        N >= 1 and M >= 2.

    Returns
    -------
    float or numpy.ndarray
        L*, accurate also for targets next to 1.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Examples
    --------
    >>> abs(target_log_ratio(0.82, 2, 2) - math.log(1.8 / 0.2)) < 1e-12
    True
    """
    n_steps, n_states = _validate.integer("n_steps", n_steps, 1), _validate.integer("n_states", n_states, 2)
    target = _validate.real("target", target, 1 / n_states, 1, open_low=True, open_high=True)
    log_delta = _math.log1p(-(n_states * (1 - target)) / (n_states - 1)) / n_steps
    return _math.log1p(n_states * _math.exp(log_delta) / -_math.expm1(log_delta))


def rounds_to_target(
    delta: Any, target: Any, n_steps: Any, n_states: Any, *, fractional: bool = False, max_rounds: int = 1_000_000
) -> Any:
    """Rounds until the accuracy reaches `target`, by iterating the map from N equal deltas.

    Parameters
    ----------
    delta : float or array_like
        Common start in (0, 1).
    target : float or array_like
        J* in (1/M, 1).
    n_steps, n_states : int
        N >= 2 and M >= 2.
    fractional : bool
        Count the last round by the share of it that is needed, log-linearly in L.
    max_rounds : int
        Longest count that is iterated.

    Returns
    -------
    int, float or numpy.ndarray
        Whole rounds (0 if the start is there already), or the real-valued count.

    Raises
    ------
    ValueError
        If an argument leaves its range, or more than `max_rounds` rounds would be needed
        (:func:`rounds_by_integral` has no such limit).

    Examples
    --------
    >>> rounds_to_target(0.02, 0.9, 5, 8)
    35697
    """
    delta, n_steps, n_states = _start(delta, n_steps, n_states)
    max_rounds = _validate.integer("max_rounds", max_rounds, 1)
    goal = target_log_ratio(target, n_steps, n_states)

    def count(start: float, end: float) -> float:
        value = float(_steps.log_ratio(start, n_states))
        if value >= end:
            return 0.0
        # f(L)/L rises, so the start's growth gives an upper bound and no long run is begun in vain
        least = math.log(end / value) / math.log1p(_evidence(end, n_steps, n_states) / end)
        rounds = 0
        while rounds < max_rounds and least <= max_rounds:
            following = value + _evidence(value, n_steps, n_states)
            rounds += 1
            if following >= end:
                return rounds - 1 + math.log(end / value) / math.log(following / value) if fractional else rounds
            value = following
        raise ValueError(f"max_rounds must cover the rounds needed to reach the target, got {max_rounds}")

    result = _vectorized(count, delta, goal)
    if fractional:
        return result
    return int(result) if isinstance(result, float) else result.astype(np.int64)


def rounds_by_integral(delta: Any, target: Any, n_steps: Any, n_states: Any) -> Any:
    """Real-valued round count ``W ~ int f'/(f log(1+f')) dL`` from L_0 to L*; rounds needed are its ceiling.

    Parameters
    ----------
    delta : float or array_like
        Common start in (0, 1).
    target : float or array_like
        J* in (1/M, 1).
    n_steps, n_states : int
        N >= 2 and M >= 2.

    Returns
    -------
    float or numpy.ndarray
        W; 0 if the start reaches the target.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Notes
    -----
    Derived: where the step is linear, ``L -> (1+c) L`` is the time-one map of a flow that covers
    dL in time ``c dL/(f log(1+c))``; the integrand applies this locally. Against the iterated map it
    is at most 0.19 round off over N 2..8, M 2..1024, delta .01 to .9 (measured, no proof);
    :func:`rounds_bracket` is proved. Exact for N = 2.

    Examples
    --------
    >>> round(rounds_by_integral(0.02, 0.9, 5, 8), 1)
    35696.7
    """
    delta, n_steps, n_states = _start(delta, n_steps, n_states)
    goal = target_log_ratio(target, n_steps, n_states)

    def integrand(log_value: float) -> float:
        value = math.exp(log_value)
        slope = _slope(value, n_steps, n_states)
        return value * slope / (_evidence(value, n_steps, n_states) * math.log1p(slope))

    def count(start: float, end: float) -> float:
        value = float(_steps.log_ratio(start, n_states))
        if value >= end:
            return 0.0
        points = np.linspace(math.log(value), math.log(end), 9)
        pairs = pairwise(points)
        return float(sum(quad(integrand, low, high, epsabs=0, epsrel=1e-9, limit=200)[0] for low, high in pairs))

    return _vectorized(count, delta, goal)


def rounds_bracket(delta: Any, target: Any, n_steps: Any, n_states: Any) -> tuple[Any, Any]:
    """Proved bounds on the real-valued round count, ``log(L*/L_0)/log(1 + f(L)/L)`` at L* and at L_0.

    Since f(L)/L rises (:func:`theory.star.temperature_threshold`), each round multiplies L by a
    growing factor between its values at the two ends. Both bounds equal ``log2(L*/L_0)`` for N = 2.

    Parameters
    ----------
    delta : float or array_like
        Common start in (0, 1).
    target : float or array_like
        J* in (1/M, 1).
    n_steps, n_states : int
        N >= 2 and M >= 2.

    Returns
    -------
    (float, float) or (numpy.ndarray, numpy.ndarray)
        Lower and upper bound.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Examples
    --------
    >>> low, high = rounds_bracket(0.3, 0.9, 3, 8)
    >>> low <= rounds_to_target(0.3, 0.9, 3, 8, fractional=True) <= high
    True
    """
    delta, n_steps, n_states = _start(delta, n_steps, n_states)
    goal = target_log_ratio(target, n_steps, n_states)
    start = _steps.log_ratio(delta, n_states)

    def bound(begin: float, end: float, where: float) -> float:
        if begin >= end:
            return 0.0
        return math.log(end / begin) / math.log1p(_evidence(where, n_steps, n_states) / where)

    return _vectorized(bound, start, goal, goal), _vectorized(bound, start, goal, start)


def rounds_two_steps(delta: Any, target: Any, n_states: Any) -> Any:
    """Real-valued count for two equal steps, exactly ``log2(L*/L_0)``: each round doubles L.

    Parameters
    ----------
    delta : float or array_like
        Common start in (0, 1).
    target : float or array_like
        J* in (1/M, 1).
    n_states : int
        M >= 2.

    Returns
    -------
    float or numpy.ndarray
        The real-valued count; 0 if the start reaches the target.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Examples
    --------
    >>> round(rounds_two_steps(0.1, 0.9, 8), 9) == round(rounds_by_integral(0.1, 0.9, 2, 8), 9)
    True
    """
    delta, _, n_states = _start(delta, 2, n_states)
    ratio = target_log_ratio(target, 2, n_states) / _steps.log_ratio(delta, n_states)
    return (
        np.maximum(_math.log(ratio) / math.log(2), 0.0) if isinstance(ratio, np.ndarray) else max(math.log2(ratio), 0)
    )


def slow_phase(delta: Any, n_steps: Any, n_states: Any) -> Any:
    """The slow phase, ``I = int dd/((1-d)(1+(M-1)d) d^(N-1))`` from `delta` to 3/4, by quadrature in log d.

    Parameters
    ----------
    delta : float or array_like
        Common start in (0, 3/4].
    n_steps, n_states : int
        N >= 2 and M >= 2.

    Returns
    -------
    float or numpy.ndarray
        Rounds that the plain flow spends up to 3/4; :func:`slow_phase_exact` is the same by partial fractions.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Examples
    --------
    >>> abs(slow_phase(0.1, 4, 8) - float(slow_phase_exact(Fraction(1, 10), 4, 8))) < 1e-6
    True
    """
    delta, n_steps, n_states = _start(delta, n_steps, n_states)
    delta = _validate.real("delta", delta, 0, REGIME_END, open_low=True)

    def integrand(log_delta: float) -> float:
        d = math.exp(log_delta)
        return float(d ** (2 - n_steps) / ((1 - d) * (1 + (n_states - 1) * d)))

    def integrate(start: float) -> float:
        points = np.linspace(math.log(start), math.log(REGIME_END), 9)
        pairs = pairwise(points)
        return float(sum(quad(integrand, low, high, epsabs=0, epsrel=1e-10, limit=200)[0] for low, high in pairs))

    return _vectorized(integrate, delta)


def slow_phase_exact(delta: Any, n_steps: Any, n_states: Any) -> Any:
    """The integral of :func:`slow_phase` by partial fractions, generic in `delta`.

    With ``a = M-1`` and ``k = N-1`` the integrand is ``1/M`` times ``1/((1-d) d^k) + a/((1+a d) d^k)``,
    each a finite sum of powers and a logarithm. The powers of ``-a`` cancel among themselves when
    a d is large, which floats feel.

    Parameters
    ----------
    delta : float, Fraction, sympy.Expr or flint.arb
        In (0, 3/4].
    n_steps : int
        N >= 2.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    float, sympy.Expr or flint.arb
        I; a Fraction gives a float, because of the logarithms.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Examples
    --------
    >>> round(slow_phase_exact(0.5, 2, 2) - (math.log(1.5) - 0.5 * math.log(0.4375 / 0.75)), 12)
    0.0
    """
    delta = _validate.real("delta", delta, 0, REGIME_END, open_low=True)
    n_steps, n_states = _validate.integer("n_steps", n_steps, 2), _steps.states(n_states)
    end = REGIME_END if isinstance(delta, (float, np.ndarray)) else Fraction(3, 4)
    if not isinstance(delta, (float, np.ndarray, Fraction)):
        end = delta**0 * 3 / 4
    power = n_steps - 1
    a = n_states - 1

    def antiderivative(d: Any) -> Any:
        total = -_math.log(1 - d) + _math.log(d) + a * (-a) ** (power - 1) * (_math.log(d) - _math.log(1 + a * d))
        for j in range(2, power + 1):
            total = total - (1 + a * (-a) ** (power - j)) * d ** (1 - j) / (j - 1)
        return total

    return _steps.finite("delta", lambda: (antiderivative(end) - antiderivative(delta)) / n_states)


def slow_phase_few_states(delta: Any, n_steps: Any) -> Any:
    """Limit of :func:`slow_phase` for ``delta << 1/M``, N >= 3: ``delta^-(N-2)/(N-2)``.

    Parameters
    ----------
    delta : float or array_like
        Common start in (0, 1).
    n_steps : int
        N >= 3.

    Returns
    -------
    float or numpy.ndarray
        The limit, in rounds.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Examples
    --------
    >>> round(slow_phase_few_states(0.02, 5))
    41667
    """
    delta, n_steps, _ = _start(delta, n_steps, 2)
    n_steps = _validate.integer("n_steps", n_steps, 3)
    return _steps.finite("delta", lambda: delta ** (2 - n_steps) / (n_steps - 2))


def slow_phase_many_states(delta: Any, n_steps: Any, n_states: Any) -> Any:
    """Limit of :func:`slow_phase` for ``1/M << delta << M^(-1/(N-1))``: ``delta^-(N-1)/((N-1)(M-1))``.

    Parameters
    ----------
    delta : float or array_like
        Common start in (0, 1).
    n_steps, n_states : int
        N >= 2 and M >= 2.

    Returns
    -------
    float or numpy.ndarray
        The limit, in rounds.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Examples
    --------
    >>> round(slow_phase_many_states(0.1, 6, 1024), 1)
    19.6
    """
    delta, n_steps, n_states = _start(delta, n_steps, n_states)
    return _steps.finite("delta", lambda: delta ** (1 - n_steps) / ((n_steps - 1) * (n_states - 1)))


def rounds_by_two_regimes(delta: Any, n_steps: Any, n_states: Any) -> Any:
    """Rounds to accuracy .9 in two regimes: ``I + (1/2) log(1/l(delta^(N-1))) + 1``.

    Parameters
    ----------
    delta : float or array_like
        Common start in (0, 1/2].
    n_steps, n_states : int
        N >= 3 and M >= 2.

    Returns
    -------
    float or numpy.ndarray
        Within 2.4 rounds of the count, and within 1.4 % above 100 rounds (measured, no proof).

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Examples
    --------
    >>> round(rounds_by_two_regimes(0.02, 5, 8) / 35696.7, 2)
    1.0
    """
    delta = _validate.real("delta", delta, 0, 0.5, open_low=True)
    n_steps = _validate.integer("n_steps", n_steps, 3)
    phase = slow_phase(delta, n_steps, n_states)
    return _steps.finite(
        "delta", lambda: phase - 0.5 * _math.log(_steps.log_ratio(delta ** (n_steps - 1), n_states)) + 1
    )
