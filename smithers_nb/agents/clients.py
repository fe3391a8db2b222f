"""HTTP connections of models: a model that is used in a notebook cell, too, has connections of its own on each side.

A connection belongs to the event loop that has opened it. pydantic-ai gives a model a new client when its loop has
ended; that of a notebook lives as long as the engine's, and the two would take each other's connections.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from copy import copy
from typing import Any

DEPTH = 6
"""The depth to which HTTP clients are searched below a model: provider, the SDK's client, and those that it wraps."""
PLAIN = (str, bytes, int, float, bool, type(None), type)


def keep_apart(model: object) -> None:
    """Let the HTTP clients of a model, and of those that it wraps, have connections of their own on this loop."""
    loop = asyncio.get_running_loop()
    for client in _clients(model):
        client._transport = _apart(client._transport, loop)
        client._mounts = {pattern: _apart(mounted, loop) for pattern, mounted in client._mounts.items()}


def _clients(model: object) -> Iterator[Any]:
    """Find the HTTP clients below a model: each SDK keeps its own in another place."""
    # Only what is imported already can be below a model; importing httpx here would cost its time for nothing.
    kinds = tuple(module.AsyncClient for name in ("httpx", "httpx2") if (module := sys.modules.get(name)))
    level, seen = [model], {id(model)}
    for _ in range(DEPTH):
        below: list[object] = []
        for one in level:
            if isinstance(one, kinds):
                yield one
                continue
            inside = getattr(one, "__dict__", {}).values()
            if isinstance(one, list | tuple):
                inside = one
            for value in list(inside):
                if not isinstance(value, PLAIN) and id(value) not in seen:
                    seen.add(id(value))
                    below.append(value)
        level = below


def _apart(transport: Any, loop: asyncio.AbstractEventLoop) -> Any:
    if isinstance(transport, _PerLoop):
        if transport._loop is loop:
            return transport
        transport = transport._elsewhere  # In the child of a fork.
    if transport is None:
        return None
    return _PerLoop(transport, loop)


class _PerLoop:
    """Sends requests through a transport, and on one loop through a copy of it that has connections of its own."""

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._elsewhere = transport
        self._loop = loop
        self._here = _without_connections(transport)

    @property
    def _transport(self) -> Any:
        if asyncio.get_running_loop() is self._loop:
            return self._here
        return self._elsewhere

    async def handle_async_request(self, request: Any) -> Any:
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def __aenter__(self) -> _PerLoop:
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self._transport.__aexit__(*error)

    # httpx and the SDKs read attributes of their own transports.
    def __getattr__(self, name: str) -> Any:
        return getattr(self._elsewhere, name)


def _without_connections(transport: Any) -> Any:
    """Copy a transport, and those that it wraps, with a pool that has no connections yet."""
    # Copied and not made again: its settings (proxies, certificates, limits) are nowhere to be read.
    new = copy(transport)
    for name, value in vars(new).items():
        if hasattr(value, "handle_async_request"):
            setattr(new, name, _without_connections(value))
    if hasattr(new, "_connections") and hasattr(new, "_requests"):
        new._connections, new._requests = [], []
        new._optional_thread_lock = type(transport._optional_thread_lock)()
    return new
