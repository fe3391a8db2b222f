"""``ctx.fs``: files that are read, watched and written."""

from __future__ import annotations

import asyncio
import glob
import hashlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import overload
from weakref import WeakMethod

from ...errors import kind_of
from ...records import Event
from ...store import writer
from ...threads import unlimited_anyio
from ..state import Transaction
from .host import Host
from .purity import Look, RenderScope
from .scope import Owner, node_of, refuse_when_closed, refuse_while_rendering, scope_of
from .sealed import Sealed

logger = logging.getLogger(__name__)

FilePath = str | os.PathLike[str]


class FileApi(Sealed):
    """``ctx.fs``. Paths are relative to the folder that the kernel runs in.

    What a component looks at is watched from then on, and a change makes a frame due; it does not keep an execution
    alive. What a handler writes is written at once, and stays even if the handler raises; it may be written again
    after a crash, like every outside effect.
    """

    __slots__ = ("_ctx", "_host")
    _name = "ctx.fs"

    def __init__(self, ctx: Owner, host: Host) -> None:
        self._ctx = ctx
        self._host = host

    @overload
    def read(self, path: FilePath, encoding: str = "utf-8") -> str: ...
    @overload
    def read(self, path: FilePath, encoding: None) -> bytes: ...
    def read(self, path: FilePath, encoding: str | None = "utf-8") -> str | bytes:
        """Return the content of a file: text, or bytes with ``encoding=None``.

        Raises:
            FileNotFoundError: if there is none.
        """
        data = _content(os.fspath(path))
        self._looked(Look("read", os.fspath(path)), _hash(data))
        if data is None:
            return Path(path).read_bytes()  # It raises the error that says why there is no content.
        if encoding is None:
            return data
        return data.decode(encoding)

    def exists(self, path: FilePath) -> bool:
        """Return whether there is a file or folder of this name."""
        look = Look("exists", os.fspath(path))
        seen = fingerprint(look)
        self._looked(look, seen)
        return seen is not None

    def glob(self, pattern: str) -> list[str]:
        """Return the files and folders that match, sorted; ``**`` goes into subfolders."""
        found = _matches(pattern)
        self._looked(Look("glob", pattern), "\n".join(found))
        return found

    def write(self, path: FilePath, content: str | bytes) -> None:
        """Write a file, and its folders if need be. Readers see the old content or the new one, and no mixture.

        An event ``file_written`` with path, sha256 and size is recorded: with the handler's or effect's FLUSH, else
        at once.

        Raises:
            RenderWriteError: while rendering.
        """
        name = os.fspath(path)
        refuse_while_rendering(f"file {name!r} was written")
        scope = scope_of(self._ctx)
        refuse_when_closed(scope, f"file {name!r}")
        self._host.refuse_when_closed()
        if not isinstance(content, str | bytes):
            raise TypeError(f"fs.write({name!r}, …) takes text or bytes, not {kind_of(content)}.")
        data = content
        if isinstance(data, str):
            data = data.encode()
        _replace(name, data)
        payload = {"path": name, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        event = Event(self._host.frame, "file_written", node_of(scope), json.dumps(payload, ensure_ascii=False))
        if isinstance(scope, Transaction):
            scope.events.append(event)
        else:
            self._host.record(
                partial(
                    writer.add_event,
                    execution_id=self._host.execution_id,
                    frame=event.frame,
                    kind=event.kind,
                    node_id=event.node_id,
                    payload=event.payload,
                )
            )
            self._host.look_at_files()

    def _looked(self, look: Look, seen: str | None) -> None:
        scope = scope_of(self._ctx)
        if isinstance(scope, RenderScope):
            scope.look(look, seen)


_UNSEEN = object()


class Watch:
    """The files that the last frame's components looked at. It belongs to the engine's loop."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = WeakMethod(changed)
        """The callback. It is weak, because a watch must not keep an execution that no one has any more."""
        self._seen: dict[Look, str | None] = {}
        self._recorded: dict[Look, str | None] = {}
        """What the last frame's components saw: ``_seen`` follows the files."""
        self._folders: dict[str, bool] = {}
        self._task: asyncio.Task[None] | None = None

    def on(self, looks: Mapping[Look, str | None]) -> None:
        """Watch the files of these looks from now on, and no others."""
        if not looks and not self._seen:
            return
        self._seen = dict(looks)
        self._recorded = dict(looks)
        folders = _folders(self._seen)
        # Most frames look at the same folders as the one before, and starting a watcher costs a thread.
        if folders == self._folders and (not folders or (self._task and not self._task.done())):
            return
        self.stop()
        self._folders = folders
        if folders:
            self._task = asyncio.get_running_loop().create_task(self._run(folders), name="smithers watch")

    def news(self, looks: Mapping[Look, str | None]) -> list[Look]:
        """Return the looks that are new or saw something else than in the frame before."""
        return [look for look, seen in looks.items() if self._recorded.get(look, _UNSEEN) != seen]

    def look(self) -> None:
        """Report the files that have changed since they were looked at; each change is reported once."""
        for look, seen in self._seen.items():
            now = fingerprint(look)
            if now != seen:
                self._seen[look] = now
                if (changed := self._changed()) is not None:
                    changed(f"file {look.path} changed")

    def stop(self) -> None:
        """Stop watching; ``look`` still finds changes."""
        self._folders = {}
        if self._task is not None:
            self._task.cancel()

    async def stopped(self) -> None:
        """Stop watching, and wait until its thread has ended."""
        self.stop()
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _run(self, folders: Mapping[str, bool]) -> None:
        # Two watchers, because each is recursive or not: a glob in one folder must not watch all that is below the
        # folder of a single file, such as the home folder.
        flat = [folder for folder, below in folders.items() if not below]
        deep = [folder for folder, below in folders.items() if below]
        following = []
        if flat:
            following.append(self._follow(flat, deep=False))
        if deep:
            following.append(self._follow(deep, deep=True))
        await asyncio.gather(*following)

    async def _follow(self, roots: list[str], deep: bool) -> None:
        from watchfiles import awatch  # Only here: importing it takes its time.

        unlimited_anyio()  # Each of them keeps a thread.

        try:
            # Called when awatch has begun to watch: what changed since it was read is seen then.
            asyncio.get_running_loop().call_soon(self.look)
            async for _ in awatch(*roots, recursive=deep, watch_filter=self._concerns):
                self.look()
        except (OSError, RuntimeError) as error:  # No such folder any more, or too many of them for the system.
            logger.warning("%s can't be watched: %s. A step still sees changed files.", ", ".join(roots), error)

    def _concerns(self, _change: object, path: str) -> bool:
        """Return whether a change is of interest: the store's own files change all the time."""
        return any(_touches(look, path) for look in self._seen)


def fingerprint(look: Look) -> str | None:
    """Return a text that changes when the files of a look do; None where there is nothing."""
    match look.kind:
        case "read":
            return _hash(_content(look.path))
        case "exists":
            if not os.path.exists(look.path):
                return None
            return "there"
        case "glob":
            return "\n".join(_matches(look.path))


def _content(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


def _hash(data: bytes | None) -> str | None:
    if data is None:
        return None
    return hashlib.sha256(data).hexdigest()


def _matches(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern, recursive=True))


def _replace(path: str, data: bytes) -> None:
    """Write a new file beside the old one, and rename it."""
    # Beside it, because a rename is atomic within one file system only. A link stays a link: its target is replaced.
    target = Path(path).resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".smithers-{secrets.token_hex(6)}")
    try:
        temporary.write_bytes(data)
        if target.exists():
            temporary.chmod(target.stat().st_mode & 0o7777)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _folders(looks: Iterable[Look]) -> dict[str, bool]:
    """Return the folders to watch, each with True if its subfolders are watched, too."""
    # Folders, because the watch of a file ends when the file is replaced, and a missing file can't be watched.
    folders: dict[str, bool] = {}
    for look in looks:
        fixed, deep = _fixed(look)
        while not os.path.isdir(fixed):
            fixed, deep = os.path.dirname(fixed), False
        folders[fixed] = folders.get(fixed, False) or deep
    return folders


def _fixed(look: Look) -> tuple[str, bool]:
    """Return the folder in which the changes of a look are, and whether they may be in subfolders."""
    path = os.path.abspath(look.path)
    if look.kind != "glob":
        return os.path.dirname(path), False
    folder, name = os.path.dirname(path), os.path.basename(path)
    deep = "**" in name
    while glob.has_magic(folder):
        folder, deep = os.path.dirname(folder), True
    return folder, deep


def _inside(folder: str, other: str) -> bool:
    return folder != other and folder.startswith(os.path.join(other, ""))


def _touches(look: Look, path: str) -> bool:
    target = os.path.abspath(look.path)
    if look.kind == "glob":
        # The folder itself and those above it, too: they may be made, renamed or removed as a whole.
        folder, _ = _fixed(look)
        return _inside(path, folder) or path == folder or _inside(folder, path)
    return path == target or _inside(target, path)
