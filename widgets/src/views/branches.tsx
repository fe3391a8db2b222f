import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { parentName } from "../model/branches";
import { executionLook } from "../model/looks";
import type { BranchesPane, BranchRow, ExecutionStatus } from "../model/protocol";
import { Icon } from "./icon";
import { type CloseProps, Popup } from "./popup";
import { Mark, Text } from "./text";
import { useUi } from "./ui";

/** Opens the menu; there is none where the execution has no branches. */
export function BranchesButton() {
  const { state, ui, actions } = useUi();
  const family = state.panes.branches?.data?.family ?? [];
  if (family.length < 2) return null;
  return (
    <button
      type="button"
      class="ss-pill ss-branches"
      data-control="branches"
      aria-label="Branches"
      aria-haspopup="dialog"
      aria-expanded={ui.popup === "branches"}
      title={`The ${family.length} executions of this family: shows another one here.`}
      onClick={() => actions.act("branches")}
    >
      <Icon name="fork" />
      <span class="ss-badge" data-count={family.length} />
    </button>
  );
}

/** The family as a tree: choosing one shows it in this stepper. */
export function BranchMenu({ close }: CloseProps) {
  const { client, state } = useUi();
  const pane = state.panes.branches?.data ?? null;
  const shown = state.summary?.execution_id ?? "";
  const choose = ({ execution_id }: BranchRow) => {
    // A file has the frames of one execution, those along its line among them.
    if (!client.acts) return;
    close();
    if (execution_id !== shown) client.show(execution_id);
  };
  return (
    <Popup name="Branches" kind="branches" close={close}>
      {pane === null ? (
        <p class="ss-dim">Loading…</p>
      ) : (
        <Family pane={pane} shown={shown} choose={choose} />
      )}
      <Notes of={shown} />
    </Popup>
  );
}

interface FamilyProps {
  readonly pane: BranchesPane;
  readonly shown: string;
  readonly choose: (row: BranchRow) => void;
}

function Family({ pane, shown, choose }: FamilyProps) {
  const { family } = pane;
  const tree = useRef<HTMLDivElement>(null);
  const own = family.findIndex(({ execution_id }) => execution_id === shown);
  const [at, setAt] = useState(Math.max(0, own));
  useLayoutEffect(() => {
    tree.current?.querySelectorAll<HTMLElement>("[role='treeitem']")[at]?.focus();
  }, [at]);
  const onKeyDown = (event: KeyboardEvent) => {
    const row = family[at];
    const to = moved(event.key, at, family.length);
    if (to !== null) setAt(to);
    else if ((event.key === "Enter" || event.key === " ") && row) choose(row);
    else return;
    event.preventDefault();
  };
  return (
    <div class="ss-family" role="tree" aria-label="Branches" ref={tree} onKeyDown={onKeyDown}>
      {family.map((row, index) => (
        <div
          key={row.execution_id}
          class="ss-member"
          role="treeitem"
          aria-level={row.depth + 1}
          aria-selected={row.execution_id === shown}
          data-execution={row.execution_id}
          style={{ paddingLeft: `${8 + Math.min(row.depth, 8) * 16}px` }}
          tabIndex={index === at ? 0 : -1}
          onClick={() => choose(row)}
        >
          <span class="ss-member-name">
            <strong>
              <Text of={row.name} />
            </strong>
            <Mark look={executionLook(row.status as ExecutionStatus)} />
            {row.execution_id === shown && <span class="ss-dim">shown</span>}
          </span>
          <span class="ss-dim">
            <Text of={facts(pane, row).join(" · ")} />
          </span>
        </div>
      ))}
    </div>
  );
}

function moved(key: string, at: number, count: number): number | null {
  switch (key) {
    case "ArrowDown":
      return Math.min(count - 1, at + 1);
    case "ArrowUp":
      return Math.max(0, at - 1);
    case "Home":
      return 0;
    case "End":
      return count - 1;
    default:
      return null;
  }
}

/** Where it left its parent, what was changed, how far it is, and what holds it. */
function facts(pane: BranchesPane, row: BranchRow): string[] {
  const { at, changed, last, runs, variable } = row;
  const found = at === null ? [] : [`left ${parentName(pane, row)} after frame ${at}`];
  if (at !== null)
    found.push(changed.length > 0 ? `changed ${changed.join(", ")}` : "changed nothing");
  found.push(last === 0 ? "no frame yet" : `frame ${last}`);
  if (variable !== "") found.push(`variable ${variable}`);
  else found.push(runs ? "runs in this kernel" : "recorded");
  return found;
}

/** What the parent of a branch did outside, and the branch may do again. */
export function Notes({ of }: { readonly of: string }) {
  const { client } = useUi();
  const [notes, setNotes] = useState<readonly string[]>([]);
  useEffect(() => {
    let current = true;
    client
      .ask({ pane: "notes" })
      .then((pane) => current && setNotes(pane.notes))
      .catch((error: Error) => current && setNotes([error.message]));
    return () => {
      current = false;
    };
  }, [client, of]);
  if (notes.length === 0) return null;
  return (
    <>
      <h5 class="ss-notes-head">To know of this branch</h5>
      <ul class="ss-notes" aria-label="Notes">
        {notes.map((note) => (
          <li key={note}>
            <Text of={note} />
          </li>
        ))}
      </ul>
    </>
  );
}
