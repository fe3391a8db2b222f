/** The differences of two executions, and where they lead to. */

import { type Edge, goTo, type Motion } from "./cursor";
import type { DifferenceRow } from "./protocol";
import { visible } from "./text";

/** What differs, in words: "prop model of notes, iteration 2". */
export function differenceWords({
  what,
  key,
  node,
  iteration,
  child,
}: Pick<DifferenceRow, "what" | "key" | "node" | "iteration" | "child">): string {
  const words = [
    what,
    key !== null && visible(key),
    node !== null && `of ${visible(node)}`,
    iteration !== null && `in iteration ${iteration}`,
    child !== null && `(in ${visible(child)})`,
  ];
  return words.filter(Boolean).join(" ");
}

/** The cursor on the frame here, with what there is to say of the frame there; null for one that no frame here shows. */
export function motionTo(row: DifferenceRow, name: string, edge: Edge): Motion | null {
  const { frame, other_frame } = row;
  if (frame < 1) return null;
  const there = other_frame > 0 ? `frame ${other_frame} of ${visible(name)}` : "no frame there";
  const note = `Frame ${frame} here, ${there}: ${differenceWords(row)}. Nothing was executed.`;
  return { cursor: goTo(frame, edge).cursor, note };
}
