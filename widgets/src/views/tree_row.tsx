import { useMemo } from "preact/hooks";
import { CHANGE_MARKS, nodeLook, typeGlyph } from "../model/looks";
import type { PlanNode, PropChange } from "../model/protocol";
import { preview } from "../model/text";
import { nameOf, type Row, rowAttrs } from "../model/tree";
import { Mark, Said, Text } from "./text";

interface TreeRowProps {
  readonly row: Row;
  readonly selected: boolean;
  readonly inTabOrder: boolean;
  readonly select: (key: string) => void;
  readonly toggle: (key: string) => void;
}

/** A row, drawn anew only when something that it shows has changed. */
export function TreeRow(props: TreeRowProps) {
  const { row, selected, inTabOrder, select, toggle } = props;
  const { node, expandable, expanded, position, siblings } = row;
  return useMemo(
    () => drawn(props),
    [node, expandable, expanded, position, siblings, selected, inTabOrder, select, toggle],
  );
}

function drawn({ row, selected, inTabOrder, select, toggle }: TreeRowProps) {
  const { node } = row;
  return (
    <div
      class="ss-row"
      role="treeitem"
      data-node-id={node.id}
      data-change={node.change || undefined}
      aria-level={node.depth + 1}
      aria-posinset={row.position}
      aria-setsize={row.siblings}
      aria-expanded={row.expandable ? row.expanded : undefined}
      aria-selected={selected}
      tabIndex={inTabOrder ? 0 : -1}
      onClick={() => select(row.key)}
    >
      <ChangeMark change={node.change} />
      <Indent depth={node.depth} />
      <span
        class="ss-twisty"
        aria-hidden="true"
        onClick={(event) => {
          if (!row.expandable) return;
          event.stopPropagation();
          toggle(row.key);
        }}
      >
        {row.expandable ? (row.expanded ? "▾" : "▸") : ""}
      </span>
      <NodeLabel node={node} />
      <span class="ss-rest">
        <NodeRest node={node} />
      </span>
      {node.status !== null && (
        <span class="ss-node-status">
          <Mark look={nodeLook(node.status)} />
        </span>
      )}
    </div>
  );
}

function ChangeMark({ change }: Pick<PlanNode, "change">) {
  return (
    <span class="ss-change-mark">
      {change !== "" && (
        <>
          <span aria-hidden="true">{CHANGE_MARKS[change]}</span>
          <Said>{change}</Said>
        </>
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

function NodeLabel({ node }: { readonly node: PlanNode }) {
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

/** What a row shows as far as there is room: the detail below the tree has all of it. */
function NodeRest({ node }: { readonly node: PlanNode }) {
  return (
    <>
      {node.changes.map((change) => (
        <PropDiff key={change.prop} change={change} />
      ))}
      {node.events.map((event) => (
        <span key={event} class="ss-event">
          <Text of={event} />
        </span>
      ))}
      {node.text !== null && (
        <span class="ss-text">
          <Text of={preview(node.text)} />
        </span>
      )}
      {rowAttrs(node).map(([attr, value]) => (
        <span key={attr} class="ss-attr">
          <Text of={`${attr}="${preview(value, 40)}"`} />
        </span>
      ))}
    </>
  );
}

function PropDiff({ change }: { readonly change: PropChange }) {
  return (
    <span class="ss-diff">
      <Text of={change.prop} />{" "}
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
