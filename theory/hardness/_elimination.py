r"""How many labelled prompts determine a parity: Gaussian elimination over GF(2).

A sign -1 is a 1 of GF(2), a label chi_S(x) = -1 the inner product of the prompt with the indicator of S. N labelled
prompts are N linear equations in d unknowns with uniform rows. Their rank r has the law of a uniform N x d matrix,

.. math:: P(r = d) = \prod_{i=0}^{d-1} (1 - 2^{i-N}), \qquad
    P(r) = 2^{-(N-r)(d-r)} \prod_{i=0}^{r-1} \frac{(1-2^{i-N})(1-2^{i-d})}{1-2^{i-r}},

and given the equations the subset is uniform on 2^(d-r) solutions. With an unknown constant (labels perhaps all
flipped) each row gains a 1, and one prompt more is needed: differences of prompts are uniform and independent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from theory._validate import integer, real

__all__ = [
    "elimination_accuracy",
    "elimination_failure",
    "elimination_samples",
    "expected_elimination_samples",
    "expected_elimination_samples_exact",
    "full_rank_probability",
    "full_rank_probability_exact",
    "identification_probability",
    "identification_probability_exact",
    "rank_probability",
    "rank_probability_exact",
    "samples_beyond_d_limit",
]

LARGEST = 1000  # of d and of the excess of N over it
EXACT = 200  # largest d and N in rational arithmetic
NEGLIGIBLE = 1100  # powers of 2 beyond this are 0 in floats


def _each(function: Callable[..., float], *arguments: Any) -> Any:
    """Apply a function of ints to ints or integer arrays."""
    if all(isinstance(value, int) for value in arguments):
        return function(*arguments)
    for value in arguments:
        if not isinstance(value, (int, np.ndarray)):
            raise ValueError(f"arguments must be integers or arrays of them, got {value!r}")
    return np.vectorize(function, otypes=[float])(*arguments)


def _flag(value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"affine must be True or False, got {value!r}")
    return bool(value)


def _sizes(d: Any, n_samples: Any, affine: Any, low: int = 0) -> tuple[Any, Any]:
    """d and the number of independent uniform rows."""
    size = integer("d", d, 1, LARGEST)
    count = integer("n_samples", n_samples, low)
    if not _flag(affine):
        return size, count
    return size, np.maximum(count - 1, 0) if isinstance(count, np.ndarray) else max(count - 1, 0)


def _scalars(d: Any, n_samples: Any, affine: Any) -> tuple[int, int]:
    size, count = integer("d", d, 1, EXACT), integer("n_samples", n_samples, 0, EXACT)
    if not (isinstance(size, int) and isinstance(count, int)):
        raise ValueError(f"d and n_samples must be single integers, got {d!r} and {n_samples!r}")
    return size, max(count - 1, 0) if _flag(affine) else count


def _log_full_rank(d: int, n: int) -> float:
    """Logarithm of the product of 1 - 2^(i-n) over i < d, for n >= d."""
    return math.fsum(math.log1p(-math.ldexp(1.0, i - n)) for i in range(max(0, n - NEGLIGIBLE), d))


def full_rank_probability_exact(d: int, n_samples: int, affine: bool = False) -> Fraction:
    """Probability that N uniform prompts determine every parity of d signs, as a rational.

    Parameters
    ----------
    d : int
        Number of signs, from 1 to 200.
    n_samples : int
        N, from 0 to 200.
    affine : bool, optional
        Whether an unknown constant has to be determined too.

    Returns
    -------
    Fraction
        prod_{i<d} (1 - 2^(i-N)), 0 for N < d; N - 1 in the place of N with a constant.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Classical; the i-th new direction must avoid 2^i of 2^N columns.

    Examples
    --------
    >>> full_rank_probability_exact(2, 2)
    Fraction(3, 8)
    """
    size, n = _scalars(d, n_samples, affine)
    if n < size:
        return Fraction(0)
    product = Fraction(1)
    for i in range(size):
        product *= 1 - Fraction(1, 2 ** (n - i))
    return product


def full_rank_probability(d: Any, n_samples: Any, affine: bool = False) -> Any:
    """Probability that N uniform prompts determine every parity of d signs.

    Parameters
    ----------
    d : int or array of int
        Number of signs, from 1 to 1000.
    n_samples : int or array of int
        N, at least 0.
    affine : bool, optional
        Whether an unknown constant has to be determined too.

    Returns
    -------
    float or array
        As :func:`full_rank_probability_exact`, through logarithms; 0.2888 at N = d for large d.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> full_rank_probability(2, 2)
    0.375
    """
    size, n = _sizes(d, n_samples, affine)
    return _each(lambda d, n: math.exp(_log_full_rank(int(d), int(n))) if n >= d else 0.0, size, n)


def elimination_failure(d: Any, n_samples: Any, affine: bool = False) -> Any:
    """Probability that N uniform prompts leave some parity of d signs undetermined, without cancellation.

    Parameters
    ----------
    d : int or array of int
        Number of signs, from 1 to 1000.
    n_samples : int or array of int
        N, at least 0.
    affine : bool, optional
        Whether an unknown constant has to be determined too.

    Returns
    -------
    float or array
        1 - :func:`full_rank_probability`; at most 2^(d-N), and about that for N well above d.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> elimination_failure(2, 2), elimination_failure(20, 60) < 2.0**-40
    (0.625, True)
    """
    size, n = _sizes(d, n_samples, affine)
    return _each(lambda d, n: -math.expm1(_log_full_rank(int(d), int(n))) if n >= d else 1.0, size, n)


def rank_probability_exact(d: int, n_samples: int, rank: int) -> Fraction:
    """Probability that N uniform rows of GF(2)^d have the given rank, as a rational.

    Parameters
    ----------
    d : int
        Length of a row, from 1 to 200.
    n_samples : int
        N, from 0 to 200.
    rank : int
        From 0 to 200.

    Returns
    -------
    Fraction
        0 above min(d, N).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Classical; see the description of the module.

    Examples
    --------
    >>> [str(rank_probability_exact(2, 2, r)) for r in range(3)]
    ['1/16', '9/16', '3/8']
    """
    size, n = _scalars(d, n_samples, False)
    r = integer("rank", rank, 0, EXACT)
    if not isinstance(r, int):
        raise ValueError(f"rank must be one integer in [0, {EXACT}], got {rank!r}")
    if r > min(size, n):
        return Fraction(0)
    value = Fraction(1, 2 ** ((n - r) * (size - r)))
    for i in range(r):
        value *= (1 - Fraction(1, 2 ** (n - i))) * (1 - Fraction(1, 2 ** (size - i))) / (1 - Fraction(1, 2 ** (r - i)))
    return value


def _log_gap(i: int, top: int) -> float:
    """log(1 - 2^(i - top)) for i < top."""
    return math.log1p(-math.ldexp(1.0, i - top)) if top - i < NEGLIGIBLE else 0.0


def _rank_probability(d: int, n: int, r: int) -> float:
    if r > min(d, n):
        return 0.0
    total = -(n - r) * (d - r) * math.log(2.0)
    if total < -800:
        return 0.0
    total += math.fsum(_log_gap(i, n) + _log_gap(i, d) - _log_gap(i, r) for i in range(r))
    return math.exp(total)


def rank_probability(d: Any, n_samples: Any, rank: Any) -> Any:
    """Probability that N uniform rows of GF(2)^d have the given rank.

    Parameters
    ----------
    d : int or array of int
        Length of a row, from 1 to 1000.
    n_samples : int or array of int
        N, at least 0.
    rank : int or array of int
        From 0 to 1000.

    Returns
    -------
    float or array
        As :func:`rank_probability_exact`.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> float(rank_probability(2, 2, 1))
    0.5625
    """
    size, n = _sizes(d, n_samples, False)
    r = integer("rank", rank, 0, LARGEST)
    return _each(lambda d, n, r: _rank_probability(int(d), int(n), int(r)), size, n, r)


def identification_probability_exact(d: int, n_samples: int, affine: bool = False) -> Fraction:
    """Largest probability with which any learner names a uniform subset after N labelled prompts: E[2^(rank - d)].

    Parameters
    ----------
    d : int
        Number of signs, from 1 to 200.
    n_samples : int
        N, from 0 to 200.
    affine : bool, optional
        Whether an unknown constant is to be named too; the subset alone is then meant.

    Returns
    -------
    Fraction
        Reached by elimination with the undetermined bits guessed; at most 2^(N-d).

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here: given prompts and labels the subset is uniform on the 2^(d - rank) solutions.

    Examples
    --------
    >>> identification_probability_exact(2, 2)
    Fraction(43, 64)
    """
    size, n = _scalars(d, n_samples, affine)
    return sum(
        (rank_probability_exact(size, n, r) / 2 ** (size - r) for r in range(min(size, n) + 1)), start=Fraction(0)
    )


def _identification(d: int, n: int) -> float:
    if n >= d + NEGLIGIBLE:
        return 1.0
    # ranks far below the largest have no weight: P(r) <= 2^-(n-r)(d-r) times a constant below 3.5
    top = min(d, n)
    return min(
        1.0, math.fsum(_rank_probability(d, n, r) * math.ldexp(1.0, r - d) for r in range(max(0, top - 40), top + 1))
    )


def identification_probability(d: Any, n_samples: Any, affine: bool = False) -> Any:
    """Largest probability with which any learner names a uniform subset after N labelled prompts.

    Parameters
    ----------
    d : int or array of int
        Number of signs, from 1 to 1000.
    n_samples : int or array of int
        N, at least 0.
    affine : bool, optional
        Whether labels may all be flipped by an unknown constant.

    Returns
    -------
    float or array
        As :func:`identification_probability_exact`, at most 2^(N-d): below d prompts every learner fails.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> round(identification_probability(2, 2), 6)
    0.671875
    """
    size, n = _sizes(d, n_samples, affine)
    return _each(lambda d, n: _identification(int(d), int(n)), size, n)


def elimination_accuracy(d: Any, n_samples: Any) -> Any:
    """Best probability of a right answer to a fresh prompt after N labelled ones: (1 + E[2^(rank - d)])/2.

    Parameters
    ----------
    d : int or array of int
        Number of signs, from 1 to 1000.
    n_samples : int or array of int
        N, at least 0.

    Returns
    -------
    float or array
        A prompt in the span of those seen has a known label, any other is a coin.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Derived here for a uniform subset.

    Examples
    --------
    >>> elimination_accuracy(10, 0), round(elimination_accuracy(10, 60), 12)
    (0.50048828125, 1.0)
    """
    return (1 + identification_probability(d, n_samples)) / 2


def expected_elimination_samples_exact(d: int, affine: bool = False) -> Fraction:
    """Expected number of uniform prompts until they determine every parity of d signs, as a rational.

    Parameters
    ----------
    d : int
        Number of signs, from 1 to 200.
    affine : bool, optional
        Whether an unknown constant has to be determined too.

    Returns
    -------
    Fraction
        d + sum_{j=1}^{d} 1/(2^j - 1), one more with a constant.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    Classical: while the rank is d - j a prompt raises it with probability 1 - 2^-j.

    Examples
    --------
    >>> expected_elimination_samples_exact(2)
    Fraction(10, 3)
    """
    size, _ = _scalars(d, 0, affine)
    return size + sum((Fraction(1, 2**j - 1) for j in range(1, size + 1)), start=Fraction(int(affine)))


def expected_elimination_samples(d: Any, affine: bool = False) -> Any:
    """Expected number of uniform prompts until they determine every parity of d signs.

    Parameters
    ----------
    d : int or array of int
        Number of signs, from 1 to 1000.
    affine : bool, optional
        Whether an unknown constant has to be determined too.

    Returns
    -------
    float or array
        d + 1.6067 for large d, 1 more with a constant.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Examples
    --------
    >>> round(expected_elimination_samples(20), 4)
    21.6067
    """
    size = integer("d", d, 1, LARGEST)
    extra = int(_flag(affine))
    return _each(lambda d: float(d) + math.fsum(1 / (2**j - 1) for j in range(1, min(int(d), 1000) + 1)) + extra, size)


def samples_beyond_d_limit() -> float:
    """Prompts beyond d that elimination needs on average for large d: sum of 1/(2^j - 1), 1.6067 (Erdos and Borwein).

    Returns
    -------
    float
        To the last digit: 60 terms leave less than 2^-59.

    Examples
    --------
    >>> round(samples_beyond_d_limit(), 6)
    1.606695
    """
    return math.fsum(1 / (2**j - 1) for j in range(1, 61))


def elimination_samples(d: Any, delta: Any, affine: bool = False) -> Any:
    """Least number of uniform prompts that determine every parity of d signs but for a chance of delta.

    Parameters
    ----------
    d : int or array of int
        Number of signs, from 1 to 1000.
    delta : float or array
        Allowed failure probability, in [1e-290, 1].
    affine : bool, optional
        Whether an unknown constant has to be determined too.

    Returns
    -------
    int or array
        At most d + ceil(log2(1/delta)), and at least d for delta < 1; one more with a constant.

    Raises
    ------
    ValueError
        If an argument leaves its range.

    Notes
    -----
    From :func:`elimination_failure`, which lies between 2^(d-N) (1 - 2^-d) (1 - 2^(d-N)/2) and 2^(d-N).

    Examples
    --------
    >>> elimination_samples(20, 0.01), elimination_samples(20, 1)
    (27, 0)
    """
    size = integer("d", d, 1, LARGEST)
    failure = real("delta", delta, 1e-290, 1)
    extra = int(_flag(affine))

    def least(d: int, delta: float) -> float:
        if delta >= 1:
            return 0.0
        n = int(d)
        while -math.expm1(_log_full_rank(int(d), n)) > delta:
            n += 1
        return float(n + extra)

    if isinstance(size, int) and isinstance(failure, (float, Fraction)):
        return int(least(size, float(failure)))
    if not isinstance(size, (int, np.ndarray)) or not isinstance(failure, (float, np.ndarray)):
        raise ValueError(f"d and delta must be numbers or arrays, got {d!r} and {delta!r}")
    return np.vectorize(least, otypes=[float])(size, failure)
