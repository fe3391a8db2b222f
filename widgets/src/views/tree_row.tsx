import { useMemo } from "preact/hooks";
import { attemptWords, elapsed } from "../model/clock";
import { CHANGE_MARKS, nodeLook, nodeStatusLook, STATUS_MARK, typeGlyph } from "../model/looks";
import type { PlanRow, PropChange, RunningRow } from "../model/protocol";
import { preview } from "../model/text";
import { type FoldRow, type NodeRow, nameOf, rowAttrs } from "../model/tree";
import { AskButton, about } from "./ask";
import { DotButton } from "./dot";
import { Mark, Said, Text } from "./text";
import type { Actions } from "./ui";

interface TreeRowProps {
  readonly row: NodeRow;
  readonly task: RunningRow | undefined;
  /** The kernel's clock, where the node's task is under way. */
  readonly now: number;
  readonly selected: boolean;
  readonly inTabOrder: boolean;
  readonly actions: Actions;
  readonly toggle: (key: string, expanded: boolean) => void;
}

/** A row, drawn anew only when something that it shows has changed. */
export function TreeRow(props: TreeRowProps) {
  const { row, task, now, selected, inTabOrder, actions, toggle } = props;
  const { node, expandable, expanded, summary, position, siblings } = row;
  return useMemo(
    () => drawn(props),
    [
      node,
      task,
      now,
      expandable,
      expanded,
      summary,
      position,
      siblings,
      selected,
      inTabOrder,
      actions,
      toggle,
    ],
  );
}

function drawn({ row, task, now, selected, inTabOrder, actions, toggle }: TreeRowProps) {
  const { node } = row;
  return (
    <div
      class="ss-row"
      role="treeitem"
      data-row={row.key}
      data-node-id={node.id}
      data-change={node.change || undefined}
      data-status={node.status ?? undefined}
      data-raised={node.raised || undefined}
      aria-level={node.depth + 1}
      aria-posinset={row.position}
      aria-setsize={row.siblings}
      aria-expanded={row.expandable ? row.expanded : undefined}
      aria-selected={selected}
      tabIndex={inTabOrder ? 0 : -1}
      {...about({ of: node.id })}
      onClick={() => actions.selectNode(node.id, row.key)}
    >
      <DotButton
        set={node.breakpoints.length > 0}
        label={`Breakpoint on ${node.explicit_id ? node.id : spoken(node)}`}
        toggle={actions.acts ? () => actions.toggleBreakpoint({ kind: "node", id: node.id }) : null}
      />
      <ChangeMark node={node} />
      <Indent depth={node.depth} />
      <span
        class="ss-twisty"
        aria-hidden="true"
        onClick={(event) => {
          if (!row.expandable) return;
          event.stopPropagation();
          toggle(row.key, row.expanded);
        }}
      >
        {row.expandable ? (row.expanded ? "▾" : "▸") : ""}
      </span>
      <NodeLabel node={node} />
      <AskButton ask={() => actions.ask({ of: node.id })} name={spoken(node)} />
      <span class="ss-rest">
        {row.summary !== "" && <span class="ss-below">{row.summary}</span>}
        <NodeRest node={node} task={task} now={now} ask={actions.ask} />
      </span>
      <NodeStatus node={node} task={task} now={now} />
    </div>
  );
}

interface UnchangedRowProps {
  readonly row: FoldRow;
  readonly selected: boolean;
  readonly inTabOrder: boolean;
  readonly open: (parent: string) => void;
}

/** Stands for nodes in which nothing happened. */
export function UnchangedRow({ row, selected, inTabOrder, open }: UnchangedRowProps) {
  return (
    <div
      class="ss-row ss-unchanged"
      role="treeitem"
      data-row={row.key}
      aria-level={row.depth + 1}
      aria-expanded={false}
      aria-selected={selected}
      tabIndex={inTabOrder ? 0 : -1}
      title="Click shows them"
      onClick={() => open(row.parent)}
    >
      <span class="ss-dot-place" />
      <span class="ss-change-mark" />
      <Indent depth={row.depth} />⋯ {row.count} unchanged
    </div>
  );
}

