"""The command line: exit codes, refusals in one line, and no traceback whatever is typed."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from proofs_check import __main__ as command
from proofs_check import claims as registry
from proofs_check import runner
from proofs_check.claims import Claim, Exact
from proofs_check.domains import Domain, Real
from proofs_check.lab import Lab
from proofs_check.report import Report, strict_json
from proofs_check.runner import run_claim
from proofs_check.verdicts import Cell, Interval, Verdict

ROOT = Path(__file__).resolve().parents[1]


def made(name: str, verdict: Verdict | None, **options: Any) -> Claim:
    def run(lab: Any) -> Iterator[Cell]:
        if verdict is None:
            raise ZeroDivisionError("a leg that raises")
        yield Cell(
            {"q": Fraction(1, 3)}, verdict, observed=Fraction(1, 3), predicted=Interval(-math.inf, 0.5), detail="[bold]"
        )

    settings: dict[str, Any] = {
        "statement": f"statement of {name} [with brackets]",
        "latex": "q",
        "origin": "derived",
        "source": "definition",
        "kind": "upper",
        "domain": Domain({"q": Real(0, 1)}),
    }
    return Claim(id=f"parity_mixture.{name}", evidence=(Exact("identity", "leg", run),), **(settings | options))


CLAIMS = {
    c.id.split(".")[1]: c
    for c in (
        made("true", Verdict.HOLDS),
        made("false", Verdict.FAILS),
        made("open", Verdict.UNDECIDED),
        made("raises", None),
        made("known_false", Verdict.FAILS, expected="fails", repaired_by="parity_mixture.true"),
        made("conjecture", Verdict.UNDECIDED, expected="undecided", origin="conjecture"),
    )
}


@contextmanager
def registered() -> Iterator[None]:
    """Put in place a registry that holds the claims above as subject parity_mixture, and nothing else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "load", lambda subject: list(CLAIMS.values()))
        patch.setattr(registry, "subjects", lambda: ["parity_mixture"])
        # Worker processes would look the claims up in the real registry; one group stays in this process.
        patch.setattr(runner, "_groups", lambda claims, profile: [list(claims)])
        yield


def run(*arguments: str) -> Any:
    with registered():
        return CliRunner().invoke(command.app, [*arguments])


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["true"], 0),
        (["true", "known_false", "conjecture"], 0),
        (["false"], 1),
        (["raises"], 1),
        (["open"], 3),
        (["true", "open"], 3),
        (["open", "false"], 1),
        (["open", "raises"], 1),
    ],
)
def test_exit_codes(names: list[str], code: int) -> None:
    found = run(*(f"parity_mixture.{name}" for name in names), "--jobs", "1")
    assert found.exit_code == code, found.output
    assert f"{len(names)} claims, {len(names)} legs" in found.output


def test_the_last_lines_list_what_is_false_and_what_is_open() -> None:
    found = run("parity_mixture", "--jobs", "1")
    assert found.exit_code == 1
    text = " ".join(found.output.split())
    false, open_ = text.split("Shown false:")[1].split("Left open:")
    assert (
        "parity_mixture.known_false: statement of known_false [with brackets] Repaired by parity_mixture.true." in false
    )
    assert "parity_mixture.conjecture" in open_
    assert "parity_mixture.open" in open_
    assert "parity_mixture.true:" not in false + open_
    assert "ZeroDivisionError: a leg that raises" in text


def test_a_refuted_claim_is_not_called_proved() -> None:
    found = run("parity_mixture.known_false", "--jobs", "1")
    assert "refuted at 1 point" in found.output
    assert "proved" not in found.output
    assert "proved" not in run("parity_mixture.conjecture").output
    assert "proved on the domain" in run("parity_mixture.true").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "unknown claim or subject 'nothing'; subjects are parity_mixture"),
        (["parity_mixture.nothing"], "unknown claim 'parity_mixture.nothing'; claims of parity_mixture are"),
        (["true.parity_mixture"], "unknown claim or subject"),
        ([""], "unknown claim or subject ''"),
        (["parity_mixture.true.x"], "unknown claim"),
        (["--seed", "-1"], "--seed"),
        (["--seed", str(2**31)], "--seed"),
        (["--seed", "x"], "--seed"),
        (["--jobs", "0"], "--jobs"),
        (["--jobs", "1.5"], "--jobs"),
        (["--profile", "slow"], "--profile"),
        (["--unknown"], "--unknown"),
        (["--json"], "--json"),
        (["--json", ""], "--json must name a writable file"),
        (["--json", "."], "--json must name a writable file"),
        (["--json", "/nowhere/at/all.json"], "--json must name a writable file"),
        (["--json", "x" * 5000], "--json must name a writable file"),
        (["--json", "a\0b"], "--json"),
        (["--html", __file__], "--html must name a writable directory"),
        (["--html", __file__ + "/below/it"], "--html must name a writable directory"),
        (["--html", "x" * 5000], "--html must name a writable directory"),
    ],
)
def test_usage_errors_say_what_is_wrong_and_judge_nothing(arguments: list[str], message: str) -> None:
    found = run(*arguments)
    assert found.exit_code == 2
    assert message in found.stderr
    assert "Traceback" not in found.output
    assert "claims," not in found.stdout


