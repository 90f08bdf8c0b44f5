"""What a search keeps on disk: every block of runs by its address, so that an interrupted search goes on.

The file is the sweeps' store (SQLite, a checksum for every row). An address is made of the search's name, its seed, the
sample size and the number of the block, and of nothing else: a search with another level, confidence, resolution or
budget finds the runs that it shares. Rows from other code or other library versions are computed again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sims.sweeps._parts import Outcome, origin
from sims.sweeps._store import Row, Store, lock

__all__ = ["Memory", "base_seed", "store_path"]

LAYOUT = "success of each run, a byte each, 0 or 1"
ENDING = ".sqlite"
RUN_BITS = 24  # seeds of one probe: 2**24 in a row


def store_path(value: Any) -> Path | None:
    """The file of a store, checked before anything is run."""
    if value is None:
        return None
    if not isinstance(value, (str, Path)) or not str(value).endswith(ENDING):
        raise ValueError(f"store must be a path that ends in {ENDING}, got {value!r}")
    path = Path(value)
    try:
        fits = path.parent.is_dir() and not path.is_dir()
    except (OSError, ValueError):
        fits = False
    if not fits:
        raise ValueError(f"store must be a file in an existing directory, got {str(value)!r}")
    return path


def base_seed(name: str, seed: int, n_samples: int) -> int:
    """The first of the seeds of a probe; runs have consecutive ones below 2**63.

    Examples
    --------
    >>> base_seed("a", 0, 10) != base_seed("b", 0, 10), base_seed("a", 0, 10) % 2**24
    (True, 0)
    """
    text = json.dumps(["sample complexity", name, seed, n_samples])
    word = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
    return (word >> (1 + RUN_BITS)) << RUN_BITS


def _origin_of(learner: Callable[..., Any]) -> str:
    """What decides the bits of a learner: its module's files where they can be found, and the versions."""
    while isinstance(learner, functools.partial):
        learner = learner.func
    module = str(getattr(learner, "__module__", None) or getattr(type(learner), "__module__", ""))
    try:
        inside = module.startswith("sims.")
        return origin("sims" if inside else None, module.removeprefix("sims."))
    except (ValueError, ImportError, OSError, SyntaxError):  # a notebook, an interactive session
        versions = {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": version("scipy"),
            "numba": version("numba"),
        }
        return json.dumps({"files": {}, "versions": versions}, sort_keys=True)


class Memory:
    """Blocks of runs by address; without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._store: Store | None = None
        self._lock: int | None = None
        self._origins: dict[int, bytes] = {}
        if path is not None:
            self._lock = lock(path.with_name(path.name + ".lock"))
            try:
                self._store = Store(path)
            except BaseException:
                self.close()
                raise
            self._tell()

    def _tell(self) -> None:
        if self._store is not None:
            for text in self._store.damaged:
                warnings.warn(text, UserWarning, stacklevel=4)
            self._store.damaged.clear()

    def _origin(self, learner: Callable[..., Any]) -> bytes:
        assert self._store is not None
        known = self._origins.get(id(learner))
        if known is None:
            known = self._origins[id(learner)] = self._store.keep_text(_origin_of(learner))
        return known

    @staticmethod
    def _address(name: str, seed: int, n_samples: int, block: int) -> bytes:
        text = json.dumps(["sample complexity", name, seed, n_samples, block])
        return hashlib.blake2b(text.encode(), digest_size=16).digest()

    def find(
        self, learner: Callable[..., Any], name: str, seed: int, n_samples: int, block: int, size: int
    ) -> np.ndarray | None:
        """The outcomes of a block, if they are there, sound, and of the same code and versions."""
        if self._store is None:
            return None
        found = self._store.row(self._address(name, seed, n_samples, block))
        if isinstance(found, str):
            warnings.warn(f"a block at n_samples = {n_samples} is run again: {found}", UserWarning, stacklevel=4)
            return None
        if not isinstance(found, Row) or found.status != "done" or found.origin != self._origin(learner):
            return None
        outcomes = np.frombuffer(found.payload, np.uint8)
        return outcomes.astype(bool) if len(outcomes) == size else None

    def keep(
        self, learner: Callable[..., Any], name: str, seed: int, n_samples: int, block: int, outcomes: np.ndarray
    ) -> None:
        """Write the outcomes of a block in one transaction."""
        if self._store is None:
            return
        payload = outcomes.astype(np.uint8).tobytes()
        outcome = Outcome(0, "done", LAYOUT, payload, "", 0.0, "")
        try:
            self._store.save({0: self._address(name, seed, n_samples, block)}, self._origin(learner), [outcome])
        except BaseException:
            self._store.abandon()
            raise

    def close(self) -> None:
        """Fold the log into the file and let another process have it."""
        if self._store is not None:
            self._store.close()
            self._store = None
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.close(self._lock)
            self._lock = None
