"""What a run tells while it works: a bar, lines of text, lines of JSON, or nothing."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

__all__ = ["JsonLines", "Reporter", "Terminal", "amount", "counted", "duration"]


def duration(seconds: float) -> str:
    """A time in words.

    Examples
    --------
    >>> duration(42), duration(4000), duration(200_000)
    ('42 s', '1 h 6 min', '2 d 7 h')
    """
    if seconds < 1:
        return "less than a second"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 3600:
        return f"{round(whole / 60)} min"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600} h"


def amount(size: float) -> str:
    """Bytes in words.

    Examples
    --------
    >>> amount(900), amount(45_000), amount(2.5e9)
    ('900 B', '45 kB', '2.5 GB')
    """
    units = ["TB", "GB", "MB", "kB", "B"]
    unit = units.pop()
    while size >= 999.5 and units:
        size, unit = size / 1000, units.pop()
    return f"{size:.{0 if unit == 'B' or size >= 10 else 1}f} {unit}"


def counted(number: int, noun: str) -> str:
    """A number of things.

    Examples
    --------
    >>> counted(1, "seed"), counted(20, "seed")
    ('1 seed', '20 seeds')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


class Reporter:
    """Says nothing; the others say more."""

    def note(self, event: str, text: str, **facts: Any) -> None:
        """Something happened once."""

    def advance(self, done: int, total: int, failed: int, rate: float, remaining: float | None) -> None:
        """So many cells are done; cells a second, and the seconds that remain (None: unknown yet)."""

    def close(self) -> None:
        """The run is over."""


class JsonLines(Reporter):
    """A line of JSON on standard output for every event, progress at most four times a second."""

    def __init__(self) -> None:
        self._last = 0.0

    def note(self, event: str, text: str, **facts: Any) -> None:
        """Print an event with its facts."""
        print(json.dumps({"event": event, **facts}, default=str), flush=True)

    def advance(self, done: int, total: int, failed: int, rate: float, remaining: float | None) -> None:
        """Print progress."""
        if time.monotonic() - self._last >= 0.25 or done == total:
            self._last = time.monotonic()
            left = None if remaining is None else round(remaining, 1)
            self.note(
                "progress",
                "",
                cells_done=done,
                cells=total,
                failed=failed,
                cells_per_second=round(rate, 3),
                seconds_remaining=left,
            )


class Terminal(Reporter):
    """A bar where standard error is a terminal, else a line a minute, and notes that matter."""

    def __init__(self, *, bar: bool | None = None) -> None:
        self._wanted = sys.stderr.isatty() if bar is None else bar
        self._began = self._last = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def note(self, event: str, text: str, **facts: Any) -> None:
        """Print a note."""
        if text:
            if self._bar is not None:
                self._bar.console.print(text, markup=False, highlight=False)
            else:
                print(text, file=sys.stderr, flush=True)

    def advance(self, done: int, total: int, failed: int, rate: float, remaining: float | None) -> None:
        """Move the bar; it shows after half a second."""
        now = time.monotonic()
        left = "" if remaining is None else f"{duration(remaining)} left"
        speed = f"{rate:.3g} cells/s"
        trouble = f"{failed} failed" if failed else ""
        if not self._wanted:
            if now - self._last > 60:
                self._last = now
                words = ", ".join(filter(None, (f"{done} of {total} cells", trouble, speed, left)))
                print(words, file=sys.stderr, flush=True)
            return
        if self._bar is None and now - self._began > 0.5:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("cells {task.fields[words]}", markup=False))
            self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("", total=total, words="")
        if self._bar is not None:
            self._bar.update(self._task, completed=done, words=" ".join(filter(None, (trouble, speed, left))))

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
