/**
 * The protocol's shapes, checked field by field: a field that is missing, unknown or of another type is
 * named. Each guard is typed by the interface that it checks, so the compiler keeps the two together.
 */

import type * as P from "../src/model/protocol";
import { BREAKPOINT_KINDS, VERSIONED as P_VERSIONED, PANES } from "../src/model/protocol";

/** Returns what is wrong, as "path: why". */
type Guard<_T> = (value: unknown, path: string) => string[];
type Fields<T> = { readonly [K in keyof T]-?: Guard<T[K]> };

const primitive =
  <T>(type: string): Guard<T> =>
  (value, path) =>
    typeof value === type ? [] : [`${path}: expected a ${type}, got ${JSON.stringify(value)}`];

const text = primitive<string>("string");
const flag = primitive<boolean>("boolean");
const number = primitive<number>("number");

const whole: Guard<number> = (value, path) =>
  Number.isInteger(value) ? [] : [`${path}: expected a whole number, got ${JSON.stringify(value)}`];

const oneOf =
  <T extends string>(...known: readonly T[]): Guard<T> =>
  (value, path) =>
    known.includes(value as T) ? [] : [`${path}: unknown ${JSON.stringify(value)}`];

const nullable =
  <T>(guard: Guard<T>): Guard<T | null> =>
  (value, path) =>
    value === null ? [] : guard(value, path);

const list =
  <T>(guard: Guard<T>): Guard<readonly T[]> =>
  (value, path) =>
    Array.isArray(value)
      ? value.flatMap((item, at) => guard(item, `${path}[${at}]`))
      : [`${path}: expected a list`];

const pair: Guard<readonly [string, string]> = (value, path) =>
  Array.isArray(value) && value.length === 2
    ? list(text)(value, path)
    : [`${path}: expected a pair`];

/** A field that the browser may leave out. */
interface Optional<T> {
  (value: unknown, path: string): string[];
  readonly optional: true;
  readonly of?: T;
}

const optional = <T>(guard: Guard<T>): Optional<T> =>
  Object.assign((value: unknown, path: string) => guard(value, path), { optional: true as const });

const numbers = (value: unknown, path: string): string[] => list(whole)(value, path);

const span: Guard<readonly [number, number]> = (value, path) =>
  Array.isArray(value) && value.length === 2
    ? numbers(value, path)
    : [`${path}: expected two numbers`];

function object<T>(fields: Fields<T>): Guard<T> {
  return (value, path) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return [`${path}: expected an object`];
    }
    const unknown = Object.keys(value).filter((key) => !(key in fields));
    const entries = Object.entries<Guard<unknown>>(fields);
    return [
      ...unknown.map((key) => `${path}.${key}: unknown field`),
      ...entries.flatMap(([key, guard]) =>
        key in value
          ? guard((value as Record<string, unknown>)[key], `${path}.${key}`)
          : "optional" in guard
            ? []
            : [`${path}.${key}: missing`],
      ),
    ];
  };
}

/** The names of nodes, by id. */
const names: Guard<Readonly<Record<string, string>>> = (value, path) =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value).flatMap(([id, name]) => text(name, `${path}.${id}`))
    : [`${path}: expected names`];

/** Chooses the guard by what a field says. */
const by =
  (field: string, guards: Readonly<Record<string, Guard<unknown>>>): Guard<unknown> =>
  (value, path) => {
    const kind = String((value as Record<string, unknown> | null)?.[field]);
    return guards[kind]?.(value, path) ?? [`${path}.${field}: unknown ${kind}`];
  };

const phaseChip = object<P.PhaseChip>({
  name: text,
  state: oneOf("done", "current", "todo"),
  ms: nullable(number),
});

const problem = object<P.ProblemRow>({
  kind: text,
  message: text,
  node_id: nullable(text),
  phase: nullable(text),
  source: nullable(text),
  frame: whole,
  advice: nullable(text),
  severity: oneOf("error", "hint"),
});

const hit = object<P.HitRow>({
  breakpoint_id: text,
  frame: whole,
  phase: text,
  text,
  node_id: nullable(text),
  log_only: flag,
  at: number,
});

