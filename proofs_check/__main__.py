"""``python -m proofs_check``: judge the claims."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


class Profile(StrEnum):
    """How much to do."""

    quick = "quick"
    full = "full"
    transformer = "transformer"


def _usage(message: str) -> typer.Exit:
    print(f"proofs_check: {message}", file=sys.stderr)
    return typer.Exit(2)


def _writable(target: Path, *, directory: bool) -> bool:
    """Whether a file (or a directory, with the parents it needs) can be written, as far as can be told beforehand."""
    try:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.lstat(target)  # raises for names that no file can have
        if target.exists():
            return target.is_dir() == directory and os.access(target, os.W_OK)
        home = target.absolute().parent
        while directory and not home.exists() and home != home.parent:
            home = home.parent
        return home.is_dir() and os.access(home, os.W_OK)
    except (OSError, ValueError):
        return False


@app.command()
def judge(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ID|SUBJECT ...]", show_default=False)] = None,
    profile: Annotated[
        Profile, typer.Option(help="quick: a minute on two cores; full: rare events, d >= 50; transformer: decoders.")
    ] = (Profile.quick),
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Base seed of every measurement.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes; figures do not depend on it.")] = 2,
    power: Annotated[bool, typer.Option("--power", help="Also run mutants that replace a simulator.")] = False,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the ledger as JSON.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="DIR", help="Write one self-contained page.")] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Print the claims with their cost, and stop.")] = False,
) -> None:
    """Judge the claims: closed forms against proofs, enumeration and simulation.

    Exit code 0: every verdict as expected; 1: one contrary, or a leg raised; 2: usage; 3: only undecided ones.
    """
    from proofs_check.claims import find

    try:
        claims = find(names or [])
    except ValueError as error:
        raise _usage(str(error)) from None
    if profile is Profile.transformer and seed != 0 and not list_only and importlib.util.find_spec("torch") is None:
        raise _usage(
            "profile transformer has stored runs for --seed 0 alone; training new ones needs PyTorch: "
            "pip install 'cotbounds[transformer]'"
        )
    if json is not None and not _writable(json, directory=False):
        raise _usage(f"--json must name a writable file in an existing directory, got {str(json)!r}")
    if html is not None and not _writable(html, directory=True):
        raise _usage(f"--html must name a writable directory, got {str(html)!r}")

    from rich.console import Console

    from proofs_check import terminal

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)  # a pipe or a log has no width of its own
    if list_only:
        terminal.print_plan(console, claims, profile.value)
        return

    import time

    from proofs_check.report import Report
    from proofs_check.runner import run_claims

    start = time.perf_counter()
    with terminal.progress(Console(stderr=True), claims, profile.value) as advance:
        results = run_claims(claims, profile=profile.value, seed=seed, jobs=jobs, power=power, on_result=advance)
    report = Report(tuple(results), seed, profile.value)
    terminal.print_report(console, report, time.perf_counter() - start)
    if profile is Profile.transformer:
        from proofs_check.transformer.runs import origin

        console.print(f"judged from {origin(seed)}", highlight=False, markup=False)
    try:
        if json is not None:
            import json as json_module

            json.write_text(json_module.dumps(report.to_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")
            console.print(f"ledger: {json}", highlight=False, markup=False)
        if html is not None:
            from proofs_check.page import write_page

            console.print(f"page: {write_page(report, html)}", highlight=False, markup=False)
    except OSError as error:
        raise _usage(f"the claims were judged, but writing failed: {error}") from None
    raise typer.Exit(report.exit_code)


def main() -> None:
    """Entry point; Ctrl-C ends with one line and the usual code."""
    try:
        app(prog_name="python -m proofs_check")
    except (KeyboardInterrupt, SystemExit) as end:
        code = 130 if isinstance(end, KeyboardInterrupt) else end.code
        if code == 130:
            print("interrupted", file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
