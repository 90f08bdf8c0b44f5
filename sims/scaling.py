r"""Exponents and thresholds from measurements that are intervals, with intervals that hold.

A search for a sample complexity answers with low < n <= high, not with a number and an error bar. If k such intervals,
at points x_1 < ... < x_k, hold together with probability 1 - alpha, then so does everything that follows from them:

* **Exponent.** If n = C x^b, the line through all intervals in logarithms has slope b, so b is one of the slopes of
  lines that meet all of them. With t = ln x, l = ln low, h = ln high these are the b with
  (l_j - h_i)/(t_j - t_i) <= b <= (h_j - l_i)/(t_j - t_i) for all i < j (intervals on a line meet if every two do). If
  there is none, the power law is refuted at that level.
* **Local slopes.** The same bounds for neighbours alone, whatever the law.
* **Curvature.** If ln n = a + b t + c t^2, then c is the second divided difference of any three points: at most
  that of (h, l, h) and at least that of (l, h, l), and by Helly's theorem nothing else restricts it. An interval for c
  away from 0 says that the sizes at hand are not yet, or never, on a power law.
* **A logarithm.** n = C x^b (ln x)^g with g given is the same after ln low and ln high are lowered by g ln ln x.
* **Threshold.** If the probability of success does not decrease in p, its crossing of a level lies above every p where
  it is surely below, and not above any p where it is surely at least the level.

No goodness of fit on a log-log line enters: two laws that fit the same intervals are both reported as possible.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sims._validate import real
from sims.intervals import Interval, clopper_pearson, quantile_interval
from sims.sample_complexity._evidence import decreasing_evidence

__all__ = ["PowerLaw", "Threshold", "power_law", "power_law_of_samples", "threshold"]

MOST_POINTS = 300  # the curvature looks at all triples


@dataclass(frozen=True)
class PowerLaw:
    """Growth n = C x^b (ln x)^g as far as intervals decide it.

    Attributes
    ----------
    exponent : float
        Slope of the line that keeps the largest distance from all ends; it fits best where none fits.
    low, high : float
        All exponents b for which a power law meets every interval; `low` > `high` if there is none.
    fits : bool
        Whether there is one.
    margin : float
        Distance, in ln n, that the best line keeps from the ends; negative if it must leave some interval.
    prefactor : float
        C of the best line.
    local : tuple of Interval
        Slope between neighbouring points, each pair by itself.
    curvature : Interval
        All c for which ln n = a + b ln x + c (ln x)^2 (+ g ln ln x) meets every interval; low > high if there is none.
    curved : bool
        Whether that excludes c = 0 though some c fits, or nothing fits.
    confidence : float
        Probability, at least, that the intervals hold together, and with them all of the above.
    log_power : float
        g.
    """

    exponent: float
    low: float
    high: float
    fits: bool
    margin: float
    prefactor: float
    local: tuple[Interval, ...]
    curvature: Interval
    curved: bool
    confidence: float
    log_power: float

    @property
    def interval(self) -> Interval:
        """The exponents that are possible."""
        return Interval(self.low, self.high)


def _points(x: Any) -> np.ndarray:
    try:
        array = np.asarray(x, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"x must be a sequence of positive numbers, got {x!r}") from None
    if array.ndim != 1 or not 2 <= len(array) <= MOST_POINTS or isinstance(x, (str, bytes)):
        raise ValueError(f"x must be a sequence of 2 to {MOST_POINTS} positive numbers, got {x!r}")
    if not (np.isfinite(array).all() and (array > 0).all() and (np.diff(array) > 0).all()):
        raise ValueError(f"x must hold increasing positive numbers, got {x!r}")
    return array


def _ends(intervals: Any, k: int) -> tuple[np.ndarray, np.ndarray, list[float]]:
    """Logarithms of the ends, and the confidences that searches carry."""
    if isinstance(intervals, (str, bytes)) or not hasattr(intervals, "__len__") or len(intervals) != k:
        raise ValueError(f"intervals must be {k} pairs (low, high), one for each x, got {intervals!r}")
    low, high, confidences = np.empty(k), np.empty(k), []
    for i, item in enumerate(intervals):
        pair = getattr(item, "interval", item)
        try:
            a, b = (float(end) for end in pair)
        except (TypeError, ValueError):
            raise ValueError(f"intervals must be pairs (low, high), got {item!r}") from None
        if not (0 <= a <= b and b > 0) or math.isinf(a):
            raise ValueError(f"intervals must have 0 <= low <= high, low finite and high > 0, got {item!r}")
        low[i], high[i] = a, b
        if hasattr(item, "confidence"):
            confidences.append(float(item.confidence))
    with np.errstate(divide="ignore"):
        return np.log(low), np.log(high), confidences


def _slopes(t: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, float]:
    """Least and largest slope of a line that meets all intervals."""
    step = t[None, :] - t[:, None]
    upper = np.triu(np.ones(step.shape, bool), 1)
    least = (low[None, :] - high[:, None])[upper] / step[upper]
    most = (high[None, :] - low[:, None])[upper] / step[upper]
    return float(least.max()), float(most.min())


def _triples(k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found = np.array(list(itertools.combinations(range(k), 3)), dtype=np.int64).reshape(-1, 3)
    return found[:, 0], found[:, 1], found[:, 2]


def _best(t: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[float, float, float]:
    """Slope, value at t = 0 and margin of the line that keeps the largest distance from all ends."""
    i, j, k = _triples(len(t))
    share = (t[k] - t[j]) / (t[k] - t[i])
    above = share * high[i] + (1 - share) * high[k] - low[j]
    below = high[j] - share * low[i] - (1 - share) * low[k]
    margin = float(np.concatenate([above, below, high - low]).min() / 2)
    least, most = _slopes(t, low + margin, high - margin)
    slope = (least + most) / 2  # equal but for rounding, unless one short interval alone sets the margin
    start = float((low + margin - slope * t).max())
    end = float((high - margin - slope * t).min())
    return slope, (start + end) / 2, margin


def _curvature(t: np.ndarray, low: np.ndarray, high: np.ndarray) -> Interval:
    """Range of the second divided difference."""
    if len(t) < 3:
        return Interval(-math.inf, math.inf)
    i, j, k = _triples(len(t))

    def divided(first: np.ndarray, middle: np.ndarray, last: np.ndarray) -> np.ndarray:
        right = (last[k] - middle[j]) / (t[k] - t[j])
        left = (middle[j] - first[i]) / (t[j] - t[i])
        return np.asarray((right - left) / (t[k] - t[i]))

    return Interval(float(divided(low, high, low).max()), float(divided(high, low, high).min()))


def power_law(
    x: Sequence[float], intervals: Sequence[Any], *, confidence: float | None = None, log_power: float = 0.0
) -> PowerLaw:
    """Infer the exponent of growth from intervals.

    Parameters
    ----------
    x : sequence of float
        Increasing positive numbers, 2 to 300 of them; above 1 where `log_power` is not 0.
    intervals : sequence
        For each x a pair (low, high) that encloses n, or anything with an attribute ``interval`` such as the result
        of :func:`sims.sample_complexity.search`. Low may be 0 and high infinite, but at least two must have both ends.
    confidence : float, optional
        Of each interval, in (0, 1]; by default that of the search results, and 1 for plain pairs. The answer's own is
        1 minus the sum of their error probabilities.
    log_power : float, optional
        g, in [-10, 10]: the law is C x^b (ln x)^g.

    Returns
    -------
    PowerLaw
        Exponents that are possible, local slopes, curvature.

    Raises
    ------
    ValueError
        Outside the ranges above, or if fewer than two intervals have both ends.

    Notes
    -----
    Derived in the description of :mod:`sims.scaling`. Time O(k^3).

    Examples
    --------
    >>> found = power_law([10, 20, 40], [(90, 110), (380, 420), (1500, 1700)])
    >>> round(found.low, 2), round(found.high, 2), found.curved
    (1.88, 2.12, False)
    >>> power_law([10, 20, 40], [(90, 110), (380, 420), (3000, 3100)]).fits
    False
    """
    points = _points(x)
    power = real("log_power", log_power, -10.0, 10.0)
    low, high, carried = _ends(intervals, len(points))
    t = np.log(points)
    if power != 0.0:
        if points[0] <= 1:
            raise ValueError(f"x must be above 1 where log_power is not 0, got {points[0]}")
        low, high = low - power * np.log(t), high - power * np.log(t)
    if np.count_nonzero(np.isfinite(low) & np.isfinite(high)) < 2:
        raise ValueError(f"intervals must hold at least two with both ends, got {intervals!r}")
    if confidence is not None:
        carried = [real("confidence", confidence, 0.0, 1.0, open_low=True)] * len(points)
    together = max(0.0, 1.0 - sum(1.0 - c for c in carried))
    least, most = _slopes(t, low, high)
    slope, start, margin = _best(t, low, high)
    curvature = _curvature(t, low, high)
    pairs = range(len(t) - 1)
    local = tuple(Interval(*_slopes(t[i : i + 2], low[i : i + 2], high[i : i + 2])) for i in pairs)
    return PowerLaw(
        exponent=slope, low=least, high=most, fits=least <= most, margin=margin, prefactor=_exp(start), local=local,
        curvature=curvature, curved=not curvature.low <= 0 <= curvature.high, confidence=together, log_power=power,
    )  # fmt: skip


def _exp(value: float) -> float:
    return math.exp(min(max(value, -700.0), 700.0))


def power_law_of_samples(
    x: Sequence[float],
    samples: Sequence[Any],
    *,
    quantile: float = 0.5,
    confidence: float = 0.95,
    log_power: float = 0.0,
) -> PowerLaw:
    """Infer the exponent with which a quantile of measured values grows.

    Parameters
    ----------
    x : sequence of float
        Increasing positive numbers, 2 to 300 of them.
    samples : sequence
        For each x independent positive values (infinite where a run never arrived), such as times until a success.
    quantile : float, optional
        Which quantile, in (0, 1).
    confidence : float, optional
        Of the answer as a whole, in (0, 1); the error probability is divided over the x.
    log_power : float, optional
        g, in [-10, 10], as for :func:`power_law`.

    Returns
    -------
    PowerLaw
        From intervals between order statistics, which hold whatever the law of the values.

    Raises
    ------
    ValueError
        Outside the ranges above, or if there are too few values for two-sided intervals.

    Examples
    --------
    >>> import numpy as np
    >>> generator = np.random.default_rng(0)
    >>> found = power_law_of_samples([1, 10, 100], [n * generator.exponential(size=4000) for n in (1, 10, 100)])
    >>> found.low < 1 < found.high
    True
    """
    points = _points(x)
    share = real("confidence", confidence, 0.0, 1.0, open_low=True, open_high=True)
    q = real("quantile", quantile, 0.0, 1.0, open_low=True, open_high=True)
    if isinstance(samples, (str, bytes)) or not hasattr(samples, "__len__") or len(samples) != len(points):
        raise ValueError(f"samples must be {len(points)} sequences of positive values, one for each x, got {samples!r}")
    found = []
    for values in samples:
        try:
            array = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError):
            array = np.empty(0)
        if array.ndim != 1 or not len(array) or not (array > 0).all():
            raise ValueError(f"samples must be sequences of positive values, got {values!r}")
        # Order statistics do not mind how large the largest are.
        finite = np.where(np.isinf(array), np.finfo(float).max, array)
        low, high = quantile_interval(finite, q, (1 - share) / len(points))
        found.append((max(float(low), 0.0), math.inf if high == np.finfo(float).max else float(high)))
    return power_law(points.tolist(), found, confidence=1 - (1 - share) / len(points), log_power=log_power)


@dataclass(frozen=True)
class Threshold:
    """Where a probability that does not decrease in p crosses a level.

    Attributes
    ----------
    low, high : float
        The crossing lies in [low, high] at the stated confidence; -inf and inf where no p decides that side.
    estimate : float
        Where the logistic curve of largest likelihood crosses; the middle of the gap if the data jump from none to all.
    width : float
        Scale w of that curve, P = 1/(1 + exp(-(p - p_0)/w)); 0 for a jump, inf if the data do not rise.
    level, confidence : float
        As asked for.
    decreasing : float
        Evidence, as a natural logarithm, that the probability decreases somewhere, which would void the interval.
    """

    low: float
    high: float
    estimate: float
    width: float
    level: float
    confidence: float
    decreasing: float

    @property
    def interval(self) -> Interval:
        """Where the crossing may be."""
        return Interval(self.low, self.high)


def _logistic_fit(p: np.ndarray, s: np.ndarray, n: np.ndarray) -> tuple[float, float] | None:
    """Intercept and slope of largest likelihood in standardised p, by damped Newton steps; None where there is none."""
    seen = s > 0
    failed = s < n
    if not seen.any() or not failed.any():
        return None
    # Separated data (a cut with only failures below and only successes above) have no maximum.
    if p[seen].min() >= p[failed].max() or p[seen].max() <= p[failed].min():
        return None
    a, b = 0.0, 0.0
    design = np.stack([np.ones_like(p), p])

    def loss(a: float, b: float) -> float:
        z = a + b * p
        return float((n * np.logaddexp(0.0, z) - s * z).sum())

    for _ in range(200):
        chance = 1 / (1 + np.exp(-np.clip(a + b * p, -500, 500)))
        gradient = design @ (s - n * chance)
        weight = n * chance * (1 - chance)
        hessian = (design * weight) @ design.T + 1e-12 * np.eye(2)
        move = np.linalg.solve(hessian, gradient)
        size = 1.0
        while size > 1e-10 and loss(a + size * move[0], b + size * move[1]) > loss(a, b):
            size /= 2
        a, b = a + size * move[0], b + size * move[1]
        if size * np.abs(move).max() < 1e-10:
            break
    return float(a), float(b)


def threshold(
    p: Sequence[float],
    successes: Sequence[int],
    n: int | Sequence[int],
    *,
    level: float = 0.5,
    confidence: float = 0.95,
) -> Threshold:
    """Enclose the p at which the probability of success reaches a level.

    Parameters
    ----------
    p : sequence of float
        Increasing finite numbers, at least two.
    successes : sequence of int
        Successes at each p, 0 <= successes <= n.
    n : int or sequence of int
        Independent trials at each p, at least 1; fixed beforehand.
    level : float, optional
        Which crossing, in (0, 1).
    confidence : float, optional
        In (0, 1): probability that the interval holds the crossing if success never becomes less likely as p grows.

    Returns
    -------
    Threshold
        Its interval ends at values of p that were tried, however many trials there are.

    Raises
    ------
    ValueError
        Outside the ranges above.

    Notes
    -----
    At each p the probability is on one side of the level only, so one-sided Clopper-Pearson bounds at alpha/k each are
    enough for all k decisions together. The logistic fit is a description and enters no interval.

    Examples
    --------
    >>> found = threshold([0.2, 0.3, 0.4, 0.5], [2, 20, 70, 99], 100)
    >>> found.low, found.high, round(found.estimate, 3)
    (0.3, 0.4, 0.359)
    """
    level = real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    share = real("confidence", confidence, 0.0, 1.0, open_low=True, open_high=True)
    try:
        points = np.asarray(p, dtype=np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.ndim != 1 or len(points) < 2 or not np.isfinite(points).all() or (np.diff(points) <= 0).any():
        raise ValueError(f"p must hold at least two increasing finite numbers, got {p!r}")
    s, trials = np.asarray(successes), np.asarray(n)
    if s.shape != points.shape or s.dtype.kind not in "iu":
        raise ValueError(f"successes must be {len(points)} integers in [0, n], got {successes!r}")
    if trials.shape not in ((), points.shape) or trials.dtype.kind not in "iu":
        raise ValueError(f"n must be an integer in [1, inf), or {len(points)} of them, got {n!r}")
    trials = np.broadcast_to(trials, points.shape)
    bound = clopper_pearson(s, trials, min(2 * (1 - share) / len(points), 1 - 1e-12))
    below, above = points[bound.high < level], points[bound.low >= level]
    estimate, width = _description(points, s.astype(np.float64), trials.astype(np.float64), level)
    return Threshold(
        low=float(below.max()) if len(below) else -math.inf,
        high=float(above.min()) if len(above) else math.inf,
        estimate=estimate,
        width=width,
        level=level,
        confidence=share,
        decreasing=decreasing_evidence(s.tolist(), trials.tolist()),
    )


def _description(p: np.ndarray, s: np.ndarray, n: np.ndarray, level: float) -> tuple[float, float]:
    """Crossing and width of the logistic curve; ends of the data where it has none inside reach."""
    centre, scale = float(p.mean()), float(p.std())
    fit = _logistic_fit((p - centre) / scale, s, n)
    if fit is None:
        share = s / n
        below, above = p[share < level], p[share >= level]
        if len(below) and len(above) and below.max() < above.min():
            return float((below.max() + above.min()) / 2), 0.0
        return float(p[-1] if not len(above) else p[0]), math.inf
    a, b = fit
    if b <= 0:
        return centre, math.inf
    return centre + scale * (math.log(level / (1 - level)) - a) / b, scale / b
