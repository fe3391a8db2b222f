import { useState } from "preact/hooks";
import type { State, StateEntry } from "../model/protocol";
import { grouped } from "../model/text";
import { type Column, Grid } from "./grid";
import { Mark, Text } from "./text";
import { ValueView } from "./value";

interface StateProps {
  readonly state: State;
  readonly loadAll: () => void;
}

/** The committed state, by key. */
export function StateView({ state, loadAll }: StateProps) {
  const [sought, setSought] = useState("");
  const [changedOnly, setChangedOnly] = useState(false);
  const shown = state.entries.filter(
    ({ key, changed }) =>
      key.toLowerCase().includes(sought.toLowerCase()) && (changed || !changedOnly),
  );
  const more = state.total - state.entries.length;
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
      <Grid
        name="State"
        columns={columns(loadAll)}
        rows={shown}
        keyOf={({ key }) => key}
        empty={state.entries.length === 0 ? "State is empty." : "No key passes the filter."}
      />
      {more > 0 && (
        <button type="button" class="ss-link ss-more" onClick={loadAll}>
          … {grouped(more)} more keys: load all
        </button>
      )}
    </>
  );
}

const CHANGED = { glyph: "~", word: "changed", tone: "live" } as const;

const columns = (loadAll: () => void): Column<StateEntry>[] => [
  {
    name: "Key",
    cell: ({ key }) => (
      <code>
        <Text of={key} />
      </code>
    ),
  },
  { name: "Value", wide: true, cell: ({ value }) => <ValueView value={value} loadAll={loadAll} /> },
  {
    name: "Type",
    cell: ({ value }) => (
      <span class="ss-dim">
        <Text of={value.type} />
      </span>
    ),
  },
  { name: "Since", align: "end", cell: ({ from_frame }) => `f${from_frame}` },
  { name: "Writer", cell: ({ writer }) => writer !== null && <Text of={writer} /> },
  { name: "Changed", cell: ({ changed }) => changed && <Mark look={CHANGED} /> },
];
