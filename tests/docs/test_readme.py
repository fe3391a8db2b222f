"""The workflow of the README runs as it stands there, in a real kernel."""

from __future__ import annotations

import re
from pathlib import Path

from tests.notebook.kernel import run_cells

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_workflow_of_the_readme_does_what_its_next_cell_says(tmp_path):
    [cell] = re.findall(r"^```\n(%%smithers brief\n.*?)^```$", README, re.MULTILINE | re.DOTALL)
    [after] = re.findall(r"^```python\n(await brief\.run\(\).*?)^```$", README, re.MULTILINE | re.DOTALL)
    lines = after.splitlines()
    out = run_cells(tmp_path, cell, *lines)
    assert [line for number, line in enumerate([cell, *lines]) if out.failed(number)] == []
    assert lines[0].partition("# ")[2] in out.text(1)
    assert lines[3].partition("# ")[2] == out.text(4)
    assert "the output of a call of search" in out.text(5)
    assert "tool search(" in out.text(6)
