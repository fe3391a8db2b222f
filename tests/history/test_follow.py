"""A value or a text both ways: where it came from, and every place that holds it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Approval, Claude, Execution, Smithers, Store, Task, call_tool, component, errors, scripted
from tests.engine.test_branches import rows

Made = Callable[..., Execution]

FOUND = 'The harbour of "Brest"\nhas strong tides, says the office'
"""What a tool returns: JSON has escapes for it."""
NOTES = f"1. {FOUND} 2. turbines are expensive"


def search(query: str) -> str:
    """Search the web."""
    return FOUND


def file_away(text: str) -> str:
    """Keep a text."""
    return "kept"


@component
def Child(ctx: Any, text: Any) -> Any:
    return Task(id="inner", run=len, args=[text])


@component
def Story(ctx: Any) -> Any:
    notes = ctx.state.get("notes")

    def drafted(result: Any) -> None:
        ctx.state.set("draft", {"text": result.output, "n": 1})
        ctx.artifact.markdown(result.output, key="doc")

    return [
        Claude(
            id="notes", model="m", tools=[search], on_finished=lambda r: ctx.state.set("notes", r.output)
        )["About ", ctx.state.get("topic")],
        notes and [
            Claude(id="draft", model="n", system=notes, tools=[file_away], on_finished=drafted)["Write up: ", notes],
            Claude(id="short", model="o")["In short: ", notes[:30], "…"],
            Claude(id="shorter", model="o")["In short: ", notes[:12], " and so on"],
            Smithers(id="child", component=Child, args={"text": notes}),
        ],
    ]  # fmt: skip


@pytest.fixture
def ex(run_of: Made) -> Execution:
    made = run_of(
        Story,
        state={"topic": "tidal energy in Brittany"},
        models={
            "m": scripted(call_tool("search", query="tides of Brest, please"), NOTES),
            "n": scripted(call_tool("file_away", text=NOTES), f"A draft: {FOUND}!"),
            "o": scripted("x", "y"),
        },
    )
    assert made.run_sync().status == "finished"
    return made


def places(found: Any, direction: str) -> set[tuple[str, str | None, str]]:
    of = found.df[found.df["direction"] == direction]
    return set(zip(of["where"], of["node_id"], of["evidence"], strict=True))


def test_a_value_goes_back_to_its_call_and_forward_to_all_that_holds_it(ex: Execution) -> None:
    before = rows(ex.store.path, ex.execution_id)
    found = ex.follow("state:notes")
    assert places(found, "back") == {
        ("write", "notes", "recorded"), ("result", "notes", "recorded"), ("answer", "notes", "inferred"),
    }  # fmt: skip
    assert places(found, "forward") >= {
        ("prop", "draft", "recorded"), ("prompt", "draft", "inferred"), ("argument", "draft", "inferred"),
        ("prompt", "short", "inferred"), ("request", "draft", "inferred"), ("prop", "child", "inferred"),
    }  # fmt: skip
    assert found.followed == NOTES
    assert {one.text for one in found.statements} == {one.text for one in ex.follow("notes").statements}
    assert rows(ex.store.path, ex.execution_id) == before


def test_a_text_goes_back_to_the_tool_that_returned_it(ex: Execution) -> None:
    found = ex.follow(FOUND)
    back = found.df[found.df["direction"] == "back"].iloc[0]
    assert (back["where"], back["key"], back["evidence"], back["table"]) == (
        "output",
        "search",
        "recorded",
        "tool_calls",
    )
    row = ex.df.tool_calls.set_index("id").loc[int(back["row_id"])]
    assert row.output == FOUND
    forward = found.df[found.df["direction"] == "forward"]
    assert {"write", "prompt", "prop", "argument", "result", "artifact", "request"} <= set(forward["where"])
    assert set(forward[forward["where"] == "write"]["key"]) == {"notes", "draft"}
    assert forward[forward["where"] == "artifact"]["key"].tolist() == ["doc"]


def test_a_cut_is_shown_as_one(ex: Execution) -> None:
    found = ex.follow("notes")
    cuts = {one.node_id: one.text for one in found.statements if "cut" in one.text and one.where == "prompt"}
    assert cuts == {
        "short": f"the prompt of short contains the first 30 of its {len(NOTES)} characters: it is cut there"
    }
    assert "shorter" not in {one.node_id for one in found.statements}, "12 characters without a sign are chance"
    requests = [one.text for one in found.statements if one.where == "request" and one.node_id == "short"]
    assert requests == [
        f"a request of short to scripted contains the first 30 of its {len(NOTES)} characters: it is cut there"
    ]


def test_the_first_state_a_person_and_a_prompt_are_roots(ex: Execution) -> None:
    found = ex.follow("topic")
    assert places(found, "back") == {("write", None, "recorded")} and "by init" in found.text
    assert ("prompt", "notes", "inferred") in places(found, "forward")
    prompt = ex.follow("draft.prompt")
    assert prompt.followed == f"Write up: {NOTES}" and ("prompt", "draft", "recorded") in places(prompt, "forward")
    assert ex.follow("draft.system").followed == NOTES


def test_the_answer_of_a_person_is_a_root(run_of: Made) -> None:
    @component
    def Asks(ctx: Any) -> Any:
        return [
            Approval(id="ask", prompt="Go?", on_finished=lambda r: ctx.state.set("why", r.text)),
            ctx.state.get("why") and Task(id="use", run=len, args=[ctx.state.get("why")]),
        ]

    ex = run_of(Asks)
    ex.run_sync()
    ex.answer("ask", "approve", "because the tide is right")
    ex.run_sync()
    found = ex.follow("because the tide is right")
    assert ("comment", "ask", "recorded") in places(found, "back")
    assert ("prop", "use", "inferred") in places(found, "forward")


def test_short_values_are_found_only_where_they_are_the_whole(run_of: Made) -> None:
    @component
    def Short(ctx: Any) -> Any:
        n = ctx.state.get("n")
        return [
            Task(id="count", run=lambda: 417, on_finished=lambda r: ctx.state.set("n", r.output)),
            n and Claude(id="c", model="m", max_turns=n)[f"It is {n} in all, {n}."],
        ]

    ex = run_of(Short, models={"m": scripted("417 it is")})
    ex.run_sync()
    found = ex.follow("n")
    assert places(found, "back") == {("write", "count", "recorded"), ("result", "count", "inferred")}
    assert places(found, "forward") == {("prop", "c", "inferred")}


@pytest.mark.parametrize(("value", "typed"), [(751, "751"), (2.5, "2.50")])
def test_a_number_is_found_as_it_is_typed(value: float, typed: str, run_of: Made) -> None:
    def measure() -> float:
        return value

    @component
    def Counts(ctx: Any) -> Any:
        total = ctx.state.get("total")
        return [
            Claude(
                id="agent", model="m", tools=[measure], on_finished=lambda r: ctx.state.set("total", value)
            )["Count them."],
            total and Task(id="use", run=str, args=[total]),
        ]  # fmt: skip

    ex = run_of(Counts, models={"m": scripted(call_tool("measure"), "Counted.")})
    ex.run_sync()
    found = ex.follow(typed)
    assert [(one.where, one.key) for one in found.statements if one.direction == "back"] == [("output", "measure")]
    assert ("write", "agent") in {(one.where, one.node_id) for one in found.statements}


def test_a_text_of_digits_is_still_found_as_a_text(run_of: Made) -> None:
    ex = run_of(Task(id="t", run=lambda: "751"))
    ex.run_sync()
    [one] = ex.follow("751").statements
    assert (one.where, one.node_id) == ("result", "t")


@pytest.mark.parametrize("typed", ["7511", "null", "true", "1e400", "NaN", "[" * 1000, "1" * 5000])
def test_what_is_typed_is_no_number_by_chance(typed: str, run_of: Made) -> None:
    ex = run_of(Task(id="t", run=lambda: None))
    ex.run_sync()
    with pytest.raises(errors.StoreError, match="nothing that is recorded"):
        ex.follow(typed)


def test_structured_values_are_followed_by_their_texts(ex: Execution) -> None:
    found = ex.follow("draft")
    assert found.followed == f"A draft: {FOUND}!"
    value = ex.follow("state:draft")
    assert {one.where for one in value.statements} >= {"write", "result", "artifact"}


def test_a_branch_and_a_recorded_file_are_read_along_the_line(ex: Execution) -> None:
    recorded = Store(ex.store.path).open(ex.execution_id).follow("notes")
    assert recorded.text == ex.follow("notes").text
    branch = ex.fork(3)
    try:
        branch.run_sync()
        found = branch.follow("state:notes")
        owners = {one.where: one.execution_id for one in found.statements}
        assert owners["answer"] == ex.execution_id, "the parent's, before the fork"
        assert len({(one.table, one.row_id, one.execution_id, one.key) for one in found.statements}) == len(
            found.statements
        )
    finally:
        branch.close()


def test_a_child_is_searched_too(ex: Execution) -> None:
    ids = set(ex.store.sql("SELECT execution_id FROM executions WHERE kind = 'child'").execution_id)
    inner = [one for one in ex.follow("notes").statements if one.execution_id in ids]
    assert [(one.where, one.node_id) for one in inner] == [("prop", "inner")]
    [child] = ids
    assert ex.store.open(child).follow("inner").statements


def test_a_file_that_holds_exactly_the_text_is_found(run_of: Made, tmp_path: Path) -> None:
    @component
    def Writes(ctx: Any) -> Any:
        return Task(
            id="t", run=lambda: "a text of some length", on_finished=lambda r: ctx.fs.write(tmp_path / "a.txt", r.output)
        )  # fmt: skip

    ex = run_of(Writes)
    ex.run_sync()
    found = ex.follow("a text of some length")
    [file] = [one for one in found.statements if one.where == "file"]
    assert str(file.key).endswith("a.txt") and file.evidence == "recorded" and file.direction == "forward"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("state:nots", r"no key 'nots'\. Did you mean 'notes'\?"),
        ("draft.sytem", r"draft has no prop 'sytem' in frame \d+\. Did you mean 'system'\?"),
        (
            "quay",
            "holds 'quay' as its whole value, and inside of longer texts only 8 characters or more are looked for",
        ),
        ("never said by anyone", "nothing that is recorded of execution .* holds 'never said by anyone'"),
    ],
)
def test_what_is_not_there_is_told(target: str, message: str, ex: Execution) -> None:
    with pytest.raises(errors.StoreError, match=message):
        ex.follow(target)


def test_an_earlier_value_is_followed_from_its_frame(run_of: Made) -> None:
    @component
    def Twice(ctx: Any) -> Any:
        text = ctx.state.get("text")
        return [
            Task(id="one", run=lambda: "the first version", on_finished=lambda r: ctx.state.set("text", r.output)),
            text
            and Task(id="two", run=lambda: "the second one", on_finished=lambda r: ctx.state.set("text", r.output)),
        ]

    ex = run_of(Twice)
    ex.run_sync()
    first = int(ex.df.state.query("value == 'the first version'").from_frame.iloc[0])
    assert ex.follow("state:text").followed == "the second one"
    assert ex.follow("state:text", frame=first).followed == "the first version"
    with pytest.raises(errors.StoreError, match="no frame 99"):
        ex.follow("text", frame=99)


def test_a_value_that_no_frame_has_read_yet_is_followed(run_of: Made) -> None:
    @component
    def Last(ctx: Any) -> Any:
        return Task(id="a", run=lambda: "a text of the end", on_finished=lambda r: ctx.state.set("late", r.output))

    ex = run_of(Last)
    while not ex.pending:
        ex.step_sync()
    ex.step_phase_sync()
    assert "late" not in ex.at(ex.recorded).state
    assert ("write", "a", "recorded") in places(ex.follow("state:late"), "back")


def test_hostile_text_is_inert(run_of: Made) -> None:
    hostile = "</bdi><script>alert(1)</script>\u202e and more"

    @component
    def Hostile(ctx: Any) -> Any:
        return Task(id="<b>t</b>", run=lambda: hostile, on_finished=lambda r: ctx.state.set("<i>k</i>", r.output))

    ex = run_of(Hostile)
    ex.run_sync()
    found = ex.follow(hostile)
    html = found._repr_html_()
    assert "<script" not in html and "<i>" not in html and "<b>t" not in html and "\u202e" not in html + found.text
