"""The average of the linearised recursion of the 1/(lambda t) schedule: variance and memory.

Around the optimum a coordinate of curvature h obeys ``e' = (1 - (m+1)/t) e - xi/(lambda t)`` with
``m = h/lambda``. T times the variance of its average tends to ``F(m) S/h^2``, S the variance of the noise and
``F(m) = 1 - 2/(m+1) + 1/(2m+1)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory._validate import integer, real
from theory.linear_model._numbers import number, ridge_number

__all__ = [
    "asymptotic_variance",
    "averaging_factor",
    "linearised_average_memory",
    "linearised_average_variance",
    "linearised_average_variance_expansion",
]


def averaging_factor(m: Any) -> Any:
    r"""Factor F(m) = 1 - 2/(m + 1) + 1/(2m + 1) by which the 1/(lambda t) schedule shrinks the variance.

    Parameters
    ----------
    m : number or array
        Ratio of curvature to ridge, at least 0.

    Returns
    -------
    number or array
        F(m) in [0, 1), increasing, tending to 1 as m -> inf.

    Raises
    ------
    ValueError
        If `m` is negative.

    Notes
    -----
    Derived here. To first order the error e of an iterate obeys e_(t+1) = (1 - (m + 1)/t) e_t - xi_t/(lambda t),
    so the noise of step s enters the average with weight (1 - (s/T)^m)/(h T), h = lambda m, and
    F(m) = integral over [0, 1] of (1 - r^m)^2. Evaluated as the single fraction 2 m^2/((m + 1)(2m + 1)), which
    loses no digits at small m.

    Examples
    --------
    >>> from fractions import Fraction
    >>> averaging_factor(Fraction(1)), averaging_factor(0)
    (Fraction(1, 3), 0.0)
    """
    m = real("m", m, 0)
    return 2 * (m / (m + 1)) * (m / (2 * m + 1))


def asymptotic_variance(curvature: Any, gradient_variance: Any, ridge: Any) -> Any:
    r"""Limit of T Var of the averaged iterate in a direction: (S/h^2) F(h/lambda).

    Parameters
    ----------
    curvature : number or array
        Curvature h >= 0 of the loss, ridge not included, at the regularised optimum.
    gradient_variance : number or array
        Variance S >= 0 of the stochastic gradient along the direction, ridge included, there.
    ridge : number or array
        Ridge lambda > 0.

    Returns
    -------
    number or array
        2 S/((h + lambda)(2h + lambda)), the same expression with h cancelled; S/h^2 as lambda -> 0.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here, see :func:`averaging_factor`. A limit for T much larger than 1/lambda^2 (unit-size features):
    the first steps have size 1/lambda and leave a trace of order 1/(lambda T) in the average. Polyak and
    Juditsky's theorem asks for steps that decrease slower than 1/t and gives S/(h + lambda)^2.

    Examples
    --------
    >>> asymptotic_variance(0.25, 0.25, 1e-9) < 4
    True
    """
    h = real("curvature", curvature, 0)
    s = real("gradient_variance", gradient_variance, 0)
    ridge = real("ridge", ridge, 0, open_low=True)
    return 2 * s / (h + ridge) / (2 * h + ridge)


def linearised_average_variance(curvature: Any, gradient_variance: Any, ridge: Any, n_steps: Any) -> Any:
    r"""Variance at finite T of the averaged iterate of the linearised recursion, exactly.

    Parameters
    ----------
    curvature : float or array
        Curvature h >= 0 of the loss, ridge not included.
    gradient_variance : float or array
        Variance S >= 0 of the stochastic gradient, the same at every step.
    ridge : float or array
        Ridge lambda > 0.
    n_steps : int
        Number of iterates T >= 1.

    Returns
    -------
    float or array
        Var of the average of e_1, ..., e_T where e_1 is fixed and
        e_(t+1) = e_t - ((h + lambda) e_t + xi_t)/(lambda t); ``inf`` where it exceeds the largest double.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. With m = h/lambda and Q_s = product over k = s..T-1 of (1 - m/k) (Q_T = 1), the noise of step s
    enters the average with weight (1 - Q_s)/(h T), so the variance is (S/(h^2 T^2)) sum_s (1 - Q_s)^2. The code
    accumulates b_s = (1 - Q_s)/m = b_(s+1) + Q_(s+1)/s, which needs no subtraction for m <= 1 and covers m = 0.
    O(T) time, blocks of 65 536 steps. Times T it tends to :func:`asymptotic_variance`; what a simulation shows
    beyond this is the curvature of the loss, not the schedule.

    Examples
    --------
    >>> linearised_average_variance(0.0, 1.0, 1.0, 3)  # (1/2)^2 + (1/6)^2
    0.2777777777777778
    >>> 10**5 * linearised_average_variance(0.24, 0.24, 0.2, 10**5) / asymptotic_variance(0.24, 0.24, 0.2)
    1.000004583385346
    """
    h = number("curvature", curvature, 0)
    s = number("gradient_variance", gradient_variance, 0)
    lam = ridge_number("ridge", ridge)
    n_steps = integer("n_steps", n_steps, 1)
    if not isinstance(n_steps, int):
        raise ValueError(f"n_steps must be one integer in [1, inf), got {n_steps!r}")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        m = np.asarray(h / lam, dtype=np.float64)[..., None]
        product = np.ones_like(m)  # Q_(s+1), from s + 1 = T down
        weight = np.zeros_like(m)  # b_(s+1)
        total = np.zeros(m.shape[:-1])
        for top in range(n_steps - 1, 0, -65536):
            steps = np.arange(top, max(top - 65536, 0), -1, dtype=np.float64)
            factors = np.concatenate([product, 1 - m / steps], axis=-1)
            products = np.cumprod(factors, axis=-1)
            weights = weight + np.cumsum(products[..., :-1] / steps, axis=-1)
            total = total + np.sum(weights * weights, axis=-1)
            product, weight = products[..., -1:], weights[..., -1:]
        result = np.asarray(s * (total / lam) / lam / n_steps / n_steps)
    result = np.where(np.isfinite(result), result, np.inf)
    result = np.where(np.asarray(s) == 0, 0.0, result)
    return result if result.ndim else float(result)


def linearised_average_variance_expansion(curvature: Any, gradient_variance: Any, ridge: Any, n_steps: Any) -> Any:
    r"""First two terms of :func:`linearised_average_variance` in 1/T.

    Parameters
    ----------
    curvature, gradient_variance, ridge : number or array
        As in :func:`asymptotic_variance`, with curvature h > 0.
    n_steps : int or array of int
        Number of iterates T >= 1.

    Returns
    -------
    number or array
        (S/(h^2 T)) (F(m) + m/(2 (2m + 1) T)), m = h/lambda.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. The sum of Q_s is (T + m Q_1)/(m + 1) by telescoping s Q_s. Gamma-function asymptotics give
    Q_s = ((s - c)/(T - c))^m (1 + O(1/s^2)), c = (m + 1)/2, and Euler-Maclaurin's formula
    sum Q_s^2 = (T - c)/(2m + 1) + 1/2 + o(1). What is left out is O(T^(-1-m)) + O(1/T^2) inside the bracket, so
    for T much larger than m the finite T matters little: 1/(4T) at most.

    Examples
    --------
    >>> exact = linearised_average_variance(0.24, 0.24, 0.2, 1000)
    >>> abs(linearised_average_variance_expansion(0.24, 0.24, 0.2, 1000) / exact - 1) < 1e-5
    True
    """
    h = real("curvature", curvature, 0, open_low=True)
    s = real("gradient_variance", gradient_variance, 0)
    ridge = real("ridge", ridge, 0, open_low=True)
    n_steps = integer("n_steps", n_steps, 1)
    m = h / ridge
    return s / h**2 / n_steps * (averaging_factor(m) + m / (2 * (2 * m + 1) * n_steps))


def linearised_average_memory(curvature: Any, ridge: Any, n_steps: Any) -> Any:
    r"""Share of the initial error left in the averaged iterate of the linearised recursion.

    Parameters
    ----------
    curvature : float
        Curvature h >= 0 of the loss, ridge not included.
    ridge : float
        Ridge lambda > 0.
    n_steps : int
        Number of iterates T >= 1.

    Returns
    -------
    float
        Factor q such that the mean of the average of e_1, ..., e_T is q e_1.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here, by the same telescoping as :func:`linearised_average_variance`: the average of
    product over k < t of (1 - (m + 1)/k), t = 1..T, is (1/T) times the product over k = 1..T-1 of (1 - m/k),
    m = h/lambda, which decays like T^(-1-m).

    Examples
    --------
    >>> linearised_average_memory(0.5, 1.0, 3)
    0.125
    """
    h = number("curvature", curvature, 0)
    lam = ridge_number("ridge", ridge)
    n_steps = integer("n_steps", n_steps, 1)
    if isinstance(h, np.ndarray) or isinstance(lam, np.ndarray) or not isinstance(n_steps, int):
        raise ValueError(f"curvature, ridge and n_steps must be single numbers, got {h!r}, {lam!r} and {n_steps!r}")
    return float(np.prod(1 - (h / lam) / np.arange(1, n_steps))) / n_steps
