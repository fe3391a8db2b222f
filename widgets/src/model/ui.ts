/** What the person has chosen on the page: tabs, selection, folds, the popup that is open. */

import type { Subject } from "./breakpoints";
import { type Choice, choose, FIRST_CHOICE, type Tab } from "./layout";
import type { NeedsPane, PlanRow } from "./protocol";
import { FIRST_TREE, revealed, type TreeChoice } from "./tree";
import { asking, type Question, type Trail } from "./why";

export type Popup = "stop" | "help" | "search" | "go_to" | "fork" | "branches" | "export";

export type Selection =
  | Subject
  | { readonly kind: "write"; readonly id: string; readonly key: string; readonly scope: string };

export interface UiState {
  readonly choice: Choice;
  readonly tree: TreeChoice;
  /** What keys such as B, W, L and E are about. */
  readonly selection: Selection | null;
  /** The task of the Task tab; null: that of the selected node. */
  readonly task: string | null;
  /** The handler call that a link led to. */
  readonly call: string | null;
  /** The pending write that is edited. */
  readonly editing: string | null;
  readonly popup: Popup | null;
  /** Whether the tasks are shown along the timeline. */
  readonly gantt: boolean;
  /** Grows when something selected is to be scrolled into sight. */
  readonly reveal: number;
  /** The questions that were asked: the last one is shown in Why. */
  readonly asked: Trail;
  /** Grows when the answer is to have the focus. */
  readonly answer: number;
  /** What was found to be what it would take, and the question under which. */
  readonly needs: { readonly question: Question; readonly found: NeedsPane } | null;
}

export const FIRST_UI: UiState = {
  choice: FIRST_CHOICE,
  tree: FIRST_TREE,
  selection: null,
  task: null,
  call: null,
  editing: null,
  popup: null,
  gantt: false,
  reveal: 0,
  asked: [],
  answer: 0,
  needs: null,
};

export const opened = (ui: UiState, tab: Tab): UiState => ({
  ...ui,
  choice: choose(ui.choice, tab),
});

/** Another execution is shown: its nodes, tasks and writes are others. Tabs and the popup stay. */
export const turned = ({ choice, popup, gantt }: UiState): UiState => ({
  ...FIRST_UI,
  choice,
  popup,
  gantt,
});

/** The node selected where it is; the row's key tells a removed node from a new one. */
export const nodeSelected = (ui: UiState, id: string, rowKey: string): UiState => ({
  ...ui,
  tree: { ...ui.tree, selected: rowKey },
  selection: { kind: "node", id },
  task: null,
});

/** Follows a link to a node: the tree shows it. */
export function nodeShown(ui: UiState, nodes: readonly PlanRow[], id: string): UiState {
  const tree = revealed(ui.tree, nodes, id);
  const shown = { ...ui, tree, selection: { kind: "node", id } as const, task: null };
  return { ...opened(shown, "Tree"), reveal: ui.reveal + 1 };
}

export function keyShown(ui: UiState, key: string, scope: string): UiState {
  const selection = { kind: "key", key, scope } as const;
  return { ...opened({ ...ui, selection }, "State"), reveal: ui.reveal + 1 };
}

export const taskShown = (ui: UiState, task: string): UiState => ({
  ...opened(ui, "Task"),
  task,
});

export const callShown = (ui: UiState, call: string): UiState => ({
  ...opened(ui, "Handlers"),
  call,
  reveal: ui.reveal + 1,
});

/** Asks a question, and shows its answer. */
export const questionAsked = (ui: UiState, question: Question): UiState => ({
  ...opened(ui, "Why"),
  asked: asking(ui.asked, question),
  answer: ui.answer + 1,
});

/** The node that is selected, whatever way. */
export function selectedNode({ tree }: UiState): string | null {
  // A row that stands for no node of the plan is no node to look at.
  if (tree.selected === null || /^[⋯◌] /.test(tree.selected)) return null;
  return tree.selected.replace(/ removed$/, "");
}

/** The key that is selected, with its scope. */
export function selectedKey({ selection }: UiState): { key: string; scope: string } | null {
  if (selection?.kind !== "key" && selection?.kind !== "write") return null;
  return { key: selection.key, scope: selection.scope };
}

/** What a breakpoint could be set on. */
export function subjectOf({ selection }: UiState): Subject | null {
  if (selection?.kind !== "write") return selection;
  return { kind: "key", key: selection.key, scope: selection.scope };
}
