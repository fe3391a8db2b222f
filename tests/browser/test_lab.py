"""The driver itself, on plain notebooks: what the widget's own tests rely on."""

from __future__ import annotations

import psutil
import pytest

from tests.browser.conftest import OpenLab
from tests.browser.lab import find_chromium

COUNTER = """
import anywidget, traitlets

class Counter(anywidget.AnyWidget):
    _esm = '''
    function render({ model, el }) {
      const button = document.createElement("button");
      const show = () => { button.textContent = `count ${model.get("value")}`; };
      button.onclick = () => model.send({ kind: "click" });
      model.on("change:value", show);
      show();
      el.append(button);
    }
    export default { render };
    '''
    value = traitlets.Int(0).tag(sync=True)

    def __init__(self):
        super().__init__()
        self.on_msg(lambda _widget, message, _buffers: setattr(self, "value", self.value + 1))

counter = Counter()
counter
"""


def test_a_click_reaches_python_and_its_answer_reaches_the_page(lab: OpenLab) -> None:
    nb = lab(["print(6 * 7)", COUNTER, "counter.value"])
    nb.run_all()
    assert nb.text(0) == "42\n"

    button = nb.cell(1).get_by_role("button", name="count")
    for expected in ("count 1", "count 2"):
        button.click()
        nb.page.get_by_role("button", name=expected, exact=True).wait_for()
    assert nb.evaluate("counter.value") == "2"
    nb.run_cell(2)
    assert nb.text(2) == "2\n"
    assert nb.save()["cells"][2]["outputs"][0]["data"]["text/plain"] in ("2", ["2"])
    assert nb.shot("test_lab.png").stat().st_size > 10_000


def test_a_notebook_has_a_folder_and_the_only_kernel_of_its_own(lab: OpenLab) -> None:
    nb = lab(["open('note.txt').read()"], files={"note.txt": "beside it"})
    nb.run_all()
    assert nb.text(0) == "'beside it'\n"
    assert nb.evaluate("__import__('os').getpid()") == str(nb.kernel_pid())
    assert [session["path"] for session in nb.server.request("GET", "api/sessions")] == [f"{nb.folder.name}/nb.ipynb"]


def test_a_restarted_kernel_is_a_new_process_that_answers(lab: OpenLab) -> None:
    nb = lab(["x = 1", "'x' in globals()"])
    nb.run_cell(0)
    before = nb.kernel_pid()
    nb.restart_kernel()
    assert nb.kernel_pid() != before
    assert not psutil.pid_exists(before)
    nb.run_cell(1)
    assert nb.text(1) == "False\n"


def test_a_killed_kernel_is_noticed_and_replaced(lab: OpenLab) -> None:
    nb = lab(["1"], quiet=False)
    killed = nb.kill_kernel()
    assert "restart automatically" in nb.dismiss_dialog()
    nb.wait_kernel()
    assert nb.kernel_pid() != killed


def test_a_missing_chromium_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMIUM", "no-such-chromium")
    with pytest.raises(RuntimeError, match="apt-get install chromium fonts-dejavu-core"):
        find_chromium()
