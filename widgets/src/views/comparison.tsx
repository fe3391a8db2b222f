import { useState } from "preact/hooks";
import { differenceWords } from "../model/comparison";
import { EDITED } from "../model/panes";
import type { ChoiceRow, ComparePane, DifferenceRow } from "../model/protocol";
import { grouped, visible } from "../model/text";
import { EditedView } from "./edited";
import { type Column, Grid } from "./grid";
import { Link } from "./links";
import { Text } from "./text";
import { useUi } from "./ui";

/** Another execution beside this one: which, how the two differ, and the frames on both sides. */
export function ComparisonView({ compare }: { readonly compare: ComparePane }) {
  const { state, actions } = useUi();
  const { execution_id, name, other_frame, text, total, rows } = compare;
  const [selected, setSelected] = useState<number | null>(null);
  const edited = state.panes.edited?.data ?? null;
  const none = compare.choices.length === 0 && execution_id === null;
  return (
    <div class="ss-comparison">
      {edited !== null && edited.last > 0 && <EditedView pane={edited} />}
      <Chooser compare={compare} />
      {none && (
        <p class="ss-empty">
          There is no other execution in this file. A branch, or a second run, is one.
        </p>
      )}
      {execution_id !== null && (
        <>
          <p class="ss-comparison-text">
            <Text of={text} />{" "}
            {total > 0 && (
              <button
                type="button"
                class="ss-button ss-small"
                aria-keyshortcuts="Shift+O"
                title="Goes to the first difference; executes nothing (⇧O)"
                onClick={() => actions.act("first_difference")}
              >
                First difference
              </button>
            )}{" "}
            <span class="ss-dim">
              {other_frame > 0 ? (
                <>
                  What is shown matches frame {other_frame} of <Text of={name} />.
                </>
              ) : (
                <>
                  <Text of={name} /> has no matching frame.
                </>
              )}
            </span>
          </p>
          <Grid
            name="Differences"
            columns={columnsOf(name)}
            rows={rows.map((row, index) => ({ ...row, index, name }))}
            keyOf={({ index }) => index}
            empty={state.other === null ? "" : "Nothing differs."}
            select={(row) => {
              setSelected(row.index);
              actions.showDifference(row, name);
            }}
            isSelected={({ index }) => index === selected}
          />
          {total > rows.length && (
            <p class="ss-dim">
              … and {grouped(total - rows.length)} more: <code>.compare(…).df</code> has all of
              them.
            </p>
          )}
        </>
      )}
    </div>
  );
}

const NONE = "";

function Chooser({ compare }: { readonly compare: ComparePane }) {
  const { client, state } = useUi();
  const { choices, more, execution_id, name } = compare;
  const family = choices.filter((one) => one.family);
  const others = choices.filter((one) => !one.family);
  const other = state.other === EDITED ? null : state.other;
  const chosen = other === null ? NONE : (execution_id ?? other);
  const listed = choices.some((one) => one.execution_id === execution_id);
  return (
    <div class="ss-filter">
      <label>
        <span class="ss-dim">other execution</span>
        <select
          aria-label="Other execution"
          value={chosen}
          onChange={({ currentTarget: { value } }) => client.against(value === NONE ? null : value)}
        >
          <option value={NONE}>none</option>
          <Choices label="Branches of the family" of={family} />
          <Choices label="Other executions of the file" of={others} />
          {execution_id !== null && !listed && (
            <option value={execution_id}>{visible(name)}</option>
          )}
        </select>
      </label>
      {more > 0 && <Named more={more} />}
    </div>
  );
}

function Choices({ label, of }: { readonly label: string; readonly of: readonly ChoiceRow[] }) {
  if (of.length === 0) return null;
  return (
    <optgroup label={label}>
      {of.map(({ execution_id, name, status, kind, created }) => (
        <option key={execution_id} value={execution_id}>
          {visible(name)} · {kind === "run" ? "" : `${kind}, `}
          {status}
          {created !== null && `, ${new Date(created).toLocaleTimeString()}`}
        </option>
      ))}
    </optgroup>
  );
}

/** For one that is not listed: its id or name. */
function Named({ more }: { readonly more: number }) {
  const { client } = useUi();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const field = event.currentTarget.elements.namedItem("other") as HTMLInputElement;
        if (field.value.trim() !== "") client.against(field.value.trim());
      }}
    >
      <label>
        <span class="ss-dim">or one of {grouped(more)} more</span>
        <input type="search" name="other" aria-label="Id or name" placeholder="id or name" />
      </label>
    </form>
  );
}

type Row = DifferenceRow & { readonly index: number; readonly name: string };

const columnsOf = (name: string): readonly Column<Row>[] => [
  { name: "what", cell: (row) => <Text of={`${row.what} ${row.key ?? ""}`.trim()} /> },
  { name: "node", cell: (row) => <Node row={row} /> },
  { name: "here", wide: true, cell: ({ here }) => <Side of={here} /> },
  { name: visible(name), wide: true, cell: ({ there }) => <Side of={there} /> },
  { name: "frames", cell: (row) => <Frames row={row} /> },
];

function Node({ row }: { readonly row: DifferenceRow }) {
  const { node, iteration, child } = row;
  return (
    <>
      {node !== null && <Text of={node} />}
      {iteration !== null && <span class="ss-dim"> #{iteration}</span>}
      {child !== null && (
        <span class="ss-dim">
          {" "}
          in <Text of={child} />
        </span>
      )}
    </>
  );
}

function Side({ of }: { readonly of: string | null }) {
  if (of === null) return <span class="ss-dim">not there</span>;
  return (
    <code class="ss-side">
      <Text of={of} />
    </code>
  );
}

function Frames({ row }: { readonly row: Row }) {
  const { actions } = useUi();
  if (row.frame < 1) return <span class="ss-dim">{row.frames}</span>;
  return (
    <Link
      go={() => actions.showDifference(row, row.name)}
      title={`Go to frame ${row.frame}: ${differenceWords(row)}`}
    >
      {row.frames}
    </Link>
  );
}
