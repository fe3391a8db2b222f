import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { withGhosts } from "../model/ghosts";
import type { WholePlan } from "../model/plan";
import type { PlanRow, RunningRow } from "../model/protocol";
import { grouped } from "../model/text";
import {
  anyUnchanged,
  followed,
  keepingEqual,
  type Move,
  moveOf,
  ROW_PX,
  type Row,
  shownWhole,
  toggled,
  visibleRows,
  WINDOWED_FROM,
  windowOf,
} from "../model/tree";
import { Compare } from "./compare";
import { GhostNotes, GhostView } from "./ghost";
import { useNow } from "./hooks";
import { DryNote } from "./panel";
import { TreeRow, UnchangedRow } from "./tree_row";
import { useUi } from "./ui";

export function TreeView({ plan }: { readonly plan: WholePlan }) {
  const { client, state, ui, actions } = useUi();
  const nodes = useKept(plan.nodes);
  const held = state.panes.ghosts?.data ?? null;
  // Those of another frame would stand where they don't belong.
  const ghosts = ui.tree.ghosts && held?.frame === plan.frame ? held : null;
  const rows = useMemo(
    () => withGhosts(visibleRows(nodes, shownWhole(ui.tree, nodes)), ghosts?.nodes ?? []),
    [nodes, ui.tree, ghosts],
  );
  const more = plan.total - plan.nodes.length;
  const nothing =
    !plan.dry &&
    plan.base > 0 &&
    nodes.every((node) => node.change === "" && node.status_before === null);
  return (
    <div class="ss-plan">
      <Compare base={plan.base} against={plan.against}>
        {!nothing && anyUnchanged(nodes) && (
          <label>
            <input
              type="checkbox"
              checked={ui.tree.foldUnchanged}
              onChange={({ currentTarget: { checked } }) =>
                actions.setTree((was) => ({ ...was, foldUnchanged: checked, opened: new Set() }))
              }
            />
            fold unchanged
          </label>
        )}
        {actions.acts && (
          <label title="The nodes that the code can return, and that are not in the plan: each tells why not">
            <input
              type="checkbox"
              checked={ui.tree.ghosts}
              onChange={({ currentTarget: { checked } }) =>
                actions.setTree((was) => ({ ...was, ghosts: checked }))
              }
            />
            show what could be here
          </label>
        )}
        {nothing && (
          <span class="ss-dim">
            {plan.against === null
              ? "This frame changed nothing in the plan."
              : "Nothing in the plan differs here."}
          </span>
        )}
      </Compare>
      <DryNote dry={plan.dry} />
      <Tree nodes={nodes} rows={rows} />
      {ui.tree.ghosts && <GhostNotes ghosts={ghosts} />}
      {rows.length === 0 && <p class="ss-empty">The plan is empty.</p>}
      {more > 0 && (
        <button type="button" class="ss-link ss-more" onClick={() => client.moreNodes()}>
          … {grouped(more)} more nodes: load more
        </button>
      )}
    </div>
  );
}

function useKept(nodes: readonly PlanRow[]): readonly PlanRow[] {
  const kept = useRef<readonly PlanRow[]>([]);
  return useMemo(() => {
    kept.current = keepingEqual(kept.current, nodes);
    return kept.current;
  }, [nodes]);
}

interface TreeProps {
  readonly nodes: readonly PlanRow[];
  readonly rows: readonly Row[];
}

