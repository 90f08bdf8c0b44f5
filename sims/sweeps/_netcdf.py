"""From parts to one NetCDF file: dimensions (swept parameters, replicate, then those of the simulator).

Cells may differ in shape (a d-dimensional model has d - 1 positions): inner dimensions take the union of their
coordinates, and what a cell lacks is missing, as are failed cells: NaN, or the stated fill value of integers, which
xarray reads as NaN. Only what parameters, seeds, code and versions decide goes into the file, in a fixed order, so
that the same sweep gives the same bytes. It is written slab by slab, in memory that does not grow with the sweep.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sims._experiments import Parameter
from sims.sweeps._grid import Part, Sweep, label
from sims.sweeps._parts import unpack
from sims.sweeps._store import Row, Store, StoreError

__all__ = ["Damaged", "export"]

SLAB = 64 * 2**20  # bytes


class Damaged(Exception):
    """Parts that were sound when they were stored and are not any more; `indices` names them."""

    def __init__(self, indices: list[int]) -> None:
        super().__init__(f"{len(indices)} parts are damaged")
        self.indices = indices


@dataclass
class _Variable:
    """A variable of the file: name, inner dimensions, type, attributes, and whether anything of it is missing."""

    name: str
    dims: tuple[str, ...]
    per_replicate: bool
    dtype: np.dtype[Any]
    attrs: dict[str, Any]
    partial: bool = False

    @property
    def text(self) -> bool:
        return self.dtype.kind == "U"

    def fill(self) -> Any:
        """What stands for a missing value."""
        kind = self.dtype.kind
        if kind == "f":
            return np.nan
        if kind == "U":
            return ""
        return -1 if kind == "b" else np.iinfo(self.dtype).min if kind == "i" else np.iinfo(self.dtype).max

    def stored(self) -> np.dtype[Any]:
        """The type of a buffer, and of the file but for text."""
        return np.dtype(object) if self.text else np.dtype(np.int8) if self.dtype.kind == "b" else self.dtype


@dataclass
class _Shape:
    """How one layout lies in the file: for each of its variables the target and the places along inner dimensions."""

    places: list[tuple[str, _Variable, tuple[Any, ...], tuple[int, ...]]] = field(default_factory=list)
    attrs: dict[str, Any] = field(default_factory=dict)
    layout: dict[str, Any] = field(default_factory=dict)


class _Plan:
    """What the file will hold; made from layouts alone."""

    def __init__(self, sweep: Sweep, layouts: dict[bytes, dict[str, Any]], complete: bool) -> None:
        self.sweep = sweep
        self.variables: dict[tuple[str, tuple[str, ...]], _Variable] = {}
        self.sizes: dict[str, int] = {}
        self.labels: dict[str, tuple[list[Any], np.dtype[Any], dict[str, Any]]] = {}
        wide = {
            dim
            for layout in layouts.values()
            for _, dims, _, shape, _ in layout["variables"]
            for dim, size in zip([d for d in dims if d != "replicate"], shape, strict=True)
            if size != 1
        }
        self.single = set(sweep.axes) - wide  # inner dimensions that merely repeat the cell's own value
        cleaned = {identity: self._cleaned(layout) for identity, layout in layouts.items()}
        for layout in cleaned.values():
            self._meet(layout)
        self._order_labels()
        self.shapes = {identity: self._shape(layout) for identity, layout in cleaned.items()}
        for variable in self.variables.values():
            if not complete:
                variable.partial = True
        for identity, shape in self.shapes.items():
            shape.layout = layouts[identity]
            there = {id(variable) for _, variable, _, _ in shape.places}
            for variable in self.variables.values():
                variable.partial |= id(variable) not in there
            for _, variable, _, inner in shape.places:
                variable.partial |= any(size != self.sizes[dim] for dim, size in zip(variable.dims, inner, strict=True))
        self._sort_attributes()

    def _cleaned(self, layout: dict[str, Any]) -> dict[str, Any]:
        """Resolve names that a swept parameter takes too: a dimension of size one is dropped, the rest renamed."""
        taken, single = set(self.sweep.axes), self.single
        rename = {dim: f"{dim}_inner" for dim in taken - single}
        variables = []
        for name, dims, kind, shape, attrs in layout["variables"]:
            inner = [
                (rename.get(dim, dim), size)
                for dim, size in zip([d for d in dims if d != "replicate"], shape, strict=True)
                if dim not in single
            ]
            new = f"{name}_measured" if name in taken else name
            variables.append((name, new, "replicate" in dims, kind, inner, attrs))
        coordinates = [
            (rename.get(name, name), kind, values, attrs)
            for name, dims, kind, values, attrs in layout["coordinates"]
            if dims == [name] and name not in single
        ]
        return {"variables": variables, "coordinates": coordinates, "attrs": layout["attrs"]}

    def _meet(self, layout: dict[str, Any]) -> None:
        for name, kind, values, attrs in layout["coordinates"]:
            known, dtype, kept = self.labels.setdefault(name, ([], np.dtype(kind), attrs))
            known.extend(dict.fromkeys(values) if not known else [v for v in values if v not in set(known)])
            self.labels[name] = (known, np.result_type(dtype, np.dtype(kind)), kept)
        for _, name, per_replicate, kind, inner, attrs in layout["variables"]:
            dims = tuple(dim for dim, _ in inner)
            dtype = np.dtype(kind)
            variable = self.variables.get((name, dims))
            if variable is None:
                others = [v for key, v in self.variables.items() if key[0] == name]
                shown = f"{name}_by_{'_'.join(dims)}" if others and dims else f"{name}_single" if others else name
                self.variables[name, dims] = _Variable(shown, dims, per_replicate, dtype, attrs)
            else:
                variable.dtype = np.result_type(variable.dtype, dtype)
            for dim, size in inner:
                if dim not in self.labels:
                    self.sizes[dim] = max(self.sizes.get(dim, 0), size)

    def _order_labels(self) -> None:
        for name, (values, dtype, attrs) in self.labels.items():
            ordered = sorted(values) if dtype.kind in "iuf" else values
            self.labels[name] = (ordered, dtype, attrs)
            self.sizes[name] = len(ordered)

    def _shape(self, layout: dict[str, Any]) -> _Shape:
        along: dict[str, Any] = {}
        for name, _, values, _ in layout["coordinates"]:
            at = {value: index for index, value in enumerate(self.labels[name][0])}
            found = [at[value] for value in values]
            run = found == list(range(found[0], found[0] + len(found))) if found else True
            along[name] = slice(found[0], found[0] + len(found)) if run and found else np.array(found, dtype=np.int64)
        places = []
        for name, new, _, _, inner, _ in layout["variables"]:
            variable = self.variables[new, tuple(dim for dim, _ in inner)]
            places.append(
                (
                    name,
                    variable,
                    tuple(along.get(dim, slice(0, size)) for dim, size in inner),
                    tuple(size for _, size in inner),
                )
            )
        return _Shape(places, layout["attrs"])

    def _sort_attributes(self) -> None:
        """The simulator's own attributes: common ones go to the file, single numbers and words that vary to cells."""
        fixed, axes = self.sweep.fixed, self.sweep.axes
        known = {parameter.name: parameter for parameter in self.sweep.experiment.parameters}
        self.attrs: dict[str, Any] = {}
        self.varying: dict[str, np.dtype[Any]] = {}
        names = list(dict.fromkeys(name for shape in self.shapes.values() for name in shape.attrs))
        for name in [*names, *(name for name in fixed if name not in names)]:
            if name in axes:
                continue
            default = label(known[name], fixed[name]) if name in fixed else None
            values = [shape.attrs.get(name, default) for shape in self.shapes.values()] or [default]
            texts = {json.dumps(value, sort_keys=True) for value in values}
            if len(texts) == 1:
                self.attrs[name] = values[0]
            elif all(isinstance(value, (bool, int, float, str)) for value in values):
                kinds = {type(value) for value in values}
                kind = "<i8" if kinds <= {int, bool} else "<f8" if kinds <= {int, bool, float} else "<U1"
                self.varying[name] = np.dtype(kind)

    def varying_value(self, name: str, shape: _Shape) -> Any:
        known = {parameter.name: parameter for parameter in self.sweep.experiment.parameters}
        given = label(known[name], self.sweep.fixed[name]) if name in self.sweep.fixed else None
        value = shape.attrs.get(name, given)
        return str(value) if self.varying[name].kind == "U" else value


