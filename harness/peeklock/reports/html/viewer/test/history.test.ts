import assert from "node:assert/strict";
import { test } from "node:test";
import { flaky, mixed } from "../src/history.ts";
import type { Head, Outcome, Result } from "../src/model.ts";

function head(outcome: Outcome, ...before: Result[1][]): Head {
  const history = before.map((each, index): Result => [`run-${index + 1}`, each, 1]);
  return { file: "a.yaml", name: "one", outcome, repeat: 0, covers: [], tags: [], seconds: [0, 0, 1], why: "", history, passed: null };
}

test("a case is flaky when it went there and back over the runs, not when it broke or was mended", () => {
  assert.ok(flaky(head("passed", "passed", "failed")));
  assert.ok(flaky(head("failed", "failed", "passed")));
  assert.ok(!flaky(head("failed", "passed", "passed")));
  assert.ok(!flaky(head("passed", "failed", "failed")));
});

test("one that went both ways in one run is flaky", () => {
  assert.ok(flaky(head("passed", "flaky", "passed")));
  assert.deepEqual([...mixed([head("passed"), head("failed")])], ["a.yaml::one"]);
  assert.deepEqual([...mixed([head("passed"), head("skipped")])], []);
});
