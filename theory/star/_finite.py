"""Finite samples in the symmetric family: one iteration of K trajectories, and the rule for a whole run.

Exact one-round laws (binomial visits), second-order corrections, and the number of trajectories
that a whole run needs, which is a conjecture with a measured range.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory import _math, _validate
from theory.star import _family, _steps

__all__ = [
    "fluctuation_covariance",
    "loss_probability",
    "loss_union_bound",
    "mean_accuracy_excess",
    "mean_right_probability",
    "required_trajectories",
    "required_trajectories_limit",
    "row_variance",
    "visit_probability",
]


def sampled_family(delta: Any, n_states: Any, n_trajectories: Any) -> tuple[Any, Any, Any]:
    """The deltas, M and K, checked."""
    delta, n_states = _steps.family(delta, n_states)
    return delta, n_states, _validate.integer("n_trajectories", n_trajectories, 1)


def visit_probability(delta: Any, n_states: Any) -> Any:
    """Probability ``J/M`` that one trajectory is kept and passes a given state of a given layer.

    Kept trajectories are Binomial(K, J), kept visits to a state Binomial(K, J/M), kept right
    transitions at a state Binomial(K, alpha_n A_n/M).

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        In [0, 1/M], the last axis reduced.

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Examples
    --------
    >>> visit_probability([0.5, 0.5], 2)
    0.3125
    """
    return _family.accuracy(delta, n_states) / _steps.states(n_states)


def loss_probability(delta: Any, n_states: Any, n_trajectories: Any) -> Any:
    """Probability that one given right transition is lost in one round of K trajectories, for each step.

    ``(1 - alpha_n A_n/M)^K - (1 - J/M)^K``: no kept trajectory takes it, minus the case that none
    visits its row, which then keeps its old values.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.
    n_trajectories : int or sympy.Expr
        K >= 1.

    Returns
    -------
    numpy.ndarray
        Same shape as `delta`. Exact for one round from symmetric tables; its sum along the path of
        the infinite-sample map bounds nothing about a run, because sampled tables drift.

    Raises
    ------
    ValueError
        If an argument leaves its range or there is no step.

    Examples
    --------
    >>> loss_probability([0.5, 0.5], 2, 2).round(6).tolist()
    [0.043945, 0.043945]
    """
    delta, n_states, count = sampled_family(delta, n_states, n_trajectories)
    alpha = (1 + (n_states - 1) * delta) / n_states
    agreed = (1 + (n_states - 1) * _steps.others(delta)) / n_states
    taken = alpha * agreed / n_states
    missed = (1 - delta) * (1 - _steps.others(delta)) * (n_states - 1) / n_states**3  # row visited, other successor
    visited = taken + missed
    if delta.dtype == object:
        return (1 - taken) ** count - (1 - visited) ** count
    with np.errstate(divide="ignore"):
        ratio = np.log1p(-np.minimum(missed / (1 - taken), 1.0))  # log((1-visited)/(1-taken))
    return np.exp(count * np.log1p(-taken)) * -np.expm1(count * ratio)


def loss_union_bound(delta: Any, n_states: Any, n_trajectories: Any) -> Any:
    """Union bound of :func:`loss_probability` over the N M right transitions of one round.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.
    n_trajectories : int or sympy.Expr
        K >= 1.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        Expected number of lost right transitions, the last axis reduced; at least the chance of any loss.

    Raises
    ------
    ValueError
        If an argument leaves its range or there is no step.

    Examples
    --------
    >>> round(loss_union_bound([0.5, 0.5], 2, 4), 4)
    0.1739
    """
    each = loss_probability(delta, n_states, n_trajectories)
    return _steps.plain(np.asarray(_steps.states(n_states) * np.add.reduce(each, axis=-1)))


def required_trajectories(delta: Any, n_states: Any, failure: Any, *, hint: Any = 0.0) -> Any:
    """Trajectories a round that keep every right transition for a whole run: the rule K*, a conjecture.

    ``K* = M log(N M/eta) / (J_0 l(Pi_{-n}) alpha_n)``, the largest over the steps; with hints
    ``J_0 + h(1-J_0)`` takes the place of J_0.

    Parameters
    ----------
    delta : array_like
        The N steps on the last axis, each in (0, 1).
    n_states : int
        M >= 2.
    failure : float or array_like
        eta in (0, 1), the wanted chance that some right transition is ever lost.
    hint : float
        h in [0, 1], share of failed prompts retried with the answer given.

    Returns
    -------
    float or numpy.ndarray
        K*, not rounded.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Notes
    -----
    A heuristic: row size K J/M, selection ``l(Pi_{-n})`` a round, starting share alpha_n, as for the
    fixation of a favoured type under drift (Kimura 1962). Measured at eta = .05 over N 2..5, M 2..16,
    delta .1 to .5 it gives losses of 0 to .08, and .018 to .38 at half of it. No proof is known.

    Examples
    --------
    >>> round(required_trajectories([0.1] * 3, 64, 0.05) / 1e5, 1)
    5.6
    """
    n_states = _validate.integer("n_states", n_states, 2)
    delta = _validate.real("delta", _steps.steps(delta, 0.0), 0, 1, open_low=True, open_high=True)
    failure = _validate.real("failure", failure, 0, 1, open_low=True, open_high=True)
    hint = _validate.real("hint", hint, 0, 1)
    correct = _family.accuracy(delta, n_states)
    kept = correct + hint * (1 - correct)
    selection = _family.evidence_of_others(_steps.log_ratio(delta, n_states), n_states)
    alpha = (1 + (n_states - 1) * delta) / n_states
    scarce = np.min(selection * alpha, axis=-1)
    log_odds = _math.log(delta.shape[-1] * n_states / failure)
    return _steps.plain(np.asarray(_steps.finite("delta", lambda: n_states * log_odds / (kept * scarce))))


def required_trajectories_limit(delta: Any, n_steps: Any, n_states: Any, failure: Any) -> Any:
    """:func:`required_trajectories` for small equal deltas: ``M^2 d^-(N-1) log(N M/eta)/(1+(M-1)d)``.

    Parameters
    ----------
    delta : float or array_like
        Common start in (0, 1).
    n_steps, n_states : int
        N >= 2 and M >= 2.
    failure : float or array_like
        eta in (0, 1), the wanted chance that some right transition is ever lost.

    Returns
    -------
    float or numpy.ndarray
        K*, not rounded.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the result that of floats.

    Examples
    --------
    >>> exact, near = required_trajectories([1e-3] * 3, 8, 0.05), required_trajectories_limit(1e-3, 3, 8, 0.05)
    >>> abs(near / exact - 1) < 1e-4
    True
    """
    n_steps, n_states = _validate.integer("n_steps", n_steps, 2), _validate.integer("n_states", n_states, 2)
    delta = _validate.real("delta", delta, 0, 1, open_low=True, open_high=True)
    failure = _validate.real("failure", failure, 0, 1, open_low=True, open_high=True)
    log_odds = _math.log(n_steps * n_states / failure)
    return _steps.finite(
        "delta", lambda: n_states**2 * delta ** (1 - n_steps) * log_odds / (1 + (n_states - 1) * delta)
    )


def mean_right_probability(delta: Any, n_states: Any, n_trajectories: Any) -> Any:
    """Mean of a row's right probability after one sampled round: ``alpha' - (alpha' - alpha)(1 - J/M)^K``.

    Given a visit the row is unbiased; without one it keeps its old value.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.
    n_trajectories : int or sympy.Expr
        K >= 1.

    Returns
    -------
    numpy.ndarray
        Mean for each step, same shape as `delta`.

    Raises
    ------
    ValueError
        If an argument leaves its range or there is no step.

    Examples
    --------
    >>> mean_right_probability([0.5, 0.5], 2, 10).round(4).tolist()
    [0.8965, 0.8965]
    """
    delta, n_states, count = sampled_family(delta, n_states, n_trajectories)
    before = (1 + (n_states - 1) * delta) / n_states
    gain = (n_states - 1) * _family._improvement(delta, n_states) / n_states
    missed = np.asarray((1 - visit_probability(delta, n_states)) ** count)[..., None]
    return before + gain * (1 - missed)


def row_variance(delta: Any, n_states: Any) -> Any:
    """Asymptotic variance ``alpha_n'(1 - alpha_n')`` of sqrt(K J/M) times a row's empirical right probability.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    numpy.ndarray
        Variance for each step, in [0, 1/4], same shape as `delta`.

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Examples
    --------
    >>> row_variance([0.5, 0.5], 2).round(6).tolist()
    [0.09, 0.09]
    """
    delta, n_states = _steps.family(delta, n_states)
    alpha = (1 + (n_states - 1) * _family.update(delta, n_states)) / n_states
    return alpha * (1 - alpha)


def fluctuation_covariance(delta: Any, n_states: Any) -> Any:
    """Asymptotic covariance across steps of the state-averaged right probabilities, times K J.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1], with J > 0.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    numpy.ndarray
        Shape ``(..., N, N)``: ``alpha_n'(1-alpha_n')`` on the diagonal and ``alpha_n alpha_m A_nm/J -
        alpha_n' alpha_m'`` off it, ``A_nm = (1+(M-1) prod_{k != n,m} delta_k)/M``.

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, J = 0, or M is below 2.

    Notes
    -----
    Derived: a kept trajectory is right at both steps with probability ``alpha_n alpha_m A_nm / J``.
    Kept trajectories are bridges, not Markov paths, so steps are correlated; fully for N = 2.

    Examples
    --------
    >>> fluctuation_covariance([0.5] * 4, 3)[0, :2].round(4).tolist()
    [0.192, 0.0439]
    """
    delta, n_states = _steps.family(delta, n_states)
    alpha = (1 + (n_states - 1) * delta) / n_states
    correct = _steps.kept(delta, n_states)
    after = (1 + (n_states - 1) * _family.update(delta, n_states)) / n_states
    n_steps = delta.shape[-1]
    result = np.empty(delta.shape + (n_steps,), dtype=delta.dtype)
    for n in range(n_steps):
        result[..., n, n] = after[..., n] * (1 - after[..., n])
        for m in range(n):
            rest = _steps.product_of(delta, [k for k in range(n_steps) if k not in (n, m)])
            both = alpha[..., n] * alpha[..., m] * ((1 + (n_states - 1) * rest) / n_states) / correct
            result[..., n, m] = result[..., m, n] = both - after[..., n] * after[..., m]
    return result


def mean_accuracy_excess(delta: Any, n_states: Any, n_trajectories: Any) -> Any:
    """Excess of the mean accuracy after one sampled round over the map's, to order 1/K.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N >= 2 steps on the last axis, each in [-1/(M-1), 1], with J > 0.
    n_states : int or sympy.Expr
        M >= 2.
    n_trajectories : int or sympy.Expr
        K >= 1.

    Returns
    -------
    float, numpy.ndarray or exact
        ``(M^2/(K J)) sum_{n<m} E_kept[tr(.. E_n .. E_m ..)]/M``.

    Raises
    ------
    ValueError
        If an argument leaves its range, there is no step, or J = 0.

    Notes
    -----
    Derived: accuracy is multilinear in the tables, so its second-order change is the sum over pairs of
    steps of the product of their fluctuations; ``E_n`` holds, in the visited row, the observed
    successor minus T_n'. A row of ``E_n`` sums to zero, so the tables between contribute only the
    product of their deltas, and the kept law of the four states around the two steps is a cycle
    ``T_n B T_m Q`` of matrices of the family.

    Examples
    --------
    >>> round(mean_accuracy_excess([0.2, 0.4], 4, 400), 5)
    0.00957
    """
    delta, n_states, count = sampled_family(delta, n_states, n_trajectories)
    correct = _steps.kept(delta, n_states)
    after = _family.update(delta, n_states)
    n_steps = delta.shape[-1]

    def same(d: Any) -> Any:
        return (1 + (n_states - 1) * d) / n_states

    def other(d: Any) -> Any:
        return (1 - d) / n_states

    total = 0 * correct
    for n in range(n_steps):
        for m in range(n + 1, n_steps):
            between, outside = list(range(n + 1, m)), [k for k in range(n_steps) if k < n or k > m]
            b, q = _steps.product_of(delta, between), _steps.product_of(delta, outside)
            first, second = delta[..., n], delta[..., m]
            first_after, second_after = after[..., n], after[..., m]
            both = same(b) * same(q) * same(first * second)
            left = same(b) * (
                same(first) * same(second * q) * same(second_after)
                + (n_states - 1) * other(first) * other(second * q) * other(second_after)
            )
            right = same(q) * (
                same(first * b) * same(second) * same(first_after)
                + (n_states - 1) * other(first * b) * other(second) * other(first_after)
            )
            neither = same(first * b) * same(second * q) * same(first_after) * same(second_after) + (
                n_states - 1
            ) * other(first * b) * other(second * q) * other(first_after) * other(second_after)
            total = total + _steps.product_of(after, between) * _steps.product_of(after, outside) * (
                both - left - right + neither
            )
    return _steps.plain(np.asarray(n_states * total / (count * correct**2)))
