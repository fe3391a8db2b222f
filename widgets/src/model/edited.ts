/** The recorded frames that edited code renders differently. */

import type { EditedPane } from "./protocol";

const within = (spans: EditedPane["frames"], frame: number): boolean =>
  spans.some(([first, last]) => first <= frame && frame <= last);

/** What the timeline says of a frame, besides its own words. */
export function editWords(pane: EditedPane | null, frame: number): readonly string[] {
  if (pane === null) return [];
  if (within(pane.frames, frame)) return ["the edited code differs here"];
  return within(pane.pending, frame) ? ["the edited code differs in what has not begun"] : [];
}
