"""The public functions of the rooms, and arguments that they accept: those of their own examples."""

from __future__ import annotations

import doctest
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from functools import lru_cache
from types import ModuleType
from typing import Any

ROOMS = ("theory", "sims")
EXTRA = "sims.transformer"  # needs PyTorch: looked at only where it is named itself


def modules(*rooms: str, private: bool = False) -> Iterator[ModuleType]:
    """Every module of the rooms, the packages themselves included; ``__main__`` modules are commands."""
    for room in rooms:
        yield importlib.import_module(room)
        yield from _inside(room, private)


def _inside(package: str, private: bool) -> Iterator[ModuleType]:
    for found in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
        name = found.name.rpartition(".")[2]
        if name == "__main__" or found.name == EXTRA or (name.startswith("_") and not private):
            continue
        yield importlib.import_module(found.name)
        if found.ispkg:
            yield from _inside(found.name, private)


@lru_cache(maxsize=None)
def functions(*rooms: str) -> dict[str, Callable[..., Any]]:
    """Public functions by name, each once, under the shortest name it has."""
    found: dict[int, tuple[str, Callable[..., Any]]] = {}
    for module in modules(*rooms):
        for name in getattr(module, "__all__", ()):
            function = getattr(module, name)
            if inspect.isfunction(function):
                full = f"{module.__name__}.{name}"
                if id(function) not in found or len(full) < len(found[id(function)][0]):
                    found[id(function)] = full, function
    return dict(sorted(found.values()))


@lru_cache(maxsize=None)
def example(full: str, *rooms: str) -> dict[str, Any] | None:
    """The arguments of the first call in a function's own example, by name; None if the example never calls it."""
    function = functions(*(rooms or ROOMS))[full]
    calls: list[dict[str, Any]] = []

    @functools.wraps(function)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(function).bind(*args, **kwargs)
        calls.append({**bound.arguments, **bound.arguments.pop("kwargs", {})})
        return function(*args, **kwargs)

    module = importlib.import_module(function.__module__)
    surroundings = {**vars(module), function.__name__: recorded}
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for test in doctest.DocTestFinder(recurse=False).find(function, full, module=False, globs=surroundings):
        runner.run(test, out=lambda text: None)
    return calls[0] if calls else None
