/** Links into the file: `#frame=42&phase=FLUSH&node=draft&tab=why`. */

import { type Cursor, PHASES } from "./cursor";
import { ALL_TABS, type Tab } from "./layout";
import type { PhaseName } from "./protocol";

/** A place in the file. */
export interface Place {
  readonly cursor: Cursor | null;
  readonly node: string | null;
  readonly tab: Tab | null;
}

const named = <Name extends string>(names: readonly Name[], wanted: string | null): Name | null =>
  names.find((name) => name.toLowerCase() === wanted?.toLowerCase()) ?? null;

/** The place that a link names; what it does not name, or what there is not, is null. */
export function placeOf(hash: string): Place {
  const asked = new URLSearchParams(hash.replace(/^#/, ""));
  const frame = Number(asked.get("frame") ?? "");
  const phase = named(PHASES, asked.get("phase")) as PhaseName | null;
  return {
    cursor:
      Number.isInteger(frame) && frame > 0
        ? { at: frame, phase: phase === "EFFECTS" ? null : phase }
        : null,
    node: asked.get("node"),
    tab: named(ALL_TABS, asked.get("tab")),
  };
}

/** The link to a place. */
export function linkTo({ at, phase }: Cursor, node: string | null, tab: Tab): string {
  const found = new URLSearchParams();
  if (at !== null) found.set("frame", String(at));
  if (at !== null && phase !== null) found.set("phase", phase);
  if (node !== null) found.set("node", node);
  found.set("tab", tab);
  return `#${found}`;
}
