import { writeLook } from "../model/looks";
import type { Pending, PendingWrite } from "../model/protocol";
import { type Column, Grid } from "./grid";
import { Mark, Text } from "./text";
import { ValueView } from "./value";

interface PendingProps {
  readonly pending: Pending;
  readonly loadAll: () => void;
}

/** The writes that the next FLUSH will apply, in that order. */
export function PendingView({ pending, loadAll }: PendingProps) {
  return (
    <Grid
      name="Pending writes"
      columns={columns(loadAll)}
      rows={pending.writes}
      keyOf={(write) => write.id}
      empty="Nothing is pending."
    />
  );
}

const columns = (loadAll: () => void): Column<PendingWrite>[] => [
  { name: "#", align: "end", cell: ({ order }) => order },
  {
    name: "Key",
    cell: ({ scope, key }) => (
      <code>
        {scope !== "state" && (
          <span class="ss-dim">
            <Text of={`${scope}.`} />
          </span>
        )}
        <Text of={key} />
      </code>
    ),
  },
  { name: "Op", cell: ({ op }) => op },
  {
    name: "Old → new",
    wide: true,
    cell: (write) => <OldToNew write={write} loadAll={loadAll} />,
  },
  {
    name: "Origin",
    cell: ({ origin, trigger }) => (
      <span title={trigger || undefined}>
        <Text of={origin} />
      </span>
    ),
  },
  {
    name: "Node",
    cell: ({ node_id }) =>
      node_id !== null && (
        <code>
          <Text of={node_id} />
        </code>
      ),
  },
  { name: "Status", cell: ({ status }) => <Mark look={writeLook(status)} /> },
];

function OldToNew({
  write,
  loadAll,
}: {
  readonly write: PendingWrite;
  readonly loadAll: () => void;
}) {
  return (
    <span class="ss-change">
      {write.old === null ? (
        <span class="ss-dim">unset</span>
      ) : (
        <ValueView value={write.old} loadAll={loadAll} />
      )}
      <span class="ss-new">
        <span class="ss-arrow" aria-hidden="true">
          →
        </span>
        <NewValue write={write} loadAll={loadAll} />
      </span>
    </span>
  );
}

function NewValue({
  write,
  loadAll,
}: {
  readonly write: PendingWrite;
  readonly loadAll: () => void;
}) {
  if (write.new !== null) return <ValueView value={write.new} loadAll={loadAll} />;
  return <span class="ss-dim">{write.op === "update" ? "computed at flush" : "deleted"}</span>;
}
