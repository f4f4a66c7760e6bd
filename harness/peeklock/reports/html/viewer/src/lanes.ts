// Lays a story out: a lane for each service replica, each queue with its dead letters and sessions, the database, each blob
// container and stand-in, and what each service traced; on them bars, dots and the links between.

import { DEAD_LETTER, alarming, type Life } from "./ledger.ts";
import { record, type Story } from "./model.ts";
import { toldOf } from "./transactions.ts";

export type Kind = "test" | "service" | "spans" | "queue" | "deadletter" | "sessions" | "store" | "standin";
export type Tone = "step" | "request" | "span" | "lock" | "work" | "good" | "bad" | "muted";

export interface Lane {
  id: string;
  kind: Kind;
  label: string;
  rows: number;
  /** Messages for which there was no row. */
  more: number;
}

/** A place on a lane: its id, the row in it. */
export interface Place {
  lane: string;
  row: number;
}

export interface Bar extends Place {
  /** Of what it shows, as `message:3`: see `Selected`. */
  id: string;
  from: number;
  to: number;
  tone: Tone;
  label: string;
  /** Nothing has ended it. */
  open: boolean;
}

export interface Line extends Place {
  id: string;
  from: number;
  to: number;
}

export interface Dot extends Place {
  id: string;
  at: number;
  tone: Tone;
  mark: "dot" | "cross" | "ring" | "tick";
  label: string;
  /** Written beside it; empty for most. */
  text: string;
}

export interface Link {
  id: string;
  from: Place & { at: number };
  to: Place & { at: number };
  tone: Tone;
}

export interface Band {
  from: number;
  to: number;
  tone: "fault" | "clock";
  label: string;
}

export interface Layout {
  lanes: Lane[];
  bars: Bar[];
  lines: Line[];
  dots: Dot[];
  links: Link[];
  bands: Band[];
  /** As in a story: by how much the clock of the case was ahead, and since when. */
  clock: Story["clock"];
  /** Every moment at which something is drawn. */
  points: number[];
  end: number;
}

export const MOST_MESSAGES = 300;
const MOST_ROWS = 16;
const MOST_SPAN_ROWS = 8;
const MOST_CONTAINERS = 10;
const MOST_TICKS = 600;
const TEST = "test";
const BLOBS = "blobs";
const POSTGRES = "postgres";

export function layout(story: Story, messages: readonly Life[]): Layout {
  const drawing = new Drawing(story, messages);
  drawing.steps();
  drawing.exchanges();
  drawing.spans();
  drawing.messages();
  drawing.sessions();
  drawing.logs();
  drawing.stores();
  drawing.transactions();
  drawing.others();
  return drawing.done();
}

class Drawing {
  private readonly lanes = new Map<string, Lane>();
  private readonly rows = new Map<string, number[]>();
  private readonly bars: Bar[] = [];
  private readonly lines: Line[] = [];
  private readonly dots: Dot[] = [];
  private readonly links: Link[] = [];
  private readonly bands: Band[] = [];
  private readonly places = new Map<Life, Place>();
  private readonly containers = new Set<string>();
  private readonly end: number;
  private readonly story: Story;
  private readonly lives: readonly Life[];

  constructor(story: Story, lives: readonly Life[]) {
    this.story = story;
    this.lives = lives;
    this.end = Math.max(story.ended, ...story.steps.map((step) => step.at + step.ms), ...story.lines.slice(-1).map((line) => line[0]), 1);
    this.lane(TEST, "test");
    for (const name of replicas(story, lives)) this.lane(name, "service");
  }

  private lane(id: string, kind: Kind): Lane {
    let lane = this.lanes.get(id);
    if (!lane) {
      lane = { id, kind, label: id.replace(/\/\$deadletterqueue$/i, ""), rows: 1, more: 0 };
      this.lanes.set(id, lane);
    }
    return lane;
  }

  /** The first free row of a lane for a stretch of time; null when there are too many. */
  private row(lane: Lane, from: number, to: number, most = MOST_ROWS): number | null {
    const ends = this.rows.get(lane.id) ?? [];
    this.rows.set(lane.id, ends);
    let row = ends.findIndex((end) => end <= from);
    if (row < 0) row = ends.length;
    if (row >= most) return null;
    ends[row] = Math.max(to, from + this.end / 400);
    lane.rows = Math.max(lane.rows, row + 1);
    return row;
  }

  /** The lane of a service or one replica of it; that of the test for everybody else. */
  private whose(who: string): Lane {
    return this.lanes.get(who) ?? this.lanes.get(`${who}.0`) ?? this.lanes.get(who.replace(/\.\d+$/, "")) ?? this.lanes.get(TEST)!;
  }

