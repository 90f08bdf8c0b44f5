"""The deltas of a chain, checked, and other ways to write a step: right probability, odds, log-ratio, offset."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from theory import _math, _validate

__all__ = [
    "from_log_ratio",
    "from_odds",
    "from_offset",
    "from_right_probability",
    "gap_from_log_ratio",
    "log_ratio",
    "log_ratio_from_gap",
    "odds",
    "offset",
    "right_probability",
    "wrong_probability",
]

TINY = 1e-290  # gaps below this have quotients that overflow
NO_KEPT = 16 * np.finfo(float).eps  # below this, 1 + (M-1) Pi is rounding of a chain that is never right


def _ball(value: Any) -> Any:
    """Return a ball among the entries of a value, or None."""
    entries = value.flat if isinstance(value, np.ndarray) and value.dtype == object else (value,)
    return next((entry for entry in entries if type(entry).__name__ == "arb"), None)


def _exact(value: Any) -> bool:
    """Whether a value is a Fraction, a symbolic expression or a ball, or an array of such."""
    if isinstance(value, np.ndarray):
        return bool(value.dtype == object)
    return isinstance(value, Fraction) or type(value).__module__.split(".")[0] in ("sympy", "flint")


def whole(value: Any) -> bool:
    """Whether a value is an integer of Python or NumPy (a bool is none)."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def beside(value: Any, *others: Any) -> Any:
    """Return a number in the kind of the others, so that nothing exact is rounded.

    Next to a ball an int or Fraction becomes a ball, next to rationals and symbols an int becomes a Fraction.
    """
    if not whole(value) and not isinstance(value, Fraction):
        return value
    exact = Fraction(int(value)) if whole(value) else value
    ball = next((found for found in map(_ball, others) if found is not None), None)
    if ball is not None:
        return type(ball)(exact.numerator) / exact.denominator
    return exact if any(map(_exact, others)) else value


def alike(array: np.ndarray) -> np.ndarray:
    """Return an object array whose ints are exact and whose rationals are balls if any entry is one."""
    result = np.empty_like(array)
    ball = _ball(array)
    for index in np.ndindex(array.shape):
        entry: Any = array.item(index)
        result[index] = beside(entry, Fraction(0) if ball is None else ball)
    return result


def number(name: str, value: Any, low: float, high: float = math.inf, *, open_low: bool = False) -> float:
    """Return one checked float, for solvers that take no arrays and no symbols."""
    checked = _validate.real(name, value, low, high, open_low=open_low)
    if not isinstance(checked, np.ndarray):
        try:
            return float(checked)
        except (TypeError, ValueError):
            pass
    raise ValueError(f"{name} must be one real number, got {value!r}")


def finite(name: str, compute: Callable[[], Any]) -> Any:
    """Return what `compute` gives; ValueError naming the argument where floats cannot hold it."""
    try:
        with np.errstate(all="ignore"):
            result = compute()
    except (OverflowError, ZeroDivisionError):
        result = math.inf
    if isinstance(result, (float, np.ndarray)) and np.asarray(result).dtype != object and not np.isfinite(result).all():
        raise ValueError(f"{name} must leave the result within the range of floats, got too extreme a value")
    return result


def kept(delta: Any, n_states: Any) -> Any:
    """Return the accuracy of checked deltas, refusing chains that are never right."""
    correct = (1 + (n_states - 1) * product(delta)) / n_states
    if np.any(np.asarray(correct * n_states <= NO_KEPT if delta.dtype != object else correct == 0, dtype=bool)):
        raise ValueError("delta must leave a positive accuracy, got J = 0")
    return correct


def states(n_states: Any) -> Any:
    """Return M, an integer of at least 2 (or a symbol)."""
    return _validate.integer("n_states", n_states, 2)


def lowest(n_states: Any) -> tuple[Any, Any]:
    """Return the least delta, ``-1/(M-1)``, exactly and as a float (-1 for a symbolic M)."""
    if _math.is_symbolic(n_states):
        return Fraction(-1), -1.0
    return Fraction(-1, n_states - 1), -1.0 / (n_states - 1)


