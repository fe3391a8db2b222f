import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Client, ClientState } from "../model/client";
import { type Room, roomOf } from "../model/layout";
import { useUi } from "./ui";

/** The client's state, rendered anew when it changes. */
export function useClient(client: Client): ClientState {
  const [state, setState] = useState(client.state);
  useEffect(() => {
    setState(client.state);
    return client.subscribe(() => setState(client.state));
  }, [client]);
  return state;
}

/** How much room the element has. */
export function useRoom(element: RefObject<HTMLElement | null>): Room {
  const [room, setRoom] = useState<Room>("wide");
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const width = entry?.contentRect.width ?? 0;
      // A hidden widget has no width: it keeps what it had.
      if (width > 0) setRoom(roomOf(width));
    });
    if (element.current) observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return room;
}

/** ipywidgets' mark on a view whose model has no kernel. */
const GONE = ".jupyter-widgets-disconnected";

/** Tells the client when the kernel behind the widget goes away, and when it is back. */
export function useConnection(client: Client, element: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const root = element.current?.parentElement;
    if (!root) return;
    const look = () => client.connect(root.closest(GONE) === null);
    const observer = new MutationObserver(look);
    for (let up: Element | null = root, level = 0; up !== null && level < 3; level += 1) {
      observer.observe(up, { attributes: true, attributeFilter: ["class"] });
      up = up.parentElement;
    }
    look();
    return () => observer.disconnect();
  }, [client, element]);
}

/** The kernel's clock, a second at a time, while something is under way. */
export function useNow(runs: boolean): number {
  const { state } = useUi();
  const [, tick] = useState(0);
  useEffect(() => {
    if (!runs) return;
    const timer = setInterval(() => tick((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, [runs]);
  return Date.now() + state.ahead;
}
