r"""The verifier: its errors and a length penalty, as factors on the odds of long answers.

The odds of going on after a first token that agrees with x_1 are multiplied by the ratio of the probabilities that a
long and a short answer are kept: 2 for the reward itself, since a short answer is right half of the time. Factors
compose.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theory._math import exp, is_symbolic
from theory._validate import integer, real

__all__ = [
    "critical_length_penalty",
    "go_on_factor",
    "verifier_factor",
    "wrong_share_of_kept_short",
]


def verifier_factor(false_negative: Any, false_positive: Any) -> Any:
    r"""Factor 2(1-mu)/(1-mu+nu) on the odds of long answers when the verifier errs.

    Parameters
    ----------
    false_negative : number or array
        mu, probability that a right answer is rejected, in [0, 1).
    false_positive : number or array
        nu, probability that a wrong answer is accepted, in [0, 1].

    Returns
    -------
    number or array
        The factor; above 1 iff 1 - mu > nu.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: long answers are kept with probability 1 - mu, short ones with (1 - mu + nu)/2.

    Examples
    --------
    >>> verifier_factor(0.0, 0.0), verifier_factor(0.25, 0.75)
    (2.0, 1.0)
    """
    mu = real("false_negative", false_negative, 0, 1, open_high=True)
    nu = real("false_positive", false_positive, 0, 1)
    return 2 * (1 - mu) / (1 - mu + nu)


def wrong_share_of_kept_short(false_negative: Any, false_positive: Any) -> Any:
    """Probability nu/(1-mu+nu) that a kept short answer is wrong.

    Parameters
    ----------
    false_negative : number or array
        mu in [0, 1).
    false_positive : number or array
        nu in [0, 1].

    Returns
    -------
    number or array
        The share; kept data is then no longer a D(q), which a linear predictor cannot tell.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Bayes' rule with right and wrong short answers equally frequent.

    Examples
    --------
    >>> wrong_share_of_kept_short(0.0, 0.25)
    0.2
    """
    mu = real("false_negative", false_negative, 0, 1, open_high=True)
    nu = real("false_positive", false_positive, 0, 1)
    return nu / (1 - mu + nu)


def critical_length_penalty(d: Any) -> Any:
    """Length penalty beta* = ln 2/(d-1) at which long answers stop gaining.

    Parameters
    ----------
    d : int, array of int or sympy.Expr
        Length of the prompt, at least 2.

    Returns
    -------
    float, array or sympy.Expr
        The beta with 2 exp(-beta (d-1)) = 1.

    Raises
    ------
    ValueError
        If `d` is no integer of at least 2.

    Notes
    -----
    Derived here from :func:`go_on_factor`.

    Examples
    --------
    >>> round(critical_length_penalty(21), 6)
    0.034657
    """
    d = integer("d", d, 2)
    if is_symbolic(d):
        import sympy

        return sympy.log(2) / (d - 1)
    return math.log(2) / (d - 1)


def go_on_factor(
    d: Any, length_penalty: Any = 0.0, false_negative: Any = 0.0, false_positive: Any = 0.0, chain_right: Any = 1.0
) -> Any:
    r"""Factor kappa = R 2(1-mu)/(1-mu+nu) e^(-beta (d-1)) of one round on the odds of going on.

    Parameters
    ----------
    d : int or array of int
        Length of the prompt, at least 2.
    length_penalty : number or array, optional
        beta in [0, inf): an answer of n tokens is kept with the further probability exp(-beta (n-1)).
    false_negative : number or array, optional
        mu in [0, 1).
    false_positive : number or array, optional
        nu in [0, 1]. With chain errors (R < 1) it must be 0.
    chain_right : number or array, optional
        R in [0, 1], probability that a sampled chain is right throughout.

    Returns
    -------
    number or array
        kappa, under the reward for whole answers.

    Raises
    ------
    ValueError
        If an argument leaves its range, or nu > 0 where R < 1.

    Notes
    -----
    Derived here: ratio of the probabilities that a long and a short answer are kept. A wrong chain accepted by the
    verifier would add nu (1-R)/(...) and leave wrong chains in the kept data, so the two are not combined.

    Examples
    --------
    >>> go_on_factor(10), round(go_on_factor(2, 0.1), 4)
    (2.0, 1.8097)
    """
    d = integer("d", d, 2)
    beta = real("length_penalty", length_penalty, 0)
    right = real("chain_right", chain_right, 0, 1)
    nu = real("false_positive", false_positive, 0, 1)
    factor = verifier_factor(false_negative, nu)
    if not is_symbolic(right) and not is_symbolic(nu) and np.any((np.asarray(right) < 1) & (np.asarray(nu) > 0)):
        raise ValueError(f"false_positive must be 0 where chain_right is below 1, got {false_positive!r}")
    free = isinstance(beta, float) and beta == 0.0
    return right * factor if free else right * factor * exp(-beta * (d - 1))
