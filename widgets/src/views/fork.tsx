import { useEffect, useId, useState } from "preact/hooks";
import { rowOf } from "../model/branches";
import { whyDead } from "../model/controls";
import {
  changedState,
  forkCode,
  forkFrame,
  REUSABLE,
  REUSED,
  type Reusable,
  reuseWords,
  textsOf,
} from "../model/fork";
import type { BranchRow, StatePane, StateRow, Summary } from "../model/protocol";
import { size } from "../model/text";
import { Notes } from "./branches";
import { type CloseProps, Popup, useFocus } from "./popup";
import { Text } from "./text";
import { useUi } from "./ui";

/** Longer values are edited in Python. */
const EDITABLE_CHARS = 20_000;
/** As many keys as are laid out at once. */
const KEYS = 200;

/** Asks what is changed, makes the branch, and shows it; for a recorded execution it says how to do that in code. */
export function ForkDialog({ close }: CloseProps) {
  const { state } = useUi();
  const { summary } = state;
  const [made, setMade] = useState<string | null>(null);
  if (summary === null) return null;
  if (made !== null) return <Made id={made} close={close} />;
  if (summary.read_only !== null) return <InCode summary={summary} close={close} />;
  return <Form summary={summary} made={setMade} close={close} />;
}

interface SummaryProps extends CloseProps {
  readonly summary: Summary;
}

function InCode({ summary, close }: SummaryProps) {
  const { state } = useUi();
  const code = useFocus<HTMLTextAreaElement>();
  const pane = state.panes.branches?.data ?? null;
  const frame = state.cursor.at ?? summary.frame;
  return (
    <Popup name={`Branch from frame ${frame}`} kind="fork" close={close}>
      <p>
        This execution is recorded: no code runs it here, and a branch runs code. Branch in a cell:
      </p>
      <textarea
        ref={code}
        class="ss-fork-code"
        aria-label="Code that branches"
        readOnly
        rows={2}
        value={pane === null ? "Loading…" : forkCode(pane, summary.execution_id, frame)}
        onFocus={({ currentTarget }) => currentTarget.select()}
      />
      <p class="ss-dim">
        fork(…, state={"{…}"}) changes values of the state. The branch is then in the menu of
        branches, and can be stepped here.
      </p>
    </Popup>
  );
}

interface FormProps extends SummaryProps {
  readonly made: (execution_id: string) => void;
}

function Form({ summary, made, close }: FormProps) {
  const { client, state } = useUi();
  const first = forkFrame(state.cursor, summary);
  const [typed, setTyped] = useState(String(first));
  const frame = /^\s*\d+\s*$/.test(typed) ? Number(typed) : null;
  const [name, setName] = useState("");
  const [reuse, setReuse] = useState<readonly Reusable[]>(REUSED);
  const [repeat, setRepeat] = useState("");
  const [edits, setEdits] = useState<ReadonlyMap<string, string>>(new Map());
  const [error, setError] = useState<string | null>(null);
  const [sending, setSending] = useState(false);
  const field = useFocus<HTMLInputElement>();
  const held = useStateAfter(frame);
  const off = whyDead(summary, state.connected);

  const branch = async () => {
    if (frame === null) return setError("Enter the number of a frame; 0 is the beginning.");
    const changed = changedState(edits, textsOf(held.state));
    if (changed !== null && typeof changed === "object") {
      return setError(`${changed.key}: ${changed.why}`);
    }
    setSending(true);
    const outcome = await client.order(
      {
        name: "fork",
        frame,
        branch: name.trim() || null,
        state: changed,
        reuse: reuseWords(reuse),
        allow_repeat: repeat.trim() || null,
      },
      true,
    );
    setSending(false);
    if (outcome?.ok && outcome.result !== null) {
      client.show(outcome.result);
      made(outcome.result);
    } else setError(outcome?.error ?? off ?? "It could not be sent.");
  };
  const edit = (key: string, text: string | null) => {
    setError(null);
    const next = new Map(edits);
    if (text === null) next.delete(key);
    else next.set(key, text);
    setEdits(next);
  };

  return (
    <Popup name={`Branch from frame ${frame ?? "…"}`} kind="fork" close={close}>
      <form
        class="ss-fork"
        onSubmit={(event) => {
          event.preventDefault();
          if (!sending && off === null) branch();
        }}
      >
        <div class="ss-fork-where">
          <label>
            After frame{" "}
            <input
              ref={field}
              type="text"
              class="ss-number"
              inputMode="numeric"
              aria-label="Frame"
              aria-invalid={frame === null}
              value={typed}
              onInput={({ currentTarget }) => {
                setError(null);
                setTyped(currentTarget.value);
              }}
            />
          </label>
          <label>
            Name{" "}
            <input
              type="text"
              class="ss-fork-name"
              aria-label="Name"
              placeholder={`${summary.name.replace(/~\d+$/, "")}~…`}
              value={name}
              onInput={({ currentTarget }) => setName(currentTarget.value)}
            />
          </label>
        </div>
        {state.cursor.at === null && first < summary.frame && (
          <p class="ss-dim">
            The writes of frame {summary.frame} are pending: it can be branched from once they are
            applied.
          </p>
        )}
        <Reused reuse={reuse} setReuse={setReuse} />
        <label title="Tasks and tools that refuse to be called a second time, by name, with commas between.">
          May be called again although it refuses{" "}
          <input
            type="text"
            aria-label="Allowed to repeat"
            placeholder="none"
            value={repeat}
            onInput={({ currentTarget }) => {
              setError(null);
              setRepeat(currentTarget.value);
            }}
          />
        </label>
        <StateFields held={held} frame={frame} edits={edits} edit={edit} submit={branch} />
        {error !== null && (
          <p role="alert" class="ss-fork-error" data-tone="bad">
            <Text of={error} />
          </p>
        )}
        <div class="ss-popup-buttons">
          <button
            type="submit"
            class="ss-button ss-primary"
            aria-disabled={sending || off !== null}
            title={off ?? "Makes the branch, and shows it here. This execution stays as it is."}
          >
            {sending ? "Branching…" : "Branch"}
          </button>
          <button type="button" class="ss-button" onClick={close}>
            Cancel
          </button>
        </div>
      </form>
    </Popup>
  );
}

