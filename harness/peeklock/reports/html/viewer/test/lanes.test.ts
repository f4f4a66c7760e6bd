import assert from "node:assert/strict";
import { test } from "node:test";
import { rowsOf } from "../src/happened.ts";
import { isError, layout, MOST_MESSAGES } from "../src/lanes.ts";
import { lives } from "../src/ledger.ts";
import type { Entry, Story } from "../src/model.ts";
import { born, entry, story } from "./story.ts";

function drawn(told: Partial<Story>) {
  const whole = story(told);
  return layout(whole, lives(whole.entries));
}

test("lanes come as: the test, services, each queue with its dead letters, stand-ins", () => {
  const { lanes } = drawn({
    entries: [born(9, "enqueued", { entity: "jobs/$deadletterqueue" }), born(0, "enqueued", { entity: "other" }), born(0, "enqueued")],
    lines: [[0, "api", 0, "up"]],
    exchanges: [{ at: 1, ms: 2, caller: "api", target: "aml", summary: "POST /score 200", alarming: false, view: "{}" }],
  });
  assert.deepEqual(lanes.map((lane) => [lane.kind, lane.label]), [["test", "test"], ["service", "api"], ["queue", "other"], ["queue", "jobs"], ["deadletter", "jobs"], ["standin", "aml"]]);
});

test("a message is a line, each delivery a bar on its queue and one on who had it", () => {
  const { bars, lines } = drawn({
    entries: [born(0, "enqueued"), entry(1, "delivered", { who: "worker" }), entry(5, "completed")],
    lines: [[0, "worker", 0, "up"]],
  });
  assert.deepEqual(lines.map((line) => [line.lane, line.from, line.to]), [["jobs", 0, 5]]);
  assert.deepEqual(bars.map((bar) => [bar.lane, bar.tone, bar.from, bar.to]), [["jobs", "lock", 1, 5], ["worker", "work", 1, 5]]);
});

test("replicas have a lane each, a single one that of its service", () => {
  const told = { lines: [[0, "worker", 0, "up"], [0, "worker", 1, "up"], [0, "api", 0, "up"]] as Story["lines"] };
  assert.deepEqual(drawn(told).lanes.map((lane) => lane.label), ["test", "worker.0", "worker.1", "api"]);
});

test("work ends when who does it dies, though the lock goes on", () => {
  const { bars } = drawn({
    entries: [born(0, "enqueued"), entry(1, "delivered", { who: "worker" }), entry(90, "lock_expired")],
    exits: [{ at: 20, service: "worker", replica: 0, code: -9, expected: true }],
  });
  assert.deepEqual(bars.map((bar) => [bar.lane, bar.to, bar.tone]), [["jobs", 90, "bad"], ["worker", 20, "bad"]]);
});

test("messages at the same time stand in rows of their own; what has no row is counted", () => {
  const entries = Array.from({ length: 20 }, (_, n) => born(n, "enqueued", { seq: n + 1 }));
  const lane = drawn({ entries }).lanes.find((each) => each.label === "jobs")!;
  assert.equal(lane.rows, 16);
  assert.equal(lane.more, 4);
});

test("of very many messages those in trouble are drawn first", () => {
  const entries: Entry[] = [];
  for (let n = 1; n <= 1000; n++) entries.push(born(n, "enqueued", { seq: n }), entry(n + 0.1, "delivered", { seq: n }), entry(n + 0.2, n === 900 ? "lock_expired" : "completed", { seq: n }));
  const { dots, lanes } = drawn({ entries });
  const whole = lives(entries);
  assert.ok(dots.some((dot) => dot.id === `message:${whole[899]!.key}`));
  assert.equal(lanes.find((each) => each.label === "jobs")!.more, 1000 - MOST_MESSAGES);
});

test("a jump of the clock and a fault are bands", () => {
  const { bands } = drawn({ moments: [[5, "clock", "moved by 15d to 2027-01-01T00:00:00Z", 0], [10, "test", "fault latency on api", 0], [30, "test", "faults on api cleared", 0]] });
  assert.deepEqual(bands, [{ from: 5, to: 5, tone: "clock", label: "moved by 15d" }, { from: 10, to: 30, tone: "fault", label: "latency on api" }]);
});

test("a fault that nothing clears lasts to the end of the case", () => {
  assert.deepEqual(drawn({ moments: [[10, "test", "fault latency on api", 0]] }).bands.map((band) => [band.from, band.to]), [[10, 1000]]);
});

