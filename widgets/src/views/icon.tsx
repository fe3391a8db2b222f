import type { CommandName } from "../model/protocol";

const PATHS: Readonly<Record<CommandName, string>> = {
  step_phase: "M3 3.5v9l7-4.5zM11.5 3.5h2v9h-2z",
  step_frame: "M1.5 3.5v9l5.5-4.5zM7 3.5v9l5.5-4.5zM12.5 3.5h2v9h-2z",
  until_idle: "M1.5 3.5v9L8 8zM8 3.5v9L14.5 8z",
  pause: "M4 3.5h3v9H4zM9 3.5h3v9H9z",
  stop: "M4 4h8v8H4z",
};

export function Icon({ name }: { readonly name: CommandName }) {
  return (
    <svg class="ss-icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