  steps(): void {
    this.story.steps.forEach((step, index) => {
      if (step.depth) return;
      const tone = step.ok ? "step" : "bad";
      this.bars.push({ id: `step:${index}`, lane: TEST, row: 0, from: step.at, to: step.at + step.ms, tone, label: step.name, open: false });
    });
  }

  exchanges(): void {
    this.story.exchanges.forEach((each, index) => {
      const lane = each.caller === TEST ? this.whose(each.target) : each.target === BLOBS ? this.container(each.summary) : this.lane(each.target, "standin");
      if (lane.id === TEST) return;
      const to = each.at + (each.ms ?? 0);
      const row = this.row(lane, each.at, to);
      if (row === null) return void lane.more++;
      const id = `request:${index}`;
      this.bars.push({ id, lane: lane.id, row, from: each.at, to, tone: each.alarming ? "bad" : "request", label: each.summary, open: false });
      const caller = each.caller ? this.whose(each.caller) : null;
      if (caller && caller.id !== lane.id) this.link(id, { lane: caller.id, row: 0, at: each.at }, { lane: lane.id, row, at: each.at }, "muted");
    });
  }

  /** The lane of a container, by what is told of an act on it: `get images/a.png`, `PUT /account/images/a.png`. */
  private container(told: string): Lane {
    const name = /^(?:[a-z]+|[A-Z]+) (?:\/[^/\s]+\/)?([a-z0-9$][a-z0-9-]*)(?=[/\s]|$)/.exec(told)?.[1];
    const id = name && (this.containers.has(name) || this.containers.size < MOST_CONTAINERS) ? `${BLOBS} ${name}` : BLOBS;
    if (name && id !== BLOBS) this.containers.add(name);
    return this.lane(id, "store");
  }

  spans(): void {
    this.story.spans.forEach((span, index) => {
      const lane = this.lane(`${span.service} spans`, "spans");
      const to = span.at + span.ms;
      const row = this.row(lane, span.at, to, MOST_SPAN_ROWS);
      if (row === null) return void lane.more++;
      this.bars.push({ id: `span:${index}`, lane: lane.id, row, from: span.at, to, tone: span.status === "error" ? "bad" : "span", label: span.name, open: false });
    });
  }

  sessions(): void {
    const held = new Map<string, number>();
    const bar = (index: number, to: number, tone: Tone, open: boolean) => {
      const entry = this.story.entries[index]!;
      const lane = this.lane(`${entry.entity} sessions`, "sessions");
      const row = this.row(lane, entry.at, to);
      if (row === null) return void lane.more++;
      this.bars.push({ id: `session:${index}`, lane: lane.id, row, from: entry.at, to, tone, label: `${entry.session} · ${entry.who ?? "?"}`, open });
    };
    this.story.entries.forEach((entry, index) => {
      if (entry.session === undefined) return;
      const name = `${entry.entity}\n${entry.session}`, before = held.get(name);
      if (entry.event === "session_renewed") return;
      if (before !== undefined) bar(before, entry.at, entry.event === "session_lock_lost" ? "bad" : "work", false);
      held.delete(name);
      if (entry.event === "session_accepted") held.set(name, index);
    });
    for (const index of held.values()) bar(index, this.end, "work", true);
  }

  /** What steps did with blobs and in the database. */
  stores(): void {
    this.story.moments.forEach(([at, actor, text, bad], index) => {
      if (actor !== BLOBS && actor !== POSTGRES) return;
      if (text.startsWith("fault ")) return;
      const lane = actor === BLOBS ? this.container(text) : this.lane(POSTGRES, "store");
      this.dots.push({ id: `moment:${index}`, lane: lane.id, row: 0, at, tone: bad ? "bad" : "request", mark: "dot", label: text, text: "" });
    });
  }

  /** What services did in the database. */
  transactions(): void {
    this.story.transactions.forEach((each, index) => {
      const lane = this.lane(POSTGRES, "store");
      const to = each.at + each.ms;
      const row = this.row(lane, each.at, to);
      if (row === null) return void lane.more++;
      const id = `transaction:${index}`;
      const tone = each.end === "committed" ? "request" : "bad";
      this.bars.push({ id, lane: lane.id, row, from: each.at, to, tone, label: `${each.service ? `${each.service}: ` : ""}${toldOf(each)}`, open: false });
      const who = each.service ? this.whose(each.service) : null;
      if (who && who.kind === "service") this.link(id, { lane: who.id, row: 0, at: each.at }, { lane: lane.id, row, at: each.at }, "muted");
    });
  }

  private link(id: string, from: Link["from"], to: Link["to"], tone: Tone): void {
    this.links.push({ id, from, to, tone });
  }

