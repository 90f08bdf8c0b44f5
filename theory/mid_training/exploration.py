r"""What it costs to find a goal: likelihood as exploration, and the time of policy gradient.

A policy that emits a goal string g with probability p(g) needs 1/p(g) episodes on average until the first success, so
:math:`E_g\ln E[T]=-E\ln p(g)` is the held-out negative log-likelihood of the goal solutions.

With a hard lock of L softmax decisions among b choices each, started uniformly, exact policy gradient moves the
probability x of the right choice (equal at all decisions) by :math:`\dot x=\frac{b}{b-1}\,x^{L+1}(1-x)^2`, whence

.. math:: t=\frac{b-1}{b}\int_{1/b}^{J^{1/L}}x^{-(L+1)}(1-x)^{-2}\,dx

until the goal is reached with probability J. Partial fractions give the integral in closed form: with m = L + 1,
:math:`\frac1{x^m(1-x)^2}=\sum_{j=1}^m\frac{m-j+1}{x^j}+\frac m{1-x}+\frac1{(1-x)^2}`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory._math import exp, expm1, log, log1p, sqrt
from theory._validate import integer, real
from theory.mid_training._inputs import whole

__all__ = [
    "bandit_flow_time",
    "bandit_flow_time_normalised",
    "first_success_mean",
    "flow_time",
    "log_episodes_uniform",
    "mean_log_episodes",
    "noise_penalty",
]


def first_success_mean(probability: Any) -> Any:
    """Return the mean number of episodes until the first success.

    Parameters
    ----------
    probability : float, array_like, Fraction, sympy.Expr or flint.arb
        p in (0, 1].

    Returns
    -------
    same kind
        1/p.

    Raises
    ------
    ValueError
        If `probability` leaves its range.

    Notes
    -----
    Mean of the geometric law.

    Examples
    --------
    >>> first_success_mean(0.25)
    4.0
    """
    return 1 / real("probability", probability, 0, 1, open_low=True)


def mean_log_episodes(log_probabilities: Any) -> float:
    """Return the mean logarithm of the expected number of episodes over goals.

    Parameters
    ----------
    log_probabilities : array_like
        ln p(g) <= 0 of each goal, equally likely.

    Returns
    -------
    float
        The mean of ``-ln p(g)``: the negative log-likelihood of the goals. ``E[1/p]`` is at least its exponential.

    Raises
    ------
    ValueError
        If there are no goals or a value is positive or infinite.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> import math
    >>> mean_log_episodes([math.log(0.5), math.log(0.125)]) == 2 * math.log(2)
    True
    """
    values = np.atleast_1d(np.asarray(real("log_probabilities", log_probabilities, high=0)))
    if values.size == 0:
        raise ValueError(f"log_probabilities must hold at least one value, got {log_probabilities!r}")
    return float(-values.mean())


def log_episodes_uniform(n_choices: Any, n_decisions: Any) -> Any:
    """Return the logarithm of the expected number of episodes of uniform exploration.

    Parameters
    ----------
    n_choices, n_decisions : int, array_like of int or sympy.Expr
        b >= 1 and L >= 1.

    Returns
    -------
    float, numpy.ndarray or sympy.Expr
        ``L ln b``.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Elementary. A next-token predictor with the full context and clean text gives each of K equally likely macros
    probability 1/K by the chain rule, hence the same value as K uniform macros.

    Examples
    --------
    >>> round(log_episodes_uniform(13, 12), 1), round(log_episodes_uniform(4, 3), 2)
    (30.8, 4.16)
    """
    b = integer("n_choices", n_choices, 1)
    return integer("n_decisions", n_decisions, 1) * log(b)


def noise_penalty(noise: Any, n_tokens: Any) -> Any:
    """Return how much noisy demonstrations lower the probability of a clean goal string, as a logarithm.

    Parameters
    ----------
    noise : float, array_like, Fraction, sympy.Expr or flint.arb
        eta in [0, 1): share of replaced tokens.
    n_tokens : int, array_like of int or sympy.Expr
        L tau >= 1.

    Returns
    -------
    same kind
        ``-L tau ln(1 - eta)``, which hard pruning saves.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> round(noise_penalty(0.05, 12), 4)
    0.6155
    """
    eta = real("noise", noise, 0, 1, open_high=True)
    return -log1p(-eta) * integer("n_tokens", n_tokens, 1)


def flow_time(n_choices: Any, n_decisions: int, target: Any = 0.95) -> Any:
    r"""Return the time of exact policy gradient on a lock, from the uniform policy to success probability `target`.

    Parameters
    ----------
    n_choices : int, array_like of int or sympy.Expr
        b >= 2.
    n_decisions : int
        L >= 1.
    target : float or array_like
        J in [b^-L, 1).

    Returns
    -------
    float, numpy.ndarray or sympy.Expr
        The integral of the module's head in closed form; about ``b**L / L`` for large b.

    Raises
    ------
    ValueError
        If an argument leaves its range or the target lies below the start.

    Notes
    -----
    Derived here. The terms are positive powers of 1/x between the two ends; cancellation costs relative accuracy only
    when the target is close to the start.

    Examples
    --------
    >>> [round(flow_time(b, L), 2) for b, L in ((4, 2), (6, 3), (3, 4))]
    [49.37, 168.36, 106.27]
    """
    b = integer("n_choices", n_choices, 2)
    length = whole("n_decisions", n_decisions, 1)
    level = real("target", target, 0, 1, open_low=True, open_high=True)
    symbolic = any(hasattr(x, "free_symbols") for x in (b, level))
    if not symbolic and np.any(np.asarray(b, dtype=np.float64) ** -length > np.asarray(level)):
        raise ValueError(f"target must be at least n_choices**-n_decisions, got {target!r}")
    m = length + 1
    if symbolic:
        from sympy import Rational, sympify

        b = sympify(b)
        end = level ** Rational(1, length)
    else:
        end = exp(log(level) / length)
    gap = -expm1(log(level) / length)  # 1 - end without cancellation
    low = 1 / b

    def powers(x: Any) -> Any:
        return sum((m - j + 1) * x ** (1 - j) / (j - 1) for j in range(2, m + 1))

    between = m * (log(end) - log(low)) - (powers(end) - powers(low))
    return (1 - low) * (between - m * (log(gap) - log(1 - low)) + 1 / gap - 1 / (1 - low))


def _arms(n_arms: Any, target: Any) -> tuple[Any, Any]:
    n = integer("n_arms", n_arms, 2)
    level = real("target", target, 0, 1, open_low=True, open_high=True)
    if not any(hasattr(x, "free_symbols") for x in (n, level)) and np.any(1 / np.asarray(n) > np.asarray(level)):
        raise ValueError(f"target must be at least 1/n_arms, got {target!r}")
    return n, level


def bandit_flow_time(n_arms: Any, target: Any = 0.95) -> Any:
    r"""Return the time of exact policy gradient on a bandit with one good arm.

    Parameters
    ----------
    n_arms : int, array_like of int or sympy.Expr
        n >= 2.
    target : float, array_like, sympy.Expr or flint.arb
        Probability of the good arm to be reached, in [1/n, 1).

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\frac{n-1}n[F(J)-F(1/n)]` with :math:`F(p)=2\ln\frac p{1-p}+\frac1{1-p}-\frac1p`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here; :func:`flow_time` with one decision.

    Examples
    --------
    >>> [round(bandit_flow_time(n), 2) for n in (4, 16, 64)]
    [22.28, 42.36, 94.6]
    """
    n, level = _arms(n_arms, target)

    def antiderivative(p: Any) -> Any:
        return 2 * (log(p) - log1p(-p)) + 1 / (1 - p) - 1 / p

    return (1 - 1 / n) * (antiderivative(level) - antiderivative(1 / n))


def bandit_flow_time_normalised(n_arms: Any, target: Any = 0.95) -> Any:
    r"""Return the time of policy gradient with advantages divided by the reward's standard deviation.

    Parameters
    ----------
    n_arms, target
        As in :func:`bandit_flow_time`.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        :math:`\frac{n-1}n[G(J)-G(1/n)]` with :math:`G(p)=2(2p-1)/\sqrt{p(1-p)}`; grows like 2 sqrt(n), not like n.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the flow of :func:`bandit_flow_time` divided by sqrt(p (1 - p)).

    Examples
    --------
    >>> [round(bandit_flow_time_normalised(n), 2) for n in (4, 16, 64)]
    [7.93, 14.52, 23.51]
    """
    n, level = _arms(n_arms, target)

    def antiderivative(p: Any) -> Any:
        return 2 * (2 * p - 1) / sqrt(p * (1 - p))

    return (1 - 1 / n) * (antiderivative(level) - antiderivative(1 / n))
