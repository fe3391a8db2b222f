"""The cassette of one agent: recorded answers and tool results for a replay, compared with the requests of now."""

from __future__ import annotations

import json
from collections import Counter
from difflib import SequenceMatcher, unified_diff
from typing import Any, Protocol

from ..credentials import same_but_masked
from ..errors import AgentError, ReplayMismatchError
from ..records import ModelCall, ToolCall
from .runner import AgentTask, RecordedAgent, Request

SHOWN = 160
"""The most characters shown of a line, around the difference."""
LINES = 12
"""The most lines shown of a difference."""


class Unanswered(AgentError):
    """Raised where the recording of an agent ends; its task's record says how it ended."""

    def __init__(self) -> None:
        super().__init__("the recording has no end of it")


class Cassette:
    """The recording of one agent. Answers are found by turn and request, not by time."""

    def __init__(self, task: AgentTask, recorded: RecordedAgent) -> None:
        self._task = task
        self._complete = recorded.complete
        requests = [one for one in recorded.requests if one.agent is None]
        self._inner = [one for one in recorded.requests if one.agent is not None]
        # An agent that started over asked turn 1 again: the last start counts, and what was before it is lost.
        began = max(
            (n for n, one in enumerate(requests) if one.turn == 1 and n and requests[n - 1].response), default=0
        )
        self._requests = requests[began:]
        said = "".join(one.response or "" for one in self._requests)
        tools = [one for one in recorded.tools if one.agent is None]
        self.lost = requests[:began], [call for call in tools if f'"{call.tool_call_id}"' not in said]
        """Requests and tool calls from before the agent was cut off and started over."""
        self._given: Counter[int] = Counter()
        """The number of attempts by turn that were given already."""
        # Some models use the id of a call again in a later turn.
        self._tools = {(one.turn, one.tool_call_id): one for one in tools}
        self._inner_tools = [one for one in recorded.tools if one.agent is not None]

    @property
    def tools(self) -> dict[str, dict[str, Any]]:  # Any: JSON
        """The definitions of the tools that the model was offered, by name; of those that were called, if releases
        before 0005 recorded them.
        """
        found: dict[str, dict[str, Any]] = {}
        for one in self._requests:
            found |= {tool["name"]: tool for tool in json.loads(one.parameters).get("function_tools", ())}
        if found:
            return found
        return {call.tool: {"name": call.tool} for call in self._tools.values() if call.status != "unknown"}

    def attempts(self, turn: int, request: Request) -> list[ModelCall]:
        """Return the recorded attempts of a turn, up to the next answer.

        Raises:
            ReplayMismatchError: if the recorded request differs, or there is none after a complete recording.
            Unanswered: if the recording ends before this turn.
        """
        found = [one for one in self._requests if one.turn == turn][self._given[turn] :]
        answered = next((n for n, one in enumerate(found) if one.response is not None), len(found))
        found = found[: answered + 1]
        self._given[turn] += len(found)
        why = difference(found[-1], request) if found else None
        # The models of a fallback have parameters of their own, and the first of them asks.
        if why and all(difference(one, request) for one in found[:-1]):
            raise self._mismatch(turn, "it asks for something else than was recorded", why, request)
        if not found and self._complete:
            asked = _parts(request)[-1]
            why = text_difference(asked[0], "", asked[1])
            raise self._mismatch(turn, "it asks once more than was recorded", why, request)
        if not found:
            raise Unanswered
        return found

    def inner(self, call: ModelCall) -> ModelCall:
        """Return the recorded request of an agent that a function of this one runs, with its answer.

        Raises:
            ReplayMismatchError: if it is not recorded, or differs.
            Unanswered: if it had no answer.
        """
        where = (call.turn, call.attempt, call.agent, call.caller)
        found = [one for one in self._inner if (one.turn, one.attempt, one.agent, one.caller) == where]
        if not found:
            asked = _parts(call)[-1]
            why = text_difference(asked[0], "", asked[1])
            raise self._mismatch(call.turn, f"agent {call.agent} asks what was not recorded", why, call)
        if why := difference(found[-1], call) or "":
            raise self._mismatch(call.turn, f"agent {call.agent} asks for something else than was recorded", why, call)
        if found[-1].response is None:
            raise Unanswered
        return found[-1]

    def tool(self, call: ToolCall) -> ToolCall:
        """Return the recorded result of a tool call.

        Raises:
            ReplayMismatchError: if the call is not recorded.
        """
        past = self._tools.get((call.turn, call.tool_call_id))
        if past is not None and past.status not in ("invalid", "unknown", "skipped"):
            return past
        was = "nothing"
        if past:
            was = past.status
        raise self._not_called(call, was)

    def inner_tool(self, call: ToolCall) -> ToolCall | None:
        """Return the recorded result of a tool call of an agent that a function of this one runs; None if the
        recording has none of any: releases before 0013 recorded none.

        Raises:
            ReplayMismatchError: if the call is not recorded.
        """
        if not self._inner_tools:
            return None
        # With the attempt: an agent may be run twice by one function, and its model use the same ids.
        where = (call.turn, call.agent, call.caller, call.tool_call_id, call.attempt)
        for one in self._inner_tools:
            if (one.turn, one.agent, one.caller, one.tool_call_id, one.attempt) == where:
                return one
        raise self._not_called(call, "nothing")

    def _not_called(self, call: ToolCall, was: str) -> ReplayMismatchError:
        why = text_difference(f"tool {call.tool}", was, f"called with {call.input}")
        return self._mismatch(call.turn, "it calls a tool that was not called", why)

    def _mismatch(self, turn: int, what: str, why: str, asked: Compared | None = None) -> ReplayMismatchError:
        error = mismatch(f"turn {turn}: {what}", why, node_id=self._task.node_id, source=self._task.source, turn=turn)
        error.asked = asked
        return error


