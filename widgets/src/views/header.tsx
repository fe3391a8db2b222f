import { newFrames } from "../model/cursor";
import { standingLook } from "../model/looks";
import type { Summary } from "../model/protocol";
import { dollars, grouped, plural } from "../model/text";
import { Ask, about } from "./ask";
import { BranchesButton } from "./branches";
import { Mark, Text } from "./text";
import { useUi } from "./ui";

/** Why the execution stands as it does. */
const EXECUTION = { of: null, at: null } as const;

export function Header({ summary }: { readonly summary: Summary }) {
  const { state } = useUi();
  const { reason, frame, tokens, cost_usd, counts, limits } = summary;
  const seen = state.cursor.at ?? frame;
  return (
    <header class="ss-header">
      <strong class="ss-name">
        <Text of={summary.name} />
      </strong>
      <BranchesButton />
      <span class="ss-status" title={reason || undefined} {...about(EXECUTION)}>
        <Mark look={standingLook(summary)} />
        {reason !== "" && (
          <span class="ss-reason">
            <Text of={reason} />
          </span>
        )}
        <Ask asked={EXECUTION} name={`it is ${summary.standing}`} inTabOrder />
      </span>
      <span class="ss-facts">
        <Place />
        <span>{frame === 0 ? "no frame yet" : `frame ${grouped(seen)} of ${grouped(frame)}`}</span>
        {counts.running > 0 && <span>{plural(counts.running, "task")} running</span>}
        <span>{plural(tokens, "token")}</span>
        {cost_usd !== null && <span>{dollars(cost_usd)}</span>}
        {limits.length > 0 && (
          <span class="ss-limits" tabIndex={0} title={limits.join(" ")}>
            △ limited
          </span>
        )}
        {!state.connected && <span class="ss-badge-warn">✗ no kernel</span>}
      </span>
    </header>
  );
}

/** LIVE, or where in the records; and what came meanwhile. */
function Place() {
  const { client, state, actions } = useUi();
  const { cursor, left } = state;
  const count = newFrames(cursor, left, client.edge);
  if (cursor.at === null) {
    return <span class="ss-place">{state.summary?.read_only == null ? "● LIVE" : "◷ LAST"}</span>;
  }
  return (
    <>
      <span class="ss-place" data-recorded>
        ◷ AT f{cursor.at}
        {cursor.phase !== null && ` ${cursor.phase}`}
      </span>
      {count > 0 && (
        <button type="button" class="ss-pill" onClick={() => actions.act("live")}>
          {plural(count, "new frame")}: go live
        </button>
      )}
    </>
  );
}
