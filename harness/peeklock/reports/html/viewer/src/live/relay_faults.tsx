// Faults between the services and what they stand on, in the words of a scenario.

import { useState } from "preact/hooks";
import { beginRelayFault, clearRelayFaults, relay } from "./api.ts";
import { useEachSecond } from "./each_second.ts";
import { LiveTable } from "./table.tsx";

export function RelayFaults({ said }: { said: (text: string) => void }) {
  const { found, error } = useEachSecond(relay, "");
  const [on, setOn] = useState("");
  const [kind, setKind] = useState("");
  const [value, setValue] = useState("");
  const [times, setTimes] = useState("");
  const target = found?.targets.find((each) => each.name === on) ?? found?.targets[0];
  const chosen = target?.kinds.includes(kind) ? kind : (target?.kinds[0] ?? "");
  const facts = found?.kinds[chosen];
  function begin(event: Event) {
    event.preventDefault();
    if (!target) return;
    beginRelayFault({ on: target.name, fault: chosen, value, times: facts?.counted && times ? Number(times) : null }).then(() => said(`${chosen} has begun on ${target.name}`), (trouble: Error) => said(trouble.message));
  }
  function clear(name: string) {
    clearRelayFaults(name).then(({ struck }) => said(`The faults on ${name} were cleared; they have struck ${struck} time${struck === 1 ? "" : "s"}`), (trouble: Error) => said(trouble.message));
  }
  return (
    <>
      <h2 class="live-title">Between services and what they stand on</h2>
      {error ? <p class="live-note note" role="status">{error}</p> : null}
      {found ? (
        <>
          <form class="live-tools" onSubmit={begin}>
            <select aria-label="On" value={target?.name} onChange={(event) => setOn(event.currentTarget.value)}>
              {found.targets.map((each) => <option value={each.name}>{each.name}</option>)}
            </select>
            <select aria-label="Kind" value={chosen} onChange={(event) => setKind(event.currentTarget.value)}>
              {target?.kinds.map((each) => <option value={each}>{each.replaceAll("_", " ")}</option>)}
            </select>
            <input type="text" aria-label="Value as in a scenario" placeholder={facts?.short ? `${facts.short}, or {…} as in a scenario` : "nothing, or {…} as in a scenario"} value={value} onInput={(event) => setValue(event.currentTarget.value)} />
            {facts?.counted ? <input type="number" min={1} max={1000} aria-label="Strikes; empty: until cleared" placeholder="until cleared" value={times} onInput={(event) => setTimes(event.currentTarget.value)} /> : null}
            <button type="submit" class="primary">Switch on</button>
          </form>
          <p class="note live-note">{facts ? `${facts.summary}. \`${chosen}: ${value || (facts.short ? "…" : "true")}\`` : ""}</p>
          {found.faults.length ? (
            <LiveTable columns={["fault", "on", "struck", "state", "acts"]}>
              {found.faults.map((each) => (
                <tr>
                  <th scope="row">{each.kind.replaceAll("_", " ")}</th>
                  <td>{each.target}</td>
                  <td>{each.struck}</td>
                  <td>{each.over ? "over" : "on"}</td>
                  <td><button type="button" onClick={() => clear(each.target)}>Clear all on {each.target}</button></td>
                </tr>
              ))}
            </LiveTable>
          ) : null}
        </>
      ) : null}
    </>
  );
}