def mismatch(what: str, why: str, *, node_id: str, source: str | None, turn: int | None = None) -> ReplayMismatchError:
    """Return the error that ends a replay; ``why`` is the first difference."""
    return ReplayMismatchError(
        f"{node_id}, {what}. {why}\nThe recording has no answer to it. Take the change back, or make a new Execution, "
        "which asks the models.",
        difference=why,
        turn=turn,
        node_id=node_id,
        source=source,
    )


class Compared(Protocol):
    """A request, made or recorded."""

    @property
    def messages(self) -> tuple[str, ...]:
        """Its messages, each as JSON."""

    @property
    def parameters(self) -> str:
        """The rest of it, as a JSON object."""


def difference(recorded: Compared, now: Compared) -> str | None:
    """Return the first difference of two requests; None if they ask the same.

    >>> was, now = (Request("", "", (f'{{"parts": [{{"part_kind": "user-prompt", "content": "Write it {n}"}}]}}',), "")
    ...             for n in ("up", "down"))
    >>> print(difference(was, now))
    The first difference is in the prompt:
    - Write it up
    + Write it down
    """
    was, is_now = _parts(recorded), _parts(now)
    if len(was) == len(is_now):
        # An exported recording has no credentials: parts that differ in nothing else are the same.
        pairs = zip(was, is_now, strict=True)
        is_now = [a if a[0] == b[0] and same_but_masked(a[1], b[1]) else b for a, b in pairs]
    return _of_messages(was, is_now) or _of_parameters(recorded.parameters, now.parameters)


def _of_messages(was: list[tuple[str, str]], now: list[tuple[str, str]]) -> str | None:
    """Return the first difference of the messages' parts; one that was added or left out does not move the rest."""
    for how, a, until_a, b, until_b in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if how == "equal":
            continue
        for name, text in was[a:until_a]:
            # The same part with another text is a change of it, whatever stands beside it.
            if changed := next((other for kind, other in now[b:until_b] if kind == name), None):
                return text_difference(name, text, changed)
        if how == "insert":
            return text_difference(now[b][0], "", now[b][1])
        return text_difference(was[a][0], was[a][1], "")
    return None


def _of_parameters(was: str, now: str) -> str | None:
    """Return the first difference in settings, tools, output schema and native tools."""
    # Releases before 0005 recorded none.
    if was in ("", "{}"):
        return None
    one, other = _named(json.loads(was)), _named(json.loads(now))
    for name in [*one, *(name for name in other if name not in one)]:
        if one.get(name) != other.get(name):
            return text_difference(name, one.get(name, ""), other.get(name, ""))
    return None


