import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { writeLook } from "../model/looks";
import type { PendingPane, ReaderRow, WriteRow } from "../model/protocol";
import { type Column, Grid } from "./grid";
import { FrameLink, KeyLink, Link, NodeLink, OriginLink } from "./links";
import { Mark, Text } from "./text";
import { useUi } from "./ui";
import { Maybe } from "./value";

/** The writes that the next FLUSH will apply, in that order; after it, what came of them. */
export function PendingView({ pending }: { readonly pending: PendingPane }) {
  const { ui, actions } = useUi();
  const { selection } = ui;
  return (
    <Grid
      name="Pending writes"
      columns={columnsOf(pending)}
      rows={pending.writes}
      keyOf={({ id }) => id}
      why={({ id, key }) => ({ of: id, name: `the write of ${key}` })}
      empty="Nothing is pending."
      toneOf={({ conflict, status }) =>
        status === "overridden" || conflict?.startsWith("overridden") ? "lost" : undefined
      }
      select={({ id, key, scope }) => actions.select({ kind: "write", id, key, scope })}
      isSelected={({ id }) => selection?.kind === "write" && selection.id === id}
      below={(write) => {
        const editing = pending.editable && ui.editing === write.id;
        const about = editing || write.conflict !== null || write.edited !== null;
        return about && <Below write={write} editing={editing} />;
      }}
    />
  );
}

const columnsOf = ({ editable, frame }: PendingPane): readonly Column<WriteRow>[] => [
  ...COLUMNS,
  {
    name: "Frame",
    rank: 2,
    usual: (write) => write.frame === frame,
    cell: ({ frame }) => <FrameLink frame={frame} />,
  },
  { name: "Read by", rank: 4, cell: ({ readers }) => <Readers of={readers} /> },
  ...(editable ? [CHANGE] : []),
];

const COLUMNS: readonly Column<WriteRow>[] = [
  { name: "#", align: "end", rank: 1, cell: ({ order }) => order },
  {
    name: "Key",
    cell: ({ scope, key }) => (
      <code>
        <KeyLink of={key} scope={scope} />
      </code>
    ),
  },
  { name: "Op", rank: 3, usual: ({ op }) => op === "set", cell: ({ op }) => op },
  { name: "Old → new", wide: true, cell: (write) => <OldToNew write={write} /> },
  { name: "Status", rank: 0, cell: (write) => <Standing write={write} /> },
  { name: "Origin", rank: -1, cell: (write) => <Origin write={write} /> },
  {
    name: "Node",
    rank: 5,
    usual: ({ node_id }) => node_id === null,
    cell: ({ node_id }) => (
      <code>
        <NodeLink id={node_id} />
      </code>
    ),
  },
];

const CHANGE: Column<WriteRow> = {
  name: "Change",
  cell: (write) => <EditAndDrop write={write} />,
};

function Standing({ write }: { readonly write: WriteRow }) {
  const { status, outcome, noop } = write;
  // Queued still, but it is known what will come, or came, of it.
  const coming = outcome ?? (noop && status === "queued" ? "noop" : null);
  return (
    <span class="ss-standing">
      <Mark look={writeLook(status)} />
      {coming !== null && coming !== status && (
        <span class="ss-dim">
          → <Text of={writeLook(coming).word} />
        </span>
      )}
    </span>
  );
}

/** Who wrote it: also of an edited one the handler call from which it came. */
function Origin({ write }: { readonly write: WriteRow }) {
  const { origin, origin_id, handler, node_id, trigger } = write;
  const call = handler?.startsWith("on_") ? origin_id : null;
  const words = [origin, handler].filter(Boolean).join(" ");
  return <OriginLink of={words} call={call} node={node_id} title={trigger} />;
}

export function Readers({ of }: { readonly of: readonly ReaderRow[] }) {
  const { actions } = useUi();
  if (of.length === 0) return <span class="ss-dim">nobody</span>;
  return (
    <span class="ss-readers">
      {of.map(({ component, path, node_id }) => (
        <span key={path} title={path}>
          {node_id === null ? (
            <Text of={component} />
          ) : (
            <Link go={() => actions.showNode(node_id)} title="Show the node in the plan">
              <Text of={component} />
            </Link>
          )}
        </span>
      ))}
    </span>
  );
}