  messages(): void {
    const shown = this.lives.length > MOST_MESSAGES ? interesting(this.lives) : this.lives;
    const chosen = new Set(shown);
    for (const life of this.lives) {
      const lane = this.lane(life.queue, life.queue.toLowerCase().endsWith(DEAD_LETTER) ? "deadletter" : "queue");
      if (!chosen.has(life) || !this.message(life, lane)) lane.more++;
    }
  }

  private message(life: Life, lane: Lane): boolean {
    const to = life.settled ?? this.end;
    const row = this.row(lane, life.at, to);
    if (row === null) return false;
    const id = `message:${life.key}`;
    const place = { lane: lane.id, row };
    this.places.set(life, place);
    const name = life.seq ? `seq ${life.seq}` : life.outcome;
    this.lines.push({ id, ...place, from: life.at, to });
    this.dots.push({ id, ...place, at: life.at, tone: "request", mark: "dot", label: `${life.queue} ${name} enqueued`, text: "" });
    life.deliveries.forEach((delivery, index) => {
      const until = delivery.to ?? this.end;
      const bad = ["lock_expired", "abandoned", "dead_lettered"].includes(delivery.end);
      const label = `${name} · delivery ${index + 1}`;
      this.bars.push({ id, ...place, from: delivery.from, to: until, tone: bad ? "bad" : "lock", label, open: delivery.to === null });
      const worker = this.whose(delivery.who);
      if (worker.id === TEST) return;
      const died = this.story.exits.find((each) => each.at >= delivery.from && each.at < until && this.whose(`${each.service}.${each.replica}`) === worker);
      const worked = died?.at ?? until;
      const at = this.row(worker, delivery.from, worked);
      if (at === null) return void worker.more++;
      this.bars.push({ id, lane: worker.id, row: at, from: delivery.from, to: worked, tone: died ? "bad" : "work", label: `${life.queue} ${name}`, open: !died && delivery.to === null });
      this.link(id, { ...place, at: delivery.from }, { lane: worker.id, row: at, at: delivery.from }, "lock");
    });
    if (life.settled !== null) {
      const bad = ["dead_lettered", "expired", "dropped_as_duplicate", "purged"].includes(life.outcome);
      this.dots.push({ id, ...place, at: to, tone: bad ? "bad" : "good", mark: bad ? "cross" : "dot", label: `${life.queue} ${name} ${life.outcome.replaceAll("_", " ")}`, text: bad ? life.reason || life.outcome.replaceAll("_", " ") : "" });
    } else {
      this.dots.push({ id, ...place, at: to, tone: "muted", mark: "ring", label: `${life.queue} ${name} still ${life.outcome}`, text: `still ${life.outcome}` });
    }
    const before = life.original && this.places.get(life.original);
    if (before) {
      this.link(id, { ...before, at: life.original?.settled ?? life.at }, { ...place, at: life.at }, "bad");
    } else if (life.sender) {
      this.link(id, { lane: this.whose(life.sender).id, row: 0, at: life.at }, { ...place, at: life.at }, "request");
    }
    return true;
  }

  logs(): void {
    const { lines } = this.story;
    const every = Math.max(1, Math.ceil(lines.length / MOST_TICKS));
    lines.forEach(([at, service, replica, text], index) => {
      const bad = isError(text);
      if (!bad && index % every) return;
      const lane = this.whose(`${service}.${replica}`);
      this.dots.push({ id: `line:${index}`, lane: lane.id, row: -1, at, tone: bad ? "bad" : "muted", mark: "tick", label: said(text), text: "" });
    });
  }

