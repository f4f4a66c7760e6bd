// The warm stack: what is up, what it logs, services to start anew. It is looked at anew each second while it is shown.

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { log, restart, stack, type Process, type Stack } from "./api.ts";
import { Ask } from "./ask.tsx";
import { useEachSecond } from "./each_second.ts";
import { hashOf } from "./place.ts";
import { Head, Trouble, type RoomProps } from "./room.tsx";
import { LiveTable } from "./table.tsx";

export function StackView({ place: { entity: shown }, said }: RoomProps) {
  const { found, error } = useEachSecond(stack, "");
  const [asked, setAsked] = useState("");
  function again() {
    const name = asked;
    setAsked("");
    restart(name).then(() => said(`${name} was started anew`), (trouble: Error) => said(trouble.message));
  }
  return (
    <>
      <Head title="Warm stack" within={shown} room="stack" note={found?.up ? `${found.backend} · ${found.in_use ? `${found.in_use} environments in use` : "no run uses it"}` : ""} />
      <Trouble error={error} />
      {shown ? <Log key={shown} name={shown} /> : found ? <Processes found={found} ask={setAsked} /> : null}
      {asked ? (
        <Ask title={`Start ${asked} anew?`} close={() => setAsked("")}>
          <p>It is told to end, has its grace period, and is started as it was. A run that uses it sees that.</p>
          <div class="live-buttons">
            <button type="button" class="primary" onClick={again}>Restart</button>
            <button type="button" onClick={() => setAsked("")}>Cancel</button>
          </div>
        </Ask>
      ) : null}
    </>
  );
}

function Processes({ found, ask }: { found: Stack; ask: (name: string) => void }) {
  if (!found.up) return <p class="nothing">No warm stack is up in {found.root}: `peeklock up` brings it up.</p>;
  return (
    <div class="live-stack">
      <LiveTable columns={["process", "state", "pid", "since", "acts"]}>
        {found.processes.map((each) => (
          <tr>
            <th scope="row">{each.name}</th>
            <td class={each.ended === null ? "" : "actual"}>{stateOf(each)}</td>
            <td>{each.pid}</td>
            <td>{new Date(each.since * 1000).toLocaleTimeString()}</td>
            <td>{each.restarts ? <button type="button" onClick={() => ask(each.name)} aria-label={`Restart ${each.name}`}>Restart…</button> : null}</td>
          </tr>
        ))}
      </LiveTable>
      <h2 class="live-title">Logs</h2>
      <ul class="live-logs">
        {found.logs.map((name) => (
          <li>
            <a href={hashOf({ entity: name, view: "stack" })}>{name}</a>
          </li>
        ))}
      </ul>
    </div>
  );
}

function stateOf({ ended, paused }: Process): string {
  if (ended !== null) return ended < 0 ? `ended by signal ${-ended}` : `ended with ${ended}`;
  return paused ? "paused" : "runs";
}

/** The last lines, which follow its end unless one has scrolled up. */
function Log({ name }: { name: string }) {
  const { found, error } = useEachSecond(() => log(name), name);
  const [text, setText] = useState("");
  const box = useRef<HTMLPreElement>(null);
  const follows = useRef(true);
  const lines = found?.lines.filter((line) => line.toLowerCase().includes(text.toLowerCase())) ?? [];
  useLayoutEffect(() => {
    if (follows.current && box.current) box.current.scrollTop = box.current.scrollHeight;
  });
  return (
    <>
      <div class="live-tools">
        <input type="search" placeholder="Filter  ( / )" aria-label="Filter the log" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <span class="file">{found ? `${lines.length} lines` : ""}</span>
      </div>
      <Trouble error={error} />
      <pre class="code live-log" ref={box} tabIndex={0} role="region" aria-label={`Log of ${name}`} onScroll={({ currentTarget: { scrollTop, clientHeight, scrollHeight } }) => (follows.current = scrollTop + clientHeight > scrollHeight - 30)}>
        {lines.length ? lines.join("\n") : "(nothing)"}
      </pre>
    </>
  );
}