const versions: Guard<P.Versions> = object(
  Object.fromEntries(P_VERSIONED.map((pane) => [pane, whole])) as Fields<P.Versions>,
);

const runningTask = object<P.RunningRow>({
  node: text,
  task_id: text,
  node_id: text,
  status: text,
  reason: nullable(text),
  worker: nullable(text),
  attempt: whole,
  max_attempts: whole,
  started: nullable(number),
  retry_at: nullable(number),
  tail: text,
  tokens: nullable(whole),
  cost_usd: nullable(number),
});

const question = object<P.QuestionRow>({
  node: text,
  approval_id: text,
  node_id: text,
  prompt: text,
  options: list(text),
  kind: text,
});

const counts = object<P.Counts>({
  nodes: whole,
  pending: whole,
  handlers: whole,
  state: whole,
  problems: whole,
  running: whole,
  output: whole,
  tasks: whole,
  breakpoints: whole,
});

const sentenceKind = oneOf<P.Summary["kind"]>("rest", "hit", "error", "waiting", "over");

const sevenChips: Guard<readonly P.PhaseChip[]> = (value, path) => [
  ...list(phaseChip)(value, path),
  ...(Array.isArray(value) && value.length === 7 ? [] : [`${path}: expected seven phases`]),
];

const predictOption = object<P.PredictOption>({ item: text, label: text });

const predictRow = object<P.PredictRow>({
  item: text,
  label: text,
  said: text,
  was: nullable(text),
  right: nullable(flag),
  because: text,
  ask: nullable(text),
  happened: flag,
});

const predictResult = object<P.PredictResult>({
  frame: whole,
  right: whole,
  of: whole,
  rows: list(predictRow),
  quiet: whole,
  reached: flag,
});

const predicting = object<P.Predicting>({
  learner: text,
  frame: nullable(whole),
  nodes: list(predictOption),
  handlers: list(predictOption),
  keys: list(predictOption),
  more: whole,
  result: nullable(predictResult),
});

export const summaryGuard = object<P.Summary>({
  protocol: whole,
  seq: whole,
  name: text,
  execution_id: text,
  status: oneOf(
    "ready",
    "running",
    "paused",
    "waiting",
    "finished",
    "failed",
    "stopped",
    "stalled",
    "terminated",
  ),
  reason: text,
  standing: text,
  over: flag,
  frame: whole,
  phase: nullable(text),
  phases: sevenChips,
  sentence: text,
  kind: sentenceKind,
  did: list(text),
  busy: nullable(text),
  counts,
  tokens: whole,
  cost_usd: nullable(number),
  problems: list(problem),
  error: nullable(text),
  recorded: whole,
  versions,
  running: list(runningTask),
  questions: list(question),
  hit: nullable(hit),
  breakpoints: whole,
  read_only: nullable(text),
  edited: whole,
  predict: nullable(predicting),
  limits: list(text),
  now: number,
});

const value = object<P.Value>({ text, chars: whole, cut: flag, type: text, ref: nullable(text) });
const change = oneOf<P.Change>("", "added", "removed", "changed", "moved", "remounted");
const propChange = object<P.PropChange>({ prop: text, old: nullable(text), new: nullable(text) });
const sparse = list(span);

const planNode = object<P.PlanRow>({
  id: text,
  parent: nullable(text),
  depth: whole,
  type: text,
  key: nullable(text),
  explicit_id: flag,
  attrs: list(pair),
  text: nullable(text),
  events: list(text),
  status: nullable(text),
  raised: flag,
  change,
  changes: list(propChange),
  children: whole,
  source: nullable(text),
  path: text,
  moved: flag,
  why: nullable(text),
  status_before: nullable(text),
  mounted: whole,
  breakpoints: list(text),
  task_id: nullable(text),
});

const planRow: Guard<P.PlanRow | readonly [number, number]> = (row, path) =>
  Array.isArray(row) ? span(row, path) : planNode(row, path);

const reader = object<P.ReaderRow>({ component: text, path: text, node_id: nullable(text) });

const pendingWrite = object<P.WriteRow>({
  id: text,
  order: whole,
  scope: text,
  key: text,
  op: oneOf("set", "update", "delete", "init"),
  old: nullable(value),
  new: nullable(value),
  origin: text,
  origin_id: nullable(text),
  node_id: nullable(text),
  handler: nullable(text),
  trigger: text,
  status: text,
  frame: whole,
  outcome: nullable(text),
  conflict: nullable(text),
  noop: flag,
  readers: list(reader),
  edited: nullable(text),
});

