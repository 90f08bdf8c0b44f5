"""The coordinator: looks up what is there, has the rest computed, stores it, and writes the file."""

from __future__ import annotations

import hashlib
import itertools
import os
import platform
import shutil
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sims.sweeps._grid import Part, Sweep
from sims.sweeps._netcdf import Damaged, export
from sims.sweeps._parts import Call, Outcome, Task, origin
from sims.sweeps._pools import Cluster, Here, Local, Lost, Pool, Shared
from sims.sweeps._progress import Reporter, amount, counted, duration
from sims.sweeps._store import Log, Store, StoreError, difference, lock

__all__ = ["Order", "Summary", "cells_path", "code_digest_of", "log_path", "run_sweep"]

DEATHS = 3  # of a worker alone with a part, before the part is given up
WORTH = 0.5  # estimated seconds of work from which processes are worth their start
SHORT = 120.0  # estimated seconds up to which this process takes a share: no loss if it all has to be done again
TODO, DONE, FAILED = 0, 1, 2


def cells_path(out: Path) -> Path:
    """Where the parts of an output are."""
    return out.with_name(out.name + ".cells")


def log_path(out: Path) -> Path:
    """Where the events of an output are."""
    return out.with_name(out.name + ".log")


@dataclass(frozen=True)
class Order:
    """How to run a sweep; nothing of it has an influence on the result."""

    out: Path | None
    jobs: int = 1
    cluster: str | None = None
    retry_failed: bool = False
    force: bool = False
    explain: bool = False
    dry_run: bool = False


@dataclass
class Summary:
    """What a run did."""

    cells: int = 0
    reused: int = 0
    computed: int = 0
    failed: int = 0
    missing: int = 0
    seconds: float = 0.0
    failures: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    damaged: list[str] = field(default_factory=list)


def code_digest_of(text: str) -> str:
    """Digest of the source files that an origin names."""
    import json

    files = json.dumps(json.loads(text)["files"], sort_keys=True)
    return hashlib.sha256(files.encode()).hexdigest()[:16]


def _example(sweep: Sweep) -> dict[str, Any]:
    """The first cell with small sizes, which compiles what the cells need."""
    example = {**sweep.values(0), **{name: sweep.experiment.example.get(name) for name in sweep.experiment.sizes}}
    for parameter in sweep.experiment.parameters:
        if parameter.name in sweep.experiment.sizes and parameter.name not in sweep.experiment.example:
            example[parameter.name] = (
                sweep.values(0)[parameter.name] if parameter.default is None else parameter.default
            )
    return example


