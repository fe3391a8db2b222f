import { isSet, type Subject } from "../model/breakpoints";
import { useNamed } from "./links";
import { useUi } from "./ui";

interface DotProps {
  readonly subject: Subject;
  readonly name: string;
  readonly inTabOrder?: boolean;
}

/** Sets and removes the breakpoint on what it stands beside. */
export function Dot({ subject, name, inTabOrder = false }: DotProps) {
  const { client, state, actions } = useUi();
  const set = isSet(subject, state.panes.breakpoints?.data?.breakpoints ?? []);
  const named = useNamed();
  const what = subject.kind === "key" ? "Watch" : "Breakpoint on";
  return (
    <DotButton
      set={set}
      label={`${what} ${named(name)}`}
      inTabOrder={inTabOrder}
      toggle={client.acts ? () => actions.toggleBreakpoint(subject) : null}
    />
  );
}

interface DotButtonProps {
  readonly set: boolean;
  readonly label: string;
  readonly inTabOrder?: boolean;
  /** Null where nothing can be set. */
  readonly toggle: (() => void) | null;
}

export function DotButton({ set, label, inTabOrder = false, toggle }: DotButtonProps) {
  if (toggle === null) {
    return <span class="ss-dot" data-set={set} title={set ? label : undefined} />;
  }
  return (
    <button
      type="button"
      class="ss-dot"
      aria-label={label}
      aria-pressed={set}
      title={`${label} (${set ? "set: click removes it" : "click sets it"})`}
      tabIndex={inTabOrder ? 0 : -1}
      onClick={(event) => {
        event.stopPropagation();
        toggle();
      }}
    />
  );
}
