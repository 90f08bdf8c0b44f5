"""Inequalities on a compact box, and roots, by ball arithmetic and subdivision.

A box is cut in two along its relatively widest side until the ball of the margin is
certainly non-negative on every piece, or a piece is certainly negative, or the budget of
pieces is spent. A ball that is not a number (a power across zero, say) is unknown and gets
cut further; it never refutes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb, ctx, fmpq

from proofs_check.verdicts import Cell, Verdict

__all__ = ["Enclosure", "enclose", "enclose_root"]

Box = Mapping[str, tuple[Fraction, Fraction]]


@dataclass(frozen=True)
class Enclosure:
    """Pieces proved, pieces left unknown, and a refuting piece if one was found."""

    proved: int
    unknown: int
    refuted: Mapping[str, tuple[Fraction, Fraction]] | None

    def cell(self, box: Box) -> Cell:
        """Evidence: proved on every piece, refuted on one, or undecided."""
        shown = {name: f"[{low}, {high}]" for name, (low, high) in box.items()}
        if self.refuted is not None:
            where = {name: f"[{low}, {high}]" for name, (low, high) in self.refuted.items()}
            return Cell(where, Verdict.FAILS, detail="the margin is negative on this whole piece")
        if self.unknown:
            return Cell(shown, Verdict.UNDECIDED, detail=f"{self.proved} pieces proved, {self.unknown} unknown")
        return Cell(shown, Verdict.HOLDS, detail=f"{self.proved} pieces proved")


def _ball(low: Fraction, high: Fraction) -> Any:
    """The smallest ball around an interval with rational ends."""
    left, right = arb(fmpq(low.numerator, low.denominator)), arb(fmpq(high.numerator, high.denominator))
    return left.union(right)


def enclose(margin: Callable[..., Any], box: Box, budget: int = 20_000, precision: int = 64) -> Enclosure:
    """Show that a margin is non-negative on a box.

    Parameters
    ----------
    margin : callable
        Takes one Arb ball a parameter, returns a ball that encloses the margin's range.
    box : mapping of str to (Fraction, Fraction)
        Closed intervals, at least one.
    budget : int
        Largest number of pieces looked at.
    precision : int
        Bits.

    Returns
    -------
    Enclosure
        Complete only if ``unknown`` is 0.

    Raises
    ------
    ValueError
        If the box is empty.

    Examples
    --------
    >>> from fractions import Fraction
    >>> unit = (Fraction(0), Fraction(1))
    >>> enclose(lambda x: x * (1 - x) + Fraction(1, 10).__float__(), {"x": unit}).unknown
    0
    """
    box = {name: (Fraction(low), Fraction(high)) for name, (low, high) in box.items()}
    if not box or any(low > high for low, high in box.values()):
        raise ValueError(f"box must hold closed intervals [low, high], got {box}")
    with ctx.workprec(precision):
        waiting = deque([dict(box)])
        proved = 0
        looked = 0
        while waiting:
            piece = waiting.popleft()
            looked += 1
            value = margin(**{name: _ball(*ends) for name, ends in piece.items()})
            if value.is_finite():
                if value >= 0:
                    proved += 1
                    continue
                if value < 0:
                    return Enclosure(proved, len(waiting), piece)
            # A piece that straddles the boundary of the true region would be cut for ever; its centre may refute.
            centre = {name: ((low + high) / 2,) * 2 for name, (low, high) in piece.items()}
            value = margin(**{name: _ball(*ends) for name, ends in centre.items()})
            if value.is_finite() and value < 0:
                return Enclosure(proved, len(waiting), centre)
            if looked >= budget:
                return Enclosure(proved, len(waiting) + 1, None)
            widths = {n: float((h - low) / (box[n][1] - box[n][0] or 1)) for n, (low, h) in piece.items()}
            name = max(widths, key=lambda n: widths[n])
            low, high = piece[name]
            middle = (low + high) / 2
            waiting += [{**piece, name: (low, middle)}, {**piece, name: (middle, high)}]
        return Enclosure(proved, 0, None)


def enclose_root(residual: Callable[[Any], Any], low: Any, high: Any, bits: int = 100) -> Any:
    """A ball around the root of a decreasing function, by bisection with certain signs.

    Parameters
    ----------
    residual : callable
        Ball in, ball out; decreasing and continuous.
    low, high : arb
        Points that bracket the root: the residual is certainly >= 0 at `low` and <= 0 at `high`.
    bits : int
        Halvings; stops earlier where the sign of the residual is no longer certain.

    Returns
    -------
    arb
        Contains the root.

    Raises
    ------
    ValueError
        If the signs at the ends are not certain.

    Examples
    --------
    >>> from flint import arb
    >>> bool(enclose_root(lambda x: 2 - x * x, arb(1), arb(2)).overlaps(arb(2).sqrt()))
    True
    """
    if not (residual(low) >= 0 and residual(high) <= 0):
        signs = f"{residual(low)} and {residual(high)}"
        raise ValueError(f"the residual must be >= 0 at {low} and <= 0 at {high}, got {signs}")
    for _ in range(bits):
        middle = ((low + high) / 2).mid()
        value = residual(middle)
        if value > 0:
            low = middle
        elif value < 0:
            high = middle
        else:
            break
    return low.union(high)