class _Run:
    """State of one run."""

    def __init__(self, sweep: Sweep, order: Order, reporter: Reporter, store: Store, log: Log) -> None:
        self.sweep, self.order, self.reporter, self.store, self.log = sweep, order, reporter, store, log
        self.call = Call.of(sweep.experiment)
        self.origin_text = origin(sweep.experiment.package, sweep.experiment.module)
        self.origin = store.keep_text(self.origin_text)
        self.state = np.zeros(sweep.n_parts, dtype=np.uint8)
        self.open_parts = np.diff(sweep.offsets)
        self.broken = np.zeros(sweep.n_cells, dtype=bool)  # cells with a failed part
        self.costs = sweep.part_costs()
        self.summary = Summary(cells=sweep.n_cells)
        self.suspects: deque[int] = deque()
        self.deaths: Counter[int] = Counter()
        self.spent = self.predicted = 0.0
        self.measured_bytes = False

    # Looking up

    def look_up(self) -> None:
        """Find out which parts are there, and why the others are not."""
        started = self.store.take_started()
        reasons: Counter[str] = self.summary.reasons
        if self.store.is_empty():
            reasons["not computed before"] = self.sweep.n_parts
            self.summary.damaged = list(self.store.damaged)
            return
        explained = 0
        for part in self.sweep.parts():
            address = self.sweep.address(part)
            row = self.store.row(address)
            if row is None:
                reason = "being computed when the last run ended" if address in started else "not computed before"
                if address in started:
                    self.suspects.append(part.number)
            elif isinstance(row, str):
                reason = f"damaged: {row}"
                self.summary.damaged.append(f"{self._name(part)}: {row}")
            elif row.origin != self.origin:
                old = self.store.text(row.origin)
                reason = f"computed by other code: {difference(old, self.origin_text) if old else 'unknown'}"
            elif row.status == "failed" and self.order.retry_failed:
                reason = "failed before, tried again"
            elif row.status == "failed":
                reason = "failed before, kept"
                self._finish(part, FAILED)
                self.summary.failures.append((self._where(part), row.error))
            else:
                reason = "reused"
                self._finish(part, DONE)
            reasons[reason] += 1
            if self.order.explain and explained < 100:
                explained += 1
                self.reporter.note("explain", f"{self._name(part)}: {reason}", **self._where(part), reason=reason)
        self.summary.damaged = [*self.store.damaged, *self.summary.damaged]
        self.summary.reused = int((self.open_parts == 0).sum())

    def _where(self, part: Part) -> dict[str, Any]:
        return {"cell": self.sweep.swept(part.cell), "seeds": self.sweep.seeds_text(part.first, part.last)}

    def _name(self, part: Part) -> str:
        cell = ",".join(f"{name}={value}" for name, value in self.sweep.swept(part.cell).items()) or "the cell"
        return f"{cell} seeds {self.sweep.seeds_text(part.first, part.last)}"

    def _finish(self, part: Part, state: int) -> None:
        if self.state[part.number] == TODO:
            self.open_parts[part.cell] -= 1
        self.state[part.number] = state
        if state == FAILED:
            self.broken[part.cell] = True

    # Computing

    def _order_of_work(self, workers: int) -> np.ndarray:
        """Parts that are wanted; the longest first where several workers share them, so that they end together."""
        wanted = np.flatnonzero(self.state == TODO)
        if self.suspects:
            wanted = wanted[~np.isin(wanted, np.fromiter(self.suspects, dtype=np.int64))]
        return wanted if workers == 1 else wanted[np.argsort(-self.costs[wanted], kind="stable")]

    def _task(self, index: int) -> Task:
        part = self.sweep.part(index)
        return Task(index, self.sweep.values(part.cell), self.sweep.seeds[part.first : part.last])

    def _batches(self, wanted: np.ndarray, target: float) -> Iterator[tuple[Task, ...]]:
        """Parts in batches that take about `target` seconds, as far as is known by then."""
        batch: list[Task] = []
        expected = 0.0
        for index in wanted.tolist():
            batch.append(self._task(index))
            expected += float(self.costs[index]) * (self.spent / self.predicted if self.predicted else 1e9)
            if expected >= target or len(batch) == 256:
                yield tuple(batch)
                batch, expected = [], 0.0
        if batch:
            yield tuple(batch)

    def compute(self) -> None:
        """Have everything computed that is not there."""
        jobs = self.order.jobs if self.order.jobs > 0 else os.cpu_count() or 1
        left = int((self.state == TODO).sum())
        if left == 0:
            return
        jobs = min(jobs, left)
        pool: Pool
        if self.order.cluster is not None:
            self.suspects.clear()
            pool = Cluster(self.call, self.origin_text, self.order.cluster)
        elif jobs > 1 and (expected := float(self.costs[self.state == TODO].sum())) >= WORTH:
            harmless = self.call.package == "sims" and expected < SHORT and not self.suspects
            kind = Shared if harmless else Local
            pool = kind(self.call, self.origin_text, jobs, _example(self.sweep))
        else:
            if self.suspects:  # one of them may have killed the last run: not in this process
                alone = Local(self.call, self.origin_text, 1, _example(self.sweep))
                self._drive(alone, iter(()), 1)
            pool = Here(self.call, self.origin_text)
        workers = pool.workers
        target = 0.05 if isinstance(pool, Here) else 0.1
        self._drive(pool, self._batches(self._order_of_work(workers), target), workers)

    def _drive(self, pool: Pool, batches: Iterator[tuple[Task, ...]], workers: int) -> None:
        began = time.monotonic()
        state = _Pace(began, float(self.costs[self.state == TODO].sum()))
        in_flight: dict[int, tuple[Task, ...]] = {}
        finished = False
        try:
            while True:
                limit = pool.depth
                if self.suspects and not in_flight:
                    self._submit(pool, (self._task(self.suspects.popleft()),), in_flight, alone=True)
                while not self.suspects and len(in_flight) < limit and not self._alone:
                    batch = next(batches, None)
                    if batch is None:
                        break
                    self._submit(pool, batch, in_flight)
                if not in_flight:
                    break
                for batch, result in pool.wait(0.25):
                    in_flight.pop(batch[0].number, None)
                    if isinstance(result, Lost):
                        self._lost(batch, result)
                    else:
                        self._keep(result, state)
                    self._alone = False
                self._tell(state)
            finished = True
        finally:
            pool.close(cancel=not finished)

    _alone = False

    def _submit(
        self, pool: Pool, batch: tuple[Task, ...], in_flight: dict[int, tuple[Task, ...]], *, alone: bool = False
    ) -> None:
        if self.order.out is not None and not isinstance(pool, Cluster):
            self.store.mark_started([self.sweep.address(self.sweep.part(task.number)) for task in batch])
        in_flight[batch[0].number] = batch
        self._alone = alone
        pool.submit(batch)

    def _lost(self, batch: tuple[Task, ...], reason: Lost) -> None:
        """A worker died: its parts are tried one by one, and given up after some deaths alone."""
        self.log.write("worker lost", reason=str(reason), parts=[task.number for task in batch])
        self.reporter.note("worker_lost", f"a worker was lost, what it was doing is done again: {reason}"[:300])
        alone = len(batch) == 1 and (self._alone or self.order.cluster is not None)
        for task in batch:
            self.deaths[task.number] += alone
            if self.deaths[task.number] >= DEATHS:
                error = f"the worker process died {DEATHS} times while it computed this part alone: {reason}\n"
                outcome = Outcome(task.number, "failed", "", b"", error, 0.0, "")
                self._keep([outcome], None)
            else:
                self.suspects.append(task.number)

    def _keep(self, outcomes: list[Outcome], pace: _Pace | None) -> None:
        parts = {outcome.number: self.sweep.part(outcome.number) for outcome in outcomes}
        self.store.save({index: self.sweep.address(part) for index, part in parts.items()}, self.origin, outcomes)
        for outcome in outcomes:
            part = parts[outcome.number]
            self._finish(part, DONE if outcome.status == "done" else FAILED)
            self.spent += outcome.seconds
            self.predicted += float(self.costs[outcome.number])
            if pace is not None:
                pace.done += float(self.costs[outcome.number])
            facts = {**self._where(part), "seconds": round(outcome.seconds, 6), "worker": outcome.worker}
            if outcome.status == "failed":
                self.summary.failures.append((self._where(part), outcome.error))
                self.log.write("failed", **facts, traceback=outcome.error)
                last = outcome.error.strip().splitlines()[-1]
                self.reporter.note("failed", "", **facts, error=last)  # the bar counts them, the end names them
            else:
                self._check_room(len(outcome.payload) / (part.last - part.first))
            if self.open_parts[part.cell] == 0:
                self.summary.computed += 1

    def _check_room(self, bytes_per_replicate: float) -> None:
        """After the first result: will everything fit on the disk?"""
        if self.measured_bytes or self.order.out is None:
            return
        self.measured_bytes = True
        todo = float((self.state == TODO).mean()) * self.sweep.n_cells * len(self.sweep.seeds)
        needed = bytes_per_replicate * (todo + self.sweep.n_cells * len(self.sweep.seeds))
        free = shutil.disk_usage(self.order.out.parent).free
        if needed > free:
            text = f"warning: about {amount(needed)} are needed, {amount(free)} are free on this disk"
            self.reporter.note("disk", text, bytes_needed=needed, bytes_free=free)
            self.log.write("disk", bytes_needed=needed, bytes_free=free)

    def _tell(self, pace: _Pace) -> None:
        done = int((self.open_parts == 0).sum()) if self.sweep.n_cells < 10_000 or pace.due() else -1
        if done < 0:
            return
        elapsed = time.monotonic() - pace.began
        fresh = done - self.summary.reused
        remaining = max(0.0, pace.total - pace.done) * elapsed / pace.done if pace.done > 0 and elapsed > 0.5 else None
        self.reporter.advance(
            done, self.sweep.n_cells, int(self.broken.sum()), fresh / elapsed if elapsed > 0 else 0.0, remaining
        )


