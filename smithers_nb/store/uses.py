"""Uses of SQLite that a fork waits for: their locks would stay locked in its child.

SQLite keeps its locks in the memory of the process, and the child has a copy of that, without the threads that would
release them: every transaction in the file would fail there, as one of another process that never ends.
"""

from __future__ import annotations

import os
import threading
from collections import Counter

WAIT_S = 10.0
"""How long a fork waits: a query may take minutes, and a thread may wait for the one that forks."""


class Uses:
    """Counts the uses of each thread: ``with USES: …`` around every stretch in which a connection may hold a lock."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._forking = False
        self._of: Counter[int] = Counter()
        self.ended = True
        """False if the last fork has not waited to the end of all uses, but ``WAIT_S``."""
        if hasattr(os, "register_at_fork"):  # Windows does not fork.
            os.register_at_fork(before=self._wait, after_in_parent=self._go_on, after_in_child=self._left)

    def __enter__(self) -> None:
        thread = threading.get_ident()
        with self._changed:
            # A use inside of another one must not wait for the fork that waits for that.
            self._changed.wait_for(lambda: not self._forking or thread in self._of)
            self._of[thread] += 1

    def __exit__(self, *_: object) -> None:
        thread = threading.get_ident()
        with self._changed:
            self._of[thread] -= 1
            if not self._of[thread]:
                del self._of[thread]
                self._changed.notify_all()

    def _wait(self) -> None:
        """Wait for the uses of other threads, and hold up new ones. The fork's own thread may be in one."""
        self._changed.acquire()
        self._forking = True
        own = {threading.get_ident()}
        self.ended = self._changed.wait_for(lambda: self._of.keys() <= own, WAIT_S)

    def _go_on(self) -> None:
        self._forking = False
        self._changed.notify_all()
        self._changed.release()

    def _left(self) -> None:
        """Begin again in the child, whose one thread is this one."""
        thread = threading.get_ident()
        self._of = +Counter({thread: self._of[thread]})  # Plus leaves the zero out.
        self._changed = threading.Condition()
        self._forking = False


USES = Uses()
