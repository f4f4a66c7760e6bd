// The rows of what happened, to look through and to choose from.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Row } from "./happened.ts";
import { moment } from "./time.ts";

const PAGE = 300;

export function Happened({ rows, selected, select }: { rows: Row[]; selected: string; select: (id: string, at: number) => void }) {
  const [text, setText] = useState("");
  const [most, setMost] = useState(PAGE);
  const shown = useMemo(() => {
    const wanted = text.toLowerCase();
    return wanted ? rows.filter((row) => `${row.actor} ${row.text}`.toLowerCase().includes(wanted)) : rows;
  }, [rows, text]);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => box.current?.querySelector(".selected")?.scrollIntoView({ block: "nearest" }), [selected]);
  return (
    <section class="pane happened" aria-label="Events">
      <div class="pane-head">
        <h2>Events</h2>
        <input type="search" id="events-text" placeholder="Filter  ( / )" aria-label="Filter events" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <span class="facts">{shown.length === rows.length ? rows.length : `${shown.length} of ${rows.length}`}</span>
      </div>
      <div class="events" ref={box} tabIndex={0} role="region" aria-label="Events in time order">
        {shown.slice(0, most).map((row) => (
          <button type="button" class={`event ${row.alarming ? "alarming" : ""} ${row.id === selected ? "selected" : ""}`} onClick={() => select(row.id, row.at)}>
            <Told row={row} />
          </button>
        ))}
        {shown.length > most ? (
          <button type="button" class="more" onClick={() => setMost(most + PAGE * 3)}>
            Show more: {shown.length - most} are left
          </button>
        ) : null}
      </div>
    </section>
  );
}

export function Told({ row }: { row: Row }) {
  return (
    <>
      <span class="at">{moment(row.at)}</span>
      <span class="actor">{row.actor}</span>
      <span class="text">
        {row.alarming ? <b aria-label="trouble">✕ </b> : null}
        {row.text}
        {row.times > 1 ? <b> ×{row.times}</b> : null}
      </span>
    </>
  );
}
