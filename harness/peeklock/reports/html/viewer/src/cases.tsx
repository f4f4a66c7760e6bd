// The list of all cases: what failed first, then the slowest.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { flaky, idOf, mixed } from "./history.ts";
import { HistoryStrip } from "./history_strip.tsx";
import { useKeys } from "./keys.ts";
import { total, type Head, type Outcome, type Run } from "./model.ts";
import { EVERYTHING, hashOf, type Filter } from "./route.ts";
import { span } from "./time.ts";

const ORDER: Outcome[] = ["failed", "error", "skipped", "passed"];
export const MARKS: Record<Outcome, string> = { failed: "✕", error: "!", skipped: "–", passed: "✓" };
/** Rows that are drawn at first; so many more at each look further down. */
const PAGE = 200;

export function Cases({ run, cases, filter }: { run: Run; cases: Head[]; filter: Filter }) {
  const [at, setAt] = useState(0);
  const [most, setMost] = useState(PAGE);
  const search = useRef<HTMLInputElement>(null);
  const unsteady = useMemo(() => flakyOf(cases), [cases]);
  const shown = useMemo(() => chosen(cases, filter, unsteady), [cases, filter]);
  const slowest = Math.max(...cases.map(total), 0.001);
  useEffect(() => {
    setAt(0);
    setMost(PAGE);
  }, [filter]);
  function go(by: number) {
    const next = Math.max(0, Math.min(shown.length - 1, at + by));
    setAt(next);
    if (next >= most) setMost(next + PAGE);
    document.getElementById(`row-${next}`)?.scrollIntoView({ block: "nearest" });
  }
  useKeys({
    j: () => go(1),
    k: () => go(-1),
    ArrowDown: (event) => (event.preventDefault(), go(1)),
    ArrowUp: (event) => (event.preventDefault(), go(-1)),
    Enter: () => shown[at] && (location.hash = hashOf({ view: "case", number: shown[at].number })),
    "/": (event) => (event.preventDefault(), search.current?.focus()),
    Escape: () => (search.current?.blur(), replace(EVERYTHING)),
  });
  const tags = unique(cases.flatMap((head) => head.tags));
  const criteria = unique(cases.flatMap((head) => head.covers));
  return (
    <main class="cases">
      <header class="top">
        <h1>
          <span class="brand">peeklock</span> {run.run ?? "run"}
        </h1>
        <p class="facts">
          {run.at ? <time>{new Date(run.at * 1000).toLocaleString()}</time> : null}
          {run.backend ? <span> · {run.backend}</span> : null}
          {run.seconds !== undefined ? <span> · {span(run.seconds * 1000)}</span> : <span> · the run did not come to its end</span>}
          {run.interrupted ? <span> · interrupted, {run.unjudged} cases not run</span> : null}
          {run.merged ? <span> · {run.merged}</span> : null}
        </p>
        <nav class="pages">
          <a href={hashOf({ view: "coverage" })}>Coverage</a>
        </nav>
      </header>
      {Array.isArray(run.problems) && run.problems.length ? (
        <ul class="problems" aria-label="Not the whole run">
          {run.problems.map((problem) => (
            <li>{String(problem)}</li>
          ))}
        </ul>
      ) : null}
      <div class="filters" role="search">
        <div class="outcomes" role="group" aria-label="Outcome">
          {["", ...ORDER].map((outcome) => {
            const count = outcome ? cases.filter((head) => head.outcome === outcome).length : cases.length;
            if (!count && outcome) return null;
            return (
              <button type="button" class={`chip ${outcome}`} aria-pressed={filter.outcome === outcome} onClick={() => replace({ ...filter, outcome })}>
                {outcome ? <span aria-hidden="true">{MARKS[outcome as Outcome]} </span> : null}
                {count} {outcome || "all"}
              </button>
            );
          })}
          {unsteady.size ? (
            <button type="button" class="chip skipped" aria-pressed={filter.kind === "flaky"} onClick={() => replace({ ...filter, kind: filter.kind ? "" : "flaky" })}>
              <span aria-hidden="true">~ </span>
              {unsteady.size} flaky
            </button>
          ) : null}
        </div>
        <input ref={search} type="search" placeholder="Text  ( / )" aria-label="Text in name or failure" value={filter.text} onInput={(event) => replace({ ...filter, text: event.currentTarget.value })} />
        <Choice label="Tag" all={tags} value={filter.tag} choose={(tag) => replace({ ...filter, tag })} />
        <Choice label="Criterion" all={criteria} value={filter.covers} choose={(covers) => replace({ ...filter, covers })} />
      </div>
      <ol class="rows">
        {shown.slice(0, most).map(({ head, number }, index) => (
          <li id={`row-${index}`} class={index === at ? "current" : ""}>
            <a href={hashOf({ view: "case", number })} class={head.outcome}>
              <span class="mark">
                <span aria-hidden="true">{MARKS[head.outcome]}</span> <span class="outcome">{head.outcome}</span>
              </span>
              <span class="name">
                <span class="file">{head.file} › </span>
                <b>{head.name}</b>
                {head.repeat ? <span class="file"> #{head.repeat + 1}</span> : null}
                {head.why ? <span class="why">{head.why}</span> : null}
              </span>
              <span class="labels">
                {unsteady.has(head) ? <span class="label flaky">~ flaky</span> : null}
                {[...head.covers, ...head.tags].slice(0, 6).map((word) => (
                  <span class="label">{word}</span>
                ))}
              </span>
              <span class="before">
                <HistoryStrip history={head.history} />
              </span>
              <span class="took">
                {span(total(head) * 1000)}
                <Bar head={head} slowest={slowest} />
              </span>
            </a>
          </li>
        ))}
      </ol>
      {shown.length > most ? (
        <button type="button" class="more" onClick={() => setMost(most + PAGE)}>
          Show more: {shown.length - most} are left
        </button>
      ) : null}
      {shown.length ? null : <p class="nothing">No case is like that. Escape shows all.</p>}
      <footer>
        <kbd>j</kbd> <kbd>k</kbd> choose · <kbd>Enter</kbd> open · <kbd>/</kbd> search · <kbd>Esc</kbd> all · peeklock {run.version}
      </footer>
    </main>
  );
}

/** How long a case took beside the slowest: set-up, waiting, working. */
function Bar({ head, slowest }: { head: Head; slowest: number }) {
  const [setup, waiting, working] = head.seconds.map((seconds) => (seconds / slowest) * 100) as [number, number, number];
  const title = `set-up ${span(head.seconds[0] * 1000)}, waiting ${span(head.seconds[1] * 1000)}, working ${span(head.seconds[2] * 1000)}`;
  return (
    <svg class="took-bar" viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label={title}>
      <rect class="setup" width={setup} height="6" />
      <rect class="waiting" x={setup} width={waiting} height="6" />
      <rect class="working" x={setup + waiting} width={working} height="6" />
    </svg>
  );
}

function Choice({ label, all, value, choose }: { label: string; all: string[]; value: string; choose: (value: string) => void }) {
  if (!all.length) return null;
  return (
    <select aria-label={label} value={value} onChange={(event) => choose(event.currentTarget.value)}>
      <option value="">{label}: all</option>
      {all.map((each) => (
        <option value={each}>{each}</option>
      ))}
    </select>
  );
}

function flakyOf(cases: Head[]): Set<Head> {
  const both = mixed(cases);
  return new Set(cases.filter((head) => flaky(head) || both.has(idOf(head))));
}

function chosen(cases: Head[], filter: Filter, unsteady: Set<Head>): { head: Head; number: number }[] {
  const text = filter.text.toLowerCase();
  return cases
    .map((head, number) => ({ head, number }))
    .filter(
      ({ head }) =>
        (!filter.outcome || head.outcome === filter.outcome) &&
        (!filter.kind || unsteady.has(head)) &&
        (!filter.tag || head.tags.includes(filter.tag)) &&
        (!filter.covers || head.covers.includes(filter.covers)) &&
        (!text || [head.file, head.name, head.why, ...head.tags, ...head.covers].some((each) => each.toLowerCase().includes(text))),
    )
    .sort((a, b) => ORDER.indexOf(a.head.outcome) - ORDER.indexOf(b.head.outcome) || total(b.head) - total(a.head));
}

function unique(words: string[]): string[] {
  return [...new Set(words)].sort((a, b) => a.localeCompare(b, undefined, { numeric: true }));
}

/** Show another choice without a new entry in the browser's history. */
function replace(filter: Filter): void {
  history.replaceState(null, "", hashOf({ view: "cases", filter }));
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}
