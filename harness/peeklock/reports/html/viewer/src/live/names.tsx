// Every queue, topic and subscription with its counts: as a list to choose from, and as a table.

import { useState } from "preact/hooks";
import type { Counts, Entities } from "./api.ts";
import { hashOf, type Place } from "./place.ts";

interface Row {
  counts: Counts;
  kind: "queue" | "topic" | "subscription";
  label: string;
}

function rowsOf(found: Entities): Row[] {
  return [
    ...found.queues.map((counts) => ({ counts, kind: "queue" as const, label: counts.name })),
    ...found.topics.flatMap((topic) => [
      { counts: topic, kind: "topic" as const, label: topic.name },
      ...topic.subscriptions.map((counts) => ({ counts, kind: "subscription" as const, label: counts.name.split("/").at(-1) ?? "" })),
    ]),
  ];
}

function placeOf({ counts, kind }: Row): string {
  return hashOf({ entity: counts.name, view: kind === "topic" ? "happening" : "messages" });
}

export function Names({ found, place }: { found: Entities | null; place: Place }) {
  const [filter, setFilter] = useState("");
  const rows = found ? rowsOf(found).filter(({ counts }) => counts.name.toLowerCase().includes(filter.toLowerCase())) : [];
  return (
    <nav class="live-names" aria-label="Queues and topics">
      <input type="search" placeholder="Filter names" aria-label="Filter names" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
      <ul>
        {rows.map((row) => (
          <li class={row.kind}>
            <a href={placeOf(row)} aria-current={row.counts.name === place.entity ? "page" : undefined}>
              <span class="name">{row.label}</span>
              {row.kind === "topic" ? <small>topic</small> : <span class="count">{held(row.counts)}</span>}
              {row.counts.dead_letter ? <span class="count bad" title={`${row.counts.dead_letter} dead letters`}>†{row.counts.dead_letter}</span> : null}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function held(counts: Counts): number {
  return counts.active + counts.locked + counts.scheduled + counts.deferred;
}

export function Overview({ found }: { found: Entities | null }) {
  if (!found) return <p class="nothing">Looking…</p>;
  const rows = rowsOf(found);
  if (!rows.length) return <p class="nothing">The namespace has no queue and no topic yet.</p>;
  return (
    <div class="live-scroll">
      <table class="live-table overview">
        <thead>
          <tr>
            <th scope="col">Queues and topics</th>
            {["Active", "Locked", "Scheduled", "Deferred", "Dead letters", "Receivers"].map((text) => <th scope="col" class="number">{text}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr class={row.kind}>
              <th scope="row">
                <a href={placeOf(row)}>{row.label}</a>
                {row.kind === "topic" ? <small> topic</small> : null}
                {row.counts.status.toLowerCase() === "active" ? null : <small class="bad"> {row.counts.status}</small>}
              </th>
              {row.kind === "topic" ? [<td />, <td />, <td class="number">{row.counts.scheduled || "·"}</td>, <td />, <td />, <td />] : [row.counts.active, row.counts.locked, row.counts.scheduled, row.counts.deferred].map((count) => <td class="number">{count || "·"}</td>)}
              {row.kind === "topic" ? null : (
                <>
                  <td class={`number ${row.counts.dead_letter ? "bad" : ""}`}>
                    {row.counts.dead_letter ? <a href={hashOf({ entity: row.counts.name, view: "dead" })}>{row.counts.dead_letter}</a> : "·"}
                  </td>
                  <td class="number">{row.counts.receivers || "·"}</td>
                </>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
