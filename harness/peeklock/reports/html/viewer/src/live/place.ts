// What is shown is written behind the `#`: `#/dead/jobs?from=51&seq=60`, `#/blobs/photos?name=7.jpg`.

/** Views that belong to no queue or topic. */
export const ROOMS = ["cases", "blobs", "tables", "clock", "faults", "stack"] as const;
type Room = (typeof ROOMS)[number];

export interface Place {
  /** A queue, topic or subscription; in other views what is looked into: a log, a container, a table. */
  entity: string;
  view: "messages" | "dead" | "happening" | Room;
  /** The sequence number, or the row, with which the list begins. */
  from: number;
  /** The message that is shown; 0 for none. */
  sequence: number;
  /** The blob that is shown; empty for none. */
  name: string;
}

export const NOWHERE: Place = { entity: "", view: "messages", from: 0, sequence: 0, name: "" };
export const DEAD = "/$deadletterqueue";

export function isRoom(view: string): view is Room {
  return (ROOMS as readonly string[]).includes(view);
}

export function placeOf(hash: string): Place {
  const found = /^#\/(\w+)(?:\/([^?]+)(?:\?(.*))?)?$/.exec(hash);
  const view = found?.[1] ?? "";
  if (isRoom(view) && !found?.[2]) return { ...NOWHERE, view };
  if (!found?.[2] || !(isRoom(view) || ["messages", "dead", "happening"].includes(view))) return NOWHERE;
  const query = new URLSearchParams(found[3] ?? "");
  let entity = "";
  try {
    entity = decodeURIComponent(found[2]);
  } catch {
    // written by hand, and no address
  }
  return { entity, view: view as Place["view"], from: Number(query.get("from")) || 0, sequence: Number(query.get("seq")) || 0, name: query.get("name") ?? "" };
}

export function hashOf(place: Partial<Place>): string {
  const { entity, view, from, sequence, name } = { ...NOWHERE, ...place };
  if (!entity) return isRoom(view) ? `#/${view}` : "#/";
  const query = new URLSearchParams();
  if (from) query.set("from", String(from));
  if (sequence) query.set("seq", String(sequence));
  if (name) query.set("name", name);
  return `#/${view}/${encodeURIComponent(entity)}${query.size ? `?${query}` : ""}`;
}

/** Where the messages of a place are. */
export function pathOf(place: Place): string {
  return place.view === "dead" ? place.entity + DEAD : place.entity;
}

/** A time of day, with milliseconds. */
export function clock(milliseconds: number): string {
  const at = new Date(milliseconds);
  return `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** A day and a time of day. */
export function moment(milliseconds: number): string {
  const at = new Date(milliseconds);
  return `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, "0")}-${String(at.getDate()).padStart(2, "0")} ${at.toTimeString().slice(0, 8)}`;
}