  others(): void {
    this.story.exits.forEach((each, index) => {
      const lane = this.whose(`${each.service}.${each.replica}`);
      const how = each.code < 0 ? `signal ${-each.code}` : `code ${each.code}`;
      this.dots.push({ id: `exit:${index}`, lane: lane.id, row: 0, at: each.at, tone: each.expected ? "muted" : "bad", mark: "cross", label: `exited, ${how}`, text: how === "signal 9" ? "SIGKILL" : how });
    });
    const faults = new Map<string, number>();
    for (const [at, actor, text] of this.story.moments) {
      if (actor === "clock") this.bands.push({ from: at, to: at, tone: "clock", label: text.replace(/ to \S+$/, "") });
      const begun = /^fault (.+)$/.exec(text);
      if (actor === TEST && begun) faults.set(begun[1]!, at);
      const ended = /^faults on (.+) cleared$/.exec(text);
      if (actor !== TEST || !ended) continue;
      for (const [label, from] of faults) {
        if (!label.includes(` on ${ended[1]}`)) continue;
        this.bands.push({ from, to: at, tone: "fault", label });
        faults.delete(label);
      }
    }
    for (const [label, from] of faults) this.bands.push({ from, to: this.end, tone: "fault", label });
    this.story.faults.forEach((each, index) => {
      if (/^fault \S+ (begins|ends)/.test(each.text)) return; // the band tells of it
      const lane = each.target === BLOBS ? this.container(each.text.replace(/^fault \S+: /, "")) : (this.lanes.get(each.target) ?? this.lane(each.target, each.target === POSTGRES ? "store" : "standin"));
      // above the transaction that it struck
      this.dots.push({ id: `fault:${index}`, lane: lane.id, row: each.target === POSTGRES ? -1 : 0, at: each.at, tone: "bad", mark: "cross", label: `${each.target}: ${each.text}`, text: "" });
    });
    this.story.entries.forEach((entry, index) => {
      if (entry.event !== "fault") return;
      const details = record(entry.details);
      if (details["phase"] !== "struck") return;
      const lane = this.lanes.get(entry.entity) ?? this.lanes.get(TEST)!;
      this.dots.push({ id: `entry:${index}`, lane: lane.id, row: 0, at: entry.at, tone: "bad", mark: "cross", label: `fault ${details["fault"] ?? ""} struck`, text: "" });
    });
  }

  done(): Layout {
    const { bars, lines, dots, links, bands, end } = this;
    const points = [
      ...bars.flatMap((bar) => (bar.open ? [bar.from] : [bar.from, bar.to])), ...lines.map((line) => line.from), ...dots.filter((dot) => dot.mark !== "ring").map((dot) => dot.at),
      ...bands.map((band) => band.from),
    ];
    return { lanes: inOrder([...this.lanes.values()]), bars, lines, dots, links, bands, clock: this.story.clock, points, end };
  }
}

/** The test, what it asks, then queues each with its dead letters and sessions, what is stored, what answers for others; and what was traced. */
function inOrder(lanes: Lane[]): Lane[] {
  const of = (kind: Kind) => lanes.filter((lane) => lane.kind === kind);
  const letters = new Map(of("deadletter").map((lane) => [lane.label, lane]));
  const queues = of("queue").flatMap((lane) => {
    const dead = letters.get(lane.label);
    letters.delete(lane.label);
    return [lane, ...(dead ? [dead] : []), ...of("sessions").filter((each) => each.id === `${lane.id} sessions`)];
  });
  const others = of("sessions").filter((lane) => !queues.includes(lane));
  return [...of("test"), ...of("service"), ...queues, ...letters.values(), ...others, ...of("store"), ...of("standin"), ...of("spans")];
}

/** `worker`, or `worker.0` and `worker.1` where there is more than one. */
function replicas(story: Story, lives: readonly Life[]): string[] {
  const seen = new Map<string, Set<number>>();
  const add = (service: string, replica: number) => {
    if (!seen.has(service)) seen.set(service, new Set());
    seen.get(service)!.add(replica);
  };
  for (const [, service, replica] of story.lines) add(service, replica);
  for (const each of story.exits) add(each.service, each.replica);
  for (const each of story.exchanges) if (each.caller === TEST && each.target !== TEST) add(each.target, 0);
  const numbered = new Set<string>();
  for (const who of lives.flatMap((life) => life.deliveries.map((each) => each.who))) {
    const found = /^(.+)\.(\d+)$/.exec(who);
    if (!found || !seen.has(found[1]!)) continue;
    add(found[1]!, Number(found[2]));
    numbered.add(found[1]!);
  }
  return [...seen].flatMap(([service, numbers]) =>
    numbers.size > 1 || numbered.has(service) ? [...numbers].sort((a, b) => a - b).map((number) => `${service}.${number}`) : [service],
  );
}

function interesting(lives: readonly Life[]): Life[] {
  const odd = lives.filter(alarming).slice(0, MOST_MESSAGES / 2);
  const letters = new Set([...odd, ...odd.flatMap((life) => life.deadLetter ?? [])]);
  for (const life of lives) {
    if (letters.size >= MOST_MESSAGES) break;
    letters.add(life);
  }
  return [...letters];
}

const ALARMING = new Set(["error", "critical", "fatal"]);

export function isError(text: string): boolean {
  if (!text.startsWith("{")) return text.startsWith("Traceback (most recent call last)");
  return ALARMING.has(String(record(text)["level"]).toLowerCase());
}

/** What a log line says, in a few words. */
export function said(text: string): string {
  const told = text.startsWith("{") ? record(text) : {};
  return String(told["event"] ?? told["message"] ?? told["msg"] ?? text);
}
