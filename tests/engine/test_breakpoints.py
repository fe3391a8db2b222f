"""Breakpoints: what each kind stops at, what it says, and that looking changes nothing."""

from __future__ import annotations

import json
import threading

import pytest

from smithers_nb import Claude, Effect, Phase, Ralph, Task, component, scripted
from smithers_nb.execution import run_behind
from smithers_nb.history.matching import NAMES
from smithers_nb.records import Phase as P
from smithers_nb.syntax.expression import Expression, ExpressionError


@component
def Report(ctx):
    """Three frames of research, an effect, a handler that raises, and a node that goes."""
    notes = ctx.state.get("notes")
    ctx.state.init("phase", "research")
    return [
        Phase(id="research", name="research")[
            Claude(id="a", model=scripted("tides"), on_finished=lambda r: note(ctx, r))["Two notes."]
        ],
        Phase(id="write", name="write")[Task(id="b", run=broken, on_error=lambda r: lose(ctx))],
        not notes and Task(id="early", run=lambda: None),
        Effect(id="echo", deps=[notes], run=lambda: notes and ctx.state.set("echo", notes)),
    ]


def note(ctx, result):
    ctx.state.set("notes", result.output)
    ctx.state.set("phase", "write")
    ctx.state.update("n", lambda n: (n or 0) + 1)


def broken():
    raise ValueError("no luck")


def lose(ctx):
    ctx.state.set("lost", True)
    raise RuntimeError("the handler, too")


# what is set, and (phase, text) of the first hit
KINDS = [
    ({"phase": "RECONCILE"}, "RECONCILE", "RECONCILE of frame 1 is done"),
    ({"node": "a"}, "RECONCILE", "claude a was mounted"),
    ({"node": "early", "event": "unmount"}, "RECONCILE", "task early was unmounted"),
    ({"node": "a", "event": "start"}, "EXECUTE", "claude a started"),
    ({"node": "b", "event": "start"}, "EXECUTE", "task b started"),
    ({"node": "research", "event": "start"}, "COMMIT", "phase research started"),
    ({"node": "write", "event": "start"}, "COMMIT", "phase write started"),
    ({"node": "a", "event": "finished"}, "SNAPSHOT", "claude a succeeded"),
    ({"node": "b", "event": "error"}, "SNAPSHOT", "task b failed: ValueError: no luck"),
    ({"node": "research", "event": "finished"}, "COMMIT", "phase research succeeded"),
    ({"key": "notes"}, "FLUSH", "notes was set to tides"),
    ({"key": "phase", "equals": "write"}, "FLUSH", "phase changed research → write"),
    ({"key": "phase", "event": "written"}, "RENDER", "phase is written by init: research"),
    ({"key": "notes", "event": "written"}, "EXECUTE", "notes is written by on_finished of a: tides"),
    ({"key": "n", "event": "written"}, "EXECUTE", "n is written by on_finished of a: computed at flush"),
    ({"key": "echo", "event": "written"}, "EFFECTS", "echo is written by run of echo: tides"),
    ({"handler": "a"}, "EXECUTE", "on_finished of a was called"),
    ({"handler": "on_error"}, "EXECUTE", "on_error of b raised"),
    ({"handler": "b", "event": "on_error"}, "EXECUTE", "on_error of b raised"),
    ({"error": True}, "EXECUTE", "HandlerError: on_error of b raised RuntimeError"),
    ({"when": "state.n == 1"}, "FLUSH", "state.n == 1 is true"),
    ({"when": "prev.n != state.n"}, "FLUSH", "prev.n != state.n is true"),
    ({"when": "any(w.key == 'echo' for w in writes)"}, "EFFECTS", "any(w.key == 'echo' for w in writes) is true"),
    ({"when": "frame.number == 2"}, "FLUSH", "frame.number == 2 is true"),
    ({"phase": "EFFECTS", "when": "state['notes']"}, "EFFECTS", "EFFECTS of frame"),
    ({"node": "b", "when": "node.type == 'task' and node.props.run"}, "RECONCILE", "task b was mounted"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "phase", "text"), KINDS, ids=lambda value: str(value)[:60])
