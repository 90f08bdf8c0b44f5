r"""Sample complexity, measured: the least number of samples at which a learner succeeds with a stated probability.

Let P(n) be the probability that a learner succeeds with n samples, over its own randomness, and L a level. The sample
complexity is n* = min {n : P(n) >= L}. If P does not decrease, deciding at single sizes whether P(n) >= L brackets n*.

* :func:`search` decides each size by a test that may be looked at after every run (betting martingales), splits the
  error probability over the sizes it may look at, doubles and then cuts, and returns an interval with
  P(n_low) < L <= P(n_high), right with probability at least the confidence. Repeating a fixed-n interval until it
  decides has no such guarantee: it errs far above its level.
* :func:`search_many` runs many searches side by side; the answers do not depend on how many processes work.
* Monotonicity is an assumption; the result carries the evidence against it that the runs hold.
* :mod:`sims.sample_complexity.learners` has learners for the searches of this package: pre-training of the linear
  model, STaR and policy gradients; :func:`successes` runs one of them at a single size.

:func:`level_evidence`, :func:`confidence_sequence` and :func:`decreasing_evidence` are the statistics by themselves.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sims._validate import integer, real
from sims.intervals import Interval
from sims.sample_complexity._evidence import confidence_sequence, decreasing_evidence, level_evidence
from sims.sample_complexity._memory import Memory, store_path
from sims.sample_complexity._running import Job, LearnerError, run_alone, run_together
from sims.sample_complexity._search import Plan, Probe
from sims.sample_complexity.learners import successes

if TYPE_CHECKING:
    import xarray

__all__ = [
    "LearnerError",
    "Probe",
    "SearchResult",
    "confidence_sequence",
    "decreasing_evidence",
    "level_evidence",
    "search",
    "search_many",
    "successes",
]

MOST_SAMPLES = 2**62


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    status : {"resolved", "budget spent", "not reached", "below n_min", "failed"}
        Whether the interval is as narrow as wanted; the runs ran out before; P(n_max) is below the level; P(n_min) is
        at least the level already; or the learner failed, in :func:`search_many`.
    n_low, n_high : int or None
        P(n_low) < level <= P(n_high), at the stated confidence; None where there is no such end.
    level, confidence : float
        As asked for.
    probes : tuple of Probe
        Every sample size that was looked at, in increasing order.
    runs : int
        How often the learner was run.
    samples : int
        Samples that these runs took together.
    decreasing : float
        Evidence, as a natural logarithm, that the success probability decreases somewhere: at least ln(1/alpha) with
        probability at most alpha if it does not.
    name : str
        Name of the search.
    seed : int
        Seed of the search.
    error : str
        What went wrong where the status is ``failed``.
    """

    status: str
    n_low: int | None
    n_high: int | None
    level: float
    confidence: float
    probes: tuple[Probe, ...]
    runs: int
    samples: int
    decreasing: float
    name: str
    seed: int
    error: str = ""

    @property
    def interval(self) -> Interval:
        """The sample complexity lies above the first number and is at most the second; 0 and inf where unknown."""
        return Interval(float(self.n_low or 0), math.inf if self.n_high is None else float(self.n_high))

    @property
    def not_monotone(self) -> bool:
        """Whether the runs refute, at the search's own confidence, that more samples never hurt."""
        return self.decreasing >= -math.log(1 - self.confidence)

    def to_dataset(self) -> xarray.Dataset:
        """Return the probes as a dataset (dimension ``n_samples``), the answer in its attributes."""
        import numpy as np
        import xarray

        sizes = np.array([probe.n_samples for probe in self.probes], np.int64)
        over = ("n_samples",)
        columns = {
            "runs": ("runs", "runs at this size", [probe.runs for probe in self.probes]),
            "successes": ("runs", "runs that succeeded", [probe.successes for probe in self.probes]),
            "decision": ("1", "-1 below the level, 1 at least the level, 0 open", [
                {"below": -1, "reached": 1, "open": 0}[probe.decision] for probe in self.probes
            ]),
        }  # fmt: skip
        attributes: dict[str, Any] = {
            "experiment": "sample_complexity.search",
            "status": self.status,
            "n_low": self.interval.low,
            "n_high": self.interval.high,
            "level": self.level,
            "confidence": self.confidence,
            "runs": self.runs,
            "samples": self.samples,
            "decreasing": self.decreasing,
            "name": self.name,
            "seed": self.seed,
            "error": self.error,
        }
        return xarray.Dataset(
            {
                key: (over, np.array(values, np.int64), {"units": units, "long_name": meaning})
                for key, (units, meaning, values) in columns.items()
            },
            {"n_samples": (over, sizes, {"units": "samples", "long_name": "samples of a run"})},
            attributes,
        )


