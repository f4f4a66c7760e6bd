// What is looked at anew each second while it is shown: of it, nobody tells.

import { useEffect, useState } from "preact/hooks";

const EVERY = 1000;

export function useEachSecond<T>(look: () => Promise<T>, key: string): { found: T | null; error: string } {
  const [state, setState] = useState<{ found: T | null; error: string }>({ found: null, error: "" });
  useEffect(() => {
    let timer = 0, over = false;
    const next = (now: { found: T | null; error: string }) => {
      if (over) return;
      setState(now);
      timer = window.setTimeout(ask, EVERY);
    };
    const ask = () => void look().then((found) => next({ found, error: "" }), (trouble: Error) => next({ found: null, error: trouble.message }));
    ask();
    return () => {
      over = true;
      window.clearTimeout(timer);
    };
  }, [key]);
  return state;
}
