r"""Exact probabilities that demonstrations eliminate every bad subset, for four families, small or large.

What matters about n demonstrations is which task types they show. Inclusion and exclusion gives alternating sums that
lose digits in floating point; beside each stands a form with non-negative terms only:

* the occupancy chain for types of equal probability q (from s seen types to s + 1 with probability (d - s) q);
* the convolution of Poisson weights for unequal ones: counts of n draws are independent Poisson variables given their
  total.

:mod:`theory.mid_training.seen_sets` treats an arbitrary list of bad subsets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from theory._math import is_symbolic
from theory._validate import integer, real
from theory.mid_training._inputs import law, scalar, whole

__all__ = [
    "all_seen_probability",
    "all_seen_probability_textbook",
    "any_learner_failure",
    "block_survival_probability",
    "block_survival_probability_textbook",
    "elimination_probability",
    "elimination_probability_independent",
    "elimination_probability_textbook",
    "elimination_probability_typed",
    "expected_product",
    "smallest_demonstrations",
    "unseen_law",
]

SLACK = 1e-12  # d q may exceed one by this much: q = 1/d is rarely a float


def _types(n_types: Any, type_probability: Any) -> tuple[int, Any]:
    d = whole("n_types", n_types, 1, 10**5)
    q = real("type_probability", type_probability, 0, 1)
    if _too_likely(d, q):
        raise ValueError(f"type_probability must be one number in [0, 1/n_types], got {type_probability!r}")
    return d, q


def _too_likely(n_types: int, probability: Any) -> bool:
    """Whether so many types of this probability certainly exceed one; an open symbol passes."""
    if isinstance(probability, np.ndarray):
        return True
    if is_symbolic(probability) and probability.free_symbols:
        return False
    return bool(n_types * probability > (1 if isinstance(probability, Fraction) else 1 + SLACK))


def unseen_law(n_demonstrations: Any, n_types: int, type_probability: Any) -> np.ndarray:
    """Return the law of the number of light task types that n demonstrations have not shown.

    Parameters
    ----------
    n_demonstrations : int or array_like of int
        n in [0, 10000000].
    n_types : int
        d in [1, 100000], light types.
    type_probability : float, Fraction, sympy.Expr or flint.arb
        q of each light type, d q <= 1; the rest of the tasks shows no light type.

    Returns
    -------
    numpy.ndarray
        Shape ``shape(n) + (d + 1,)``; the last index is the number u of unseen types. ``float64`` for a float q (every
        entry to a relative error of about (n + d) units in the last place: no term is negative), else ``object``.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: the number of seen types is a pure birth chain. Cost ``max(n) * d``.

    Examples
    --------
    >>> from fractions import Fraction
    >>> unseen_law(2, 2, Fraction(1, 2)).tolist()
    [Fraction(1, 2), Fraction(1, 2), Fraction(0, 1)]
    """
    n = integer("n_demonstrations", n_demonstrations, 0, 10**7)
    d, q = _types(n_types, type_probability)
    wanted = np.atleast_1d(np.asarray(n, dtype=np.int64))
    exact = not isinstance(q, float)
    one = q * 0 + 1
    state = np.zeros(d + 1, dtype=object if exact else np.float64)
    if exact:
        state[:] = [q * 0] * (d + 1)
    state[d] = one
    advance = np.array([u * q for u in range(d + 1)], dtype=state.dtype)
    stay = np.array([1 - u * q for u in range(d + 1)], dtype=state.dtype)
    if not exact:
        stay = np.maximum(stay, 0.0)
    out = np.empty((wanted.size, d + 1), dtype=state.dtype)
    order = np.argsort(wanted, kind="stable")
    step = 0
    for row in order:
        while step < wanted[row]:
            leaving = advance * state
            state = stay * state
            state[:-1] = state[:-1] + leaving[1:]
            step += 1
        out[row] = state
    return out.reshape((*np.shape(n), d + 1))


def elimination_probability(n_kept: int, failure_rate: Any, n_demonstrations: Any) -> Any:
    r"""Return the probability that all bad subsets are eliminated in the coupon family.

    There are k task types of probability sigma each; type j is solved by option j alone, and the other tasks by every
    option. A k-subset other than the first k options misses a type and is bad, so the event is that all k types are
    seen.

    Parameters
    ----------
    n_kept : int
        k >= 1.
    failure_rate : float, Fraction, sympy.Expr or flint.arb
        sigma in [0, 1/k].
    n_demonstrations : int or array_like of int
        n >= 0.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        The probability, by the occupancy chain (stable for any k and n).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here. The number of options m > k does not matter.

    Examples
    --------
    >>> round(elimination_probability(5, 0.08, 60), 5)
    0.96669
    """
    probability = unseen_law(n_demonstrations, integer("n_kept", n_kept, 1), _coupon_rate(n_kept, failure_rate))[..., 0]
    return probability.item() if np.ndim(probability) == 0 and hasattr(probability, "item") else probability


def _coupon_rate(n_kept: int, failure_rate: Any) -> Any:
    sigma = real("failure_rate", failure_rate, 0, 1)
    if _too_likely(n_kept, sigma):
        raise ValueError(f"failure_rate must be one number in [0, 1/n_kept], got {failure_rate!r}")
    return sigma


def elimination_probability_textbook(n_kept: int, failure_rate: Any, n_demonstrations: int) -> Any:
    r"""Return the probability of :func:`elimination_probability` as an alternating sum.

    Parameters
    ----------
    n_kept, failure_rate, n_demonstrations
        As in :func:`elimination_probability`, n a single integer (or a symbol).

    Returns
    -------
    float, Fraction, sympy.Expr or flint.arb
        :math:`\sum_{i=0}^k(-1)^i\binom ki(1-i\sigma)^n`. Floats lose all digits once the largest term passes 1e16.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Inclusion and exclusion over the unseen types.

    Examples
    --------
    >>> from fractions import Fraction
    >>> elimination_probability_textbook(2, Fraction(1, 2), 3)
    Fraction(3, 4)
    """
    k = whole("n_kept", n_kept, 1)
    sigma = _coupon_rate(k, failure_rate)
    n = integer("n_demonstrations", n_demonstrations, 0)
    return sum((-1) ** i * math.comb(k, i) * (1 - i * sigma) ** n for i in range(k + 1))


def expected_product(n_draws: int, probabilities: Any, factor: Callable[[np.ndarray], np.ndarray]) -> float:
    r"""Return the mean of a product of functions of multinomial counts.

    Parameters
    ----------
    n_draws : int
        n in [0, 20000], independent draws.
    probabilities : sequence of float
        Probabilities p_1..p_k of the categories that count, with total at most one.
    factor : callable
        Non-negative f, applied to the array 0..n of counts.

    Returns
    -------
    float
        :math:`E\prod_i f(N_i)` for N multinomial (n, p). No cancellation: all terms are non-negative.

    Raises
    ------
    ValueError
        If the probabilities are no such vector, or `factor` returns a negative or non-finite number.

    Notes
    -----
    Derived here: with independent Poisson counts of means ``n p_i`` the multinomial law is the law given the total n,
    so the mean is a coefficient of a product of power series over the Poisson probability of n. Equal probabilities
    share one series raised by squaring. Cost ``O(n^2 log k)`` for equal, ``O(n^2 k)`` for unequal ones.

    Examples
    --------
    >>> round(expected_product(2, [0.5, 0.5], lambda count: count > 0), 12)
    0.5
    """
    n = whole("n_draws", n_draws, 0, 20_000)
    p = law("probabilities", probabilities, complete=False).astype(np.float64)
    counts = np.arange(n + 1)
    if not callable(factor):
        raise ValueError(f"factor must be callable, got {factor!r}")
    values = np.asarray(factor(counts), dtype=np.float64)
    if values.shape != counts.shape or not np.isfinite(values).all() or (values < 0).any():
        raise ValueError(f"factor must map the counts 0..{n} to finite non-negative numbers, got {values!r}")
    if n == 0:
        return float(values[0] ** len(p))
    total = _poisson(counts, n * max(0.0, 1.0 - float(p.sum())))
    for probability, multiplicity in zip(*np.unique(p, return_counts=True), strict=True):
        series = _poisson(counts, n * float(probability)) * values
        total = np.convolve(total, _power(series, int(multiplicity)))[: n + 1]
    return float(total[n] / _poisson(counts, float(n))[n])


def _poisson(counts: np.ndarray, mean: float) -> np.ndarray:
    from scipy.special import gammaln, xlogy

    return np.asarray(np.exp(xlogy(counts, mean) - mean - gammaln(counts + 1)))


def _power(series: np.ndarray, exponent: int) -> np.ndarray:
    """Truncated power of a series by repeated squaring."""
    result = np.zeros_like(series)
    result[0] = 1.0
    while True:
        if exponent % 2:
            result = np.convolve(result, series)[: len(series)]
        exponent //= 2
        if exponent == 0:
            return result
        series = np.convolve(series, series)[: len(series)]


def all_seen_probability(probabilities: Any, n_demonstrations: int) -> float:
    """Return the probability that n demonstrations show every listed type.

    Parameters
    ----------
    probabilities : sequence of float
        Type probabilities, total at most one.
    n_demonstrations : int
        n >= 0.

    Returns
    -------
    float
        Through :func:`expected_product`, for any number of types.

    Raises
    ------
    ValueError
        If the probabilities are no such vector or n is negative.

    Notes
    -----
    Derived here: the coupon family with unequal types.

    Examples
    --------
    >>> round(all_seen_probability([0.5, 0.25], 2), 12)
    0.25
    """
    return min(1.0, expected_product(n_demonstrations, probabilities, lambda count: count > 0))


def all_seen_probability_textbook(probabilities: Any, n_demonstrations: int) -> Any:
    r"""Return the probability of :func:`all_seen_probability` by inclusion and exclusion.

    Parameters
    ----------
    probabilities : sequence of float or Fraction
        At most 20 types, total at most one.
    n_demonstrations : int
        n >= 0.

    Returns
    -------
    float or Fraction
        :math:`\sum_S (-1)^{|S|}(1-p(S))^n`, ``2**k`` terms.

    Raises
    ------
    ValueError
        If there are more than 20 types, or an argument leaves its range.

    Notes
    -----
    Inclusion and exclusion.

    Examples
    --------
    >>> from fractions import Fraction
    >>> all_seen_probability_textbook([Fraction(1, 2), Fraction(1, 4)], 2)
    Fraction(1, 4)
    """
    p = law("probabilities", probabilities, complete=False)
    n = integer("n_demonstrations", n_demonstrations, 0)
    if len(p) > 20:
        raise ValueError(f"probabilities must have at most 20 entries for the textbook sum, got {len(p)}")
    sums, signs = np.zeros(1, dtype=p.dtype), np.ones(1, dtype=np.int64)
    for entry in p:
        sums, signs = np.concatenate([sums, sums + entry]), np.concatenate([signs, -signs])
    total = (signs * (1 - sums) ** n).sum()
    return total if p.dtype == object else float(total)


def elimination_probability_independent(n_options: Any, failure_rate: Any, n_demonstrations: Any) -> Any:
    r"""Return the probability that only the good option is left when all others fail independently.

    Parameters
    ----------
    n_options : int, array_like of int or sympy.Expr
        m >= 1: one option that always solves and m - 1 that fail each task independently.
    failure_rate : float, array_like, Fraction, sympy.Expr or flint.arb
        sigma in (0, 1).
    n_demonstrations : int, array_like of int or sympy.Expr
        n >= 0.

    Returns
    -------
    same kind as `failure_rate`
        :math:`(1-(1-\sigma)^n)^{m-1}`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here; the union bound is nearly an equality on this family.

    Examples
    --------
    >>> round(elimination_probability_independent(50, 0.1, 50), 4)
    0.7763
    """
    m = integer("n_options", n_options, 1)
    sigma = real("failure_rate", failure_rate, 0, 1, open_low=True, open_high=True)
    n = integer("n_demonstrations", n_demonstrations, 0)
    return (1 - (1 - sigma) ** n) ** (m - 1)


def _blocks(n_types: Any, type_probability: Any, threshold: Any) -> tuple[int, Any, int]:
    d, q = _types(n_types, type_probability)
    return d, q, integer("threshold", threshold, 1, d)


def block_survival_probability(n_types: int, type_probability: Any, threshold: int, n_demonstrations: Any) -> Any:
    r"""Return the probability that a bad subset survives in the bit-block family.

    The options form k blocks of :math:`2^L`; the :math:`d = kL` light types (i, l) are solved by option v of block i
    iff bit l of v is one. One option per block with all bits one solves everything. A subset is bad when it fails
    F light types, so a bad subset survives iff at least F types are unseen.

    Parameters
    ----------
    n_types : int
        d >= 1.
    type_probability : float, Fraction, sympy.Expr or flint.arb
        q in [0, 1/d]; the failure rate of a bad subset is at least sigma = F q.
    threshold : int
        F in [1, d].
    n_demonstrations : int or array_like of int
        n >= 0.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        P(U >= F), U the number of unseen types, by the occupancy chain: accurate also where it is tiny.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here.

    Examples
    --------
    >>> round(1 - block_survival_probability(4, 0.15, 2, 12), 5)
    0.92303
    """
    d, q, f = _blocks(n_types, type_probability, threshold)
    tail = unseen_law(n_demonstrations, d, q)[..., f:].sum(axis=-1)
    return tail.item() if isinstance(tail, (np.floating, np.ndarray)) and np.ndim(tail) == 0 else tail


def block_survival_probability_textbook(
    n_types: int, type_probability: Any, threshold: int, n_demonstrations: int
) -> Any:
    r"""Return the probability of :func:`block_survival_probability` as an alternating sum.

    Parameters
    ----------
    n_types, type_probability, threshold, n_demonstrations
        As there, n a single integer.

    Returns
    -------
    float, Fraction, sympy.Expr or flint.arb
        :math:`\sum_{j=F}^d(-1)^{j-F}\binom{j-1}{F-1}\binom dj(1-jq)^n`; in floats useful up to d of about 30.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Inclusion and exclusion for "at least F of d events".

    Examples
    --------
    >>> from fractions import Fraction
    >>> block_survival_probability_textbook(2, Fraction(1, 2), 1, 2)
    Fraction(1, 2)
    """
    d, q, f = _blocks(n_types, type_probability, threshold)
    n = integer("n_demonstrations", n_demonstrations, 0)
    terms = ((-1) ** (j - f) * math.comb(j - 1, f - 1) * math.comb(d, j) * (1 - j * q) ** n for j in range(f, d + 1))
    return sum(terms)


def any_learner_failure(n_types: int, type_probability: float, threshold: int, n_demonstrations: Any) -> Any:
    """Return the probability that every learner outputs a bad subset when the good options are planted at random.

    Parameters
    ----------
    n_types, type_probability, threshold, n_demonstrations
        As in :func:`block_survival_probability`, with a float probability.

    Returns
    -------
    float or numpy.ndarray
        P(Bin(U, 1/2) >= F) for the number U of unseen types, a lower bound for any rule that outputs one option a
        block.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: with uniformly planted bits, the bits of unseen types are fair coins given the demonstrations.

    Examples
    --------
    >>> [round(any_learner_failure(40, 0.15 / 7, 7, n), 2) for n in (40, 50, 80)]
    [0.79, 0.54, 0.04]
    """
    from scipy.stats import binom

    d, q, f = _blocks(n_types, type_probability, threshold)
    tails = binom.sf(f - 1, np.arange(d + 1), 0.5)
    value = np.asarray(unseen_law(n_demonstrations, d, float(q)) @ tails)
    return float(value) if value.ndim == 0 else value


def elimination_probability_typed(
    n_blocks: int, block_size: int, type_failure_rate: float, n_demonstrations: int
) -> float:
    r"""Return the probability that only the good options are left when options fail one task type each.

    A task's type is uniform on k blocks of b options; a wrong option of block i fails a task of type i independently
    with probability rho, and tasks of other types never.

    Parameters
    ----------
    n_blocks, block_size : int
        k >= 1 and b >= 1.
    type_failure_rate : float
        rho in (0, 1); the failure rate of a subset with one wrong option is rho/k.
    n_demonstrations : int
        n >= 0.

    Returns
    -------
    float
        :math:`E\prod_i(1-(1-\rho)^{N_i})^{b-1}` with N multinomial.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here, through :func:`expected_product`.

    Examples
    --------
    >>> elimination_probability_typed(16, 16, 0.5, 240) < 0.9 <= elimination_probability_typed(16, 16, 0.5, 241)
    True
    """
    k = whole("n_blocks", n_blocks, 1)
    b = whole("block_size", block_size, 1)
    rho = scalar("type_failure_rate", type_failure_rate, 0, 1, open_low=True, open_high=True)
    n = integer("n_demonstrations", n_demonstrations, 0)
    factor = lambda count: (-np.expm1(count * math.log1p(-rho))) ** (b - 1)  # noqa: E731
    return min(1.0, expected_product(n, [1 / k] * k, factor))


def smallest_demonstrations(success: Callable[[int], float], level: float, largest: int = 10**9) -> int:
    """Return the smallest number of demonstrations at which a non-decreasing probability reaches `level`.

    Parameters
    ----------
    success : callable
        n -> probability, non-decreasing in n.
    level : float
        1 - delta in (0, 1].
    largest : int
        Where the search gives up, >= 1.

    Returns
    -------
    int
        n*, by doubling and bisection.

    Raises
    ------
    ValueError
        If an argument leaves its range, or the level is not reached by `largest`.

    Notes
    -----
    A definition.

    Examples
    --------
    >>> smallest_demonstrations(lambda n: 1 - 0.9**n, 0.9)
    22
    """
    level = scalar("level", level, 0, 1, open_low=True)
    largest = whole("largest", largest, 1)
    if not callable(success):
        raise ValueError(f"success must be callable, got {success!r}")
    if success(0) >= level:
        return 0
    low, high = 0, 1
    while success(high) < level:
        if high >= largest:
            raise ValueError(
                f"level must be reached by n = {largest}, got {level!r} with probability {success(high)!r} there"
            )
        low, high = high, min(2 * high, largest)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if success(middle) >= level else (middle, high)
    return high
