"""The command ``python -m sims``: what it prints, writes and refuses."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

from sims import _experiments, linear_model, parity_mixture
from sims.__main__ import main
from sims.sweeps._parts import origin
from sims.sweeps._runner import code_digest_of
from tests.sweep_experiments import COUNT, TROUBLE

LINEAR = ["run", "linear_model", "--set", "d=4", "--set", "p_cot=0.5", "--set", "n_samples=200"]
PARITY = ["run", "parity_mixture", "--set", "d=4", "--set", "p_cot=0.5", "--set", "n_samples=200"]
SWEPT = ["run", "parity_mixture", "--set", "d=4,6", "--set", "p_cot=0:1:3", "--set", "n_samples=200", "--seeds", "3"]


def test_listing_names_every_simulator_with_its_parameters_and_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for experiment in _experiments.EXPERIMENTS:
        assert f"{experiment.name}: {experiment.summary}" in out
        for parameter in experiment.parameters:
            assert f"    {parameter.name} ({parameter.kind})" in out
    assert out.count("a replicate at the example") == len(_experiments.EXPERIMENTS)


@pytest.mark.parametrize(
    "experiment", [e for e in _experiments.EXPERIMENTS if e.extra is None], ids=lambda experiment: experiment.name
)
def test_the_registry_agrees_with_the_functions(experiment: _experiments.Experiment) -> None:
    signature = inspect.signature(experiment.load()).parameters
    assert "seeds" in signature
    records = {name: _experiments.load(experiment.package, path) for name, path in experiment.records.items()}
    for parameter in experiment.parameters:
        fields = signature if parameter.of is None else inspect.signature(records[parameter.of]).parameters
        default = fields[parameter.name].default
        assert default == (inspect.Parameter.empty if parameter.default == _experiments.REQUIRED else parameter.default)
        assert parameter.meaning
    for name, record in records.items():
        assert {p.name for p in experiment.parameters if p.of == name} == set(inspect.signature(record).parameters)
    known = {parameter.name for parameter in experiment.parameters if parameter.of is None}
    assert set(signature) - known - set(records) <= {"seeds", "jobs", "progress"}
    assert set(experiment.example) | set(experiment.sizes) <= {parameter.name for parameter in experiment.parameters}


def test_names_of_simulators_are_distinct() -> None:
    names = [experiment.name for experiment in _experiments.EXPERIMENTS]
    assert len(set(names)) == len(names)


def test_a_run_is_the_library_call_with_its_provenance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "result.nc"
    ridge = '{"first": 0.1, "stop": 0.2, "chain": [0.3, 0.3, 0.4]}'
    code = main(
        [*LINEAR, "--set", f"ridge={ridge}", "--set", "weights=true", "--set", "record_at=[50, 200]", "--seeds", "3"]
        + ["--out", str(file)]
    )
    assert code == 0
    assert "first_token" in capsys.readouterr().out
    want = linear_model.pretrain(
        4,
        0.5,
        200,
        {"first": 0.1, "stop": 0.2, "chain": [0.3, 0.3, 0.4]},
        range(3),
        weights=True,
        record_at=[50, 200],
    )
    with xarray.open_dataset(file, engine="h5netcdf") as got:
        assert got.load().drop_attrs().equals(want.drop_attrs())
        for name, value in want.attrs.items():
            assert np.all(got.attrs[name] == value)
        assert got.attrs["seeds"] == "range(3)"
        assert got.attrs["code_digest"] == code_digest_of(origin("sims", "linear_model"))
        assert {"cotbounds_version", "python_version", "numpy_version", "numba_version"} <= set(got.attrs)
    assert main(["show", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "code_digest" in shown
    assert "chain_error" in shown
    assert not list(tmp_path.glob("*.part"))


def test_the_other_simulators_run_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PARITY, "--seeds", "2", "--out", str(tmp_path / "a.nc")]) == 0
    with xarray.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as got:
        assert got.load().drop_attrs().equals(parity_mixture.next_token_counts(4, 0.5, 200, range(2)).drop_attrs())
    assert main(["run", "parity_mixture.decode", *PARITY[2:], "--set", "n_prompts=10"]) == 0
    assert main([*LINEAR, "--set", "ridge=.1", "--set", "positions=first+stop"]) == 0
    assert "chain_error" not in capsys.readouterr().out


def test_a_sweep_prints_the_library_call_that_does_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.nc"
    assert main([*SWEPT, "--out", str(file)]) == 0
    captured = capsys.readouterr()
    (line,) = [line for line in captured.err.splitlines() if line.startswith("library call: ")]
    call = line.removeprefix("library call: ").replace(f", out='{file}'", "")
    import sims

    again = eval(call, {"sims": sims, "range": range})
    with xarray.open_dataset(file, engine="h5netcdf") as written:
        assert again.identical(written.load())
    assert "p_cot: 3 values [1]: 0.0, 0.5, 1.0" in captured.out


TOML = """
experiment = "parity_mixture"
seeds = 3
jobs = 1
[sweep]
d = [4, 6]
p_cot = "0:1:3"
[fixed]
n_samples = 200
"""


def test_a_toml_file_is_a_sweep_and_the_command_line_has_the_last_word(tmp_path: Path) -> None:
    plan, one, two, three = (tmp_path / name for name in ("plan.toml", "one.nc", "two.nc", "three.nc"))
    plan.write_text(TOML)
    assert main(["run", str(plan), "--out", str(one), "--quiet"]) == 0
    assert main([*SWEPT, "--out", str(two), "--quiet"]) == 0
    assert one.read_bytes() == two.read_bytes()
    assert main(["run", str(plan), "--out", str(three), "--set", "d=5", "--seeds", "1", "--quiet"]) == 0
    with xarray.open_dataset(three, engine="h5netcdf") as data:
        assert dict(data.sizes) == {"p_cot": 3, "replicate": 1}
        assert data.attrs["d"] == 5
    plan.write_text(f"out = {str(tmp_path / 'four.nc')!r}\n" + TOML.replace("= 3", "= [7, 9]"))
    assert main(["run", str(plan), "--quiet"]) == 0
    with xarray.open_dataset(tmp_path / "four.nc", engine="h5netcdf") as data:
        assert data.seed.values.tolist() == [7, 9]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("experiment = ", "NAME must be a simulator or a TOML file"),
        ("seeds = 3", "must name an experiment"),
        ("experiment = 3", "another kind of value for experiment"),
        ("experiment = 'x'", "NAME must be one of"),
        (
            TOML.replace("jobs", "workers"),
            "must hold experiment, seeds, jobs, out, cluster, sweep, fixed, got 'workers'",
        ),
        (TOML.replace("jobs = 1", "jobs = 0"), "--jobs must be"),
        (TOML.replace("seeds = 3", "seeds = []"), "seeds must hold at least one"),
        (TOML.replace("seeds = 3", "seeds = true"), "another kind of value for seeds"),
        (TOML.replace("[4, 6]", "[4.5]"), "d must be an integer, got 4.5"),
        (TOML.replace("[4, 6]", "4"), "d must be swept over a sequence or a text"),
        (TOML.replace("n_samples = 200", "n_samples = 1979-05-27"), "n_samples must be an integer"),
        (TOML.replace("n_samples", "samples"), "fixed must name parameters of parity_mixture"),
        (TOML.replace("n_samples = 200", "d = 3"), "sweep and fixed must not share parameters, got 'd'"),
        (TOML.replace("n_samples = 200", ""), "needs --set n_samples"),
        ("experiment = 'parity_mixture'\nout = 'no/such/place.nc'" + TOML[30:], "--out must be a file in an existing"),
        ("experiment = 'parity_mixture'\ncluster = 'here'" + TOML[30:], "--cluster must be the address"),
    ],
)
def test_toml_that_is_no_sweep(text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    assert main(["run", str(plan)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert main(["run", str(tmp_path / "nowhere.toml")]) == 2


def test_modes_for_people_and_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SWEPT, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    file = tmp_path / "a.nc"
    assert main([*SWEPT, "--json", "--out", str(file), "--explain"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    events = [json.loads(line) for line in captured.out.splitlines()]
    names = [event["event"] for event in events]
    assert names[0] == "call"
    assert names[-1] == "end"
    start = events[names.index("start")]
    assert (start["cells"], start["cells_there"], start["seeds"]) == (6, 0, 3)
    assert start["estimated_seconds"] > 0
    assert [e for e in events if e["event"] == "progress"][-1]["cells_done"] == 6
    assert {key: events[-1][key] for key in ("cells", "computed", "reused", "failed", "out")} == {
        "cells": 6,
        "computed": 6,
        "reused": 0,
        "failed": 0,
        "out": str(file),
    }


def test_a_dry_run_says_what_would_be_done_and_does_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.nc"
    assert main([*SWEPT, "--out", str(file), "--dry-run", "--explain"]) == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "6 cells, 3 seeds each, roughly less than a second on one process" in captured.err
    assert "6 parts: not computed before" in captured.err
    assert not file.exists()
    large = ["run", "linear_model", "--set", "d=100,200", "--set", "p_cot=0.5", "--set", "n_samples=10000000"]
    assert main([*large, "--set", "ridge=.01", "--seeds", "32", "--dry-run"]) == 0
    assert "2 cells, 32 seeds each, roughly " in capsys.readouterr().err


def test_failed_cells_are_told_with_the_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.nc"
    arguments = ["run", "parity_mixture", "--set", "d=1,4", "--set", "p_cot=.5", "--set", "n_samples=20"]
    assert main([*arguments, "--out", str(file)]) == 1
    captured = capsys.readouterr()
    assert "failed: d=1 seeds 0:1: ValueError: d must be an integer in [2, 65536], got 1" in captured.err
    assert f"1 of 2 cells failed; tracebacks in {file}.log, --retry-failed tries again" in captured.err
    assert "Traceback" not in captured.err
    assert main([*arguments, "--out", str(file), "--retry-failed", "--json"]) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["failed"] == 1
    with xarray.open_dataset(file, engine="h5netcdf") as data:
        assert data["long"].isnull().values.ravel().tolist() == [True, False]


def test_a_result_is_not_overwritten_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.nc"
    file.write_text("precious")
    assert main([*PARITY, "--out", str(file)]) == 2
    assert "--force" in capsys.readouterr().err
    assert file.read_text() == "precious"
    assert main([*PARITY, "--out", str(file), "--force"]) == 0
    assert main(["show", str(file)]) == 0
    assert main([*PARITY[:-1], "n_samples=300", "--out", str(file)]) == 2
    assert "which holds" in capsys.readouterr().err


def test_show_summarises_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.nc"
    assert main([*SWEPT, "--out", str(file), "--quiet"]) == 0
    for ending in ("png", "svg"):
        figure = tmp_path / f"figure.{ending}"
        assert main(["show", str(file), "--figure", str(figure), "--variable", "long"]) == 0
        assert figure.stat().st_size > 1000
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "figure.svg").read_bytes()
    capsys.readouterr()
    assert main(["show", str(file), "--plot", "--variable", "long", "--x", "p_cot"]) == 0
    out = capsys.readouterr().out
    assert "long demonstrations (long) [samples]" in out
    assert "* d = 4" in out
    assert "o d = 6" in out
    rows = [line.split() for line in out.splitlines() if line.startswith(("4 ", "6 "))]
    assert [row[2] for row in rows if row[1] == "1.0"] == ["200", "200"]
    for bad in (["--variable", "wide"], ["--x", "replicate"], ["--figure", str(tmp_path / "figure.docx")]):
        assert main(["show", str(file), "--plot", *bad]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_replay_compares_bit_for_bit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.nc"
    assert main([*SWEPT, "--out", str(file), "--quiet"]) == 0
    arguments = ["replay", str(file), "--cell", "d=6, p_cot=0.5"]
    assert main([*arguments, "--replicate", "2", "--out", str(tmp_path / "one.nc")]) == 0
    assert "the same bits as in the file" in capsys.readouterr().out
    with xarray.open_dataset(tmp_path / "one.nc", engine="h5netcdf") as data:
        assert data.seed.values.tolist() == [2]
    with xarray.open_dataset(file, engine="h5netcdf") as data:
        changed = data.load()
    changed["long"].loc[{"d": 6, "p_cot": 0.5}] += 1
    changed.to_netcdf(file, engine="h5netcdf")
    assert main(arguments) == 1
    assert "different from the file: long" in capsys.readouterr().err
    for bad, message in (
        (["--cell", "d=6"], "cell must give a value for each swept parameter (d, p_cot)"),
        (["--cell", "d=5,p_cot=.5"], "cell must have d among 4, 6, got 5"),
        (["--cell", "d=6,p_cot=x"], "p_cot must be a finite number"),
        (["--cell", "d=6,q=1"], "--cell must be key=value for each of d, p_cot"),
        (["--cell", "d=6,p_cot=0.5", "--replicate", "3"], "replicate must be an integer in [0, 2], got 3"),
    ):
        assert main(["replay", str(file), *bad]) == 2
        assert message in capsys.readouterr().err
    parity_mixture.next_token_counts(4, 0.5, 10, 0).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    assert main(["replay", str(tmp_path / "other.nc")]) == 2
    assert "FILE must be the result of a sweep" in capsys.readouterr().err


BAD = [
    (["run", "nothing"], "NAME must be one of parity_mixture, parity_mixture.decode, linear_model"),
    (["run", "linear_model", "--set", "d=4"], "needs --set p_cot=... --set n_samples=... --set ridge=..."),
    (["run", "parity_mixture", "--set", "d=3,4"], "needs --set p_cot=... --set n_samples=..."),
    ([*SWEPT[:3], "d=3,3"], "d must have distinct values, got 3 twice"),
    ([*SWEPT[:3], "d=3:4:4"], "d must be an integer all along a range"),
    ([*LINEAR, "--set", "ridge"], "--set must be key=value"),
    ([*LINEAR, "--set", "temperature=1"], "must name one of d, p_cot"),
    ([*LINEAR, "--set", "d=5", "--set", "ridge=.1"], "'d' twice"),
    ([*LINEAR, "--set", "ridge=[0.1"], "ridge must be a number, or a list or object in JSON"),
    ([*LINEAR, "--set", "ridge=0"], "ridge must be a real number in [1e-12"),
    ([*LINEAR, "--set", "ridge=nan"], "ridge must be a number, or a list or object in JSON"),
    ([*LINEAR, "--set", "ridge=.1", "--set", "weights=maybe"], "weights must be true or false"),
    ([*LINEAR, "--set", "ridge=.1", "--set", "positions=last"], "positions must be one of first, stop, chain"),
    (["run", "parity_mixture", "--set", "d=four"], "d must be an integer"),
    (["run", "parity_mixture", "--set", "d=1", *PARITY[4:]], "d must be an integer in [2, 65536], got 1"),
    ([*PARITY, "--seeds", "0"], "--seeds must be an integer in [1, 10000000], got 0"),
    ([*PARITY, "--seeds", "x"], "--seeds"),
    ([*PARITY, "--jobs", "0"], "--jobs must be -1 or an integer in [1, 10000], got 0"),
    ([*PARITY, "--out", "/nowhere/at/all.nc"], "--out must be a file in an existing directory"),
    ([*PARITY, "--cluster", "here"], "--cluster must be the address of a scheduler"),
    (["replay", "/nowhere/at/all.nc"], "FILE must be a file"),
    (["export", "/nowhere/at/all.nc"], "FILE must be the output of a run"),
    (["show", "/nowhere/at/all.nc"], "FILE must be a file"),
    (["show", __file__], "FILE must be NetCDF"),
    (["frobnicate"], "frobnicate"),
    (["run"], "NAME"),
    ([], "Missing command"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_usage_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")
    assert message in captured.err


def test_an_interrupt_is_exit_code_130_and_the_same_command_continues(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parity_mixture, "next_token_counts", interrupted)
    assert main(PARITY) == 130
    assert capsys.readouterr().err == "interrupted; nothing was written\n"
    file = tmp_path / "a.nc"
    assert main([*PARITY, "--out", str(file)]) == 130
    assert capsys.readouterr().err == "interrupted; the same command continues\n"
    assert not file.exists()
    monkeypatch.undo()
    assert main([*PARITY, "--out", str(file)]) == 0


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom sims.__main__ import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = {'numpy', 'numba', 'scipy', 'xarray', 'pandas', 'h5py', 'joblib', 'distributed'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: python -m sims" in done.stdout


# Whatever is typed


NAMES = st.sampled_from(["count", "trouble", "nothing", "plan.toml", "", "-x", "\0", "ü.toml"])
NUMBERS = st.sampled_from(
    ["1", "2,3", "1:3:3", "0:1:2:log", "1:100:2", "-1", "1e400", "nan", "1e-5", "[1,2", "9" * 40, "0x1"]
)
WORDS = st.one_of(
    NUMBERS, st.text(max_size=6), st.sampled_from(["error", "shape", "fine,good", "a+b", "{}", "null", ","])
)
SETTINGS = st.builds(
    lambda key, sign, value: f"{key}{sign}{value}",
    st.sampled_from(["a", "b", "word", "mode", "place", "wait", "q", ""]),
    st.sampled_from(["=", "=", "=", ":", ""]),
    WORDS,
)
OPTIONS = st.one_of(
    st.builds(lambda setting: ["--set", setting], SETTINGS),
    st.builds(lambda number: ["--seeds", number], st.sampled_from(["1", "3", "0", "-2", "x", "99999999999"])),
    st.builds(lambda number: ["--jobs", number], st.sampled_from(["1", "0", "-7", "x", "99999999999"])),
    st.builds(lambda path: ["--out", path], st.sampled_from(["x/y.nc", "", "\0", "/", "."])),
    st.sampled_from(
        [["--quiet"], ["--json"], ["--explain"], ["--dry-run"], ["--force"], ["--retry-failed"], ["--wat"]]
    ),
    st.builds(lambda address: ["--cluster", address], st.sampled_from(["x", "", "nowhere://x"])),
)
VALID = st.sampled_from(
    [
        ["--set", "a=1,2", "--set", "b=0:1:3"],
        ["--set", "a=3", "--set", "b=.5", "--set", "word=x,y"],
        ["--set", "mode=fine,error", "--set", "place=x"],
    ]
)


@pytest.fixture(scope="module")
def cheap() -> Any:
    """A registry of experiments that take no time whatever their parameters are."""
    before = _experiments.EXPERIMENTS
    _experiments.EXPERIMENTS = (COUNT, TROUBLE)
    yield
    _experiments.EXPERIMENTS = before


def told_in_words(arguments: list[str]) -> None:
    """No exception leaves the command, and no traceback is printed."""
    import contextlib
    import io

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    assert code in (0, 1, 2)
    assert "Traceback" not in out.getvalue() + err.getvalue()
    if code == 2:
        assert err.getvalue().count("error: ") == 1


def harmless(arguments: list[str]) -> bool:
    """Without a pause that somebody would have to wait for, or a value that asks for gigabytes."""
    return not any(argument.startswith(("wait", "a=1:100")) or "9" * 40 in argument for argument in arguments)


@given(name=NAMES, options=st.lists(OPTIONS, max_size=5), valid=st.one_of(st.just([]), VALID))
@settings(max_examples=150)
def test_no_command_line_leads_to_a_traceback(
    cheap: None, name: str, options: list[list[str]], valid: list[str]
) -> None:
    arguments = ["run", name, *valid, *(argument for option in options for argument in option)]
    if harmless(arguments):
        told_in_words(arguments)


@given(arguments=st.lists(st.one_of(st.text(max_size=8), st.sampled_from(["show", "replay", "export", "list", "run"]))))
@settings(max_examples=80)
def test_no_other_command_leads_to_a_traceback(cheap: None, arguments: list[str]) -> None:
    told_in_words(arguments)


VALUES: Any = st.recursive(
    st.one_of(
        st.integers(-3, 3), st.floats(allow_nan=True), st.booleans(), st.text(max_size=4), st.sampled_from(["1:2:2"])
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", min_size=1), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(
    tables=st.fixed_dictionaries(
        {"experiment": st.sampled_from(["count", "trouble", 3, "x"])},
        optional={
            "seeds": st.one_of(st.integers(-1, 3), VALUES),
            "jobs": st.sampled_from([1, 0, "x"]),
            "sweep": st.dictionaries(st.sampled_from(["a", "b", "mode", "q"]), VALUES, max_size=3),
            "fixed": st.dictionaries(st.sampled_from(["a", "b", "place", "word"]), VALUES, max_size=3),
            "out": st.sampled_from([1, "", "x/y/z.nc"]),
            "more": VALUES,
        },
    ),
    garbage=st.one_of(st.just(""), st.just(""), st.text(max_size=10)),
)
@settings(max_examples=120)
def test_no_sweep_file_leads_to_a_traceback(
    cheap: None, tmp_path_factory: pytest.TempPathFactory, tables: dict[str, Any], garbage: str
) -> None:
    plan = tmp_path_factory.getbasetemp() / "plan.toml"
    plan.write_bytes("".join(f"{key} = {_toml(value)}\n" for key, value in tables.items()).encode() + garbage.encode())
    told_in_words(["run", str(plan)])


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, float) and value != value:
        return "nan"
    return json.dumps(value)
