r"""Samples that the whole of post-training takes when the long share starts at d^-kappa.

A chain trained from zero on K right long answers errs at a token with a probability near rate d/K, so that whole
chains are right with probability :math:`R(K) = (1 - \mathrm{rate}\,d/K)^{d-1}`. While long answers are rare, a round
that keeps K of them leads to one that keeps :math:`K' = 2 R(K) K`: their odds double, and the new chain is right in a
share R of them. The map has one positive fixed point, where R = 1/2, and it repels: K grows from above it and vanishes
from below.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from theory._math import is_symbolic
from theory._validate import integer, real
from theory.linear_model import theorem_1_sample_sizes
from theory.post_training._finite import samples_per_round
from theory.post_training._refit import ridge_refit
from theory.post_training._rounds import rounds_to_generalise

__all__ = [
    "Cost",
    "chain_limited_odds",
    "chain_quality",
    "half_chain_sequences",
    "kept_chains_round",
    "published_cost",
    "samples_for_success",
    "total_cost",
]


def chain_quality(n_long: Any, d: Any, rate: Any = 1.25) -> Any:
    r"""Probability R(K) = (1 - rate d/K)^(d-1) that a chain trained from zero on K long answers is right throughout.

    Parameters
    ----------
    n_long : number or array
        K right long answers, in (0, inf).
    d : int or array of int
        Length of the prompt, an integer in [3, 100000].
    rate : number, optional
        Token error in units of d/K, in (0, inf); measured between 1 and 1.5 for 10 <= d <= 40.

    Returns
    -------
    number or array
        0 for K <= rate d.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    The noise-free perceptron rate d/K, whose constant is empirical; the power is that of d - 1 steps.

    Examples
    --------
    >>> round(chain_quality(700, 20), 3)
    0.501
    """
    many = real("n_long", n_long, 0, open_low=True)
    size = integer("d", d, 3, 100_000)
    error = real("rate", rate, 0, open_low=True) * size / many
    if is_symbolic(error):
        return (1 - error) ** (size - 1)
    right = np.maximum(1 - np.asarray(error, dtype=np.float64), 0.0) ** (np.asarray(size) - 1)
    return float(right) if right.ndim == 0 else right


def half_chain_sequences(d: Any, rate: Any = 1.25) -> Any:
    r"""Long answers rate d/(1 - 2^(-1/(d-1))) on which a chain trained from zero is right half of the time.

    Parameters
    ----------
    d : int, array of int or sympy.Expr
        Length of the prompt, an integer in [3, 100000].
    rate : number, optional
        Token error in units of d/K, in (0, inf); measured between 1 and 1.5 for 10 <= d <= 40.

    Returns
    -------
    number or array
        About rate d^2/ln 2.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    :func:`chain_quality` solved for R = 1/2: the repelling fixed point of :func:`kept_chains_round`.

    Examples
    --------
    >>> [round(half_chain_sequences(d)) for d in (10, 20, 40)]
    [169, 698, 2838]
    """
    size = integer("d", d, 3, 100_000)
    factor = real("rate", rate, 0, open_low=True)
    if is_symbolic(size):
        import sympy

        return factor * size / (1 - sympy.Integer(2) ** (-1 / (size - 1)))
    found = factor * size / -np.expm1(-math.log(2) / (np.asarray(size, dtype=np.float64) - 1))
    return float(found) if np.ndim(found) == 0 else found


def kept_chains_round(n_long: Any, d: Any, rate: Any = 1.25) -> Any:
    """Right long answers K' = 2 R(K) K that the next round keeps, while they are rare.

    Parameters
    ----------
    n_long : number or array
        K right long answers kept in this round, in (0, inf).
    d : int or array of int
        Length of the prompt, an integer in [3, 100000].
    rate : number, optional
        Token error in units of d/K, in (0, inf).

    Returns
    -------
    number or array
        More than K iff K exceeds :func:`half_chain_sequences`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here for rounds of a fixed number of samples, each retrained from zero, under r_cot.

    Examples
    --------
    >>> kept_chains_round(650, 20) < 650, kept_chains_round(750, 20) > 750
    (True, True)
    """
    many = real("n_long", n_long, 0, open_low=True)
    return 2 * chain_quality(many, d, rate) * many


class Cost(NamedTuple):
    """What a run needs.

    Attributes
    ----------
    n_rounds : int
        Rounds until greedy decoding generalises.
    against_extinction : float
        Samples a round that keep the long route, by the Galton-Watson law.
    for_the_chain : float
        Samples a round that retrain the chain from zero.
    total : float
        Rounds times the larger of the two.
    """

    n_rounds: int
    against_extinction: float
    for_the_chain: float
    total: float


def total_cost(d: int, kappa: Any, failure: Any = 0.05, long_sequences: Any = 2.0) -> Cost:
    r"""Rounds and samples for a long share that starts at p_0 = d^-kappa.

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [3, 100000].
    kappa : number
        Exponent, in [0, 8].
    failure : number, optional
        Accepted probability of extinction, in (0, 1].
    long_sequences : number, optional
        Kept long sequences that train the chain well enough, in units of d^2, in (0, inf); measured between 1.4 and 2
        for 10 <= d <= 40.

    Returns
    -------
    Cost
        The chain needs about long_sequences d^(kappa+2) samples a round, extinction only d^kappa ln(1/failure)/0.797.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, Theorem 2, ask for p_0 in Omega(d^-kappa); the counts are derived here, for a
    chain retrained from zero every round. Only the chain's need for data of order d^2 is empirical.

    Examples
    --------
    >>> cost = total_cost(10, 1)
    >>> cost.n_rounds, round(cost.against_extinction), round(cost.for_the_chain)
    (3, 37, 2000)
    """
    size, p = _start(d, kappa)
    f = real("failure", failure, 0, 1, open_low=True)
    many = real("long_sequences", long_sequences, 0, open_low=True)
    if any(isinstance(v, np.ndarray) or is_symbolic(v) for v in (f, many)):
        raise ValueError(f"failure and long_sequences must be single numbers, got {failure!r} and {long_sequences!r}")
    n = int(rounds_to_generalise(p))
    extinction = float(samples_per_round(p, float(f)))
    chain = float(many) * size**2 / p
    total = n * max(extinction, chain)
    if not math.isfinite(total):
        raise ValueError(f"long_sequences must be smaller, got {long_sequences!r}")
    return Cost(n, extinction, chain, total)


def _start(d: Any, kappa: Any) -> tuple[int, float]:
    """Length and p_0 = d^-kappa of one start."""
    size = integer("d", d, 3, 100_000)
    power = real("kappa", kappa, 0, 8)
    if not isinstance(size, int) or isinstance(power, np.ndarray) or is_symbolic(power):
        raise ValueError(f"kappa must be one number, and so must d, got {kappa!r} and {d!r}")
    return size, float(size) ** -float(power)


def published_cost(d: int, kappa: Any, failure: Any = 0.05) -> float:
    r"""Samples over all rounds that the published learning bounds ask for from p_0 = d^-kappa.

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [3, 100].
    kappa : number
        Exponent, in [0.5, 3], with p_0 below 3/4.
    failure : number, optional
        Failure probability over all rounds, in (0, 0.5].

    Returns
    -------
    float
        Rounds times :func:`theory.linear_model.theorem_1_sample_sizes` at error p_0/4: a polynomial in d of degree
        7 + 5 kappa, up to logarithms.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Tsilivis et al., arXiv 2510.11495, Theorem 2 from Theorem 1. With the error p_0/4 a round the worst case still grows
    (:func:`lower_envelope`: p_0 must exceed 2 epsilon). The first round's sizes are taken for all: a lower estimate of
    the bound where later rounds need more, and none of them less than a share of order one.

    Examples
    --------
    >>> published_cost(10, 1) > 1e14
    True
    """
    size, p = _start(d, kappa)
    integer("d", d, 3, 100)
    real("kappa", kappa, 0.5, 3)
    f = real("failure", failure, 0, 0.5, open_low=True)
    if isinstance(f, np.ndarray) or is_symbolic(f):
        raise ValueError(f"failure must be one number, got {failure!r}")
    n = max(1, int(rounds_to_generalise(p)))
    return float(n * theorem_1_sample_sizes(size, p, p / 4, float(f) / n, greedy=False).n_sequences)


def chain_limited_odds(
    d: int, p_0: Any, n_samples: Any, n_rounds: int, ridge: Any, rate: Any = 1.25
) -> tuple[float, ...]:
    r"""Odds c_n of going on, round by round, when chains are as good as the kept right chains make them.

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [3, 100000].
    p_0 : number
        Share of long answers of a calibrated start with an exact chain, in (0, 1).
    n_samples : number
        Answers drawn in every round, in [1, inf).
    n_rounds : int
        Rounds, an integer in [0, 1000].
    ridge : number
        lambda of the first two positions, in [1e-12, 1e12].
    rate : number, optional
        Token error in units of d/K, in (0, inf).

    Returns
    -------
    tuple of float
        c_0, ..., c_n.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the right chains of a round number K = N u(1-v+) R, the next chain has R = :func:`chain_quality` of K,
    and the heads move to the ridge optimum of the kept shares. Ridge raises small odds, so that the long route may
    grow though R < 1/2.

    Examples
    --------
    >>> [round(c, 2) for c in chain_limited_odds(20, 0.1, 50_000, 3, 1e-6)]
    [0.22, 0.44, 0.81, 1.53]
    """
    size, n = integer("d", d, 3, 100_000), integer("n_rounds", n_rounds, 0, 1000)
    p, many = real("p_0", p_0, 0, 1, open_low=True, open_high=True), real("n_samples", n_samples, 1)
    lam, factor = real("ridge", ridge, 1e-12, 1e12), real("rate", rate, 0, open_low=True)
    if not (isinstance(size, int) and isinstance(n, int)):
        raise ValueError(f"d and n_rounds must be single integers, got {d!r} and {n_rounds!r}")
    if any(isinstance(v, np.ndarray) or is_symbolic(v) for v in (p, many, lam, factor)):
        raise ValueError(f"p_0 must be one number, and so must the others, got {p_0!r}")
    p, many, lam, factor = float(p), float(many), float(lam), float(factor)
    u, stop, other, right = (1 + p) / 2, (1 - p) / (1 + p), 1.0, 1.0
    odds = [(1 - stop) / stop]
    for _ in range(n):
        long, agree, against = u * (1 - stop) * right, u * stop / 2, (1 - u) * other / 2
        kept = long + agree + against
        after = ridge_refit(
            (long + agree) / kept, agree / (long + agree), 1.0, [0.0], ridge_first=lam, ridge_stop=lam, ridge_chain=1.0
        )
        u, stop, other = float(after.first_token), float(after.stop_agree), float(after.stop_disagree)
        right = float(chain_quality(max(many * long, 1e-9), size, factor))
        odds.append((1 - stop) / stop)
    return tuple(odds)


def samples_for_success(d: int, p_0: Any, n_rounds: int, ridge: Any, rate: Any = 1.25) -> float:
    r"""Least samples a round with which the odds of :func:`chain_limited_odds` reach 1 within the rounds.

    Parameters
    ----------
    d : int
        Length of the prompt, an integer in [3, 100000].
    p_0 : number
        Share of long answers of a calibrated start with an exact chain, in (0, 1/3).
    n_rounds : int
        Rounds, an integer in [1, 1000], enough for an exact chain.
    ridge : number
        lambda of the first two positions, in [1e-12, 1e12].
    rate : number, optional
        Token error in units of d/K, in (0, inf).

    Returns
    -------
    float
        N, to a relative 1e-6; about K_1/2/p_0 for small ridges and many rounds. Infinite if no N does.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    By bisection; more samples are never worse.

    Examples
    --------
    >>> 0.9 < samples_for_success(20, 0.001, 40, 1e-9) * 0.001 / half_chain_sequences(20) < 1.1
    True
    """

    def enough(n: float) -> bool:
        return chain_limited_odds(d, p_0, n, n_rounds, ridge, rate)[-1] >= 1

    high = 1.0
    while not enough(high):
        high *= 4
        if high > 1e30:
            return math.inf
    low = high / 4
    while high / low > 1 + 1e-6:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
