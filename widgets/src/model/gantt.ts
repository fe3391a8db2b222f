/** The tasks along the timeline: each a bar from the frame in which it began to the one that dealt with its end. */

import type { GanttPane } from "./protocol";

export interface TaskBar {
  readonly task: string;
  readonly name: string;
  readonly status: string;
  readonly first: number;
  /** null: it has not ended. */
  readonly last: number | null;
  readonly row: number;
  readonly x: number;
  readonly width: number;
  /** Whether there is room for its name, in the bar or behind it. */
  readonly named: boolean;
}

/** As many rows as there are at most: of more tasks at once, those without a row share the last one. */
export const ROWS = 6;
const LEAST_PX = 3;
const LETTER_PX = 6.5;
const SPACE_PX = 8;

/** The pixels of a name with its glyph. */
const nameWidth = (name: string): number => SPACE_PX + LETTER_PX * (name.length + 2);

/** The bars of the tasks, each in the first row that is free; names are left out where the rows don't suffice. */
export function barsOf(pane: GanttPane, frames: number, used: number): readonly TaskBar[] {
  const slot = frames > 0 ? used / frames : 0;
  const named = packed(pane, frames, slot, true);
  const fits = named.every(({ row }) => row < ROWS);
  const bars = fits ? named : packed(pane, frames, slot, false);
  return bars.map((bar) => (bar.row < ROWS ? bar : { ...bar, row: ROWS - 1, named: false }));
}

function packed(pane: GanttPane, frames: number, slot: number, names: boolean): TaskBar[] {
  // The pixel at which each row is free.
  const free: number[] = [];
  return pane.tasks.map(([task, node, status, first, last]) => {
    const name = pane.nodes[node] ?? "";
    const x = (first - 1) * slot;
    const width = Math.max(LEAST_PX, (Math.max(first, last ?? frames) - first + 1) * slot);
    const text = nameWidth(name);
    const inside = text <= width;
    const end = x + width + (names && !inside ? text : 0);
    const found = free.findIndex((from) => from <= x);
    const row = found < 0 ? free.length : found;
    // A search through more rows than are drawn would be for nothing.
    if (row <= ROWS) free[row] = end;
    return { task, name, status, first, last, row, x, width, named: names || inside };
  });
}

/** The bar at a place; of several the newest. */
export const barAt = (bars: readonly TaskBar[], x: number, row: number): TaskBar | undefined =>
  bars.findLast((bar) => bar.row === row && bar.x <= x && x < bar.x + bar.width);

/** The number of rows that are drawn. */
export const rowCount = (bars: readonly TaskBar[]): number =>
  bars.reduce((most, { row }) => Math.max(most, row + 1), 0);

/** "claude #notes: succeeded, frames 1 to 2". */
export function barWords({ name, status, first, last }: TaskBar): string {
  if (last === null) return `${name}: ${status} since frame ${first}`;
  return `${name}: ${status}, frame${last > first ? `s ${first} to ${last}` : ` ${first}`}`;
}
