"""A sweep's result as a picture: a matplotlib figure, or characters in a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure

__all__ = ["characters", "curves", "draw"]

MOST_LINES = 8
COLUMNS, ROWS = 64, 16
MARKS = "*o+x#@%&"


def _is_number(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "biuf"


def _choose(results: xarray.Dataset, variable: str | None, x: str | None) -> tuple[str, str | None]:
    """The variable and the dimension along the horizontal axis."""
    names = [str(name) for name, found in results.data_vars.items() if _is_number(found.dtype)]
    if variable is None:
        if not names:
            raise ValueError("results must hold a variable with numbers")
        varied = [name for name in names if results[name].size and results[name].min() < results[name].max()]
        swept = [name for name in varied if results[name].ndim > 1]
        variable = (swept or varied or names)[0]
    elif variable not in names:
        raise ValueError(f"variable must be one of {', '.join(names)}, got {variable!r}")
    dims = [str(dim) for dim in results[variable].dims if dim != "replicate"]
    labelled = [dim for dim in dims if dim in results.coords and _is_number(results[dim].dtype)]
    if x is None:
        return variable, max(labelled, key=lambda dim: results.sizes[dim], default=dims[0] if dims else None)
    if x not in dims:
        raise ValueError(f"x must be one of {', '.join(dims) or 'no dimension'}, got {x!r}")
    return variable, x


def curves(results: xarray.Dataset, variable: str | None, x: str | None) -> dict[str, Any]:
    """Means and standard errors along `x`, a line for each value of the longest other dimension with labels."""
    name, along = _choose(results, variable, x)
    data = results[name].astype(np.float64)
    swept = {str(dim) for dim in results.dims if str(dim) in results.coords and dim != along}
    others = [str(dim) for dim in data.dims if str(dim) in swept]
    split = max((dim for dim in others if results.sizes[dim] > 1), key=lambda dim: results.sizes[dim], default=None)
    averaged = [dim for dim in data.dims if dim not in ("replicate", along, split)]
    data = data.mean(averaged)
    mean, error = data, data * 0.0
    if "replicate" in data.dims:
        count = data.notnull().sum("replicate")
        mean = data.mean("replicate")
        error = data.std("replicate", ddof=1) / np.sqrt(count) if data.sizes["replicate"] > 1 else mean * 0.0
    lines: list[tuple[str, np.ndarray, np.ndarray]] = []
    for index in range(results.sizes[split]) if split else [0]:
        if split and results.sizes[split] > MOST_LINES:
            index = round(index * (results.sizes[split] - 1) / (MOST_LINES - 1))
            if len(lines) == MOST_LINES:
                break
        m, e = (mean.isel({split: index}), error.isel({split: index})) if split else (mean, error)
        value = results[split].values[index] if split else None
        text = f"{split} = {value:.6g}" if split and _is_number(results[split].dtype) else f"{split} = {value}"
        lines.append((text if split else "", np.atleast_1d(m.values), np.atleast_1d(e.values)))
    if along is None:
        positions, ticks = np.zeros(1), None
    elif along in results.coords and _is_number(results[along].dtype):
        positions, ticks = results[along].values.astype(np.float64), None
    else:
        positions = np.arange(results.sizes[along], dtype=np.float64)
        ticks = [str(value) for value in results[along].values] if along in results.coords else None

    def described(key: str) -> str:
        attrs = results[key].attrs if key in results.variables else {}
        unit = attrs.get("units", "1")
        return f"{attrs.get('long_name', key)} ({key})" + (f" [{unit}]" if unit not in ("1", "") else "")

    return {
        "x": positions,
        "ticks": ticks,
        "lines": lines,
        "x_label": described(along) if along else "",
        "y_label": described(name),
        "averaged": [str(dim) for dim in averaged],
    }


def draw(results: Any, variable: str | None = None, x: str | None = None) -> Figure:
    """Draw the curves; see :func:`sims.sweeps.figure`."""
    import xarray
    from matplotlib.figure import Figure

    if not isinstance(results, xarray.Dataset):
        raise ValueError(f"results must be a dataset, got {results!r}")
    found = curves(results, variable, x)
    picture = Figure(figsize=(7, 4.5), layout="constrained")
    axes = picture.add_subplot()
    for text, mean, error in found["lines"]:
        (line,) = axes.plot(found["x"], mean, marker="o", markersize=3.5, label=text or None)
        axes.fill_between(found["x"], mean - error, mean + error, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.set_xlabel(found["x_label"], parse_math=False)
    axes.set_ylabel(found["y_label"], parse_math=False)
    if _wide(found["x"]):
        axes.set_xscale("log")
    if found["ticks"] is not None:
        axes.set_xticks(found["x"], found["ticks"], rotation=30, ha="right", parse_math=False)
    if len(found["lines"]) > 1:
        axes.legend(frameon=False)
    words = "mean over replicates, band: one standard error"
    if found["averaged"]:
        words += f"; averaged over {', '.join(found['averaged'])}"
    axes.set_title(words, fontsize="small", parse_math=False)
    return picture


def _wide(x: np.ndarray) -> bool:
    return bool(len(x) > 2 and x.min() > 0 and x.max() / x.min() > 50)


def characters(results: xarray.Dataset, variable: str | None = None, x: str | None = None) -> str:
    """The same curves as text."""
    found = curves(results, variable, x)
    positions = np.log10(found["x"]) if _wide(found["x"]) else found["x"]
    values = np.concatenate([mean for _, mean, _ in found["lines"]])
    finite = values[np.isfinite(values)]
    if not finite.size:
        return f"{found['y_label']}: no values"
    low, high = float(finite.min()), float(finite.max())
    spread = (high - low) or 1.0
    left, width = float(positions.min()), float(positions.max() - positions.min()) or 1.0
    canvas = [[" "] * COLUMNS for _ in range(ROWS)]
    for number, (_, mean, _) in enumerate(found["lines"]):
        for place, value in zip(positions, mean, strict=True):
            if math.isfinite(value):
                column = round((place - left) / width * (COLUMNS - 1))
                row = round((high - value) / spread * (ROWS - 1))
                canvas[row][column] = MARKS[number % len(MARKS)]
    marks = [f"{MARKS[i % len(MARKS)]} {text}" for i, (text, _, _) in enumerate(found["lines"]) if text]
    rows = ["".join(row).rstrip() for row in canvas]
    gutter = [f"{high:10.4g} |", *["           |"] * (ROWS - 2), f"{low:10.4g} |"]
    first, last = f"{found['x'].min():.4g}", f"{found['x'].max():.4g}"
    foot = " " * 12 + first + " " * max(1, COLUMNS - len(first) - len(last)) + last
    scale = ", logarithmic" if _wide(found["x"]) else ""
    return "\n".join(
        [
            found["y_label"],
            *(side + row for side, row in zip(gutter, rows, strict=True)),
            " " * 11 + "+" + "-" * COLUMNS,
            foot,
            " " * 12 + found["x_label"] + scale,
            *(" " * 12 + mark for mark in marks),
        ]
    )
