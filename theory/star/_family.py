"""The symmetric family: accuracy, and one iteration as a map, as Bayes' rule and in log-ratios.

A chain of N steps over M states per layer; step n goes to its right successor with probability
``alpha_n = (1 + (M-1) delta_n)/M`` and to each wrong one with ``beta_n = (1 - delta_n)/M``. With
``J_d = d I + (1-d)/M 11^T`` two such matrices multiply as ``J_a J_b = J_ab``, which is why every
quantity below depends on the deltas through their products.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from theory import _math, _validate
from theory.star._steps import (
    beside,
    delta_and_gap,
    divide,
    family,
    log_ratios,
    lowest,
    odds,
    one,
    others,
    plain,
    product,
    states,
)

__all__ = [
    "accuracy",
    "bayes_update",
    "combine",
    "evidence_of_others",
    "improvement",
    "inverse",
    "products_of_others",
    "rational_update",
    "update",
    "update_log_ratio",
]

ASYMPTOTIC = 40.0  # from here on 1 - delta < M e^-40 and only the sum of the gaps matters


def products_of_others(delta: Any, n_states: Any) -> Any:
    """For each step the product ``Pi_{-n}`` of the deltas of all the other steps.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    numpy.ndarray
        Same shape; 1 for a chain of one step.

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Examples
    --------
    >>> products_of_others([0.5, 0.25, 0.0], 4).tolist()
    [0.0, 0.0, 0.125]
    """
    delta, _ = family(delta, n_states)
    return others(delta)


def accuracy(delta: Any, n_states: Any) -> Any:
    """Probability that the final answer is right, ``J = (1 + (M-1) Pi)/M`` with Pi the product of the deltas.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1]; leading axes broadcast. Plain numbers
        give float arrays; a sequence that holds exact, symbolic or ball entries becomes an object
        array, and the result is of the entries' kind.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    float, numpy.ndarray, Fraction, sympy.Expr or flint.arb
        J, the last axis reduced.

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Notes
    -----
    Source: arXiv 2410.23912 for N = 3; for any N because the step matrices multiply by multiplying
    their deltas, whatever the bijections.

    Examples
    --------
    >>> from fractions import Fraction
    >>> accuracy([0.5, 0.5, 0.5], 2)
    0.5625
    >>> accuracy([Fraction(1, 2), Fraction(1, 3)], 3)
    Fraction(4, 9)
    """
    delta, n_states = family(delta, n_states)
    return plain((1 + (n_states - 1) * product(delta)) / n_states)


def improvement(delta: Any, n_states: Any) -> Any:
    """What one iteration adds to each delta: ``Pi_{-n} (1-delta_n)(1+(M-1)delta_n)/(1+(M-1)Pi)``.

    Non-negative for deltas in [0, 1], and positive exactly where ``delta_n < 1`` and every other
    step is above guessing.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    numpy.ndarray
        ``delta_n' - delta_n``, same shape; 0 where nothing is kept (J = 0).

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Examples
    --------
    >>> improvement([0.0, 0.5], 2).tolist()
    [0.5, 0.0]
    """
    delta, n_states = family(delta, n_states)
    return _improvement(delta, n_states)


def _improvement(delta: Any, n_states: Any) -> Any:
    rest = others(delta)
    scale = (1 + (n_states - 1) * product(delta))[..., None] if delta.ndim > 1 else 1 + (n_states - 1) * product(delta)
    return divide(rest * (1 - delta) * (1 + (n_states - 1) * delta), scale, 0 * delta)


def update(delta: Any, n_states: Any) -> Any:
    """One iteration of STaR with infinitely many samples: the next delta of every step.

    Trajectories are drawn from a uniform start, those with the right final answer are kept, and
    every row of every step is set to the kept frequencies. The family is closed under this.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1]; leading axes broadcast. Plain numbers
        give float arrays; a sequence that holds exact, symbolic or ball entries becomes an object
        array, and so does the result.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    numpy.ndarray
        Next deltas, same shape. Where no trajectory is ever right (J = 0) nothing is kept and the
        deltas stay.

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Notes
    -----
    Written as ``delta_n`` plus :func:`improvement`, so that in floating point 1 stays 1 and no delta
    above guessing ever falls; :func:`rational_update` is the quotient in the paper and
    :func:`bayes_update` the same map as Bayes' rule. Next to 1 the result is as good as a float
    delta can be; :func:`update_log_ratio` keeps ``1 - delta`` itself to full relative accuracy.
    Source: arXiv 2410.23912 for N = 3 and equal deltas; any N, M, deltas and bijections: the share
    of kept trajectories through a right transition is ``alpha_n A_n / J`` of those through its row,
    ``A_n = (1+(M-1)Pi_{-n})/M``.

    Examples
    --------
    >>> from fractions import Fraction
    >>> update([0.5, 0.5], 2).tolist()
    [0.8, 0.8]
    >>> update([Fraction(1, 2)] * 3, 4).tolist()[0]
    Fraction(8, 11)
    """
    delta, n_states = family(delta, n_states)
    result = delta + _improvement(delta, n_states)
    return result if result.dtype == object else np.clip(result, lowest(n_states)[1], 1.0)


def rational_update(delta: Any, n_states: Any) -> Any:
    """The map of :func:`update` as one quotient: ``(delta_n + Pi_{-n} + (M-2) delta_n Pi_{-n}) / (1 + (M-1) Pi)``.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N steps on the last axis, each in [-1/(M-1), 1].
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    numpy.ndarray
        Next deltas, same shape; unchanged where nothing is kept (J = 0).

    Raises
    ------
    ValueError
        If a delta leaves its range, there is no step, or M is below 2.

    Examples
    --------
    >>> rational_update([0.5, 0.5], 2).tolist()
    [0.8, 0.8]
    """
    delta, n_states = family(delta, n_states)
    rest = others(delta)
    return divide(delta + rest + (n_states - 2) * delta * rest, 1 + (n_states - 1) * delta * rest, delta)


def bayes_update(delta: Any, n_states: Any) -> Any:
    """The map of :func:`update` as Bayes' rule: the odds of step n are multiplied by the odds at ``Pi_{-n}``.

    The deltas must lie below 1 and, for the odds of the others to be finite, there must be two steps
    at least.

    Parameters
    ----------
    delta : array_like, or a sequence of Fraction, sympy.Expr or flint.arb
        The N >= 2 steps on the last axis, each in [-1/(M-1), 1).
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    numpy.ndarray
        Next deltas, same shape.

    Raises
    ------
    ValueError
        If a delta leaves its range (1 included), there is one step only, or M is below 2.

    Examples
    --------
    >>> from fractions import Fraction
    >>> bayes_update([Fraction(1, 2)] * 2, 2).tolist()
    [Fraction(4, 5), Fraction(4, 5)]
    """
    delta, n_states = family(delta, n_states)
    ratio = odds(delta, n_states) * odds(others(delta), n_states)
    return (ratio - 1) / (ratio + n_states - 1)


def combine(first: Any, second: Any, n_states: Any) -> Any:
    """The group law behind the update: ``a (+) b = (a + b + (M-2) a b) / (1 + (M-1) a b)``.

    Commutative and associative on (-1/(M-1), 1) with neutral element 0 and inverse :func:`inverse`;
    the odds multiply. ``update(delta)_n = delta_n (+) Pi_{-n}``.

    Parameters
    ----------
    first, second : float, array_like, Fraction, sympy.Expr or flint.arb
        In [-1/(M-1), 1]; the pair (1, -1/(M-1)) contradicts itself and is refused.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as the values
        ``a (+) b``, in [-1/(M-1), 1].

    Raises
    ------
    ValueError
        If a value leaves its range, or certainty is combined with impossibility.

    Examples
    --------
    >>> from fractions import Fraction
    >>> combine(Fraction(1, 2), Fraction(1, 2), 2)
    Fraction(4, 5)
    """
    first, second = beside(first, second), beside(second, first)
    first, n_states = one(first, n_states, "first")
    second, _ = one(second, n_states, "second")
    denominator = 1 + (n_states - 1) * first * second
    if not _math.is_symbolic(denominator) and np.any(np.asarray(denominator == 0, dtype=bool)):
        raise ValueError(f"first and second must not be 1 and -1/(M-1) at once, got {first!r} and {second!r}")
    return (first + second + (n_states - 2) * first * second) / denominator


def inverse(delta: Any, n_states: Any) -> Any:
    """The delta that undoes `delta` under :func:`combine`: ``-a/(1 + (M-2) a)``, a in (-1/(M-1), 1).

    Parameters
    ----------
    delta : float, array_like, Fraction, sympy.Expr or flint.arb
        a, in [-1/(M-1), 1]; the two ends are exchanged.
    n_states : int or sympy.Expr
        M >= 2.

    Returns
    -------
    same type as `delta`
        The b with ``a (+) b = 0``.

    Raises
    ------
    ValueError
        If `delta` leaves its range or M is below 2.

    Examples
    --------
    >>> from fractions import Fraction
    >>> inverse(Fraction(1, 2), 4)
    Fraction(-1, 4)
    """
    delta, n_states = one(delta, n_states)
    return -delta / (1 + (n_states - 2) * delta)


def evidence_of_others(value: Any, n_states: Any, *, kappa: Any = 1.0) -> Any:
    """Evidence that the kept answers hold for each step: ``l(kappa Pi_{-n})`` from the log-ratios of the steps.

    Parameters
    ----------
    value : array_like
        Log-ratios of the N steps on the last axis, infinities allowed.
    n_states : int
        M >= 2.
    kappa : float
        Scale of the evidence under a noisy verifier, in [-1/(M-1), 1]; 1 without noise.

    Returns
    -------
    numpy.ndarray
        Same shape, to full relative accuracy both where ``Pi_{-n}`` is tiny and where it is next to 1.

    Raises
    ------
    ValueError
        If a log-ratio is NaN or no plain number, there is no step, or `kappa` or M leaves its range.

    Notes
    -----
    Small products are formed directly; ``1 - Pi_{-n}`` comes from the sum of ``log delta_k``, and
    where all log-ratios exceed 40 from ``log sum exp(-L_k)``, so that nothing over- or underflows.

    Examples
    --------
    >>> evidence_of_others([900.0, 1000.0, 1100.0], 8).tolist()
    [1000.0, 900.0, 900.0]
    """
    n_states = states(n_states)
    value = log_ratios(value, floats=True)
    if value.ndim == 0 or value.shape[-1] == 0:
        raise ValueError(f"value must hold the N >= 1 steps on its last axis, got {value!r}")
    kappa = _validate.real("kappa", kappa, lowest(n_states)[1], 1)
    delta, _ = delta_and_gap(value, n_states)
    small = np.exp(-np.abs(value))
    with np.errstate(divide="ignore", invalid="ignore"):
        # log |delta| as a sum of two terms of one sign: no cancellation next to 1
        logs = np.log1p(-np.minimum(small, 1.0)) - np.log1p((n_states - 1) * small)
        logs = np.where(value >= 0, logs, np.log(np.abs(delta)))
        evidence = np.empty_like(value)
        for step in range(value.shape[-1]):
            keep = np.arange(value.shape[-1]) != step
            rest = product(delta[..., keep])
            missing = np.where(rest > 0.5, -np.expm1(np.sum(logs[..., keep], axis=-1)), 1 - rest)
            missing = (1 - kappa) + kappa * missing
            general = np.log1p(np.maximum(n_states * kappa * rest / missing, -1.0))
            far = np.all(value[..., keep] > ASYMPTOTIC, axis=-1) & (kappa == 1)
            soft = -np.logaddexp.reduce(-value[..., keep], axis=-1) if keep.any() else np.full(rest.shape, np.inf)
            evidence[..., step] = np.where(far, soft, general)
    return evidence


def update_log_ratio(value: Any, n_states: Any, *, temperature: Any = 1.0, kappa: Any = 1.0) -> Any:
    """One iteration in log-ratios, ``L_n' = L_n/tau + l(kappa prod_{k != n} delta_{k,tau})``: rounds add evidence.

    Parameters
    ----------
    value : array_like
        Log-ratios of the N steps on the last axis; +inf is the truth, -inf a step never right.
    n_states : int
        M >= 2.
    temperature : float
        tau > 0, of the sampling only.
    kappa : float
        Scale of the evidence under a noisy verifier, in [-1/(M-1), 1].

    Returns
    -------
    numpy.ndarray
        Next log-ratios. ``1 - delta`` is kept to full relative accuracy for ever
        (:func:`gap_from_log_ratio`), where a float delta has long rounded to 1. Where nothing is kept
        the log-ratios stay.

    Raises
    ------
    ValueError
        If a log-ratio is NaN or no plain number, there is no step, or another argument leaves its range.

    Notes
    -----
    Derived in this package: the odds form of :func:`update`; a softmax at temperature tau divides
    log-ratios by tau, and noise independent of the path scales the evidence (:func:`evidence_scale`).

    Examples
    --------
    >>> update_log_ratio([0.1, 0.1], 64).round(12).tolist()
    [0.2, 0.2]
    """
    n_states = states(n_states)
    value = log_ratios(value, floats=True)
    temperature = _validate.real("temperature", temperature, 0, open_low=True)
    with np.errstate(over="ignore"):
        tempered = value / temperature
    evidence = evidence_of_others(tempered, n_states, kappa=kappa)
    with np.errstate(invalid="ignore"):
        total = tempered + evidence
    never_right = np.any(np.isnan(total), axis=-1, keepdims=True)
    return np.where(never_right, value, total)
