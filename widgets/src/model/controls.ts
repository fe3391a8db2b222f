/** The five controls: their names and keys, and why one is off. */

import type { CommandName, Summary } from "./protocol";
import { PROTOCOL } from "./protocol";

export interface Control {
  readonly name: CommandName;
  readonly label: string;
  /** As printed on the button. */
  readonly key: string;
  /** As `aria-keyshortcuts` wants it. */
  readonly shortcut: string;
  readonly does: string;
}

export const CONTROLS: readonly Control[] = [
  {
    name: "step_phase",
    label: "Step phase",
    key: "S",
    shortcut: "S",
    does: "Runs the next of the seven phases.",
  },
  {
    name: "step_frame",
    label: "Step frame",
    key: "N",
    shortcut: "N",
    does: "Runs to the next rest: a whole frame, its writes still pending.",
  },
  {
    name: "until_idle",
    label: "Until idle",
    key: "U",
    shortcut: "U",
    does: "Runs until nothing is left to do, and says why it stopped.",
  },
  {
    name: "pause",
    label: "Pause",
    key: "Space",
    shortcut: "Space",
    does: "Stops after the current phase; Step goes on from there.",
  },
  {
    name: "stop",
    label: "Stop",
    key: "⇧X",
    shortcut: "Shift+X",
    does: "Ends the execution and its running tasks.",
  },
];

const LABELS = new Map<string, string>(CONTROLS.map(({ name, label }) => [name, label]));
const STEPS: readonly CommandName[] = ["step_phase", "step_frame", "until_idle"];

/** The label of a command; its own name where there is none. */
export const labelOf = (name: string): string => LABELS.get(name) ?? name;

export type Underway = Partial<Readonly<Record<CommandName, unknown>>>;

/** Why the control can't be used now, in words; null when it can. */
export function whyOff(
  name: CommandName,
  summary: Summary | null,
  underway: Underway,
): string | null {
  if (summary === null) return "Waiting for the kernel.";
  if (summary.protocol !== PROTOCOL) return "The page and the kernel don't fit together.";
  const busy = summary.busy ?? STEPS.find((step) => underway[step] !== undefined) ?? null;
  if (name === "pause") return underway.pause ? "Pause is under way." : whyNotPause(summary, busy);
  if (name === "stop") return underway.stop ? "Stop is under way." : whyEnded(summary);
  return busy === null ? whyEnded(summary) : `${labelOf(busy)} is under way.`;
}

function whyNotPause(summary: Summary, busy: string | null): string | null {
  const runs = busy !== null || summary.status === "running" || summary.counts.running > 0;
  return runs ? null : "Nothing is running.";
}

const whyEnded = ({ over, status }: Summary): string | null =>
  over ? `The execution is ${status}.` : null;

export interface KeyPress {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly repeat: boolean;
}

/** The command that a key stands for; a key held down counts once. */
export function commandOf({ key, shiftKey, repeat }: KeyPress): CommandName | null {
  if (repeat) return null;
  if (key.toLowerCase() === "x") return shiftKey ? "stop" : null;
  if (shiftKey) return null;
  switch (key.toLowerCase()) {
    case "s":
      return "step_phase";
    case "n":
      return "step_frame";
    case "u":
      return "until_idle";
    case " ":
      return "pause";
    default:
      return null;
  }
}
