import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { branchWords, lineOf } from "../model/branches";
import { seenFrame } from "../model/cursor";
import { editWords } from "../model/edited";
import {
  type Buckets,
  bucketed,
  frameAt,
  frameWords,
  keysAt,
  LANES,
  type Lane,
  spanOf,
  type Track,
} from "../model/timeline";
import { ofFrame } from "../model/why";
import { about } from "./ask";
import { BranchMarks } from "./branch_marks";
import { EditMarks } from "./edited";
import { Icon } from "./icon";
import { useUi } from "./ui";

const LANE_PX = 7;
const GAP_PX = 2;
const HEIGHT = LANES.length * (LANE_PX + GAP_PX);

/** The whole history, a bucket a pixel. Moving along it asks nobody; the details follow. */
export function TimelineView() {
  const { client, state, actions } = useUi();
  const { track, bookmarks, cursor } = state;
  const frames = client.edge.frame;
  const seen = seenFrame(cursor, client.edge);
  const slider = useRef<HTMLDivElement>(null);
  const width = useWidth(slider);
  const [over, setOver] = useState<number | null>(null);

  const frameOf = (event: PointerEvent) => {
    const box = slider.current?.getBoundingClientRect();
    return frameAt(event.clientX - (box?.left ?? 0), frames, box?.width ?? 1);
  };
  const drag = (event: PointerEvent) => {
    if (frames === 0) return;
    const frame = frameOf(event);
    setOver(frame);
    if (event.buttons === 1 && frame !== seenFrame(client.state.cursor, client.edge)) {
      client.goTo(frame, false);
    }
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "PageUp" || event.key === "PageDown") {
      event.preventDefault();
      const by = Math.max(1, Math.round(frames / 20));
      client.goTo(seen + (event.key === "PageUp" ? -by : by));
    }
  };
  const branches = lineOf(state.panes.branches?.data ?? null, state.summary?.execution_id);
  const edited = state.panes.edited?.data ?? null;
  const wordsOf = (frame: number) =>
    [
      frameWords(track, bookmarks, frame, frames),
      ...branchWords(branches, frame),
      ...editWords(edited, frame),
    ].join(", ");
  const words = wordsOf(seen);
  return (
    <div class="ss-timeline">
      <div class="ss-lanes">
        {LANES.map((lane) => (
          <span key={lane} data-lane={lane}>
            {lane}
          </span>
        ))}
      </div>
      <div
        class="ss-slider"
        ref={slider}
        role="slider"
        {...about(ofFrame(Math.min(seen, client.edge.recorded)))}
        tabIndex={0}
        aria-label="Timeline"
        aria-valuemin={Math.min(1, frames)}
        aria-valuemax={frames}
        aria-valuenow={seen}
        aria-valuetext={cursor.at === null ? `live, ${words}` : words}
        title={over === null ? words : wordsOf(over) + keysWords(track, over)}
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture?.(event.pointerId);
          drag(event);
        }}
        onPointerMove={drag}
        onPointerLeave={() => setOver(null)}
      >
        <Drawing
          buckets={useMemo(
            () => bucketed(track, bookmarks, frames, width),
            [track, bookmarks, frames, width],
          )}
          seen={seen}
          frames={frames}
          live={cursor.at === null}
        />
        <BranchMarks pane={branches} frames={frames} />
        <EditMarks pane={edited} frames={frames} />
      </div>
      <div class="ss-timeline-tools" role="group" aria-label="Timeline tools">
        {TOOLS.map(({ name, label, title }) => (
          <button
            key={name}
            type="button"
            class="ss-button ss-small ss-tool"
            aria-label={label}
            aria-pressed={name === "bookmark" ? bookmarks.includes(seen) : undefined}
            title={title}
            onClick={() => (name === "bookmark" ? client.bookmark(seen) : actions.act(name))}
          >
            <Icon name={name} />
          </button>
        ))}
      </div>
    </div>
  );
}

