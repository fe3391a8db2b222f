"""Identity: which node of this frame is the same as one of the frame before."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from smithers_nb import Claude, Fragment, If, Parallel, Phase, Step, Task, Text, component
from smithers_nb.errors import DuplicateIdError, DuplicateKeyError


def nothing() -> None:
    pass


@component
def Pair() -> Any:
    return [Step(), Step()]


@component
def Wrap(children: Any) -> Any:
    return Phase(name="w", children=[children])


@component
def One() -> Any:
    return Step()


PATHS: dict[str, tuple[Any, list[str]]] = {
    "slots": (Phase(name="a")[Step(), Step()], ["/phase[0]", "/phase[0]/step[0]", "/phase[0]/step[1]"]),
    "none and false keep their slot": (Phase(name="a")[None, False, Step()], ["/phase[0]", "/phase[0]/step[2]"]),
    "a list is a level": (
        Phase(name="a")[Step(), [Step(), None, Step()], Step()],
        ["/phase[0]", *(f"/phase[0]/step[{slot}]" for slot in ("0", "1.0", "1.2", "2"))],
    ),
    "lists in lists": (Phase(name="a")[[[Step()]]], ["/phase[0]", "/phase[0]/step[0.0.0]"]),
    "a key": (Phase(name="a")[Step(key="k"), Step()], ["/phase[0]", '/phase[0]/step["k"]', "/phase[0]/step[1]"]),
    "a key that looks like a slot": (
        Phase(name="a")[Step(key="1"), Step()],
        ["/phase[0]", '/phase[0]/step["1"]', "/phase[0]/step[1]"],
    ),
    "a key with quotes": (Phase(name='"]')[Step(key='a"b')], ["/phase[0]", r'/phase[0]/step["a\"b"]']),
    "a component": (One(), ["/One[0]/step[0]"]),
    "a component's list": (Pair(), ["/Pair[0]/step[0.0]", "/Pair[0]/step[0.1]"]),
    "a component's key": (Phase(name="a")[One(key="k")], ["/phase[0]", '/phase[0]/One["k"]/step[0]']),
    "a component's children": (
        Wrap()[Step(), One()],
        ["/Wrap[0]/phase[0]", "/Wrap[0]/phase[0]/step[0.0]", "/Wrap[0]/phase[0]/One[0.1]/step[0]"],
    ),
    "a fragment": (
        Phase(name="a")[Step(), Fragment()[Step(), Step()]],
        ["/phase[0]", "/phase[0]/step[0]", "/phase[0]/step[1.0]", "/phase[0]/step[1.1]"],
    ),
    "a fragment's key": (
        Phase(name="a")[Fragment(key="f")[Step()], Step()],
        ["/phase[0]", '/phase[0]/step["f".0]', "/phase[0]/step[1]"],
    ),
    "text": (Claude(id="c")["hello ", 3], ["/claude[0]", "/claude[0]/text[0]"]),
    "text after nothing": (Claude()[None, "a", Text(text="b")], ["/claude[0]", "/claude[0]/text[1]"]),
    "several roots": ([Step(), Step()], ["/step[0.0]", "/step[0.1]"]),
}


@pytest.mark.parametrize(("app", "paths"), PATHS.values(), ids=PATHS)
def test_a_path_says_where_a_node_stands(app: Any, paths: list[str], plan: Any) -> None:
    assert [node.path for node in plan(app).walk()] == paths


@pytest.mark.parametrize("app", [app for app, _ in PATHS.values()], ids=PATHS)
def test_an_id_is_the_users_or_the_paths_digest(app: Any, plan: Any) -> None:
    for node in plan(app).walk():
        assert node.id == ("c" if node.explicit_id else sha256(node.path.encode()).hexdigest()[:12])


def test_neighbouring_pieces_of_text_are_one_node(plan: Any) -> None:
    tree = plan(Claude(id="c")["Give ", 2, " notes on ", None, "tides", [".", " Now"]])
    assert [node.text for node in tree.walk()] == [None, "Give 2 notes on tides. Now"]
    assert tree.index["c"].content == "Give 2 notes on tides. Now"


@pytest.mark.parametrize("place", ["first", "last"])
def test_what_comes_and_goes_beside_it_does_not_change_an_id(place: str, plan: Any) -> None:
    def app(extra: bool) -> Any:
        optional = extra and Step()
        kept = Task(run=nothing)
        return Phase(name="a")[(optional, kept) if place == "first" else (kept, optional)]

    ids = [{node.id for node in plan(app(extra)).walk() if node.type == "task"} for extra in (False, True)]
    assert ids[0] == ids[1]


def test_keyed_children_keep_their_ids_in_another_order(plan: Any) -> None:
    def ids(order: str) -> dict[str, str]:
        tree = plan(Phase(name="a")[[Step(key=key)[Task(run=nothing)] for key in order]])
        return {node.path: node.id for node in tree.walk()}

    assert ids("abc") == ids("cab")


def line_of(text: str) -> int:
    with open(__file__, encoding="utf-8") as file:
        return next(number for number, line in enumerate(file, 1) if text in line and "line_of" not in line)


TWICE: dict[str, tuple[Any, type[Exception], str]] = {
    "ids of siblings": (
        lambda: [
            Step(id="x"),  # first id
            Step(id="x"),  # second id
        ],
        DuplicateIdError,
        "id",
    ),
    "ids far apart": (
        lambda: [
            Phase(name="a")[Parallel()[Step(id="y")]],  # first far
            Phase(name="b")[If(condition=True)[Task(id="y", run=nothing)]],  # second far
        ],
        DuplicateIdError,
        "far",
    ),
    "keys of nodes": (
        lambda: [
            Step(key="x"),  # first key
            Step(key="x"),  # second key
        ],
        DuplicateKeyError,
        "key",
    ),
    "keys of components": (
        lambda: [
            One(key="z"),  # first component
            Pair(key="z"),  # second component
        ],
        DuplicateKeyError,
        "component",
    ),
    "keys of fragments": (
        lambda: [
            Fragment(key="z")[Step()],  # first fragment
            Fragment(key="z")[Step()],  # second fragment
        ],
        DuplicateKeyError,
        "fragment",
    ),
}


@pytest.mark.parametrize(("app", "error", "word"), TWICE.values(), ids=TWICE)
def test_a_duplicate_names_both_positions(app: Any, error: type[Exception], word: str, plan: Any) -> None:
    with pytest.raises(error) as caught:
        plan(app())
    for which in ("first", "second"):
        assert f"test_node_ids.py:{line_of(f'# {which} {word}')}:" in str(caught.value)


def test_the_same_key_under_two_parents_is_fine(plan: Any) -> None:
    assert len(plan([Phase(name=name)[Step(key="k")] for name in "ab"])) == 4


def test_two_lists_of_one_parent_may_use_the_same_keys_or_are_told_about_keys(plan: Any) -> None:
    """A complaint about an id that nobody gave would lead nowhere."""
    try:
        tree = plan(Phase(name="a")[[Step(key="k")], [Step(key="k")]])
    except DuplicateKeyError:
        return
    assert len(tree) == 3


def test_a_false_if_hides_duplicates_as_nothing_below_it_exists(plan: Any) -> None:
    tree = plan([Step(id="x"), If(condition=False)[Step(id="x")]])
    assert [node.type for node in tree.walk()] == ["step", "if"]
