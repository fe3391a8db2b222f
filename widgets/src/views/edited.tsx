import { EDITED } from "../model/panes";
import type { EditedPane } from "../model/protocol";
import { Text } from "./text";
import { useUi } from "./ui";

interface EditMarksProps {
  readonly pane: EditedPane | null;
  readonly frames: number;
}

/** Over the timeline: the frames that the edited code renders differently. Its words are the slider's. */
export function EditMarks({ pane, frames }: EditMarksProps) {
  if (pane === null || frames === 0) return null;
  return (
    <svg
      class="ss-edit-marks"
      viewBox={`0 0 ${frames} 1`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {pane.frames.map(([first, last]) => (
        <line key={first} x1={first - 1} x2={last} y1={0.5} y2={0.5} data-first={first} />
      ))}
    </svg>
  );
}

/** The edited code as a baseline: what differs, what a branch would cost, and the button that makes it. */
export function EditedView({ pane }: { readonly pane: EditedPane }) {
  const { client, state, actions } = useUi();
  const { text, first } = pane;
  const chosen = state.other === EDITED;
  const branch = async () => {
    const outcome = await client.order({ name: "branch_edited" });
    if (outcome?.ok && outcome.result !== null) client.show(outcome.result);
  };
  return (
    <section class="ss-edited" aria-label="Edited code">
      <p>
        <strong>Edited code.</strong> <Text of={text} />
      </p>
      <div class="ss-edited-actions">
        <button
          type="button"
          class="ss-button ss-small"
          aria-pressed={chosen}
          title="Shows what the edited code makes of each frame's recorded state; executes nothing"
          onClick={() => client.against(chosen ? null : EDITED)}
        >
          Show in the plan
        </button>
        {first !== null && (
          <button
            type="button"
            class="ss-button ss-small"
            title={`Goes to frame ${first}; executes nothing (⇧O)`}
            onClick={() => {
              client.against(EDITED);
              actions.showFrame(first);
            }}
          >
            First frame that differs
          </button>
        )}
        <button
          type="button"
          class="ss-button ss-small"
          aria-disabled={state.underway.branch_edited !== undefined || !state.connected}
          title="Makes a branch with the edited code; this execution stays as it is"
          onClick={branch}
        >
          {first === null ? "Branch with it" : `Branch from frame ${first - 1}`}
        </button>
      </div>
    </section>
  );
}
