/** Unchanged parts of the plan, folded: runs of siblings in which nothing happened. */

import type { PlanRow } from "./protocol";

/** Smaller plans are shown whole. */
export const FOLDED_FROM = 24;
/** Fewer unchanged nodes in a row are shown. */
export const RUN_FROM = 4;

const LOUD = new Set(["running", "blocked", "failed", "abandoned"]);

/** In a smaller plan a settled phase stays open. */
export const SETTLED_FROM = 12;
/** More settled phases than these are runs of unchanged nodes like any others. */
const MOST_SETTLED = 12;

const ENDED = new Set(["succeeded", "settled", "finished"]);

/** Nothing happened to the node, and nothing is under way in it. */
export const isQuiet = (node: PlanRow): boolean =>
  node.change === "" &&
  !node.moved &&
  node.status_before === null &&
  !node.raised &&
  !LOUD.has(node.status ?? "") &&
  node.breakpoints.length === 0;

interface FoldChoice {
  readonly opened: ReadonlySet<string>;
  readonly selected: string | null;
  readonly foldUnchanged: boolean;
}

/** The runs to fold: the index of a run's first node, and how many nodes are in it. */
export function runsOf(
  nodes: readonly PlanRow[],
  { opened, selected, foldUnchanged }: FoldChoice,
): ReadonlyMap<number, number> {
  const runs = new Map<number, number>();
  const small = nodes.length < FOLDED_FROM;
  // Where nothing changed there is nothing to set off: all of it is shown.
  if (!foldUnchanged || small || nodes.every(isQuiet)) return runs;
  const size = sizes(nodes);
  const quiet = quietSubtrees(nodes, size, selected);
  // A settled phase has a line of its own, which says how it ended.
  for (const at of settledAt(nodes, quiet)) quiet[at] = false;
  for (let at = 0; at < nodes.length; at += 1) {
    const node = nodes[at];
    if (node === undefined || !quiet[at] || opened.has(node.parent ?? "")) continue;
    let end = at;
    // The siblings that follow directly, each with all below it.
    while (quiet[end] && nodes[end]?.parent === node.parent) end += size[end] ?? 1;
    if (end - at >= RUN_FROM) runs.set(at, end - at);
    // What is below a quiet node that is not folded itself is not looked at any closer.
    at = end - 1;
  }
  return runs;
}

/** The phases that have settled and in which nothing happened: each is one line, until it is opened. */
export function settledIn(nodes: readonly PlanRow[], selected: string | null): ReadonlySet<string> {
  if (nodes.length < SETTLED_FROM) return new Set();
  const quiet = quietSubtrees(nodes, sizes(nodes), selected);
  return new Set(settledAt(nodes, quiet).map((at) => nodes[at]?.id ?? ""));
}

function settledAt(nodes: readonly PlanRow[], quiet: readonly boolean[]): readonly number[] {
  const found: number[] = [];
  nodes.forEach((node, at) => {
    if (node.type === "phase" && quiet[at] && ENDED.has(node.status ?? "")) found.push(at);
  });
  return found.length > MOST_SETTLED ? [] : found;
}

/** How many rows each node and all below it take. */
function sizes(nodes: readonly PlanRow[]): number[] {
  const size = nodes.map(() => 1);
  const open: number[] = [];
  const close = (depth: number) => {
    while (open.length > depth) {
      const at = open.pop() ?? 0;
      const up = open.at(-1);
      if (up !== undefined) size[up] = (size[up] ?? 1) + (size[at] ?? 1);
    }
  };
  nodes.forEach(({ depth }, at) => {
    close(depth);
    open.push(at);
  });
  close(0);
  return size;
}

function quietSubtrees(
  nodes: readonly PlanRow[],
  size: readonly number[],
  selected: string | null,
): boolean[] {
  const quiet = nodes.map((node) => isQuiet(node) && node.id !== selected);
  // From the end: what is below a node comes after it.
  for (let at = nodes.length - 1; at >= 0; at -= 1) {
    const end = at + (size[at] ?? 1);
    for (let below = at + 1; quiet[at] && below < end; below += size[below] ?? 1) {
      if (!quiet[below]) quiet[at] = false;
    }
  }
  return quiet;
}
