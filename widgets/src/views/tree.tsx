import {
  type Dispatch,
  type StateUpdater,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "preact/hooks";
import type { Plan, PlanNode } from "../model/protocol";
import { grouped } from "../model/text";
import { keepingEqual, moveOf, type Row, toggled, visibleRows } from "../model/tree";
import { NodeDetail } from "./node_detail";
import { DryNote } from "./panel";
import { TreeRow } from "./tree_row";

/** What the person did to the tree; kept by node, so that it survives a step. */
export interface TreeChoice {
  readonly folded: ReadonlySet<string>;
  readonly selected: string | null;
}

export const FIRST_TREE: TreeChoice = { folded: new Set(), selected: null };

export type SetTreeChoice = Dispatch<StateUpdater<TreeChoice>>;

interface TreeProps {
  readonly plan: Plan;
  readonly choice: TreeChoice;
  readonly setChoice: SetTreeChoice;
  readonly loadAll: () => void;
}

export function TreeView({ plan, choice, setChoice, loadAll }: TreeProps) {
  const nodes = useKept(plan.nodes);
  const rows = useMemo(() => visibleRows(nodes, choice.folded), [nodes, choice.folded]);
  const selected = rows.find((row) => row.key === choice.selected);
  const more = plan.total - plan.nodes.length;
  return (
    <div class="ss-plan">
      <div class="ss-scroll">
        <DryNote dry={plan.dry} />
        <Tree rows={rows} choice={choice} setChoice={setChoice} />
        {rows.length === 0 && <p class="ss-empty">The plan is empty.</p>}
        {more > 0 && (
          <button type="button" class="ss-link ss-more" onClick={loadAll}>
            … {grouped(more)} more nodes: load all
          </button>
        )}
      </div>
      {selected && <NodeDetail node={selected.node} />}
    </div>
  );
}

function useKept(nodes: readonly PlanNode[]): readonly PlanNode[] {
  const kept = useRef<readonly PlanNode[]>([]);
  return useMemo(() => {
    kept.current = keepingEqual(kept.current, nodes);
    return kept.current;
  }, [nodes]);
}

interface RowsProps {
  readonly rows: readonly Row[];
  readonly choice: TreeChoice;
  readonly setChoice: SetTreeChoice;
}

function Tree({ rows, choice, setChoice }: RowsProps) {
  const tree = useRef<HTMLDivElement>(null);
  const [moved, setMoved] = useState(0);
  const entry = rows.some((row) => row.key === choice.selected) ? choice.selected : rows[0]?.key;

  // After a key the focus follows the selection; after a step it is left where it is.
  useEffect(() => {
    if (moved) tree.current?.querySelector<HTMLElement>("[tabindex='0']")?.focus();
  }, [moved]);

  const select = useCallback(
    (key: string) => setChoice((was) => ({ ...was, selected: key })),
    [setChoice],
  );
  const toggle = useCallback(
    (key: string) => setChoice((was) => ({ selected: key, folded: toggled(was.folded, key) })),
    [setChoice],
  );

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
    const move = moveOf(rows, entry ?? null, event.key);
    if (move === null) return;
    event.preventDefault();
    if (move.kind === "select") select(move.key);
    else toggle(move.key);
    setMoved(moved + 1);
  };

  return (
    <div class="ss-tree" role="tree" aria-label="Plan" ref={tree} onKeyDown={onKeyDown}>
      {rows.map((row) => (
        <TreeRow
          key={row.key}
          row={row}
          selected={row.key === choice.selected}
          inTabOrder={row.key === entry}
          select={select}
          toggle={toggle}
        />
      ))}
    </div>
  );
}
