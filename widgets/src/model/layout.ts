/** Which tabs there are, which of them are seen, and which panes have to be fetched for that. */

import type { Pane } from "./protocol";

export const PLAN_TABS = ["Tree", "XML"] as const;
export const DETAIL_TABS = ["Pending writes", "Handlers", "State", "Problems"] as const;
export const ALL_TABS = [...PLAN_TABS, ...DETAIL_TABS] as const;

export type PlanTab = (typeof PLAN_TABS)[number];
export type DetailTab = (typeof DETAIL_TABS)[number];
export type Tab = PlanTab | DetailTab;

/** Below this width there is room for one pane only. */
export const SINGLE_PX = 600;

export interface Choice {
  readonly plan: PlanTab;
  readonly detail: DetailTab;
  /** The one chosen last: what is seen where only one fits. */
  readonly last: Tab;
}

export const FIRST_CHOICE: Choice = { plan: "Tree", detail: "Pending writes", last: "Tree" };

const isPlanTab = (tab: Tab): tab is PlanTab => tab === "Tree" || tab === "XML";

export function choose(choice: Choice, tab: Tab): Choice {
  return isPlanTab(tab)
    ? { ...choice, plan: tab, last: tab }
    : { ...choice, detail: tab, last: tab };
}

const PANE_OF: Readonly<Record<Tab, Pane | null>> = {
  Tree: "plan",
  XML: "xml",
  "Pending writes": "pending",
  Handlers: "handlers",
  State: "state",
  // The problems come with the summary.
  Problems: null,
};

export function panesSeen(choice: Choice, single: boolean): Pane[] {
  const tabs = single ? [choice.last] : [choice.plan, choice.detail];
  return tabs.map((tab) => PANE_OF[tab]).filter((pane) => pane !== null);
}
