/** Questions about what is seen, and their answers as rows: chains of sentences, folded where they are long. */

import type { ClientState } from "./client";
import { type Cursor, type Edge, LIVE } from "./cursor";
import { choose, type DetailTab } from "./layout";
import type { Look } from "./looks";
import type { AnswerRow, PhaseName, PlanRow, StatementRow } from "./protocol";
import { revealed } from "./tree";
import type { Selection, UiState } from "./ui";

/** What can be asked about: the target as the kernel knows it, and the frame, where it is not the cursor's. */
export interface Asked {
  /** null: the frame, or the execution where there is no frame. */
  readonly of: string | null;
  /** null: the newest; left out: where one looks. */
  readonly at?: number | null;
  readonly not?: boolean;
}

export interface Question {
  readonly pane: "why" | "why_not";
  readonly of: string | null;
  readonly at: number | null;
  readonly phase: PhaseName | null;
}

/** Why the execution stands as it does: what is asked before anything else is. */
export const FIRST_QUESTION: Question = { pane: "why", of: null, at: null, phase: null };

/** The question about something, where one looks. */
export function questionAt({ of, at, not = false }: Asked, cursor: Cursor): Question {
  const pane = not ? "why_not" : "why";
  if (at === undefined) return { pane, of, at: cursor.at, phase: cursor.phase };
  return { pane, of, at, phase: null };
}

/** What is asked when nothing in particular has the focus: of what is selected, else of the frame. */
export function askedOf(selection: Selection | null, seen: number): Asked {
  switch (selection?.kind) {
    case "node":
      return { of: selection.id };
    case "key":
      return { of: `state:${selection.key}` };
    case "write":
      return { of: selection.id };
    case "handler":
      return { of: `${selection.node}.${selection.event}` };
    default:
      return ofFrame(seen);
  }
}

/** A frame; before the first one, the execution. */
export const ofFrame = (frame: number): Asked => ({ of: null, at: frame > 0 ? frame : null });

/** What the sentence tells of; null where nothing has happened yet. */
export function askedBy({ summary, settled }: ClientState): Asked | null {
  if (summary === null || summary.frame === 0) return null;
  if (settled.at !== null) return ofFrame(settled.at);
  const { kind, questions, hit, problems, frame } = summary;
  if (kind === "over") return ofFrame(0);
  const node = {
    waiting: questions[0]?.node_id,
    hit: hit?.node_id,
    error: problems[0]?.node_id,
    rest: null,
  }[kind];
  return node ? { of: node } : ofFrame(frame);
}

/** What a person has typed. A frame that was not made is asked about as the next one. */
export function askedIn(typed: string, not: boolean, recorded: number): Asked {
  const of = typed.trim();
  if (of === "") return { of: null, at: null, not };
  const frame = Number(/^frame\s+(\d+)$/i.exec(of)?.[1] ?? Number.NaN);
  if (Number.isNaN(frame)) return { of, not };
  return frame >= 1 && frame <= recorded
    ? { of: null, at: frame }
    : { of: null, at: null, not: true };
}

/** Of the frame in progress nothing is in the file yet: a frame is the last recorded one, a thing is as it is now. */
export function within(asked: Asked, { recorded }: Edge): Asked {
  if (asked.at == null || asked.at <= recorded) return asked;
  return { ...asked, at: asked.of === null && recorded > 0 ? recorded : null };
}

// ---- what was asked ----

/** The questions that were asked, the one that is shown last. */
export type Trail = readonly Question[];
const KEPT = 30;

export const shownQuestion = (trail: Trail): Question => trail.at(-1) ?? FIRST_QUESTION;

const same = (one: Question, other: Question): boolean =>
  one.pane === other.pane &&
  one.of === other.of &&
  one.at === other.at &&
  one.phase === other.phase;

export function asking(trail: Trail, question: Question): Trail {
  if (same(shownQuestion(trail), question)) return trail;
  return [...trail, question].slice(-KEPT);
}

export const backward = (trail: Trail): Trail => trail.slice(0, -1);

// ---- where a sentence leads ----

/** The tab below the plan that has the row of a sentence. */
const TAB_OF = new Map<string, DetailTab>([
  ["transitions", "Pending writes"],
  ["handlers", "Handlers"],
  ["tasks", "Tasks"],
  ["approvals", "Tasks"],
  ["model_calls", "Tasks"],
  ["tool_calls", "Tasks"],
  ["breakpoints", "Breakpoints"],
]);

/** Where the cursor goes; null for a sentence that belongs to no frame that it can show. */
export function cursorOf(statement: StatementRow, edge: Edge): Cursor | null {
  const { frame, phase, execution } = statement;
  if (execution !== null || frame === null || frame < 1) return null;
  if (frame > edge.recorded) return LIVE;
  return { at: frame, phase: phase === "EFFECTS" ? null : (phase as PhaseName | null) };
}

