"""Observers: notified after each phase, and never able to disturb one."""

from __future__ import annotations

import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)

Observer = Callable[[], None]
"""Called on the engine's thread when something changed; it must return at once and look for itself."""


class Observers:
    """Functions to call when something has changed. One that raises is logged and removed."""

    def __init__(self) -> None:
        self._observers: list[Observer] = []

    def add(self, observer: Observer) -> None:
        """Notify it from now on; twice is the same as once."""
        if observer not in self._observers:
            self._observers.append(observer)

    def remove(self, observer: Observer) -> None:
        """Stop notifying it."""
        if observer in self._observers:
            self._observers.remove(observer)

    def notify(self) -> None:
        """Notify all of them."""
        # Over a copy: an observer may remove itself.
        for observer in list(self._observers):
            try:
                observer()
            except BaseException:  # the user's: an exit() in it must not end the engine
                logger.exception("an observer failed and was removed: %r", observer)
                self.remove(observer)