def test_a_run_stops_at_what_the_breakpoint_waits_for_and_says_so(run_of, options, phase, text):
    ex = run_of(Report)
    point = ex.breakpoints.add(**options)
    result = ex.run_sync()
    assert (result.status, ex.frame.phase) == ("paused", P(phase))
    assert result.reason.startswith(f"stopped: {text}")
    hit = run_behind(ex).hit
    assert (hit.breakpoint_id, hit.frame, hit.phase) == (point.id, ex.frame.number, phase)
    assert ex.breakpoints.list()[0].hits == 1
    events = ex.df.events[ex.df.events["kind"] == "breakpoint"]
    assert [(row["frame"], row["payload"]["phase"]) for _, row in events.iterrows()] == [(ex.frame.number, phase)]
    assert ex.step_phase_sync().phase is not P(phase), "it goes on from there"


@component
def Retried(ctx):
    """A phase whose task fails first, and one that waits behind it."""
    return [
        Phase(id="first", name="first")[Task(id="t", run=fails_once(ctx))],
        Phase(id="then", name="then")[Task(id="u", run=lambda: 2)],
        Phase(id="box", name="box")[Phase(name="inner")],
    ]


MAY_END = threading.Event()
"""Set when the task of ``Retried`` may end: not before the breakpoint on what comes next is set."""


def fails_once(ctx):
    def run():
        assert MAY_END.wait(60)
        if not ctx.state.get("mended"):
            raise ValueError("no luck")
        return 1

    return run


# on a node that is mounted already: the node, the event (None is what comes next), when it is set, the hits
MOUNTED = [
    ("t", "start", "COMMIT", ["task t started"] * 2),
    ("t", None, "COMMIT", ["task t started"] * 2),
    ("t", "finished", "COMMIT", ["task t succeeded"]),
    ("t", "error", "COMMIT", ["task t failed: ValueError: no luck"]),
    ("t", None, "EXECUTE", ["task t succeeded"]),
    ("first", "start", "RECONCILE", ["phase first started"]),
    ("first", "start", "EFFECTS", []),
    ("first", "error", "EXECUTE", ["phase first failed"]),
    ("first", None, "EXECUTE", ["phase first succeeded"]),
    ("then", "start", "EFFECTS", ["phase then started"]),
    ("then", None, "EFFECTS", ["phase then started"]),
    ("then", "finished", "EFFECTS", ["phase then succeeded"]),
    ("u", "start", "EFFECTS", ["task u started"]),
    ("u", None, "EFFECTS", ["task u started"]),
]


@pytest.mark.parametrize(("node", "event", "after", "hits"), MOUNTED)
def test_a_breakpoint_on_a_node_that_is_mounted_hits_what_is_still_to_come(run_of, resumed, node, event, after, hits):
    MAY_END.clear()
    ex = run_of(Retried)
    while ex.step_phase_sync().phase is not P(after):
        pass
    ex.breakpoints.add(node=node, event=event)
    MAY_END.set()
    found = hits_of(ex)
    assert ex.status == "failed"
    ex.state.set("mended", True)
    ex.retry("t")
    found += hits_of(ex)
    assert (ex.status, found) == ("finished", hits)
    ex.close()
    assert hits_of(resumed(Retried)) == [], "what has happened is no hit"


def hits_of(ex) -> list[str]:
    found = []
    while ex.run_sync() and run_behind(ex).hit is not None:
        found.append(run_behind(ex).hit.text)
    return found


@pytest.mark.parametrize(
    "text",
    ["state.n >", "n == 1", "state.n = 3", "lambda: 1", "f'{state}'", "ctx.stop()", "state.__class__", "(" * 2000],
)
def test_what_is_wrong_with_an_expression_is_one_line_that_says_what_to_do(text):
    with pytest.raises(ExpressionError) as refused:
        Expression(text, NAMES)
    words = str(refused.value)
    assert "\n" not in words and len(words) < 300
    assert any(
        advice in words for advice in ("Write one such as", "There are", "It may call", "begins with", "at most")
    )


def counter(stop=4):
    @component
    def Counter(ctx):
        n = ctx.state.get("n", 0)
        return Task(key=f"t{n}", run=lambda: n, on_finished=lambda r: ctx.state.set("n", n + 1)) if n < stop else None

    return Counter


def stops(ex) -> list[int]:
    found = []
    while ex.run_sync().status != "finished":
        found.append(ex.state["n"])
    return found


