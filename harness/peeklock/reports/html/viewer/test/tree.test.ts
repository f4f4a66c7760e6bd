import assert from "node:assert/strict";
import { test } from "node:test";
import { EVERYTHING, hashOf, routeOf } from "../src/route.ts";
import { keysOf, treeOf } from "../src/tree.ts";

test("a path is taken apart into its keys", () => {
  assert.deepEqual(keysOf("body.items[0].id"), ["body", "items", "0", "id"]);
  assert.deepEqual(keysOf(""), []);
});

test("a mismatch marks its place in the actual value, and the way to it", () => {
  const tree = treeOf({ status: 200, json: { id: 7 } }, [["json.id", "8", "7"]]);
  const json = tree.children.find((child) => child.key === "json")!;
  assert.ok(json.differs);
  assert.deepEqual([json.children[0]?.expected, json.children[0]?.actual], ["8", "7"]);
  assert.ok(!tree.children.find((child) => child.key === "status")!.differs);
});

test("what is not there has a place of its own", () => {
  const tree = treeOf({}, [["json.id", "8", "absent"]]);
  assert.equal(tree.children[0]?.children[0]?.value, "absent");
});

test("the path into a single result needs no index", () => {
  const tree = treeOf([{ deliveries: 2, id: "a" }], [["deliveries", "1", "2"]]);
  assert.equal(tree.children.length, 1);
  assert.equal(tree.children[0]?.children[0]?.expected, "1");
});

test("an address leads back to what it was made of", () => {
  const filter = { ...EVERYTHING, outcome: "failed", text: "a b&c" };
  assert.deepEqual(routeOf(hashOf({ view: "cases", filter })), { view: "cases", filter });
  assert.deepEqual(routeOf("#/case/17"), { view: "case", number: 17 });
  assert.deepEqual(routeOf("#/case/<script>"), { view: "cases", filter: EVERYTHING });
});
