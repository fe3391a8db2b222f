import { useEffect, useRef, useState } from "preact/hooks";
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
  const more = useMore(list, chosen);
  const onKeyDown = (event: KeyboardEvent & { currentTarget: HTMLElement }) => {
    const tab = tabs[rove(event) ?? -1];
    if (tab !== undefined) choose(tab);
  };
  return (
    <div
      class="ss-tabs"
      ref={list}
      role="tablist"
      aria-label={name}
      data-more={more || undefined}
      onKeyDown={onKeyDown}
    >
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

/** The sides on which tabs are out of sight; the chosen one is scrolled into it. */
function useMore(list: { readonly current: HTMLElement | null }, chosen: Tab): string {
  const [more, setMore] = useState("");
  useEffect(() => {
    const tabs = list.current;
    const tab = tabs?.querySelector<HTMLElement>("[aria-selected=true]");
    if (!tabs || !tab) return;
    const look = () => {
      const { scrollLeft, scrollWidth, clientWidth } = tabs;
      const sides = [
        scrollLeft > 1 && "left",
        scrollLeft + clientWidth < scrollWidth - 1 && "right",
      ];
      setMore(sides.filter(Boolean).join(" "));
    };
    const show = () => {
      // Of the tabs alone: scrollIntoView would scroll the notebook, too.
      const least = tab.offsetLeft + tab.offsetWidth + EDGE_PX - tabs.clientWidth;
      tabs.scrollLeft = Math.min(tab.offsetLeft - EDGE_PX, Math.max(tabs.scrollLeft, least));
      look();
    };
    const observer = new ResizeObserver(show);
    observer.observe(tabs);
    show();
    tabs.addEventListener("scroll", look);
    return () => {
      observer.disconnect();
      tabs.removeEventListener("scroll", look);
    };
  }, [list, chosen]);
  return more;
}

/** Where a tab at the edge would be faded. */
const EDGE_PX = 32;

function Badge({ bad, count }: { readonly bad: boolean; readonly count: number | undefined }) {
  if (!count) return null;
  return <span class="ss-badge" data-bad={bad || undefined} data-count={grouped(count)} />;
}
