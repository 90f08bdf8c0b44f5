"""The training runs behind these claims: what was run, where the results lie, and the command that makes them anew.

``python -m proofs_check.transformer.runs`` trains every run again and writes the files; with names it trains these
alone, and with ``--missing`` only seeds that a file lacks: they are appended, and the provenance of both parts is kept.
The claims read the stored runs when the base seed is 0, which is what those were made with: run i of a plan has
seed i. Any other seed trains anew, and needs PyTorch and minutes of processor time.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray

    from proofs_check.lab import Lab

__all__ = ["PLANS", "RESULTS", "Plan", "appended", "digest", "origin", "stored", "train", "trained"]

RESULTS = Path(__file__).resolve().parent / "results"
CHECKPOINTS = "COTBOUNDS_CHECKPOINTS"
MODULES = {"pretrain": "_training", "zip_star": "_zip"}  # where the others are not
DROPPED = (
    "empty",
    "unfinished",
    "drawn",
    "drawn_long",
    "drawn_right",
    "drawn_exact",
    "kept_right",
    "kept_exact",
    "median_length",
    "drawn_accuracy",
    "drawn_delta",
    "drawn_step_right",
    "step_right",
)


@dataclass(frozen=True)
class Plan:
    """One experiment at one setting.

    Attributes
    ----------
    experiment : str
        ``"transformer.function"`` of :mod:`sims`.
    parameters : mapping
        Its keyword arguments.
    runs : int
        Seeds 0 .. runs - 1.
    """

    experiment: str
    parameters: Mapping[str, Any]
    runs: int = 5


_EVERY = {"n_prompts": 4096}  # all prompts of 12 bits
_STEPS: dict[str, Any] = {"n_steps": 60, "record_at": [0, 10, 20, 30, 45, 60]}


def _pretrain(p_cot: float, n_steps: int, runs: int, d: int = 12, **more: Any) -> Plan:
    return Plan("transformer.pretrain", {"d": d, "p_cot": p_cot, "n_steps": n_steps, **{**_EVERY, **more}}, runs)


def _after(name: str, p_cot: float, pretrain_steps: int, runs: int = 5, **more: Any) -> Plan:
    start = {"d": 12, "p_cot": p_cot, "pretrain_steps": pretrain_steps}
    return Plan(f"transformer.{name}", {**start, **_EVERY, **more}, runs)


# The refit of a round takes up to 300 steps of 128: with one pass over the kept steps the decoder lags behind it.
_REWRITING = {
    "pretrain_steps": 600,
    "optimiser": {"learning_rate": 2e-3},
    "epochs": 50.0,
    "max_steps": 300,
    "learning_rate": 2e-3,
    "batch": 128,
    "tables": True,
}

#: Everything that was run, by name; depth 2, width 64, four heads throughout.
PLANS: dict[str, Plan] = {
    "pretrain_15": _pretrain(0.15, 1000, 5),
    "pretrain_25": _pretrain(0.25, 700, 5, record_at=[200, 400, 700]),
    "pretrain_29": _pretrain(0.29, 600, 3),
    "pretrain_33": _pretrain(0.33, 600, 3),
    "pretrain_37": _pretrain(0.37, 600, 3),
    "pretrain_45": _pretrain(0.45, 500, 5),
    "star_15": _after("star", 0.15, 1000, n_rounds=6),
    "star_15_cold": _after("star", 0.15, 1000, runs=10, n_rounds=4, temperature=0.5),
    "star_15_hot": _after("star", 0.15, 1000, runs=10, n_rounds=5, temperature=1.5),
    "star_25_cold": _after("star", 0.25, 700, runs=10, n_rounds=4, temperature=0.5),
    "reinforce_25": _after("reinforce", 0.25, 700, **_STEPS),
    "grpo_25": _after("grpo", 0.25, 700, **_STEPS),
    "star_early": _after("star", 0.25, 200, n_rounds=6),
    "reinforce_early": _after("reinforce", 0.25, 200, **_STEPS),
    "pretrain_25_d6": _pretrain(0.25, 700, 5, d=6, n_prompts=64),
    "short_12": _pretrain(0.25, 3000, 5, record_at=[1000, 2000, 3000]),
    "short_6": _pretrain(0.25, 3000, 5, d=6, n_prompts=64, record_at=[500, 1000, 2000, 3000]),
    "star_50": Plan(
        "transformer.star",
        {"d": 50, "p_cot": 0.25, "pretrain_steps": 1000, "n_rounds": 4, "n_prompts": 512},
        1,
    ),
    "pretrain_0_d6": _pretrain(0.0, 1500, 5, d=6, n_prompts=64),
    "zip": Plan("transformer.zip_star", {"delta": 0.5, "n_rounds": 3, **_REWRITING}, runs=10),
    "zip_zero": Plan("transformer.zip_star", {"delta": [0.8, 0.0, 0.8], "n_rounds": 4, **_REWRITING}, runs=10),
}


def digest(experiment: str) -> str:
    """Digest of the sources behind an experiment of these decoders."""
    from sims._digest import code_digest

    return code_digest(f"transformer.{MODULES.get(experiment.split('.')[1], '_post_training')}")


@lru_cache(maxsize=None)
def stored(name: str) -> xarray.Dataset:
    """Return the stored runs of a plan, read once.

    Raises
    ------
    ValueError
        If the plan is unknown.
    FileNotFoundError
        If its file is missing; the message names the command that makes it.
    """
    import xarray

    if name not in PLANS:
        raise ValueError(f"name must be one of {', '.join(PLANS)}, got {name!r}")
    path = RESULTS / f"{name}.nc"
    if not path.is_file():
        raise FileNotFoundError(f"no stored runs {name}: make them with python -m proofs_check.transformer.runs {name}")
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        return data.load()


@lru_cache(maxsize=1)
def _shared() -> tempfile.TemporaryDirectory[str]:
    """Checkpoints of this process: one pre-training serves every run that starts from it."""
    return tempfile.TemporaryDirectory(prefix="cotbounds-checkpoints-")


def trained(lab: Lab, name: str) -> xarray.Dataset:
    """Return a plan's runs: stored ones for base seed 0, else trained now, once for all claims."""
    import xarray

    plan = PLANS[name]
    if lab.seed == 0 and not lab.sims_replaced:
        return stored(name)
    os.environ.setdefault(CHECKPOINTS, _shared().name)
    blocks = lab.measure(plan.experiment, plan.runs, **plan.parameters, progress=False)
    found: xarray.Dataset = xarray.concat(blocks, "replicate")
    return found


