"""ctx.artifact: what people are shown, and that it is safe to show."""

from __future__ import annotations

import base64
from typing import Any

import pandas as pd
import pytest

from smithers_nb import Effect, Step, Task, component
from smithers_nb.artifacts import MOST_BYTES, Artifact, why_not_a_link
from smithers_nb.errors import NotStorableError, RunError
from smithers_nb.execution import run_behind

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8
NAUGHTY = "<script>alert(1)</script>\" onerror='x' & <b>"


def handled(*acts: Any) -> Any:
    @component
    def App(ctx: Any) -> Any:
        return [
            Task(id=f"t{n}", run=lambda: 1, on_finished=lambda r, ctx, act=act: act(ctx)) for n, act in enumerate(acts)
        ]

    return App()


KINDS: dict[str, tuple[Any, str, dict[str, Any]]] = {
    "markdown": (lambda a: a.markdown("# hi"), "markdown", {"text": "# hi"}),
    "dicts": (
        lambda a: a.table([{"a": 1, "b": None}, {"c": {2}}]),
        "table",
        {"columns": ["a", "b", "c"], "rows": [[1, None, None], [None, None, "{2}"]]},
    ),
    "lists": (lambda a: a.table([[1, "x"], (2.5, True)]), "table", {"columns": [], "rows": [[1, "x"], [2.5, True]]}),
    "no rows": (lambda a: a.table([]), "table", {"columns": [], "rows": []}),
    "data frame": (
        lambda a: a.table(pd.DataFrame({"a": [1, 2], "t": [pd.Timestamp("2026-01-01"), pd.NaT]})),
        "table",
        {"columns": ["a", "t"], "rows": [[1, "2026-01-01 00:00:00"], [2, "NaT"]]},
    ),
    "not a number": (lambda a: a.table([[float("nan")]]), "table", {"columns": [], "rows": [["nan"]]}),
    "progress": (lambda a: a.progress(3, 10), "progress", {"value": 3, "total": 10}),
    "fraction": (lambda a: a.progress(0.25), "progress", {"value": 0.25, "total": 1}),
    "link": (lambda a: a.link("https://example.org/?a=1&b=2"), "link", {"url": "https://example.org/?a=1&b=2"}),
    "image": (lambda a: a.image(PNG), "image", {"mime": "image/png", "base64": base64.b64encode(PNG).decode()}),
}


@pytest.mark.parametrize(("make", "kind", "content"), KINDS.values(), ids=KINDS)
def test_every_kind_comes_back_from_the_file(make: Any, kind: str, content: Any, run_of: Any) -> None:
    ex = run_of(handled(lambda ctx: make(ctx.artifact)))
    ex.run_sync()
    [made] = ex.artifacts
    assert (made.kind, made.content, made.node_id, made.title) == (kind, content, "t0", None)
    [row] = ex.df.artifacts.to_dict("records")
    assert (row["artifact_id"], row["kind"], row["content"]) == (made.id, kind, content)
    assert ex.store.open(ex.execution_id).artifacts == [made]


def test_the_same_key_replaces_and_keeps_its_place(run_of: Any) -> None:
    ex = run_of(Step())
    artifact = ex.ctx.artifact
    artifact.markdown("one", key="a")
    artifact.markdown("other")
    artifact.progress(0.5, key="a", title="half")
    assert [(made.kind, made.title) for made in ex.artifacts] == [("progress", "half"), ("markdown", None)]
    df = ex.df.artifacts
    assert (df.updated_at > df.created_at).tolist() == [True, False]


def test_what_a_handler_makes_is_stored_with_its_flush(run_of: Any) -> None:
    @component
    def App(ctx: Any) -> Any:
        return Effect(id="e", run=lambda: ctx.artifact.markdown("a", key="k"))

    ex = run_of(App())
    ex.step_sync()
    assert ex.artifacts == []
    ex.run_sync()
    assert [(made.id, made.node_id, made.frame) for made in ex.artifacts] == [("k", "e", 1)]


