"""Bounds as things to measure: each gives, at a point of its domain, a measured quantity and the limit stated for it.

A :class:`Bound` belongs to a claim and draws its points from the claim's own parameter ranges, cut
down to what can be simulated. One measurement returns a sample, whose confidence interval is exact,
and the limit read from the closed forms; :func:`ratio` turns both into a number that must not exceed
1, whichever side is bounded. Property tests draw points at random; :mod:`proofs_check.worst_case`
searches for the largest ratio.

Quantities without sampling error (an optimum, a count of sweeps, a run whose seed is a parameter) are
:class:`Exactly` known up to rounding. Error rates of the others: an interval at level alpha misses the
truth with probability at most alpha, so a true bound is called broken with probability at most alpha.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from proofs_check.claims import SUBJECTS, Claim, Mutant, Simulation, find, subjects
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import Lab
from proofs_check.samples import Sample
from proofs_check.verdicts import Interval

__all__ = [
    "Bound",
    "Crossing",
    "Exactly",
    "Measured",
    "Quantiles",
    "broken",
    "find_bounds",
    "from_claim",
    "narrowed",
    "ratio",
    "ratio_interval",
    "times",
]

INSTANCE = Integer(0, 2**31 - 1, meaning="number of a random instance, or of a run, that is judged exactly")


# ---------------------------------------------------------------- samples beside counts and means


@dataclass(frozen=True)
class Exactly:
    """A quantity without sampling error, known up to `rounding`.

    Examples
    --------
    >>> Exactly(0.5, 0.25).interval(1e-9)
    Interval(low=0.25, high=0.75)
    """

    value: float
    rounding: float = 0.0
    level_kind: ClassVar[str] = "exact"
    size: ClassVar[int] = 1

    @property
    def estimate(self) -> float:
        """The value."""
        return self.value

    def __add__(self, other: Sample) -> Exactly:
        """Nothing is learned by measuring twice."""
        return self

    def interval(self, alpha: float) -> Interval:
        """The value with its rounding, at every level."""
        return Interval(self.value - self.rounding, self.value + self.rounding)


@dataclass(frozen=True, eq=False)
class Quantiles:
    """Independent values of which a quantile is meant: "at most B with probability 1 - delta" is level 1 - delta.

    Examples
    --------
    >>> Quantiles(np.arange(100.0), 0.5).estimate
    49.0
    """

    values: np.ndarray
    level: float
    level_kind: ClassVar[str] = "exact"

    def __add__(self, other: Sample) -> Quantiles:
        if not isinstance(other, Quantiles) or other.level != self.level:
            return NotImplemented
        return Quantiles(np.concatenate([self.values, other.values]), self.level)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(self.values.size)

    @property
    def estimate(self) -> float:
        """The smallest value that a share `level` of the sample does not exceed."""
        rank = max(1, math.ceil(self.level * self.size - 1e-9))
        return float(np.sort(self.values)[rank - 1])

    def interval(self, alpha: float) -> Interval:
        """Order statistics that enclose the quantile, for any law of the values."""
        from sims.intervals import quantile_interval

        return Interval(*map(float, quantile_interval(self.values, self.level, alpha)))


@dataclass(frozen=True, eq=False)
class Crossing:
    """The least of several sizes at which a success probability reaches a level: a measured sample complexity.

    The least of the sizes that were tried, so the least of all may be anything above the size before it.

    If no size that was tried reaches it, all that is known is that the least one is larger.

    Attributes
    ----------
    sizes : tuple of int
        Rising sizes that were tried.
    successes : tuple of int
        Successful runs at each.
    runs : int
        Runs at each size.
    level : float
        Success probability asked for.

    Examples
    --------
    >>> Crossing((1, 2, 4), (0, 3, 10), 10, 0.5).estimate
    4.0
    """

    sizes: tuple[int, ...]
    successes: tuple[int, ...]
    runs: int
    level: float
    level_kind: ClassVar[str] = "exact"

    def __add__(self, other: Sample) -> Crossing:
        if not isinstance(other, Crossing) or (other.sizes, other.level) != (self.sizes, self.level):
            return NotImplemented
        both = tuple(a + b for a, b in zip(self.successes, other.successes, strict=True))
        return Crossing(self.sizes, both, self.runs + other.runs, self.level)

    @property
    def size(self) -> int:
        """Runs at each size."""
        return self.runs

    @property
    def estimate(self) -> float:
        """The first size whose share of successes reaches the level; one more than the last if none does."""
        reached = (n for n, k in zip(self.sizes, self.successes, strict=True) if k >= self.level * self.runs)
        return float(next(reached, self.sizes[-1] + 1))

    def interval(self, alpha: float) -> Interval:
        """From the first size that cannot be excluded to the first that is certain, over all sizes at once."""
        from sims.intervals import clopper_pearson

        low, high = clopper_pearson(np.array(self.successes), self.runs, alpha / len(self.sizes))
        first = next((n for n, top in zip(self.sizes, high, strict=True) if top >= self.level), self.sizes[-1] + 1)
        sure = next((n for n, bottom in zip(self.sizes, low, strict=True) if bottom >= self.level), math.inf)
        return Interval(float(first), float(sure))


# ---------------------------------------------------------------- bounds


class Measured(NamedTuple):
    """A sample of the bounded quantity, and the limit at the same point."""

    sample: Sample
    limit: float


@dataclass(frozen=True)
class Bound:
    """A stated bound that can be measured.

    Parameters
    ----------
    claim : str
        Id of the claim that states it, ``"subject.name"``.
    kind : {"upper", "lower"}
        What the limit is to the quantity.
    domain : Domain
        Where points are drawn: the claim's ranges as far as they can be simulated (see :func:`narrowed`).
    measure : callable
        From a Lab, a point and a sequence of seeds to :class:`Measured`. Closed forms are read through
        ``lab.theory``, simulators through ``lab.sims``, so that a mutant reaches them.
    part : str
        Which of a claim's bounds this is, if there are several.
    n : int
        Seeds a measurement takes.
    mutants : tuple of Mutant
        False limits, which the same measurements must break.
    ceiling : float
        For an upper bound: what the quantity never exceeds anyway; a limit from there on is vacuous.
    fails : bool
        A statement known to be false: the search must break it.
    cost : float
        Core-seconds of one measurement, roughly.

    Examples
    --------
    >>> from theory.linear_model import chain_bias_bound
    >>> bound = find_bounds(["linear_model.chain_bias_bound"])[0]
    >>> found = bound.measure(Lab(), {"ridge": 0.1, "d": 3}, [0])
    >>> found.limit == chain_bias_bound(0.1), 0.9 < ratio(bound.kind, found) < 1
    (True, True)
    """

    claim: str
    kind: str
    domain: Domain
    measure: Callable[[Lab, Mapping[str, Any], Sequence[int]], Measured]
    part: str = ""
    n: int = 1
    mutants: tuple[Mutant, ...] = ()
    ceiling: float = math.inf
    fails: bool = False
    cost: float = 0.01

    def __post_init__(self) -> None:
        if self.kind not in ("upper", "lower"):
            raise ValueError(f"kind must be one of upper, lower, got {self.kind!r}")
        if self.n < 1:
            raise ValueError(f"n must be an integer in [1, inf), got {self.n}")

    @property
    def id(self) -> str:
        """The claim's id, and the part after a colon."""
        return f"{self.claim}:{self.part}" if self.part else self.claim

    def vacuous(self, limit: float) -> bool:
        """Whether a limit says nothing."""
        return limit >= self.ceiling if self.kind == "upper" else limit <= 0


