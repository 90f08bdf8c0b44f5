"""What a verdict means: intervals, the rule that compares them, and the record of evidence.

A prediction is an interval P (a point when exact, else widened by its derived error); a
measurement is a simultaneous confidence interval C; r is the resolution, the difference that
would matter. For kind ``exact`` a cell holds if C meets P and lies within P widened by r,
fails if C and P are disjoint, and is undecided otherwise. For an upper bound B it holds if
top(C) <= B + r and bottom(C) <= B, fails if bottom(C) > B; lower bounds mirror this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

__all__ = ["Cell", "Evidence", "Interval", "Verdict", "combine", "judge"]


class Verdict(StrEnum):
    """Outcome of a cell, a leg or a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"


class Interval(NamedTuple):
    """A closed interval; infinite ends say that nothing is known on that side."""

    low: float
    high: float


def judge(kind: str, interval: Interval, predicted: Interval, resolution: float) -> Verdict:
    """Compare a confidence interval with a prediction.

    Parameters
    ----------
    kind : {"exact", "upper", "lower"}
        What the prediction is to the measured quantity.
    interval : Interval
        Confidence interval C of the measured quantity.
    predicted : Interval
        Prediction P; a bound is read at its outer end.
    resolution : float
        The difference r that would matter, at least 0.

    Returns
    -------
    Verdict
        By the rule in the module's description.

    Examples
    --------
    >>> judge("exact", Interval(0.49, 0.52), Interval(0.5, 0.5), 0.05).value
    'holds'
    >>> judge("upper", Interval(0.49, 0.52), Interval(0.5, 0.5), 0.0).value
    'undecided'
    """
    if any(math.isnan(x) for x in (*interval, *predicted, resolution)):
        raise ValueError(f"a verdict needs numbers, got interval {interval}, prediction {predicted}, r = {resolution}")
    if interval.low > interval.high or predicted.low > predicted.high or resolution < 0:
        raise ValueError(
            f"a verdict needs low <= high and r >= 0, got interval {interval}, prediction {predicted}, r = {resolution}"
        )
    if kind == "upper":
        if interval.low > predicted.high:
            return Verdict.FAILS
        return Verdict.HOLDS if interval.high <= predicted.high + resolution else Verdict.UNDECIDED
    if kind == "lower":
        if interval.high < predicted.low:
            return Verdict.FAILS
        return Verdict.HOLDS if interval.low >= predicted.low - resolution else Verdict.UNDECIDED
    if kind != "exact":
        raise ValueError(f"kind must be one of exact, upper, lower, got {kind!r}")
    if interval.high < predicted.low or interval.low > predicted.high:
        return Verdict.FAILS
    inside = interval.low >= predicted.low - resolution and interval.high <= predicted.high + resolution
    return Verdict.HOLDS if inside else Verdict.UNDECIDED


def combine(verdicts: Iterable[Verdict]) -> Verdict:
    """All must hold; one failure fails; nothing at all decides nothing.

    Examples
    --------
    >>> combine([Verdict.HOLDS, Verdict.UNDECIDED]).value
    'undecided'
    """
    found = list(verdicts)
    if Verdict.FAILS in found:
        return Verdict.FAILS
    return Verdict.HOLDS if found and all(v is Verdict.HOLDS for v in found) else Verdict.UNDECIDED


@dataclass(frozen=True)
class Cell:
    """One point at which a leg was held against its prediction.

    Attributes
    ----------
    parameters : dict
        Where in the claim's domain.
    verdict : Verdict
        Outcome at this point.
    n : int or None
        Units measured, or None for exact legs.
    observed, predicted, interval, resolution
        The figures compared; None where a leg compares no numbers.
    detail : str
        A witness, a count of boxes, or what a step says.
    compare : {"exact", "upper", "lower"}
        What the prediction is to the observed quantity.
    """

    parameters: Mapping[str, Any]
    verdict: Verdict
    n: int | None = None
    observed: Any = None
    predicted: Interval | None = None
    interval: Interval | None = None
    resolution: float | None = None
    detail: str = ""
    compare: str = "exact"


_ORDER = {Verdict.FAILS: 0, Verdict.UNDECIDED: 1, Verdict.HOLDS: 2}


def _margin(cell: Cell) -> float:
    """How far inside its allowance a cell lies, in units of the interval's width: smaller is worse."""
    if cell.interval is None or cell.predicted is None:
        return math.inf
    width = float(cell.interval.high - cell.interval.low) or 1.0
    if math.isinf(width):
        return 0.0
    below, above = cell.interval.high - cell.predicted.low, cell.predicted.high - cell.interval.low
    slack = above if cell.compare == "upper" else below if cell.compare == "lower" else min(below, above)
    return float(slack) / width


@dataclass(frozen=True)
class Evidence:
    """What one leg found. Top-level figures are those of the worst cell."""

    name: str
    kind: str
    role: str
    scope: str
    verdict: Verdict
    cells: tuple[Cell, ...]
    seconds: float
    replay: str
    planned_n: int | None = None
    level: float | None = None
    level_kind: str | None = None
    unit: str = ""
    detail: str = ""
    error: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def worst(self) -> Cell | None:
        """The cell with the worst verdict and, among equals, the least margin."""
        return min(self.cells, key=lambda c: (_ORDER[c.verdict], _margin(c)), default=None)

    @property
    def n(self) -> int | None:
        """Units measured in the worst cell."""
        return self.worst.n if self.worst else None
