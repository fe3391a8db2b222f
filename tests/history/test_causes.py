"""The causes of things, each planted, and asked for twice: of the live execution, and of its file alone."""

from __future__ import annotations

from typing import Any

import pytest

from smithers_nb import Claude, Phase, Store, Task, component, scripted
from smithers_nb.errors import StoreError

from .programs import HOSTILE


@component
def Report(ctx: Any) -> Any:
    return [
        Phase(name="research")[
            Claude(id="notes", model=scripted("1. tides"), on_finished=lambda r: ctx.state.set("notes", r.output))[
                "Notes on ", ctx.state.get("topic")
            ]
        ],
        Phase(name="write")[
            Claude(id="draft", model=scripted("A draft."), on_finished=lambda r: ctx.state.set("draft", r.output))[
                "Write it up: ", ctx.state.get("notes")
            ]
        ],
    ]


def test_a_value_goes_back_to_the_answer_that_it_came_from(run_of: Any) -> None:
    ex = run_of(Report(), name="report", state={"topic": "tidal energy"})
    ex.run_sync()
    why = ex.why("state:draft")
    assert why.text.splitlines()[1:] == [
        '  draft is "A draft." since frame 5  [frame 5 · recorded]',
        '    on_finished of claude #draft wrote draft = "A draft."  [frame 4 · test_causes.py:24 · recorded]',
        "      on_finished of claude #draft was called in frame 4  [frame 4 · test_causes.py:24 · recorded]",
        "        claude #draft succeeded  [frame 3 · test_causes.py:24:13 · recorded]",
        '          scripted answered in turn 1: "A draft."'
        "  [frame 3 · test_causes.py:24:13 · recorded · ask why of draft.prompt]",
    ]
    assert list(why.df.columns) == [
        "depth",
        "text",
        "frame",
        "phase",
        "node_id",
        "source",
        "table",
        "row_id",
        "execution_id",
        "evidence",
    ]
    assert why.df.table.tolist() == ["state", "transitions", "handlers", "tasks", "model_calls"]
    assert ex.df.why("draft").equals(why.df)
    ex.close()
    assert Store(ex.store.path).open("report").why("state:draft") == why


def test_hostile_text_is_inert_in_every_form(run_of: Any) -> None:
    text = HOSTILE.replace("\ud800", "")
    ex = run_of(Task(id="t", run=lambda: text, on_finished=lambda r, ctx: ctx.state.set(text, r.output)))
    ex.run_sync()
    for asked in ("t", f"state:{text}", "t.on_finished", None):
        why = ex.why(asked)
        html = why._repr_html_()
        assert "<img" not in html and "</script>" not in html and "\u202e" not in html
        assert "\u202e" not in why.text and "\x00" not in why.text
        assert len(why.text.splitlines()) == len(why.statements) + 1
        html.encode()


def test_what_is_not_there_is_refused_with_the_nearest_names(run_of: Any) -> None:
    ex = run_of(Report(), state={"topic": "x"})
    ex.run_sync()
    with pytest.raises(StoreError, match=r"nothing of the name 'drafd'\. Did you mean 'draft'"):
        ex.why("drafd")
    with pytest.raises(StoreError, match="no frame 99"):
        ex.why(99)
    with pytest.raises(TypeError, match="a node id"):
        ex.why(1.5)
