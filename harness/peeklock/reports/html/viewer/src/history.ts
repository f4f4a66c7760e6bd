// What earlier runs tell of a case: whether it can be relied on.

import type { Head } from "./model.ts";

const GOOD = new Set(["passed"]);

/** Whether a case went both ways in a run, or changed its mind at least twice over the runs; this run is the last of them. */
export function flaky(head: Pick<Head, "outcome" | "history">): boolean {
  if (head.history.some(([, outcome]) => outcome === "flaky")) return true;
  const all = [...head.history.map(([, outcome]) => outcome), ...(head.outcome === "skipped" ? [] : [head.outcome])];
  return all.filter((outcome, index) => index > 0 && GOOD.has(outcome) !== GOOD.has(all[index - 1]!)).length >= 2;
}

/** Cases that went both ways in this run count as such, too. */
export function mixed(cases: readonly Head[]): Set<string> {
  const seen = new Map<string, Set<string>>();
  for (const head of cases) if (head.outcome !== "skipped") seen.set(idOf(head), (seen.get(idOf(head)) ?? new Set()).add(head.outcome));
  return new Set([...seen].filter(([, outcomes]) => outcomes.size > 1).map(([id]) => id));
}

export function idOf(head: Pick<Head, "file" | "name">): string {
  return `${head.file}::${head.name}`;
}
