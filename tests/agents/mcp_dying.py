"""An MCP server on stdio that dies: ``python mcp_dying.py LOG`` writes down what it did, and its starts."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mcp.server import MCPServer

server = MCPServer("dying")
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
def die(path: str) -> str:
    """End the process, without an answer."""
    note(f"die {path}")
    os._exit(3)


if __name__ == "__main__":
    note(f"start {os.getpid()}")
    server.run("stdio")