def _named(parameters: dict[str, Any]) -> dict[str, str]:  # Any: JSON
    """Return the parts of parameters, each under a name for people."""
    found = {f"setting {name}": _lines(value) for name, value in parameters.get("settings", {}).items()}
    for field, kind in (("function_tools", "tool"), ("output_tools", "output tool"), ("native_tools", "native tool")):
        tools = parameters.get(field, ())
        found[f"the {kind}s"] = "\n".join(str(tool.get("name") or tool.get("kind")) for tool in tools)
        for tool in tools:
            name = f"{kind} {tool.get('name') or tool.get('kind')}"
            found[f"the description of {name}"] = str(tool.get("description") or "")
            found[f"the arguments of {name}"] = _lines(tool.get("parameters_json_schema", {}), sorted=False)
            rest = {key: value for key, value in tool.items() if key not in _OF_TOOL}
            found[f"the definition of {name}"] = _lines(rest)
    for field, value in parameters.items():
        if field not in _OF_PARAMETERS:
            found[f"the {field.replace('_', ' ')}"] = _lines(value, sorted=False)
    return found


_OF_TOOL = {"description", "parameters_json_schema"}
_OF_PARAMETERS = {
    "settings", "function_tools", "output_tools", "native_tools", "output_mode", "allow_text_output",
    "prompted_output_template",
}  # fmt: skip
"""The fields that are compared one by one, and those that follow from the model, for which a replay has a stand-in."""


def _lines(value: Any, *, sorted: bool = True) -> str:  # Any: JSON
    """Return a value as lines of text. A model reads a schema in its order."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=sorted)


_NAMES = {
    "user-prompt": "the prompt",
    "system-prompt": "the system prompt",
    "retry-prompt": "what the model was told to try again",
    "text": "an earlier answer",
    "thinking": "an earlier thought",
}


def _parts(request: Compared) -> list[tuple[str, str]]:
    """Return the parts of a request's messages as (name, text), without times and ids of runs, which always differ."""
    found: list[tuple[str, str]] = []
    for message in map(json.loads, request.messages):
        if message.get("instructions"):
            found.append(("the instructions", message["instructions"]))
        for part in message["parts"]:
            kind, tool = part["part_kind"], part.get("tool_name")
            name = _NAMES.get(kind) or {"tool-return": f"what {tool} returned", "tool-call": f"the call of {tool}"}.get(
                kind, kind
            )
            field = "content"
            if kind == "tool-call":
                field = "args"
            found.append((name, _text(part.get(field))))
    return found


def _text(content: Any) -> str:  # Any: JSON
    if isinstance(content, list):
        # A prompt in pieces; those that are text may have a time of their own.
        return "\n".join(_text(piece) for piece in content)
    if isinstance(content, dict):
        return json.dumps({k: v for k, v in content.items() if k != "timestamp"}, ensure_ascii=False, sort_keys=True)
    if isinstance(content, str):
        return content
    return json.dumps(content)


def text_difference(name: str, was: str, is_now: str) -> str:
    """Return the lines around the first difference of two texts."""
    diff = list(unified_diff(was.splitlines(), is_now.splitlines(), n=1, lineterm=""))[2:]
    lines = [line for line in diff if not line.startswith("@@")][:LINES]
    at = _first(was, is_now)
    return "\n".join([f"The first difference is in {name}:", *(f"{line[0]} {_cut(line[1:], at)}" for line in lines)])


def _first(was: str, is_now: str) -> int:
    """Return the column of the first difference in its line."""
    at = next((n for n, (a, b) in enumerate(zip(was, is_now, strict=False)) if a != b), min(len(was), len(is_now)))
    return at - was.rfind("\n", 0, at) - 1


def _cut(line: str, at: int) -> str:
    start = max(0, min(at - SHOWN // 2, len(line) - SHOWN))
    return f"{'…' * (start > 0)}{line[start : start + SHOWN]}{'…' * (start + SHOWN < len(line))}"
