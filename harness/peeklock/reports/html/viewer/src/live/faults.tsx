// Faults of the namespace: begun, counted and cleared by hand.

import { useState } from "preact/hooks";
import { beginFault, endFault, entities, faults, type Fault } from "./api.ts";
import { useLooked } from "./feed.ts";
import { RelayFaults } from "./relay_faults.tsx";
import { Head, Trouble, type RoomProps } from "./room.tsx";
import { LiveTable } from "./table.tsx";

export function Faults({ version, said, project }: RoomProps) {
  const looked = useLooked(entities, "", version).found;
  const { found, error } = useLooked(faults, "", version);
  const [kind, setKind] = useState("server_busy");
  const [entity, setEntity] = useState("");
  const [times, setTimes] = useState("1");
  const chosen = found?.kinds.find((each) => each.kind === kind);
  const names = looked ? [...looked.queues, ...looked.topics.flatMap((topic) => [topic, ...topic.subscriptions])].map((each) => each.name) : [];
  function begin(event: Event) {
    event.preventDefault();
    const count = chosen?.counted && times ? Number(times) : null;
    beginFault({ fault: kind, entity, times: count }).then(
      ({ struck }) => said(chosen?.at_once ? `${kind} has struck ${struck} time${struck === 1 ? "" : "s"}` : `${kind} has begun`),
      (trouble: Error) => said(trouble.message),
    );
  }
  function end({ id, fault }: Fault) {
    endFault(id).then(() => said(`${fault} was cleared`), (trouble: Error) => said(trouble.message));
  }
  return (
    <>
      <Head title="Faults" />
      <Trouble error={error} />
      {project ? <h2 class="live-title">Of Service Bus</h2> : null}
      <form class="live-tools" onSubmit={begin}>
        <select aria-label="Fault" value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
          {found?.kinds.map((each) => <option value={each.kind}>{each.kind.replaceAll("_", " ")}</option>)}
        </select>
        <select aria-label="Of" value={entity} onChange={(event) => setEntity(event.currentTarget.value)}>
          <option value="">the whole namespace</option>
          {names.map((name) => <option value={name}>{name}</option>)}
        </select>
        {chosen?.counted ? <input type="number" min={1} max={1000} aria-label="Times; empty: until cleared" placeholder="until cleared" value={times} onInput={(event) => setTimes(event.currentTarget.value)} /> : null}
        <button type="submit" class="primary">{chosen?.at_once ? "Strike" : "Begin"}</button>
      </form>
      <p class="note live-note">{chosen ? `${chosen.summary}.` : ""}</p>
      {found?.faults.length ? (
        <LiveTable columns={["fault", "of", "struck", "still to strike", "acts"]}>
          {found.faults.map((each) => (
            <tr>
              <th scope="row">{each.fault.replaceAll("_", " ")}</th>
              <td>{each.entity ?? "the whole namespace"}</td>
              <td>{each.struck}</td>
              <td>{each.active ? (each.left ?? "until cleared") : "over"}</td>
              <td><button type="button" onClick={() => end(each)} aria-label={`Clear ${each.id}`}>Clear</button></td>
            </tr>
          ))}
        </LiveTable>
      ) : (
        <p class="nothing">No fault has been begun. Begin, strikes and end stand in what happens.</p>
      )}
      {project ? <RelayFaults said={said} /> : null}
    </>
  );
}
