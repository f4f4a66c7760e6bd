// The clock of the environment, and a jump.

import { useState } from "preact/hooks";
import { clockState, jump } from "./api.ts";
import { useEachSecond } from "./each_second.ts";
import { moment } from "./place.ts";
import { Head, Trouble, type RoomProps } from "./room.tsx";

export function ClockView({ said }: RoomProps) {
  const { found, error } = useEachSecond(clockState, "");
  const [by, setBy] = useState("1h");
  const [busy, setBusy] = useState(false);
  function go(event: Event) {
    event.preventDefault();
    setBusy(true);
    jump(by)
      .then(({ now }) => said(`The clock was moved by ${by}: it is ${moment(now)}`), (trouble: Error) => said(trouble.message))
      .finally(() => setBusy(false));
  }
  return (
    <>
      <Head title="Clock" />
      <Trouble error={error} />
      {found ? (
        <>
          <p class="live-time" aria-label="Time of the environment">{moment(found.now)}</p>
          <p class="live-note">{found.movable ? (found.ahead ? `${ahead(found.ahead)} of this machine's clock` : "It shows the machine's time still.") : found.why}</p>
          {found.movable ? (
            <form class="live-tools" onSubmit={go}>
              <input type="text" aria-label="Jump by" placeholder="30s, 10m, 2h, 15d" value={by} onInput={(event) => setBy(event.currentTarget.value)} />
              <button type="submit" class="primary" disabled={busy || !by}>Jump</button>
              {["10m", "1h", "1d", "15d"].map((each) => <button type="button" onClick={() => setBy(each)}>{each}</button>)}
            </form>
          ) : (
            <p class="live-note note">{found.how}</p>
          )}
          {found.movable ? <p class="live-note note">Everything that stands here goes by it: Postgres, blobs, Service Bus and the services. What falls due is done at once. Time does not run backwards.</p> : null}
        </>
      ) : null}
    </>
  );
}

function ahead(seconds: number): string {
  const size = Math.abs(seconds);
  const days = Math.floor(size / 86400), hours = Math.floor((size % 86400) / 3600), minutes = Math.floor((size % 3600) / 60);
  const told = [days ? `${days} d` : "", hours ? `${hours} h` : "", minutes ? `${minutes} min` : "", size < 60 ? `${Math.round(size)} s` : ""].filter(Boolean).join(" ");
  return `${told} ${seconds < 0 ? "behind" : "ahead"}`;
}
