"""``%%smithers`` in a real ipykernel."""

from __future__ import annotations

import pytest

from tests.notebook.kernel import run_cells

ONE = """%%smithers one
@component
def One(ctx):
    return (
        <Phase name="only">
            <Task id="t" run={lambda: 1} on_finished={lambda r: ctx.state.set("t", r.output)} />
        </Phase>
    )"""

MISTAKES = {
    "an unknown tag": ('return <Phase name="x"><Cluade id="q">hi</Cluade></Phase>', "Did you mean 'Claude'?", "bad:4:"),
    "a lower-case unknown tag": ("return <phaze />", "Did you mean 'phase'?", "bad:4:"),
    "an unknown prop": ('return <Phase nam="x" />', "Did you mean 'name'?", "bad:4:"),
    "a prop of the wrong type": ('return <Claude max_turns="many">hi</Claude>', "valid integer", "bad:4:"),
    "a handler on a Phase": ('return <Phase name="x" on_finished={print} />', "runs nothing itself", "bad:4:"),
    "a misspelt handler": ("return <Task run={print} on_finish={print} />", "Did you mean 'on_finished'?", "bad:4:"),
    "an id twice": (
        'return [<Task id="a" run={print}/>, <Task id="a" run={print}/>]',
        "two nodes have the id 'a'",
        "bad:4:",
    ),
    "a key twice": ('return [<Task key="a" run={print}/>, <Task key="a" run={print}/>]', "have the key 'a'", "bad:4:"),
    "a component that raises": ("return 1 / 0", "ZeroDivisionError", "bad:4:"),
    "a write while rendering": ('ctx.state.set("x", 1)', "Move the write into on_finished", "bad:4:"),
    "a task while rendering": ("asyncio.ensure_future(asyncio.sleep(1))", "was started while rendering", "/Bad[0]"),
    "a child that is none": ("return {'a': 1}", "can't be a child", "/Bad[0]"),
}


@pytest.fixture(scope="module")
def mistakes(tmp_path_factory):
    cells = [f"%%smithers bad\n@component\ndef Bad(ctx):\n    {code}" for code, _, _ in MISTAKES.values()]
    return run_cells(tmp_path_factory.mktemp("mistakes"), "import asyncio", *cells, ONE, "one.run_sync().status")


@pytest.mark.parametrize("number, name", list(enumerate(MISTAKES, 1)), ids=list(MISTAKES))
def test_a_mistake_fails_the_cell_with_what_and_where(mistakes, number, name):
    _, message, place = MISTAKES[name]
    text = mistakes.text(number)
    assert mistakes.failed(number)
    assert message in text
    assert place in text
    assert "run_cell_magic" not in text.splitlines()[-1]
    assert "/engine/phases/" not in text, "the way through this package is no help"


def test_a_syntax_error_stands_alone_and_one_of_the_users_own_code_keeps_its_way(tmp_path):
    (tmp_path / "broken.py").write_text("x = 1\n  y = 2\n")
    out = run_cells(
        tmp_path,
        "%%smithers bad\n@component\ndef Bad(ctx):\n    return <Phase name=>hi</Phase>",
        "%%smithers bad\nimport broken",
        "import broken",
        "%reload_ext smithers_nb",
        "%%smithers bad\n@component\ndef Bad(ctx):\n    return <Phase name=>hi</Phase>",
    )
    assert [out.failed(cell) for cell in range(5)] == [True, True, True, False, True]
    for cell in (0, 4):
        shown = out.text(cell).strip().splitlines()
        assert len(shown) == 4, shown
        assert shown[0].endswith(">:4")
        assert shown[1].index("=>") + 1 == shown[2].index("^")
        assert shown[3] == "SyntaxError: the value of prop 'name' must be in quotes or braces: name={...}"
    for cell in (1, 2):
        assert "import broken" in out.text(cell)
        assert "broken.py" in out.text(cell)


def test_a_handler_of_syntax_errors_that_the_user_has_set_is_kept(tmp_path):
    out = run_cells(
        tmp_path,
        "ip = get_ipython()\nip.set_custom_exc((SyntaxError,), lambda *a, **k: print('mine'))\n%reload_ext smithers_nb",
        "%%smithers bad\nreturn <Phase name=>hi</Phase>",
    )
    assert "mine" in out.text(1)


def test_after_all_these_mistakes_the_notebook_goes_on(mistakes):
    assert "finished" in mistakes.text(len(MISTAKES) + 2)


def test_nothing_is_executed_until_a_step(tmp_path):
    out = run_cells(tmp_path, ONE, "print(len(one.df.tasks), len(one.df.frames), one.status)")
    assert "nothing was executed" in out.text(0)
    assert out.text(1).split() == ["0", "0", "ready"]


