import assert from "node:assert/strict";
import { test } from "node:test";
import { criteriaOf, exerciseOf, leastAsked, leastTried, neverAnswered, neverSeen, wasAsked } from "../src/coverage.ts";
import { markedLines } from "../src/json_lines.ts";
import type { Head, Keyword, Operation } from "../src/model.ts";

function head(...covers: string[]): Head {
  return { file: "a.yaml", name: "one", outcome: "passed", repeat: 0, covers, tags: [], seconds: [0, 0, 1], why: "", history: [], passed: null };
}

test("criteria without a case come first, else by their number", () => {
  const found = criteriaOf({ "A-10": "ten", "A-2": "two", "A-3": "three" }, [head("A-10", "A-2"), head("A-2"), head("B-1")]);
  assert.deepEqual(found.map(({ id, sentence, cases }) => [id, sentence, cases]), [["A-3", "three", []], ["A-2", "two", [0, 1]], ["A-10", "ten", [0]], ["B-1", "", [2]]]);
});

test("what a queue's messages never met is counted", () => {
  assert.equal(neverSeen({ outcomes: ["completed", "expired"], queues: [["a", { completed: [3, [0]] }], ["b", {}]], contracts: [], operations: [] }), 3);
});

test("a keyword that nothing has tried comes before one that was only held, and that before one that was broken", () => {
  const keywords: Keyword[] = [["a", "type", '"string"', 4, 1, [0]], ["a", "maxLength", "9", 4, 0, []], ["b", "type", '"string"', 0, 0, []]];
  assert.deepEqual(leastTried(keywords).map(exerciseOf), ["unmet", "held", "broken"]);
});

test("an operation that was never asked comes before one that owes an answer, and that before one that gave all", () => {
  const whole: Operation = ["GET /a", [["200", 2, [0]], ["hung up", 0, []]]];
  const owing: Operation = ["GET /b", [["200", 2, [0]], ["4XX", 0, []]]];
  const unasked: Operation = ["GET /c", [["default", 0, []], ["outside", 3, [1]]]];
  assert.deepEqual(leastAsked([whole, owing, unasked]), [unasked, owing, whole]);
  assert.deepEqual([whole, owing, unasked].map(wasAsked), [true, true, false]);
  assert.deepEqual([whole, owing, unasked].map(neverAnswered), [[], ["4XX"], ["default"]]);
});

test("what is wrong with a body stands at its line, what is missing at the one around it", () => {
  const lines = markedLines({ a: { b: [1, "x"] }, c: [] }, [["a.b.1", "no number"], ["a", "d is required"], ["c.7", "too few"]]);
  assert.equal(lines.map((line) => line.text).join("\n"), JSON.stringify({ a: { b: [1, "x"] }, c: [] }, null, 2));
  assert.deepEqual(lines.filter((line) => line.wrong.length).map((line) => [line.text.trim(), ...line.wrong]), [['"a": {', "d is required"], ['"x"', "no number"], ['"c": []', "too few"]]);
});
