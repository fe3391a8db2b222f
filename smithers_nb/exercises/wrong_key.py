"""The wrong key: an item of a list is known by its place, and the node at that place has done its work already."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .exercise import Check, Exercise, Variant
from .trial import CellTrial

# ---- the place in the list -------------------------------------------------------------------------------------

CARDS = """
def card(to):
    return f"a card to {to}"

@component
def Post(ctx):
    $key = ctx.state.get("$key", ["$one", "$two"])

    def sent(result):
        ctx.state.update("sent", lambda old: [*(old or []), result.output])

    def write(to):
        return <Task run={card} args={[to]} on_finished={sent} />

    return <Each items={$key} key={lambda to: $key.index(to)} render={write} />
"""


def _sent(trial: CellTrial, lists: list[list[str]]) -> str | None:
    """Run it with one list after the other: each name in one of them gets a card, and only one."""
    asked: list[str] = []

    def card(to: str) -> str:
        asked.append(to)
        return f"a card to {to}"

    key = trial.word("key")
    with trial.execution({"card": card}, state={key: lists[0]}) as ex:
        ex.run_sync()
        for later in lists[1:]:
            ex.state.set(key, later)
            ex.run_sync()
        sent = list(ex.state.get("sent", []))
    wanted = list(dict.fromkeys(name for names in lists for name in names))
    # The calls, too: cards that are sorted out afterwards were written, and paid for, all the same.
    if Counter(asked) == Counter(wanted) and Counter(sent) == Counter(f"a card to {name}" for name in wanted):
        return None
    return f"after the lists {lists}, cards were written to {asked}"


# The cell as it is does this: a mended one must do it, too.
def _first_list(trial: CellTrial) -> str | None:
    return _sent(trial, [["Ada", "Ben", "Cleo"]])


def _put_in_front(trial: CellTrial) -> str | None:
    return _sent(trial, [["Ada", "Ben"], ["Cleo", "Ada", "Ben"], ["Dora", "Cleo", "Ada", "Ben"]])


# Against keys that are new whenever the list is: everyone would get a second card.
def _moved(trial: CellTrial) -> str | None:
    return _sent(trial, [["Ada", "Ben", "Cleo"], ["Cleo", "Ada", "Ben"], ["Ben", "Cleo"]])


# ---- the place at a table --------------------------------------------------------------------------------------

GUESTS = """
def greet(guest):
    return f"Welcome, {guest}!"

@component
def Evening(ctx):
    seated = ctx.state.get("seated", [
        {"$place": 1, "guest": "$one"},
        {"$place": 2, "guest": "$two"},
    ])

    def greeted(result):
        ctx.state.update("greetings", lambda old: [*(old or []), result.output])

    def welcome(seat):
        return <Task run={greet} args={[seat["guest"]]} on_finished={greeted} />

    return <Each items={seated} key="$place" render={welcome} />
"""


def _greeted(trial: CellTrial, evenings: list[dict[int, str]]) -> str | None:
    """Run it with guests by place, again and again: each guest is greeted once."""
    asked: list[str] = []

    def greet(guest: str) -> str:
        asked.append(guest)
        return f"Hello, {guest}!"

    def seated(guests: dict[int, str]) -> list[dict[str, Any]]:
        return [{trial.word("place"): place, "guest": guest} for place, guest in guests.items()]

    with trial.execution({"greet": greet}, state={"seated": seated(evenings[0])}) as ex:
        ex.run_sync()
        for later in evenings[1:]:
            ex.state.set("seated", seated(later))
            ex.run_sync()
        greetings = list(ex.state.get("greetings", []))
    wanted = list(dict.fromkeys(guest for guests in evenings for guest in guests.values()))
    if Counter(asked) == Counter(wanted) and Counter(greetings) == Counter(f"Hello, {guest}!" for guest in wanted):
        return None
    return f"with the guests {evenings}, those who were greeted are {asked}"


def _first_guests(trial: CellTrial) -> str | None:
    return _greeted(trial, [{1: "Ada", 2: "Ben"}])


def _followed(trial: CellTrial) -> str | None:
    return _greeted(trial, [{1: "Ada", 2: "Ben"}, {1: "Cleo", 2: "Ben"}])


# Against keys of place and guest together.
def _changed_places(trial: CellTrial) -> str | None:
    return _greeted(trial, [{1: "Ada", 2: "Ben"}, {1: "Ben", 2: "Ada"}, {3: "Ada"}])


HINT = (
    "Change the list in a cell, wrong_key.state.set(…), and run it. Which nodes has the frame after it added, and "
    "which has it changed? wrong_key.df.nodes has the key of each."
)

WRONG_KEY = Exercise(
    name="wrong-key",
    title="the node that is not who you think",
    variants=(
        Variant(
            app="Post",
            task='Everyone in "$key" gets a card. Later another name is put in front of the list: it should get its '
            "card, too, and everyone else no second one. Mend the cell.",
            cell=CARDS,
            hint=HINT,
            checks=(
                Check("Everyone in the first list gets a card.", _first_list),
                Check("A name that is put in front gets a card, and only one.", _put_in_front),
                Check("No one gets a second card because the order changes.", _moved),
            ),
            themes=(
                {"key": "cities", "one": "Rome", "two": "Oslo"},
                {"key": "friends", "one": "Ida", "two": "Tom"},
                {"key": "aunts", "one": "Vera", "two": "Lotte"},
            ),
        ),
        Variant(
            app="Evening",
            task="Each guest is greeted, once. Later a guest leaves, and a new one takes the same $place: the new "
            "guest should be greeted, too. Guests may also change places. Mend the cell.",
            cell=GUESTS,
            hint=HINT,
            checks=(
                Check("The first guests are greeted.", _first_guests),
                Check("A guest who takes another one's $place is greeted.", _followed),
                Check("Guests who change places are not greeted again.", _changed_places),
            ),
            themes=(
                {"place": "table", "one": "Ada", "two": "Ben"},
                {"place": "chair", "one": "Kim", "two": "Lou"},
                {"place": "room", "one": "Max", "two": "Uma"},
            ),
        ),
    ),
)
