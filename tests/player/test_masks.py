"""What must not leave a file: credentials always, and what redact= names."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from smithers_nb import Claude, Document, Execution, Store, Task, call_tool, component, scripted
from smithers_nb.store.masks import Masks, Redaction


def secret(place: str) -> str:
    """Return a credential with the name of its place, for a test that fails to tell which it was."""
    return "sk-ant-" + f"api03-{place}0123456789abcdef"  # In two pieces: it is to look like a key, and is none.


def fetch(page: str) -> str:
    """Fetch a page."""
    return f"the page says {page}"


NOTE = b"a note that a model was given, long enough to be kept apart: " + b"x" * 200 + b" "
SPLIT = secret("streamed")


@component
def App(ctx: Any) -> Any:
    ctx.state.get("notes")
    return [
        Claude(
            id="c",
            model=scripted(call_tool("fetch", page="tides"), f"found {SPLIT} in it", delay_s=0.0),
            tools=[fetch],
            on_finished=lambda r, ctx: print("printed in a handler"),
        )["Read this: ", Document(src=NOTE, media_type="text/plain")],
        Task(id="fails", run=lambda: 1 / 0),
    ]


FREE = {
    "executions": ("reason", "app", "result", "props"),
    "nodes": ("props", "text", "source"),
    "state": ("value",),
    "transitions": ("old", "new"),
    "handlers": ("error", "source"),
    "effects": ("error", "deps"),
    "tasks": ("reason", "result", "error"),
    "model_calls": (
        "request",
        "response",
        "history",
        "parameters",
        "accepted",
        "partial",
        "error",
        "model",
        "unpriced",
    ),
    "tool_calls": ("input", "output", "error", "tool"),
    "stream_events": ("payload",),
    "approvals": ("prompt", "payload", "options", "choice", "comment", "args", "result", "args_schema"),
    "artifacts": ("title", "content"),
    "events": ("payload",),
    "breakpoints": ("target", "value", "condition"),
}
"""The columns that hold what people, models and code have said."""


@pytest.fixture
def run(run_of: Any) -> Execution:
    ex = run_of(
        App, name="report", state={"notes": ["one"], "password": "hunter2", "headers": [["X-Api-Key", "k33p-out"]]}
    )
    ex.breakpoints.add(key="notes")
    ex.run_sync()
    ex.run_sync()
    ex.close()
    return ex


def planted(value: str, place: str, is_json: bool) -> str:
    if not is_json:
        return f"{value} {secret(place)}"
    # As deep as it can stand: in a text of JSON inside of the JSON, and behind escapes.
    inner = json.dumps({"line\n": f"token: {secret(place)}"})
    found = json.loads(value)
    if isinstance(found, dict):
        return json.dumps(found | {"planted": inner})
    if isinstance(found, list):
        return json.dumps([*found, {"planted": inner}])
    return json.dumps(f"{found} {secret(place)}")


def plant(path: Path) -> list[str]:
    """Put a credential of its own into every column that can hold one; return the places."""
    places = []
    with sqlite3.connect(path) as db:
        for table, columns in FREE.items():
            kinds = {row[1]: row[2] for row in db.execute(f"PRAGMA table_info({table})")}
            for column in columns:
                for rowid, value in db.execute(f"SELECT {id_of(db, table)}, {column} FROM {table}").fetchall():
                    if value is None:
                        continue
                    place = f"{table}{column}".replace("_", "")
                    changed = planted(value, place, kinds[column] == "JSON TEXT")
                    if place == "executionsprops":
                        changed = json.dumps({"given": {"value": f"as {secret(place)}", "type": "str"}})
                    db.execute(f"UPDATE {table} SET {column} = ? WHERE {id_of(db, table)} = ?", (changed, rowid))
                    places.append(place)
    return sorted(set(places))


def id_of(db: sqlite3.Connection, table: str) -> str:
    return "node_id || from_frame" if table == "nodes" else "rowid"


def test_a_credential_in_any_column_is_masked_everywhere(
    run: Execution, tmp_path: Path, parts: Callable[[Path], dict[str, bytes]]
) -> None:
    places = plant(tmp_path / "t.db")
    assert {"statevalue", "modelcallsrequest", "tooloutput"[:4] + "callsoutput", "taskserror", "eventspayload"} <= {
        *places
    }
    found = Store(tmp_path / "t.db").open("report").export(tmp_path / "run.html", show=False)
    for part, data in parts(tmp_path / "run.html").items():
        assert [place for place in places if secret(place).encode() in data] == [], part
        assert b"0123456789abcdef" not in data and b"hunter2" not in data and b"k33p-out" not in data, part
    assert found.masked >= len(places)
    assert Store(tmp_path / "run.html").exported.masked == found.masked  # type: ignore[union-attr]
    assert f"{found.masked} credentials masked" in found.text
    history = Store(tmp_path / "run.html").open("report")
    assert history.state["password"] == "•••" and history.state["headers"][0] == ["X-Api-Key", "•••"]
    assert Store(tmp_path / "run.html").check().ok


def test_a_credential_that_is_streamed_in_pieces_is_masked(run: Execution, tmp_path: Path, parts: Any) -> None:
    ex = run
    texts = ["found ", "sk-ant", f"-{SPLIT[7:20]}", SPLIT[20:], " in it"]
    with sqlite3.connect(tmp_path / "t.db") as db:
        [(turn, attempt, task)] = db.execute(
            "SELECT max(turn), attempt, task_id FROM stream_events WHERE kind = 'token' AND execution_id = ?",
            (ex.execution_id,),
        )
        db.execute("DELETE FROM stream_events WHERE kind = 'token'")
        for text in texts:
            db.execute(
                "INSERT INTO stream_events (execution_id, task_id, turn, attempt, kind, payload, created_at)"
                " VALUES (?, ?, ?, ?, 'token', ?, '2026-01-01T00:00:00.000000+00:00')",
                (ex.execution_id, task, turn, attempt, json.dumps(text)),
            )
    assert "".join(texts) == f"found {SPLIT} in it"
    ex.store.open("report").export(tmp_path / "run.html", show=False)
    history = Store(tmp_path / "run.html").open("report")
    pieces = history.df.stream_events.query("kind == 'token'").payload.tolist()
    assert pieces == ["found ", "sk-ant", "-•••", "", " in it"]
    assert b"0123456789abcdef" not in parts(tmp_path / "run.html")["store"]


def test_a_credential_in_bytes_is_masked_and_the_message_still_has_them(
    run: Execution, tmp_path: Path, parts: Any
) -> None:
    with sqlite3.connect(tmp_path / "t.db") as db:
        [(hash,)] = db.execute("SELECT hash FROM blobs")
        db.execute("UPDATE blobs SET bytes = ?", (NOTE + secret("blob").encode(),))
    run.store.open("report").export(tmp_path / "run.html", show=False)
    data = parts(tmp_path / "run.html")["store"]
    assert b"api03-blob" not in data and hash.encode() not in data
    store = Store(tmp_path / "run.html")
    assert bytes(store.sql("select bytes from blobs").bytes[0]).decode().endswith("x sk-ant-•••")
    task = store.open("report").df.tasks.query("node_id == 'c'").task_id.iloc[0]
    [first, *_] = store.reader.model_calls(run.execution_id, task)
    assert "blob" not in first.messages[0].partition('"data":"')[2][:8], "the bytes are found under their new hash"


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ("plain text, the key of a map", "plain text, the key of a map"),
        ({"Authorization": ["Bearer abc", "x"]}, {"Authorization": ["•••", "•••"]}),
        ({"name": "X-Api-Key", "value": "abc"}, {"name": "X-Api-Key", "value": "•••"}),
        ({"name": "colour", "value": "abc"}, {"name": "colour", "value": "abc"}),
        ('{"token": 1, "api_key": "abc"}', '{"token":1,"api_key":"•••"}'),
        ("[not JSON, password=hunter2!", "[not JSON, password=•••!"),
        (b64encode(secret("b").encode()).decode(), b64encode("sk-ant-•••".encode()).decode()),
        ("data:text/plain;base64," + b64encode(b"password='hunter2'").decode(),) * 1
        + ("data:text/plain;base64," + b64encode("password='•••'".encode()).decode(),),
        (1.5, 1.5),
    ],
)
def test_a_value_is_masked_as_it_is_written(value: Any, clean: Any) -> None:
    masks = Masks(Redaction())
    text = json.dumps(value)
    assert json.loads(masks.json(text)) == clean
    assert (masks.json(text) == text) is (value == clean), "what has no credential stays letter by letter"


def test_two_names_that_are_masked_alike_stay_two() -> None:
    masks = Masks(Redaction())
    names = [masks.name(secret(place)) for place in ("a", "b", "a")]
    assert names == ["sk-ant-•••", "sk-ant-•••2", "sk-ant-•••"]


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_documents_are_masked_in_other_encodings_too(encoding: str) -> None:
    masks = Masks(Redaction())
    data = f"\xff\xfe… é password='{secret('x')}'".encode(encoding, "replace")
    assert secret("x").encode(encoding) not in masks.data(data)
    assert masks.data(gzip.compress(b"x" * 99)) == gzip.compress(b"x" * 99), "a picture stays"


def test_what_a_person_names_is_removed(run_of: Any, tmp_path: Path, parts: Any) -> None:
    ex = run_of(Prompted, name="report", state={"patient": "Ada Lovelace", "age": 36, "kept": "stays as it is"})
    ex.run_sync()
    found = ex.export(tmp_path / "run.html", redact=["patient", "age", re.compile(r"\d{4}-\d\d-\d\d")], show=False)
    for part, data in parts(tmp_path / "run.html").items():
        assert b"Lovelace" not in data and b"1815-12-10" not in data, part
    history = Store(tmp_path / "run.html").open("report")
    assert dict(history.state) == {"patient": "[redacted]", "age": "[redacted]", "kept": "stays as it is"}
    assert "About [redacted], born [redacted]" in history.at(1).xml
    assert found.redacted == ("age", "patient", r"/\d{4}-\d\d-\d\d/") and found.removed >= 6
    assert r"removed: age, patient, /\d" in found.text


@component
def Prompted(ctx: Any) -> Any:
    return Claude(
        id="c",
        model=scripted(call_tool("fetch", page="1"), call_tool("fetch", page="2"), "secret words"),
        tools=[fetch],
    )[f"About {ctx.state.get('patient')}, born 1815-12-10"]


@pytest.mark.parametrize("column", ["model_calls.request", "model_calls.response"])
def test_a_column_is_removed_and_the_rest_can_be_read(run_of: Any, tmp_path: Path, parts: Any, column: str) -> None:
    ex = run_of(Prompted, name="report")
    ex.run_sync()
    also = ["stream_events.payload", "tasks.result"]
    ex.export(tmp_path / "run.html", redact=[column, *also], show=False)
    history = Store(tmp_path / "run.html").open("report")
    requests = history.df.model_calls
    assert len(requests) == 3
    if column == "model_calls.request":
        assert requests.request.map(len).tolist() == [0, 0, 0] and "secret words" in str(requests.response.iloc[-1])
    else:
        assert requests.request.map(len).tolist() == [1, 3, 5]
        assert b"secret words" not in parts(tmp_path / "run.html")["store"]
        assert "About None" in str(requests.request.iloc[2])
    assert history.df.tasks.result.tolist() == ["[redacted]"]
    assert len(history.transcript("c").text) > 10
    assert Store(tmp_path / "run.html").check().ok


@pytest.mark.parametrize(
    ("redact", "kind", "message"),
    [
        ("patient", ValueError, "neither a key of the state nor a column.*Did you mean 'patience'"),
        ("model_calls.id", ValueError, "redact names 'model_calls.id'"),
        (re.compile("x*"), ValueError, "matches nothing at all"),
        ([re.compile(b"x")], TypeError, "patterns of re.compile"),
        (5, TypeError, "keys of the state"),
    ],
)
def test_what_can_not_be_removed_is_said_and_nothing_is_written(
    run_of: Any, tmp_path: Path, redact: Any, kind: Any, message: str
) -> None:
    ex = run_of(Task(id="t", run=lambda: 1), state={"patience": 1})
    with pytest.raises(kind, match=message):
        ex.export(tmp_path / "run.html", redact=redact)
    assert not (tmp_path / "run.html").exists()
    with pytest.raises(ValueError, match=r"belong to run\.html"):
        ex.export(tmp_path / "run.ndjson", redact="patience")
