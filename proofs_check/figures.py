"""Figures: theory as a line, simulation as points with confidence intervals.

The house style is made to be read in grey and by colour-blind eyes: series differ by marker
and dash as well as by colour (Okabe and Ito's palette), and verdicts are written out. Nothing
here touches Matplotlib's global settings or ``pyplot``: figures are plain
:class:`matplotlib.figure.Figure` objects, made inside ``with style():``.
"""

from __future__ import annotations

import itertools
import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from proofs_check.verdicts import _ORDER, Cell, Evidence, Interval, Verdict, _margin
from proofs_check.wording import number, parameters, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

    from proofs_check.runner import ClaimResult

__all__ = [
    "COLOURS",
    "INK",
    "MARKERS",
    "checklist",
    "draw",
    "forest",
    "generic",
    "labelled_axes",
    "simulated_points",
    "style",
    "theory_line",
]

INK = "#24292f"
GREY = "#8c959f"
PALE = "#d0d7de"
PAPER = "#ffffff"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (8, 3)), (0, (3, 1.5)))
SIGNS = {Verdict.HOLDS: "✓ holds", Verdict.FAILS: "✗ fails", Verdict.UNDECIDED: "? undecided"}
_SIGN_COLOURS = {Verdict.HOLDS: COLOURS[2], Verdict.FAILS: COLOURS[1], Verdict.UNDECIDED: GREY}
MOST_ROWS = 24
MOST_STEPS = 12
_DECADES = 100.0

_STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=COLOURS) + cycler(linestyle=LINES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "errorbar.capsize": 2.5,
    "figure.facecolor": PAPER,
    "figure.figsize": (6.4, 3.8),
    "font.family": ["DejaVu Sans"],
    "font.size": 10.0,
    "grid.color": PALE,
    "grid.linewidth": 0.6,
    "legend.fontsize": "small",
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "savefig.dpi": 150,
    "text.color": INK,
    "xtick.color": INK,
    "xtick.labelsize": "small",
    "ytick.color": INK,
    "ytick.labelsize": "small",
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the house style while the context lasts; the settings outside stay as they were.

    Examples
    --------
    >>> before = mpl.rcParams["axes.grid"]
    >>> with style():
    ...     figure, ax = labelled_axes("p", "accuracy")
    >>> mpl.rcParams["axes.grid"] == before
    True
    """
    with mpl.rc_context(_STYLE):
        yield


def labelled_axes(xlabel: str, ylabel: str, size: tuple[float, float] = (6.4, 3.8)) -> tuple[Figure, Axes]:
    """Return a figure with one pair of axes, both labelled.

    Parameters
    ----------
    xlabel, ylabel : str
        What the axes show, with the unit if there is one; must not be empty.
    size : tuple of float
        Width and height in inches.

    Raises
    ------
    ValueError
        If a label is empty.
    """
    for name, label in (("xlabel", xlabel), ("ylabel", ylabel)):
        if not label.strip():
            raise ValueError(f"{name} must be a text that says what the axis shows, got {label!r}")
    figure = Figure(figsize=size, layout="constrained")
    ax = figure.add_subplot()
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return figure, ax


def _columns(**columns: ArrayLike) -> list[np.ndarray]:
    """Float arrays of one dimension and one length."""
    found = {name: np.asarray(values, dtype=float) for name, values in columns.items()}
    shape = next(iter(found.values())).shape
    for name, values in found.items():
        if values.ndim != 1 or values.shape != shape:
            raise ValueError(f"{name} must be one-dimensional with shape {shape}, got shape {values.shape}")
    return list(found.values())


def theory_line(ax: Axes, x: ArrayLike, y: ArrayLike, label: str, index: int | None = None) -> Line2D:
    """Draw a prediction as a line.

    Parameters
    ----------
    ax : Axes
        Where.
    x, y : array_like, shape (n,)
        The curve; infinite values leave gaps.
    label : str
        For the legend.
    index : int, optional
        Colour and dash; points of the same index get the same colour. By default the lines of
        an axes count up, the first one in ink.

    Returns
    -------
    Line2D
        The line.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> figure, ax = labelled_axes("p", "accuracy")
    >>> theory_line(ax, [0, 1], [0.5, 1], "theory").get_label()
    'theory'
    """
    xs, ys = _columns(x=x, y=y)
    if index is None:
        drawn = sum(line.get_gid() == "theory" for line in ax.lines)
        colour = INK if drawn == 0 else COLOURS[(drawn - 1) % len(COLOURS)]
        dash = LINES[drawn % len(LINES)]
    else:
        colour, dash = COLOURS[index % len(COLOURS)], LINES[index % len(LINES)]
    (line,) = ax.plot(xs, ys, color=colour, linestyle=dash, label=label, zorder=2, gid="theory")
    return line


def simulated_points(
    ax: Axes, x: ArrayLike, y: ArrayLike, low: ArrayLike, high: ArrayLike, label: str, index: int = 0
) -> None:
    """Draw measurements as open points with their confidence intervals.

    Parameters
    ----------
    ax : Axes
        Where.
    x, y : array_like, shape (n,)
        Parameter and estimate.
    low, high : array_like, shape (n,)
        Ends of the confidence intervals; an infinite end is drawn as a caret at the point.
    label : str
        For the legend.
    index : int
        Colour and marker.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> figure, ax = labelled_axes("p", "accuracy")
    >>> simulated_points(ax, [0.5], [0.75], [0.7], [0.8], "simulation", 0)
    >>> [handle.get_label() for handle in ax.containers]
    ['simulation']
    """
    xs, ys, lows, highs = _columns(x=x, y=y, low=low, high=high)
    _points(ax, xs, ys, lows, highs, label, index, horizontal=False)


def _points(
    ax: Axes,
    at: np.ndarray,
    estimate: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    label: str,
    index: int,
    *,
    horizontal: bool,
) -> None:
    """Points with error bars along either axis; estimates may lie outside their interval, which bars cannot show."""
    colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
    below = np.where(np.isfinite(low), np.maximum(estimate - low, 0.0), 0.0)
    above = np.where(np.isfinite(high), np.maximum(high - estimate, 0.0), 0.0)
    look: dict[str, Any] = {
        "fmt": marker,
        "color": colour,
        "markerfacecolor": PAPER,
        "linestyle": "none",
        "elinewidth": 1.4,
        "zorder": 3,
    }
    if horizontal:
        ax.errorbar(estimate, at, xerr=[below, above], label=label, **look)
    else:
        ax.errorbar(at, estimate, yerr=[below, above], label=label, **look)
    carets = ((~np.isfinite(low), "<" if horizontal else "v"), (~np.isfinite(high), ">" if horizontal else "^"))
    for unbounded, caret in carets:
        if unbounded.any():
            where = (estimate, at) if horizontal else (at, estimate)
            ax.plot(where[0][unbounded], where[1][unbounded], caret, color=colour, markersize=9, alpha=0.45, zorder=2.5)


def draw(result: ClaimResult) -> Figure:
    """Draw a claim: its own figure if it has one, else the generic one.

    Parameters
    ----------
    result : ClaimResult
        Judged.

    Returns
    -------
    Figure
        Not registered with ``pyplot``, so nothing has to be closed.
    """
    with style():
        if result.claim is not None and result.claim.figure is not None:
            return result.claim.figure(result)
    return generic(result)


def generic(result: ClaimResult) -> Figure:
    """Draw the numbers of a claim as a forest plot, or, where there are none, what was checked."""
    return forest(result) if _numeric_rows(result.evidence) else checklist(result)


@dataclass(frozen=True)
class _Row:
    leg: int
    place: int
    cell: Cell
    label: str = ""


def _real(value: Any) -> float | None:
    """The value as a float, or None where it is no number."""
    if value is None or isinstance(value, (bool, np.bool_, str)):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if math.isnan(found) else found


def _pair(values: tuple[Any, Any] | None) -> Interval | None:
    if values is None:
        return None
    low, high = _real(values[0]), _real(values[1])
    return None if low is None or high is None else Interval(low, high)


def _numeric_rows(evidence: Sequence[Evidence]) -> list[_Row]:
    """The cells that compare a finite number with a prediction, in floats."""
    rows = []
    for leg, item in enumerate(evidence):
        if item.kind == "agreement" and item.verdict is Verdict.HOLDS:
            continue  # its figures are those of the legs that agree
        for place, cell in enumerate(item.cells):
            observed, predicted = _real(cell.observed), _pair(cell.predicted)
            if observed is None or predicted is None or not math.isfinite(observed):
                continue
            if cell.compare == "upper":
                predicted = Interval(-math.inf, predicted.high)
            elif cell.compare == "lower":
                predicted = Interval(predicted.low, math.inf)
            flat = replace(cell, observed=observed, predicted=predicted, interval=_pair(cell.interval))
            rows.append(_Row(leg, place, flat))
    return rows


def _margin_of(row: _Row) -> float:
    margin = _margin(row.cell)
    return math.inf if math.isnan(margin) else margin


def _least_clear(rows: list[_Row], most: int) -> list[_Row]:
    """At most `most` rows, in their order: those that fail or are undecided, then those nearest to failing.

    Cells that agree exactly have no margin to compare: a few, evenly spread, fill what room is left.
    """
    exact = [row for row in rows if row.cell.verdict is Verdict.HOLDS and math.isinf(_margin_of(row))]
    other = [row for row in rows if not (row.cell.verdict is Verdict.HOLDS and math.isinf(_margin_of(row)))]
    kept = sorted(other, key=lambda row: (_ORDER[row.cell.verdict], _margin_of(row)))[:most]
    room = min(max(0, most - len(kept)), most // 2, len(exact))
    kept += [exact[i * (len(exact) - 1) // max(1, room - 1)] for i in range(room)]
    return sorted(kept, key=lambda row: (row.leg, row.place))


NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _plain(text: str) -> str:
    """Text that Matplotlib must not take for mathematics, without characters that XML excludes."""
    return NO_XML.sub("\ufffd", text).replace("$", r"\$")


def _wrapped(text: str, width: int = 46, lines: int = 2) -> str:
    """The text on at most `lines` lines of `width` characters."""
    return _plain("\n".join(textwrap.wrap(text, width, max_lines=lines, placeholder=" …")) or "?")


def _labelled(rows: list[_Row]) -> tuple[list[_Row], str]:
    """Rows with labels that name what varies, and what they share."""
    cells = [row.cell.parameters for row in rows]
    shared: dict[str, Any] = {}
    if len(cells) > 1:
        shared = {
            k: v for k, v in cells[0].items() if all(k in c and number(c[k]) == number(v) for c in cells) and k != ""
        }
    named = [parameters({k: v for k, v in c.items() if k not in shared}) for c in cells]
    out = []
    for row, name in zip(rows, named, strict=True):
        ambiguous = named.count(name) > 1 or not name
        label = ": ".join(filter(None, [name, row.cell.detail])) if ambiguous and row.cell.detail else name
        out.append(replace(row, label=label or f"cell {row.place + 1}"))
    return out, parameters(shared)


def _leg_name(evidence: Evidence) -> str:
    return _plain(shorten(f"{evidence.kind}: {evidence.name}", 70))


def _positions(rows: list[_Row]) -> np.ndarray:
    """Row positions from the top, with a gap between legs."""
    gaps = np.cumsum([0, *(0.6 if a.leg != b.leg else 0.0 for a, b in itertools.pairwise(rows))])
    positions: np.ndarray = np.arange(len(rows)) + gaps
    return positions


def _limits(rows: list[_Row], scale: str) -> tuple[float, float]:
    """Ends of the axis: around every finite figure, on a log axis around every positive one."""
    found = []
    for row in rows:
        pairs = (row.cell.predicted or (), row.cell.interval or (), (row.cell.observed,))
        found += [x for pair in pairs for x in pair if math.isfinite(x)]
    if scale == "log":
        positive = [x for x in found if x > 0]
        low, high = math.log10(min(positive)), math.log10(max(positive))
        margin = 0.06 * (high - low)
        return 10 ** (low - margin), 10 ** (high + margin)
    low, high = min(found), max(found)
    margin = 0.06 * (high - low) or 0.5 * max(abs(high), 1e-3)
    return low - margin, high + margin


def _scale(rows: list[_Row]) -> tuple[str, float]:
    """Linear, or logarithmic where observed and predicted values span more than two decades; with its linear part."""
    ends = [x for row in rows for x in (row.cell.observed, *(row.cell.predicted or ())) if math.isfinite(x)]
    sizes = [abs(x) for x in ends if x]
    if not sizes or max(sizes) <= _DECADES * min(sizes):
        return "linear", 0.0
    if min(ends) > 0:
        return "log", 0.0
    return "symlog", max(min(sizes), 1e-6 * max(sizes))


def forest(result: ClaimResult, most: int = MOST_ROWS) -> Figure:
    """Draw observed against predicted, one row a cell.

    The prediction is a grey tick, or a grey bar where it is an interval or a bound (the bar
    then runs to the edge); the observed value is a point with its confidence interval; the
    verdict stands at the right.

    Parameters
    ----------
    result : ClaimResult
        With at least one cell that compares numbers.
    most : int
        Rows at most; the least clear cells are shown and the title says how many are not.

    Raises
    ------
    ValueError
        If no cell compares numbers.
    """
    every = _numeric_rows(result.evidence)
    if not every:
        raise ValueError(f"result must have a cell that compares numbers, got none in {result.id}")
    rows, shared = _labelled(_least_clear(every, most))
    at = _positions(rows)
    scale, linear = _scale(rows)
    legs = sorted({row.leg for row in rows})
    tall = max(_wrapped(row.label).count("\n") for row in rows)
    height = 1.3 + (0.24 + 0.1 * tall) * (at[-1] + 1) + 0.22 * (len(legs) + 1)
    with style():
        figure, ax = labelled_axes("observed and predicted value", "cell", (7.2, height))
        if scale == "symlog":
            ax.set_xscale("symlog", linthresh=linear)
        else:
            ax.set_xscale(scale)
        left, right = _limits(rows, scale)
        ax.set(xlim=(left, right), ylim=(at[-1] + 0.7, -0.7))
        ax.grid(axis="y", visible=False)
        handles = [_draw_predictions(ax, rows, at, left, right)]
        for index, leg in enumerate(legs):
            mine = [i for i, row in enumerate(rows) if row.leg == leg]
            _draw_leg(ax, [rows[i].cell for i in mine], at[mine], left, index)
            bars = any(rows[i].cell.interval is not None for i in mine)
            handles.append(_handle(result.evidence[leg], index, "with its interval" if bars else ""))
        _dress(ax, rows, at)
        left_out = len(every) - len(rows)
        title = [
            f"at {shorten(shared, 80)}" if shared else "",
            f"{len(rows)} of {len(every)} cells, the least clear; {left_out} left out" if left_out else "",
        ]
        ax.set_title(_plain("; ".join(filter(None, title))), fontsize="small")
        figure.legend(handles=handles, loc="outside lower left", ncols=1)
    return figure


def _draw_predictions(ax: Axes, rows: list[_Row], at: np.ndarray, left: float, right: float) -> Line2D:
    wide = False
    for row, y in zip(rows, at, strict=True):
        low, high = row.cell.predicted or (left, right)
        if high > low:
            wide = True
            ends = [max(low, left), min(high, right)]
            ax.plot(ends, [y, y], color=PALE, linestyle="-", linewidth=9, solid_capstyle="butt", zorder=1)
        ticks = [x for x in {low, high} if math.isfinite(x)]
        ax.plot(ticks, [y] * len(ticks), "|", color=GREY, markersize=13, markeredgewidth=2.2, zorder=2)
    return Line2D(
        [], [], color=PALE if wide else "none", linewidth=7, marker="|", markersize=11, markeredgewidth=2.2,
        markeredgecolor=GREY, label="predicted" + (" (bars: allowed values)" if wide else ""),
    )  # fmt: skip


def _draw_leg(ax: Axes, cells: list[Cell], at: np.ndarray, left: float, index: int) -> None:
    """One leg's observed values; without an interval the point stands alone."""
    estimate = np.array([c.observed for c in cells], dtype=float)
    low = np.array([c.interval.low if c.interval else c.observed for c in cells], dtype=float)
    high = np.array([c.interval.high if c.interval else c.observed for c in cells], dtype=float)
    # A log axis has no place for an end at or below 0; its bar runs to the edge.
    _points(ax, at, estimate, np.where(np.isfinite(low), np.maximum(low, left), low), high, "", index, horizontal=True)


def _handle(evidence: Evidence, index: int, addition: str = "") -> Line2D:
    return Line2D(
        [], [], color=COLOURS[index % len(COLOURS)], marker=MARKERS[index % len(MARKERS)], markerfacecolor=PAPER,
        linewidth=1.4 if addition else 0.0, label=_leg_name(evidence),
    )  # fmt: skip


def _dress(ax: Axes, rows: Sequence[_Row], at: np.ndarray) -> None:
    """Row labels at the left, written verdicts at the right."""
    ax.set_yticks(at, [_wrapped(row.label) for row in rows])
    ax.tick_params(axis="y", length=0)
    for row, y in zip(rows, at, strict=True):
        ax.annotate(
            SIGNS[row.cell.verdict], (1.0, y), xytext=(6, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", ha="left", fontsize="small",
            color=INK if row.cell.verdict is Verdict.HOLDS else _SIGN_COLOURS[row.cell.verdict],
        )  # fmt: skip


def checklist(result: ClaimResult, most: int = MOST_STEPS) -> Figure:
    """Draw what was checked, one row a step or piece, with its verdict.

    Where not all fit, what fails or is open comes first, and then the legs take turns.

    Parameters
    ----------
    result : ClaimResult
        Judged; a leg without cells gets a row that says so.
    most : int
        Rows at most; the title says how many are left out.
    """
    every = []
    for leg, item in enumerate(result.evidence):
        for place, cell in enumerate(item.cells):
            every.append(_Row(leg, place, cell, _step(cell)))
        if not item.cells:
            says = "raised an exception" if item.error else "looked at no cell"
            every.append(_Row(leg, 0, Cell({}, item.verdict), says))
    turns = sorted(every, key=lambda row: (_ORDER[row.cell.verdict], row.place, row.leg))
    rows = sorted(turns[:most], key=lambda row: (row.leg, row.place))
    if not rows:
        rows = every = [_Row(0, 0, Cell({}, Verdict.UNDECIDED), "no leg ran")]
    at = _positions(rows)
    legs = sorted({row.leg for row in rows})
    columns = (Verdict.FAILS, Verdict.UNDECIDED, Verdict.HOLDS)
    tall = max(_wrapped(row.label, 60).count("\n") for row in rows)
    height = 1.1 + (0.26 + 0.12 * tall) * (at[-1] + 1) + 0.22 * len(legs)
    with style():
        figure, ax = labelled_axes("verdict", "checked", (7.2, height))
        for x, (verdict, line) in enumerate(zip(columns, LINES[2::-1], strict=True)):
            ax.axvline(x, color=_SIGN_COLOURS[verdict], linewidth=1.0, linestyle=line, alpha=0.6, zorder=1)
        for index, leg in enumerate(legs):
            mine = [i for i, row in enumerate(rows) if row.leg == leg]
            ax.plot(
                [columns.index(rows[i].cell.verdict) for i in mine], at[mine], MARKERS[index % len(MARKERS)],
                color=COLOURS[index % len(COLOURS)], markersize=7, zorder=3,
            )  # fmt: skip
        ax.set(xlim=(-0.5, 2.5), ylim=(at[-1] + 0.7, -0.7))
        ax.set_xticks(range(3), [SIGNS[verdict] for verdict in columns])
        ax.set_yticks(at, [_wrapped(row.label, 60) for row in rows])
        ax.tick_params(length=0)
        ax.grid(axis="x", visible=False)
        if len(rows) < len(every):
            ax.set_title(f"{len(rows)} of {len(every)} checks, {len(every) - len(rows)} left out", fontsize="small")
        if result.evidence:
            handles = [_handle(result.evidence[leg], index) for index, leg in enumerate(legs)]
            for handle in handles:
                handle.set_markerfacecolor(handle.get_color())
            figure.legend(handles=handles, loc="outside lower left", ncols=1)
    return figure


def _step(cell: Cell) -> str:
    """A cell in words: where, and what a step says or found."""
    found = cell.detail or (f"observed {number(cell.observed)}" if cell.observed is not None else "")
    return ": ".join(filter(None, [parameters(cell.parameters), found])) or "the whole domain"
