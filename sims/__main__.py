"""The command ``python -m sims``: list the simulators, run and continue sweeps, show and replay what they found."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    import xarray

    from sims.sweeps._grid import Sweep
    from sims.sweeps._runner import Order, Summary

__all__ = ["main"]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Simulate: results are labelled datasets, the same bits for the same seeds.",
)

FILE = typer.Argument(metavar="FILE", help="A NetCDF file that run has written.")


def _refuse(message: object, code: int = 2) -> NoReturn:
    typer.echo(f"error: {' '.join(str(message).split())}", err=True)
    raise typer.Exit(code)


def _print_table(headings: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for row in [headings, *rows]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _describe(dataset: xarray.Dataset) -> None:
    """Print attributes, coordinates, then range and mean of every variable."""
    import numpy as np

    for name, value in dataset.attrs.items():
        text = np.array2string(np.asarray(value), threshold=8) if np.ndim(value) else str(value)
        typer.echo(f"{name}: {text if len(text) < 500 else text[:500] + ' ...'}")
    typer.echo("")
    for name in dataset.dims:
        if name in dataset.coords:
            values = dataset[name].values
            unit = dataset[name].attrs.get("units", "")
            shown = [str(value) for value in (values if len(values) <= 12 else [*values[:6], "...", *values[-3:]])]
            typer.echo(f"{name}: {len(values)} values{f' [{unit}]' if unit else ''}: {', '.join(shown)}")
    typer.echo("")
    rows = []
    for name, variable in dataset.data_vars.items():
        shape = ", ".join(f"{dimension} {size}" for dimension, size in variable.sizes.items())
        figures = ["-"] * 3
        if variable.dtype.kind in "biuf" and variable.size:
            values = np.asarray(variable.values, dtype=np.float64)
            values = values[np.isfinite(values)]
            if values.size:
                figures = [f"{figure:.6g}" for figure in (values.mean(), values.min(), values.max())]
        missing = f"{int(variable.isnull().sum())}" if variable.dtype.kind == "f" else "0"
        rows.append([str(name), shape, *figures, missing, str(variable.attrs.get("units", ""))])
    _print_table(["variable", "shape", "mean", "least", "largest", "missing", "unit"], rows)


@app.command("list")
def list_() -> None:
    """List the simulators with their parameters and what a replicate costs."""
    from sims._experiments import EXPERIMENTS, REQUIRED
    from sims.sweeps._progress import duration

    for experiment in EXPERIMENTS:
        typer.echo(f"{experiment.name}: {experiment.summary}")
        values = {parameter.name: parameter.default for parameter in experiment.parameters} | dict(experiment.example)
        for parameter in experiment.parameters:
            shown = "+".join(parameter.default) if parameter.kind == "words" else parameter.default
            default = "required" if parameter.default == REQUIRED else f"default {shown}"
            unit = f" [{parameter.unit}]" if parameter.unit else ""
            typer.echo(f"    {parameter.name} ({parameter.kind}){unit}: {parameter.meaning}; {default}")
        larger = {name: _larger(values[name]) for name in experiment.sizes}
        seconds, more = experiment.cost(values), experiment.cost({**values, **larger})
        example = " ".join(f"--set {name}={_text(value)}" for name, value in experiment.example.items())
        typer.echo(f"    cost: about {seconds * 1e3:.2g} ms a replicate at the example: {example}")
        if larger and more > seconds:
            words = ", ".join(f"{name}={_text(value)}" for name, value in larger.items() if value != values[name])
            typer.echo(f"    cost: about {duration(more) if more >= 1 else f'{more * 1e3:.2g} ms'} at {words}")


def _larger(value: Any) -> Any:
    """A thousand times a count, for the listing."""
    return value * 1000 if isinstance(value, int) and not isinstance(value, bool) else value


def _text(value: Any) -> str:
    import json

    return "'" + json.dumps(value) + "'" if isinstance(value, (list, dict, tuple)) else str(value)


def _sweep_file(path: Path) -> dict[str, Any]:
    """Read a TOML file: experiment, seeds, jobs, out, and the tables sweep and fixed."""
    import tomllib

    try:
        text = path.read_bytes().decode()
        content = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"NAME must be a simulator or a TOML file, got {str(path)!r}: {error}") from None
    kinds = {"experiment": str, "seeds": (int, list), "jobs": int, "out": str, "cluster": str}
    tables = {"sweep": dict, "fixed": dict}
    for key, value in content.items():
        wanted: Any = {**kinds, **tables}.get(key)
        if wanted is None:
            raise ValueError(f"{path.name} must hold {', '.join({**kinds, **tables})}, got {key!r}")
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise ValueError(f"{path.name} must have another kind of value for {key}, got {value!r}")
    if "experiment" not in content:
        raise ValueError(f"{path.name} must name an experiment")
    return content


def _seeds(given: Any) -> Any:
    """A command's N means 0 .. N - 1; a list holds the seeds themselves."""
    from sims._validate import MOST_SEEDS
    from sims._validate import seeds as checked

    if isinstance(given, list):
        return checked(given).tolist()
    if not 1 <= given <= MOST_SEEDS:
        raise ValueError(f"--seeds must be an integer in [1, {MOST_SEEDS}], got {given}")
    return range(given)