const call = object<P.CallRow>({
  id: text,
  frame: whole,
  node_id: text,
  task_id: text,
  event: text,
  status: oneOf("ok", "raised", "stale"),
  writes: whole,
  ms: number,
  error: nullable(text),
  source: nullable(text),
  seq: whole,
  phase: text,
  trigger: text,
});

const stateEntry = object<P.StateRow>({
  key: text,
  value,
  from_frame: whole,
  changed: flag,
  writer: nullable(text),
  scope: oneOf("state", "vol"),
  writer_node: nullable(text),
  writer_id: nullable(text),
  old: nullable(value),
  readers: list(reader),
  history: list(
    object<P.StateRow["history"][number]>({ frame: whole, value: text, writer: nullable(text) }),
  ),
});

const taskFields: Fields<P.TaskRow> = {
  task_id: text,
  node_id: text,
  type: nullable(text),
  iteration: nullable(whole),
  attempt: whole,
  max_attempts: whole,
  status: text,
  reason: nullable(text),
  worker: nullable(text),
  frame: whole,
  settled_frame: nullable(whole),
  started: nullable(number),
  ended: nullable(number),
  retry_at: nullable(number),
  requests: nullable(whole),
  tokens: nullable(whole),
  cost_usd: nullable(number),
  tools: whole,
  tail: text,
  error: nullable(text),
  can: list(oneOf("cancel", "retry", "handle_again", "answer")),
  options: list(text),
};
const taskRow = object<P.TaskRow>(taskFields);

const toolCall = object<P.ToolCallRow>({
  id: whole,
  tool: text,
  agent: nullable(text),
  turn: whole,
  attempt: whole,
  status: text,
  input: value,
  output: nullable(value),
  ms: nullable(number),
  error: nullable(text),
});

const partRow = object<P.PartRow>({
  role: oneOf("system", "user", "assistant", "tool"),
  kind: text,
  label: text,
  text: value,
  ms: nullable(number),
});

const modelCall = object<P.ModelCallRow>({
  id: whole,
  turn: whole,
  attempt: whole,
  model: text,
  agent: nullable(text),
  answered_by: oneOf("model", "cache", "replay", "recording"),
  input_tokens: nullable(whole),
  output_tokens: nullable(whole),
  cost_usd: nullable(number),
  ms: number,
  error: nullable(text),
  response: nullable(value),
});

const breakpoint = object<P.BreakpointRow>({
  id: text,
  kind: oneOf(...BREAKPOINT_KINDS),
  target: nullable(text),
  event: nullable(text),
  value: nullable(text),
  when: nullable(text),
  once: flag,
  enabled: flag,
  log_only: flag,
  hits: whole,
  after: whole,
  text,
  error: nullable(text),
});

const answer = object<P.AnswerRow>({
  question: text,
  negative: flag,
  statements: list(
    object<P.StatementRow>({
      text,
      depth: whole,
      frame: nullable(whole),
      phase: nullable(text),
      node_id: nullable(text),
      source: nullable(text),
      table: nullable(text),
      row_id: nullable(text),
      execution: nullable(text),
      evidence: nullable(oneOf("recorded", "derived", "inferred")),
      link: nullable(text),
    }),
  ),
  more: whole,
});

const why = object<P.WhyPane>({ of: nullable(text), answers: list(answer), takes: nullable(text) });

