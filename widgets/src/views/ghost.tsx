import { typeGlyph } from "../model/looks";
import type { GhostsPane } from "../model/protocol";
import { plural } from "../model/text";
import type { GhostLine } from "../model/tree";
import { AskButton, about } from "./ask";
import { Said, Text } from "./text";
import type { Actions } from "./ui";

interface GhostProps {
  readonly row: GhostLine;
  readonly selected: boolean;
  readonly inTabOrder: boolean;
  readonly actions: Actions;
}

/** A node that the code can return, and that is not in the plan: a click, or Q, tells why not. */
export function GhostView({ row, selected, inTabOrder, actions }: GhostProps) {
  const { of, type, name, guards, source } = row.ghost;
  const ask = () => {
    actions.setTree((was) => ({ ...was, selected: row.key }));
    actions.select(null);
    actions.ask({ of });
  };
  return (
    <div
      class="ss-row ss-ghost"
      role="treeitem"
      data-row={row.key}
      data-ghost={of}
      aria-level={row.depth + 1}
      aria-selected={selected}
      tabIndex={inTabOrder ? 0 : -1}
      title={`The code can return it: ${source}. Click tells why it is not here.`}
      {...about({ of })}
      onClick={ask}
    >
      <span class="ss-dot-place" />
      <span class="ss-change-mark">
        <span aria-hidden="true">◌</span>
        <Said>could be here: </Said>
      </span>
      {Array.from({ length: row.depth }, (_, level) => (
        <span key={level} class="ss-indent" aria-hidden="true" />
      ))}
      <span class="ss-twisty" aria-hidden="true" />
      <span class="ss-type-glyph" aria-hidden="true">
        {typeGlyph(type)}
      </span>
      <span class="ss-type">
        <Text of={type} />
      </span>
      {name !== "" && (
        <span class="ss-node-name">
          <Text of={name} />
        </span>
      )}
      <AskButton ask={ask} name={`${of} is not here`} />
      <span class="ss-rest">
        {guards.length > 0 && (
          <span class="ss-guards">
            if <Text of={guards.join(", and ")} />
          </span>
        )}
      </span>
    </div>
  );
}

/** What the ghosts leave open. */
export function GhostNotes({ ghosts }: { readonly ghosts: GhostsPane | null }) {
  if (ghosts === null) return <p class="ss-empty ss-waiting">Loading what could be here…</p>;
  const { nodes, total, unknown } = ghosts;
  return (
    <>
      {total === 0 && unknown.length === 0 && (
        <p class="ss-note">Everything that the code can return is in the plan.</p>
      )}
      {total > nodes.length && (
        <p class="ss-note">… and {plural(total - nodes.length, "node")} more: .ghosts() has all.</p>
      )}
      {unknown.map((why) => (
        <p key={why} class="ss-note">
          ? Not known: <Text of={why} />.
        </p>
      ))}
    </>
  );
}