def _plan(
    name: str,
    settings: list[str],
    seeds: int | None,
    jobs: int | None,
    out: Path | None,
    cluster: str | None,
    **how: Any,
) -> tuple[Sweep, Order]:
    """The sweep and how to run it, from the command line and the TOML file it may name."""
    from sims._experiments import find
    from sims.sweeps._grid import Sweep, read_settings
    from sims.sweeps._runner import Order

    content: dict[str, Any] = _sweep_file(Path(name)) if name.endswith(".toml") else {"experiment": name}
    experiment = find(content["experiment"])
    experiment.require()
    swept, fixed = read_settings(experiment, settings)
    given = {**swept, **fixed}
    for table in ("sweep", "fixed"):
        for key, value in content.get(table, {}).items():
            if key not in given:
                (swept if table == "sweep" else fixed)[key] = value
    numbers = _seeds(content.get("seeds", 1) if seeds is None else seeds)
    count = content.get("jobs", 1) if jobs is None else jobs
    if (count < 1 and count != -1) or count > 10_000:
        raise ValueError(f"--jobs must be -1 or an integer in [1, 10000], got {count}")
    target = Path(content["out"]) if out is None and "out" in content else out
    where = content.get("cluster") if cluster is None else cluster
    if where is not None and "://" not in where:
        raise ValueError(f"--cluster must be the address of a scheduler, such as tcp://host:8786, got {where!r}")
    if target is not None:
        try:
            fits = target.parent.is_dir() and not target.is_dir() and "\0" not in str(target)
        except (OSError, ValueError):
            fits = False
        if not fits:
            raise ValueError(f"--out must be a file in an existing directory, got {str(target)!r}")
    return Sweep.build(experiment, swept, fixed, numbers), Order(target, count, where, **how)


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which simulator, see list; or a TOML file.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUES", help="One value, or several: 10,20,50 or 0.05:0.5:10[:log]."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Replicates: the seeds 0 .. N-1; 1 by default.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Processes, -1 for one a processor; 1 by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="NetCDF file to write; a stopped run continues.")] = None,
    cluster: Annotated[str | None, typer.Option(help="Address of a dask scheduler, tcp://host:8786.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed cells again.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say why cells are reused or computed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and what it costs.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an output that holds something else.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print events and progress as lines of JSON.")] = False,
) -> None:
    """Run a simulator at one setting of its parameters, or sweep over many; the result does not depend on --jobs."""
    from sims.sweeps._progress import JsonLines, Reporter, Terminal

    try:
        sweep, order = _plan(
            name,
            set_ or [],
            seeds,
            jobs,
            out,
            cluster,
            retry_failed=retry_failed,
            force=force,
            explain=explain,
            dry_run=dry_run,
        )
    except ValueError as error:
        _refuse(error)
    reporter = JsonLines() if json else Reporter() if quiet else Terminal()
    if not json and not quiet and sweep.axes:
        reporter.note("call", f"library call: {sweep.call(None if order.out is None else str(order.out))}")
    elif json:
        reporter.note("call", "", call=sweep.call(None if order.out is None else str(order.out)))
    try:
        before = signal.signal(signal.SIGTERM, _interrupt)
    except ValueError:  # not the main thread
        before = None
    try:
        with contextlib.ExitStack() as stack:  # no folder that a kill would leave behind, where none is needed
            target = order.out
            if target is None:
                target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cotbounds-"))) / "sweep.nc"
            summary = _run(sweep, order, reporter, target)
            if not dry_run:
                _finish(sweep, order, summary, target, quiet=quiet, json=json)
    finally:
        reporter.close()
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _run(sweep: Sweep, order: Order, reporter: Any, target: Path) -> Summary:
    from sims.sweeps._runner import run_sweep
    from sims.sweeps._store import InUse

    try:
        return run_sweep(sweep, order, reporter, target)
    except ValueError as error:
        reporter.close()
        _refuse(error)
    except OSError as error:
        reporter.close()
        kept = order.out is not None and not isinstance(error, InUse)
        _refuse(f"{error}; what has been computed is kept, the same command continues" if kept else error, 1)
    except MemoryError:
        reporter.close()
        _refuse("the result does not fit into memory: fewer seeds, prompts or samples", 1)
    except KeyboardInterrupt:
        reporter.close()
        words = "nothing was written" if order.out is None else "the same command continues"
        typer.echo(f"interrupted; {words}", err=True)
        raise typer.Exit(130) from None


