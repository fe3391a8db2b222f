import type { Value } from "../model/protocol";
import { size } from "../model/text";
import { Text } from "./text";

interface ValueViewProps {
  readonly value: Value;
  readonly loadAll: () => void;
}

/** About where a value begins to scroll in its cell: the keyboard must reach it then. */
const SCROLLED_CHARS = 160;

/** A value's JSON, with what is missing of it on offer. */
export function ValueView({ value, loadAll }: ValueViewProps) {
  return (
    <span class="ss-value">
      <code tabIndex={value.text.length > SCROLLED_CHARS ? 0 : undefined}>
        <Text of={value.text} />
      </code>
      {value.cut && (
        <button type="button" class="ss-link" onClick={loadAll}>
          … load all ({size(value.chars)})
        </button>
      )}
    </span>
  );
}
