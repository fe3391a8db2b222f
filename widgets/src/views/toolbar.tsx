import { useState } from "preact/hooks";
import type { ClientState } from "../model/client";
import { CONTROLS, type Control, whyOff } from "../model/controls";
import type { CommandName } from "../model/protocol";
import { Icon } from "./icon";
import { rove } from "./roving";

interface ToolbarProps {
  readonly state: ClientState;
  readonly run: (name: CommandName) => void;
}

export function Toolbar({ state, run }: ToolbarProps) {
  const [active, setActive] = useState(0);
  return (
    <div
      class="ss-toolbar"
      role="toolbar"
      aria-label="Stepping"
      onKeyDown={(event) => setActive(rove(event) ?? active)}
    >
      {CONTROLS.map((control, index) => (
        <ControlButton
          key={control.name}
          control={control}
          off={whyOff(control.name, state.summary, state.underway)}
          inTabOrder={index === active}
          press={() => {
            setActive(index);
            run(control.name);
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
  readonly inTabOrder: boolean;
  readonly press: () => void;
}

function ControlButton({ control, off, inTabOrder, press }: ControlButtonProps) {
  // aria-disabled, not disabled: a disabled button drops the focus, and the shortcuts with it.
  return (
    <button
      type="button"
      class="ss-button"
      data-control={control.name}
      aria-label={control.label}
      aria-keyshortcuts={control.shortcut}
      aria-disabled={off !== null}
      title={off ?? control.does}
      tabIndex={inTabOrder ? 0 : -1}
      onClick={off === null ? press : undefined}
    >
      <Icon name={control.name} />
      <span class="ss-label">{control.label}</span>
      <span class="ss-key" data-key={control.key} />
    </button>
  );
}
