import assert from "node:assert/strict";
import { test } from "node:test";
import { lives } from "../src/ledger.ts";
import type { Scaled, Story } from "../src/model.ts";
import { ownTime } from "../src/own_time.ts";
import { courseOf, ruleOf } from "../src/scaling.ts";
import { born, entry, story } from "./story.ts";

const RULE: Scaled = { service: "worker", queues: [["jobs", 5, 0]], min: 0, max: 3, polling: 30, cooldown: 300, trigger: "", first: 0, changes: [], executions: [] };

function course(more: Partial<Scaled>, told: Partial<Story>) {
  const whole = story(told);
  return courseOf({ ...RULE, ...more }, whole, lives(whole.entries));
}

test("the clock of a case is ahead by all that it was moved", () => {
  const clock: Story["clock"] = [[100, 30_000], [200, 330_000]];
  assert.deepEqual([50, 100, 150, 250].map((at) => ownTime(clock, at)), [50, 30_100, 30_150, 330_250]);
});

test("messages count from their enqueue to their end, while they are locked too", () => {
  const { at, messages } = course({}, { entries: [born(10, "enqueued"), born(20, "enqueued", { seq: 2 }), entry(30, "delivered"), entry(40, "completed"), born(50, "enqueued", { entity: "other", seq: 9 })] });
  assert.deepEqual(at, [0, 10, 20, 40, 1000]);
  assert.deepEqual(messages, [0, 1, 2, 1, 1]);
});

test("what the rule wanted and what ran are two things, both by the clock of the case", () => {
  const told = course(
    { changes: [[30_010, 0, 2, 7, "7 messages at 5 each"]] },
    { clock: [[10, 30_000]], moments: [[11, "worker", "scaled 0 → 2: 7 messages at 5 each", 0]], lines: [[400, "worker", 0, "up"], [500, "worker", 1, "up"]], ended: 1000 },
  );
  assert.deepEqual(told.at, [0, 30_010, 30_400, 30_500, 31_000]);
  assert.deepEqual(told.wanted, [0, 2, 2, 2, 2]);
  assert.deepEqual(told.running, [0, 0, 1, 2, 2]);
});

test("of a job the executions that run are shown", () => {
  const { at, wanted } = course({ trigger: "event", executions: [[10, 90, "a", "succeeded", ""], [20, null, "b", "running", ""]] }, { ended: 100 });
  assert.deepEqual([at, wanted], [[0, 10, 20, 90, 100], [0, 1, 2, 1, 1]]);
});

test("a rule is told in words", () => {
  assert.equal(ruleOf(RULE), "jobs: 5 messages each · 0 to 3 replicas · looks every 30 s · none after 5 min without work");
  assert.equal(ruleOf({ ...RULE, trigger: "schedule", queues: [] }), "job, started by its schedule · at most 3 executions");
});