const TOOLS = [
  {
    name: "reverse_continue",
    label: "Reverse continue",
    title: "Back to the last breakpoint hit, in the records (⇧C)",
  },
  { name: "bookmark", label: "Bookmark", title: "Bookmarks this frame on the timeline" },
  { name: "go_to", label: "Go to frame", title: "Go to frame (G)" },
  { name: "search", label: "Search", title: "Nodes, keys, handlers, tasks, output (/)" },
  { name: "compare", label: "Compare", title: "Compare with another execution (O)" },
  { name: "help", label: "Help", title: "The keys (?)" },
] as const;

function keysWords(track: Track, frame: number): string {
  const keys = keysAt(track, frame);
  return keys.length > 0 ? `: ${keys.join(", ")}` : "";
}

function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      setWidth(Math.floor(entry?.contentRect.width ?? 0));
    });
    if (element.current) observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return width;
}

interface DrawingProps {
  readonly buckets: Buckets;
  readonly seen: number;
  readonly frames: number;
  readonly live: boolean;
}

function Drawing({ buckets, seen, frames, live }: DrawingProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const hand = useRef<HTMLCanvasElement>(null);
  const width = buckets.frames.length;
  const theme = useTheme();
  useEffect(() => {
    if (canvas.current) drawLanes(canvas.current, buckets);
  }, [buckets, theme]);
  useEffect(() => {
    if (hand.current) drawHand(hand.current, width, frames, seen, live);
  }, [width, frames, seen, live, theme]);
  return (
    <>
      <canvas ref={canvas} />
      <canvas ref={hand} class="ss-hand" data-live={live || undefined} />
    </>
  );
}

/** Changes when the page's theme does: a canvas has to be told. */
function useTheme(): string {
  const read = () => document.body.dataset.jpThemeName ?? "";
  const [theme, setTheme] = useState(read);
  useEffect(() => {
    const observer = new MutationObserver(() => setTheme(read()));
    observer.observe(document.body, { attributes: true });
    return () => observer.disconnect();
  }, []);
  return theme;
}

/** A canvas of that size in CSS pixels, empty; null where there is no canvas. */
function fresh(canvas: HTMLCanvasElement, width: number): CanvasRenderingContext2D | null {
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== Math.round(HEIGHT * scale)) canvas.height = Math.round(HEIGHT * scale);
  const drawing = canvas.getContext?.("2d") ?? null;
  drawing?.setTransform(scale, 0, 0, scale, 0, 0);
  drawing?.clearRect(0, 0, width, HEIGHT);
  return drawing;
}

function drawLanes(canvas: HTMLCanvasElement, buckets: Buckets): void {
  const drawing = fresh(canvas, buckets.frames.length);
  if (drawing === null) return;
  const labels = canvas.closest(".ss-timeline");
  LANES.forEach((lane, index) => {
    const label = labels?.querySelector(`[data-lane=${lane}]`);
    drawing.fillStyle = label ? getComputedStyle(label).color : "gray";
    drawLane(drawing, buckets[lane], index * (LANE_PX + GAP_PX));
  });
}

/** Pixels of one height in a row are one rectangle. */
function drawLane(drawing: CanvasRenderingContext2D, lane: Buckets[Lane], top: number): void {
  for (let from = 0; from < lane.length; ) {
    const value = lane[from] ?? 0;
    let to = from + 1;
    while (to < lane.length && lane[to] === value) to += 1;
    const height = Math.round(value * LANE_PX);
    if (height > 0) drawing.fillRect(from, top + LANE_PX - height, to - from, height);
    from = to;
  }
}

function drawHand(
  canvas: HTMLCanvasElement,
  width: number,
  frames: number,
  seen: number,
  live: boolean,
): void {
  const drawing = fresh(canvas, width);
  if (drawing === null || frames === 0) return;
  const { from, to } = spanOf(seen, frames, width);
  const wide = Math.max(2, to - from);
  const left = Math.min(from, width - wide);
  drawing.strokeStyle = drawing.fillStyle = getComputedStyle(canvas).color;
  drawing.globalAlpha = 0.18;
  drawing.fillRect(left, 0, wide, HEIGHT);
  drawing.globalAlpha = 1;
  drawing.lineWidth = 2;
  if (!live) drawing.setLineDash([4, 2]);
  drawing.strokeRect(left + 1, 1, Math.max(0, wide - 2), HEIGHT - 2);
  drawing.setLineDash([]);
}
