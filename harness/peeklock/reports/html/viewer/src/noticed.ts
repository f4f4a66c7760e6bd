// What went otherwise than it should on the way: what one looks at first, after the failure itself.

import { isError, said } from "./lanes.ts";
import { type Life } from "./ledger.ts";
import type { Story } from "./model.ts";

export interface Notice {
  /** Of what it is about: see `Row`. */
  id: string;
  at: number;
  text: string;
}

const MOST = 6;
const LONGEST = 90;

/** The most telling first: exits, dead letters, logged errors, locks that ran out, answers that were none. */
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
  return [exits, letters, expired, errors, locks, answers].flatMap(firsts).slice(0, MOST).map((each) => ({ ...each, text: each.text.length > LONGEST ? `${each.text.slice(0, LONGEST - 1)}…` : each.text }));
}

/** The first two of a kind, and how many there are beside them. */
function firsts(all: Notice[]): Notice[] {
  return all.length > 2 ? [all[0]!, { ...all[1]!, text: `${all[1]!.text} (and ${all.length - 2} more)` }] : all;
}

function notice(life: Life, at: number | null, text: string): Notice {
  return { id: `message:${life.key}`, at: at ?? life.at, text: `${life.queue} seq ${life.seq} ${text}` };
}
