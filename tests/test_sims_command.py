"""The command ``python -m sims``: what it prints, writes and refuses."""

from __future__ import annotations

import inspect
import subprocess
import sys

import numpy as np
import pytest
import xarray

from sims import _experiments, linear_model, parity_mixture
from sims.__main__ import main
from sims._digest import code_digest

LINEAR = ["run", "linear_model", "--set", "d=4", "--set", "p_cot=0.5", "--set", "n_samples=200"]
PARITY = ["run", "parity_mixture", "--set", "d=4", "--set", "p_cot=0.5", "--set", "n_samples=200"]


def test_listing_names_every_simulator_with_its_parameters(capsys):
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for experiment in _experiments.EXPERIMENTS:
        assert f"{experiment.name}: {experiment.summary}" in out
        for parameter in experiment.parameters:
            assert f"    {parameter.name} ({parameter.kind})" in out


@pytest.mark.parametrize("experiment", _experiments.EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_the_registry_agrees_with_the_functions(experiment):
    signature = inspect.signature(experiment.load()).parameters
    assert "seeds" in signature
    assert ("jobs" in signature) == experiment.parallel
    for parameter in experiment.parameters:
        default = signature[parameter.name].default
        assert default == (inspect.Parameter.empty if parameter.default is _experiments.REQUIRED else parameter.default)
    left_out = set(signature) - {parameter.name for parameter in experiment.parameters} - {"seeds", "jobs", "progress"}
    assert not left_out
    values = {"d": 10, "p_cot": 0.5, "n_samples": 1000}
    more = {**values, "n_samples": 10_000}
    assert 0 < experiment.seconds(values) < experiment.seconds(more) < 1


def test_a_run_is_the_library_call_with_its_provenance(tmp_path, capsys):
    file = tmp_path / "result.nc"
    ridge = '{"first": 0.1, "stop": 0.2, "chain": [0.3, 0.3, 0.4]}'
    code = main(
        [*LINEAR, "--set", f"ridge={ridge}", "--set", "weights=true", "--set", "record_at=[50, 200]", "--seeds", "3"]
        + ["--jobs", "2", "--out", str(file)]
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
        assert got.attrs["code_digest"] == code_digest("linear_model")
        assert {"cotbounds_version", "python_version", "numpy_version", "numba_version"} <= set(got.attrs)
    assert main(["show", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "code_digest" in shown
    assert "chain_error" in shown
    assert not list(tmp_path.glob("*.part"))


def test_the_other_simulators_run_too(tmp_path, capsys):
    assert main([*PARITY, "--seeds", "2", "--out", str(tmp_path / "a.nc")]) == 0
    with xarray.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as got:
        assert got.load().drop_attrs().equals(parity_mixture.next_token_counts(4, 0.5, 200, range(2)).drop_attrs())
    assert main(["run", "parity_mixture.decode", *PARITY[2:], "--set", "n_prompts=10"]) == 0
    assert main([*LINEAR, "--set", "ridge=.1", "--set", "positions=first+stop"]) == 0
    assert "chain_error" not in capsys.readouterr().out


def test_a_result_is_not_overwritten_unasked(tmp_path, capsys):
    file = tmp_path / "a.nc"
    file.write_text("precious")
    assert main([*PARITY, "--out", str(file)]) == 2
    assert "--force" in capsys.readouterr().err
    assert file.read_text() == "precious"
    assert main([*PARITY, "--out", str(file), "--force"]) == 0
    assert main(["show", str(file)]) == 0


BAD = [
    (["run", "nothing"], "NAME must be one of parity_mixture, parity_mixture.decode, linear_model"),
    (["run", "linear_model", "--set", "d=4"], "needs --set p_cot=... --set n_samples=... --set ridge=..."),
    ([*LINEAR, "--set", "ridge=.1,.2"], "sweeps are not available"),
    (["run", "parity_mixture", "--set", "d=3,4"], "takes one value a run"),
    ([*LINEAR, "--set", "ridge"], "--set must be key=value"),
    ([*LINEAR, "--set", "temperature=1"], "must name one of d, p_cot"),
    ([*LINEAR, "--set", "d=5", "--set", "ridge=.1"], "'d' twice"),
    ([*LINEAR, "--set", "ridge=[0.1"], "ridge must be a number, or a list or object in JSON"),
    ([*LINEAR, "--set", "ridge=0"], "ridge must be a real number in [1e-12"),
    ([*LINEAR, "--set", "ridge=nan"], "ridge must be a real number"),
    ([*LINEAR, "--set", "ridge=.1", "--set", "weights=maybe"], "weights must be true or false"),
    ([*LINEAR, "--set", "ridge=.1", "--set", "positions=last"], "positions must be one of first, stop, chain"),
    (["run", "parity_mixture", "--set", "d=four"], "d must be an integer"),
    (["run", "parity_mixture", "--set", "d=1", *PARITY[4:]], "d must be an integer in [2, 65536], got 1"),
    ([*PARITY, "--seeds", "0"], "--seeds must be an integer in [1, inf), got 0"),
    ([*PARITY, "--seeds", "x"], "--seeds"),
    ([*PARITY, "--jobs", "0"], "--jobs must be -1 or an integer in [1, inf), got 0"),
    ([*PARITY, "--out", "/nowhere/at/all.nc"], "--out must be a file in an existing directory"),
    (["show", "/nowhere/at/all.nc"], "FILE must be a file"),
    (["show", __file__], "FILE must be NetCDF"),
    (["frobnicate"], "frobnicate"),
    (["run"], "NAME"),
    ([], "Missing command"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD)
def test_bad_usage_is_one_line_and_exit_code_2(arguments, message, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")
    assert message in captured.err


def test_an_interrupt_is_exit_code_130_and_writes_nothing(tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(parity_mixture, "next_token_counts", interrupted)
    assert main([*PARITY, "--out", str(tmp_path / "a.nc")]) == 130
    assert capsys.readouterr().err == "interrupted; nothing was written\n"
    assert not list(tmp_path.iterdir())


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom sims.__main__ import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = {'numpy', 'numba', 'scipy', 'xarray', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: python -m sims" in done.stdout
