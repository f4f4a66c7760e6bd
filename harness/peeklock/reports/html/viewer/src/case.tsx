// One case: the cause first, then its steps, its lanes, and what was chosen in detail.

import { useEffect, useMemo, useState } from "preact/hooks";
import { context } from "./assistant.ts";
import { MARKS } from "./cases.tsx";
import { Chart } from "./chart.tsx";
import { Compare } from "./compare_list.tsx";
import { Copy, save } from "./copy.tsx";
import { Cursor } from "./cursor.ts";
import { loadStory } from "./data.ts";
import { Details } from "./details.tsx";
import { command, markdown } from "./failure_text.ts";
import { Film } from "./film.ts";
import { rowsOf } from "./happened.ts";
import { Happened } from "./happened_list.tsx";
import { useKeys } from "./keys.ts";
import { layout } from "./lanes.ts";
import { lives } from "./ledger.ts";
import { total, whole, type Failure, type Head, type Story } from "./model.ts";
import { noticed } from "./noticed.ts";
import { Scaling } from "./scaling_list.tsx";
import { Steps } from "./steps.tsx";
import { moment, span } from "./time.ts";
import { chromeTrace } from "./trace.ts";

type Tab = "steps" | "lanes" | "details";
/** What stands in the middle: the lanes, or something else in their place. */
type Middle = "lanes" | "compare" | "scaling";

export function Case({ head, number, back }: { head: Head; number: number; back: string }) {
  const [story, setStory] = useState<Story | null>(null);
  const [middle, setMiddle] = useState<Middle>("lanes");
  const switchTo = (other: Middle) => setMiddle(middle === other ? "lanes" : other);
  useEffect(() => {
    let current = true;
    setStory(null);
    void loadStory(number).then((found) => current && setStory(found ?? whole({})));
    return () => void (current = false);
  }, [number]);
  useEffect(() => {
    document.title = `${MARKS[head.outcome]} ${head.name} · Peeklock`;
  }, [head]);
  return (
    <main class="case">
      <header class={`top ${head.outcome}`}>
        <a class="back" href={back} aria-label="All cases">
          ←
        </a>
        <h1>
          <span class={`mark ${head.outcome}`}>
            <span aria-hidden="true">{MARKS[head.outcome]}</span> {head.outcome}
          </span>{" "}
          <span class="file">{head.file} ›</span> {head.name}
          {head.repeat ? ` #${head.repeat + 1}` : ""}
        </h1>
        <span class="facts">
          {span(total(head) * 1000)} · waiting {span(head.seconds[1] * 1000)}
        </span>
        <span class="actions">
          {story && head.passed && head.passed[1] !== null ? (
            <button type="button" aria-pressed={middle === "compare"} onClick={() => switchTo("compare")}>
              Compare with {head.passed[0]} (passed)
            </button>
          ) : null}
          {story?.scaled.length ? (
            <button type="button" aria-pressed={middle === "scaling"} onClick={() => switchTo("scaling")}>
              Scaling
            </button>
          ) : null}
          {story?.failure || story?.reason ? (
            <>
              <Copy label="Copy for an issue" text={() => markdown(head, story)} />
              <Copy label="Copy for an assistant" text={() => told(head, story)} />
            </>
          ) : null}
          <Copy label="Copy command" text={() => command(head)} />
          {story ? (
            <button type="button" onClick={() => keep(head, story)} title="As Chrome trace JSON, which ui.perfetto.dev opens">
              Export trace
            </button>
          ) : null}
        </span>
      </header>
      {story ? <Panes head={head} story={story} back={back} middle={middle} /> : <p class="nothing">…</p>}
    </main>
  );
}

