import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { CHANGE_MARKS } from "../model/looks";
import type { Change, XmlPane } from "../model/protocol";
import { size, visible } from "../model/text";
import { tokenise } from "../model/xml";
import { Compare } from "./compare";
import { DryNote } from "./panel";
import { Said } from "./text";
import { useUi } from "./ui";

/** Longer XML is shown in one colour: a span for each token would slow the page down. */
const HIGHLIGHTED_CHARS = 60_000;

export function XmlView({ xml }: { readonly xml: XmlPane }) {
  const shown = useRef<HTMLPreElement>(null);
  return (
    <>
      <Compare base={xml.base} against={xml.against}>
        <CopyButton xml={xml} shown={shown} />
        {xml.cut && <span class="ss-dim">cut: Copy XML takes all {size(xml.chars)}</span>}
      </Compare>
      <DryNote dry={xml.dry} />
      <div class="ss-xml-lines">
        <Marks xml={xml} />
        {/* biome-ignore lint/a11y/useAriaPropsSupportedByRole: the name is the contract for tests. */}
        <pre class="ss-xml" ref={shown} tabIndex={0} aria-label="Plan XML">
          <Highlighted text={xml.text} />
        </pre>
      </div>
    </>
  );
}

/** The marks of the tree, beside the lines that they are about. */
function Marks({ xml }: { readonly xml: XmlPane }) {
  const { actions } = useUi();
  const marks = useMemo(() => new Map(xml.marks.map((mark) => [mark[0], mark])), [xml.marks]);
  const last = Math.max(-1, ...marks.keys());
  return (
    <div class="ss-xml-marks">
      {Array.from({ length: last + 1 }, (_, line) => {
        const mark = marks.get(line);
        if (mark === undefined) return <div key={line} />;
        const [, change, node] = mark;
        return (
          <button
            type="button"
            key={line}
            tabIndex={-1}
            data-change={change}
            title={`${change}: ${node}`}
            onClick={() => actions.showNode(node)}
          >
            <span aria-hidden="true">{CHANGE_MARKS[change as Exclude<Change, "">] ?? "•"}</span>
            <Said>
              line {line + 1} {change}
            </Said>
          </button>
        );
      })}
    </div>
  );
}

function Highlighted({ text }: { readonly text: string }) {
  const tokens = useMemo(() => (text.length > HIGHLIGHTED_CHARS ? null : tokenise(text)), [text]);
  if (tokens === null) return <>{visible(text)}</>;
  return (
    <>
      {tokens.map((token, index) =>
        token.kind === "text" ? (
          visible(token.text)
        ) : (
          <span key={index} data-xml={token.kind}>
            {visible(token.text)}
          </span>
        ),
      )}
    </>
  );
}

interface CopyProps {
  readonly xml: XmlPane;
  readonly shown: { readonly current: HTMLPreElement | null };
}

/** Copies the whole XML; where the page may not, selects it for the person to copy. */
function CopyButton({ xml, shown }: CopyProps) {
  const { client, state } = useUi();
  const [said, setSaid] = useState("");
  useEffect(() => setSaid(""), [xml]);

  const copy = async () => {
    const { at, phase } = state.settled;
    try {
      const { text } = xml.cut
        ? await client.ask({ pane: "xml", at, phase, base: state.base, full: true })
        : xml;
      await navigator.clipboard.writeText(text);
      setSaid("Copied.");
    } catch {
      if (shown.current === null) return;
      getSelection()?.selectAllChildren(shown.current);
      setSaid("Selected: press Ctrl+C or ⌘C.");
    }
  };

  return (
    <>
      <button type="button" class="ss-button ss-small" onClick={copy}>
        Copy XML
      </button>
      <span class="ss-dim">{said}</span>
    </>
  );
}
