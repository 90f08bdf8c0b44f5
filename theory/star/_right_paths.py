"""Right paths in the symmetric family: the share of kept trajectories that are right at every step.

A kept trajectory ends right, but errors may have cancelled on its way. The share without any error is
``R = prod_n alpha_n / J``; an iteration multiplies it by ``prod_n A_n / (J^(N-1) J')``, with
``A_n = (1 + (M-1) Pi_{-n})/M``, which is at least 1 for deltas in [0, 1].
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from theory import _math, _validate
from theory.star._family import update
from theory.star._steps import divide, family, others, plain, product, states

__all__ = [
    "guessing_right_path_share",
    "right_path_share",
    "right_path_share_gain",
    "wrong_path_rate",
    "wrong_path_share",
]


def right_path_share(delta: Any, n_states: Any) -> Any:
    """Share R of the kept trajectories that take every step right: ``prod_n alpha_n / J``.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        In [0, 1]; 0 where nothing is kept (J = 0).

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Notes
    -----
    R never falls for deltas in [0, 1]: ``d log R/d delta_n = (M-1)(1-Pi_{-n}) / [(1+(M-1)delta_n)
    (1+(M-1)Pi)] >= 0`` and the round raises every delta. Below guessing it can fall while J rises.
    That the share of wrong paths vanishes: arXiv 2410.23912; monotonicity derived here.

    Examples
    --------
    >>> right_path_share([Fraction(1, 2)] * 2, 2)
    Fraction(9, 10)
    """
    delta, n_states = family(delta, n_states)
    alpha = (1 + (n_states - 1) * delta) / n_states
    paths = np.asarray(product(alpha))
    return plain(divide(paths, np.asarray((1 + (n_states - 1) * product(delta)) / n_states), 0 * paths))


def wrong_path_share(delta: Any, n_states: Any) -> Any:
    """Share ``1 - R`` of the kept trajectories with an error on the way, a sum of positive terms.

    Follows the probabilities of being right without error, right after errors, and off the right
    state along the chain, so nothing cancels when all deltas are next to 1.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        ``1 - R``, in [0, 1]; 0 where nothing is kept (J = 0).

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Examples
    --------
    >>> wrong_path_share([Fraction(1, 2)] * 2, 2)
    Fraction(1, 10)
    """
    delta, n_states = family(delta, n_states)
    clean = np.ones_like(delta[..., 0])
    repaired = 0 * clean
    off = 0 * clean
    for step in range(delta.shape[-1]):
        alpha = (1 + (n_states - 1) * delta[..., step]) / n_states
        beta = (1 - delta[..., step]) / n_states
        repaired, off, clean = (
            repaired * alpha + off * beta,
            (clean + repaired) * ((n_states - 1) * beta) + off * (1 - beta),
            clean * alpha,
        )
    kept = np.asarray(clean + repaired)
    return plain(divide(np.asarray(repaired), kept, 0 * kept))


def right_path_share_gain(delta: Any, n_states: Any) -> Any:
    """Ratio R'/R of one round, ``prod_n A_n / (J^{N-1} J')`` with ``A_n = (1+(M-1)Pi_{-n})/M``.

    At least 1 for deltas in [0, 1]: see :func:`right_path_share`.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1], with J > 0.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        R'/R.

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, J = 0, or M is below 2.

    Examples
    --------
    >>> right_path_share_gain([Fraction(1, 2)] * 2, 2)
    Fraction(45, 41)
    """
    delta, n_states = family(delta, n_states)
    agreeing = (1 + (n_states - 1) * others(delta)) / n_states
    before = (1 + (n_states - 1) * product(delta)) / n_states
    after = (1 + (n_states - 1) * product(update(delta, n_states))) / n_states
    if np.any(np.asarray(before == 0, dtype=bool)):
        raise ValueError("delta must leave a positive accuracy, got J = 0")
    return plain(np.asarray(product(agreeing) / (before ** (delta.shape[-1] - 1) * after)))


def guessing_right_path_share(n_steps: int, n_states: Any) -> Any:
    """R of a model that guesses, ``M^(1-N)``, as a Fraction (or symbol).

    Parameters
    ----------
    n_steps : int
        N >= 1.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    Fraction or sympy.Expr
        ``M^(1-N)``.

    Raises
    ------
    ValueError
        If N is below 1 or M below 2.

    Examples
    --------
    >>> guessing_right_path_share(3, 8)
    Fraction(1, 64)
    """
    n_steps = _validate.integer("n_steps", n_steps, 1)
    n_states = states(n_states)
    return n_states ** (1 - n_steps) if _math.is_symbolic(n_states) else Fraction(1, n_states ** (n_steps - 1))


def wrong_path_rate(n_steps: int, n_states: Any) -> Any:
    """Coefficient of the end of the wrong paths, equal deltas: ``1 - R ~ C(N,2) (M-1)/M^2 (1-delta)^2``.

    Parameters
    ----------
    n_steps : int
        N >= 1.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    float or sympy.Expr
        ``C(N,2) (M-1)/M^2``.

    Raises
    ------
    ValueError
        If N is below 1 or M below 2.

    Examples
    --------
    >>> wrong_path_rate(3, 8) == 3 * 7 / 64
    True
    """
    n_steps = _validate.integer("n_steps", n_steps, 1)
    n_states = states(n_states)
    return n_steps * (n_steps - 1) / 2 * (n_states - 1) / n_states**2
