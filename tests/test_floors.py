"""Who may import whom (CONTRIBUTING.md, "The house"). An import in a function counts; one for typing only doesn't."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Set
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENTRANCES = ["smithers_nb", "smithers_nb.notebook.magics", "smithers_nb.__main__", "smithers_nb.pytest_plugin"]

FLOORS = {
    **dict.fromkeys(["arguments", "errors", "version"], 0),
    **dict.fromkeys(
        [
            "identity",
            "credentials",
            "records",
            "typed",
            "values",
            "captured",
            "printing",
            "artifacts",
            "threads",
            "user_code",
            "nodes",
            "syntax",
        ],
        1,
    ),
    **dict.fromkeys(["store", "agents"], 2),
    **dict.fromkeys(["engine", "history"], 3),
    **dict.fromkeys(
        [
            *("execution", "run", "commands", "fork", "recording", "replay", "breakpoints", "bridge"),
            *(
                "rerender",
                "rendering",
                "what_if",
                "needs",
                "edits",
                "sweeps",
                "looks",
                "steering",
                "player",
                "predicting",
                "classroom",
            ),
        ],
        4,
    ),
    **dict.fromkeys(["notebook", "cli", "mcp", "exercises", "__main__", "pytest_plugin"], 5),
    **dict.fromkeys([""], 6),  # smithers_nb/__init__.py
}

# (who, must not import, but may import, why): patterns of names without the leading "smithers_nb.".
PURITY = ["engine.user_code.context", "engine.user_code.scope", "engine.user_code.purity", "engine.rendered"]
KEPT_APART = [
    ("store*", "agents*", [], "the doors to the outside don't import each other"),
    ("agents*", "store*", [], "the doors to the outside don't import each other"),
    ("history*", "engine*", [], "what looks at a run needs no engine"),
    ("engine.phases.?*", "engine.phases.?*", [], "phase files never import one another"),
    *(
        (f"engine.phases.{phase}", above, PURITY, f"{phase} is pure: floors 0 and 1, {' and '.join(PURITY)} only")
        for phase in ("render", "reconcile")
        for above in ("store*", "agents*", "engine*")
    ),
]

# (outside packages, the only place that imports them, at most so many modules of it)
DOORS = [
    (["pandas"], "store.frames", 1),
    (["matplotlib"], "store.plots", 1),
    (["tqdm"], "sweeps.progress", 1),
    (["pydantic_evals"], "sweeps.scores", 1),
    (["pydantic_ai", "opentelemetry"], "agents.*", 9),
    (["IPython"], "notebook.*", 1),
    (["ipywidgets", "anywidget"], "notebook.*", 1),
    (["mcp"], "mcp.server", 1),
    (["sqlite3", "aiosqlite"], "store*", 99),
]

FILES = {
    ".".join(file.with_suffix("").parts).removesuffix(".__init__"): file
    for file in (path.relative_to(ROOT) for path in sorted((ROOT / "smithers_nb").rglob("*.py")))
}
TREES = {module: ast.parse((ROOT / file).read_text()) for module, file in FILES.items()}


def short(module: str) -> str:
    return module.removeprefix("smithers_nb").removeprefix(".")


def floor(name: str) -> int:
    return FLOORS.get(name.split(".")[0], -1)


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those below `if TYPE_CHECKING:`."""
    yield node
    typing_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    for child in node.orelse if isinstance(node, ast.If) and typing_only else ast.iter_child_nodes(node):
        yield from running(child)


