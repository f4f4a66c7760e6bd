// This run of a case beside the last one in which it passed, from where they part.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { compared, type Stretch } from "./compare.ts";
import { loadStory } from "./data.ts";
import { rowsOf, type Row } from "./happened.ts";
import { Told } from "./happened_list.tsx";
import { lives } from "./ledger.ts";
import type { Head } from "./model.ts";

const PAGE = 200;

interface Props {
  run: string;
  story: number;
  head: Head;
  rows: Row[];
  selected: string;
  select: (id: string, at: number) => void;
}

export function Compare({ run, story, head, rows, selected, select }: Props) {
  const [before, setBefore] = useState<Row[] | "unreadable" | null>(null);
  const [most, setMost] = useState(PAGE);
  useEffect(() => {
    loadStory(story, "passed")
      .then((told) => setBefore(told ? rowsOf(told, lives(told.entries)) : "unreadable"))
      .catch(() => setBefore("unreadable")); // it is another run's, of another version maybe
  }, [story]);
  const stretches = useMemo(() => (Array.isArray(before) ? compared(before, rows) : []), [before, rows]);
  const first = stretches.findIndex((each) => each.kind === "differs");
  const box = useRef<HTMLDivElement>(null);
  const show = () => box.current?.querySelector(".first")?.scrollIntoView({ block: "start" });
  useEffect(show, [stretches]);
  return (
    <section class="pane compare" aria-label={`Compared with ${run}`}>
      <div class="pane-head">
        <h2>Compared with {run}</h2>
        {first < 0 ? null : (
          <>
            <span class="legend">{counted(stretches)}</span>
            <button type="button" onClick={show}>
              First divergence
            </button>
          </>
        )}
      </div>
      <div class="compared" ref={box} tabIndex={0} role="region" aria-label="Events of both runs">
        {before === null ? <p class="nothing">…</p> : before === "unreadable" ? <p class="nothing">What {run} kept of this case cannot be read.</p> : null}
        {Array.isArray(before) ? (
          <div class="both heads">
            <b class="mark passed">− {run}: passed</b>
            <b class={`mark ${head.outcome}`}>+ this run: {head.outcome}</b>
          </div>
        ) : null}
        {Array.isArray(before) && first < 0 ? <p class="nothing">The same events in both. What differs is a value in one of them: see the steps.</p> : null}
        {stretches.slice(0, Math.max(most, first + 1)).map((each, index) => (
          <Part key={index} stretch={each} first={index === first} selected={selected} select={select} />
        ))}
        {stretches.length > Math.max(most, first + 1) ? (
          <button type="button" class="more" onClick={() => setMost(most + PAGE)}>
            Show more
          </button>
        ) : null}
      </div>
    </section>
  );
}

type PartProps = Pick<Props, "selected" | "select"> & { stretch: Stretch; first: boolean };

function Part({ stretch, first, selected, select }: PartProps) {
  const [open, setOpen] = useState(false);
  const [most, setMost] = useState(PAGE);
  if (stretch.kind === "folded" && !open)
    return (
      <button type="button" class="fold-away" onClick={() => setOpen(true)}>
        ⋯ {stretch.pairs.length} equal events
      </button>
    );
  if (stretch.kind !== "differs")
    return (
      <>
        {stretch.pairs.map(([before, now]) => (
          <div class="both">
            <Then row={before} mark="" />
            <Now row={now} mark="" selected={selected} select={select} />
          </div>
        ))}
      </>
    );
  const left = Math.max(stretch.before.length, stretch.now.length) - most;
  return (
    <div class={`parted ${first ? "first" : ""}`}>
      {first ? <h3>First divergence</h3> : null}
      <div class="both">
        <div>{stretch.before.slice(0, most).map((row) => <Then row={row} mark="−" />)}</div>
        <div>{stretch.now.slice(0, most).map((row) => <Now row={row} mark="+" selected={selected} select={select} />)}</div>
      </div>
      {left > 0 ? (
        <button type="button" class="more" onClick={() => setMost(most + PAGE)}>
          Show more: {left} are left
        </button>
      ) : null}
    </div>
  );
}

function Then({ row, mark }: { row: Row; mark: string }) {
  return (
    <div class={`event then ${row.alarming ? "alarming" : ""}`}>
      <Mark mark={mark} said="only then" />
      <Told row={row} />
    </div>
  );
}

function Now({ row, mark, selected, select }: { row: Row; mark: string } & Pick<Props, "selected" | "select">) {
  return (
    <button type="button" class={`event now ${row.alarming ? "alarming" : ""} ${row.id === selected ? "selected" : ""}`} onClick={() => select(row.id, row.at)}>
      <Mark mark={mark} said="only now" />
      <Told row={row} />
    </button>
  );
}

function Mark({ mark, said }: { mark: string; said: string }) {
  return <span class="sign">{mark ? <b role="img" aria-label={said}>{mark}</b> : null}</span>;
}

function counted(stretches: Stretch[]): string {
  let same = 0, before = 0, now = 0;
  for (const each of stretches)
    if (each.kind === "differs") (before += each.before.length), (now += each.now.length);
    else same += each.pairs.length;
  return `${same} in both · ${before} only then · ${now} only now`;
}
