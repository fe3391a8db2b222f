"""Uses of SQLite that a fork waits for: their locks would stay locked in its child.

SQLite keeps its locks in the memory of the process, and the child has a copy of that, without the threads that would
release them: every transaction in the file would fail there, as one of another process that never ends.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from time import monotonic, sleep

WAIT_S = 10.0
"""How long a fork waits: a query may take minutes, and a thread may wait for the one that forks."""


class Uses:
    """Counts the uses of each thread: ``with USES: …`` around every stretch in which a connection may hold a lock."""

    def __init__(self) -> None:
        # A plain lock: Ctrl-C may come within the methods of a condition, and leave it locked for ever.
        self._lock = threading.Lock()
        self._of: Counter[int] = Counter()
        self.ended = True
        """False if the last fork has not waited to the end of all uses, but ``WAIT_S``."""
        if hasattr(os, "register_at_fork"):  # Windows does not fork.
            os.register_at_fork(before=self._wait, after_in_parent=self._go_on, after_in_child=self._left)

    def __enter__(self) -> None:
        with self._lock:
            self._of[threading.get_ident()] += 1

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        with self._lock:
            self._of[thread] -= 1
            if not self._of[thread]:
                del self._of[thread]

    def _wait(self) -> None:
        """Wait for the uses of other threads, and hold up new ones. The fork's own thread may be in one."""
        own, until = threading.get_ident(), monotonic() + WAIT_S
        while True:
            self._lock.acquire()
            self.ended = self._of.keys() <= {own}
            if self.ended or monotonic() > until:
                return
            self._lock.release()
            sleep(0.001)

    def _go_on(self) -> None:
        self._lock.release()

    def _left(self) -> None:
        """Begin again in the child, whose one thread is this one."""
        thread = threading.get_ident()
        self._of = +Counter({thread: self._of[thread]})  # Plus leaves a zero out.
        self._lock = threading.Lock()


USES = Uses()