def _divided(part: float, whole: float) -> float:
    if math.isinf(whole):
        return 1.0 if math.isinf(part) else 0.0
    if whole == 0:
        return 0.0 if part <= 0 else math.inf
    return part / whole


def ratio(kind: str, found: Measured) -> float:
    """Measured over limit for an upper bound, limit over measured for a lower one: above 1 the bound is broken.

    Of an exactly known quantity the end nearer to the limit's safe side is taken, so that rounding is no ratio.
    """
    value = found.sample.estimate
    if isinstance(found.sample, Exactly):
        value += -found.sample.rounding if kind == "upper" else found.sample.rounding
    return float(_divided(value, found.limit) if kind == "upper" else _divided(found.limit, value))


def ratio_interval(kind: str, found: Measured, alpha: float) -> Interval:
    """Confidence interval of the ratio; the limit is not random."""
    low, high = found.sample.interval(alpha)
    if kind == "upper":
        return Interval(_divided(low, found.limit), _divided(high, found.limit))
    return Interval(_divided(found.limit, high), _divided(found.limit, low))


def broken(kind: str, found: Measured, alpha: float) -> bool:
    """Whether the interval at error probability `alpha` excludes the bound."""
    low, high = found.sample.interval(alpha)
    return bool(low > found.limit if kind == "upper" else high < found.limit)


def times(subject: str, name: str, factor: float) -> dict[str, Callable[..., Any]]:
    """Replace a closed form by a multiple of it, for a mutant.

    Parameters
    ----------
    subject, name : str
        ``theory.<subject>.<name>``, a function.
    factor : float
        By which its value is multiplied.

    Returns
    -------
    dict
        As `Mutant` takes it in ``theory=``.

    Examples
    --------
    >>> (longer,) = times("parity_mixture", "expected_length", 2.0).values()
    >>> longer(20, 0.25)
    11.5
    """

    def replacement(*arguments: Any, **options: Any) -> Any:
        return getattr(importlib.import_module(f"theory.{subject}"), name)(*arguments, **options) * factor

    return {f"{subject}.{name}": replacement}


