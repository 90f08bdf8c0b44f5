"""Where a claim is stated: parameters that validate, document and draw themselves.

A :class:`Domain` names the parameters of a claim with their ranges. The same object checks
a user's cell, prints the range in the report, and draws values for property tests, with the
ends of every range (or the floats next to an open end) among the draws.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["Domain", "Integer", "Real"]


@dataclass(frozen=True)
class Real:
    """A real parameter in an interval.

    Parameters
    ----------
    low, high : float
        Ends of the range.
    open_low, open_high : bool
        Whether an end is excluded; infinite ends always are.
    meaning : str
        What the parameter is, with its unit.
    symbol : str
        LaTeX for the parameter, if it differs from its name.

    Examples
    --------
    >>> str(Real(0, 1, open_high=True))
    '[0, 1)'
    >>> Real(0, 1).contains(1.5)
    False
    """

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False
    meaning: str = ""
    symbol: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(f"low must not exceed high, got {self.low} and {self.high}")

    def __str__(self) -> str:
        left = "(" if self.open_low or math.isinf(self.low) else "["
        right = ")" if self.open_high or math.isinf(self.high) else "]"
        return f"{left}{self.low:g}, {self.high:g}{right}"

    def contains(self, value: Any) -> bool:
        """Whether `value` is a finite number in the range."""
        if isinstance(value, (bool, np.bool_, str, bytes, np.ndarray)):
            return False
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            return False
        if not math.isfinite(number):
            return False
        above = value > self.low if self.open_low else value >= self.low
        below = value < self.high if self.open_high else value <= self.high
        return bool(above and below)

    def ends(self) -> list[float]:
        """The smallest and largest floats in the range, without infinite and subnormal ones."""
        tiny = sys.float_info.min  # below it floats lose digits, and 1/x overflows
        found = []
        if math.isfinite(self.low):
            above = tiny if self.low == 0 else math.nextafter(self.low, math.inf)
            found.append(above if self.open_low else float(self.low))
        if math.isfinite(self.high):
            below = -tiny if self.high == 0 else math.nextafter(self.high, -math.inf)
            found.append(below if self.open_high else float(self.high))
        return found

    def outside(self) -> list[float]:
        """Values just outside the range, and the values that are never allowed."""
        found = [math.nan, math.inf, -math.inf]
        if math.isfinite(self.low):
            found.append(float(self.low) if self.open_low else math.nextafter(self.low, -math.inf))
        if math.isfinite(self.high):
            found.append(float(self.high) if self.open_high else math.nextafter(self.high, math.inf))
        return found

    def draw(self, generator: np.random.Generator) -> float:
        """A value of the range: an end one time in four, else spread over it (over its magnitudes if unbounded)."""
        ends = self.ends()
        if ends and generator.random() < 0.25:
            return float(ends[generator.integers(len(ends))])
        if math.isfinite(self.low) and math.isfinite(self.high):
            return min(max(generator.uniform(self.low, self.high), ends[0]), ends[1])
        size = math.exp(generator.uniform(-12.0, 7.0))
        if math.isfinite(self.low):
            return max(float(self.low + size), *ends)
        if math.isfinite(self.high):
            return min(float(self.high - size), *ends)
        return float(size if generator.random() < 0.5 else -size)

    def strategy(self) -> SearchStrategy[float]:
        """A hypothesis strategy over the range, ends included."""
        from hypothesis import strategies as st

        low = None if math.isinf(self.low) else self.low
        high = None if math.isinf(self.high) else self.high
        return st.floats(
            low,
            high,
            exclude_min=self.open_low and low is not None,
            exclude_max=self.open_high and high is not None,
            allow_nan=False,
            allow_infinity=False,
            allow_subnormal=False,
        )


@dataclass(frozen=True)
class Integer:
    """An integer parameter in [low, high]; ``high=None`` means no upper end.

    `largest_drawn` bounds the draws where large values are costly; an unbounded range is drawn
    up to 1000 unless it says otherwise.

    Examples
    --------
    >>> str(Integer(3))
    '{3, 4, ...}'
    >>> Integer(3, 9).outside()
    [2, 10, 3.5]
    """

    low: int
    high: int | None = None
    meaning: str = ""
    symbol: str = ""
    largest_drawn: int | None = None

    def __post_init__(self) -> None:
        if self.high is not None and self.low > self.high:
            raise ValueError(f"low must not exceed high, got {self.low} and {self.high}")

    def __str__(self) -> str:
        return f"{{{self.low}, {self.low + 1}, ...}}" if self.high is None else f"{{{self.low}, ..., {self.high}}}"

    def contains(self, value: Any) -> bool:
        """Whether `value` is an integer in the range."""
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
            return False
        return bool(value >= self.low and (self.high is None or value <= self.high))

    def _top(self) -> int:
        wanted = self.largest_drawn if self.largest_drawn is not None else (1000 if self.high is None else self.high)
        return max(self.low, wanted if self.high is None else min(wanted, self.high))

    def ends(self) -> list[int]:
        """The smallest and the largest value drawn."""
        return [self.low, self._top()]

    def outside(self) -> list[float]:
        """Values just outside the range, and one that is no integer."""
        found: list[float] = [self.low - 1]
        if self.high is not None:
            found.append(self.high + 1)
        return [*found, self.low + 0.5]

    def draw(self, generator: np.random.Generator) -> int:
        """A value of the range: an end one time in four, else log-uniform."""
        if generator.random() < 0.25:
            return int(generator.choice(self.ends()))
        span = self._top() - self.low + 1
        return self.low + min(int(math.exp(generator.uniform(0.0, math.log(span + 1)))) - 1, span - 1)

    def strategy(self) -> SearchStrategy[int]:
        """A hypothesis strategy over the range."""
        from hypothesis import strategies as st

        return st.integers(self.low, self._top())


@dataclass(frozen=True)
class Domain:
    """The named parameters of a claim.

    Parameters
    ----------
    parameters : mapping of str to Real or Integer
        The range of each parameter.
    assumptions : mapping of str to callable
        Further conditions on a cell, keyed by what they say; each gets the cell and
        returns whether it is met.

    Examples
    --------
    >>> domain = Domain({"d": Integer(3), "p_cot": Real(0, 1)}, {"p != 1/3": lambda cell: cell["p_cot"] != 1 / 3})
    >>> domain.validate({"d": 3, "p_cot": 0.2})
    >>> domain.validate({"d": 2, "p_cot": 0.2})
    Traceback (most recent call last):
        ...
    ValueError: d must be in {3, 4, ...}, got 2
    """

    parameters: Mapping[str, Real | Integer] = field(default_factory=dict)
    assumptions: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))
        object.__setattr__(self, "assumptions", MappingProxyType(dict(self.assumptions)))

    def __str__(self) -> str:
        ranges = [f"{name} in {parameter}" for name, parameter in self.parameters.items()]
        return ", ".join([*ranges, *self.assumptions])

    def __iter__(self) -> Iterator[str]:
        return iter(self.parameters)

    def validate(self, cell: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` unless every parameter of `cell` that the domain knows is allowed."""
        for name, value in cell.items():
            parameter = self.parameters.get(name)
            if parameter is not None and not parameter.contains(value):
                raise ValueError(f"{name} must be in {parameter}, got {value!r}")
        for condition, holds in self.assumptions.items():
            try:
                met = holds(cell)
            except KeyError:
                continue
            if not met:
                raise ValueError(f"the claim assumes {condition}, got {dict(cell)!r}")

    def draw(self, generator: np.random.Generator) -> dict[str, Any]:
        """One cell of the domain; draws that break an assumption are made again."""
        for _ in range(1000):
            cell = {name: parameter.draw(generator) for name, parameter in self.parameters.items()}
            if all(holds(cell) for holds in self.assumptions.values()):
                return cell
        raise ValueError(f"no cell met the assumptions in 1000 draws: {self}")

    def strategy(self) -> SearchStrategy[dict[str, Any]]:
        """A hypothesis strategy for whole cells."""
        from hypothesis import strategies as st

        cells = st.fixed_dictionaries({name: p.strategy() for name, p in self.parameters.items()})
        return cells.filter(lambda cell: all(holds(cell) for holds in self.assumptions.values()))
