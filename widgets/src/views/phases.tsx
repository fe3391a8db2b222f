import { phaseLook } from "../model/looks";
import type { PhaseChip } from "../model/protocol";
import { ofFrame } from "../model/why";
import { about } from "./ask";
import { Dot } from "./dot";
import { useUi } from "./ui";

export function Phases({ phases }: { readonly phases: readonly PhaseChip[] }) {
  const { client, ui, actions } = useUi();
  const frame = Math.min(client.state.cursor.at ?? client.edge.frame, client.edge.recorded);
  const { selection } = ui;
  return (
    <ol class="ss-phases" aria-label="Phases" {...about(ofFrame(frame))}>
      {phases.map((chip) => (
        <Chip
          key={chip.name}
          chip={chip}
          selected={selection?.kind === "phase" && selection.name === chip.name}
          select={() => actions.select({ kind: "phase", name: chip.name })}
        />
      ))}
    </ol>
  );
}

interface ChipProps {
  readonly chip: PhaseChip;
  readonly selected: boolean;
  readonly select: () => void;
}

function Chip({ chip, selected, select }: ChipProps) {
  const look = phaseLook(chip);
  return (
    <li
      class="ss-phase"
      aria-label={chip.name}
      aria-current={chip.state === "current" ? "step" : undefined}
      data-state={chip.state}
      data-slow={look.slow || undefined}
      data-selected={selected || undefined}
      title={look.title}
      onClick={select}
    >
      <span class="ss-phase-glyph" aria-hidden="true">
        {look.glyph}
      </span>
      <span class="ss-phase-name">{chip.name}</span>
      <span class="ss-phase-ms">{look.ms}</span>
      <Dot
        subject={{ kind: "phase", name: chip.name }}
        name={chip.name}
        inTabOrder={chip.state === "current"}
      />
    </li>
  );
}
