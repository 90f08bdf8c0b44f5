r"""The walk of a search: which sample size to look at next, decided by tests that may stop at any moment.

Let P(n) be the probability of success with n samples, non-decreasing in n, and n* the least n with P(n) >= L. A probe
is a sample size at which the learner is run again and again; two martingales (:func:`level_evidence`) test "P(n) >= L"
and "P(n) < L" after every block of runs. At a given n only one of the two can be wrong, so with thresholds
ln(1/alpha_k) at the k-th probe, sum of alpha_k = alpha, all decisions are right together with probability at least
1 - alpha, whatever the order, the stopping times and the dependence between probes. Right decisions bracket:
n_low < n* <= n_high.

Sizes are doubled (or halved) until both ends are there, then the bracket is cut in the middle of its logarithm. If the
cut is too close to the level to be decided within its patience, a second one is made beside it; of two open probes the
one that promises to be decided first goes on, with twice the patience.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sims.sample_complexity._evidence import decreasing_evidence, level_evidence

__all__ = ["STATUSES", "Plan", "Probe", "Walk", "block_range"]

STATUSES = ("resolved", "budget spent", "not reached", "below n_min", "failed")
FIRST_BLOCK = 4
LARGEST_BLOCK = 4096
MOST_OPEN = 2  # open probes inside a bracket: at most one of two can be nearest to the level


def _edges() -> Iterator[int]:
    total = 0
    while True:
        yield total
        total += max(FIRST_BLOCK, total) if total < 16 else min(max(16, total // 4), LARGEST_BLOCK)


_EDGES: list[int] = []
_MORE = _edges()


def block_range(block: int) -> tuple[int, int]:
    """First run of a block and the one after its last; the same for every search, so that runs can be used again.

    Examples
    --------
    >>> [block_range(k) for k in (0, 1, 2, 3, 8)]
    [(0, 4), (4, 8), (8, 16), (16, 32), (100, 125)]
    """
    while len(_EDGES) < block + 2:
        _EDGES.append(next(_MORE))
    return _EDGES[block], _EDGES[block + 1]


@dataclass(frozen=True)
class Plan:
    """What a search is asked for."""

    level: float
    confidence: float
    start: int
    n_min: int
    n_max: int
    resolution: float
    max_runs: int
    patience: int | None
    beyond: int

    @property
    def doublings(self) -> int:
        """Sizes that doubling or halving can visit."""
        return math.ceil(math.log2(max(self.n_max / self.start, self.start / self.n_min))) + 2

    @property
    def cuts(self) -> int:
        """Cuts that bring a bracket of ratio 2 to the resolution."""
        step = max(math.log1p(self.resolution), 1 / self.n_max)
        return max(1, math.ceil(math.log2(math.log(2) / step))) if step < math.log(2) else 1

    def threshold(self, doubling: bool, number: int) -> float:
        """Evidence at which a probe is decided; inf where its kind has no error probability left.

        A tenth of the error probability is for the doublings, which are mostly far from the level and decided at once
        at any threshold; six tenths are for as many cuts as are needed, three tenths for three times as many more.
        """
        cuts = self.cuts
        if doubling:
            share = 0.1 / self.doublings if number < self.doublings else 0.0
        else:
            share = 0.6 / cuts if number < cuts else 0.1 / cuts if number < 4 * cuts else 0.0
        return math.inf if share == 0.0 else -math.log(share * (1 - self.confidence))

    @property
    def first_patience(self) -> int:
        """Runs before a probe is left: 16 times what it takes if all runs agree with the likelier answer."""
        if self.patience is not None:
            return self.patience
        rate = -math.log(max(self.level, 1 - self.level))
        return min(10_000, max(64, math.ceil(16 * self.threshold(False, 0) / max(rate, 0.3))))


@dataclass(frozen=True)
class Probe:
    """One sample size, and what the runs there showed.

    Attributes
    ----------
    n_samples : int
        Samples that the learner was given.
    runs, successes : int
        How often it was run, and succeeded.
    decision : {"below", "reached", "open"}
        Whether P(success) is below the level, at least the level, or undecided.
    """

    n_samples: int
    runs: int
    successes: int
    decision: str


@dataclass
class _Counts:
    runs: int = 0
    successes: int = 0
    blocks: int = 0
    patience: int = 0
    threshold: float = math.inf
    decision: str = "open"


@dataclass
class Walk:
    """A search as a machine: :meth:`wanted` says what to run, :meth:`feed` takes what came out."""

    plan: Plan
    probes: dict[int, _Counts] = field(default_factory=dict)
    low: int | None = None
    high: int | None = None
    doubled: int = 0
    runs: int = 0
    samples: int = 0
    status: str = ""

    def wanted(self) -> tuple[int, int] | None:
        """The sample size and the block of runs that come next; None when the search is over."""
        if self.status:
            return self._extra()
        n = self._next()
        if n is None:
            return self._extra()
        counts = self.probes[n]
        first, last = block_range(counts.blocks)
        if self.runs + last - first > self.plan.max_runs:
            self.status = "budget spent"
            return None
        return n, counts.blocks

    def feed(self, n: int, outcomes: Any) -> None:
        """Count the outcomes of the block that was wanted."""
        counts = self.probes[n]
        counts.runs += len(outcomes)
        counts.successes += int(outcomes.sum())
        counts.blocks += 1
        self.runs += len(outcomes)
        self.samples += n * len(outcomes)
        if counts.decision != "open":
            return
        below, reached = level_evidence(counts.successes, counts.runs, self.plan.level)
        if below >= counts.threshold:
            counts.decision = "below"
            if not self.status:
                self.low = max(n, self.low or n)
        elif reached >= counts.threshold:
            counts.decision = "reached"
            if not self.status:
                self.high = min(n, self.high or n)

    def _open(self) -> list[int]:
        """Undecided probes that a decision could still concern."""
        low, high = self.low or 0, self.high or math.inf
        return sorted(n for n, counts in self.probes.items() if counts.decision == "open" and low < n < high)

    def _finished(self) -> str:
        plan = self.plan
        if self.high is not None and self.high == plan.n_min:
            return "below n_min"
        if self.low is not None and self.low == plan.n_max:
            return "not reached"
        if self.low is None or self.high is None:
            return ""
        narrow = self.high == self.low + 1 or self.high <= (1 + plan.resolution) * self.low
        return "resolved" if narrow else ""

    def _next(self) -> int | None:
        self.status = self._finished()
        if self.status:
            return None
        waiting = self._open()
        for n in waiting:
            if self.probes[n].runs < self.probes[n].patience:
                return n
        fresh = self._fresh(waiting)
        if fresh is not None:
            doubling = self.low is None or self.high is None
            number = self.doubled if doubling else len(self.probes) - self.doubled
            threshold = self.plan.threshold(doubling, number)
            if math.isfinite(threshold):
                self.doubled += doubling
                self.probes[fresh] = _Counts(patience=self.plan.first_patience, threshold=threshold)
                return fresh
        if not waiting:  # all probes that the error probability provides for are spent
            self.status = "budget spent"
            return None
        nearest = min(waiting, key=lambda size: (self._remaining(size), size))
        self.probes[nearest].patience = 2 * self.probes[nearest].runs
        return nearest

    def _remaining(self, n: int) -> float:
        """Runs that a probe still needs if its evidence goes on growing as it did."""
        counts = self.probes[n]
        evidence = max(level_evidence(counts.successes, counts.runs, self.plan.level))
        return float((counts.threshold - evidence) * counts.runs / max(evidence, 0.5))

    def _fresh(self, waiting: list[int]) -> int | None:
        """A sample size that has not been looked at, or None if the open probes had better be continued."""
        plan = self.plan
        if not self.probes:
            return plan.start
        if self.high is None:
            top = max(self.probes)
            if top < plan.n_max:
                return min(2 * top, plan.n_max)
        if self.low is None:
            bottom = min(self.probes)
            if bottom > plan.n_min:
                return max(bottom // 2, plan.n_min)
        if self.low is None or self.high is None:
            return None
        if not waiting:
            return _middle(self.low, self.high)
        if len(waiting) >= MOST_OPEN:
            return None
        gaps = [(self.low, waiting[0]), (waiting[-1], self.high)]
        least = (1 + plan.resolution) ** 0.25
        wide = [(b / a, a, b) for a, b in gaps if b > a + 1 and b > least * a]
        if not wide:
            return None
        _, a, b = max(wide)
        return _middle(a, b)

    def _extra(self) -> tuple[int, int] | None:
        """Probes beyond the answer, for the evidence on monotonicity alone; they never change the interval."""
        plan = self.plan
        if self.status != "resolved" or self.high is None:
            return None
        for k in range(1, plan.beyond + 1):
            n = self.high * 2**k
            if n > plan.n_max:
                return None
            counts = self.probes.setdefault(n, _Counts(patience=plan.first_patience, threshold=plan.threshold(True, 0)))
            first, last = block_range(counts.blocks)
            if counts.decision == "open" and counts.runs < counts.patience:
                return (n, counts.blocks) if self.runs + last - first <= plan.max_runs else None
        return None

    def table(self) -> tuple[Probe, ...]:
        """All probes by sample size."""
        shown = sorted((n, counts) for n, counts in self.probes.items() if counts.runs)
        return tuple(Probe(n, counts.runs, counts.successes, counts.decision) for n, counts in shown)

    def decreasing(self) -> float:
        """Evidence that P(n) decreases somewhere, as a natural logarithm."""
        table = self.table()
        if not table:
            return 0.0
        return decreasing_evidence([probe.successes for probe in table], [probe.runs for probe in table])


def _middle(low: int, high: int) -> int:
    """An integer strictly between two that are not neighbours, near their geometric mean."""
    return min(max(math.isqrt(low * high), low + 1), high - 1)
