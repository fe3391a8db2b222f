/** Which tabs there are, which of them are seen, and which panes have to be fetched for that. */

import type { Pane, PhaseName } from "./protocol";
import type { Question } from "./why";

export const PLAN_TABS = ["Tree", "XML"] as const;
export const INSPECTOR_TABS = ["Node", "State", "Task", "Why"] as const;
export const DETAIL_TABS = [
  "Pending writes",
  "Handlers",
  "Tasks",
  "Breakpoints",
  "Output",
  "Problems",
  "Compare",
] as const;
export const ALL_TABS = [...PLAN_TABS, ...INSPECTOR_TABS, ...DETAIL_TABS] as const;

export type PlanTab = (typeof PLAN_TABS)[number];
export type InspectorTab = (typeof INSPECTOR_TABS)[number];
export type DetailTab = (typeof DETAIL_TABS)[number];
export type Tab = PlanTab | InspectorTab | DetailTab;

/** Three panes, two, one, or none but the sentence. */
export type Room = "wide" | "middle" | "narrow" | "tiny";

export const WIDE_PX = 900;
export const SINGLE_PX = 600;
export const TINY_PX = 360;

export function roomOf(width: number): Room {
  if (width >= WIDE_PX) return "wide";
  if (width >= SINGLE_PX) return "middle";
  return width >= TINY_PX ? "narrow" : "tiny";
}

export interface Choice {
  readonly plan: PlanTab;
  readonly inspector: InspectorTab;
  readonly detail: DetailTab;
  /** Of inspector and detail the one chosen last: what is seen where they share their room. */
  readonly lower: InspectorTab | DetailTab;
  /** The one chosen last of all: what is seen where only one fits. */
  readonly last: Tab;
}

export const FIRST_CHOICE: Choice = {
  plan: "Tree",
  inspector: "Node",
  detail: "Pending writes",
  lower: "Pending writes",
  last: "Tree",
};

const isIn = <T extends Tab>(tabs: readonly T[], tab: Tab): tab is T =>
  (tabs as readonly Tab[]).includes(tab);

export function choose(choice: Choice, tab: Tab): Choice {
  if (isIn(PLAN_TABS, tab)) return { ...choice, plan: tab, last: tab };
  if (isIn(INSPECTOR_TABS, tab)) return { ...choice, inspector: tab, lower: tab, last: tab };
  return { ...choice, detail: tab, lower: tab, last: tab };
}

export interface Group {
  readonly name: "Plan" | "Inspector" | "Details" | "Panes";
  readonly tabs: readonly Tab[];
  readonly chosen: Tab;
}

/** The tabs of details where nothing can be chosen to compare with. */
const OF_FILE = DETAIL_TABS.filter((tab) => tab !== "Compare");

/**
 * The groups of tabs that there is room for, each with the tab that is seen. `acts`: something can be done, and not
 * only looked at.
 */
export function groupsOf(choice: Choice, room: Room, acts = true): readonly Group[] {
  const details: readonly DetailTab[] = acts ? DETAIL_TABS : OF_FILE;
  const plan: Group = { name: "Plan", tabs: PLAN_TABS, chosen: choice.plan };
  switch (room) {
    case "wide":
      return [
        plan,
        { name: "Inspector", tabs: INSPECTOR_TABS, chosen: choice.inspector },
        { name: "Details", tabs: details, chosen: choice.detail },
      ];
    case "middle":
      return [
        plan,
        { name: "Details", tabs: [...details, ...INSPECTOR_TABS], chosen: choice.lower },
      ];
    case "narrow":
      return [
        { name: "Panes", tabs: [...PLAN_TABS, ...INSPECTOR_TABS, ...details], chosen: choice.last },
      ];
    case "tiny":
      return [];
  }
}

const PANE_OF: Readonly<Record<Tab, Pane>> = {
  Tree: "plan",
  XML: "xml",
  Node: "node",
  State: "state",
  Task: "task",
  Why: "why",
  "Pending writes": "pending",
  Handlers: "handlers",
  Tasks: "tasks",
  Breakpoints: "breakpoints",
  Output: "output",
  Problems: "problems",
  Compare: "compare",
};

/** A pane that is looked at; `of` names the node or task. */
export interface Watched {
  readonly pane: Pane;
  readonly of: string | null;
  /** Where it is looked at, if not at the cursor: a question stays with its frame. */
  readonly place?: { readonly at: number | null; readonly phase: PhaseName | null };
}

export const watchedQuestion = ({ pane, of, at, phase }: Question): Watched => ({
  pane,
  of,
  place: { at, phase },
});

export interface Chosen {
  /** Whether there is edited code, whose frames are marked on the timeline. */
  readonly edited: boolean;
  /** Whether the tasks are shown along the timeline. */
  readonly gantt?: boolean;
  readonly node: string | null;
  readonly task: string | null;
  /** The question of the Why tab. */
  readonly question: Question;
  /** Whether the plan shows what could be in it. */
  readonly ghosts: boolean;
}

const EDITED_PANES: readonly Pane[] = ["edited"];
const GANTT_PANES: readonly Pane[] = ["gantt"];
const GHOST_PANES: readonly Pane[] = ["ghosts"];

/**
 * What has to be fetched, in the order in which it is asked for: what one looks at first. The breakpoints
 * always are: their marks are everywhere.
 */
export function watchedIn(groups: readonly Group[], chosen: Chosen): Watched[] {
  const seen = groups.map(({ chosen: tab }) => PANE_OF[tab]);
  const panes: Pane[] = [
    ...new Set<Pane>([
      ...seen,
      "frame",
      "breakpoints",
      ...(chosen.edited ? EDITED_PANES : []),
      ...(chosen.gantt === true ? GANTT_PANES : []),
      ...(chosen.ghosts && seen.includes("plan") ? GHOST_PANES : []),
    ]),
  ];
  return panes.flatMap((pane) => {
    if (pane === "why") return [watchedQuestion(chosen.question)];
    const of = pane === "node" ? chosen.node : pane === "task" ? chosen.task : null;
    const needs = pane === "node" || pane === "task";
    return needs && of === null ? [] : [{ pane, of }];
  });
}