const paneGuards: { readonly [K in P.Pane]: Guard<P.PaneData[K]> } = {
  frame: object<P.FramePane>({
    frame: whole,
    recorded: flag,
    status: oneOf("done", "open", "dry"),
    phase: nullable(text),
    last_phase: nullable(text),
    phases: sevenChips,
    sentence: text,
    kind: sentenceKind,
    did: list(text),
    reason: list(text),
    created: nullable(number),
    counts: object<P.FramePane["counts"]>({
      mounted: whole,
      unmounted: whole,
      updated: whole,
      moved: whole,
      writes: whole,
      handlers: whole,
      problems: whole,
      output: whole,
    }),
    hits: list(hit),
  }),
  gantt: object<P.GanttPane>({
    nodes: list(text),
    tasks: list((row, path) =>
      Array.isArray(row) && row.length === 5
        ? [text, whole, text, whole, nullable(whole)].flatMap((guard, at) =>
            (guard as Guard<unknown>)(row[at], `${path}[${at}]`),
          )
        : [`${path}: expected a task`],
    ),
    more: flag,
  }),
  timeline: object<P.TimelinePane>({
    since: whole,
    to: whole,
    writes: list(whole),
    handlers: list(whole),
    changes: list(whole),
    ms: list(whole),
    errors: sparse,
    hits: sparse,
    tasks: sparse,
    output: sparse,
    keys: list((row, path) =>
      Array.isArray(row) && row.length === 2
        ? [...whole(row[0], path), ...list(text)(row[1], path)]
        : [`${path}: expected a pair`],
    ),
  }),
  plan: object<P.PlanPane>({
    frame: whole,
    dry: flag,
    total: whole,
    version: whole,
    base: whole,
    against: nullable(text),
    nodes: list(planRow),
  }),
  xml: object<P.XmlPane>({
    frame: whole,
    dry: flag,
    text,
    chars: whole,
    cut: flag,
    base: whole,
    against: nullable(text),
    marks: list((row, path) =>
      Array.isArray(row) && row.length === 3
        ? [...whole(row[0], path), ...list(text)(row.slice(1), path)]
        : [`${path}: expected three`],
    ),
  }),
  pending: object<P.PendingPane>({
    names,
    frame: whole,
    writes: list(pendingWrite),
    editable: flag,
  }),
  handlers: object<P.HandlersPane>({
    names,
    frame: whole,
    calls: list(call),
    never: list(
      object<P.NeverFiredRow>({
        node_id: text,
        event: text,
        type: text,
        source: nullable(text),
        why: text,
      }),
    ),
  }),
  state: object<P.StatePane>({ names, frame: whole, total: whole, entries: list(stateEntry) }),
  tasks: object<P.TasksPane>({
    names,
    frame: whole,
    now: number,
    tasks: list(taskRow),
    windows: list(
      object<P.WindowRow>({
        name: text,
        opens: nullable(number),
        apart_ms: number,
        refused: whole,
      }),
    ),
  }),
  task: object<P.TaskPane>({
    names,
    ...taskFields,
    prompt: nullable(value),
    result: nullable(value),
    trace: nullable(text),
    source: nullable(text),
    asked: list(
      object<P.AskedRow>({
        approval_id: text,
        kind: text,
        prompt: text,
        options: list(text),
        payload: nullable(value),
        diff: nullable(text),
        status: text,
        choice: nullable(text),
        comment: nullable(text),
        args: nullable(text),
        edited: flag,
        result: nullable(value),
      }),
    ),
    earlier: whole,
    conversation: list(
      object<P.ExchangeRow>({
        id: whole,
        heading: text,
        ending: text,
        ms: number,
        status: oneOf("running", "ok", "failed", "cancelled", "interrupted"),
        parts: list(partRow),
        results: list(partRow),
      }),
    ),
    tool_calls: list(toolCall),
    model_calls: list(modelCall),
  }),
  breakpoints: object<P.BreakpointsPane>({ names, breakpoints: list(breakpoint), hits: list(hit) }),
  output: object<P.OutputPane>({
    names,
    frame: whole,
    total: whole,
    entries: list(
      object<P.PrintedRow>({
        id: whole,
        frame: whole,
        phase: nullable(text),
        node_id: nullable(text),
        where: text,
        stream: oneOf("stdout", "stderr"),
        text,
        cut: flag,
        ref: nullable(text),
        at: number,
      }),
    ),
  }),
  problems: object<P.ProblemsPane>({ names, frame: whole, total: whole, problems: list(problem) }),
  node: object<P.NodePane>({
    names,
    id: text,
    path: text,
    type: text,
    key: nullable(text),
    explicit_id: flag,
    source: nullable(text),
    mounted: whole,
    status: nullable(text),
    raised: flag,
    change,
    changes: list(propChange),
    why: nullable(text),
    removed: flag,
    props: list(object<P.NodePane["props"][number]>({ name: text, value })),
    text: nullable(value),
    events: list(
      object<P.NodePane["events"][number]>({ event: text, calls: whole, last: nullable(text) }),
    ),
    task: nullable(taskRow),
    component: nullable(text),
    reads: list(
      object<P.NodePane["reads"][number]>({
        key: text,
        scope: text,
        value: nullable(value),
        from_frame: whole,
        writer: nullable(text),
        writer_node: nullable(text),
      }),
    ),
    breakpoints: list(text),
  }),
  value,
  search: object<P.SearchPane>({
    total: whole,
    found: list(
      object<P.FoundRow>({
        kind: oneOf("node", "key", "handler", "task", "output"),
        id: text,
        label: text,
        frame: whole,
        node_id: nullable(text),
      }),
    ),
  }),
  last_change: object<P.LastChangePane>({
    found: nullable(pendingWrite),
    before: nullable(span),
    text,
  }),
  hit: object<P.HitPane>({ found: nullable(hit), before: nullable(span), text }),
  edited: object<P.EditedPane>({
    text,
    first: nullable(whole),
    last: whole,
    total: whole,
    frames: list(span),
    pending: list(span),
  }),
  compare: object<P.ComparePane>({
    frame: whole,
    execution_id: nullable(text),
    name: text,
    other_frame: whole,
    text,
    total: whole,
    rows: list(
      object<P.DifferenceRow>({
        what: text,
        node_id: nullable(text),
        node: nullable(text),
        key: nullable(text),
        iteration: nullable(whole),
        child: nullable(text),
        here: nullable(text),
        there: nullable(text),
        frame: whole,
        other_frame: whole,
        frames: text,
      }),
    ),
    choices: list(
      object<P.ChoiceRow>({
        execution_id: text,
        name: text,
        status: text,
        kind: text,
        family: flag,
        created: nullable(number),
      }),
    ),
    more: whole,
  }),
  branches: object<P.BranchesPane>({
    family: list(
      object<P.BranchRow>({
        execution_id: text,
        name: text,
        parent_id: nullable(text),
        depth: whole,
        at: nullable(whole),
        status: text,
        reason: text,
        changed: list(text),
        last: whole,
        runs: flag,
        variable: text,
      }),
    ),
    line: list(
      object<P.StretchRow>({
        execution_id: text,
        name: text,
        first: whole,
        last: nullable(whole),
      }),
    ),
    store: text,
    app: text,
  }),
  notes: object<P.NotesPane>({ notes: list(text) }),
  why,
  why_not: why,
  needs: object<P.NeedsPane>({
    of: text,
    frame: whole,
    answer,
    found: flag,
    after: whole,
    state: nullable(text),
    code: text,
  }),
  ghosts: object<P.GhostsPane>({
    frame: whole,
    total: whole,
    nodes: list(
      object<P.GhostRow>({
        of: text,
        type: text,
        name: text,
        component: text,
        source: text,
        guards: list(text),
        depth: whole,
        parent: nullable(text),
        after: nullable(text),
      }),
    ),
    unknown: list(text),
  }),
};

