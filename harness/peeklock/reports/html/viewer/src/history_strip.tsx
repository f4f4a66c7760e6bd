// How a case ended in the last runs, a small bar each, as tall as it took long.

import type { Result } from "./model.ts";
import { span } from "./time.ts";

const MARKS: Record<string, string> = { passed: "", failed: "✕", error: "!", flaky: "~" };

export function HistoryStrip({ history }: { history: Result[] }) {
  if (!history.length) return null;
  const longest = Math.max(...history.map(([, , seconds]) => seconds), 0.001);
  const told = history.map(([run, outcome, seconds]) => `${run} ${outcome} ${span(seconds * 1000)}`).join(", ");
  return (
    <span class="history-strip" role="img" aria-label={`Before: ${told}`} title={told.replaceAll(", ", "\n")}>
      {history.map(([, outcome, seconds]) => (
        <i class={outcome} style={{ height: `${Math.round(5 + 9 * (seconds / longest))}px` }}>
          {MARKS[outcome] ?? ""}
        </i>
      ))}
    </span>
  );
}
