"""Runs that can be stopped anywhere: units of work, checkpoints between them, progress, and a quiet end on Ctrl-C.

A checkpoint is one file: a line with the SHA-256 of what follows, then arrays in NumPy's format. It is written beside
its place and moved there, so a half-written one never has the name of a whole one. Its name holds a digest of all that
decides the bits: parameters, seed, device, threads, the sources of the trainer and PyTorch's version.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from sims._digest import code_digest
from sims.sweeps._progress import duration

__all__ = ["Run", "checkpoint_path", "device_for", "drive", "load", "one_thread", "save"]

HEADER = b"cotbounds checkpoint 1 "


class Run(Protocol):
    """A replicate at work: `total` units, one after the other; `state` between two of them is all there is."""

    total: int
    done: int

    def advance(self) -> None:
        """Do the next unit."""

    def state(self) -> dict[str, np.ndarray]:
        """Everything a continuation needs, as arrays."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state."""


def save(path: Path, state: Mapping[str, np.ndarray]) -> None:
    """Write a checkpoint; a reader finds the old one or the new one, whole."""
    buffer = io.BytesIO()
    np.savez(buffer, **dict(state))  # type: ignore[arg-type]
    payload = buffer.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            file.write(HEADER + hashlib.sha256(payload).hexdigest().encode() + b"\n")
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def load(path: Path) -> dict[str, np.ndarray]:
    """Read a checkpoint.

    Raises
    ------
    ValueError
        Where the file is not a whole checkpoint; it says which file to delete.
    """
    head, _, payload = path.read_bytes().partition(b"\n")
    if head != HEADER + hashlib.sha256(payload).hexdigest().encode():
        raise ValueError(f"checkpoint must be whole, got a damaged file: delete {path}")
    with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def checkpoint_path(
    directory: str | os.PathLike[str] | None, module: str, name: str, settings: Mapping[str, Any], seed: int
) -> Path | None:
    """Where the checkpoint of a run lies; None without a directory."""
    if directory is not None and not isinstance(directory, (str, os.PathLike)):
        raise ValueError(f"checkpoints must be None or a directory, got {directory!r}")
    where = directory if directory is not None else os.environ.get("COTBOUNDS_CHECKPOINTS")
    if where is None or where == "":
        return None
    facts = {**settings, "name": name, "seed": int(seed), "code": code_digest(module), "torch": torch.__version__}
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]
    return Path(where) / f"{name}-{digest}-seed{int(seed)}.checkpoint"


class _Interrupt:
    """Notes the first signal that asks for an end; a second one ends at once."""

    def __init__(self) -> None:
        self.asked = False

    def __call__(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


@contextmanager
def _listening() -> Iterator[_Interrupt]:
    interrupt = _Interrupt()
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Bar:
    """A bar with the remaining time where standard error is a terminal, else a line a minute."""

    def __init__(self, title: str, total: int, wanted: bool) -> None:
        self.title, self.total, self.wanted = title, total, wanted
        self.terminal = wanted and sys.stderr.isatty()
        self.began = self.last = time.monotonic()
        self.start: int | None = None
        self.bar: Any = None

    def show(self, done: int) -> None:
        if not self.wanted:
            return
        now = time.monotonic()
        if self.start is None:
            self.start = done
        speed = (done - self.start) / (now - self.began) if now > self.began else 0.0
        left = f"{duration((self.total - done) / speed)} left" if speed > 0 else ""
        if not self.terminal:
            if now - self.last > 60:
                self.last = now
                print(f"{self.title}: {done} of {self.total}, {left}", file=sys.stderr, flush=True)
            return
        if self.bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (
                TextColumn(self.title, markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[left]}", markup=False),
            )
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.bar.add_task("", total=self.total, left="")
        self.bar.update(self.bar.task_ids[0], completed=done, left=left)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None


def drive(run: Run, path: Path | None, title: str, *, progress: bool = True, every: float = 30.0) -> None:
    """Take a run to its end, from its checkpoint if there is one; `every` so many seconds a checkpoint is written.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C or SIGTERM, once the unit at work is done and the checkpoint is written.
    """
    if path is not None and path.exists():
        run.restore(load(path))
    if run.done >= run.total:
        return
    bar = _Bar(title, run.total, progress)
    last = time.monotonic()
    try:
        with _listening() as interrupt:
            while run.done < run.total:
                run.advance()
                bar.show(run.done)
                now = time.monotonic()
                if path is not None and (run.done >= run.total or interrupt.asked or now - last >= every):
                    save(path, run.state())
                    last = now
                if interrupt.asked:
                    bar.close()
                    where = "without a checkpoint (give checkpoints a directory)" if path is None else f"kept in {path}"
                    print(f"interrupted: {title} stopped at {run.done} of {run.total}, {where}", file=sys.stderr)
                    raise KeyboardInterrupt
    finally:
        bar.close()


def device_for(name: str) -> str:
    """The device that a name means: ``auto`` is CUDA where there is one."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("device must be auto or cpu where PyTorch finds no CUDA, got 'cuda'")
    return name


@contextmanager
def one_thread(threads: int, device: str) -> Iterator[None]:
    """Deterministic algorithms on so many threads, as long as the context lasts."""
    if device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    try:
        if device == "cuda":  # the one backend whose gradients are deterministic in single precision
            with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
                yield
        else:
            yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])


def over_seeds(work: Callable[[int], Any], seeds: np.ndarray, jobs: int) -> list[Any]:
    """Results of `work` for every seed, in processes of their own where jobs > 1."""
    numbers = [int(seed) for seed in seeds]
    if jobs == 1 or len(numbers) == 1:
        return [work(seed) for seed in numbers]
    from joblib import Parallel, delayed

    found: list[Any] = Parallel(n_jobs=jobs)(delayed(work)(seed) for seed in numbers)
    return found
