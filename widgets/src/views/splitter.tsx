import { useEffect, useRef, useState } from "preact/hooks";
import { LEAST, MOST, pressedShare, type Split } from "../model/splits";

interface SplitterProps {
  readonly split: Split;
  /** The share that was set; undefined: the layout's. */
  readonly share: number | undefined;
  /** Sets the share; null gives it back to the layout. */
  readonly set: (share: number | null) => void;
  /** Called when the share is not being moved any more. */
  readonly done: () => void;
}

const SPLITS = {
  inspector: { orientation: "vertical", label: "Width of the inspector" },
  details: { orientation: "horizontal", label: "Height of the details" },
} as const;

/** A bar between two panes: dragged, moved by arrow keys; a double click or Enter lets the layout decide. */
export function Splitter({ split, share, set, done }: SplitterProps) {
  const { orientation, label } = SPLITS[split];
  const bar = useRef<HTMLHRElement>(null);
  const measured = useShare(bar, split);
  const settle = (share: number | null) => {
    set(share);
    done();
  };
  return (
    <hr
      ref={bar}
      class="ss-splitter"
      data-split={split}
      tabIndex={0}
      aria-orientation={orientation}
      aria-label={label}
      aria-valuemin={Math.min(LEAST, measured)}
      aria-valuemax={Math.max(MOST, measured)}
      aria-valuenow={measured}
      aria-valuetext={share === undefined ? "automatic" : `${measured} percent`}
      title={`${label}: drag, or press arrow keys; a double click makes it automatic`}
      onKeyDown={(event) => {
        const pressed = pressedShare(
          split,
          share ?? shareOf(event.currentTarget, split),
          event.key,
        );
        if (pressed === undefined) return;
        event.preventDefault();
        settle(pressed);
      }}
      onDblClick={() => settle(null)}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        set(shareAt(event.currentTarget, split, event));
      }}
      onLostPointerCapture={done}
    />
  );
}

/** The share that the pane behind the bar has on the page, in whole percent: also where the layout decides. */
function useShare(bar: { readonly current: HTMLElement | null }, split: Split): number {
  const [share, setShare] = useState(0);
  useEffect(() => {
    const pane = bar.current?.nextElementSibling;
    if (!bar.current || !pane) return;
    const measure = () => bar.current && setShare(Math.round(shareOf(bar.current, split)));
    const observer = new ResizeObserver(measure);
    observer.observe(pane);
    measure();
    return () => observer.disconnect();
  }, [bar, split]);
  return share;
}

/** The share at which the pointer is. */
function shareAt(bar: HTMLElement, split: Split, { clientX, clientY }: PointerEvent): number {
  const { right, bottom, width, height } = roomOf(bar);
  if (split === "inspector") return (100 * (right - clientX)) / width;
  return (100 * (bottom - clientY)) / height;
}

/** The share of the room that the pane behind the bar has. */
function shareOf(bar: HTMLElement, split: Split): number {
  const room = roomOf(bar);
  const pane = bar.nextElementSibling?.getBoundingClientRect() ?? room;
  const [part, whole] =
    split === "inspector" ? [pane.width, room.width] : [pane.height, room.height];
  return whole > 0 ? (100 * part) / whole : 0;
}

const roomOf = (bar: HTMLElement): DOMRect => (bar.parentElement ?? bar).getBoundingClientRect();