function Panes({ head, story, back, middle }: { head: Head; story: Story; back: string; middle: Middle }) {
  const [selected, select] = useState("");
  const [tab, setTab] = useState<Tab>("steps");
  const messages = useMemo(() => lives(story.entries), [story]);
  const drawn = useMemo(() => layout(story, messages), [story]);
  const rows = useMemo(() => rowsOf(story, messages), [story]);
  const notices = useMemo(() => (head.outcome === "passed" ? [] : noticed(story, messages)), [story]);
  const film = useMemo(() => new Film(story, messages), [story]);
  const cursor = useMemo(() => new Cursor(drawn.end), [story]);
  const [passedIn, passed] = head.passed ?? ["", null];
  useEffect(() => {
    if (middle !== "lanes") setTab("lanes");
  }, [middle]);
  function choose(id: string, at?: number) {
    select(id);
    if (at !== undefined) cursor.set(at);
    if (id) setTab("details");
  }
  function go(by: number) {
    const at = rows.findIndex((row) => row.id === selected);
    const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
    if (!next) return;
    select(next.id);
    cursor.set(next.at);
  }
  useKeys({
    j: () => go(1),
    k: () => go(-1),
    ",": () => cursor.set(film.step(cursor.at, -1)),
    ".": () => cursor.set(film.step(cursor.at, 1)),
    "/": (event) => (event.preventDefault(), document.getElementById("events-text")?.focus()),
    Escape: (event) => {
      if (event.target instanceof HTMLInputElement) event.target.blur();
      else if (selected) select("");
      else location.hash = back;
    },
  });
  const cause = story.failure ? causeOf(story.failure) : head.outcome === "passed" ? "" : head.why;
  return (
    <>
      {cause ? (
        <div class="cause" role="status">
          <p>
            <b>{story.failure?.likely_cause ? "Likely cause" : story.failure ? "What failed" : "Why"}:</b> {cause}
          </p>
          {notices.length ? (
            <p class="notices">
              <span>On the way:</span>
              {notices.map((each) => (
                <button type="button" aria-pressed={each.id === selected} onClick={() => choose(each.id, each.at)}>
                  {each.text} <small>{moment(each.at)}</small>
                </button>
              ))}
            </p>
          ) : null}
        </div>
      ) : null}
      {passedIn && passed === null ? (
        <p class="cause muted">It passed in {passedIn}, whose story had no room in this page (20 stories, 4 MiB): run this case alone to compare the two.</p>
      ) : null}
      {head.left_out ? <p class="cause muted">Only how this case ended was kept: the run had very many that passed.</p> : null}
      <nav class="tabs" aria-label="Panes">
        {(["steps", "lanes", "details"] as Tab[]).map((name) => (
          <button type="button" aria-pressed={tab === name} onClick={() => setTab(name)}>
            {name === "lanes" ? middle : name}
          </button>
        ))}
      </nav>
      <div class={`panes show-${tab}`}>
        <Steps story={story} selected={selected} select={choose} />
        <div class="middle">
          {middle === "compare" && passed !== null ? (
            <Compare run={passedIn} story={passed} head={head} rows={rows} selected={selected} select={choose} />
          ) : middle === "scaling" ? (
            <Scaling story={story} lives={messages} />
          ) : (
            <>
              <Chart layout={drawn} film={film} cursor={cursor} selected={selected} select={choose} />
              <Happened rows={rows} selected={selected} select={choose} />
            </>
          )}
        </div>
        <Details head={head} story={story} lives={messages} selected={selected} select={choose} />
      </div>
    </>
  );
}

/** Everything of a failure as one text. */
function told(head: Head, story: Story): string {
  const messages = lives(story.entries);
  return context(head, story, rowsOf(story, messages), noticed(story, messages));
}

function keep(head: Head, story: Story): void {
  const name = `${head.file} › ${head.name}`;
  save(`${name.replace(/[^\w.-]+/g, "-")}.trace.json`, JSON.stringify(chromeTrace(name, layout(story, lives(story.entries)))));
}

function causeOf(failure: Failure): string {
  if (failure.likely_cause) return failure.likely_cause;
  const [first, ...others] = failure.mismatches;
  const more = others.length ? `; ${others.length} more mismatch${others.length === 1 ? "" : "es"}` : "";
  const told = failure.headline || (first ? `${first[0] || "the value"}: expected ${first[1]}, actual ${shortened(first[2])}${more}` : "");
  return failure.step ? `“${failure.step}”: ${told}` : told;
}

/** Without what stands whole among the steps: the nearest item, and what there is in the place of what is absent. */
function shortened(actual: string): string {
  return actual.replace(/^absent \(there are .{60,}\)$/s, "absent").replace(/; the nearest is .{60,} \(\d+ characters\): /s, "; in the nearest ");
}