def test_the_same_cell_again_makes_a_fresh_execution_and_closes_the_old_one(tmp_path):
    out = run_cells(
        tmp_path, ONE, "one.step_sync(); first = one", ONE, "one.run_sync()", "Store('smithers.db').df.executions"
    )
    assert "RunResult finished" in out.text(3)
    assert out.text(4).count("terminated") >= 1


@pytest.mark.parametrize(
    "between",
    ["one.close()", "!rm smithers.db*", "!rm smithers.db", "!mv smithers.db other.db", "one.stop(); one.close()"],
)
def test_the_same_cell_again_makes_a_fresh_execution_whatever_became_of_the_old_one(between, tmp_path):
    cells = [
        between,
        ONE,
        "print(one.run_sync().status, one.at(1).number, len(one.df.frames), len(Store('smithers.db').executions()))",
    ]
    out = run_cells(tmp_path, ONE, "one.step_sync()", *cells, ONE, *cells[1:])
    assert not [index for index in range(8) if out.failed(index)]
    there = 2 if "close" in between else 1
    for index, executions in ((4, there), (7, there + 2)):
        assert f"finished 1 3 {executions}" in out.text(index)


@pytest.mark.parametrize(
    "line, expected",
    [
        ("%%smithers one --run --quiet", ""),
        ("%%smithers one --show xml", '<task id="t"'),
        ("%%smithers one --show tree", "phase only"),
        ("%%smithers one --show code", "__smithers_jsx__(Phase"),
        ("%%smithers one --step 2", "1 write is pending"),
        ("%%smithers one --db other.db", "ready"),
    ],
)
def test_options_of_the_magic(tmp_path, line, expected):
    out = run_cells(tmp_path, ONE.replace("%%smithers one", line))
    assert expected in out.text(0)
    assert not out.failed(0)
    assert (tmp_path / "other.db").exists() == ("other" in line)


def test_props_are_an_expression_with_quotes_and_spaces_of_its_own(tmp_path):
    cell = """%%smithers p --quiet {props} --step 1
@component
def P(topic, n=0):
    return <Phase name={{f"{{topic}} {{n}}"}} />"""
    given = ['{"topic": "two words", "n": 1}', "dict(topic='x')", '"dict(topic=word)"', "{'topic':word}"]
    shown = ["two words 1", "x 0", "w 0", "w 0"]
    out = run_cells(
        tmp_path,
        "word = 'w'",
        *(part for props in given for part in (cell.format(props=f"--props {props}"), "print(p.frame.xml)")),
    )
    assert [out.text(number).strip() for number in (2, 4, 6, 8)] == [f'<phase name="{name}"/>' for name in shown]


@pytest.mark.parametrize(
    "line, message",
    [
        ("%%smithers one --props [1]", "--props is a dict of props, not a list"),
        ("%%smithers one --props 1/0", "ZeroDivisionError"),
        ("%%smithers one --keep --resume", "not allowed with argument"),
        ("%%smithers one --dry --branch", "not allowed with argument"),
        ("%%smithers one --dry --run", "--dry executes nothing"),
        ("%%smithers one --dry", "'one' is no execution of this notebook, and"),
        ("%%smithers one --branch", "'one' is no execution of this notebook, and"),
        ("%%smithers one --branch 1x", "can't be the name of a variable"),
        ("%%smithers one --branch one", "takes another name"),
        ("%%smithers one --allow-repeat pay", "it goes with --branch"),
        ("%%smithers one --fast", "unrecognized arguments: --fast"),
        ("%%smithers 1x", "can't be the name of a variable"),
        ("%%smithers one --root Nope", "no component"),
        ("%%smithers one --step x", "invalid int value"),
        ("%%smithers one --resume", "has no execution 'one'"),
        ('%%smithers one --db "', "No closing quotation"),
    ],
)
def test_a_wrong_option_fails_the_cell_in_one_line(tmp_path, line, message):
    out = run_cells(
        tmp_path, ONE.replace("%%smithers one", "%%smithers other --quiet"), ONE.replace("%%smithers one", line)
    )
    assert out.failed(1)
    assert message in out.text(1)
    assert "Traceback" not in out.text(1)


def test_a_syntax_error_is_at_the_line_and_column_of_the_cell(tmp_path):
    out = run_cells(tmp_path, '%%smithers x\ny = 1\nx = <Phase name="a"><b></Phase>')
    assert out.failed(0)
    assert "line 3" in out.text(0) or ":3" in out.text(0)
    assert "closing tag '</Phase>' does not match '<b>' opened on line 3" in out.text(0)


