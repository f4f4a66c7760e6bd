// The ledger as it grows, newest first.

import { useState } from "preact/hooks";
import type { Told } from "./api.ts";
import { clock, DEAD, hashOf } from "./place.ts";

const SHOWN = 200;
const BAD = new Set(["dead_lettered", "lock_expired", "expired", "access_refused", "transfer_dead_lettered", "session_lock_lost"]);

export function Happening({ entries, entity }: { entries: readonly Told[]; entity: string }) {
  const [filter, setFilter] = useState("");
  const [held, setHeld] = useState<readonly Told[] | null>(null);
  const wanted = filter.toLowerCase();
  const inside = (each: Told) => !entity || each.entity === entity || each.entity.toLowerCase() === (entity + DEAD).toLowerCase() || each.entity.toLowerCase().startsWith(`${entity.toLowerCase()}/`);
  const shown = (held ?? entries).filter((each) => inside(each) && (!wanted || text(each).toLowerCase().includes(wanted))).slice(0, SHOWN);
  return (
    <>
      <div class="live-tools">
        <input type="search" placeholder="Filter: id, event, entity" aria-label="Filter what happens" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <button type="button" aria-pressed={held !== null} onClick={() => setHeld(held ? null : entries)}>{held ? "Go on" : "Hold"}</button>
      </div>
      {shown.length ? (
        <ol class="events live-events">
          {shown.map((each) => (
            <li key={each.n} class={BAD.has(each.event) ? "alarming" : ""}>
              <span class="at">{clock(each.at * 1000)}</span>
              <span class="what">{each.event.replaceAll("_", " ")}</span>
              <span class="text">
                {entity ? null : <span class="actor">{each.entity} </span>}
                {each.sequence ? <a href={placeOf(each)}>{each.message_id}</a> : (each.session_id ?? "")}
                {each.event === "dead_lettered" && each.details?.["reason"] ? ` ${String(each.details["reason"])}` : ""}
                {each.event === "lost" ? `${each.lost} entries were too fast for this page` : ""}
              </span>
            </li>
          ))}
        </ol>
      ) : (
        <p class="nothing">{filter ? "Nothing of that kind has happened since the page was opened." : "Nothing has happened since the page was opened. New events appear here."}</p>
      )}
    </>
  );
}

function placeOf(told: Told): string {
  const dead = told.entity.toLowerCase().endsWith(DEAD);
  return hashOf({ entity: dead ? told.entity.slice(0, -DEAD.length) : told.entity, view: dead ? "dead" : "messages", sequence: told.sequence ?? 0 });
}

function text(told: Told): string {
  return `${told.event.replaceAll("_", " ")} ${told.entity} ${told.message_id ?? ""} ${told.session_id ?? ""} ${told.consumer ?? ""} ${JSON.stringify(told.details ?? {})}`;
}