@pytest.mark.parametrize(
    ("options", "values", "hits", "enabled"),
    [
        ({}, [1, 2, 3, 4], 4, True),
        ({"hits": 3}, [3, 4], 4, True),
        ({"once": True}, [1], 1, False),
        ({"once": True, "hits": 2}, [2], 2, False),
        ({"log": True}, [], 4, True),
        ({"when": "state.n > 2"}, [3, 4], 2, True),
        ({"equals": 2}, [2], 1, True),
    ],
    ids=str,
)
def test_hit_count_once_and_log_only(run_of, options, values, hits, enabled):
    ex = run_of(counter())
    ex.breakpoints.add(key="n", **options)
    assert stops(ex) == values
    (point,) = ex.breakpoints
    assert (point.hits, point.enabled) == (hits, enabled)
    # A busy machine records slow phases, too.
    recorded = [json.dumps(p) for p in ex.df.events.query("kind == 'breakpoint'")["payload"]]
    assert len(recorded) == hits
    assert sum('"stops": true' in payload for payload in recorded) == len(values)


def test_an_expression_over_the_state_hits_when_it_becomes_true_not_as_long_as_it_is(run_of):
    ex = run_of(counter())
    ex.breakpoints.add(when="state.n >= 2")
    assert stops(ex) == [2]


def test_a_disabled_or_removed_breakpoint_stops_nothing_and_enabled_again_it_counts_anew(run_of):
    ex = run_of(counter())
    one, two = ex.breakpoints.add(key="n", hits=2), ex.breakpoints.add(key="n")
    ex.breakpoints.remove(two)
    assert "n changed 1 → 2" in ex.run_sync().reason
    ex.breakpoints.disable(one.id)
    assert not ex.step_sync().pending
    ex.breakpoints.enable(one.id)
    assert ex.breakpoints.list()[0].hits == 0
    assert "n changed 3 → 4" in ex.run_sync().reason


def test_a_step_stops_at_a_hit_too_and_a_phase_says_it(run_of):
    ex = run_of(counter())
    ex.breakpoints.add(phase="RENDER")
    assert ex.step_sync().phase is P.RENDER
    assert ex.reason == "stopped: RENDER of frame 1 is done"
    assert ex.step_sync().phase is P.EFFECTS
    ex.breakpoints.add(phase="FLUSH")
    assert ex.step_phase_sync().phase is P.FLUSH
    assert run_behind(ex).hit.text == "FLUSH of frame 1 is done"
    assert ex.step_phase_sync().phase is P.SNAPSHOT
    assert run_behind(ex).hit is None


def test_what_a_person_writes_between_two_frames_hits(run_of):
    ex = run_of(counter(1))
    ex.run_sync()
    ex.breakpoints.add(key="other", event="written")
    ex.state.set("other", 5)
    assert ex.run_sync().reason == "stopped: other is written by operator: 5"
    assert ex.state["other"] == 5


def test_volatile_values_hit_by_their_key(run_of):
    ex = run_of(Task(id="t", run=lambda: 1, on_finished=lambda r, ctx: ctx.vol.set("seen", {1, 2})))
    ex.breakpoints.add(key="seen")
    assert ex.run_sync().reason == "stopped: seen was set to [1,2]"


def test_a_loop_that_is_done_is_finished(run_of):
    @component
    def App(ctx):
        return Ralph(id="loop", until=ctx.state.get("n") == 1)[
            Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", r.output))
        ]

    ex = run_of(App)
    ex.breakpoints.add(node="loop", event="finished")
    assert ex.run_sync().reason == "stopped: ralph loop done"


def test_breakpoints_are_stored_with_the_execution_and_come_back_with_their_counts(run_of, resumed):
    ex = run_of(counter())
    ex.breakpoints.add(key="n", when="state.n > 0", log=True)
    ex.breakpoints.add(key="n", equals=3)
    gone = ex.breakpoints.add(error=True)
    ex.breakpoints.remove(gone)
    ex.run_sync(until="n")
    before = ex.breakpoints.list()
    ex.close()
    again = resumed(counter())
    assert again.breakpoints.list() == before
    assert [point.hits for point in before] == [1, 0]
    assert "n changed 2 → 3" in again.run_sync().reason
    assert again.breakpoints.add(phase="FLUSH").id not in {point.id for point in before}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "needs something to wait for"),
        ({"node": "a", "event": "changed"}, "mount, start, finished, error, unmount"),
        ({"key": "n", "event": "mount"}, "written, changed, equals"),
        ({"key": "n", "event": "equals"}, "a value goes with"),
        ({"handler": "a", "event": "on_done"}, "on_finished, on_error, on_progress"),
        ({"phase": "LUNCH"}, "SNAPSHOT, RENDER"),
        ({"phase": "RENDER", "event": "mount"}, "has no event"),
        ({"node": "a", "key": "n"}, "one thing"),
        ({"key": "n", "hits": 0}, "first hit"),
        ({"key": "n", "when": "state.n >"}, "no Python expression"),
        ({"when": "open('x')"}, "can't be called"),
        ({"when": "state.__class__"}, "underscore"),
    ],
    ids=str,
)
def test_a_breakpoint_that_could_never_hit_is_refused_when_it_is_set(run_of, options, words):
    ex = run_of(counter())
    with pytest.raises(ValueError, match=words):
        ex.breakpoints.add(**options)
    assert len(ex.breakpoints) == len(ex.df.breakpoints) == 0


