"""Runners on workers for the executions of sweeps, whose ids are the same in every file that has the sweep."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import replace
from typing import Any, TypeVar

from .runner import AgentReply, AgentTask, ExecutionTask, FarLedger, FarRunner, FarTask, FunctionTask, ItemLedger
from .wire import agent_as_dict, execution_as_dict, function_as_dict

T = TypeVar("T", AgentTask, FunctionTask, ExecutionTask)

_NOT_CONTENT = ("execution_id", "task_id", "leg", "past", "seed", "source")


class ScopedRunner:
    """A runner whose items are those of one file: the ids of its executions carry a scope."""

    remote = True
    outlives = True

    def __init__(self, runner: FarRunner, scope: str) -> None:
        self._runner = runner
        self._scope = scope
        self.send_code = runner.send_code

    async def check(self, task: AgentTask) -> None:
        """Check that the task can leave this process."""
        await self._runner.check(task)

    async def submit(self, task: AgentTask, ledger: Any) -> AgentReply:
        """Run an agent on a worker."""
        return await self._runner.submit(self._named(task), ledger)

    async def call(self, task: FunctionTask, ledger: FarLedger) -> AgentReply:
        """Call a function on a worker."""
        return await self._runner.call(self._named(task), ledger)

    async def execute(self, task: ExecutionTask, ledger: ItemLedger) -> dict[str, Any]:  # Any: JSON
        """Run a whole execution on a worker."""
        return await self._runner.execute(self._named(task), ledger)

    def rest(self) -> None:
        """Close the connections that are held for tasks, if there are none."""
        self._runner.rest()

    def _named(self, task: T) -> T:
        return replace(task, execution_id=f"{task.execution_id}.{self._scope}")


class JoiningRunner(ScopedRunner):
    """A runner for one execution that may begin again elsewhere: its items are named by their questions.

    The task of a node has the number of its frame in its id, and so has a child execution. Frames follow each other in
    another order where the answers are there already.
    """

    def __init__(self, runner: FarRunner, scope: str, execution_id: str) -> None:
        super().__init__(runner, scope)
        self._execution_id = execution_id
        self._places: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
        """The place of each task among those of the same node that ask the same."""

    def _named(self, task: T) -> T:
        asked = f"{task.node_id}.{_content(task, self.send_code)}"
        places = self._places[asked]
        place = places.setdefault((task.execution_id, task.task_id), len(places))
        return replace(super()._named(replace(task, execution_id=self._execution_id)), task_id=f"{asked}.{place}")


def _content(task: FarTask, send_code: bool) -> str:
    """Return a hash of all that an agent or a function is given."""
    if isinstance(task, AgentTask):
        body = agent_as_dict(task, send_code)
    elif isinstance(task, FunctionTask):
        body = function_as_dict(task, send_code)
    else:
        body = execution_as_dict(task, send_code)
    asked = {name: value for name, value in body.items() if name not in _NOT_CONTENT}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]