def steps(delta: Any, low: Any, high: Any = 1.0, *, exact_low: Any = None, name: str = "delta") -> Any:
    """Return the steps as an array whose last axis is the chain: ``float64``, or ``object`` for exact entries."""
    try:
        array = np.asarray(delta)
    except ValueError:
        raise ValueError(
            f"{name} must be a rectangular array with the N steps on its last axis, got {delta!r}"
        ) from None
    if array.ndim == 0 or array.shape[-1] == 0:
        raise ValueError(f"{name} must hold the N >= 1 steps on its last axis, got {delta!r}")
    if array.dtype != object:
        return _validate.real(name, array, low, high)
    result = np.empty(array.shape, dtype=object)
    for index in np.ndindex(array.shape):
        entry: Any = array.item(index)
        entry = Fraction(entry) if whole(entry) else entry
        if isinstance(entry, Fraction):
            result[index] = _validate.real(name, entry, low if exact_low is None else exact_low, high)
        else:
            result[index] = _validate.real(name, entry, math.nextafter(low, -math.inf), high)
    return alike(result)


def family(delta: Any, n_states: Any) -> tuple[Any, Any]:
    """Return the checked deltas in [-1/(M-1), 1] and M."""
    n_states = states(n_states)
    exact, approximate = lowest(n_states)
    return steps(delta, approximate, exact_low=exact), n_states


def one(delta: Any, n_states: Any, name: str = "delta") -> tuple[Any, Any]:
    """Return a checked delta, number or array entry by entry, and M."""
    n_states = states(n_states)
    exact, approximate = lowest(n_states)
    if isinstance(delta, (list, tuple, np.ndarray)) and np.ndim(delta) > 0:
        return steps(delta, approximate, exact_low=exact, name=name), n_states
    delta = beside(delta, n_states)
    if isinstance(delta, Fraction):
        return _validate.real(name, delta, exact, 1), n_states
    return _validate.real(name, delta, approximate, 1.0), n_states


def each(function: Any, value: Any) -> Any:
    """Apply a function of `theory._math` to a number, a float array or the entries of an object array."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        return np.frompyfunc(function, 1, 1)(value)
    return function(value)


def divide(numerator: Any, denominator: Any, otherwise: Any) -> Any:
    """Quotient, or `otherwise` where the denominator vanishes (no trajectory is kept)."""
    if isinstance(numerator, np.ndarray) and numerator.dtype == object:
        choose = np.frompyfunc(lambda a, b, c: c if b == 0 else a / b, 3, 1)
        return choose(numerator, denominator, otherwise)
    numerator, denominator, otherwise = np.broadcast_arrays(numerator, denominator, otherwise)
    return np.divide(numerator, denominator, out=np.array(otherwise, dtype=float), where=denominator > NO_KEPT)


def product(values: Any) -> Any:
    """Product over the last axis."""
    return np.multiply.reduce(values, axis=-1)


def product_of(values: Any, chosen: list[int]) -> Any:
    """Product of the chosen entries of the last axis, a one of the entries' kind if there is none."""
    result = 0 * values[..., 0] + 1
    for index in chosen:
        result = result * values[..., index]
    return result


def others(values: Any) -> Any:
    """For each step the product of all the other entries, without division."""
    ones = 0 * values[..., :1] + 1  # of the entries' own kind
    before = np.concatenate([ones, np.multiply.accumulate(values[..., :-1], axis=-1)], axis=-1)
    after = np.concatenate([ones, np.multiply.accumulate(values[..., :0:-1], axis=-1)], axis=-1)[..., ::-1]
    return before * after


