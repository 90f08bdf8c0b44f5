"""One part of a sweep: computed where a worker is, described by a layout, carried and stored as plain bytes.

A layout is JSON: the names, dimensions, types, shapes and attributes of the variables, coordinates with their values,
and the dataset's attributes other than the parameters. It is the same for most parts, so it is kept once. The bytes
are the variables one behind the other. Nothing is pickled, so a file from elsewhere is data and no program.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import json
import os
import platform
import socket
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sims._digest import ROOT, source_files
from sims._experiments import Experiment, load

if TYPE_CHECKING:
    import xarray

__all__ = ["ONE_THREAD", "Call", "Outcome", "Task", "compile_once", "compute", "evaluate", "origin", "pack", "unpack"]

FORMAT = 1
NEEDS = {"transformer": ("torch",)}  # further distributions that decide bits
POOLS = ("OMP", "OPENBLAS", "MKL", "BLIS")
ONE_THREAD = {**{f"{name}_NUM_THREADS": "1" for name in POOLS}, "VECLIB_MAXIMUM_THREADS": "1"}  # in an environment


class Task(NamedTuple):
    """A part as a worker sees it."""

    number: int
    values: dict[str, Any]
    seeds: Sequence[int]


class Outcome(NamedTuple):
    """What became of a part."""

    number: int
    status: str  # done, failed
    layout: str
    payload: bytes
    error: str
    seconds: float
    worker: str


@dataclass(frozen=True)
class Call:
    """How a worker calls an experiment's function: plain data, so that it travels."""

    package: str | None
    function: str
    words: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    records: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, Any], ...]
    known: tuple[str, ...]

    @staticmethod
    def of(experiment: Experiment) -> Call:
        """Take from an experiment what a call needs."""
        return Call(
            experiment.package,
            experiment.function,
            tuple(parameter.name for parameter in experiment.parameters if parameter.kind == "words"),
            tuple((parameter.name, parameter.of) for parameter in experiment.parameters if parameter.of is not None),
            tuple(experiment.records.items()),
            tuple(experiment.options.items()),
            tuple(parameter.name for parameter in experiment.parameters),
        )

    def arguments(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The function's arguments from the values of the parameters."""
        fields = dict(self.fields)
        found: dict[str, Any] = dict(self.options)
        grouped: dict[str, dict[str, Any]] = {name: {} for name, _ in self.records}
        for name, value in values.items():
            if name in self.words and value is not None:
                value = tuple(value)
            if name in fields:
                grouped[fields[name]][name] = value
            else:
                found[name] = value
        for name, path in self.records:
            found[name] = load(self.package, path)(**grouped[name])
        return found


# Where a result comes from


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _foreign_files(module: str) -> list[Path]:
    """The file of a module outside this package, and the files in it that the module imports by name."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise ValueError(f"function must lie in a module that can be imported, got {module!r}")
    path = Path(found.origin)
    names = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    inside = [name.removeprefix("sims.") for name in sorted(names) if name.startswith("sims.")]
    return [path, *(file for name in inside for file in source_files(name))]


@lru_cache(maxsize=None)
def origin(package: str | None, module: str) -> str:
    """JSON of what decides the bits besides parameters and seeds: source files and versions.

    Examples
    --------
    >>> sorted(json.loads(origin("sims", "parity_mixture"))["files"])[-1]
    'parity_mixture.py'
    """
    paths = list(source_files(module)) if package == "sims" else _foreign_files(module)
    files = {}
    for path in paths:
        inside = path.is_relative_to(ROOT)
        files[path.relative_to(ROOT).as_posix() if inside else path.name] = _digest(path.read_bytes())
    versions = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": version("scipy"),
        "numba": version("numba"),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    if "torch" in NEEDS.get(module.partition(".")[0], ()):
        versions["torch"] = version("torch")
    return json.dumps({"files": files, "versions": versions, "format": FORMAT}, sort_keys=True)


# Bytes


def _attribute(value: Any) -> Any:
    """An attribute as JSON can hold it; arrays keep their type."""
    if isinstance(value, (np.ndarray, list, tuple)):
        array = np.asarray(value)
        if array.dtype.kind in "biuf" and array.ndim == 1:
            return {"dtype": array.dtype.str, "values": array.tolist()}
        return json.dumps(array.tolist(), default=str)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int, float, str)):
        return value
    return "none" if value is None else json.dumps(value, default=str, sort_keys=True)


def _same(attribute: Any, given: Any) -> bool:
    if isinstance(attribute, (np.ndarray, np.generic)):
        attribute = attribute.tolist()
    if isinstance(attribute, tuple):
        attribute = list(attribute)
    return type(attribute) is type(given) and bool(attribute == given)


def pack(dataset: xarray.Dataset, n_seeds: int, values: Mapping[str, Any]) -> tuple[str, bytes]:
    """Return the layout and the bytes of a dataset; attributes that repeat a parameter are left out."""
    if dataset.sizes.get("replicate") != n_seeds:
        raise ValueError(f"the dataset must have {n_seeds} replicates, got {dict(dataset.sizes)}")
    variables, coordinates, data = [], [], []
    for name, variable in dataset.variables.items():
        attributes = {str(key): _attribute(value) for key, value in variable.attrs.items()}
        dims = [str(dim) for dim in variable.dims]
        if name == "seed" and dims == ["replicate"]:
            continue
        array = np.asarray(variable.values)
        if array.dtype.kind == "O":
            array = array.astype(str)
        if array.dtype.kind not in "biufU":
            raise ValueError(f"{name} must hold numbers, truth values or words, got {array.dtype}")
        if name in dataset.coords and "replicate" not in dims:
            coordinates.append([str(name), dims, array.dtype.str, array.tolist(), attributes])
            continue
        if "replicate" in dims:
            array = np.moveaxis(array, dims.index("replicate"), 0)
            dims = ["replicate", *(dim for dim in dims if dim != "replicate")]
        shape = [size for dim, size in zip(dims, array.shape, strict=True) if dim != "replicate"]
        variables.append([str(name), dims, array.dtype.newbyteorder("<").str, shape, attributes])
        data.append(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
    attrs = {
        str(name): _attribute(value)
        for name, value in dataset.attrs.items()
        if not (name in values and _same(value, values[str(name)]))
    }
    layout = {"attrs": attrs, "variables": variables, "coordinates": coordinates}
    return json.dumps(layout, separators=(",", ":")), b"".join(data)


def unpack(layout: Mapping[str, Any], payload: bytes, n_seeds: int) -> dict[str, np.ndarray]:
    """The arrays that a layout describes."""
    arrays, position = {}, 0
    for name, dims, kind, shape, _ in layout["variables"]:
        dtype = np.dtype(kind)
        whole = (n_seeds, *shape) if "replicate" in dims else tuple(shape)
        count = int(np.prod(whole, dtype=np.int64))
        arrays[name] = np.frombuffer(payload, dtype, count, position).reshape(whole)
        position += count * dtype.itemsize
    if position != len(payload):
        raise ValueError(f"a part must have {position} bytes, got {len(payload)}")
    return arrays


# Computing


@lru_cache(maxsize=None)
def _thread_pools(path: str) -> Any:
    """The pools of linear algebra, looked up after the function at `path` has loaded what it needs."""
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        import scipy.linalg  # noqa: F401 - brings its own pool, of many threads where the environment does not say one
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def evaluate(call: Call, values: Mapping[str, Any], seeds: Sequence[int]) -> xarray.Dataset:
    """Call the experiment's function; linear algebra on one thread, since sums split over threads round differently."""
    function = load(call.package, call.function)
    with _thread_pools(call.function).limit(limits=1):
        dataset: xarray.Dataset = function(**call.arguments(values), seeds=list(seeds))
    return dataset


def _kind(value: Any) -> Any:
    """What a compiled function may distinguish in an argument: words, truth values and types."""
    if isinstance(value, dict):
        return {name: _kind(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_kind(item) for item in value[:1]]
    return value if isinstance(value, (str, bool)) or value is None else type(value).__name__


def compile_once(call: Call, example: Mapping[str, Any]) -> None:
    """Have one of several processes compile, and keep on disk, what the others then load: a cell of small size.

    A mark beside the compiled code says that it is there; where it says too much, the cells compile what is lacking.
    """
    if call.package != "sims":
        return
    from sims._kernels import cache_directory

    text = json.dumps([call.function, _kind(dict(example))], sort_keys=True, default=str)
    folder = cache_directory(call.function.partition(":")[0])
    mark = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.ready"
    if mark.exists():
        return
    with contextlib.suppress(Exception), (folder / "compiling").open("a") as turn:  # the cells will say what is wrong
        with contextlib.suppress(ImportError):  # Windows: side by side
            import fcntl

            fcntl.flock(turn, fcntl.LOCK_EX)
        if not mark.exists():
            evaluate(call, example, [0])
            mark.touch()


def compute(call: Call, expected: str, tasks: Sequence[Task]) -> list[Outcome]:
    """Compute parts one after the other; what goes wrong in one is its outcome.

    Raises
    ------
    RuntimeError
        If this process has other code or library versions than `expected`, an :func:`origin`.
    """
    worker = f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident() % 10**6}"
    mine = origin(call.package, call.function.partition(":")[0])
    if mine != expected:
        raise RuntimeError(f"worker {worker} has other code or library versions than the command: {mine}")
    outcomes = []
    for task in tasks:
        began = time.perf_counter()
        layout, payload, error = "", b"", ""
        try:
            layout, payload = pack(evaluate(call, task.values, task.seeds), len(task.seeds), task.values)
        except (Exception, SystemExit) as problem:  # noqa: BLE001 - any failure is the part's own
            lines = traceback.format_exception(type(problem), problem, problem.__traceback__)
            error = "".join(lines[:1] + lines[2:]) if len(lines) > 2 else "".join(lines)
        spent = time.perf_counter() - began
        outcomes.append(Outcome(task.number, "failed" if error else "done", layout, payload, error, spent, worker))
    return outcomes
