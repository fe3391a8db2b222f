import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Subject } from "../model/breakpoints";
import type { Client, ClientState } from "../model/client";
import type { Action } from "../model/controls";
import type { Tab } from "../model/layout";
import type { DifferenceRow, StatementRow } from "../model/protocol";
import type { TreeChoice } from "../model/tree";
import type { Popup, Selection, UiState } from "../model/ui";
import type { Asked, Trail } from "../model/why";

/** What can be done from anywhere in the widget; the same functions all the time. */
export interface Actions {
  /** Whether something can be done, and not only looked at. */
  readonly acts: boolean;
  readonly act: (action: Action) => void;
  readonly open: (tab: Tab) => void;
  readonly popup: (popup: Popup | null) => void;
  readonly select: (selection: Selection | null) => void;
  readonly selectNode: (id: string, rowKey: string) => void;
  readonly setTree: (change: (tree: TreeChoice) => TreeChoice) => void;
  readonly showNode: (id: string) => void;
  readonly showKey: (key: string, scope: string) => void;
  readonly selectTask: (task: string) => void;
  readonly showTask: (task: string) => void;
  readonly showCall: (call: string) => void;
  readonly showFrame: (frame: number) => void;
  readonly showDifference: (row: DifferenceRow, name: string) => void;
  readonly showSource: (source: string) => void;
  readonly edit: (write: string | null) => void;
  readonly toggleBreakpoint: (subject: Subject) => void;
  readonly ask: (asked: Asked) => void;
  readonly setNeeds: (needs: UiState["needs"]) => void;
  readonly setAsked: (change: (trail: Trail) => Trail) => void;
  /** To the frame, the node and the row of a sentence. */
  readonly follow: (statement: StatementRow) => void;
}

export interface Ui {
  readonly client: Client;
  readonly state: ClientState;
  readonly ui: UiState;
  readonly actions: Actions;
  /** The prefix of this view's element ids. */
  readonly ids: string;
}

export const UiContext = createContext<Ui | null>(null);

export function useUi(): Ui {
  const ui = useContext(UiContext);
  if (ui === null) throw new Error("a view was drawn outside of the stepper");
  return ui;
}
