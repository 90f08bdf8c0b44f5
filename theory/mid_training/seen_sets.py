r"""The set of task types that demonstrations show, and elimination for an arbitrary list of bad subsets.

With type probabilities p the set seen in n demonstrations has the law (Moebius inversion on the lattice of sets)

.. math:: \mu_n(S) = \sum_{R\subseteq S} (-1)^{|S\setminus R|}\, p(R)^n ,

and all bad subsets are gone iff the seen set meets the failed types of each. Inclusion and exclusion over the bad
subsets gives the same number by another way; following the set draw by draw gives its law without cancellation.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from theory.mid_training._inputs import law, masks, whole

__all__ = [
    "elimination_by_inclusion_exclusion",
    "elimination_by_seen_sets",
    "seen_set_law",
    "seen_set_law_chain",
]


def _seen(probabilities: Any, n_demonstrations: Any) -> tuple[np.ndarray, int]:
    p = law("probabilities", probabilities)
    if len(p) > 16:
        raise ValueError(f"probabilities must have at most 16 entries, got {len(p)}")
    return p, whole("n_demonstrations", n_demonstrations, 0, 10**5)


def seen_set_law(probabilities: Any, n_demonstrations: int) -> np.ndarray:
    r"""Return the law of the set of task types seen in n demonstrations, by Moebius inversion.

    Parameters
    ----------
    probabilities : sequence of float or Fraction
        Law of the task type, at most 16 types.
    n_demonstrations : int
        n in [0, 100000].

    Returns
    -------
    numpy.ndarray
        Shape (2**Y,); index S has bit y set iff type y is seen. Floats carry an absolute error of about ``2**Y`` units
        of 1e-16 (and may be slightly negative), Fractions none.

    Raises
    ------
    ValueError
        If `probabilities` is no law on 1..16 types or n is negative.

    Notes
    -----
    Cost ``Y 2**Y``. Moebius inversion on the lattice of subsets.

    Examples
    --------
    >>> from fractions import Fraction
    >>> seen_set_law([Fraction(1, 2), Fraction(1, 2)], 2).tolist()
    [Fraction(0, 1), Fraction(1, 4), Fraction(1, 4), Fraction(1, 2)]
    """
    p, n = _seen(probabilities, n_demonstrations)
    sums = p[:1] * 0
    for entry in p:
        sums = np.concatenate([sums, sums + entry])
    values = sums**n
    if n == 0:
        values = values * 0 + 1
    for y in range(len(p)):
        pairs = values.reshape(-1, 2, 2**y)
        pairs[:, 1] = pairs[:, 1] - pairs[:, 0]
    return values


def seen_set_law_chain(probabilities: Any, n_demonstrations: int) -> np.ndarray:
    """Return the law of :func:`seen_set_law` by following the seen set draw by draw.

    Parameters
    ----------
    probabilities, n_demonstrations
        As there.

    Returns
    -------
    numpy.ndarray
        Shape (2**Y,), no negative term and no cancellation; cost ``n Y 2**Y``.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> seen_set_law_chain([0.5, 0.5], 2).tolist()
    [0.0, 0.25, 0.25, 0.5]
    """
    p, n = _seen(probabilities, n_demonstrations)
    state = np.zeros(2 ** len(p), dtype=p.dtype)
    state[0] = p[0] * 0 + 1
    for _ in range(n):
        following = state * 0
        for y, entry in enumerate(p):
            old, new = state.reshape(-1, 2, 2**y), following.reshape(-1, 2, 2**y)
            new[:, 1] = new[:, 1] + entry * (old[:, 0] + old[:, 1])
        state = following
    return state


def elimination_by_seen_sets(probabilities: Any, failure_masks: Any, n_demonstrations: int) -> Any:
    """Return the probability that n demonstrations eliminate all listed subsets, from the law of the seen set.

    Parameters
    ----------
    probabilities : sequence of float or Fraction
        Law of the task type, at most 16 types.
    failure_masks : sequence of int
        For each bad subset the types it fails, as a bit mask.
    n_demonstrations : int
        n in [0, 100000].

    Returns
    -------
    float or Fraction
        P(the seen set meets every mask).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here; uses :func:`seen_set_law_chain` for floats and :func:`seen_set_law` for Fractions.

    Examples
    --------
    >>> from fractions import Fraction
    >>> elimination_by_seen_sets([Fraction(1, 2), Fraction(1, 2)], [1, 2], 2)
    Fraction(1, 2)
    """
    p, n = _seen(probabilities, n_demonstrations)
    fails = masks("failure_masks", failure_masks, len(p))
    weights = seen_set_law(p, n) if p.dtype == object else seen_set_law_chain(p, n)
    seen = np.arange(2 ** len(p))
    good = np.ones(len(seen), dtype=bool)
    for mask in set(fails):
        good &= (seen & mask) != 0
    total = weights[good].sum()
    return Fraction(total) if p.dtype == object else min(1.0, float(total))


def elimination_by_inclusion_exclusion(probabilities: Any, failure_masks: Any, n_demonstrations: int) -> Any:
    r"""Return the probability of :func:`elimination_by_seen_sets` by inclusion and exclusion over the bad subsets.

    Parameters
    ----------
    probabilities, failure_masks, n_demonstrations
        As there.

    Returns
    -------
    float or Fraction
        :math:`\sum_{W}(-1)^{|W|}P(\text{no subset of W fails})^n`; sets W with the same union of failed types are
        collected first, with integer signs, so that many bad subsets are no obstacle.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here; at most ``2**Y`` distinct unions.

    Examples
    --------
    >>> from fractions import Fraction
    >>> elimination_by_inclusion_exclusion([Fraction(1, 2), Fraction(1, 2)], [1, 2, 3], 2)
    Fraction(1, 2)
    """
    p, n = _seen(probabilities, n_demonstrations)
    fails = masks("failure_masks", failure_masks, len(p))
    signs = {0: 1}
    for mask in sorted(set(fails)):
        more = dict(signs)
        for union, sign in signs.items():
            more[union | mask] = more.get(union | mask, 0) - sign
        signs = {union: sign for union, sign in more.items() if sign}
    terms = []
    for union, sign in signs.items():
        kept = [p[y] for y in range(len(p)) if not union >> y & 1]
        base = sum(kept) if kept else p[0] * 0
        terms.append(sign * base**n if n else sign * (p[0] * 0 + 1))
    return sum(terms, Fraction(0)) if p.dtype == object else math.fsum(float(term) for term in terms)
