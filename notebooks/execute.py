"""Execute notebooks at full size and store their outputs: ``python notebooks/execute.py [NOTEBOOK ...]``.

Without arguments every notebook of this folder is executed. A notebook is written back only when every cell ran,
nothing went to standard error and the file stays below the limit. Its metadata then hold digests of its code cells and
of each file of ``theory``, ``sims`` and ``proofs_check`` that they reach by imports, comments and docstrings left out,
so that a test can tell whether the stored outputs still belong to the code.

Widgets live in a running kernel only: their stored output is one line of text that says so. Addresses of models that
nobody can reach any more would show as errors, and would differ at every execution.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import io
import os
import queue
import re
import sys
import tempfile
import time
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat

__all__ = ["changes", "code_of", "execute", "notebooks", "problems", "provenance", "reached_files", "settle"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PACKAGES = ("theory", "sims", "proofs_check")
LIMIT = 1_000_000  # bytes of a stored notebook
KEY = "cotbounds"  # of the metadata
SIZE = "COTBOUNDS_NOTEBOOK_SIZE"
WIDGET = "application/vnd.jupyter.widget-view+json"
NO_KERNEL = "Interactive control: run this cell in a live kernel to use it; the figure above shows its first state."


def notebooks() -> list[Path]:
    """Return the notebooks of this folder, in order."""
    return sorted(path for path in HERE.glob("*.ipynb") if not path.name.startswith("."))


def code_of(notebook: Any) -> str:
    """Return the code cells as one Python text; lines of IPython's own syntax become comments."""
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return "\n\n".join(re.sub(r"(?m)^[%!]", "# ", source) for source in cells) + "\n"


# ---------------------------------------------------------------- which files the code reaches


def _file(name: str) -> Path | None:
    stem = ROOT.joinpath(*name.split("."))
    return next((p for p in (stem / "__init__.py", stem.with_suffix(".py")) if p.is_file()), None)


