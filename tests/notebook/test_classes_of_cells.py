"""Values of classes that a notebook's own cells define, and define once more."""

from __future__ import annotations

from tests.notebook.kernel import run_cells

SETUP = """
import enum
from dataclasses import dataclass
from typing import Generic, TypeVar
from pydantic import BaseModel
from smithers_nb import *
T = TypeVar("T")
"""
CLASSES = """
class Todo(BaseModel):
    title: str

class Page(BaseModel, Generic[T]):
    items: list[T]

class Colour(enum.StrEnum):
    RED = "red"

@dataclass
class Item:
    todos: list[Todo]
"""
APP = """
%%smithers todo --quiet
@component
def App(ctx):
    found = ctx.state.get("item")
    return <Task id="t" run={lambda: Item([Todo(title="a")])} on_finished={lambda r: ctx.state.set("item", r.output)} />
"""
SETS = """
todo.state.set("page", Page[Todo](items=[Todo(title="a")]))
todo.state.set("colours", [Colour.RED])
print(todo.run_sync().status, todo.state["item"], todo.state["page"], todo.state["colours"])
"""
READS = """
todo.state.set("n", 1)
print(todo.run_sync().status, todo.run_sync().problems, todo.state["item"], todo.state["page"].items)
"""
READS_BROKEN = """
try:
    todo.state["page"]
except errors.StoreError as error:
    print(error)
print(len(todo.df.state), todo.state["colours"], type(todo.state["colours"][0]) is Colour)
"""
RESUMES = """
todo.close()
again = Execution.resume(App, store=todo.store, name="todo")
again.state.delete("item")
print(again.state["colours"], again.run_sync().status)
"""


def test_they_are_stored_and_read_as_the_newest_cell_defines_them(tmp_path):
    with_default = CLASSES.replace("title: str", 'title: str\n    due: str = "today"')
    without = CLASSES.replace("title: str", "title: str\n    owner: str")
    out = run_cells(tmp_path, SETUP, CLASSES, APP, SETS, with_default, READS, without, READS_BROKEN, RESUMES)
    assert "finished Item(todos=[Todo(title='a')])" in out.text(3)
    assert "items=[Todo(title='a')]" in out.text(3)
    assert "[<Colour.RED: 'red'>]" in out.text(3)
    assert "finished () Item(todos=[Todo(title='a', due='today')]) [Todo(title='a', due='today')]" in out.text(5)
    assert "state key 'page' can't be read: __main__:Page[__main__:Todo]" in out.text(7)
    assert "items.0.owner: Field required" in out.text(7) and "ex.state.delete('page')" in out.text(7)
    assert "[<Colour.RED: 'red'>] True" in out.text(7)
    assert "[<Colour.RED: 'red'>] finished" in out.text(8)
