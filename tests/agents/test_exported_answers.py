"""An exported run answers again what models, tools and people answered: no request is made, which the provider counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smithers_nb import Approval, Claude, Execution, Parallel, Sequence, Smithers, Store, component
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import by_turn, call, say
from tests.agents.fake_server import FakeServer

ADDED: list[tuple[int, int]] = []


def add(a: int, b: int) -> int:
    """Add."""
    ADDED.append((a, b))
    return a + b


def save(key: str) -> Any:
    return lambda result, ctx: ctx.state.set(key, result.output)


def app_of(server: FakeServer) -> Any:
    @component
    def Child(ctx: Any) -> Any:
        return Claude(id="inner", model=model_at(server), on_finished=save("inner"))["inside"]

    @component
    def App(ctx: Any) -> Any:
        return Sequence()[
            Parallel()[
                [
                    Claude(id=api, model=model_at(server, api), tools=[add], on_finished=save(api))[
                        f"Count with {api}."
                    ]
                    for api in APIS
                ]
            ],
            Smithers(id="child", component=Child),
            Approval(id="ok", prompt="Is it right?", on_finished=save("ok")),
            Claude(id="last", model=model_at(server), on_finished=save("last"))["Then: ", str(ctx.state.get("ok"))],
        ]

    return App


def test_a_run_goes_out_and_comes_back_with_the_same_answers_and_no_request(
    provider: Any, run_of: Any, tmp_path: Path
) -> None:
    server: FakeServer = provider(by_turn(call("add", a=1, b=2), say("three")))
    ADDED.clear()
    app = app_of(server)
    ex = run_of(app, name="asked")
    ex.run_sync()
    ex.answer("ok", "approve", comment="yes")
    assert ex.run_sync().status == "finished"
    requests = len(server.requests)
    assert requests >= 8 and [(1, 2)] * len(APIS) == ADDED
    ex.export(tmp_path / "run.html", show=False)
    history = Store(tmp_path / "run.html").open("asked")
    for frame in (0, 2):
        with_it: Execution = history.fork(app, frame=frame)
        assert with_it.run_sync().status == "finished"
        assert dict(with_it.state) == dict(ex.state)
        own = with_it.df.model_calls.query("execution_id == @with_it.execution_id")
        assert set(own.answered_by) == {"recording"} and own.cost_usd.fillna(0).sum() == 0
        with_it.close()
    replay = history.replay(app)
    assert replay.same and replay.answers == requests, replay
    assert len(server.requests) == requests and [(1, 2)] * len(APIS) == ADDED, "no request was made, and no tool called"
