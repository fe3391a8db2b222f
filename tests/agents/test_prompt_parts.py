"""Images, documents and addresses in a prompt: as the plan shows them, and as the server gets them."""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import BinaryContent, DocumentUrl, ImageUrl

from smithers_nb import Audio, Claude, Document, Image, Phase, Video, scripted
from smithers_nb.errors import PropError
from smithers_nb.history.panes.tasks import task as task_pane
from smithers_nb.history.recorded import RecordedSource
from smithers_nb.nodes import parts
from smithers_nb.store.blobs import put_back, taken_out
from tests.agents.conftest import APIS, model_at
from tests.agents.fake_replies import by_turn, call, say

each_api = pytest.mark.parametrize("api", APIS)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
PDF = b"%PDF-1.4\n" + b"pages " * 500
PNG64 = base64.b64encode(PNG).decode()


@pytest.fixture
def sea(tmp_path: Path) -> Path:
    path = tmp_path / "sea.png"
    path.write_bytes(PNG)
    return path


@each_api
def test_an_image_and_an_address_are_sent_among_the_text(api: str, sea: Path, provider: Any, run_of: Any) -> None:
    server = provider(say("blue"))
    node = Claude(id="c", model=model_at(server, api))[
        "Compare ", Image(src=sea), " with ", Image(src="https://example.org/b.png"), "."
    ]
    ex = run_of(node)
    assert ex.run_sync().status == "finished"
    [request] = server.requests
    [message] = [
        one for one in request.asked.body.get("messages") or request.asked.body["input"] if one["role"] == "user"
    ]
    kinds = [part["type"] for part in message["content"]]
    assert len(kinds) == 5 and len({*kinds}) == 2, kinds
    texts = [part["text"] for part in message["content"] if "text" in part]
    assert texts == ["Compare ", " with ", "."]
    assert PNG64 in str(message["content"][1])
    assert "https://example.org/b.png" in str(message["content"][3])
    digest = sha256(PNG).hexdigest()[:16]
    shown = (
        f'Compare <image src="{sea}" media_type="image/png" size="{len(PNG)}" hash="{digest}"/> with '
        '<image src="https://example.org/b.png"/>.'
    )
    assert shown in ex.at(1).xml
    source = RecordedSource(ex.store.reader, ex.execution_id)
    pane = task_pane(source, source.cursor(1), ex.df.tasks.task_id[0])
    assert pane is not None and pane["prompt"] is not None
    image = f"[image: {sea}, image/png, {len(PNG):,} bytes, hash {digest}]"
    assert pane["prompt"]["text"] == f"Compare {image} with [image: https://example.org/b.png]."
    assert ex.replay().same
    assert len(server.requests) == 1


def test_a_document_and_objects_of_pydantic_ai_are_parts_too(sea: Path, provider: Any, run_of: Any) -> None:
    server = provider(say("fine"))
    children = [
        "Read ",
        Document(src=PDF),
        DocumentUrl(url="https://example.org/a.pdf"),
        BinaryContent(PNG, media_type="image/png"),
        ImageUrl(url="https://example.org/c.png"),
    ]
    ex = run_of(Claude(id="c", model=model_at(server))[children])
    assert ex.run_sync().status == "finished"
    [message] = server.requests[0].asked.body["messages"]
    assert [part["type"] for part in message["content"]] == ["text", "document", "document", "image", "image"]
    assert [node.type for node in ex.at(1).tree.walk()] == ["claude", "text", "document", "document", "image", "image"]
    assert f'<document media_type="application/pdf" size="{len(PDF)}"' in ex.at(1).xml


def test_a_prompt_may_be_an_image_alone(sea: Path, provider: Any, ask: Any) -> None:
    server = provider(say("blue"))
    _, result = ask(server, prompt=Image(src=str(sea)))
    assert result.output == "blue"


WRONG: dict[str, tuple[Any, list[str]]] = {
    "no file": (lambda: Image(src="nope.png"), ["<image>", "there is no file 'nope.png' (looked for in"]),
    "a folder": (lambda: Image(src="/tmp"), ["'/tmp' is no file"]),
    "a document as an image": (lambda: Image(src=PDF), ["it is application/pdf, which is no image: use <Document>"]),
    "an image as a document": (lambda: Document(src=PNG), ["it is image/png, which is no document: use <Image>"]),
    "an address of another kind": (lambda: Image(src=DocumentUrl(url="https://a/b.pdf")), ["use <Document>"]),
    "unknown bytes": (lambda: Audio(src=b"what is it?"), ['the type of it can\'t be told. Write media_type="…/…"']),
    "nothing": (lambda: Image(src=b""), ["it is empty"]),
    "a number": (lambda: Video(src=5), ["<video>", "bytes, or an object of pydantic-ai, and not an int"]),
    "no source": (lambda: Image(), ["<image> needs the prop 'src'"]),
    "another prop": (lambda: Image(source_="x", src=PNG), ["<image> has no prop 'source_'. Did you mean 'src'?"]),
    "children": (lambda: Image(src=PNG)["text"], ["<image> takes no children"]),
}


