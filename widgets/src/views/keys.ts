import { type Action, actionOf } from "../model/controls";

const TYPED_IN = "input:not([type='checkbox']), textarea, select";
/** What Space presses by itself. */
const PRESSABLE = "button, input, summary";
/** What the arrow keys move in by themselves. */
const WALKED = "[role='tree'], [role='grid'], [role='tablist'], [role='toolbar'], pre, code, hr";
const ARROWS: readonly Action[] = ["back", "forward", "first", "live"];

/**
 * Keeps unmodified keys in the widget: JupyterLab's command mode would take "d d" and delete the
 * user's cell. Tab, and combinations such as Ctrl+S, belong to the page.
 */
export function keepFromPage(event: KeyboardEvent): void {
  if (isOurs(event)) event.stopPropagation();
}

const isOurs = (event: KeyboardEvent): boolean =>
  event.key !== "Tab" && !event.ctrlKey && !event.metaKey && !event.altKey;

/** Lumino's mark for "no shortcuts here": also none of the page's own, such as Ctrl+S. */
const NO_SHORTCUTS = "data-lm-suppress-shortcuts";

/**
 * The same for a page that takes keys before the widget hears of them, as Notebook 7 does: the mark is
 * there for keys of the widget, and not for the page's. Returns what ends it.
 */
export function keepShortcutsAway(root: HTMLElement): () => void {
  const mark = (event: KeyboardEvent) => {
    if (root.contains(event.target as Node)) root.toggleAttribute(NO_SHORTCUTS, isOurs(event));
  };
  window.addEventListener("keydown", mark, true);
  return () => window.removeEventListener("keydown", mark, true);
}

/** The action that a key press asks for, given where the focus is. */
export function actionPressed(event: KeyboardEvent): Action | null {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return null;
  const target = event.target as Element;
  if (target.closest(TYPED_IN)) return null;
  const action = actionOf(event);
  if (action === "pause" && target.closest(PRESSABLE)) return null;
  if (action !== null && ARROWS.includes(action) && target.closest(WALKED)) return null;
  return action;
}
