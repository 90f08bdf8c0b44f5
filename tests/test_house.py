"""The house keeps its own rules: what is shipped, what imports what, style, types, docstrings, examples."""

from __future__ import annotations

import doctest
import importlib
import inspect
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from proofs_check.claims import ALL_PROFILES, find
from tests.public_names import ROOMS, functions, modules
from tests.test_validate import documented

ROOT = Path(__file__).resolve().parents[1]
CODE = ("theory", "sims", "proofs_check", "tests")
ALL_ROOMS = ("theory", "sims", "proofs_check")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, cwd=ROOT, check=False)


def test_the_wheel_holds_the_three_packages_and_nothing_else(tmp_path: Path) -> None:
    """Built from a copy of what is shipped, so that the checkout stays as it is."""
    import shutil

    source = tmp_path / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in (*CODE, "notebooks"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "wheel"), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    shipped = {name for name in names if ".dist-info/" not in name}
    expected = {
        path.relative_to(ROOT).as_posix()
        for room in ALL_ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".nbi"
    }
    assert {name.split("/")[0] for name in shipped} == set(ALL_ROOMS)
    assert shipped == expected
    assert {"theory/py.typed", "sims/py.typed", "proofs_check/py.typed", "proofs_check/schema.json"} <= shipped


def test_imports_keep_to_their_rooms() -> None:
    done = run("-c", "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("room", "others"), [("theory", ("sims", "proofs_check")), ("sims", ("theory", "proofs_check"))]
)
def test_a_room_is_loaded_without_the_others(room: str, others: tuple[str, ...]) -> None:
    names = [module.__name__ for module in modules(room, private=True)]
    code = f"import sys, {', '.join(names)}; print([m for m in sys.modules if m.split('.')[0] in {others!r}])"
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert len(names) >= 3


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_style(command: tuple[str, ...]) -> None:
    done = run("-m", "ruff", *command, "--no-cache", *CODE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_types() -> None:
    done = run("-m", "mypy", *(f"-p{name}" for name in CODE))
    assert done.returncode == 0, done.stdout + done.stderr


MODULES = list(modules(*ALL_ROOMS, private=True))
PUBLIC = [m for m in MODULES if not any(part.startswith("_") for part in m.__name__.split("."))]


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_public_names_are_declared_and_documented(module: ModuleType) -> None:
    assert (inspect.getdoc(module) or "").strip()
    is_package = hasattr(module, "__path__")
    names = getattr(module, "__all__", [] if is_package else None)
    assert names is not None, f"{module.__name__} declares no __all__"
    assert len(set(names)) == len(names)
    for name in names:
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isroutine(value):
            assert (value.__doc__ or "").strip(), f"{module.__name__}.{name} has no docstring"


@pytest.mark.parametrize("full", sorted(functions(*ROOMS)))
def test_documented_parameters_are_the_actual_ones(full: str) -> None:
    function = functions(*ROOMS)[full]
    assert set(documented(function)) == set(inspect.signature(function).parameters)
    text = inspect.getdoc(function) or ""
    for section in ("Returns\n-------\n", "Examples\n--------\n"):
        assert section in text, f"{full} lacks the section {section.split()[0]}"


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples_run(module: ModuleType) -> None:
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert found.failed == 0


def test_there_are_examples() -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    assert sum(len(test.examples) for module in MODULES for test in finder.find(module)) >= 100


# The registry of claims


CLAIMS = find()


def test_ids_are_unique_and_false_statements_are_repaired_by_holding_ones() -> None:
    by_id = {claim.id: claim for claim in CLAIMS}
    assert len(by_id) == len(CLAIMS)
    assert 0 < len(CLAIMS) <= 1000
    for claim in CLAIMS:
        if claim.repaired_by is not None:
            assert by_id[claim.repaired_by].expected == "holds", claim.id
            assert any(leg.kind not in ("simulation", "solver") for leg in claim.evidence), (
                f"{claim.id} needs a witness"
            )


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_claims_are_complete(claim: Any) -> None:
    assert claim.statement.strip()
    assert claim.latex.strip()
    assert claim.source.strip()
    assert any(claim.legs(profile) for profile in ALL_PROFILES)
    names = [leg.name for leg in claim.evidence]
    assert len(set(names)) == len(names), "legs of one claim need different names"
    for name in claim.functions:
        subject, function = name.split(".")
        assert callable(getattr(importlib.import_module(f"theory.{subject}"), function))
    if claim.expected == "holds":
        assert len(claim.mutants) >= 2
    for mutant in claim.mutants:
        for room, replaced in (("theory", mutant.theory), ("sims", mutant.sims)):
            for name in replaced:
                subject, function = name.split(".")
                assert callable(getattr(importlib.import_module(f"{room}.{subject}"), function)), name
        assert mutant.why_false.strip()
