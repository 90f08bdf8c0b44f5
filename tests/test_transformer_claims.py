"""Claims about trained decoders: judged from the stored runs, without PyTorch, mutants included."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray

from proofs_check.claims import Claim, load
from proofs_check.lab import Lab, Measurements
from proofs_check.runner import ClaimResult, run_claim
from proofs_check.transformer import _rules, rewriting, runs
from proofs_check.verdicts import Verdict

ROOT = Path(__file__).resolve().parents[1]
PROFILE = "transformer"
CLAIMS = load(PROFILE)
WITHOUT = "import sys; sys.modules['torch'] = None; from proofs_check.__main__ import main; "


def judged(claim: Claim) -> ClaimResult:
    return run_claim(claim, Lab(profile=PROFILE, measurements=Measurements(0)))


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


# What is stored


@pytest.mark.parametrize("name", runs.PLANS)
def test_stored_runs_are_those_of_the_plan(name: str) -> None:
    plan, data = runs.PLANS[name], runs.stored(name)
    assert data["seed"].values.tolist() == list(range(plan.runs))
    assert data.attrs["experiment"] == plan.experiment
    for parameter, value in plan.parameters.items():
        if parameter == "optimiser":
            assert all(data.attrs[f"optimiser_{key}"] == entry for key, entry in value.items())
        elif parameter == "n_rounds":
            assert data["round"].values.tolist() == list(range(value + 1))
        elif parameter == "record_at":
            assert data["step"].values.tolist() == value
        elif parameter == "tables":
            assert data.sizes["before_round"] == data.sizes["round"] - 1
        elif parameter not in ("n_steps",) or plan.experiment == "transformer.pretrain":
            assert np.all(data.attrs[parameter] == np.asarray(value)), parameter
    for variable in data.data_vars.values():
        assert np.isfinite(variable.values).all()
    for fact in ("date", "code_digest", "torch_version", "cpu_seconds", "python", "numpy", "machine", "command"):
        assert data.attrs[fact]


def test_stored_runs_are_small_and_no_others_lie_beside_them() -> None:
    files = sorted(path for path in runs.RESULTS.iterdir())
    assert [path.name for path in files] == sorted(f"{name}.nc" for name in runs.PLANS)
    assert sum(path.stat().st_size for path in files) <= 1_200_000


def test_unknown_and_missing_runs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"name must be one of pretrain_15, .*, got 'pretrain_99'"):
        runs.stored("pretrain_99")
    monkeypatch.setattr(runs, "RESULTS", tmp_path)
    runs.stored.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"make them with python -m proofs_check.transformer.runs star_15"):
        runs.stored("star_15")
    runs.stored.cache_clear()


def test_further_runs_are_appended_with_the_provenance_of_both_parts(tmp_path: Path) -> None:
    whole = runs.stored("zip")
    first, rest = whole.isel(replicate=slice(0, 2)), whole.isel(replicate=slice(2, None))
    rest = rest.assign_attrs(code_digest="0123", date="2100-01-01", cpu_seconds=1.5)
    first = first.assign_attrs(code_digest="4567; 0123", date="2099-12-31", cpu_seconds=2.0)
    both = runs.appended(first, rest)
    assert both.drop_attrs().identical(whole.drop_attrs())
    assert both.attrs["code_digest"] == "4567; 0123"
    assert both.attrs["date"] == "2099-12-31; 2100-01-01"
    assert both.attrs["cpu_seconds"] == 3.5
    assert both.attrs["torch_version"] == whole.attrs["torch_version"]
    assert runs.appended(both.isel(replicate=[0]), both.isel(replicate=[1])).attrs["date"] == "2099-12-31; 2100-01-01"
    with pytest.raises(ValueError, match="more must have other seeds than the runs before, got seed 0 again"):
        runs.appended(first, first)
    with pytest.raises(ValueError, match=r"more must have batch = .* as the runs before, got 64"):
        runs.appended(first, rest.assign_attrs(batch=64))
    path = runs.write("zip", both, tmp_path)
    with xarray.open_dataset(path, engine="h5netcdf") as again:
        for name, variable in whole.data_vars.items():
            assert np.array_equal(again[name].values, variable.values), name


# Verdicts


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_claims_are_judged_as_expected_and_every_leg_refutes_a_mutant(claim: Claim) -> None:
    result = judged(claim)
    assert result.as_expected, [e.worst for e in result.evidence if e.verdict.value != claim.expected]
    assert result.idle_legs == []
    assert claim.kind == "empirical"
    assert all(leg.profiles == (PROFILE,) and leg.kind == "training" for leg in claim.evidence)
    assert not claim.legs("quick") + claim.legs("full")


def test_every_run_is_reported() -> None:
    """Each leg about single runs has a cell for each run of its plans."""
    seeds = {
        (claim.id, leg.name): {c.parameters.get("seed") for c in leg.run(Lab(profile=PROFILE))}  # type: ignore[union-attr]
        for claim in CLAIMS
        for leg in claim.evidence
    }
    assert len(seeds) >= 2 * len(CLAIMS)
    for place, found in seeds.items():
        found -= {rewriting.BESIDE}
        assert found in (set(range(5)), set(range(10)), {None}), place


def test_a_run_that_is_not_stored_leaves_statements_open_and_refutes_none() -> None:
    found = {
        claim.id: [
            c.parameters["seed"] for leg in judged(claim).evidence for c in leg.cells if c.verdict.value != "holds"
        ]
        for claim in CLAIMS
        if claim.expected == "undecided"
    }
    assert found == {f"transformer.{n}": [2**32 + 4] for n in ("zip_follows_the_refit", "zip_zero_step")}


def test_a_run_outside_its_rule_fails_alone() -> None:
    assert _rules.run_cell({"seed": 0}, 0.5, 0.4, 0.6, "inside").verdict is Verdict.HOLDS
    assert _rules.run_cell({"seed": 1}, 0.61, 0.4, 0.6, "outside").verdict is Verdict.FAILS
    for value, low, high in ((float("nan"), 0.0, 1.0), (0.5, 1.0, 0.0)):
        with pytest.raises(ValueError, match="a run needs a finite figure and low <= high, got"):
            _rules.run_cell({}, value, low, high, "")


# The command


def test_the_profile_needs_no_torch_for_stored_runs() -> None:
    done = run(WITHOUT + "sys.argv = ['proofs_check', '--profile', 'transformer']; main()")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "judged from stored runs of " in done.stdout
    assert f"{len(CLAIMS)} claims, " in done.stdout


def test_new_runs_without_torch_end_in_one_line() -> None:
    done = run(WITHOUT + "sys.argv = ['proofs_check', '--profile', 'transformer', '--seed', '1']; main()")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "proofs_check: profile transformer has stored runs for --seed 0 alone; training new ones needs PyTorch: "
        "pip install 'cotbounds[transformer]'\n"
    )
    done = run(
        "import sys; sys.modules['torch'] = None; from proofs_check.transformer.runs import main; sys.exit(main([]))"
    )
    assert done.returncode == 2
    assert done.stderr.startswith("runs: sims.transformer needs PyTorch: ")
    assert done.stderr.count("\n") == 1


def test_the_plan_names_the_profile() -> None:
    done = run(WITHOUT + f"sys.argv = ['proofs_check', {CLAIMS[0].id!r}, '--list']; main()")
    assert done.returncode == 0, done.stderr
    assert "nothing in profile quick: judged with --profile transformer" in done.stdout


# A stored run, trained again


@pytest.mark.transformer
def test_a_short_run_gives_the_stored_figures(tmp_path: Path) -> None:
    """Pre-training of 200 steps and one round; equal bits on the machine of the stored runs.

    Elsewhere sums are rounded in another order, and 200 steps amplify it. The margin is that of the claims, which
    these figures meet with room: shares and probabilities are stated within .05.
    """
    name = "star_early"
    plan = runs.PLANS[name]
    shorter: Any = runs.Plan(plan.experiment, {**plan.parameters, "n_rounds": 1})
    from sims import transformer

    found = transformer.star(**shorter.parameters, seeds=[0], checkpoints=tmp_path, progress=False)
    data = runs.labelled(found, shorter, 0.0)
    before = runs.stored(name).isel(replicate=[0], round=slice(0, 2))
    for variable in ("long_share", "stop_agree", "first_token", "long_correct", "greedy_accuracy"):
        assert np.abs(data[variable].values - before[variable].values).max() < 0.05, variable
    path = runs.write("again", data, tmp_path)
    assert path.read_bytes()[:4] == b"\x89HDF"


@pytest.mark.transformer
def test_another_base_seed_trains_anew_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sims import transformer

    tiny = {"width": 8, "heads": 2, "depth": 1}
    monkeypatch.setenv(runs.CHECKPOINTS, str(tmp_path))
    plan = runs.Plan("transformer.pretrain", {"d": 3, "p_cot": 0.5, "n_steps": 2, **tiny}, 2)
    monkeypatch.setitem(runs.PLANS, "tiny", plan)
    lab = Lab(profile=PROFILE, seed=1, measurements=Measurements(1))
    data = runs.trained(lab, "tiny")
    assert data["seed"].values.tolist() == [2**32, 2**32 + 1]
    assert runs.trained(lab, "tiny").identical(data)
    assert lab.measurements.drawn == 2
    alone = transformer.pretrain(**plan.parameters, seeds=2**32 + 1, progress=False)
    assert float(data["long_share"].values[1, 0]) == float(alone["long_share"].values[0, 0])


@pytest.mark.transformer
def test_runs_of_both_tasks_can_be_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = {"width": 8, "heads": 2, "depth": 1}
    plan = runs.Plan(
        "transformer.zip_star", {"delta": 0.5, "pretrain_steps": 2, "n_rounds": 1, "tables": True, **tiny}, 1
    )
    monkeypatch.setitem(runs.PLANS, "tiny", plan)
    found = runs.train("tiny", progress=False)
    assert found.attrs["code_digest"] == runs.digest(plan.experiment)
    runs.write("tiny", found, tmp_path)
    monkeypatch.setattr(runs, "RESULTS", tmp_path)
    runs.stored.cache_clear()
    again = runs.stored("tiny")
    runs.stored.cache_clear()
    assert again["tables"].shape == (1, 1, 3, 64, 64)
    assert np.abs(again["tables"].values - found["tables"].values).max() <= 0.5 / 4095 + 1e-6  # half a step


@pytest.mark.transformer
def test_missing_seeds_alone_are_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = {"width": 8, "heads": 2, "depth": 1}
    plan = runs.Plan("transformer.pretrain", {"d": 3, "p_cot": 0.5, "n_steps": 2, **tiny}, 1)
    monkeypatch.setattr(runs, "RESULTS", tmp_path)
    monkeypatch.setenv(runs.CHECKPOINTS, str(tmp_path / "checkpoints"))
    found = []
    for n_runs in (1, 3, 3):
        monkeypatch.setitem(runs.PLANS, "tiny", dataclasses.replace(plan, runs=n_runs))
        runs.stored.cache_clear()
        assert runs.main(["tiny", "--missing", "--to", str(tmp_path)]) == 0
        found.append(capsys.readouterr().out)
    runs.stored.cache_clear()
    data = runs.stored("tiny")
    runs.stored.cache_clear()
    assert found[:2] == [f"{tmp_path / 'tiny.nc'}\n"] * 2
    assert found[2] == ""
    assert data["seed"].values.tolist() == [0, 1, 2]
    assert data.attrs["code_digest"] == runs.digest(plan.experiment)


@pytest.mark.transformer
def test_the_rewriting_task_is_that_of_the_simulator() -> None:
    from sims import transformer

    assert (rewriting.successors() == transformer.successors(3)).all()
