"""The limits of an agent: its own, and those of its execution."""

from __future__ import annotations

from time import time

from ..errors import BudgetExceededError
from .runner import AgentTask, Ledger, Spent


class Limits:
    """What an agent may still spend. Limits hold over all its runs, so an interruption gives nothing back."""

    def __init__(self, task: AgentTask, ledger: Ledger, spent: Spent) -> None:
        self._task = task
        self._ledger = ledger
        self.spent = spent
        self._began = time()

    def check_request(self) -> None:
        """Look whether another request may be made.

        Raises:
            BudgetExceededError: naming the limit.
        """
        limits, spent = self._task.limits, self.spent
        used = {
            "turns": spent.turns,
            "tokens": spent.input_tokens + spent.output_tokens,
            "cost_usd": spent.cost_usd,
        }
        for name, value in used.items():
            if name in limits and value >= limits[name]:
                which = " (max_turns)" if name == "turns" else ""
                raise self.over(name, f"{value:g} of {limits[name]:g}{which} are used")
        # An unknown price could be any: continuing would break the promise of the limit.
        if "cost_usd" in limits and spent.unpriced:
            raise self._unpriced("cost_usd", f"{spent.unpriced} of its {spent.turns} answers")
        self.check_execution(tool=False)

    def count_tool(self) -> None:
        """Count a tool call that is about to be made.

        Raises:
            BudgetExceededError: if it is one too many.
        """
        most = self._task.limits.get("tool_calls")
        if most is not None and self.spent.tool_calls >= most:
            raise self.over("tool_calls", f"{self.spent.tool_calls} of {most:g} are used")
        self.check_execution(tool=True)
        self.spent.tool_calls += 1

    def check_execution(self, *, tool: bool) -> None:
        """Look whether the limits of the execution allow a further request, or tool call.

        Raises:
            BudgetExceededError: naming the limit.
        """
        reached = self._ledger.reached(tool)
        if reached is None:
            return
        unpriced = self._ledger.unpriced()
        if unpriced and reached.startswith("cost_usd"):
            raise self._unpriced(reached, f"{unpriced} answers of the execution")
        raise self.over(reached, "all agents of the execution together have used it")

    def _unpriced(self, name: str, which: str) -> BudgetExceededError:
        """Return the error for a limit of cost that can't be kept, because there are answers without a price."""
        return self.over(
            name,
            f"it can't be kept, because the price of {which} is not known (df.model_calls, cost_usd). "
            f"This agent asks {self._task.model}",
            "Use a model whose price pydantic-ai knows, or limit tokens instead",
        )

    def over(self, name: str, words: str, fix: str = "Raise the limit") -> BudgetExceededError:
        """Return the error for a limit that is reached, or can't be kept."""
        node_id = self._task.node_id
        return BudgetExceededError(
            f"limit: {name}: {words}. {node_id} was ended; what it had said and done is in model_calls and "
            f"tool_calls. {fix}, then ex.retry({node_id!r}).",
            limit=name,
            node_id=node_id,
            source=self._task.source,
        )

    def remaining_s(self) -> float | None:
        """Return how many seconds are left to it; None for as long as it likes."""
        # A replay has to reach the recorded end, however long it takes here.
        if self._task.recorded is not None:
            return None
        own = self._task.limits.get("seconds")
        left = [
            None if own is None else max(0.0, self._began + own - self.spent.seconds - time()),
            self._ledger.remaining_s(),
        ]
        return min((one for one in left if one is not None), default=None)
