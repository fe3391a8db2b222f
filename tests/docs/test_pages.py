"""The pages of the documentation say what is: their programs run, their errors are raised, their links lead somewhere."""

from __future__ import annotations

import re
import sys
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import smithers_nb
from docs import generated
from smithers_nb import Execution, errors

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MADE = {"api.md": generated.api, "errors.md": generated.errors_page, "tables.md": generated.tables}
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts and page.name not in MADE)
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!\\)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
LINKING = [*PAGES, *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"))]


@dataclass
class Block:
    """A fenced block of a page: its language, the words behind it, and what it holds."""

    language: str
    words: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(found[1], found[2], found[3]) for found in FENCE.finditer(page.read_text(encoding="utf-8"))]


def title(page: Path) -> str:
    return str(page.relative_to(DOCS))


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(block.language == "python" for block in blocks(page))], ids=title
)
def test_the_programs_of_a_page_run_and_raise_what_it_says(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    # A module: libraries look up the names of annotations in it.
    module = ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    namespace = module.__dict__
    said = ""
    try:
        for number, block in enumerate(blocks(page)):
            if block.language == "text":
                # The words of an error stand below the program that raises or prints it.
                assert block.text.strip() in re.sub(r" \(/.*", "", said), said
            if block.language != "python" or not _can_run(block):
                continue
            said = _run(block, tmp_path / str(number) / "report.py", namespace) + capsys.readouterr().out
    finally:
        for value in list(namespace.values()):
            if isinstance(value, Execution):
                value.close()


def _can_run(block: Block) -> bool:
    needs = re.findall(r"needs=(\w+)", block.words)
    return all(find_spec(name) for name in needs)


def _run(block: Block, file: Path, namespace: dict) -> str:
    # In a file of its own: the engine reads the source of components.
    file.parent.mkdir()
    file.write_text(block.text, encoding="utf-8")
    code = compile(block.text, str(file), "exec", dont_inherit=True)
    if "raises" not in block.words:
        exec(code, namespace)
        return ""
    with pytest.raises(errors.SmithersError) as caught:
        exec(code, namespace)
    return str(caught.value)


def test_each_mistake_has_the_words_of_its_error_in_its_heading():
    text = (DOCS / "howto" / "mistakes.md").read_text(encoding="utf-8")
    sections = text.split("\n## ")[1:]
    assert len(sections) >= 10
    for section in sections:
        heading, _, body = section.partition("\n")
        message = re.search(r"^```text\n(.*?)^```$", body, re.MULTILINE | re.DOTALL)
        assert message, heading
        for part in heading.replace("\\", "").split("…"):
            assert part.strip() in message[1], heading


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings have, on GitHub and in the documentation."""
    slugs = [
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(FENCE.sub("", text))
    ]
    # Headings in the same words are numbered, from the second one on.
    return {slug + (f"-{again}" if (again := slugs[:place].count(slug)) else "") for place, slug in enumerate(slugs)}


def test_the_anchors_of_headings_are_made_as_where_they_are_shown():
    text = (
        "# One frame, seven phases\n## `a` *b*\n```python\n# no heading\n```\n## Note\n### Note\n## snake_case & co.\n"
    )
    assert anchors(text) == {"one-frame-seven-phases", "a-b", "note", "note-1", "snake_case--co"}


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_of_a_page_is_dead(page):
    for target in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        aim = page.parent / path if path else page
        assert aim.name in MADE or aim.exists(), f"{page.name}: {target}"
        if anchor:
            text = MADE[aim.name]() if aim.name in MADE else aim.read_text(encoding="utf-8")
            assert anchor in anchors(text), f"{page.name}: {target} leads to no heading"


def test_the_reference_has_every_public_name_and_every_error():
    named = [name for names in generated.GROUPS.values() for name in names]
    assert sorted(named) == sorted(set(smithers_nb.__all__) - {"errors", "__version__"})
    assert set(generated.WHAT_TO_DO) == set(errors.__all__)


def test_the_reference_has_every_table():
    schema = (ROOT / "smithers_nb" / "store" / "schema.sql").read_text(encoding="utf-8")
    page = generated.tables()
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == re.findall(r"^CREATE TABLE (\w+)", schema, re.MULTILINE)


def test_the_documentation_has_an_extra_of_its_own():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {re.split(r"[><=]", name)[0] for name in project["optional-dependencies"]["docs"]} == {
        "myst-nb",
        "pydata-sphinx-theme",
        "sphinx",
    }