def _result(job: Job) -> SearchResult:
    walk, plan = job.walk, job.walk.plan
    return SearchResult(
        status=walk.status, n_low=walk.low, n_high=walk.high, level=plan.level, confidence=plan.confidence,
        probes=walk.table(), runs=walk.runs, samples=walk.samples, decreasing=walk.decreasing(), name=job.name,
        seed=job.seed, error=job.error,
    )  # fmt: skip


def _plan(
    level: Any,
    confidence: Any,
    start: Any,
    n_min: Any,
    n_max: Any,
    resolution: Any,
    max_runs: Any,
    patience: Any,
    beyond: Any,
) -> Plan:
    level = real("level", level, 0.0, 1.0, open_low=True, open_high=True)
    confidence = real("confidence", confidence, 0.0, 1.0, open_low=True, open_high=True)
    n_min = integer("n_min", n_min, 1, MOST_SAMPLES)
    n_max = integer("n_max", n_max, n_min, MOST_SAMPLES)
    start = min(max(64, n_min), n_max) if start is None else integer("start", start, n_min, n_max)
    resolution = real("resolution", resolution, 0.0, 1e6)
    max_runs = integer("max_runs", max_runs, 1, 2**40)
    patience = None if patience is None else integer("patience", patience, 1, 2**40)
    beyond = integer("beyond", beyond, 0, 60)
    return Plan(level, confidence, start, n_min, n_max, resolution, max_runs, patience, beyond)


def _flag(progress: Any) -> bool | None:
    if progress is not None and not isinstance(progress, bool):
        raise ValueError(f"progress must be True, False or None, got {progress!r}")
    return progress


def _callable(name: str, learner: Any) -> Any:
    if not callable(learner):
        raise ValueError(f"{name} must be a function of (n_samples, seeds), got {learner!r}")
    return learner


def search(
    learner: Callable[[int, Any], Any],
    *,
    level: float = 0.9,
    confidence: float = 0.95,
    start: int | None = None,
    n_min: int = 1,
    n_max: int = 2**40,
    resolution: float = 0.2,
    max_runs: int = 100_000,
    patience: int | None = None,
    beyond: int = 0,
    seed: int = 0,
    name: str = "",
    store: str | Path | None = None,
    progress: bool | None = None,
) -> SearchResult:
    """Find the least number of samples at which a learner succeeds with probability at least the level.

    Parameters
    ----------
    learner : callable
        ``learner(n_samples, seeds)`` runs once for each seed (an int64 array of distinct non-negative numbers) and
        returns one truth value each, independent over seeds.
    level : float, optional
        L, in (0, 1).
    confidence : float, optional
        In (0, 1): probability that the interval is right, if more samples never lower the success probability.
    start : int, optional
        Sample size to begin with, from `n_min` to `n_max`; by default 64 or the nearest allowed.
    n_min, n_max : int, optional
        Smallest and largest sample size, 1 <= n_min <= n_max.
    resolution : float, optional
        The search ends when n_high <= (1 + resolution) n_low, or the two are neighbours; in [0, 1000000].
    max_runs : int, optional
        Budget of runs, at least 1.
    patience : int, optional
        Runs after which an undecided size is left for others beside it, at least 1; by default 16 times what unanimous
        runs would take.
    beyond : int, optional
        Further sizes 2 n_high, 4 n_high, ... to run at for the evidence on monotonicity, an integer in [0, 60].
    seed : int, optional
        Decides, with `name` and the sample size, the seeds that the learner gets; in [0, 2**63).
    name : str, optional
        Name of the search. With a `store` it must name the learner with all its parameters.
    store : path, optional
        File ending in ``.sqlite`` that keeps every run: an interrupted search goes on from it, with the same result to
        the bit, and another search of the same name and seed uses the runs that it shares. Damaged rows are found by
        their checksums, warned of, and run again.
    progress : bool, optional
        A line on standard error: True, False, or None where that is a terminal.

    Returns
    -------
    SearchResult
        The interval, every probe and the status; a function of learner, seed, name and the numbers above.

    Raises
    ------
    ValueError
        Outside the ranges above.
    LearnerError
        If the learner raises, or returns anything but one truth value for each seed.
    OSError
        If the store cannot be written, or another process has it open.

    Notes
    -----
    The number of runs at a size where P(n) = L + gap grows like ln(1/alpha)/gap^2, so the steepness of P at the level
    decides what a resolution costs. An interrupt (Ctrl-C) leaves the store whole.

    Examples
    --------
    >>> def learner(n_samples, seeds):  # any function of the seeds that looks random
    ...     return seeds * 2654435761 % 2**32 < 2**32 * (1 - 2 ** (-n_samples / 100))
    >>> found = search(learner, level=0.5, resolution=0.5)
    >>> found.status, found.n_low < 100 <= found.n_high
    ('resolved', True)
    """
    plan = _plan(level, confidence, start, n_min, n_max, resolution, max_runs, patience, beyond)
    chosen = _callable("learner", learner)
    job = Job.of(chosen, _name(name, store), integer("seed", seed, 0), plan)
    shown = _flag(progress)
    with closing(Memory(store_path(store))) as memory:
        run_alone(job, memory, shown)
    return _result(job)


