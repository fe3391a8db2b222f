import { useLayoutEffect, useRef } from "preact/hooks";
import { Text } from "./text";

interface TipProps {
  /** The place in pixels, from the left edge of what it stands in. */
  readonly at: number;
  readonly children: string;
}

/** What one points at, in words: at once, and not after a second as a title. It stays within the stepper. */
export function Tip({ at, children }: TipProps) {
  const tip = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    const around = tip.current?.closest(".smithers-stepper")?.getBoundingClientRect();
    const from = tip.current?.parentElement?.getBoundingClientRect().left ?? 0;
    if (!tip.current || !around) return;
    const most = around.right - MARGIN_PX - tip.current.offsetWidth - from;
    const least = around.left + MARGIN_PX - from;
    tip.current.style.left = `${Math.max(least, Math.min(at, most))}px`;
  }, [at, children]);
  return (
    <span class="ss-tip" role="tooltip" ref={tip}>
      <Text of={children} />
    </span>
  );
}

const MARGIN_PX = 8;
