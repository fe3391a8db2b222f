import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Asked } from "../model/why";
import { Ask, about } from "./ask";

export interface Column<Row> {
  readonly name: string;
  readonly cell: (row: Row) => ComponentChildren;
  readonly align?: "end";
  /** Takes the room that is left. */
  readonly wide?: boolean;
  /** Whether a row says nothing here that is worth a column: where no row does, it is left out. */
  readonly usual?: (row: Row) => boolean;
  /** Left out where there is no room, the greatest first. */
  readonly rank?: number;
}

interface GridProps<Row> {
  readonly name: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string | number;
  readonly empty: string;
  readonly toneOf?: (row: Row) => string | undefined;
  /** What folds out below a row, over its whole width. */
  readonly below?: (row: Row) => ComponentChildren;
  /** Clicking a row, or walking into it, selects it. */
  readonly select?: (row: Row) => void;
  readonly isSelected?: (row: Row) => boolean;
  /** What may be asked about a row, and its name in words. */
  readonly why?: (row: Row) => (Asked & { readonly name: string }) | null;
  /** Scrolls the selected row into sight when it grows. */
  readonly reveal?: number;
}

interface Place {
  readonly row: number;
  readonly cell: number;
}

const STEPS: Readonly<Record<string, Place>> = {
  ArrowUp: { row: -1, cell: 0 },
  ArrowDown: { row: 1, cell: 0 },
  ArrowLeft: { row: 0, cell: -1 },
  ArrowRight: { row: 0, cell: 1 },
  Home: { row: 0, cell: Number.NEGATIVE_INFINITY },
  End: { row: 0, cell: Number.POSITIVE_INFINITY },
};

const CELLS = "td, th";

/** The cell that a key leads to from the one that has the focus. */
function cellAt(table: HTMLTableElement, from: HTMLTableCellElement, by: Place) {
  const rows = [...table.rows];
  const at = rows.findIndex((row) => row.contains(from));
  const cells = rows[Math.min(Math.max(at + by.row, 0), rows.length - 1)]?.cells;
  if (cells === undefined) return undefined;
  return cells[Math.min(Math.max(from.cellIndex + by.cell, 0), cells.length - 1)];
}

/** A table that the arrow keys walk; one cell is in the tab order at a time. */
export function Grid<Row>(props: GridProps<Row>) {
  const { name, rows, keyOf, empty, toneOf, below, select, isSelected, why, reveal } = props;
  const table = useRef<HTMLTableElement>(null);
  const telling = props.columns.filter(({ usual }) => usual === undefined || !rows.every(usual));
  const { columns, dropped } = useFitting(table, telling, rows.length);
  const slack = columns.find(({ wide }) => wide) ?? columns.at(-1);
  const [home, setHome] = useState<Place>({ row: 0, cell: 0 });
  const tabIndex = (row: number, cell: number) =>
    Math.min(home.row, rows.length) === row && home.cell === cell ? 0 : -1;

  useEffect(() => {
    if (reveal)
      table.current?.querySelector("[aria-selected=true]")?.scrollIntoView?.({ block: "nearest" });
  }, [reveal]);

  const onKeyDown = (event: KeyboardEvent & { currentTarget: HTMLTableElement }) => {
    const by = STEPS[event.key];
    const from = event.target as HTMLTableCellElement;
    if (by === undefined || !from.matches(CELLS)) return;
    event.preventDefault();
    cellAt(event.currentTarget, from, by)?.focus();
  };

  return (
    <>
      <table class="ss-grid" ref={table} role="grid" aria-label={name} onKeyDown={onKeyDown}>
        <thead hidden={rows.length === 0}>
          <tr>
            {columns.map((column, cell) => (
              <th
                key={column.name}
                scope="col"
                data-align={column.align}
                data-wide={column === slack || column.wide}
                tabIndex={tabIndex(0, cell)}
                onFocus={() => setHome({ row: 0, cell })}
              >
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        {rows.map((row, index) => (
          <tbody key={keyOf(row)} data-tone={toneOf?.(row)}>
            <tr
              aria-selected={isSelected?.(row)}
              {...about(why?.(row) ?? null)}
              onClick={() => select?.(row)}
            >
              {columns.map((column, cell) => (
                <td
                  key={column.name}
                  role="gridcell"
                  data-align={column.align}
                  data-wide={column === slack || column.wide}
                  tabIndex={tabIndex(index + 1, cell)}
                  onFocus={(event) => {
                    setHome({ row: index + 1, cell });
                    if (event.target === event.currentTarget) select?.(row);
                  }}
                >
                  {column.cell(row)}
                  {cell === 0 && <AskRow asked={why?.(row) ?? null} />}
                </td>
              ))}
            </tr>
            {below?.(row) && (
              <tr class="ss-below">
                <td role="gridcell" colSpan={columns.length} tabIndex={-1}>
                  {below(row)}
                </td>
              </tr>
            )}
          </tbody>
        ))}
      </table>
      {rows.length === 0 && <p class="ss-empty">{empty}</p>}
      {rows.length > 0 && dropped.length > 0 && (
        <p class="ss-dropped">With more room: {dropped.map(({ name }) => name).join(", ")}</p>
      )}
    </>
  );
}

function AskRow({ asked }: { readonly asked: (Asked & { readonly name: string }) | null }) {
  return asked === null ? null : <Ask asked={asked} name={asked.name} />;
}

interface Fitting<Row> {
  readonly columns: readonly Column<Row>[];
  readonly dropped: readonly Column<Row>[];
}

/** The columns that there is room for: measured, as no one knows beforehand how long names and values are. */
function useFitting<Row>(
  table: { readonly current: HTMLTableElement | null },
  columns: readonly Column<Row>[],
  rows: number,
): Fitting<Row> {
  // An object, so that a new width is measured also where nothing was left out before.
  const [fit, setFit] = useState({ without: 0 });
  const ranked = columns
    .filter(({ rank }) => rank !== undefined)
    .sort((one, other) => (other.rank ?? 0) - (one.rank ?? 0));
  const dropped = ranked.slice(0, fit.without);
  // It runs before the page is painted, once for each column that is left out.
  useLayoutEffect(() => {
    const room = table.current?.parentElement?.clientWidth ?? 0;
    if ((table.current?.offsetWidth ?? 0) > room + 1 && fit.without < ranked.length)
      setFit({ without: fit.without + 1 });
  });
  useLayoutEffect(() => {
    setFit((was) => (was.without === 0 ? was : { without: 0 }));
  }, [rows, columns.length]);
  useEffect(() => {
    const around = table.current?.parentElement;
    if (!around) return;
    let width = around.offsetWidth;
    const observer = new ResizeObserver(() => {
      // With its scrollbar: that comes and goes with the columns.
      if (around.offsetWidth === width) return;
      width = around.offsetWidth;
      setFit({ without: 0 });
    });
    observer.observe(around);
    return () => observer.disconnect();
  }, [table]);
  return { columns: columns.filter((column) => !dropped.includes(column)), dropped };
}