def _name(name: Any, store: Any) -> str:
    if not isinstance(name, str) or (store is not None and not name):
        raise ValueError(f"name must be a text, and with a store not an empty one, got {name!r}")
    return name


OPTIONS = ("level", "confidence", "start", "n_min", "n_max", "resolution", "max_runs", "patience", "beyond")


def search_many(
    cells: Mapping[str, Callable[[int, Any], Any]],
    *,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    level: float = 0.9,
    confidence: float = 0.95,
    start: int | None = None,
    n_min: int = 1,
    n_max: int = 2**40,
    resolution: float = 0.2,
    max_runs: int = 100_000,
    patience: int | None = None,
    beyond: int = 0,
    seed: int = 0,
    store: str | Path | None = None,
    jobs: int = 1,
    progress: bool = False,
) -> dict[str, SearchResult]:
    """Run several searches side by side.

    Parameters
    ----------
    cells : mapping
        A learner for each name. With `store` or `jobs`, a name must stand for the learner with all its parameters, and
        learners must be such that processes can be given them (functions, or instances of classes, of a module).
    options : mapping, optional
        For some names, values that replace the common ones: any of level, confidence, start, n_min, n_max, resolution,
        max_runs, patience, beyond.
    level, confidence, start, n_min, n_max, resolution, max_runs, patience, beyond : optional
        As for :func:`search`. The confidence is that of each search; for all of k searches together ask each for
        1 - (1 - confidence)/k.
    seed : int, optional
        As for :func:`search`; equal for all, and their names tell their draws apart.
    store : path, optional
        One file, ending in ``.sqlite``, for all of them.
    jobs : int, optional
        Processes, -1 for one a processor. No result depends on it.
    progress : bool, optional
        A progress bar on standard error.

    Returns
    -------
    dict of str to SearchResult
        In the order of `cells`; each is what :func:`search` returns for it alone. A search whose learner failed has the
        status ``failed`` and the reason.

    Raises
    ------
    ValueError
        Outside the ranges above.
    OSError
        If the store cannot be written, another process has it open, or a worker process dies.

    Examples
    --------
    >>> from functools import partial
    >>> def learner(scale, n_samples, seeds):
    ...     return [n_samples >= scale for _ in seeds]
    >>> found = search_many({"few": partial(learner, 100), "many": partial(learner, 1000)}, resolution=0.1)
    >>> [result.n_low < n <= result.n_high for result, n in zip(found.values(), (100, 1000))]
    [True, True]
    """
    from sims.sweeps._progress import Reporter, Terminal

    if not isinstance(cells, Mapping) or not cells or any(not isinstance(name, str) or not name for name in cells):
        raise ValueError(f"cells must map names to learners, got {cells!r}")
    common = dict(
        zip(OPTIONS, (level, confidence, start, n_min, n_max, resolution, max_runs, patience, beyond), strict=True)
    )
    _plan(**common)
    special = {} if options is None else options
    if not isinstance(special, Mapping) or any(
        name not in cells or not isinstance(own, Mapping) or any(key not in OPTIONS for key in own)
        for name, own in special.items()
    ):
        raise ValueError(f"options must map names of cells to mappings of {', '.join(OPTIONS)}, got {options!r}")
    number = integer("seed", seed, 0)
    workers = _workers(jobs)
    path = store_path(store)
    if not isinstance(progress, bool):
        raise ValueError(f"progress must be True or False, got {progress!r}")
    all_jobs = {
        name: Job.of(_callable(f"cells[{name!r}]", learner), name, number, _plan(**{**common, **special.get(name, {})}))
        for name, learner in cells.items()
    }
    reporter = Terminal(bar=True) if progress else Reporter()
    try:
        with closing(Memory(path)) as memory:
            run_together(
                all_jobs, memory, min(workers, len(all_jobs)),
                lambda done, failed: reporter.advance(done, len(all_jobs), failed, 0.0, None),
            )  # fmt: skip
    finally:
        reporter.close()
    return {name: _result(job) for name, job in all_jobs.items()}


def _workers(jobs: Any) -> int:
    number = integer("jobs", jobs, -1, 10_000)
    if number == 0:
        raise ValueError("jobs must be -1 or an integer in [1, 10000], got 0")
    return (os.cpu_count() or 1) if number == -1 else number