def _only_for_types(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _statements(node: ast.AST, types_too: bool) -> Iterator[ast.AST]:
    """Walk over all nodes; what is imported for type checkers alone is left out unless `types_too`."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _only_for_types(child.test) and not types_too:
            for other in child.orelse:
                yield from _statements(other, types_too)
        else:
            yield from _statements(child, types_too)


def _imports(text: str, module: str = "", is_package: bool = False) -> set[str]:
    """Return the names that a text imports from the packages, anywhere in it."""
    tree = ast.parse(text)
    # A package with a module-level __getattr__ imports on first use what it shows to type checkers.
    lazy = any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body)
    found: set[str] = set()
    for node in _statements(tree, lazy):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = module.split(".") if is_package else module.split(".")[:-1]
                base = ".".join([*here[: len(here) - node.level + 1], *filter(None, [node.module])])
            found |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in PACKAGES}


def _claims_named(code: str) -> set[str]:
    """Return the modules behind the ids of claims in the texts of a notebook; these are imported by name."""
    texts = {
        node.value
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    subjects = {match[1] for text in texts if (match := re.fullmatch(r"([a-z_]+)\.[a-z0-9_]+", text))}
    rooms = {f"{room}.{subject}" for subject in subjects for room in PACKAGES}
    return {name for name in rooms if _file(name) is not None}


def reached_files(code: str) -> list[Path]:
    """Return the files of the packages that `code` imports, directly or through others."""
    waiting = sorted(_imports(code) | _claims_named(code))
    seen: dict[Path, str] = {}
    while waiting:
        name = waiting.pop()
        parts = name.split(".")
        for end in range(1, len(parts) + 1):  # importing a.b.c runs a and a.b first
            module = ".".join(parts[:end])
            path = _file(module)
            if path is not None and path not in seen:
                seen[path] = module
                waiting += sorted(_imports(path.read_text(encoding="utf-8"), module, path.name == "__init__.py"))
    return sorted(seen)


# ---------------------------------------------------------------- digests


def _bare(text: str) -> str:
    """Return Python source without comments, docstrings and blank lines, which no output depends on."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                for number in range(first.lineno - 1, first.end_lineno or first.lineno):
                    lines[number] = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and lines[token.start[0] - 1]:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def provenance(notebook: Any) -> dict[str, Any]:
    """Return digests of the code cells and of every file that they reach."""
    code = code_of(notebook)
    files = reached_files(code)
    return {
        "code": _digest(code),
        "files": {p.relative_to(ROOT).as_posix(): _digest(_bare(p.read_text(encoding="utf-8"))) for p in files},
    }


def changes(notebook: Any) -> list[str]:
    """Return what differs from when the outputs were stored; empty if nothing does."""
    stored = notebook.metadata.get(KEY)
    if not stored:
        return ["it was never executed by notebooks/execute.py"]
    now = provenance(notebook)
    found = ["its code cells"] if stored["code"] != now["code"] else []
    every = sorted(set(stored["files"]) | set(now["files"]))
    return found + [name for name in every if stored["files"].get(name) != now["files"].get(name)]


# ---------------------------------------------------------------- execution


def _environment(size: str, home: str) -> dict[str, str]:
    # The user's own IPython profile must not have a say in what is stored.
    return {**os.environ, SIZE: size, "IPYTHONDIR": home, "JUPYTER_PREFER_ENV_PATH": "1"}


def _ask_every_second(channel: Any) -> None:
    """Let a channel look for its message again and again, in place of once with the whole time to wait.

    A widget that draws makes nbclient send on the socket at which it waits for the reply of the cell; the socket's one
    wake-up may then be spent, and the reply lies there until the wait ends.
    """
    receive = channel.get_msg

    async def get_msg(timeout: float | None = None) -> Any:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = 1.0 if end is None else min(1.0, end - time.monotonic())
            try:
                return await receive(timeout=max(left, 0.0))
            except queue.Empty:
                if left <= 0:
                    raise

    channel.get_msg = get_msg


def execute(notebook: Any, size: str = "full", timeout: int = 600) -> None:
    """Run all cells in place, in a fresh kernel of this very Python.

    Raises
    ------
    RuntimeError
        If a cell fails; the message names the cell and the exception.
    """
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel of this environment, not one of the user's
    with tempfile.TemporaryDirectory() as home:
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            record_timing=False,
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
            resources={"metadata": {"path": str(HERE)}},
        )
        try:
            client.reset_execution_trackers()
            with client.setup_kernel(env=_environment(size, home)):
                _ask_every_second(client.kc.shell_channel)
                for index, cell in enumerate(notebook.cells):
                    client.execute_cell(cell, index, execution_count=client.code_cells_executed + 1)
                client.set_widgets_metadata()
        except CellExecutionError as error:
            failed = next(c for c in notebook.cells if any(o.output_type == "error" for o in c.get("outputs", [])))
            raise RuntimeError(f"cell {failed.id!r} raised {error.ename}: {error.evalue[:300]}") from error
        except (CellTimeoutError, DeadKernelError) as error:
            raise RuntimeError(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error


def settle(notebook: Any) -> None:
    """Reduce outputs to what is worth storing: no dangling widgets, no long plain-text twins of tables."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}  # the patch release of Python is of no interest
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(WIDGET, None) is not None:
                data["text/plain"] = NO_KERNEL
            elif "text/html" in data and len(data.get("text/plain", "")) > 2000:
                data["text/plain"] = "(a table, shown as HTML)"


def problems(notebook: Any) -> list[str]:
    """Return what keeps a notebook from being stored."""
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                found.append(f"cell {cell.id!r} raised {output.ename}: {output.evalue}")
            elif output.output_type == "stream" and output.name == "stderr":
                found.append(f"cell {cell.id!r} wrote to standard error: {output.text.strip().splitlines()[-1]}")
    length = len(nbformat.writes(notebook).encode())
    if length > LIMIT:
        found.append(f"it takes {length:,} bytes, more than {LIMIT:,}")
    return found


def _store(path: Path) -> str:
    """Execute one notebook and write it back; return a line that says so."""
    notebook = nbformat.read(path, as_version=4)
    began = time.monotonic()
    before = provenance(notebook)
    execute(notebook)
    settle(notebook)
    notebook.metadata[KEY] = provenance(notebook)
    found = problems(notebook)
    if notebook.metadata[KEY] != before:
        found.append("a module changed while it ran; run it again")
    if found:
        raise RuntimeError("; ".join(found))
    text = nbformat.writes(notebook) + "\n"
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    figures = sum("image/png" in o.get("data", {}) for c in notebook.cells for o in c.get("outputs", []))
    return f"{time.monotonic() - began:.0f} s, {figures} figures, {len(text.encode()) / 1000:.0f} kB"


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute the notebooks named, or all; return 0, or 1 if one failed (it is then left as it was)."""
    parser = argparse.ArgumentParser(prog="notebooks/execute.py", description="Execute notebooks and store outputs.")
    parser.add_argument("notebook", nargs="*", help="path, file name or leading part of it such as 01; default: all")
    wanted = parser.parse_args(arguments).notebook
    present = notebooks()
    chosen: list[Path] = []
    for name in wanted:
        matching = [path for path in present if Path(name).resolve() == path or path.name.startswith(Path(name).name)]
        if not matching:
            parser.error(f"no notebook {name!r}; there are {', '.join(path.name for path in present)}")
        chosen += [path for path in matching if path not in chosen]
    failed = 0
    for path in chosen if wanted else present:
        print(f"{path.name}: ", end="", flush=True)
        try:
            print(_store(path), flush=True)
        except (RuntimeError, OSError, SyntaxError) as error:
            failed += 1
            print(f"FAILED, left as it was: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
