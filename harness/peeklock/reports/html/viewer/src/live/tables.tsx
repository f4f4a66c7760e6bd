// The tables of the environment's database, and the rows of one. They are looked at anew when something happens in the namespace.

import { useState } from "preact/hooks";
import { rows, tables, type Table } from "./api.ts";
import { useLooked } from "./feed.ts";
import { hashOf, type Place } from "./place.ts";
import { Head, Trouble, type RoomProps } from "./room.tsx";
import { LiveTable } from "./table.tsx";

const PAGE = 50;

export function Tables({ place, go, version }: RoomProps) {
  const table = Number(place.entity);
  return table ? <Rows key={table} table={table} place={place} go={go} version={version} /> : <Listed version={version} />;
}

function Listed({ version }: { version: number }) {
  const [asked, setAsked] = useState(0);
  const { found, error } = useLooked(tables, "", version + asked);
  return (
    <>
      <Head title="Tables" again={() => setAsked(asked + 1)} />
      <Trouble error={error} />
      {found?.length === 0 ? <p class="nothing">The database has no table.</p> : null}
      {found?.length ? (
        <LiveTable columns={["Table", "Rows"]} number="Rows" grow>
          {found.map((each) => (
            <tr>
              <th scope="row"><a href={hashOf({ view: "tables", entity: String(each.id) })}>{each.name}</a></th>
              <td class="number">{counted(each)}</td>
            </tr>
          ))}
        </LiveTable>
      ) : null}
    </>
  );
}

function Rows({ table, place, go, version }: { table: number; place: Place; go: (place: Place) => void; version: number }) {
  const [asked, setAsked] = useState(0);
  const { found, error } = useLooked(() => rows(table, place.from), `${place.from}`, version + asked);
  return (
    <>
      <Head title="Tables" within={found?.name ?? "…"} room="tables" again={() => setAsked(asked + 1)} note={found ? `${counted(found)} rows` : ""} />
      <Trouble error={error} />
      {found && !found.rows.length ? <p class="nothing">{place.from ? "There are no rows behind these." : "The table is empty."}</p> : null}
      {found?.rows.length ? (
        <LiveTable columns={found.columns.map(({ name, type, key }) => <>{name} <small>{type}{key ? ", key" : ""}</small></>)} kind="rows" label={`Rows of ${found.name}`} grow>
          {found.rows.map((row) => (
            <tr>{row.map((value) => <td>{value === null ? <small>null</small> : <span class="value" title={value}>{value}</span>}</td>)}</tr>
          ))}
        </LiveTable>
      ) : null}
      {place.from || (found && found.count > PAGE) ? (
        <div class="live-pages">
          <button type="button" disabled={!place.from} onClick={() => go({ ...place, from: Math.max(0, place.from - PAGE) })}>Back {PAGE}</button>
          <button type="button" disabled={found?.rows.length !== PAGE} onClick={() => go({ ...place, from: place.from + PAGE })}>Next {PAGE}</button>
          <span class="file">from row {place.from + 1}</span>
        </div>
      ) : null}
    </>
  );
}

function counted({ count, more }: Pick<Table, "count" | "more">): string {
  return `${count.toLocaleString("en")}${more ? "+" : ""}`;
}
