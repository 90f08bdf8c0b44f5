"""The notebooks: stored outputs are complete, clean and up to date, and every cell runs at smoke size."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from pathlib import Path
from typing import Any

import pytest

nbformat: Any = importlib.import_module("nbformat")  # it ships half of its types

ROOT = Path(__file__).resolve().parents[1]


def _load_execute() -> Any:
    """The script that executes the notebooks; it lies outside the packages."""
    spec = importlib.util.spec_from_file_location("notebooks_execute", ROOT / "notebooks" / "execute.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


execute = _load_execute()
NOTEBOOKS: list[Path] = execute.notebooks()
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)

# Absolute paths of files on common systems; outputs are checked as text, pictures are left out.
ABSOLUTE = re.compile(
    r"(?<![\w.:/<])/(?:home|Users|root|tmp|usr|opt|var|private|mnt|work)/|\b[A-Z]:\\\\?\w|site-packages"
)


def _read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def _code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _outputs(notebook: Any) -> list[Any]:
    return [output for cell in _code_cells(notebook) for output in cell.outputs]


def _texts(output: Any) -> list[str]:
    if output.output_type == "stream":
        return [output.text]
    return [str(value) for kind, value in output.get("data", {}).items() if not kind.startswith("image/")]


def _is_figure(output: Any) -> bool:
    return "image/png" in output.get("data", {})


def _tagged(notebook: Any, tag: str) -> list[int]:
    return [i for i, cell in enumerate(_code_cells(notebook)) if tag in cell.metadata.get("tags", [])]


# ---------------------------------------------------------------- what is stored


def test_there_are_notebooks() -> None:
    assert {"01_parity_mixture.ipynb", "02_linear_model.ipynb"} <= {path.name for path in NOTEBOOKS}


@each
def test_stored_outputs_are_complete_and_without_errors(path: Path) -> None:
    notebook = _read(path)
    nbformat.validate(notebook)
    cells = _code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), "run `make notebooks`"
    assert sum(map(_is_figure, _outputs(notebook))) >= 5
    assert execute.problems(notebook) == []


@each
def test_a_stored_notebook_is_small(path: Path) -> None:
    assert path.stat().st_size <= 1_000_000


@each
def test_stored_outputs_belong_to_the_code_as_it_is(path: Path) -> None:
    changed = execute.changes(_read(path))
    assert not changed, f"{path.name} was executed before a change of {', '.join(changed)}: run `make notebooks`"


@each
def test_outputs_name_no_absolute_paths(path: Path) -> None:
    notebook = _read(path)
    for text in (text for output in _outputs(notebook) for text in _texts(output)):
        assert str(ROOT) not in text
        assert str(Path.home()) + "/" not in text
        found = ABSOLUTE.search(text)
        assert found is None, text[max(0, found.start() - 60) : found.end() + 60] if found else ""


@each
def test_a_static_figure_precedes_the_one_interactive_control(path: Path) -> None:
    notebook = _read(path)
    cells = _code_cells(notebook)
    (place,) = _tagged(notebook, "interactive")
    assert [i for i, cell in enumerate(cells) if "ipywidgets." in cell.source] == [place]
    assert place > 0
    assert any(map(_is_figure, cells[place - 1].outputs))
    # Without a kernel a reader sees a line of text, not the address of a widget that is gone.
    assert [list(output.data) for output in cells[place].outputs] == [["text/plain"]]
    assert cells[place].outputs[0].data["text/plain"] == execute.NO_KERNEL
    assert "widgets" not in notebook.metadata


# ---------------------------------------------------------------- a copy at smoke size


@each
def test_a_copy_runs_at_smoke_size(path: Path) -> None:
    stored = path.read_bytes()
    notebook = _read(path)
    for cell in _code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    (place,) = _tagged(notebook, "parameters")
    probe = _code_cells(notebook)[place]
    probe.source += '\nprint("full size:", full)'
    execute.execute(notebook, "smoke", timeout=120)
    assert [_texts(output) for output in probe.outputs] == [["full size: False\n"]]
    assert execute.problems(notebook) == []
    (place,) = _tagged(notebook, "interactive")
    assert any(execute.WIDGET in output.get("data", {}) for output in _code_cells(notebook)[place].outputs)
    models = [
        m["state"] for m in notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    ]
    shown = [output for state in models for output in state.get("outputs", [])]
    assert [output["output_type"] for output in shown if "image/png" in output.get("data", {})], "the control draws"
    assert all(output["output_type"] != "error" for output in shown)
    assert sum(state.get("_model_name", "").endswith("SliderModel") for state in models) == 1
    assert path.read_bytes() == stored


# ---------------------------------------------------------------- what the digest sees


def _reached(code: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in execute.reached_files(code)}


def test_only_reached_modules_count() -> None:
    files = _reached("from theory import parity_mixture")
    assert {"theory/__init__.py", "theory/parity_mixture.py", "theory/_math.py", "theory/_validate.py"} <= files
    assert all(name.startswith("theory/") and "linear_model" not in name for name in files)
    assert _reached("import numpy, os") == set()


def test_private_parts_of_packages_are_reached() -> None:
    assert {"sims/linear_model/_descent.py", "sims/_streams.py"} <= _reached("import sims.linear_model")


def test_names_imported_on_first_use_and_claims_given_by_id_are_reached() -> None:
    files = _reached('import proofs_check\nproofs_check.check("linear_model.two_bit_prompts")')
    assert {"proofs_check/report.py", "proofs_check/page/__init__.py", "proofs_check/runner.py"} <= files
    assert {"proofs_check/linear_model/optimum.py", "theory/linear_model/_bias.py"} <= files
    assert not any("parity_mixture" in name and name.startswith("proofs_check") for name in files)


@each
def test_notebooks_reach_what_they_show(path: Path) -> None:
    subject = path.stem.split("_", 1)[1]
    files = set(_read(path).metadata["cotbounds"]["files"])
    theories = ("parity_mixture", "post_training", "star") if subject == "transformer" else (subject,)
    for room, names in (("theory", theories), ("sims", (subject,)), ("proofs_check", (subject,))):
        for name in names:
            assert files & {f"{room}/{name}.py", f"{room}/{name}/__init__.py"}
    with_post_training = ("post_training", "hardness", "transformer")
    assert not any("/post_training/" in name for name in files) or subject in with_post_training


TINY = {
    "theory/__init__.py": '"""Room."""\n',
    "theory/values.py": (
        '"""Values."""\n\nfrom theory._inner import ONE\n\n\ndef one() -> int:\n    """Return 1."""\n    return ONE\n'
    ),
    "theory/_inner.py": "ONE = 1  # the unit\n",
    "theory/other.py": "TWO = 2\n",
}


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one small package and an empty folder of notebooks."""
    for name, text in TINY.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    folder = tmp_path / "notebooks"
    folder.mkdir()
    monkeypatch.setattr(execute, "ROOT", tmp_path)
    monkeypatch.setattr(execute, "HERE", folder)
    return folder