def imported(module: str, node: ast.AST) -> list[str]:
    """The modules that one node imports; `from package import submodule` means the submodule."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        inside = module.split(".") + ["__init__"] * (FILES[module].name == "__init__.py")
        base = ".".join([*(inside[: -node.level] if node.level else []), *filter(None, [node.module])])
        return [full if (full := f"{base}.{alias.name}") in FILES else base for alias in node.names]
    if isinstance(node, ast.Constant) and node.value in FILES and node.value != "smithers_nb":
        return [str(node.value)]  # A lazy import by name: `import_module("smithers_nb.execution")`, or a table of them.
    return []


IMPORTS = [
    (module, target, f"{FILES[module]}:{getattr(node, 'lineno', 1)}")
    for module, tree in TREES.items()
    for node in running(tree)
    for target in imported(module, node)
]
INNER = [(short(module), short(target), at) for module, target, at in IMPORTS if target in FILES and target != module]


def none(broken: Iterable[str]) -> None:
    assert not (lines := sorted(set(broken))), "\n" + "\n".join(lines)


def test_every_module_has_a_floor() -> None:
    none(f"{FILES[module]}:1: {module} has no floor in FLOORS" for module in FILES if floor(short(module)) < 0)


def test_imports_run_downward_only() -> None:
    broken = [(a, b, at) for a, b, at in INNER if floor(a) < floor(b)]
    none(f"{at}: {a} (floor {floor(a)}) imports {b or 'smithers_nb'} (floor {floor(b)})" for a, b, at in broken)


@pytest.mark.parametrize(("who", "what", "but", "why"), KEPT_APART)
def test_modules_are_kept_apart(who: str, what: str, but: list[str], why: str) -> None:
    broken = [(a, b, at) for a, b, at in INNER if fnmatch(a, who) and fnmatch(b, what) and b not in but]
    none(f"{at}: {a} imports {b}; {why}" for a, b, at in broken)


@pytest.mark.parametrize(("packages", "place", "most"), DOORS)
def test_an_outside_package_has_one_door(packages: list[str], place: str, most: int) -> None:
    found = [(short(module), target, at) for module, target, at in IMPORTS if target.split(".")[0] in packages]
    none(f"{at}: {a} imports {target}; only {place} may" for a, target, at in found if not fnmatch(a, place))
    if len({a for a, _, _ in found}) > most:
        none(f"{at}: {a} imports {target}; at most {most} module may" for a, target, at in found)


def circles(edges: Mapping[str, Set[str]]) -> list[set[str]]:
    """Return the groups of modules that import each other, directly or through others."""
    reached: dict[str, set[str]] = {}
    for start in edges:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            new = edges.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        reached[start] = found
    groups = {frozenset(b for b in reached[a] if a in reached.get(b, ())) for a in edges if a in reached[a]}
    return [set(group) for group in groups]


def test_no_circle_has_more_than_two_modules() -> None:
    edges: dict[str, set[str]] = {}
    for module, tree in TREES.items():
        for node in ast.walk(tree):  # Those below `if TYPE_CHECKING:`, too: they tie readers' hands as the others do.
            edges.setdefault(module, set()).update(t for t in imported(module, node) if t in FILES and t != module)
    none(f"these import each other: {', '.join(sorted(found))}" for found in circles(edges) if len(found) > 2)


def test_every_module_is_reached() -> None:
    reached: set[str] = set()
    waiting = list(ENTRANCES)
    while waiting:
        if (module := waiting.pop()) in FILES and module not in reached:
            reached.add(module)
            waiting += [target for source, target, _ in IMPORTS if source == module]
            waiting.append(module.rpartition(".")[0])  # Its package's __init__ runs first.
    none(f"{FILES[module]}:1: {module} is not reached from {ENTRANCES}" for module in FILES if module not in reached)


FACES = {
    *(
        "Execution",
        "Store",
        "Recording",
        "History",
        "FrameView",
        "DataFrames",
        "Stepper",
        "BreakpointsApi",
        "Context",
        "StateApi",
    ),
    *("Sweep", "QueryApi", "FileApi", "ArtifactApi", "Signal", "Computed", "Scripted", "Artifact"),
}
"""Classes whose methods users call."""
CALLED_FROM_OUTSIDE = {"load_ipython_extension", "on_event", "pytest_addoption", "writelines"}
"""By IPython, by pydantic-ai, by pytest, and by whoever prints."""
TERMINAL = "smithers_nb.cli.shown"
"""The one module that prints: the command line's output."""
CLASSES = {node.name for tree in TREES.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def names_in(node: ast.AST) -> str:
    """The name that a node speaks of; a text may be one that is looked up."""
    text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
    return getattr(node, "id", None) or getattr(node, "attr", None) or text


def called_by_others(owner: ast.ClassDef | None, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether users call it, or the class that it overrides, or the decorator that registers it."""
    if owner is None:
        return bool(function.decorator_list)
    return owner.name in FACES or any(ast.unparse(base).split("[")[0] not in CLASSES for base in owner.bases)


def test_every_public_function_is_reached() -> None:
    used = {names_in(node) for tree in TREES.values() for node in ast.walk(tree)}
    broken = []
    for module, tree in TREES.items():
        owners = {id(m): node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for m in node.body}
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or node.name[0] == "_":
                continue
            if node.name not in used | CALLED_FROM_OUTSIDE and not called_by_others(owners.get(id(node)), node):
                broken.append(f"{FILES[module]}:{node.lineno}: nothing calls {node.name}")
    none(broken)


def test_nothing_prints() -> None:
    nodes = [(module, node) for module, tree in TREES.items() for node in ast.walk(tree) if isinstance(node, ast.Name)]
    others = [(module, node) for module, node in nodes if module != TERMINAL]
    none(f"{FILES[m]}:{node.lineno}: print; use logging" for m, node in others if node.id == "print")