def test_magics_shell_lines_and_await_work_in_the_cell_and_other_cells_are_untouched(tmp_path):
    cell = """%%smithers w --run --quiet
import asyncio
await asyncio.sleep(0)
%env SMITHERS_WORD=tides
files = !echo one two
<Task id="t" run={lambda: files[0]} />"""
    out = run_cells(
        tmp_path,
        cell,
        "import os\nprint(w.df.tasks['result'][0], os.environ['SMITHERS_WORD'], 1<2)",
        "%%html\n<b>x</b>",
    )
    assert "one two tides True" in out.text(1)
    assert "<b>x</b>" in out.html(2)


def test_a_traceback_of_a_component_shows_the_cells_own_lines(tmp_path):
    cell = """%%smithers t
def broken(x):
    raise KeyError(x)

@component
def T(ctx):
    return (
        <Phase name="p">
            <Claude>{broken("k")}</Claude>
        </Phase>
    )"""
    out = run_cells(tmp_path, cell)
    assert '<Claude>{broken("k")}</Claude>' in out.text(0)
    assert "ComponentError" in out.text(0)


def test_the_source_of_a_component_can_be_read(tmp_path):
    out = run_cells(tmp_path, ONE, "import inspect\nprint(inspect.getsource(One))")
    assert '<Phase name="only">' in out.text(1)


def test_everything_shows_itself(tmp_path):
    out = run_cells(tmp_path, ONE, "await one.step()", "await one.run()", "one", "one.at(1)")
    for index, words in ((1, "Frame 1"), (2, "finished"), (3, "finished"), (4, "FrameView 1")):
        assert words in out.text(index)
    assert all("<script" not in out.html(index) for index in range(5))
    assert "Frame 1 after EFFECTS" in out.html(1)


def test_a_forgotten_await_is_told_with_what_to_write(tmp_path):
    out = run_cells(
        tmp_path,
        ONE.replace("%%smithers one", "%%smithers one --quiet"),
        "made = one.run()\nmade",
        "made.close()\nother = one\none = None\nmade = other.step()\nmade",
        "made.close()\nasync def plain():\n    pass\nmade = plain()\nmade",
        "made.close()\nother.status",
    )
    assert out.text(1).endswith(
        "Nothing has run: one.run() needs an await before it. Write: await one.run(), or one.run_sync(), which needs none."
    )
    assert out.text(2).endswith("Write: await ex.step(), or ex.step_sync(), which needs none.")
    assert out.text(3).startswith("<coroutine object plain at") and "Nothing" not in out.text(3)
    assert out.text(4) == "'ready'"


def test_an_execution_is_resumed_by_its_name(tmp_path):
    run_cells(tmp_path, ONE, "one.step_sync()")
    out = run_cells(
        tmp_path, ONE.replace("one", "one --resume", 1), "one.run_sync(), one.frame.number, dict(one.state)"
    )
    assert "{'t': 1}" in out.text(1)


def test_a_global_that_a_later_cell_changes_is_seen_by_the_next_frame(tmp_path):
    cell = """%%smithers w
words = ["one"]
@component
def W(ctx):
    return <Phase name={words[0]}><Task id="t" run={lambda: 1} /></Phase>"""
    out = run_cells(tmp_path, cell, "w.step_sync()", "words[0] = 'two'", "print(w.step_sync().xml)")
    assert '<phase name="two">' in out.text(3)


def test_a_broken_cell_is_mended_and_run_with_keep_and_the_execution_goes_on(tmp_path):
    cell = """%%smithers w{keep} --quiet
@component
def W(ctx):
    n = ctx.state.get("n", 0)
    return <Phase name={{str({expression})}}><Task id="t" run={{int}} on_finished={{lambda r: ctx.state.set("n", 1)}} /></Phase>"""
    out = run_cells(
        tmp_path,
        cell.format(keep="", expression="10 / (1 - n)"),
        "w.step_sync(); w.step_sync()",
        "w.step_sync()",
        cell.format(keep=" --keep", expression="1 / 0"),
        cell.format(keep=" --keep", expression="n"),
        "print(w.run_sync().status, dict(w.state), len(w.df.tasks), w.df.frames.frame.tolist())",
    )
    assert out.failed(2) and "ZeroDivisionError" in out.text(2) and "w:5" in out.text(2)
    assert out.failed(3), "a mend that is broken too leaves the old code"
    assert not out.failed(4)
    assert "finished {'n': 1} 1 [1, 2, 3]" in out.text(5)


