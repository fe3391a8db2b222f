import type { PlanNode } from "../model/protocol";
import { Text } from "./text";

/** All that is known of the selected node. */
export function NodeDetail({ node }: { readonly node: PlanNode }) {
  const facts: (readonly [string, string | null])[] = [
    ["path", node.path],
    ["id", node.id],
    ["source", node.source],
    ...node.attrs.filter(([name]) => name !== "id"),
    ["text", node.text],
  ];
  return (
    <dl class="ss-detail" aria-label="Selected node">
      {facts.map(
        ([name, value], index) =>
          value !== null && (
            // An attribute may be called "path" or "text" too.
            <div key={index}>
              <dt>
                <Text of={name} />
              </dt>
              <dd>
                <Text of={value} />
              </dd>
            </div>
          ),
      )}
    </dl>
  );
}
