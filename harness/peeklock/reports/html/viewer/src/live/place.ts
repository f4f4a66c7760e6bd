// What is shown is written behind the `#`: `#/dead/jobs?from=51&seq=60`.

export interface Place {
  /** Of the view `stack` the log that is shown; empty for its processes. */
  entity: string;
  view: "messages" | "dead" | "happening" | "stack" | "faults";
  /** The sequence number with which the list begins. */
  from: number;
  /** The message that is shown; 0 for none. */
  sequence: number;
}

export const DEAD = "/$deadletterqueue";

export function placeOf(hash: string): Place {
  if (hash === "#/faults") return { entity: "", view: "faults", from: 0, sequence: 0 };
  if (hash === "#/stack") return { entity: "", view: "stack", from: 0, sequence: 0 };
  const found = /^#\/(messages|dead|happening|stack)\/([^?]+)(?:\?(.*))?$/.exec(hash);
  if (!found) return { entity: "", view: "messages", from: 0, sequence: 0 };
  const query = new URLSearchParams(found[3] ?? "");
  let entity = "";
  try {
    entity = decodeURIComponent(found[2] ?? "");
  } catch {
    // written by hand, and no address
  }
  return { entity, view: found[1] as Place["view"], from: Number(query.get("from")) || 0, sequence: Number(query.get("seq")) || 0 };
}

export function hashOf({ entity, view, from, sequence }: Place): string {
  if (!entity) return view === "stack" || view === "faults" ? `#/${view}` : "#/";
  const query = new URLSearchParams();
  if (from) query.set("from", String(from));
  if (sequence) query.set("seq", String(sequence));
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
