/** The nodes that could be in the plan, among the rows of those that are. */

import type { GhostRow } from "./protocol";
import type { GhostLine, Row } from "./tree";

/** Begins the keys of rows that stand for no node of the plan. */
export const GHOST = "◌";

interface Slot {
  /** The row before which its ghosts stand. */
  readonly index: number;
  readonly ghosts: GhostRow[];
}

/** The rows with the ghosts at their places; those in a node that is folded, or not shown, are left out. */
export function withGhosts(rows: readonly Row[], ghosts: readonly GhostRow[]): readonly Row[] {
  if (ghosts.length === 0) return rows;
  const places = new Map(rows.map(({ key }, index) => [key, index]));
  const slots = new Map<string, Slot>();
  for (const ghost of ghosts) {
    const name = JSON.stringify([ghost.parent, ghost.after]);
    const index = slots.get(name)?.index ?? placeOf(rows, places, ghost);
    if (index === null) continue;
    const slot = slots.get(name) ?? { index, ghosts: [] };
    slot.ghosts.push(ghost);
    slots.set(name, slot);
  }
  const inOrder = [...slots.values()].sort(
    // What ends with the same row: the inner ones first.
    (one, other) => one.index - other.index || depthOf(other) - depthOf(one),
  );
  const lines: Row[] = [];
  let from = 0;
  for (const { index, ghosts: found } of inOrder) {
    lines.push(...rows.slice(from, index), ...found.map(lineOf));
    from = index;
  }
  return [...lines, ...rows.slice(from)];
}

const depthOf = ({ ghosts }: Slot): number => ghosts[0]?.depth ?? 0;

const lineOf = (ghost: GhostRow): GhostLine => ({
  kind: "ghost",
  key: `${GHOST} ${ghost.of} ${ghost.source}`,
  ghost,
  depth: ghost.depth,
});

/** Before which row a ghost stands; null where its place is not shown. */
function placeOf(
  rows: readonly Row[],
  places: ReadonlyMap<string, number>,
  { parent, after }: GhostRow,
): number | null {
  const before = after === null ? undefined : places.get(after);
  if (before !== undefined) return endOf(rows, before);
  if (parent === null) return after === null ? 0 : rows.length;
  const around = places.get(parent);
  const row = around === undefined ? undefined : rows[around];
  if (around === undefined || row?.kind !== "node") return null;
  if (row.expandable && !row.expanded) return null;
  return after === null ? around + 1 : endOf(rows, around);
}

/** The first row behind a row and all below it. */
function endOf(rows: readonly Row[], index: number): number {
  const depth = rows[index]?.depth ?? 0;
  const end = rows.findIndex((row, at) => at > index && row.depth <= depth);
  return end < 0 ? rows.length : end;
}
