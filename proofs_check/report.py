"""Reports: what a run of claims found, for the terminal, for machines and for notebooks."""

from __future__ import annotations

import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from proofs_check import __version__
from proofs_check.claims import ALL_PROFILES, Claim, find
from proofs_check.runner import ClaimResult, run_claims
from proofs_check.verdicts import Cell, Evidence, Interval, Verdict

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

__all__ = ["Report", "assert_holds", "check", "environment", "strict_json"]

LIBRARIES = ("numpy", "scipy", "sympy", "numba", "python-flint", "xarray", "matplotlib", "hypothesis", "z3-solver")


@lru_cache(maxsize=None)
def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def environment() -> dict[str, str]:
    """Python, platform and the versions of the libraries that results depend on."""
    return {"python": platform.python_version(), "platform": platform.platform(), **_versions()}


def strict_json(value: Any) -> Any:
    """Return `value` in terms of strict JSON: infinities as "inf" and "-inf", rationals as strings, NaN refused.

    Examples
    --------
    >>> strict_json({"p": Fraction(1, 3), "bound": math.inf, "n": 3})
    {'p': '1/3', 'bound': 'inf', 'n': 3}
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Mapping):
        return {str(k): strict_json(v) for k, v in value.items()}
    if isinstance(value, Fraction):
        return str(value)
    if hasattr(value, "tolist"):
        return strict_json(value.tolist())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError("NaN must not reach a report")
        return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")
    if isinstance(value, Iterable):
        return [strict_json(v) for v in value]
    return str(value)


def _cell_json(cell: Cell) -> dict[str, Any]:
    return {
        "parameters": cell.parameters,
        "n": cell.n,
        "observed": cell.observed,
        "predicted": None if cell.predicted is None else list(cell.predicted),
        "interval": None if cell.interval is None else list(cell.interval),
        "verdict": cell.verdict,
    }


def _evidence_json(evidence: Evidence) -> dict[str, Any]:
    worst = evidence.worst
    return {
        "kind": evidence.kind,
        "role": evidence.role,
        "scope": evidence.scope,
        "verdict": evidence.verdict,
        "n": worst.n if worst else None,
        "planned_n": evidence.planned_n,
        "observed": worst.observed if worst else None,
        "predicted": list(worst.predicted) if worst and worst.predicted else None,
        "interval": list(worst.interval) if worst and worst.interval else None,
        "level": evidence.level,
        "level_kind": evidence.level_kind,
        "resolution": worst.resolution if worst else None,
        "seconds": round(evidence.seconds, 4),
        "replay": evidence.replay,
        "cells": [_cell_json(c) for c in evidence.cells],
        "detail": "; ".join(filter(None, [evidence.name, worst.detail if worst else "", evidence.error])),
    }


def _float(value: Any) -> float:
    """A figure as a float; NaN for what is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _claim(result: ClaimResult) -> Claim:
    if result.claim is None:
        raise ValueError(f"the result of {result.id} travelled without its claim")
    return result.claim


@dataclass(frozen=True)
class Report:
    """Judged claims with the run that judged them.

    Attributes
    ----------
    results : tuple of ClaimResult
        In the order of the theory.
    seed, profile
        Of the run.
    """

    results: tuple[ClaimResult, ...]
    seed: int
    profile: str

    @property
    def exit_code(self) -> int:
        """0: all as expected; 1: one contrary; 3: only unexpected undecided ones."""
        outcomes = {r.outcome for r in self.results}
        return 1 if "contrary" in outcomes else 3 if "undecided" in outcomes else 0

    @property
    def summary(self) -> dict[str, int]:
        """Counts of outcomes and of mutants."""
        outcomes = [r.outcome for r in self.results]
        mutants = [m for r in self.results for m in r.mutants if m.ran]
        return {
            "as_expected": outcomes.count("as_expected"),
            "contrary": outcomes.count("contrary"),
            "undecided": outcomes.count("undecided"),
            "mutants": len(mutants),
            "mutants_refuted": sum(bool(m.refuted_by) for m in mutants),
        }

    def to_json(self) -> dict[str, Any]:
        """The ledger as strict JSON types; its schema is ``proofs_check/schema.json``."""
        claims = []
        for result in self.results:
            claim = _claim(result)
            claims.append(
                {
                    "id": claim.id,
                    "subject": claim.subject,
                    "statement": claim.statement,
                    "origin": claim.origin,
                    "source": claim.source,
                    "kind": claim.kind,
                    "expected": claim.expected,
                    "verdict": result.verdict,
                    "repaired_by": claim.repaired_by,
                    "support": result.support,
                    "tightness": result.tightness,
                    "seconds": round(result.seconds, 4),
                    "evidence": [_evidence_json(e) for e in result.evidence],
                    "mutants": [
                        {"statement": m.statement, "why_false": m.why_false, "refuted_by": list(m.refuted_by)}
                        for m in result.mutants
                        if m.ran
                    ],
                }
            )
        ledger: dict[str, Any] = strict_json(
            {
                "schema": 1,
                "version": __version__,
                "seed": self.seed,
                "profile": self.profile,
                "environment": environment(),
                "claims": claims,
                "summary": self.summary,
            }
        )
        return ledger

    def to_dataset(self) -> xr.Dataset:
        """Every cell, as a dataset over ``cell`` with text coordinates; NaN where a cell compared no numbers."""
        import numpy as np
        import xarray as xr

        rows = [
            (r.id, e.name, e.kind, str(dict(c.parameters)), c)
            for r in self.results
            for e in r.evidence
            for c in e.cells
        ]
        nothing = Interval(math.nan, math.nan)
        numbers = {
            "observed": [_float(c.observed) for *_, c in rows],
            "interval_low": [_float((c.interval or nothing).low) for *_, c in rows],
            "interval_high": [_float((c.interval or nothing).high) for *_, c in rows],
            "predicted_low": [_float((c.predicted or nothing).low) for *_, c in rows],
            "predicted_high": [_float((c.predicted or nothing).high) for *_, c in rows],
        }
        texts = {"claim": 0, "leg": 1, "kind": 2, "parameters": 3}
        return xr.Dataset(
            {name: ("cell", np.array(values, dtype=float)) for name, values in numbers.items()}
            | {"verdict": ("cell", [c.verdict.value for *_, c in rows])},
            coords={name: ("cell", [str(row[i]) for row in rows]) for name, i in texts.items()},
            attrs={"seed": self.seed, "profile": self.profile, "version": __version__},
        )

    def plot(self) -> Figure:
        """The figure of the first claim (a report of several claims: see the HTML page)."""
        from proofs_check.figures import draw

        return draw(self.results[0])

    def replay(self) -> str:
        """The command that repeats this run."""
        ids = " ".join(r.id for r in self.results)
        return f"python -m proofs_check {ids} --seed {self.seed} --profile {self.profile}"

    def _repr_html_(self) -> str:
        from proofs_check.page import fragment

        return fragment(self)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        lines = [f"{r.verdict.value:9} {r.id}: {_claim(r).statement}" for r in self.results]
        return "\n".join(lines)

    @property
    def shown_false(self) -> list[ClaimResult]:
        """Statements whose verdict is that they fail."""
        return [r for r in self.results if r.verdict is Verdict.FAILS]

    @property
    def left_open(self) -> list[ClaimResult]:
        """Statements left undecided."""
        return [r for r in self.results if r.verdict is Verdict.UNDECIDED]


