"""Where legs work: access to both sides, and the shared measurements.

A :class:`Lab` hands a leg the closed forms and the simulators. Measurements are kept by
experiment and parameters: each is made once a run, extended when a leg needs more, and read
by every claim and every mutant that names it.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np

from proofs_check.verdicts import Cell, Interval, Verdict

__all__ = ["CLAIM_LEVEL", "Lab", "Measurements", "NotMeasured"]

CLAIM_LEVEL = 1e-9  # probability that a claim's intervals miss, whichever other claims run with it


class NotMeasured(LookupError):
    """A frozen lab was asked for more replicates than its claim has measured."""


class _Subject:
    """One module of a room, with replaced functions in front of it."""

    def __init__(self, room: str, subject: str, replaced: Mapping[str, Callable[..., Any]]) -> None:
        self._module = importlib.import_module(f"{room}.{subject}")
        self._subject = subject
        self._replaced = replaced

    def __getattr__(self, name: str) -> Any:
        original = getattr(self._module, name)
        return self._replaced.get(f"{self._subject}.{name}", original)


class Room:
    """``lab.theory.star.update`` and the like, mutants included."""

    def __init__(self, room: str, replaced: Mapping[str, Callable[..., Any]]) -> None:
        self._room = room
        self._replaced = replaced

    def __getattr__(self, subject: str) -> Any:
        if subject.startswith("_"):
            raise AttributeError(subject)
        return _Subject(self._room, subject, self._replaced)


def _freeze(value: Any) -> Any:
    """A hashable stand-in for a parameter value."""
    if isinstance(value, Mapping):
        return tuple(sorted((k, _freeze(v)) for k, v in value.items()))
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    if isinstance(value, (list, tuple)):
        return tuple(_freeze(v) for v in value)
    return value


def measurement_key(experiment: str | Callable[..., Any], parameters: Mapping[str, Any]) -> Any:
    """What identifies a shared measurement; a function stands for itself, since names of local ones are not unique."""
    return experiment, _freeze(parameters)


@dataclass
class Measurements:
    """Datasets by experiment and parameters, each a list of blocks of consecutive replicates."""

    seed: int
    blocks: dict[Any, list[tuple[int, Any]]] = field(default_factory=dict)
    drawn: int = 0

    def available(self, key: Any) -> int:
        """Replicates already measured."""
        return sum(n for n, _ in self.blocks.get(key, []))

    def get(self, key: Any, n: int, simulator: Callable[..., Any] | None, parameters: Mapping[str, Any]) -> list[Any]:
        """The datasets that hold replicates 0..n-1; ``simulator=None`` refuses to make new ones.

        Replicate i has seed ``seed * 2**32 + i``, so a longer measurement contains the shorter one.
        """
        blocks = self.blocks.setdefault(key, [])
        have = self.available(key)
        if have < n:
            if simulator is None:
                raise NotMeasured(f"only {have} of {n} replicates were measured")
            first = self.seed * 2**32
            blocks.append((n - have, simulator(**parameters, seeds=range(first + have, first + n))))
            self.drawn += n - have
        taken, out = 0, []
        for size, dataset in blocks:
            if taken >= n:
                break
            out.append(dataset if taken + size <= n else dataset.isel(replicate=slice(0, n - taken)))
            taken += size
        return out


@dataclass(frozen=True)
class Lab:
    """What a leg gets.

    Attributes
    ----------
    profile : {"quick", "full", "transformer"}
        How much to do.
    seed : int
        Base seed of every measurement.
    measurements : Measurements
        Shared by all claims of the run.
    theory, sims : Room
        The two sides.
    frozen : bool
        If set, no new measurement may be made: a mutant sees what its claim saw.
    """

    profile: str = "quick"
    seed: int = 0
    measurements: Measurements = field(default_factory=lambda: Measurements(0))
    theory_replaced: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    sims_replaced: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    frozen: bool = False

    @property
    def theory(self) -> Room:
        """The closed forms."""
        return Room("theory", self.theory_replaced)

    @property
    def sims(self) -> Room:
        """The simulators."""
        return Room("sims", self.sims_replaced)

    def mutated(self, theory: Mapping[str, Callable[..., Any]], sims: Mapping[str, Callable[..., Any]]) -> Lab:
        """A lab in which the given functions are replaced; replaced simulators measure into a store of their own."""
        if sims:
            return replace(
                self, theory_replaced=theory, sims_replaced=sims, measurements=Measurements(self.seed), frozen=False
            )
        return replace(self, theory_replaced=theory, frozen=True)

    def simulator(self, experiment: str | Callable[..., Any]) -> Callable[..., Any]:
        """The function that runs an experiment."""
        if not isinstance(experiment, str):
            return experiment
        subject, name = experiment.split(".")
        found: Callable[..., Any] = getattr(getattr(self.sims, subject), name)
        return found

    def measure(self, experiment: str | Callable[..., Any], n: int, **parameters: Any) -> list[Any]:
        """Datasets with the first `n` replicates of an experiment.

        Raises
        ------
        NotMeasured
            If the lab is frozen and fewer have been measured.
        """
        key = measurement_key(experiment, parameters)
        return self.measurements.get(key, n, None if self.frozen else self.simulator(experiment), parameters)

    def equal(self, parameters: Mapping[str, Any], observed: Any, predicted: Any, detail: str = "") -> Cell:
        """A cell of an exact leg: two rationals (or integers, or booleans) that must be equal."""
        for number in (observed, predicted):
            home = type(number).__module__.split(".")[0]
            inexact = isinstance(number, (float, complex, np.inexact)) or home == "flint"
            if inexact or (home == "sympy" and not (number.is_Rational or number.is_Boolean)):
                raise TypeError(f"equal() needs rationals, got {number!r}; close() compares floats, is_zero() symbols")
        return Cell(
            parameters,
            Verdict.HOLDS if observed == predicted else Verdict.FAILS,
            observed=observed,
            predicted=Interval(predicted, predicted),
            detail=detail,
        )

    def close(
        self, parameters: Mapping[str, Any], observed: float, predicted: float, tolerance: float, detail: str = ""
    ) -> Cell:
        """A cell of an exact leg on floats; `tolerance` is the derived rounding error."""
        low, high = float(observed) - tolerance, float(observed) + tolerance
        if not (math.isfinite(low) and math.isfinite(high) and math.isfinite(float(predicted))):
            raise ValueError(f"comparing needs finite numbers, got {observed!r} and {predicted!r} +- {tolerance!r}")
        inside = low <= float(predicted) <= high
        return Cell(
            parameters,
            Verdict.HOLDS if inside else Verdict.FAILS,
            observed=float(observed),
            predicted=Interval(float(predicted), float(predicted)),
            interval=Interval(low, high),
            detail=detail,
        )

    def true(self, parameters: Mapping[str, Any], condition: bool | None, detail: str = "") -> Cell:
        """A cell that holds, fails, or with None is undecided."""
        verdict = Verdict.UNDECIDED if condition is None else Verdict.HOLDS if condition else Verdict.FAILS
        return Cell(parameters, verdict, detail=detail)

    def at_most(self, parameters: Mapping[str, Any], observed: Any, bound: Any, detail: str = "") -> Cell:
        """A cell of an exact leg: a rational or ball that must not exceed a bound; overlapping balls decide nothing."""
        verdict = Verdict.HOLDS if observed <= bound else Verdict.FAILS if observed > bound else Verdict.UNDECIDED
        return Cell(parameters, verdict, observed=observed, predicted=Interval(-math.inf, bound), detail=detail)

    def rationals(self) -> Iterable[Fraction]:
        """A fixed spread of rationals in (0, 1), small and large, with both neighbours of 1/3."""
        third = Fraction(1, 3)
        return (
            Fraction(1, 1000), Fraction(1, 10), Fraction(1, 4), third - Fraction(1, 10**6), third,
            third + Fraction(1, 10**6), Fraction(1, 2), Fraction(7, 9), Fraction(99, 100),
        )  # fmt: skip
