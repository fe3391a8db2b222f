import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Client, ClientState } from "../model/client";
import { SINGLE_PX } from "../model/layout";

/** The client's state, rendered anew when it changes. */
export function useClient(client: Client): ClientState {
  const [state, setState] = useState(client.state);
  useEffect(() => {
    setState(client.state);
    return client.subscribe(() => setState(client.state));
  }, [client]);
  return state;
}

/** Whether the element has room for one pane only. */
export function useSingle(element: RefObject<HTMLElement | null>): boolean {
  const [single, setSingle] = useState(false);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const width = entry?.contentRect.width ?? 0;
      // A hidden widget has no width: it keeps what it had.
      if (width > 0) setSingle(width < SINGLE_PX);
    });
    if (element.current) observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  return single;
}
