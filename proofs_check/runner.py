"""Running claims: legs, looks, mutants, and the verdict on each claim."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real as RealNumber
from typing import Any

import numpy as np

from proofs_check.claims import Claim, Exact, Leg, Mutant, Simulation
from proofs_check.domains import Domain
from proofs_check.lab import CLAIM_LEVEL, Lab, Measurements, NotMeasured, measurement_key
from proofs_check.verdicts import Cell, Evidence, Interval, Verdict, combine, judge

__all__ = ["ClaimResult", "MutantResult", "run_claim", "run_claims"]


@dataclass(frozen=True)
class MutantResult:
    """A mutant and the names of the legs that refuted it; `ran` is False for one that needs ``--power``."""

    statement: str
    why_false: str
    refuted_by: tuple[str, ...]
    ran: bool
    error: str = ""


@dataclass(frozen=True)
class ClaimResult:
    """A judged claim."""

    id: str
    verdict: Verdict
    expected: str
    evidence: tuple[Evidence, ...]
    mutants: tuple[MutantResult, ...]
    tightness: Mapping[str, Any] | None
    seconds: float
    claim: Claim | None = field(default=None, compare=False, repr=False)
    error: str = ""

    @property
    def errors(self) -> list[str]:
        """Tracebacks of legs, of mutants, and of the tightness, where one raised."""
        found = [e.error for e in self.evidence] + [m.error for m in self.mutants] + [self.error]
        return [error for error in found if error]

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the expected one, nothing raised, and every mutant that ran was refuted."""
        return (
            self.verdict.value == self.expected and not self.errors and all(m.refuted_by for m in self.mutants if m.ran)
        )

    @property
    def outcome(self) -> str:
        """One of as_expected, contrary, undecided."""
        if self.as_expected:
            return "as_expected"
        unrefuted = any(m.ran and not m.refuted_by for m in self.mutants)
        if self.verdict is Verdict.UNDECIDED and not self.errors and not unrefuted:
            return "undecided"
        return "contrary"

    @property
    def support(self) -> str | None:
        """The widest scope of a required leg that reached the claim's verdict."""
        reached = {e.scope for e in self.evidence if e.role == "required" and e.verdict is self.verdict}
        return next((scope for scope in ("domain", "box", "cells") if scope in reached), None)

    @property
    def idle_legs(self) -> list[str]:
        """Required legs that refuted none of the mutants that ran."""
        busy = {name for mutant in self.mutants for name in mutant.refuted_by}
        return [e.name for e in self.evidence if e.role == "required" and e.name not in busy]


def _as_interval(value: Any) -> Interval:
    if isinstance(value, (tuple, Interval)):
        return Interval(float(value[0]), float(value[1]))
    return Interval(float(value), float(value))


def _sample(leg: Simulation, cell: Mapping[str, Any], n: int, lab: Lab) -> Any:
    total = None
    for dataset in lab.measure(leg.experiment, n, **leg.parameters(cell)):
        if leg.extract is not None:
            part = leg.extract(dataset, cell)
        elif leg.judge_units is not None:
            part = leg.judge_units(dataset, cell, lab.theory)
        total = part if total is None else total + part
    return total


def _judge_cell(leg: Simulation, cell: Mapping[str, Any], sample: Any, alpha: float, lab: Lab) -> Cell:
    if leg.predict is None:
        raise TypeError(f"leg {leg.name!r} judges no single cells")
    predicted = _as_interval(leg.predict(lab.theory, cell))
    resolution = leg.resolution(cell, predicted) if callable(leg.resolution) else leg.resolution
    interval = sample.interval(alpha)
    verdict = judge(leg.compare, interval, predicted, resolution)
    return Cell(dict(cell), verdict, sample.size, sample.estimate, predicted, interval, resolution, compare=leg.compare)


def _undecided(cells: Iterable[Cell]) -> bool:
    return any(cell.verdict is Verdict.UNDECIDED for cell in cells)


