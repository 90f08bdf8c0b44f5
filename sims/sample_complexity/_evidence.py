r"""What successes say about a probability at any moment: martingales for Bernoulli draws, exact at every look.

Let S successes and F failures have been seen, one draw after the other. For any law w on [0, 1] the mixture
M(q) = int r^S (1-r)^F w(dr) / (q^S (1-q)^F) is a martingale of mean 1 where the draws have probability q. Hence
(Ville 1939) it ever reaches 1/alpha with probability at most alpha: an interval of all q with M(q) < 1/alpha covers the
truth at all times at once. If w lives below L, each factor r/L < (1-r)/(1-L) makes M(L) a supermartingale for every
probability of at least L too, and a mixture above L one for every probability below L: tests of "at least L" and of
"below L" that may stop at any moment. The law is an average of beta laws of mean L, wide to narrow, cut off at L, so
that gaps of every size are found about as fast as if they were known; the integrals are incomplete beta functions.

For several probabilities that do not decrease, the product of the whole-range mixtures over the largest likelihood that
any non-decreasing sequence reaches (isotonic regression) is at most the martingale at the truth: a value of 1/alpha or
more is evidence at level alpha that something decreases.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import special

from sims._validate import real
from sims.intervals import Interval

__all__ = ["confidence_sequence", "decreasing_evidence", "level_evidence"]


CONCENTRATIONS = (2.0, 20.0, 200.0, 2000.0)  # a + b of the beta laws, of standard deviation sqrt(L(1-L)/(a+b+1))


def _counts(successes: Any, runs: Any) -> tuple[np.ndarray, np.ndarray]:
    s, n = np.asarray(successes), np.asarray(runs)
    for name, array in (("successes", s), ("runs", n)):
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name} must be integers in [0, inf), got {array!r}")
    try:
        s, n = np.broadcast_arrays(s.astype(np.float64), n.astype(np.float64))
    except ValueError:
        raise ValueError(f"successes and runs must broadcast, got shapes {s.shape} and {n.shape}") from None
    if (s < 0).any() or (s > n).any():
        raise ValueError(f"successes must be integers in [0, runs], got {successes!r} of {runs!r}")
    return s, n - s


def _log(value: Any) -> Any:
    with np.errstate(divide="ignore"):
        return np.log(value)


def _log_mean(logs: np.ndarray) -> Any:
    """Log of the mean of exp along the last axis."""
    top = logs.max(axis=-1, keepdims=True)
    top = np.where(np.isinf(top), 0.0, top)
    return _log(np.exp(logs - top).mean(axis=-1)) + top[..., 0]


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def level_evidence(successes: Any, runs: Any, level: float) -> tuple[Any, Any]:
    """Logarithms of two test martingales: evidence for "below the level", and for "at least the level".

    Parameters
    ----------
    successes, runs : int or array of int
        Counts, 0 <= successes <= runs; they broadcast.
    level : float
        L, in (0, 1).

    Returns
    -------
    below, reached : float or array
        If the probability is at least L, `below` ever exceeds ln(1/alpha) with probability at most alpha, however
        often one looks; if it is below L, the same holds of `reached`. May be -inf.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Mixtures of likelihood ratios on either side of L, and the inequality of J. Ville (1939).

    Examples
    --------
    >>> [round(value, 3) for value in level_evidence(0, 4, 0.9)]
    [4.894, -0.9]
    """
    level = real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    s, f = _counts(successes, runs)
    laws = np.array(CONCENTRATIONS)
    a, b = laws * level, laws * (1 - level)
    more, less = s[..., None] + a, f[..., None] + b
    likelihood = s * math.log(level) + f * math.log1p(-level)
    ratio = special.betaln(more, less) - special.betaln(a, b) - likelihood[..., None]
    below, reached = (
        _log_mean(ratio + _log(integral(more, less, level)) - np.log(integral(a, b, level)))
        for integral in (special.betainc, special.betaincc)
    )
    return _plain(below), _plain(reached)


def _log_ratio(s: np.ndarray, f: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Log of the uniform mixture over the likelihood at q."""
    return np.asarray(special.betaln(s + 1, f + 1) - special.xlogy(s, q) - special.xlog1py(f, -q))


def confidence_sequence(successes: Any, runs: Any, alpha: float) -> Interval:
    """Enclose a probability at every moment at once: looking after each draw spends nothing.

    Parameters
    ----------
    successes, runs : int or array of int
        Counts so far, 0 <= successes <= runs; they broadcast.
    alpha : float
        Probability, in (0, 1), that the interval ever misses, over all sample sizes together.

    Returns
    -------
    Interval
        All q at which the uniform mixture is below 1/alpha times the likelihood.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    H. Robbins, Ann. Math. Statist. 41 (1970); wider than :func:`sims.intervals.clopper_pearson` at any one size, whose
    level holds for a single look.

    Examples
    --------
    >>> low, high = confidence_sequence(90, 100, 0.05)
    >>> round(low, 3), round(high, 3)
    (0.772, 0.971)
    """
    alpha = real("alpha", alpha, 0.0, 1.0, open_low=True, open_high=True)
    s, f = _counts(successes, runs)
    limit = -math.log(alpha)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = np.where(s + f > 0, s / np.maximum(s + f, 1), 0.5)
    ends = []
    for edge in (0.0, 1.0):
        inside, outside = centre.copy(), np.full(centre.shape, edge)
        for _ in range(60):  # M grows away from s/n on either side
            middle = 0.5 * (inside + outside)
            covered = _log_ratio(s, f, middle) < limit
            inside = np.where(covered, middle, inside)
            outside = np.where(covered, outside, middle)
        touches = (s == 0) if edge == 0.0 else (f == 0)
        ends.append(np.where(touches, edge, outside))  # the outer end, against rounding
    return Interval(_plain(ends[0]), _plain(ends[1]))


def _isotonic(s: Sequence[int], n: Sequence[int]) -> list[float]:
    """Non-decreasing probabilities of largest likelihood (pool adjacent violators)."""
    blocks: list[list[float]] = []
    for successes, runs in zip(s, n, strict=True):
        blocks.append([float(successes), float(runs), 1.0])
        while len(blocks) > 1 and blocks[-2][0] * blocks[-1][1] >= blocks[-1][0] * blocks[-2][1]:
            last = blocks.pop()
            blocks[-1] = [a + b for a, b in zip(blocks[-1], last, strict=True)]
    return [block[0] / block[1] for block in blocks for _ in range(int(block[2]))]


def decreasing_evidence(successes: Sequence[int], runs: Sequence[int]) -> float:
    """Evidence, as a natural logarithm, that a sequence of probabilities decreases somewhere.

    Parameters
    ----------
    successes, runs : sequence of int
        Counts in the order in which the probabilities should not decrease; 0 <= successes <= runs.

    Returns
    -------
    float
        If the probabilities do not decrease, this ever exceeds ln(1/alpha) with probability at most alpha, however
        counts were looked at and chosen.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    Universal inference (Wasserman, Ramdas and Balakrishnan, PNAS 117, 2020) with the mixture in the numerator.

    Examples
    --------
    >>> decreasing_evidence([1, 30], [30, 30]) < 0 < decreasing_evidence([30, 1], [30, 30])
    True
    """
    s, f = _counts(successes, runs)
    if s.ndim != 1:
        raise ValueError(f"successes must be a sequence of integers, got {successes!r}")
    shown = s + f > 0
    s, f = s[shown], f[shown]
    best = np.array(_isotonic([int(v) for v in s], [int(v) for v in s + f]))
    return float(_log_ratio(s, f, best).sum()) if len(s) else 0.0
