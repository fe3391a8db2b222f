"""The notebooks as the documentation shows them: executed once, with a player in the place of each stepper.

An executed notebook is kept in ``docs/_build/executed`` under a hash of its cells, the package and what is installed.
The test of the notebooks takes it from there, so that the gate executes each of them once.
"""

from __future__ import annotations

import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from unittest.mock import patch

import nbformat

from tests.run_notebook import run

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "docs" / "_build" / "executed"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def executed(path: Path) -> nbformat.NotebookNode:
    """Return a notebook with its outputs, from ``KEPT`` if nothing has changed since.

    Raises:
        NotebookFailed: at the first cell that fails; nothing is kept then.
    """
    kept = KEPT / f"{path.stem}-{_content_hash(path)}.ipynb"
    if kept.exists():
        return nbformat.read(kept, as_version=4)
    notebook = run(path)
    KEPT.mkdir(parents=True, exist_ok=True)
    for old in KEPT.glob(f"{path.stem}-*.ipynb"):
        old.unlink(missing_ok=True)
    # Renamed when it is whole: the processes of the tests read and write here at once.
    partial = kept.with_suffix(f".{os.getpid()}.partial")
    nbformat.write(notebook, partial)
    partial.replace(kept)
    return notebook


def write_tutorial(folder: Path) -> None:
    """Write the executed notebooks into a folder, and remove those of notebooks that no longer exist."""
    # The variable is read by the kernels, which copy the environment when they start.
    with patch.dict(os.environ, {"SMITHERS_EMBED": "1"}), ThreadPoolExecutor(2) as pool:
        notebooks = dict(zip(NOTEBOOKS, pool.map(executed, NOTEBOOKS), strict=True))
    for old in folder.glob("*.ipynb"):
        if old.name not in {path.name for path in NOTEBOOKS}:
            old.unlink()
    for path, notebook in notebooks.items():
        text = nbformat.writes(notebook)
        target = folder / path.name
        # An unchanged file keeps its time: Sphinx then reads only what has changed.
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")


def _content_hash(path: Path) -> str:
    found = hashlib.sha256(_surroundings().encode())
    found.update(path.read_bytes())
    return found.hexdigest()[:16]


@cache
def _surroundings() -> str:
    """Return a hash of all that an execution depends on, apart from the notebook itself."""
    found = hashlib.sha256(sys.version.encode())
    for name in sorted({f"{found.metadata['Name']} {found.version}" for found in distributions()}):
        found.update(name.encode())
    sources = [*(ROOT / "smithers_nb").rglob("*"), ROOT / "tests" / "run_notebook.py", Path(__file__)]
    for path in sorted(path for path in sources if path.is_file() and path.suffix != ".pyc"):
        found.update(path.read_bytes())
    return found.hexdigest()
