"""What these claims share: domain, cells of single runs, and the leg that holds finished runs against a rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from proofs_check.claims import Exact
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.verdicts import Cell, Interval, Verdict

__all__ = ["DOMAIN", "PAPER", "PROFILE", "RULE", "fate", "go_on_share", "per_run", "run_cell", "runs_leg", "within"]

PAPER = "Tsilivis, Malach, Ullrich, Kempe, arXiv 2510.11495"
PROFILE = "transformer"
RULE = "The rule was written down before any of these runs ended: all runs must meet it. "

DOMAIN = Domain(
    {
        "d": Integer(2, 1024, meaning="length of the prompt"),
        "p_cot": Real(0, 1, meaning="share of long demonstrations", symbol=r"p_{\mathrm{cot}}"),
        "seed": Integer(0, meaning="the run"),
    }
)


def runs_leg(name: str, cells: Callable[[Lab], Iterable[Cell]], cost: float = 0.2) -> Exact:
    """A required leg of the profile ``transformer``: every run is a cell, and all must meet the rule."""
    return Exact("training", name, cells, scope="cells", profiles=(PROFILE,), cost=cost)


def run_cell(where: Mapping[str, Any], value: Any, low: float, high: float, detail: str) -> Cell:
    """One run at one place: it holds if its figure lies in [low, high]."""
    found = float(value)
    if not (math.isfinite(found) and low <= high):
        raise ValueError(f"a run needs a finite figure and low <= high, got {value!r} and [{low!r}, {high!r}]")
    verdict = Verdict.HOLDS if low <= found <= high else Verdict.FAILS
    return Cell(
        dict(where),
        verdict,
        observed=found,
        predicted=Interval(float(low), float(high)),
        interval=Interval(found, found),
        detail=detail,
    )


def within(where: Mapping[str, Any], value: Any, predicted: Any, margin: float, detail: str) -> Cell:
    """One run at one place: its figure lies within a stated margin of the prediction."""
    middle = float(predicted)
    return run_cell(where, value, middle - margin, middle + margin, detail)


def per_run(data: Any) -> Iterator[tuple[int, Any]]:
    """Seeds and the datasets of single runs; a record of one stage only is dropped as a dimension."""
    for run in range(data.sizes["replicate"]):
        part = data.isel(replicate=run)
        yield int(part["seed"]), part


def go_on_share(odds: Any) -> Any:
    """c/(1+c): chance to go on after a first token that agrees; bounded, so that margins mean the same everywhere."""
    return np.asarray(odds) / (1 + np.asarray(odds))


def fate(
    where: Mapping[str, Any],
    run: Any,
    accuracy: float,
    length: float,
    detail: str,
    margins: tuple[float, float] = (0.02, 0.25),
) -> Iterator[Cell]:
    """Greedy answers of the last record: accuracy and mean length (tokens) within margins of a prediction."""
    last = run.isel(dict.fromkeys(run["greedy_accuracy"].dims, -1))
    yield within({**where, "figure": "accuracy"}, last["greedy_accuracy"], accuracy, margins[0], f"{detail}, accuracy")
    yield within({**where, "figure": "length"}, last["greedy_length"], length, margins[1], f"{detail}, tokens")
