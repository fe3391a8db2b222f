"""The release as a user gets it: built, checked, installed where nothing else is, and the first notebook run from it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE_S = 1800.0
"""pip may have to fetch a hundred packages, on a machine that does other things, too."""
IN_SDIST = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "notebooks/01_first_frames.ipynb"}
SYSTEM = "/usr/bin:/bin"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def run(*command: object, cwd: Path, path: str | None = None) -> str:
    """Run a command that must succeed; with ``path``, programs are found there alone."""
    env = dict(os.environ)
    if path is not None:
        env["PATH"] = path
    done = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel, made from the sdist, and the sdist."""
    out = tmp_path_factory.mktemp("dist")
    # Without isolation it asks no index; that hatchling alone builds the package, each installation of it shows.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    [wheel], [sdist] = out.glob("*.whl"), out.glob("*.tar.gz")
    return wheel, sdist


def committed(folder: str) -> set[str]:
    return set(run("git", "ls-files", folder, cwd=ROOT).splitlines())


def runs_the_first_notebook(python: Path, folder: Path) -> None:
    """Run notebook 01 from copies: beside the repository, its package would be imported in place of the installed one."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns("*.db*"))
    script = shutil.copy(ROOT / "tests" / "run_notebook.py", folder)
    bin = str(python.parent)
    assert shutil.which("node", path=bin) is None
    said = run(python, script, "notebooks/01_first_frames.ipynb", cwd=folder, path=bin)
    print(said)
    for shown in ("<Frame 1 after", "<Frame 2 after", "<Frame 3 after", "('finished', "):
        assert shown in said


def test_the_wheel_made_from_the_sdist_has_the_package_and_nothing_else(built: tuple[Path, Path]) -> None:
    wheel, sdist = built
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == committed("smithers_nb")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert inside >= committed("smithers_nb") | IN_SDIST


def test_an_index_accepts_the_description_and_the_metadata(built: tuple[Path, Path]) -> None:
    said = run(sys.executable, "-m", "twine", "check", "--strict", *built, cwd=ROOT)
    assert said.count("PASSED") == 2


def test_the_python_of_binder_is_one_that_the_project_names() -> None:
    [version] = re.findall(r"^python-(3\.\d+)$", (ROOT / "binder" / "runtime.txt").read_text(encoding="utf-8"))
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


@pytest.mark.long
def test_the_wheel_runs_the_first_notebook_where_nothing_else_is(built: tuple[Path, Path], tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", built[0], cwd=tmp_path)
    where = run(python, "-c", "import smithers_nb; print(smithers_nb.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path / "env")
    runs_the_first_notebook(python, tmp_path)


@pytest.mark.long
def test_binder_makes_an_environment_that_runs_the_first_notebook(tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    bin = tmp_path / "env" / "bin"
    run("git", "clone", "--quiet", ROOT, tmp_path / "checkout", cwd=tmp_path)
    run("bash", "binder/postBuild", cwd=tmp_path / "checkout", path=f"{bin}:{SYSTEM}")
    runs_the_first_notebook(bin / "python", tmp_path)
