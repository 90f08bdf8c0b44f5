r"""What text cannot tell about skills: labels exchanged on some tokens only.

Latents are sticky (:mod:`theory.mid_training.knob`); latent k writes the next token from :math:`\pi(a\mid x,k)`, x the
token before. Take a set C of tokens and permute the labels of the latents on C alone: the new latent k uses the rows of
:math:`s(k)` where x is in C, its own elsewhere. The map that applies s to :math:`z_t` wherever the token before is in C
is a bijection of paths that keeps every emission, and the prior changes only where the text enters or leaves C, there
by a factor of at most :math:`e^c`. So for every text with N such crossings

.. math:: |\ln p'(a)-\ln p(a)|\le cN .

No text that stays on one side of C tells the two labellings apart. Where every skill is a permutation that maps C to
itself, only noise crosses, and without noise the two are the same law: skills are known at most up to a permutation of
their labels on every common orbit. A single long cycle leaves no such C. Derived here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theory._validate import integer, real
from theory.mid_training._inputs import items, table, whole
from theory.mid_training.knob import switch_penalty

__all__ = ["common_orbits", "equivalent_labellings", "relabelled", "relabelling_cost", "uncrossed_share"]


def _maps(value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.ndim != 2 or array.size == 0 or array.dtype.kind not in "iu":
        raise ValueError(f"maps must be permutations of 0..A-1, one row per skill, got {value!r}")
    if (np.sort(array, axis=1) != np.arange(array.shape[1])).any():
        raise ValueError(f"maps must be permutations of 0..A-1, one row per skill, got {value!r}")
    return array.astype(np.int64)


def common_orbits(maps: Any) -> list[list[int]]:
    """Return the smallest sets of tokens that every skill maps to themselves.

    Parameters
    ----------
    maps : array_like of int
        Shape (K, A): the image of every token under every skill, permutations of 0..A-1.

    Returns
    -------
    list of list of int
        A partition of the tokens, each part sorted, in the order of the least tokens.

    Raises
    ------
    ValueError
        If a row is no permutation.

    Notes
    -----
    Orbits of the group that the skills generate; the definition.

    Examples
    --------
    >>> common_orbits([[0, 2, 4, 6, 1, 3, 5], [0, 4, 1, 5, 2, 6, 3]])
    [[0], [1, 2, 4], [3, 5, 6]]
    >>> len(common_orbits([[1, 2, 3, 4, 0]]))
    1
    """
    images = _maps(maps)
    left, found = set(range(images.shape[1])), []
    while left:
        orbit, waiting = set(), [min(left)]
        while waiting:
            token = waiting.pop()
            if token not in orbit:
                orbit.add(token)
                waiting.extend(images[:, token].tolist())
        found.append(sorted(orbit))
        left -= orbit
    return found


def equivalent_labellings(maps: Any) -> int:
    """Return how many labellings of skills without noise give the same law of texts, global ones counted once.

    Parameters
    ----------
    maps : array_like of int
        Shape (K, A), permutations of 0..A-1.

    Returns
    -------
    int
        :math:`(K!)^{m-1}` for m common orbits; 1 if the skills have one orbit.

    Raises
    ------
    ValueError
        If a row is no permutation.

    Notes
    -----
    Derived here: labels may be permuted on every common orbit by itself. Labellings are counted, so skills that agree
    on an orbit are counted as if they differed there.

    Examples
    --------
    >>> equivalent_labellings([[0, 2, 4, 6, 1, 3, 5], [0, 4, 1, 5, 2, 6, 3]])
    4
    """
    return int(math.factorial(len(_maps(maps))) ** (len(common_orbits(maps)) - 1))


def relabelled(emissions: Any, tokens: Any, order: Any) -> np.ndarray:
    """Return emissions whose latents have permuted labels after some tokens.

    Parameters
    ----------
    emissions : array_like
        pi(a | x, z), shape (K, A, A) with index (latent, previous token, token), entries in [0, 1].
    tokens : sequence of int
        The set C, in [0, A - 1].
    order : sequence of int
        s, a permutation of 0..K-1: after tokens of C latent k writes as latent ``order[k]`` did.

    Returns
    -------
    numpy.ndarray
        Shape (K, A, A).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    A definition.

    Examples
    --------
    >>> relabelled([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], [1], [1, 0])[0].tolist()
    [[1.0, 0.0], [1.0, 0.0]]
    """
    pi = table("emissions", emissions, (None, None, None), 0.0, 1.0)
    chosen = sorted({whole("tokens", token, 0, pi.shape[1] - 1) for token in items("tokens", tokens)})
    permutation = [whole("order", label, 0, len(pi) - 1) for label in items("order", order)]
    if sorted(permutation) != list(range(len(pi))):
        raise ValueError(f"order must be a permutation of 0..{len(pi) - 1}, got {order!r}")
    found = pi.copy()
    found[:, chosen] = pi[permutation][:, chosen]
    return found


def relabelling_cost(n_crossings: Any, alpha: Any, n_latents: Any) -> Any:
    """Return a bound on what a text's log-likelihood changes when labels are permuted on a set of tokens.

    Parameters
    ----------
    n_crossings : int, array_like of int or sympy.Expr
        N >= 0: how often the token before enters or leaves the set, that is, how many of the consecutive pairs among
        :math:`a_0..a_{T-1}` have one token inside and one outside.
    alpha : float, array_like, Fraction, sympy.Expr or flint.arb
        Stickiness in [0, 1).
    n_latents : int, array_like of int or sympy.Expr
        K >= 1.

    Returns
    -------
    float, numpy.ndarray, sympy.Expr or flint.arb
        c N in nats, c the price of a switch. Attained: two permutations that differ everywhere, no noise, and a text
        that crosses once without a switch.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> round(relabelling_cost(2, 0.5, 2), 6)  # 2 ln 3
    2.197225
    """
    return integer("n_crossings", n_crossings, 0) * switch_penalty(alpha, n_latents)


def uncrossed_share(n_inside: Any, n_tokens: Any, noise: Any, n_steps: Any) -> Any:
    r"""Return the share of texts that cannot tell two labellings apart: those that stay on one side of a set.

    Parameters
    ----------
    n_inside : int, array_like of int or sympy.Expr
        :math:`|C|` in [0, A], a union of common orbits of the skills.
    n_tokens : int, array_like of int or sympy.Expr
        A >= 2.
    noise : float, array_like, Fraction, sympy.Expr or flint.arb
        eta in [0, 1]: probability that a token is replaced by a uniform other one.
    n_steps : int, array_like of int or sympy.Expr
        Consecutive pairs of tokens that are looked at, >= 0.

    Returns
    -------
    same kind as `noise`
        :math:`\frac{|C|}A(1-\eta\frac{A-|C|}{A-1})^n+\frac{A-|C|}A(1-\eta\frac{|C|}{A-1})^n`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the first token is uniform, and skills alone never leave the set.

    Examples
    --------
    >>> uncrossed_share(3, 7, 0.0, 50)
    1.0
    """
    size = integer("n_tokens", n_tokens, 2)
    inside = integer("n_inside", n_inside, 0)
    if not any(hasattr(x, "free_symbols") for x in (size, inside)) and np.any(np.asarray(inside) > np.asarray(size)):
        raise ValueError(f"n_inside must be an integer in [0, n_tokens], got {n_inside!r} with n_tokens {n_tokens!r}")
    eta = real("noise", noise, 0, 1)
    n = integer("n_steps", n_steps, 0)
    outside = size - inside
    leave, enter = eta * outside / (size - 1), eta * inside / (size - 1)
    return (inside * (1 - leave) ** n + outside * (1 - enter) ** n) / size
