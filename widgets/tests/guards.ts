/**
 * The protocol's shapes, checked field by field: a field that is missing, unknown or of another type is
 * named. Each guard is typed by the interface that it checks, so the compiler keeps the two together.
 */

import type * as P from "../src/model/protocol";
import { COMMANDS, PANES } from "../src/model/protocol";

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
          : [`${path}.${key}: missing`],
      ),
    ];
  };
}

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

const problem = object<P.Problem>({
  kind: text,
  message: text,
  node_id: nullable(text),
  phase: nullable(text),
  source: nullable(text),
});

const counts = object<P.Counts>({
  nodes: whole,
  pending: whole,
  handlers: whole,
  state: whole,
  problems: whole,
  running: whole,
});

const sevenChips: Guard<readonly P.PhaseChip[]> = (value, path) => [
  ...list(phaseChip)(value, path),
  ...(Array.isArray(value) && value.length === 7 ? [] : [`${path}: expected seven phases`]),
];

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
  over: flag,
  frame: whole,
  phase: nullable(text),
  phases: sevenChips,
  sentence: text,
  busy: nullable(text),
  counts,
  tokens: whole,
  cost_usd: nullable(number),
  problems: list(problem),
  error: nullable(text),
});

const value = object<P.Value>({ text, chars: whole, cut: flag, type: text });

const planNode = object<P.PlanNode>({
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
  change: oneOf("", "added", "removed", "changed", "moved"),
  changes: list(object<P.PropChange>({ prop: text, old: nullable(text), new: nullable(text) })),
  children: whole,
  source: nullable(text),
  path: text,
});

const pendingWrite = object<P.PendingWrite>({
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
});

const call = object<P.Call>({
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
});

const stateEntry = object<P.StateEntry>({
  key: text,
  value,
  from_frame: whole,
  changed: flag,
  writer: nullable(text),
});

const paneGuards: { readonly [K in P.Pane]: Guard<P.PaneData[K]> } = {
  plan: object<P.Plan>({ frame: whole, dry: flag, total: whole, nodes: list(planNode) }),
  xml: object<P.Xml>({ frame: whole, dry: flag, text, chars: whole, cut: flag }),
  pending: object<P.Pending>({ frame: whole, writes: list(pendingWrite) }),
  handlers: object<P.Handlers>({ frame: whole, calls: list(call) }),
  state: object<P.State>({ frame: whole, total: whole, entries: list(stateEntry) }),
};

const replyOf = <K extends P.Pane>(pane: K) =>
  object<P.ReplyOf<K>>({
    type: oneOf("reply"),
    id: text,
    pane: oneOf(pane),
    seq: whole,
    data: nullable<unknown>(paneGuards[pane]),
    error: nullable(text),
  });

export const replyGuard = by("pane", {
  plan: replyOf("plan"),
  xml: replyOf("xml"),
  pending: replyOf("pending"),
  handlers: replyOf("handlers"),
  state: replyOf("state"),
});

export const outgoingGuard = by("type", {
  hello: object<P.Hello>({ type: oneOf("hello"), protocol: whole }),
  command: object<P.Command>({ type: oneOf("command"), id: text, name: oneOf(...COMMANDS) }),
  get: object<P.Get>({ type: oneOf("get"), id: text, pane: oneOf(...PANES), full: flag }),
});

const answerGuard = by("type", {
  ack: object<P.Ack>({ type: oneOf("ack"), id: text, name: text, accepted: flag, why: text }),
  done: object<P.Done>({
    type: oneOf("done"),
    id: text,
    name: text,
    ok: flag,
    error: nullable(text),
  }),
});

/** What the Python tests write. */
export interface Golden {
  readonly summary: P.Summary;
  readonly replies: readonly P.Reply[];
  readonly answers: readonly (P.Ack | P.Done)[];
  readonly messages: readonly P.Outgoing[];
}

export const goldenGuard = object<Golden>({
  summary: summaryGuard,
  replies: list(replyGuard),
  answers: list(answerGuard),
  messages: list(outgoingGuard),
});
