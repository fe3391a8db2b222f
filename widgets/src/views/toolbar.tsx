import { useState } from "preact/hooks";
import { CONTROLS, type Control, LOOKS, whyControlOff, whyOff } from "../model/controls";
import { Icon } from "./icon";
import { rove } from "./roving";
import { useUi } from "./ui";

export function Toolbar() {
  const { client, state, actions } = useUi();
  const [active, setActive] = useState(0);
  const { summary, underway, connected, cursor } = state;
  const off = (control: Control) =>
    whyControlOff(control.name, cursor, client.edge, (name) =>
      whyOff(name, summary, underway, connected),
    );
  return (
    <div
      class="ss-toolbar"
      role="toolbar"
      aria-label="Stepping"
      onKeyDown={(event) => setActive(rove(event) ?? active)}
    >
      {(client.acts ? CONTROLS : LOOKS).map((control, index) => (
        <ControlButton
          key={control.name}
          control={control}
          off={off(control)}
          walks={cursor.at !== null}
          inTabOrder={index === active}
          press={() => {
            setActive(index);
            actions.act(control.name);
          }}
        />
      ))}
    </div>
  );
}

interface ControlButtonProps {
  readonly control: Control;
  /** Why it can't be used now. */
  readonly off: string | null;
  /** The cursor is in the records: stepping walks there. */
  readonly walks: boolean;
  readonly inTabOrder: boolean;
  readonly press: () => void;
}

/** What one presses most. */
const PRIMARY = "step_frame";

const STEPS = new Set(["step_phase", "step_frame", "continue", "until_idle"]);

function ControlButton({ control, off, walks, inTabOrder, press }: ControlButtonProps) {
  const recorded = walks && STEPS.has(control.name);
  const does = recorded ? "Goes forward in the records; executes nothing." : control.does;
  // aria-disabled, not disabled: a disabled button drops the focus, and the shortcuts with it.
  return (
    <button
      type="button"
      class="ss-button"
      data-control={control.name}
      data-primary={control.name === PRIMARY || undefined}
      data-walks={recorded || undefined}
      aria-label={control.label}
      aria-keyshortcuts={control.shortcut}
      aria-disabled={off !== null}
      title={`${off ?? does} (${control.key})`}
      tabIndex={inTabOrder ? 0 : -1}
      onClick={off === null ? press : undefined}
    >
      <Icon name={control.name} />
      <span class="ss-label">{control.label}</span>
      <span class="ss-key" data-key={control.key} />
    </button>
  );
}
