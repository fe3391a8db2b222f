"""The plan as XML: the whole text, as it stands in the stepper."""

# a golden stands beside what it is made of

from __future__ import annotations

import textwrap
from typing import Any
from xml.etree import ElementTree

import pytest
from pydantic import BaseModel
from pydantic_ai.messages import ModelRequest
from pydantic_ai.native_tools import WebSearchTool

from smithers_nb import Claude, Effect, Fragment, If, Parallel, Phase, Sequence, Step, Task, Text, component, scripted


def nothing() -> None:
    pass


class Machine:
    """Has no __name__, and a repr with an address."""

    def __call__(self) -> None: ...


class Note(BaseModel):
    title: str


@component
def Title(text: str) -> Any:
    return Claude(id="t")["About ", text, "."]


GOLDEN: dict[str, tuple[Any, str]] = {
    "nothing": ([], "<plan/>"),
    "one root": (Phase(name="a"), '<phase name="a"/>'),
    "several roots": ([Phase(name="a"), Phase(name="b")], '<plan>\n  <phase name="a"/>\n  <phase name="b"/>\n</plan>'),
    "a plan": (
        Fragment()[
            Phase(name="research")[
                Parallel(max_concurrency=2)[
                    Claude(id="notes", model="haiku", max_turns=3, on_finished=nothing, on_error=nothing)["Two notes."],
                    Task(id="count", run=nothing, args=[1, "a"], retries=2),
                ]
            ],
            Phase(name="write")[If(condition=False)[Step(name="hidden")]],
        ],
        """\
        <plan>
          <phase name="research">
            <parallel max_concurrency="2">
              <claude id="notes" model="haiku" max_turns="3" events="on_finished,on_error">Two notes.</claude>
              <task id="count" run="function(nothing)" args="[1, &quot;a&quot;]" retries="2"/>
            </parallel>
          </phase>
          <phase name="write">
            <if condition="false"/>
          </phase>
        </plan>""",
    ),
    "key, id, props, events": (
        Task(on_error=nothing, timeout_s=1.5, retries=1, run=nothing, id="i", key="k"),
        '<task key="k" id="i" run="function(nothing)" retries="1" timeout_s="1.5" events="on_error"/>',
    ),
    "a generated id is not shown": (Step(name="s"), '<step name="s"/>'),
    "defaults are not shown": (Claude(model="sonnet", tools=[], max_turns=50), "<claude/>"),
    "a component adds nothing": (Sequence()[Title(text="tides")], '<sequence>\n  <claude id="t">About tides.</claude>\n</sequence>'),
    "a dict": (Task(run=nothing, args={"b": 1, "a": [True, None]}), '<task run="function(nothing)" args="{&quot;b&quot;: 1, &quot;a&quot;: [true, null]}"/>'),
    "an object": (Task(run=Machine()), '<task run="Machine(…)"/>'),
    "a type": (Claude(output_type=Note), '<claude output_type="ModelMetaclass(Note)"/>'),
    "history": (Claude(id="b", history="a", history_limit=2), '<claude id="b" history="a" history_limit="2"/>'),
    "a history of messages": (Claude(history=[ModelRequest(parts=[])]), '<claude history="[&quot;ModelRequest(…)&quot;]"/>'),
    "settings": (Claude(settings={"temperature": 0.5, "stop_sequences": ["a"]}), '<claude settings="{&quot;temperature&quot;: 0.5, &quot;stop_sequences&quot;: [&quot;a&quot;]}"/>'),
    "instructions of a function": (Claude(system=nothing), '<claude system="function(nothing)"/>'),
    "native tools": (Claude(tools=[WebSearchTool()]), '<claude tools="[&quot;WebSearchTool(…)&quot;]"/>'),
    "tools": (Claude(tools=[nothing, len]), '<claude tools="[&quot;function(nothing)&quot;, &quot;builtin_function_or_method(len)&quot;]"/>'),
    "an object among args": (Task(run=nothing, args=[Machine(), {"m": Machine()}]), '<task run="function(nothing)" args="[&quot;Machine(…)&quot;, {&quot;m&quot;: &quot;Machine(…)&quot;}]"/>'),
    "deps": (Effect(id="e", run=nothing, deps=["a", 1, None]), '<effect id="e" run="function(nothing)" deps="[&quot;a&quot;, 1, null]"/>'),
    "five characters in text": (Claude()["""a<b>&"c"'d'"""], "<claude>a&lt;b&gt;&amp;&quot;c&quot;&apos;d&apos;</claude>"),
    "five characters in a prop": (Phase(name="""a<b>&"c"'d'"""), '<phase name="a&lt;b&gt;&amp;&quot;c&quot;&apos;d&apos;"/>'),
    "lines in a prop": (Phase(name="a\nb\tc"), '<phase name="a&#10;b&#9;c"/>'),
    "lines in text": (Claude()["a\nb\tc\n"], "<claude>a\nb\tc\n</claude>"),
    "control characters": (Claude()["\x00\x07\x1b[0m\x7f\r"], "<claude>␀␇␛[0m␡␍</claude>"),
    "control characters in a prop": (Phase(name="\x00\x0b"), '<phase name="␀␋"/>'),
    "no characters at all": (Claude()["\ud800\ufffe\uffff"], "<claude>\ufffd\ufffd\ufffd</claude>"),
    "text beside nodes": (Phase(name="a")["before ", Step(), Text(text="after")], '<phase name="a">before <step/>after</phase>'),
    "an end that is none": (Claude()["</claude><phase name='x'/>]]>"], "<claude>&lt;/claude&gt;&lt;phase name=&apos;x&apos;/&gt;]]&gt;</claude>"),
    "unicode": (Phase(name="Übung 🌊"), '<phase name="Übung 🌊"/>'),
}  # fmt: skip


@pytest.mark.parametrize(("app", "xml"), GOLDEN.values(), ids=GOLDEN)
def test_the_xml_is(app: Any, xml: str, plan: Any) -> None:
    assert plan(app).xml == textwrap.dedent(xml)


@pytest.mark.parametrize("app", [app for app, _ in GOLDEN.values()], ids=GOLDEN)
def test_the_xml_parses_and_holds_no_address(app: Any, plan: Any) -> None:
    xml = plan(app).xml
    ElementTree.fromstring(xml)
    assert " at 0x" not in xml


def test_a_scripted_model_shows_itself_without_its_calls(plan: Any) -> None:
    """The plan must not differ because the model was asked meanwhile."""
    model = scripted("a", "b")
    app = Claude(model=model)["x"]
    before = plan(app).xml
    model.answer("x")
    assert plan(app).xml == before == '<claude model="Scripted(…)">x</claude>'


def test_what_a_parser_reads_is_what_was_written(plan: Any) -> None:
    text = """line\n\ttab <b> & "q" 'p' – 🌊"""
    root = ElementTree.fromstring(plan(Claude(id=text, system=text)[text]).xml)
    assert (root.get("id"), root.get("system"), root.text) == (text, text, text)