def plain(value: Any) -> Any:
    """A zero-dimensional array as the number it holds."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value.item()
    return value.item() if isinstance(value, np.generic) else value


def log_ratios(value: Any, name: str = "value", *, floats: bool = False) -> Any:
    """Return log-ratios as a float array (infinities allowed), or as exact entries unless only floats will do."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be a rectangular array of real numbers, got {value!r}") from None
    if array.dtype == object:
        result = np.empty(array.shape, dtype=object)
        for index in np.ndindex(array.shape):
            entry: Any = array.item(index)
            if not (isinstance(entry, float) and math.isinf(entry)):
                entry = _validate.real(name, float(entry) if isinstance(entry, Fraction) else entry)
            if floats and not isinstance(entry, float):
                raise ValueError(f"{name} must hold plain numbers, got {entry!r}")
            result[index] = entry
        if not all(isinstance(entry, float) for entry in result.flat):
            return result if array.ndim else result.item()
        array = result.astype(np.float64)
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be a real number in [-inf, inf], got {value!r}")
    array = array.astype(np.float64)
    if np.isnan(array).any():
        raise ValueError(f"{name} must be a real number in [-inf, inf], got nan")
    return array


def delta_and_gap(value: Any, n_states: Any) -> tuple[Any, Any]:
    """Both delta and 1 - delta from float log-ratios, each to full relative accuracy."""
    small = np.exp(-np.abs(value))  # never overflows
    rest = -np.expm1(-np.abs(value))
    high = value >= 0
    denominator = np.where(high, 1 + (n_states - 1) * small, small + n_states - 1)
    delta = np.where(high, rest, -rest) / denominator
    gap = np.where(high, n_states * small, n_states) / denominator
    return delta, gap


def right_probability(delta: Any, n_states: Any) -> Any:
    """Probability of the right successor, ``alpha = (1 + (M-1) delta)/M``.

    Parameters
    ----------
    delta : float, array_like, Fraction, sympy.Expr or flint.arb
        Distance above guessing, in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `delta`
        In [0, 1]; 1/M for a step that guesses.

    Raises
    ------
    ValueError
        If `delta` leaves its range or M is below 2.

    Notes
    -----
    Source: Chang, Lee, Shih, Tseng and Wu, RL-STaR (arXiv 2410.23912), the chain of section 1.

    Examples
    --------
    >>> right_probability(Fraction(1, 2), 4)
    Fraction(5, 8)
    """
    delta, n_states = one(delta, n_states)
    return (1 + (n_states - 1) * delta) / n_states


def wrong_probability(delta: Any, n_states: Any) -> Any:
    """Probability of each wrong successor, ``beta = (1 - delta)/M``.

    Parameters
    ----------
    delta : float, array_like, Fraction, sympy.Expr or flint.arb
        Distance above guessing, in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `delta`
        beta, in [0, 1/(M-1)].

    Raises
    ------
    ValueError
        If `delta` leaves its range or M is below 2.

    Examples
    --------
    >>> wrong_probability(Fraction(1, 2), 4)
    Fraction(1, 8)
    """
    delta, n_states = one(delta, n_states)
    return (1 - delta) / n_states


def from_right_probability(alpha: Any, n_states: Any) -> Any:
    """Distance above guessing of a step that is right with probability `alpha`: ``(M alpha - 1)/(M - 1)``.

    Parameters
    ----------
    alpha : float, array_like, Fraction, sympy.Expr or flint.arb
        Probability of the right successor, in [0, 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `alpha`
        delta, in [-1/(M-1), 1].

    Raises
    ------
    ValueError
        If `alpha` leaves its range or M is below 2.

    Examples
    --------
    >>> from_right_probability(Fraction(5, 8), 4)
    Fraction(1, 2)
    """
    n_states = states(n_states)
    alpha = _validate.real("alpha", beside(alpha, n_states), 0, 1)
    return (n_states * alpha - 1) / (n_states - 1)


def offset(delta: Any, n_states: Any) -> Any:
    """The other parametrisation, ``alpha - 1/M``: equal to ``delta (M-1)/M``.

    The code published with arXiv 2410.23912 writes ``alpha = 1/M + x``, ``beta = 1/M - x/(M-1)``.

    Parameters
    ----------
    delta : float, array_like, Fraction, sympy.Expr or flint.arb
        Distance above guessing, in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `delta`
        ``x = alpha - 1/M``, in [-1/M, (M-1)/M].

    Raises
    ------
    ValueError
        If `delta` leaves its range or M is below 2.

    Examples
    --------
    >>> offset(Fraction(1, 2), 4)
    Fraction(3, 8)
    """
    delta, n_states = one(delta, n_states)
    return delta * (n_states - 1) / n_states


