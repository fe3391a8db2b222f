import type { Action } from "../model/controls";

const PATHS: Partial<Readonly<Record<Action | "bookmark", string>>> = {
  step_phase: "M3 3.5v9l7-4.5zM11.5 3.5h2v9h-2z",
  step_frame: "M1.5 3.5v9l5.5-4.5zM7 3.5v9l5.5-4.5zM12.5 3.5h2v9h-2z",
  continue: "M3 3.5v9l6-4.5zM11.5 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z",
  until_idle: "M1.5 3.5v9L8 8zM8 3.5v9L14.5 8z",
  pause: "M4 3.5h3v9H4zM9 3.5h3v9H9z",
  stop: "M4 4h8v8H4z",
  first: "M3 3.5h2v9H3zM13 3.5v9L5.5 8z",
  back: "M11 3.5v9L4 8z",
  forward: "M5 3.5v9L12 8z",
  live: "M8 4.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.4a5.6 5.6 0 1 1 0 11.2A5.6 5.6 0 0 1 8 2.4z",
  reverse_continue: "M13 3.5v9L7 8zM4.5 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z",
  search:
    "M7 2.5a4.5 4.5 0 1 1-2.7 8.1A4.5 4.5 0 0 1 7 2.5zm0 1.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM10 11l1-1 3.2 3.2-1 1z",
  bookmark: "M4 2h8v12l-4-3.2L4 14zM5.4 3.4v7.7L8 9l2.6 2.1V3.4z",
  fork: "M4 1.5a2 2 0 0 1 .7 3.9v1.2c0 .8.6 1.4 1.4 1.4h3.8c.8 0 1.4-.6 1.4-1.4V5.4a2 2 0 1 1 1.4 0v1.2c0 1.5-1.3 2.8-2.8 2.8H8.7v1.2a2 2 0 1 1-1.4 0V9.4H6.1a2.8 2.8 0 0 1-2.8-2.8V5.4A2 2 0 0 1 4 1.5z",
  go_to: "M2 7.2h7.2L6.3 4.3l1-1L12 8l-4.7 4.7-1-1 2.9-2.9H2zM12.8 3h1.5v10h-1.5z",
  compare: "M2 3h5v10H2zM3.4 4.4v7.2h2.2V4.4zM9 3h5v10H9z",
  gantt: "M1.5 3h7v2.6h-7zM5 6.7h7v2.6H5zM8.5 10.4h6V13h-6z",
  export:
    "M7.2 1.5h1.6v6.2L11 5.5l1.1 1.1L8 10.7 3.9 6.6 5 5.5l2.2 2.2zM2.5 11.5H4v1.5h8v-1.5h1.5v3h-11z",
  help: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.4a5.6 5.6 0 1 1 0 11.2A5.6 5.6 0 0 1 8 2.4zM7.2 10.4h1.6V12H7.2zM8 4a2.6 2.6 0 0 0-2.6 2.5h1.5A1.1 1.1 0 1 1 8.5 7.4C7.7 7.8 7.2 8.3 7.2 9.2v.4h1.6v-.3c0-.4.3-.6.8-.9A2.5 2.5 0 0 0 8 4z",
};

export function Icon({ name }: { readonly name: Action | "bookmark" }) {
  return (
    <svg class="ss-icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill-rule="evenodd" />
    </svg>
  );
}
