import { useEffect, useState } from "preact/hooks";
import { ALL_CONTROLS, LOOKS, OTHER_LOOKS } from "../model/controls";
import { frameNamed } from "../model/cursor";
import type { FoundRow, SearchPane } from "../model/protocol";
import { plural } from "../model/text";
import { BranchMenu } from "./branches";
import { ConfirmStop } from "./confirm";
import { ExportDialog } from "./export";
import { ForkDialog } from "./fork";
import { type CloseProps, Popup, useFocus } from "./popup";
import { Text } from "./text";
import { useUi } from "./ui";

/** The popup that is open. Esc, handled at the root, closes it. */
export function Popups() {
  const { client, state, ui, actions } = useUi();
  const close = () => actions.popup(null);
  switch (ui.popup) {
    case null:
      return null;
    case "stop":
      return state.summary === null ? null : (
        <ConfirmStop
          summary={state.summary}
          stop={() => {
            close();
            client.order({ name: "stop" });
          }}
          close={close}
        />
      );
    case "help":
      return <Help close={close} />;
    case "go_to":
      return <GoTo close={close} />;
    case "search":
      return <SearchPopup close={close} />;
    case "fork":
      return <ForkDialog close={close} />;
    case "branches":
      return <BranchMenu close={close} />;
    case "export":
      return <ExportDialog close={close} />;
  }
}

function Help({ close }: CloseProps) {
  const { client } = useUi();
  const list = useFocus<HTMLUListElement>();
  return (
    <Popup name="Keys" close={close}>
      <ul class="ss-help" ref={list} tabIndex={-1}>
        {(client.acts ? ALL_CONTROLS : [...LOOKS, ...OTHER_LOOKS]).map(
          ({ name, label, key, does }) => (
            <li key={name}>
              <kbd>{key}</kbd>
              <span>
                <strong>{label}</strong> <span class="ss-dim">{does}</span>
              </span>
            </li>
          ),
        )}
      </ul>
      <p class="ss-dim">
        {client.acts
          ? "In the records S, N, C and U walk forward and execute nothing. "
          : "S walks a phase ahead, N a frame, C to the next breakpoint hit, U to the end. "}
        In the plan the arrow keys move, fold and unfold. Tab leaves; Esc closes what is open.
      </p>
    </Popup>
  );
}

function GoTo({ close }: CloseProps) {
  const { client, state } = useUi();
  const field = useFocus<HTMLInputElement>();
  const [error, setError] = useState<string | null>(null);
  const go = () => {
    const frame = frameNamed(field.current?.value ?? "", client.edge, state.cursor);
    if (frame === null) {
      setError(`Enter a frame from 1 to ${client.edge.frame}, -1 for the one before, or "live".`);
      return;
    }
    close();
    client.goTo(frame);
  };
  return (
    <Popup name="Go to frame" close={close}>
      <form
        class="ss-goto"
        onSubmit={(event) => {
          event.preventDefault();
          go();
        }}
      >
        <label>
          Frame{" "}
          <input
            ref={field}
            type="text"
            class="ss-number"
            aria-label="Frame"
            aria-invalid={error !== null}
            onInput={() => setError(null)}
          />{" "}
          of {client.edge.frame}
        </label>{" "}
        <button type="submit" class="ss-button ss-small">
          Go
        </button>
        {error !== null && (
          <p role="alert" data-tone="bad">
            {error}
          </p>
        )}
      </form>
    </Popup>
  );
}

/** A search begins when one has stopped typing. */
const SEARCH_MS = 150;

function SearchPopup({ close }: CloseProps) {
  const { client, state } = useUi();
  const field = useFocus<HTMLInputElement>();
  const [sought, setSought] = useState("");
  const [search, setSearch] = useState<SearchPane | string | null>(null);
  const { at, phase } = state.settled;

  useEffect(() => {
    if (sought.trim() === "") return setSearch(null);
    let current = true;
    const timer = setTimeout(async () => {
      try {
        const found = await client.ask({ pane: "search", of: sought, at, phase });
        if (current) setSearch(found);
      } catch (error) {
        if (current) setSearch(error instanceof Error ? error.message : String(error));
      }
    }, SEARCH_MS);
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [client, sought, at, phase]);

  return (
    <Popup name="Search" close={close}>
      <input
        ref={field}
        type="search"
        class="ss-search"
        aria-label="Search nodes, keys, handlers, tasks and output"
        placeholder="Nodes, keys, handlers, tasks, output"
        value={sought}
        onInput={(event) => setSought(event.currentTarget.value)}
      />
      <Results search={search} close={close} />
    </Popup>
  );
}

function Results({ search, close }: CloseProps & { readonly search: SearchPane | string | null }) {
  const follow = useFollow();
  if (search === null) return null;
  if (typeof search === "string") return <p data-tone="bad">{search}</p>;
  return (
    <>
      <ul class="ss-results" aria-label="Results">
        {search.found.map((found, order) => (
          <li key={order}>
            <button
              type="button"
              class="ss-result"
              onClick={() => {
                close();
                follow(found);
              }}
            >
              <span class="ss-dim">{found.kind}</span> <Text of={found.label} />
              {found.frame > 0 && <span class="ss-dim"> f{found.frame}</span>}
            </button>
          </li>
        ))}
      </ul>
      <p class="ss-dim">
        {search.total === 0
          ? "Nothing was found."
          : `${plural(search.total, "result")}${search.total > search.found.length ? `, the first ${search.found.length} are shown` : ""}.`}
      </p>
    </>
  );
}

function useFollow() {
  const { actions } = useUi();
  return ({ kind, id, frame, node_id }: FoundRow) => {
    if (kind === "key") {
      const volatile = id.startsWith("vol ");
      actions.showKey(volatile ? id.slice(4) : id, volatile ? "vol" : "state");
    } else if (kind === "task") actions.showTask(id);
    else if (kind === "handler") actions.showCall(id);
    else if (kind === "output") {
      if (frame > 0) actions.showFrame(frame);
      actions.open("Output");
    } else actions.showNode(node_id ?? id);
  };
}
