"""``python -m proofs_check.worst_case``: where in its domain each bound comes closest to what is measured.

The ratio is measured over limit for an upper bound and limit over measured for a lower one, so that 1 means attained
and more than 1 broken. A search that maximises a noisy ratio picks lucky noise. So the points it likes best are
measured again on fresh seeds, the best of these is chosen, and that one is measured a third time on seeds that had no
part in choosing it: this last ratio, with its interval, is what is reported, beside the one that the search saw.

Points where the limit says nothing (a probability bounded by more than 1), or is too rare an event for the sample, are
taken only if there are no others. A quarter of the budget goes to hypothesis, which draws over the ranges, ends
included, and climbs by ``target``; the rest to differential evolution (scipy) from the best point found and random
ones, because climbing one parameter at a time stalls on ridges. Both work on the unit cube, whose axes are logarithmic
where a range spans magnitudes.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from proofs_check.bounds import Bound, Exactly, Measured, broken, find_bounds, from_claim, ratio, ratio_interval
from proofs_check.claims import Claim
from proofs_check.domains import Domain, Integer, Real
from proofs_check.lab import CLAIM_LEVEL, Lab
from proofs_check.samples import Counts
from proofs_check.verdicts import Interval

__all__ = ["WorstCase", "worst_case", "worst_cases"]

# Hypothesis mixes constants of the modules that happen to be loaded into its draws, so that a search would depend on
# what else was imported; no source holds constants from here on. Up to 2^24 values its draws are uniform.
_FIRST, _LEVELS = 2**70, 2**24
_ENDS = 0.06  # share of the draws that each end of a range gets
EVENTS = 5  # expected events below which a share says nothing about a limit
_UNINFORMATIVE = -100.0
_BROKEN = 200.0


@dataclass(frozen=True)
class WorstCase:
    """The point of a domain at which a bound was found tightest, measured again.

    Attributes
    ----------
    id, kind : str
        The bound.
    point : dict
        Where.
    selected : float
        The ratio that the search saw there; too large if it is noisy.
    ratio : float
        The ratio on fresh seeds.
    interval : Interval
        Of the ratio, missing the truth with probability at most `alpha`; its ends are those of rounding if `exact`.
    observed, limit : float
        Measured quantity on fresh seeds, and what the bound says.
    alpha : float
        Error probability of the interval.
    n : int
        Units of the fresh measurement.
    exact : bool
        Whether the quantity has no sampling error: then the ratio is that of the search.
    vacuous : bool
        Whether the limit says nothing there, which means that no point with more to say was found.
    broken : bool
        Whether the bound is violated beyond an error probability of 1e-9.
    fails : bool
        Whether the statement is known to be false.
    informative : float
        Share of the points tried at which the limit could be compared with something.
    evaluations : int
        Measurements that the search made.
    complete : bool
        False if the time ran out: then another machine may find another point.
    seconds : float
        Duration.
    """

    id: str
    kind: str
    point: Mapping[str, Any]
    selected: float
    ratio: float
    interval: Interval
    observed: float
    limit: float
    alpha: float
    n: int
    exact: bool
    vacuous: bool
    broken: bool
    fails: bool
    informative: float
    evaluations: int
    complete: bool
    seconds: float = field(compare=False)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and strings; what is infinite is written ``"inf"``."""
        out = {
            name: getattr(self, name)
            for name in (
                "id", "kind", "point", "selected", "ratio", "interval", "observed", "limit", "alpha", "n", "exact",
                "vacuous", "broken", "fails", "informative", "evaluations", "complete", "seconds",
            )
        }  # fmt: skip
        return {name: _plain(value) for name, value in out.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else ("-inf" if value < 0 else "inf")
    return value


# ---------------------------------------------------------------- scales


def _logarithmic(parameter: Real | Integer) -> bool:
    low, high = parameter.ends()
    return low > 0 and 20 * low <= high <= 1e7


def _from_unit(parameter: Real | Integer, u: float) -> Any:
    """The value at a share u of the range, on a logarithmic scale where the range spans magnitudes."""
    low, high = parameter.ends()
    u = min(max(float(u), 0.0), 1.0)
    if isinstance(parameter, Integer):
        if _logarithmic(parameter):
            whole = math.floor(math.exp(math.log(low) + u * (math.log(high + 1) - math.log(low))))
            return max(int(low), min(int(high), whole))  # the exponential of a logarithm may round below it
        return min(int(high), int(low) + math.floor(u * (int(high) - int(low) + 1)))
    if _logarithmic(parameter):
        return min(max(math.exp(math.log(low) + u * (math.log(high) - math.log(low))), low), high)
    return min(max(low + u * (high - low), low), high)


def _to_unit(parameter: Real | Integer, value: Any) -> float:
    low, high = parameter.ends()
    if isinstance(parameter, Integer):
        if _logarithmic(parameter):
            return float((math.log(value + 0.5) - math.log(low)) / (math.log(high + 1) - math.log(low)))
        return float((value - low + 0.5) / (high - low + 1))
    if low == high:
        return 0.5
    if _logarithmic(parameter):
        return math.log(value / low) / math.log(high / low)
    return float((value - low) / (high - low))


def _bounded(domain: Domain) -> None:
    for name, parameter in domain.parameters.items():
        if len(parameter.ends()) < 2:
            raise ValueError(f"{name} must have two finite ends to be searched, got {parameter}; narrow the domain")


# ---------------------------------------------------------------- the search


@dataclass(frozen=True)
class _Try:
    point: Mapping[str, Any]
    score: float
    ratio: float
    exact: bool
    informative: bool


class _Spent(Exception):
    """The time is up."""


class _Search:
    """Measurements of one bound, each on seeds of its own, and a record of all of them."""

    def __init__(self, bound: Bound, lab: Lab, seed: int, deadline: float) -> None:
        self.bound, self.lab, self.deadline = bound, lab, deadline
        self.tries: list[_Try] = []
        self._next = seed * 2**32
        self._fresh = seed * 2**32 + 2**31  # seeds that the search never reaches

    def measured(self, point: Mapping[str, Any], n: int, fresh: bool) -> Measured:
        first = self._fresh if fresh else self._next
        if fresh:
            self._fresh += n
        else:
            self._next += n
        return self.bound.measure(self.lab, point, range(first, first + n))

    def informative(self, found: Measured) -> bool:
        """Whether the limit is neither vacuous nor too rare for the sample."""
        if self.bound.vacuous(found.limit):
            return False
        return not isinstance(found.sample, Counts) or found.limit * found.sample.size >= EVENTS

    def score(self, found: Measured) -> float:
        value = min(max(ratio(self.bound.kind, found), 1e-12), 1e12)
        score = math.log(value)
        if broken(self.bound.kind, found, CLAIM_LEVEL):
            return score + _BROKEN
        return score if self.informative(found) else score + _UNINFORMATIVE

    def evaluate(self, point: Mapping[str, Any]) -> float:
        if time.perf_counter() > self.deadline and self.tries:
            raise _Spent
        found = self.measured(point, self.bound.n, fresh=False)
        score = self.score(found)
        self.tries.append(
            _Try(
                dict(point),
                score,
                ratio(self.bound.kind, found),
                isinstance(found.sample, Exactly),
                self.informative(found),
            )
        )
        return score

    def best(self, count: int) -> list[_Try]:
        """The best distinct points."""
        chosen: dict[str, _Try] = {}
        for found in sorted(self.tries, key=lambda t: -t.score):
            chosen.setdefault(repr(sorted(found.point.items())), found)
            if len(chosen) == count:
                break
        return list(chosen.values())


def _draw_and_climb(search: _Search, seed: int, examples: int) -> None:
    """Hypothesis: random points with the ends among them, then hill climbing on the numbers behind the best one."""
    from hypothesis import HealthCheck, Phase, given, reject, settings, target
    from hypothesis import seed as with_seed
    from hypothesis import strategies as st

    domain = search.bound.domain
    levels = {name: st.integers(_FIRST, _FIRST + _LEVELS - 1) for name in domain}

    @with_seed(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        phases=(Phase.generate, Phase.target),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.fixed_dictionaries(levels))
    def climb(drawn: dict[str, int]) -> None:
        shares = {name: (level - _FIRST) / (_LEVELS - 1) for name, level in drawn.items()}
        point = {name: _from_unit(domain.parameters[name], (u - _ENDS) / (1 - 2 * _ENDS)) for name, u in shares.items()}
        if not all(holds(point) for holds in domain.assumptions.values()):
            reject()
        if len(search.tries) < examples:
            target(search.evaluate(point), label="score")

    climb()


def _evolve(search: _Search, seed: int, examples: int) -> None:
    """Differential evolution from the best point so far and random ones; more of the best would crowd one corner."""
    from scipy.optimize import differential_evolution

    domain, names = search.bound.domain, list(search.bound.domain)
    size = max(8, min(24, 5 * len(names), examples // 4))
    if examples < 2 * size or not names:
        return
    generator = np.random.default_rng([58, seed])
    known = search.best(1)
    start = [[_to_unit(domain.parameters[name], found.point[name]) for name in names] for found in known]
    start += generator.random((size - len(start), len(names))).tolist()
    last = len(search.tries) + examples

    def loss(u: np.ndarray) -> float:
        point = {name: _from_unit(domain.parameters[name], x) for name, x in zip(names, u, strict=True)}
        if len(search.tries) >= last or not all(holds(point) for holds in domain.assumptions.values()):
            return 1e3
        return -search.evaluate(point)

    differential_evolution(
        loss,
        [(0.0, 1.0)] * len(names),
        init=np.clip(np.array(start), 0.0, 1.0),
        maxiter=examples // size + len(names),
        tol=0,
        polish=False,
        rng=generator,
        callback=lambda *a, **k: len(search.tries) >= last,
    )


def _confirm(search: _Search, candidates: int, fresh: int) -> tuple[_Try, Measured]:
    """Measure the best points again, choose one, and measure it once more; an exact quantity needs no second look."""
    best = search.best(candidates)
    if best[0].exact:
        return best[0], search.measured(best[0].point, search.bound.n, fresh=True)
    n = search.bound.n
    second = [search.score(search.measured(found.point, n * max(1, fresh // 4), fresh=True)) for found in best]
    chosen = best[int(np.argmax(second))]
    return chosen, search.measured(chosen.point, n * fresh, fresh=True)


def _resolve(target: Bound | Claim | str, domain: Domain | None) -> Bound:
    if isinstance(target, Bound):
        found = [target]
    elif isinstance(target, Claim):
        found = from_claim(target, domain)
    else:
        found = find_bounds([target])
    if len(found) != 1:
        known = ", ".join(b.id for b in found) or "none"
        raise ValueError(f"a search takes one bound, got {len(found)}: {known}; name one of them, or use worst_cases")
    return found[0]


def _integer(name: str, value: Any, low: int, high: float = math.inf) -> int:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)) or not low <= value <= high:
        raise ValueError(f"{name} must be an integer in [{low}, {high:g}], got {value!r}")
    return int(value)


def worst_case(
    target: Bound | Claim | str,
    *,
    seed: int = 0,
    examples: int = 200,
    seconds: float | None = None,
    candidates: int = 6,
    fresh: int = 16,
    alpha: float = 1e-3,
    domain: Domain | None = None,
    lab: Lab | None = None,
) -> WorstCase:
    """Search the domain of a bound for the point at which it is tightest, and measure that point again.

    Parameters
    ----------
    target : Bound, Claim or str
        A bound of your own, the id of one of the project's (see :func:`proofs_check.bounds.find_bounds`), or a claim
        with one simulation leg that compares with an upper or lower limit.
    seed : int
        In [0, 2**31); the same seed gives the same result, unless `seconds` cuts the search short.
    examples : int
        Measurements of the search, at least 2.
    seconds : float, optional
        Time after which the search stops.
    candidates : int
        Points measured a second time.
    fresh : int
        The last measurement takes this many times the seeds of one of the search.
    alpha : float
        Error probability of the reported interval, in (0, 1).
    domain : Domain, optional
        For a claim: where to draw the cells of its leg, instead of from the listed ones.
    lab : Lab, optional
        Where closed forms and simulators come from; by default the shipped ones.

    Returns
    -------
    WorstCase
        The point with its ratio on fresh seeds.

    Raises
    ------
    ValueError
        If an argument leaves its range, the target is not one bound, or a parameter of its domain has no finite ends.

    Examples
    --------
    >>> found = worst_case("linear_model.chain_bias_bound", examples=60)
    >>> 0.99 < found.ratio <= 1, found.exact, found.point["ridge"] < 1e-3
    (True, True, True)
    """
    bound = _resolve(target, domain)
    _bounded(bound.domain)
    seed = _integer("seed", seed, 0, 2**31 - 1)
    examples, candidates, fresh = (
        _integer("examples", examples, 2, 2**31 // (2 * bound.n)),
        _integer("candidates", candidates, 1),
        _integer("fresh", fresh, 1),
    )
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be in (0, 1), got {alpha!r}")
    if seconds is not None and not seconds > 0:
        raise ValueError(f"seconds must be in (0, inf), got {seconds!r}")
    if bound.n * (fresh + candidates * max(1, fresh // 4)) > 2**31:
        raise ValueError(f"fresh must be smaller for {bound.n} seeds a measurement, got {fresh}")
    start = time.perf_counter()
    search = _Search(bound, lab or Lab(), seed, math.inf if seconds is None else start + seconds)
    complete = True
    try:
        _draw_and_climb(search, seed, examples - 3 * examples // 4)
        _evolve(search, seed, examples - len(search.tries))
    except _Spent:
        complete = False
    chosen, found = _confirm(search, candidates, fresh)
    interval = ratio_interval(bound.kind, found, alpha)
    return WorstCase(
        id=bound.id,
        kind=bound.kind,
        point=chosen.point,
        selected=chosen.ratio,
        ratio=ratio(bound.kind, found),
        interval=Interval(max(0.0, interval.low), interval.high),
        observed=found.sample.estimate,
        limit=found.limit,
        alpha=alpha,
        n=found.sample.size,
        exact=chosen.exact,
        vacuous=not search.informative(found),
        broken=broken(bound.kind, found, CLAIM_LEVEL),
        fails=bound.fails,
        informative=sum(t.informative for t in search.tries) / len(search.tries),
        evaluations=len(search.tries),
        complete=complete,
        seconds=time.perf_counter() - start,
    )


def _search_by_id(name: str, options: Mapping[str, Any]) -> WorstCase:
    """What a worker process does: the bound is looked up again there."""
    bound = next(b for b in find_bounds([name.split(":")[0]]) if b.id == name)
    return worst_case(bound, **options)


def worst_cases(
    names: Iterable[str] = (),
    *,
    jobs: int = 1,
    on_result: Callable[[WorstCase], None] | None = None,
    **options: Any,
) -> list[WorstCase]:
    """Search every bound of the given subjects, claims or ids; of the whole project if none is given.

    Parameters
    ----------
    names : iterable of str
        As for :func:`proofs_check.bounds.find_bounds`.
    jobs : int
        Worker processes; the results do not depend on it.
    on_result : callable, optional
        Called with each result as it arrives.
    **options
        Of :func:`worst_case`.

    Returns
    -------
    list of WorstCase
        In the order of the bounds.

    Examples
    --------
    >>> [found.id for found in worst_cases(["linear_model.chain_bias_bound"], examples=20)]
    ['linear_model.chain_bias_bound']
    """
    bounds = find_bounds(names)
    tell = on_result or (lambda found: None)
    if jobs == 1 or len(bounds) < 2:
        results = []
        for bound in bounds:
            results.append(worst_case(bound, **options))
            tell(results[-1])
        return results

    from joblib import Parallel, delayed

    arrived: dict[str, WorstCase] = {}
    tasks = (delayed(_search_by_id)(bound.id, options) for bound in bounds)
    for found in Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)(tasks):
        arrived[found.id] = found
        tell(found)
    return [arrived[bound.id] for bound in bounds]


# ---------------------------------------------------------------- the command


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "inf"


def _where(point: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} = {v:.4g}" if isinstance(v, float) else f"{k} = {v}" for k, v in point.items())


def _line(found: WorstCase) -> str:
    return f"{found.id}: {_number(found.ratio)} at {_where(found.point)}"


def _order(found: WorstCase) -> float:
    return -found.ratio + (1e6 if found.vacuous else 0.0)


def _print_table(results: Sequence[WorstCase], console: Any) -> None:
    from rich.table import Table

    for title, chosen in (
        ("measured / limit (upper) or limit / measured (lower), largest first", [f for f in results if not f.fails]),
        ("statements known to be false: above 1 where the search broke them", [f for f in results if f.fails]),
    ):
        if not chosen:
            continue
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for name in ("bound", "search saw", "fresh seeds", "interval", "where"):
            table.add_column(name, overflow="fold")
        for found in sorted(chosen, key=_order):
            marks = " broken" if found.broken else " vacuous" if found.vacuous else ""
            interval = "exact" if found.exact else f"[{_number(found.interval.low)}, {_number(found.interval.high)}]"
            table.add_row(
                found.id, _number(found.selected), _number(found.ratio) + marks, interval, _where(found.point)
            )
        console.print(table, markup=False, highlight=False)


def _summary(results: Sequence[WorstCase]) -> list[str]:
    said = [f for f in results if not f.fails and not f.vacuous]
    lines = []
    if said:
        lines.append("tightest: " + _line(max(said, key=lambda f: (f.interval.low, f.ratio))))
        lines.append("loosest: " + _line(min(said, key=lambda f: f.ratio)))
    silent = [f.id for f in results if not f.fails and f.vacuous]
    if silent:
        lines.append("vacuous wherever measured: " + ", ".join(silent))
    over = [f.id for f in results if not f.fails and f.broken]
    lines.append("broken: " + (", ".join(over) or "none"))
    return lines


app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def search(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ID|SUBJECT ...]", show_default=False)] = None,
    examples: Annotated[int, typer.Option(min=2, help="Measurements of each search.")] = 200,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Base seed.")] = 0,
    seconds: Annotated[float | None, typer.Option(help="Time limit of each search.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Worker processes; figures do not depend on it.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON.")] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Print the bounds with their domains, and stop.")] = False,
) -> None:
    """Find where each bound comes closest to what is measured.

    Exit code 0: no bound is broken; 1: one is; 2: usage.
    """
    from rich.console import Console

    try:
        bounds = find_bounds(names or [])
        if seconds is not None and not seconds > 0:
            raise ValueError(f"--seconds must be positive, got {seconds}")
        if json_file is not None and not json_file.absolute().parent.is_dir():
            raise ValueError(f"--json must name a file in an existing directory, got {str(json_file)!r}")
    except ValueError as error:
        print(f"proofs_check.worst_case: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    console = Console()
    if not console.is_terminal:
        console = Console(width=160)
    if list_only:
        for bound in bounds:
            console.print(f"{bound.id} ({bound.kind}): {bound.domain}", markup=False, highlight=False, soft_wrap=True)
        return

    def tell(found: WorstCase) -> None:
        print(f"{_line(found)} ({found.seconds:.1f} s)", file=sys.stderr, flush=True)

    results = worst_cases(
        [bound.id for bound in bounds] if names else [], jobs=jobs, on_result=tell, examples=examples, seed=seed,
        seconds=seconds,
    )  # fmt: skip
    _print_table(results, console)
    for line in _summary(results):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if json_file is not None:
        ledger = {"seed": seed, "examples": examples, "bounds": [found.to_json() for found in results]}
        json_file.write_text(json.dumps(ledger, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    raise typer.Exit(1 if any(f.broken and not f.fails for f in results) else 0)


def main() -> None:
    """Entry point; Ctrl-C ends with one line and the usual code."""
    try:
        app(prog_name="python -m proofs_check.worst_case")
    except (KeyboardInterrupt, SystemExit) as end:
        code = 130 if isinstance(end, KeyboardInterrupt) else end.code
        if code == 130:
            print("interrupted", file=sys.stderr)
        sys.exit(code)


if __name__ == "__main__":
    main()
