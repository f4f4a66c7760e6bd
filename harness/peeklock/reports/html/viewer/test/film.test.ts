import assert from "node:assert/strict";
import { test } from "node:test";
import { Film, told } from "../src/film.ts";
import { lives } from "../src/ledger.ts";
import type { Entry, Story } from "../src/model.ts";
import { born, entry, story } from "./story.ts";

function film(of: Partial<Story>): Film {
  const whole = story(of);
  return new Film(whole, lives(whole.entries));
}

function texts(of: Film, at: number): string[] {
  return told(of.at(at)).map((pill) => `${pill.name}: ${pill.text}`);
}

test("a message is active, locked by who has it, then gone; in the dead-letter queue it is counted there", () => {
  const shown = film({
    entries: [
      born(10, "enqueued"), entry(20, "delivered", { who: "worker.1" }), entry(30, "abandoned"), entry(40, "delivered", { who: "worker.0" }),
      entry(50, "dead_lettered"), born(50, "enqueued", { entity: "jobs/$deadletterqueue", details: '{"dead_letter_source": 1}' }),
    ],
  });
  assert.deepEqual(texts(shown, 9), ["jobs: 0 active", "jobs: 0 dead-lettered"]);
  assert.deepEqual(texts(shown, 10), ["jobs: 1 active", "jobs: 0 dead-lettered"]);
  assert.deepEqual(texts(shown, 25), ["jobs: 1 locked by worker.1", "jobs: 0 dead-lettered"]);
  assert.deepEqual(texts(shown, 35), ["jobs: 1 active", "jobs: 0 dead-lettered"]);
  assert.deepEqual(texts(shown, 50), ["jobs: 0 active", "jobs: 1 dead-lettered"]);
});

test("scheduled and deferred messages are no active ones", () => {
  const shown = film({ entries: [born(1, "scheduled", { seq: 4 }), born(2, "enqueued", { seq: 5 }), entry(3, "delivered", { seq: 5, who: "w" }), entry(4, "deferred", { seq: 5 })] });
  assert.deepEqual(texts(shown, 9), ["jobs: 1 scheduled · 1 deferred"]);
});

test("a session has who accepted it until it is released or lost", () => {
  const session = (at: number, event: string): Entry => ({ n: at, at, entity: "jobs", event, session: "blue", who: "worker" });
  const shown = film({ entries: [session(5, "session_accepted"), session(9, "session_released"), session(11, "session_accepted"), session(12, "session_lock_lost")] });
  assert.deepEqual([4, 5, 9, 11, 12].map((at) => texts(shown, at).length), [0, 1, 0, 1, 0]);
  assert.deepEqual(texts(shown, 6), ["jobs blue: session of worker"]);
});

test("a replica is down from its exit to its next sign of life; lines that are read late are none", () => {
  const shown = film({
    lines: [[100, "worker", 0, "up"], [310, "worker", 0, "last words"], [900, "worker", 0, "up again"]],
    exits: [{ at: 300, service: "worker", replica: 0, code: -9, expected: true }],
  });
  assert.deepEqual([0, 299, 300, 311, 900].map((at) => texts(shown, at)[0]), ["worker: runs", "worker: runs", "worker: down", "worker: down", "worker: runs"]);
});

test("replicas that a rule has started are there from their first sign", () => {
  const shown = film({ lines: [[0, "worker", 0, "up"], [500, "worker", 1, "up"]], moments: [[400, "worker", "scaled 1 → 2: 10 messages", 0]] });
  assert.deepEqual([0, 450, 500].map((at) => texts(shown, at)), [["worker: runs"], ["worker: runs"], ["worker: 2 replicas"]]);
});

test("one steps from change to change, and stays at the ends", () => {
  const shown = film({ entries: [born(10, "enqueued"), entry(20, "delivered"), entry(30, "completed")] });
  assert.deepEqual([shown.step(0, 1), shown.step(10, 1), shown.step(20, -1), shown.step(25, -1), shown.step(30, 1), shown.step(10, -1)], [10, 20, 10, 20, 30, 10]);
});

test("every moment of a long story is what applying all before it gives, whichever snapshot it is found by", () => {
  const entries: Entry[] = [];
  for (let n = 1; n <= 3000; n++) entries.push(born(n, "enqueued", { seq: n }), entry(n + 5.5, "delivered", { seq: n, who: "w" }), entry(n + 9.5, "completed", { seq: n }));
  entries.sort((a, b) => a.at - b.at);
  const shown = film({ entries });
  for (const at of [3, 511, 512, 1024.7, 2999, 3005]) {
    const [enqueued, delivered, completed] = ["enqueued", "delivered", "completed"].map((event) => entries.filter((each) => each.event === event && each.at <= at).length) as [number, number, number];
    assert.deepEqual(shown.at(at).queues.get("jobs"), { active: enqueued - delivered, locked: delivered - completed, scheduled: 0, deferred: 0 });
    assert.equal(shown.at(at).locks.size, delivered - completed);
  }
});
