"""A replay compares all that a model reads of a tool and of the output, down to the last word of a schema."""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic_ai import NativeOutput, PromptedOutput, Tool, ToolOutput

from smithers_nb import Claude, call_tool, component, scripted
from smithers_nb.errors import ReplayMismatchError

WORD = {"type": "string", "description": "the word", "enum": ["tide", "moon"], "default": "tide"}
SCHEMA = {
    "type": "object",
    "properties": {"of": {"type": "object", "properties": {"word": WORD}, "required": ["word"]}},
    "required": ["of"],
}


def look_up(**_: Any) -> str:
    return "found"


def tool(change: Callable[[dict[str, Any]], object] | None = None, text: str = "Look it up.", **fields: Any) -> Any:
    schema = deepcopy(SCHEMA)
    if change:
        change(schema)
    made = Tool.from_schema(look_up, "look_up", text, schema)
    for name, value in {"function_schema": made.function_schema, **fields}.items():
        setattr(made, name, value)
    return made


def word(schema: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schema["properties"]["of"]["properties"]["word"]
    return found


def returns_text(first: str) -> str:
    """Look it up."""
    return first


def returns_list(first: str) -> list[str]:
    """Look it up."""
    return [first]


returns_list.__name__ = "returns_text"


def told(function: Any) -> Any:
    return Tool(function, include_return_schema=True)


TOOLS = {
    "its description": (tool(), tool(text="Look it up!")),
    "a nested description": (tool(), tool(lambda s: word(s).update(description="a word"))),
    "an enum": (tool(), tool(lambda s: word(s).update(enum=["tide", "sun"]))),
    "the order of an enum": (tool(), tool(lambda s: word(s).update(enum=["moon", "tide"]))),
    "a default": (tool(), tool(lambda s: word(s).update(default="moon"))),
    "the type of a default": (tool(lambda s: word(s).update(default=1)), tool(lambda s: word(s).update(default=True))),
    "no default": (tool(), tool(lambda s: word(s).pop("default"))),
    "a nested required": (tool(), tool(lambda s: s["properties"]["of"].pop("required"))),
    "required": (tool(), tool(lambda s: s.pop("required"))),
    "additional properties": (tool(), tool(lambda s: s.update(additionalProperties=False))),
    "the order of arguments": (
        tool(lambda s: s["properties"].update(b={}, c={})),
        tool(lambda s: s["properties"].update(c={}, b={})),
    ),
    "strict": (tool(), tool(strict=True)),
    "what it returns, where the model is told": (told(returns_text), told(returns_list)),
    "whether the model is told": (Tool(returns_text), told(returns_text)),
}


def answer(**fields: Any) -> type[BaseModel]:
    return create_model("Answer", __doc__="An answer.", **fields)


ANSWER = answer(title=(str, ...))
OUTPUTS = {
    "its description": create_model("Answer", __doc__="An answer!", title=(str, ...)),
    "a description of a field": answer(title=(str, Field(description="short"))),
    "an enum": answer(title=(Literal["tide"], ...)),
    "a default": answer(title=(str, "tide")),
    "extra fields": create_model(
        "Answer", __config__=ConfigDict(extra="forbid"), __doc__="An answer.", title=(str, ...)
    ),
    "a name": create_model("Reply", __doc__="An answer.", title=(str, ...)),
}


def agent(tools: list[Any], output: Any = None) -> Any:
    @component
    def App() -> Any:
        replies: list[Any] = [{"title": "tide"}]
        if tools:
            replies = [call_tool(tools[0].name, of={"word": "tide"}, first="a"), "it is found"]
        return Claude(id="a", model=scripted(*replies), tools=tools, output_type=output, retries=0)["Look up the tide."]

    return App()


@pytest.mark.parametrize(("before", "after"), TOOLS.values(), ids=TOOLS)
def test_another_tool_schema_is_a_difference(before: Any, after: Any, run_of: Any) -> None:
    ex = run_of(agent([before]))
    assert ex.run_sync().status == "finished"
    assert ex.replay().same
    with pytest.raises(ReplayMismatchError) as stopped:
        ex.replay(app=agent([after]))
    assert "look_up" in stopped.value.difference or "returns_text" in stopped.value.difference


@pytest.mark.parametrize("way", [ToolOutput, NativeOutput, PromptedOutput])
@pytest.mark.parametrize("after", OUTPUTS.values(), ids=OUTPUTS)
def test_another_output_schema_is_a_difference(after: Any, way: Any, run_of: Any, monkeypatch: Any) -> None:
    def defined(output: type[BaseModel]) -> type[BaseModel]:
        monkeypatch.setattr(sys.modules[__name__], output.__name__, output, raising=False)
        return output

    # As in a notebook, where the cell of a class is edited and run again.
    ex = run_of(agent([], way(defined(ANSWER))))
    assert ex.run_sync().status == "finished"
    assert ex.replay().same
    with pytest.raises(ReplayMismatchError):
        ex.replay(app=agent([], way(defined(after))))


def test_what_a_tool_returns_is_no_difference_where_the_model_is_not_told(run_of: Any) -> None:
    ex = run_of(agent([Tool(returns_text)]))
    assert ex.run_sync().status == "finished"
    assert ex.replay(app=agent([Tool(returns_list)])).same