function ChangeMark({ node }: { readonly node: PlanRow }) {
  const { change, moved, status_before } = node;
  const mark = change !== "" ? CHANGE_MARKS[change] : "";
  return (
    <span class="ss-change-mark">
      {change !== "" && (
        <>
          <span aria-hidden="true">{mark}</span>
          <Said>{change}</Said>
        </>
      )}
      {moved && change !== "moved" && (
        <>
          <span aria-hidden="true">{CHANGE_MARKS.moved}</span>
          <Said>moved</Said>
        </>
      )}
      {change === "" && status_before !== null && (
        <span aria-hidden="true" class="ss-status-mark">
          {STATUS_MARK}
        </span>
      )}
    </span>
  );
}

/** One thin guide for each level. */
function Indent({ depth }: { readonly depth: number }) {
  return Array.from({ length: depth }, (_, level) => (
    <span key={level} class="ss-indent" aria-hidden="true" />
  ));
}

function NodeLabel({ node }: { readonly node: PlanRow }) {
  const name = nameOf(node);
  return (
    <>
      <span class="ss-type-glyph" aria-hidden="true">
        {typeGlyph(node.type)}
      </span>
      <span class="ss-type">
        <Text of={node.type} />
      </span>
      {name !== "" && (
        <span class="ss-node-name">
          <Text of={name} />
        </span>
      )}
    </>
  );
}

interface RestProps {
  readonly node: PlanRow;
  readonly task: RunningRow | undefined;
  readonly now: number;
}

/** What a row shows as far as there is room: the inspector has all of it. */
function NodeRest({ node, task, now, ask }: RestProps & Pick<Actions, "ask">) {
  const attempt = task ? attemptWords(task, now) : "";
  const changed = new Set(node.changes.map(({ prop }) => prop));
  return (
    <>
      {node.why !== null && (
        <span class="ss-why">
          <Text of={`${node.change}: ${node.why}`} />
        </span>
      )}
      {attempt !== "" && (
        <span class="ss-why">
          <Text of={attempt} />
        </span>
      )}
      {task !== undefined && task.tail !== "" && (
        <span class="ss-tail">
          <Text of={`…${task.tail.replace(/\s+/g, " ").slice(-90)}`} />
        </span>
      )}
      {node.changes.map((change) => (
        <PropDiff key={change.prop} change={change} />
      ))}
      {node.events.map((event) => (
        <Badge key={event} event={event} node={node} ask={ask} />
      ))}
      {node.text !== null && !changed.has("text") && (
        <span class="ss-text">
          <Text of={preview(node.text)} />
        </span>
      )}
      {rowAttrs(node)
        .filter(([attr]) => !changed.has(attr))
        .map(([attr, value]) => (
          <span key={attr} class="ss-attr">
            <Text of={`${attr}="${preview(value, 40)}"`} />
          </span>
        ))}
    </>
  );
}

/** A generated id says nothing to a person. */
const spoken = (node: PlanRow): string =>
  node.explicit_id ? node.id : [node.type, nameOf(node)].filter(Boolean).join(" ");

interface BadgeProps extends Pick<Actions, "ask"> {
  readonly event: string;
  readonly node: PlanRow;
}

/** A handler of a row: a click asks why it fired, or why not. */
function Badge({ event, node, ask }: BadgeProps) {
  return (
    <button
      type="button"
      class="ss-event"
      aria-label={`Why ${event} of ${spoken(node)}`}
      title={`Why ${event} was called, or why not (Q)`}
      tabIndex={-1}
      {...about({ of: `${node.id}.${event}` })}
      onClick={(click) => {
        click.stopPropagation();
        ask({ of: `${node.id}.${event}` });
      }}
    >
      <Text of={event} />
    </button>
  );
}

function NodeStatus({ node, task, now }: RestProps) {
  if (node.status === null) return null;
  const took = task ? elapsed(task, now) : "";
  return (
    <span class="ss-node-status">
      {node.status_before !== null && (
        <span class="ss-dim">
          <Said>was </Said>
          <Text of={nodeLook(node.status_before).word} />
          <span aria-hidden="true"> → </span>
        </span>
      )}
      <Mark look={nodeStatusLook(node)} />
      {took !== "" && <span class="ss-dim"> {took}</span>}
    </span>
  );
}

export function PropDiff({ change }: { readonly change: PropChange }) {
  return (
    <span class="ss-diff">
      {change.prop !== "text" && (
        <>
          <Text of={change.prop} />{" "}
        </>
      )}
      <del>
        <Said>was </Said>
        <Text of={preview(change.old ?? "unset", 40)} />
      </del>
      <span aria-hidden="true"> → </span>
      <ins>
        <Said>is </Said>
        <Text of={preview(change.new ?? "unset", 40)} />
      </ins>
    </span>
  );
}
