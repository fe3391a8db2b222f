import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { type BranchRows, branchWords, inRows, laneOfEach, lineOf } from "../model/branches";
import { isLook } from "../model/controls";
import { seenFrame } from "../model/cursor";
import { editWords } from "../model/edited";
import { visible } from "../model/text";
import {
  frameAt,
  frameWords,
  ROWS,
  rowsOf,
  spanOf,
  ticks,
  tipWords,
  usedOf,
} from "../model/timeline";
import { ofFrame } from "../model/why";
import { about } from "./ask";
import { BranchLanes } from "./branch_lanes";
import { BranchMarks } from "./branch_marks";
import { EditMarks } from "./edited";
import { Gantt } from "./gantt";
import { Icon } from "./icon";
import { HEAD_PX, heightOf, Lanes, ROW_PX } from "./lanes";
import { Text } from "./text";
import { Tip } from "./tip";
import { useUi } from "./ui";

/** The whole history, a bucket a pixel. Moving along it asks nobody; the details follow. */
export function TimelineView() {
  const { client, state, ui } = useUi();
  const { track, bookmarks, cursor } = state;
  const frames = client.edge.frame;
  const seen = seenFrame(cursor, client.edge);
  const slider = useRef<HTMLDivElement>(null);
  const room = useWidth(slider);
  const used = usedOf(frames, room);
  const [over, setOver] = useState<number | null>(null);

  const frameOf = (event: PointerEvent) => {
    const box = slider.current?.getBoundingClientRect();
    return frameAt(event.clientX - (box?.left ?? 0), frames, usedOf(frames, box?.width ?? 1));
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
  const moreWords = (frame: number) => [
    ...branchWords(branches, frame),
    ...editWords(edited, frame),
  ];
  const words = [frameWords(track, bookmarks, seen, frames), ...moreWords(seen)].join(", ");
  const leaving = useMemo(() => (branches === null ? [] : laneOfEach(branches)), [branches]);
  const rows = useMemo(
    () => rowsOf(track, bookmarks, leaving.length),
    [track, bookmarks, leaving.length],
  );
  const lanes = useMemo(() => inRows(leaving, ROWS - rows.length), [leaving, rows.length]);
  const total = rows.length + lanes.length;
  const sizes = {
    "--ss-timeline": `${heightOf(total)}px`,
    "--ss-head": `${HEAD_PX}px`,
    "--ss-lane": `${ROW_PX}px`,
  };
  return (
    <div class="ss-timeline" style={sizes}>
      <div class="ss-lanes" aria-hidden="true">
        <span>frames</span>
        {rows.map(({ label, lanes: shown }) => (
          <span key={label} data-lane={label} title={shown.join(", ")}>
            {label}
          </span>
        ))}
        {lanes.map((lane) => (
          <BranchLabel key={lane.label} lane={lane} />
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
        onKeyDown={onKeyDown}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture?.(event.pointerId);
          drag(event);
        }}
        onPointerMove={drag}
        onPointerLeave={() => setOver(null)}
      >
        <div class="ss-used" style={{ width: `${used}px` }}>
          <Numbers frames={frames} used={used} seen={seen} live={cursor.at === null} />
          <Lanes
            track={track}
            bookmarks={bookmarks}
            rows={rows}
            total={total}
            frames={frames}
            width={used}
          />
          <BranchMarks pane={branches} frames={frames} />
          <EditMarks pane={edited} frames={frames} />
          <Hand seen={seen} frames={frames} used={used} live={cursor.at === null} />
        </div>
        <BranchLanes lanes={lanes} above={rows.length} slot={frames > 0 ? used / frames : 0} />
        {over !== null && (
          <Tip at={((Math.min(over, frames) - 0.5) * used) / frames}>
            {[tipWords(track, bookmarks, over), ...moreWords(over)].join(", ")}
          </Tip>
        )}
      </div>
      <Tools seen={seen} />
      {ui.gantt && <Gantt frames={frames} used={used} room={room} />}
    </div>
  );
}

/** The name of a branch: with the mouse it leads there, with the keyboard the menu in the header does. */
function BranchLabel({ lane: { label, parts } }: { readonly lane: BranchRows }) {
  const { client, actions } = useUi();
  const [first] = parts;
  const go = () => {
    if (parts.length === 1 && first !== undefined && client.acts) client.show(first.execution_id);
    else actions.act("branches");
  };
  const words = parts.map(({ name, first, last }) => branchSpan(name, first, last)).join("\n");
  return (
    <button type="button" class="ss-link" tabIndex={-1} title={visible(words)} onClick={go}>
      <Text of={label} />
    </button>
  );
}

const branchSpan = (name: string, first: number, last: number): string =>
  last < first ? `${name}: no frame of its own yet` : `${name}: frames ${first} to ${last}`;

interface SeenProps {
  readonly frames: number;
  readonly used: number;
  readonly seen: number;
  readonly live: boolean;
}

/** The numbers of the frames, as many as there is room for; that of the frame that is seen always. */
function Numbers({ frames, used, seen, live }: SeenProps) {
  const printed = useMemo(() => ticks(frames, used), [frames, used]);
  const place = (frame: number) => ((frame - 0.5) * used) / frames;
  const apart = 6 + 7 * String(frames).length;
  const clear = printed.filter((frame) => Math.abs(place(frame) - place(seen)) >= apart);
  return (
    <div class="ss-numbers" aria-hidden="true">
      {clear.map((frame) => (
        <span key={frame} style={{ left: `${place(frame)}px` }}>
          {frame}
        </span>
      ))}
      {seen > 0 && (
        <span
          class="ss-number-seen"
          data-live={live || undefined}
          style={{ left: `${place(seen)}px` }}
        >
          {seen}
        </span>
      )}
    </div>
  );
}

/** The frame that is seen: dashed in the records. */
function Hand({ seen, frames, used, live }: SeenProps) {
  if (seen < 1) return null;
  const { from, to } = spanOf(seen, frames, used);
  const wide = Math.max(3, to - from);
  const left = Math.max(0, Math.min(from, used - wide));
  return (
    <span
      class="ss-hand"
      data-live={live || undefined}
      style={{ left: `${left}px`, width: `${wide}px` }}
    />
  );
}

function Tools({ seen }: { readonly seen: number }) {
  const { client, state, ui, actions } = useUi();
  const pressed: Partial<Record<string, boolean>> = {
    bookmark: state.bookmarks.includes(seen),
    gantt: ui.gantt,
  };
  return (
    <div class="ss-timeline-tools" role="group" aria-label="Timeline tools">
      {(client.acts ? TOOLS : TOOLS.filter(isLook)).map(({ name, label, title }) => (
        <button
          key={name}
          type="button"
          class="ss-button ss-small ss-tool"
          aria-label={label}
          aria-pressed={pressed[name]}
          title={title}
          onClick={() => (name === "bookmark" ? client.bookmark(seen) : actions.act(name))}
        >
          <Icon name={name} />
        </button>
      ))}
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
  { name: "gantt", label: "Tasks along the timeline", title: "The tasks by frame (T)" },
  { name: "go_to", label: "Go to frame", title: "Go to frame (G)" },
  { name: "search", label: "Search", title: "Nodes, keys, handlers, tasks, output (/)" },
  { name: "compare", label: "Compare", title: "Compare with another execution (O)" },
  { name: "export", label: "Export", title: "Writes the run to one file (X)" },
  { name: "help", label: "Help", title: "The keys (?)" },
] as const;

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
