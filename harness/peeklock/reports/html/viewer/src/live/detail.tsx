// One message: body, properties, and what the ledger knows of its way.

import { useState } from "preact/hooks";
import { Code, Facts, Value } from "../facts.tsx";
import { lives, type Life } from "../ledger.ts";
import type { Entry } from "../model.ts";
import { goodAt, sasIn } from "../sas.ts";
import { span } from "../time.ts";
import { history, messages, resubmit, type Told } from "./api.ts";
import { useLooked } from "./feed.ts";
import { clock, pathOf, type Place } from "./place.ts";

interface Props {
  place: Place;
  go: (place: Place) => void;
  version: number;
  said: (text: string) => void;
}

export function Detail({ place, go, version, said }: Props) {
  const path = pathOf(place);
  const looked = useLooked(async () => (await messages(path, place.sequence, 1)).find((each) => each.sequence === place.sequence) ?? null, `${path} ${place.sequence}`, version);
  const [kept, setKept] = useState(looked.found);
  if (looked.found && looked.found !== kept) setKept(looked.found);
  const found = looked.found ?? kept;
  const way = useLooked(() => (found ? history(found.message_id) : Promise.resolve([])), found?.message_id ?? "", version);
  const [raw, setRaw] = useState(false);
  const [busy, setBusy] = useState(false);
  async function again() {
    setBusy(true);
    try {
      const { sent, to } = await resubmit(place.entity, [place.sequence]);
      said(sent ? `Sent to ${to} again` : "It could not be received: another receiver has it, or it has gone.");
    } catch (problem) {
      said((problem as Error).message);
    }
    setBusy(false);
  }
  return (
    <section class="pane details live-detail" aria-label="Message" tabIndex={0}>
      <div class="live-head">
        <h2>Message seq {place.sequence}</h2>
        <button type="button" aria-label="Close" onClick={() => go({ ...place, sequence: 0 })}>✕</button>
      </div>
      {looked.error ? <p class="actual">{looked.error}</p> : null}
      {found ? null : <p class="nothing">It is not in {place.view === "dead" ? "the dead-letter queue" : "the queue"} any more.</p>}
      {found ? (
        <>
          <Facts rows={{ id: found.message_id, state: looked.found || looked.error ? found.state : "gone from here", reason: found.reason, description: found.description, enqueued: found.enqueued_at === null ? "" : clock(found.enqueued_at), failed_deliveries: found.deliveries || "" }} bad="reason" />
          {place.view === "dead" ? <p class="live-buttons"><button type="button" disabled={busy} onClick={() => void again()}>Resubmit</button></p> : null}
          <h3>
            Body <small>{found.size.toLocaleString("en")} bytes</small>
            {found.text && found.hex ? <button type="button" class="link" onClick={() => setRaw(!raw)}>{raw ? "as text" : "as hex"}</button> : null}
          </h3>
          {raw || !found.text ? <Code text={found.hex || "(empty)"} /> : <Value text={found.text} />}
          {sasIn(`${found.text} ${Object.values(found.properties).join(" ")}`).map((sas) => {
            const verdict = goodAt(sas, Date.now()).replace("then", "now").replace("over by now", "over");
            return (
              <>
                <h3>SAS in it</h3>
                <Facts rows={{ for: sas.kind, resource: sas.resource, may: sas.permissions, from: sas.from, until: sas.until, now: verdict, more: sas.more }} bad={verdict.startsWith("valid") ? "" : "now"} />
              </>
            );
          })}
          <Part title="Application properties" rows={found.properties} />
          <Part title="Properties" rows={found.system} />
          <Way told={way.found ?? []} />
          <Part title="Broker's annotations" rows={found.annotations} />
        </>
      ) : null}
    </section>
  );
}

function Part({ title, rows }: { title: string; rows: Record<string, unknown> }) {
  if (!Object.keys(rows).length) return null;
  return (
    <>
      <h3>{title}</h3>
      <Facts rows={rows} />
    </>
  );
}

/** The lives of all messages with its id: in the topic, the subscription, the queue, the dead-letter queue. */
function Way({ told }: { told: readonly Told[] }) {
  const all = lives(told.map(entryOf));
  if (!all.length) return null;
  return (
    <>
      <h3>Its way</h3>
      {all.map((life) => (
        <Stay life={life} />
      ))}
    </>
  );
}

function Stay({ life }: { life: Life }) {
  return (
    <div class="live-stay">
      <p>
        <b>{life.queue}</b> seq {life.seq} · {life.outcome.replaceAll("_", " ")}
      </p>
      <ol class="history">
        {life.history.map((each) => (
          <li>
            <span class="at">{clock(each.at)}</span> {each.event.replaceAll("_", " ")}
            {each.details["reason"] ? `: ${String(each.details["reason"])}` : ""}
          </li>
        ))}
      </ol>
      {life.deliveries.length ? (
        <ol class="deliveries">
          {life.deliveries.map((each, index) => (
            <li class={["lock_expired", "abandoned", "dead_lettered"].includes(each.end) ? "bad" : ""}>
              Delivery {index + 1}: <b>{each.who || "?"}</b> {each.to === null ? "has it still" : `${span(each.to - each.from)} · ${each.end.replaceAll("_", " ")}`}
            </li>
          ))}
        </ol>
      ) : null}
    </div>
  );
}

function entryOf(told: Told): Entry {
  return {
    n: told.n,
    at: told.at * 1000,
    entity: told.entity.toLowerCase().endsWith("/$deadletterqueue") ? told.entity.toLowerCase() : told.entity,
    event: told.event,
    ...(told.sequence === undefined ? {} : { seq: told.sequence }),
    ...(told.message_id === undefined ? {} : { id: told.message_id }),
    ...(told.consumer ? { who: told.consumer } : {}),
    details: JSON.stringify(told.details ?? {}),
  };
}
