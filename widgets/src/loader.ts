import { unpacked } from "./player/blocks";

/** The only script that stands in the file as it is: it unpacks the page's style and script, a third of their size. */
async function load(): Promise<void> {
  const parts = await unpacked<Readonly<Record<"style" | "script", string>>>("page");
  for (const name of ["style", "script"] as const) {
    const element = document.createElement(name);
    // The page's policy names the hash of this script: no other one runs, even from here.
    element.textContent = parts[name];
    document.head.append(element);
  }
}

load().catch((error) => {
  const said = document.createElement("p");
  said.setAttribute("role", "alert");
  said.textContent = `This run can't be shown: ${error instanceof Error ? error.message : String(error)}`;
  document.body.prepend(said);
});
