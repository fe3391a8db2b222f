"""Bytes in requests to models, such as images: each once in the file, by their hash.

In the JSON of a message they are base64 text. What is stored in its place names the alphabet and the hash:
``"data":"blob:<SHA-256>"`` for the URL-safe one, ``"data":"blob64:…"`` for the standard one.
"""

from __future__ import annotations

import re
import sqlite3
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from hashlib import sha256

from .connection import now

_DATA = re.compile(r'"data":"([A-Za-z0-9+/_-]{200,}={0,2})"')
_BLOB = re.compile(r'"data":"(blob|blob64):([0-9a-f]{64})"')
_ALPHABETS = {"blob": (urlsafe_b64decode, urlsafe_b64encode), "blob64": (b64decode, b64encode)}


def taken_out(db: sqlite3.Connection, execution_id: str, text: str | None) -> str | None:
    """Return the JSON of messages without the bytes in it, which are added to the file unless it has them."""
    if text is None or '"data":"' not in text:
        return text
    return _DATA.sub(lambda found: _taken_out(db, execution_id, found), text)


def _taken_out(db: sqlite3.Connection, execution_id: str, found: re.Match[str]) -> str:
    for name, (decode, encode) in _ALPHABETS.items():
        try:
            data = decode(found[1])
        except Error:
            continue
        # Text that only looks like base64 stays: it has to come back as it was.
        if encode(data).decode() == found[1]:
            hash = sha256(data).hexdigest()
            db.execute("INSERT OR IGNORE INTO blobs (hash, bytes, created_at) VALUES (?, ?, ?)", (hash, data, now()))
            db.execute("INSERT OR IGNORE INTO blob_uses (execution_id, hash) VALUES (?, ?)", (execution_id, hash))
            return f'"data":"{name}:{hash}"'
    return found[0]


def put_back(text: str, load: Callable[[str], bytes | None]) -> str:
    """Return the JSON of messages with the bytes that were taken out of it; ``load`` returns them by their hash."""
    if '"data":"blob' not in text:
        return text

    def replaced(found: re.Match[str]) -> str:
        data = load(found[2])
        if data is None:
            return found[0]
        return f'"data":"{_ALPHABETS[found[1]][1](data).decode()}"'

    return _BLOB.sub(replaced, text)