function Tree({ nodes, rows }: TreeProps) {
  const { state, ui, actions } = useUi();
  const scroll = useRef<HTMLDivElement>(null);
  const [moved, setMoved] = useState(0);
  const { selected } = ui.tree;
  const at = rows.findIndex((row) => row.key === selected);
  const entry = rows[Math.max(0, at)]?.key ?? null;
  const seen = useWindow(scroll, rows.length);
  const running = useRunning(state.settled.at === null ? (state.summary?.running ?? []) : []);
  const now = useNow(running.size > 0);

  const change = selected === null ? followed(nodes) : null;
  const frame = state.settled.at ?? state.summary?.frame;
  // The same node may change again: each frame brings it back into sight.
  useLayoutEffect(() => {
    const row = rows.findIndex(({ key }) => key === change);
    if (row >= 0) intoSight(scroll.current, row * ROW_PX);
  }, [change, frame]);
  // After a key or a link the selection is brought into sight, as soon as it has come; after a step it stays where it
  // is.
  useLayoutEffect(() => {
    if (moved + ui.reveal > 0 && at >= 0) intoSight(scroll.current, at * ROW_PX);
  }, [moved, ui.reveal, at >= 0]);
  useEffect(() => {
    if (moved) scroll.current?.querySelector<HTMLElement>("[tabindex='0']")?.focus();
  }, [moved]);

  const toggle = useCallback(
    (key: string, expanded: boolean) => actions.setTree((was) => toggled(was, key, expanded)),
    [actions],
  );
  const open = useCallback(
    (parent: string) =>
      actions.setTree((was) => ({ ...was, opened: new Set([...was.opened, parent]) })),
    [actions],
  );
  const select = (row: Row) => {
    if (row.kind === "node") actions.selectNode(row.node.id, row.key);
    else actions.setTree((was) => ({ ...was, selected: row.key }));
  };
  const follow = (move: Move) => {
    const row = rows.find(({ key }) => key === move.key);
    if (move.kind === "open") open(move.key);
    else if (move.kind === "toggle") toggle(move.key, row?.kind === "node" && row.expanded);
    else if (row) select(row);
    setMoved(moved + 1);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = (event.target as HTMLElement).closest<HTMLElement>("[data-row]")?.dataset.row;
    const move = moveOf(rows, at ?? entry, event.key);
    if (move === null) return;
    event.preventDefault();
    follow(move);
  };

  const shown = rows.slice(seen.first, seen.end);
  // The row that Tab enters stays drawn, wherever one has scrolled to.
  const outside = at >= 0 && (at < seen.first || at >= seen.end);
  return (
    <div class="ss-scroll" ref={scroll}>
      <div class="ss-tree" role="tree" aria-label="Plan" onKeyDown={onKeyDown}>
        <Spacer rows={seen.first} />
        {shown.map((row, index) =>
          row.kind === "fold" ? (
            <UnchangedRow
              key={row.key}
              row={row}
              selected={row.key === selected}
              inTabOrder={row.key === entry}
              open={open}
            />
          ) : row.kind === "ghost" ? (
            <GhostView
              key={row.key}
              row={row}
              selected={row.key === selected}
              inTabOrder={row.key === entry}
              actions={actions}
            />
          ) : (
            <TreeRow
              key={row.key}
              row={row}
              task={running.get(row.node.id)}
              now={running.has(row.node.id) ? now : 0}
              selected={row.key === selected}
              inTabOrder={row.key === entry || (outside && index === 0)}
              actions={actions}
              toggle={toggle}
            />
          ),
        )}
        <Spacer rows={rows.length - seen.end} />
      </div>
    </div>
  );
}

function Spacer({ rows }: { readonly rows: number }) {
  if (rows <= 0) return null;
  return <div class="ss-spacer" role="presentation" style={{ height: `${rows * ROW_PX}px` }} />;
}

function useWindow(scroll: { readonly current: HTMLElement | null }, rows: number) {
  const [seen, setSeen] = useState(() => windowOf(rows, 0, 600));
  useEffect(() => {
    const element = scroll.current;
    if (element === null || rows < WINDOWED_FROM) return;
    const look = () => {
      const next = windowOf(rows, element.scrollTop, element.clientHeight);
      setSeen((was) => (was.first === next.first && was.end === next.end ? was : next));
    };
    look();
    element.addEventListener("scroll", look, { passive: true });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    return () => {
      element.removeEventListener("scroll", look);
      observer.disconnect();
    };
  }, [scroll, rows]);
  return rows < WINDOWED_FROM
    ? { first: 0, end: rows }
    : { ...seen, end: Math.min(seen.end, rows) };
}

function intoSight(scroll: HTMLElement | null, top: number): void {
  if (scroll === null) return;
  const { scrollTop, clientHeight } = scroll;
  if (top < scrollTop) scroll.scrollTop = top;
  else if (top + 2 * ROW_PX > scrollTop + clientHeight) {
    scroll.scrollTop = top + 2 * ROW_PX - clientHeight;
  }
}

/** The running tasks by node. */
function useRunning(running: readonly RunningRow[]): ReadonlyMap<string, RunningRow> {
  return useMemo(() => new Map(running.map((task) => [task.node_id, task])), [running]);
}
