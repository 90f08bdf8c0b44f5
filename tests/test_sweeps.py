"""Sweeps: whatever happens to a run, the file in the end is the same, byte for byte."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import itertools
import json
import os
import random
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sims import sweeps
from sims._experiments import EXPERIMENTS, Parameter, find
from sims.sweeps import _netcdf, _parts, _pools, _runner
from sims.sweeps._grid import Sweep, axis_values, from_specification, label, split_values
from sims.sweeps._progress import JsonLines, Reporter, Terminal
from sims.sweeps._runner import Order, run_sweep
from sims.sweeps._store import Log, Store, StoreError, difference, lock
from tests import sweep_experiments
from tests.sweep_experiments import COUNT, TROUBLE

ROOT = Path(__file__).resolve().parents[1]
GRID: dict[str, Any] = {"a": [1, 3, 2], "b": "0.1:0.5:5", "word": ["x", "yy"]}
SEEDS = range(2, 7)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def whole(**fixed: Any) -> Sweep:
    return Sweep.build(COUNT, GRID, fixed, SEEDS)


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start them for the smallest sweep."""
    monkeypatch.setattr(_runner, "WORTH", 0.0)


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the file of an undisturbed run of GRID."""
    path = tmp_path_factory.mktemp("wanted") / "count.nc"
    run_sweep(whole(), Order(path), Reporter(), path)
    return digest(path)


# The grid


@given(st.integers(-50, 50), st.integers(1, 60), st.integers(2, 40), st.integers(0, 3))
def test_ranges_hold_the_floats_nearest_to_their_decimals(low: int, span: int, count: int, digits: int) -> None:
    """Equal steps of decimals, so every value is the float that its exact rational rounds to."""
    from fractions import Fraction

    scale = 10**digits
    first, last = Fraction(low, scale), Fraction(low + span, scale)
    text = f"{float(first)!r}:{float(last)!r}:{count}"
    values = axis_values(Parameter("p", "float", "1", ""), text)
    exact = [first + (last - first) * i / (count - 1) for i in range(count)]
    assert values == [value.numerator / value.denominator for value in exact]


def test_ranges_of_other_kinds() -> None:
    whole_number, real = Parameter("n", "int", "", ""), Parameter("p", "float", "", "")
    assert axis_values(whole_number, "2:20:10,64") == [*range(2, 21, 2), 64]
    assert axis_values(whole_number, "1:1000:4:log") == [1, 10, 100, 1000]
    assert axis_values(real, "0.01:1:3:log") == pytest.approx([0.01, 0.1, 1], rel=1e-14)
    assert axis_values(real, "1e-3:1e-3:2,2".replace("1e-3:1e-3", "0:1e-3")) == [0.0, 1e-3, 2.0]
    assert axis_values(Parameter("j", "json", "", ""), '[1, 2],{"a": [3]},4,0:1:3') == [
        [1, 2],
        {"a": [3]},
        4,
        0.0,
        0.5,
        1.0,
    ]
    assert axis_values(Parameter("w", "words", "", ""), "a+b,c") == [["a", "b"], ["c"]]
    assert axis_values(Parameter("t", "bool", "", ""), "true,false") == [True, False]
    assert axis_values(real, np.linspace(0, 1, 3)) == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        ("int", "1:2:4", "n must be an integer all along a range"),
        ("int", "1:2:1", "n must have 2 to 1000000 values in a range"),
        ("int", "1:9:99999999999", "n must have 2 to 1000000 values in a range"),
        ("float", "0:1:4:log", "n must have positive ends"),
        ("float", "0:1e999999:4", "n must have numbers at the ends of a range"),
        ("float", "a:1:4", "n must have numbers at the ends of a range"),
        ("float", "nan", "n must be a finite number, got 'nan'"),
        ("float", "1,,2", "n must be a finite number, got ''"),
        ("float", "1,1.0", "n must have distinct values, got 1.0 twice"),
        ("int", "1.5", "n must be an integer"),
        ("int", "9" * 30, "n must be an integer"),
        ("bool", "maybe", "n must be true or false"),
        ("json", "[1", "n must be a number, or a list or object in JSON"),
        ("json", "[" * 5000, "n must be a number, or a list or object in JSON"),
        ("word", "", "n must be a word"),
        ("int", [], "n must have at least one value"),
        ("int", 3, "n must be swept over a sequence or a text"),
        ("int", [1, True], "n must be an integer, got True"),
    ],
)
def test_values_that_are_none(kind: str, given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        axis_values(Parameter("n", kind, "", ""), given)


@given(st.lists(st.text('ab0[]{}",.:\\ ', max_size=8), max_size=4))
def test_text_is_cut_at_commas_and_nothing_is_lost(pieces: list[str]) -> None:
    text = ",".join(pieces)
    assert ",".join(split_values(text)).replace(" ", "") == text.replace(" ", "")


@given(
    st.lists(st.integers(1, 50), min_size=1, max_size=4, unique=True),
    st.lists(st.floats(-1, 1), min_size=1, max_size=4, unique=True),
    st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=40, unique=True),
    st.sampled_from([0.0, 0.01, 0.2, 3.0]),
)
def test_parts_cover_every_cell_and_seed_once_and_have_addresses_of_their_own(
    a: list[int], b: list[float], seeds: list[int], wait: float
) -> None:
    sweep = Sweep.build(COUNT, {"b": b, "a": a}, {"wait": wait}, seeds)
    assert list(sweep.axes) == ["a", "b"]  # the experiment's order, not the caller's
    covered = [(part.cell, seed) for part in sweep.parts() for seed in seeds[part.first : part.last]]
    assert covered == list(itertools.product(range(len(a) * len(b)), seeds))
    parts = list(sweep.parts())
    assert [sweep.part(i) for i in range(sweep.n_parts)] == parts
    assert len({sweep.address(part) for part in parts}) == len(parts)
    assert sweep.part_costs() == pytest.approx([sweep.costs[p.cell] * (p.last - p.first) for p in parts])
    again = from_specification(sweep.specification, COUNT)
    assert [again.address(part) for part in again.parts()] == [sweep.address(part) for part in parts]
    assert [again.values(cell) for cell in range(again.n_cells)] == [sweep.values(c) for c in range(sweep.n_cells)]
    assert sweep.extends(again.specification)


def test_a_sweep_extends_another_if_it_holds_its_cells() -> None:
    small = Sweep.build(COUNT, {"a": [1, 2]}, {"b": 0.5}, range(3))
    assert Sweep.build(COUNT, {"a": [2, 3, 1], "b": [0.1, 0.5]}, {}, range(5)).extends(small.specification)
    assert not Sweep.build(COUNT, {"a": [1, 3]}, {"b": 0.5}, range(3)).extends(small.specification)
    assert not Sweep.build(COUNT, {"a": [1, 2]}, {"b": 0.5}, range(1, 4)).extends(small.specification)
    assert not Sweep.build(COUNT, {"a": [1, 2]}, {"b": 0.5, "word": "y"}, range(3)).extends(small.specification)
    assert not Sweep.build(TROUBLE, {}, {"mode": "x", "place": "y"}, range(3)).extends(small.specification)


def test_the_library_call_is_that_of_the_command() -> None:
    sweep = Sweep.build(
        find("linear_model"), {"p_cot": "0.05:0.5:10", "d": [3, 5]}, {"n_samples": 50, "ridge": 0.1}, range(4)
    )
    text = sweep.call("out.nc")
    assert "'p_cot': '0.05:0.5:10'" in text
    assert "seeds=range(4), out='out.nc'" in text

    class Recorder:
        class sweeps:
            @staticmethod
            def run(name: str, sweep: Any, fixed: Any, seeds: Any, out: str) -> Sweep:
                return Sweep.build(find(name), sweep, fixed, seeds)

    assert eval(text, {"sims": Recorder, "range": range}).specification == sweep.specification


# Values and labels


def test_every_cell_is_what_the_function_returns() -> None:
    result = sweeps.run(COUNT, GRID, seeds=SEEDS)
    assert dict(result.sizes) == {"a": 3, "b": 5, "word": 2, "replicate": 5, "rung": 3, "loose": 3, "kind": 1}
    assert result["a"].values.tolist() == [1, 3, 2]
    for (i, a), (j, b), (k, word) in itertools.product(
        enumerate([1, 3, 2]), enumerate([0.1, 0.2, 0.3, 0.4, 0.5]), enumerate(["x", "yy"])
    ):
        cell = result.isel(a=i, b=j, word=k)
        alone = sweep_experiments.count(a, b, SEEDS, word=word)
        for name, variable in alone.data_vars.items():
            got, want = cell[name].values, variable.values
            lead = got[..., : want.shape[-1]] if "replicate" not in cell[name].dims[-1:] else got
            assert np.array_equal(lead, want), name
            if lead.shape != got.shape:
                assert np.isnan(got[..., want.shape[-1] :]).all()
    assert result["real"].attrs == {"units": "m", "long_name": "a length"}
    assert result["even"].dtype == bool
    assert result["parity"].values[:, 0, 0].tolist() == ["odd", "odd", "even"]
    assert result["twice"].values[:, 0, 0].tolist() == [2, 6, 4]
    assert result.attrs["law"].tolist() == [0.5, 1.0]
    assert result.attrs["wait"] == 0.0
    assert result.attrs["seeds"] == "range(2, 7)"
    assert result.attrs["replicates_missing"] == 0
    assert "a" not in result.attrs
    assert result["b"].attrs["long_name"] == "a number"


@pytest.mark.parametrize(
    "experiment", [e for e in EXPERIMENTS if e.extra is None], ids=lambda experiment: experiment.name
)
def test_a_registered_experiment_is_swept_and_replayed(experiment: Any) -> None:
    """Its example, twice the same bits: from the sweep and from the function itself."""
    first = next(iter(experiment.example))
    fixed = {name: value for name, value in experiment.example.items() if name != first}
    result = sweeps.run(experiment, {first: [experiment.example[first]]}, fixed, seeds=[3, 8])
    again = sweeps.replay(result, {first: experiment.example[first]}, 1)
    assert set(again.data_vars)
    assert int(again["seed"].values[0]) == 8
    from sims.sweeps._replay import differences

    sweep = from_specification(result.attrs["sweep"])
    assert differences(result, sweep, {first: experiment.example[first]}, 1, again) == []
    assert differences(result, sweep, {first: experiment.example[first]}, 1, again + 1) != []
    values = {**{p.name: p.default for p in experiment.parameters}, **experiment.example}
    assert 0 < experiment.cost(values) < 10
    for name in experiment.sizes:
        assert name in values
    assert not set(inspect.signature(experiment.load()).parameters) & {"self"}


def test_a_swept_parameter_takes_the_name_of_an_inner_dimension() -> None:
    """Where the simulator has a dimension of that name and size one, it is the cell's own; else it is renamed."""
    fit = {"n_restarts": 1, "swap_passes": 0}
    fixed = {"n_test": 10, "n_goals": 3, "fit": fit}
    numbers = sweeps.run("mid_training.next_token", {"n_demonstrations": [3, 5]}, fixed, seeds=[1])
    lists = sweeps.run("mid_training.next_token", {"n_demonstrations": [[3, 5], [3]]}, fixed, seeds=[1])
    assert numbers["nll"].dims == ("n_demonstrations", "replicate")
    assert lists["nll"].dims == ("n_demonstrations", "replicate", "n_demonstrations_inner")
    assert numbers["nll"].values[:, 0].tolist() == lists["nll"].values[0, 0].tolist()
    assert np.isnan(lists["nll"].values[1, 0]).tolist() == [False, True]