@pytest.mark.parametrize(("make", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_part_is_told_where_it_is_written(make: Any, words: list[str]) -> None:
    with pytest.raises(PropError) as caught:
        make()
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message
    assert caught.value.source is not None and caught.value.source.startswith("test_prompt_parts.py:")


def test_a_huge_file_is_told_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(60_000_000)
    monkeypatch.setattr(parts, "_read", None)
    with pytest.raises(PropError, match="has 60,000,000 bytes, and at most 50,000,000 are sent"):
        Image(src=path)


def test_a_part_outside_of_a_prompt_is_told(run_of: Any) -> None:
    with pytest.raises(PropError, match="<image> is a part of a prompt, and stands in none"):
        run_of(Phase(name="a")[Image(src=PNG)]).step_sync()


def test_a_file_that_has_changed_is_another_part(sea: Path) -> None:
    before = Image(src=sea).props()["hash"]
    sea.write_bytes(PNG + b"x")
    os.utime(sea, ns=(1, 1))
    assert Image(src=sea).props()["hash"] != before


def test_an_agent_with_an_image_goes_on_after_a_restart(sea: Path, provider: Any, run_of: Any, resumed: Any) -> None:
    done: list[str] = []

    def look(what: str) -> str:
        """Look."""
        done.append(what)
        return "it is blue"

    server = provider(by_turn(call("look", what="sea"), say("blue")))
    app = Claude(id="c", model=model_at(server), tools=[look], approve=["look"])["See ", Image(src=sea)]
    ex = run_of(app)
    assert ex.run_sync().status == "waiting"
    ex.close()
    sea.unlink()
    ex = resumed(app)
    ex.answer("c", "approve")
    assert ex.run_sync().status == "finished"
    assert done == ["sea"]
    assert PNG64 in str(server.requests[1].asked.body)


def test_a_script_is_asked_with_parts(sea: Path, run_of: Any) -> None:
    model = scripted("x")
    assert run_of(Claude(model=model)["Look at ", Image(src=sea)]).run_sync().status == "finished"
    assert len(model.calls) == 1


# ---- in the file -----------------------------------------------------------------------------------------------


def test_the_bytes_are_once_in_the_file_however_often_they_are_sent(sea: Path, provider: Any, run_of: Any) -> None:
    def look() -> str:
        """Look."""
        return "blue"

    server = provider(by_turn(call("look"), call("look"), say("blue")))
    model = model_at(server)
    node = [Claude(id=f"c{n}", model=model, tools=[look])["See ", Image(src=sea)] for n in range(3)]
    ex = run_of(node)
    assert ex.run_sync().status == "finished"
    assert len(server.requests) == 9
    digest = sha256(PNG).hexdigest()
    assert ex.store.sql("SELECT hash, length(bytes) FROM blobs").to_numpy().tolist() == [[digest, len(PNG)]]
    everything = "".join(path.read_bytes().decode("latin-1") for path in sea.parent.glob("t.db*"))
    for encoded in (PNG64, base64.urlsafe_b64encode(PNG).decode()):
        assert encoded[100:400] not in everything
    content = ex.df.model_calls.request[0][0]["parts"][0]["content"]
    assert content[1]["data"] == f"blob:{digest}"
    assert ex.replay().same


def test_prune_and_export_know_of_the_bytes(sea: Path, run_of: Any, tmp_path: Path) -> None:
    ex = run_of(Claude(id="c", model=scripted("x"))["See ", Image(src=sea)], name="one")
    ex.run_sync()
    lines = [json.loads(line) for line in ex.export(tmp_path / "one.ndjson").read_text().splitlines()]
    [blob] = [line for line in lines if line.get("table") == "blobs"]
    assert base64.b64decode(blob["bytes"]) == PNG
    ex.close()
    other = run_of(Claude(id="c", model=scripted("x"))["Read ", Document(src=PDF)], name="two")
    other.run_sync()
    other.close()
    assert len(ex.store.sql("SELECT * FROM blobs")) == 2
    pruned = ex.store.prune(keep_executions=1)
    assert pruned.rows["blobs"] == 1
    assert ex.store.sql("SELECT hash FROM blobs").hash.tolist() == [sha256(PDF).hexdigest()]


def test_text_that_looks_like_bytes_comes_back_as_it_was() -> None:
    db = sqlite3.connect(":memory:")
    db.executescript("CREATE TABLE blobs (hash, bytes, created_at); CREATE TABLE blob_uses (execution_id, hash);")
    standard, safe = (encode(bytes(range(256)) * 2).decode() for encode in (base64.b64encode, base64.urlsafe_b64encode))
    for data in ("a" * 201, "A" * 203 + "=", standard, safe, "word" * 60, "x-" * 101, "short"):
        text = f'[{{"data":"{data}"}},{{"data":"{data}"}}]'
        kept = taken_out(db, "e", text)
        assert kept is not None
        assert put_back(kept, lambda hash: dict(db.execute("SELECT hash, bytes FROM blobs")).get(hash)) == text
    assert taken_out(db, "e", f'{{"data":"{standard}"}}') != f'{{"data":"{standard}"}}'
