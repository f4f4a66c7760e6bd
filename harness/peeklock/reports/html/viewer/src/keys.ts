// Keys that work wherever nothing is typed into.

import { useEffect, useRef } from "preact/hooks";

export function useKeys(keys: Record<string, (event: KeyboardEvent) => void>): void {
  // Effects come later than the next key of a fast hand: what a key does is that of the last drawing.
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
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
