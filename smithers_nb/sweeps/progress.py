"""The bar of a running sweep. The only module that imports tqdm."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from .running import Progress


class Bar:
    """A progress bar that is drawn on the thread that waits: with the branches that are done, the failed, the cost."""

    def __init__(self, name: str, progress: Progress) -> None:
        # A widget in a notebook, a line on stderr elsewhere. It is made and drawn on the caller's thread alone: there
        # the kernel knows the cell that a widget belongs to.
        from tqdm.auto import tqdm

        self._progress = progress
        self._bar = tqdm(total=progress.total, initial=progress.done, desc=name, unit="branch")

    def show(self) -> None:
        """Draw how things stand."""
        progress = self._progress
        shown = {"failed": progress.failed, "cost": f"${progress.cost_usd:.4f}"}
        if progress.workers:
            shown["workers"] = len(progress.workers)
        if progress.stalled:
            shown["waits"] = progress.stalled
        elif progress.note:
            shown["note"] = progress.note
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(progress.done - self._bar.n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.show()
        self._bar.close()
