"""A sweep: an experiment, the values of each swept parameter, what stays fixed, and seeds.

A cell is one combination of the swept values. It is computed in parts, each a block of its seeds; how many seeds
make a block depends on the cell's estimated cost alone, never on the workers. A part's address is a digest of the
experiment, all parameters and the part's seeds.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from sims._experiments import REQUIRED, Experiment, Parameter, find

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Part", "Sweep", "axis_values", "encoded", "from_specification", "label", "read_settings", "split_values"]

MOST_CELLS = 100_000_000
MOST_VALUES = 1_000_000
BLOCK_SECONDS = 0.5  # estimated; what a kill in mid-run may cost
BLOCK_MOST = 1024

RANGE = re.compile(r"([^:\s]+):([^:\s]+):(\d+)(?::(log))?")


def encoded(value: Any) -> str:
    """A value's canonical text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def label(parameter: Parameter, value: Any) -> Any:
    """What stands for a value in the coordinate of a swept parameter: the number, or a text."""
    if value is None:
        return "none"
    if parameter.kind in ("int", "float", "bool", "word"):
        return value
    if parameter.kind == "words":
        return "+".join(value)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else encoded(value)


def split_values(text: str) -> list[str]:
    """Cut at the commas outside brackets and quotation marks.

    Examples
    --------
    >>> split_values('1, [2, 3], {"a": "b,c"}')
    ['1', '[2, 3]', '{"a": "b,c"}']
    """
    pieces, depth, quoted, begin = [], 0, False, 0
    for position, character in enumerate(text):
        if character == '"' and text[position - 1 : position] != "\\":
            quoted = not quoted
        elif not quoted and character in "[{":
            depth += 1
        elif not quoted and character in "]}":
            depth -= 1
        elif character == "," and depth <= 0 and not quoted:
            pieces.append(text[begin:position])
            begin = position + 1
    return [piece.strip() for piece in [*pieces, text[begin:]]]


def _decimal(parameter: Parameter, text: str) -> Fraction:
    try:
        if len(text) < 50 and abs(int(re.sub(r".*[eE]", "", text) if "e" in text.lower() else "0")) < 400:
            return Fraction(text)
    except (ValueError, ZeroDivisionError):
        pass
    raise ValueError(f"{parameter.name} must have numbers at the ends of a range, got {text!r}")


def _range_values(parameter: Parameter, text: str) -> list[Any] | None:
    """Values of START:STOP:COUNT[:log], both ends included; None where the text is no range.

    Equal steps are taken between the decimals as written, so that 0.05:0.5:10 holds 0.15 and not its neighbour.
    """
    match = RANGE.fullmatch(text)
    if match is None or parameter.kind not in ("int", "float", "json"):
        return None
    count = int(match[3]) if len(match[3]) < 9 else MOST_VALUES + 1
    if not 2 <= count <= MOST_VALUES:
        raise ValueError(f"{parameter.name} must have 2 to {MOST_VALUES} values in a range, got {text!r}")
    low, high = _decimal(parameter, match[1]), _decimal(parameter, match[2])
    if match[4]:
        if low <= 0 or high <= 0:
            raise ValueError(f"{parameter.name} must have positive ends in a logarithmic range, got {text!r}")
        first, last = math.log(low), math.log(high)
        exact: list[Any] = [math.exp(first + (last - first) * i / (count - 1)) for i in range(count)]
        exact[0], exact[-1] = low, high
        if parameter.kind == "int":
            exact = [round(value) for value in exact]
    else:
        exact = [low + (high - low) * i / (count - 1) for i in range(count)]
    if parameter.kind == "int":
        if any(value != int(value) for value in exact):
            raise ValueError(f"{parameter.name} must be an integer all along a range, got {text!r}")
        return list(dict.fromkeys(parameter.check(int(value)) for value in exact))
    return [parameter.check(float(value)) for value in exact]


