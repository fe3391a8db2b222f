"""Execute a notebook without a browser and show what its cells print.

    python tests/run_notebook.py notebooks/01_first_frames.ipynb

Each cell's outputs (streams and text/plain) are printed as soon as the cell has finished. A cell that fails is quoted
on stderr with its error, and the exit code is 1. The notebook runs in a copy of its folder, with the kernel of this
very Python, so that neither the repository nor the user's Jupyter set-up is read or changed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any
from unittest.mock import patch

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

# What an earlier run left beside the notebook must not change this one.
NOT_COPIED = shutil.ignore_patterns("*.db", "*.db-wal", "*.db-shm", ".*", "__pycache__", "node_modules")
ANSI = re.compile(r"\x1b\[[0-9;]*m")


class NotebookFailed(Exception):
    """A cell raised, took too long, or ended the kernel; the message quotes the cell."""


def run(path: Path, *, timeout_s: float = 120, show: bool = False) -> nbformat.NotebookNode:
    """The executed notebook. ``show`` prints each cell's outputs as it goes.

    Raises:
        NotebookFailed: at the first cell that fails and is not tagged ``raises-exception``.
    """
    with tempfile.TemporaryDirectory(prefix="notebook-") as scratch:
        folder = Path(scratch) / "work"
        shutil.copytree(path.parent, folder, ignore=NOT_COPIED)
        notebook = nbformat.read(folder / path.name, as_version=4)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # As saved by Lab; nbclient's own tells which cells have started.
        client = NotebookClient(
            notebook,
            timeout=timeout_s,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},  # The kernel's working directory.
            # It warns about TCP without encryption, which is loopback here.
            extra_arguments=["--log-level=ERROR"],
        )
        if show:
            client.on_cell_executed = lambda cell, cell_index, **_: print(_shown(cell, cell_index), flush=True)
        try:
            with patch.dict(os.environ, _own_directories(Path(scratch))):
                client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise NotebookFailed(_failure(path, notebook, error)) from None
    return notebook


def _own_directories(scratch: Path) -> dict[str, str]:
    """With an empty data folder of our own, ``python3`` can only be this environment's kernel."""
    return {
        "IPYTHONDIR": str(scratch / "ipython"),
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "JUPYTER_DATA_DIR": str(scratch / "data"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "run"),
        "JUPYTER_PATH": "",
        "JUPYTER_PREFER_ENV_PATH": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def _shown(cell: Any, index: int) -> str:
    first = next(iter(cell.source.strip().splitlines()), "")
    # An error that ends the run is told by `_failure`.
    expected = "raises-exception" in cell.metadata.get("tags", ())
    outputs = [output for output in cell.outputs if expected or output.output_type != "error"]
    texts = [_text(output).rstrip("\n") for output in outputs]
    return "\n".join([f"── cell {index + 1}: {textwrap.shorten(first, 90)}", *filter(None, texts)]) + "\n"


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return ANSI.sub("", "\n".join(output.traceback))
    return str(output.data.get("text/plain", ""))


def _failure(path: Path, notebook: nbformat.NotebookNode, error: Exception) -> str:
    """The failing cell is the last that nbclient started; its error names none."""
    started = [(number, cell) for number, cell in enumerate(notebook.cells, 1) if "execution" in cell.metadata]
    if not started:
        return f"{path}: {error}"
    number, cell = started[-1]
    said = str(error).splitlines()[0]  # A timeout's further lines quote the source again.
    if isinstance(error, CellExecutionError):
        said = f"{error.ename}: {error.evalue}"
    traces = [_text(output) for output in cell.outputs if output.output_type == "error"]
    parts = [f"{path}: cell {number} failed: {ANSI.sub('', said)}", textwrap.indent(cell.source, "    "), *traces]
    return "\n\n".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(description="Execute a notebook and print its cells' outputs.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument("--timeout", type=float, default=120, metavar="SECONDS", help="a cell's limit (120)")
    args = parser.parse_args()
    try:
        run(args.notebook.resolve(), timeout_s=args.timeout, show=True)
    except NotebookFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
