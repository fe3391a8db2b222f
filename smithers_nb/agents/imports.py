"""The import of pydantic-ai and of a provider's package, which takes seconds: begun before a step needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

SOON_S = 0.3
"""The cell that shows a stepper is displayed first: an import takes half of the interpreter's time."""


class Imports:
    """The imports that run in the background, and the executions that wait for them."""

    def __init__(self) -> None:
        self._begun: set[str] = set()
        self._waiting: dict[str, str] = {}
        self._threads: list[threading.Timer] = []
        self._lock = threading.Lock()

    def begin(self, names: Iterable[str], load: Callable[[list[str]], object]) -> None:
        """Call ``load`` soon, on a thread of its own, with those of the names that were not begun before."""
        wanted = set(names) - self._begun
        if wanted:
            self._begun |= wanted
            # A daemon thread: a kernel that is shut down must not wait for an import of seconds.
            timer = threading.Timer(SOON_S, load, [sorted(wanted)])
            timer.name, timer.daemon = "smithers import", True
            self._threads.append(timer)
            timer.start()

    def settle(self) -> None:
        """Wait until the imports that were begun have ended.

        Two threads must not import parts of a package at the same time: one holds the lock of the package and needs
        that of a part, the other the reverse, and the interpreter hands out a half-made module.
        """
        while self._threads:
            self._threads[-1].join()
            self._threads.pop()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Import in the block, while no other thread does that here."""
        with self._lock:
            yield

    @contextmanager
    def waited(self, execution_id: str, what: str) -> Iterator[None]:
        """Say for the time of the block that an execution waits for an import."""
        self._waiting[execution_id] = what
        try:
            yield
        finally:
            self._waiting.pop(execution_id, None)

    def awaited(self, execution_id: str) -> str | None:
        """Return the name of the import that an execution waits for; None if it waits for none."""
        return self._waiting.get(execution_id)


imports = Imports()
"""The imports of this process."""
