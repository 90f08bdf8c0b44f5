"""The command ``python -m sims``: list the simulators, run one, show a result."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    import xarray

__all__ = ["main"]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Simulate: results are labelled datasets, the same bits for the same seeds.",
)


def _refuse(message: object) -> NoReturn:
    typer.echo(f"error: {' '.join(str(message).split())}", err=True)
    raise typer.Exit(2)


def _print_table(headings: list[str], rows: list[list[str]]) -> None:
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    for row in [headings, *rows]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _describe(dataset: xarray.Dataset) -> None:
    """Print parameters, then range and mean of every variable."""
    import numpy as np

    for name, value in dataset.attrs.items():
        text = np.array2string(np.asarray(value), threshold=8) if np.ndim(value) else str(value)
        typer.echo(f"{name}: {text}")
    typer.echo("")
    rows = []
    for name, variable in dataset.data_vars.items():
        values = np.asarray(variable.values, dtype=np.float64)
        shape = ", ".join(f"{dimension} {size}" for dimension, size in variable.sizes.items())
        figures = (
            [f"{figure:.6g}" for figure in (values.mean(), values.min(), values.max())] if values.size else ["-"] * 3
        )
        rows.append([str(name), shape, *figures, str(variable.attrs.get("units", ""))])
    _print_table(["variable", "shape", "mean", "least", "largest", "unit"], rows)


@app.command("list")
def list_() -> None:
    """List the simulators and their parameters."""
    from sims._experiments import EXPERIMENTS, REQUIRED

    for experiment in EXPERIMENTS:
        typer.echo(f"{experiment.name}: {experiment.summary}")
        for parameter in experiment.parameters:
            default = "required" if parameter.default is REQUIRED else f"default {parameter.default}"
            unit = f" [{parameter.unit}]" if parameter.unit else ""
            typer.echo(f"    {parameter.name} ({parameter.kind}){unit}: {parameter.meaning}; {default}")


def _provenance(module: str, seeds: int) -> dict[str, Any]:
    import platform

    import numba
    import numpy
    import xarray

    from sims import __version__
    from sims._digest import code_digest

    return {
        "seeds": f"range({seeds})",
        "cotbounds_version": __version__,
        "code_digest": code_digest(module),
        "python_version": platform.python_version(),
        "numpy_version": numpy.__version__,
        "numba_version": numba.__version__,
        "xarray_version": xarray.__version__,
    }


def _write(dataset: xarray.Dataset, path: Path) -> None:
    """Write beside the target and rename, so that a file is whole or absent."""
    part = path.with_name(path.name + ".part")
    try:
        dataset.to_netcdf(part, engine="h5netcdf")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@app.command()
def run(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Which simulator, see list.")],
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A parameter.")] = None,
    seeds: Annotated[int, typer.Option(help="Replicates: the seeds 0 .. N-1.")] = 1,
    jobs: Annotated[int, typer.Option(help="Threads, -1 for all processors; the result does not depend on it.")] = 1,
    out: Annotated[Path | None, typer.Option(help="NetCDF file to write.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Run a simulator at one setting of its parameters."""
    from sims import _experiments

    try:
        experiment = _experiments.find(name)
        values = _experiments.read(experiment, set_ or [])
    except ValueError as error:
        _refuse(error)
    if seeds < 1:
        _refuse(f"--seeds must be an integer in [1, inf), got {seeds}")
    if jobs < 1 and jobs != -1:
        _refuse(f"--jobs must be -1 or an integer in [1, inf), got {jobs}")
    if out is not None:
        if out.exists() and not force:
            _refuse(f"--out must be a new file (or give --force), got {str(out)!r}, which exists")
        if out.is_dir() or not out.parent.is_dir():
            _refuse(f"--out must be a file in an existing directory, got {str(out)!r}")
    expected = seeds * experiment.seconds(values)
    if expected > 2:
        typer.echo(f"about {expected:.0f} s on one processor", err=True)
    extra = {"jobs": jobs} if experiment.parallel else {}
    try:
        dataset = experiment.load()(**values, seeds=range(seeds), **extra)
    except ValueError as error:
        _refuse(error)
    except MemoryError:
        _refuse("the result does not fit into memory: fewer seeds, prompts or samples")
    except KeyboardInterrupt:
        typer.echo("interrupted; nothing was written", err=True)
        raise typer.Exit(130) from None
    dataset.attrs.update(_provenance(experiment.module, seeds))
    if out is not None:
        try:
            _write(dataset, out)
        except OSError as error:
            _refuse(f"--out must be writable, got {str(out)!r}: {error}")
    _describe(dataset)


@app.command()
def show(file: Annotated[Path, typer.Argument(metavar="FILE", help="A NetCDF file that run has written.")]) -> None:
    """Show a result: parameters, provenance, range and mean of every variable."""
    if not file.is_file():
        _refuse(f"FILE must be a file, got {str(file)!r}")
    import xarray

    try:
        with xarray.open_dataset(file, engine="h5netcdf") as dataset:
            _describe(dataset.load())
    except (OSError, ValueError) as error:
        _refuse(f"FILE must be NetCDF, got {str(file)!r}: {error}")


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : list of str, optional
        Without the program's name; those of the process by default.

    Returns
    -------
    int
        0: done; 2: bad usage, names or values, told in one line on standard error; 130: interrupted.

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
    sys.exit(main())
