import assert from "node:assert/strict";
import { test } from "node:test";
import { alarming, lives } from "../src/ledger.ts";
import { born, entry } from "./story.ts";

test("a message that is completed has one delivery, as long as its lock", () => {
  const [life] = lives([born(10, "enqueued"), entry(20, "delivered", { who: "worker" }), entry(50, "completed", { who: "worker" })]);
  assert.equal(life?.outcome, "completed");
  assert.equal(life?.settled, 50);
  assert.deepEqual(life?.deliveries, [{ who: "worker", as: "", from: 20, to: 50, end: "completed", renewed: [] }]);
  assert.equal(life?.props["subject"], "job");
});

test("a lock that expired ends its delivery, and the next begins", () => {
  const [life] = lives([
    born(0, "enqueued"), entry(1, "delivered", { who: "worker.0" }), entry(5, "renewed"), entry(30, "lock_expired"),
    entry(31, "delivered", { who: "worker.1" }),
  ]);
  assert.deepEqual(life?.deliveries.map((each) => [each.who, each.end, each.to, each.renewed]), [["worker.0", "lock_expired", 30, [5]], ["worker.1", "", null, []]]);
  assert.equal(life?.outcome, "locked");
  assert.equal(life?.settled, null);
  assert.ok(alarming(life!));
});

test("what is dead-lettered and what lies in the dead-letter queue are joined, with the reason", () => {
  const [life, letter] = lives([
    born(0, "enqueued"), entry(1, "delivered", { who: "worker" }),
    entry(9, "dead_lettered", { details: '{"reason": "TooOld", "description": "by a day"}' }),
    born(9, "enqueued", { entity: "jobs/$deadletterqueue", seq: 1, details: '{"dead_letter_source": 1}' }),
  ]);
  assert.equal(life?.deadLetter, letter);
  assert.equal(letter?.original, life);
  assert.equal(letter?.reason, "TooOld");
  assert.equal(letter?.description, "by a day");
});

test("a scheduled message has a new number when its time has come, and stays the same message", () => {
  const all = lives([born(0, "scheduled", { seq: 4 }), entry(40, "activated", { seq: 9, details: '{"scheduled_sequence": 4}' })]);
  assert.equal(all.length, 1);
  assert.deepEqual([all[0]?.seq, all[0]?.at, all[0]?.outcome], [9, 40, "active"]);
});

test("a message that was deferred once stays deferred when it is given back", () => {
  const [life] = lives([born(0, "enqueued"), entry(1, "delivered"), entry(2, "deferred"), entry(3, "delivered"), entry(4, "abandoned")]);
  assert.equal(life?.outcome, "deferred");
});

test("a purge ends what is still held, and nothing else", () => {
  const all = lives([born(0, "enqueued"), born(0, "enqueued", { seq: 2 }), entry(1, "delivered"), entry(2, "completed"), { n: 9, at: 3, entity: "jobs", event: "purged" }]);
  assert.deepEqual(all.map((life) => life.outcome), ["completed", "purged"]);
});

test("a fault that strikes a message changes nothing of its life", () => {
  const [life] = lives([born(0, "enqueued"), entry(1, "fault", { details: '{"phase": "struck"}' })]);
  assert.equal(life?.outcome, "active");
});

test("text that is no JSON, because a secret in it was masked, is no trouble", () => {
  const [life] = lives([born(0, "enqueued", { props: '{"a": ***}', details: '{"x": ***}' })]);
  assert.deepEqual(life?.props, {});
});
