import { useEffect, useRef, useState } from "preact/hooks";
import { whyDead } from "../model/controls";
import { REUSED, reuseWords } from "../model/fork";
import { watchedQuestion } from "../model/layout";
import type { AnswerRow, NeedsPane, WhyPane } from "../model/protocol";
import { grouped, plural } from "../model/text";
import {
  askedIn,
  backward,
  cursorOf,
  EVIDENCE_WORDS,
  evidenceLook,
  type Question,
  rowsOf,
  type SentenceRow,
  type StepsRow,
  shownQuestion,
} from "../model/why";
import { SourceLink } from "./links";
import { FetchedPanel } from "./panel";
import { Mark, Said, Text } from "./text";
import { useUi } from "./ui";

/** Why something is as it is, or is not there: the question that was asked last, and its answer. */
export function WhyPanel() {
  const { ui } = useUi();
  const question = shownQuestion(ui.asked);
  const { pane, of, at, phase } = question;
  return (
    <FetchedPanel tab="Why" pane={pane} of={of} place={{ at, phase }}>
      {(why) =>
        // The answer to another question would pass for this one's.
        why.of === of ? (
          <WhyView why={why} question={question} />
        ) : (
          <p class="ss-empty ss-waiting">Loading…</p>
        )
      }
    </FetchedPanel>
  );
}

interface WhyViewProps {
  readonly why: WhyPane;
  readonly question: Question;
}

function WhyView({ why, question }: WhyViewProps) {
  const { client, ui, actions } = useUi();
  const head = useAnswerFocus(client.fits(watchedQuestion(question)));
  return (
    <div class="ss-whys">
      <div class="ss-why-head">
        <button
          type="button"
          class="ss-button ss-small"
          aria-label="Back to the question before"
          title="Back to the question before"
          aria-disabled={ui.asked.length === 0}
          onClick={() => actions.setAsked(backward)}
        >
          ‹
        </button>
        <AskLine />
      </div>
      {why.answers.map((answer, order) => (
        <Answer
          key={`${order} ${answer.question}`}
          answer={answer}
          at={question.at}
          head={order === 0 ? head : undefined}
        />
      ))}
      {why.takes !== null && client.acts && (
        <Takes key={JSON.stringify(question)} of={why.takes} question={question} />
      )}
    </div>
  );
}

/** After a question the focus is in its answer, so that the keyboard is there, too. */
function useAnswerFocus(answered: boolean) {
  const { ui } = useUi();
  const head = useRef<HTMLHeadingElement>(null);
  const done = useRef(0);
  useEffect(() => {
    if (!answered || done.current === ui.answer) return;
    done.current = ui.answer;
    head.current?.focus({ preventScroll: true });
    head.current?.scrollIntoView?.({ block: "nearest" });
  }, [ui.answer, answered]);
  return head;
}

/** For what no row shows: a node that never was, a key that nothing writes. */
function AskLine() {
  const { client, actions } = useUi();
  const field = useRef<HTMLInputElement>(null);
  const ask = (not: boolean) =>
    actions.ask(askedIn(field.current?.value ?? "", not, client.edge.recorded));
  return (
    <form
      class="ss-why-ask"
      onSubmit={(event) => {
        event.preventDefault();
        ask(false);
      }}
    >
      <input
        ref={field}
        type="search"
        aria-label="Ask about"
        placeholder="draft, draft.prompt, state:notes …"
        title="A node, NODE.PROP, NODE.on_finished, state:KEY, a component, frame N, or the id of a task, a write or a call; nothing for the execution"
      />
      <button type="submit" class="ss-button ss-small">
        Why
      </button>
      {client.acts && (
        <button type="button" class="ss-button ss-small" onClick={() => ask(true)}>
          Why not
        </button>
      )}
    </form>
  );
}

interface AnswerProps {
  readonly answer: AnswerRow;
  /** The frame of the question. */
  readonly at: number | null;
  readonly head?: { readonly current: HTMLHeadingElement | null } | undefined;
  /** Whether the sentences below one are its causes, or parts of it. */
  readonly parts?: boolean;
}

function Answer({ answer, at, head, parts = false }: AnswerProps) {
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const { question, statements, more } = answer;
  const rows = rowsOf(answer, opened);
  return (
    <section class="ss-answer-of" aria-label={question}>
      <h4 {...(head && { ref: head })} tabIndex={-1}>
        <Text of={question} />
      </h4>
      <ol class="ss-chain">
        {rows.map((row) =>
          row.kind === "steps" ? (
            <Steps
              key={`⋯${row.key}`}
              row={row}
              open={() => setOpened(new Set([...opened, row.key]))}
            />
          ) : (
            <Sentence key={row.key} row={parts ? partOf(row) : row} at={at} parts={parts} />
          ),
        )}
      </ol>
      {statements.length === 0 && <p class="ss-empty">There is nothing to say.</p>}
      {more > 0 && (
        <p class="ss-dim">… and {grouped(more)} more sentences: in a cell, .df has all.</p>
      )}
    </section>
  );
}

/** Deeper ones are not indented further: the text needs the room. */
const DEEPEST = 6;
const levelOf = (level: number): number => Math.min(level, DEEPEST);

function Steps({ row, open }: { readonly row: StepsRow; readonly open: () => void }) {
  return (
    <li class="ss-steps" data-level={levelOf(row.level)}>
      <button type="button" class="ss-link" onClick={open}>
        ⋯ {plural(row.count, "step")} between
      </button>
    </li>
  );
}

const JOINTS = { answer: "", because: "←", and: "and ←" } as const;

