/** The family of the execution that is shown: its branches, and whose frames its line has. */

import type { BranchesPane, BranchRow, StretchRow } from "./protocol";

/** The row of an execution. */
export const rowOf = (pane: BranchesPane | null, execution_id: string): BranchRow | undefined =>
  pane?.family.find((row) => row.execution_id === execution_id);

/** The pane, if its line is that of the execution that is shown: after another was chosen it is not yet. */
export function lineOf(pane: BranchesPane | null, shown: string | undefined): BranchesPane | null {
  return pane?.line.at(-1)?.execution_id === shown ? pane : null;
}

/** The name of the execution that a branch was forked from. */
export const parentName = (pane: BranchesPane, { parent_id }: BranchRow): string =>
  (parent_id === null ? undefined : rowOf(pane, parent_id))?.name ?? "";

/** The parts of the line that belong to ancestors. */
export const ancestors = ({ line }: BranchesPane): readonly StretchRow[] => line.slice(0, -1);

interface Leaving {
  readonly row: BranchRow;
  /** The last frame that it shares with the line. */
  readonly at: number;
}

/** The branches that leave the line. */
function leaving({ family, line }: BranchesPane): readonly Leaving[] {
  const on = new Map(line.map((part) => [part.execution_id, part]));
  return family.flatMap((row) => {
    const { execution_id, parent_id, at } = row;
    const part = parent_id === null ? undefined : on.get(parent_id);
    if (part === undefined || at === null || on.has(execution_id)) return [];
    // Where an ancestor was left before, it is not on this line any more.
    return at > (part.last ?? at) ? [] : [{ row, at }];
  });
}

/** The names of the branches that leave the line, by the last frame that they share with it. */
export function leaves(pane: BranchesPane): ReadonlyMap<number, readonly string[]> {
  const found = new Map<number, string[]>();
  for (const { row, at } of leaving(pane)) found.set(at, [...(found.get(at) ?? []), row.name]);
  return found;
}

/** The frames of another execution of the family, after those that it shares with the line. */
export interface BranchLane {
  readonly execution_id: string;
  readonly name: string;
  /** The first and the last frame of its own; `last` is smaller where it has none. */
  readonly first: number;
  readonly last: number;
}

/** A lane for each execution that leaves the line, and for each ancestor that went on after it was left. */
export function laneOfEach(pane: BranchesPane): readonly BranchLane[] {
  const parents = ancestors(pane).flatMap(({ execution_id, last }) => {
    const row = rowOf(pane, execution_id);
    return row === undefined || last === null ? [] : [{ row, at: last }];
  });
  return [...parents, ...leaving(pane)].map(({ row: { execution_id, name, last }, at }) => ({
    execution_id,
    name,
    first: at + 1,
    last,
  }));
}

/** A row of the timeline: a branch, or all those that have no row of their own. */
export interface BranchRows {
  readonly label: string;
  readonly parts: readonly BranchLane[];
}

/** The branches in so many rows: where they are more, the last row has the rest. */
export function inRows(lanes: readonly BranchLane[], most: number): readonly BranchRows[] {
  const own = lanes.length > most ? lanes.slice(0, most - 1) : lanes;
  const rest = lanes.slice(own.length);
  const rows = own.map((lane): BranchRows => ({ label: lane.name, parts: [lane] }));
  if (rest.length === 0) return rows;
  return [...rows, { label: "branches", parts: rest }];
}

/** As many names as a tooltip has room for. */
const NAMED = 3;

const listed = (names: readonly string[]): string =>
  names.length > NAMED
    ? `${names.slice(0, NAMED).join(", ")} and ${names.length - NAMED} more`
    : names.join(", ");

/** What a frame has to do with branches, in words: whose it is, and who leaves after it. */
export function branchWords(pane: BranchesPane | null, frame: number): readonly string[] {
  if (pane === null || frame < 1) return [];
  const { line } = pane;
  const at = line.findIndex(({ first, last }) => first <= frame && frame <= (last ?? frame));
  const owner = line[at];
  const next = line[at + 1];
  const words: string[] = [];
  if (owner !== undefined && next !== undefined) {
    const left = frame === owner.last ? `, which ${next.name} leaves here` : "";
    words.push(`of ${owner.name}${left}`);
  }
  const names = leaves(pane).get(frame) ?? [];
  if (names.length === 1) words.push(`branch ${names[0]} leaves here`);
  else if (names.length > 1) words.push(`${names.length} branches leave here: ${listed(names)}`);
  return words;
}
