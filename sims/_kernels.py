"""The decorator of every compiled kernel, and where compiled code is kept.

Numba's own on-disk cache looks only at the file that holds a function: when a callee in
another file changes, a stale kernel is loaded without a word. Here each module's kernels
live in a directory named after a digest of all the sources that the module imports, the
versions of Numba and NumPy, and the processor; a change anywhere leads to an empty directory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from numba.core import config

from sims._digest import code_digest

__all__ = ["cache_directory", "kernel"]

KEPT = 6  # generations of each module's kernels that stay on disk


def _writable(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError:
        return False


@lru_cache(maxsize=None)
def _base() -> Path:
    """The user's cache, or a temporary directory where that cannot be written."""
    wanted = os.environ.get("COTBOUNDS_CACHE")
    home = Path(wanted) if wanted else Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "cotbounds"
    for path in (home, Path(tempfile.gettempdir()) / f"cotbounds-{os.getuid() if hasattr(os, 'getuid') else 0}"):
        if _writable(path):
            return path
    return Path(tempfile.mkdtemp(prefix="cotbounds-"))


def _forget_old(parent: Path, keep: Path) -> None:
    """Drop all but the newest generations; another process may be doing the same."""
    with contextlib.suppress(OSError):
        others = sorted((p for p in parent.iterdir() if p != keep), key=lambda p: p.stat().st_mtime, reverse=True)
        for path in others[KEPT - 1 :]:
            shutil.rmtree(path, ignore_errors=True)


@lru_cache(maxsize=None)
def cache_directory(module: str) -> Path:
    """Return the directory that holds the compiled kernels of ``sims.<module>`` as it now stands."""
    processor = llvmlite.binding.get_host_cpu_name() + llvmlite.binding.get_host_cpu_features().flatten()
    version = "|".join((code_digest(module), numba.__version__, np.__version__, platform.python_version(), processor))
    path = _base() / "kernels" / module / hashlib.sha256(version.encode()).hexdigest()[:16]
    if not path.exists():
        _forget_old(path.parent, path)
    with contextlib.suppress(OSError):
        path.mkdir(parents=True, exist_ok=True)
        os.utime(path)
    return path


@contextlib.contextmanager
def _numba_cache_in(path: Path) -> Any:
    settings: Any = config  # its attributes are made at run time
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(path)
    try:
        yield
    finally:
        settings.CACHE_DIR = before


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` in nopython mode on first call, with strict floating point, and keep the result on disk.

    The GIL is released, division by zero follows IEEE rules, and no fast-math flag is set: NaN
    stays visible and symmetric inputs give symmetric outputs.
    """
    with _numba_cache_in(cache_directory(function.__module__.removeprefix("sims."))):
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)
