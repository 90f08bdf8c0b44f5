"""Looking back at a sweep: is a replayed replicate the one in the file, and what is there of an unfinished run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sims.sweeps._grid import Sweep, from_specification
from sims.sweeps._netcdf import Damaged, export
from sims.sweeps._runner import cells_path, code_digest_of
from sims.sweeps._store import Store, StoreError, identity_of

if TYPE_CHECKING:
    import xarray

__all__ = ["differences", "export_now"]


def differences(
    dataset: xarray.Dataset, sweep: Sweep, cell: Mapping[str, Any], replicate: int, again: xarray.Dataset
) -> list[str]:
    """Names of the variables that a replay does not repeat bit for bit."""
    from sims.sweeps._grid import encoded

    at = {name: [encoded(v) for v in values].index(encoded(cell[name])) for name, values in sweep.axes.items()}
    found = []
    for name, variable in again.data_vars.items():
        same = False
        for candidate in (str(name), f"{name}_measured", *_variants(dataset, str(name))):
            if candidate in dataset:
                stored = dataset[candidate].isel(
                    {k: i for k, i in {**at, "replicate": replicate}.items() if k in dataset[candidate].dims}
                )
                same |= _agrees(stored, variable.isel(replicate=0) if "replicate" in variable.dims else variable)
        if not same:
            found.append(str(name))
    return found


def _variants(dataset: xarray.Dataset, name: str) -> list[str]:
    return [str(key) for key in dataset.data_vars if str(key).startswith((f"{name}_by_", f"{name}_single"))]


def _agrees(stored: xarray.DataArray, fresh: xarray.DataArray) -> bool:
    """Whether the stored values are those of `fresh`, and nothing but padding beyond."""
    renamed = {dim: f"{dim}_inner" for dim in fresh.dims if dim not in stored.dims and f"{dim}_inner" in stored.dims}
    dropped = [dim for dim in fresh.dims if dim not in stored.dims and dim not in renamed and fresh.sizes[dim] == 1]
    fresh = fresh.squeeze(dropped, drop=True).rename(renamed)
    if set(fresh.dims) != set(stored.dims):
        return False
    for dim in stored.dims:
        if dim in fresh.coords and dim in stored.coords:
            where = np.flatnonzero(np.isin(stored[dim].values, fresh[dim].values))
            stored = stored.isel({dim: where})
        else:
            stored = stored.isel({dim: slice(0, fresh.sizes[dim])})
    one, two = stored.transpose(*fresh.dims).values, fresh.values
    if one.shape != two.shape:
        return False
    if one.dtype.kind == "f" and two.dtype.kind == "f":
        return one.tobytes() == two.astype(one.dtype).tobytes()
    return bool(np.array_equal(one, two))


def export_now(file: Path, target: Path) -> tuple[int, int]:
    """Write what the store of `file` holds; return the missing and the whole number of replicates."""
    there = cells_path(file)
    if not there.is_file():
        raise ValueError(f"FILE must be the output of a run, with {there.name} beside it, got {str(file)!r}")
    store = Store(there, readonly=True)
    try:
        specification, origin_text = store.meta("sweep"), store.meta("origin")
        if specification is None or origin_text is None:
            raise ValueError(f"{there} must hold the beginning of a sweep, got none yet")
        sweep = from_specification(specification)
        identity = identity_of(origin_text)
        missing = export(sweep, store, target, identity, code_digest_of(origin_text))
    except Damaged as problem:
        raise StoreError(f"{there}: {problem}; the run that continues it computes them again") from None
    finally:
        store.close()
    return missing, sweep.n_cells * len(sweep.seeds)
