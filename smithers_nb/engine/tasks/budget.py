"""The limits of all agents of an execution together."""

from __future__ import annotations

from time import time

from ...agents.runner import Spent
from ...store.connection import Database
from ...store.reader import Reader


class Budget:
    """What all agents of an execution may use together, those of its children too."""

    def __init__(self, limits: dict[str, float], spent: Spent) -> None:
        self.limits = limits
        self.spent = spent
        self._began: float | None = None

    @classmethod
    def of(cls, limits: dict[str, float], database: Database, execution_id: str) -> Budget:
        """Return the budget of an execution, with what the file says that it has used."""
        reader = Reader(database.path)
        used = reader.usage(execution_id)
        spent = Spent(
            turns=used.turns,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            tool_calls=used.tool_calls,
            cost_usd=used.cost_usd,
            unpriced=used.unpriced,
            seconds=reader.busy_s(execution_id) if "seconds" in limits else 0.0,
        )
        return cls(limits, spent)

    def begin(self) -> None:
        """An agent starts."""
        self._began = self._began or time()

    def reached(self, tool: bool) -> str | None:
        """Return which limit keeps another request, or tool call, from being made, in words; None if none does."""
        spent, limits = self.spent, self.limits
        used = {
            "turns": spent.turns,
            "tokens": spent.input_tokens + spent.output_tokens,
            "tool_calls": spent.tool_calls if tool else 0,
            "cost_usd": spent.cost_usd if not spent.unpriced else float("inf"),
        }
        over = [name for name, value in used.items() if name in limits and value >= limits[name]]
        if self.remaining_s() == 0.0:
            over.append("seconds")
        return f"{over[0]} of the execution" if over else None

    def remaining_s(self) -> float | None:
        """Return how many seconds the agents may still go on: counted from the first that started in this process, and
        before that what requests and tool calls took.
        """
        most = self.limits.get("seconds")
        return None if most is None else max(0.0, (self._began or time()) + most - self.spent.seconds - time())
