"""A runner in another process, as somebody could write one: ``Elsewhere`` sends a task as JSON to
``python -m tests.agents.elsewhere``, which runs it, and gets rows back, line by line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from smithers_nb.agents.pydantic_ai import PydanticAiRunner
from smithers_nb.agents.runner import AgentReply, AgentTask, Ledger
from smithers_nb.agents.wire import from_json, to_json
from smithers_nb.records import ModelCall, ToolCall


def double(n: int) -> int:
    """Double a number."""
    return 2 * n


class Elsewhere:
    """Runs each agent in a process of its own."""

    remote = True

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def check(self, task: AgentTask) -> None:
        pass

    async def submit(self, task: AgentTask, ledger: Ledger) -> AgentReply:
        self.sent.append(to_json(task))
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.agents.elsewhere",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            limit=2**24,
        )
        assert process.stdin and process.stdout
        try:
            process.stdin.write(self.sent[-1].encode() + b"\n")
            async for line in process.stdout:
                kind, row = json.loads(line)
                if kind == "reply":
                    return AgentReply(row)
                id = None
                if kind == "tool":
                    await ledger.tool(ToolCall(**row))
                else:
                    id = await ledger.asked(TypeAdapter(ModelCall).validate_python(row))
                process.stdin.write(f"{json.dumps(id)}\n".encode())
            raise RuntimeError("the other process ended without a reply")
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


class Lines:
    """A ledger that writes each row on a line, and goes on when it is recorded."""

    async def asked(self, request: ModelCall) -> int | None:
        return await self._say("asked", asdict(request))

    async def accepted(self, request: ModelCall) -> None:
        await self._say("asked", asdict(request))

    async def tool(self, call: ToolCall) -> None:
        await self._say("tool", asdict(call))

    async def _say(self, kind: str, row: Any) -> Any:
        print(json.dumps([kind, row]), flush=True)
        return json.loads(await asyncio.to_thread(sys.stdin.readline))

    reuses = False

    async def reused_answer(self, same: str) -> None:
        return None

    async def reused_tool_call(self, reused_id: int, tool_call_id: str) -> None:
        return None

    async def repeated_tool_call(self, tool: str, given: str, repeat: str) -> None:
        return None

    async def answer_to(self, signature: str) -> str | None:
        return None

    def in_tool(self, tool_call_id: str) -> AbstractContextManager[None]:
        return nullcontext()

    def piece(self, *_: object) -> None:
        pass

    def progress(self, report: object) -> None:
        pass

    @asynccontextmanager
    async def turn(self, window: str | None) -> AsyncIterator[None]:
        yield

    async def refused(self, window: str, wait_s: float) -> None:
        pass

    def reached(self, tool: bool = False) -> str | None:
        return None

    def remaining_s(self) -> float | None:
        return None


async def main() -> None:
    task: Any = from_json(sys.stdin.readline()).task
    reply = await PydanticAiRunner().submit(task, Lines())
    print(json.dumps(["reply", reply.output]), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
