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

/** The names of the branches that leave the line, by the last frame that they share with it. */
export function leaves({ family, line }: BranchesPane): ReadonlyMap<number, readonly string[]> {
  const on = new Map(line.map((part) => [part.execution_id, part]));
  const found = new Map<number, string[]>();
  for (const { execution_id, parent_id, at, name } of family) {
    const part = parent_id === null ? undefined : on.get(parent_id);
    if (part === undefined || at === null || on.has(execution_id)) continue;
    // Where an ancestor was left before, it is not on this line any more.
    if (at > (part.last ?? at)) continue;
    found.set(at, [...(found.get(at) ?? []), name]);
  }
  return found;
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
