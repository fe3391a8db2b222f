import { useState } from "preact/hooks";
import type { StatePane, StateRow } from "../model/protocol";
import { grouped } from "../model/text";
import { Dot } from "./dot";
import { type Column, Grid } from "./grid";
import { FrameLink, OriginLink } from "./links";
import { Readers } from "./pending";
import { Mark, Text } from "./text";
import { useUi } from "./ui";
import { ValueView } from "./value";

/** The state by key, with the cursor; volatile state is apart. */
export function StateView({ state }: { readonly state: StatePane }) {
  const { ui, actions } = useUi();
  const { selection } = ui;
  const [sought, setSought] = useState("");
  const [changedOnly, setChangedOnly] = useState(false);
  const shown = state.entries.filter(
    ({ key, changed }) =>
      key.toLowerCase().includes(sought.toLowerCase()) && (changed || !changedOnly),
  );
  const more = state.total - state.entries.length;
  const grid = (scope: StateRow["scope"], name: string, empty: string) => (
    <Grid
      name={name}
      columns={COLUMNS}
      rows={shown.filter((entry) => entry.scope === scope)}
      keyOf={({ key }) => key}
      empty={empty}
      below={past}
      why={({ key, writer_id }) =>
        scope === "state"
          ? { of: `state:${key}`, name: key }
          : writer_id === null
            ? null
            : { of: writer_id, name: `vol.${key}` }
      }
      select={({ key }) => actions.select({ kind: "key", key, scope })}
      isSelected={({ key }) =>
        selection?.kind === "key" && selection.key === key && selection.scope === scope
      }
      reveal={ui.reveal}
    />
  );
  return (
    <>
      <div class="ss-filter">
        <input
          type="search"
          aria-label="Filter keys"
          placeholder="Filter keys"
          value={sought}
          onInput={(event) => setSought(event.currentTarget.value)}
        />
        <label>
          <input
            type="checkbox"
            checked={changedOnly}
            onChange={(event) => setChangedOnly(event.currentTarget.checked)}
          />
          changed only
        </label>
      </div>
      {grid(
        "state",
        "State",
        state.entries.length === 0 ? "State is empty." : "No key passes the filter.",
      )}
      {state.entries.some(({ scope }) => scope === "vol") && (
        <section class="ss-group-of">
          <h4>Volatile (in memory only)</h4>
          {grid("vol", "Volatile state", "No key passes the filter.")}
        </section>
      )}
      {more > 0 && (
        <p class="ss-empty">… {grouped(more)} more keys: search finds them by name ( / ).</p>
      )}
    </>
  );
}

const CHANGED = { glyph: "~", word: "changed", tone: "live" } as const;

/** The types that one sees in the value's JSON. */
const IN_JSON: readonly string[] = ["str", "int", "float", "bool", "NoneType", "list", "dict"];

const COLUMNS: readonly Column<StateRow>[] = [
  {
    name: "Key",
    cell: ({ key, scope }) => (
      <span class="ss-with-dot">
        <Dot subject={{ kind: "key", key, scope }} name={key} />
        <code>
          <Text of={key} />
        </code>
      </span>
    ),
  },
  { name: "Value", wide: true, cell: (entry) => <ValueAndOld entry={entry} /> },
  {
    name: "Changed",
    rank: 3,
    usual: ({ changed }) => !changed,
    cell: ({ changed }) => changed && <Mark look={CHANGED} />,
  },
  {
    name: "Type",
    rank: 5,
    usual: ({ value }) => IN_JSON.includes(value.type),
    cell: ({ value }) => (
      <span class="ss-dim">
        <Text of={value.type} />
      </span>
    ),
  },
  { name: "Since", rank: 1, cell: ({ from_frame }) => <FrameLink frame={from_frame} /> },
  {
    name: "Writer",
    rank: 2,
    usual: ({ writer }) => writer === null,
    cell: (entry) => <Writer entry={entry} />,
  },
  { name: "Read by", rank: 4, cell: ({ readers }) => <Readers of={readers} /> },
];

function ValueAndOld({ entry }: { readonly entry: StateRow }) {
  const old = entry.changed ? entry.old : null;
  return (
    <span class="ss-change">
      {old !== null && (
        <del>
          <ValueView value={old} />
        </del>
      )}
      <span class="ss-new">
        {old !== null && (
          <span class="ss-arrow" aria-hidden="true">
            →
          </span>
        )}
        <ValueView value={entry.value} />
      </span>
    </span>
  );
}

function Writer({ entry }: { readonly entry: StateRow }) {
  const { writer, writer_node, writer_id } = entry;
  if (writer === null) return null;
  return <OriginLink of={writer} call={writer_id} node={writer_node} />;
}

/** The last values, folded: each leads to its frame. */
function past({ history }: StateRow) {
  if (history.length < 2) return null;
  return (
    <details class="ss-history">
      <summary>{history.length} values</summary>
      <ol>
        {history.map(({ frame, value, writer }) => (
          <li key={frame}>
            <FrameLink frame={frame} />{" "}
            <code>
              <Text of={value} />
            </code>{" "}
            {writer !== null && (
              <span class="ss-dim">
                <Text of={writer} />
              </span>
            )}
          </li>
        ))}
      </ol>
    </details>
  );
}
