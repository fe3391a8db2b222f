"""Observers: told after each phase, never able to disturb one."""

from __future__ import annotations

import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)

Observer = Callable[[], None]
"""Called on the engine's thread when something changed; it must return at once and look for itself."""


class Observers:
    """Who wants to know. One that raises is logged and removed."""

    def __init__(self) -> None:
        self._observers: list[Observer] = []

    def add(self, observer: Observer) -> None:
        """Tell it from now on; twice is the same as once."""
        if observer not in self._observers:
            self._observers.append(observer)

    def remove(self, observer: Observer) -> None:
        """Stop telling it."""
        if observer in self._observers:
            self._observers.remove(observer)

    def notify(self) -> None:
        """Tell all of them."""
        for observer in list(self._observers):
            try:
                observer()
            except BaseException:  # the user's: an exit() in it must not end the engine
                logger.exception("an observer failed and was removed: %r", observer)
                self.remove(observer)