@dataclass
class _Pace:
    began: float
    total: float
    done: float = 0.0
    last: float = 0.0

    def due(self) -> bool:
        """True about twice a second, where counting the cells costs something."""
        now = time.monotonic()
        if now - self.last < 0.5:
            return False
        self.last = now
        return True


def _estimate(run: _Run) -> tuple[float, int]:
    """Estimated seconds that remain, and the workers that share them."""
    jobs = run.order.jobs if run.order.jobs > 0 else os.cpu_count() or 1
    left = run.state == TODO
    jobs = max(1, min(jobs, int(left.sum()), os.cpu_count() or 1))
    return float(run.costs[left].sum()) / jobs, jobs


def _check_output(sweep: Sweep, order: Order, store: Store) -> None:
    """Refuse to put a sweep where another one is."""
    assert order.out is not None
    before = store.meta("sweep")
    if before is not None and not order.force and not sweep.extends(before):
        raise ValueError(
            f"--out must be new, or of a sweep that this one repeats or extends (or give --force), "
            f"got {str(order.out)!r}, which holds {before[:200]}"
        )


def run_sweep(sweep: Sweep, order: Order, reporter: Reporter, target: Path) -> Summary:
    """Run `sweep` and write `target`.

    Raises
    ------
    ValueError
        If the output holds something else.
    StoreError, ClusterLost
        If the disk is full, another process is at it, or the cluster is gone; what was computed is kept.
    KeyboardInterrupt
        If it was interrupted; what was computed is kept.
    """
    began = time.monotonic()
    descriptor = None
    fresh = False
    if order.out is not None:
        there = cells_path(order.out)
        fresh = not there.exists()
        if order.out.exists() and fresh and not order.force:
            raise ValueError(
                f"--out must be a new file (or give --force), got {str(order.out)!r}, which exists without its cells"
            )
        descriptor = lock(log_path(order.out))
    log = Log(descriptor)
    store = None
    try:
        store = Store(None if order.out is None else cells_path(order.out))
        if order.out is not None:
            _check_output(sweep, order, store)
        run = _Run(sweep, order, reporter, store, log)
        run.look_up()
        for text in run.summary.damaged:
            log.write("damaged", what=text)
            reporter.note("damaged", f"damaged, computed again: {text}", what=text)
        _announce(run, log)
        if order.dry_run:
            return run.summary
        store.set_meta("sweep", sweep.specification)
        store.set_meta("origin", run.origin_text)
        try:
            missing = _compute_and_write(run, target)
        except BaseException:
            store.abandon()
            run.store.take_started()
            raise
        run.summary.failed = int(run.broken.sum())
        run.summary.missing = missing
        run.summary.seconds = time.monotonic() - began
        log.write(
            "end",
            computed=run.summary.computed,
            failed=run.summary.failed,
            seconds=run.summary.seconds,
            seconds_in_cells=run.spent,
        )
        return run.summary
    except KeyboardInterrupt:
        log.write("interrupted", seconds=time.monotonic() - began)
        raise
    except (StoreError, OSError) as error:
        log.write("stopped", reason=str(error))
        raise
    finally:
        if store is not None:
            store.close()
        log.close()