def _finish(sweep: Sweep, order: Order, summary: Summary, target: Path, *, quiet: bool, json: bool) -> None:
    """Tell what was found, and exit 1 where cells failed."""
    import json as encoder

    import xarray

    errors = [error.strip().splitlines()[-1] for _, error in summary.failures]
    if summary.failed == sweep.n_cells == 1 and errors[0].startswith("ValueError: "):
        if order.out is not None:
            _forget(order.out)
        _refuse(errors[0].removeprefix("ValueError: "))
    if json:
        facts = {name: getattr(summary, name) for name in ("cells", "reused", "computed", "failed", "missing")}
        where = None if order.out is None else str(order.out)
        typer.echo(encoder.dumps({"event": "end", **facts, "seconds": round(summary.seconds, 3), "out": where}))
    elif not quiet:
        with xarray.open_dataset(target, engine="h5netcdf") as dataset:
            if dataset.nbytes < 2**28:
                _describe(dataset.load())
            else:
                typer.echo(str(dataset))
        if order.out is not None:
            typer.echo(f"\nwritten to {order.out}; look at it with python -m sims show {order.out}")
    if summary.failed:
        if not json:
            shown = 3 if len(errors) > 5 else 5
            for (where_, _), error in list(zip(summary.failures, errors, strict=True))[:shown]:
                cell = ",".join(f"{key}={value}" for key, value in where_["cell"].items()) or "the cell"
                typer.echo(f"failed: {cell} seeds {where_['seeds']}: {error}", err=True)
            if len(errors) > shown:
                typer.echo(f"failed: {len(errors) - shown} more parts", err=True)
            log = "" if order.out is None else f"; tracebacks in {order.out}.log, --retry-failed tries again"
            typer.echo(f"{summary.failed} of {sweep.n_cells} cells failed{log}", err=True)
        raise typer.Exit(1)


def _forget(out: Path) -> None:
    """A single cell that does not exist leaves nothing behind."""
    for ending in ("", ".cells", ".log"):
        Path(f"{out}{ending}").unlink(missing_ok=True)


def _open(file: Path) -> xarray.Dataset:
    import xarray

    try:
        if not file.is_file():
            raise FileNotFoundError
    except (OSError, ValueError):
        _refuse(f"FILE must be a file, got {str(file)!r}")
    try:
        with xarray.open_dataset(file, engine="h5netcdf") as dataset:
            return dataset.load()
    except (OSError, ValueError, TypeError, KeyError, RuntimeError, AttributeError) as error:
        _refuse(f"FILE must be NetCDF, got {str(file)!r}: {error}")


@app.command()
def show(
    file: Annotated[Path, FILE],
    figure: Annotated[Path | None, typer.Option(help="Write a figure: .png, .svg or .pdf.")] = None,
    variable: Annotated[str | None, typer.Option(help="The variable to draw.")] = None,
    x: Annotated[str | None, typer.Option(help="The dimension along the horizontal axis.")] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Draw in the terminal.")] = False,
) -> None:
    """Show a result: attributes, range and mean of every variable, and a figure."""
    dataset = _open(file)
    if figure is not None and figure.suffix not in (".png", ".svg", ".pdf"):
        _refuse(f"--figure must end in .png, .svg or .pdf, got {str(figure)!r}")
    try:
        if figure is not None:
            from sims.sweeps._figures import draw

            draw(dataset, variable, x).savefig(figure, dpi=150)
        text = None
        if plot or ((variable or x) and figure is None):
            from sims.sweeps._figures import characters

            text = characters(dataset, variable, x)
    except (ValueError, OSError) as error:
        _refuse(error)
    _describe(dataset)
    _print_cells(dataset, variable)
    if text is not None:
        typer.echo("\n" + text)


