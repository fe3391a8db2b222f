import { render } from "preact";
import { Client } from "./model/client";
import type { Get } from "./model/protocol";
import { unpacked } from "./player/blocks";
import { RecordedChannel } from "./player/channel";
import { type Packed, Recording } from "./player/recording";
import type { Address } from "./views/address";
import { Stepper } from "./views/stepper";
import "./styles";
import "./styles/player.css";

/** The entry of the page that is a file: the stepper over what was recorded. */
async function show(root: HTMLElement): Promise<void> {
  const packed = await unpacked<Packed>("panes");
  const recording = new Recording(packed);
  const client = new Client(new RecordedChannel(recording));
  client.start();
  // For scripts that look into the file, as tests do: `smithers.pane({ pane: "state", at: 3 })`.
  Object.assign(window, { smithers: { pane: (get: Get) => recording.answer(get) } });
  root.textContent = "";
  // In a notebook's page it stands in a frame, which has no address of its own.
  const own = location.protocol === "about:" ? {} : { address: ADDRESS };
  render(<Stepper client={client} {...own} />, root);
}

const ADDRESS: Address = {
  read: () => location.hash,
  // Not a step of the history: Back leads out of the page, not through the frames.
  write: (hash) => history.replaceState(null, "", hash),
  listen: (heard) => {
    window.addEventListener("hashchange", heard);
    return () => window.removeEventListener("hashchange", heard);
  },
};

function fail(root: HTMLElement, error: unknown): void {
  const said = document.createElement("p");
  said.setAttribute("role", "alert");
  said.textContent = `This run can't be shown: ${error instanceof Error ? error.message : String(error)}`;
  root.prepend(said);
}

const root = document.getElementById("smithers-player");
if (root !== null) show(root).catch((error) => fail(root, error));
