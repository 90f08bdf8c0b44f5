"""``python -m proofs_check.transformer``: a live demonstration, and the sizes of the paper."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Small transformers trained from scratch, held against the closed forms.",
)


def _need_torch() -> None:
    if importlib.util.find_spec("torch") is None:
        typer.echo("error: PyTorch is missing: install the extra, pip install 'cotbounds[transformer]'", err=True)
        raise typer.Exit(2)


@app.command()
def demo(
    p_cot: Annotated[float, typer.Option(help="Share of long demonstrations.")] = 0.25,
    d: Annotated[int, typer.Option(help="Length of the prompt.")] = 12,
    steps: Annotated[int, typer.Option(help="Steps of pre-training.")] = 700,
    rounds: Annotated[int, typer.Option(help="Rounds of STaR.")] = 6,
    seed: Annotated[int, typer.Option(help="The replicate.")] = 0,
    out: Annotated[Path, typer.Option(metavar="DIR", help="For transformer.png and transformer.svg.")] = Path("report"),
    checkpoints: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep checkpoints here, also after the end.")
    ] = None,
) -> None:
    """Pre-train on D(p), then STaR, and draw accuracy and length against theory: about a minute on one core.

    A demonstration that was interrupted goes on when the same command is given again.
    """
    _need_torch()
    import shutil

    from proofs_check.transformer import demo as parts

    began = time.perf_counter()
    kept = out / "checkpoints" if checkpoints is None else checkpoints
    try:
        found = parts.train(d, p_cot, steps, rounds, seed, checkpoints=kept)
        for line in parts.compare(found):
            typer.echo(line)
        paths = parts.write(parts.draw(found), out)
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if checkpoints is None:
        shutil.rmtree(kept, ignore_errors=True)
    first, second = found.seconds
    typer.echo(f"pre-training {first:.0f} s, STaR {second:.0f} s, {time.perf_counter() - began:.0f} s in all")
    typer.echo(f"written: {', '.join(str(path) for path in paths)}")


@app.command()
def paper(
    out: Annotated[Path, typer.Option(metavar="FILE", help="NetCDF file; a stopped run continues.")],
    jobs: Annotated[int, typer.Option(help="Processes; 1 where all share one GPU.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be run and where, and stop.")] = False,
) -> None:
    """Run the sizes of the paper's experiments: hours on a GPU, weeks on a processor."""
    _need_torch()
    from proofs_check.transformer.demo import PAPER_PRESET as PRESET
    from sims import sweeps

    sizes = " x ".join(f"{len(values)} {name}" for name, values in PRESET["sweep"].items())
    typer.echo(f"{PRESET['experiment']}: {sizes} x {len(PRESET['seeds'])} seeds; {PRESET['fixed']}")
    import torch

    typer.echo(f"device: {'cuda' if torch.cuda.is_available() else 'cpu'}")
    if dry_run:
        return
    try:
        sweeps.run(
            PRESET["experiment"],
            PRESET["sweep"],
            PRESET["fixed"],
            PRESET["seeds"],
            out=out,
            jobs=jobs,
            progress=True,
        )
    except ValueError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        typer.echo("interrupted; the same command continues", err=True)
        raise typer.Exit(130) from None
    typer.echo(f"written: {out}")


if __name__ == "__main__":
    sys.exit(app(prog_name="python -m proofs_check.transformer"))
