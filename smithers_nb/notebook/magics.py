"""``%%smithers``: a cell defines a tree of components, and shows its stepper. ``%smithers``: commands, as words."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar

from IPython.core.error import UsageError
from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.display import display as _display
from IPython.utils.text import DollarFormatter

from ..agents.imports import imports
from ..engine.user_code.purity import anything_may_have_changed
from ..errors import AgentConfigError, StoreError, kind_of
from ..execution import Execution, run_behind
from ..recording import FrameView, History, Store
from ..records import Frame, RunResult
from ..syntax.compile import cell_filename
from ..syntax.transpile import transpile
from . import static_view, subcommands
from .cells import executed, parsed
from .embedded import Embedded, is_asked
from .line import Line
from .options import CellOptions, OptionError, cell_options, offered, usage
from .root import Root, bound_names, root_of
from .stepper import Stepper

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..agents.dbos import DbosRunner

PYTHON = "It is a Python expression: names stand in it without braces."


EMBEDDED = Embedded()
"""The pages below the steppers of this notebook."""


def _show(ex: Execution) -> None:
    _show_stepper(Stepper(ex))


def _show_stepper(stepper: Stepper, *, embed: bool = False) -> None:
    """Display the widget, and as outputs of their own the static page and, with ``embed``, the run as a page."""
    data, metadata = stepper._repr_mimebundle_()
    note = "The stepper needs its kernel. Below is how the execution stood."
    _display({**data, "text/html": f"<p>{note}</p>"}, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
    # An output of its own: of the first one, Lab shows the widget only, and "model not found" in a saved notebook.
    handle = _display({"text/html": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
    if handle is not None:
        stepper.keep_page(lambda html: handle.update({"text/html": html}, raw=True))
    if embed or is_asked():
        page = _display({"text/html": ""}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        if page is not None:
            EMBEDDED.add(stepper.execution, lambda html: page.update({"text/html": html}, raw=True))


def _show_text(text: str) -> None:
    _display({"text/plain": text}, raw=True)  # type: ignore[no-untyped-call]  # IPython's


def load(shell: InteractiveShell, names: dict[str, Any]) -> None:
    """Register the magic and the reprs, and put the public names into the notebook."""
    magics = SmithersMagics(shell, names)
    shell.register_magics(magics)
    magics.provide_names()
    if not shell.custom_exceptions:  # IPython has one place for this; who has taken it, keeps it.
        shell.set_custom_exc((SyntaxError,), magics.show_syntax_error)  # type: ignore[no-untyped-call]  # IPython's
    shell.set_hook("complete_command", magics.complete, str_key="%smithers")  # type: ignore[no-untyped-call]  # IPython's
    shell.set_hook("complete_command", magics.complete_cell, str_key="%%smithers")  # type: ignore[no-untyped-call]
    # What a cell imports may be a part of what is being imported in the background.
    shell.events.register("pre_run_cell", _settle_imports)
    # A cell may have changed anything that a component reads.
    shell.events.register("post_run_cell", lambda *_result: anything_may_have_changed())
    # Before the cell is done: nbconvert takes no output that comes later.
    shell.events.register("post_run_cell", lambda *_result: EMBEDDED.write())
    formatter = shell.display_formatter
    if formatter is None:  # A shell that displays nothing.
        return
    html, plain = formatter.formatters["text/html"], formatter.formatters["text/plain"]
    html.for_type(Frame, static_view.frame_html)
    html.for_type(FrameView, static_view.view_html)
    html.for_type(RunResult, static_view.result_html)
    plain.for_type(Frame, lambda frame, printer, _cycle: printer.text(static_view.frame_text(frame)))
    plain.for_type(CoroutineType, lambda made, printer, _cycle: printer.text(_with_advice(made, shell.user_ns)))
    formatter.ipython_display_formatter.for_type(Execution, _show)
    formatter.ipython_display_formatter.for_type(Stepper, _show_stepper)


def _with_advice(made: CoroutineType[Any, Any, Any], names: Mapping[str, object]) -> str:
    """Return the repr of a coroutine, and for a method of an execution what to write: as it stands, nothing runs."""
    frame = made.cr_frame
    ex = None if frame is None else frame.f_locals.get("self")
    if frame is None or not isinstance(ex, Execution) or made.cr_running:
        return repr(made)
    # By the cell's name, where it is not another variable.
    name = ex.name if names.get(ex.name) is ex else "ex"
    method = frame.f_code.co_name
    return (
        f"{made!r}\nNothing has run: {name}.{method}() needs an await before it. Write: await {name}.{method}(), "
        f"or {name}.{method}_sync(), which needs none."
    )


def _settle_imports(cell: Any) -> None:  # Any: IPython's ExecutionInfo
    if "import" in (cell.raw_cell or ""):
        imports.settle()


@magics_class
class SmithersMagics(Magics):
    """The magics of smithers_nb."""

    shell: InteractiveShell
    _unparsed: ClassVar[SyntaxError | None] = None
    """The error of the last cell that could not be parsed."""
    # On the class: after %reload_ext IPython still calls the handler of the old magics.

    def __init__(self, shell: InteractiveShell, names: dict[str, Any]) -> None:
        super().__init__(shell)
        self._names = names
        # In the place of the line, as %load does: run again, the cell is the exercise, and not a second copy of it.
        self._line = Line(shell.user_ns, _show_text, lambda text: shell.set_next_input(text, replace=True))

    def provide_names(self) -> None:
        """Define the public names that the notebook has not defined itself."""
        for name, value in self._names.items():
            self.shell.user_ns.setdefault(name, value)

    @cell_magic
    @no_var_expand
    def smithers(self, line: str, cell: str) -> object:
        """Define a workflow, bind its execution, and show its stepper. Nothing is executed until you step."""
        try:
            options = cell_options(line, self._names, self._expanded)
        except OptionError as error:
            raise UsageError(f"%%smithers: {error}") from None
        source = f"\n{cell}"  # The %%smithers line is line 1, as in Lab's gutter.
        if options.show == "code":
            _show_text(transpile(source, cell_filename(options.name, source)).code.strip("\n"))
            return None
        names = self.shell.user_ns
        if not options.dry and options.branch is None:
            # Before it is run: %smithers check also says of a cell what keeps it from running.
            self._line.variables.cells[options.name] = cell
        if options.dry:
            # A copy: the execution's own code finds its names in the notebook, and must not find edited ones there.
            self.provide_names()
            names = dict(names)
        app = self._define(options, source, names)
        if options.dry or options.branch is not None:
            return self._edited(options, app)
        bind = self._kept if options.keep else self._fresh
        ex = bind(options, app)
        if not options.quiet:
            _show_as(ex, options)
        return None

    smithers.__doc__ = f"{smithers.__doc__}\n\n{usage()}"

    def _expanded(self, text: str) -> str:
        """Return text with ``{name}`` and ``$name`` replaced as by IPython: left as it is where that fails."""
        try:
            return DollarFormatter().vformat(text, [], self.shell.user_ns)
        except Exception:  # noqa: BLE001  # the expressions are the user's
            return text

    @line_magic("smithers")  # type: ignore[arg-type]  # IPython's annotation finds no type for the method
    def command(self, line: str) -> object:
        """Step, run, look at and steer the executions of this notebook."""
        try:
            return self._line.do(line)
        except (OptionError, StoreError) as error:
            raise UsageError(str(error)) from None

    command.__doc__ = f"{command.__doc__}\n\n{subcommands.usage()}"  # type: ignore[assignment]  # as above

    def complete(self, _completer: object, event: Any) -> list[str]:  # Any: IPython's event, an untyped bag
        """Return what Tab offers after ``%smithers``."""
        return self._line.complete(event.text_until_cursor)

    def complete_cell(self, _completer: object, event: Any) -> list[str]:  # Any: as above
        """Return what Tab offers on a ``%%smithers`` line."""
        return offered(event.text_until_cursor)

    def show_syntax_error(self, shell: InteractiveShell, kind: Any, error: SyntaxError, tb: Any, **_: Any) -> None:
        """Show a cell's own syntax error as IPython does one of a plain cell: without the way through this magic."""
        if error is self._unparsed:
            shell.showsyntaxerror()  # type: ignore[no-untyped-call]  # IPython's
        else:
            shell.showtraceback((kind, error, tb), running_compiled_code=True)

    def _fresh(self, options: CellOptions, app: object) -> Execution:
        """Return a new execution of the app, or the one that is resumed, in the place of the old one."""
        old = self.shell.user_ns.get(options.name)
        if isinstance(old, Execution) and options.resume:
            old.close()  # It may be the one that is resumed.
        ex = self._execution(options, app)
        # The definition is checked before it is bound: a plan that can't be rendered fails the cell.
        try:
            ex.preview()
        except BaseException:
            ex.close()
            raise
        if isinstance(old, Execution) and not options.resume:
            _end(old)
        self.shell.user_ns[options.name] = ex
        self._line.variables.last = options.name
        _move(ex, options)
        return ex

    def _kept(self, options: CellOptions, app: object) -> Execution:
        """Put the app under the state of the execution that the name is bound to."""
        ex = self.shell.user_ns.get(options.name)
        if not isinstance(ex, Execution):
            raise UsageError(
                f"%%smithers --keep: {options.name!r} is no execution yet. Run the cell without --keep first."
            )
        ex.swap(app, self._props(options))
        _move(ex, options)
        return ex

    def _edited(self, options: CellOptions, app: object) -> object:
        """Return how the recorded frames of the execution differ with this app, or show a branch with it."""
        execution = self._recorded_as(options)
        again = execution.rerender(app, props=self._props(options))
        if options.dry:
            if isinstance(execution, Execution):
                run_behind(execution).edit(again)
            return again
        first = next((frame for frame in again.frames if frame.frame == again.first), None)
        if first is not None and first.error:
            again.changes(first.frame)  # It raises the error, with its traceback into the cell.
        branch = again.fork(options.branch or None, allow_repeat=options.allow_repeat)
        name = options.branch
        if name:
            self.shell.user_ns[name] = branch
            self._line.variables.last = name
        else:
            name = self._line.variables.bind(branch)
        _move(branch, options)
        if not options.quiet:
            # A line a sentence: Lab breaks long lines of plain text within words.
            lines = [f"{name} is the execution {branch.name!r}, a branch of {options.name}."]
            _show_text("\n".join([*lines, *again.sentences, *branch.notes]))
            _show_as(branch, options)
        return None

    def _recorded_as(self, options: CellOptions) -> Execution | History:
        """Return the execution of this name: the variable's, or the newest of the file."""
        ex = self.shell.user_ns.get(options.name)
        if isinstance(ex, Execution):
            return ex
        try:
            return Store(options.db).open(options.name)
        except StoreError as error:
            what = "--dry" if options.dry else "--branch"
            raise UsageError(
                f"%%smithers {what}: {options.name!r} is no execution of this notebook, and {error}"
            ) from error

    def _define(self, options: CellOptions, source: str, names: dict[str, Any]) -> object:
        """Run the cell's code with these names, and return the root of its tree."""
        if inner := re.match(r"(?:\s*(?:#.*)?\n)*(%%\w+)", source):
            raise UsageError(
                f"%%smithers: {inner[1]} stands below %%smithers, whose cell is no other magic's. Write {inner[1]} on "
                "the line above it."
            )
        self.provide_names()
        try:
            parts = parsed(source, cell_filename(options.name, source), self.shell.transform_cell)
        except SyntaxError as error:
            SmithersMagics._unparsed = error
            raise error.with_traceback(None)  # noqa: B904  # The way through the transpiler tells the user nothing.
        if options.name in bound_names(parts.tree):
            raise UsageError(
                f"%%smithers: the cell binds {options.name!r} itself, and its execution would take that place. Give "
                "the execution another name."
            )
        value = executed(parts, names)
        if options.root is not None:
            return self._named(options.root, names)
        try:
            return root_of(source, parts.tree, value, names)
        except OptionError as error:
            raise UsageError(f"%%smithers: {error}") from None

    def _named(self, name: str, names: dict[str, Any]) -> object:
        found = names.get(name)
        if not isinstance(found, Root):
            raise UsageError(f"%%smithers: --root {name} is no component or node of this notebook.")
        return found

    def _props(self, options: CellOptions) -> dict[str, Any] | None:
        if not options.props:
            return None
        try:
            found = eval(options.props, self.shell.user_ns)  # the user's own
        except Exception as error:  # noqa: BLE001  # an expression of the user's, on the magic's own line
            raise UsageError(
                f"%%smithers: --props {options.props}: {type(error).__name__}: {error}. {PYTHON}"
            ) from None
        if not isinstance(found, dict):
            raise UsageError(f"%%smithers: --props is a dict of props, not {kind_of(found)}. {PYTHON}")
        return found

    def _execution(self, options: CellOptions, app: object) -> Execution:
        props = self._props(options)
        if options.resume:
            return self._resumed(options, app, props)
        try:
            return Execution(
                app,
                name=options.name,
                store=options.db,
                props=props,
                max_frames=options.max_frames,
                runner=self._runner(options),
            )
        except StoreError as error:
            raise UsageError(f"%%smithers: {error}") from error

    def _runner(self, options: CellOptions) -> DbosRunner | None:
        """Return the runner whose workers the line names."""
        if options.runner is None:
            return None
        from ..agents.dbos import DbosRunner

        try:
            return DbosRunner(options.runner, send_code=options.send_code)
        except (ValueError, AgentConfigError) as error:
            raise UsageError(f"%%smithers --runner: {error}") from error

    def _resumed(self, options: CellOptions, app: object, props: dict[str, Any] | None) -> Execution:
        try:
            file = Store(options.db)
            id = subcommands.unfinished(file, options.name).execution_id
            return Execution.resume(
                app, store=file, id=id, props=props, max_frames=options.max_frames, runner=self._runner(options)
            )
        except (OptionError, StoreError) as error:
            raise UsageError(f"%%smithers --resume: {error}") from error


