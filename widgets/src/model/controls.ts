/** The controls: their names and keys, why one is off, and what it does where the cursor is. */

import { type Cursor, type Edge, LIVE, seenFrame, type Walk } from "./cursor";
import { type CommandName, MOVES, PROTOCOL, type Summary } from "./protocol";

export type Action =
  | "step_phase"
  | "step_frame"
  | "continue"
  | "until_idle"
  | "pause"
  | "stop"
  | "back"
  | "forward"
  | "first"
  | "live"
  | "back_phase"
  | "back_frame"
  | "reverse_continue"
  | "breakpoint"
  | "watch"
  | "why"
  | "last_change"
  | "edit"
  | "search"
  | "go_to"
  | "compare"
  | "first_difference"
  | "help"
  | "gantt"
  | "fork"
  | "branches"
  | "export";

export interface Control {
  readonly name: Action;
  readonly label: string;
  /** As printed on the button. */
  readonly key: string;
  /** As `aria-keyshortcuts` wants it. */
  readonly shortcut: string;
  readonly does: string;
}

const control = (
  name: Action,
  label: string,
  key: string,
  shortcut: string,
  does: string,
): Control => ({ name, label, key, shortcut, does });

/** Those of the toolbar. */
export const CONTROLS: readonly Control[] = [
  control("step_frame", "Step frame", "N", "N", "Runs to the next rest, the writes still pending."),
  control("step_phase", "Step phase", "S", "S", "Runs the next of the seven phases."),
  control("continue", "Continue", "C", "C", "Runs to the next breakpoint."),
  control("until_idle", "Until idle", "U", "U", "Runs until nothing is left to do; says why."),
  control("pause", "Pause", "Space", "Space", "Stops after the current phase."),
  control(
    "stop",
    "Stop",
    "⇧X",
    "Shift+X",
    "Ends the command and interrupts the running tasks; a step runs them again.",
  ),
  control("first", "First frame", "Home", "Home", "Shows the first frame; executes nothing."),
  control("back", "Back", "←", "ArrowLeft", "Shows the frame before; executes nothing."),
  control("forward", "Forward", "→", "ArrowRight", "Shows the frame after; executes nothing."),
  control("live", "Live", "End", "End", "Follows the execution."),
  control("fork", "Branch", "F", "F", "Goes back to this frame, changes something, and goes on."),
];

/** Those that have a key only, or a button elsewhere. */
export const OTHERS: readonly Control[] = [
  control("back_phase", "Back a phase", "⇧S", "Shift+S", "Walks the records; executes nothing."),
  control("back_frame", "Back a frame", "⇧N", "Shift+N", "Walks the records; executes nothing."),
  control(
    "reverse_continue",
    "Reverse continue",
    "⇧C",
    "Shift+C",
    "Back to the last breakpoint hit, in the records.",
  ),
  control("breakpoint", "Breakpoint", "B", "B", "Sets or removes one on what is selected."),
  control("watch", "Watch", "W", "W", "Stops when the selected key changes."),
  control("why", "Why", "Q", "Q", "Why this is as it is, or why it is not: of what has the focus."),
  control(
    "last_change",
    "Last change",
    "L",
    "L",
    "Where the key changed last; again: further back.",
  ),
  control("edit", "Edit", "E", "E", "Edits the selected pending write."),
  control("search", "Search", "/", "/", "Nodes, keys, handlers, tasks, output."),
  control("go_to", "Go to frame", "G", "G", "Shows the frame of that number."),
  control("compare", "Compare", "O", "O", "Compares with another execution, frame by frame."),
  control(
    "first_difference",
    "First difference",
    "⇧O",
    "Shift+O",
    "Where this execution and the one it is compared with differ first.",
  ),
  control(
    "gantt",
    "Tasks along the timeline",
    "T",
    "T",
    "Shows the tasks by frame, or hides them.",
  ),
  control("export", "Export", "X", "X", "Writes the run to one file: a page that opens offline."),
  control("help", "Help", "?", "?", "Shows the keys."),
];

export const ALL_CONTROLS: readonly Control[] = [...CONTROLS, ...OTHERS];

/** What does something, or asks for it: there is none of it in a page that is a file. */
const ACTING: readonly Action[] = [
  "step_phase",
  "step_frame",
  "continue",
  "until_idle",
  "pause",
  "stop",
  "breakpoint",
  "watch",
  "edit",
  "fork",
  "compare",
  "first_difference",
  "export",
];

/** Whether it only looks: then a page that is a file has it, too. */
export const isLook = ({ name }: { readonly name: string }): boolean =>
  !(ACTING as readonly string[]).includes(name);

const phase = control("step_phase", "Next phase", "S", "S", "Walks the records.");
const last = control("live", "Last frame", "End", "End", "Shows the last frame.");
/** The controls of a page that is a file: the toolbar's, and those that have a key only. */
export const LOOKS: readonly Control[] = CONTROLS.filter(isLook).map((one) =>
  one.name === "live" ? last : one,
);
export const OTHER_LOOKS: readonly Control[] = [phase, ...OTHERS.filter(isLook)];

const LABELS = new Map<string, string>(ALL_CONTROLS.map(({ name, label }) => [name, label]));

const COMMAND_LABELS = new Map<string, string>([
  // From a cell, or another stepper.
  ["run", "A run"],
  ["edit_pending", "Edit"],
  ["drop_pending", "Drop"],
  ["branch_edited", "Branch"],
  ["predict", "The prediction"],
  ["break_add", "Breakpoint"],
  ["break_check", "Breakpoint"],
  ["break_remove", "Remove breakpoint"],
  ["break_change", "Change breakpoint"],
]);

/** The label of a command; its own name where there is none. */
export const labelOf = (name: string): string =>
  LABELS.get(name) ?? COMMAND_LABELS.get(name) ?? name;

