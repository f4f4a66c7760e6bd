// What stood where at any moment of a case: a story folded into changes, with a snapshot at every so many of them.

import { DEAD_LETTER, OPEN, type Life } from "./ledger.ts";
import type { Story } from "./model.ts";

export type Depth = "active" | "locked" | "scheduled" | "deferred";
export type Depths = Record<Depth, number>;

export interface Lock {
  queue: string;
  seq: number;
  who: string;
  since: number;
}

/** A moment as it was. */
export interface Then {
  /** By queue; one that has stood there once stays, with zeros. */
  queues: Map<string, Depths>;
  /** By the key of the message. */
  locks: Map<number, Lock>;
  /** Who has a session, by its queue and name. */
  sessions: Map<string, string>;
  /** The numbers of the replicas that run, by service. */
  replicas: Map<string, Set<number>>;
}

type Change = { at: number } & (
  | { kind: "message"; life: Life; before: string; after: string; who: string }
  | { kind: "session"; name: string; who: string | null }
  | { kind: "replica"; service: string; replica: number; up: boolean }
);
type ReplicaChange = Extract<Change, { kind: "replica" }>;

/** Changes from one snapshot to the next: what finding a moment costs at most. */
const EVERY = 512;
/** What a process wrote is read a moment after it has ended. */
const LATE_LINES = 100;

export class Film {
  /** The moments at which anything changes, in order. */
  readonly moments: readonly number[];
  private readonly changes: Change[];
  private readonly snapshots: Then[];

  constructor(story: Story, lives: readonly Life[]) {
    this.changes = [...messages(lives), ...sessions(story), ...replicas(story, lives)].sort((a, b) => a.at - b.at);
    this.moments = [...new Set(this.changes.map((each) => each.at))];
    const now: Then = { queues: new Map(), locks: new Map(), sessions: new Map(), replicas: new Map() };
    for (const life of lives) if (!now.queues.has(life.queue)) now.queues.set(life.queue, { active: 0, locked: 0, scheduled: 0, deferred: 0 });
    this.snapshots = [copy(now)];
    this.changes.forEach((change, index) => {
      apply(now, change);
      if ((index + 1) % EVERY === 0) this.snapshots.push(copy(now));
    });
  }

  /** How things stood when everything up to that moment had happened. */
  at(moment: number): Then {
    const count = countUpTo(this.changes, moment, (each) => each.at);
    const snapshot = Math.floor(count / EVERY);
    const then = copy(this.snapshots[snapshot]!);
    for (let index = snapshot * EVERY; index < count; index++) apply(then, this.changes[index]!);
    return then;
  }

  /** The moment of the next change, or of the one before; where there is none, the given one. */
  step(moment: number, by: 1 | -1): number {
    const count = countUpTo(this.moments, moment, (each) => each);
    const here = this.moments[count - 1] === moment;
    return this.moments[by > 0 ? count : count - (here ? 2 : 1)] ?? moment;
  }
}

function messages(lives: readonly Life[]): Change[] {
  return lives.flatMap((life) => {
    let before = "";
    return life.history.map(({ at, outcome, who }): Change => {
      const change: Change = { kind: "message", at, life, before, after: outcome, who };
      before = outcome;
      return change;
    });
  });
}

function sessions(story: Story): Change[] {
  return story.entries.flatMap((entry): Change[] => {
    const name = `${entry.entity} ${entry.session}`;
    if (entry.event === "session_accepted") return [{ kind: "session", at: entry.at, name, who: entry.who ?? "" }];
    return entry.event === "session_released" || entry.event === "session_lock_lost" ? [{ kind: "session", at: entry.at, name, who: null }] : [];
  });
}

