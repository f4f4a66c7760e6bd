import assert from "node:assert/strict";
import { test } from "node:test";
import { compared, keyOf, type Stretch } from "../src/compare.ts";
import { rowsOf, type Row } from "../src/happened.ts";
import { lives } from "../src/ledger.ts";
import type { StepRun } from "../src/model.ts";
import { born, entry, story } from "./story.ts";

/** Events as `actor text`, a millisecond after each other. */
function rows(...told: string[]): Row[] {
  return told.map((each, at) => {
    const [actor = "", ...text] = each.split(" ");
    return { id: `line:${at}`, at, actor, text: text.join(" "), alarming: false, times: 1 };
  });
}

/** As a diff: `=` in both, `-` only before, `+` only now, `…4` folded. */
function shown(stretches: Stretch[]): string[] {
  return stretches.flatMap((each) => {
    if (each.kind !== "differs") return each.kind === "folded" ? [`…${each.pairs.length}`] : each.pairs.map(([, now]) => `=${now.text}`);
    return [...each.before.map((row) => `-${row.text}`), ...each.now.map((row) => `+${row.text}`)];
  });
}

function key(text: string): string {
  return keyOf({ id: "line:0", actor: "", text }).trim();
}

test("what is another in each run is the same event", () => {
  for (const [one, other] of [
    ["enqueued seq 3", "enqueued seq 41"],
    ["delivered seq 3 · delivery 1 to worker.0", "delivered seq 9 · delivery 1 to worker.2"],
    ["GET /jobs/5a0c1f7e-0d4e-4b8e-9d55-1f2a3b4c5d6e → 404", "GET /jobs/00000000-1111-4222-8333-444444444444 → 404"],
    ["GET /jobs/17?full=1 → 200", "GET /jobs/4?full=1 → 200"],
    ["listening on 127.0.0.1:41873", "listening on 127.0.0.1:5012"],
    ["peeked sequence number 3", "peeked sequence number 12"],
    ["done job_id=a1 took=0.31", "done job_id=b7 took=2.5"],
    ['sent {"jobId": "x", "n": 1}', 'sent {"jobId": "y", "n": 1}'],
    ["at 2026-11-28T04:53:20.123Z after 12 ms", "at 2026-11-27T23:59:59Z after 1.4 s"],
    ["trace 4bf92f3577b34da6a3ce929d0e0e4736", "trace 00f067aa0ba902b7a3ce929d0e0e4737"],
    ["token eyJhbGciOi.eyJzdWIi.c2ln", "token eyJ0eXAiOi.eyJpc3Mi.b3Ro"],
  ] as const) assert.equal(key(one), key(other));
});

test("what tells of another outcome is another event", () => {
  for (const [one, other] of [
    ["POST /jobs → 202", "POST /jobs → 500"],
    ["doubled=4", "doubled=5"],
    ["got number 4", "got number 5"],
    ["delivered seq 3 · delivery 1 to worker.0", "delivered seq 3 · delivery 2 to worker.0"],
    ["exited, code 1", "exited, code 0"],
    ["GET /jobs/1 → 404", "GET /users/1 → 404"],
  ] as const) assert.notEqual(key(one), key(other));
});

test("what only one of them has stands where the other would have it", () => {
  const before = rows("jobs enqueued seq 1", "worker doubled", "results enqueued seq 1", "jobs completed seq 1");
  const now = rows("jobs enqueued seq 7", "worker no such key", "jobs completed seq 7");
  assert.deepEqual(shown(compared(before, now)), ["=enqueued seq 7", "-doubled", "-enqueued seq 1", "+no such key", "=completed seq 7"]);
});

test("nothing differs where only the order does, or the values that each run has its own of", () => {
  assert.deepEqual(shown(compared(rows("a one", "b two", "b three"), rows("b three", "a one", "b two"))), ["…3"]);
});

test("of events that are alike only those of which there are more differ", () => {
  assert.deepEqual(shown(compared(rows("a x", "a x", "b end"), rows("a x", "b end"))), ["=x", "-x", "=end"]);
  assert.deepEqual(shown(compared([], rows("a x"))), ["+x"]);
  assert.deepEqual(shown(compared(rows("a x"), [])), ["-x"]);
});

test("long equal stretches are folded but for what is next to a difference", () => {
  const many = Array.from({ length: 10 }, (_, index) => `a e${"abcdefghij"[index]}`);
  assert.deepEqual(shown(compared(rows(...many, "a lost", ...many), rows(...many, ...many))), ["…7", "=eh", "=ei", "=ej", "-lost", "=ea", "=eb", "=ec", "…7"]);
  assert.deepEqual(shown(compared(rows(...many), rows(...many))), ["…10"]);
});

test("a step that failed is the one that passed; what did not come in it comes before", () => {
  const step = (ok: boolean): StepRun => ({ at: 1, file: "a.yaml", line: 1, last_line: 1, depth: 0, name: "await", verb: "messages", ms: 90, waiting: 0, tries: 1, ok });
  const sent = born(0, "enqueued"), took = entry(50, "delivered", { who: "worker.0", delivery: 1 });
  const before = story({ steps: [step(true)], entries: [sent, took] }), now = story({ steps: [step(false)], entries: [sent] });
  const [begin, parted] = compared(rowsOf(before, lives(before.entries)), rowsOf(now, lives(now.entries)));
  assert.equal(begin?.kind, "same");
  assert.ok(parted?.kind === "differs");
  assert.deepEqual(parted.now.map((row) => row.text), ["step: await: failed"]);
  assert.deepEqual(parted.before.map((row) => row.actor), ["test", "jobs"]);
});
