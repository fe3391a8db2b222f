"""No key reaches the plan, the file or the page, and the model is asked with it all the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent as OwnAgent
from pydantic_ai import RunContext
from pydantic_ai.native_tools import MCPServerTool

from smithers_nb import Agent, Approval, Claude, Phase, Task, scripted
from smithers_nb.credentials import MASK
from smithers_nb.notebook import messages as m
from smithers_nb.notebook.view_of import view_of
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import Status, call, say

each_api = pytest.mark.parametrize("api", APIS)
SECRET = "hunter" + "2x9K4mQ7"
KEY = "sk-" + "a1B2c3D4e5F6g7H8i9J0"


@dataclass
class Deps:
    client: object
    api_key: str = SECRET


def files(tmp_path: Path) -> bytes:
    return b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


def panes(ex: Any) -> list[Any]:
    """Return what the page is given of each node."""
    shown = view_of(ex)
    asked = [{"pane": "plan"}, {"pane": "xml"}, {"pane": "tasks"}, *({"pane": "node", "of": id} for id in "cta")]
    return [shown.pane(m.incoming.validate_python({"type": "get", "id": "r1", **one})) for one in asked]


def nothing_of(secret: str, ex: Any, tmp_path: Path) -> None:
    assert secret not in ex.frame.xml and secret not in repr(ex.frame.pending)
    assert secret.encode() not in files(tmp_path)
    for table in ("nodes", "tasks", "model_calls", "approvals", "events", "handlers"):
        assert secret not in str(getattr(ex.df, table).to_dict("records")), table


@each_api
@pytest.mark.parametrize("node", [Claude, Agent])
def test_of_deps_only_the_type_is_written(node: Any, api: str, provider: Any, run_of: Any, tmp_path: Path) -> None:
    server = provider(call("look"), say("done"))
    seen: list[str] = []

    def look(ctx: RunContext[Deps]) -> str:
        seen.append(ctx.deps.api_key)
        return "seen"

    model, deps = model_at(server, api), Deps(object())
    app = Claude(id="c", model=model, tools=[look], deps=deps)["hi"]
    if node is Agent:
        app = Agent(id="c", agent=OwnAgent(model, tools=[look], deps_type=Deps), deps=deps)["hi"]
    ex = run_of(app)
    assert ex.run_sync().status == "finished" and seen == [SECRET]
    assert 'deps="Deps"' in ex.frame.xml
    nothing_of(SECRET, ex, tmp_path)


@pytest.mark.parametrize(
    "deps", [{"api_key": SECRET, "n": 1}, [SECRET], SECRET, (SECRET,)], ids=["dict", "list", "str", "tuple"]
)
def test_of_plain_deps_too(deps: Any, run_of: Any, tmp_path: Path) -> None:
    ex = run_of(Claude(id="c", model=scripted("x"), deps=deps)["hi"])
    assert ex.run_sync().status == "finished"
    assert f'deps="{type(deps).__name__}"' in ex.frame.xml
    nothing_of(SECRET, ex, tmp_path)


SETTINGS: dict[str, dict[str, Any]] = {
    "a header": {"extra_headers": {"X-Api-Key-2": SECRET, "Authorization-2": "Bearer " + SECRET, "api-key": SECRET}},
    "the body": {"extra_body": {"metadata": {"password": SECRET}}},
}


@each_api
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_settings_are_sent_and_their_credentials_not_written(
    settings: Any, api: str, provider: Any, run_of: Any, tmp_path: Path
) -> None:
    server = provider(say("done"))
    ex = run_of(Claude(id="c", model=model_at(server, api), settings=settings)["hi"])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    [entry] = server.requests
    assert SECRET in json.dumps([entry.headers, entry.asked.body])
    assert MASK in ex.frame.xml
    nothing_of(SECRET, ex, tmp_path)


def test_props_of_every_node_and_the_page(run_of: Any, tmp_path: Path) -> None:
    called: list[Any] = []

    def connect(url: str, password: str) -> str:
        called.append((url, password))
        return "connected"

    # The agent is not asked: a request is recorded as it is sent, because an agent continues from there.
    later = Claude(id="c", model=scripted("x"), system=f"Use the key {KEY} for it.")["hi"]
    app = [
        Task(id="t", run=connect, args={"url": f"postgresql://me:{SECRET}@db/x", "password": SECRET}),
        Phase(name="1")[Approval(id="a", prompt=f"Send {KEY}?", payload={"to": "x", "api_key": SECRET})],
        Phase(name="2")[later],
    ]
    ex = run_of(app)
    assert ex.run_sync().status == "waiting"
    assert called == [(f"postgresql://me:{SECRET}@db/x", SECRET)], "the function gets them as they are"
    page = "".join(json.dumps(pane) for pane in panes(ex))
    for secret in (SECRET, KEY[3:]):
        nothing_of(secret, ex, tmp_path)
        assert secret not in page
    assert "Use the key sk-" in ex.frame.xml and ex.df.approvals.payload[0] == {"to": "x", "api_key": MASK}


@each_api
def test_a_key_that_a_provider_quotes_is_not_written(api: str, provider: Any, run_of: Any, tmp_path: Path) -> None:
    server = provider(Status(401, message=f"Incorrect API key provided: {KEY}"))
    results: list[Any] = []
    ex = run_of(Claude(id="c", model=model_at(server, api), on_error=results.append)["hi"])
    ex.run_sync()
    assert "Incorrect API key provided: sk-•••" in results[0].error
    nothing_of(KEY[3:], ex, tmp_path)


def test_a_traceback_with_a_key_in_its_lines_is_written_without_it(run_of: Any, tmp_path: Path) -> None:
    def work() -> None:
        raise ValueError(f"no answer from https://me:{SECRET}@example.org")

    ex = run_of(Task(id="t", run=work))
    assert ex.run_sync().status == "failed"
    nothing_of(SECRET, ex, tmp_path)


@pytest.mark.parametrize("api", ["anthropic", "responses"])
def test_the_headers_of_a_native_tool_are_sent_and_not_written(
    api: str, provider: Any, run_of: Any, tmp_path: Path
) -> None:
    docs = MCPServerTool(id="docs", url="https://docs.example.org/mcp", authorization_token=SECRET)
    server = provider(say("done"))
    ex = run_of(Claude(id="c", model=model_at(server, api), tools=[docs])["hi"])
    assert ex.run_sync().status == "finished", ex.df.tasks.error[0]
    assert SECRET in json.dumps(server.requests[0].asked.body)
    nothing_of(SECRET, ex, tmp_path)