/** What a sentence selects: its node in the plan, and its row below; the answer stays where it is. */
export function ledTo(ui: UiState, statement: StatementRow, nodes: readonly PlanRow[]): UiState {
  const { node_id, table, row_id, execution } = statement;
  if (execution !== null) return ui;
  const tab = TAB_OF.get(table ?? "");
  // Only what is beside the answer turns: what shares its place with it would take it away.
  let choice = { ...ui.choice, plan: "Tree" as const };
  if (tab !== undefined) choice = { ...choice, detail: choose(ui.choice, tab).detail };
  const node =
    node_id === null
      ? {}
      : {
          tree: revealed(ui.tree, nodes, node_id),
          selection: { kind: "node", id: node_id } as const,
        };
  return {
    ...ui,
    ...node,
    choice,
    call: table === "handlers" ? row_id : ui.call,
    task: table === "tasks" ? row_id : null,
    reveal: ui.reveal + 1,
  };
}

// ---- evidence ----

const look = (glyph: string, word: string, tone: Look["tone"]): Look => ({ glyph, word, tone });

const EVIDENCE: Readonly<Record<NonNullable<StatementRow["evidence"]>, Look>> = {
  recorded: look("●", "recorded", "good"),
  derived: look("◆", "derived", "live"),
  inferred: look("≈", "inferred", "warn"),
};

export const evidenceLook = ({ evidence }: StatementRow): Look =>
  evidence === null ? look("?", "not known", "idle") : EVIDENCE[evidence];

/** What each kind of evidence means. */
export const EVIDENCE_WORDS: Readonly<Record<string, string>> = {
  recorded: "a row of the file says it",
  derived: "rendering again, or the code, says it",
  inferred: "texts match",
  "not known": "no record says it",
};

// ---- the chain ----

export interface SentenceRow {
  readonly kind: "sentence";
  readonly key: number;
  readonly statement: StatementRow;
  /** How far it is indented: one further with each fork of the tree, not with each step of a chain. */
  readonly level: number;
  /** How it hangs together with the sentence above. */
  readonly joint: "answer" | "because" | "and";
  /** Nothing caused it: the chain ends here. */
  readonly root: boolean;
  /** Its causes were told before. */
  readonly again: boolean;
}

/** Stands for steps in the middle of a chain. */
export interface StepsRow {
  readonly kind: "steps";
  readonly key: number;
  readonly level: number;
  readonly count: number;
}

export type ChainRow = SentenceRow | StepsRow;

/** The longest run of sentences that is shown whole. */
export const WHOLE_RUN = 7;
const HEAD = 3;
const TAIL = 2;

interface Cause {
  readonly index: number;
  readonly causes: Cause[];
}

/** The sentences as a tree. */
function treeOf(statements: readonly StatementRow[]): readonly Cause[] {
  const top: Cause[] = [];
  const path: Cause[] = [];
  statements.forEach(({ depth }, index) => {
    const cause: Cause = { index, causes: [] };
    path.length = Math.min(path.length, Math.max(0, depth));
    (path.at(-1)?.causes ?? top).push(cause);
    path.push(cause);
  });
  return top;
}

/** The rows of an answer; `opened` are the keys of the steps that were unfolded. */
export function rowsOf(
  { statements }: Pick<AnswerRow, "statements">,
  opened: ReadonlySet<number>,
): readonly ChainRow[] {
  const told = new Set<string>();
  const rows: ChainRow[] = [];

  const sentence = (
    { index, causes }: Cause,
    level: number,
    joint: SentenceRow["joint"],
  ): SentenceRow => {
    const statement = statements[index] as StatementRow;
    const name = JSON.stringify([statement.text, statement.table, statement.row_id]);
    const again = causes.length === 0 && told.has(name);
    if (causes.length > 0) told.add(name);
    const root = causes.length === 0 && !again;
    return { kind: "sentence", key: index, statement, level, joint, root, again };
  };

  /** A sentence, and those that follow it one by one until several causes came together. */
  const walk = (first: Cause, level: number, joint: SentenceRow["joint"]): void => {
    const run = [first];
    let last = first;
    while (last.causes.length === 1) {
      last = last.causes[0] as Cause;
      run.push(last);
    }
    const drawn = run.map((cause, at) => sentence(cause, level, at === 0 ? joint : "because"));
    rows.push(...folded(drawn, opened));
    for (const [at, cause] of last.causes.entries()) {
      walk(cause, level + 1, at === 0 ? "because" : "and");
    }
  };

  for (const cause of treeOf(statements)) walk(cause, 0, "answer");
  return rows;
}

function folded(run: readonly SentenceRow[], opened: ReadonlySet<number>): readonly ChainRow[] {
  const first = run[HEAD];
  if (run.length <= WHOLE_RUN || first === undefined || opened.has(first.key)) return run;
  const { key, level } = first;
  const count = run.length - HEAD - TAIL;
  return [...run.slice(0, HEAD), { kind: "steps", key, level, count }, ...run.slice(-TAIL)];
}

/** The row that answers the whole question in the fewest words: the first root of the first sentence. */
export const rootOf = (rows: readonly ChainRow[]): SentenceRow | null =>
  (rows.find((row) => row.kind === "sentence" && row.root) as SentenceRow | undefined) ?? null;
