import type { ComponentChildren } from "preact";
import { Text } from "./text";

export type Fact = readonly [name: string, value: ComponentChildren];

/** Names and values; what is null, empty or false is left out. */
export function Facts({ name, facts }: { readonly name: string; readonly facts: readonly Fact[] }) {
  return (
    <dl class="ss-facts-list" aria-label={name}>
      {facts.map(
        ([fact, value], index) =>
          value !== null &&
          value !== "" &&
          value !== false && (
            // A prop may be called like another fact.
            <div key={index}>
              <dt>
                <Text of={fact} />
              </dt>
              <dd>{value}</dd>
            </div>
          ),
      )}
    </dl>
  );
}
