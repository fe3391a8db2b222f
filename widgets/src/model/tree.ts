/** The plan as rows: what is seen when some nodes are folded, and where the keys lead. */

import { isQuiet, runsOf, settledIn } from "./fold";
import type { GhostRow, PlanRow } from "./protocol";

export interface NodeRow {
  readonly kind: "node";
  /** Unique among the rows: a node that was removed may stand beside a new one of the same id. */
  readonly key: string;
  readonly node: PlanRow;
  readonly depth: number;
  readonly expandable: boolean;
  readonly expanded: boolean;
  /** How the tasks below a folded node stand; "" of one that is not folded. */
  readonly summary: string;
  readonly position: number;
  readonly siblings: number;
}

/** Stands for unchanged nodes: "⋯ 37 unchanged". */
export interface FoldRow {
  readonly kind: "fold";
  readonly key: string;
  /** Whose unchanged children it opens. */
  readonly parent: string;
  readonly depth: number;
  readonly count: number;
}

/** Stands for a node that could be here, and is not. */
export interface GhostLine {
  readonly kind: "ghost";
  readonly key: string;
  readonly ghost: GhostRow;
  readonly depth: number;
}

export type Row = NodeRow | FoldRow | GhostLine;

export const rowKey = (node: PlanRow): string =>
  node.change === "removed" ? `${node.id} removed` : node.id;

/** What the person did to the tree; kept by node, so that it survives a step. */
export interface TreeChoice {
  readonly folded: ReadonlySet<string>;
  /** The settled phases that stay open. */
  readonly unfolded: ReadonlySet<string>;
  /** The parents whose unchanged children are shown. */
  readonly opened: ReadonlySet<string>;
  readonly selected: string | null;
  readonly foldUnchanged: boolean;
  /** Whether the nodes that could be here are shown. */
  readonly ghosts: boolean;
}

export const FIRST_TREE: TreeChoice = {
  folded: new Set(),
  unfolded: new Set(),
  opened: new Set(),
  selected: null,
  foldUnchanged: true,
  ghosts: false,
};

/** The statuses of a task that a person has to see to. */
const TROUBLE = ["failed", "blocked"];

/**
 * The node that is shown while none is selected: one that has just failed or waits for a person, else the first that
 * the frame changed, with its tasks before the phases around them, else the first that runs.
 */
export function followed(nodes: readonly PlanRow[]): string | null {
  const there = nodes.filter(({ change }) => change !== "removed");
  const turned = there.filter(({ status_before }) => status_before !== null);
  const isTask = ({ task_id }: PlanRow) => task_id !== null;
  const found =
    turned.find((node) => isTask(node) && TROUBLE.includes(node.status ?? "")) ??
    there.find(({ change }) => change !== "") ??
    turned.find(isTask) ??
    turned[0] ??
    there.find((node) => isTask(node) && node.status === "running");
  return found?.id ?? null;
}

/** The choice with ghosts: nothing is folded for being unchanged or settled, because they stand among what is. */
export const shownWhole = (choice: TreeChoice, nodes: readonly PlanRow[]): TreeChoice =>
  choice.ghosts
    ? { ...choice, foldUnchanged: false, unfolded: new Set(nodes.map(rowKey)) }
    : choice;

/** The rows to show, in document order; what is below a folded node is left out. */
export function visibleRows(nodes: readonly PlanRow[], choice: TreeChoice): Row[] {
  const siblings = new Map<string | null, number>();
  for (const { parent } of nodes) siblings.set(parent, (siblings.get(parent) ?? 0) + 1);
  const positions = new Map<string | null, number>();
  const runs = runsOf(nodes, choice);
  const settled = settledIn(nodes, choice.selected);
  const rows: Row[] = [];
  let hiddenBelow = Number.POSITIVE_INFINITY;
  for (let at = 0; at < nodes.length; at += 1) {
    const node = nodes[at];
    if (node === undefined) break;
    const position = (positions.get(node.parent) ?? 0) + 1;
    positions.set(node.parent, position);
    if (node.depth > hiddenBelow) continue;
    const run = runs.get(at);
    if (run !== undefined) {
      const parent = node.parent ?? "";
      rows.push({ kind: "fold", key: `⋯ ${rowKey(node)}`, parent, depth: node.depth, count: run });
      at += run - 1;
      continue;
    }
    const key = rowKey(node);
    const expandable = (nodes[at + 1]?.depth ?? 0) > node.depth;
    const folds = choice.folded.has(key) || (settled.has(key) && !choice.unfolded.has(key));
    const expanded = expandable && !folds;
    hiddenBelow = expandable && !expanded ? node.depth : Number.POSITIVE_INFINITY;
    rows.push({
      kind: "node",
      key,
      node,
      depth: node.depth,
      expandable,
      expanded,
      summary: expandable && !expanded ? summaryOf(nodes, at) : "",
      position,
      siblings: siblings.get(node.parent) ?? 1,
    });
  }
  return rows;
}

