"""Cells and lines as people write them, in a real ipykernel."""

from __future__ import annotations

import pytest

from tests.notebook.kernel import run_cells

HEAD = "%%smithers bad --quiet\n"
PHASE = "<Phase name='x' />"
APP = f"@component\ndef App():\n    return {PHASE}"


def component(body: str, head: str = "def Bad(ctx):") -> str:
    return f"{HEAD}@component\n{head}\n    {body}"


def named(line: str) -> str:
    return f"%%smithers {line}\n{PHASE}"


# A cell, and what it is told; each fails in one sentence.
TOLD = [
    # Components.
    (component(f"return {PHASE}", "async def Bad(ctx):"), "Bad is async"),
    (component(PHASE), f"Bad returns None, and drops {PHASE} on its line 4. Write return before it"),
    (component(f"if True:\n        {PHASE}\n    else:\n        return {PHASE}"), "on its line 5. Write return"),
    (component("Phase(name='x')[Task(run=print)]"), "drops Phase(name='x')[Task(run=print)] on its line 4"),
    (component(f"[{PHASE}]"), "Bad returns None, and drops"),
    (component("return ctx.now()", "def Bad():"), "name it in the function's parameters, as in def Report(ctx)"),
    # Names.
    (f"{HEAD}<Cluade id='a'>x</Cluade>", "<Cluade> is not defined. Did you mean 'Claude'? (bad:2:2)"),
    (f"{HEAD}Cluade(id='a')", "Cluade is not defined. Did you mean 'Claude'? (bad:2:1)"),
    (component("return Phaze(name='x')[print]"), "Phaze is not defined. Did you mean 'Phase'?"),
    (
        f"{HEAD}def report():\n    return 1\n<report/>",
        "Components begin with a capital letter: call report Report, with",
    ),
    (f"{HEAD}@component\ndef my_part():\n    return 1\n<my_part/>", "call my_part MyPart, and write <MyPart />"),
    (f"{HEAD}@component\ndef Part():\n    return 1\n<part/>", "Components begin with a capital letter: write <Part />"),
    # Text.
    (f"{HEAD}<Claude id='a'>Hi {{placeholder}}</Claude>", "As text, write {'{placeholder}'}."),
    (component("return <Claude id='a'>Hi {placeholder}</Claude>"), "As text, write {'{placeholder}'}."),
    (component("return <Claude id='a'>Hi {user.name}</Claude>"), "As text, write {'{user.name}'}."),
    (component("return <Claude id='a'>Hi {{mustache}}</Claude>"), "As text, write {'{{mustache}}'}."),
    (component("x = 1\n    return <Claude id='a'>Hi {{x}}</Claude>"), "write {name} for the value, and {'{{name}}'}"),
    (component("return <Claude id='a'>Hi {{'a': 1}}</Claude>"), "As JSON, write {json.dumps(…)}."),
    (component("return <Claude id='a'>Hi {input}</Claude>"), "As text, write {'{…}'}."),
    (component("return <Claude id='a'><document>x</document></Claude>"), "As text, write {'<document>'}."),
    (component("return <Claude id='a'><INPUT>x</INPUT></Claude>"), "As text, write {'<INPUT>'}."),
    (component("return <Claude id='a'><step>x</step></Claude>"), "As text, write {'<step>'}."),
    # What stands in the cell.
    (f"{HEAD}%%time\n{APP}", "%%time stands below %%smithers"),
    (f"{HEAD}# first\n\n%%time\n{APP}", "%%time stands below %%smithers"),
    (f"{HEAD}<Phase name='a'/>\n<Phase name='b'/>", "<Phase name='a'/> on line 2 is dropped"),
    (f"{HEAD}<Phase name='a'/>\nprint(1)", "<Phase name='a'/> on line 2 is dropped"),
    (f"{HEAD}x = 1", "the cell defines no component"),
    (f"{HEAD}# nothing", "the cell defines no component"),
    (f"{HEAD}def App():\n    return {PHASE}", "App is a plain function: put @component above it"),
    (f"{HEAD}plan = {PHASE}", "To render plan, end the cell with its name, or call it App"),
    (f"%%smithers App --quiet\n{APP}", "the cell binds 'App' itself"),
    # The name.
    (named("class"), "'class' can't be the name of a variable: class is a keyword"),
    (named("None"), "None is a keyword of Python"),
    (named("ex.x"), "'ex.x' can't be the name of a variable"),
    (named("Task"), "Task is one of smithers_nb's own"),
    (named("list"), "list is a builtin of Python"),
    (named("__name__"), "IPython and Python have such names"),
    (named("_"), "IPython and Python have such names"),
    (named("Out"), "IPython and Python have such names"),
    (named("two names"), "One name is taken, and no more"),
    # Options.
    (named("w --kep"), "unrecognized arguments: --kep. Did you mean '--keep'?"),
    (named("w --db"), "argument --db: expected one argument"),
    (named("w --db ''"), "--db takes the path of a file"),
    (named("w --props"), "argument --props: expected one argument"),
    (named("w --step abc"), "invalid int value: 'abc'"),
    (named("w --step -1"), "--max-frames and --step take a number from 1"),
    (named("w --step 0"), "--max-frames and --step take a number from 1"),
    (named("w --max-frames 0"), "--max-frames and --step take a number from 1"),
    (named("w --run --show xml"), "not allowed with argument --run"),
    (named("w --db nowhere/x.db"), "Check that its folder exists"),
    (named("w --db ."), "is a folder. Name a file in it"),
    (named("w --props {props}"), "names stand in it without braces"),
    (named("w --props {'n': }"), "SyntaxError"),
]