test("an error is told by its level, or by a traceback", () => {
  assert.ok(isError('{"level": "ERROR"}'));
  assert.ok(isError("Traceback (most recent call last):"));
  assert.ok(!isError('{"level": "info", "event": "error"}'));
});

test("polls of the test are folded into one row", () => {
  const exchanges = Array.from({ length: 163 }, (_, n) => ({ at: n, ms: 1, caller: "test", target: "api", summary: "GET /orders/7 → 200", alarming: false, view: "{}" }));
  const rows = rowsOf(story({ exchanges }), []);
  assert.deepEqual(rows.map((row) => [row.text, row.times]), [["GET /orders/7 → 200", 163]]);
});

test("what a service traced stands on a lane behind all others, overlapping spans in rows of their own", () => {
  const span = (at: number, status = "ok") => ({ at, ms: 10, service: "worker", name: "handle", kind: "consumer", trace: "t", id: "a", parent: "", status, message: "", attributes: "{}", events: [], links: [] });
  const { lanes, bars } = drawn({ lines: [[0, "worker", 0, "up"]], spans: [span(1), span(5, "error")] });
  assert.deepEqual(lanes.map((lane) => [lane.kind, lane.label, lane.rows]), [["test", "test", 1], ["service", "worker", 1], ["spans", "worker spans", 2]]);
  assert.deepEqual(bars.map((bar) => [bar.id, bar.row, bar.tone]), [["span:0", 0, "span"], ["span:1", 1, "bad"]]);
});

test("a session is a bar as long as somebody has it, below its queue", () => {
  const session = (at: number, event: string, name: string): Entry => ({ n: 1, at, entity: "jobs", event, session: name, who: "worker" });
  const { lanes, bars } = drawn({ entries: [born(0, "enqueued"), session(1, "session_accepted", "A"), session(5, "session_renewed", "A"), session(9, "session_lock_lost", "A"), session(10, "session_accepted", "A")] });
  assert.deepEqual(lanes.map((lane) => lane.kind), ["test", "queue", "sessions"]);
  assert.deepEqual(bars.map((bar) => [bar.label, bar.from, bar.to, bar.tone, bar.open]), [["A · worker", 1, 9, "bad", false], ["A · worker", 10, 1000, "work", true]]);
});

test("acts on blobs stand on the lane of their container, strikes of faults too", () => {
  const { lanes, dots } = drawn({
    moments: [[1, "blobs", "put images/a.jpg", 0], [2, "blobs", "list outputs", 0], [3, "blobs", "fault status begins", 0], [4, "postgres", "execute: 3 rows", 0]],
    faults: [{ at: 5, target: "blobs", text: "fault status: PUT /account0/outputs/a.png answered 503" }],
  });
  assert.deepEqual(lanes.map((lane) => lane.label), ["test", "blobs images", "blobs outputs", "postgres"]);
  assert.deepEqual(dots.map((dot) => [dot.id, dot.lane]), [["moment:0", "blobs images"], ["moment:1", "blobs outputs"], ["moment:3", "postgres"], ["fault:0", "blobs outputs"]]);
});

test("a transaction is a bar on the lane of the database, bound to its service, red unless it was committed", () => {
  const one = { at: 10, ms: 5, service: "worker", error: "", changes: ["INSERT result", "UPDATE job"], statements: [["INSERT result", 1]] as [string, number][] };
  const whole = story({
    lines: [[0, "worker", 0, "up"]],
    transactions: [{ ...one, end: "committed" }, { ...one, at: 12, end: "failed", error: "23505" }],
    moments: [[15, "worker", "INSERT result + UPDATE job committed", 0]],
  });
  const { bars, lanes, links } = layout(whole, []);
  assert.deepEqual(lanes.map((lane) => [lane.label, lane.rows]), [["test", 1], ["worker", 1], ["postgres", 2]]);
  assert.deepEqual(bars.map((bar) => [bar.lane, bar.row, bar.tone, bar.label]), [
    ["postgres", 0, "request", "worker: INSERT result + UPDATE job committed"],
    ["postgres", 1, "bad", "worker: INSERT result + UPDATE job failed by SQLSTATE 23505"],
  ]);
  assert.deepEqual(links.map((link) => [link.from.lane, link.to.lane]), [["worker", "postgres"], ["worker", "postgres"]]);
  assert.deepEqual(rowsOf(whole, []).map((row) => row.id), ["line:0", "transaction:0", "transaction:1"]);
});