def origin(seed: int) -> str:
    """Return one line about where the runs of a base seed come from."""
    if seed != 0:
        return f"runs trained now, base seed {seed}"
    facts = [stored(name).attrs for name in PLANS]
    dates = sorted(date for a in facts for date in _parts(a["date"]))
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    codes = ", ".join(sorted({part for a in facts for part in _parts(a["code_digest"])}))
    torch = ", ".join(sorted({part for a in facts for part in _parts(a["torch_version"])}))
    minutes = sum(float(a["cpu_seconds"]) for a in facts) / 60
    return (
        f"stored runs of {when}: {sum(stored(n).sizes['replicate'] for n in PLANS)} runs, {minutes:.0f} minutes of one "
        f"processor core, PyTorch {torch}, code {codes}"
    )


def train(name: str, seeds: Sequence[int] | None = None, **options: Any) -> xarray.Dataset:
    """Train the runs of a plan now, and label them with their provenance.

    Parameters
    ----------
    name : str
        One of ``PLANS``.
    seeds : sequence of int, optional
        Instead of 0 .. runs - 1.
    **options
        ``checkpoints``, ``jobs``, ``progress`` and the like, which do not decide the bits.
    """
    from importlib import import_module

    plan = PLANS[name]
    function = getattr(import_module("sims.transformer"), plan.experiment.split(".")[1])
    began = time.process_time()
    found: xarray.Dataset = function(**plan.parameters, seeds=list(seeds or range(plan.runs)), **options)
    return labelled(found, plan, time.process_time() - began)


