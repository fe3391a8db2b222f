import { render } from "preact";
import { Client } from "./model/client";
import type { Channel } from "./model/transport";
import { Stepper } from "./views/stepper";
import "./styles";

interface View {
  readonly model: Channel;
  readonly el: HTMLElement;
}

/** The anywidget entry: shows the stepper in `el` and returns what takes it away again. */
function show({ model, el }: View): () => void {
  const client = new Client(model);
  client.start();
  render(<Stepper client={client} />, el);
  return () => {
    client.stop();
    render(null, el);
  };
}

export default { render: show };
