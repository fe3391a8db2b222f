"""Drive a real JupyterLab in a real, headless Chromium, with Playwright's sync API.

    with Lab(["print(1 + 1)"]) as lab:     # a server, a browser and one open notebook; the kernel is ready
        lab.run_all()                      # every cell has finished (or TimeoutError)
        assert lab.text(0) == "2\n"
        lab.shot("after.png")              # test-output/after.png
        lab.assert_quiet()                 # no console error, no failed and no external request

A `Server` takes 2 s to start, a `browser()` 1 s, and JupyterLab 3 s to load in a page, so tests share all three
(conftest.py) and each test opens notebooks in folders of their own:

    with Server() as server, browser() as chromium:
        page = chromium.new_page()
        with Lab(["1"], server=server, page=page) as lab: ...     # loads JupyterLab
        with Lab(["2"], server=server, page=page) as lab: ...     # a tab in it; takes 1 s
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import psutil
from playwright.sync_api import Browser, ConsoleMessage, Error, Locator, Page, Request, expect, sync_playwright

Notebook = Mapping[str, Any] | Sequence[str] | Path
"""An nbformat dict, a list of cell sources (see `make_notebook`), or a notebook file to copy."""

SHOTS = Path(__file__).parents[2] / "test-output"

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",  # Chromium refuses to start as root with it, and CI is root.
    "--disable-gpu",
    # The rest stops Chromium's own calls home, which a closed network would refuse.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

LABS_OWN_ERRORS = (
    # Logged when a kernel restarts while Lab is still asking it about its debugger.
    "Could not restore the debugger state",
)

LAB_SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    # Lab attaches only the cells near the viewport otherwise, and the others' widgets never render.
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
}

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook"
IDLE = f"{NOTEBOOK}-ExecutionIndicator[data-status='idle']"
DIALOG_BUTTON = ".jp-Dialog button.jp-mod-accept"

PANEL = "window.jupyterapp.shell.currentWidget"

# The idle indicator alone is too early: after opening, Lab may reopen the kernel's socket once and drop what was
# sent. So wait for the session, then for a round trip on a connection that is still there afterwards.
WAIT_KERNEL = """async ([expression, ms]) => {
  const end = performance.now() + ms, nap = t => new Promise(done => setTimeout(done, t));
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.revealed;
  await panel.sessionContext.ready;
  for (;;) {
    const kernel = panel.sessionContext.session?.kernel;
    try {
      if (kernel && kernel.connectionStatus === 'connected') {
        await kernel.info;
        const request = kernel.requestExecute(
          {code: '', silent: true, store_history: false, user_expressions: {it: expression}});
        const reply = await Promise.race([request.done, nap(3000).then(() => { throw new Error('slow'); })]);
        if (kernel === panel.sessionContext.session?.kernel && kernel.connectionStatus === 'connected')
          return reply.content.user_expressions.it.data['text/plain'];
      }
    } catch (error) { /* cancelled by a reconnect: again */ }
    if (performance.now() > end) throw new Error('the kernel was not ready in time');
    await nap(100);
  }
}"""

EVALUATE = """async ([expression, ms]) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const request = kernel.requestExecute(
    {code: '', silent: true, store_history: false, user_expressions: {it: expression}});
  const late = new Promise((_, no) => setTimeout(() => no(new Error('the kernel did not answer in time')), ms));
  return (await Promise.race([request.done, late])).content.user_expressions.it;
}"""

OPEN_TAB = """async path => {
  const panel = await window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'});
  await panel.context.ready;
  window.jupyterapp.shell.activateById(panel.id);
}"""

# Disposed of, not closed: closing asks whether to save.
CLOSE_TAB = """path => {
  for (const panel of [...window.jupyterapp.shell.widgets('main')]) if (panel.context?.path === path) panel.dispose();
}"""

CELL_IS_DONE = """i => {
  const cell = window.jupyterapp.shell.currentWidget.content.widgets[i];
  return !cell.node.classList.contains('jp-mod-running') && cell.model.executionState !== 'running'
    && cell.model.executionCount !== null;
}"""


def make_notebook(cells: Sequence[str], kernel: str = "python3") -> dict[str, Any]:
    """An nbformat dict with one code cell a source; a source that starts with ``md:`` is a markdown cell."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}},
        "cells": [_cell(f"c{i}", source) for i, source in enumerate(cells)],
    }