def narrowed(
    domain: Domain,
    extra: Mapping[str, Real | Integer] | None = None,
    drop: Sequence[str] = (),
    **ranges: tuple[Any, Any],
) -> Domain:
    """A claim's domain with some ranges cut down, parameters that the simulation needs added, and the rest kept.

    Parameters
    ----------
    domain : Domain
        Of a claim.
    extra : mapping, optional
        Parameters that the claim does not name, such as the number of an instance.
    drop : sequence of str, optional
        Parameters of the claim that follow from the others in the simulation.
    **ranges : pair
        New ends, both inside the claim's range.

    Returns
    -------
    Domain
        With the claim's assumptions.

    Raises
    ------
    ValueError
        If a name is unknown or an end lies outside the claim's range.

    Examples
    --------
    >>> str(narrowed(Domain({"d": Integer(3), "ridge": Real(0, open_low=True)}), d=(3, 5), ridge=(0.1, 1)))
    'd in {3, ..., 5}, ridge in [0.1, 1]'
    """
    parameters = {name: parameter for name, parameter in domain.parameters.items() if name not in drop}
    for name, (low, high) in ranges.items():
        if name not in parameters:
            raise ValueError(f"the domain has no parameter {name!r}, only {', '.join(parameters)}")
        known = parameters[name]
        if not (known.contains(low) and known.contains(high)):
            raise ValueError(f"{name} must stay in {known}, got [{low}, {high}]")
        if isinstance(known, Integer):
            parameters[name] = replace(known, low=low, high=high, largest_drawn=None)
        else:
            parameters[name] = replace(known, low=low, high=high, open_low=False, open_high=False)
    return Domain({**parameters, **(extra or {})}, domain.assumptions)


# ---------------------------------------------------------------- from legs, and by name


def from_claim(claim: Claim, domain: Domain | None = None) -> list[Bound]:
    """Bounds read off a claim's simulation legs that compare with an upper or lower limit.

    Parameters
    ----------
    claim : Claim
        Registered or not.
    domain : Domain, optional
        Where to draw the legs' cells; by default only the cells listed for the first profile that has some,
        by their number.

    Returns
    -------
    list of Bound
        One a leg; legs that take several cells together are left out.
    """
    found = []
    for leg in claim.evidence:
        if not isinstance(leg, Simulation) or leg.compare == "exact" or leg.predict is None:
            continue
        profile = next((name for name in leg.profiles if leg.cells_in(name)), None)
        if profile is None:
            continue
        cells = leg.cells_in(profile)
        where = domain or Domain({"cell": Integer(0, len(cells) - 1, meaning="number of the leg's cell")})
        found.append(
            Bound(
                claim.id,
                leg.compare,
                where,
                _leg_measure(leg, None if domain else cells),
                part=leg.name,
                n=leg.first_n(profile),
                fails=claim.expected == "fails",
                cost=leg.cost / len(leg.cells_in(profile)),
            )
        )
    return found


def _leg_measure(
    leg: Simulation, cells: Sequence[Mapping[str, Any]] | None
) -> Callable[[Lab, Mapping[str, Any], Sequence[int]], Measured]:
    def measure(lab: Lab, point: Mapping[str, Any], seeds: Sequence[int]) -> Measured:
        cell = point if cells is None else cells[point["cell"]]
        data = lab.simulator(leg.experiment)(**leg.parameters(cell), seeds=seeds)
        if leg.extract is not None:
            sample = leg.extract(data, cell)
        elif leg.judge_units is not None:
            sample = leg.judge_units(data, cell, lab.theory)
        predicted = leg.predict(lab.theory, cell) if leg.predict is not None else math.nan
        ends = predicted if isinstance(predicted, tuple) else (predicted, predicted)
        return Measured(sample, float(ends[1] if leg.compare == "upper" else ends[0]))

    return measure


def registered(subject: str) -> list[Bound]:
    """The bounds of one subject, none if it has no module here."""
    if importlib.util.find_spec(f"proofs_check.bounds.{subject}") is None:
        return []
    return list(importlib.import_module(f"proofs_check.bounds.{subject}").BOUNDS)


def find_bounds(names: Iterable[str] = ()) -> list[Bound]:
    """Return the bounds of the given subjects, claims or ids; all of the project if none is given.

    A claim named by its id that has no bound of its own gives those of its legs.

    Raises
    ------
    ValueError
        If a name is none of these, or names a claim without a bound.
    """
    wanted = list(names) or subjects()
    found: dict[str, Bound] = {}
    for name in wanted:
        subject = name.split(".")[0]
        if subject not in SUBJECTS or subject not in subjects():
            raise ValueError(f"unknown bound or subject {name!r}; subjects are {', '.join(subjects())}")
        known = registered(subject)
        chosen = [b for b in known if name in (subject, b.claim, b.id)]
        if not chosen and name != subject:
            chosen = from_claim(find([name])[0])
            if not chosen:
                have = ", ".join(b.id for b in known) or "none"
                raise ValueError(f"claim {name!r} states no bound that is simulated; bounds of {subject} are {have}")
        found.update((b.id, b) for b in chosen)
    return list(found.values())
