import type { ClientState } from "./client";
import { type Edge, placeWords } from "./cursor";
import { PROTOCOL, type Summary } from "./protocol";

const BUSY =
  "The kernel is busy: the click is queued. To interrupt the running cell press the kernel's " +
  "Stop button (or I I in command mode).";

const SILENT =
  "The kernel does not answer: it is busy with something that lets nothing else run, or it is gone.";

const GONE =
  "There is no kernel. What was fetched can be looked at; run the cell again, with --resume to " +
  "continue this execution.";

/** The one sentence that is always there: what just happened, and what the next step will do. */
export function sentenceOf(state: ClientState): string {
  const { summary, underway, connected, silent, note, settled, panes } = state;
  if (summary === null) return connected ? "Waiting for the kernel…" : GONE;
  if (summary.protocol !== PROTOCOL) return "The page and the kernel don't fit together.";
  if (connected && Object.values(underway).some(({ late }) => late)) return BUSY;
  if (silent) return SILENT;
  if (note !== null) return note;
  if (settled.at === null) return connected ? summary.sentence : `${GONE} ${stood(summary)}`;
  const edge: Edge = { frame: summary.frame, phase: summary.phase, recorded: summary.recorded };
  const head = panes.frame?.data;
  const known = head?.recorded && head.frame === settled.at && isOf(panes.frame?.question, settled);
  return known ? head.sentence : placeWords(settled, edge);
}

/** How the execution stood: what a step would do, and where to press, is true no more. */
const stood = ({ frame, status }: Summary): string =>
  frame === 0 ? "It had no frame yet." : `At frame ${frame} it was ${status}.`;

function isOf(question: string | undefined, { at, phase }: ClientState["settled"]): boolean {
  if (question === undefined || question === "") return false;
  const asked = JSON.parse(question) as { at: number | null; phase: string | null };
  return asked.at === at && asked.phase === phase;
}
