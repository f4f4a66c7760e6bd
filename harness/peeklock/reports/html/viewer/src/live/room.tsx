// What the views beside queues and topics share: their head, and what is wrong.

import { hashOf, type Place } from "./place.ts";

export interface RoomProps {
  place: Place;
  go: (place: Place) => void;
  /** Grows with whatever happens. */
  version: number;
  /** What was done, for the line on top. */
  said: (text: string) => void;
  /** Whether the page belongs to a project. */
  project: boolean;
}

/** `within`: what is looked into in the `room`; `again`: looks anew. */
export function Head({ title, within = "", room, again, note = "" }: { title: string; within?: string; room?: Place["view"]; again?: () => void; note?: string }) {
  return (
    <div class="live-head">
      <a class="back" href={within && room ? hashOf({ view: room }) : "#/"} aria-label={within ? `The ${title.toLowerCase()}` : "All queues and topics"}>‹</a>
      <h1>
        {within && room ? <a href={hashOf({ view: room })}>{title}</a> : title}
        {within ? ` › ${within}` : ""}
      </h1>
      {note ? <span class="file">{note}</span> : null}
      {again ? <button type="button" onClick={again}>Look again</button> : null}
    </div>
  );
}

export function Trouble({ error }: { error: string }) {
  return error ? <p class="live-said bad" role="status">{error}</p> : null;
}
