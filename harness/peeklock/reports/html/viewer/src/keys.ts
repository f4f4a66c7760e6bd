// Keys that work wherever nothing is typed into.

import { useLayoutEffect, useRef } from "preact/hooks";

export function useKeys(keys: Record<string, (event: KeyboardEvent) => void>): void {
  // Effects come later than the next key of a fast hand: what a key does is that of the last drawing.
  const latest = useRef(keys);
  latest.current = keys;
  // A key may come as soon as there is something to see: an effect would listen later.
  useLayoutEffect(() => {
    function press(event: KeyboardEvent) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
      if (typing && event.key !== "Escape") return;
      latest.current[event.key]?.(event);
    }
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);
}
