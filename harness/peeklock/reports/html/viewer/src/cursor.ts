// The moment that one looks at. What shows it draws itself anew, and nothing else of the page.

import { useEffect, useState } from "preact/hooks";

export class Cursor {
  at: number;
  private readonly watchers = new Set<() => void>();

  constructor(at: number) {
    this.at = at;
  }

  set(at: number): void {
    if (at === this.at) return;
    this.at = at;
    for (const watcher of this.watchers) watcher();
  }

  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => void this.watchers.delete(watcher);
  }
}

export function useCursor(cursor: Cursor): number {
  const [, draw] = useState(0);
  useEffect(() => cursor.watch(() => draw((count) => count + 1)), [cursor]);
  return cursor.at;
}