def test_a_cell_that_fails_leaves_the_execution_that_it_was_to_replace(tmp_path):
    broken = ONE.replace("return (", "return (1 / 0,")
    mended = ONE.replace("one", "one --keep --quiet", 1)
    out = run_cells(tmp_path, ONE, "one.step_sync()", broken, mended, "print(one.run_sync().status, one.frame.number)")
    assert out.failed(2) and "ZeroDivisionError" in out.text(2)
    assert "run_cell_magic" not in out.text(2), "the whole cell in one line is no help"
    assert not out.failed(3) and "finished" in out.text(4)


def test_a_run_tells_its_problems_as_text_too(tmp_path):
    cell = """%%smithers h --quiet
<Task id="t" run={lambda: 1} on_finished={lambda r: 1 / 0} />"""
    out = run_cells(tmp_path, cell, "print(h.run_sync())")
    assert "<RunResult finished" in out.text(1) and "HandlerError: on_finished of t raised ZeroDivision" in out.text(1)


def test_keep_needs_an_execution(tmp_path):
    out = run_cells(tmp_path, ONE.replace("%%smithers one", "%%smithers nothing --keep"))
    assert out.failed(0) and "is no execution yet" in out.text(0)


STORY = """%%smithers story{options}
class Note(BaseModel):
    text: str
@component
def Prompt(ctx):
    return {prompt}
@component
def App(ctx):
    return [
        <Phase name="plan"><Task id="plan" run={{lambda: 1}} on_finished={{lambda r: ctx.state.set("note", Note(text="a"))}} /></Phase>,
        <Phase name="draft"><Approval id="draft" prompt={{Prompt.function(ctx)}} /></Phase>,
    ]"""


def story(options="", prompt="'Send?'"):
    return STORY.format(options=options, prompt=prompt)


def test_a_dry_cell_shows_what_differs_and_leaves_the_execution_as_it_is(tmp_path):
    edited = "'Really send?' if ctx.state.get('note') else 'Send?'"
    state = (
        "print(story.recorded, story.status, App is before, story.execution_id == id, len(story.store.executions()))"
    )
    out = run_cells(
        tmp_path,
        "from pydantic import BaseModel",
        story(" --run --quiet"),
        "before, id, again = App, story.execution_id, None",
        state,
        story(" --dry", edited),
        "again = _; print(again.first, story.preview().xml)",
        state,
        story(" --dry"),
        story(" --dry", "1 / 0"),
    )
    assert not [cell for cell in range(9) if out.failed(cell)], out.text(8)
    first = out.text(5).split()[0]
    assert f"Frame {first} is the first that differs: draft's prompt" in out.text(4)
    assert "draft" in out.html(4) and "<script" not in out.html(4)
    assert "Really" not in out.text(5), "the execution has its own code"
    assert out.text(6) == out.text(3) and " True True 1" in out.text(6)
    assert "frames differs" in out.text(7)
    assert "can't be rendered" in out.text(8) and "ZeroDivisionError" in out.text(8)


def test_a_cell_that_branches_leaves_the_execution_and_binds_the_branch(tmp_path):
    edited = "'Really send?' if ctx.state.get('note') else 'Send?'"
    out = run_cells(
        tmp_path,
        "from pydantic import BaseModel",
        story(" --run --quiet"),
        "before = story.recorded, story.df.transitions.to_json()",
        story(" --branch --run", edited),
        story(" --branch bold --quiet", edited),
        "print(story_2.name, bold.name, story_2.status, 'Really' in story_2.frame.xml, story.compare(bold).first)",
        "print(before == (story.recorded, story.df.transitions.to_json()), story.status)",
        "story_2.answer('draft', 'approve'); print(story_2.run_sync().status)",
        story(" --branch", "1 / 0"),
        "print(len(Store('smithers.db').executions())); story.close()",
        "del story",
        story(" --branch late --quiet"),
        "print(late.name)",
        story(" --branch later --quiet --allow-repeat drfat"),
    )
    assert [cell for cell in range(14) if out.failed(cell)] == [8, 13], [out.text(cell) for cell in range(14)]
    assert "story_2 is the execution 'story~2', a branch of story.\nFrame" in out.text(3)
    assert "draft's prompt" in out.text(3)
    assert out.text(5).startswith("story~2 bold waiting True")
    assert out.text(6).strip() == "True waiting"
    assert out.text(7).strip() == "finished"
    assert "ZeroDivisionError" in out.text(8) and out.text(9).strip() == "3", "code that fails makes no branch"
    assert out.text(12).strip() == "late"
    assert "allow_repeat names 'drfat', and no task of story" in out.text(13)


def test_the_options_of_the_cell_magic_are_completed(tmp_path):
    out = run_cells(
        tmp_path,
        "ask = lambda text: get_ipython().complete(None, text, len(text))[1]",
        "print(ask('%%smithers story --br'), ask('%%smithers story --d'))",
    )
    assert "--branch" in out.text(1) and "--dry" in out.text(1)
