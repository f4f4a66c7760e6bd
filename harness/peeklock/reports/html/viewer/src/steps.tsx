// The case as it is written, with what became of each step.

import { useEffect, useRef } from "preact/hooks";
import { Diff } from "./diff.tsx";
import { LooksStrip } from "./looks_strip.tsx";
import type { Failure, Listing, StepRun, Story } from "./model.ts";
import { Place } from "./place.tsx";
import { span } from "./time.ts";

interface Props {
  story: Story;
  selected: string;
  select: (id: string) => void;
}

export function Steps({ story, selected, select }: Props) {
  const failed = useRef<HTMLDivElement>(null);
  const place = story.failure && placeOf(story.failure);
  useEffect(() => {
    const pane = failed.current?.closest(".pane");
    const first = pane?.querySelector<HTMLElement>(".line.failing");
    if (pane && first) pane.scrollTop = Math.max(0, first.offsetTop - 60);
  }, [story]);
  const listed = place && story.listings.some((each) => each.file === place.file && within(each, place.line));
  return (
    <section class="pane steps" aria-label="Steps" tabIndex={0}>
      <h2>Steps</h2>
      {story.failure && !listed ? (
        <div class="at-end">
          <p class="where">
            <Place file={place?.file ?? ""} line={place?.line ?? 0} />
          </p>
          <Diff failure={story.failure} />
        </div>
      ) : null}
      {story.listings.map((listing) => (
        <div class="listing">
          <p class="where">
            {listing.part === "case" ? "" : `${listing.part} · `}
            <Place file={listing.file} line={listing.first} />
          </p>
          {listing.lines.map((text, index) => {
            const number = listing.first + index;
            const here = place && listing.file === place.file && number === place.line;
            const runs = listing.steps.includes(number) ? story.steps.filter((each) => each.file === listing.file && each.line === number) : [];
            const owner = listing.steps.findLast((each) => each <= number) ?? 0;
            const reached = !owner || story.steps.some((each) => each.file === listing.file && each.line === owner);
            return (
              <>
                <CodeLine number={number} text={text} story={story} runs={runs} isStep={listing.steps.includes(number)} inFailed={inFailed(story, listing, number)} reached={reached} mark={here && story.failure ? stretch(story.failure, place.column) : null} selected={selected} select={select} />
                {here && story.failure ? (
                  <div class="mismatch" ref={failed}>
                    <Diff failure={story.failure} />
                    <FailedLooks story={story} listing={listing} line={number} />
                  </div>
                ) : null}
              </>
            );
          })}
        </div>
      ))}
      {story.listings.length ? null : <p class="nothing">What this case runs was not kept.</p>}
    </section>
  );
}

/** How what the failed step waited for came about, as far as it did. */
function FailedLooks({ story, listing, line }: { story: Story; listing: Listing; line: number }) {
  const step = story.steps.find((each) => !each.ok && each.verb !== "use" && each.file === listing.file && each.line <= line && line <= each.last_line);
  return step?.looks && step.looks.length > 1 ? <LooksStrip looks={step.looks} ok={false} /> : null;
}

interface LineProps {
  number: number;
  text: string;
  story: Story;
  runs: StepRun[];
  isStep: boolean;
  inFailed: boolean;
  reached: boolean;
  /** What is underlined: the first column and the one behind it, from 0. */
  mark: [number, number] | null;
  selected: string;
  select: (id: string) => void;
}

function CodeLine({ number, text, story, runs, isStep, inFailed, reached, mark, selected, select }: LineProps) {
  const run = runs.find((each) => !each.ok) ?? runs.at(-1);
  const state = run ? (run.ok ? "ok" : "bad") : isStep ? "unreached" : "";
  const words = { ok: "passed", bad: "failed", unreached: "not reached", "": "" }[state];
  const id = run ? `step:${story.steps.indexOf(run)}` : "";
  const content = (
    <>
      <span class="number">{number}</span>
      <span class="state" role={words ? "img" : undefined} aria-label={words || undefined} title={words}>
        {{ ok: "✓", bad: "✕", unreached: "·", "": "" }[state]}
      </span>
      <code>{mark ? <Marked text={text} mark={mark} /> : text || " "}</code>
      {run ? (
        <span class="took">
          {span(run.ms)}
          {run.tries > 1 ? ` · ${run.tries} tries` : ""}
          {runs.length > 1 ? ` · ×${runs.length}` : ""}
        </span>
      ) : null}
    </>
  );
  const kind = `line ${state} ${reached ? "" : "unreached"} ${inFailed ? "failing" : ""} ${id && id === selected ? "selected" : ""}`;
  return run ? (
    <button type="button" class={kind} onClick={() => select(id)}>
      {content}
    </button>
  ) : (
    <div class={kind}>{content}</div>
  );
}

function placeOf(failure: Failure): { file: string; line: number; column: number } {
  const found = /^(.*):(\d+):(\d+)$/.exec(failure.where);
  return { file: found?.[1] ?? failure.where, line: Number(found?.[2] ?? 0), column: Number(found?.[3] ?? 1) };
}

function within(listing: Listing, line: number): boolean {
  return line >= listing.first && line < listing.first + listing.lines.length;
}

function inFailed(story: Story, listing: Listing, line: number): boolean {
  return story.steps.some((each) => !each.ok && each.verb !== "use" && each.file === listing.file && each.line <= line && line <= each.last_line);
}

function Marked({ text, mark: [from, to] }: { text: string; mark: [number, number] }) {
  return (
    <>
      {text.slice(0, from)}
      <mark>{text.slice(from, to)}</mark>
      {text.slice(to)}
    </>
  );
}

/** What the carets of the excerpt are below. */
function stretch(failure: Failure, column: number): [number, number] {
  const carets = /\^+/.exec(failure.excerpt[1] ?? "")?.[0].length ?? 1;
  return [column - 1, column - 1 + carets];
}
