/** A plan as it came: with what was left out of it, because the browser had it, put in again. */

import type { PlanPane, PlanRow } from "./protocol";

/** A plan whose rows are all there. */
export interface WholePlan extends Omit<PlanPane, "nodes"> {
  readonly nodes: readonly PlanRow[];
}

const isPair = (row: PlanRow | readonly [number, number]): row is readonly [number, number] =>
  Array.isArray(row);

/** The plan with rows of the held one where it names them; null when it names rows that are not held. */
export function completed(plan: PlanPane, held: readonly PlanRow[]): WholePlan | null {
  const nodes: PlanRow[] = [];
  for (const row of plan.nodes) {
    if (!isPair(row)) nodes.push(row);
    else {
      const [start, count] = row;
      if (start + count > held.length) return null;
      for (let at = start; at < start + count; at += 1) {
        const node = held[at];
        if (node !== undefined) nodes.push(node);
      }
    }
  }
  return { ...plan, nodes };
}