def from_offset(value: Any, n_states: Any) -> Any:
    """Distance above guessing from ``x = alpha - 1/M``: ``x M/(M-1)``, for x in [-1/M, (M-1)/M].

    Parameters
    ----------
    value : float, array_like, Fraction, sympy.Expr or flint.arb
        x, the right probability less 1/M, in [-1/M, (M-1)/M].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `value`
        delta, in [-1/(M-1), 1].

    Raises
    ------
    ValueError
        If `value` leaves its range or M is below 2.

    Examples
    --------
    >>> from_offset(Fraction(3, 8), 4)
    Fraction(1, 2)
    """
    n_states = states(n_states)
    value = beside(value, n_states)
    if isinstance(value, Fraction) and not _math.is_symbolic(n_states):
        ends: Any = (Fraction(-1, n_states), Fraction(n_states - 1, n_states))
        value = _validate.real("value", value, *ends)
    else:
        value = _validate.real("value", value, -1.0, 1.0)
    return one(value * n_states / (n_states - 1), n_states, "value M/(M-1)")[0]


def odds(delta: Any, n_states: Any) -> Any:
    """Odds of the right successor against one wrong successor, ``r = alpha/beta = (1 + (M-1) delta)/(1 - delta)``.

    `delta` must be below 1; :func:`log_ratio` takes 1 as well.

    Parameters
    ----------
    delta : float, array_like, Fraction, sympy.Expr or flint.arb
        In [-1/(M-1), 1).
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `delta`
        r >= 0: 1 for a step that guesses, 0 for one that is never right.

    Raises
    ------
    ValueError
        If `delta` leaves its range (1 included, where the odds are infinite) or M is below 2.

    Examples
    --------
    >>> odds(Fraction(1, 2), 4)
    Fraction(5, 1)
    """
    delta, n_states = one(delta, n_states)
    if not isinstance(delta, np.ndarray) and not _math.is_symbolic(delta) and delta == 1:
        raise ValueError(f"delta must lie below 1 (its odds are infinite), got {delta!r}")
    if isinstance(delta, np.ndarray) and (delta == 1).any():
        raise ValueError("delta must lie below 1 (its odds are infinite), got 1.0")
    return (1 + (n_states - 1) * delta) / (1 - delta)


def from_odds(ratio: Any, n_states: Any) -> Any:
    """Distance above guessing with the given odds: ``(r - 1)/(r + M - 1)``, r >= 0.

    Parameters
    ----------
    ratio : float, array_like, Fraction, sympy.Expr or flint.arb
        r >= 0, the odds against one wrong successor.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `ratio`
        delta, in [-1/(M-1), 1).

    Raises
    ------
    ValueError
        If `ratio` is negative or infinite, or M is below 2.

    Examples
    --------
    >>> from_odds(Fraction(5), 4)
    Fraction(1, 2)
    """
    n_states = states(n_states)
    ratio = _validate.real("ratio", beside(ratio, n_states), 0)
    return (ratio - 1) / (ratio + n_states - 1)


def log_ratio(delta: Any, n_states: Any) -> Any:
    """Log-odds of the right successor against one wrong successor, ``L = log(1 + M delta/(1 - delta))``.

    Evidence for the right step in nats: 0 for guessing, infinite for the truth, minus infinite for
    a step that is never right. One iteration adds evidence (:func:`update_log_ratio`).

    Parameters
    ----------
    delta : float, array_like, Fraction, sympy.Expr or flint.arb
        In [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    float, array, sympy.Expr or flint.arb
        Full relative accuracy for the given `delta`, also next to 0 and next to 1.

    Raises
    ------
    ValueError
        If `delta` leaves its range or M is below 2.

    Examples
    --------
    >>> round(log_ratio(0.5, 4), 12) == round(math.log(5), 12)
    True
    >>> log_ratio(1.0, 4)
    inf
    """
    delta, n_states = one(delta, n_states)
    if isinstance(delta, np.ndarray) and delta.dtype == object:
        return each(lambda entry: log_ratio(entry, n_states), delta)
    if isinstance(delta, (float, np.ndarray)):
        with np.errstate(divide="ignore"):
            return plain(np.log1p(np.maximum(np.divide(n_states * delta, 1 - np.asarray(delta)), -1.0)))
    if not _math.is_symbolic(delta) and delta == 1:
        return math.inf
    if not _math.is_symbolic(delta) and 1 + (n_states - 1) * delta == 0:
        return -math.inf
    return _math.log((1 + (n_states - 1) * delta) / (1 - delta))


