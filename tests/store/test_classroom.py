"""A class's predictions, collected from the files that were handed in."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from smithers_nb import Claude, Execution, Phase, classroom, component, scripted


@component
def Report(ctx):
    notes = ctx.state.get("notes")
    return [
        Phase(name="research")[
            Claude(id="notes", model=scripted("1."), on_finished=lambda r: ctx.state.set("notes", r.output))["Go"]
        ],
        Phase(name="write")[notes and Claude(id="draft", model=scripted("Done."))[notes]],
    ]


ITEMS = ("starts:notes", "fires:notes.on_finished", "writes:(new)")


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """Thirty learners with random predictions, a third as pages, and a file that is broken; with the expected counts."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "handed_in").mkdir()
    chance, counts = random.Random(7), dict.fromkeys(ITEMS, 0)
    for number in range(30):
        page = number % 3 == 0
        file = folder / (f"{number}.db" if page else f"handed_in/{number}.db")
        with Execution(Report, name="report", store=file, seed=1) as ex:
            for _ in range(2):
                said = {item: chance.random() < 0.5 for item in ITEMS}
                ex.predict(ex.recorded + 1, said)
                if ex.recorded == 0:
                    counts = {item: counts[item] + said[item] for item in ITEMS}
                ex.step_sync()
            if page:
                ex.export(folder / "handed_in" / f"{number}.html", show=False)
    (folder / "handed_in" / "broken.html").write_text("<html>not a run</html>")
    (folder / "handed_in" / "broken.db").write_bytes(b"SQLite format 3\0" + b"\1" * 500)
    return folder / "handed_in", counts


def test_thirty_learners_make_one_table_and_a_broken_file_is_named(handed_in):
    folder, counts = handed_in
    found = classroom(f"{folder}/*")
    assert found.df.learner.nunique() == 30
    assert {Path(path).name for path in found.broken} == {"broken.html", "broken.db"}
    assert all(found.broken.values())
    expected = found.expected()
    assert {item: expected[1, item].yes for item in ITEMS} == counts
    assert {expected[1, item].of for item in ITEMS} == {30}
    assert expected[1, "starts:notes"].was is True
    assert expected[1, "fires:notes.on_finished"].was is False
    df = found.df
    first = df[(df.frame == 1) & (df.item == "starts:notes")]
    assert (first.right == (first.said == first.was)).all()


def test_the_heat_map_is_drawn_and_kept_as_a_table(handed_in):
    pytest.importorskip("matplotlib").use("Agg")
    folder, counts = handed_in
    found = classroom(f"{folder}/*")
    axes = found.plot()
    texts = {text.get_text() for text in axes.texts}
    assert f"{counts['starts:notes']}/30" in texts
    assert len(axes.patches) == len(found.expected())
    html = found._repr_html_()
    assert f"✓ {counts['starts:notes']}/30" in html
    assert "broken.html" in html
    assert "<script" not in html


def test_a_pattern_without_files_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="names no file"):
        classroom(f"{tmp_path}/*")
