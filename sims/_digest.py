"""Which source files a module's results depend on, and their digest."""

from __future__ import annotations

import ast
import hashlib
from functools import lru_cache
from pathlib import Path

__all__ = ["code_digest", "source_files"]

ROOT = Path(__file__).resolve().parent


def _imports(path: Path) -> set[str]:
    """Names of the modules of this package that the file at `path` imports, anywhere in it."""
    found = set()
    here = ("sims", *path.relative_to(ROOT).parent.parts)  # what one leading dot means in this file
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join((*here[: len(here) - node.level + 1], *filter(None, (node.module,))))
            found.add(base)
            found |= {f"{base}.{alias.name}" for alias in node.names}
    return {name.removeprefix("sims.") for name in found if name.startswith("sims.")}


def _file(name: str) -> Path | None:
    stem = ROOT.joinpath(*name.split("."))
    for candidate in (stem.with_suffix(".py"), stem / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@lru_cache(maxsize=None)
def source_files(module: str) -> tuple[Path, ...]:
    """Return the files that ``sims.<module>`` consists of, itself and its transitive imports in this package.

    Parameters
    ----------
    module : str
        Name below ``sims``, such as ``"linear_model"``.

    Returns
    -------
    tuple of pathlib.Path
        Sorted; imports of other distributions are not followed.

    Examples
    --------
    >>> [path.name for path in source_files("_digest")]
    ['_digest.py']
    """
    seen: dict[str, Path] = {}
    waiting = [module.removeprefix("sims.")]
    while waiting:
        name = waiting.pop()
        path = _file(name)
        if path is None or name in seen:
            continue
        seen[name] = path
        waiting.extend(_imports(path))
    return tuple(sorted(set(seen.values())))


@lru_cache(maxsize=None)
def code_digest(module: str) -> str:
    """Return a hexadecimal digest of the sources of ``sims.<module>`` and of all it imports here."""
    digest = hashlib.sha256()
    for path in source_files(module):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
