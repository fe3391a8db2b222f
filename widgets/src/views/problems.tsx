import type { Problem } from "../model/protocol";
import { grouped } from "../model/text";
import { type Column, Grid } from "./grid";
import { Text } from "./text";

interface ProblemsProps {
  readonly problems: readonly Problem[];
  readonly total: number;
}

export function ProblemsView({ problems, total }: ProblemsProps) {
  const rows = problems.map((problem, order) => ({ ...problem, order }));
  return (
    <>
      <Grid
        name="Problems"
        columns={COLUMNS}
        rows={rows}
        keyOf={({ order }) => order}
        empty="No problems."
      />
      {total > problems.length && (
        <p class="ss-empty">… {grouped(total - problems.length)} more problems.</p>
      )}
    </>
  );
}

const COLUMNS: readonly Column<Problem>[] = [
  {
    name: "Kind",
    cell: ({ kind }) => (
      <span class="ss-mark" data-tone="bad">
        <span aria-hidden="true">✗</span>
        <Text of={kind} />
      </span>
    ),
  },
  {
    name: "Message",
    wide: true,
    cell: ({ message }) => (
      <span class="ss-message">
        <Text of={message} />
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
  { name: "Phase", cell: ({ phase }) => phase !== null && <Text of={phase} /> },
  {
    name: "Source",
    cell: ({ source }) =>
      source !== null && (
        <code>
          <Text of={source} />
        </code>
      ),
  },
];