def test_what_a_handler_that_raises_made_is_rolled_back(run_of: Any) -> None:
    def bad(ctx: Any) -> None:
        ctx.artifact.markdown("lost", key="k")
        raise ValueError

    def bad_later(ctx: Any) -> None:
        ctx.artifact.markdown("lost", key="l")
        ctx.state.update("x", lambda old: old["nothing"])

    ex = run_of(handled(bad, bad_later, lambda ctx: ctx.artifact.markdown("kept", key="m")))
    ex.run_sync()
    assert [made.id for made in ex.artifacts] == ["m"]


def in_thread(ctx: Any) -> None:
    for n in range(3):
        ctx.artifact.progress(n, 2, key="p")


async def on_the_loop(ctx: Any) -> None:
    in_thread(ctx)


@pytest.mark.parametrize("run", [in_thread, on_the_loop])
def test_a_task_shows_its_progress_at_once(run: Any, run_of: Any) -> None:
    ex = run_of(Task(id="t", run=run))
    ex.run_sync()
    [made] = ex.artifacts
    assert (made.content, made.node_id) == ({"value": 2, "total": 2}, "t")


def test_progress_is_seen_while_the_task_runs_and_observers_are_told(run_of: Any, gate: Any, wait_until: Any) -> None:
    door = gate()

    async def run(ctx: Any) -> None:
        ctx.artifact.progress(1, 2, key="p")
        await door.passed()

    ex = run_of(Task(id="t", run=run))
    told: list[Any] = []
    run_behind(ex).observe(lambda: told.append(1))
    ex.step_sync()
    wait_until(lambda: len(ex.artifacts) == 1)
    assert told
    door.open()


def test_what_an_async_task_made_last_is_stored_before_close_returns(run_of: Any) -> None:
    async def run(ctx: Any) -> None:
        for n in range(50):
            ctx.artifact.markdown(str(n))

    ex = run_of(Task(id="t", run=run))
    ex.run_sync()
    ex.close()
    assert len(ex.store.open(ex.execution_id).artifacts) == 50


def test_an_artifact_after_its_task_has_ended_is_refused(run_of: Any) -> None:
    import contextvars

    later: list[Any] = []

    async def run(ctx: Any) -> None:
        context = contextvars.copy_context()
        later.append(lambda: context.run(ctx.artifact.markdown, "a", "k"))

    ex = run_of(Task(id="t", run=run))
    ex.run_sync()
    with pytest.raises(RunError, match="artifact 'k' was written after task t@1"):
        later[0]()


WRONG: dict[str, tuple[Any, type[Exception], str]] = {
    "no text": (lambda a: a.markdown(1), TypeError, "str"),
    "a long text": (lambda a: a.markdown("a" * MOST_BYTES), NotStorableError, "5,000,0"),
    "a text as table": (lambda a: a.table("ab"), TypeError, "list of dicts"),
    "mixed rows": (lambda a: a.table([[1], {"a": 1}]), TypeError, "all dicts or all lists"),
    "too far": (lambda a: a.progress(11, 10), ValueError, "between 0 and 10"),
    "no total": (lambda a: a.progress(11), ValueError, "between 0 and 1"),
    "nan": (lambda a: a.progress(float("nan")), ValueError, "finite"),
    "of nothing": (lambda a: a.progress(0, 0), ValueError, "between"),
    "a script": (lambda a: a.link("javascript:alert(1)"), ValueError, "javascript"),
    "svg": (lambda a: a.image(b"<svg onload='x'/>"), ValueError, "PNG, JPEG, GIF or WebP"),
    "a large image": (lambda a: a.image(PNG + b"\0" * MOST_BYTES), NotStorableError, "5,000,0"),
    "no such file": (lambda a: a.image("nowhere.png"), FileNotFoundError, "nowhere"),
}


