"""Parts of a prompt that are no text: images, documents, audio and video, by their bytes or their address."""

from __future__ import annotations

import mimetypes
import os
import stat
from functools import lru_cache
from hashlib import sha256
from typing import Any, ClassVar, Literal, NamedTuple

from pydantic import PrivateAttr

from ..errors import PropError, kind_of
from . import source as sources
from .base import NodeBase

MOST_BYTES = 50_000_000
"""The largest file that is sent: providers refuse larger ones, and each request carries it again."""


class Content(NamedTuple):
    """What a part holds: bytes, or the address at which the provider finds them."""

    kind: str
    """image, audio, video or document."""
    media_type: str | None
    data: bytes | None = None
    url: str | None = None
    given: Any = None  # Any: pydantic-ai's object, if it is one
    hash: str | None = None
    """The SHA-256 of the bytes."""


class PromptPart(NodeBase):
    """A part of a prompt; it stands inside ``Claude`` or ``Agent``, among the text."""

    src: Any  # Any: a path, an address, bytes, or pydantic-ai's object
    media_type: str | None = None

    kinds: ClassVar[tuple[str, ...]] = ()
    """The beginnings of the media types that it takes; none for those that no other kind takes."""
    instead_of_children: ClassVar[str | None] = "Its content says src={…}."
    _content: Content = PrivateAttr()

    def __init__(self, *unnamed: object, **props: Any) -> None:
        props["source"] = props.get("source") or sources.caller()
        super().__init__(*unnamed, **props)
        try:
            self._content = _content(self)
        except ValueError as why:
            raise PropError(f"prop 'src' of <{self.type}>: {why}.", source=self.source) from None

    @property
    def content(self) -> Content:
        """The bytes, or the address."""
        return self._content

    def props(self) -> dict[str, object]:
        """Return what is shown of it: path or address, media type, size and hash; never the bytes."""
        content = self._content
        found: dict[str, object] = {}
        if isinstance(self.src, str | os.PathLike):
            found["src"] = os.fspath(self.src)
        elif content.url is not None:
            found["src"] = content.url
        if content.media_type is not None:
            found["media_type"] = content.media_type
        if content.data is not None and content.hash is not None:
            found |= {"size": len(content.data), "hash": content.hash[:16]}
        return found


class Image(PromptPart):
    """An image for the model, among the text of a prompt."""

    type: Literal["image"] = "image"
    src: Any  # Any: a path, an address, bytes, or pydantic-ai's object
    """The path of a file, an address (``https://…``), bytes, or an ``ImageUrl`` or ``BinaryContent`` of pydantic-ai. A
    file is read when the plan is rendered, and again when it has changed."""
    media_type: str | None = None
    """``image/png``, say; None to find it from the bytes or the name."""

    kinds: ClassVar[tuple[str, ...]] = ("image/",)
    instead_of_children: ClassVar[str | None] = "Its content says src={…}. As text, write {'<image>'}."


class Audio(PromptPart):
    """A sound for the model, among the text of a prompt."""

    type: Literal["audio"] = "audio"
    src: Any  # Any: a path, an address, bytes, or pydantic-ai's object
    """The same as for ``Image``, like all props that follow."""
    media_type: str | None = None

    kinds: ClassVar[tuple[str, ...]] = ("audio/",)
    instead_of_children: ClassVar[str | None] = "Its content says src={…}. As text, write {'<audio>'}."


class Video(PromptPart):
    """A video for the model, among the text of a prompt."""

    type: Literal["video"] = "video"
    src: Any  # Any: a path, an address, bytes, or pydantic-ai's object
    """The same as for ``Image``, like all props that follow."""
    media_type: str | None = None

    kinds: ClassVar[tuple[str, ...]] = ("video/",)
    instead_of_children: ClassVar[str | None] = "Its content says src={…}. As text, write {'<video>'}."


class Document(PromptPart):
    """A document for the model, such as a PDF, among the text of a prompt."""

    type: Literal["document"] = "document"
    src: Any  # Any: a path, an address, bytes, or pydantic-ai's object
    """The same as for ``Image``, like all props that follow."""
    media_type: str | None = None

    # Prompts have tags of their own, and this is one that many have.
    instead_of_children: ClassVar[str | None] = "Its content says src={…}. As text, write {'<document>'}."


PARTS: dict[str, type[PromptPart]] = {
    kind.model_fields["type"].default: kind for kind in (Image, Audio, Video, Document)
}
"""The classes of parts by their tag."""