def labelled(found: xarray.Dataset, plan: Plan, cpu_seconds: float) -> xarray.Dataset:
    """Runs with their provenance, in single precision, without what no claim reads."""
    found = found.drop_vars([n for n in DROPPED if n in found])
    for variable in found.data_vars.values():
        variable.attrs.pop("long_name", None)
        variable.encoding = {}
    if "tables" in found:  # those before each round, in steps of 1/4095: the rest is the rounding of 64 numbers a row
        before = found["tables"].isel(round=slice(0, -1)).drop_vars("round").rename(round="before_round")
        found = found.drop_vars("tables").assign(tables=before)
    floats = {n: v.astype(np.float32) for n, v in found.data_vars.items() if v.dtype.kind == "f"}
    counts = {n: v.astype(np.int32) for n, v in found.data_vars.items() if v.dtype.kind == "i"}
    facts = {n: _plain(value) for n, value in found.attrs.items()}
    found = found.assign(floats | counts)
    found.attrs = facts
    return found.assign_attrs(
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        code_digest=digest(plan.experiment),
        cpu_seconds=round(cpu_seconds, 1),
        python=platform.python_version(),
        numpy=version("numpy"),
        machine=f"{platform.system()} {platform.machine()}, one thread",
    )


PROVENANCE = ("date", "code_digest", "torch_version", "python", "numpy", "machine")


def _parts(fact: Any) -> list[str]:
    """The values of a fact, which two parts of a file may give differently."""
    return str(fact).split("; ")


def appended(before: xarray.Dataset, more: xarray.Dataset) -> xarray.Dataset:
    """Return runs followed by further ones of the same plan.

    Processor seconds are added; where the provenance of the parts differs, ``"; "`` stands between the values.

    Raises
    ------
    ValueError
        If a seed is in both, or another attribute differs.
    """
    import xarray

    both = sorted(set(before["seed"].values.tolist()) & set(more["seed"].values.tolist()))
    if both:
        raise ValueError(f"more must have other seeds than the runs before, got seed {both[0]} again")
    facts = dict(before.attrs)
    for name, value in more.attrs.items():
        if name in PROVENANCE:
            facts[name] = "; ".join(dict.fromkeys([*_parts(facts[name]), *_parts(value)]))
        elif name == "cpu_seconds":
            facts[name] = round(float(facts[name]) + float(value), 1)
        elif name != "command" and not np.array_equal(facts[name], value):
            raise ValueError(f"more must have {name} = {facts.get(name)!r} as the runs before, got {value!r}")
    found: xarray.Dataset = xarray.concat([before, more], "replicate", data_vars="all", combine_attrs="drop")
    return found.assign_attrs(facts)


def _plain(value: Any) -> Any:
    """What a NetCDF attribute can hold."""
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    return str(value) if isinstance(value, str) else value


def write(name: str, data: xarray.Dataset, directory: Path) -> Path:
    """Write runs beside their place and move them there."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}.nc"
    beside = path.with_suffix(".nc.part")
    data.attrs["command"] = f"python -m proofs_check.transformer.runs {name}"
    packed = {"dtype": "uint16", "_FillValue": 65535, "scale_factor": 1 / 4095}
    packed |= {"zlib": True, "complevel": 9, "shuffle": True}
    data.to_netcdf(beside, engine="h5netcdf", encoding={"tables": packed} if "tables" in data else {})
    os.replace(beside, path)
    return path


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and store; returns 0, or 2 where PyTorch is missing."""
    parser = argparse.ArgumentParser(
        prog="python -m proofs_check.transformer.runs", description="Train and store runs."
    )
    parser.add_argument("name", nargs="*", help=f"of {', '.join(PLANS)}; default: all")
    parser.add_argument("--to", type=Path, default=RESULTS, metavar="DIR", help="where to write; default: the package")
    parser.add_argument("--missing", action="store_true", help="train and append seeds that a stored file lacks")
    parser.add_argument("--jobs", type=int, default=1, help="processes, each with runs of its own")
    chosen = parser.parse_args(arguments)
    unknown = [name for name in chosen.name if name not in PLANS]
    if unknown:
        parser.error(f"no runs {unknown[0]!r}; there are {', '.join(PLANS)}")
    try:
        import sims.transformer  # noqa: F401 - a clear word where PyTorch is missing
    except ImportError as error:
        print(f"runs: {error}", file=sys.stderr)
        return 2
    os.environ.setdefault(CHECKPOINTS, _shared().name)
    for name in chosen.name or PLANS:
        before = stored(name) if chosen.missing and (RESULTS / f"{name}.nc").is_file() else None
        have = set() if before is None else set(before["seed"].values.tolist())
        seeds = [seed for seed in range(PLANS[name].runs) if seed not in have]
        if seeds:
            data = train(name, seeds, jobs=chosen.jobs)
            print(write(name, data if before is None else appended(before, data), chosen.to), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
