"""An MCP server on stdio: ``python mcp_files.py LOG`` serves three tools, and writes down what it did."""

from __future__ import annotations

import sys
from pathlib import Path

from mcp.server import MCPServer

server = MCPServer("files")
LOG = Path(sys.argv[1])


def note(line: str) -> None:
    with LOG.open("a") as file:
        file.write(f"{line}\n")


@server.tool()
def read_file(path: str) -> str:
    """Read a file."""
    note(f"read {path}")
    return f"what is in {path}"


@server.tool()
def write_file(path: str, text: str) -> dict[str, str]:
    """Write a file."""
    note(f"write {path}")
    return {"path": path, "written": text}


@server.tool()
def break_down(path: str) -> str:
    """Raise."""
    note(f"break {path}")
    raise ValueError(f"{path} is broken")


if __name__ == "__main__":
    server.run("stdio")
