"""What the claims about mid-training share: domains, random instances, literal enumerations, and short forms."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from proofs_check.claims import Simulation
from proofs_check.domains import Integer, Real
from proofs_check.samples import Counts

__all__ = [
    "ALPHA",
    "DELTA",
    "DISCOUNT",
    "FAILURE_RATE",
    "N_DEMONSTRATIONS",
    "N_KEPT",
    "N_LATENTS",
    "N_OPTIONS",
    "PAPER",
    "ROUNDING",
    "TOLERANCE",
    "Family",
    "elimination_cell",
    "elimination_parameters",
    "generator",
    "random_families",
    "random_law",
    "replaced",
    "rerun",
    "sequences",
    "share_leg",
    "shipped",
    "trials",
    "unseen_tail",
    "worst_rate",
]

PAPER = "Zhang, Yu, Feng, Jin, Wang, Peebles, Wang, arXiv 2509.25810"
ROUNDING = 2.0**-52

N_OPTIONS = Integer(1, meaning="options m of the library", symbol="m", largest_drawn=2000)
N_KEPT = Integer(1, meaning="size k of the subset to be found", symbol="k", largest_drawn=200)
FAILURE_RATE = Real(
    0, 1, open_low=True, open_high=True, meaning="share of failed tasks from which a subset is bad", symbol=r"\sigma"
)
DELTA = Real(0, 1, open_low=True, meaning="admitted probability that a bad subset survives", symbol=r"\delta")
N_DEMONSTRATIONS = Integer(0, meaning="demonstrations n", symbol="n", largest_drawn=400)
TOLERANCE = Real(0, open_low=True, meaning="tolerated loss of value", symbol=r"\varepsilon")
DISCOUNT = Real(0, 1, open_low=True, open_high=True, meaning="discount per primitive step", symbol=r"\gamma")
ALPHA = Real(0, 1, open_high=True, meaning="stickiness of the latents", symbol=r"\alpha")
N_LATENTS = Integer(1, meaning="number of latents K", symbol="K", largest_drawn=64)


def shipped() -> Any:
    """The unmutated closed forms, for mutants and figures."""
    import theory.mid_training as module

    return module


def replaced(**functions: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Replacements in this subject, by bare name."""
    return {f"mid_training.{name}": function for name, function in functions.items()}


def rerun(name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Callable[..., Any]]:
    """A mutant simulator: the true one with other arguments than it was given."""

    def simulate(**given: Any) -> Any:
        import sims.mid_training as module

        return getattr(module, name)(**{**given, **change(given)})

    return {f"mid_training.{name}": simulate}


def generator(number: int) -> np.random.Generator:
    """The source of random instances of exact legs; the same in every run."""
    return np.random.default_rng([250925810, number])


def trials(data: Any, name: str) -> np.ndarray:
    """All trials of all replicates of a variable, in one row."""
    return np.asarray(data[name].values).ravel()


def random_law(size: int, rng: np.random.Generator) -> list[Fraction]:
    """A law on `size` points in rationals of denominator about 60."""
    parts = rng.integers(1, 12, size)
    return [Fraction(int(part), int(parts.sum())) for part in parts]


def sequences(law: Sequence[Fraction], length: int) -> Iterator[tuple[tuple[int, ...], Fraction]]:
    """Every sequence of independent draws with its probability."""
    for drawn in itertools.product(range(len(law)), repeat=length):
        probability = Fraction(1)
        for y in drawn:
            probability *= law[y]
        yield drawn, probability