def _look_jointly(leg: Simulation, lab: Lab, n: int, level: float, before: Sequence[Cell]) -> tuple[list[Cell], str]:
    """One look at a quantity that takes all cells together; a cell decided at an earlier look stays as it was."""
    if leg.combine is None:
        raise TypeError(f"leg {leg.name!r} judges cells one by one")
    samples = [(cell, _sample(leg, cell, n, lab)) for cell in leg.cells_in(lab.profile)]
    found = leg.combine(samples, level, lab)
    kept = [old.verdict is not Verdict.UNDECIDED for old in before] or [False] * len(found)
    return [old if keep else new for old, keep, new in zip(before or found, kept, found, strict=True)], (
        samples[0][1].level_kind
    )


def run_simulation(leg: Simulation, lab: Lab, alpha: float) -> tuple[list[Cell], float, str]:
    """Look, double and look again until every cell is decided; returns cells, the level of one interval, its kind.

    In a frozen lab the looks at a cell end where its measurement ends.
    """
    cells = leg.cells_in(lab.profile)
    if not cells:
        raise ValueError(f"leg {leg.name!r} has no cells in profile {lab.profile}")
    each = alpha / (leg.looks * (1 if leg.combine else len(cells)))
    level_kind = "exact"
    joint: list[Cell] = []
    done: dict[int, Cell] = {}
    waiting = list(range(len(cells)))
    for look in range(leg.looks):
        n = leg.first_n(lab.profile) * 2**look
        if leg.combine is not None:
            try:
                joint, level_kind = _look_jointly(leg, lab, n, each, joint)
            except NotMeasured:
                break
            if not _undecided(joint):
                break
            continue
        still = []
        for index in waiting:
            try:
                sample = _sample(leg, cells[index], n, lab)
            except NotMeasured:
                continue
            level_kind = sample.level_kind
            done[index] = _judge_cell(leg, cells[index], sample, each, lab)
            if done[index].verdict is Verdict.UNDECIDED:
                still.append(index)
        waiting = still
        if not waiting:
            break
    return joint or [done[i] for i in sorted(done)], each, level_kind


def _check_cells(cells: Iterable[Mapping[str, Any]], domain: Domain | None) -> None:
    """Refuse numeric cells outside the claim's domain or its assumptions; symbols and ranges in words pass."""
    if domain is not None:
        for cell in cells:
            domain.validate({name: value for name, value in cell.items() if _is_number(value)})


def _is_number(value: Any) -> bool:
    return isinstance(value, RealNumber) and not isinstance(value, (bool, np.bool_))


def _plain(value: Any, end: str = "mid") -> Any:
    """A ball as the float at its middle or at an end, so that cells travel between processes and into a ledger."""
    return float(getattr(value, end)()) if type(value).__name__ == "arb" else value


def _plain_interval(interval: Interval | None) -> Interval | None:
    return None if interval is None else Interval(_plain(interval.low, "lower"), _plain(interval.high, "upper"))


def _portable(cell: Cell) -> Cell:
    return replace(
        cell,
        parameters={name: _plain(value) for name, value in cell.parameters.items()},
        observed=_plain(cell.observed),
        predicted=_plain_interval(cell.predicted),
        interval=_plain_interval(cell.interval),
    )


def run_leg(leg: Leg, lab: Lab, alpha: float, replay: str, domain: Domain | None = None) -> Evidence:
    """Run one leg on cells of the domain; an exception becomes an undecided leg with its traceback."""
    start = time.perf_counter()
    level: float | None = None
    level_kind: str | None = None
    planned: int | None = None
    error = ""
    cells: list[Cell] = []
    try:
        if isinstance(leg, Simulation):
            planned = leg.first_n(lab.profile)
            _check_cells(leg.cells_in(lab.profile), domain)
            cells, level, level_kind = run_simulation(leg, lab, alpha)
        else:
            cells = [_portable(cell) for cell in leg.run(lab)]
            _check_cells((cell.parameters for cell in cells), domain)
    except Exception:  # noqa: BLE001 - whatever a leg raises is reported, and the other legs go on
        error = traceback.format_exc()
    verdict = Verdict.UNDECIDED if error else combine(c.verdict for c in cells)
    return Evidence(
        name=leg.name,
        kind=leg.kind,
        role=leg.role,
        scope=leg.scope,
        verdict=verdict,
        cells=tuple(cells),
        seconds=time.perf_counter() - start,
        replay=replay,
        planned_n=planned,
        level=level,
        level_kind=level_kind,
        unit=leg.unit if isinstance(leg, Simulation) else "",
        error=error,
    )