const replyOf = <K extends P.Pane>(pane: K) =>
  object<P.ReplyOf<K>>({
    type: oneOf("reply"),
    id: text,
    pane: oneOf(pane) as Guard<K>,
    at: nullable(whole),
    phase: nullable(text),
    data: nullable<unknown>(paneGuards[pane]),
    error: nullable(text),
  });

export const replyGuard = by(
  "pane",
  Object.fromEntries(PANES.map((pane) => [pane, replyOf(pane)])),
);

const getGuard = object<P.Get>({
  type: oneOf("get"),
  id: text,
  pane: oneOf(...PANES),
  at: optional(nullable(whole)),
  phase: optional(nullable(text)),
  base: optional(nullable(whole)),
  other: optional(nullable(text)),
  edited: optional(flag),
  of: optional(nullable(text)),
  known: optional(nullable(whole)),
  seen: optional(nullable(whole)),
  since: optional(whole),
  limit: optional(whole),
  before: optional(nullable(span)),
  direction: optional(oneOf("back", "forward")),
  full: optional(flag),
});

const order = (name: string, fields: Readonly<Record<string, Guard<unknown>>> = {}) =>
  object<Record<string, unknown>>({
    type: oneOf("command"),
    id: text,
    name: oneOf(name),
    execution_id: optional(text),
    ...fields,
  });