/** How the tasks below a node stand: "2 succeeded, 1 failed". */
function summaryOf(nodes: readonly PlanRow[], at: number): string {
  const counts = new Map<string, number>();
  const depth = nodes[at]?.depth ?? 0;
  for (const node of nodes.slice(at + 1)) {
    if (node.depth <= depth) break;
    if (node.task_id === null || node.status === null) continue;
    const word = node.raised ? "with a handler that raised" : node.status;
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return [...counts].map(([word, count]) => `${count} ${word}`).join(", ");
}

/** Whether there is anything that "fold unchanged" could fold. */
export const anyUnchanged = (nodes: readonly PlanRow[]): boolean =>
  nodes.some((node) => isQuiet(node)) && nodes.some((node) => !isQuiet(node));

export interface Move {
  readonly kind: "select" | "toggle" | "open";
  /** A row's key; of `open` the parent whose unchanged children are to be shown. */
  readonly key: string;
}

/** What a key does in the tree; null when it means nothing there. */
export function moveOf(rows: readonly Row[], active: string | null, key: string): Move | null {
  const index = Math.max(
    0,
    rows.findIndex((row) => row.key === active),
  );
  const row = rows[index];
  if (row === undefined) return null;
  switch (key) {
    case "ArrowDown":
      return select(rows[index + 1]);
    case "ArrowUp":
      return select(rows[index - 1]);
    case "Home":
      return select(rows[0]);
    case "End":
      return select(rows.at(-1));
    case "ArrowRight":
      if (row.kind === "fold") return { kind: "open", key: row.parent };
      return row.kind === "node" && row.expandable && !row.expanded
        ? toggle(row)
        : select(childOf(rows, index));
    case "ArrowLeft":
      return row.kind === "node" && row.expanded ? toggle(row) : select(parentOf(rows, index));
    case "Enter":
      if (row.kind === "fold") return { kind: "open", key: row.parent };
      return row.kind === "node" && row.expandable ? toggle(row) : select(row);
    default:
      return null;
  }
}

const select = (row: Row | undefined): Move | null =>
  (row && { kind: "select", key: row.key }) || null;
const toggle = (row: Row): Move => ({ kind: "toggle", key: row.key });

function childOf(rows: readonly Row[], index: number): Row | undefined {
  const next = rows[index + 1];
  return next && next.depth > (rows[index]?.depth ?? 0) ? next : undefined;
}

function parentOf(rows: readonly Row[], index: number): Row | undefined {
  const depth = rows[index]?.depth ?? 0;
  return rows.slice(0, index).findLast((row) => row.depth < depth);
}

/** The choice that shows a node: its ancestors unfolded, and its unchanged siblings opened. */
export function revealed(choice: TreeChoice, nodes: readonly PlanRow[], id: string): TreeChoice {
  const node = nodes.find((one) => one.id === id && one.change !== "removed");
  const target = node ?? nodes.find((one) => one.id === id);
  if (target === undefined) return { ...choice, selected: id };
  const folded = new Set(choice.folded);
  const unfolded = new Set(choice.unfolded);
  const byId = new Map(nodes.map((one) => [one.id, one]));
  for (let up = target.parent; up !== null; up = byId.get(up)?.parent ?? null) {
    folded.delete(up);
    unfolded.add(up);
  }
  return { ...choice, folded, unfolded, selected: rowKey(target) };
}

/** The new nodes, each that is as it was being the old object: so that its row need not be drawn anew. */
export function keepingEqual(
  old: readonly PlanRow[],
  next: readonly PlanRow[],
): readonly PlanRow[] {
  if (old === next) return old;
  const known = new Map(old.map((node) => [rowKey(node), node]));
  return next.map((node) => {
    const before = known.get(rowKey(node));
    if (before === undefined || before === node) return node;
    return JSON.stringify(before) === JSON.stringify(node) ? before : node;
  });
}

/** The choice with a node folded, or opened: a settled phase, too. */
export function toggled(choice: TreeChoice, key: string, expanded: boolean): TreeChoice {
  const folded = new Set(choice.folded);
  const unfolded = new Set(choice.unfolded);
  if (expanded) {
    folded.add(key);
    unfolded.delete(key);
  } else {
    folded.delete(key);
    unfolded.add(key);
  }
  return { ...choice, folded, unfolded };
}

/** What follows the type in a row: an id that the user gave, and a key. */
export function nameOf(node: Pick<PlanRow, "id" | "explicit_id" | "key">): string {
  const id = node.explicit_id ? `#${node.id}` : "";
  const key = node.key === null ? "" : `"${node.key}"`;
  return [id, key].filter(Boolean).join(" ");
}

const SHOWN_ELSEWHERE = new Set(["key", "id", "events"]);

/** The attributes that a row shows: those that its name and badges don't say already. */
export function rowAttrs(node: PlanRow): PlanRow["attrs"] {
  return node.attrs.filter(([name]) => !SHOWN_ELSEWHERE.has(name));
}

// ---- a window of the rows ----

export const ROW_PX = 22;
/** Fewer rows are all drawn. */
export const WINDOWED_FROM = 60;
const BESIDE = 10;

export interface Window {
  readonly first: number;
  readonly end: number;
}

/** The rows to draw: those in sight, and some beside. */
export function windowOf(rows: number, top: number, height: number): Window {
  if (rows < WINDOWED_FROM) return { first: 0, end: rows };
  // Steps of ten, so that not every pixel of scrolling draws anew.
  const first = Math.floor(Math.max(0, top / ROW_PX - BESIDE) / 10) * 10;
  const end = Math.ceil((top + height) / ROW_PX / 10) * 10 + BESIDE;
  return { first: Math.min(first, Math.max(0, rows - 1)), end: Math.min(rows, end) };
}
