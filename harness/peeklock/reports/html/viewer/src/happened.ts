// What happened, in time order, a row each: repeats are folded, polls of the test itself too.

import { isError, said } from "./lanes.ts";
import { type Life } from "./ledger.ts";
import { record, type Entry, type Story } from "./model.ts";
import { toldOf } from "./transactions.ts";

export interface Row {
  /** Of what it is about: see `Selected`. */
  id: string;
  at: number;
  actor: string;
  text: string;
  alarming: boolean;
  times: number;
}

const BAD = new Set(["dead_lettered", "transfer_dead_lettered", "expired", "lock_expired", "access_refused"]);
const DULL = new Set(["timestamp", "time", "level", "event", "service", "logger", "exception", "stack", "correlation_id"]);

export function rowsOf(story: Story, lives: readonly Life[]): Row[] {
  const owner = new Map<string, Life>();
  for (const life of lives) if (life.seq) owner.set(`${life.queue}\n${life.seq}`, life);
  const asked = new Set(story.exchanges.map((each) => `${each.target}\n${each.summary}`));
  const changed = new Set(story.transactions.map((each) => `${each.service || "postgres"}\n${toldOf(each)}`));
  const rows: Row[] = [
    ...story.steps.flatMap((step, index) => {
      const words = `step: ${step.name}`;
      return step.depth ? [] : [row(`step:${index}`, step.ok ? step.at : step.at + step.ms, "test", step.ok ? words : `${words}: failed`, !step.ok)];
    }),
    ...story.moments.flatMap(([at, actor, text, bad], index) =>
      (bad && text.startsWith("span ")) || asked.has(`${actor}\n${text}`) || changed.has(`${actor}\n${text}`) ? [] : [row(`moment:${index}`, at, actor, text, bad === 1)],
    ),
    ...story.exchanges.map((each, index) => row(`request:${index}`, each.at, each.target, each.summary, each.alarming)),
    ...story.transactions.map((each, index) => row(`transaction:${index}`, each.at + each.ms, each.service || "postgres", toldOf(each), each.end !== "committed")),
    ...story.entries.map((entry, index) => {
      const life = entry.seq ? owner.get(`${entry.entity}\n${entry.seq}`) : undefined;
      return row(life ? `message:${life.key}` : `entry:${index}`, entry.at, entry.entity || "servicebus", told(entry), BAD.has(entry.event));
    }),
    ...story.lines.map(([at, service, , text], index) => row(`line:${index}`, at, service, logged(text), isError(text))),
    ...story.spans.flatMap((span, index) => (span.status === "error" ? [row(`span:${index}`, span.at + span.ms, span.service, `span ${span.name}: ${span.message || "error"}`, true)] : [])),
    ...story.exits.map((each, index) =>
      row(`exit:${index}`, each.at, each.service, `exited, ${each.code < 0 ? `signal ${-each.code}` : `code ${each.code}`}`, !each.expected),
    ),
  ];
  return folded(rows.sort((a, b) => a.at - b.at));
}

function row(id: string, at: number, actor: string, text: string, alarming: boolean): Row {
  return { id, at, actor, text, alarming, times: 1 };
}

function told(entry: Entry): string {
  const details = record(entry.details);
  const words = [entry.event.replaceAll("_", " ")];
  if (entry.event === "fault") words.push(String(details["fault"] ?? ""), String(details["phase"] ?? ""));
  if (entry.seq) words.push(`seq ${entry.seq}`);
  if (entry.event === "delivered") words.push(`· delivery ${entry.delivery} to ${entry.who ?? "?"}`);
  if (entry.session) words.push(entry.session);
  if (details["reason"]) words.push(`· ${details["reason"]}`);
  return words.join(" ");
}

/** What a log line says, with its fields. */
export function logged(text: string): string {
  if (!text.startsWith("{")) return text;
  const more = Object.entries(record(text)).filter(([key, value]) => !DULL.has(key) && typeof value !== "object");
  return [said(text), ...more.map(([key, value]) => `${key}=${value}`)].join(" ");
}

/** Rows that repeat the one before of the same actor become one. */
function folded(rows: Row[]): Row[] {
  const kept: Row[] = [];
  const last = new Map<string, Row>();
  for (const each of rows) {
    const before = last.get(each.actor);
    if (before && before.text === each.text && each.at - before.at < 60_000 && /^(get|head) /i.test(each.text)) {
      before.times += 1;
      continue;
    }
    if (kept.at(-1)?.actor === each.actor && kept.at(-1)?.text === each.text) {
      kept.at(-1)!.times += 1;
      continue;
    }
    kept.push(each);
    last.set(each.actor, each);
  }
  return kept;
}