def log_ratio_from_gap(gap: Any, n_states: Any) -> Any:
    """The log-ratio of ``delta = 1 - gap``, accurate however small the gap: ``log(1 + M (1-gap)/gap)``.

    Parameters
    ----------
    gap : float, array_like, Fraction, sympy.Expr or flint.arb
        ``1 - delta`` in (0, 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `gap`
        L; 0 for a gap of 1.

    Raises
    ------
    ValueError
        If `gap` leaves its range or M is below 2.

    Examples
    --------
    >>> round(log_ratio_from_gap(1e-300, 4) - math.log(4e300), 12)
    0.0
    """
    n_states = states(n_states)
    gap = _validate.real("gap", beside(gap, n_states), 0, 1, open_low=True)
    if isinstance(gap, (float, np.ndarray)) and not _math.is_symbolic(n_states):
        with np.errstate(over="ignore"):
            near = np.log1p(n_states * np.divide(1 - np.asarray(gap), gap))
        return plain(np.where(np.asarray(gap) < TINY, np.log(n_states) - np.log(gap), near))
    return _math.log1p(n_states * ((1 - gap) / gap))


def from_log_ratio(value: Any, n_states: Any) -> Any:
    """Distance above guessing from the log-ratio: ``(e^L - 1)/(e^L + M - 1)``, without overflow.

    Parameters
    ----------
    value : float, array_like, sympy.Expr or flint.arb
        L; infinite floats are allowed and mean the truth (+) or never right (-).
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        delta, in [-1/(M-1), 1]; rational log-ratios give floats.

    Raises
    ------
    ValueError
        If `value` holds NaN or what is no real number, or M is below 2.

    Examples
    --------
    >>> round(from_log_ratio(math.log(5), 4), 12)
    0.5
    >>> from_log_ratio(math.inf, 4)
    1.0
    """
    n_states = states(n_states)
    value = log_ratios(value)
    if isinstance(value, np.ndarray) and value.dtype != object:
        return plain(delta_and_gap(value, n_states)[0])

    def back(entry: Any) -> Any:
        if isinstance(entry, float):
            return float(delta_and_gap(np.float64(entry), n_states)[0])
        return (_math.exp(entry) - 1) / (_math.exp(entry) + n_states - 1)

    return each(back, value)


def gap_from_log_ratio(value: Any, n_states: Any) -> Any:
    """``1 - delta`` from the log-ratio, ``M/(e^L + M - 1)``, to full relative accuracy.

    Parameters
    ----------
    value : float, array_like, sympy.Expr or flint.arb
        L; infinite floats are allowed and mean the truth (+) or never right (-).
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        ``1 - delta``, in [0, M/(M-1)]; rational log-ratios give floats.

    Raises
    ------
    ValueError
        If `value` holds NaN or what is no real number, or M is below 2.

    Examples
    --------
    >>> gap_from_log_ratio(100.0, 4) == 4 * math.exp(-100.0)
    True
    """
    n_states = states(n_states)
    value = log_ratios(value)
    if isinstance(value, np.ndarray) and value.dtype != object:
        return plain(delta_and_gap(value, n_states)[1])

    def back(entry: Any) -> Any:
        if isinstance(entry, float):
            return float(delta_and_gap(np.float64(entry), n_states)[1])
        return n_states / (_math.exp(entry) + n_states - 1)

    return each(back, value)
