/** The plan as rows: what is seen when some nodes are folded, and where the keys lead. */

import type { PlanNode } from "./protocol";

export interface Row {
  /** Unique among the rows: a node that was removed may stand beside a new one of the same id. */
  readonly key: string;
  readonly node: PlanNode;
  readonly expandable: boolean;
  readonly expanded: boolean;
  readonly position: number;
  readonly siblings: number;
}

export const rowKey = (node: PlanNode): string =>
  node.change === "removed" ? `${node.id} removed` : node.id;

/** The rows to show, in document order; what is below a folded node is left out. */
export function visibleRows(nodes: readonly PlanNode[], folded: ReadonlySet<string>): Row[] {
  const siblings = new Map<string | null, number>();
  for (const { parent } of nodes) siblings.set(parent, (siblings.get(parent) ?? 0) + 1);
  const positions = new Map<string | null, number>();
  const rows: Row[] = [];
  let hiddenBelow = Number.POSITIVE_INFINITY;
  nodes.forEach((node, index) => {
    const position = (positions.get(node.parent) ?? 0) + 1;
    positions.set(node.parent, position);
    if (node.depth > hiddenBelow) return;
    const key = rowKey(node);
    const expandable = (nodes[index + 1]?.depth ?? 0) > node.depth;
    const expanded = expandable && !folded.has(key);
    hiddenBelow = expandable && !expanded ? node.depth : Number.POSITIVE_INFINITY;
    rows.push({
      key,
      node,
      expandable,
      expanded,
      position,
      siblings: siblings.get(node.parent) ?? 1,
    });
  });
  return rows;
}

export interface Move {
  readonly kind: "select" | "toggle";
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
      return row.expandable && !row.expanded ? toggle(row) : select(childOf(rows, index));
    case "ArrowLeft":
      return row.expanded ? toggle(row) : select(parentOf(rows, index));
    case "Enter":
      return row.expandable ? toggle(row) : select(row);
    default:
      return null;
  }
}

const select = (row: Row | undefined): Move | null =>
  (row && { kind: "select", key: row.key }) || null;
const toggle = (row: Row): Move => ({ kind: "toggle", key: row.key });

function childOf(rows: readonly Row[], index: number): Row | undefined {
  const next = rows[index + 1];
  return next && next.node.depth > (rows[index]?.node.depth ?? 0) ? next : undefined;
}

function parentOf(rows: readonly Row[], index: number): Row | undefined {
  const depth = rows[index]?.node.depth ?? 0;
  return rows.slice(0, index).findLast((row) => row.node.depth < depth);
}

/** The new nodes, each that is as it was being the old object: so that its row need not be drawn anew. */
export function keepingEqual(
  old: readonly PlanNode[],
  next: readonly PlanNode[],
): readonly PlanNode[] {
  const known = new Map(old.map((node) => [rowKey(node), node]));
  return next.map((node) => {
    const before = known.get(rowKey(node));
    return before && JSON.stringify(before) === JSON.stringify(node) ? before : node;
  });
}

/** A folded set with one key put in or taken out. */
export function toggled(folded: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(folded);
  if (!next.delete(key)) next.add(key);
  return next;
}

/** What follows the type in a row: an id that the user gave, and a key. */
export function nameOf(node: PlanNode): string {
  const id = node.explicit_id ? `#${node.id}` : "";
  const key = node.key === null ? "" : `"${node.key}"`;
  return [id, key].filter(Boolean).join(" ");
}

const SHOWN_ELSEWHERE = new Set(["key", "id", "events"]);

/** The attributes that a row shows: those that its name and badges don't say already. */
export function rowAttrs(node: PlanNode): PlanNode["attrs"] {
  return node.attrs.filter(([name]) => !SHOWN_ELSEWHERE.has(name));
}
