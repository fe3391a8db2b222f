import type { ComponentChildren } from "preact";
import { seenFrame } from "../model/cursor";
import { EDITED } from "../model/panes";
import { visible } from "../model/text";
import { useUi } from "./ui";

interface CompareProps {
  /** The frame that the marks compare with; 0: none. */
  readonly base: number;
  /** The execution that this frame is of, where it is another one. */
  readonly against: string | null;
  readonly children: ComponentChildren;
}

const PREVIOUS = "previous";
const OTHER = "other";
const CHOOSE = "choose";

/**
 * Which frame the marks compare with: the one before, any recorded one that was pinned, or the one of another
 * execution that matches.
 */
export function Compare({ base, against, children }: CompareProps) {
  const { client, state, actions } = useUi();
  const { base: pinned, other } = state;
  // A file has each frame beside the one before, and beside no other.
  if (!client.acts) return <div class="ss-filter ss-compare">{children}</div>;
  const seen = seenFrame(state.cursor, client.edge);
  const chosen = other === null ? (pinned ?? PREVIOUS) : OTHER;
  const choose = (list: HTMLSelectElement) => {
    const { value } = list;
    if (value === CHOOSE) {
      list.value = String(chosen);
      actions.act("compare");
    } else if (value !== OTHER) client.pin(value === PREVIOUS ? null : Number(value));
  };
  return (
    <div class="ss-filter ss-compare">
      <label>
        <span class="ss-dim ss-compare-word">compare with</span>
        <select
          aria-label="Compare with"
          value={chosen}
          onChange={(event) => choose(event.currentTarget)}
        >
          <option value={PREVIOUS}>
            the frame before{chosen === PREVIOUS && base > 0 ? ` (f${base})` : ""}
          </option>
          <option value="0">nothing</option>
          {pinned !== null && pinned > 0 && <option value={pinned}>frame {pinned} (pinned)</option>}
          {other !== null && (
            <option value={OTHER}>
              {visible(against ?? (other === EDITED ? "edited code" : other))}
              {against !== null && base > 0 ? ` (f${base})` : ""}
            </option>
          )}
          <option value={CHOOSE}>another execution…</option>
        </select>
      </label>
      {other !== null && (
        <button
          type="button"
          class="ss-link"
          title="Where the two executions differ first (⇧O)"
          onClick={() => actions.act("first_difference")}
        >
          first difference
        </button>
      )}
      {seen > 0 && (
        <button type="button" class="ss-link" onClick={() => client.pin(seen)}>
          pin f{seen}
        </button>
      )}
      {children}
    </div>
  );
}
