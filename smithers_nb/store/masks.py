"""Masks for values that leave a file: credentials always, and things that a person asks to have removed.

They work on texts as JSON holds them, leaf by leaf: a mask over the JSON itself would break it, or miss what an escape
hides. Only replacements made here are counted, not those made when a value was recorded.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import accumulate
from typing import Any

from ..credentials import MASK, is_name, masked, may_hold
from .requests import compact

HIDDEN = "[redacted]"
"""The text that stands for what a person asked to have removed."""
LONG = 50_000
"""The length from which a text is looked through once: a value stands in the task, the write and the state."""
LEAST = 8
"""The length from which a text of a redacted key is looked for in other texts: shorter ones are common words."""

_ENCODED = re.compile(r"(?:data:[^,\"]{0,80};base64,)?([A-Za-z0-9+/_-]{16,}={0,2})")
_MAY_BE_ENCODED = re.compile(rf'"{_ENCODED.pattern}"')
_BLOB = re.compile(r"(blob|blob64):([0-9a-f]{64})")
_NAMED = ("name", "key", "header")
_VALUES = ("value", "new", "old")
"""The fields of objects such as ``{"name": "Authorization", "value": "…"}``."""


@dataclass(slots=True)
class Redaction:
    """The things that a person asks to have removed."""

    keys: frozenset[str] = frozenset()
    """Keys of the state: their values are removed, and their texts wherever they stand."""
    columns: frozenset[str] = frozenset()
    """Columns, as ``model_calls.request``."""
    patterns: tuple[re.Pattern[str], ...] = ()
    """Patterns whose matches are removed from all texts."""
    texts: tuple[str, ...] = ()
    """The texts in the values of the keys."""

    def __bool__(self) -> bool:
        return bool(self.keys or self.columns or self.patterns)

    @property
    def words(self) -> tuple[str, ...]:
        """The keys, columns and patterns, for the header of a file."""
        return (*sorted(self.keys), *sorted(self.columns), *(f"/{one.pattern}/" for one in self.patterns))


@dataclass(slots=True)
class Masks:
    """Masks the values of rows, and counts the replacements."""

    redaction: Redaction
    masked: int = 0
    """The number of credentials that were replaced."""
    redacted: int = 0
    """The number of values and texts that a person asked to have replaced."""
    _patterns: list[re.Pattern[str]] = field(default_factory=list)
    _names: dict[str, str] = field(default_factory=dict)
    _taken: Counter[str] = field(default_factory=Counter)
    _blobs: dict[str, str] = field(default_factory=dict)
    _long: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._patterns = list(self.redaction.patterns)
        if texts := sorted(set(self.redaction.texts), key=len, reverse=True):
            self._patterns.append(re.compile("|".join(map(re.escape, texts))))

    # ---- texts -------------------------------------------------------------------------------------------------

    def text(self, text: str) -> str:
        """Return a text without credentials, and without what matches a pattern."""
        for pattern in self._patterns:
            text, count = pattern.subn(HIDDEN, text)
            self.redacted += count
        return self._credentials(text)

    def _credentials(self, text: str) -> str:
        if not may_hold(text):
            return text
        if len(text) < LONG:
            clean = masked(text)
        elif (known := self._long.get(text)) is not None:
            clean = known
        else:
            clean = self._long[text] = masked(text)
        if clean != text:
            self.masked += max(1, clean.count(MASK) - text.count(MASK))
        return clean

    def name(self, text: str) -> str:
        """Return a text that names a row: the same for the same text, and a different one for each other text."""
        if text not in self._names:
            clean = self.text(text)
            if clean != text:
                self._taken[clean] += 1
                clean += str(self._taken[clean]) * (self._taken[clean] > 1)
            self._names[text] = clean
        return self._names[text]

    def pieces(self, texts: Sequence[str]) -> list[str]:
        """Return the pieces of one text, masked as the whole: a credential may stand in several of them."""
        whole = "".join(texts)
        clean = self.text(whole)
        if clean == whole:
            return list(texts)
        # The masked part stands in the piece in which it begins; what is before and behind it stays where it is.
        before = _alike(whole, clean)
        behind = _alike(whole[before:][::-1], clean[before:][::-1])
        changed = clean[before : len(clean) - behind]
        found = []
        for start, text in zip(accumulate(map(len, texts), initial=0), texts, strict=False):
            kept = whole[start : min(start + len(text), before)]
            rest = whole[max(start, len(whole) - behind) : start + len(text)]
            begins = start <= before < start + len(text)
            found.append(f"{kept}{changed * begins}{rest}")
        return found

    # ---- JSON --------------------------------------------------------------------------------------------------

    def json(self, text: str, name: str = "") -> str:
        """Return a text of JSON with its texts masked; ``name`` is the name that its value has, such as a key's."""
        quiet = not (self._patterns or self._blobs or may_hold(text) or is_name(name))
        # Most values end here: taking a text of JSON apart costs many times as much as a look at it.
        if quiet and not _MAY_BE_ENCODED.search(text):
            return text
        value = json.loads(text)
        clean = self.behind(name, value)
        if clean == value:
            return text  # As it was written: other programs may compare it letter by letter.
        return compact(clean)

    def behind(self, name: str, value: Any) -> Any:  # Any: JSON
        """Return the value of a name: behind the name of a credential each text is one."""
        if not is_name(name):
            return self.value(value)
        return self._all(value)

    def _all(self, value: Any) -> Any:  # Any: JSON
        if isinstance(value, str) and value and value != MASK:
            self.masked += 1
            return MASK
        if isinstance(value, list):
            return [self._all(one) for one in value]
        if isinstance(value, dict):
            return {self.text(name): self._all(one) for name, one in value.items()}
        return value

    def value(self, value: Any) -> Any:  # Any: JSON
        """Return a value with its texts masked."""
        if isinstance(value, str):
            return self.leaf(value)
        if isinstance(value, list):
            if len(value) == 2 and isinstance(value[0], str):  # A header, as a pair.
                return [self.leaf(value[0]), self.behind(value[0], value[1])]
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            called = next((value[one] for one in _NAMED if isinstance(value.get(one), str)), "")
            found = {}
            for name, one in value.items():
                found[self.text(name)] = self.behind(called if name in _VALUES else name, one)
            return found
        return value

    def leaf(self, text: str) -> str:
        """Return a text of a value, which may hold JSON, or bytes as base64, or name a blob."""
        if self._blobs and (named := _BLOB.fullmatch(text)):
            return f"{named[1]}:{self._blobs.get(named[2], named[2])}"
        if text[:1] in ("{", "["):
            try:
                value = json.loads(text)
            except (ValueError, RecursionError):
                return self.text(text)
            clean = self.value(value)
            if clean != value:
                return compact(clean)
        if encoded := _ENCODED.fullmatch(text):
            return text[: encoded.start(1)] + self._encoded(encoded[1])
        return self.text(text)

    def _encoded(self, text: str) -> str:
        ways: Iterable[tuple[Callable[[str], bytes], Callable[[bytes], bytes]]] = (
            (b64decode, b64encode),
            (urlsafe_b64decode, urlsafe_b64encode),
        )
        for decode, encode in ways:
            try:
                data = decode(text)
            except Error:
                continue
            if encode(data).decode() == text:
                clean = self.data(data)
                if clean != data:
                    return encode(clean).decode()
                break
        return self.text(text)

    # ---- bytes -------------------------------------------------------------------------------------------------

    def data(self, data: bytes) -> bytes:
        """Return bytes with the text in them masked; those of a picture stay."""
        for encoding in _encodings(data):
            try:
                text = data.decode(encoding)
            except UnicodeDecodeError:
                continue
            clean = self.text(text)
            return data if clean == text else clean.encode(encoding)
        # Neither: a document, say, in which a credential is plain text all the same. Patterns are for texts.
        text = data.decode("latin-1")
        clean = self._credentials(text)
        return data if clean == text else clean.replace(MASK, "***").encode("latin-1")

    def blob(self, hash: str, data: bytes) -> tuple[str, bytes]:
        """Return a blob masked, with its hash; messages that name it are changed with it."""
        clean = self.data(data)
        if clean is data or clean == data:
            return hash, data
        self._blobs[hash] = sha256(clean).hexdigest()
        return self._blobs[hash], clean


def _alike(one: str, other: str) -> int:
    """Return the number of characters with which both begin."""
    least = min(len(one), len(other))
    return next((n for n in range(least) if one[n] != other[n]), least)


def _encodings(data: bytes) -> Iterable[str]:
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        yield "utf-16"
    yield "utf-8"


def texts_in(value: Any) -> Iterable[str]:  # Any: JSON
    """Yield the texts in a value that are long enough to be looked for."""
    if isinstance(value, str):
        if len(value) >= LEAST:
            yield value
    elif isinstance(value, list):
        for one in value:
            yield from texts_in(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from texts_in(one)


def emptied(value: Any) -> Any:  # Any: JSON
    """Return a value with each text in it removed, and its structure kept: readers rely on that."""
    if isinstance(value, str):
        return HIDDEN
    if isinstance(value, list):
        return [emptied(one) for one in value]
    if isinstance(value, dict):
        return {name: emptied(one) for name, one in value.items()}
    return value