def _end(ex: Execution) -> None:
    """Close an execution for good: a fresh one has taken its place, which it must not fail by how it ends."""
    try:
        if not ex.over and not run_behind(ex).closed:
            ex.terminate()
    except StoreError as error:
        logger.warning("%s could not be terminated: %s", ex.name, error)
    ex.close()


def _show_as(ex: Execution, options: CellOptions) -> None:
    if options.show == "xml":
        _show_text(ex.preview().xml)
    elif options.show == "tree":
        _show_text("\n".join(_outline(ex.preview().roots, 0)))
    else:
        _show_stepper(Stepper(ex, predict=options.predict, learner=options.learner), embed=options.embed)


def _move(ex: Execution, options: CellOptions) -> None:
    if options.step:
        subcommands.order(ex, "step_frame", frames=options.step)
    if options.run:
        subcommands.order(ex, "continue")


def _outline(nodes: Any, depth: int) -> list[str]:
    lines = []
    for node in nodes:
        lines.append(f"{'  ' * depth}{node.type} {_named_as(node)}".rstrip())
        lines += _outline(node.children, depth + 1)
    return lines


def _named_as(node: Any) -> str:
    """Return the key, id, name or text of a node: the first that it has."""
    if node.key:
        return str(node.key)
    if node.explicit_id:
        return str(node.id)
    return node.props.get("name") or re.sub(r"\s+", " ", node.text or "")[:60]