@given(st.sampled_from([1, 2, 3]), st.integers(0, 4), st.sampled_from(["x", "yy"]), st.integers(0, 4))
@settings(max_examples=20)
def test_any_replicate_is_replayed_alone(a: int, j: int, word: str, replicate: int) -> None:
    result = _count_result()
    b = float(result["b"].values[j])
    again = sweeps.replay(result, {"a": a, "b": b, "word": word}, replicate, experiment=COUNT)
    inside = result.sel(a=a, word=word).isel(b=j, replicate=replicate)
    assert again["real"].values[0] == inside["real"].item()
    assert again["whole"].values[0].tolist() == inside["whole"].values[:a].tolist()


_RESULTS: list[xarray.Dataset] = []


def _count_result() -> xarray.Dataset:
    if not _RESULTS:
        _RESULTS.append(sweeps.run(COUNT, GRID, seeds=SEEDS))
    return _RESULTS[0]


# The same bytes


def test_two_runs_at_different_times_write_the_same_bytes(tmp_path: Path, wanted: str) -> None:
    time.sleep(1.1)  # HDF5 would keep times in whole seconds
    path = tmp_path / "another name.nc"
    run_sweep(whole(), Order(path), Reporter(), path)
    assert digest(path) == wanted


@pytest.mark.parametrize("slab", [1, 700, 5000])
def test_the_size_of_a_slab_does_not_show(slab: int, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(_netcdf, "SLAB", slab)
    path = tmp_path / "count.nc"
    run_sweep(whole(), Order(path), Reporter(), path)
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        assert dataset.load().identical(_count_result())


@given(st.lists(st.integers(1, 4), max_size=3), st.integers(1, 60))
def test_slabs_cover_the_grid_in_order(shape: list[int], most: int) -> None:
    cells = []
    for leading, first, last, begin in _netcdf._slabs(shape, most):
        tail = shape[len(leading) + 1 :]
        count = (last - first) * int(np.prod(tail, dtype=int))
        assert count <= max(most, 1) or not shape
        if shape:
            index = np.ravel_multi_index((*leading, first, *(0 for _ in tail)), shape)
            assert index == begin
        cells.extend(range(begin, begin + count))
    assert cells == list(range(int(np.prod(shape, dtype=int))))


@pytest.mark.parametrize("jobs", [2, 4])
def test_processes_do_not_show(jobs: int, tmp_path: Path, wanted: str) -> None:
    path = tmp_path / "count.nc"
    run_sweep(whole(), Order(path, jobs), Reporter(), path)
    assert digest(path) == wanted
    workers = {w for (w,) in sqlite3.connect(f"{path}.cells").execute("SELECT worker FROM parts")}
    assert all(int(worker.split(":")[1]) != os.getpid() for worker in workers)


SMALL = Sweep.build(find("parity_mixture"), {"d": [5, 6, 7], "p_cot": "0:1:7"}, {"n_samples": 4000}, range(3))


def workers_of(path: Path) -> set[int]:
    with contextlib.closing(sqlite3.connect(f"{path}.cells")) as store:
        return {int(worker.split(":")[1]) for (worker,) in store.execute("SELECT worker FROM parts")}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("small") / "a.nc"
    run_sweep(SMALL, Order(path), Reporter(), path)
    assert workers_of(path) == {os.getpid()}
    return digest(path)


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without batches of parts that take next to no time."""
    monkeypatch.setattr(_runner._Run, "_batches", lambda self, wanted, target: ((self._task(i),) for i in wanted))


def test_short_work_is_shared_with_this_process(tmp_path: Path, small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one_by_one(monkeypatch)
    path = tmp_path / "a.nc"
    run_sweep(SMALL, Order(path, jobs=2), Reporter(), path)
    assert digest(path) == small
    assert os.getpid() in workers_of(path)
    assert len(workers_of(path)) <= 2


def test_long_work_is_left_to_processes(tmp_path: Path, small: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_runner, "SHORT", 0.0)
    path = tmp_path / "a.nc"
    run_sweep(SMALL, Order(path, jobs=2), Reporter(), path)
    assert digest(path) == small
    assert os.getpid() not in workers_of(path)


def test_shared_work_survives_the_death_of_a_process(
    tmp_path: Path, small: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed as soon as it has handed in its first part; this process then leaves the rest to others."""
    one_by_one(monkeypatch)
    path = tmp_path / "a.nc"
    original = _pools.Shared.wait
    killed: list[int] = []

    def killing(self: Any, timeout: float) -> Any:
        found = original(self, timeout)
        others = {int(outcome.worker.split(":")[1]) for _, outcomes in found if isinstance(outcomes, list)
                  for outcome in outcomes} - {os.getpid()}  # fmt: skip
        if others and not killed:
            killed.extend(others)
            os.kill(killed[0], signal.SIGKILL)
        return found

    monkeypatch.setattr(_pools.Shared, "wait", killing)
    # The process takes part in every run: parts wait in this one until it has.
    slow = _pools.compute

    def waiting(call: Any, expected: str, tasks: Any) -> Any:
        deadline = time.monotonic() + 30
        while not killed and time.monotonic() < deadline:
            time.sleep(0.01)
        return slow(call, expected, tasks)

    monkeypatch.setattr(_pools.Shared, "_here", staticmethod(waiting))
    summary = run_sweep(SMALL, Order(path, jobs=2), Reporter(), path)
    assert len(killed) == 1
    assert (summary.failed, summary.computed) == (0, SMALL.n_cells)
    assert '"event": "worker lost"' in Path(f"{path}.log").read_text()
    assert digest(path) == small


def test_an_error_of_the_thread_that_shares_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(call: Any, expected: str, tasks: Any) -> Any:
        raise RuntimeError("other code")

    one_by_one(monkeypatch)
    monkeypatch.setattr(_pools.Shared, "_here", staticmethod(failing))
    with pytest.raises(RuntimeError, match="other code"):
        run_sweep(SMALL, Order(tmp_path / "a.nc", jobs=2), Reporter(), tmp_path / "a.nc")


def test_kernels_are_compiled_by_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark is made after the example has run; an example that fails leaves none and does no harm."""
    from sims import _kernels

    monkeypatch.setattr(_kernels, "cache_directory", lambda module: tmp_path)
    call, called = _parts.Call.of(SMALL.experiment), []
    original = _parts.evaluate
    monkeypatch.setattr(_parts, "evaluate", lambda *given: called.append(given) or original(*given))
    example = {"d": 4, "p_cot": 0.5, "n_samples": 10}
    for values in (example, {**example, "d": 6}):
        _parts.compile_once(call, values)
    assert len(called) == 1
    assert len(list(tmp_path.glob("*.ready"))) == 1
    _parts.compile_once(call, {**example, "d": "six"})
    assert len(list(tmp_path.glob("*.ready"))) == 1
    _parts.compile_once(_parts.Call.of(COUNT), {"a": 1, "b": 0.5})
    assert len(called) == 2


def test_a_cluster_that_loses_a_worker_does_not_show(tmp_path: Path) -> None:
    """Three worker processes of dask.distributed; one is killed while all of them work."""
    distributed = pytest.importorskip("distributed")
    sweep = Sweep.build(COUNT, GRID, {"wait": 0.02}, SEEDS)
    path, other = tmp_path / "one.nc", tmp_path / "cluster.nc"
    run_sweep(sweep, Order(path), Reporter(), path)

    class Killer(Reporter):
        killed = 0

        def advance(self, done: int, total: int, failed: int, rate: float, remaining: float | None) -> None:
            if done >= 3 and not self.killed:
                self.killed = cluster.workers[0].pid or 0
                os.kill(self.killed, signal.SIGKILL)

    with distributed.LocalCluster(
        n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        killer = Killer()
        summary = run_sweep(sweep, Order(other, cluster=cluster.scheduler_address), killer, other)
    assert killer.killed
    assert summary.failed == 0
    assert digest(other) == digest(path)
    with contextlib.closing(sqlite3.connect(f"{other}.cells")) as store:
        workers = {w.rsplit(":", 1)[0] for (w,) in store.execute("SELECT worker FROM parts")}
    assert len(workers) >= 2


def test_a_cluster_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no dask scheduler answers at 'nowhere://x'"):
        sweeps.run(COUNT, GRID, cluster="nowhere://x", out=tmp_path / "x.nc")


# Interruptions


@pytest.mark.parametrize("after", [0, 1, 7, 29])
def test_an_interrupt_loses_nothing_that_was_done(
    after: int, tmp_path: Path, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "count.nc"
    computed = []
    original = _parts.compute

    def stopping(call: Any, expected: str, tasks: Any) -> Any:
        if len(computed) >= after:
            raise KeyboardInterrupt
        computed.extend(tasks)
        return original(call, expected, tasks)

    monkeypatch.setattr("sims.sweeps._pools.compute", stopping)
    one_by_one(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run_sweep(whole(), Order(path), Reporter(), path)
    assert not path.exists()
    monkeypatch.undo()
    summary = run_sweep(whole(), Order(path), Reporter(), path)
    assert summary.reused == len(computed) >= after
    assert summary.computed == 30 - len(computed)
    assert digest(path) == wanted
    assert '"event": "interrupted"' in Path(f"{path}.log").read_text()


CELLS = 40
COMMAND = [
    *("run", "parity_mixture.decode", "--set", f"p_cot=0.01:0.4:{CELLS}", "--set", "d=7", "--set", "n_samples=20000"),
    *("--seeds", "3", "--json"),
]


WITH_PROCESSES = """
import sys
from sims.__main__ import main
from sims.sweeps import _runner
_runner.WORTH = 0.0
sys.exit(main(sys.argv[1:]))
"""


def start(out: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WITH_PROCESSES, *COMMAND, "--out", str(out), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )


def complete(out: Path, *more: str) -> None:
    process = start(out, *more)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output


def kill_repeatedly(out: Path, kills: int, seed: int, jobs: list[int]) -> int:
    """Kill the command at random moments; return how many kills struck before it was done."""
    generator = random.Random(seed)
    struck = 0
    while struck < kills:
        process = start(out, "--jobs", str(generator.choice(jobs)))
        assert process.stdout is not None
        if generator.random() < 0.8:  # most of them while cells are computed, the rest at any time
            for line in process.stdout:
                if '"progress"' in line:
                    break
            time.sleep(generator.random() * 0.08)
        else:
            time.sleep(generator.random() * 2.5)
        process.kill()
        process.communicate()
        if process.returncode == 0 or (out.exists() and generator.random() < 0.7):
            for path in out.parent.glob(out.name + "*"):  # done: from the beginning
                path.unlink()
        else:
            struck += 1
    return struck


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("undisturbed") / "a.nc"
    complete(path)
    return digest(path)


def test_five_kills_at_random_moments(tmp_path: Path, undisturbed: str) -> None:
    out = tmp_path / "a.nc"
    assert kill_repeatedly(out, 5, seed=1, jobs=[1, 1, 2]) == 5
    complete(out)
    assert digest(out) == undisturbed
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_many_kills_at_random_moments(seed: int, tmp_path: Path, undisturbed: str) -> None:
    """Ten times six kills."""
    out = tmp_path / "a.nc"
    assert kill_repeatedly(out, 6, seed=100 + seed, jobs=[1, 2]) == 6
    complete(out, "--jobs", "2")
    assert digest(out) == undisturbed


def test_workers_do_not_outlive_the_command(tmp_path: Path) -> None:
    out = tmp_path / "a.nc"
    process = start(out, "--jobs", "2", "--set", "n_prompts=100000")
    assert process.stdout is not None
    for line in process.stdout:
        if '"progress"' in line:
            break
    children = {int(pid) for pid in _children(process.pid)}
    assert len(children) >= 2
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 20
    while any(_alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_alive(pid) for pid in children)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_does_not_wait_for_a_cell(jobs: str, tmp_path: Path) -> None:
    """Cells of about a minute, one of them in a thread of the command where there are two processes."""
    out = tmp_path / "a.nc"
    settings = ["p_cot=0.4,0.5", "d=4", "n_samples=300000000", "ridge=0.1"]
    arguments = ["run", "linear_model", *(word for text in settings for word in ("--set", text)), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "sims", *arguments, "--jobs", jobs, "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if f'"{"progress" if jobs == "2" else "start"}"' in line:
            break
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors == "interrupted; the same command continues\n"


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """A disk that is full, as far as this process can tell."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [100, 8_000, 60_000, 120_000, 200_000])
def test_a_full_disk_stops_the_run_and_the_same_command_continues(size: int, tmp_path: Path) -> None:
    """The sizes strike the log, the store, and the file in turn."""
    sweep = Sweep.build(COUNT, {"a": [70, 71, 72, 73], "b": [0.5, 1.5]}, {}, range(20))
    path, other = tmp_path / "count.nc", tmp_path / "other.nc"
    run_sweep(sweep, Order(other), Reporter(), other)
    assert other.stat().st_size > 200_000
    with largest_file(size), pytest.raises(StoreError, match="cannot be"):
        run_sweep(sweep, Order(path), Reporter(), path)
    assert not path.exists()
    assert not list(tmp_path.glob("*.part"))
    run_sweep(sweep, Order(path), Reporter(), path)
    assert digest(path) == digest(other)


# Damage


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("finished") / "count.nc"
    run_sweep(whole(), Order(path), Reporter(), path)
    return path


def copied(finished: Path, folder: Path) -> Path:
    path = folder / "count.nc"
    Path(f"{path}.cells").write_bytes(Path(f"{finished}.cells").read_bytes())
    return path


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, phases=[Phase.explicit, Phase.generate])
def test_flipped_bytes_are_found_and_repaired(seed: int, finished: Path, wanted: str) -> None:
    """Anywhere, and half of them where SQLite keeps the structure of its pages."""
    generator = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = copied(finished, Path(folder))
        content = bytearray(Path(f"{path}.cells").read_bytes())
        for _ in range(generator.choice([1, 3, 30])):
            page = generator.randrange(len(content) // 4096) * 4096 + generator.randrange(40)
            content[generator.choice([page, generator.randrange(len(content))])] ^= generator.randrange(1, 256)
        Path(f"{path}.cells").write_bytes(content)
        run_sweep(whole(), Order(path, force=True), Reporter(), path)
        assert digest(path) == wanted


@given(share=st.floats(0, 1))
@settings(max_examples=12)
def test_a_truncated_store_is_found_and_repaired(share: float, finished: Path, wanted: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = copied(finished, Path(folder))
        content = Path(f"{path}.cells").read_bytes()
        Path(f"{path}.cells").write_bytes(content[: int(share * len(content))])
        run_sweep(whole(), Order(path, force=True), Reporter(), path)
        assert digest(path) == wanted


def test_a_damaged_part_is_reported_and_only_it_is_computed_again(finished: Path, tmp_path: Path, wanted: str) -> None:
    path = copied(finished, tmp_path)
    with contextlib.closing(sqlite3.connect(f"{path}.cells")) as store, store:
        (payload,) = store.execute("SELECT payload FROM parts WHERE rowid = 4").fetchone()
        store.execute("UPDATE parts SET payload = ? WHERE rowid = 4", (payload[:-1] + b"\x07",))
        store.execute("UPDATE parts SET payload = ? WHERE rowid = 9", (payload[:-9],))
    summary = run_sweep(whole(), Order(path), Reporter(), path)
    assert summary.computed == 2
    assert summary.reused == 28
    assert len(summary.damaged) == 2
    assert "its checksum is wrong" in summary.damaged[0]
    assert '"event": "damaged"' in Path(f"{path}.log").read_text()
    assert digest(path) == wanted


def test_damage_while_the_file_is_written_is_repaired_too(
    finished: Path, tmp_path: Path, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copied(finished, tmp_path)
    original = _netcdf.export
    calls = []

    def spoiling(sweep: Any, store: Any, *rest: Any) -> int:
        if not calls:
            store._connection.execute("UPDATE parts SET status = 'failed' WHERE rowid = 5")
        calls.append(1)
        return original(sweep, store, *rest)

    monkeypatch.setattr(_runner, "export", spoiling)
    # The status is part of the checksum, so the row counts as damaged and not as a failure.
    summary = run_sweep(whole(), Order(path), Reporter(), path)
    assert len(calls) == 2
    assert summary.failed == summary.missing == 0
    assert digest(path) == wanted


# Stale and fresh


SOURCE = """
    import numpy as np
    import xarray

    from sims import _validate


    def simulate(a, seeds):
        keys = _validate.seeds(seeds).astype(np.int64)
        return xarray.Dataset({"x": ("replicate", keys + FACTOR * a)}, {"seed": ("replicate", keys)})
"""


def test_parts_of_other_code_are_never_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module, path = tmp_path / "own_simulator.py", tmp_path / "own.nc"
    own = sweeps.Experiment(
        "own",
        "own_simulator:simulate",
        "",
        (Parameter("a", "int", "", ""),),
        lambda values: 1e-4,
        {"a": 1},
        package=None,
    )

    def found(factor: int) -> tuple[list[int], Any]:
        module.write_text(textwrap.dedent(SOURCE).replace("FACTOR", str(factor)))
        sys.modules.pop("own_simulator", None)
        _parts.origin.cache_clear()
        reporter = Terminal(bar=False)
        sweep = Sweep.build(own, {"a": [1, 2, 3]}, {}, range(1))
        summary = run_sweep(sweep, Order(path, explain=True), reporter, path)
        with xarray.open_dataset(path, engine="h5netcdf") as dataset:
            return dataset["x"].values[:, 0].tolist(), summary

    assert found(10)[0] == [10, 20, 30]
    values, summary = found(10)
    assert (values, summary.reused) == ([10, 20, 30], 3)
    assert "a=2 seeds 0:1: reused" in capsys.readouterr().err
    values, summary = found(11)
    assert (values, summary.computed) == ([11, 22, 33], 3)
    assert "3 parts: computed by other code: changed own_simulator.py" in capsys.readouterr().err
    sys.modules.pop("own_simulator", None)


def test_the_origin_follows_imports_and_versions() -> None:
    star, parity = (json.loads(_parts.origin("sims", name)) for name in ("star", "parity_mixture"))
    assert {"star/__init__.py", "star/_dense.py", "_streams.py", "_validate.py"} <= set(star["files"])
    assert not any(name.startswith(("star", "sweeps", "_experiments")) for name in parity["files"])
    assert {"numpy", "numba", "scipy", "python"} <= set(star["versions"])
    changed = {**star, "files": {**star["files"], "_streams.py": "0"}, "versions": {**star["versions"], "numpy": "9"}}
    text = difference(json.dumps(star), json.dumps(changed))
    assert text.endswith("-> 9; changed _streams.py")


def test_a_worker_with_other_code_is_refused() -> None:
    call = _parts.Call.of(COUNT)
    with pytest.raises(RuntimeError, match="other code or library versions"):
        _parts.compute(call, '{"files": {}, "versions": {}, "format": 0}', [])


def test_more_values_and_seeds_reuse_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sims.sweeps._grid.BLOCK_MOST", 1)
    path, other = tmp_path / "count.nc", tmp_path / "other.nc"
    run_sweep(Sweep.build(COUNT, {"a": [1, 2]}, {"b": 0.5}, range(2)), Order(path), Reporter(), path)
    larger = Sweep.build(COUNT, {"a": [2, 1, 3], "b": [0.5]}, {}, range(3))
    summary = run_sweep(larger, Order(path), Reporter(), path)
    assert summary.reasons == {"reused": 4, "not computed before": 5}
    run_sweep(larger, Order(other), Reporter(), other)
    assert digest(path) == digest(other)


def test_an_output_that_holds_something_else_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "count.nc"
    sweeps.run(COUNT, {"a": [1, 2]}, {"b": 0.5}, out=path).close()
    before = digest(path)
    with pytest.raises(ValueError, match="of a sweep that this one repeats or extends"):
        sweeps.run(COUNT, {"a": [3]}, {"b": 0.5}, out=path)
    assert digest(path) == before
    Path(f"{path}.cells").unlink()
    with pytest.raises(ValueError, match="which exists without its cells"):
        sweeps.run(COUNT, {"a": [1, 2]}, {"b": 0.5}, out=path)
    assert not Path(f"{path}.cells").exists()
    sweeps.run(COUNT, {"a": [3]}, {"b": 0.5}, out=path, force=True).close()
    assert digest(path) != before


def test_a_second_process_on_the_same_output_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "count.nc"
    held = lock(Path(f"{path}.log"))
    try:
        with pytest.raises(StoreError, match=r"another process is working on .*count\.nc; wait for it, or stop it"):
            sweeps.run(COUNT, {"a": [1]}, {"b": 0.5}, out=path)
    finally:
        os.close(held)
    assert sweeps.run(COUNT, {"a": [1]}, {"b": 0.5}, out=path).sizes["a"] == 1


# Failures


@pytest.mark.parametrize("mode", ["error", "memory", "leave", "shape"])
def test_a_failing_cell_is_recorded_and_the_others_are_kept(mode: str, tmp_path: Path) -> None:
    path = tmp_path / "t.nc"
    sweep = Sweep.build(TROUBLE, {"mode": ["fine", mode, "good"], "a": [0, 1]}, {"place": "x"}, range(2))
    summary = run_sweep(sweep, Order(path), Reporter(), path)
    assert (summary.failed, summary.missing, summary.cells) == (2, 4, 6)
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        assert dataset["x"].sel(mode="good").values.tolist() == [[0, 1], [1, 2]]
        assert dataset["x"].sel(mode=mode).isnull().all()
        assert dataset.attrs["replicates_missing"] == 4
    events = [json.loads(line) for line in Path(f"{path}.log").read_text().splitlines()]
    (first, _) = [event for event in events if event["event"] == "failed"]
    assert first["cell"] == {"mode": mode, "a": 0}
    assert "Traceback" in first["traceback"]
    again = run_sweep(sweep, Order(path), Reporter(), path)
    assert (again.computed, again.failed, again.reused) == (0, 2, 6)
    assert run_sweep(sweep, Order(path, retry_failed=True), Reporter(), path).computed == 2


def test_a_failure_that_passes_is_healed_by_trying_again(tmp_path: Path) -> None:
    path, other = tmp_path / "t.nc", tmp_path / "u.nc"
    sweep = Sweep.build(TROUBLE, {"mode": ["fine", "error_once"]}, {"place": str(tmp_path / "marker")}, range(2))
    assert run_sweep(sweep, Order(path), Reporter(), path).failed == 1
    assert run_sweep(sweep, Order(path, retry_failed=True), Reporter(), path).failed == 0
    run_sweep(sweep, Order(other), Reporter(), other)
    assert digest(path) == digest(other)


def test_a_lost_worker_costs_no_cell(tmp_path: Path) -> None:
    path, other = tmp_path / "t.nc", tmp_path / "u.nc"
    sweep = Sweep.build(TROUBLE, {"mode": ["a", "die_once", "b", "c"]}, {"place": str(tmp_path / "marker")}, range(2))
    summary = run_sweep(sweep, Order(path, jobs=2), Reporter(), path)
    assert (summary.failed, summary.computed) == (0, 4)
    assert '"event": "worker lost"' in Path(f"{path}.log").read_text()
    run_sweep(sweep, Order(other), Reporter(), other)
    assert digest(path) == digest(other)


def test_a_cell_that_kills_every_worker_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_runner, "DEATHS", 1)
    path = tmp_path / "t.nc"
    sweep = Sweep.build(TROUBLE, {"mode": ["a", "die", "b"]}, {"place": "x"}, range(2))
    summary = run_sweep(sweep, Order(path, jobs=2), Reporter(), path)
    assert (summary.failed, summary.computed) == (1, 3)
    assert "the worker process died" in summary.failures[0][1]
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        assert dataset["x"].sel(mode="b").values.tolist() == [0, 1]


def test_what_killed_the_last_run_is_tried_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single process that dies of a cell would otherwise die of it for ever."""
    monkeypatch.setattr(_runner, "DEATHS", 1)
    path = tmp_path / "t.nc"
    sweep = Sweep.build(TROUBLE, {"mode": ["a", "die", "b"]}, {"place": "x"}, range(2))
    code = (
        "from pathlib import Path\n"
        "from tests.test_sweeps import *\n"
        f"path = Path({str(path)!r})\n"
        "sweep = Sweep.build(TROUBLE, {'mode': ['a', 'die', 'b']}, {'place': 'x'}, range(2))\n"
        "run_sweep(sweep, Order(path), Reporter(), path)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    summary = run_sweep(sweep, Order(path), Reporter(), path)
    assert (summary.failed, summary.missing) == (1, 2)
    assert summary.reasons["being computed when the last run ended"] == 1


def test_if_every_cell_fails_the_library_says_why() -> None:
    with pytest.raises(ValueError, match=r"d must be an integer in \[2, 65536\], got 1"):
        sweeps.run("parity_mixture", {"d": [1, 0]}, {"p_cot": 0.5, "n_samples": 10})


# What it tells


def test_progress_is_told_in_lines_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = JsonLines()
    reporter.note("start", "words", cells=3)
    reporter.advance(1, 3, 0, 2.0, None)
    reporter.advance(2, 3, 0, 2.0, 0.5)  # too soon after the last one
    reporter.advance(3, 3, 1, 2.0, 0.0)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["start", "progress", "progress"]
    assert lines[2] == {
        "event": "progress",
        "cells_done": 3,
        "cells": 3,
        "failed": 1,
        "cells_per_second": 2.0,
        "seconds_remaining": 0.0,
    }


def test_progress_is_a_bar_on_a_terminal_and_lines_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    with_bar, without = Terminal(bar=True), Terminal(bar=False)
    with_bar._began -= 10
    without._last -= 100
    for reporter in (with_bar, without):
        reporter.advance(5, 20, 1, 2.5, 6.0)
        reporter.note("x", "a note")
        reporter.close()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "5 of 20 cells, 1 failed, 2.5 cells/s, 6 s left" in captured.err
    assert captured.err.count("a note") == 2


def test_the_remaining_time_is_measured_not_guessed(tmp_path: Path) -> None:
    """Formulas may be off; the first second of work says by how much."""
    seen: list[tuple[int, float | None]] = []

    class Recorder(Reporter):
        def advance(self, done: int, total: int, failed: int, rate: float, remaining: float | None) -> None:
            seen.append((done, remaining))

    sweep = Sweep.build(COUNT, {"b": "1:40:40"}, {"a": 1, "wait": 0.04}, range(1))
    run_sweep(sweep, Order(None), Recorder(), tmp_path / "x.nc")
    halfway = next(remaining for done, remaining in seen if done >= 20 and remaining is not None)
    assert 0.3 < halfway < 6  # 20 cells of 0.04 s are 0.8 s, more on a machine that does other things too
    assert seen[-1] == (40, 0.0)


def test_too_small_a_disk_is_announced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("usage", (), {"free": 10}))
    path = tmp_path / "count.nc"
    run_sweep(whole(), Order(path), Terminal(bar=False), path)
    assert "10 B are free on this disk" in capsys.readouterr().err


def test_a_log_that_cannot_be_written_does_not_stop_a_run(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "log", os.O_RDONLY | os.O_CREAT)
    log = Log(descriptor)
    log.write("start")
    log.close()
    assert (tmp_path / "log").read_text() == ""


# Looking at results


def test_plain_xarray_opens_the_file_and_two_lines_draw_it(finished: Path) -> None:
    """In a process that cannot import this project."""
    code = f"""
import sys
sys.modules["sims"] = None
import matplotlib
matplotlib.use("Agg")
import xarray as xr
data = xr.open_dataset({str(finished)!r})
lines = data["real"].mean("replicate").sel(word="x").plot(x="b", hue="a")
assert len(lines) == 3, lines
assert data.seed.values.tolist() == [2, 3, 4, 5, 6]
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr


def test_figures_name_what_they_show(finished: Path) -> None:
    result = _count_result()
    picture = sweeps.figure(result)
    (axes,) = picture.axes
    assert axes.get_xlabel() == "a number (b)"
    assert axes.get_ylabel() == "a length (real) [m]"
    assert len(axes.get_lines()) == 3
    assert axes.get_lines()[0].get_ydata() == pytest.approx(0.4 + np.array([0.1, 0.2, 0.3, 0.4, 0.5]))
    assert sweeps.figure(result, "whole", "rung").axes[0].get_xlabel() == "rung (rung)"
    for arguments in (("nothing",), ("name",), ("real", "rung")):
        with pytest.raises(ValueError, match="must be one of"):
            sweeps.figure(result, *arguments)
    plain = sweep_experiments.count(2, 0.5, range(3))
    assert sweeps.figure(plain, "real").axes
    assert sweeps.figure(plain.isel(replicate=[0]), "free").axes


def test_an_unfinished_run_is_exported_while_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sims.__main__ import main

    path = tmp_path / "a.nc"
    arguments = ["run", "parity_mixture", "--set", "d=3:12:10", "--set", "p_cot=.5", "--set", "n_samples=10"]
    original = _parts.compute
    seen = []

    def looking(call: Any, expected: str, tasks: Any) -> Any:
        if tasks[0].number == 6:
            assert main(["export", str(path), "--out", str(tmp_path / "now.nc")]) == 0
            with xarray.open_dataset(tmp_path / "now.nc", engine="h5netcdf") as now:
                seen.append(int(now["long"].notnull().sum()))
        return original(call, expected, tasks)

    monkeypatch.setattr("sims.sweeps._pools.compute", looking)
    one_by_one(monkeypatch)
    assert main([*arguments, "--out", str(path), "--quiet"]) == 0
    assert seen == [6]
    before = digest(path)
    assert main(["export", str(path)]) == 0
    assert digest(path) == before
    assert main(["export", str(tmp_path / "nothing.nc")]) == 2


def test_labels_stand_for_values() -> None:
    assert label(Parameter("w", "words", "", ""), ["a", "b"]) == "a+b"
    assert label(Parameter("j", "json", "", ""), {"b": [1], "a": 2}) == '{"a":2,"b":[1]}'
    assert label(Parameter("j", "json", "", "", None), None) == "none"
    assert label(Parameter("j", "json", "", ""), 0.5) == 0.5


def test_a_store_in_memory_needs_no_file() -> None:
    store = Store(None)
    assert store.is_empty()
    assert store.row(b"x") is None
    store.close()