def _claim_verdict(evidence: Sequence[Evidence]) -> Verdict:
    """Required legs decide; a supporting leg can only fail a claim."""
    return combine(e.verdict for e in evidence if e.role == "required" or e.verdict is Verdict.FAILS)


def _measured(cell: Cell) -> Interval | None:
    """What a cell says of the quantity it observed, where that is a range of numbers."""
    if cell.interval is not None:
        return cell.interval
    return Interval(cell.observed, cell.observed) if _is_number(cell.observed) else None


def _agreement(legs: Sequence[Leg], evidence: Sequence[Evidence], replay: str) -> list[Evidence]:
    """Hold legs that measure one quantity against each other: intervals at equal parameters must meet.

    A supporting leg, since agreement proves nothing: it can only fail a claim.
    """
    found: dict[str, list[tuple[str, Cell, Interval]]] = {}
    for leg, result in zip(legs, evidence, strict=True):
        if leg.quantity:
            known = [(result.name, cell, interval) for cell in result.cells if (interval := _measured(cell))]
            found.setdefault(leg.quantity, []).extend(known)
    agreements = []
    for quantity, measured in found.items():
        cells = []
        for index, (name, cell, interval) in enumerate(measured):
            for other_name, other, against in measured[:index]:
                if name == other_name or dict(cell.parameters) != dict(other.parameters):
                    continue
                meet = interval.low <= against.high and against.low <= interval.high
                cells.append(
                    Cell(
                        dict(cell.parameters),
                        Verdict.HOLDS if meet else Verdict.FAILS,
                        observed=cell.observed,
                        predicted=against,
                        interval=interval,
                        detail=f"{name} against {other_name}",
                    )
                )
        if cells:
            agreements.append(
                Evidence(
                    name=f"legs agree on {quantity}",
                    kind="agreement",
                    role="supporting",
                    scope="cells",
                    verdict=combine(c.verdict for c in cells),
                    cells=tuple(cells),
                    seconds=0.0,
                    replay=replay,
                )
            )
    return agreements


def _alpha(legs: Sequence[Leg]) -> float:
    return CLAIM_LEVEL / max(1, sum(isinstance(leg, Simulation) for leg in legs))


def _run_mutant(claim: Claim, mutant: Mutant, legs: Sequence[Leg], lab: Lab, power: bool) -> MutantResult:
    if mutant.sims and not power:
        return MutantResult(mutant.statement, mutant.why_false, (), ran=False)
    mutated = lab.mutated(mutant.theory, mutant.sims)
    replay = f"python -m proofs_check {claim.id} --seed {lab.seed} --profile {lab.profile} --power"
    found = [run_leg(leg, mutated, _alpha(legs), replay, claim.domain) for leg in legs]
    refuted_by = tuple(e.name for e in found if e.verdict is Verdict.FAILS and e.role == "required")
    errors = "\n".join(e.error for e in found if e.error)
    return MutantResult(mutant.statement, mutant.why_false, refuted_by, ran=True, error=errors)


def run_claim(claim: Claim, lab: Lab, *, power: bool = False, mutants: bool = True) -> ClaimResult:
    """Judge one claim and send its mutants through the same legs.

    Parameters
    ----------
    claim : Claim
        Registered or not.
    lab : Lab
        Profile, seed and shared measurements.
    power : bool
        Whether mutants that replace a simulator run too; they sample anew.
    mutants : bool
        Whether mutants run at all.

    Returns
    -------
    ClaimResult
        Verdict, evidence and refuted mutants.
    """
    start = time.perf_counter()
    legs = claim.legs(lab.profile)
    replay = f"python -m proofs_check {claim.id} --seed {lab.seed} --profile {lab.profile}"
    judged = [run_leg(leg, lab, _alpha(legs), replay, claim.domain) for leg in legs]
    evidence = (*judged, *_agreement(legs, judged, replay))
    tried = tuple(_run_mutant(claim, m, legs, lab, power) for m in claim.mutants) if mutants and legs else ()
    tightness: Mapping[str, Any] | None = None
    error = ""
    if claim.tightness and not any(e.error for e in evidence):
        try:
            tightness = dict(claim.tightness(lab))
        except Exception:  # noqa: BLE001 - reported like a leg that raised
            error = traceback.format_exc()
    return ClaimResult(
        claim.id,
        _claim_verdict(evidence),
        claim.expected,
        evidence,
        tried,
        tightness,
        time.perf_counter() - start,
        claim,
        error,
    )


