"""Cells run in a real ipykernel, and what came out of them."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook


class Outputs:
    """The outputs of the cells that were run."""

    def __init__(self, cells: list) -> None:
        self._cells = cells

    def text(self, index: int) -> str:
        """Streams, plain text and tracebacks of a cell, without colours."""
        parts: list[str] = []
        stream = None
        for output in self._cells[index].outputs:
            before, stream = stream, output.get("name")
            if output.output_type == "stream":
                # A kernel may send a stream in several pieces, cut anywhere.
                parts.append((parts.pop() if parts and stream == before else "") + output.text)
            elif output.output_type == "error":
                parts.append("\n".join(output.traceback))
            else:
                parts.append(output.data.get("text/plain", ""))
        return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(parts))

    def html(self, index: int) -> str:
        return "".join(output.data.get("text/html", "") for output in self._cells[index].outputs if "data" in output)

    def failed(self, index: int) -> bool:
        """Whether the kernel says that the cell failed."""
        return self._cells[index].metadata.get("failed", False)


class _Client(NotebookClient):
    """Notes which cells failed, and goes on."""

    async def _check_raise_for_error(self, cell, cell_index, exec_reply):
        cell.metadata["failed"] = bool(exec_reply) and exec_reply["content"]["status"] == "error"


def run_cells(folder: Path, *sources: str) -> Outputs:
    """Run cells, after ``%load_ext smithers_nb``, in a kernel of their own; ``text(0)`` is the first one's."""
    notebook: nbformat.NotebookNode = new_notebook(
        cells=[new_code_cell(s) for s in ("%load_ext smithers_nb", *sources)]
    )
    client = _Client(notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}})
    client.execute()
    return Outputs(notebook.cells[1:])
