// Containers, the blobs in one of them, and one blob. They are looked at anew when something happens in the namespace.

import { useState } from "preact/hooks";
import { Code, Facts, Value } from "../facts.tsx";
import { blob, blobs, containers, picture } from "./api.ts";
import { useLooked } from "./feed.ts";
import { moment, hashOf, type Place } from "./place.ts";
import { Head, Trouble, type RoomProps } from "./room.tsx";

const LARGEST = 8 << 20;
const SHOWN = 64 << 10;

export function Blobs({ place, go, version }: RoomProps) {
  return place.entity ? <Listed key={place.entity} place={place} go={go} version={version} /> : <Containers version={version} />;
}

function Containers({ version }: { version: number }) {
  const [asked, setAsked] = useState(0);
  const { found, error } = useLooked(containers, "", version + asked);
  return (
    <>
      <Head title="Blobs" again={() => setAsked(asked + 1)} />
      <Trouble error={error} />
      {found?.length === 0 ? <p class="nothing">The account has no container.</p> : null}
      <ul class="live-logs">
        {found?.map((name) => <li><a href={hashOf({ view: "blobs", entity: name })}>{name}</a></li>)}
      </ul>
    </>
  );
}

function Listed({ place, go, version }: { place: Place; go: (place: Place) => void; version: number }) {
  const [prefix, setPrefix] = useState("");
  const [pages, setPages] = useState<string[]>([]);
  const [asked, setAsked] = useState(0);
  const after = pages.at(-1) ?? "";
  const { found, error } = useLooked(() => blobs(place.entity, prefix, after), `${prefix}\n${after}`, version + asked);
  return (
    <>
      <Head title="Blobs" within={place.entity} room="blobs" again={() => setAsked(asked + 1)} />
      <div class="live-tools">
        <input type="search" placeholder="Names that begin so  ( / )" aria-label="Names that begin so" value={prefix} onInput={(event) => { setPrefix(event.currentTarget.value); setPages([]); }} />
      </div>
      <Trouble error={error} />
      {found?.blobs.length === 0 ? <p class="nothing">{prefix ? "No blob has a name that begins so." : "The container is empty."}</p> : null}
      {found?.blobs.length ? (
        <div class="live-scroll grow">
          <table class="live-table messages">
            <thead>
              <tr>
                <th scope="col">Blob</th>
                <th scope="col" class="number">Bytes</th>
                <th scope="col">Type</th>
                <th scope="col">Written</th>
              </tr>
            </thead>
            <tbody>
              {found.blobs.map((each) => (
                <tr key={each.name} class={each.name === place.name ? "selected" : ""} onClick={() => each.opens && go({ ...place, name: each.name })}>
                  <td class="what">{each.opens ? <a href={hashOf({ ...place, name: each.name })} onClick={(event) => event.stopPropagation()}>{each.name}</a> : each.name}</td>
                  <td class="number">{each.size.toLocaleString("en")}</td>
                  <td>{each.type}</td>
                  <td class="time">{moment(each.written)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : null}
      {pages.length || found?.after ? (
        <div class="live-pages">
          <button type="button" disabled={!pages.length} onClick={() => setPages(pages.slice(0, -1))}>Back</button>
          <button type="button" disabled={!found?.after} onClick={() => found && setPages([...pages, found.after])}>Next</button>
        </div>
      ) : null}
    </>
  );
}

/** On the right: facts, metadata, and text, picture or bytes. */
export function BlobDetail({ place, go, version }: { place: Place; go: (place: Place) => void; version: number }) {
  const { found, error } = useLooked(() => blob(place.entity, place.name), place.name, version);
  const [raw, setRaw] = useState(false);
  return (
    <section class="pane details live-detail" aria-label="Blob" tabIndex={0}>
      <div class="live-head">
        <h2>{place.name}</h2>
        <button type="button" aria-label="Close" onClick={() => go({ ...place, name: "" })}>✕</button>
      </div>
      {error ? <p class="actual">{error}</p> : null}
      {found ? (
        <>
          <Facts rows={{ container: place.entity, bytes: found.size.toLocaleString("en"), type: found.type, written: moment(found.written), ...found.metadata }} />
          <h3>
            Content {found.size > SHOWN && !found.picture ? <small>its begin</small> : null}
            {found.text && found.hex ? <button type="button" class="link" onClick={() => setRaw(!raw)}>{raw ? "as text" : "as hex"}</button> : null}
          </h3>
          {found.picture && found.size <= LARGEST ? <img class="live-picture" src={picture(place.entity, place.name)} alt={`The picture ${place.name}`} /> : raw || !found.text ? <Code text={found.hex || "(empty)"} /> : <Value text={found.text} />}
        </>
      ) : null}
    </section>
  );
}
