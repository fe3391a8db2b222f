import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { barAt, barsOf, barWords, rowCount, type TaskBar } from "../model/gantt";
import { nodeLook } from "../model/looks";
import { plural, visible } from "../model/text";
import { type Brush, brushOf, useColours } from "./lanes";
import { Tip } from "./tip";
import { useUi } from "./ui";

const ROW_PX = 15;

interface GanttProps {
  readonly frames: number;
  /** The pixels of the frames, and those that the names may take besides. */
  readonly used: number;
  readonly room: number;
}

/** The tasks by frame, below the timeline. The Tasks tab says the same in words. */
export function Gantt({ frames, used, room }: GanttProps) {
  const { state, actions } = useUi();
  const pane = state.panes.gantt?.data ?? null;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [over, setOver] = useState<TaskBar | null>(null);
  const colours = useColours();
  const bars = useMemo(() => (pane ? barsOf(pane, frames, used) : []), [pane, frames, used]);
  const height = Math.max(1, rowCount(bars)) * ROW_PX;
  useEffect(() => {
    const brush = canvas.current && brushOf(canvas.current, { width: room, height }, colours);
    if (brush !== null) for (const bar of bars) drawBar(brush, bar);
  }, [bars, room, height, colours]);
  const pointed = ({ offsetX, offsetY }: MouseEvent) =>
    barAt(bars, offsetX, Math.floor(offsetY / ROW_PX)) ?? null;
  return (
    <div
      class="ss-gantt"
      role="img"
      aria-label={`Tasks by frame: ${plural(pane?.tasks.length ?? 0, "task")}`}
      style={{ height: `${height}px` }}
      data-over={over?.task}
      onPointerMove={(event) => setOver(pointed(event))}
      onPointerLeave={() => setOver(null)}
      onClick={(event) => {
        const bar = pointed(event);
        if (bar !== null) actions.showTask(bar.task);
      }}
    >
      <canvas ref={canvas} />
      {pane?.tasks.length === 0 && <span class="ss-dim">No task has begun yet.</span>}
      {pane?.more && <span class="ss-gantt-more">the newest {pane.tasks.length} tasks</span>}
      {over !== null && <Tip at={over.x}>{barWords(over)}</Tip>}
    </div>
  );
}

/** A bar with its glyph and name, in it or behind it; open at its end while the task runs. */
function drawBar({ drawing, colour }: Brush, bar: TaskBar): void {
  const { glyph, tone } = nodeLook(bar.status);
  const top = bar.row * ROW_PX + 2;
  const high = ROW_PX - 4;
  drawing.fillStyle = drawing.strokeStyle = colour(tone);
  drawing.globalAlpha = 0.3;
  drawing.fillRect(bar.x, top, Math.max(2, bar.width - 1), high);
  drawing.globalAlpha = 1;
  drawing.fillRect(bar.x, top, 2, high);
  if (bar.last !== null) drawing.fillRect(bar.x + Math.max(2, bar.width - 1) - 2, top, 2, high);
  if (!bar.named) return;
  const text = `${glyph} ${visible(bar.name)}`;
  drawing.font = colourFont(drawing.canvas);
  drawing.textBaseline = "middle";
  drawing.fillStyle = colour("text");
  const inside = drawing.measureText(text).width + 8 <= bar.width;
  drawing.fillText(text, inside ? bar.x + 5 : bar.x + bar.width + 3, top + high / 2 + 0.5);
}

const colourFont = (canvas: HTMLCanvasElement): string => {
  const { fontSize, fontFamily } = getComputedStyle(canvas);
  return `${fontSize} ${fontFamily}`;
};
