"""Compiled kernels on disk: found again, never stale, never in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import sims
from sims import _digest, _kernels

INNER = "from sims._kernels import kernel\n\n\n@kernel\ndef inner(x):\n    return x + {}\n"
OUTER = (
    "from sims._kernels import kernel\nfrom sims.inner import inner\n\n\n"
    "@kernel\ndef outer(x):\n    return 2 * inner(x)\n"
)
SCRIPT = (
    "from sims.outer import outer\n"
    "print(outer(1), sum(outer.stats.cache_hits.values()), sum(outer.stats.cache_misses.values()))"
)


def _package(folder: Path) -> Path:
    """A small package of the same name with the real cache machinery and two kernels in two files."""
    package = folder / "sims"
    package.mkdir()
    for name in ("_digest.py", "_kernels.py"):
        (package / name).write_text((Path(sims.__file__).parent / name).read_text())
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text(INNER.format(1))
    (package / "outer.py").write_text(OUTER)
    return package


def _run(folder: Path, cache: Path | str) -> list[int]:
    environment = {**os.environ, "COTBOUNDS_CACHE": str(cache), "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


def test_a_change_in_a_callees_file_is_noticed(tmp_path):
    # Numba's own cache looks at the caller's file only, and would still answer 4.
    package = _package(tmp_path)
    assert _run(tmp_path, tmp_path / "cache") == [4, 0, 1]
    assert _run(tmp_path, tmp_path / "cache") == [4, 1, 0]
    (package / "inner.py").write_text(INNER.format(10))
    assert _run(tmp_path, tmp_path / "cache") == [22, 0, 1]
    (package / "inner.py").write_text(INNER.format(1))
    assert _run(tmp_path, tmp_path / "cache") == [4, 1, 0]


def test_where_the_cache_cannot_be_written_a_temporary_one_serves(tmp_path):
    _package(tmp_path)
    blocked = tmp_path / "a_file"
    blocked.write_text("")
    assert _run(tmp_path, blocked / "below")[0] == 4


def test_the_digest_follows_imports_and_nothing_else(tmp_path, monkeypatch):
    package = _package(tmp_path)
    monkeypatch.setattr(_digest, "ROOT", package)
    _digest.code_digest.cache_clear()
    _digest.source_files.cache_clear()
    try:
        assert [path.name for path in _digest.source_files("outer")] == [
            "_digest.py",
            "_kernels.py",
            "inner.py",
            "outer.py",
        ]
        before = _digest.code_digest("outer"), _digest.code_digest("inner")
        _digest.code_digest.cache_clear()
        (package / "outer.py").write_text(OUTER + "# changed\n")
        after = _digest.code_digest("outer"), _digest.code_digest("inner")
        assert before[0] != after[0]
        assert before[1] == after[1]
    finally:
        _digest.code_digest.cache_clear()
        _digest.source_files.cache_clear()


def test_simulators_digests_cover_the_streams_and_their_own_kernels():
    names = {path.relative_to(_digest.ROOT).as_posix() for path in _digest.source_files("linear_model")}
    kernels = {f"linear_model/{name}.py" for name in ("__init__", "_descent", "_evaluation", "_signed", "_vectors")}
    assert kernels | {"_streams.py", "_kernels.py", "_validate.py", "parity_mixture.py"} <= names


def test_only_the_newest_generations_are_kept(tmp_path):
    generations = []
    for age in range(10):
        path = tmp_path / f"generation{age}"
        path.mkdir()
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
        generations.append(path)
    newest = tmp_path / "new"
    newest.mkdir()
    _kernels._forget_old(tmp_path, newest)
    assert sorted(tmp_path.iterdir()) == sorted([newest, *generations[: _kernels.KEPT - 1]])