/** A replica runs from its first sign of life, and from the next one after it has ended; without a rule, from the begin. */
export function replicas(story: Story, lives: readonly Life[]): ReplicaChange[] {
  const scaled = new Map<string, number>();
  for (const [at, service, text] of story.moments) if (text.startsWith("scaled ") && !scaled.has(service)) scaled.set(service, at);
  const known = new Set([...story.lines.map((line) => line[1]), ...story.exits.map((each) => each.service)]);
  const signs = [
    ...story.lines.map(([at, service, replica]) => ({ at, service, replica, up: true })),
    ...story.exits.map(({ at, service, replica }) => ({ at, service, replica, up: false })),
    ...lives.flatMap((life) => life.deliveries.flatMap(({ from, who }) => {
      const [, service = who, replica = "0"] = /^(.+)\.(\d+)$/.exec(who) ?? [];
      return known.has(service) ? [{ at: from, service, replica: Number(replica), up: true }] : [];
    })),
  ].sort((a, b) => a.at - b.at);
  const last = new Map<string, { at: number; up: boolean }>();
  return signs.flatMap((sign): ReplicaChange[] => {
    const name = `${sign.service}.${sign.replica}`;
    const before = last.get(name);
    if (before && (before.up === sign.up || (sign.up && sign.at - before.at < LATE_LINES))) return [];
    last.set(name, sign);
    const always = !before && sign.at <= (scaled.get(sign.service) ?? Infinity);
    const change: ReplicaChange = { kind: "replica", ...sign };
    if (!always) return [change];
    return [{ ...change, at: Math.min(0, sign.at), up: true }, ...(sign.up ? [] : [change])];
  });
}

function apply(then: Then, change: Change): void {
  switch (change.kind) {
    case "message": {
      const { life, before, after } = change;
      const depths = then.queues.get(life.queue)!;
      if (OPEN.has(before)) depths[before as Depth] -= 1;
      if (OPEN.has(after)) depths[after as Depth] += 1;
      if (after !== "locked") then.locks.delete(life.key);
      else if (change.who) then.locks.set(life.key, { queue: life.queue, seq: life.seq, who: change.who, since: change.at });
      return;
    }
    case "session":
      if (change.who === null) then.sessions.delete(change.name);
      else then.sessions.set(change.name, change.who);
      return;
    case "replica": {
      const running = then.replicas.get(change.service) ?? new Set();
      then.replicas.set(change.service, running);
      if (change.up) running.add(change.replica);
      else running.delete(change.replica);
    }
  }
}

function copy(then: Then): Then {
  return {
    queues: new Map([...then.queues].map(([name, depths]) => [name, { ...depths }])),
    locks: new Map(then.locks),
    sessions: new Map(then.sessions),
    replicas: new Map([...then.replicas].map(([service, numbers]) => [service, new Set(numbers)])),
  };
}

/** How many of what is in order do not lie behind a moment. */
function countUpTo<T>(ordered: readonly T[], moment: number, at: (each: T) => number): number {
  let low = 0, high = ordered.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(ordered[middle]!) <= moment) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface Pill {
  name: string;
  text: string;
  kind: "queue" | "deadletter" | "session" | "service";
  /** Nothing is there. */
  empty: boolean;
}

const DEPTHS: Depth[] = ["active", "locked", "scheduled", "deferred"];

/** A moment in words: each queue with its depths and who has its messages, each session, each service. */
export function told(then: Then): Pill[] {
  const holders = new Map<string, Set<string>>();
  for (const { queue, who } of then.locks.values()) holders.set(queue, (holders.get(queue) ?? new Set()).add(who));
  const queues = [...then.queues].map(([queue, depths]): Pill => {
    const dead = queue.toLowerCase().endsWith(DEAD_LETTER);
    const name = dead ? queue.slice(0, -DEAD_LETTER.length) : queue;
    const empty = DEPTHS.every((depth) => !depths[depth]);
    if (dead) return { name, kind: "deadletter", empty, text: `${DEPTHS.reduce((sum, depth) => sum + depths[depth], 0)} dead-lettered` };
    const words = DEPTHS.filter((depth) => depths[depth] || (empty && depth === "active")).map((depth) => {
      const by = [...(holders.get(queue) ?? [])];
      return `${depths[depth]} ${depth}${depth === "locked" && by.length ? ` by ${by.slice(0, 3).join(", ")}${by.length > 3 ? " …" : ""}` : ""}`;
    });
    return { name, kind: "queue", empty, text: words.join(" · ") };
  });
  const held = [...then.sessions].map(([name, who]): Pill => ({ name, kind: "session", empty: false, text: `session of ${who || "?"}` }));
  const services = [...then.replicas].map(([name, numbers]): Pill => ({ name, kind: "service", empty: !numbers.size, text: numbers.size === 1 ? "runs" : numbers.size ? `${numbers.size} replicas` : "down" }));
  return [...queues, ...held, ...services];
}
