import type { ClientState } from "./client";
import { type Edge, placeWords } from "./cursor";
import { type Look, sentenceLook, standingLook } from "./looks";
import { type FramePane, PROTOCOL, type Summary } from "./protocol";

const BUSY =
  "The kernel is busy: the click is queued. To interrupt the running cell press the kernel's " +
  "Stop button (or I I in command mode).";

const SILENT =
  "The kernel does not answer: it is busy with something that lets nothing else run, or it is gone.";

const GONE = "There is no kernel. What was fetched can be looked at; run the cell again";

/** What to do without a kernel: what is over can't continue. */
const gone = (summary: Summary | null): string =>
  summary?.over
    ? `${GONE} for a new execution.`
    : `${GONE}, with --resume to continue this execution.`;

export interface Said {
  readonly text: string;
  readonly look: Look;
  /** Whether an error is told that Problems has more of. */
  readonly error: boolean;
}

const warned = (text: string): Said => ({ text, look: sentenceLook("waiting"), error: false });
const failed = (text: string): Said => ({ text, look: sentenceLook("error"), error: false });

/** The one sentence that is always there: what just happened, and what the next step will do. */
export function saidOf(state: ClientState): Said {
  const { summary, underway, connected, silent, note, settled } = state;
  if (summary === null) return connected ? warned("Waiting for the kernel…") : failed(gone(null));
  if (summary.protocol !== PROTOCOL) return failed("The page and the kernel don't fit together.");
  if (connected && Object.values(underway).some(({ late }) => late)) return warned(BUSY);
  if (silent) return warned(SILENT);
  if (settled.at === null && !connected) return failed(`${gone(summary)} ${stood(summary)}`);
  const said = settled.at === null ? saidLive(summary) : saidAt(state, summary);
  return note === null ? said : { ...said, text: note };
}

export const sentenceOf = (state: ClientState): string => saidOf(state).text;

function saidLive(summary: Summary): Said {
  const { sentence, kind, problems, counts } = summary;
  const fails = problems.some(({ severity }) => severity === "error");
  const look = kind === "rest" ? standingLook(summary) : sentenceLook(kind);
  // The badge counts those of the whole run: once it is over, the sentence leads to them.
  const told = kind === "error" || kind === "over";
  return { text: sentence, look, error: fails || (told && counts.problems > 0) };
}

function saidAt({ settled, panes }: ClientState, summary: Summary): Said {
  const edge: Edge = { frame: summary.frame, phase: summary.phase, recorded: summary.recorded };
  const head = headAt(panes.frame, settled);
  if (head === null) {
    return { text: placeWords(settled, edge), look: sentenceLook("recorded"), error: false };
  }
  const kind = head.kind === "rest" ? "recorded" : head.kind;
  return { text: head.sentence, look: sentenceLook(kind), error: head.counts.problems > 0 };
}

/** The head of the frame that is looked at, where it has come. */
export function headAt(
  slot: ClientState["panes"]["frame"],
  settled: ClientState["settled"],
): FramePane | null {
  const head = slot?.data;
  const known = head?.recorded && head.frame === settled.at && isOf(slot?.question, settled);
  return known ? head : null;
}

/** How the execution stood: what a step would do, and where to press, is true no more. */
const stood = ({ frame, status }: Summary): string =>
  frame === 0 ? "It had no frame yet." : `At frame ${frame} it was ${status}.`;

function isOf(question: string | undefined, { at, phase }: ClientState["settled"]): boolean {
  if (question === undefined || question === "") return false;
  const asked = JSON.parse(question) as { at: number | null; phase: string | null };
  return asked.at === at && asked.phase === phase;
}