def _groups(claims: Sequence[Claim], profile: str) -> list[list[Claim]]:
    """Claims that share a measurement go to the same worker; the costliest group comes first."""
    home: dict[Any, int] = {}
    parent = list(range(len(claims)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for index, claim in enumerate(claims):
        for leg in claim.legs(profile):
            if leg.kind == "training":  # these share pre-training
                parent[root(index)] = root(home.setdefault((leg.kind, claim.subject), index))
            if not isinstance(leg, Simulation):
                continue
            with contextlib.suppress(Exception):  # such a leg raises again where it runs, and is reported there
                for cell in leg.cells_in(profile):
                    key = measurement_key(leg.experiment, leg.parameters(cell))
                    parent[root(index)] = root(home.setdefault(key, index))
    groups: dict[int, list[Claim]] = {}
    for index, claim in enumerate(claims):
        groups.setdefault(root(index), []).append(claim)
    return sorted(groups.values(), key=lambda g: -sum(leg.cost for c in g for leg in c.legs(profile)))


def _run_group(ids: list[str], profile: str, seed: int, power: bool) -> list[ClaimResult]:
    """What a worker process does: claims are looked up again there, and travel back without themselves."""
    from proofs_check.claims import find

    lab = Lab(profile=profile, seed=seed, measurements=Measurements(seed))
    return [replace(run_claim(claim, lab, power=power), claim=None) for claim in find(ids)]


def run_claims(
    claims: Iterable[Claim],
    *,
    profile: str = "quick",
    seed: int = 0,
    jobs: int = 1,
    power: bool = False,
    on_result: Callable[[ClaimResult], None] | None = None,
) -> list[ClaimResult]:
    """Judge claims, in worker processes if asked; the figures do not depend on `jobs`.

    Parameters
    ----------
    claims : iterable of Claim
        Those without a leg in the profile are left out.
    profile : {"quick", "full", "transformer"}
        How much to do.
    seed : int
        Base seed, in [0, 2**31).
    jobs : int
        Worker processes; with more than one the claims must be registered ones.
    power : bool
        Whether simulator mutants run.
    on_result : callable, optional
        Called with each result as it arrives.

    Returns
    -------
    list of ClaimResult
        In the order of `claims`.
    """
    wanted = [claim for claim in claims if claim.legs(profile)]
    tell = on_result or (lambda result: None)
    groups = _groups(wanted, profile) if jobs > 1 else [wanted]
    if len(groups) <= 1:
        lab = Lab(profile=profile, seed=seed, measurements=Measurements(seed))
        judged = []
        for claim in wanted:
            judged.append(run_claim(claim, lab, power=power))
            tell(judged[-1])
        return judged

    from joblib import Parallel, delayed

    results: dict[str, ClaimResult] = {}
    by_id = {claim.id: claim for claim in wanted}
    tasks = (delayed(_run_group)([c.id for c in group], profile, seed, power) for group in groups)
    workers = min(jobs, len(groups))
    for group in Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)(tasks):
        for bare in group:
            results[bare.id] = replace(bare, claim=by_id[bare.id])
            tell(results[bare.id])
    return [results[claim.id] for claim in wanted]


def planned_cost(claims: Iterable[Claim], profile: str) -> float:
    """Core-seconds that the claims' legs announce."""
    return sum(leg.cost for claim in claims for leg in claim.legs(profile))


def leg_plan(leg: Leg, profile: str) -> str:
    """One line for ``--list``: kind, unit, planned n and cost of a leg."""
    if isinstance(leg, Exact):
        return f"{leg.kind}: {leg.name} ({leg.scope}; {leg.cost:g} s)"
    n = leg.first_n(profile) if profile in leg.profiles else 0
    return f"simulation: {leg.name} ({len(leg.cells_in(profile))} cells x {n} {leg.unit}s; {leg.cost:g} s)"
