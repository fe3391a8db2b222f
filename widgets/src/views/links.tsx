import { type ComponentChildren, createContext } from "preact";
import { useContext } from "preact/hooks";
import { visible } from "../model/text";
import { Text } from "./text";
import { useUi } from "./ui";

interface LinkProps {
  readonly go: () => void;
  readonly title: string;
  readonly children: ComponentChildren;
}

/** Leads to another place in the widget. */
export function Link({ go, title, children }: LinkProps) {
  const press = (event: Event) => {
    // The row that it stands in is not selected by it.
    event.stopPropagation();
    go();
  };
  return (
    <button type="button" class="ss-link" title={title} onClick={press}>
      {children}
    </button>
  );
}

/** The names of the nodes that a panel tells of, by id. */
export const NamesContext = createContext<Readonly<Record<string, string>>>({});

const GENERATED = /(?<![0-9A-Za-z])[0-9a-f]{12}(?![0-9A-Za-z])/g;

/** Returns texts with the names of nodes in place of generated ids, which say nothing to a person. */
export function useNamed(): (text: string) => string {
  const names = useContext(NamesContext);
  return (text) => text.replace(GENERATED, (id) => names[id] ?? id);
}

interface NodeLinkProps {
  readonly id: string | null;
  /** The id in ``names``, where it is not the node's own. */
  readonly named?: string;
}

/** A node by its name; its id is on hover. */
export function NodeLink({ id, named }: NodeLinkProps) {
  const { actions } = useUi();
  const names = useContext(NamesContext);
  if (id === null) return null;
  const known = [named, id].find((one) => one !== undefined && Object.hasOwn(names, one));
  return (
    <Link go={() => actions.showNode(id)} title={`${visible(id)}: show the node in the plan`}>
      <Text of={known === undefined ? id : (names[known] ?? id)} />
    </Link>
  );
}

export function KeyLink({ of, scope = "state" }: { readonly of: string; readonly scope?: string }) {
  const { actions } = useUi();
  return (
    <Link go={() => actions.showKey(of, scope)} title="Show the key in State">
      <Text of={scope === "state" ? of : `${scope}.${of}`} />
    </Link>
  );
}

export function FrameLink({ frame }: { readonly frame: number }) {
  const { actions } = useUi();
  if (frame < 1) return null;
  return (
    <Link go={() => actions.showFrame(frame)} title={`Go to frame ${frame}`}>
      f{frame}
    </Link>
  );
}

export function TaskLink({ id, children }: { readonly id: string; children: ComponentChildren }) {
  const { actions } = useUi();
  return (
    <Link go={() => actions.showTask(id)} title="Show the task">
      {children}
    </Link>
  );
}

interface OriginProps {
  /** Who it was, in words. */
  readonly of: string;
  /** The handler call; null where it was none. */
  readonly call: string | null;
  readonly node: string | null;
  readonly title?: string;
}

/** Who wrote: leads to the handler call, else to the node; a person is nowhere in the widget. */
export function OriginLink({ of, call, node, title = "" }: OriginProps) {
  const { actions } = useUi();
  if (call === null && node === null) {
    return (
      <span title={title || undefined}>
        <Text of={of} />
      </span>
    );
  }
  const go = () => (call === null ? actions.showNode(node ?? "") : actions.showCall(call));
  const where = call === null ? "Show the node in the plan" : "Show the handler call";
  return (
    <Link go={go} title={title || where}>
      <Text of={of} />
    </Link>
  );
}

export function SourceLink({ source }: { readonly source: string | null }) {
  const { client, actions } = useUi();
  if (source === null) return null;
  if (!client.acts) return <Text of={source} />;
  return (
    <Link go={() => actions.showSource(source)} title="Select the cell, where the page allows it">
      <Text of={source} />
    </Link>
  );
}