const commandGuard = by("name", {
  ...Object.fromEntries(
    ["step_phase", "until_idle", "pause", "stop"].map((name) => [
      name,
      order(name, { ask: optional(list(getGuard)) }),
    ]),
  ),
  step_frame: order("step_frame", { frames: optional(whole), ask: optional(list(getGuard)) }),
  continue: order("continue", {
    frames: optional(nullable(whole)),
    ask: optional(list(getGuard)),
  }),
  until: order("until", { condition: text, ask: optional(list(getGuard)) }),
  edit_pending: order("edit_pending", { write: text, value: text }),
  drop_pending: order("drop_pending", { write: text }),
  predict: order("predict", {
    frame: whole,
    said: optional(nullable(text)),
    learner: optional(text),
  }),
  fork: order("fork", {
    frame: optional(nullable(whole)),
    branch: optional(nullable(text)),
    state: optional(nullable(text)),
    reuse: optional(nullable(text)),
    allow_repeat: optional(nullable(text)),
  }),
  cancel: order("cancel", { node: text }),
  retry: order("retry", { node: text }),
  handle_again: order("handle_again", { node: text }),
  answer: order("answer", {
    approval: text,
    choice: text,
    comment: optional(nullable(text)),
    args: optional(nullable(text)),
    result: optional(nullable(text)),
  }),
  break_add: order("break_add", {
    kind: oneOf(...BREAKPOINT_KINDS),
    target: optional(nullable(text)),
    event: optional(nullable(text)),
    value: optional(nullable(text)),
    when: optional(nullable(text)),
    once: optional(flag),
    log_only: optional(flag),
    after: optional(whole),
  }),
  break_check: order("break_check", { when: text }),
  break_remove: order("break_remove", { breakpoint: text }),
  break_change: order("break_change", {
    breakpoint: text,
    enabled: optional(flag),
    once: optional(flag),
    log_only: optional(flag),
    when: optional(nullable(text)),
  }),
  why: order("why", { target: optional(text), frame: optional(nullable(whole)) }),
  why_not: order("why_not", { target: optional(text), frame: optional(nullable(whole)) }),
  needs: order("needs", { target: text, frame: optional(nullable(whole)) }),
  follow: order("follow", { text: text, frame: optional(nullable(whole)) }),
  export: order("export", { path: optional(text), redact: optional(nullable(text)) }),
});

export const outgoingGuard = by("type", {
  hello: object<P.Hello>({ type: oneOf("hello"), protocol: whole }),
  ping: object<P.Ping>({ type: oneOf("ping"), id: text }),
  show: object<P.Show>({ type: oneOf("show"), execution_id: text }),
  command: commandGuard,
  get: getGuard,
  look: object<P.LookMessage>({ type: oneOf("look"), gets: list(getGuard) }),
});

const answerGuard = by("type", {
  ack: object<P.Ack>({ type: oneOf("ack"), id: text, name: text, accepted: flag, why: text }),
  done: object<P.Done>({
    type: oneOf("done"),
    id: text,
    name: text,
    ok: flag,
    error: nullable(text),
    result: nullable(text),
    summary: nullable(summaryGuard),
    replies: list(replyGuard),
  }),
  replies: object<P.Replies>({ type: oneOf("replies"), replies: list(replyGuard) }),
  pong: object<P.Pong>({ type: oneOf("pong"), id: text }),
});

/** What the Python tests write. */
export interface Golden {
  readonly summary: P.Summary;
  /** A summary of one that stands at a breakpoint. */
  readonly hit: P.Summary;
  readonly replies: readonly P.Reply[];
  readonly answers: readonly (P.Ack | P.Done | P.Replies | P.Pong)[];
  readonly messages: readonly P.Outgoing[];
}

export const goldenGuard = object<Golden>({
  summary: summaryGuard,
  hit: summaryGuard,
  replies: list(replyGuard),
  answers: list(answerGuard),
  messages: list(outgoingGuard),
});
