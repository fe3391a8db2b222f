"""The file ``run.html``: a page, and in it a header, a database and panes as blocks of JSON.

``<`` is written as ``\\u003c`` in each block: whatever a model wrote, no block ends before its end.
"""

from __future__ import annotations

import binascii
import gzip
import html
import json
import os
import re
import zlib
from base64 import b64decode, b64encode
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..errors import SchemaVersionError, StoreDamagedError, StoreError
from ..store.whole_file import written_whole

FORMAT = 1
"""The version of the container."""
LEVEL = 9
"""The level of compression: a file is written once, and sent often."""
STATIC = Path(__file__).parent / "static"
"""The folder of the page's built script and style."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The facts about an exported run."""

    format: int
    package: str
    """The release of smithers_nb that wrote the file."""
    engine: str
    """The release that ran the execution last."""
    schema: int
    """The version of the database's schema."""
    code_hash: str
    exported_at: str
    """The time in UTC as ISO 8601."""
    execution_id: str
    name: str
    status: str
    frames: tuple[int, int]
    """The first and the last frame."""
    masked: int
    """The number of credentials that were masked."""
    redacted: tuple[str, ...]
    """The keys, columns and patterns that were removed."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The parts of a file, decompressed."""

    header: Header
    database: bytes
    panes: bytes


def page(contents: Contents) -> bytes:
    """Return the file."""
    loader, script, style = _built("loader.js"), _built("player.js"), _built("player.css")
    header = contents.header
    title = html.escape(f"{header.name}: frames {header.frames[0]} to {header.frames[1]}")
    # The blocks stand before the script, which reads them as soon as it is parsed. The page's own script and style are
    # one of them: compressed, they take a third.
    body = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(loader, script)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        _block("header", asdict(header)),
        _block("page", _compressed(json.dumps({"style": style, "script": script}).encode())),
        _block("store", _compressed(contents.database)),
        _block("panes", _compressed(contents.panes)),
        f'</head><body><div id="smithers-player">{_summary(header)}</div>',
        f"<script>{loader}</script>",
        "</body></html>",
    ]
    return "\n".join(body).encode()


def _policy(*scripts: str) -> str:
    """Return the policy of the page: nothing is requested from anywhere, and only its own scripts run."""
    hashes = (b64encode(sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    # By their hashes, not "unsafe-inline": a text that came to stand in the page as a script would not run.
    # Styles need "unsafe-inline", because the front end sets positions and sizes on its elements.
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; font-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _built(name: str) -> str:
    """Return a built file of the page.

    Raises:
        StoreError: if it is missing.
    """
    path = STATIC / name
    if not path.exists():
        raise StoreError(
            f"the page of an export is not built: {path} is missing. A wheel of smithers_nb has it; in a clone, make "
            "widget builds it."
        )
    return path.read_text(encoding="utf-8")


def _summary(header: Header) -> str:
    """Return what a reader sees where the script does not run."""
    lines = [
        f"<h1>{html.escape(header.name)}</h1>",
        f"<p>A recorded run of smithers_nb: {html.escape(header.status)}, frames {header.frames[0]} to "
        f"{header.frames[1]}, exported {html.escape(header.exported_at)}.</p>",
        "<p>In Python: <code>from smithers_nb import Store; Store(&quot;run.html&quot;).open("
        f"&quot;{html.escape(header.execution_id)}&quot;)</code></p>",
    ]
    return "".join(lines)


def _block(name: str, value: object) -> str:
    text = json.dumps(value).replace("<", "\\u003c")
    return f'<script type="application/json" id="smithers-{name}">{text}</script>'


def _compressed(data: bytes) -> dict[str, object]:
    packed = gzip.compress(data, LEVEL, mtime=0)  # Without a time in it: the same run gives the same file.
    return {"encoding": "gzip+base64", "bytes": len(data), "data": b64encode(packed).decode()}


def write(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file whole, or not at all.

    Raises:
        StoreError: if it can't be written.
    """
    with written_whole(path) as file:
        file.write(data)


# ---- reading ---------------------------------------------------------------------------------------------------


def read(path: str) -> Contents:
    """Return what a file holds.

    Raises:
        StoreError: if it can't be read, or is a page without a run.
        SchemaVersionError: if a newer release has written a container that this one does not know.
        StoreDamagedError: if a part of it is missing or damaged.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path} can't be read: {error.strerror}. Check the file and its permissions.") from error
    except UnicodeDecodeError:
        raise _no_run(path) from None
    header = _header(path, text)
    return Contents(header, _unpacked(path, text, "store"), _unpacked(path, text, "panes"))


def _no_run(path: str) -> StoreError:
    return StoreError(
        f"{path} is no exported run: it has no block smithers-header. It was not changed. ex.export('run.html') writes "
        "one; a database has another name, run.db."
    )


def _header(path: str, text: str) -> Header:
    found = _found(path, text, "header")
    if found is None:
        raise _no_run(path)
    if not isinstance(version := found.get("format"), int) or version > FORMAT:
        raise SchemaVersionError(
            f"{path} was written by smithers_nb {found.get('package')} as container {version}, and this release knows "
            f"up to {FORMAT}: nothing of it can be shown. Upgrade: pip install -U smithers_nb."
        )
    # Fields that a later release adds are left aside; those that this one reads must be there.
    known = [field.name for field in fields(Header)]
    missing = [name for name in known if name not in found]
    if missing:
        raise _damaged(path, f"its header lacks {', '.join(missing)}")
    values = {name: found[name] for name in known}
    return Header(**values | {"frames": tuple(values["frames"]), "redacted": tuple(values["redacted"])})


def _found(path: str, text: str, name: str) -> dict[str, Any] | None:  # Any: JSON
    # Wherever its attributes stand: a browser that saves the page writes them in an order of its own.
    block = re.search(rf'<script\b[^>]*\bid="smithers-{name}"[^>]*>([^<]*)</script>', text)
    if block is None:
        return None
    try:
        found = json.loads(block[1])
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _damaged(path, f"its block smithers-{name} is no JSON")
    return found


def _unpacked(path: str, text: str, name: str) -> bytes:
    found = _found(path, text, name)
    if found is None:
        raise _damaged(path, f"its block smithers-{name} is missing")
    if found.get("encoding") != "gzip+base64":
        raise _damaged(path, f"its block smithers-{name} is written as {found.get('encoding')!r}")
    try:
        data = gzip.decompress(b64decode(found["data"], validate=True))
    except (KeyError, TypeError, binascii.Error, OSError, EOFError, zlib.error):
        data = None
    # The length, too: a file that was cut off and closed again by an editor may still decompress.
    if data is None or len(data) != found.get("bytes"):
        raise _damaged(path, f"its block smithers-{name} is not whole")
    return data


def _damaged(path: str, why: str) -> StoreDamagedError:
    return StoreDamagedError(f"{path} is a damaged export: {why}. It was not changed; copy or export it again.")