def _print_cells(dataset: xarray.Dataset, variable: str | None) -> None:
    """Print means over replicates and inner dimensions, a row for each cell of a small sweep."""
    import itertools
    import json as encoder

    import numpy as np

    try:
        swept = [name for name in encoder.loads(dataset.attrs.get("sweep", "{}"))["sweep"] if name in dataset.dims]
    except (ValueError, KeyError, TypeError):
        return
    names = [
        str(name)
        for name, found in dataset.data_vars.items()
        if found.dtype.kind in "biuf" and variable in (None, name) and set(swept) <= set(found.dims)
    ][:5]
    if not swept or not names or np.prod([dataset.sizes[name] for name in swept]) > 60:
        return
    columns = []
    for name in names:
        whole = dataset[name].astype(np.float64)
        data = whole.mean([dim for dim in whole.dims if dim not in swept and dim != "replicate"])
        count = data.sizes.get("replicate", 1)
        mean = data.mean("replicate") if "replicate" in data.dims else data
        error = data.std("replicate", ddof=1) / np.sqrt(count) if count > 1 else None
        columns.append((mean.transpose(*swept).values, None if error is None else error.transpose(*swept).values))
    rows = []
    for at in itertools.product(*(range(dataset.sizes[name]) for name in swept)):
        row = [str(dataset[name].values[index]) for name, index in zip(swept, at, strict=True)]
        for means, errors in columns:
            row.append(f"{means[at]:.5g}" + ("" if errors is None else f" ± {errors[at]:.2g}"))
        rows.append(row)
    typer.echo("\nmeans over replicates (± one standard error) and inner dimensions:")
    _print_table([*swept, *names], rows)


@app.command()
def replay(
    file: Annotated[Path, FILE],
    cell: Annotated[str, typer.Option(metavar="KEY=VALUE,...", help="A value of each swept parameter.")] = "",
    replicate: Annotated[int, typer.Option(help="Which replicate, from 0.")] = 0,
    out: Annotated[Path | None, typer.Option(help="NetCDF file to write.")] = None,
) -> None:
    """Compute one replicate of a sweep again, alone, and compare it bit for bit with the file."""
    from sims import sweeps
    from sims.sweeps._grid import from_specification, split_values
    from sims.sweeps._replay import differences

    dataset = _open(file)
    try:
        if not isinstance(dataset.attrs.get("sweep"), str):
            raise ValueError(f"FILE must be the result of a sweep, got {str(file)!r}")
        sweep = from_specification(dataset.attrs["sweep"])
        known = {parameter.name: parameter for parameter in sweep.experiment.parameters}
        values: dict[str, Any] = {}
        for piece in split_values(cell) if cell.strip() else []:
            key, equals, text = piece.partition("=")
            if not equals or key.strip() not in known or key.strip() in values:
                raise ValueError(f"--cell must be key=value for each of {', '.join(sweep.axes)}, got {cell!r}")
            values[key.strip()] = known[key.strip()].read(text)
        again = sweeps.replay(dataset, values, replicate)
    except ValueError as error:
        _refuse(error)
    except MemoryError:
        _refuse("the replicate does not fit into memory", 1)
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing was written", err=True)
        raise typer.Exit(130) from None
    if out is not None:
        try:
            again.to_netcdf(out, engine="h5netcdf")
        except (OSError, ValueError) as error:
            _refuse(f"--out must be writable, got {str(out)!r}: {error}")
    _describe(again)
    different = differences(dataset, sweep, values, replicate, again)
    if different:
        typer.echo(f"different from the file: {', '.join(different)}", err=True)
        raise typer.Exit(1)
    typer.echo("\nthe same bits as in the file")


@app.command()
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The output of a run, finished or not.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; FILE itself by default.")] = None,
) -> None:
    """Write what an unfinished run has computed so far, also while it runs."""
    from sims.sweeps._replay import export_now

    try:
        missing, total = export_now(file, file if out is None else out)
    except ValueError as error:
        _refuse(error)
    except OSError as error:
        _refuse(error, 1)
    typer.echo(f"{total - missing} of {total} replicates written, {missing} missing")


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        Without the program's name; those of the process by default.

    Returns
    -------
    int
        0: done; 1: cells failed, or the run stopped for want of disk or workers; 2: bad usage, names or values, told in
        one line on standard error; 130: interrupted.

    Examples
    --------
    >>> main(["run", "linear_model", "--set", "d"])
    2
    """
    try:
        result = app(arguments, prog_name="python -m sims", standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        message = error.format_message()
        if message:
            typer.echo(f"error: {' '.join(message.split())}", err=True)
        return 2
    return result if isinstance(result, int) else 0


if __name__ == "__main__":
    code = main()
    if code == 130:  # at once: a thread may be in the middle of a cell, and Python would wait for it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