class Family:
    """Task types with a law, options that solve some of them, and the k-subsets with the types each fails.

    Attributes
    ----------
    law : list of Fraction
        Of the task type.
    masks : dict
        Subset to the bit mask of the types on which none of its options solves.
    n_options, n_kept : int
        m and k.
    """

    def __init__(self, law: Sequence[Fraction], solves: np.ndarray, n_kept: int) -> None:
        self.law = list(law)
        self.n_options = solves.shape[0]
        self.n_kept = n_kept
        self.masks: dict[tuple[int, ...], int] = {}
        for subset in itertools.combinations(range(self.n_options), n_kept):
            failed = ~solves[list(subset)].any(axis=0)
            self.masks[subset] = sum(1 << int(y) for y in np.flatnonzero(failed))

    def rate(self, subset: tuple[int, ...]) -> Fraction:
        """b(B), the probability of a task that the subset fails."""
        mask = self.masks[subset]
        return sum((p for y, p in enumerate(self.law) if mask >> y & 1), start=Fraction(0))

    def bad(self, sigma: Fraction) -> list[tuple[int, ...]]:
        """The subsets that fail at least a share sigma of the tasks."""
        return [subset for subset in self.masks if self.rate(subset) >= sigma]

    def eliminated(self, sigma: Fraction, n: int) -> Fraction:
        """P(no bad subset survives n tasks), over all sequences of task types."""
        wanted = [self.masks[subset] for subset in self.bad(sigma)]
        total = Fraction(0)
        for drawn, probability in sequences(self.law, n):
            seen = 0
            for y in drawn:
                seen |= 1 << y
            if all(mask & seen for mask in wanted):
                total += probability
        return total

    def gaps(self) -> np.ndarray:
        """Value lost, 1 for a failed task type: shape (types, subsets)."""
        return np.array([[float(mask >> y & 1) for mask in self.masks.values()] for y in range(len(self.law))])


@lru_cache(maxsize=4)
def random_families(count: int, n_types: int = 4, n_options: int = 5, n_kept: int = 2) -> tuple[Family, ...]:
    """Random families, each with at least one subset that fails nothing and one that does."""
    rng = generator(1)
    found: list[Family] = []
    while len(found) < count:
        family = Family(random_law(n_types, rng), rng.random((n_options, n_types)) < 0.6, n_kept)
        rates = [family.rate(subset) for subset in family.masks]
        if min(rates) == 0 and max(rates) > 0:
            found.append(family)
    return tuple(found)


def worst_rate(family: Family) -> Fraction:
    """The smallest positive failure rate: at this sigma every imperfect subset is bad."""
    return min(rate for rate in map(family.rate, family.masks) if rate > 0)


def unseen_tail(d: int, q: Fraction, least: int, n: int) -> Fraction:
    """P(at least `least` of d types of probability q are unseen), by inclusion and exclusion over sets of types."""
    total = Fraction(0)
    for j in range(least, d + 1):
        sign = -1 if (j - least) % 2 else 1
        total += sign * math.comb(j - 1, least - 1) * math.comb(d, j) * (1 - j * q) ** n
    return total


def elimination_cell(index: int, n: int) -> dict[str, Any]:
    """A random family and a number of demonstrations."""
    return {"family": index, "n": n}


def elimination_parameters(cell: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the elimination experiment on that family."""
    family = random_families(6)[cell["family"]]
    return {
        "gaps": family.gaps(), "probabilities": [float(p) for p in family.law], "tolerance": 0.5,
        "failure_rate": float(worst_rate(family)), "n_demonstrations": cell["n"], "n_trials": 2000,
    }  # fmt: skip


def share_leg(
    name: str,
    experiment: str,
    cells: list[dict[str, Any]],
    parameters: Any,
    event: Any,
    predict: Any,
    cost: float = 0.2,
) -> Simulation:
    """The share of trials with an event, over cells of one experiment, against an exact probability."""

    def extract(data: Any, cell: Mapping[str, Any]) -> Counts:
        found = event(data, cell)
        return Counts(int(found.sum()), int(found.size))

    return Simulation(
        name,
        f"mid_training.{experiment}",
        cells=cells,
        parameters=parameters,
        extract=extract,
        predict=predict,
        resolution=0.03,
        planned_n=10,
        looks=4,
        unit="2000 trials",
        cost=cost,
    )
