"""Claims: statements with a domain, evidence that can fail, and mutants that must.

A claim is data. Its legs are functions of a :class:`~proofs_check.lab.Lab`, through which
they reach the closed forms (``lab.theory``) and the simulators (``lab.measure``); a mutant
swaps one of these for a false one and sends it through the same legs.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from proofs_check.domains import Domain
from proofs_check.verdicts import Cell, Interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from proofs_check.lab import Lab
    from proofs_check.runner import ClaimResult
    from proofs_check.samples import Sample

__all__ = ["ALL_PROFILES", "KINDS", "SUBJECTS", "Claim", "Exact", "Mutant", "Simulation", "find", "load", "subjects"]

SUBJECTS = ("parity_mixture", "linear_model", "post_training", "star", "mid_training", "hardness", "transformer")
KINDS = ("exact", "upper", "lower", "rate", "threshold", "property", "empirical")
ORIGINS = ("paper", "derived", "conjecture")
EXPECTED = ("holds", "fails", "undecided")
LEG_KINDS = ("identity", "certificate", "enclosure", "enumeration", "simulation", "solver", "training")
PROFILES = ("quick", "full")  # of a leg that names none
ALL_PROFILES = (*PROFILES, "transformer")


@dataclass(frozen=True)
class Exact:
    """A leg without an interval: identity, certificate, enclosure, enumeration, solver, or training runs one by one.

    Parameters
    ----------
    kind : str
        One of the above.
    name : str
        What it does, in a few words.
    run : callable
        Takes a Lab, yields :class:`~proofs_check.verdicts.Cell` objects.
    scope : {"domain", "box", "cells"}
        What a positive verdict covers.
    quantity : str
        What its cells measure, if another leg measures the same: cells of one quantity and equal
        parameters must have intervals that meet.
    profiles : tuple of str
        Profiles that run this leg.
    cost : float
        Core-seconds, roughly; for the progress estimate and ``--list``.
    """

    kind: str
    name: str
    run: Callable[[Lab], Iterable[Cell]]
    scope: str = "domain"
    profiles: tuple[str, ...] = PROFILES
    cost: float = 0.1
    quantity: str = ""

    def __post_init__(self) -> None:
        if self.kind not in LEG_KINDS or self.kind == "simulation":
            allowed = ", ".join(k for k in LEG_KINDS if k != "simulation")
            raise ValueError(f"kind must be one of {allowed}, got {self.kind!r}")
        if self.scope not in ("domain", "box", "cells"):
            raise ValueError(f"scope must be one of domain, box, cells, got {self.scope!r}")

    @property
    def role(self) -> str:
        """A bare solver answer supports; everything else is required."""
        return "supporting" if self.kind == "solver" else "required"


@dataclass(frozen=True)
class Simulation:
    """A leg that measures, looks, and samples on until it can decide.

    At look k (0-based) it has ``planned_n * 2**k`` replicates a cell. The leg's share of the
    claim's error probability is split evenly over cells and looks, so all its intervals hold
    at once; the first decision of a cell stands.

    Parameters
    ----------
    name : str
        What it measures.
    experiment : str or callable
        ``"subject.function"`` below :mod:`sims`, or a function of the same form: keyword
        parameters and ``seeds``, returning a dataset.
    cells : callable or sequence
        The cells, or a function from the profile's name to them.
    parameters : callable
        From a cell to the experiment's keyword arguments. Legs that name the same experiment
        and arguments share the measurement.
    extract : callable
        From a dataset and the cell to a sample.
    judge_units : callable, optional
        Instead of `extract`: from a dataset, the cell and ``lab.theory`` to a sample, for failure
        rates, where each unit is held against a bound.
    predict : callable
        From ``lab.theory`` and the cell to a number or a pair (low, high).
    compare : {"exact", "upper", "lower"}
        What the prediction is to the measured quantity.
    resolution : float or callable
        The difference that would matter; a callable gets the cell and the predicted interval.
    planned_n : int or mapping
        Replicates at the first look, by profile if a mapping.
    looks : int
        At most 8.
    unit : str
        What a replicate is.
    combine : callable, optional
        From (cells' samples, alpha, lab) to judged cells, for quantities that take several
        cells (an exponent); the alpha is the leg's at this look.
    quantity : str
        As for :class:`Exact`.
    """

    name: str
    experiment: str | Callable[..., Any]
    cells: Callable[[str], Sequence[Mapping[str, Any]]] | Sequence[Mapping[str, Any]]
    parameters: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    extract: Callable[[Any, Mapping[str, Any]], Sample] | None = None
    judge_units: Callable[[Any, Mapping[str, Any], Any], Sample] | None = None
    predict: Callable[[Any, Mapping[str, Any]], float | tuple[float, float]] | None = None
    compare: str = "exact"
    resolution: float | Callable[[Mapping[str, Any], Interval], float] = 0.0
    planned_n: int | Mapping[str, int] = 100
    looks: int = 4
    unit: str = "run"
    combine: Callable[[Sequence[tuple[Mapping[str, Any], Sample]], float, Lab], list[Cell]] | None = None
    profiles: tuple[str, ...] = PROFILES
    cost: float = 1.0
    scope: str = "cells"
    quantity: str = ""
    kind: str = field(default="simulation", init=False)
    role: str = field(default="required", init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.looks <= 8:
            raise ValueError(f"looks must be an integer in [1, 8], got {self.looks}")
        if self.compare not in ("exact", "upper", "lower"):
            raise ValueError(f"compare must be one of exact, upper, lower, got {self.compare!r}")
        if (self.extract is None) == (self.judge_units is None):
            raise ValueError("a simulation leg needs either extract or judge_units")
        if (self.predict is None) == (self.combine is None):
            raise ValueError("a simulation leg needs either predict or combine")
        planned = [self.planned_n] if isinstance(self.planned_n, int) else list(self.planned_n.values())
        if min(planned, default=0) < 1:
            raise ValueError(f"planned_n must be an integer in [1, inf), got {self.planned_n}")

    def cells_in(self, profile: str) -> list[Mapping[str, Any]]:
        """The cells of a profile."""
        return list(self.cells(profile) if callable(self.cells) else self.cells)

    def first_n(self, profile: str) -> int:
        """Replicates at the first look."""
        return self.planned_n if isinstance(self.planned_n, int) else self.planned_n[profile]


Leg = Exact | Simulation


@dataclass(frozen=True)
class Mutant:
    """A false statement made by replacing functions; the claim's own legs must refute it.

    Parameters
    ----------
    statement : str
        What the mutant says.
    why_false : str
        The reason, checkable by hand.
    theory : mapping of str to callable
        Replacements, keyed ``"subject.function"``.
    sims : mapping of str to callable
        Replaced simulators; these sample anew and run only on request.
    flips : bool
        Whether it merely turns an inequality round (at most one a claim).
    """

    statement: str
    why_false: str
    theory: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    sims: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    flips: bool = False

    def __post_init__(self) -> None:
        if not (self.theory or self.sims):
            raise ValueError(f"a mutant must replace something, got none: {self.statement!r}")


@dataclass(frozen=True)
class Claim:
    """A statement and everything needed to judge it.

    Parameters
    ----------
    id : str
        ``"subject.name"``.
    statement : str
        In words.
    latex : str
        The same in LaTeX.
    origin : {"paper", "derived", "conjecture"}
        Who says so.
    source : str
        Paper and number, or where it is derived.
    kind : str
        One of ``KINDS``.
    domain : Domain
        Where it is claimed.
    evidence : sequence of Exact or Simulation
        Its legs.
    mutants : sequence of Mutant
        At least two for a registered claim.
    functions : tuple of str
        The closed forms judged, ``"subject.function"``; their validation is tested on the domain.
    expected : {"holds", "fails", "undecided"}
        ``fails`` for statements known to be false.
    repaired_by : str, optional
        For a false statement: the id of the claim that holds instead.
    tightness : callable, optional
        From a Lab to ``{"ratio", "interval", "vacuous", "detail"}``: observed over bound.
    figure : callable, optional
        From the claim's result to a Matplotlib figure.
    remarks : str
        What a reader should know: equality sets, disagreement with a printed constant.
    """

    id: str
    statement: str
    latex: str
    origin: str
    source: str
    kind: str
    domain: Domain
    evidence: Sequence[Leg]
    mutants: Sequence[Mutant] = ()
    functions: tuple[str, ...] = ()
    expected: str = "holds"
    repaired_by: str | None = None
    tightness: Callable[[Lab], Mapping[str, Any]] | None = None
    figure: Callable[[ClaimResult], Figure] | None = None
    remarks: str = ""

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("origin", self.origin, ORIGINS),
            ("kind", self.kind, KINDS),
            ("expected", self.expected, EXPECTED),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r} in claim {self.id}")
        if self.id.count(".") != 1 or not all(self.id.split(".")):
            raise ValueError(f"id must look like subject.name, got {self.id!r}")
        if not self.evidence:
            raise ValueError(f"claim {self.id} has no evidence")
        if (self.expected == "fails") != (self.repaired_by is not None):
            raise ValueError(f"claim {self.id}: a statement expected to fail, and only such, names what repairs it")
        if self.expected == "undecided" and self.origin != "conjecture":
            raise ValueError(f"claim {self.id}: only conjectures may be expected undecided")
        if sum(mutant.flips for mutant in self.mutants) > 1:
            raise ValueError(f"claim {self.id}: at most one mutant may be a flipped inequality")

    @property
    def subject(self) -> str:
        """The part of the id before the dot."""
        return self.id.split(".")[0]

    def legs(self, profile: str) -> list[Leg]:
        """The legs a profile runs."""
        return [leg for leg in self.evidence if profile in leg.profiles]


def subjects() -> list[str]:
    """Names of the subjects whose claims are present."""
    return [name for name in SUBJECTS if importlib.util.find_spec(f"proofs_check.{name}") is not None]


def load(subject: str) -> list[Claim]:
    """Return the claims of one subject, in the order of the theory."""
    if subject not in subjects():
        raise ValueError(f"subject must be one of {', '.join(subjects())}, got {subject!r}")
    return list(importlib.import_module(f"proofs_check.{subject}").CLAIMS)


def find(names: Iterable[str] = ()) -> list[Claim]:
    """Return the claims with the given ids or subjects; all of them if none is given.

    Raises
    ------
    ValueError
        If a name is neither a subject nor the id of a claim.
    """
    wanted = list(names) or subjects()
    found: dict[str, Claim] = {}
    for name in wanted:
        subject = name.split(".")[0]
        if subject not in subjects():
            raise ValueError(f"unknown claim or subject {name!r}; subjects are {', '.join(subjects())}")
        claims = [c for c in load(subject) if name in (subject, c.id)]
        if not claims:
            close = ", ".join(c.id for c in load(subject))
            raise ValueError(f"unknown claim {name!r}; claims of {subject} are {close}")
        found.update((c.id, c) for c in claims)
    return list(found.values())
