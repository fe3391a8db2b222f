"""Props: typed, named, checked where they are written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from smithers_nb import (
    Agent,
    Approval,
    Case,
    Claude,
    Each,
    Effect,
    End,
    Fragment,
    If,
    Parallel,
    Phase,
    Ralph,
    Sequence,
    Smithers,
    Step,
    Stop,
    Switch,
    Task,
    Text,
    While,
    component,
)
from smithers_nb.errors import (
    ComponentError,
    EventPropError,
    PlanError,
    PropError,
    RenderWriteError,
    UnknownTagError,
)
from smithers_nb.nodes.union import TAGS
from smithers_nb.syntax.create import jsx


def nothing() -> None:
    pass


@component
def Card(title: str, ctx: Any, size: int = 1, children: Any = ()) -> Any:
    return Phase(name=title)[children]


@component
def OneArgument(props: Any) -> Any:
    return props.name


@component
def CallFrame(children: Any) -> Any:
    return Phase(name="f")[children]


@component
def TagFrame(children: Any) -> Any:
    return jsx("phase", {"name": "f"}, children)


REFUSED: dict[str, tuple[Callable[[], object], type[Exception], list[str]]] = {
    "unknown prop, near": (lambda: Phase(nmae="a", name="b"), PropError, ["<phase>", "'nmae'", "'name'"]),
    "prop of other nodes": (lambda: Claude(agent=None), PropError, ["<claude>", "'agent'", "It is a prop of <agent>"]),
    "unknown prop, far": (lambda: Phase(name="a", zzz=1), PropError, ["<phase>", "'zzz'", "It has: name"]),
    "an each by its field": (lambda: Each(items=[], by="id", render=str), PropError, ["'by'", "Did you mean 'key'"]),
    "an each with a key of another type": (lambda: Each(items=[], key=5, render=str), PropError, ["'key' of <each>"]),
    "an each without a name": (lambda: Each([]), PropError, ["Each([])", "Props are named"]),
    "an output type in quotes": (lambda: Claude(output_type="City"), PropError, ["<claude>", "output_type={City}"]),
    "one of several in quotes": (lambda: Claude(output_type=[str, "City"]), PropError, ["output_type={City}"]),
    "fields as an output type": (
        lambda: Claude(output_type={"name": str}),
        PropError,
        ["class City(BaseModel)", "dict"],
    ),
    "nothing as an output type": (lambda: Claude(output_type={}), PropError, ["output_type", "dict is no type"]),
    "a set of output types": (lambda: Claude(output_type={str}), PropError, ["set has no order", "give a list"]),
    "a value as an output type": (lambda: Claude(output_type=5), PropError, ["an int, and no type", "{int}"]),
    "missing prop": (lambda: Phase(), PropError, ["<phase>", "'name'", "name={"]),
    "wrong type": (lambda: Phase(name=5), PropError, ["<phase>", "'name'", "5"]),
    "no condition": (lambda: If(), PropError, ["<if>", "'condition'"]),
    "condition is text": (lambda: If(condition="perhaps"), PropError, ["<if>", "'condition'", "perhaps"]),
    "condition is a list": (lambda: If(condition=[1]), PropError, ["<if>", "[1]", "write condition={bool(…)}"]),
    "one argument for all props": (lambda: OneArgument(name="x"), PropError, ["def OneArgument(name)"]),
    "no function": (lambda: Task(id="t"), PropError, ["<task>", "'run'"]),
    "function is text": (lambda: Task(run="f"), PropError, ["<task>", "'run'", "callable"]),
    "negative retries": (lambda: Task(run=nothing, retries=-1), PropError, ["'retries'", "-1"]),
    "no time at all": (lambda: Task(run=nothing, timeout_s=0), PropError, ["'timeout_s'", "0"]),
    "no turns": (lambda: Claude(max_turns=0), PropError, ["<claude>", "'max_turns'"]),
    "a history that is a number": (lambda: Claude(history=5), PropError, ["<claude>", "'history'", "5"]),
    "a history of texts": (lambda: Claude(history=["hi"]), PropError, ["'history'", "ModelRequest", "'hi'"]),
    "no prompts of a history": (lambda: Claude(history="a", history_limit=0), PropError, ["'history_limit'", "0"]),
    "settings that are a text": (lambda: Claude(settings="hot"), PropError, ["<claude>", "'settings'", "'hot'"]),
    "instructions that are a number": (lambda: Claude(system=5), PropError, ["<claude>", "'system'", "5"]),
    "a tool that is none": (lambda: Claude(tools=[5]), PropError, ["<claude>", "'tools'", "a native tool"]),
    "no concurrency": (lambda: Parallel(max_concurrency=0), PropError, ["<parallel>", "'max_concurrency'"]),
    "deps that can't be stored": (
        lambda: Effect(run=nothing, deps=[object()]),
        PropError,
        ["<effect>", "'deps'", "storable"],
    ),
    "id is a number": (lambda: Phase(name="a", id=5), PropError, ["<phase>", "'id'"]),
    "misspelt handler": (
        lambda: Claude(on_finish=nothing),
        EventPropError,
        ["<claude>", "'on_finish'", "Did you mean 'on_finished'"],
    ),
    "misspelt camel handler": (
        lambda: Task(run=nothing, onFinish=nothing),
        EventPropError,
        ["'onFinish'", "Did you mean 'onFinished'"],
    ),
    "handler by the name of another library": (
        lambda: Approval(prompt="?", on_approved=nothing),
        EventPropError,
        ["<approval>", "'on_approved'", "Did you mean 'on_finished'"],
    ),
    "handler of another world": (
        lambda: Claude(onClick=nothing),
        EventPropError,
        ["'onClick'", "would never be called"],
    ),
    "handler on a phase": (
        lambda: Phase(name="a", on_finished=nothing),
        EventPropError,
        ["<phase>", "'on_finished'", "claude or task"],
    ),
    "handler twice": (
        lambda: Task(run=nothing, on_finished=nothing, onFinished=nothing),
        EventPropError,
        ["'on_finished'", "twice"],
    ),
    "handler is text": (lambda: Task(run=nothing, on_error="stop"), EventPropError, ["'on_error'", "'stop'"]),
    "component: unknown prop": (lambda: Card(titel="a"), PropError, ["<Card>", "'titel'", "'title'"]),
    "component: missing prop": (lambda: Card(), PropError, ["<Card>", "'title'"]),
    "fragment with a prop": (lambda: jsx(Fragment, {"name": "a"}), PropError, ["<Fragment>", "key and children"]),
    "children twice": (lambda: jsx("phase", {"name": "a", "children": "x"}, "y"), PropError, ["children", "twice"]),
    "unknown tag, near": (lambda: jsx("cluade", {}), UnknownTagError, ["<cluade>", "Did you mean 'claude'"]),
    "unknown tag, far": (lambda: jsx("marquee", {}), UnknownTagError, ["<marquee>", "claude", "fragment", "task"]),
    "plain function as a tag": (lambda: jsx(nothing, {}), UnknownTagError, ["<nothing>", "@component"]),
    "number as a tag": (lambda: jsx(5, {}), UnknownTagError, ["5"]),
}


@pytest.mark.parametrize(("make", "error", "words"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_prop_is_refused_with_what_to_do(
    make: Callable[[], object], error: type[Exception], words: list[str]
) -> None:
    with pytest.raises(error) as caught:
        make()
    assert type(caught.value) is error
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message
    assert "object at 0x" not in message


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Phase(nmae="a"), id="call"),
        pytest.param(lambda: jsx("phase", {"nmae": "a"}), id="jsx"),
        pytest.param(lambda: Claude(on_finish=nothing), id="event"),
        pytest.param(lambda: Card(titel="a"), id="component"),
        pytest.param(lambda: jsx("cluade", {}), id="tag"),
    ],
)
def test_the_error_says_in_which_line_the_node_was_written(make: Callable[[], object]) -> None:
    line = make.__code__.co_firstlineno
    with pytest.raises(PlanError) as caught:
        make()
    assert caught.value.source is not None
    name, at, column = caught.value.source.split(":")
    assert (name, int(at)) == ("test_node_props.py", line)
    assert int(column) > 1
    assert caught.value.source in str(caught.value)


@pytest.mark.parametrize("event", ["on_finished", "on_error"])
@pytest.mark.parametrize("camel", [False, True], ids=["snake", "camel"])
@pytest.mark.parametrize("form", ["call", "jsx"])
def test_both_spellings_of_a_handler_end_up_in_one_place(event: str, camel: bool, form: str) -> None:
    def handler(_: object) -> None: ...

    spelling = {"on_finished": "onFinished", "on_error": "onError"}[event] if camel else event
    node = Claude(**{spelling: handler}) if form == "call" else jsx("claude", {spelling: handler})
    assert isinstance(node, Claude)
    assert getattr(node.handlers, event) is handler
    assert node.handlers.events == (event,)


def test_a_handler_that_is_none_is_no_handler() -> None:
    assert Task(run=nothing, on_finished=None).handlers.events == ()


def test_a_node_keeps_its_defaults_to_itself() -> None:
    """A list as a default must not be shared between nodes."""
    one, other = Claude(), Claude()
    one.tools.append(nothing)
    assert other.tools == []
    assert Claude().tools == []


@pytest.mark.parametrize("tag", sorted(TAGS))
def test_a_tag_is_the_type_of_its_node(tag: str) -> None:
    assert TAGS[tag].model_fields["type"].default == tag


SAME: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "text": (lambda: Text(text="hi"), lambda: jsx("text", {}, "hi")),
    "phase": (lambda: Phase(name="a", id="p"), lambda: jsx("phase", {"name": "a", "id": "p"})),
    "children": (
        lambda: Phase(name="a")[Step()["x"], None, [Task(run=nothing)]],
        lambda: jsx("phase", {"name": "a"}, jsx("step", {}, "x"), None, [jsx("task", {"run": nothing})]),
    ),
    "constructor as tag": (lambda: Sequence(key="k"), lambda: jsx(Sequence, {"key": "k"})),
    "number as key": (lambda: Phase(name="a", key=1), lambda: jsx("phase", {"name": "a", "key": "1"})),
    "component": (lambda: Card(title="a")[Step()], lambda: jsx(Card, {"title": "a"}, jsx("step", {}))),
    "fragment": (
        lambda: Fragment(key="f")[Step(), Step()],
        lambda: jsx(Fragment, {"key": "f"}, jsx("step", {}), jsx("step", {})),
    ),
    "lower-case fragment": (lambda: Fragment()[Step()], lambda: jsx("fragment", {}, jsx("step", {}))),
    "prompt": (
        lambda: Claude(id="c", model="haiku")["Write ", 3, " notes on ", None, "tides."],
        lambda: jsx("claude", {"id": "c", "model": "haiku"}, "Write ", 3, " notes on ", None, "tides."),
    ),
    "layout of a container": (
        lambda: Phase(name="a")["\n   ", Step(), "\n"],
        lambda: jsx("phase", {"name": "a"}, jsx("step", {})),
    ),
    "if": (lambda: If(condition=True)[Step()], lambda: jsx("if", {"condition": True}, jsx("step", {}))),
    "parallel": (lambda: Parallel(max_concurrency=2)[Step()], lambda: jsx("parallel", {"max_concurrency": 2}, Step())),
    "effect": (lambda: Effect(run=nothing, deps=[1]), lambda: jsx("effect", {"run": nothing, "deps": [1]})),
}


@pytest.mark.parametrize(("call", "tag"), SAME.values(), ids=SAME)
def test_call_form_and_jsx_form_give_the_same_plan(call: Any, tag: Any, plan: Any) -> None:
    one, other = plan(call()), plan(tag())
    assert one.xml == other.xml
    assert [(n.id, n.path, n.props, n.text) for n in one.walk()] == [
        (n.id, n.path, n.props, n.text) for n in other.walk()
    ]
    assert len(one) > 0


def test_a_components_children_have_the_same_ids_in_both_forms(plan: Any) -> None:
    """``Phase(name="f")[children]`` and ``<Phase name="f">{children}</Phase>``."""
    paths = [[node.path for node in plan(frame()[Step(), Step()]).walk()] for frame in (CallFrame, TagFrame)]
    assert [path.replace("Call", "Tag") for path in paths[0]] == paths[1]


def test_making_an_element_calls_nothing() -> None:
    called = []

    @component
    def Loud() -> None:
        called.append(1)

    Loud()
    jsx(Loud, {})
    assert called == []


def test_a_component_is_given_what_its_signature_names(plan: Any) -> None:
    seen: dict[str, Any] = {}

    @component
    def Asks(ctx: Any, a: int, children: Any, b: int = 2) -> None:
        seen.update(ctx=ctx, a=a, children=children, b=b)

    @component
    def AsksNothing() -> None:
        seen["nothing"] = True

    @component
    def TakesAny(**props: Any) -> None:
        seen["props"] = props

    plan([Asks(a=1)["x", "y"], AsksNothing(), TakesAny(z=1)])
    assert hasattr(seen.pop("ctx"), "state")
    assert seen == {"a": 1, "children": ["x", "y"], "b": 2, "nothing": True, "props": {"z": 1}}
    plan(TakesAny(z=1)["x", "y"])
    assert seen["props"] == {"z": 1, "children": ["x", "y"]}


@component
def Childless(ctx: Any, title: str = "") -> Any:
    return Phase(name=title)


LEAVES: dict[str, Callable[[], Any]] = {
    "component": lambda: Childless(),
    "text": lambda: Text(text="x"),
    "task": lambda: Task(run=nothing),
    "approval": lambda: Approval(prompt="?"),
    "smithers": lambda: Smithers(component=Childless),
    "effect": lambda: Effect(run=nothing),
    "each": lambda: Each(items=[], key="id", render=lambda item: None),
    "stop": lambda: Stop(),
    "end": lambda: End(),
}


@pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES)
@pytest.mark.parametrize("child", [Step(), "words", [[Step()]], 1, Childless()], ids=repr)
def test_children_that_would_vanish_are_refused(leaf: Any, child: Any) -> None:
    with pytest.raises(PropError, match="takes no children, and was given") as caught:
        leaf()[child]
    assert caught.value.source.startswith("test_node_props.py:")


@pytest.mark.parametrize("leaf", LEAVES.values(), ids=LEAVES)
def test_children_that_are_nothing_are_no_children(leaf: Any, plan: Any) -> None:
    plan(leaf()[None, False, [], " \n", [None]])


def test_children_that_would_vanish_are_refused_between_tags_and_as_a_prop() -> None:
    for make in (
        lambda: jsx(Childless, {}, Step()),
        lambda: Childless(children=[Step()]),
        lambda: jsx("task", {"run": nothing}, Step()),
        lambda: Task(run=nothing, children=[Step()]),
    ):
        with pytest.raises(PropError, match="takes no children"):
            make()
    with pytest.raises(PropError, match=r"def Childless\(ctx, title, children\)"):
        Childless()[Step()]


TRUTHS: dict[str, Callable[[Any], Any]] = {
    "if": lambda value: If(condition=value),
    "while": lambda value: While(id="w", condition=value),
    "ralph": lambda value: Ralph(id="r", until=value),
    "phase": lambda value: Phase(name="a", skip_if=value),
    "step": lambda value: Step(skip_if=value),
    "sequence": lambda value: Sequence(skip_if=value),
    "claude": lambda value: Claude(cache=value),
    "agent": lambda value: Agent(agent=None, cache=value),
}


@pytest.mark.parametrize("make", TRUTHS.values(), ids=TRUTHS)
def test_only_true_and_false_are_a_condition(make: Any) -> None:
    for value in (True, False, np.True_, np.False_):
        make(value)
    for text in ("no", "false", "0", "true", ""):
        with pytest.raises(PropError, match=r"Text is neither true nor false\. Compare it"):
            make(text)
    for other in (0, 1, 1.0, None, [], {}):
        with pytest.raises(PropError, match=r"\{bool\(…\)\}"):
            make(other)


def test_every_prop_that_is_a_bool_is_a_strict_one() -> None:
    bools = {
        (node.__name__, name)
        for node in TAGS.values()
        for name, field in node.model_fields.items()
        if field.annotation is bool
    }
    assert bools == set(), "nodes.given.Truth refuses text"


LISTS: dict[str, Callable[[Any], Any]] = {
    "items": lambda value: Each(items=value, key=str, render=lambda item: None).items,
    "deps": lambda value: Effect(run=nothing, deps=value).deps,
    "args": lambda value: Task(run=nothing, args=value).args,
    "options": lambda value: Approval(prompt="?", options=value).options,
    "allow": lambda value: Claude(allow=value).allow,
    "deny": lambda value: Claude(deny=value).deny,
    "approve": lambda value: Claude(approve=value).approve,
    "allow of an agent": lambda value: Agent(agent=None, allow=value).allow,
}
ORDERED: dict[str, Callable[[], Any]] = {
    "tuple": lambda: ("a", "b"),
    "keys": lambda: {"a": 1, "b": 2}.keys(),
    "values": lambda: {1: "a", 2: "b"}.values(),
    "deque": lambda: deque(["a", "b"]),
}
UNORDERED: dict[str, tuple[Callable[[], Any], str]] = {
    "set": (lambda: {"a", "b"}, r"sorted\(…\)"),
    "frozenset": (lambda: frozenset("ab"), r"sorted\(…\)"),
    "keys in both": (lambda: {"a": 1}.keys() & {"a": 2}.keys(), r"sorted\(…\)"),
    "generator": (lambda: (letter for letter in "ab"), r"only once.* list\(…\)"),
    "map": (lambda: map(str, [1]), r"only once.* list\(…\)"),
    "DataFrame": (lambda: pd.DataFrame({"a": [1]}), r"read by columns.*to_dict\(\"records\"\)"),
    "array": (lambda: np.array(["a"]), r"tolist\(\)"),
    "model": (lambda: Step(), "input should be a list"),
}


@pytest.mark.parametrize("make", LISTS.values(), ids=LISTS)
def test_a_list_prop_takes_what_has_an_order_that_stays(make: Any) -> None:
    for ordered in ORDERED.values():
        assert make(ordered()) == ["a", "b"]
    for value, words in UNORDERED.values():
        with pytest.raises(PropError, match=words) as caught:
            make(value())
        assert " at 0x" not in str(caught.value)


@pytest.mark.parametrize(
    ("items", "words"),
    [({"a": 1}, r"list\(….values\(\)\)"), (None, r"… or \[\]"), ("ab", "'ab'"), (b"ab", "b'ab'"), (3, "int")],
)
def test_what_each_can_not_go_through_item_by_item_is_refused(items: Any, words: str) -> None:
    with pytest.raises(PropError, match=words):
        Each(items=items, key=str, render=lambda item: None)


NUMBERS: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {
    "max_concurrency": (lambda value: Parallel(max_concurrency=value), [0, -1]),
    "max_iterations": (lambda value: While(id="w", condition=True, max_iterations=value), [-1]),
    "max_iterations of ralph": (lambda value: Ralph(id="r", max_iterations=value), [-1]),
    "max_turns": (lambda value: Claude(max_turns=value), [0, -1]),
    "retries": (lambda value: Claude(retries=value), [-1]),
    "timeout_s": (lambda value: Claude(timeout_s=value), [0, -1, float("inf"), float("nan")]),
    "limits": (lambda value: Claude(limits={"turns": value}), [0, -1, float("nan")]),
    "max_turns of agent": (lambda value: Agent(agent=None, max_turns=value), [0]),
    "retries of agent": (lambda value: Agent(agent=None, retries=value), [-1]),
    "timeout_s of agent": (lambda value: Agent(agent=None, timeout_s=value), [0, float("inf")]),
    "retries of task": (lambda value: Task(run=nothing, retries=value), [-1]),
    "timeout_s of task": (lambda value: Task(run=nothing, timeout_s=value), [0, -0.5, float("inf"), float("nan")]),
    "max_frames": (lambda value: Smithers(component=Card, max_frames=value), [0, -1]),
}


@pytest.mark.parametrize(("make", "refused"), NUMBERS.values(), ids=NUMBERS)
def test_a_number_has_its_bounds_and_is_no_truth(make: Any, refused: list[Any]) -> None:
    make(2)
    for value in [*refused, True, False, "many"]:
        with pytest.raises(PropError):
            make(value)


def raises(_: Any) -> Any:
    raise ZeroDivisionError("by zero")


class NoEqual:
    __hash__ = None  # type: ignore[assignment]  # never needed

    def __eq__(self, _: object) -> bool:
        raise ZeroDivisionError("by zero")


USERS_CODE: dict[str, Callable[[], Any]] = {
    "render": lambda: Each(items=[1], key=str, render=raises),
    "key": lambda: Each(items=[1], key=raises, render=lambda item: Step()),
    "equals": lambda: Switch(value=NoEqual())[Case(equals=1)[Step()]],
}


@pytest.mark.parametrize("make", USERS_CODE.values(), ids=USERS_CODE)
@pytest.mark.parametrize("around", [lambda node: node, lambda node: Phase(name="a")[node]], ids=["root", "inside"])
@pytest.mark.parametrize("of_component", [False, True], ids=["node", "component"])
def test_user_code_that_raises_while_children_are_chosen_is_a_component_error(
    make: Any, around: Any, of_component: bool, plan: Any
) -> None:
    @component
    def App() -> Any:
        return around(make())

    with pytest.raises(ComponentError, match="ZeroDivisionError: by zero") as caught:
        plan(App() if of_component else around(make()))
    assert caught.value.path is not None
    assert caught.value.source.startswith("test_node_props.py:")


def test_user_code_of_an_each_is_pure_without_a_component_around_it(run_of: Any) -> None:
    made: list[Any] = []

    def writes(item: Any) -> Any:
        made[0].state.set("x", 1)
        return Step()

    made.append(run_of(Each(items=[1], key=str, render=writes)))
    with pytest.raises(RenderWriteError, match="'x' was written while <each> was rendering"):
        made[0].step_sync()
    assert made[0].pending == ()


RETURNS = {
    "node": (lambda: Step(), 1, "step"),
    "list": (lambda: [Step(), Step()], 2, "step"),
    "text": (lambda: "hello", 1, "text"),
    "number": (lambda: 4.5, 1, "text"),
    "none": (lambda: None, 0, ""),
    "false": (lambda: False, 0, ""),
    "true": (lambda: True, 0, ""),
    "fragment": (lambda: Fragment()[Step(), Step()], 2, "step"),
    "nested lists": (lambda: [[Step()], [[Step()]]], 2, "step"),
}


@pytest.mark.parametrize(("function", "count", "kind"), RETURNS.values(), ids=RETURNS)
def test_a_component_may_return(function: Any, count: int, kind: str, plan: Any) -> None:
    @component
    def App() -> Any:
        return function()

    tree = plan(App())
    assert len(tree) == count
    assert {node.type for node in tree.walk()} <= {kind}


@pytest.mark.parametrize(
    ("child", "words"),
    [
        pytest.param({"a": 1}, ["dict"], id="dict"),
        pytest.param(object(), ["object"], id="object"),
        pytest.param(nothing, ["function", "<nothing />", "@component"], id="function"),
        pytest.param(Card, ["<Card />"], id="component that was not called"),
        pytest.param(lambda item: None, ["Call the function", "render={…} of <Each>"], id="lambda"),
        pytest.param(b"x", ["bytes"], id="bytes"),
    ],
)
def test_what_is_no_child_is_refused(child: object, words: list[str], plan: Any) -> None:
    with pytest.raises(PlanError) as caught:
        plan(Phase(name="a")[child])
    assert [word for word in words if word not in str(caught.value)] == [], str(caught.value)
    assert caught.value.path == "/phase[0]"
    assert caught.value.source.startswith("test_node_props.py:")


@pytest.mark.parametrize("make", [Phase, Step, Card], ids=["node", "node without props", "component"])
def test_a_prop_without_its_name_is_refused_with_both_ways_to_write_it(make: Any) -> None:
    with pytest.raises(
        PropError, match=r"\('x'\) gives a prop without its name.*\(name=…\).*\[first, second\]"
    ) as caught:
        make("x")
    assert caught.value.source.startswith("test_node_props.py:")


def test_what_stands_wrong_in_a_node_is_named_with_its_path_and_position(plan: Any) -> None:
    for node in (
        Switch(value=1)[Step()],
        Each(items=[{}], key="id", render=lambda item: Step()),
        Each(items=["a", "a"], key=str, render=lambda item: Step()),
    ):
        with pytest.raises(PlanError) as caught:
            plan(Phase(name="a")[node])
        assert caught.value.path == f"/phase[0]/{node.type}[0]"
        assert caught.value.source.startswith("test_node_props.py:")


def test_a_generator_component_is_refused(plan: Any) -> None:
    @component
    def App() -> Any:
        yield Step()

    with pytest.raises(PlanError, match="App is a generator"):
        plan(App())


def test_a_node_inside_a_prompt_is_refused(plan: Any) -> None:
    with pytest.raises(PropError, match="<step> stands inside <claude>"):
        plan(Claude()["x", Step()])


def test_a_component_that_contains_itself_is_refused(plan: Any) -> None:
    @component
    def Loop() -> Any:
        return Phase(name="a")[Loop()]

    with pytest.raises(PlanError, match="contains itself"):
        plan(Loop())


@pytest.mark.parametrize(
    "props",
    [
        {"on_finished": print},
        {"onFinished": print},
        {"handlers": {"on_finished": print}},
        {"handlers": {"onFinished": print}},
        {"handlers": Task(run=len, on_finished=print).handlers},
    ],
    ids=["snake", "camel", "dict", "dict, camel", "handlers"],
)
def test_three_spellings_end_in_one_place(props: Any) -> None:
    for node in (Task(run=len, **props), jsx("task", {"run": len, **props})):
        assert node.handlers.on_finished is print
        assert node.handlers.events == ("on_finished",)


@pytest.mark.parametrize(
    ("props", "words"),
    [
        ({"handlers": {"on_finish": print}}, "Did you mean 'on_finished'"),
        ({"handlers": {"on_finished": print}, "on_finished": print}, "twice"),
        ({"handlers": {"onFinished": print}, "on_finished": print}, "twice"),
        ({"handlers": print}, "dict of functions"),
        ({"handlers": {"on_finished": 3}}, "must be a function"),
    ],
)
def test_handlers_that_would_never_be_called_are_refused(props: Any, words: str) -> None:
    with pytest.raises(EventPropError, match=words):
        Task(run=len, **props)
