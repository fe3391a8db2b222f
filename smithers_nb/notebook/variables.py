"""The executions that the variables of a notebook hold, and which of them a line is about."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..execution import Execution
from ..recording import Store
from ..records import ExerciseCheck
from .options import FILE, OptionError


def is_output(name: str) -> bool:
    """Return whether IPython keeps an output under a name: ``_``, ``__``, ``_12``."""
    return re.fullmatch(r"_+\d*", name) is not None


@dataclass(slots=True)
class Variables:
    """The variables of one notebook."""

    names: dict[str, Any]  # Any: the user's own values
    last: str | None = None
    """The variable of the execution that a cell has made last: the one that is meant where none is named."""
    put: Callable[[str], None] = lambda text: None
    """Puts a text in the place of the running cell's."""
    cells: dict[str, str] = field(default_factory=dict)
    """The text of the last ``%%smithers`` cell of each name, without its first line; one that fails, too."""
    begun: dict[str, ExerciseCheck] = field(default_factory=dict)
    """The exercises that were begun in this kernel, the last one last."""

    def target(self, text: str) -> tuple[Execution, str]:
        """Return the execution that is named first, or else the last one, and what follows.

        Raises:
            OptionError: if it is not clear which one is meant.
        """
        first, _, after = text.partition(" ")
        if isinstance(named := self.names.get(first), Execution):
            return named, after.strip()
        if isinstance(last := self.names.get(self.last or ""), Execution):
            return last, text
        there = self.executions()
        if not there:
            raise OptionError("there is no execution yet; a %%smithers cell makes one")
        # Two variables of one execution are no choice.
        if len({id(self.names[name]) for name in there}) > 1:
            raise OptionError(f"say which one: {', '.join(there)}")
        return self.names[there[0]], text

    def executions(self) -> list[str]:
        """Return the variables that hold one, but for what IPython keeps of outputs."""
        return [name for name, value in self.names.items() if isinstance(value, Execution) and not is_output(name)]

    def bind(self, ex: Execution) -> str:
        """Bind a new execution to a free variable of its name, and return that: ``report_2`` for ``report~2``.

        ``%smithers`` means this execution from then on.
        """
        name = re.sub(r"\W", "_", ex.name)
        if not name.isidentifier() or keyword.iskeyword(name):
            name = f"_{name}"
        free, number = name, 2
        while free in self.names:
            free, number = f"{name}_{number}", number + 1
        self.names[free] = ex
        self.last = free
        return free

    def store(self, path: str) -> Store:
        """Return a file: the one of this name, else that of the last execution, else the default one.

        Raises:
            OptionError: if there is no such file.
        """
        if not path and (latest := self._latest()) is not None:
            return latest.store
        file = Store(path or FILE)
        if not os.path.exists(file.path):
            raise OptionError(f"there is no file {path or FILE} here")
        return file

    def _latest(self) -> Execution | None:
        """Return the execution that a cell has made last, or else the one that was bound last."""
        named = self.names.get(self.last or "")
        if isinstance(named, Execution):
            return named
        # A dict keeps the order in which its keys were first set, so the last one is the newest name.
        return next((self.names[name] for name in reversed(self.executions())), None)
