// The time of a case as a slider, and how queues, locks, sessions and replicas stood then.

import { useEffect, useState } from "preact/hooks";
import { useCursor, type Cursor } from "./cursor.ts";
import { told, type Film, type Pill } from "./film.ts";
import type { Scale } from "./scale.ts";
import { moment } from "./time.ts";

const STEPS = 1000;
/** Milliseconds in which a case is played, however long it took. */
const PLAYED = 8000;
const WORDS: Record<Pill["kind"], [string, string]> = { queue: ["≡", "queue"], deadletter: ["†", "dead letters of"], session: ["⚭", "session"], service: ["■", "service"] };

export function Scrubber({ film, cursor, scale }: { film: Film; cursor: Cursor; scale: Scale }) {
  const at = useCursor(cursor);
  const [playing, setPlaying] = useState(false);
  useEffect(() => {
    if (!playing) return;
    let frame = 0, before = performance.now();
    function draw(now: number) {
      const place = scale.place(cursor.at) + (now - before) / PLAYED;
      before = now;
      cursor.set(scale.at(place));
      if (place >= 1) setPlaying(false);
      else frame = requestAnimationFrame(draw);
    }
    frame = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(frame);
  }, [playing, scale]);
  function play() {
    if (!playing && scale.place(cursor.at) >= 1) cursor.set(0);
    setPlaying(!playing);
  }
  function press(event: KeyboardEvent) {
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key] as 1 | -1 | undefined;
    if (!by) return;
    event.preventDefault();
    cursor.set(film.step(cursor.at, by));
  }
  const pills = told(film.at(at));
  return (
    <div class="scrubber">
      <div class="time">
        <button type="button" onClick={play} aria-label={playing ? "Pause" : "Play"}>
          {playing ? "❚❚" : "▶"}
        </button>
        <input type="range" min={0} max={STEPS} step="any" value={scale.place(at) * STEPS} aria-label="Time" aria-valuetext={`${moment(at)}: ${pills.filter((pill) => !pill.empty).slice(0, 6).map((pill) => `${pill.name} ${pill.text}`).join(", ")}`} onInput={(event) => cursor.set(scale.at(Number(event.currentTarget.value) / STEPS))} onKeyDown={press} />
        <output>{moment(at)}</output>
      </div>
      <ul class="pills" aria-label="How things stood">
        {pills.map((pill) => (
          <li key={`${pill.kind} ${pill.name}`} class={`pill ${pill.kind} ${pill.empty ? "empty" : ""}`} title={`${WORDS[pill.kind][1]} ${pill.name}: ${pill.text}`}>
            <span aria-hidden="true">{WORDS[pill.kind][0]}</span> <b>{pill.name}</b> {pill.text}
          </li>
        ))}
      </ul>
    </div>
  );
}