def part_of(item: Any, source: str | None) -> PromptPart | None:  # Any: it is what the user gave
    """Return the node of a child that is one of pydantic-ai's objects for a part of a prompt; None for any other."""
    # Told by their attributes: pydantic-ai must not be imported for this.
    kind = getattr(item, "kind", None)
    if kind == "binary" and isinstance(getattr(item, "data", None), bytes):
        return _kind_for(str(item.media_type))(src=item, source=source)
    if isinstance(kind, str) and kind.endswith("-url") and isinstance(getattr(item, "url", None), str):
        made = PARTS.get(kind.removesuffix("-url"))
        return made(src=item, source=source) if made else None
    return None


def _kind_for(media_type: str) -> type[PromptPart]:
    return next((kind for kind in PARTS.values() if media_type.startswith(kind.kinds or "?")), Document)


def _content(part: PromptPart) -> Content:
    """Return what a part holds.

    Raises:
        ValueError: saying what is wrong with ``src``, and what to do.
    """
    src, wanted = part.src, part.media_type
    if isinstance(src, str) and src.startswith(("http://", "https://")):
        return Content(part.type, wanted, url=src)
    if isinstance(getattr(src, "url", None), str):
        if part_kind(src) != part.type:
            raise ValueError(f"{type(src).__name__} is no {part.type}: use <{part_kind(src).capitalize()}>")
        return Content(part.type, wanted, url=src.url, given=src)
    if isinstance(src, str | os.PathLike):
        path = os.fspath(src)
        data, hash = _file(path)
        media_type = wanted or _sniffed(data) or mimetypes.guess_type(path)[0]
        where = f"the file {path!r}"
    elif isinstance(src, bytes | bytearray | memoryview):
        data = bytes(src)
        hash, media_type, where = _hash(data), wanted or _sniffed(data), "it"
    elif isinstance(getattr(src, "data", None), bytes):
        data = src.data
        hash, media_type, where = _hash(data), wanted or str(src.media_type), "it"
    else:
        raise ValueError(
            f"it takes the path of a file, an address, bytes, or an object of pydantic-ai, and not {kind_of(src)}"
        )
    if not data:
        raise ValueError(f"{where} is empty")
    if len(data) > MOST_BYTES:
        raise ValueError(
            f"{where} has {len(data):,} bytes, and at most {MOST_BYTES:,} are sent. Make it smaller, or give the "
            "address at which the provider finds it"
        )
    if media_type is None:
        raise ValueError(f'the type of {where} can\'t be told. Write media_type="…/…"')
    right = _kind_for(media_type)
    if not isinstance(part, right):
        raise ValueError(f"{where} is {media_type}, which is no {part.type}: use <{right.__name__}>")
    return Content(part.type, media_type, data=data, given=src if hasattr(src, "kind") else None, hash=hash)


def part_kind(item: Any) -> str:  # Any: pydantic-ai's object
    """Return the tag for an address of pydantic-ai's."""
    return str(getattr(item, "kind", "")).removesuffix("-url")


def _file(path: str) -> tuple[bytes, str]:
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{path!r} is no file")
        if found.st_size > MOST_BYTES:
            raise ValueError(
                f"the file {path!r} has {found.st_size:,} bytes, and at most {MOST_BYTES:,} are sent. Make it smaller, "
                "or give the address at which the provider finds it"
            )
        return _read(path, found.st_mtime_ns, found.st_size)
    except FileNotFoundError:
        raise ValueError(f"there is no file {path!r} (looked for in {os.getcwd()})") from None
    except OSError as error:
        raise ValueError(f"the file {path!r} can't be read: {error.strerror}") from None


# A plan is rendered many times: a file that has not changed is read once.
@lru_cache(maxsize=16)
def _read(path: str, mtime_ns: int, size: int) -> tuple[bytes, str]:
    with open(path, "rb") as file:
        data = file.read()
    return data, _hash(data)


def _hash(data: bytes) -> str:
    return sha256(data).hexdigest()


_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav"}


def _sniffed(data: bytes) -> str | None:
    """Return the media type that the first bytes tell; a file's name may be wrong, and a provider refuses it then."""
    if data[:4] == b"RIFF":
        return _RIFF.get(data[8:12])
    return next((media_type for beginning, media_type in _BEGINNINGS if data.startswith(beginning)), None)
