"""Experiments for tests of the sweep engine, importable in worker processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray

from sims import _validate
from sims._experiments import Experiment, Parameter


def count(a: int, b: float, seeds: Any, *, wait: float = 0.0, word: str = "plain") -> xarray.Dataset:
    """Every kind of variable: real, integer, truth value, of varied length, one for all replicates."""
    keys = _validate.seeds(seeds).astype(np.int64)
    time.sleep(wait)
    ladder = np.arange(1, a + 1)
    return xarray.Dataset(
        {
            "real": ("replicate", keys * 0.1 + b, {"units": "m", "long_name": "a length"}),
            "whole": (("replicate", "rung"), keys[:, None] * ladder + a),
            "even": ("replicate", (keys + a) % 2 == 0),
            "common": ("rung", ladder * b),
            "free": (("replicate", "loose"), np.ones((len(keys), a)) * b),
            "name": ("replicate", np.array([f"{word}{key}" for key in keys])),
        },
        {"seed": ("replicate", keys), "rung": ladder, "kind": ["x"]},
        {
            "experiment": "count",
            "a": a,
            "b": b,
            "parity": "odd" if a % 2 else "even",
            "twice": 2 * a,
            "law": [0.5, 1.0],
        },
    )


def trouble(mode: str, place: str, seeds: Any, *, a: int = 0) -> xarray.Dataset:
    """Fail in one of many ways; some of them only while a file does not exist."""
    keys = _validate.seeds(seeds).astype(np.int64)
    if mode == "error":
        raise RuntimeError("no such luck")
    if mode == "memory":
        np.empty(2**60, dtype=np.int8)
    if mode == "leave":
        raise SystemExit(3)
    if mode == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "shape":
        return xarray.Dataset({"x": ("other", [1])})
    marker = Path(place)
    if mode == "die_once" and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if mode == "error_once" and not marker.exists():
        marker.touch()
        raise ValueError("mode must be luckier")
    return xarray.Dataset({"x": ("replicate", keys + a)}, {"seed": ("replicate", keys)})


COUNT = Experiment(
    "count",
    "tests.sweep_experiments:count",
    "adds up",
    (
        Parameter("a", "int", "rungs", "a length"),
        Parameter("b", "float", "1", "a number"),
        Parameter("wait", "float", "s", "a pause", 0.0),
        Parameter("word", "word", "", "a word", "plain"),
    ),
    lambda values: 1e-4 + float(values["wait"]),
    {"a": 1, "b": 0.5},
    package=None,
)
TROUBLE = Experiment(
    "trouble",
    "tests.sweep_experiments:trouble",
    "fails",
    (
        Parameter("mode", "word", "", "how"),
        Parameter("place", "word", "", "a file"),
        Parameter("a", "int", "1", "added to the seed", 0),
    ),
    lambda values: 1e-4,
    {"mode": "fine", "place": "x"},
    package=None,
)