interface ReusedProps {
  readonly reuse: readonly Reusable[];
  readonly setReuse: (reuse: readonly Reusable[]) => void;
}

function Reused({ reuse, setReuse }: ReusedProps) {
  return (
    <fieldset class="ss-fork-reuse">
      <legend title="Where nothing differs: the same request, call or question.">
        Taken from the recording, for free
      </legend>
      {REUSABLE.map(({ kind, label }) => (
        <label key={kind}>
          <input
            type="checkbox"
            checked={reuse.includes(kind)}
            onChange={({ currentTarget: { checked } }) =>
              setReuse(checked ? [...reuse, kind] : reuse.filter((one) => one !== kind))
            }
          />{" "}
          {label}
        </label>
      ))}
    </fieldset>
  );
}

interface Held {
  readonly state: StatePane | null;
  readonly error: string | null;
}

/** The state that a branch after a frame begins with. */
function useStateAfter(frame: number | null): Held {
  const { client } = useUi();
  const [held, setHeld] = useState<Held>({ state: null, error: null });
  useEffect(() => {
    if (frame === null) return;
    let current = true;
    // The first state is what frame 1 reads.
    const { recorded } = client.edge;
    const beginning = { at: recorded >= 1 ? 1 : null, phase: null };
    const where = frame >= 1 ? ({ at: frame, phase: "FLUSH" } as const) : beginning;
    client
      .ask({ pane: "state", ...where, limit: KEYS })
      .then((state) => current && setHeld({ state, error: null }))
      .catch((error: Error) => current && setHeld({ state: null, error: error.message }));
    return () => {
      current = false;
    };
  }, [client, frame]);
  return held;
}

interface FieldsProps {
  readonly held: Held;
  readonly frame: number | null;
  readonly edits: ReadonlyMap<string, string>;
  readonly edit: (key: string, text: string | null) => void;
  readonly submit: () => void;
}

function StateFields({ held, frame, edits, edit, submit }: FieldsProps) {
  const rows = held.state?.entries.filter(({ scope }) => scope === "state") ?? [];
  const known = new Set(rows.map(({ key }) => key));
  const added = [...edits.keys()].filter((key) => !known.has(key));
  const more = (held.state?.total ?? 0) - (held.state?.entries.length ?? 0);
  return (
    <fieldset class="ss-fork-state">
      <legend title="Only what you change is written in the branch.">
        State after frame {frame ?? "…"}, as JSON
      </legend>
      {held.error !== null && (
        <p data-tone="warn">
          <Text of={held.error} />
        </p>
      )}
      <div class="ss-fork-keys">
        {rows.map((row) => (
          <StateField
            key={row.key}
            row={row}
            text={edits.get(row.key)}
            edit={edit}
            submit={submit}
          />
        ))}
        {added.map((key) => (
          <Field
            key={key}
            name={key}
            text={edits.get(key) ?? ""}
            changed
            edit={edit}
            submit={submit}
          />
        ))}
      </div>
      {held.state !== null && rows.length === 0 && <p class="ss-dim">It has no keys.</p>}
      {more > 0 && <p class="ss-dim">and {more} more: add one by its name to change it.</p>}
      <AddKey has={(key) => known.has(key) || edits.has(key)} add={(key) => edit(key, "null")} />
    </fieldset>
  );
}

