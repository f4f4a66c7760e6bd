// Folds the entries of a ledger into the life of each message: where it stood, who had it, what became of it.

import { record, type Entry } from "./model.ts";

export const DEAD_LETTER = "/$deadletterqueue";
const TRANSFER = "/$transfer";

export interface Delivery {
  who: string;
  as: string;
  from: number;
  /** Until it was settled; null while nothing ended it. */
  to: number | null;
  /** The event that ended it. */
  end: string;
  renewed: number[];
}

export interface Life {
  /** Of the entry with which it came to stand in its queue. */
  key: number;
  queue: string;
  seq: number;
  id: string;
  sender: string;
  senderAs: string;
  body: string;
  /** What the schema of its queue finds wrong: path and sentence. */
  wrong: [path: string, sentence: string][];
  props: Record<string, unknown>;
  at: number;
  outcome: string;
  settled: number | null;
  reason: string;
  description: string;
  deliveries: Delivery[];
  history: { at: number; event: string; who: string; details: Record<string, unknown>; /** What it was then. */ outcome: string }[];
  /** In the dead-letter queue: what it was before, and back. */
  original: Life | null;
  deadLetter: Life | null;
}

const ENDS = new Set([
  "completed", "abandoned", "released", "lock_expired", "taken_back", "deferred", "dead_lettered", "transfer_dead_lettered", "expired",
  "deleted", "purged", "forwarded", "transferred", "received_and_deleted",
]);
const OUTCOMES: Record<string, string> = {
  enqueued: "active", activated: "active", delivered: "locked", received_and_deleted: "completed", abandoned: "active",
  released: "active", lock_expired: "active", taken_back: "active", transfer_dead_lettered: "dead_lettered",
  duplicate_dropped: "dropped_as_duplicate",
};
const UNCHANGED = new Set(["renewed", "fault"]);
export const OPEN = new Set(["active", "locked", "scheduled", "deferred"]);

/** The lives of all messages, in the order in which they began. */
export function lives(entries: readonly Entry[]): Life[] {
  const all: Life[] = [];
  const known = new Map<string, Life>();
  const key = (entity: string, seq: unknown) => `${entity}\n${seq}`;

  function find(entry: Entry, details: Record<string, unknown>): Life {
    const seq = entry.seq ?? 0;
    const scheduled = details["scheduled_sequence"];
    const waited = scheduled ? known.get(key(entry.entity, scheduled)) : undefined;
    if (waited) {
      known.delete(key(entry.entity, scheduled));
      waited.seq = seq;
      known.set(key(entry.entity, seq), waited);
      return waited;
    }
    const found = known.get(key(entry.entity, seq));
    if (found && entry.props === undefined) return found;
    const life: Life = {
      key: entry.n, queue: entry.entity, seq, id: entry.id ?? "", sender: entry.sender ?? "", senderAs: entry.sender_as ?? "",
      body: entry.body ?? "", wrong: entry.wrong ?? [], props: record(entry.props), at: entry.at, outcome: "active", settled: null, reason: "", description: "",
      deliveries: [], history: [], original: null, deadLetter: null,
    };
    all.push(life);
    if (seq) known.set(key(entry.entity, seq), life);
    if (entry.entity.endsWith(DEAD_LETTER)) {
      const source = entry.entity.slice(0, -DEAD_LETTER.length).replace(new RegExp(`${TRANSFER.replace("$", "\\$")}$`), "");
      const original = known.get(key(source, details["dead_letter_source"]));
      if (original) {
        life.original = original;
        original.deadLetter = life;
        life.reason = original.reason;
        life.description = original.description;
      }
    }
    return life;
  }

  function happen(life: Life, entry: Entry, details: Record<string, unknown>): void {
    const { event, at } = entry;
    const happened = { at, event, who: entry.who ?? "", details, outcome: life.outcome };
    life.history.push(happened);
    const last = life.deliveries.at(-1);
    if (event === "delivered" || event === "received_and_deleted") {
      if (last && last.to === null) last.to = at;
      life.deliveries.push({ who: entry.who ?? "", as: entry.who_as ?? "", from: at, to: null, end: "", renewed: [] });
    } else if (event === "renewed") {
      last?.renewed.push(at);
    } else if (event === "activated") {
      life.at = at;
    }
    const current = life.deliveries.at(-1);
    if (ENDS.has(event) && current && current.to === null) {
      current.to = at;
      current.end = event;
    }
    if (event === "dead_lettered" || event === "transfer_dead_lettered") {
      life.reason = String(details["reason"] ?? "");
      life.description = String(details["description"] ?? "");
    }
    if (!UNCHANGED.has(event)) {
      life.outcome = OUTCOMES[event] ?? event;
      // what was deferred once is received by its number only
      if (life.outcome === "active" && life.history.some((each) => each.event === "deferred")) life.outcome = "deferred";
      if (!OPEN.has(life.outcome)) life.settled = at;
      happened.outcome = life.outcome;
    }
  }

  for (const entry of entries) {
    const details = record(entry.details);
    if (entry.event === "purged") {
      for (const life of all) if (life.queue === entry.entity && OPEN.has(life.outcome)) happen(life, entry, details);
    }
    if (entry.seq === undefined || entry.event === "fault") continue;
    happen(find(entry, details), entry, details);
  }
  return all;
}

/** Whether a message went a way that somebody looking for a fault wants to see. */
export function alarming(life: Life): boolean {
  return life.outcome === "dead_lettered" || life.outcome === "expired" || life.deliveries.some((each) => each.end === "lock_expired");
}
