"""Running searches: one after the other in this process, or side by side in several."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from sims.sample_complexity._memory import Memory, base_seed
from sims.sample_complexity._search import Plan, Walk, block_range
from sims.sample_complexity._workers import DIED, one_thread, start

__all__ = ["Job", "LearnerError", "Outcomes", "run_alone", "run_together"]

MOST_RUNS = 2**24  # at one sample size
ALONE = 1.0  # seconds of work before processes are started, which takes about as long


class LearnerError(RuntimeError):
    """A learner raised, or what it returned are no outcomes."""


class Outcomes(Protocol):
    """What a search calls: one success or failure for every seed."""

    def __call__(self, n_samples: int, seeds: np.ndarray) -> Any:
        """Run with `n_samples` samples once for every seed."""


@dataclass
class Job:
    """One search under way."""

    learner: Outcomes
    name: str
    seed: int
    walk: Walk
    error: str = ""

    @staticmethod
    def of(learner: Outcomes, name: str, seed: int, plan: Plan) -> Job:
        return Job(learner, name, seed, Walk(plan))


def _checked(outcomes: Any, n_seeds: int) -> np.ndarray:
    try:
        array = np.asarray(outcomes)
    except (TypeError, ValueError):
        array = np.empty(0)
    fits = array.shape == (n_seeds,) and array.dtype.kind in "biu"
    if not fits or (array.dtype.kind != "b" and ((array != 0) & (array != 1)).any()):
        shown = f"an array of {array.dtype} with shape {array.shape}" if array.ndim else repr(outcomes)
        raise ValueError(f"a learner must return one truth value for each of {n_seeds} seeds, got {shown}")
    return array.astype(bool)


def _run(learner: Outcomes, name: str, seed: int, n_samples: int, first: int, last: int) -> np.ndarray:
    """Run a block, here or in a worker."""
    if last > MOST_RUNS:
        raise ValueError(f"max_runs must allow at most {MOST_RUNS} runs at one sample size")
    begin = base_seed(name, seed, n_samples)
    with one_thread():
        outcomes = learner(n_samples, np.arange(begin + first, begin + last, dtype=np.int64))
    return _checked(outcomes, last - first)


def _failure(job: Job, n_samples: int, problem: BaseException) -> LearnerError:
    where = f"{job.name}: " if job.name else ""
    reason = " ".join(str(problem).split()) or "no message"
    return LearnerError(f"{where}the learner failed at n_samples = {n_samples}: {type(problem).__name__}: {reason}")


def _remembered(job: Job, memory: Memory) -> tuple[int, int] | None:
    """Feed what is on disk; return what must be run next."""
    while (task := job.walk.wanted()) is not None:
        n, block = task
        first, last = block_range(block)
        outcomes = memory.find(job.learner, job.name, job.seed, n, block, last - first)
        if outcomes is None:
            return task
        job.walk.feed(n, outcomes)
    return None


class _Line:
    """One line on standard error that says where a search is; a bar would need to know the end."""

    def __init__(self, wanted: bool | None) -> None:
        self._wanted = sys.stderr.isatty() if wanted is None else wanted
        self._began = time.monotonic()
        self._status: Any = None

    def say(self, text: str) -> None:
        if not self._wanted or time.monotonic() - self._began < 0.5:
            return
        if self._status is None:
            from rich.console import Console
            from rich.status import Status

            self._status = Status("", console=Console(stderr=True))
            self._status.start()
        self._status.update(text)

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()


def _where(job: Job, n: int) -> str:
    walk = job.walk
    counts = walk.probes[n]
    low = 0 if walk.low is None else walk.low
    high = "?" if walk.high is None else str(walk.high)
    return f"{low} < n <= {high}, at {n}: {counts.successes} of {counts.runs} runs, {walk.runs} in all"


def run_alone(job: Job, memory: Memory, progress: bool | None) -> None:
    """Run one search to its end, block by block; what has been run is on disk when anything is raised."""
    line = _Line(progress)
    try:
        while (task := _remembered(job, memory)) is not None:
            n, block = task
            line.say(_where(job, n))
            try:
                outcomes = _run(job.learner, job.name, job.seed, n, *block_range(block))
            except Exception as problem:
                raise _failure(job, n, problem) from problem
            memory.keep(job.learner, job.name, job.seed, n, block, outcomes)
            job.walk.feed(n, outcomes)
    finally:
        line.close()


def run_together(jobs: Mapping[str, Job], memory: Memory, workers: int, advance: Callable[[int, int], None]) -> None:
    """Run searches side by side; each is the same machine fed with the same outcomes, so workers change no bit.

    A learner that fails ends its own search only. ``advance`` gets the searches done and failed.
    """
    done, failed = 0, 0
    executor: Any = None
    pending: dict[Future[np.ndarray], tuple[str, int, int]] = {}
    idle = list(jobs)
    normal = False
    try:
        began = time.monotonic()
        while idle or pending:
            if workers > 1 and executor is None and time.monotonic() - began >= ALONE:
                executor = start(workers)
            while idle and len(pending) < (workers if executor is not None else 1):
                name = idle.pop(0)
                job = jobs[name]
                task = _remembered(job, memory)
                if task is None:
                    done += 1
                    advance(done, failed)
                    continue
                n, block = task
                arguments = (job.learner, job.name, job.seed, n, *block_range(block))
                pending[_submit(executor, arguments)] = (name, n, block)
            if not pending:
                continue
            finished, _ = wait(pending, return_when=FIRST_COMPLETED, timeout=0.5)
            for future in finished:
                name, n, block = pending.pop(future)
                job = jobs[name]
                problem = future.exception()
                if executor is not None and isinstance(problem, DIED):
                    raise OSError(f"a worker process died: {' '.join(str(problem).split())}") from problem
                if isinstance(problem, Exception):
                    job.walk.status = "failed"
                    job.error = str(_failure(job, n, problem))
                    done, failed = done + 1, failed + 1
                    advance(done, failed)
                    continue
                outcomes = future.result()
                memory.keep(job.learner, job.name, job.seed, n, block, outcomes)
                job.walk.feed(n, outcomes)
                idle.append(name)
            advance(done, failed)
        normal = True
    finally:
        if executor is not None:
            executor.shutdown(wait=True, kill_workers=not normal)


def _submit(executor: Any, arguments: tuple[Any, ...]) -> Future[np.ndarray]:
    if executor is not None:
        future: Future[np.ndarray] = executor.submit(_run, *arguments)
        return future
    future = Future()
    try:
        future.set_result(_run(*arguments))
    except Exception as problem:  # noqa: BLE001 - told as the search's own failure
        future.set_exception(problem)
    return future
