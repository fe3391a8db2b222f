import { useLayoutEffect, useRef } from "preact/hooks";
import type { Tab } from "../model/layout";
import { grouped } from "../model/text";
import { rove } from "./roving";

export interface TabsProps<T extends Tab> {
  readonly name: string;
  readonly tabs: readonly T[];
  readonly chosen: T;
  readonly choose: (tab: T) => void;
  readonly counts: Partial<Readonly<Record<Tab, number>>>;
  /** The tab whose count is of errors. */
  readonly bad: Tab | null;
  readonly ids: string;
}

export const tabId = (ids: string, tab: Tab): string => `${ids}-tab-${tab.replace(" ", "-")}`;
export const panelId = (ids: string, tab: Tab): string => `${ids}-panel-${tab.replace(" ", "-")}`;

export function Tabs<T extends Tab>({
  name,
  tabs,
  chosen,
  choose,
  counts,
  bad,
  ids,
}: TabsProps<T>) {
  const list = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => intoSight(list.current), [chosen]);
  const onKeyDown = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const tab = tabs[rove(event) ?? -1];
    if (tab !== undefined) choose(tab);
  };
  return (
    <div class="ss-tabs" ref={list} role="tablist" aria-label={name} onKeyDown={onKeyDown}>
      {tabs.map((tab) => (
        <button
          key={tab}
          type="button"
          role="tab"
          class="ss-tab"
          id={tabId(ids, tab)}
          aria-label={tab}
          aria-selected={tab === chosen}
          aria-controls={tab === chosen ? panelId(ids, tab) : undefined}
          tabIndex={tab === chosen ? 0 : -1}
          onClick={() => choose(tab)}
        >
          {tab}
          <Badge bad={tab === bad} count={counts[tab]} />
        </button>
      ))}
    </div>
  );
}

/** Scrolls the chosen tab into sight, where not all have room; the page stays where it is. */
function intoSight(list: HTMLElement | null): void {
  const tab = list?.querySelector<HTMLElement>("[aria-selected='true']");
  if (!list || !tab) return;
  const left = tab.offsetLeft - list.offsetLeft;
  const right = left + tab.offsetWidth;
  if (left < list.scrollLeft) list.scrollLeft = left;
  else if (right > list.scrollLeft + list.clientWidth) list.scrollLeft = right - list.clientWidth;
}

function Badge({ bad, count }: { readonly bad: boolean; readonly count: number | undefined }) {
  if (!count) return null;
  return <span class="ss-badge" data-bad={bad || undefined} data-count={grouped(count)} />;
}