function OldToNew({ write }: { readonly write: WriteRow }) {
  return (
    <span class="ss-change">
      <Maybe value={write.old} none="unset" />
      <span class="ss-new">
        <span class="ss-arrow" aria-hidden="true">
          →
        </span>
        <Maybe value={write.new} none={write.op === "update" ? "computed at flush" : "deleted"} />
      </span>
    </span>
  );
}

function EditAndDrop({ write }: { readonly write: WriteRow }) {
  const { client, state, actions } = useUi();
  const dropping = state.underway[`drop_pending ${write.id}`] !== undefined;
  if (write.status !== "queued" && write.status !== "edited") return null;
  return (
    <span class="ss-actions">
      <button
        type="button"
        class="ss-link"
        aria-label={`Edit ${write.key}`}
        onClick={() => actions.edit(write.id)}
      >
        Edit
      </button>
      <button
        type="button"
        class="ss-link"
        aria-label={`Drop ${write.key}`}
        aria-disabled={dropping}
        onClick={() => client.order({ name: "drop_pending", write: write.id })}
      >
        Drop
      </button>
    </span>
  );
}

interface BelowProps {
  readonly write: WriteRow;
  readonly editing: boolean;
}

function Below({ write, editing }: BelowProps) {
  return (
    <div class="ss-about">
      {write.conflict !== null && (
        <p data-tone="warn">
          ⊘ <Text of={write.conflict} />
        </p>
      )}
      {write.edited !== null && (
        <p class="ss-dim">
          ✎ <Text of={write.edited} />
        </p>
      )}
      {editing && <Editor write={write} />}
    </div>
  );
}

/** Longer values are edited in Python. */
const EDITABLE_CHARS = 20_000;

function Editor({ write }: { readonly write: WriteRow }) {
  const { client, actions } = useUi();
  const field = useRef<HTMLTextAreaElement>(null);
  const [error, setError] = useState<string | null>(null);
  const [start, setStart] = useState<string | null>(startOf(write));

  useEffect(() => {
    const { new: value } = write;
    if (start !== null || value === null || value.ref === null) return;
    if (value.chars > EDITABLE_CHARS) {
      setError(`It is too long to be edited here. In Python: ex.edit_pending("${write.id}", …)`);
      setStart("");
    } else {
      client
        .ask({ pane: "value", of: value.ref })
        .then(({ text }) => setStart(text))
        .catch((why: Error) => setError(why.message));
    }
  }, []);
  useLayoutEffect(() => field.current?.focus(), [start]);

  const save = async () => {
    const value = field.current?.value ?? "";
    const outcome = await client.order({ name: "edit_pending", write: write.id, value }, true);
    if (outcome?.ok) actions.edit(null);
    else setError(outcome?.error ?? "It could not be sent.");
  };
  if (start === null) return <p class="ss-dim">Loading the whole value…</p>;
  return (
    <div class="ss-editor">
      <textarea
        ref={field}
        aria-label={`New value of ${write.key}`}
        aria-invalid={error !== null}
        rows={2}
        defaultValue={start}
        onInput={() => setError(null)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey) return;
          event.preventDefault();
          save();
        }}
      />
      <button type="button" class="ss-button ss-small" onClick={save}>
        Save
      </button>
      <button type="button" class="ss-button ss-small" onClick={() => actions.edit(null)}>
        Cancel
      </button>
      {error !== null ? (
        <span role="alert" data-tone="bad">
          <Text of={error} />
        </span>
      ) : (
        <span class="ss-dim">JSON; Enter saves, Shift+Enter breaks the line, Esc leaves it</span>
      )}
    </div>
  );
}

/** The text to begin with; null where it was cut and has to be fetched. */
function startOf({ new: value }: WriteRow): string | null {
  if (value === null) return "";
  return value.cut ? null : value.text;
}
