r"""Sweeps: one experiment over a grid of parameters and seeds, on one processor, many, or a cluster.

A sweep is the product of the values of its swept parameters; each combination is a cell, and a cell is run for every
seed. The result is one labelled dataset with dimensions (swept parameters, replicate, those of the simulator).

* A replicate is a function of its parameters and its seed alone. The same seeds serve every cell, so cells are coupled
  (common random numbers): differences between cells are sharper than their standard errors say, and cells are not
  independent of each other. Give different sweeps different seeds where independence matters.
* The file of a sweep is a function of parameters, seeds, source files and library versions: the same bytes for any
  number of workers, and after any number of interruptions.
* Next to ``FILE.nc`` lie ``FILE.nc.cells`` (SQLite: every part with its checksum, status and traceback; the run
  continues from it, and it may be deleted when the run is over) and ``FILE.nc.log`` (wall times, hosts, failures).

A part is reused only if its parameters and seeds, the source files that the simulator's module imports (transitively)
and the versions of Python, NumPy, SciPy and Numba are those of now.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sims._experiments import Experiment, Parameter, find

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

    from sims.sweeps._grid import Sweep

__all__ = ["Experiment", "Parameter", "figure", "replay", "run"]


def _chosen(experiment: Any) -> Experiment:
    if isinstance(experiment, Experiment):
        return experiment
    if not isinstance(experiment, str):
        raise ValueError(f"experiment must be a name or an Experiment, got {experiment!r}")
    found = find(experiment)
    found.require()
    return found


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return value


def _output(out: Any) -> Path | None:
    if out is None:
        return None
    if not isinstance(out, (str, Path)) or not str(out).endswith(".nc"):
        raise ValueError(f"out must be a path that ends in .nc, got {out!r}")
    path = Path(out)
    try:
        fits = path.parent.is_dir() and not path.is_dir()
    except (OSError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"out must be a file in an existing directory, got {str(out)!r}")
    return path


def _jobs(jobs: Any) -> int:
    from sims._validate import integer

    number = integer("jobs", jobs, -1, 10_000)
    if number == 0:
        raise ValueError("jobs must be -1 or an integer in [1, 10000], got 0")
    return number


def _cluster(cluster: Any) -> str | None:
    if cluster is not None and (not isinstance(cluster, str) or "://" not in cluster):
        raise ValueError(f"cluster must be the address of a dask scheduler, such as tcp://host:8786, got {cluster!r}")
    return cluster


def _seeds(seeds: Any) -> Sequence[int]:
    from sims._validate import seeds as checked

    numbers = checked(seeds).tolist()
    first = numbers[0]
    return range(first, first + len(numbers)) if numbers == list(range(first, first + len(numbers))) else numbers


def run(
    experiment: str | Experiment,
    sweep: Mapping[str, Any] | None = None,
    fixed: Mapping[str, Any] | None = None,
    seeds: int | Any = 0,
    *,
    out: str | Path | None = None,
    jobs: int = 1,
    cluster: str | None = None,
    retry_failed: bool = False,
    force: bool = False,
    progress: bool = False,
) -> xarray.Dataset:
    """Run an experiment at every combination of the swept values.

    Parameters
    ----------
    experiment : str or Experiment
        A name that ``python -m sims list`` shows, or an :class:`Experiment` of your own.
    sweep : mapping, optional
        Values of each swept parameter: a sequence, or a text such as ``"10,20,50"``, ``"0.05:0.5:10"`` (ten values,
        both ends included) or ``"1:1000:4:log"``. Each becomes a dimension, in the order of the experiment.
    fixed : mapping, optional
        Values of the other parameters; what is in neither has its default.
    seeds : int or sequence of int
        One replicate each, distinct, in [0, 2**63).
    out : path, optional
        File to write, ending in ``.nc``; a run that was stopped continues from what lies beside it. Without it
        everything stays in memory.
    jobs : int, optional
        Processes, -1 for one a processor; this one is among them where the work is short. The result does not depend
        on it.
    cluster : str, optional
        Address of a running dask scheduler, such as ``tcp://host:8786``; its workers take the place of `jobs`.
    retry_failed : bool, optional
        Try again what failed in an earlier run.
    force : bool, optional
        Replace an output that holds another sweep.
    progress : bool, optional
        A progress bar on standard error.

    Returns
    -------
    xarray.Dataset
        Variables of the simulator over (swept parameters, replicate, its own dimensions). A cell that failed, or has
        fewer entries along a dimension than others, is padded with NaN; the attribute ``replicates_missing`` counts
        the replicates that failed. The attribute ``sweep`` defines everything as JSON.

    Raises
    ------
    ValueError
        If an argument is of no use, or if every cell fails with a ValueError; one failing cell among others is
        recorded (see the log) and does not raise.
    OSError
        If the disk is full, another process writes the same output, or the cluster is gone. What has been computed is
        kept.

    Notes
    -----
    Overhead: some tenths of a millisecond a cell. Memory of this process: that of the largest part, and some bytes a
    cell.

    Examples
    --------
    >>> result = run("parity_mixture", {"d": [4, 6], "p_cot": "0:1:3"}, {"n_samples": 100}, seeds=range(2))
    >>> dict(result.sizes)
    {'d': 2, 'p_cot': 3, 'replicate': 2}
    >>> result["long"].sel(p_cot=1.0).values.tolist()
    [[100, 100], [100, 100]]
    """
    import xarray

    from sims.sweeps._grid import Sweep
    from sims.sweeps._progress import Reporter, Terminal
    from sims.sweeps._runner import Order, run_sweep

    chosen = _chosen(experiment)
    order = Order(
        _output(out),
        _jobs(jobs),
        _cluster(cluster),
        _flag("retry_failed", retry_failed),
        _flag("force", force),
    )
    reporter = Terminal(bar=True) if _flag("progress", progress) else Reporter()
    whole = Sweep.build(chosen, {} if sweep is None else sweep, {} if fixed is None else fixed, _seeds(seeds))
    if order.out is not None:
        summary = run_sweep(whole, order, reporter, order.out)
        reporter.close()
        _raise_if_all_failed(whole, summary)
        return xarray.open_dataset(order.out, engine="h5netcdf")
    with tempfile.TemporaryDirectory(prefix="cotbounds-") as folder:
        summary = run_sweep(whole, order, reporter, Path(folder) / "sweep.nc")
        reporter.close()
        _raise_if_all_failed(whole, summary)
        with xarray.open_dataset(Path(folder) / "sweep.nc", engine="h5netcdf") as dataset:
            return dataset.load()


def _raise_if_all_failed(sweep: Sweep, summary: Any) -> None:
    """A sweep without any result was asked for something that does not exist."""
    errors = [error.strip().splitlines()[-1] for _, error in summary.failures]
    if summary.failed == sweep.n_cells and all(error.startswith("ValueError: ") for error in errors):
        raise ValueError(errors[0].removeprefix("ValueError: "))


def replay(
    results: str | Path | xarray.Dataset,
    cell: Mapping[str, Any] | None = None,
    replicate: int = 0,
    *,
    experiment: Experiment | None = None,
) -> xarray.Dataset:
    """Compute one replicate of a sweep again, alone, from parameters and seed.

    Parameters
    ----------
    results : path or xarray.Dataset
        What a sweep returned or wrote.
    cell : mapping, optional
        A value for every swept parameter.
    replicate : int, optional
        Index along ``replicate``, from 0.
    experiment : Experiment, optional
        The experiment, where it is not one that ``python -m sims list`` shows.

    Returns
    -------
    xarray.Dataset
        What the simulator returns for this cell and this seed: the same bits as inside the sweep, if code and versions
        are the same.

    Raises
    ------
    ValueError
        If the results are of no sweep, or the cell or the replicate is not among them.

    Examples
    --------
    >>> result = run("parity_mixture", {"d": [4, 6]}, {"p_cot": 0.5, "n_samples": 100}, seeds=range(3))
    >>> again = replay(result, {"d": 6}, 2)
    >>> int(again["long"][0]) == int(result["long"].sel(d=6)[2])
    True
    """
    from sims._validate import integer
    from sims.sweeps._grid import label
    from sims.sweeps._parts import Call, evaluate

    sweep = _sweep_of(results, experiment)
    given = {} if cell is None else cell
    if not isinstance(given, Mapping) or set(given) != set(sweep.axes):
        wanted = ", ".join(sweep.axes) or "nothing"
        raise ValueError(f"cell must give a value for each swept parameter ({wanted}), got {given!r}")
    known = {parameter.name: parameter for parameter in sweep.experiment.parameters}
    values = dict(sweep.fixed)
    for name, axis in sweep.axes.items():
        value = known[name].check(given[name])
        if value not in axis:
            shown = ", ".join(str(label(known[name], item)) for item in axis[:50])
            raise ValueError(f"cell must have {name} among {shown}, got {given[name]!r}")
        values[name] = value
    index = integer("replicate", replicate, 0, len(sweep.seeds) - 1)
    return evaluate(Call.of(sweep.experiment), values, [sweep.seeds[index]])


def _sweep_of(results: Any, experiment: Any) -> Sweep:
    import xarray

    from sims.sweeps._grid import from_specification

    if experiment is not None and not isinstance(experiment, Experiment):
        raise ValueError(f"experiment must be an Experiment, got {experiment!r}")
    if isinstance(results, xarray.Dataset):
        attributes = results.attrs
    elif isinstance(results, (str, Path)):
        attributes = _opened_attributes(Path(results))
    else:
        raise ValueError(f"results must be a dataset or a path, got {results!r}")
    if not isinstance(attributes.get("sweep"), str):
        raise ValueError("results must be those of a sweep: the attribute 'sweep' is missing")
    return from_specification(attributes["sweep"], experiment)


def _opened_attributes(path: Path) -> dict[Any, Any]:
    import xarray

    try:
        with xarray.open_dataset(path, engine="h5netcdf") as dataset:
            return dict(dataset.attrs)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"results must be a NetCDF file, got {str(path)!r}: {error}") from None


def figure(
    results: xarray.Dataset,
    variable: str | None = None,
    x: str | None = None,
) -> Figure:
    """Draw a variable of a sweep: means over the replicates with bands of one standard error.

    Parameters
    ----------
    results : xarray.Dataset
        What a sweep returned.
    variable : str, optional
        Which one; by default the first that varies.
    x : str, optional
        Dimension along the horizontal axis; by default the longest with numbers. The longest other one tells the
        lines apart, the rest are averaged.

    Returns
    -------
    matplotlib.figure.Figure
        ``.savefig("figure.svg")`` writes it.

    Raises
    ------
    ValueError
        If a name is none of the dataset's.

    Examples
    --------
    >>> result = run("parity_mixture", {"d": [4, 6], "p_cot": "0:1:3"}, {"n_samples": 100}, seeds=range(2))
    >>> figure(result, "long").axes[0].get_xlabel()
    'share of long demonstrations (p_cot)'
    """
    from sims.sweeps._figures import draw

    return draw(results, variable, x)
