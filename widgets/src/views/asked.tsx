import { useState } from "preact/hooks";
import type { AskedRow } from "../model/protocol";
import { plural, visible } from "../model/text";
import { Text } from "./text";
import { useUi } from "./ui";
import { Maybe } from "./value";

/** What a task asked a person, with what there is to look at; the buttons while it waits. */
export function AskedView({ asked, open }: { readonly asked: AskedRow; readonly open: boolean }) {
  const { approval_id, prompt, payload, diff, choice, comment } = asked;
  return (
    <div role="group" class="ss-asked" aria-label={visible(prompt)}>
      <p>
        <Text of={prompt} />
      </p>
      {payload !== null && <Maybe value={payload} none="" />}
      {diff !== null && <Diff of={diff} />}
      {open ? (
        <Answer asked={asked} />
      ) : (
        <>
          <p class="ss-dim">
            <code>
              <Text of={approval_id} />
            </code>{" "}
            <Text of={choice === null ? asked.status : `answered: ${choice}`} />
            {comment !== null && (
              <>
                {" – "}
                <Text of={comment} />
              </>
            )}
          </p>
          {asked.edited && asked.args !== null && (
            <p>
              with{" "}
              <code>
                <Text of={asked.args} />
              </code>
            </p>
          )}
          {asked.result !== null && <Maybe value={asked.result} none="" />}
        </>
      )}
    </div>
  );
}

const SIGNS: Readonly<Record<string, string>> = { "+": "added", "-": "removed", "@": "place" };

/** A unified diff: its signs say what its colours say. */
function Diff({ of }: { readonly of: string }) {
  const lines = of.replace(/\n$/, "").split("\n");
  return (
    <section class="ss-lines" aria-label="Diff">
      <pre tabIndex={0}>
        {lines.map((line, index) => (
          // Lines have no name but their place.
          <span key={index} data-sign={SIGNS[line[0] ?? ""]}>
            {`${visible(line)}\n`}
          </span>
        ))}
      </pre>
    </section>
  );
}

function Answer({ asked }: { readonly asked: AskedRow }) {
  const { client } = useUi();
  const [comment, setComment] = useState("");
  const [error, setError] = useState<string | null>(null);
  const wantsResult = asked.kind === "external";
  const first = wantsResult ? "" : (asked.args ?? "");
  const [json, setJson] = useState(first);
  const editable = wantsResult || (asked.kind === "tool" && asked.args !== null);
  const more = (choice: string) => {
    if (wantsResult) return choice === "result" && json !== "" ? { result: json } : {};
    return choice === "approve" && json !== first ? { args: json } : {};
  };
  const send = async (choice: string) => {
    const order = { name: "answer", approval: asked.approval_id, choice } as const;
    const outcome = await client.order(
      { ...order, comment: comment || null, ...more(choice) },
      editable,
    );
    if (editable) setError(outcome?.ok ? null : (outcome?.error ?? "It could not be sent."));
  };
  return (
    <div class="ss-answer">
      {editable && (
        <label class="ss-answer-json">
          {wantsResult
            ? "Result (JSON)"
            : "Arguments (JSON), to be edited before they are approved"}
          <textarea
            spellcheck={false}
            rows={Math.min(12, json.split("\n").length + 1)}
            aria-invalid={error !== null}
            value={json}
            onInput={(event) => {
              setError(null);
              setJson(event.currentTarget.value);
            }}
          />
        </label>
      )}
      {error !== null && (
        <p role="alert" class="ss-answer-json" data-tone="bad">
          <Text of={error} />
        </p>
      )}
      <input
        type="text"
        aria-label="Comment"
        placeholder="Comment (optional)"
        value={comment}
        onInput={(event) => setComment(event.currentTarget.value)}
      />
      <Choices approval={asked.approval_id} options={asked.options} send={send} />
    </div>
  );
}

/** The first question that waits, with its answers, below the sentence that says so. */
export function AskedNow() {
  const { client, state, actions } = useUi();
  const { summary, connected, cursor } = state;
  const [first, ...others] = summary?.questions ?? [];
  if (first === undefined || !connected || !client.acts || cursor.at !== null) return null;
  return (
    <div role="group" class="ss-asked-now" aria-label={`Answer ${visible(first.node)}`}>
      <span class="ss-asked-prompt" title={visible(first.prompt)}>
        <Text of={first.prompt} />
      </span>
      <Choices approval={first.approval_id} options={first.options} />
      {first.kind === "external" && (
        <button type="button" class="ss-link" onClick={() => actions.open("Tasks")}>
          give its result
        </button>
      )}
      {others.length > 0 && (
        <button type="button" class="ss-link" onClick={() => actions.open("Tasks")}>
          {plural(others.length, "more question")}
        </button>
      )}
    </div>
  );
}

interface ChoicesProps {
  readonly approval: string;
  readonly options: readonly string[];
  /** Sends a choice with what else was written; without it the choice goes by itself. */
  readonly send?: (choice: string) => void;
}

/** A button for each answer. */
export function Choices({ approval, options, send }: ChoicesProps) {
  const { client, state } = useUi();
  return (
    <>
      {options.map((choice) => (
        <button
          key={choice}
          type="button"
          class="ss-button ss-small"
          aria-disabled={Object.keys(state.underway).some((key) =>
            key.startsWith(`answer ${approval} `),
          )}
          onClick={() =>
            send ? send(choice) : client.order({ name: "answer", approval, choice, comment: null })
          }
        >
          <Text of={choice} />
        </button>
      ))}
    </>
  );
}
