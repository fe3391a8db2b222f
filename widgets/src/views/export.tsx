import { useState } from "preact/hooks";
import { whyDead } from "../model/controls";
import type { Outcome } from "../model/orders";
import { type CloseProps, Popup, useFocus } from "./popup";
import { Text } from "./text";
import { useUi } from "./ui";

/** Writes the run to a file beside the notebook, and tells what went out. */
export function ExportDialog({ close }: CloseProps) {
  const { client, state } = useUi();
  const { summary, underway, connected } = state;
  const field = useFocus<HTMLInputElement>();
  const [path, setPath] = useState("");
  const [redact, setRedact] = useState("");
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const off = whyDead(summary, connected);
  const writing = underway.export !== undefined;
  const write = async () => {
    setOutcome(null);
    const order = { name: "export", path: path.trim(), redact: redact.trim() || null } as const;
    const ended = await client.order(order, true);
    setOutcome(ended ?? { ok: false, error: off ?? "It could not be sent.", result: null });
  };
  return (
    <Popup name="Export" kind="export" close={close}>
      <form
        class="ss-fork"
        onSubmit={(event) => {
          event.preventDefault();
          if (!writing && off === null) write();
        }}
      >
        <p class="ss-dim">
          One file with all recorded frames. It opens with a double click, offline, and
          Store("run.html") reads it. A file of that name is replaced.
        </p>
        <label>
          File{" "}
          <input
            ref={field}
            type="text"
            aria-label="File"
            placeholder={`${(summary?.name ?? "").replace(/[^\w.~-]+/g, "_")}.html`}
            value={path}
            onInput={({ currentTarget }) => setPath(currentTarget.value)}
          />
        </label>
        <label title="Keys of the state, and columns such as model_calls.request, with commas between. What looks like a credential is masked always.">
          Leave out{" "}
          <input
            type="text"
            aria-label="Leave out"
            placeholder="no key"
            value={redact}
            onInput={({ currentTarget }) => setRedact(currentTarget.value)}
          />
        </label>
        {outcome !== null && <Told outcome={outcome} />}
        <div class="ss-popup-buttons">
          <button
            type="submit"
            class="ss-button ss-primary"
            aria-disabled={writing || off !== null}
            title={off ?? "Writes the file, in the folder where the kernel runs."}
          >
            {writing ? "Writing…" : "Export"}
          </button>
          <button type="button" class="ss-button" onClick={close}>
            {outcome?.ok ? "Close" : "Cancel"}
          </button>
        </div>
      </form>
    </Popup>
  );
}

function Told({ outcome: { ok, error, result } }: { readonly outcome: Outcome }) {
  if (!ok)
    return (
      <p role="alert" class="ss-fork-error" data-tone="bad">
        <Text of={error ?? "It failed."} />
      </p>
    );
  return (
    <div class="ss-told" role="note" aria-label="What went out">
      {(result ?? "").split("\n").map((line) => (
        <p key={line}>
          <Text of={line.trim()} />
        </p>
      ))}
    </div>
  );
}
