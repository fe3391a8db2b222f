import { Text } from "./text";

interface TipProps {
  readonly at: number;
  readonly room: number;
  readonly children: string;
}

/** What one points at, in words: at once, and not after a second as a title. */
export function Tip({ at, room, children }: TipProps) {
  const place = at < room / 2 ? { left: `${at}px` } : { right: `${room - at}px` };
  return (
    <span class="ss-tip" role="tooltip" style={place}>
      <Text of={children} />
    </span>
  );
}
