import { useEffect, useId, useState } from "preact/hooks";
import { type Marked, marked, NOTHING, saidIn, valued } from "../model/predict";
import type { Predicting, PredictOption, PredictResult, PredictRow } from "../model/protocol";
import { Ask, about } from "./ask";
import { Text } from "./text";
import { useUi } from "./ui";

/** Asks what the next frame will do before it is stepped, and tells what came of the last prediction. */
export function Predict() {
  const { state } = useUi();
  const predict = state.summary?.predict ?? null;
  if (predict === null || state.settled.at !== null) return null;
  const { frame, result } = predict;
  if (frame === null && result === null) return null;
  return (
    <div class="ss-predict">
      {result !== null && <Result result={result} />}
      {frame !== null && <PredictForm key={frame} predict={predict} frame={frame} />}
    </div>
  );
}

interface FormProps {
  readonly predict: Predicting;
  readonly frame: number;
}

function PredictForm({ predict, frame }: FormProps) {
  const { client } = useUi();
  const [form, setForm] = useState(NOTHING);
  const [error, setError] = useState<string | null>(null);
  const errorId = useId();
  useEffect(() => setError(null), [form]);

  const send = async (said?: string) => {
    const order = { name: "predict", frame, learner: predict.learner } as const;
    const outcome = await client.order(said === undefined ? order : { ...order, said }, true);
    if (!outcome?.ok) setError(outcome?.error ?? "It could not be sent.");
  };
  const toggle = (item: string) => setForm((was) => marked(was, item));
  const group = { form, toggle };
  return (
    <form
      class="ss-predict-form"
      aria-label={`Prediction of frame ${frame}`}
      aria-describedby={errorId}
      onSubmit={(event) => {
        event.preventDefault();
        send(saidIn(form));
      }}
    >
      <p class="ss-predict-ask">
        What will frame {frame} do? Mark what you expect. Nothing marked means that nothing happens.
      </p>
      <div class="ss-predict-groups">
        <Group name="Nodes that start" options={predict.nodes} {...group} />
        <Group name="Handlers that fire" options={predict.handlers} {...group} />
        <Group name="Keys that are written" options={predict.keys} {...group}>
          {(option) => (
            <input
              type="text"
              aria-label={`Value of ${option.label}`}
              placeholder="to … (optional)"
              value={form.values.get(option.item) ?? ""}
              onInput={({ currentTarget }) => {
                const { value } = currentTarget;
                setForm((was) => valued(was, option.item, value));
              }}
            />
          )}
        </Group>
      </div>
      {predict.more > 0 && (
        <p class="ss-dim">{predict.more} more are left out, and count as not expected.</p>
      )}
      <div class="ss-predict-send">
        <button type="submit" class="ss-button ss-small" data-primary>
          Predict
        </button>
        <button type="button" class="ss-button ss-small" onClick={() => send()}>
          Skip frame {frame}
        </button>
        <span id={errorId} class="ss-form-error" role="alert">
          {error !== null && (
            <>
              ✗ <Text of={error} />
            </>
          )}
        </span>
      </div>
    </form>
  );
}

interface GroupProps {
  readonly name: string;
  readonly options: readonly PredictOption[];
  readonly form: Marked;
  readonly toggle: (item: string) => void;
  /** What stands beside an option of the plan. */
  readonly children?: (option: PredictOption) => preact.ComponentChildren;
}

function Group({ name, options, form, toggle, children }: GroupProps) {
  return (
    <fieldset class="ss-predict-group">
      <legend>{name}</legend>
      {options.length === 0 && <p class="ss-dim">The plan has none.</p>}
      {options.map((option) => (
        <div class="ss-predict-option" key={option.item}>
          <label>
            <input
              type="checkbox"
              checked={form.items.has(option.item)}
              onChange={() => toggle(option.item)}
            />
            <Text of={option.label} />
          </label>
          {!option.item.endsWith(":(new)") && children?.(option)}
        </div>
      ))}
    </fieldset>
  );
}

/** What came of a prediction, item by item. */
function Result({ result }: { readonly result: PredictResult }) {
  const { frame, right, of, rows, quiet, reached } = result;
  return (
    <details class="ss-predict-result" key={frame} open={rows.length > 0}>
      <summary>
        Your prediction of frame {frame}: {right} of {of} right
        {!reached && ", as the execution ended before it"}
      </summary>
      <ul aria-label={`Result of frame ${frame}`}>
        {rows.map((row) => (
          <ResultRow key={row.item} row={row} frame={reached ? frame : null} />
        ))}
      </ul>
      {quiet > 0 && <p class="ss-dim">{quiet} rightly not expected.</p>}
    </details>
  );
}

function ResultRow({ row, frame }: { readonly row: PredictRow; readonly frame: number | null }) {
  const { label, said, was, right, because, ask, happened } = row;
  const asked = ask === null ? null : { of: ask, at: frame, not: !happened };
  const [tone, glyph, word] = lookOf(right);
  return (
    <li class="ss-predict-row" {...about(asked)}>
      <span class="ss-mark" data-tone={tone}>
        <span aria-hidden="true">{glyph}</span> {word}
      </span>
      <span>
        <Text of={label} />: you said <Text of={said} />,{" "}
        {was === null ? "and FLUSH will tell" : <Was was={was} because={because} />}
      </span>
      {asked !== null && <Ask asked={asked} name={label} inTabOrder />}
    </li>
  );
}

function Was({ was, because }: { readonly was: string; readonly because: string }) {
  return (
    <>
      it was <Text of={was} />
      {because !== "" && (
        <>
          {" "}
          (<Text of={because} />)
        </>
      )}
    </>
  );
}

function lookOf(right: boolean | null): readonly [string, string, string] {
  if (right === null) return ["idle", "○", "open"];
  return right ? ["good", "✓", "hit"] : ["bad", "✗", "miss"];
}
