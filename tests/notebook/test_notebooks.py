"""The teaching notebooks run from top to bottom, twice, and are saved without outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from docs.executed import executed
from tests.run_notebook import run

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path):
    executed(path)  # `make docs`, which comes first in the gate, has executed it already if nothing has changed since.


def test_the_bug_that_loses_a_write_does_not_wait_for_a_fast_machine():
    """Both handlers are called in one frame because both answers stand before it, not because half a second is long."""
    [path] = [path for path in NOTEBOOKS if path.stem == "07_find_the_bug"]
    cells = run(path).cells
    assert not any("sleep" in cell.source for cell in cells)
    said = [str(cell.get("outputs")) for cell in cells]
    assert sum("remarks: ['Tides come twice a day.']" in text and "overridden" in text for text in said) == 1


WITHOUT_POSTGRES = """
import json, os, sys
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell

os.environ["PATH"] = ""
glob = Path.glob
Path.glob = lambda self, pattern: [] if pattern.endswith("bin/postgres") else glob(self, pattern)
shell = InteractiveShell.instance()
for cell in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        shell.run_cell("".join(cell["source"])).raise_error()
"""


def test_without_postgresql_the_notebook_on_workers_says_how_and_does_nothing(python, tmp_path):
    [path] = [path for path in NOTEBOOKS if path.stem.startswith("10_")]
    done = python(WITHOUT_POSTGRES, path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines() == [
        "This notebook is skipped. It needs PostgreSQL: sudo apt-get install postgresql",
        "Writing sites.py",
    ]
    assert [one.name for one in tmp_path.iterdir()] == ["sites.py"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_saved_without_outputs(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert [cell["id"] for cell in cells if cell.get("outputs") or cell.get("execution_count")] == []
