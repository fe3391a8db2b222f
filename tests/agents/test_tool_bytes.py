"""Tools that return bytes, images and documents: the model gets what it gets from pydantic-ai alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import BinaryContent, ToolReturn

from smithers_nb import Claude
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import Reply, call, say
from tests.agents.fake_server import FakeServer

each_api = pytest.mark.parametrize("api", APIS)
PNG = b"\x89PNG\r\n\x1a\n\xff\xfe\x00"


class Page(BaseModel):
    title: str


def image() -> BinaryContent:
    return BinaryContent(PNG, media_type="image/png")


RETURNED: dict[str, tuple[Callable[[], Any], Any]] = {
    "bytes that are no text": (lambda: PNG, "iVBORw0KGgr__gA="),
    "bytes that are text": (lambda: b"plain", "cGxhaW4="),
    "a bytearray": (lambda: bytearray(PNG), "iVBORw0KGgr__gA="),
    "bytes in a dict in a list": (lambda: [{"a": PNG}], [{"a": "iVBORw0KGgr__gA="}]),
    "an image": (image, None),
    "a list with an image": (lambda: ["see", image()], None),
    "an image as content": (lambda: ToolReturn("ok", content=["see", image()]), None),
    "bytes with content": (lambda: ToolReturn(PNG, content="see", metadata={"raw": PNG}), None),
    "a model": (lambda: Page(title="a"), {"title": "a"}),
}


def messages(server: FakeServer) -> list[Any]:
    """Return what the provider was given in each request, without the parts that differ from client to client."""
    bodies = [entry.asked.body for entry in server.requests]
    return [body.get("messages") or body.get("input") for body in bodies]


@each_api
@pytest.mark.parametrize(("make", "recorded"), RETURNED.values(), ids=RETURNED)
@pytest.mark.parametrize("asks", [False, True])
def test_a_tool_returns_bytes(
    asks: bool, make: Any, recorded: Any, api: str, provider: Any, run_of: Any, resumed: Any
) -> None:
    def fetch() -> Any:
        return make()

    def other() -> str:
        return "x"

    acts = Reply(calls=(("fetch", {}), ("other", {}))), say("done")
    bare, ours = provider(*acts), provider(*acts)
    asyncio.run(OwnAgent(model_at(bare, api), tools=[fetch, other]).run("hi"))
    app = Claude(id="c", model=model_at(ours, api), tools=[fetch, other], approve=["other"] if asks else [])["hi"]
    ex = run_of(app)
    if asks:
        # What the tool returned is given once more from its record, by another process.
        assert ex.run_sync().status == "waiting"
        ex.close()
        ex = resumed(app)
        ex.answer("c", "approve")
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    assert messages(ours) == messages(bare)
    output = ex.df.tool_calls.set_index("tool").output["fetch"]
    assert recorded is None or output == recorded
    assert "\\u0089" not in json.dumps(output) and ex.replay().same


def test_what_no_json_can_hold_is_still_refused(provider: Any, ask: Any) -> None:
    def fetch() -> Any:
        return object()

    _, result = ask(provider(call("fetch"), say("done")), tools=[fetch])
    assert "can't be stored" in result.error
