import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { Text } from "./text";

interface PopupProps {
  readonly name: string;
  readonly close: () => void;
  /** The part of its class that its layout goes by. */
  readonly kind?: string;
  readonly children: ComponentChildren;
}

/** A dialog over the stepper. Esc, handled at the root, closes it, too. */
export function Popup({ name, close, kind, children }: PopupProps) {
  return (
    <div
      class={kind === undefined ? "ss-popup" : `ss-popup ss-popup-${kind}`}
      role="dialog"
      aria-label={name}
    >
      <div class="ss-popup-head">
        <h4>
          <Text of={name} />
        </h4>
        <button
          type="button"
          class="ss-button ss-icon-button"
          aria-label="Close"
          title="Close (Esc)"
          onClick={close}
        >
          ✕
        </button>
      </div>
      {children}
    </div>
  );
}

export type CloseProps = Pick<PopupProps, "close">;

/** A ref to what has the focus when the popup opens. */
export function useFocus<E extends HTMLElement>() {
  const element = useRef<E>(null);
  // Before the next key comes: it belongs in the field.
  useLayoutEffect(() => element.current?.focus(), []);
  return element;
}
