import { phaseLook } from "../model/looks";
import type { PhaseChip } from "../model/protocol";

export function Phases({ phases }: { readonly phases: readonly PhaseChip[] }) {
  return (
    <ol class="ss-phases" aria-label="Phases">
      {phases.map((chip) => (
        <Chip key={chip.name} chip={chip} />
      ))}
    </ol>
  );
}

function Chip({ chip }: { readonly chip: PhaseChip }) {
  const look = phaseLook(chip);
  return (
    <li
      class="ss-phase"
      aria-label={chip.name}
      aria-current={chip.state === "current" ? "step" : undefined}
      data-state={chip.state}
      data-slow={look.slow || undefined}
      title={look.title}
    >
      <span class="ss-phase-glyph" aria-hidden="true">
        {look.glyph}
      </span>
      <span class="ss-phase-name">{chip.name}</span>
      <span class="ss-phase-ms">{look.ms}</span>
    </li>
  );
}