def _write(path: Path, *sources: str) -> None:
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def test_comments_docstrings_and_other_modules_do_not_age_a_notebook(tiny: Path) -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("%matplotlib inline\nimport theory.values")])
    assert execute.changes(notebook) == ["it was never executed by notebooks/execute.py"]
    notebook.metadata["cotbounds"] = execute.provenance(notebook)
    assert set(notebook.metadata["cotbounds"]["files"]) == set(TINY) - {"theory/other.py"}
    inner, values = tiny.parent / "theory/_inner.py", tiny.parent / "theory/values.py"
    inner.write_text('\n\nONE = 1\n# the unit, \'#\' and """ included\n', encoding="utf-8")
    values.write_text(TINY["theory/values.py"].replace("Return 1.", "Return one."), encoding="utf-8")
    (tiny.parent / "theory/other.py").write_text("TWO = 3\n", encoding="utf-8")
    assert execute.changes(notebook) == []
    inner.write_text("ONE = 2\n", encoding="utf-8")
    assert execute.changes(notebook) == ["theory/_inner.py"]
    notebook.cells[0].source += "  # more"
    assert execute.changes(notebook) == ["its code cells", "theory/_inner.py"]


# ---------------------------------------------------------------- the script


def test_the_script_stores_outputs_of_what_runs_and_leaves_the_rest(
    tiny: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = tiny / "01_good.ipynb", tiny / "02_bad.ipynb"
    _write(good, 'print("size", __import__("os").environ["COTBOUNDS_NOTEBOOK_SIZE"])')
    _write(bad, "x = 1", "1 / 0")
    before = bad.read_bytes()
    monkeypatch.setenv("COTBOUNDS_NOTEBOOK_SIZE", "smoke")  # what is stored is always at full size
    assert execute.main([]) == 1
    said = capfd.readouterr().out
    assert "02_bad.ipynb: FAILED, left as it was: cell 'cell-1' raised ZeroDivisionError: division by zero" in said
    assert bad.read_bytes() == before
    stored = _read(good)
    assert _texts(_outputs(stored)[0]) == ["size full\n"]
    assert execute.changes(stored) == []
    assert sorted(path.name for path in tiny.iterdir()) == ["01_good.ipynb", "02_bad.ipynb"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('import sys; print("careful", file=sys.stderr)', "wrote to standard error: careful"),
        ('print("x" * 1_000_001)', "more than 1,000,000"),
    ],
)
def test_the_script_refuses_what_must_not_be_stored(
    tiny: Path, capsys: pytest.CaptureFixture[str], source: str, message: str
) -> None:
    path = tiny / "01_noisy.ipynb"
    _write(path, source)
    before = path.read_bytes()
    assert execute.main(["01"]) == 1
    assert message in capsys.readouterr().out
    assert path.read_bytes() == before


def test_the_script_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        execute.main(["99_nothing"])
    assert "01_parity_mixture.ipynb" in capsys.readouterr().err


def test_settling_keeps_what_a_reader_needs() -> None:
    output = nbformat.v4.new_output
    cell = nbformat.v4.new_code_cell("x")
    cell.outputs = [
        output("display_data", {execute.WIDGET: {"model_id": "1"}, "text/plain": "interactive(children=())"}),
        output("execute_result", {"text/html": "<table>", "text/plain": "Report(" + "x" * 5000}, execution_count=1),
        output("execute_result", {"text/plain": "Fraction(1, 3)"}, execution_count=1),
    ]
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}})
    execute.settle(notebook)
    widget, table, plain = (dict(item.data) for item in cell.outputs)
    assert widget == {"text/plain": execute.NO_KERNEL}
    assert table["text/html"] == "<table>"
    assert len(table["text/plain"]) < 100
    assert plain == {"text/plain": "Fraction(1, 3)"}
