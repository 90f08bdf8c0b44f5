"""Noise in the verifier, temperature at generation, and hints, in the symmetric family."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.optimize import brentq

from theory import _math, _validate
from theory.star import _family, _rounds, _steps

__all__ = [
    "acceptance_rate",
    "accepted_right_path_share",
    "evidence_scale",
    "hint_barrier",
    "hint_barrier_polynomial",
    "hinted_kept_rate",
    "noisy_end_rate",
    "noisy_update",
    "temper",
    "temperature_threshold",
    "temperature_threshold_estimate",
    "tempered_rounds_bound",
    "tempered_update",
    "uniform_hint_end_rate",
    "uniform_hint_update",
]


def _rates(false_negative: Any, false_positive: Any, *others: Any) -> tuple[Any, Any]:
    false_negative, false_positive = (
        _steps.beside(false_negative, false_positive, *others),
        _steps.beside(false_positive, false_negative, *others),
    )
    false_negative = _validate.real("false_negative", false_negative, 0, 1)
    false_positive = _validate.real("false_positive", false_positive, 0, 1)
    if np.any(np.asarray((false_negative == 1) & (false_positive == 0), dtype=bool)):
        raise ValueError("false_negative = 1 with false_positive = 0 accepts nothing, got exactly that")
    return false_negative, false_positive


def evidence_scale(false_negative: Any, false_positive: Any, n_states: Any) -> Any:
    """The factor of the evidence under a noisy verifier: ``kappa = (1-mu-nu)/(1-mu+(M-1)nu)``.

    Parameters
    ----------
    false_negative : float, array_like, Fraction, sympy.Expr or flint.arb
        mu in [0, 1], the chance that a right answer is rejected.
    false_positive : same
        nu in [0, 1], the chance that a wrong answer is accepted; (1, 0) accepts nothing and is refused.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type
        In [-1/(M-1), 1]: 1 without false positives, 0 for a useless verifier, negative for one that
        prefers wrong answers.

    Raises
    ------
    ValueError
        If a rate leaves its range, nothing is accepted, or M is below 2.

    Notes
    -----
    Derived: the kept weight of an answer that is right given the step is right with probability A
    (B otherwise) is ``mu' A + nu (1-A)`` with mu' = 1-mu; with ``A = (1+(M-1)Pi)/M``, ``B = (1-Pi)/M``
    the ratio is that of the clean map at ``kappa Pi``.

    Examples
    --------
    >>> from fractions import Fraction
    >>> evidence_scale(Fraction(0), Fraction(1, 10), 8)
    Fraction(9, 17)
    """
    n_states = _steps.states(n_states)
    mu, nu = _rates(false_negative, false_positive, n_states)
    return (1 - mu - nu) / (1 - mu + (n_states - 1) * nu)


def noisy_update(delta: Any, n_states: Any, false_negative: Any, false_positive: Any) -> Any:
    """One iteration under a verifier that errs: each step combines with ``kappa Pi_{-n}``.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.
    false_negative : float, Fraction, sympy.Expr or flint.arb
        mu in [0, 1], the chance that a right answer is rejected.
    false_positive : float, Fraction, sympy.Expr or flint.arb
        nu in [0, 1], the chance that a wrong answer is accepted; (1, 0) accepts nothing and is refused.

    Returns
    -------
    numpy.ndarray
        Next deltas.

    Raises
    ------
    ValueError
        If a delta or a rate leaves its range, or nothing is accepted (mu = 1, nu = 0).

    Examples
    --------
    >>> from theory.star import update
    >>> bool(np.allclose(noisy_update([0.3, 0.6], 4, 0.5, 0.0), update([0.3, 0.6], 4)))
    True
    """
    delta, n_states = _steps.family(delta, n_states)
    seen = evidence_scale(*_rates(false_negative, false_positive, delta), n_states) * _steps.others(delta)
    numerator = seen * (1 - delta) * (1 + (n_states - 1) * delta)
    result = delta + _steps.divide(numerator, 1 + (n_states - 1) * delta * seen, 0 * delta)
    return result if result.dtype == object else np.clip(result, _steps.lowest(n_states)[1], 1.0)


def acceptance_rate(delta: Any, n_states: Any, false_negative: Any, false_positive: Any) -> Any:
    """Probability that a trajectory is accepted, ``nu + (1-mu-nu) J``; it never falls, whatever the noise.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.
    false_negative : float, Fraction, sympy.Expr or flint.arb
        mu in [0, 1], the chance that a right answer is rejected.
    false_positive : float, Fraction, sympy.Expr or flint.arb
        nu in [0, 1], the chance that a wrong answer is accepted; (1, 0) accepts nothing and is refused.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        In [0, 1], the last axis reduced.

    Raises
    ------
    ValueError
        If a delta or a rate leaves its range, or nothing is accepted (mu = 1, nu = 0).

    Examples
    --------
    >>> round(acceptance_rate([0.5, 0.5], 2, 0.1, 0.2), 12)
    0.6375
    """
    delta, n_states = _steps.family(delta, n_states)
    mu, nu = _rates(false_negative, false_positive, delta)
    return nu + (1 - mu - nu) * _family.accuracy(delta, n_states)


def accepted_right_path_share(delta: Any, n_states: Any, false_negative: Any, false_positive: Any) -> Any:
    """Share of accepted trajectories with every step right: ``(1-mu) prod alpha_n / (nu + (1-mu-nu) J)``.

    Never falls for deltas in [0, 1] and kappa >= 0.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.
    false_negative : float, Fraction, sympy.Expr or flint.arb
        mu in [0, 1], the chance that a right answer is rejected.
    false_positive : float, Fraction, sympy.Expr or flint.arb
        nu in [0, 1], the chance that a wrong answer is accepted; (1, 0) accepts nothing and is refused.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        In [0, 1], the last axis reduced; 0 where nothing is accepted.

    Raises
    ------
    ValueError
        If a delta or a rate leaves its range, or nothing is accepted (mu = 1, nu = 0).

    Examples
    --------
    >>> round(accepted_right_path_share([0.5, 0.5], 2, 0.0, 0.0), 12)
    0.9
    """
    delta, n_states = _steps.family(delta, n_states)
    mu, nu = _rates(false_negative, false_positive, delta)
    alpha = (1 + (n_states - 1) * delta) / n_states
    clean = np.asarray((1 - mu) * _steps.product(alpha))
    return _steps.plain(_steps.divide(clean, np.asarray(acceptance_rate(delta, n_states, mu, nu)), 0 * clean))


def noisy_end_rate(false_negative: Any, false_positive: Any) -> Any:
    """Factor of ``1 - delta`` a round near the truth: ``nu/(1-mu)`` (linear, not quadratic, unless nu = 0).

    The truth attracts when the factor is below 1.

    Parameters
    ----------
    false_negative : float, array_like, Fraction, sympy.Expr or flint.arb
        mu in [0, 1).
    false_positive : float, array_like, Fraction, sympy.Expr or flint.arb
        nu in [0, 1].

    Returns
    -------
    same type as the rates
        The factor; below 1 exactly if ``mu + nu < 1``.

    Raises
    ------
    ValueError
        If a rate leaves its range.

    Examples
    --------
    >>> noisy_end_rate(0.0, 0.3)
    0.3
    """
    mu, nu = _steps.beside(false_negative, false_positive), _steps.beside(false_positive, false_negative)
    mu = _validate.real("false_negative", mu, 0, 1, open_high=True)
    return _validate.real("false_positive", nu, 0, 1) / (1 - mu)


def temper(delta: Any, n_states: Any, temperature: Any) -> Any:
    """Delta of a step sampled at temperature tau: its odds become ``r^(1/tau)``.

    Parameters
    ----------
    delta : float, array_like, sympy.Expr or flint.arb
        In [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.
    temperature : float, Fraction, sympy.Expr or flint.arb
        tau > 0.

    Returns
    -------
    same type as `delta`
        ``(r^(1/tau) - 1)/(r^(1/tau) + M - 1)``.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> round(temper(0.5, 4, 0.5), 12) == round(24 / 28, 12)
    True
    """
    value = _steps.log_ratio(delta, n_states)
    temperature = _validate.real("temperature", _steps.beside(temperature, value), 0, open_low=True)
    with np.errstate(over="ignore"):
        return _steps.from_log_ratio(value / temperature, n_states)


def tempered_update(delta: Any, n_states: Any, temperature: Any) -> Any:
    """One iteration with generation at temperature tau: the clean map at the tempered deltas.

    The refit
    model is evaluated at temperature 1 and is at least as accurate as the tempered one.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.
    temperature : float, Fraction, sympy.Expr or flint.arb
        tau > 0.

    Returns
    -------
    numpy.ndarray
        Next deltas, same shape; rational deltas become floats.

    Raises
    ------
    ValueError
        If an argument leaves its range or there is no step.

    Examples
    --------
    >>> from theory.star import update
    >>> bool(np.allclose(tempered_update([0.3, 0.6], 4, 1.0), update([0.3, 0.6], 4)))
    True
    """
    return _family.update(temper(_steps.family(delta, n_states)[0], n_states, temperature), n_states)


def tempered_rounds_bound(delta: Any, target: Any, n_steps: Any, n_states: Any, temperature: Any) -> Any:
    """Most rounds a temperature below 1 needs: ``log(L*/L_0)/log(1/tau)``, since each divides L by tau at least.

    Parameters
    ----------
    delta : float or array_like
        Common start in (0, 1).
    target : float or array_like
        J* in (1/M, 1).
    n_steps, n_states : int
        N >= 2 and M >= 2.
    temperature : float
        tau in (0, 1).

    Returns
    -------
    float or numpy.ndarray
        The bound, not rounded; 0 if the start reaches the target.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> 13 <= tempered_rounds_bound(0.02, 0.99, 4, 8, 0.8) < 25
    True
    """
    delta = _validate.real("delta", delta, 0, 1, open_low=True, open_high=True)
    temperature = _validate.real("temperature", temperature, 0, 1, open_low=True, open_high=True)
    goal = _rounds.target_log_ratio(target, n_steps, n_states)
    factor = goal / _steps.log_ratio(delta, n_states)
    rounds = _math.log(factor) / -_math.log(temperature)
    return np.maximum(rounds, 0.0) if isinstance(rounds, np.ndarray) else max(rounds, 0.0)


def temperature_threshold(n_steps: Any, n_states: Any, temperature: Any) -> Any:
    r"""The log-ratio that separates growth from decay at a temperature between 1 and 2, equal deltas.

    With ``y = L/tau`` the tempered map is ``L' = y + f(y)``, ``f(y) = l(d(y)^(N-1))``, and its interior
    fixed points solve ``f(y)/y = tau - 1``. There is exactly one for every N >= 3, M >= 2 and
    tau in (1, 2): above it the model goes to the truth, below it to guessing.

    Parameters
    ----------
    n_steps : int
        N >= 3.
    n_states : int
        M >= 2.
    temperature : float or array_like
        tau in (1, 2).

    Returns
    -------
    float or numpy.ndarray
        L_c > 0; :func:`theory.star.from_log_ratio` gives d_c.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Uniqueness, proved here for all real M >= 1 and N > 2. Write ``d = e^-s``, ``a = M-1`` and
    ``e(p) = M p/((1+ap)(1-p) l(p))``, the elasticity ``p l'(p)/l(p)``. The chain rule gives
    ``y f'(y)/f(y) = (N-1) e(d^(N-1))/e(d) = phi((N-1)s)/phi(s)`` with ``phi(s) = s e(e^-s)``, so
    ``f(y)/y`` rises strictly if phi does.

    1. ``(1+ap)(1-p) phi'/phi = H``, ``p = e^-s``,
       ``H = (1+ap)(1-p)/(-log p) - (1+a p^2) + M p/l(p)``.
    2. ``-log p <= (1-p)/sqrt(p)`` on (0, 1) [sinh u >= u at ``u = -log(p)/2``], so the first term is
       at least ``(1+ap) sqrt(p)``.
    3. ``log(1+x) <= x/sqrt(1+x)`` for x >= 0 [the same inequality at ``u = log(1+x)/2``]; with
       ``l(p) = log(1+x)``, ``x = M p/(1-p)``, ``1+x = (1+ap)/(1-p)``, the last term is at least
       ``sqrt((1+ap)(1-p))``.
    4. ``1 + a p^2 = (1-p) + p(1+ap)``.
    5. With ``A = 1+ap >= 1``: ``H >= A sqrt(p)(1 - sqrt(p)) + sqrt(1-p)(sqrt(A) - sqrt(1-p)) > 0``.

    So phi' > 0. As y -> 0, ``f(y)/y -> 0`` (``l(p) ~ M p`` and ``p = d^(N-1) ~ (y/M)^(N-1)``); as
    y -> infinity ``f(y) - y -> -log(N-1)``, so ``f(y)/y -> 1``: each tau - 1 in (0, 1) is met once. The
    map rises in L, so the two sides are basins. Unequal deltas have no further interior fixed point:
    ``(tau-1) y_n = l(Pi/d(y_n))`` has a rising left and a falling right side, which makes all y_n equal.

    Examples
    --------
    >>> round(float(_steps.from_log_ratio(temperature_threshold(3, 8, 1.2), 8)), 3)
    0.197
    """
    n_steps, n_states = _validate.integer("n_steps", n_steps, 3), _validate.integer("n_states", n_states, 2)
    temperature = _validate.real("temperature", temperature, 1, 2, open_low=True, open_high=True)

    def solve(tau: float) -> float:
        def excess(log_y: float) -> float:
            y = math.exp(log_y)
            return math.log(_rounds._evidence(y, n_steps, n_states) / y) - math.log(tau - 1)

        low, high = math.log(n_states), math.log(n_states)
        while excess(low) > 0:  # f(y)/y falls like y^(N-2): a bracket within a few hundred halvings
            low -= 1.0
        while excess(high) < 0:
            high += 1.0
        return tau * math.exp(brentq(excess, low, high, xtol=1e-14, rtol=8.9e-16))

    return _rounds._vectorized(solve, temperature)


def temperature_threshold_estimate(n_steps: Any, temperature: Any) -> Any:
    """Large-L estimate of :func:`temperature_threshold`, ``log(N-1)/(2/tau - 1)``, for tau next to 2.

    Parameters
    ----------
    n_steps : int
        N >= 3.
    temperature : float or array_like
        tau in (1, 2).

    Returns
    -------
    float or numpy.ndarray
        Estimate of L_c.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> round(temperature_threshold_estimate(5, 1.9), 2)
    26.34
    """
    n_steps = _validate.integer("n_steps", n_steps, 3)
    temperature = _validate.real("temperature", temperature, 1, 2, open_low=True, open_high=True)
    return math.log(n_steps - 1) / (2 / temperature - 1)


def hinted_kept_rate(accuracy: Any, hint: Any) -> Any:
    """Kept share when a share h of the failed prompts is retried with the answer given: ``J + h (1-J)``.

    With a hinted path drawn from the model's own law given the right answer, the map itself is that
    without hints, since all prompts of the family have the same accuracy.

    Parameters
    ----------
    accuracy : float, array_like, Fraction, sympy.Expr or flint.arb
        J in [0, 1].
    hint : float, array_like, Fraction, sympy.Expr or flint.arb
        h in [0, 1], the share of failed prompts that is hinted.

    Returns
    -------
    same type as the arguments
        In [0, 1].

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> hinted_kept_rate(0.25, 1.0)
    1.0
    """
    accuracy, hint = _steps.beside(accuracy, hint), _steps.beside(hint, accuracy)
    accuracy = _validate.real("accuracy", accuracy, 0, 1)
    hint = _validate.real("hint", hint, 0, 1)
    return accuracy + hint * (1 - accuracy)


def uniform_hint_update(delta: Any, n_states: Any, hint: Any) -> Any:
    """One iteration when hinted paths are uniform among those that end right: ``J F(delta)/(J + h(1-J))``.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N >= 2 steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.
    hint : float, Fraction, sympy.Expr or flint.arb
        h in [0, 1], the share of failed prompts that is hinted.

    Returns
    -------
    numpy.ndarray
        Next deltas.

    Raises
    ------
    ValueError
        If an argument leaves its range or there are fewer than 2 steps.

    Notes
    -----
    Derived: each single transition of such a path is uniform when N >= 2, so the refit mixes the clean
    one with guessing in proportion J : h(1-J).

    Examples
    --------
    >>> uniform_hint_update([0.5, 0.5], 2, 0.0).tolist()
    [0.8, 0.8]
    """
    delta, n_states = _steps.family(delta, n_states)
    if delta.shape[-1] < 2:
        raise ValueError(f"delta must hold at least 2 steps on its last axis, got {delta.shape[-1]}")
    hint = _validate.real("hint", _steps.beside(hint, delta), 0, 1)
    rest = _steps.others(delta)
    agreed = 1 + (n_states - 1) * delta * rest  # M J
    return _steps.divide(delta + rest + (n_states - 2) * delta * rest, agreed + hint * (n_states - agreed), delta)


def uniform_hint_end_rate(n_steps: Any, n_states: Any, hint: Any) -> Any:
    """Factor ``h N (M-1)/M`` of ``1 - delta`` a round near the truth under uniform hints: attracts below 1.

    Parameters
    ----------
    n_steps : int
        N >= 2.
    n_states : int or sympy.Expr
        M >= 2.
    hint : float, Fraction, sympy.Expr or flint.arb
        h in [0, 1], the share of failed prompts that is hinted.

    Returns
    -------
    same type as `hint`
        The factor.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> uniform_hint_end_rate(3, 8, 0.1) < 1
    True
    """
    n_steps, n_states = _validate.integer("n_steps", n_steps, 2), _steps.states(n_states)
    return _validate.real("hint", _steps.beside(hint, n_states), 0, 1) * n_steps * (n_states - 1) / n_states


def hint_barrier_polynomial(delta: Any, n_steps: Any, n_states: Any, hint: Any) -> Any:
    """The polynomial whose sign is that of ``delta' - delta`` under uniform hints, equal deltas above 0.

    ``d^(N-2) + (M-2) d^(N-1) - (1-h)(M-1) d^N - h(M-1)``; for N >= 3 and 0 < h < 1 its coefficients
    change sign twice, so by Descartes' rule it has at most one positive root besides 1.

    Parameters
    ----------
    delta : float, array_like, Fraction, sympy.Expr or flint.arb
        Common delta, in [0, 1].
    n_steps : int
        N >= 2.
    n_states : int or sympy.Expr
        M >= 2.
    hint : float, Fraction, sympy.Expr or flint.arb
        h in [0, 1], the share of failed prompts that is hinted.

    Returns
    -------
    same type as `delta`
        The polynomial's value; 0 at delta = 1.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> from fractions import Fraction
    >>> hint_barrier_polynomial(Fraction(1), 3, 8, Fraction(1, 10))
    Fraction(0, 1)
    """
    n_steps, n_states = _validate.integer("n_steps", n_steps, 2), _steps.states(n_states)
    delta, hint = _steps.beside(delta, hint, n_states), _steps.beside(hint, delta, n_states)
    delta = _validate.real("delta", delta, 0, 1)
    hint = _validate.real("hint", hint, 0, 1)
    low = 1 if n_steps == 2 else delta ** (n_steps - 2)
    return (
        low
        + (n_states - 2) * delta ** (n_steps - 1)
        - (1 - hint) * (n_states - 1) * delta**n_steps
        - hint * (n_states - 1)
    )


def hint_barrier(n_steps: int, n_states: int, hint: float) -> float:
    """The common delta below which uniform hints drive the model to guessing.

    Parameters
    ----------
    n_steps, n_states : int
        N >= 2 and M >= 2.
    hint : float
        h in [0, 1].

    Returns
    -------
    float
        d_c in [0, 1]: 0 if there is no barrier, 1 if every start below the truth falls.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    The truth attracts where ``h N (M-1) < M``; then the barrier is the one root of
    :func:`hint_barrier_polynomial` in (0, 1) for N >= 3, and for N = 2 there is none if
    ``h (M-1) < 1``. With M = N = 2 and h = 1 every model is a fixed point.

    Examples
    --------
    >>> round(hint_barrier(3, 8, 0.1), 3), hint_barrier(2, 8, 0.1), hint_barrier(3, 8, 1.0)
    (0.31, 0.0, 1.0)
    """
    n_steps, n_states = _validate.integer("n_steps", n_steps, 2), _validate.integer("n_states", n_states, 2)
    hint = _steps.number("hint", hint, 0, 1)
    a = n_states - 1
    if hint == 0 or (n_steps == 2 and hint * a < 1):
        return 0.0
    if hint * n_steps * a >= n_states:
        return 1.0
    # the polynomial over 1 - d: coefficients are the running sums of its own
    coefficients = np.zeros(n_steps + 1)
    coefficients[n_steps] -= (1 - hint) * a
    coefficients[n_steps - 1] += a - 1
    coefficients[n_steps - 2] += 1
    coefficients[0] -= hint * a
    quotient = np.cumsum(coefficients)[:-1]
    return float(brentq(lambda d: float(np.polynomial.polynomial.polyval(d, quotient)), 0.0, 1.0, xtol=1e-15))