def _cell(cell_id: str, source: str) -> dict[str, Any]:
    if source.startswith("md:"):
        return {"id": cell_id, "cell_type": "markdown", "metadata": {}, "source": source[3:]}
    code: dict[str, Any] = {"execution_count": None, "outputs": []}
    return {"id": cell_id, "cell_type": "code", "metadata": {}, "source": source, **code}


def find_chromium() -> str:
    """The path of Chromium: ``$CHROMIUM``, else ``chromium`` on the PATH.

    Raises:
        RuntimeError: there is none; the message says what to install.
    """
    # Playwright would download a browser of its own; the distribution's is enough, and works offline.
    name = os.environ.get("CHROMIUM", "chromium")
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(
            f"The browser tests need Chromium, and {name!r} was not found. Run"
            " `apt-get install chromium fonts-dejavu-core`, or set CHROMIUM to a Chromium's path."
        )
    return path


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium. While it is open, `asyncio.run` fails in this thread: Playwright's loop runs in it."""
    executable = find_chromium()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


class Server:
    """A JupyterLab server on a free loopback port, with a HOME, settings and kernels of its own.

    It sees nothing of the user's Jupyter or IPython configuration, and leaves nothing behind.
    """

    def __init__(
        self,
        *,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        kernels: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        python: str = sys.executable,
        app: Literal["lab", "notebook"] = "lab",
    ) -> None:
        """app: JupyterLab, or Notebook 7, which shows one document a page.
        settings: ``{"@jupyterlab/x-extension:plugin": {...}}``, over `LAB_SETTINGS`.
        kernels: ``{kernelspec name: Python executable}``; the default ``python3`` is ``python`` itself."""
        self.root = Path(tempfile.mkdtemp(prefix="lab-"))
        self.work = self.root / "work"
        self.work.mkdir()
        self.token = secrets.token_hex(16)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._python, self.app = python, app
        self._env = {**os.environ, **self._own_directories(), **(env or {})}
        self._write_settings({**LAB_SETTINGS, **(settings or {})})
        self._write_kernels(kernels or {})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def log_text(self) -> str:
        """What the server has logged so far; what kernels print on their own stderr is in it too."""
        log = self.root / "lab.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def close(self) -> None:
        """Ends this server and its kernels, by their process ids, and removes its folder."""
        if self._process is not None:
            _end_tree(self._process)
            self._process = None
        shutil.rmtree(self.root, ignore_errors=True)

    def request(self, method: str, path: str) -> Any:
        """The decoded answer of the server's REST API, e.g. ``request("GET", "api/sessions")``."""
        request = urllib.request.Request(
            f"{self.url}/{path}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            body = response.read()
        return json.loads(body) if body else None

    def _own_directories(self) -> dict[str, str]:
        root = self.root
        return {
            "HOME": str(root),
            "IPYTHONDIR": f"{root}/ipython",
            "JUPYTER_CONFIG_DIR": f"{root}/config",
            "JUPYTER_DATA_DIR": f"{root}/data",
            "JUPYTER_RUNTIME_DIR": f"{root}/run",
            "JUPYTERLAB_SETTINGS_DIR": f"{root}/settings",
            "JUPYTERLAB_WORKSPACES_DIR": f"{root}/workspaces",
            "JUPYTER_PREFER_ENV_PATH": "1",  # The environment's kernel, not one from a user's folder.
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # Else debugpy warns on the stderr of every kernel.
        }

    def _write_settings(self, settings: Mapping[str, Mapping[str, Any]]) -> None:
        for plugin, value in settings.items():
            package, name = plugin.split(":")
            path = self.root / "settings" / package / f"{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value))

    def _write_kernels(self, kernels: Mapping[str, str]) -> None:
        for name, python in kernels.items():
            path = self.root / "data" / "kernels" / name / "kernel.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
            path.write_text(json.dumps({"argv": argv, "display_name": name, "language": "python"}))

    def _start(self, timeout_s: float = 90) -> None:
        module, flags = {"lab": ("jupyterlab", "LabApp"), "notebook": ("notebook", "JupyterNotebookApp")}[self.app]
        command = [
            *(self._python, "-m", module, "--no-browser", "--allow-root", "--ip=127.0.0.1"),
            *(f"--port={self.port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}"),
            f"--ServerApp.root_dir={self.work}",
            f"--{flags}.expose_app_in_browser=True",  # Gives the page window.jupyterapp.
            *("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
        ]
        with (self.root / "lab.log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env=self._env,
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl+C on the tests must not race with our own shutdown.
            )
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"JupyterLab did not start:\n{self.log_text[-3000:]}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        try:
            self.request("GET", "api/status")
        except OSError:
            return False
        return True


class Lab:
    """One notebook, open in JupyterLab.

    Without ``server`` and ``page`` it starts a server and a browser of its own, and closes them. A ``page`` that
    shows this server's JupyterLab already gets the notebook as a tab. A test that changes Lab's settings (the theme,
    say) needs a server of its own: they are the server's, for all. ``python``, ``settings``, ``kernels`` and ``env``
    are `Server`'s.
    """

    def __init__(
        self,
        notebook: Notebook,
        *,
        server: Server | None = None,
        page: Page | None = None,
        files: Mapping[str, str] | None = None,
        viewport: tuple[int, int] = (1280, 900),
        **server_options: Any,
    ) -> None:
        """files: texts to lay beside the notebook, by name."""
        if server is not None and server_options:
            raise TypeError(f"{sorted(server_options)} belong to the server, which was given.")
        self._resources = contextlib.ExitStack()
        self._server_options = server_options
        self._server, self._page = server, page
        self._notebook, self._files, self._viewport = notebook, files or {}, viewport
        self._name = f"nb-{secrets.token_hex(4)}"
        self._kernel_pid: int | None = None
        self.console: list[str] = []
        """Every console message, ``type: text``."""
        self.console_errors: list[str] = []
        self.failed_requests: list[str] = []
        self.external_requests: list[str] = []

    def __enter__(self) -> Lab:
        try:
            self._acquire()
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _acquire(self) -> None:
        if self._server is None:
            self._server = self._resources.enter_context(Server(**self._server_options))
        if self._page is None:
            self._page = self._resources.enter_context(browser()).new_page()
        self._lay_out_folder()
        width, height = self._viewport
        self._page.set_viewport_size({"width": width, "height": height})
        self._resources.callback(self._shut_down_kernels)
        self._resources.enter_context(self._listening(self._page))
        self._resources.callback(self._close_tab)

    def _lay_out_folder(self) -> None:
        self.folder.mkdir()
        for name, text in self._files.items():
            (self.folder / name).write_text(text)
        if isinstance(self._notebook, Path):
            shutil.copy(self._notebook, self.path)
            return
        given = self._notebook
        self.path.write_text(json.dumps(given if isinstance(given, Mapping) else make_notebook(given)))

    @contextlib.contextmanager
    def _listening(self, page: Page) -> Iterator[None]:
        listeners: dict[Any, Callable[[Any], None]] = {
            "console": self._on_console,
            "pageerror": self._on_page_error,
            "requestfailed": self._on_failed_request,
            "request": self._on_request,
        }
        for event, listener in listeners.items():
            page.on(event, listener)
        try:
            yield
        finally:
            for event, listener in listeners.items():
                page.remove_listener(event, listener)

    def _on_console(self, message: ConsoleMessage) -> None:
        self.console.append(f"{message.type}: {message.text}")
        if message.type == "error" and not message.text.startswith(LABS_OWN_ERRORS):
            self.console_errors.append(message.text)

    def _on_page_error(self, error: Error) -> None:
        self.console_errors.append(f"pageerror: {error}")

    def _on_failed_request(self, request: Request) -> None:
        # Lab gives up saving its layout when the page is left, or the layout is another by then.
        if "/lab/api/workspaces/" in request.url and request.failure == "net::ERR_ABORTED":
            return
        self.failed_requests.append(f"{request.method} {request.url}: {request.failure}")

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith((self.server.url, "data:", "blob:")):
            self.external_requests.append(request.url)

    def _close_tab(self) -> None:
        with contextlib.suppress(Error):  # A page that crashed or navigated away has nothing to close.
            self.page.evaluate(CLOSE_TAB, f"{self._name}/nb.ipynb")

    def _shut_down_kernels(self) -> None:
        """Ends this notebook's kernels only; a server that is gone already has ended them."""
        with contextlib.suppress(OSError):
            for session in self.server.request("GET", "api/sessions"):
                if session["path"].startswith(f"{self._name}/"):
                    self.server.request("DELETE", f"api/sessions/{session['id']}")

    # ---- what it is made of

    @property
    def server(self) -> Server:
        assert self._server is not None, "use `with Lab(...) as lab`"
        return self._server

    @property
    def page(self) -> Page:
        """Playwright's page, for locators; JUPYTER.md's traps apply."""
        assert self._page is not None, "use `with Lab(...) as lab`"
        return self._page

    @property
    def folder(self) -> Path:
        """The notebook's own folder: its kernel's working directory."""
        return self.server.work / self._name

    @property
    def path(self) -> Path:
        return self.folder / "nb.ipynb"

    def close(self) -> None:
        """Closes the notebook and ends its kernel; then the browser and the server, where they are its own."""
        self._resources.close()

    def open(self, timeout_s: float = 90) -> Page:
        """Opens the notebook, in a JupyterLab that the page shows already or else in a new one; the kernel is ready."""
        self.page.set_default_timeout(timeout_s * 1000)
        expect.set_options(timeout=30_000)  # Its own 5 s are too short for a busy machine.
        if self.page.url.startswith(self.server.url):
            self.page.evaluate(OPEN_TAB, f"{self._name}/nb.ipynb")
            return self._opened(timeout_s)
        return self.reload(timeout_s)

    def reload(self, timeout_s: float = 90) -> Page:
        """Loads JupyterLab anew with this notebook alone, as saved; its kernel, if it has one, goes on."""
        if self.server.app == "notebook":
            self.page.goto(f"{self.server.url}/notebooks/{self._name}/nb.ipynb?token={self.server.token}")
            self.page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.context")
            return self._opened(timeout_s)
        # A workspace of its own: else Lab reopens the tabs of the notebook that was here before.
        self.page.goto(
            f"{self.server.url}/lab/workspaces/{self._name}/tree/{self._name}/nb.ipynb?token={self.server.token}&reset"
        )
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        return self._opened(timeout_s)

    def _opened(self, timeout_s: float) -> Page:
        self.page.wait_for_selector(f"{NOTEBOOK} .jp-Cell")
        self.wait_kernel(timeout_s)
        return self.page

    # ---- the kernel

    def wait_kernel(self, timeout_s: float = 60) -> None:
        """Returns once the kernel answers on a connection that stays."""
        pid = self.page.evaluate(WAIT_KERNEL, ["__import__('os').getpid()", timeout_s * 1000])
        self._kernel_pid = int(pid)
        self.wait_idle(timeout_s)

    def wait_idle(self, timeout_s: float = 60) -> None:
        if self.server.app == "notebook":  # It has no such mark.
            idle = f"() => {PANEL}.sessionContext.session?.kernel?.status === 'idle'"
            self.page.wait_for_function(idle, timeout=timeout_s * 1000)
        else:
            self.page.wait_for_selector(IDLE, state="attached", timeout=timeout_s * 1000)

    def evaluate(self, expression: str, timeout_s: float = 30) -> str:
        """The repr of a Python expression in the kernel's namespace; it waits for a running cell."""
        answer = self.page.evaluate(EVALUATE, [expression, timeout_s * 1000])
        if answer["status"] != "ok":
            raise RuntimeError(f"{expression}: {answer['ename']}: {answer['evalue']}")
        return str(answer["data"]["text/plain"])

    def kernel_pid(self) -> int:
        """The process id of the kernel that answered `wait_kernel` last; known also while a cell blocks it."""
        assert self._kernel_pid is not None
        return self._kernel_pid

    def interrupt(self) -> None:
        self.command("notebook:interrupt-kernel")

    def restart_kernel(self, timeout_s: float = 60) -> None:
        """Restarts the kernel (no dialog asks) and returns once the new one answers."""
        self.page.evaluate(f"() => {PANEL}.sessionContext.restartKernel().then(() => true)")
        self.wait_kernel(timeout_s)

    def kill_kernel(self) -> int:
        """Kills the kernel as a crash would (SIGKILL) and returns the process id that it had.

        The server starts another one 3 s or so later, and Lab says so in a dialog: `dismiss_dialog`, `wait_kernel`.
        """
        pid = self.kernel_pid()
        process = psutil.Process(pid)
        process.kill()
        deadline = time.monotonic() + 10
        # The server reaps it; until then it is a zombie, and dead all the same.
        while psutil.pid_exists(pid) and _status(process) != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
            time.sleep(0.02)
        return pid

    def shutdown_kernel(self) -> None:
        """Leaves the notebook open without a kernel; nothing starts one again."""
        self.page.evaluate(f"() => {PANEL}.sessionContext.shutdown().then(() => true)")

    def dismiss_dialog(self, timeout_s: float = 30) -> str:
        """Waits for Lab's next dialog, accepts it, and returns what it said."""
        button = self.page.locator(DIALOG_BUTTON)
        button.wait_for(timeout=timeout_s * 1000)
        said = self.page.locator(".jp-Dialog-content").inner_text()
        button.click()
        self.page.locator(".jp-Dialog").wait_for(state="detached")
        return said

    # ---- cells

    def command(self, name: str, args: Mapping[str, Any] | None = None) -> None:
        """Runs a JupyterLab command and returns when its promise has settled."""
        script = "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => true)"
        self.page.evaluate(script, [name, dict(args or {})])

    def run_all(self, timeout_s: float = 120) -> None:
        self.page.evaluate(
            """ms => Promise.race([
              window.jupyterapp.commands.execute('notebook:run-all-cells'),
              new Promise((_, no) => setTimeout(() => no(new Error('run-all timed out')), ms)),
            ]).then(() => true)""",
            timeout_s * 1000,
        )
        self.wait_idle(timeout_s)

    def start_cell(self, index: int) -> None:
        """Starts one cell and returns at once."""
        self.page.evaluate(
            """i => {
              const panel = window.jupyterapp.shell.currentWidget;
              panel.content.activeCellIndex = i;
              panel.content.widgets[i].model.executionCount = null;  // So that its next value means: has run again.
              window.jupyterapp.commands.execute('notebook:run-cell');
            }""",
            index,
        )

    def run_cell(self, index: int, timeout_s: float = 60) -> None:
        self.start_cell(index)
        self.wait_cell(index, timeout_s)

    def wait_cell(self, index: int, timeout_s: float = 60) -> None:
        """Returns once a cell that was started has finished."""
        self.page.wait_for_function(CELL_IS_DONE, arg=index, timeout=timeout_s * 1000)

    def cell(self, index: int) -> Locator:
        """One cell; its widgets are under ``.jp-OutputArea-output``."""
        return self.page.locator(f"{NOTEBOOK} .jp-Cell").nth(index)

    def outputs(self, index: int) -> list[dict[str, Any]]:
        """The cell's outputs as nbformat dicts, from the document model: the DOM may lag, or hold only a part."""
        outputs = self.page.evaluate(f"i => {PANEL}.content.widgets[i].model.outputs?.toJSON() ?? []", index)
        assert isinstance(outputs, list)
        return outputs

    def wait_output(self, index: int, text: str, timeout_s: float = 30) -> None:
        """Returns once a text is somewhere in the cell's outputs."""
        self.page.wait_for_function(
            f"([i, text]) => JSON.stringify({PANEL}.content.widgets[i].model.outputs.toJSON()).includes(text)",
            arg=[index, text],
            timeout=timeout_s * 1000,
        )

    def text(self, index: int) -> str:
        """The cell's outputs as one text: streams, text/plain and tracebacks."""
        return "".join(_text_of(output) for output in self.outputs(index))

    def save(self) -> dict[str, Any]:
        """Saves the notebook and returns the file's content."""
        self.command("docmanager:save")
        saved = json.loads(self.path.read_text())
        assert isinstance(saved, dict)
        return saved

    # ---- judging

    def shot(self, name: str) -> Path:
        """Saves a screenshot as ``test-output/<name>`` (git-ignored) and returns its path."""
        SHOTS.mkdir(exist_ok=True)
        path = SHOTS / name
        self.page.screenshot(path=str(path))
        return path

    def assert_quiet(self) -> None:
        """Nothing went wrong unseen: no console error, no failed request, no request to another host."""
        noise = {
            "console errors": self.console_errors,
            "failed requests": self.failed_requests,
            "external requests": self.external_requests,
        }
        assert not any(noise.values()), "\n".join(f"{kind}: {lines}" for kind, lines in noise.items() if lines)


def _text_of(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "stream":
        return "".join(output["text"])
    if output["output_type"] == "error":
        return "\n".join(output["traceback"])
    return "".join(output["data"].get("text/plain", "")) + "\n"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def _status(process: psutil.Process) -> str:
    try:
        return str(process.status())
    except psutil.NoSuchProcess:
        return str(psutil.STATUS_ZOMBIE)


def _end_tree(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM lets the server end its kernels; those that outlive it (they lead sessions of their own) are killed."""
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        children = []
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
