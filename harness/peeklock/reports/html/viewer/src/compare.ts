// How a case went beside how it went when it last passed: which events both have, and where they part.

import type { Row } from "./happened.ts";

/** Events that both have, those of them that are folded away, or what only one of them has. */
export type Stretch = { kind: "same" | "folded"; pairs: [Row, Row][] } | { kind: "differs"; before: Row[]; now: Row[] };

/** Equal events that are shown before and after a difference. */
const CONTEXT = 3;

const NAMES = /(?:^|[_.-])(?:ids?|at|time|timestamp|date|port|pid|seq|sequence|token|sas|sig|etag|nonce|trace|span|traceparent|duration|elapsed|took|latency|ms|secs?|seconds)$|[a-z](?:Id|At|Time|Ms|Seconds|Token)$/;
/** What is another in each run. Bounded, as a log line may be made to be slow. */
const VOLATILE: [RegExp, string | ((...found: string[]) => string)][] = [
  [/\beyJ[\w-]+\.[\w.-]+/g, "<token>"],
  [/\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b/gi, "<id>"],
  [/\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?/g, "<time>"],
  [/\b\d\d:\d\d:\d\d(?:[.,]\d+)?/g, "<time>"],
  [/(\bdelivery \d+ to [^\s]{1,200}?)\.\d+$/g, "$1"],
  [/([\w.-]{1,40})(=|": ?)("[^"]*"|[^\s,;)}\]]+)/g, (all, name, sign) => (NAMES.test(name!) ? `${name}${sign}<value>` : all!)],
  [/\b(seq|sequence|sequence number|port|pid|process) ([#[]?)\d+/gi, "$1 $2<number>"],
  [/([\w\]]):\d{4,5}\b/g, "$1:<port>"],
  [/\/\d+(?=[/?#\s]|$)/g, "/<id>"],
  [/\b\d+(?:\.\d+)? ?(?:µs|us|ns|ms|s|sec|seconds?|min|minutes?)\b/g, "<duration>"],
  [/[\w-]{20,}/g, (word) => (/[a-z]/i.test(word!) && word!.replace(/\D/g, "").length > 2 ? "<id>" : word!)],
  [/\b(?:0x)?[0-9a-f]{8,}\b/gi, (word) => (/\d/.test(word!) ? "<id>" : word!)],
];

/** What an event has in common with itself in another run. */
export function keyOf(row: Pick<Row, "id" | "actor" | "text">): string {
  const text = row.id.startsWith("step:") ? row.text.replace(/: failed$/, "") : row.text;
  return `${row.actor}\n${VOLATILE.reduce((told, [pattern, by]) => told.replace(pattern, by as string), text)}`;
}

/** Both courses as stretches. What both have stands at its place of now: in which order things happen is mostly chance. */
export function compared(before: readonly Row[], now: readonly Row[]): Stretch[] {
  const partners = partnersOf(before, now);
  const paired = new Set(partners);
  const anchors = rising(partners);
  const stretches: Stretch[] = [];
  let next = 0;
  /** What was only before, up to the event that is the next in both. */
  function missing(until: number): void {
    for (; next < until; next++) if (!paired.has(next)) parts(stretches).before.push(before[next]!);
  }
  const places = [...anchors.map((index) => partners[index]!), before.length];
  missing(places.shift()!);
  now.forEach((row, index) => {
    const other = before[partners[index]!];
    if (!other) parts(stretches).now.push(row);
    else if (other.alarming === row.alarming) shared(stretches).push([other, row]);
    else parts(stretches).before.push(other), parts(stretches).now.push(row);
    if (anchors[0] !== index) return;
    anchors.shift();
    missing(places.shift()!);
  });
  return stretches.flatMap((each, index) => (each.kind === "differs" ? [each] : folded(each.pairs, index > 0, index < stretches.length - 1)));
}

function parts(stretches: Stretch[]): Extract<Stretch, { kind: "differs" }> {
  let last = stretches.at(-1);
  if (last?.kind !== "differs") stretches.push((last = { kind: "differs", before: [], now: [] }));
  return last;
}

function shared(stretches: Stretch[]): [Row, Row][] {
  let last = stretches.at(-1);
  if (!last || last.kind === "differs") stretches.push((last = { kind: "same", pairs: [] }));
  return last.pairs;
}

function folded(pairs: [Row, Row][], after: boolean, before: boolean): Stretch[] {
  const from = after ? CONTEXT : 0, to = pairs.length - (before ? CONTEXT : 0);
  if (to - from < 3) return [{ kind: "same", pairs }];
  const all: Stretch[] = [
    { kind: "same", pairs: pairs.slice(0, from) },
    { kind: "folded", pairs: pairs.slice(from, to) },
    { kind: "same", pairs: pairs.slice(to) },
  ];
  return all.filter((each) => each.kind === "differs" || each.pairs.length);
}

/** For each event of now the index of the same one before; -1 where there is none. Of equal events the nth is that of the nth. */
function partnersOf(before: readonly Row[], now: readonly Row[]): number[] {
  const free = new Map<string, number[]>();
  before.forEach((row, index) => {
    const key = keyOf(row);
    if (!free.get(key)?.push(index)) free.set(key, [index]);
  });
  const used = new Map<string, number>();
  return now.map((row) => {
    const key = keyOf(row), count = used.get(key) ?? 0;
    used.set(key, count + 1);
    return free.get(key)?.[count] ?? -1;
  });
}

/** The indexes of a longest sequence of values that rise; negative ones do not count. */
function rising(values: readonly number[]): number[] {
  const ends: number[] = [];
  const previous: number[] = [];
  values.forEach((value, index) => {
    if (value < 0) return;
    let low = 0, high = ends.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[ends[middle]!]! < value) low = middle + 1;
      else high = middle;
    }
    previous[index] = ends[low - 1] ?? -1;
    ends[low] = index;
  });
  const kept: number[] = [];
  for (let index = ends.at(-1) ?? -1; index >= 0; index = previous[index]!) kept.push(index);
  return kept.reverse();
}
