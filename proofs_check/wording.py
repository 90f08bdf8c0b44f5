"""How figures and verdicts are put into words, for tables, labels and the page alike.

An interval with equal ends is one value; one with an infinite end is an inequality; the ends
of a narrow one get as many digits as tell them apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from proofs_check.verdicts import Cell, Evidence, Verdict

if TYPE_CHECKING:
    from proofs_check.runner import ClaimResult

__all__ = ["interval", "level", "number", "parameters", "prediction", "reach", "shorten", "verdict"]

_LONGEST = 64
_LONGEST_RATIONAL = 17


def shorten(text: str, length: int = _LONGEST) -> str:
    """Return the text, cut with an ellipsis if it has more than `length` characters.

    Examples
    --------
    >>> shorten("coefficients", 8)
    'coeffic…'
    """
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def number(value: Any, digits: int = 6) -> str:
    """Return a value as a reader wants it: rationals as such while short, floats to `digits` digits.

    Parameters
    ----------
    value : Any
        Number, ball, symbol, boolean, text, array, or None.
    digits : int
        Significant digits of a float.

    Returns
    -------
    str
        Empty for None; an unbounded value is the sign of infinity.

    Examples
    --------
    >>> number(Fraction(1, 3)), number(0.1 + 0.2), number(float("-inf"))
    ('1/3', '0.3', '-∞')
    """
    if value is None:
        return ""
    if isinstance(value, (bool, str)):
        return str(value)
    if hasattr(value, "tolist"):
        return number(value.tolist(), digits)
    if isinstance(value, float):
        if math.isinf(value):
            return "∞" if value > 0 else "-∞"
        return f"{value + 0.0:.{digits}g}"
    if isinstance(value, (int, Fraction)):
        text = str(value)
        if len(text) <= _LONGEST_RATIONAL:
            return text
        try:
            return f"≈ {float(value):.{digits}g}"
        except OverflowError:
            return shorten(text)
    if isinstance(value, (list, tuple)):
        return shorten(f"({', '.join(number(v, digits) for v in value)})")
    return shorten(str(value))


def interval(pair: tuple[Any, Any] | None) -> str:
    """Return an interval in words; see the module's description.

    Examples
    --------
    >>> interval((0.5, 0.5)), interval((-math.inf, 0.25)), interval((0.3333333, 0.3333334))
    ('0.5', '≤ 0.25', '[0.33333330, 0.33333340]')
    """
    if pair is None:
        return ""
    low, high = pair
    try:
        ends = float(low), float(high)
    except (TypeError, ValueError, OverflowError):
        return number(low) if str(low) == str(high) else f"[{number(low)}, {number(high)}]"
    if isinstance(low, bool) or ends[0] == ends[1]:
        return number(low)
    if math.isinf(ends[0]) and math.isinf(ends[1]):
        return "unbounded"
    if math.isinf(ends[0]):
        return f"≤ {number(high)}"
    if math.isinf(ends[1]):
        return f"≥ {number(low)}"
    if not (isinstance(low, float) and isinstance(high, float)):
        return f"[{number(low)}, {number(high)}]"
    size, width = max(map(abs, ends)), ends[1] - ends[0]
    # As many digits as show two of the width.
    digits = 1 + math.ceil(math.log10(size / width)) if width > 0 and size > 0 else 6
    digits = min(max(digits, 3), 17)
    return f"[{low + 0.0:#.{digits}g}, {high + 0.0:#.{digits}g}]"


def prediction(cell: Cell) -> str:
    """Return what a cell's figure was held against: a value, an interval, or a bound.

    Examples
    --------
    >>> from proofs_check.verdicts import Interval
    >>> prediction(Cell({}, Verdict.HOLDS, predicted=Interval(0.5, 0.5), compare="upper"))
    '≤ 0.5'
    """
    if cell.predicted is None:
        return ""
    if cell.compare == "upper":
        return interval((-math.inf, cell.predicted[1]))
    return interval((cell.predicted[0], math.inf)) if cell.compare == "lower" else interval(cell.predicted)


def parameters(cell: Mapping[str, Any]) -> str:
    """Return a cell as ``name = value`` pairs.

    Examples
    --------
    >>> parameters({"d": 20, "p_cot": 0.25})
    'd = 20, p_cot = 0.25'
    """
    return ", ".join(f"{name} = {number(value)}" for name, value in cell.items())


def level(evidence: Evidence) -> str:
    """Return the error probability of one interval of a leg; one that rests on normality is called nominal."""
    if evidence.level is None:
        return ""
    nominal = ", nominal" if evidence.level_kind == "asymptotic" else ""
    return f"{evidence.level:.2g}{nominal}"


def verdict(result: ClaimResult) -> str:
    """Return the verdict, with "as expected" or "unexpected" where the bare word could mislead.

    A claim that holds, with every mutant refuted and nothing raised, needs no addition.
    """
    word = result.verdict.value
    if word != result.expected:
        return f"{word}, unexpected"
    return word if result.verdict is Verdict.HOLDS else f"{word}, as expected"


def reach(result: ClaimResult) -> str:
    """Return how far the evidence for a claim's verdict reaches.

    A statement holds on its domain, on a box or at so many cells; one that fails was refuted
    at the cells that say so; an undecided one reaches nothing.
    """
    required = [e for e in result.evidence if e.role == "required"]
    if result.verdict is Verdict.FAILS:
        points = sum(c.verdict is Verdict.FAILS for e in result.evidence for c in e.cells)
        return f"refuted at {points} {'point' if points == 1 else 'points'}"
    if result.verdict is Verdict.UNDECIDED:
        open_cells = sum(c.verdict is Verdict.UNDECIDED for e in required for c in e.cells)
        cells = sum(len(e.cells) for e in required)
        return f"{open_cells} of {cells} cells open" if open_cells else "not decided"
    if result.support == "domain":
        return "proved on the domain"
    cells = sum(len(e.cells) for e in required)
    return "enclosed on a box" if result.support == "box" else f"checked at {cells} {'cell' if cells == 1 else 'cells'}"