/** A part of an answer is no root: nothing was caused by it. */
const partOf = (row: SentenceRow): SentenceRow => ({ ...row, root: false });

interface SentenceProps {
  readonly row: SentenceRow;
  readonly at: number | null;
  readonly parts: boolean;
}

/** A sentence: it leads to its frame, its node and its row. */
function Sentence({ row, at, parts }: SentenceProps) {
  const { client, actions } = useUi();
  const { statement, level, joint, root, again } = row;
  const { text, frame, phase, source, execution, link } = statement;
  const cursor = cursorOf(statement, client.edge);
  const look = evidenceLook(statement);
  const place = frame === null ? "" : `f${frame}${phase === null ? "" : ` ${phase}`}`;
  return (
    <li
      class="ss-sentence-row"
      data-level={levelOf(level)}
      data-joint={joint}
      data-root={root || undefined}
      data-evidence={statement.evidence ?? "none"}
    >
      <span class="ss-joint" aria-hidden="true">
        {parts && joint !== "answer" ? "·" : JOINTS[joint]}
      </span>
      <span class="ss-sentence-body">
        {root && joint !== "answer" && <Said>root: </Said>}
        {cursor === null ? (
          <span>
            <Text of={text} />
          </span>
        ) : (
          <button
            type="button"
            class="ss-link ss-told"
            title={`Go to ${place}${statement.node_id === null ? "" : ", and select the node"}`}
            onClick={() => actions.follow(statement)}
          >
            <Text of={text} />
          </button>
        )}
        <span class="ss-proof">
          <span title={EVIDENCE_WORDS[look.word]}>
            <Mark look={look} />
          </span>
          {place !== "" && <span>{place}</span>}
          {execution !== null && (
            <span>
              in <Text of={execution} />
            </span>
          )}
          <SourceLink source={source} />
          {again && <span>told above</span>}
          {link !== null && execution === null && (
            <button
              type="button"
              class="ss-link"
              onClick={() => actions.ask({ of: link, at: frame ?? at })}
            >
              why <Text of={link.replace(/^state:/, "")} />?
            </button>
          )}
        </span>
      </span>
    </li>
  );
}

// ---- what it would take ----

interface TakesProps {
  readonly of: string;
  readonly question: Question;
}

/** Under a "why not": the edit of the state that would bring it, and the branch that begins with it. */
function Takes({ of, question }: TakesProps) {
  const { client, ui, actions } = useUi();
  const [searching, setSearching] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const place = useRef<HTMLDivElement>(null);
  const { at, phase } = question;
  // Kept with the tabs: one may look at State meanwhile.
  const found = ui.needs?.question === question ? ui.needs.found : null;
  useEffect(() => {
    if (found !== null) place.current?.scrollIntoView?.({ block: "nearest" });
  }, [found]);
  const find = async () => {
    setSearching(true);
    setError(null);
    try {
      actions.setNeeds({
        question,
        found: await client.ask({ pane: "needs", of, at, phase }),
      });
    } catch (why) {
      setError(why instanceof Error ? why.message : String(why));
    }
    setSearching(false);
  };
  return (
    <div class="ss-takes" ref={place} aria-live="polite">
      {found === null && (
        <button
          type="button"
          class="ss-button"
          title="Searches the smallest edit of the state, by rendering copies of the frame; at most a second"
          aria-disabled={searching}
          onClick={() => !searching && find()}
        >
          {searching ? "Searching…" : "What would it take?"}
        </button>
      )}
      {error !== null && (
        <p role="alert" data-tone="bad">
          <Text of={error} />
        </p>
      )}
      {found !== null && (
        <>
          <Answer answer={found.answer} at={at} parts />
          {found.found && <BranchWith needs={found} />}
        </>
      )}
    </div>
  );
}

/** Makes the branch with the edit, and shows it here, as the Branch dialog does. */
function BranchWith({ needs }: { readonly needs: NeedsPane }) {
  const { client, state } = useUi();
  const [error, setError] = useState<string | null>(null);
  const [sending, setSending] = useState(false);
  const off = whyDead(state.summary, state.connected);
  if (needs.state === null) {
    if (needs.answer.statements.length === 0) return null;
    return <InCell needs={needs} />;
  }
  const branch = async () => {
    setSending(true);
    const outcome = await client.order(
      {
        name: "fork",
        frame: needs.after,
        branch: null,
        state: needs.state,
        reuse: reuseWords(REUSED),
        allow_repeat: null,
      },
      true,
    );
    // Once it is made, this goes away with the execution: until then it must not make a second one.
    if (outcome?.ok && outcome.result !== null) return client.show(outcome.result);
    setSending(false);
    setError(outcome?.error ?? off ?? "It could not be sent.");
  };
  const disabled = sending || off !== null;
  return (
    <p class="ss-branch-with">
      <button
        type="button"
        class="ss-button ss-primary"
        aria-disabled={disabled}
        title={
          off ?? `Branches after frame ${needs.after} with this edit, and shows the branch here`
        }
        onClick={() => !disabled && branch()}
      >
        {sending ? "Branching…" : "Branch with this"}
      </button>{" "}
      <span class="ss-dim">
        after frame {needs.after}, with{" "}
        <code>
          <Text of={needs.state} />
        </code>
      </span>
      {error !== null && (
        <span role="alert" data-tone="bad">
          <Text of={error} />
        </span>
      )}
    </p>
  );
}

/** For an edit that JSON can't say. */
function InCell({ needs }: { readonly needs: NeedsPane }) {
  return (
    <p class="ss-dim">
      Branch with this in a cell:{" "}
      <code>
        <Text of={needs.code} />
      </code>
    </p>
  );
}
