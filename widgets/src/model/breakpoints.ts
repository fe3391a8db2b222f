/** Breakpoints: what a click on a thing sets, what the form makes, and which of them are there already. */

import type { BreakpointKind, BreakpointRow, NewBreakpoint, PlanPane, PlanRow } from "./protocol";

/** What may be selected, and stopped at. */
export type Subject =
  | { readonly kind: "node"; readonly id: string }
  | { readonly kind: "key"; readonly key: string; readonly scope: string }
  | { readonly kind: "handler"; readonly node: string; readonly event: string }
  | { readonly kind: "phase"; readonly name: string };

/** The breakpoint that a click on the thing sets. On a node the kernel takes what happens to it next. */
export function breakpointOn(subject: Subject): NewBreakpoint {
  switch (subject.kind) {
    case "node":
      return { kind: "node", target: subject.id };
    case "key":
      return { kind: "key", target: subject.key, event: "changed" };
    case "handler":
      return { kind: "handler", target: subject.node, event: subject.event };
    case "phase":
      return { kind: "phase", target: subject.name };
  }
}

/** The breakpoint of that kind, target and event, or without an event any of them, if it is set. */
export function sameAs(
  wanted: NewBreakpoint,
  breakpoints: readonly BreakpointRow[],
): BreakpointRow | undefined {
  return breakpoints.find(
    ({ kind, target, event }) =>
      kind === wanted.kind &&
      target === (wanted.target ?? null) &&
      (wanted.event === undefined || event === wanted.event),
  );
}

export const isSet = (subject: Subject, breakpoints: readonly BreakpointRow[]): boolean =>
  sameAs(breakpointOn(subject), breakpoints)?.enabled ?? false;

// ---- the form ----

export interface Form {
  readonly kind: BreakpointKind;
  readonly target: string;
  readonly event: string;
  readonly value: string;
  readonly when: string;
  readonly once: boolean;
  readonly log_only: boolean;
  /** As typed. */
  readonly after: string;
}

export const EMPTY_FORM: Form = {
  kind: "expression",
  target: "",
  event: "",
  value: "",
  when: "",
  once: false,
  log_only: false,
  after: "1",
};

export const KIND_WORDS: Readonly<Record<BreakpointKind, string>> = {
  node: "node",
  key: "key",
  handler: "handler",
  phase: "phase",
  error: "any error",
  expression: "expression",
};

export const EVENTS: Readonly<Record<BreakpointKind, readonly string[]>> = {
  node: ["mount", "start", "finished", "error", "unmount"],
  key: ["changed", "written", "equals"],
  handler: ["on_finished", "on_error", "on_progress"],
  phase: [],
  error: [],
  expression: [],
};

/** Types of nodes that start and end. */
const STANDS = new Set(
  "claude agent task approval smithers phase step sequence while ralph".split(" "),
);

/** The node that the form is about, if the plan has it. */
export const nodeOf = ({ kind, target }: Form, plan: PlanPane | null): PlanRow | undefined =>
  kind === "node" || kind === "handler"
    ? plan?.nodes.find((node): node is PlanRow => "id" in node && node.id === target.trim())
    : undefined;

/** What can still happen to the thing: of a node in the plan it depends on what it is and how it stands. */
export function eventsOf(form: Form, plan: PlanPane | null): readonly string[] {
  const node = nodeOf(form, plan);
  if (node === undefined) return EVENTS[form.kind];
  if (form.kind === "handler") return node.events;
  const mounted = plan?.dry === false && node.change !== "removed";
  const runs = node.status === "running" || node.status === "blocked";
  return EVENTS.node.filter((event) => {
    if (event === "mount") return !mounted;
    if (event === "start") return STANDS.has(node.type) && !runs;
    return event === "unmount" || STANDS.has(node.type);
  });
}

/** The event that is chosen, or the first of those that there are. */
export const eventIn = ({ event }: Form, events: readonly string[]): string =>
  events.includes(event) ? event : (events[0] ?? "");

/** The form for another kind: what does not fit it is emptied. */
export const ofKind = (form: Form, kind: BreakpointKind): Form => ({
  ...form,
  kind,
  target: kind === "phase" ? "RENDER" : "",
  event: EVENTS[kind][0] ?? "",
  value: "",
});

export const hasTarget = (kind: BreakpointKind): boolean =>
  kind !== "error" && kind !== "expression";

/** What the form asks for, or what is missing in it. */
export function asked(form: Form, events = EVENTS[form.kind]): NewBreakpoint | string {
  const { kind, target, value, when } = form;
  const event = eventIn(form, events);
  if (hasTarget(kind) && target.trim() === "") {
    return `Which ${kind === "handler" ? "node's handler" : kind}? Enter its ${kind === "key" ? "name" : "id"}.`;
  }
  if (kind === "handler" && event === "") return `${target.trim()} has no handlers.`;
  if (kind === "expression" && when.trim() === "") {
    return "Enter an expression over state, prev, node, frame, writes.";
  }
  if (event === "equals" && value.trim() === "") return "Enter the value as JSON.";
  const after = Number(form.after);
  if (!Number.isInteger(after) || after < 1) return "Hits is a whole number from 1 on.";
  return {
    kind,
    target: hasTarget(kind) ? target.trim() : null,
    event: event || null,
    value: event === "equals" ? value : null,
    when: when.trim() || null,
    once: form.once,
    log_only: form.log_only,
    after,
  };
}
