import { LEAST, MOST, pressedShare, type Split } from "../model/splits";

interface SplitterProps {
  readonly split: Split;
  /** The share that was set; undefined: the layout's. */
  readonly share: number | undefined;
  readonly set: (share: number | null) => void;
}

const SPLITS = {
  inspector: { orientation: "vertical", label: "Width of the inspector" },
  details: { orientation: "horizontal", label: "Height of the details" },
} as const;

/** A bar between two panes: dragged, moved by arrow keys; a double click or Enter lets the layout decide. */
export function Splitter({ split, share, set }: SplitterProps) {
  const { orientation, label } = SPLITS[split];
  return (
    <hr
      class="ss-splitter"
      data-split={split}
      tabIndex={0}
      aria-orientation={orientation}
      aria-label={label}
      aria-valuemin={LEAST}
      aria-valuemax={MOST}
      aria-valuenow={Math.round(share ?? 40)}
      aria-valuetext={share === undefined ? "automatic" : `${Math.round(share)} percent`}
      title={`${label}: drag, or press arrow keys; a double click makes it automatic`}
      onKeyDown={(event) => {
        const pressed = pressedShare(
          split,
          share ?? shareOf(event.currentTarget, split),
          event.key,
        );
        if (pressed === undefined) return;
        event.preventDefault();
        set(pressed);
      }}
      onDblClick={() => set(null)}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        set(shareAt(event.currentTarget, split, event));
      }}
    />
  );
}

/** The share at which the pointer is. */
function shareAt(bar: HTMLElement, split: Split, { clientX, clientY }: PointerEvent): number {
  const { right, bottom, width, height } = roomOf(bar);
  if (split === "inspector") return (100 * (right - clientX)) / width;
  return (100 * (bottom - clientY)) / height;
}

/** The share that the layout gives the pane behind the bar. */
function shareOf(bar: HTMLElement, split: Split): number {
  const room = roomOf(bar);
  const pane = bar.nextElementSibling?.getBoundingClientRect() ?? room;
  if (split === "inspector") return (100 * pane.width) / room.width;
  return (100 * pane.height) / room.height;
}

const roomOf = (bar: HTMLElement): DOMRect => (bar.parentElement ?? bar).getBoundingClientRect();
