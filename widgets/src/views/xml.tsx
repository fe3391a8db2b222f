import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Xml } from "../model/protocol";
import { size, visible } from "../model/text";
import { tokenise } from "../model/xml";
import { DryNote } from "./panel";

interface XmlProps {
  readonly xml: Xml;
  readonly loadAll: () => void;
  /** The whole text, fetched if what is shown was cut. */
  readonly whole: () => Promise<Xml>;
}

/** Longer XML is shown in one colour: a span for each token would slow the page down. */
const HIGHLIGHTED_CHARS = 200_000;

export function XmlView({ xml, loadAll, whole }: XmlProps) {
  const shown = useRef<HTMLPreElement>(null);
  return (
    <>
      <div class="ss-filter">
        <CopyButton xml={xml} loadAll={loadAll} whole={whole} shown={shown} />
        {xml.cut && (
          <button type="button" class="ss-link" onClick={loadAll}>
            … load all ({size(xml.chars)})
          </button>
        )}
      </div>
      <DryNote dry={xml.dry} />
      {/* biome-ignore lint/a11y/useAriaPropsSupportedByRole: the name is the contract for tests. */}
      <pre class="ss-xml" ref={shown} tabIndex={0} aria-label="Plan XML">
        <Highlighted text={xml.text} />
      </pre>
    </>
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

interface CopyProps extends XmlProps {
  readonly shown: { readonly current: HTMLPreElement | null };
}

/** Copies the whole XML; where the page may not, selects it for the person to copy. */
function CopyButton({ xml, loadAll, whole, shown }: CopyProps) {
  const [said, setSaid] = useState("");
  const [selecting, setSelecting] = useState(false);

  useEffect(() => {
    if (!selecting || xml.cut || shown.current === null) return;
    setSelecting(false);
    getSelection()?.selectAllChildren(shown.current);
    setSaid("Selected: press Ctrl+C or ⌘C.");
  }, [selecting, xml, shown]);

  const copy = async () => {
    try {
      const { text } = xml.cut ? await whole() : xml;
      await navigator.clipboard.writeText(text);
      setSaid("Copied.");
    } catch {
      if (xml.cut) loadAll();
      setSelecting(true);
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
