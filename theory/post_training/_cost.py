r"""Samples that the whole of post-training takes when the long share starts at d^-kappa."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from theory._math import is_symbolic
from theory._validate import integer, real
from theory.post_training._finite import samples_per_round
from theory.post_training._rounds import rounds_to_generalise

__all__ = ["Cost", "total_cost"]


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
    size = integer("d", d, 3, 100_000)
    power = real("kappa", kappa, 0, 8)
    f = real("failure", failure, 0, 1, open_low=True)
    many = real("long_sequences", long_sequences, 0, open_low=True)
    if not isinstance(size, int) or any(isinstance(v, np.ndarray) or is_symbolic(v) for v in (power, f, many)):
        raise ValueError(f"kappa must be one number, and so must d, failure and long_sequences, got {kappa!r}")
    p = float(size) ** -float(power)
    n = int(rounds_to_generalise(p))
    extinction = float(samples_per_round(p, float(f)))
    chain = float(many) * size**2 / p
    total = n * max(extinction, chain)
    if not math.isfinite(total):
        raise ValueError(f"long_sequences must be smaller, got {long_sequences!r}")
    return Cost(n, extinction, chain, total)
