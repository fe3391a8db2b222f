import { useEffect, useId, useRef, useState } from "preact/hooks";
import type { Client } from "../model/client";
import { whyOff } from "../model/controls";
import { FIRST_CHOICE, panesSeen } from "../model/layout";
import { type CommandName, PROTOCOL } from "../model/protocol";
import { sentenceOf } from "../model/sentence";
import { visible } from "../model/text";
import { Alerts } from "./alerts";
import { ConfirmStop } from "./confirm";
import { Header } from "./header";
import { useClient, useSingle } from "./hooks";
import { commandPressed, keepFromPage } from "./keys";
import { Panes } from "./panes";
import { Phases } from "./phases";
import { Text } from "./text";
import { Toolbar } from "./toolbar";

export function Stepper({ client }: { readonly client: Client }) {
  const state = useClient(client);
  const { summary } = state;
  const root = useRef<HTMLElement>(null);
  const ids = useId();
  const single = useSingle(root);
  const [choice, setChoice] = useState(FIRST_CHOICE);
  const [asking, setAsking] = useState(false);

  useEffect(() => client.watch(panesSeen(choice, single)), [client, choice, single]);

  const run = (name: CommandName) => {
    const asks = name === "stop" && (summary?.counts.running ?? 0) > 0;
    if (!asks) client.command(name);
    else if (whyOff(name, summary, state.underway) === null) setAsking(true);
  };
  const closeQuestion = () => {
    setAsking(false);
    root.current?.querySelector<HTMLElement>("[data-control='stop']")?.focus();
  };

  const onKeyDown = (event: KeyboardEvent) => {
    // With nothing to close, Esc goes back to the page.
    if (event.key === "Escape" && !asking) return;
    keepFromPage(event);
    if (event.key === "Escape") closeQuestion();
    const command = asking ? null : commandPressed(event);
    if (command === null) return;
    event.preventDefault();
    run(command);
  };

  return (
    <section
      class="smithers-stepper"
      ref={root}
      tabIndex={-1}
      aria-label={`Stepper ${visible(summary?.name ?? "")}`.trim()}
      data-cursor="live"
      data-seq={summary?.seq}
      data-frame={summary?.frame}
      data-phase={summary?.phase ?? ""}
      data-status={summary?.status}
      onKeyDown={onKeyDown}
    >
      {summary && <Header summary={summary} />}
      <div class="ss-controls">
        <Toolbar state={state} run={run} />
        {summary && <Phases phases={summary.phases} />}
        {asking && (
          <ConfirmStop
            running={summary?.counts.running ?? 0}
            stop={() => {
              closeQuestion();
              client.command("stop");
            }}
            close={closeQuestion}
          />
        )}
      </div>
      <p class="ss-sentence" role="status" aria-label="Stepper status" aria-live="polite">
        <Text of={sentenceOf(state)} />
      </p>
      <Alerts alerts={state.alerts} dismiss={(alert) => client.dismiss(alert)} />
      {summary?.protocol === PROTOCOL && (
        <Panes
          client={client}
          state={state}
          summary={summary}
          ids={ids}
          choice={choice}
          setChoice={setChoice}
          single={single}
        />
      )}
    </section>
  );
}
