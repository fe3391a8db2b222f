import { LIVE, placeOfHit } from "../model/cursor";
import type { BreakpointRow, BreakpointsPane, HitRow } from "../model/protocol";
import { grouped } from "../model/text";
import { ofFrame } from "../model/why";
import { BreakpointForm } from "./breakpoint_form";
import { type Column, Grid } from "./grid";
import { Link } from "./links";
import { Text } from "./text";
import { useUi } from "./ui";

/** The breakpoints, a form for a new one, and what they have hit. */
export function BreakpointsView({ breakpoints }: { readonly breakpoints: BreakpointsPane }) {
  const { client, state } = useUi();
  const at = state.summary?.hit?.breakpoint_id;
  return (
    <>
      {client.acts && <BreakpointForm />}
      <Grid
        name="Breakpoints"
        columns={client.acts ? COLUMNS : COLUMNS.filter(({ name }) => name !== "Remove")}
        rows={breakpoints.breakpoints}
        keyOf={({ id }) => id}
        empty={client.acts ? NONE_SET : "There were none."}
        isSelected={({ id }) => id === at}
      />
      {breakpoints.hits.length > 0 && (
        <section class="ss-group-of">
          <h4>Hits ({breakpoints.hits.length})</h4>
          <Grid
            name="Hits"
            columns={HITS}
            rows={breakpoints.hits.map((hit, order) => ({ ...hit, order }))}
            keyOf={({ order }) => order}
            why={({ frame }) => ({ ...ofFrame(frame), name: `frame ${frame}` })}
            empty=""
          />
        </section>
      )}
    </>
  );
}

const NONE_SET =
  "There are none. Click the dot beside a node, a key, a handler or a phase, or press B or W.";

const COLUMNS: readonly Column<BreakpointRow>[] = [
  { name: "On", cell: (breakpoint) => <Switch of={breakpoint} field="enabled" name="Enabled" /> },
  {
    name: "Stops",
    wide: true,
    cell: ({ text, after, error }) => (
      <span class="ss-message">
        <Text of={text} />
        {after > 1 && <span class="ss-dim"> from hit {grouped(after)} on</span>}
        {error !== null && (
          <span class="ss-form-error">
            ✗ <Text of={error} />
          </span>
        )}
      </span>
    ),
  },
  { name: "Hits", align: "end", cell: ({ hits }) => grouped(hits) },
  { name: "Once", cell: (breakpoint) => <Switch of={breakpoint} field="once" name="Once" /> },
  {
    name: "Log only",
    cell: (breakpoint) => <Switch of={breakpoint} field="log_only" name="Log only" />,
  },
  { name: "Remove", cell: (breakpoint) => <Remove of={breakpoint} /> },
];

interface SwitchProps {
  readonly of: BreakpointRow;
  readonly field: "enabled" | "once" | "log_only";
  readonly name: string;
}

function Switch({ of, field, name }: SwitchProps) {
  const { client } = useUi();
  if (!client.acts) return <span>{of[field] ? "yes" : "no"}</span>;
  return (
    <input
      type="checkbox"
      aria-label={`${name}: ${of.text}`}
      checked={of[field]}
      onChange={({ currentTarget: { checked } }) =>
        client.order({ name: "break_change", breakpoint: of.id, [field]: checked })
      }
    />
  );
}

function Remove({ of }: { readonly of: BreakpointRow }) {
  const { client } = useUi();
  return (
    <button
      type="button"
      class="ss-link"
      aria-label={`Remove: ${of.text}`}
      onClick={() => client.order({ name: "break_remove", breakpoint: of.id })}
    >
      Remove
    </button>
  );
}

const HITS: readonly Column<HitRow>[] = [
  { name: "Where", cell: (hit) => <Where hit={hit} /> },
  {
    name: "Why",
    wide: true,
    cell: ({ text, log_only }) => (
      <span class="ss-message">
        <Text of={text} />
        {log_only && <span class="ss-dim"> (logged)</span>}
      </span>
    ),
  },
];

function Where({ hit }: { readonly hit: HitRow }) {
  const { client } = useUi();
  const go = () => {
    const live = hit.frame >= client.edge.frame;
    client.look({ cursor: live ? LIVE : placeOfHit(hit), note: hit.text });
  };
  return (
    <Link go={go} title={`Go to frame ${hit.frame}, ${hit.phase}`}>
      f{hit.frame} · <Text of={hit.phase} />
    </Link>
  );
}
