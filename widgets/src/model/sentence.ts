import type { ClientState } from "./client";
import { PROTOCOL } from "./protocol";

const BUSY =
  "The kernel is busy: the click is queued. To interrupt the running cell press the kernel's " +
  "Stop button (or I I in command mode).";

/** The one sentence that is always there: what just happened, and what the next step will do. */
export function sentenceOf({ summary, underway }: ClientState): string {
  if (summary === null) return "Waiting for the kernel…";
  if (summary.protocol !== PROTOCOL) return "The page and the kernel don't fit together.";
  if (Object.values(underway).some(({ late }) => late)) return BUSY;
  return summary.sentence;
}
