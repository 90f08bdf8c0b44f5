r"""Keeping what the expert used: missing mass, its observable proxy, and noisy macro demonstrations.

Each demonstration shows the options its expert used, and the learner keeps the options seen. If a task needs one option
drawn from a law p, the value lost is the missing mass

.. math:: E\,\Delta = \sum_j p_j(1-p_j)^n \le \frac{k}{en}, \quad p(1-p)^n \le \frac{n^n}{(n+1)^{n+1}} \le \frac{1}{en},

with no logarithm of the library's size. If a goal is a string of L independent macros with weights w, the learner
covers it when all L are kept, and the coverage is :math:`E[W^L]` with W the kept weight.

Noisy text (macro world): a goal string of L macros, each tau tokens out of A, is demonstrated with every token replaced
by a uniform other one with probability eta. An aligned chunk x then has probability
:math:`\sum_j w_j(1-\eta)^{\tau-h_j(x)}(\eta/(A-1))^{h_j(x)}`, h the Hamming distance to macro j, and the learner keeps
the chunks counted at least c0 times.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from theory._validate import integer, real
from theory.mid_training._inputs import items, law, scalar, whole
from theory.mid_training.elimination import _poisson, unseen_law
from theory.mid_training.seen_sets import seen_set_law

__all__ = [
    "chunk_law",
    "covered_share",
    "footprint_count",
    "goal_coverage",
    "goal_coverage_textbook",
    "goal_coverage_uniform",
    "good_turing",
    "kept_strings",
    "macro_codes",
    "missing_mass",
    "missing_mass_bound",
    "missing_mass_extremal",
]


def missing_mass(probabilities: Any, n_demonstrations: int) -> Any:
    r"""Return the mean probability of the options that n demonstrations have not shown.

    Parameters
    ----------
    probabilities : sequence of float or Fraction
        Law of the option that a task needs.
    n_demonstrations : int
        n >= 0.

    Returns
    -------
    float or Fraction
        :math:`\sum_j p_j(1-p_j)^n`.

    Raises
    ------
    ValueError
        If `probabilities` is no law or n is negative.

    Notes
    -----
    Elementary; the value lost by keeping only the options seen.

    Examples
    --------
    >>> round(missing_mass([0.1] * 10, 40), 5)
    0.01478
    """
    p = law("probabilities", probabilities)
    n = whole("n_demonstrations", n_demonstrations, 0)
    total = (p * (1 - p) ** n).sum()
    return total if p.dtype == object else float(total)


def missing_mass_bound(n_options: Any, n_demonstrations: Any) -> Any:
    """Return the bound k/(e n) on the missing mass of any law on k options.

    Parameters
    ----------
    n_options : int, array_like of int or sympy.Expr
        k >= 1.
    n_demonstrations : int, array_like of int or sympy.Expr
        n >= 1.

    Returns
    -------
    float, numpy.ndarray or sympy.Expr
        k/(e n).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: p (1 - p)^n peaks at p = 1/(n + 1), where it is below 1/(e n).

    Examples
    --------
    >>> round(missing_mass_bound(10, 40), 4)
    0.092
    """
    k = integer("n_options", n_options, 1)
    n = integer("n_demonstrations", n_demonstrations, 1)
    if hasattr(k, "free_symbols") or hasattr(n, "free_symbols"):
        import sympy

        return k / (sympy.E * n)
    return k / (math.e * n)


def footprint_count(n_options: Any, tolerance: Any) -> Any:
    """Return a number of demonstrations after which the missing mass is at most eps on average.

    Parameters
    ----------
    n_options : int or array_like of int
        k >= 1.
    tolerance : float or array_like
        eps > 0.

    Returns
    -------
    float or numpy.ndarray
        k/(e eps), to be rounded up.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here from :func:`missing_mass_bound`.

    Examples
    --------
    >>> round(footprint_count(10, 0.1), 2)
    36.79
    """
    k = integer("n_options", n_options, 1)
    return k / (math.e * real("tolerance", tolerance, 0, open_low=True))


def missing_mass_extremal(n_options: int, n_demonstrations: int) -> np.ndarray:
    """Return a law whose missing mass nearly attains :func:`missing_mass_bound`.

    Parameters
    ----------
    n_options : int
        k >= 1.
    n_demonstrations : int
        n >= max(1, k - 2), so that the light options fit.

    Returns
    -------
    numpy.ndarray
        k - 1 options of probability 1/(n + 1), then one with the rest.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> round(missing_mass(missing_mass_extremal(10, 40), 40), 5)
    0.08175
    """
    k = whole("n_options", n_options, 1)
    n = whole("n_demonstrations", n_demonstrations, max(1, k - 2))
    p = np.full(k, 1.0 / (n + 1))
    p[-1] = (n + 2 - k) / (n + 1)
    return p


def good_turing(probabilities: Any, n_demonstrations: int) -> Any:
    r"""Return the mean share of demonstrations whose option was seen exactly once.

    Parameters
    ----------
    probabilities : sequence of float or Fraction
        Law of the option that a task needs.
    n_demonstrations : int
        n >= 1.

    Returns
    -------
    float or Fraction
        :math:`E[N_1]/n=\sum_j p_j(1-p_j)^{n-1}`, the missing mass after n - 1 demonstrations; observable, and at most
        1/n above :func:`missing_mass` at n.

    Raises
    ------
    ValueError
        If `probabilities` is no law or n < 1.

    Notes
    -----
    Good and Turing's estimator (Good, Biometrika 1953).

    Examples
    --------
    >>> good_turing([0.5, 0.5], 2)
    0.5
    """
    return missing_mass(probabilities, whole("n_demonstrations", n_demonstrations, 1) - 1)


def goal_coverage(
    weights: Any, goal_length: int, n_macros_seen: int, keep_count: int = 1, chunk_probabilities: Any = None
) -> float:
    r"""Return the probability that a fresh goal of L macros is covered by the macros counted often enough.

    Parameters
    ----------
    weights : sequence of float
        Law w of one macro of a fresh goal.
    goal_length : int
        L >= 1.
    n_macros_seen : int
        Number of demonstrated chunks (n demonstrations of L macros: n L), in [0, 5000].
    keep_count : int
        c0 >= 1: a macro is kept when at least c0 chunks equal it.
    chunk_probabilities : sequence of float, optional
        Probability that a chunk equals each macro, total at most one; `weights` by default (no noise).

    Returns
    -------
    float
        :math:`E[W^L]`, exactly: all terms are non-negative, so it is stable for large families.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. Given Poisson counts the macros are kept independently, and
    :math:`W^L = L!\,[t^L]\prod_{j\ \mathrm{kept}}e^{w_jt}`; conditioning the total count on n is one more power series
    variable, as in :func:`theory.mid_training.expected_product`. Cost ``K L^2 n^2`` with n the chunks.

    Examples
    --------
    >>> round(1 - goal_coverage([0.5, 0.5], 1, 1), 12)
    0.5
    """
    w = law("weights", weights).astype(np.float64)
    length = whole("goal_length", goal_length, 1)
    n = whole("n_macros_seen", n_macros_seen, 0, 5000)
    least = whole("keep_count", keep_count, 1)
    p = (
        w
        if chunk_probabilities is None
        else law("chunk_probabilities", chunk_probabilities, complete=False).astype(float)
    )
    if p.shape != w.shape:
        raise ValueError(f"chunk_probabilities must have the {w.size} entries of weights, got {p.size}")
    if n < least:
        return 0.0
    counts = np.arange(n + 1)
    # series[i] is a polynomial in the number of chunks, and i the power of t
    series = np.zeros((length + 1, n + 1))
    series[0] = _poisson(counts, n * max(0.0, 1.0 - float(p.sum())))
    for weight, probability in zip(w, p, strict=True):
        every = _poisson(counts, n * float(probability))
        kept = np.where(counts >= least, every, 0.0)
        fresh = np.empty_like(series)
        for i in range(length + 1):
            fresh[i] = np.convolve(series[i], every)[: n + 1]
            for j in range(i):
                fresh[i] += weight ** (i - j) / math.factorial(i - j) * np.convolve(series[j], kept)[: n + 1]
        series = fresh
    scale = math.factorial(length) / float(_poisson(counts, float(n))[n])
    return min(1.0, float(series[length, n]) * scale)


def goal_coverage_textbook(weights: Any, goal_length: int, n_macros_seen: int) -> Any:
    r"""Return :func:`goal_coverage` without noise and with c0 = 1 from the law of the seen set.

    Parameters
    ----------
    weights : sequence of float or Fraction
        At most 16 macros.
    goal_length, n_macros_seen : int
        As there.

    Returns
    -------
    float or Fraction
        :math:`\sum_S\mu_n(S)\,w(S)^L`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here, through :func:`theory.mid_training.seen_set_law`.

    Examples
    --------
    >>> from fractions import Fraction
    >>> goal_coverage_textbook([Fraction(1, 2), Fraction(1, 2)], 2, 2)
    Fraction(5, 8)
    """
    w = law("weights", weights)
    length = whole("goal_length", goal_length, 1)
    measure = seen_set_law(w, n_macros_seen)
    sums = w[:1] * 0
    for entry in w:
        sums = np.concatenate([sums, sums + entry])
    total = (measure * sums**length).sum()
    return total if w.dtype == object else float(total)


def goal_coverage_uniform(n_macros: int, goal_length: int, n_macros_seen: Any) -> Any:
    """Return :func:`goal_coverage` for equal weights, from the number of distinct macros seen.

    Parameters
    ----------
    n_macros : int
        K >= 1.
    goal_length : int
        L >= 1.
    n_macros_seen : int or array_like of int
        Number of demonstrated chunks, >= 0.

    Returns
    -------
    float or numpy.ndarray
        E[(D/K)^L], D the number of distinct macros, by the occupancy chain.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> goal_coverage_uniform(2, 2, 2)
    0.625
    """
    k = whole("n_macros", n_macros, 1)
    length = whole("goal_length", goal_length, 1)
    value = np.asarray(unseen_law(n_macros_seen, k, 1.0 / k) @ (np.arange(k, -1, -1) / k) ** length)
    return float(value) if value.ndim == 0 else value


def covered_share(kept: int, goals: Any, weights: Any) -> Any:
    """Return the probability that a task is solved by a set of options that must contain all it needs.

    Parameters
    ----------
    kept : int
        Bit mask of the kept options, >= 0.
    goals : sequence of int
        For each task the options it needs, as a bit mask.
    weights : sequence of float or Fraction
        Law of the task.

    Returns
    -------
    float or Fraction
        f(B) = sum of the weights of the goals inside B.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: f is monotone but not submodular. With one goal that needs two macros the second one brings more than
    the first, so greedy selection carries no guarantee.

    Examples
    --------
    >>> [covered_share(kept, [0b11], [1.0]) for kept in (0b00, 0b01, 0b10, 0b11)]
    [0.0, 0.0, 0.0, 1.0]
    """
    mask = whole("kept", kept, 0)
    needed = [whole("goals", goal, 0) for goal in items("goals", goals)]
    w = law("weights", weights)
    if len(w) != len(needed):
        raise ValueError(f"weights must have the {len(needed)} entries of goals, got {len(w)}")
    total = sum((weight for weight, goal in zip(w, needed, strict=True) if goal & ~mask == 0), start=w[0] * 0)
    return total if w.dtype == object else float(total)


def _macros(macros: Any, n_tokens: int) -> np.ndarray:
    if np.ndim(macros) != 2 or np.size(macros) == 0:
        raise ValueError(f"macros must be a table (macro, position) of tokens, got {macros!r}")
    return np.asarray(integer("macros", np.asarray(macros), 0, n_tokens - 1))


def macro_codes(macros: Any, n_tokens: int) -> np.ndarray:
    """Return the position of each macro in the list of all strings of its length.

    Parameters
    ----------
    macros : array_like of int
        Shape (K, tau), tokens below `n_tokens`.
    n_tokens : int
        A >= 2.

    Returns
    -------
    numpy.ndarray
        The strings read as numbers in base A, first token most significant.

    Raises
    ------
    ValueError
        If a token leaves its range.

    Notes
    -----
    A definition.

    Examples
    --------
    >>> macro_codes([[0, 1], [2, 0]], 3).tolist()
    [1, 6]
    """
    size = whole("n_tokens", n_tokens, 2)
    strings = _macros(macros, size)
    codes = np.zeros(len(strings), dtype=np.int64)
    for column in strings.T:
        codes = codes * size + column
    return codes


def chunk_law(macros: Any, weights: Any, n_tokens: int, noise: float) -> np.ndarray:
    """Return the probability of every string of length tau as an aligned chunk of a noisy demonstration.

    Parameters
    ----------
    macros : array_like of int
        Shape (K, tau).
    weights : sequence of float
        Law of the macro.
    n_tokens : int
        A >= 2.
    noise : float
        eta in [0, 1]: probability that a token is replaced by a uniform other one.

    Returns
    -------
    numpy.ndarray
        Shape (A**tau,), in the order of :func:`macro_codes`.

    Raises
    ------
    ValueError
        If an argument leaves its range, or A**tau exceeds 2**24.

    Notes
    -----
    Derived here: a product over positions, mixed over macros.

    Examples
    --------
    >>> [round(float(x), 3) for x in chunk_law([[0, 1]], [1.0], 2, 0.1)]
    [0.09, 0.81, 0.01, 0.09]
    """
    size = whole("n_tokens", n_tokens, 2)
    strings = _macros(macros, size)
    w = law("weights", weights).astype(np.float64)
    eta = scalar("noise", noise, 0, 1)
    if len(w) != len(strings):
        raise ValueError(f"weights must have the {len(strings)} entries of macros, got {len(w)}")
    if strings.shape[1] * math.log2(size) > 24:
        raise ValueError(f"macros must span at most 2**24 strings, got {size}**{strings.shape[1]}")
    total = np.zeros(size ** strings.shape[1])
    for weight, string in zip(w, strings, strict=True):
        row = np.ones(1)
        for token in string:
            position = np.full(size, eta / (size - 1))
            position[token] = 1.0 - eta
            row = np.multiply.outer(row, position).ravel()
        total += weight * row
    return total


def kept_strings(
    macros: Any, weights: Any, n_tokens: int, noise: float, n_chunks: int, keep_count: int
) -> tuple[float, float]:
    """Return the mean numbers of true macros and of junk strings that the counting rule keeps.

    Parameters
    ----------
    macros, weights, n_tokens, noise
        As in :func:`chunk_law`; the macros must be distinct.
    n_chunks : int
        Number of demonstrated chunks, >= 0.
    keep_count : int
        c0 >= 1.

    Returns
    -------
    true, junk : float
        Sums of the binomial tails P(Bin(n, p_x) >= c0) over the macros and over all other strings.

    Raises
    ------
    ValueError
        If an argument leaves its range or two macros are equal.

    Notes
    -----
    Derived here: each string's count is binomial, and means add.

    Examples
    --------
    >>> kept_strings([[0, 1], [1, 0]], [0.5, 0.5], 2, 0.0, 200, 1)
    (2.0, 0.0)
    """
    from scipy.stats import binom

    n = whole("n_chunks", n_chunks, 0)
    least = whole("keep_count", keep_count, 1)
    codes = macro_codes(macros, n_tokens)
    if len(set(codes.tolist())) != len(codes):
        raise ValueError(f"macros must be distinct, got codes {codes.tolist()}")
    tails = np.asarray(binom.sf(least - 1, n, np.minimum(chunk_law(macros, weights, n_tokens, noise), 1.0)))
    true = float(tails[codes].sum())
    tails[codes] = 0.0
    return true, float(tails.sum())