interface StateFieldProps extends Pick<FieldsProps, "edit" | "submit"> {
  readonly row: StateRow;
  readonly text: string | undefined;
}

function StateField({ row, text, edit, submit }: StateFieldProps) {
  const { client } = useUi();
  const { key, value } = row;
  const load = async () => {
    if (value.ref === null) return;
    try {
      edit(key, (await client.ask({ pane: "value", of: value.ref, limit: EDITABLE_CHARS })).text);
    } catch (error) {
      client.say(error instanceof Error ? error.message : String(error));
    }
  };
  if (value.cut && text === undefined) {
    return (
      <div class="ss-fork-key">
        <code>
          <Text of={key} />
        </code>
        {value.chars > EDITABLE_CHARS ? (
          <span class="ss-dim">
            {size(value.chars)}: too long for here. In Python: fork(state=…)
          </span>
        ) : (
          <button type="button" class="ss-link" onClick={load}>
            Edit ({size(value.chars)})
          </button>
        )}
      </div>
    );
  }
  const changed = text !== undefined && text.trim() !== value.text;
  return (
    <Field
      name={key}
      text={text ?? value.text}
      type={value.type}
      changed={changed}
      edit={edit}
      submit={submit}
    />
  );
}

interface FieldProps extends Pick<FieldsProps, "edit" | "submit"> {
  readonly name: string;
  readonly text: string;
  readonly type?: string;
  readonly changed: boolean;
}

function Field({ name, text, type, changed, edit, submit }: FieldProps) {
  const id = useId();
  return (
    <div class="ss-fork-key" data-changed={changed || undefined}>
      <label for={id}>
        <code>
          <Text of={name} />
        </code>{" "}
        {type !== undefined && <span class="ss-dim">{type}</span>}
      </label>
      <textarea
        id={id}
        aria-label={`State ${name}`}
        rows={Math.min(4, text.split("\n").length + Math.floor(text.length / 60))}
        value={text}
        onInput={({ currentTarget }) => edit(name, currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey) return;
          event.preventDefault();
          submit();
        }}
      />
      {changed && (
        <button
          type="button"
          class="ss-link"
          aria-label={`Undo ${name}`}
          onClick={() => edit(name, null)}
        >
          Undo
        </button>
      )}
    </div>
  );
}

interface AddKeyProps {
  readonly has: (key: string) => boolean;
  readonly add: (key: string) => void;
}

function AddKey({ has, add }: AddKeyProps) {
  const [key, setKey] = useState("");
  const there = has(key);
  const put = () => {
    if (key === "" || there) return;
    add(key);
    setKey("");
  };
  return (
    <p class="ss-fork-add">
      <input
        type="text"
        aria-label="New key"
        placeholder="new key"
        value={key}
        onInput={({ currentTarget }) => setKey(currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          put();
        }}
      />{" "}
      <button type="button" class="ss-link" aria-disabled={key === "" || there} onClick={put}>
        Add key
      </button>
      {there && <span class="ss-dim"> It is there already.</span>}
    </p>
  );
}

/** The branch that was made: the stepper shows it by now. */
function Made({ id, close }: CloseProps & { readonly id: string }) {
  const { state } = useUi();
  const shown = state.summary?.execution_id === id;
  const row = rowOf(state.panes.branches?.data ?? null, id);
  return (
    <Popup name="The branch is made" kind="fork" close={close}>
      {shown && row !== undefined ? <MadeOf row={row} close={close} /> : <Awaited />}
    </Popup>
  );
}

/** Has the focus meanwhile: Esc would not be heard without it. */
function Awaited() {
  const place = useFocus<HTMLParagraphElement>();
  return (
    <p class="ss-dim" ref={place} tabIndex={-1}>
      Loading…
    </p>
  );
}

function MadeOf({ row, close }: CloseProps & { readonly row: BranchRow }) {
  const done = useFocus<HTMLButtonElement>();
  const at = row.at ?? 0;
  return (
    <>
      <p>
        This is{" "}
        <strong>
          <Text of={row.name} />
        </strong>
        , which left after frame {at}. Step renders frame {at + 1}.
      </p>
      <p>
        {row.variable === "" ? (
          "No variable holds it."
        ) : (
          <>
            In cells it is <code>{row.variable}</code>.
          </>
        )}{" "}
        The execution that it left is unchanged: the menu of branches leads back.
      </p>
      <Notes of={row.execution_id} />
      <div class="ss-popup-buttons">
        <button type="button" class="ss-button" ref={done} onClick={close}>
          Go on
        </button>
      </div>
    </>
  );
}
