import type { ComponentChildren } from "preact";
import { seenFrame } from "../model/cursor";
import { useUi } from "./ui";

interface CompareProps {
  /** The frame that the marks compare with; 0: none. */
  readonly base: number;
  readonly children: ComponentChildren;
}

const PREVIOUS = "previous";

/** Which frame the marks compare with: the one before, or any recorded one that was pinned. */
export function Compare({ base, children }: CompareProps) {
  const { client, state } = useUi();
  const pinned = state.base;
  const seen = seenFrame(state.cursor, client.edge);
  const choose = (value: string) => client.pin(value === PREVIOUS ? null : Number(value));
  return (
    <div class="ss-filter ss-compare">
      <label>
        <span class="ss-dim">compare with</span>
        <select
          aria-label="Compare with"
          value={pinned ?? PREVIOUS}
          onChange={(event) => choose(event.currentTarget.value)}
        >
          <option value={PREVIOUS}>
            the frame before{pinned === null && base > 0 ? ` (f${base})` : ""}
          </option>
          <option value="0">nothing</option>
          {pinned !== null && pinned > 0 && <option value={pinned}>frame {pinned} (pinned)</option>}
        </select>
      </label>
      {seen > 0 && (
        <button type="button" class="ss-link" onClick={() => client.pin(seen)}>
          pin f{seen}
        </button>
      )}
      {children}
    </div>
  );
}
