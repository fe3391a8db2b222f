/** The search in the texts that the file has for it. */

import type { FoundRow, SearchPane } from "../model/protocol";

/** A text; 0 stands for the id, 1 for the label. */
type Told = string | number | null;

/** What can be found: kind, id, label, frame, node, subject, and the texts in which it is looked for. */
export type Searchable = readonly [
  FoundRow["kind"],
  string,
  string,
  number,
  Told,
  Told,
  readonly Told[],
];

/** As many as the kernel looks at, shows, and has of output. */
const MOST = 500;
const FOUND = 50;
const OUTPUT = 50;

/** SQLite's LIKE takes only the letters of ASCII for the same in both cases. */
const lower = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

export function searched(
  rows: readonly Searchable[],
  text: string,
  nodes: ReadonlySet<string>,
): SearchPane {
  const sought = lower(text.trim());
  if (sought === "") return { total: 0, found: [] };
  const subjects = new Map<string, FoundRow>();
  let printed = 0;
  for (const [kind, id, label, frame, node, subject, texts] of rows) {
    const of = (told: Told) => (typeof told === "number" ? [id, label][told] : told) ?? null;
    if (!texts.some((one) => lower(of(one) ?? "").includes(sought))) continue;
    if (kind === "output") {
      printed += 1;
      if (printed > OUTPUT) continue;
    }
    // Of rows of one subject the newest that is found stands for all.
    const name = `${kind} ${of(subject)}`;
    if (frame >= (subjects.get(name)?.frame ?? 0)) {
      subjects.set(name, { kind, id, label, frame, node_id: of(node) });
    }
  }
  const found = [...subjects.values()].slice(0, MOST);
  const rank = ({ kind, id }: FoundRow) =>
    (kind === "node" && nodes.has(id) ? 0 : 2) + (kind === "key" ? 0 : 1);
  found.sort((one, other) => rank(one) - rank(other));
  return { total: found.length, found: found.slice(0, FOUND) };
}
