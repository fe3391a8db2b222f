import { useEffect, useId, useState } from "preact/hooks";
import {
  asked,
  EMPTY_FORM,
  eventIn,
  eventsOf,
  type Form,
  hasTarget,
  KIND_WORDS,
  ofKind,
} from "../model/breakpoints";
import { PHASES } from "../model/cursor";
import { BREAKPOINT_KINDS, type BreakpointKind } from "../model/protocol";
import { Text } from "./text";
import { useUi } from "./ui";

/** An expression is checked when one has stopped typing. */
const CHECK_MS = 300;

/** Makes a breakpoint of any kind; an expression is checked while it is typed. */
export function BreakpointForm() {
  const { client, state } = useUi();
  const [form, setForm] = useState<Form>(EMPTY_FORM);
  const [error, setError] = useState<string | null>(null);
  const errorId = useId();
  const events = eventsOf(form, state.panes.plan?.data ?? null);
  const change = (part: Partial<Form>) => {
    setForm((was) => ({ ...was, ...part }));
    setError(null);
  };

  useEffect(() => {
    const when = form.when.trim();
    if (when === "") return;
    let current = true;
    const timer = setTimeout(async () => {
      const outcome = await client.order({ name: "break_check", when }, true);
      if (current && outcome !== null && !outcome.ok) setError(outcome.error);
    }, CHECK_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [client, form.when]);

  const add = async () => {
    const wanted = asked(form, events);
    if (typeof wanted === "string") {
      setError(wanted);
      return;
    }
    const outcome = await client.order({ name: "break_add", ...wanted }, true);
    if (outcome?.ok) setForm(EMPTY_FORM);
    else setError(outcome?.error ?? "It could not be sent.");
  };

  return (
    <form
      class="ss-form"
      aria-label="New breakpoint"
      onSubmit={(event) => {
        event.preventDefault();
        add();
      }}
    >
      <select
        aria-label="Kind"
        value={form.kind}
        onChange={(event) => setForm(ofKind(form, event.currentTarget.value as BreakpointKind))}
      >
        {BREAKPOINT_KINDS.map((kind) => (
          <option key={kind} value={kind}>
            {KIND_WORDS[kind]}
          </option>
        ))}
      </select>
      <Target form={form} events={events} change={change} />
      <input
        type="text"
        class="ss-wide-input"
        aria-label={form.kind === "expression" ? "Expression" : "Condition"}
        aria-invalid={error !== null}
        aria-describedby={errorId}
        placeholder={
          form.kind === "expression"
            ? "expression over state, prev, node, frame, writes"
            : "and only when … (optional)"
        }
        value={form.when}
        onInput={(event) => change({ when: event.currentTarget.value })}
      />
      <label title="It stops from this hit on">
        from hit
        <input
          type="text"
          inputMode="numeric"
          class="ss-number"
          aria-label="From hit"
          value={form.after}
          onInput={(event) => change({ after: event.currentTarget.value })}
        />
      </label>
      <label>
        <input
          type="checkbox"
          checked={form.once}
          onChange={(event) => change({ once: event.currentTarget.checked })}
        />
        once
      </label>
      <label>
        <input
          type="checkbox"
          checked={form.log_only}
          onChange={(event) => change({ log_only: event.currentTarget.checked })}
        />
        log only
      </label>
      <button type="submit" class="ss-button ss-small">
        Add breakpoint
      </button>
      <span id={errorId} class="ss-form-error" role="alert">
        {error !== null && (
          <>
            ✗ <Text of={error} />
          </>
        )}
      </span>
    </form>
  );
}

interface TargetProps {
  readonly form: Form;
  readonly events: readonly string[];
  readonly change: (part: Partial<Form>) => void;
}

/** What it is about: a node, a key, a handler's node, a phase; and which of its events. */
function Target({ form, events, change }: TargetProps) {
  const { kind, target } = form;
  const event = eventIn(form, events);
  return (
    <>
      {kind === "phase" && (
        <select
          aria-label="Phase"
          value={target}
          onChange={(one) => change({ target: one.currentTarget.value })}
        >
          {PHASES.map((phase) => (
            <option key={phase} value={phase}>
              {phase}
            </option>
          ))}
        </select>
      )}
      {hasTarget(kind) && kind !== "phase" && (
        <input
          type="text"
          aria-label={kind === "key" ? "Key" : "Node id"}
          placeholder={kind === "key" ? "key" : "node id"}
          value={target}
          onInput={(one) => change({ target: one.currentTarget.value })}
        />
      )}
      {events.length > 0 && (
        <select
          aria-label="Event"
          value={event}
          onChange={(one) => change({ event: one.currentTarget.value })}
        >
          {events.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
      {event === "equals" && (
        <input
          type="text"
          aria-label="Value"
          placeholder="value as JSON"
          value={form.value}
          onInput={(one) => change({ value: one.currentTarget.value })}
        />
      )}
    </>
  );
}
