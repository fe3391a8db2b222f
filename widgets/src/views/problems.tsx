import { isHint, problemLook } from "../model/looks";
import type { ProblemRow, ProblemsPane } from "../model/protocol";
import { grouped, plural } from "../model/text";
import { type Column, Grid } from "./grid";
import { FrameLink, NodeLink, SourceLink } from "./links";
import { Mark, Text } from "./text";

/** What went wrong up to the cursor, newest frame first, and folded what may be meant so; each leads to its node,
 * frame and line. */
export function ProblemsView({ problems }: { readonly problems: ProblemsPane }) {
  const rows = problems.problems.map((problem, order) => ({ ...problem, order }));
  const hints = rows.filter(isHint);
  const more = problems.total - rows.length;
  return (
    <>
      <Grid
        name="Problems"
        columns={COLUMNS}
        rows={rows.filter((row) => !isHint(row))}
        keyOf={({ order }) => order}
        why={askedOf}
        empty="No problems."
      />
      {hints.length > 0 && (
        <details class="ss-hints">
          <summary>{plural(hints.length, "hint")}</summary>
          <Grid
            name="Hints"
            columns={COLUMNS}
            rows={hints}
            keyOf={({ order }) => order}
            why={askedOf}
            empty=""
          />
        </details>
      )}
      {more > 0 && <p class="ss-empty">… {grouped(more)} more problems.</p>}
    </>
  );
}

/** A problem is asked about by its node: its task, or its place in the plan. */
const askedOf = ({ node_id, frame, kind }: ProblemRow) =>
  node_id === null && frame < 1
    ? null
    : { of: node_id, ...(frame > 0 && { at: frame }), name: kind };

const COLUMNS: readonly Column<ProblemRow>[] = [
  {
    name: "Kind",
    cell: (problem) => <Mark look={problemLook(problem)} />,
  },
  { name: "Message", wide: true, cell: (problem) => <Message problem={problem} /> },
  {
    name: "Node",
    rank: 1,
    usual: ({ node_id }) => node_id === null,
    cell: ({ node_id }) => (
      <code>
        <NodeLink id={node_id} />
      </code>
    ),
  },
  {
    name: "Frame",
    rank: 2,
    usual: ({ frame, phase }) => frame < 1 && phase === null,
    cell: ({ frame, phase }) => (
      <span class="ss-nowrap">
        <FrameLink frame={frame} />
        {phase !== null && (
          <>
            {frame > 0 && " · "}
            <Text of={phase} />
          </>
        )}
      </span>
    ),
  },
  {
    name: "Source",
    rank: 3,
    usual: ({ source }) => source === null,
    cell: ({ source }) => (
      <code>
        <SourceLink source={source} />
      </code>
    ),
  },
];

function Message({ problem }: { readonly problem: ProblemRow }) {
  return (
    <span class="ss-message">
      <Text of={problem.message} />
      {problem.advice !== null && (
        <span class="ss-advice">
          → <Text of={problem.advice} />
        </span>
      )}
    </span>
  );
}