@pytest.mark.parametrize(("make", "error", "word"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_shown_is_refused_at_once(make: Any, error: Any, word: str, run_of: Any) -> None:
    ex = run_of(Step())
    with pytest.raises(error, match=word):
        make(ex.ctx.artifact)
    assert ex.artifacts == []


def test_an_image_may_be_given_by_its_path(run_of: Any, tmp_path: Any) -> None:
    (tmp_path / "a.webp").write_bytes(b"RIFF\0\0\0\0WEBP....")
    ex = run_of(Step())
    ex.ctx.artifact.image(tmp_path / "a.webp")
    assert ex.artifacts[0].content["mime"] == "image/webp"


# ---- drawing ---------------------------------------------------------------------------------------------------


def drawn(kind: Any, **content: Any) -> str:
    return Artifact("a", kind, NAUGHTY, content, None, 1)._repr_html_()


HOSTILE: dict[str, str] = {
    "markdown": drawn("markdown", text=f"[x](javascript:alert(1)) {NAUGHTY}"),
    "table": drawn("table", columns=[NAUGHTY], rows=[[NAUGHTY, 1, None]]),
    "link": drawn("link", url=NAUGHTY),
    "javascript link": drawn("link", url="javascript:alert(1)"),
    "quoted link": drawn("link", url="https://a.org/'onmouseover='alert(1)"),
    "image": drawn("image", mime="image/svg+xml", base64=base64.b64encode(b"<svg/>").decode()),
    "false image": drawn("image", mime="image/png", base64=base64.b64encode(b"<html>").decode()),
    "image with more": drawn("image", mime="image/png", base64=base64.b64encode(PNG).decode() + "' onerror='x"),
    "progress": drawn("progress", value=NAUGHTY, total="1' onerror='x"),
    "unknown": drawn("html", html=NAUGHTY),
}
PLAIN_TAGS = {"div", "p", "b", "pre", "code", "a", "table", "thead", "tbody", "tr", "th", "td", "i", "progress", "img"}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
def test_what_a_model_wrote_is_drawn_as_text(html: str) -> None:
    from html.parser import HTMLParser

    tags: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append((tag, dict(attrs)))

    Reader().feed(html)
    assert {tag for tag, _ in tags} <= PLAIN_TAGS
    for _, attributes in tags:
        assert set(attributes) <= {"style", "href", "target", "rel", "src", "value", "max"}
        assert (attributes.get("href") or "https:").startswith("https:")
        assert "src" not in attributes


def test_good_ones_are_drawn_as_what_they_are() -> None:
    assert f"src='data:image/png;base64,{base64.b64encode(PNG).decode()}'" in drawn(
        "image", mime="image/png", base64=base64.b64encode(PNG).decode()
    )
    link = drawn("link", url="https://a.org/?x=1&y=2")
    assert "href='https://a.org/?x=1&amp;y=2'" in link and ">https://a.org/?x=1&amp;y=2</a>" in link
    assert "<progress value='3' max='10'></progress> 3 of 10" in drawn("progress", value=3, total=10)
    assert "# not a heading" in drawn("markdown", text="# not a heading")
    assert "<td>1</td><td></td>" in drawn("table", columns=["a", "b"], rows=[[1, None]])


URLS: dict[str, bool] = {
    "https://example.org": True,
    "http://localhost:8888/a?b#c": True,
    "report.html": True,
    "../a/b.html": True,
    "/files/a.html": True,
    "#part": True,
    "?q=1": True,
    "javascript:alert(1)": False,
    "JavaScript:alert(1)": False,
    " javascript:alert(1)": False,
    "java\nscript:alert(1)": False,
    "data:text/html,x": False,
    "vbscript:x": False,
    "file:///etc/passwd": False,
    "//evil.org": False,
    "/\\evil.org": False,
    "https:evil": False,
    "https://[": False,
    "a b": False,
}


@pytest.mark.parametrize(("url", "allowed"), URLS.items(), ids=[ascii(url) for url in URLS])
def test_a_link_is_http_https_or_relative(url: str, allowed: bool) -> None:
    assert (why_not_a_link(url) is None) is allowed


def test_an_artifact_says_what_it_is() -> None:
    assert repr(Artifact("k", "markdown", None, {"text": "a" * 200}, None, 1)).startswith("<Artifact 'k': markdown")
