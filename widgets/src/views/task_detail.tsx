import type { ComponentChildren } from "preact";
import { attemptWords, elapsed } from "../model/clock";
import { nodeLook } from "../model/looks";
import type { ModelCallRow, Summary, TaskPane, ToolCallRow, Value } from "../model/protocol";
import { dollars, grouped, milliseconds, visible } from "../model/text";
import { Ask, about } from "./ask";
import { AskedView } from "./asked";
import { Conversation } from "./conversation";
import { Facts } from "./facts";
import { type Column, Grid } from "./grid";
import { useNow } from "./hooks";
import { FrameLink, NodeLink, SourceLink } from "./links";
import { TaskActions } from "./tasks";
import { Mark, Text } from "./text";
import { useUi } from "./ui";
import { Maybe, ValueView } from "./value";

/** All that is known of a task: attempts, prompt, tool calls, model calls, result. */
export function TaskDetail({
  task,
  summary,
}: {
  readonly task: TaskPane;
  readonly summary: Summary;
}) {
  const { state } = useUi();
  const live = state.settled.at === null;
  const news = live ? summary.running.find(({ task_id }) => task_id === task.task_id) : undefined;
  const now = useNow(live && task.ended === null && task.started !== null);
  const latest = { ...task, ...news, tail: news?.tail || task.tail };
  // What there is to tell of a worker stands beside it.
  const told = latest.status === "running" && latest.worker !== null;
  const attempt = attemptWords(told ? { ...latest, reason: null } : latest, now);
  return (
    <div class="ss-detail">
      {task.asked.map((asked) => (
        <AskedView
          key={asked.approval_id}
          asked={asked}
          open={task.can.includes("answer") && asked.status === "waiting"}
        />
      ))}
      <Facts
        name="Selected task"
        facts={[
          ["node", <NodeLink key="n" id={task.node_id} />],
          ["status", <Status key="s" task={task} status={latest.status} />],
          ["time", elapsed({ ...latest, ended: task.ended }, now)],
          ["attempt", attempt || `${latest.attempt}/${task.max_attempts}`],
          [
            "waits",
            latest.status === "blocked" ? task.error && <Text key="w" of={task.error} /> : null,
          ],
          ["worker", latest.worker && <Text key="wo" of={latest.worker} />],
          ["frames", <Frames key="f" task={task} />],
          ["tokens", task.tokens === null ? null : grouped(task.tokens)],
          ["cost", task.cost_usd === null ? null : dollars(task.cost_usd)],
          ["source", task.source && <SourceLink key="so" source={task.source} />],
          ["prompt", task.prompt && <Prompt key="p" node={task.node_id} value={task.prompt} />],
          ["result", task.result && <ValueView key="r" value={task.result} whole />],
        ]}
      />
      <div class="ss-answer">
        <TaskActions task={{ ...task, options: [] }} />
      </div>
      {task.trace !== null && (
        <details class="ss-trace" open>
          <summary>{visible(task.error ?? "error")}</summary>
          <pre>{visible(task.trace)}</pre>
        </details>
      )}
      {latest.tail !== "" && (
        <p class="ss-tail-whole">
          <Text of={latest.tail} />
        </p>
      )}
      <Conversation earlier={task.earlier} exchanges={task.conversation} />
      <Part name="Tool calls" count={task.tool_calls.length}>
        <Grid
          name="Tool calls"
          columns={TOOLS}
          rows={task.tool_calls}
          keyOf={({ id }) => id}
          empty=""
        />
      </Part>
      <Part name="Model calls" count={task.model_calls.length}>
        <Grid
          name="Model calls"
          columns={MODELS}
          rows={task.model_calls}
          keyOf={({ id }) => id}
          empty=""
        />
      </Part>
    </div>
  );
}

function Status({ task, status }: { readonly task: TaskPane; readonly status: string }) {
  const asked = { of: task.task_id };
  return (
    <span class="ss-askable" {...about(asked)}>
      <Mark look={nodeLook(status)} />
      <Ask asked={asked} name={`the task of ${task.node_id} is ${status}`} inTabOrder />
    </span>
  );
}

function Prompt({ node, value }: { readonly node: string; readonly value: Value }) {
  const asked = { of: `${node}.prompt` };
  return (
    <span class="ss-asked" {...about(asked)}>
      <ValueView value={value} whole />
      <Ask asked={asked} name={`prompt of ${node}`} inTabOrder />
    </span>
  );
}

function Frames({ task }: { readonly task: TaskPane }) {
  return (
    <>
      <FrameLink frame={task.frame} />
      {task.settled_frame !== null && (
        <>
          {" – "}
          <FrameLink frame={task.settled_frame} />
        </>
      )}
    </>
  );
}

interface PartProps {
  readonly name: string;
  readonly count: number;
  readonly children: ComponentChildren;
}

function Part({ name, count, children }: PartProps) {
  if (count === 0) return null;
  return (
    <section class="ss-group-of">
      <h4>
        {name} ({count})
      </h4>
      {children}
    </section>
  );
}

const TOOLS: readonly Column<ToolCallRow>[] = [
  {
    name: "Tool",
    cell: ({ tool, agent }) => (
      <>
        {agent !== null && <Text of={`${agent}: `} />}
        <code>
          <Text of={tool} />
        </code>
      </>
    ),
  },
  { name: "Status", cell: ({ status }) => <Text of={status} /> },
  { name: "Input", wide: true, cell: ({ input }) => <ValueView value={input} /> },
  {
    name: "Output",
    cell: ({ output, error }) =>
      error === null ? <Maybe value={output} none="none yet" /> : <Text of={error} />,
  },
  { name: "Time", align: "end", rank: 1, cell: ({ ms }) => ms !== null && milliseconds(ms) },
];

const MODELS: readonly Column<ModelCallRow>[] = [
  { name: "Turn", align: "end", rank: 5, cell: ({ turn }) => turn },
  {
    name: "Attempt",
    align: "end",
    rank: 4,
    usual: ({ attempt }) => attempt <= 1,
    cell: ({ attempt }) => attempt,
  },
  {
    name: "Model",
    rank: 0,
    cell: ({ model, agent, answered_by: by }) => (
      <>
        {agent !== null && <Text of={`${agent}: `} />}
        <Text of={by === "model" ? model : `${model} (${by})`} />
      </>
    ),
  },
  {
    name: "In",
    align: "end",
    rank: 3,
    usual: ({ input_tokens }) => !input_tokens,
    cell: ({ input_tokens }) => input_tokens,
  },
  {
    name: "Out",
    align: "end",
    rank: 2,
    usual: ({ output_tokens }) => !output_tokens,
    cell: ({ output_tokens }) => output_tokens,
  },
  {
    name: "Response",
    wide: true,
    cell: ({ response, error }) =>
      error === null ? <Maybe value={response} none="none yet" /> : <Text of={error} />,
  },
  { name: "Time", align: "end", rank: 1, cell: ({ ms }) => milliseconds(ms) },
];
