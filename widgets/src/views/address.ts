import { type Dispatch, type StateUpdater, useEffect, useRef } from "preact/hooks";
import type { Client } from "../model/client";
import { linkTo, type Place, placeOf } from "../model/place";
import { nodeShown, opened, questionAsked, selectedNode, type UiState } from "../model/ui";
import { questionAt } from "../model/why";

/** The part of the page's address that names a place in the execution: `#frame=42&node=draft`. */
export interface Address {
  read(): string;
  write(hash: string): void;
  /** Calls when a person or a link has changed it; returns what ends that. */
  listen(heard: () => void): () => void;
}

interface Looked {
  readonly client: Client;
  readonly ui: UiState;
  readonly setUi: Dispatch<StateUpdater<UiState>>;
}

/** A browser refuses an address that changes all the time. */
const WRITE_MS = 250;

/** Goes where the address says, and has it say where one looks. */
export function useAddress(address: Address | undefined, { client, ui, setUi }: Looked): void {
  const { settled } = client.state;
  const node = selectedNode(ui);
  const tab = ui.choice.last;
  const followed = useRef(false);

  useEffect(() => {
    if (address === undefined) return;
    const follow = () => {
      const place = placeOf(address.read());
      if (place.cursor !== null) client.look({ cursor: clipped(place.cursor), note: null });
      setUi((was) => shownAt(was, client, place));
    };
    const clipped = (cursor: NonNullable<ReturnType<typeof placeOf>["cursor"]>) => {
      const { frame, first = 1 } = client.edge;
      const at = cursor.at ?? frame;
      if (at < first || at > frame) client.say(`There is no frame ${at} in this file.`);
      return at >= frame ? { at: null, phase: null } : { ...cursor, at: Math.max(first, at) };
    };
    follow();
    followed.current = true;
    return address.listen(follow);
  }, [address, client, setUi]);

  useEffect(() => {
    if (address === undefined || !followed.current) return;
    const hash = linkTo(settled, node, tab);
    const timer = setTimeout(() => address.write(hash), WRITE_MS);
    return () => clearTimeout(timer);
  }, [address, settled, node, tab]);
}

function shownAt(ui: UiState, client: Client, { node, tab }: Place): UiState {
  const nodes = client.state.panes.plan?.data?.nodes ?? [];
  const shown = node === null ? ui : nodeShown(ui, nodes, node);
  // The tab alone would show what was asked last, which is nothing that the link names.
  if (node !== null && tab === "Why")
    return questionAsked(shown, questionAt({ of: node }, client.state.cursor));
  return tab === null ? shown : opened(shown, tab);
}
