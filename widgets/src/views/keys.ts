import { commandOf } from "../model/controls";
import type { CommandName } from "../model/protocol";

const TYPED_IN = "input:not([type='checkbox']), textarea, select";
/** What Space presses by itself. */
const PRESSABLE = "button, input, summary";

/**
 * Keeps unmodified keys in the widget: JupyterLab's command mode would take "d d" and delete the
 * user's cell. Tab, and combinations such as Ctrl+S, belong to the page.
 */
export function keepFromPage(event: KeyboardEvent): void {
  if (event.key === "Tab" || event.ctrlKey || event.metaKey || event.altKey) return;
  event.stopPropagation();
}

/** The command that a key press asks for, given where the focus is. */
export function commandPressed(event: KeyboardEvent): CommandName | null {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return null;
  const target = event.target as Element;
  if (target.closest(TYPED_IN)) return null;
  const command = commandOf(event);
  return command === "pause" && target.closest(PRESSABLE) ? null : command;
}