/** The commands under way, by `underwayKey`. */
export type Underway = Readonly<Record<string, unknown>>;

const isMove = (name: string): boolean => (MOVES as readonly string[]).includes(name);

const DISCONNECTED = "There is no kernel: run the cell again to go on.";

/** Why nothing can be executed at all, in words. */
export function whyDead(summary: Summary | null, connected: boolean): string | null {
  if (!connected) return DISCONNECTED;
  if (summary === null) return "Waiting for the kernel.";
  if (summary.protocol !== PROTOCOL) return "The page and the kernel don't fit together.";
  return summary.read_only;
}

/** Why a command can't be sent now, in words; null when it can. */
export function whyOff(
  name: CommandName,
  summary: Summary | null,
  underway: Underway,
  connected = true,
): string | null {
  const dead = whyDead(summary, connected);
  if (dead !== null || summary === null) return dead;
  const busy = summary.busy ?? MOVES.find((move) => underway[move] !== undefined) ?? null;
  if (name === "pause") return underway.pause ? "Pause is under way." : whyNotPause(summary, busy);
  if (name === "stop") return underway.stop ? "Stop is under way." : whyEnded(summary);
  if (!isMove(name)) return null;
  if (busy !== null) return `${labelOf(busy)} is under way.`;
  return whyEnded(summary) ?? whyUnpredicted(name, summary.predict);
}

/** Where a learner predicts, a step waits for what they expect of the frame. */
function whyUnpredicted(name: CommandName, predict: Summary["predict"]): string | null {
  if (predict === null) return null;
  if (name !== "step_frame" && name !== "step_phase") return "Frames are predicted one at a time.";
  return predict.frame === null ? null : `Predict frame ${predict.frame} first, or skip it.`;
}

function whyNotPause(summary: Summary, busy: string | null): string | null {
  const runs = busy !== null || summary.status === "running" || summary.counts.running > 0;
  return runs ? null : "Nothing is running.";
}

const whyEnded = ({ over, status }: Summary): string | null =>
  over ? `The execution is ${status}.` : null;

/** What a control does where the cursor is. */
export type Effect =
  | { readonly kind: "command"; readonly name: CommandName }
  | { readonly kind: "walk"; readonly walk: Walk }
  | { readonly kind: "seek"; readonly direction: "back" | "forward" }
  | { readonly kind: "view"; readonly action: Action };

const WALKS: Partial<Readonly<Record<Action, Walk>>> = {
  back: "back",
  forward: "forward",
  first: "first",
  live: "live",
  back_phase: "back_phase",
  back_frame: "back_frame",
};

/** In the records the stepping controls walk; only live ones execute. */
const IN_RECORDS: Partial<Readonly<Record<Action, Effect>>> = {
  step_phase: { kind: "walk", walk: "forward_phase" },
  step_frame: { kind: "walk", walk: "forward_frame" },
  continue: { kind: "seek", direction: "forward" },
  until_idle: { kind: "walk", walk: "live" },
};

export function effectOf(action: Action, cursor: Cursor, acts = true): Effect {
  const walk = WALKS[action];
  if (walk !== undefined) return { kind: "walk", walk };
  if (action === "reverse_continue") return { kind: "seek", direction: "back" };
  const recorded = cursor.at === null && acts ? undefined : IN_RECORDS[action];
  if (recorded !== undefined) return recorded;
  if (isMove(action) || action === "pause" || action === "stop") {
    return { kind: "command", name: action as CommandName };
  }
  return { kind: "view", action };
}

/** Why a control is off where the cursor is. */
export function whyControlOff(
  action: Action,
  cursor: Cursor,
  edge: Edge,
  commandOff: (name: CommandName) => string | null,
): string | null {
  const effect = effectOf(action, cursor);
  if (effect.kind === "command") return commandOff(effect.name);
  if (effect.kind !== "walk") return null;
  switch (effect.walk) {
    case "live":
      if (cursor.at !== LIVE.at) return null;
      return edge.first === undefined ? "You are live already." : "This is the last frame.";
    case "forward":
      if (cursor.at !== LIVE.at) return null;
      return edge.readOnly
        ? "This is the last frame."
        : "You are at the live edge. Next: step executes.";
    case "first":
    case "back":
      return seenFrame(cursor, edge) <= (edge.first ?? 1)
        ? "There is no frame before this one."
        : null;
    default:
      return null;
  }
}

export interface KeyPress {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly repeat: boolean;
}

const KEYS: Readonly<Record<string, Action>> = {
  s: "step_phase",
  n: "step_frame",
  c: "continue",
  u: "until_idle",
  " ": "pause",
  arrowleft: "back",
  arrowright: "forward",
  home: "first",
  end: "live",
  b: "breakpoint",
  w: "watch",
  q: "why",
  l: "last_change",
  e: "edit",
  "/": "search",
  g: "go_to",
  o: "compare",
  f: "fork",
  t: "gantt",
  x: "export",
};

const SHIFTED: Readonly<Record<string, Action>> = {
  s: "back_phase",
  n: "back_frame",
  c: "reverse_continue",
  x: "stop",
  o: "first_difference",
  "?": "help",
  // Where the slash needs Shift.
  "/": "search",
};

const REPEATABLE: readonly Action[] = ["back", "forward", "back_phase", "back_frame"];

/** What a key stands for. A key held down counts once, but for walks through the records. */
export function actionOf({ key, shiftKey, repeat }: KeyPress): Action | null {
  const lower = key.toLowerCase();
  const action =
    (shiftKey ? SHIFTED[lower] : (KEYS[lower] ?? (key === "?" ? "help" : null))) ?? null;
  return repeat && action !== null && !REPEATABLE.includes(action) ? null : action;
}
