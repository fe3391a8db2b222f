"""``%smithers``: a line is read, done and completed by the table of subcommands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..errors import did_you_mean
from ..execution import execution_of
from ..run import Run
from . import grammar
from .options import OptionError
from .subcommands import SUBCOMMANDS, Subcommand
from .variables import Variables


class Line:
    """The ``%smithers`` line of one notebook."""

    def __init__(
        self,
        names: dict[str, Any],  # Any: the notebook's variables
        show: Callable[[str], None],
        put: Callable[[str], None],
    ) -> None:
        self.variables = Variables(names, put=put)
        self._show = show

    def do(self, text: str) -> object:
        """Execute a line and return its result.

        Raises:
            OptionError: if it is none of the subcommands, or something is wrong with what follows.
        """
        word, _, rest = text.strip().partition(" ")
        found = SUBCOMMANDS.get(word or "help")
        if found is None:
            raise OptionError(
                f"%smithers: there is no {word!r}.{did_you_mean(word, SUBCOMMANDS)} There are {', '.join(SUBCOMMANDS)}"
            )
        try:
            return self._call(found, rest.strip())
        except (OptionError, ValueError) as error:
            raise OptionError(f"%smithers {word}: {error}") from None

    def _call(self, found: Subcommand, rest: str) -> object:
        about: object = self.variables
        if found.of_one:
            about, rest = self.variables.target(rest)
        result = found.call(about, grammar.read(found.word, found.arguments, rest))
        if isinstance(result, Run):
            ex = execution_of(result)
            self._show("\n".join([f"{self.variables.bind(ex)} is the execution {ex.name!r}.", *ex.notes]))
            return ex
        return result

    def complete(self, line: str) -> list[str]:
        """Return the words that may stand at the end of a line."""
        typed = line.split(" ")[1:]
        if len(typed) < 2:
            return list(SUBCOMMANDS)
        found = SUBCOMMANDS.get(typed[0])
        if found is None:
            return []
        if not found.of_one:
            return list(found.offered(self.variables, typed[1:-1]))
        names, before = self.variables.executions(), typed[1:-1]
        if not before:
            return [*names, *self._offered(found, line, before)]
        if before[0] in names:
            before = before[1:]
        return list(self._offered(found, line, before))

    def _offered(self, found: Subcommand, line: str, before: list[str]) -> Iterable[str]:
        try:
            ex, _ = self.variables.target(line.split(" ", 2)[2])
        except OptionError:  # It is not clear which one is meant: only variables can be offered.
            return ()
        return found.offered(ex, before)