def _restricted(claim: Claim, cells: Mapping[str, Any]) -> Claim:
    """The claim with its simulations moved to a cell of the user's."""
    from dataclasses import replace

    from proofs_check.claims import Leg, Simulation

    unknown = sorted(set(cells) - set(claim.domain))
    if unknown:
        raise ValueError(f"claim {claim.id} has no parameter {unknown[0]!r}; its domain is {claim.domain}")
    claim.domain.validate(cells)
    legs: list[Leg] = []
    for leg in claim.evidence:
        if isinstance(leg, Simulation):
            moved: dict[str, Any] = {}
            for profile in ("quick", "full"):
                unique = {repr(sorted({**c, **cells}.items())): {**c, **cells} for c in leg.cells_in(profile)}
                moved[profile] = list(unique.values())
            for cell in moved["quick"] + moved["full"]:
                claim.domain.validate(cell)
            legs.append(replace(leg, cells=moved.__getitem__))
        else:
            legs.append(leg)
    return replace(claim, evidence=tuple(legs))


def check(
    claims: str | Claim | Sequence[str | Claim], *, seed: int = 0, profile: str = "quick", jobs: int = 1, **cells: Any
) -> Report:
    """Judge claims and return a report.

    Parameters
    ----------
    claims : str, Claim, or a sequence of them
        Ids (``"linear_model.first_token_bias"``), subjects, or claims of your own, which
        need no registration.
    seed : int
        Base seed, in [0, 2**31).
    profile : {"quick", "full", "transformer"}
        How much to do; the last judges trained decoders, stored runs for seed 0.
    jobs : int
        Worker processes; only for registered claims without `cells`.
    **cells
        Values of the claims' domain parameters: simulations run at these cells instead of
        their own.

    Returns
    -------
    Report
        With ``to_json()``, ``to_dataset()``, ``plot()`` and ``replay()``.

    Raises
    ------
    ValueError
        If a name is unknown, or a value is outside a claim's domain.

    Examples
    --------
    >>> print(check("parity_mixture.sequence_weighting").results[0].verdict)
    holds
    """
    if profile not in ALL_PROFILES:
        raise ValueError(f"profile must be one of {', '.join(ALL_PROFILES)}, got {profile!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise ValueError(f"seed must be an integer in [0, 2**31), got {seed!r}")
    if isinstance(jobs, bool) or not isinstance(jobs, int) or jobs < 1:
        raise ValueError(f"jobs must be an integer in [1, inf), got {jobs!r}")
    given = [claims] if isinstance(claims, (str, Claim)) else list(claims)
    wanted: list[Claim] = []
    for item in given:
        wanted += [item] if isinstance(item, Claim) else find([item])
    if cells:
        wanted = [_restricted(claim, cells) for claim in wanted]
    own = bool(cells) or any(isinstance(item, Claim) for item in given)
    results = run_claims(wanted, profile=profile, seed=seed, jobs=1 if own else jobs)
    return Report(tuple(results), seed, profile)


def assert_holds(claims: str | Claim | Sequence[str | Claim], **options: Any) -> Report:
    """Judge claims as :func:`check` does and raise ``AssertionError`` unless every verdict is as expected.

    Examples
    --------
    >>> report = assert_holds("parity_mixture.sequence_weighting")
    """
    report = check(claims, **options)
    wrong = [r for r in report.results if not r.as_expected]
    if wrong:
        lines = [
            f"{r.id}: expected {r.expected}, got {r.verdict.value}"
            + "".join(
                f"\n  {e.kind} ({e.name}): {e.verdict.value}, worst cell {e.worst}"
                for e in r.evidence
                if e.verdict.value != r.expected
            )
            + "".join(f"\n  mutant not refuted: {m.statement}" for m in r.mutants if m.ran and not m.refuted_by)
            + "".join(f"\n{error}" for error in r.errors)
            for r in wrong
        ]
        raise AssertionError("\n".join([*lines, f"replay: {report.replay()}"]))
    return report
