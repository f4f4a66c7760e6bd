// The messages of a queue or a dead-letter queue, a page of them at a time; what is sent again, and what is purged.

import { useState } from "preact/hooks";
import { messages, purge, resubmit, type Message } from "./api.ts";
import { Ask } from "./ask.tsx";
import { useLooked } from "./feed.ts";
import { clock, hashOf, pathOf, type Place } from "./place.ts";

const PAGE = 50;

interface Props {
  place: Place;
  go: (place: Place) => void;
  version: number;
  said: (text: string) => void;
  /** How many there are in all. */
  total: number;
}

export function Messages({ place, go, version, said, total }: Props) {
  const path = pathOf(place);
  const { found, error } = useLooked(() => messages(path, place.from, PAGE), `${path} ${place.from}`, version);
  const [filter, setFilter] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [asking, setAsking] = useState<"" | "resubmit" | "purge">("");
  const [busy, setBusy] = useState(false);
  const dead = place.view === "dead";
  const wanted = filter.toLowerCase();
  const shown = (found ?? []).filter((each) => !wanted || text(each).toLowerCase().includes(wanted));
  const last = found?.at(-1);

  function choose(sequence: number) {
    const next = new Set(chosen);
    if (!next.delete(sequence)) next.add(sequence);
    setChosen(next);
  }
  async function sendAgain(sequences: number[] | null) {
    setBusy(true);
    try {
      const { sent, left, to } = await resubmit(place.entity, sequences);
      said(`${sent} sent to ${to} again${left ? `; ${left} could not be received: another receiver has them` : ""}`);
      setChosen(new Set());
    } catch (problem) {
      said((problem as Error).message);
    }
    setBusy(false);
    setAsking("");
  }
  async function empty() {
    setBusy(true);
    try {
      said(`${(await purge(path)).purged} purged from ${path}`);
    } catch (problem) {
      said((problem as Error).message);
    }
    setBusy(false);
    setAsking("");
  }

  return (
    <>
      <div class="live-tools">
        <input type="search" placeholder="Filter this page: id, body, property" aria-label="Filter messages" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        {dead ? <button type="button" disabled={busy || !chosen.size} onClick={() => void sendAgain([...chosen])}>Resubmit {chosen.size || ""} chosen</button> : null}
        {dead ? <button type="button" disabled={busy || !total} onClick={() => setAsking("resubmit")}>Resubmit all…</button> : null}
        <button type="button" class="danger" disabled={busy || !found?.length} onClick={() => setAsking("purge")}>Purge…</button>
      </div>
      {error ? <p class="nothing actual">{error}</p> : null}
      {found && !found.length ? <p class="nothing">{place.from ? "No message has a higher number." : dead ? "No dead letters." : "No message is here now. “What happens” shows those that come and go."}</p> : null}
      {found?.length && !shown.length ? <p class="nothing">None of these {found.length} has “{filter}” in it.</p> : null}
      {shown.length ? (
        <div class="live-scroll grow">
          <table class={`live-table messages ${dead ? "dead" : ""}`}>
            <thead>
              <tr>
                {dead ? <th scope="col"><span class="hidden">Choose</span></th> : null}
                <th scope="col" class="number">Seq</th>
                <th scope="col">Message</th>
                <th scope="col">{dead ? "Reason" : "State"}</th>
                <th scope="col" class="number">Deliveries</th>
                <th scope="col">{dead ? "Since" : "Enqueued"}</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((each) => (
                <tr key={each.sequence} class={each.sequence === place.sequence ? "selected" : ""} onClick={() => go({ ...place, sequence: each.sequence })}>
                  {dead ? <td onClick={(event) => event.stopPropagation()}><input type="checkbox" aria-label={`Choose ${each.message_id}`} checked={chosen.has(each.sequence)} onChange={() => choose(each.sequence)} /></td> : null}
                  <td class="number">{each.sequence}</td>
                  <td class="what"><a href={hashOf({ ...place, sequence: each.sequence })} onClick={(event) => event.stopPropagation()}>{each.message_id || "(no id)"}</a><span class="body">{each.text.slice(0, 160) || (each.size ? `${each.size} bytes` : "(empty)")}</span></td>
                  <td class={dead ? "bad" : ""}>{dead ? each.reason || "·" : each.state}</td>
                  <td class="number">{each.deliveries || "·"}</td>
                  <td class="time">{each.enqueued_at === null ? "" : clock(each.enqueued_at)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      {place.from || (found?.length === PAGE && last) ? (
        <div class="live-pages">
          <button type="button" disabled={!place.from} onClick={() => go({ ...place, from: 0, sequence: 0 })}>First {PAGE}</button>
          <button type="button" disabled={found?.length !== PAGE || !last} onClick={() => last && go({ ...place, from: last.sequence + 1, sequence: 0 })}>Next {PAGE}</button>
        </div>
      ) : null}
      {asking ? (
        <Ask title={asking === "purge" ? `Purge ${dead ? "the dead letters of " : ""}${place.entity}?` : `Resubmit every dead letter of ${place.entity}?`} close={() => setAsking("")}>
          <p>{asking === "purge" ? `All ${total || (found?.length ?? "")} messages will be deleted, those too that a receiver has locked. Nothing brings them back.` : `${total} will be sent again, whole, with new message ids.`}</p>
          <div class="live-buttons">
            <button type="button" class={asking === "purge" ? "danger" : "primary"} disabled={busy} onClick={() => void (asking === "purge" ? empty() : sendAgain(null))}>{asking === "purge" ? `Purge ${total || ""}` : `Resubmit ${total}`}</button>
            <button type="button" onClick={() => setAsking("")}>Cancel</button>
          </div>
        </Ask>
      ) : null}
    </>
  );
}

function text(each: Message): string {
  return `${each.sequence} ${each.message_id} ${each.reason} ${each.description} ${each.text} ${JSON.stringify(each.properties)} ${JSON.stringify(each.system)}`;
}