def _attribute(value: Any) -> Any:
    """An attribute as NetCDF can hold it."""
    if isinstance(value, dict) and set(value) == {"dtype", "values"}:
        array = np.array(value["values"], dtype=value["dtype"])
        return array.astype(np.int8) if array.dtype.kind == "b" else array
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (list, dict)):
        return json.dumps(value)
    return "none" if value is None else value


def versions() -> dict[str, str]:
    """Versions of everything that has a hand in the file."""
    import h5netcdf
    import h5py  # type: ignore[import-untyped]
    import numba
    import xarray

    from sims import __version__

    return {
        "cotbounds_version": __version__,
        "python_version": platform.python_version(),
        "numpy_version": np.__version__,
        "numba_version": numba.__version__,
        "xarray_version": xarray.__version__,
        "h5netcdf_version": h5netcdf.__version__,
        "hdf5_version": h5py.version.hdf5_version,
    }


def _slabs(shape: Sequence[int], most: int) -> Iterator[tuple[tuple[int, ...], int, int, int]]:
    """Cut a grid into runs of at most `most` cells: leading indices, range along the next axis, first cell."""
    if not shape:
        yield (), 0, 1, 0
        return
    axis, tail = len(shape) - 1, 1
    while axis > 0 and tail * shape[axis] <= most:
        tail *= shape[axis]
        axis -= 1
    step = max(1, min(shape[axis], most // tail))
    for leading in np.ndindex(*shape[:axis]):
        base = int(np.ravel_multi_index(leading, shape[:axis])) * shape[axis] if axis else 0
        for first in range(0, shape[axis], step):
            last = min(first + step, shape[axis])
            yield leading, first, last, (base + first) * tail


def export(sweep: Sweep, store: Store, path: Path, origin: bytes, code_digest: str) -> int:
    """Write the parts that are there, and return how many replicates are missing.

    Raises
    ------
    Damaged
        If parts turn out to be unsound; nothing is written.
    StoreError
        If the file cannot be written.
    """
    layouts: dict[bytes, dict[str, Any]] = {}
    missing = 0
    for part in sweep.parts():
        found = store.glance(sweep.address(part))
        if found is None or found[0] != origin or found[1] != "done":
            missing += part.last - part.first
        elif found[2] not in layouts:
            text = store.text(found[2])
            if text is None:
                raise Damaged([part.number])
            layouts[found[2]] = json.loads(text)
    plan = _Plan(sweep, layouts, missing == 0)
    temporary = path.with_name(path.name + ".part")
    try:
        _write(plan, store, temporary, origin, missing, code_digest)
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError, ValueError) as error:
        # HDF5 reports a full disk in any of these ways, also while it closes the file.
        raise StoreError(f"{path} cannot be written: {error}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return missing


def _write(plan: _Plan, store: Store, path: Path, origin: bytes, missing: int, code_digest: str) -> None:
    import h5netcdf
    import h5py

    sweep = plan.sweep
    known: dict[str, Parameter] = {parameter.name: parameter for parameter in sweep.experiment.parameters}
    words = h5py.string_dtype()
    over = tuple(sweep.axes)
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {
            **{name: len(values) for name, values in sweep.axes.items()},
            "replicate": len(sweep.seeds),
            **plan.sizes,
        }

        def coordinate(name: str, dims: tuple[str, ...], values: list[Any], kind: str, attrs: dict[str, Any]) -> None:
            if kind == "U":
                made = file.create_variable(name, dims, dtype=words, data=np.array([str(v) for v in values], object))
            elif kind == "b":
                made = file.create_variable(name, dims, data=np.array(values, np.int8))
                made.attrs["dtype"] = "bool"
            else:
                made = file.create_variable(name, dims, data=np.array(values, kind))
            for key, value in attrs.items():
                made.attrs[key] = _attribute(value)

        for name, values in sweep.axes.items():
            shown = [label(known[name], value) for value in values]
            kinds = {type(value) for value in shown}
            kind = "b" if kinds == {bool} else "<i8" if kinds == {int} else "<f8" if kinds <= {int, float} else "U"
            attrs = {"units": known[name].unit, "long_name": known[name].meaning}
            coordinate(name, (name,), shown, kind, {key: value for key, value in attrs.items() if value})
        coordinate("seed", ("replicate",), list(sweep.seeds), "<i8", {"long_name": "seed of the replicate"})
        for name, (values, dtype, attrs) in plan.labels.items():
            coordinate(name, (name,), values, dtype.kind if dtype.kind in "Ub" else dtype.str, attrs)

        targets: dict[int, Any] = {}
        for variable in plan.variables.values():
            dims = (*over, *(("replicate",) if variable.per_replicate else ()), *variable.dims)
            made = file.create_variable(
                variable.name,
                dims,
                dtype=words if variable.text else variable.stored(),
                fillvalue=None if variable.text or not variable.partial else variable.stored().type(variable.fill()),
            )
            for key, value in variable.attrs.items():
                made.attrs[key] = _attribute(value)
            if variable.dtype.kind == "b" and not variable.partial:
                made.attrs["dtype"] = "bool"
            if variable.per_replicate:
                made.attrs["coordinates"] = "seed"
            targets[id(variable)] = made
        for name, dtype in plan.varying.items():
            text = dtype.kind == "U"
            fill = None if text or not missing else np.nan if dtype.kind == "f" else np.iinfo(dtype).min
            made = file.create_variable(name, over, dtype=words if text else dtype, fillvalue=fill)
            made.attrs["long_name"] = f"{name} as the simulator used it"
            targets[id(plan.varying), name] = made  # type: ignore[index]
        _fill(plan, store, targets, origin)

        for name, value in plan.attrs.items():
            file.attrs[name] = _attribute(value)
        file.attrs["simulator"] = sweep.experiment.name
        start = sweep.seeds[0]
        is_range = list(sweep.seeds) == list(range(start, start + len(sweep.seeds)))
        shown_range = f"range({start}, {start + len(sweep.seeds)})" if start else f"range({len(sweep.seeds)})"
        file.attrs["seeds"] = shown_range if is_range else json.dumps(list(sweep.seeds))
        file.attrs["replicates_missing"] = missing
        file.attrs["code_digest"] = code_digest
        for name, value in versions().items():
            file.attrs[name] = value
        file.attrs["sweep"] = sweep.specification


def _fill(plan: _Plan, store: Store, targets: dict[Any, Any], origin: bytes) -> None:
    """Write the values slab by slab."""
    sweep, n_seeds = plan.sweep, len(plan.sweep.seeds)
    inner = {id(v): tuple(plan.sizes[dim] for dim in v.dims) for v in plan.variables.values()}
    weight = sum(
        math.prod(inner[id(v)]) * (n_seeds if v.per_replicate else 1) * (64 if v.text else v.stored().itemsize)
        for v in plan.variables.values()
    )
    damaged: list[int] = []
    for leading, first, last, begin in _slabs(sweep.shape, max(1, SLAB // max(weight, 1))):
        tail = sweep.shape[len(leading) + 1 :] if sweep.shape else ()
        count = (last - first) * math.prod(tail)
        buffers = {}
        for variable in plan.variables.values():
            shape = (count, *((n_seeds,) if variable.per_replicate else ()), *inner[id(variable)])
            buffers[id(variable)] = np.full(shape, variable.fill(), dtype=variable.stored())
        cells: dict[str, Any] = {
            name: np.full(
                count,
                "" if dtype.kind == "U" else np.nan if dtype.kind == "f" else np.iinfo(dtype).min,
                dtype=object if dtype.kind == "U" else dtype,
            )
            for name, dtype in plan.varying.items()
        }
        for cell in range(count):
            for index in range(int(sweep.offsets[begin + cell]), int(sweep.offsets[begin + cell + 1])):
                part = sweep.part(index)
                row = store.row(sweep.address(part))
                if isinstance(row, str):
                    damaged.append(index)
                elif row is not None and row.status == "done" and row.origin == origin:
                    shape_of = plan.shapes.get(row.layout)
                    if shape_of is None:  # stored after the layouts were gathered
                        continue
                    _place(shape_of, row, part, cell, buffers)
                    for name, values in cells.items():
                        values[cell] = plan.varying_value(name, shape_of)
        if damaged:
            continue
        where = (*leading, slice(first, last)) if sweep.shape else ()
        for variable in plan.variables.values():
            buffer = buffers[id(variable)]
            whole = ((last - first, *tail) if sweep.shape else ()) + buffer.shape[1:]
            rest = (slice(None),) * (len(whole) - (1 + len(tail) if sweep.shape else 0) + len(tail))
            if buffer.size:
                targets[id(variable)][(*where, *rest) or ...] = buffer.reshape(whole)
        for name, values in cells.items():
            whole = (last - first, *tail) if sweep.shape else ()
            targets[id(plan.varying), name][(*where, *(slice(None),) * len(tail)) or ...] = values.reshape(whole)
    if damaged:
        raise Damaged(damaged)


def _place(shape: _Shape, row: Row, part: Part, cell: int, buffers: dict[int, Any]) -> None:
    n = part.last - part.first
    arrays = unpack(shape.layout, row.payload, n)
    for name, variable, places, sizes in shape.places:
        array = arrays[name].reshape(((n,) if variable.per_replicate else ()) + sizes)
        target = buffers[id(variable)][cell]
        if variable.per_replicate:
            target = target[part.first : part.last]
        fancy = [place for place in places if not isinstance(place, slice)]
        if not fancy:
            target[(slice(None), *places) if variable.per_replicate else places or ...] = array
        else:
            grids = [np.arange(place.start, place.stop) if isinstance(place, slice) else place for place in places]
            leading = [np.arange(n)] if variable.per_replicate else []
            target[np.ix_(*leading, *grids)] = array
