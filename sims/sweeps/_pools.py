"""Who computes the parts: this process, processes on this machine (loky), both, or a cluster (dask.distributed).

All of them take batches of tasks and hand back outcomes, or say that a worker was lost with its batch.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import queue
import signal
import sys
import threading
import time
from concurrent.futures import Future
from typing import Any, Protocol

from sims.sweeps._parts import ONE_THREAD, Call, Outcome, Task, compile_once, compute

__all__ = ["Cluster", "ClusterLost", "Here", "Local", "Lost", "Pool", "Shared"]

Batch = tuple[Task, ...]
THREADS = {**ONE_THREAD, "NUMBA_NUM_THREADS": "1"}


class Lost(Exception):
    """A worker died with a batch; nothing is known about its parts."""


class ClusterLost(OSError):
    """The cluster cannot be reached, or it refuses the work."""


class Pool(Protocol):
    """What the runner needs of any of them."""

    @property
    def workers(self) -> int:
        """How many batches are computed at a time."""

    @property
    def depth(self) -> int:
        """How many batches it should have, to be busy until more come."""

    def submit(self, batch: Batch) -> None:
        """Take a batch."""

    def wait(self, timeout: float) -> list[tuple[Batch, list[Outcome] | Lost]]:
        """Return what has become of some batches, or nothing after `timeout` seconds."""

    def close(self, cancel: bool) -> None:
        """Let the workers go; `cancel` gives up what they are doing."""


class Here:
    """This process, one batch after the other."""

    def __init__(self, call: Call, origin: str) -> None:
        self._call, self._origin = call, origin
        self._waiting: list[Batch] = []

    @property
    def workers(self) -> int:
        """One."""
        return 1

    @property
    def depth(self) -> int:
        """One: it computes while it is waited for."""
        return 1

    def submit(self, batch: Batch) -> None:
        """Take a batch."""
        self._waiting.append(batch)

    def wait(self, timeout: float) -> list[tuple[Batch, list[Outcome] | Lost]]:
        """Compute one batch."""
        batch = self._waiting.pop(0)
        return [(batch, compute(self._call, self._origin, batch))]

    def close(self, cancel: bool) -> None:
        """Nothing to do."""


def _start_worker(parent: int) -> None:
    """Leave Ctrl-C to the coordinator, do not outlive it, and be ready soon.

    The collector of garbage would take a quarter of the start, looking through what the imports leave for good.
    """
    gc.set_threshold(20_000, 50, 50)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _start_worker_for(parent: int, call: Call, example: dict[str, Any]) -> None:
    """Start, and load what one experiment needs.

    xarray imports dask, where that is installed, to learn that no array is one of dask's; simulators of this project
    have none, and are spared that.
    """
    _start_worker(parent)
    if call.package == "sims":
        sys.modules.setdefault("dask", None)  # type: ignore[arg-type]
    compile_once(call, example)


class Local:
    """Processes on this machine, started afresh (never forked: a fork after a parallel kernel kills the child)."""

    def __init__(self, call: Call, origin: str, jobs: int, example: dict[str, Any]) -> None:
        self._call, self._origin, self._jobs, self._example = call, origin, jobs, example
        self._processes = jobs
        self._done: queue.SimpleQueue[tuple[Batch, Any]] = queue.SimpleQueue()
        self._executor: Any = None

    @property
    def workers(self) -> int:
        """The number of processes."""
        return self._jobs

    @property
    def depth(self) -> int:
        """Twice as many, so that none waits for its next one."""
        return 2 * self._jobs

    def submit(self, batch: Batch) -> None:
        """Give a batch to the next free process."""
        from joblib.externals.loky import ProcessPoolExecutor
        from joblib.externals.loky.process_executor import BrokenProcessPool, ShutdownExecutorError

        for _ in range(3):
            if self._executor is None:
                environment = {**THREADS, "PYTHONWARNINGS": "ignore"}
                arguments = (os.getpid(), self._call, self._example)
                self._executor = ProcessPoolExecutor(
                    self._processes, env=environment, initializer=_start_worker_for, initargs=arguments
                )
            try:
                future = self._executor.submit(compute, self._call, self._origin, batch)
            except (BrokenProcessPool, ShutdownExecutorError):
                self._stop()
                continue
            future.add_done_callback(lambda done: self._done.put((batch, done)))
            return
        raise OSError("the worker processes die as soon as they start")

    def wait(self, timeout: float) -> list[tuple[Batch, list[Outcome] | Lost]]:
        """Collect finished batches; after a death all that were under way are lost, and the next call starts anew."""
        from joblib.externals.loky.process_executor import BrokenProcessPool

        found: list[tuple[Batch, list[Outcome] | Lost]] = []
        with contextlib.suppress(queue.Empty):
            entry = self._done.get(timeout=timeout)
            while True:
                batch, future = entry
                problem = None if future.cancelled() else future.exception()
                if future.cancelled() or isinstance(problem, BrokenProcessPool):
                    self._stop()
                    found.append((batch, Lost(" ".join(str(problem).split()) if problem else "cancelled")))
                elif problem is not None:
                    raise problem
                else:
                    found.append((batch, future.result()))
                entry = self._done.get_nowait()
        return found

    def _stop(self) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, kill_workers=True)
            self._executor = None

    def close(self, cancel: bool) -> None:
        """End the processes; what they computed is here, and to let them leave by themselves takes half a second."""
        self._stop()


class Shared(Local):
    """Processes, and this one in the place of the first, which saves its start.

    For work that is soon done: here, a part that kills its process ends the run, though the same command goes on from
    there. After the death of another process this one leaves the work to them.
    """

    _here = staticmethod(compute)

    def __init__(self, call: Call, origin: str, jobs: int, example: dict[str, Any]) -> None:
        super().__init__(call, origin, jobs, example)
        self._processes = jobs - 1
        self._own: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._idle = True
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """One for each, so that they end together."""
        return self._jobs

    def _work(self) -> None:
        compile_once(self._call, self._example)
        while (batch := self._own.get()) is not None:
            future: Future[list[Outcome]] = Future()
            try:
                future.set_result(self._here(self._call, self._origin, batch))
            except BaseException as problem:  # noqa: BLE001 - raised where it is waited for
                future.set_exception(problem)
            self._idle = True
            self._done.put((batch, future))

    def submit(self, batch: Batch) -> None:
        """Take a batch here if nothing is done here, but the first to a process, which takes time to start."""
        if self._idle and self._executor is not None and self._processes < self._jobs:
            self._idle = False
            self._own.put(batch)
        else:
            super().submit(batch)

    def _stop(self) -> None:
        self._processes = self._jobs
        super()._stop()

    def close(self, cancel: bool) -> None:
        """End the processes and the thread; what it still computes is forgotten."""
        self._own.put(None)
        super().close(cancel)


class Cluster:
    """The workers of a running dask scheduler, which start a lost worker's tasks anew by themselves."""

    def __init__(self, call: Call, origin: str, address: str) -> None:
        import importlib

        self._call, self._origin, self._address = call, origin, address
        try:
            self._distributed: Any = importlib.import_module("distributed")
        except ImportError:
            raise ClusterLost("a cluster needs dask.distributed: pip install 'cotbounds[cluster]'") from None
        logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # that it is gone is told in one line
        try:
            self._client = self._distributed.Client(address, timeout="10s", set_as_default=False)
        except (OSError, ValueError, TypeError, TimeoutError, ImportError) as error:
            raise ClusterLost(f"no dask scheduler answers at {address!r}: {error}") from None
        self._done: queue.SimpleQueue[tuple[Batch, Any]] = queue.SimpleQueue()
        self._futures: set[Any] = set()
        self._counted = 0.0
        self._workers = 1
        self._number = 0

    @property
    def workers(self) -> int:
        """Threads of all workers now; clusters grow and shrink."""
        if time.monotonic() - self._counted > 2:
            self._counted = time.monotonic()
            with contextlib.suppress(Exception):
                self._workers = max(1, sum(self._client.nthreads().values()))
        return self._workers

    @property
    def depth(self) -> int:
        """Twice as many, so that none waits for its next one."""
        return 2 * self.workers

    def submit(self, batch: Batch) -> None:
        """Give a batch to the scheduler."""
        self._number += 1
        key = f"cotbounds-{os.getpid()}-{id(self)}-{self._number}"
        future = self._client.submit(compute, self._call, self._origin, batch, key=key, pure=False)
        self._futures.add(future)
        future.add_done_callback(lambda done: self._done.put((batch, done)))

    def wait(self, timeout: float) -> list[tuple[Batch, list[Outcome] | Lost]]:
        """Collect finished batches."""
        found: list[tuple[Batch, list[Outcome] | Lost]] = []
        killed = self._distributed.scheduler.KilledWorker
        try:
            entry = self._done.get(timeout=timeout)
        except queue.Empty:
            if self._client.status not in ("running", "connecting"):
                raise ClusterLost(f"the dask scheduler at {self._address!r} is gone") from None
            return found
        with contextlib.suppress(queue.Empty):
            while True:
                batch, future = entry
                self._futures.discard(future)
                try:
                    found.append((batch, future.result(timeout=60)))
                except killed as error:
                    found.append((batch, Lost(" ".join(str(error).split()))))
                except (self._distributed.CancelledError, OSError, TimeoutError) as error:
                    raise ClusterLost(f"the dask scheduler at {self._address!r} is gone: {error!r}") from None
                future.release()
                entry = self._done.get_nowait()
        return found

    def close(self, cancel: bool) -> None:
        """Leave the cluster, which stays as it is."""
        with contextlib.suppress(Exception):
            if cancel:
                self._client.cancel(list(self._futures), force=True)
            self._client.close(timeout=5)