def test_list_prints_the_plan_and_judges_nothing() -> None:
    found = run("--list")
    assert found.exit_code == 0
    for name in CLAIMS:
        assert f"parity_mixture.{name} (upper" in found.output
    assert "statement of true [with brackets]" in found.output
    assert "for q in [0, 1]; definition" in found.output
    assert "- identity: leg (domain; 0.1 s)" in found.output
    assert "6 claims, about 1 core-seconds in profile quick" in found.output
    assert "holds" not in found.output.replace("expected: holds", "")


def refuse_constant(word: str) -> None:
    raise AssertionError(f"{word} is not strict JSON")


def test_the_ledger_is_strict_json(tmp_path: Path) -> None:
    target = tmp_path / "ledger [bold].json"
    found = run("parity_mixture", "--jobs", "1", "--json", str(target), "--seed", "7")
    assert found.exit_code == 1
    ledger = json.loads(target.read_text(encoding="utf-8"), parse_constant=refuse_constant)
    assert set(ledger) == {"schema", "version", "seed", "profile", "environment", "claims", "summary"}
    assert (ledger["schema"], ledger["seed"], ledger["profile"]) == (1, 7, "quick")
    by_id = {c["id"].split(".")[1]: c for c in ledger["claims"]}
    assert set(by_id) == set(CLAIMS)
    (evidence,) = by_id["true"]["evidence"]
    assert evidence["observed"] == "1/3"
    assert evidence["predicted"] == ["-inf", 0.5]
    assert evidence["n"] is None
    assert by_id["known_false"]["repaired_by"] == "parity_mixture.true"
    assert ledger["summary"] == {"as_expected": 3, "contrary": 2, "undecided": 1, "mutants": 0, "mutants_refuted": 0}


def test_nothing_but_the_named_file_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("parity_mixture.true", "--json", "ledger.json").exit_code == 0
    assert run("parity_mixture.true").exit_code == 0
    assert [p.name for p in tmp_path.iterdir()] == ["ledger.json"]


def test_a_file_that_cannot_be_written_in_the_end_is_one_line() -> None:
    found = run("parity_mixture.true", "--json", "/dev/full")
    assert found.exit_code == 2
    assert "the claims were judged, but writing failed" in found.stderr
    assert found.exception is None or isinstance(found.exception, SystemExit)


def test_nan_never_reaches_a_ledger() -> None:
    result = run_claim(CLAIMS["true"], Lab())
    with pytest.raises(ValueError, match="NaN must not reach a report"):
        strict_json({"x": [math.nan]})
    assert strict_json({"b": True, "v": Verdict.HOLDS, "t": (1, -math.inf)}) == {
        "b": True,
        "v": "holds",
        "t": [1, "-inf"],
    }
    assert Report((result,), 0, "quick").exit_code == 0


TOKENS = st.sampled_from(
    [
        "parity_mixture",
        "parity_mixture.true",
        "parity_mixture.open",
        "parity_mixture.nothing",
        "star",
        "",
        "-",
        "--",
        "--seed",
        "--jobs",
        "--profile",
        "--power",
        "--json",
        "--html",
        "--list",
        "--help",
        "-h",
        "--seed=3",
        "--jobs=1",
        "--profile=quick",
        "--list=1",
        "0",
        "1",
        "-1",
        "99999999999999999999",
        "1e3",
        "nan",
        "quick",
        "full",
        "/nowhere/x",
        "/dev/null",
        "\N{SNOWMAN}",
        "\ud800",
        "a\0b",
        "%s{}",
    ]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(TOKENS, max_size=6))
def test_no_command_line_ends_in_a_traceback(tmp_path_factory: pytest.TempPathFactory, arguments: list[str]) -> None:
    here = Path.cwd()
    os.chdir(tmp_path_factory.getbasetemp())
    try:
        found = run(*arguments)
    finally:
        os.chdir(here)
    assert found.exit_code in (0, 1, 2, 3)
    assert found.exception is None or isinstance(found.exception, SystemExit), repr(found.exception)
    assert "Traceback" not in found.output or "a leg that raises" in found.output
    if found.exit_code == 2:
        assert found.stderr.strip()


def test_help_does_not_load_the_numerical_libraries() -> None:
    code = (
        "import sys, runpy\n"
        "sys.argv = ['proofs_check', '--help']\n"
        "try:\n    runpy.run_module('proofs_check', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'numpy', 'scipy', 'sympy', 'numba', 'matplotlib', 'xarray'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    for option in ("--profile", "--seed", "--jobs", "--power", "--json", "--html", "--list"):
        assert option in done.stdout


def test_an_interrupt_ends_with_one_line_and_code_130() -> None:
    """The claim waits for ever; the signal comes once it says so."""
    code = (
        "import time, tests.test_command as t, proofs_check.__main__ as m\n"
        "def wait(lab):\n    print('waiting', flush=True)\n    time.sleep(60)\n"
        "import dataclasses\n"
        "c = t.made('true', t.Verdict.HOLDS)\n"
        "t.CLAIMS['true'] = dataclasses.replace(c, evidence=(t.Exact('identity', 'slow', wait),))\n"
        "import sys; sys.argv = ['x', 'parity_mixture.true', '--jobs', '1']\n"
        "with t.registered():\n    m.main()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stderr.strip().splitlines()[-1] == "interrupted"