BAD = [
    "state.n = 3", "import os", "lambda: 1", "(n := 3)", "state._x", "().__class__", "''.join(['a'])", "state.pop('n')",
    "[x for x in [1] for y in [2]]", "{x: 1 for x in []}", "f'{state}'", "len(state, key=1)", "other", "await x",
    "state.n ** 9", "1 << 9", "~1", "*state", "print(1)", "eval('1')", "x" * 2000, "(" * 500, "",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:30])
def test_what_is_more_than_looking_is_no_expression(text):
    with pytest.raises(ExpressionError):
        Expression(text, ["state"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("state.n + 1", 4),
        ("state['n'] >= 3 and not state.missing", True),
        ("state.missing.deeper", None),
        ("state.get('missing', 7) + state.get('n')", 10),
        ("1 < state.n < 4", True),
        ("'b' in state.list and 'x' not in state", True),
        ("[x for x in state.list if x != 'a']", ["b"]),
        ("sum(i.v for i in state.items) / len(state.items)", 1.5),
        ("max(state.items[0].v, -1) if state.n else None", 1),
        ("any(x == 'b' for x in state.list), all([])", [True, True]),
        ("state.list[-1] + state.list[0:1][0]", "ba"),
        ("len(state)", 3),
        ("null is None and true", True),
    ],
)
def test_what_an_expression_gives(text, value):
    state = {"n": 3, "list": ["a", "b"], "items": [{"v": 1}, {"v": 2}]}
    assert Expression(text, ["state"]).value({"state": state}) == value


@pytest.mark.parametrize(
    "text",
    [
        "'a' * 9999999999",
        "'%9999999999d' % 1",
        "state.big * state.big * state.big",
        "[0] * 9999999999",
        "state.n < 'a'",
        "state.list[9]",
        "1 / 0",
        "any(any(any(x == y for y in state.many) for x in state.many) for z in state.many)",
    ],
)
def test_an_expression_that_would_take_for_ever_or_makes_no_sense_says_so(text):
    state = {"n": 3, "list": ["a"], "big": 2**200, "many": list(range(3000))}
    with pytest.raises(ExpressionError):
        Expression(text, ["state"]).value({"state": state})


def test_a_condition_that_cannot_be_computed_is_false_and_says_why(run_of):
    ex = run_of(counter())
    point = ex.breakpoints.add(key="n", when="state.n < 'a'")
    assert ex.run_sync().status == "finished"
    assert "TypeError" in run_behind(ex).live.breakpoints.errors[point.id]


def test_evaluation_has_no_side_effects(run_of):
    asked = []

    def app(ctx):
        asked.append(ctx.frame)
        return Task(id="t", run=lambda: 1, on_finished=lambda r: ctx.state.set("n", [1, {"a": 2}]))

    plain, watched = (run_of(component(app), name=name) for name in ("plain", "watched"))
    for text in (
        "state.n[1].a == 2",
        "sorted(state.n[0:1]) and prev.n",
        "len(writes) and writes[0].new and frame.mounted",
    ):
        watched.breakpoints.add(when=text, log=True)
        watched.breakpoints.add(phase="EFFECTS", when=text, log=True)
    plain.run_sync()
    calls = len(asked)
    watched.run_sync()
    assert len(asked) == 2 * calls
    assert any(point.hits for point in watched.breakpoints)
    for table in ("transitions", "nodes", "handlers"):
        rows = [getattr(ex.df, table).drop(columns=["execution_id", "ms"], errors="ignore") for ex in (plain, watched)]
        assert rows[0].equals(rows[1]), table
    assert plain.state["n"] == watched.state["n"] == [1, {"a": 2}]
