"""Processes for searches side by side, and linear algebra on one thread in all of them."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import lru_cache
from typing import Any

from joblib.externals.loky.process_executor import BrokenProcessPool

__all__ = ["DIED", "one_thread", "start"]

DIED = (BrokenProcessPool,)
POOLS = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA")


@lru_cache(maxsize=None)
def _pools() -> Any:
    import scipy.linalg  # noqa: F401 - brings its own pool
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def one_thread() -> Any:
    """A context in which sums are not split over threads, which would round differently from one machine to another."""
    return _pools().limit(limits=1)


def _begin(parent: int) -> None:
    """Leave Ctrl-C to the parent, and do not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def start(workers: int) -> Any:
    """An executor of fresh processes (a fork after a parallel kernel would kill the child)."""
    from joblib.externals.loky import ProcessPoolExecutor

    environment = {f"{name}_NUM_THREADS": "1" for name in POOLS} | {"PYTHONWARNINGS": "ignore"}
    return ProcessPoolExecutor(workers, env=environment, initializer=_begin, initargs=(os.getpid(),))