def _announce(run: _Run, log: Log) -> None:
    sweep, order, reporter = run.sweep, run.order, run.reporter
    if order.explain:
        for reason, count in run.summary.reasons.most_common():
            reporter.note("reasons", f"{counted(count, 'part')}: {reason}", reason=reason, parts=count)
    expected, jobs = _estimate(run)
    log.write(
        "start",
        sweep=sweep.specification,
        command=sys.argv,
        host=socket.gethostname(),
        pid=os.getpid(),
        processor=platform.processor() or platform.machine(),
        origin=run.origin_text,
        jobs=order.jobs,
        cluster=order.cluster,
        reasons=dict(run.summary.reasons),
        estimated_seconds=expected,
    )
    left = int((run.state == TODO).sum())
    words = f"{counted(sweep.n_cells, 'cell')}, {counted(len(sweep.seeds), 'seed')} each"
    if run.summary.reused:
        words += f", {run.summary.reused} of them there"
    share = f"{jobs} processes" if jobs > 1 else "one process"
    if order.cluster is not None:
        share = "one process, to be shared by the cluster's workers"
    cost = f"roughly {duration(expected)} on {share} (a formula, right within a factor of 3 or so)" if left else ""
    silent = not order.dry_run and expected < 10 and not run.summary.reused
    reporter.note(
        "start",
        "" if silent else ", ".join(filter(None, (words, cost))),
        cells=sweep.n_cells,
        seeds=len(sweep.seeds),
        cells_there=run.summary.reused,
        parts=sweep.n_parts,
        parts_left=left,
        estimated_seconds=round(expected, 3),
        processes=jobs,
    )


def _compute_and_write(run: _Run, target: Path) -> int:
    for attempt in itertools.count():
        run.compute()
        try:
            return export(run.sweep, run.store, target, run.origin, code_digest_of(run.origin_text))
        except Damaged as problem:
            if attempt == 2:
                raise StoreError(f"{run.store.path} is damaged again and again: is the disk in order?") from None
            for index in problem.indices:
                part = run.sweep.part(index)
                text = f"{run._name(part)}: damaged while the run went on"
                run.log.write("damaged", what=text)
                run.reporter.note("damaged", f"damaged, computed again: {text}", what=text)
                if run.state[index] != TODO:
                    run.open_parts[part.cell] += 1
                run.state[index] = TODO
    raise AssertionError
