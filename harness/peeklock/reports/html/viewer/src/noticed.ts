// What went otherwise than it should on the way: what one looks at first, after the failure itself.

import { logged } from "./happened.ts";
import { isError, said } from "./lanes.ts";
import { type Life } from "./ledger.ts";
import { record, type Story } from "./model.ts";

export interface Notice {
  /** Of what it is about: see `Row`. */
  id: string;
  at: number;
  text: string;
}

const MOST = 6;
const LONGEST = 90;

/** So often a service has to warn of the same for that to be told. */
const REPEATED = 3;

/** The most telling first: exits, dead letters, broken contracts, logged errors and what was warned of over and over, locks that
 * ran out, messages that nobody finished or that came twice, answers that were none. */
export function noticed(story: Story, lives: readonly Life[]): Notice[] {
  const exits = story.exits.flatMap((each, index) => {
    const how = each.code < 0 ? `by signal ${-each.code}` : `with code ${each.code}`;
    return each.expected && each.code !== -9 ? [] : [{ id: `exit:${index}`, at: each.at, text: `${each.service} ended ${how}` }];
  });
  const letters = lives.filter((life) => life.outcome === "dead_lettered").map((life) => notice(life, life.settled, `was dead-lettered: ${life.reason || "no reason told"}`));
  const expired = lives.filter((life) => life.outcome === "expired").map((life) => notice(life, life.settled, "expired in its queue"));
  const locks = lives.flatMap((life) =>
    life.deliveries.flatMap((each) => (each.end === "lock_expired" ? [notice(life, each.to, `lost its lock with ${each.who || "its receiver"}`)] : [])),
  );
  const errors = story.lines.flatMap(([at, service, , text], index) => (isError(text) ? [{ id: `line:${index}`, at, text: `${service} logged ${said(text)}` }] : []));
  const answers = story.exchanges.flatMap((each, index) => (each.alarming ? [{ id: `request:${index}`, at: each.at, text: `${each.target}: ${each.summary}` }] : []));
  const wrong = lives.flatMap((life) => (life.wrong.length ? [notice(life, life.at, `is not as its schema says: ${life.wrong[0]!.filter(Boolean).join(": ")}`)] : []));
  const unfinished = lives.flatMap((life) => (life.outcome === "locked" ? [notice(life, life.deliveries.at(-1)?.from ?? life.at, `was still with ${life.deliveries.at(-1)?.who || "its receiver"} at the end`)] : []));
  return [exits, letters, expired, wrong, errors, warnings(story), locks, unfinished, twice(lives), answers].flatMap(firsts).slice(0, MOST).map((each) => ({ ...each, text: each.text.length > LONGEST ? `${each.text.slice(0, LONGEST - 1)}…` : each.text }));
}

/** What a service has warned of over and over, at the last time. */
function warnings(story: Story): Notice[] {
  const seen = new Map<string, { count: number; at: number; index: number; service: string; text: string }>();
  story.lines.forEach(([at, service, , text], index) => {
    if (!/^warn/i.test(String(record(text)["level"] ?? ""))) return;
    const words = `${service}\n${said(text)}`;
    seen.set(words, { count: (seen.get(words)?.count ?? 0) + 1, at, index, service, text });
  });
  return [...seen.values()].filter((each) => each.count >= REPEATED).map(({ count, at, index, service, text }) => ({ id: `line:${index}`, at, text: `${service} warned ${count} times, at last: ${logged(text)}` }));
}

/** Messages with the id of one before them in the same queue, of which neither was dropped. */
function twice(lives: readonly Life[]): Notice[] {
  const first = new Map<string, Life>();
  return lives.flatMap((life) => {
    if (!life.id || life.outcome === "dropped_as_duplicate" || life.original) return [];
    const before = first.get(`${life.queue}\n${life.id}`);
    if (before) return [notice(life, life.at, `has the id of seq ${before.seq}, and neither was dropped`)];
    first.set(`${life.queue}\n${life.id}`, life);
    return [];
  });
}

/** The first two of a kind, and how many there are beside them. */
function firsts(all: Notice[]): Notice[] {
  return all.length > 2 ? [all[0]!, { ...all[1]!, text: `${all[1]!.text} (and ${all.length - 2} more)` }] : all;
}

function notice(life: Life, at: number | null, text: string): Notice {
  return { id: `message:${life.key}`, at: at ?? life.at, text: `${life.queue} seq ${life.seq} ${text}` };
}
