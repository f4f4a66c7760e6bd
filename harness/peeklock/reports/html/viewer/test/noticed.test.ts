import assert from "node:assert/strict";
import { test } from "node:test";
import { lives } from "../src/ledger.ts";
import type { Story } from "../src/model.ts";
import { noticed } from "../src/noticed.ts";
import { born, entry, story } from "./story.ts";

function texts(told: Partial<Story>): string[] {
  const whole = story(told);
  return noticed(whole, lives(whole.entries)).map((each) => each.text);
}

test("nothing is noticed of a case in which all went as it should", () => {
  assert.deepEqual(texts({ entries: [born(0, "enqueued"), entry(1, "delivered"), entry(2, "completed")], exits: [{ at: 3, service: "api", replica: 0, code: -15, expected: true }] }), []);
});

test("what is most telling comes first: an exit, dead letters, errors, locks, answers", () => {
  assert.deepEqual(
    texts({
      entries: [
        born(0, "enqueued"), entry(1, "delivered", { who: "worker" }), entry(2, "lock_expired"), entry(3, "delivered"),
        entry(4, "dead_lettered", { details: '{"reason": "TooOld"}' }),
      ],
      exits: [{ at: 3, service: "worker", replica: 0, code: -9, expected: true }],
      lines: [[2, "worker", 0, '{"level": "error", "event": "no disk"}']],
      exchanges: [{ at: 1, ms: 2, caller: "test", target: "api", summary: "GET / → 500", alarming: true, view: "{}" }],
    }),
    ["worker ended by signal 9", "jobs seq 1 was dead-lettered: TooOld", "worker logged no disk", "jobs seq 1 lost its lock with worker", "api: GET / → 500"],
  );
});

test("many of a kind are two, and their number", () => {
  const lines = Array.from({ length: 7 }, (_, n) => [n, "api", 0, `{"level": "error", "event": "e${n}"}`] as Story["lines"][number]);
  assert.deepEqual(texts({ lines }), ["api logged e0", "api logged e1 (and 5 more)"]);
});

test("what a service warns of over and over is told once, as it was at last", () => {
  const lines = [1, 2, 3].map((attempt) => [attempt, "api", 0, `{"level": "warning", "event": "upload failed", "attempt": ${attempt}}`] as Story["lines"][number]);
  assert.deepEqual(texts({ lines }), ["api warned 3 times, at last: upload failed attempt=3"]);
  assert.deepEqual(texts({ lines: lines.slice(1) }), []);
});

test("a message that somebody has at the end, one that came twice and one outside of its contract are noticed", () => {
  const first = born(0, "enqueued", { id: "a" }), second = born(1, "enqueued", { id: "a", seq: 2, wrong: [["id", "7 is no text"]] });
  const dropped = born(2, "enqueued", { id: "a", seq: 3 });
  assert.deepEqual(texts({ entries: [first, second, dropped, entry(3, "duplicate_dropped", { seq: 3 }), entry(4, "delivered", { who: "worker" })] }), [
    "jobs seq 2 is not as its schema says: id: 7 is no text", "jobs seq 1 was still with worker at the end", "jobs seq 2 has the id of seq 1, and neither was dropped",
  ]);
});
