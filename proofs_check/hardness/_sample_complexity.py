"""What the claims about measured sample complexities share: ranges, brackets from counts, legs about exponents.

A sample complexity is the least n at which runs succeed with a stated probability L. Here n is fixed beforehand on a
grid: exact intervals for the success probabilities at the grid's points, simultaneous over the leg, bracket it
wherever success does not become less likely as n grows, and exponents follow from brackets alone
(:func:`sims.scaling.power_law`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from proofs_check.claims import Simulation
from proofs_check.domains import Integer, Real
from proofs_check.samples import Counts
from proofs_check.verdicts import Cell, Interval, Verdict, judge

if TYPE_CHECKING:
    from proofs_check.lab import Lab

__all__ = [
    "EPSILON",
    "LENGTH",
    "P_0",
    "P_COT",
    "Samples",
    "bracket",
    "brackets_along",
    "exponent",
    "growth_leg",
    "successes",
]

LENGTH = Integer(4, 4096, meaning="length of the prompt", largest_drawn=200)
P_COT = Real(0, 1, open_low=True, open_high=True, meaning="share of long demonstrations", symbol="p")
P_0 = Real(1e-9, 1 / 3, open_high=True, meaning="share of long answers before post-training", symbol="p_0")
EPSILON = Real(1e-3, 0.5, meaning="error that is put up with", symbol=r"\epsilon")
Samples = Sequence[tuple[Mapping[str, Any], Any]]


def successes(data: Any, cell: Mapping[str, Any]) -> Counts:
    found = data["success"].values
    return Counts(int(found.sum()), int(found.size))


def bracket(points: Sequence[tuple[float, Any]], level: float, alpha: float) -> tuple[float, float]:
    """Largest point surely below the level and least one surely at it, for success that does not fall.

    At each point only one of the two can be wrong, so a two-sided interval at 2 alpha spends alpha.
    """
    low, high = 0.0, math.inf
    for point, sample in points:
        interval = sample.interval(2 * alpha)
        if interval.high < level:
            low = max(low, point)
        elif interval.low >= level:
            high = min(high, point)
    return low, high


def brackets_along(
    samples: Samples, along: Callable[[Mapping[str, Any]], float], n_of: str, level: float, alpha: float
) -> tuple[list[float], list[tuple[float, float]]]:
    """The brackets in n, by increasing x."""
    points: dict[float, list[tuple[float, Any]]] = {}
    for cell, sample in samples:
        points.setdefault(along(cell), []).append((float(cell[n_of]), sample))
    x = sorted(points)
    return x, [bracket(points[value], level, alpha / len(samples)) for value in x]


def growth_leg(
    name: str,
    cells: Mapping[str, list[dict[str, Any]]],
    settings: Callable[[Mapping[str, Any]], dict[str, Any]],
    along: Callable[[Mapping[str, Any]], float],
    predicted: Callable[[Any, list[float]], tuple[float, float]],
    *,
    learner: str = "pretraining",
    level: float = 0.5,
    resolution: float,
    cost: float,
    planned_n: int = 256,
) -> Simulation:
    """Exponent of the sample complexity from brackets, against a predicted range."""

    def combine(samples: Samples, alpha: float, lab: Lab) -> list[Cell]:
        from sims.scaling import power_law

        x, brackets = brackets_along(samples, along, "n", level, alpha)
        expected = Interval(*predicted(lab.theory, x))
        n = min(sample.size for _, sample in samples)
        where = {"x": ", ".join(f"{value:g}" for value in x)}
        if sum(low > 0 and math.isfinite(high) for low, high in brackets) < 2:
            return [Cell(where, Verdict.UNDECIDED, n, predicted=expected, detail="a bracket is open")]
        found = power_law(x, brackets)
        interval = Interval(found.low, found.high)
        verdict = judge("exact", interval, expected, resolution) if found.fits else Verdict.FAILS
        shown = "; ".join(f"{low:.6g} < n <= {high:.6g}" for low, high in brackets)
        return [Cell(where, verdict, n, found.exponent, expected, interval, resolution, detail=shown)]

    return Simulation(
        name,
        "sample_complexity.successes",
        cells=lambda profile: cells[profile],
        parameters=lambda cell: {"learner": learner, "settings": settings(cell), "n_samples": cell["n"]},
        extract=successes,
        combine=combine,
        planned_n=planned_n,
        looks=3,
        unit="training run",
        cost=cost,
        profiles=tuple(cells),
    )


def exponent(solve: Callable[[float], float], x: Sequence[float]) -> float:
    """Slope between the ends of what `solve` gives, in logarithms."""
    return math.log(solve(x[-1]) / solve(x[0])) / math.log(x[-1] / x[0])
