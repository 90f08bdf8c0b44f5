"""Running claims: legs, looks, mutants, and the verdict on each claim."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proofs_check.claims import Claim, Exact, Leg, Mutant, Simulation
from proofs_check.lab import CLAIM_LEVEL, Lab, Measurements, measurement_key
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

    @property
    def errors(self) -> list[str]:
        """Tracebacks of legs and mutants that raised."""
        return [e.error for e in self.evidence if e.error] + [m.error for m in self.mutants if m.error]

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
        part = leg.extract(dataset, cell)
        total = part if total is None else total + part
    return total


def _judge_cell(leg: Simulation, cell: Mapping[str, Any], sample: Any, alpha: float, lab: Lab) -> Cell:
    if leg.predict is None:
        raise TypeError(f"leg {leg.name!r} judges no single cells")
    predicted = _as_interval(leg.predict(lab.theory, cell))
    resolution = leg.resolution(cell, predicted) if callable(leg.resolution) else leg.resolution
    interval = sample.interval(alpha)
    verdict = judge(leg.compare, interval, predicted, resolution)
    return Cell(dict(cell), verdict, sample.size, sample.estimate, predicted, interval, resolution)


def run_simulation(leg: Simulation, lab: Lab, alpha: float) -> tuple[list[Cell], float, str]:
    """Look, double and look again until every cell is decided; returns cells, the level of one interval, its kind."""
    cells = leg.cells_in(lab.profile)
    planned = leg.first_n(lab.profile)
    each = alpha / (leg.looks * (1 if leg.combine else len(cells)))
    level_kind = "exact"
    done: dict[int, Cell] = {}
    joint: list[Cell] = []
    for look in range(leg.looks):
        n = planned * 2**look
        try:
            if leg.combine is not None:
                samples = [(cell, _sample(leg, cell, n, lab)) for cell in cells]
                joint = leg.combine(samples, each, lab)
                level_kind = samples[0][1].level_kind
                if all(c.verdict is not Verdict.UNDECIDED for c in joint):
                    break
                continue
            for index, cell in enumerate(cells):
                if index in done and done[index].verdict is not Verdict.UNDECIDED:
                    continue
                sample = _sample(leg, cell, n, lab)
                level_kind = sample.level_kind
                done[index] = _judge_cell(leg, cell, sample, each, lab)
        except LookupError:
            if not lab.frozen:
                raise
            break  # a mutant reads only what was measured
        if len(done) == len(cells) and all(c.verdict is not Verdict.UNDECIDED for c in done.values()):
            break
    return joint or [done[i] for i in sorted(done)], each, level_kind


def run_leg(leg: Leg, lab: Lab, alpha: float, replay: str) -> Evidence:
    """Run one leg; an exception becomes an undecided leg with its traceback."""
    start = time.perf_counter()
    level: float | None = None
    level_kind: str | None = None
    planned: int | None = None
    error = ""
    cells: list[Cell] = []
    try:
        if isinstance(leg, Simulation):
            planned = leg.first_n(lab.profile)
            cells, level, level_kind = run_simulation(leg, lab, alpha)
        else:
            cells = list(leg.run(lab))
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
    required = [e.verdict for e in evidence if e.role == "required"]
    supporting = [e.verdict for e in evidence if e.role != "required" and e.verdict is Verdict.FAILS]
    return combine([*required, *supporting]) if required else Verdict.UNDECIDED


def _alpha(legs: Sequence[Leg]) -> float:
    return CLAIM_LEVEL / max(1, sum(isinstance(leg, Simulation) for leg in legs))


def _run_mutant(claim: Claim, mutant: Mutant, legs: Sequence[Leg], lab: Lab, power: bool) -> MutantResult:
    if mutant.sims and not power:
        return MutantResult(mutant.statement, mutant.why_false, (), ran=False)
    mutated = lab.mutated(mutant.theory, mutant.sims)
    replay = f"python -m proofs_check {claim.id} --seed {lab.seed} --profile {lab.profile} --power"
    found = [run_leg(leg, mutated, _alpha(legs), replay) for leg in legs]
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
    evidence = tuple(run_leg(leg, lab, _alpha(legs), replay) for leg in legs)
    tried = tuple(_run_mutant(claim, m, legs, lab, power) for m in claim.mutants) if mutants and legs else ()
    tightness = dict(claim.tightness(lab)) if claim.tightness and not any(e.error for e in evidence) else None
    return ClaimResult(
        claim.id,
        _claim_verdict(evidence),
        claim.expected,
        evidence,
        tried,
        tightness,
        time.perf_counter() - start,
        claim,
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
            if isinstance(leg, Simulation):
                for cell in leg.cells_in(profile):
                    key = measurement_key(leg.experiment, leg.parameters(cell))
                    parent[root(index)] = root(home.setdefault(key, index))
    groups: dict[int, list[Claim]] = {}
    for index, claim in enumerate(claims):
        groups.setdefault(root(index), []).append(claim)
    return sorted(groups.values(), key=lambda g: -sum(leg.cost for c in g for leg in c.legs(profile)))


def _run_group(ids: list[str], profile: str, seed: int, power: bool) -> list[ClaimResult]:
    """What a worker process does: claims are looked up again there, and travel back without themselves."""
    from dataclasses import replace

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
    profile : {"quick", "full"}
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
    from dataclasses import replace

    wanted = [claim for claim in claims if claim.legs(profile)]
    tell = on_result or (lambda result: None)
    results: dict[str, ClaimResult] = {}
    if jobs == 1 or len(wanted) == 1:
        lab = Lab(profile=profile, seed=seed, measurements=Measurements(seed))
        for claim in wanted:
            results[claim.id] = run_claim(claim, lab, power=power)
            tell(results[claim.id])
    else:
        from joblib import Parallel, delayed

        by_id = {claim.id: claim for claim in wanted}
        tasks = (
            delayed(_run_group)([c.id for c in group], profile, seed, power) for group in _groups(wanted, profile)
        )
        for group in Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(tasks):
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