# A cell, and what it shows; none fails.
SHOWN = [
    ("name, folder, n, props = 'zed', 'sub', 1, {'a': 1}\nimport os; os.mkdir('sub')", ""),
    (f"%%smithers one --quiet\nif True:\n    @component\n    def App():\n        return {PHASE}", ""),
    ("one.preview().xml", "<phase"),
    (f"%%smithers one --quiet\nApp = component(lambda: {PHASE})", ""),
    ("one.preview().xml", "<phase"),
    (f"%%smithers one --quiet\ntry:\n    App = other\nexcept NameError:\n    App = {PHASE}", ""),
    ("one.preview().xml", "<phase"),
    (
        "%%writefile lib.py\nfrom smithers_nb import component, Step\n@component\ndef App():\n    return Step()\nPart = App",
        "",
    ),
    ("%%smithers one --quiet\nfrom lib import App", ""),
    ("one.preview().xml", "<step"),
    (f"%%smithers one --quiet\n@component\ndef Main():\n    return {PHASE}\nfrom lib import Part", ""),
    ("one.preview().xml", "<phase"),
    (f"%%time\n%%smithers one --quiet\n{APP}", "Wall time"),
    ("%%smithers हिन्दी --quiet\n@component\ndef ที่(नाम):\n    return <Phase name={नाम}/>\n<ที่ नाम='n'/>", ""),
    ("हिन्दी.preview().xml", '<phase name="n"'),
    (
        "%%smithers one --quiet\n@component\ndef Café(ﬁeld):\n    return <Phase name={field}/>\n<Cafe\u0301 key='k' ﬁeld='f'/>",
        "",
    ),
    ("one.preview().xml", '<phase name="f"'),
    # The line.
    (named("{name} --quiet --db {folder}/$name"), ""),
    ("print(zed.name, os.listdir('sub')[0][:3])", "zed zed"),
    (named("w{'x'if(n)else'y'} --quiet"), ""),
    ("wx", "<Execution 'wx'"),
    (named(r"w --quiet --db C:\tmp\x.db"), ""),
    ("print(os.path.basename(w.store.path))", r"C:\tmp\x.db"),
    (named("w --quiet --db 'a b.db'"), ""),
    ("print(os.path.basename(w.store.path))", "a b.db"),
    ("%smithers sql select count(*) as found from executions", "found\n0      1"),
    ("len(get_ipython().run_line_magic('smithers', 'list'))", "1"),
    (
        '%%smithers w --quiet --props {"a": "x --run y"} --step 1\n@component\ndef W(a):\n    return <Phase name={a}/>',
        "",
    ),
    ("w.frame.xml", "x --run y"),
    ("%%smithers --quiet --props {'a': f'{name}'} w2\n@component\ndef W(a):\n    return <Phase name={a}/>", ""),
    ("w2.preview().xml", "zed"),
    ("%smithers export w 'c d.ndjson'", "c d.ndjson"),
    ("os.path.exists('c d.ndjson')", "True"),
    ("%smithers list 'a b.db'", "terminated"),
    ("%smithers break w key=x", "key x is changed"),
    (
        "%smithers break w node=t event=finished hits=2 once=true if state.n > 2",
        "node t: finished, when state.n > 2, once",
    ),
    ("%smithers watch w key=y event=written", "key y is written"),
    ("%smithers at w $n", "<FrameView 1"),
    ("%smithers sql select '{name}' as a, '{{' as b", "zed  {"),
]


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    return run_cells(tmp_path_factory.mktemp("cells"), "props = {'a': 1}", *(cell for cell, _ in [*TOLD, *SHOWN]))


@pytest.mark.parametrize("number, cell, message", [(n, *row) for n, row in enumerate(TOLD, 1)])
def test_a_cell_that_can_not_be_is_told_why_and_what_to_write(session, number, cell, message):
    assert session.failed(number), cell
    assert message in session.text(number)
    assert "smithers_nb/" not in session.text(number), "the way through this package is no help"


@pytest.mark.parametrize("number, cell, shown", [(n, *row) for n, row in enumerate(SHOWN, len(TOLD) + 1)])
def test_a_cell_shows(session, number, cell, shown):
    assert not session.failed(number), session.text(number)
    assert shown in session.text(number), cell


def test_an_empty_cell_is_told_so_by_ipython(tmp_path):
    out = run_cells(tmp_path, "%%smithers w\n")
    assert out.failed(0) and "the cell body is empty" in out.text(0)


def test_list_and_sql_look_into_the_file_of_the_execution_that_was_bound_last(tmp_path):
    out = run_cells(
        tmp_path,
        "by_hand = Execution(Phase(name='p'), store='hand.db', name='manual')",
        "%smithers list",
        "%smithers sql select name from executions",
    )
    assert "manual" in out.text(1) and "manual" in out.text(2)
