/** A branch to be made: where it begins, and what is changed of the state. */

import type { Cursor } from "./cursor";
import type { BranchesPane, StatePane, Summary } from "./protocol";

export type Reusable = "agents" | "tools" | "approvals" | "tasks";

/** The kinds of recorded answers that a branch may take, and what each means. */
export const REUSABLE: readonly { readonly kind: Reusable; readonly label: string }[] = [
  { kind: "agents", label: "Agents' answers" },
  { kind: "tools", label: "Tools' results" },
  { kind: "approvals", label: "Approvals" },
  { kind: "tasks", label: "Tasks' results" },
];

/** Those that a branch takes unless told otherwise: a task may have been to do something outside. */
export const REUSED: readonly Reusable[] = ["agents", "tools", "approvals"];

/** The kinds as the command has them. */
export const reuseWords = (kinds: readonly Reusable[]): string => kinds.join(",") || "-";

/** The frame to branch from: the one that is seen, or the last whose writes are applied. */
export function forkFrame({ at }: Cursor, { frame, phase }: Summary): number {
  if (at !== null && at < frame) return at;
  return phase === null || phase === "FLUSH" ? frame : Math.max(0, frame - 1);
}

/** The values of the state by key, as JSON; those that were cut are not in it. */
export function textsOf(state: StatePane | null): ReadonlyMap<string, string> {
  const whole = state?.entries.filter(({ scope, value }) => scope === "state" && !value.cut) ?? [];
  return new Map(whole.map(({ key, value }) => [key, value.text]));
}

export interface Wrong {
  readonly key: string;
  readonly why: string;
}

/** What differs of the state, as the text of a JSON object; null where nothing does; or what is wrong. */
export function changedState(
  edits: ReadonlyMap<string, string>,
  known: ReadonlyMap<string, string>,
): string | null | Wrong {
  const changed = [...edits].filter(([key, text]) => text.trim() !== known.get(key));
  for (const [key, text] of changed) {
    const why = wrongJson(text);
    if (why !== null) return { key, why };
  }
  if (changed.length === 0) return null;
  // As it was typed: a number of more digits than JavaScript's would not survive a reading.
  return `{${changed.map(([key, text]) => `${JSON.stringify(key)}: ${text.trim()}`).join(", ")}}`;
}

function wrongJson(text: string): string | null {
  if (text.trim() === "") return "it is empty. A value that is gone is null.";
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `it is no JSON (${why}). A text stands in double quotes.`;
  }
}

/** The code that branches from a recorded execution, whose app a page has not. */
export const forkCode = (pane: BranchesPane, execution_id: string, frame: number): string =>
  `branch = ${pane.store}.open("${execution_id}").fork(${pane.app}, frame=${frame})`;
