"""The terminal view of a run: progress while it lasts, a table by subject, and what was shown false."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from proofs_check.claims import Claim
from proofs_check.report import Report
from proofs_check.runner import ClaimResult
from proofs_check.wording import reach

__all__ = ["print_plan", "print_report", "progress"]

_STYLE = {"as_expected": "green", "contrary": "bold red", "undecided": "yellow"}


@contextmanager
def progress(console: Console, claims: list[Claim], profile: str) -> Iterator[Any]:
    """Show a bar whose estimate weighs claims by their planned cost; yields the callback for results."""
    costs = {c.id: sum(leg.cost for leg in c.legs(profile)) + 0.2 for c in claims}
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task("judging claims", total=round(sum(costs.values()), 1))

        def advance(result: ClaimResult) -> None:
            bar.update(task, advance=round(costs[result.id], 1), description=f"judged {result.id}")

        yield advance


_SHORT = {
    "identity": "ident",
    "certificate": "cert",
    "enclosure": "encl",
    "enumeration": "enum",
    "simulation": "sim",
    "solver": "solver",
    "training": "train",
    "agreement": "agree",
}


def _tightness(result: ClaimResult) -> str:
    ratio = (result.tightness or {}).get("ratio")
    return "" if ratio is None else f"{float(ratio):.2g}"


def print_report(console: Console, report: Report, seconds: float) -> None:
    """Print the table of verdicts, then totals, then the statements shown false and those left open."""
    for subject in dict.fromkeys(r.id.split(".")[0] for r in report.results):
        table = Table(title=subject, title_justify="left", title_style="bold", box=None, pad_edge=False)
        table.add_column("claim", no_wrap=True, overflow="fold")
        table.add_column("verdict", no_wrap=True)
        table.add_column("by", no_wrap=True)
        table.add_column("legs", no_wrap=True)
        table.add_column("mutants", justify="right")
        table.add_column("tightness", justify="right", no_wrap=True)
        for r in (r for r in report.results if r.id.startswith(subject + ".")):
            ran = [m for m in r.mutants if m.ran]
            table.add_row(
                r.id.split(".")[1],
                f"[{_STYLE[r.outcome]}]{r.verdict.value}{'' if r.verdict.value == r.expected else ' (unexpected)'}[/]",
                reach(r),
                " ".join(dict.fromkeys(_SHORT[e.kind] for e in r.evidence)),
                f"{sum(bool(m.refuted_by) for m in ran)}/{len(ran)}",
                _tightness(r),
            )
        console.print(table)
        console.print()
    for r in report.results:
        for error in r.errors:
            console.print(f"[bold red]{r.id} raised:[/]\n{escape(error)}", highlight=False)
        for m in (m for m in r.mutants if m.ran and not m.refuted_by):
            console.print(f"[bold red]{r.id}: mutant not refuted:[/] {escape(m.statement)}", highlight=False)
        if r.outcome != "as_expected":
            for e in (e for e in r.evidence if e.verdict.value != r.expected):
                console.print(f"{r.id}: {e.kind} ({escape(e.name)}) {e.verdict.value}: {escape(str(e.worst))}")
                console.print(f"  replay: {e.replay}", highlight=False)
    s = report.summary
    legs = sum(len(r.evidence) for r in report.results)
    console.print(
        f"{len(report.results)} claims, {legs} legs: {s['as_expected']} as expected, {s['contrary']} contrary, "
        f"{s['undecided']} undecided; {s['mutants_refuted']} of {s['mutants']} mutants refuted "
        f"(profile {report.profile}, seed {report.seed}, {seconds:.0f} s)",
        highlight=False,
    )
    for title, found in (("Shown false", report.shown_false), ("Left open", report.left_open)):
        console.print(f"{title}:" if found else f"{title}: none", highlight=False)
        for r in found:
            claim = r.claim
            repair = f" Repaired by {claim.repaired_by}." if claim and claim.repaired_by else ""
            statement = claim.statement if claim else ""
            console.print(f"  {r.id}: {escape(statement)}{repair}", highlight=False)


def print_plan(console: Console, claims: list[Claim], profile: str) -> None:
    """Print what each claim says and what judging it would do and cost."""
    from proofs_check.runner import leg_plan, planned_cost

    for claim in claims:
        console.print(f"[bold]{claim.id}[/] ({claim.kind}, {claim.origin}; expected: {claim.expected})")
        console.print(f"  {escape(claim.statement)}", highlight=False)
        console.print(f"  for {escape(str(claim.domain))}; {escape(claim.source)}", highlight=False)
        for leg in claim.legs(profile):
            console.print(f"  - {escape(leg_plan(leg, profile))}", highlight=False)
        if not claim.legs(profile):
            homes = " or ".join(dict.fromkeys(name for leg in claim.evidence for name in leg.profiles))
            console.print(f"  - nothing in profile {profile}: judged with --profile {homes}", highlight=False)
        console.print(f"  - {len(claim.mutants)} mutants", highlight=False)
    console.print(
        f"{len(claims)} claims, about {planned_cost(claims, profile):.0f} core-seconds in profile {profile}",
        highlight=False,
    )
