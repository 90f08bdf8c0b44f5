"""What the sweep engine costs: overhead a cell, efficiency of processes, size and opening time of large results.

    python benchmarks/sweeps.py [--cells N] [--efficiency] [--seconds S]

The overhead is what a cell takes beyond the simulator's own call, for cells that take almost no time. The efficiency
compares one process with two on the same cells, the start of the second included; where other programs are running,
the processor time of both says more than the clock. The large result has `--cells` cells (1e5 by default, 1e6 takes
minutes) of one replicate.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sims._experiments import find
from sims.sweeps import _runner
from sims.sweeps._grid import Sweep
from sims.sweeps._parts import Call, evaluate
from sims.sweeps._progress import Reporter
from sims.sweeps._runner import Order, run_sweep


def processor_time() -> float:
    """Seconds of processor time of this process and of those that it has ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def timed(sweep: Sweep, path: Path, jobs: int = 1) -> float:
    """Seconds of a whole run, from nothing to the file."""
    begin = time.perf_counter()
    run_sweep(sweep, Order(path, jobs), Reporter(), path)
    return time.perf_counter() - begin


def overhead(folder: Path, cells: int) -> None:
    """Print what a cell costs beyond the call of the simulator."""
    sweep = Sweep.build(find("parity_mixture"), {"p_cot": f"0:1:{cells}"}, {"d": 4, "n_samples": 1}, range(1))
    call = Call.of(sweep.experiment)
    evaluate(call, sweep.values(0), [0])
    begin = time.perf_counter()
    for cell in range(min(cells, 2000)):
        evaluate(call, sweep.values(cell), [0])
    own = (time.perf_counter() - begin) / min(cells, 2000)
    whole = timed(sweep, folder / "small.nc") / cells
    begin = time.perf_counter()
    run_sweep(sweep, Order(folder / "small.nc"), Reporter(), folder / "small.nc")
    again = (time.perf_counter() - begin) / cells
    print(f"{cells} cells, one process: simulator {own * 1e6:.0f} us, everything {whole * 1e6:.0f} us,")
    print(f"  overhead {(whole - own) * 1e6:.0f} us a cell; when all are there {again * 1e6:.0f} us a cell")


def efficiency(folder: Path, seconds: float) -> None:
    """Print the speed of two processes over one."""
    probe = Sweep.build(find("parity_mixture"), {}, {"d": 64, "p_cot": 0.2, "n_samples": 1_000_000}, range(1))
    evaluate(Call.of(probe.experiment), {**probe.values(0), "n_samples": 10}, [0])
    begin = time.perf_counter()
    evaluate(Call.of(probe.experiment), probe.values(0), [0])
    per_million = time.perf_counter() - begin
    samples = int(1e6 * seconds / per_million)
    for cells in (40, 160, 400):
        sweep = Sweep.build(
            find("parity_mixture"), {"p_cot": f"0:1:{cells}"}, {"d": 64, "n_samples": samples}, range(1)
        )
        spent = [processor_time()]
        one = timed(sweep, folder / f"one-{cells}.nc")
        spent.append(processor_time())
        two = timed(sweep, folder / f"two-{cells}.nc", jobs=2)
        spent.append(processor_time())
        same = (folder / f"one-{cells}.nc").read_bytes() == (folder / f"two-{cells}.nc").read_bytes()
        words = f"one process {one:.1f} s, two {two:.1f} s: {one / two:.2f} times as fast"
        print(f"{cells} cells of {one / cells:.2f} s: {words}, same bytes: {same}; load {os.getloadavg()[0]:.1f}")
        print(f"  processor time {spent[1] - spent[0]:.1f} s with one process, {spent[2] - spent[1]:.1f} s with two")


def large(folder: Path, cells: int) -> None:
    """Print size and opening time of a large result."""
    sweep = Sweep.build(
        find("parity_mixture"), {"p_cot": f"0:1:{cells // 10}", "d": "2:11:10"}, {"n_samples": 1}, range(1)
    )
    path = folder / "large.nc"
    seconds = timed(sweep, path)
    store = Path(f"{path}.cells").stat().st_size
    code = (
        f"import time, xarray\nt = time.perf_counter()\nd = xarray.open_dataset({str(path)!r})\n"
        "a = time.perf_counter() - t\nd.load()\n"
        "print(f'opened in {a:.3f} s, loaded in {time.perf_counter() - t:.3f} s')"
    )
    opened = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sizes = f"file {path.stat().st_size / 1e6:.1f} MB, cells {store / 1e6:.1f} MB"
    print(f"{cells} cells in {seconds:.1f} s: {sizes}, {opened}; peak memory {peak:.0f} MB")
    begin = time.perf_counter()
    run_sweep(sweep, Order(path), Reporter(), path)
    print(f"  looked up and written again in {time.perf_counter() - begin:.1f} s")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--efficiency", action="store_true", help="takes a few minutes")
    parser.add_argument("--seconds", type=float, default=0.2, help="of a cell, for the efficiency")
    options = parser.parse_args()
    _runner.WORTH = 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        overhead(folder, 2000)
        if options.cells:
            large(folder, options.cells)
        if options.efficiency:
            efficiency(folder, options.seconds)


if __name__ == "__main__":
    main()
