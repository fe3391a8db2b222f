import { useContext } from "preact/hooks";
import { attemptWords, elapsed, windowWords } from "../model/clock";
import { nodeLook } from "../model/looks";
import type { QuestionRow, Summary, TaskRow, TasksPane } from "../model/protocol";
import { dollars, grouped, visible } from "../model/text";
import { Choices } from "./asked";
import { type Column, Grid } from "./grid";
import { useNow } from "./hooks";
import { FrameLink, NamesContext, NodeLink, TaskLink } from "./links";
import { Mark, Text } from "./text";
import { useUi } from "./ui";

interface TasksProps {
  readonly tasks: TasksPane;
  readonly summary: Summary;
}

/** The tasks up to the cursor, newest first; those under way with what the summary says of them. */
export function TasksView({ tasks, summary }: TasksProps) {
  const { state, ui, actions } = useUi();
  const live = state.settled.at === null;
  const rows = live ? tasks.tasks.map((task) => withNews(task, summary)) : tasks.tasks;
  const now = useNow(live && rows.some(isTimed));
  return (
    <>
      {tasks.windows.map((window) => (
        <p key={window.name} class="ss-window" data-tone="warn">
          <Text of={windowWords(window, now)} />
        </p>
      ))}
      <Grid
        name="Tasks"
        columns={columns(live ? now : tasks.now)}
        rows={rows}
        keyOf={({ task_id }) => task_id}
        why={({ task_id, node_id }) => ({ of: task_id, name: `the task of ${node_id}` })}
        empty="No task has been started yet."
        below={(task) => below(task, live ? summary.questions : [], now)}
        select={({ task_id }) => actions.selectTask(task_id)}
        isSelected={({ task_id }) => ui.task === task_id}
      />
    </>
  );
}

const isTimed = ({ started, ended, retry_at }: TaskRow): boolean =>
  (started !== null && ended === null) || retry_at !== null;

/** A task under way changes between two looks at the store: the summary knows. */
function withNews(task: TaskRow, { running }: Summary): TaskRow {
  const news = running.find(({ task_id }) => task_id === task.task_id);
  if (news === undefined) return task;
  const { status, reason, worker, attempt, started, retry_at, tail } = news;
  return { ...task, status, reason, worker, attempt, started, retry_at, tail: tail || task.tail };
}

const columns = (now: number): readonly Column<TaskRow>[] => [
  {
    name: "Node",
    cell: ({ node_id, task_id }) => (
      <code>
        <NodeLink id={node_id} named={task_id} />
      </code>
    ),
  },
  {
    name: "Status",
    cell: ({ task_id, status }) => (
      <TaskLink id={task_id}>
        <Mark look={nodeLook(status)} />
      </TaskLink>
    ),
  },
  {
    name: "Attempt",
    rank: 3,
    usual: ({ attempt }) => attempt <= 1,
    cell: ({ attempt, max_attempts }) => `${attempt}/${max_attempts}`,
  },
  { name: "Time", align: "end", rank: 0, cell: (task) => elapsed(task, now) },
  {
    name: "Loop",
    align: "end",
    rank: 1,
    usual: ({ iteration }) => iteration === null,
    cell: ({ iteration }) => iteration !== null && `@${iteration}`,
  },
  {
    name: "Worker",
    rank: 8,
    usual: ({ worker }) => worker === null,
    cell: ({ worker }) => worker !== null && <Text of={worker.split(":", 1)[0] ?? ""} />,
  },
  { name: "Frame", rank: 2, cell: ({ frame }) => <FrameLink frame={frame} /> },
  {
    name: "Turns",
    align: "end",
    rank: 7,
    usual: ({ requests }) => !requests,
    cell: ({ requests }) => known(requests, grouped),
  },
  {
    name: "Tokens",
    align: "end",
    rank: 4,
    usual: ({ tokens }) => !tokens,
    cell: ({ tokens }) => known(tokens, grouped),
  },
  {
    name: "Cost",
    align: "end",
    rank: 5,
    usual: ({ cost_usd }) => !cost_usd,
    cell: ({ cost_usd }) => known(cost_usd, dollars),
  },
  {
    name: "Tools",
    align: "end",
    rank: 6,
    usual: ({ tools }) => tools === 0,
    cell: ({ tools }) => tools > 0 && grouped(tools),
  },
  {
    name: "Actions",
    wide: true,
    usual: ({ can }) => can.length === 0,
    cell: (task) => <TaskActions task={task} />,
  },
];

const known = (count: number | null, words: (count: number) => string) =>
  count === null ? <span class="ss-dim">–</span> : words(count);

const ACTIONS = { cancel: "Cancel", retry: "Retry", handle_again: "Handle again" } as const;

/** What a person can do about a task: cancel, retry, have it handled again, and answer what it asks. */
export function TaskActions({ task }: { readonly task: TaskRow }) {
  const { client, state } = useUi();
  const names = useContext(NamesContext);
  const { node_id: node, can, options } = task;
  const off = (key: string) => state.underway[key] !== undefined;
  return (
    <span class="ss-actions">
      {can.includes("answer") && <Choices approval={node} options={options} />}
      {(["cancel", "retry", "handle_again"] as const).map(
        (name) =>
          can.includes(name) && (
            <button
              key={name}
              type="button"
              class="ss-button ss-small"
              aria-label={`${ACTIONS[name]} ${spokenName(names, node)}`}
              aria-disabled={off(`${name} ${node}`)}
              onClick={() => client.order({ name, node })}
            >
              {ACTIONS[name]}
            </button>
          ),
      )}
    </span>
  );
}

/** The id of a node where the user gave it, and people type it; or else its name. */
function spokenName(names: Readonly<Record<string, string>>, node: string): string {
  const name = Object.hasOwn(names, node) ? (names[node] ?? node) : node;
  return visible(name.includes(`#${node}`) ? node : name);
}

function below(task: TaskRow, questions: readonly QuestionRow[], now: number) {
  const attempt = attemptWords(task, now);
  const asked = questions.filter(({ node_id }) => node_id === task.node_id);
  if (attempt === "" && task.tail === "" && task.error === null && asked.length === 0) return null;
  return (
    <div class="ss-about">
      {asked.map(({ approval_id, prompt }) => (
        <p key={approval_id}>
          ◆ <Text of={prompt} /> <TaskLink id={task.task_id}>look and answer</TaskLink>
        </p>
      ))}
      {attempt !== "" && (
        <p data-tone="warn">
          <Text of={attempt} />
        </p>
      )}
      {task.error !== null && (
        <p data-tone={task.status === "blocked" ? "warn" : "bad"}>
          {task.status !== "blocked" && "✗ "}
          <Text of={task.error} />
        </p>
      )}
      {task.tail !== "" && (
        <p class="ss-tail-whole">
          <Text of={task.tail} />
        </p>
      )}
    </div>
  );
}
