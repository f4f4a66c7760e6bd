// A window over the page, which Escape closes.

import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

export function Ask({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="live-ask" aria-label={title} onClose={close} onKeyDown={(event) => event.stopPropagation()}>
      <div class="live-ask-head">
        <h1>{title}</h1>
        <button type="button" aria-label="Close" onClick={() => dialog.current?.close()}>✕</button>
      </div>
      {children}
    </dialog>
  );
}
