"""Runs to export, and what is in the bytes of an exported file."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest


def parts_of(path: Path) -> dict[str, bytes]:
    """Return a file's own bytes, and its blocks, decompressed: all places where something could stand."""
    data = path.read_bytes()
    found = {"file": data}
    for name, block in re.findall(rb'<script type="application/json" id="smithers-(\w+)">([^<]*)</script>', data):
        value: dict[str, Any] = json.loads(block)
        found[name.decode()] = block
        if "data" in value:
            found[name.decode()] = gzip.decompress(b64decode(value["data"]))
    return found


@pytest.fixture
def parts() -> Any:
    return parts_of
