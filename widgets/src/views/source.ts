/**
 * Selecting the notebook cell that a source position names ("report:14:9"), where the page shows it.
 * Only the page's own elements are used, so that it works where JupyterLab allows it and is nothing elsewhere.
 */

const MAGIC = /^%%smithers\s+(\w+)?/;

/** Puts the caret at the position; returns whether the cell was found. */
export function selectSource(root: Element | null, source: string): boolean {
  const place = /^(.+?):(\d+)(?::(\d+))?$/.exec(source);
  if (root === null || place === null) return false;
  const [, name = "", line = "1", column = "1"] = place;
  const notebook = root.closest(".jp-Notebook") ?? document;
  const cell = [...notebook.querySelectorAll(".jp-CodeCell .cm-content")].find((content) => {
    const magic = MAGIC.exec(content.querySelector(".cm-line")?.textContent ?? "");
    return magic !== null && (magic[1] ?? "ex") === name;
  });
  if (!(cell instanceof HTMLElement)) return false;
  const target = cell.querySelectorAll(".cm-line")[Number(line) - 1] ?? cell;
  target.scrollIntoView({ block: "center" });
  cell.focus();
  caretAt(target, Number(column) - 1);
  return true;
}

function caretAt(line: Element, column: number): void {
  const texts = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  let left = Math.max(0, column);
  for (let text = texts.nextNode(); text !== null; text = texts.nextNode()) {
    const { length } = text.textContent ?? "";
    if (left <= length) {
      getSelection()?.collapse(text, left);
      return;
    }
    left -= length;
  }
  getSelection()?.collapse(line, line.childNodes.length);
}
