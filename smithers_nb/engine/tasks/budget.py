"""The limits of all agents of an execution together, or of all executions of a sweep."""

from __future__ import annotations

from time import time

from ...agents.runner import Spent
from ...store.reader import Reader


class Budget:
    """The limits of all agents of an execution together, those of its children too, and their usage until now."""

    def __init__(self, limits: dict[str, float], spent: Spent, whose: str = "the execution") -> None:
        self.limits = limits
        self.whose = whose
        """The owner of the limits, in words: the reason for an agent's end names it."""
        self.spent = spent
        self._began: float | None = None

    @classmethod
    def of(cls, limits: dict[str, float], reader: Reader, *execution_ids: str, whose: str = "the execution") -> Budget:
        """Return the budget of an execution, or of several together. Their usage until now is read from the file."""
        used = reader.usage(*execution_ids)
        # Adding up the time reads every call of the execution: not without need.
        seconds = 0.0
        if "seconds" in limits:
            seconds = reader.busy_s(*execution_ids)
        spent = Spent(
            turns=used.turns,
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            tool_calls=used.tool_calls,
            cost_usd=used.cost_usd,
            unpriced=used.unpriced,
            seconds=seconds,
        )
        return cls(limits, spent, whose)

    def begin(self) -> None:
        """Let the time count, from the first agent that starts."""
        self._began = self._began or time()

    def reached(self, tool: bool) -> str | None:
        """Return the limit that refuses a further request (or tool call), in words; None if none does."""
        spent, limits = self.spent, self.limits
        used = {
            "turns": spent.turns,
            "tokens": spent.input_tokens + spent.output_tokens,
            "tool_calls": spent.tool_calls,
            "cost_usd": spent.cost_usd,
        }
        if not tool:
            # Agents that have used all their tool calls may still ask the model, which can answer without them.
            del used["tool_calls"]
        if spent.unpriced:
            # A limit of cost can't be kept where a price is not known, so it counts as reached.
            used["cost_usd"] = float("inf")
        over = [name for name, value in used.items() if name in limits and value >= limits[name]]
        if self.remaining_s() == 0.0:
            over.append("seconds")
        return f"{over[0]} of {self.whose}" if over else None

    def remaining_s(self) -> float | None:
        """Return the seconds for which the agents may still run; None without a limit.

        In this process the time since its first agent's start counts, and of the processes before it the time that
        requests and tool calls took.
        """
        most = self.limits.get("seconds")
        if most is None:
            return None
        # Days may lie between two processes of one execution: of those before this one, only the recorded work counts.
        return max(0.0, (self._began or time()) + most - self.spent.seconds - time())
