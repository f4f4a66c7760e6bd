// What happens, as the server tells it; and what is looked up again when something has.

import { useEffect, useRef, useState } from "preact/hooks";
import type { Told } from "./api.ts";

export interface Live {
  /** Newest first. */
  entries: Told[];
  /** Grows with whatever happens. */
  version: number;
  /** Why nothing comes; empty while all is well. */
  problem: string;
}

const MOST = 500;
const AGAIN = 250;

/** Newer entries before older ones, and no more than are looked at. */
export function withNews(known: readonly Told[], news: readonly Told[], most = MOST): Told[] {
  return [...news].reverse().concat(known).slice(0, most);
}

export function useFeed(): Live {
  const [live, setLive] = useState<Live>({ entries: [], version: 0, problem: "" });
  useEffect(() => {
    const source = new EventSource("/api/feed");
    let waiting: Told[] = [];
    let drawn = 0;
    function draw() {
      drawn = 0;
      const news = waiting;
      waiting = [];
      setLive((before) => ({ ...before, entries: withNews(before.entries, news), version: before.version + 1 }));
    }
    source.addEventListener("entries", (event) => {
      waiting.push(...(JSON.parse(event.data) as Told[]));
      if (!drawn) drawn = requestAnimationFrame(draw);
    });
    source.addEventListener("resync", () => setLive((before) => ({ ...before, entries: [], version: before.version + 1 })));
    source.addEventListener("state", (event) => {
      const told = JSON.parse(event.data) as { up: boolean; problem?: string };
      setLive((before) => ({ ...before, problem: told.up ? "" : (told.problem ?? "the emulator does not answer"), version: before.version + 1 }));
    });
    source.addEventListener("error", () => setLive((before) => ({ ...before, problem: "`peeklock ui` does not answer" })));
    return () => source.close();
  }, []);
  return live;
}

/** Looks something up now, and again when `version` has changed; not while a look is under way, nor more often than four times a second. */
export function useLooked<T>(look: () => Promise<T>, key: string, version: number): { found: T | null; error: string } {
  const [state, setState] = useState<{ key: string; found: T | null; error: string }>({ key, found: null, error: "" });
  const work = useRef({ busy: false, again: false, key, look });
  work.current.key = key;
  work.current.look = look;
  async function run() {
    const mine = work.current;
    if (mine.busy) {
      mine.again = true;
      return;
    }
    mine.busy = true;
    const asked = mine.key;
    try {
      const found = await mine.look();
      if (asked === mine.key) setState({ key: asked, found, error: "" });
    } catch (error) {
      if (asked === mine.key) setState((before) => ({ key: asked, found: before.key === asked ? before.found : null, error: (error as Error).message }));
    }
    setTimeout(
      () => {
        mine.busy = false;
        if (mine.again) {
          mine.again = false;
          void run();
        }
      },
      asked === mine.key ? AGAIN : 0,
    );
  }
  useEffect(() => {
    void run();
  }, [key, version]);
  return state.key === key ? state : { found: null, error: "" };
}
