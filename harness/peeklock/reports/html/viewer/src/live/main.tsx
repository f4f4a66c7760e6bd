// The live page: what is there on the left, what is in it in the middle, one message on the right.

import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { useKeys } from "../keys.ts";
import { choose, entities, forget, page, type Page } from "./api.ts";
import { Ask } from "./ask.tsx";
import { BlobDetail, Blobs } from "./blobs.tsx";
import { Cases } from "./cases.tsx";
import { ClockView } from "./clock_view.tsx";
import { Detail } from "./detail.tsx";
import { Faults } from "./faults.tsx";
import { useFeed, useLooked } from "./feed.ts";
import { Happening } from "./happening.tsx";
import { Messages } from "./messages.tsx";
import { Names, Overview } from "./names.tsx";
import { hashOf, isRoom, NOWHERE, placeOf, ROOMS, type Place } from "./place.ts";
import { Send } from "./send.tsx";
import { StackView } from "./stack.tsx";
import { Tables } from "./tables.tsx";

const VIEWS = { cases: Cases, blobs: Blobs, tables: Tables, clock: ClockView, faults: Faults, stack: StackView };

function App() {
  const live = useFeed();
  const [acted, setActed] = useState(0);
  const version = live.version + acted;
  const { found, error } = useLooked(entities, "", version);
  const head = useLooked(page, "", version).found;
  const [place, setPlace] = useState(() => placeOf(location.hash));
  const [sending, setSending] = useState(false);
  const [said, setSaid] = useState("");
  useEffect(() => {
    const follow = () => setPlace(placeOf(location.hash));
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  /** What was done, which no entry of the ledger may tell of. */
  function told(text: string) {
    setSaid(text);
    setActed((before) => before + 1);
  }
  function go(next: Place) {
    location.hash = hashOf(next);
  }
  useKeys({
    Escape: () => go(outOf(place)),
    "/": (event) => {
      event.preventDefault();
      document.querySelector<HTMLInputElement>(".live-middle input[type=search], .live-names input")?.focus();
    },
  });
  const counts = found && [...found.queues, ...found.topics.flatMap((topic) => [topic, ...topic.subscriptions])].find((each) => each.name === place.entity);
  const isTopic = found?.topics.some((topic) => topic.name === place.entity) ?? false;
  const Room = isRoom(place.view) ? VIEWS[place.view] : null;
  return (
    <>
      <header class="live-top">
        <h1>
          <a class="brand" href="#/">Peeklock</a> <span class="file">{found?.address ?? ""}</span>
        </h1>
        {head && head.environments.length > 1 ? <Environments head={head} said={told} /> : null}
        <span class={`live-state ${live.problem ? "bad" : "good"}`} role="status">
          {live.problem ? `✕ ${live.problem}` : "● live"}
        </span>
        <nav class="live-rooms" aria-label="Beside queues and topics">
          {(head?.project ? ROOMS : (["faults"] as const)).map((room) => <a href={`#/${room}`} aria-current={place.view === room ? "page" : undefined}>{room[0]?.toUpperCase() + room.slice(1)}</a>)}
        </nav>
        {head?.acts.length ? <Acts acts={head.acts} said={told} /> : null}
      </header>
      {said || error ? (
        <p class={`live-said ${error ? "bad" : ""}`} role="status">
          {error || said}
          {error ? null : <button type="button" class="link" onClick={() => setSaid("")}>Dismiss</button>}
        </p>
      ) : null}
      <main class={`live ${place.entity || Room ? "inside" : ""} ${place.sequence || place.name ? "chosen" : ""}`}>
        <Names found={found} place={place} />
        <section class="live-middle" aria-label="Contents">
          {Room ? (
            <Room key={place.view} place={place} go={go} version={version} said={told} project={head?.project ?? false} />
          ) : place.entity ? (
            <>
              <div class="live-head">
                <a class="back" href="#/" aria-label="All queues and topics">‹</a>
                <h1>{place.entity}</h1>
                {found && !counts ? <span class="actual">there is no such entity (any more)</span> : null}
                <button type="button" class="primary" onClick={() => setSending(true)} disabled={place.entity.includes("/Subscriptions/")} title={place.entity.includes("/Subscriptions/") ? "messages come from its topic" : ""}>Send…</button>
              </div>
              <nav class="live-tabs" aria-label="Views">
                {isTopic ? null : <Tab place={place} view="messages" text={`Messages ${counts ? counts.active + counts.locked + counts.scheduled + counts.deferred : ""}`} />}
                {isTopic ? null : <Tab place={place} view="dead" text={`Dead letters ${counts?.dead_letter ?? ""}`} bad={Boolean(counts?.dead_letter)} />}
                <Tab place={isTopic && place.view !== "happening" ? { ...place, view: "happening" } : place} view="happening" text="What happens" />
              </nav>
              {place.view === "happening" || isTopic ? (
                <Happening entries={live.entries} entity={place.entity} />
              ) : (
                <Messages key={`${place.entity} ${place.view}`} place={place} go={go} version={live.version} said={told} total={(place.view === "dead" ? counts?.dead_letter : counts?.active) ?? 0} />
              )}
            </>
          ) : (
            <>
              <Overview found={found} />
              <h2 class="live-title">What happens</h2>
              <Happening entries={live.entries} entity="" />
            </>
          )}
        </section>
        {place.sequence ? <Detail key={`${place.entity} ${place.view} ${place.sequence}`} place={place} go={go} version={live.version} said={told} /> : null}
        {place.name ? <BlobDetail key={`${place.entity} ${place.name}`} place={place} go={go} version={version} /> : null}
      </main>
      {sending ? <Send entity={place.entity} close={(text) => { setSending(false); if (text) told(text); }} /> : null}
    </>
  );
}

/** One step back: from a message to its queue, from a table to all of them, from there to the overview. */
function outOf(place: Place): Place {
  if (place.sequence || place.name) return { ...place, sequence: 0, name: "" };
  return isRoom(place.view) && place.entity ? { ...NOWHERE, view: place.view } : NOWHERE;
}

function Environments({ head, said }: { head: Page; said: (text: string) => void }) {
  return (
    <select aria-label="Environment" value={head.environment} onChange={(event) => void choose(event.currentTarget.value).then(() => { location.hash = "#/"; said(""); }, (trouble: Error) => said(trouble.message))}>
      {head.environments.map((name) => <option value={name}>{name}</option>)}
    </select>
  );
}

function Tab({ place, view, text, bad = false }: { place: Place; view: Place["view"]; text: string; bad?: boolean }) {
  return (
    <a href={hashOf({ view, entity: place.entity })} aria-current={place.view === view ? "page" : undefined} class={bad ? "bad" : ""}>
      {text}
    </a>
  );
}

function Acts({ acts, said }: { acts: string[]; said: (text: string) => void }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>By hand: {acts.length}</button>
      {open ? (
        <Ask title="What was done by hand" close={() => setOpen(false)}>
          <ol class="live-acts">{acts.map((text) => <li>{text}</li>)}</ol>
          <p class="note">A scenario does the same again. It holds what you have typed: look for secrets before you commit it.</p>
          <div class="live-buttons">
            <a class="button primary" href="/api/scenario" download="by_hand.yaml">Save as scenario</a>
            <button type="button" onClick={() => { void forget().then(() => said("Forgotten: by hand begins anew with the next act.")); setOpen(false); }}>Forget</button>
          </div>
        </Ask>
      ) : null}
    </>
  );
}

const root = document.getElementById("app");
if (root) {
  root.textContent = "";
  render(<App />, root);
}
