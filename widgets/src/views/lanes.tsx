import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import {
  type Bar,
  type Buckets,
  bucketed,
  type Lane,
  type Mark,
  marksOf,
  middles,
  type Row,
  type Track,
} from "../model/timeline";

/** Above the rows: the numbers of the frames, and their bars. */
export const HEAD_PX = 15;
const FRAMES_PX = 4;
/** Between two rows, and between the bars of two frames. */
const GAP_PX = 2;
const MARK_PX = 7;
const LEAST_ROWS = 2;

/** The height of a row: that of its label's type, below which the labels run into each other. */
export const ROW_PX = 11;

/** The height of all: that of two rows is kept free, so that the panes below don't jump with the first write. */
export const heightOf = (rows: number): number => HEAD_PX + Math.max(LEAST_ROWS, rows) * ROW_PX;

interface LanesProps {
  readonly track: Track;
  readonly bookmarks: readonly number[];
  readonly rows: readonly Row[];
  /** The number of all rows, those of the branches included. */
  readonly total: number;
  readonly frames: number;
  readonly width: number;
}

/** The bars and marks of the frames. */
export function Lanes({ track, bookmarks, rows, total, frames, width }: LanesProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const colours = useColours();
  const pixels = Math.floor(width);
  const buckets = useMemo(() => bucketed(track, frames, pixels), [track, frames, pixels]);
  useEffect(() => {
    const size = { width: pixels, height: heightOf(total) };
    const brush = canvas.current && brushOf(canvas.current, size, colours);
    if (brush === null) return;
    const slot = frames > 0 ? pixels / frames : 0;
    const marked = marksOf(track, bookmarks);
    const high = ROW_PX - GAP_PX;
    drawBars(brush, "frames", buckets, { top: HEAD_PX - FRAMES_PX, high: FRAMES_PX, slot });
    rows.forEach(({ lanes }, index) => {
      const top = HEAD_PX + index * ROW_PX + GAP_PX / 2;
      lanes.forEach((lane, order) => {
        if (isBar(lane)) drawBars(brush, lane, buckets, { top, high, slot });
        else {
          // Side by side where a frame has the room.
          const aside = slot >= lanes.length * MARK_PX ? order - (lanes.length - 1) / 2 : 0;
          for (const middle of middles(marked[lane], frames, pixels))
            drawMark(brush, lane, middle + aside * MARK_PX, top + high / 2);
        }
      });
    });
  }, [buckets, rows, total, track, bookmarks, frames, pixels, colours]);
  return <canvas ref={canvas} />;
}

const isBar = (lane: Lane): lane is Bar =>
  lane === "frames" || lane === "writes" || lane === "handlers";

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

/** The colours of the style sheet that were asked for, by kind; empty again when the theme is another. */
export function useColours(): Map<string, string> {
  const theme = useTheme();
  return useMemo(() => new Map<string, string>(), [theme]);
}

/** A context to draw with, and the colours of the style sheet. */
export interface Brush {
  readonly drawing: CanvasRenderingContext2D;
  readonly colour: (kind: string) => string;
}

/** A canvas of that size in CSS pixels, empty; null where there is no canvas. */
export function brushOf(
  canvas: HTMLCanvasElement,
  { width, height }: Size,
  colours: Map<string, string>,
): Brush | null {
  const scale = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
  if (canvas.width !== wide || canvas.height !== high) {
    Object.assign(canvas, { width: wide, height: high });
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  }
  const drawing = canvas.getContext?.("2d") ?? null;
  if (drawing === null) return null;
  drawing.setTransform(scale, 0, 0, scale, 0, 0);
  drawing.clearRect(0, 0, width, height);
  const colour = (kind: string) => {
    const known = colours.get(kind);
    if (known !== undefined) return known;
    // A canvas knows no custom properties: the style sheet gives the colour of each kind.
    canvas.dataset.kind = kind;
    const { color } = getComputedStyle(canvas);
    colours.set(kind, color);
    return color;
  };
  return { drawing, colour };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

interface Place {
  readonly top: number;
  readonly high: number;
  /** The pixels of a frame. */
  readonly slot: number;
}

/** Against the rounding of a frame's edge. */
const EPSILON = 1e-6;
/** Below this frames stand wall to wall. */
const APART_PX = 5;

/** The pixels of one height in a row are one rectangle, up to the end of a frame where frames stand apart. */
function drawBars({ drawing, colour }: Brush, lane: Bar, buckets: Buckets, place: Place): void {
  const { top, high, slot } = place;
  const column = buckets[lane];
  const apart = slot >= APART_PX;
  drawing.fillStyle = colour(lane);
  for (let from = 0; from < column.length; ) {
    const value = column[from] ?? 0;
    const end = apart
      ? Math.ceil((Math.floor(from / slot + EPSILON) + 1) * slot - EPSILON)
      : column.length;
    let to = from + 1;
    while (to < Math.min(end, column.length) && column[to] === value) to += 1;
    const height = Math.round(value * high);
    const wide = to - from - (apart ? GAP_PX : 0);
    if (height > 0) drawing.fillRect(from, top + high - height, Math.max(1, wide), height);
    from = to;
  }
}

/** A cross, a disc or a flag: told apart without colours, too. */
function drawMark({ drawing, colour }: Brush, mark: Mark, x: number, y: number): void {
  const half = MARK_PX / 2 - 0.5;
  drawing.fillStyle = drawing.strokeStyle = colour(mark);
  drawing.lineWidth = 2;
  drawing.beginPath();
  switch (mark) {
    case "errors":
      drawing.moveTo(x - half, y - half);
      drawing.lineTo(x + half, y + half);
      drawing.moveTo(x + half, y - half);
      drawing.lineTo(x - half, y + half);
      drawing.stroke();
      break;
    case "hits":
      drawing.arc(x, y, half, 0, 2 * Math.PI);
      drawing.fill();
      break;
    case "bookmarks":
      drawing.moveTo(x - half, y - half);
      drawing.lineTo(x + half, y - half);
      drawing.lineTo(x, y + half);
      drawing.fill();
      break;
  }
}
