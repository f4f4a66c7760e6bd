import assert from "node:assert/strict";
import { test } from "node:test";
import { context } from "../src/assistant.ts";
import { rowsOf } from "../src/happened.ts";
import { layout } from "../src/lanes.ts";
import { lives } from "../src/ledger.ts";
import type { Head, Story } from "../src/model.ts";
import { noticed } from "../src/noticed.ts";
import { chromeTrace } from "../src/trace.ts";
import { born, entry, story } from "./story.ts";

const HEAD: Head = { file: "a.yaml", name: "one", outcome: "failed", repeat: 0, covers: [], tags: [], seconds: [0, 0, 1], why: "", history: [], passed: null };

function trace(told: Partial<Story>) {
  const whole = story(told);
  return chromeTrace("one", layout(whole, lives(whole.entries))).traceEvents;
}

test("a trace has a named thread for each row of a lane, and microseconds", () => {
  const events = trace({ entries: [born(1, "enqueued"), entry(2, "delivered", { who: "worker" }), entry(5, "completed")], lines: [[0, "worker", 0, "up"]] });
  const names = new Map(events.filter((each) => each.name === "thread_name").map((each) => [each.tid, each.args?.["name"]]));
  const bars = events.filter((each) => each.ph === "X").map((each) => [names.get(each.tid), each.name, each.ts, each.dur]);
  assert.deepEqual(bars, [["jobs", "seq 1 · delivery 1", 2000, 3000], ["worker", "jobs seq 1", 2000, 3000]]);
});

test("what stands on one thread of a trace does not overlap", () => {
  const entries = [1, 2, 3].flatMap((seq) => [born(seq, "enqueued", { seq }), entry(seq + 1, "delivered", { seq, who: "worker" }), entry(seq + 9, "completed", { seq })]);
  const bars = trace({ entries, lines: [[0, "worker", 0, "up"]] }).filter((each) => each.ph === "X");
  assert.equal(new Set(bars.map((each) => each.tid)).size, bars.length);
});

test("an assistant gets the failure, the case, what was noticed and what happened last, within bounds", () => {
  const whole = story({
    reason: "no disk", listings: [{ part: "case", file: "a.yaml", first: 3, lines: ["- ask", "- wait"], steps: [3, 4] }],
    steps: [{ at: 0, file: "a.yaml", line: 3, last_line: 3, depth: 0, name: "ask", verb: "http", ms: 1, waiting: 0, tries: 1, ok: false }],
    lines: Array.from({ length: 500 }, (_, n) => [n, "api", 0, `{"level": "error", "event": "e${n}${"x".repeat(900)}"}`] as Story["lines"][number]),
  });
  const text = context(HEAD, whole, rowsOf(whole, []), noticed(whole, []));
  for (const part of ["no disk", "FAILED    3 - ask", "api logged e0", "the last 60 of", "peeklock run 'a.yaml::one'"]) assert.ok(text.includes(part), part);
  assert.ok(text.length < 20_100);
});