def axis_values(parameter: Parameter, given: Any) -> list[Any]:
    """Return the values of a swept parameter, from text or a sequence; ValueError names it.

    Examples
    --------
    >>> p = Parameter("p", "float", "1", "a share")
    >>> axis_values(p, "0.05:0.25:5,0.9")
    [0.05, 0.1, 0.15, 0.2, 0.25, 0.9]
    """
    if isinstance(given, str):
        values: list[Any] = []
        for piece in split_values(given):
            found = _range_values(parameter, piece)
            values.extend([parameter.read(piece)] if found is None else found)
    else:
        if hasattr(given, "tolist"):
            given = given.tolist()
        if not isinstance(given, (list, tuple, range)) or len(given) > MOST_VALUES:
            raise ValueError(f"{parameter.name} must be swept over a sequence or a text, got {given!r}")
        values = [parameter.check(value) for value in given]
    if not values:
        raise ValueError(f"{parameter.name} must have at least one value, got none")
    texts = [encoded(value) for value in values]
    if len(set(texts)) < len(texts):
        twice = next(text for text in texts if texts.count(text) > 1)
        raise ValueError(f"{parameter.name} must have distinct values, got {twice} twice")
    return values


def read_settings(experiment: Experiment, settings: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what is swept and what is fixed, from ``key=value`` texts.

    Examples
    --------
    >>> read_settings(find("parity_mixture"), ["d=5,6", "p_cot=0.2"])
    ({'d': [5, 6]}, {'p_cot': 0.2})
    """
    known = {parameter.name: parameter for parameter in experiment.parameters}
    swept: dict[str, Any] = {}
    fixed: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        key = key.strip()
        if not equals:
            raise ValueError(f"--set must be key=value, got {setting!r}")
        if key not in known:
            raise ValueError(f"--set of {experiment.name} must name one of {', '.join(known)}, got {key!r}")
        if key in swept or key in fixed:
            raise ValueError(f"--set must give each parameter once, got {key!r} twice")
        values = axis_values(known[key], text)
        if len(values) > 1 or RANGE.fullmatch(text.strip()):
            swept[key] = values
        else:
            fixed[key] = values[0]
    return swept, fixed


def _shortest(parameter: Parameter, values: list[Any]) -> Any:
    """The values, or the range that they are."""
    numbers = len(values) > 4 and all(isinstance(value, (int, float)) for value in values)
    text = f"{values[0]}:{values[-1]}:{len(values)}"
    if numbers and parameter.kind in ("int", "float", "json") and RANGE.fullmatch(text):
        try:
            return text if axis_values(parameter, text) == values else values
        except ValueError:
            return values
    return values


class Part(NamedTuple):
    """A block of one cell's seeds: what is computed, stored and lost as a whole."""

    number: int
    cell: int
    first: int
    last: int


@dataclass(frozen=True)
class Sweep:
    """An experiment over a grid of parameters; made by :meth:`build`."""

    experiment: Experiment
    axes: dict[str, list[Any]]
    fixed: dict[str, Any]
    seeds: Sequence[int]

    @staticmethod
    def build(
        experiment: Experiment, swept: Mapping[str, Any], fixed: Mapping[str, Any], seeds: Sequence[int]
    ) -> Sweep:
        """Check everything that can be checked without running, fill in defaults, and put the axes in their order."""
        for name, given in (("sweep", swept), ("fixed", fixed)):
            if not isinstance(given, Mapping):
                raise ValueError(f"{name} must map parameters to values, got {given!r}")
            for key in given:
                if key not in [parameter.name for parameter in experiment.parameters]:
                    allowed = ", ".join(parameter.name for parameter in experiment.parameters)
                    raise ValueError(f"{name} must name parameters of {experiment.name} ({allowed}), got {key!r}")
        both = sorted(set(swept) & set(fixed))
        if both:
            raise ValueError(f"sweep and fixed must not share parameters, got {both[0]!r} in both")
        axes, constant, lacking = {}, {}, []
        for parameter in experiment.parameters:
            if parameter.name in swept:
                axes[parameter.name] = axis_values(parameter, swept[parameter.name])
            elif parameter.name in fixed:
                constant[parameter.name] = parameter.check(fixed[parameter.name])
            elif parameter.default == REQUIRED:
                lacking.append(parameter.name)
            else:
                constant[parameter.name] = None if parameter.default is None else parameter.check(parameter.default)
        if lacking:
            raise ValueError(f"{experiment.name} needs --set {' --set '.join(name + '=...' for name in lacking)}")
        cells = math.prod(len(values) for values in axes.values())
        if cells > MOST_CELLS:
            raise ValueError(f"sweep must have at most {MOST_CELLS} cells, got {cells}")
        return Sweep(experiment, axes, constant, seeds)

    # The grid

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(len(values) for values in self.axes.values())

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return math.prod(self.shape)

    def position(self, cell: int) -> tuple[int, ...]:
        """Indices of a cell along the axes, the last one running fastest."""
        found = []
        for size in reversed(self.shape):
            cell, index = divmod(cell, size)
            found.append(index)
        return tuple(reversed(found))

    def values(self, cell: int) -> dict[str, Any]:
        """All parameters of a cell."""
        at = zip(self.axes.items(), self.position(cell), strict=True)
        return {**self.fixed, **{name: values[index] for (name, values), index in at}}

    def swept(self, cell: int) -> dict[str, Any]:
        """The swept parameters of a cell, as their coordinates show them."""
        known = {parameter.name: parameter for parameter in self.experiment.parameters}
        at = zip(self.axes.items(), self.position(cell), strict=True)
        return {name: label(known[name], values[index]) for (name, values), index in at}

    # Parts

    @cached_property
    def costs(self) -> np.ndarray:
        """Estimated seconds of one replicate of each cell."""
        import numpy as np

        names, cost, fixed = list(self.axes), self.experiment.cost, dict(self.fixed)
        found = np.empty(self.n_cells)
        for cell, values in enumerate(itertools.product(*self.axes.values())):
            fixed.update(zip(names, values, strict=True))
            found[cell] = cost(fixed)
        return found

    @cached_property
    def blocks(self) -> np.ndarray:
        """Seeds in a block of each cell: a power of two."""
        import numpy as np

        wanted = np.clip(BLOCK_SECONDS / np.maximum(self.costs, 1e-9), 1, BLOCK_MOST)
        return np.asarray(2 ** np.floor(np.log2(wanted)), dtype=np.int64)

    @cached_property
    def offsets(self) -> np.ndarray:
        """Index of the first part of each cell, and behind the last one the number of parts."""
        import numpy as np

        return np.concatenate(([0], np.cumsum(-(-len(self.seeds) // self.blocks))))

    @property
    def n_parts(self) -> int:
        """Number of parts."""
        return int(self.offsets[-1])

    def part(self, index: int) -> Part:
        """Return the part of that index."""
        cell = int(self.offsets.searchsorted(index, side="right")) - 1
        block = int(self.blocks[cell])
        first = (index - int(self.offsets[cell])) * block
        return Part(index, cell, first, min(first + block, len(self.seeds)))

    def parts(self) -> Iterator[Part]:
        """All parts, cell by cell."""
        for cell, block in enumerate(self.blocks.tolist()):
            begin = int(self.offsets[cell])
            for number, first in enumerate(range(0, len(self.seeds), block)):
                yield Part(begin + number, cell, first, min(first + block, len(self.seeds)))

    def part_costs(self) -> np.ndarray:
        """Estimated seconds of each part."""
        import numpy as np

        counts = np.diff(self.offsets)
        sizes = np.repeat(self.blocks, counts)
        last = self.offsets[1:] - 1
        sizes[last] = len(self.seeds) - (counts - 1) * self.blocks
        return np.asarray(np.repeat(self.costs, counts) * sizes)

    # Names that outlive the process

    @cached_property
    def _texts(self) -> list[tuple[str, list[str]]]:
        names = sorted(parameter.name for parameter in self.experiment.parameters)
        return [(name, [encoded(value) for value in self.axes.get(name, [self.fixed.get(name)])]) for name in names]

    @cached_property
    def _along(self) -> list[int]:
        """For each of the sorted parameters the axis it runs along, or -1."""
        order = {name: number for number, name in enumerate(self.axes)}
        return [order.get(name, -1) for name, _ in self._texts]

    def seeds_text(self, first: int, last: int) -> str:
        """Some of the seeds in words."""
        if isinstance(self.seeds, range) and self.seeds.step == 1:
            return f"{self.seeds.start + first}:{self.seeds.start + last}"
        chosen = list(self.seeds[first:last])
        if chosen == list(range(chosen[0], chosen[0] + len(chosen))):
            return f"{chosen[0]}:{chosen[-1] + 1}"
        return ",".join(map(str, chosen))

    def address(self, part: Part) -> bytes:
        """Digest of what a part is about."""
        at = self.position(part.cell)
        pieces = [
            f"{name}={texts[at[axis]] if axis >= 0 else texts[0]}"
            for (name, texts), axis in zip(self._texts, self._along, strict=True)
        ]
        text = "\n".join((self.experiment.name, *pieces, self.seeds_text(part.first, part.last)))
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    @cached_property
    def specification(self) -> str:
        """Everything that defines the sweep, as JSON."""
        seeds: Any = list(self.seeds)
        if seeds == list(range(seeds[0], seeds[0] + len(seeds))):
            seeds = {"start": seeds[0], "stop": seeds[-1] + 1}
        parts = {"experiment": self.experiment.name, "sweep": self.axes, "fixed": self.fixed, "seeds": seeds}
        return json.dumps(parts, separators=(",", ":"))

    def extends(self, other: str) -> bool:
        """Whether this sweep holds every cell and seed of the one that `other` specifies."""
        old = json.loads(other)
        if old["experiment"] != self.experiment.name:
            return False
        seeds = old["seeds"]
        before = set(range(seeds["start"], seeds["stop"]) if isinstance(seeds, dict) else seeds)
        if not before <= set(self.seeds):
            return False
        mine = {name: set(texts) for name, texts in self._texts}
        then = {name: [value] for name, value in old["fixed"].items()} | old["sweep"]
        return set(then) == set(mine) and all({encoded(v) for v in then[name]} <= mine[name] for name in mine)

    def call(self, out: str | None = None) -> str:
        """The equivalent library call, for a notebook."""
        defaults = {parameter.name: parameter.default for parameter in self.experiment.parameters}
        given = {
            name: value
            for name, value in self.fixed.items()
            if defaults[name] == REQUIRED or encoded(value) != encoded(defaults[name])
        }
        start = self.seeds[0]
        is_range = list(self.seeds) == list(range(start, start + len(self.seeds)))
        seeds = f"range({start}, {start + len(self.seeds)})" if is_range else f"{list(self.seeds)}"
        seeds = seeds.replace("range(0, ", "range(")
        known = {parameter.name: parameter for parameter in self.experiment.parameters}
        swept = {name: _shortest(known[name], values) for name, values in self.axes.items()}
        pieces = [repr(self.experiment.name)]
        pieces += [f"sweep={swept!r}"] if swept else []
        pieces += [f"fixed={given!r}"] if given else []
        pieces += [f"seeds={seeds}"]
        pieces += [f"out={out!r}"] if out is not None else []
        return f"sims.sweeps.run({', '.join(pieces)})"


def from_specification(text: str, experiment: Experiment | None = None) -> Sweep:
    """Rebuild a sweep from :attr:`Sweep.specification`; `experiment` where it is none of the registered ones."""
    try:
        parts = json.loads(text)
        chosen = find(parts["experiment"]) if experiment is None else experiment
        seeds = parts["seeds"]
        numbers = range(seeds["start"], seeds["stop"]) if isinstance(seeds, dict) else seeds
        return Sweep.build(chosen, parts["sweep"], parts["fixed"], numbers)
    except (KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(f"the sweep cannot be read from its description: {error}") from None
