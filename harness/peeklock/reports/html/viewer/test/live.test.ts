import assert from "node:assert/strict";
import test from "node:test";
import type { Told } from "../src/live/api.ts";
import { withNews } from "../src/live/feed.ts";
import { hashOf, pathOf, placeOf } from "../src/live/place.ts";

test("the newest entry comes first, and no more are kept than are looked at", () => {
  const told = (n: number): Told => ({ n, at: n, entity: "q", event: "enqueued" });
  assert.deepEqual(withNews([told(2), told(1)], [told(3), told(4)], 3).map((each) => each.n), [4, 3, 2]);
});

test("a place is found again by its address, whatever its name has in it", () => {
  for (const entity of ["jobs", "news/Subscriptions/all", "a?b#c %/ü"]) {
    const place = { entity, view: "dead" as const, from: 51, sequence: 7, name: "" };
    assert.deepEqual(placeOf(hashOf(place)), place);
  }
  assert.equal(pathOf(placeOf("#/dead/jobs")), "jobs/$deadletterqueue");
  assert.equal(placeOf("#/dead/%E0%A4%A").entity, "");
});

test("the stack has an address of its own, each of its logs too", () => {
  const logs = { entity: "orders/api", view: "stack" as const, from: 0, sequence: 0, name: "" };
  assert.deepEqual(placeOf(hashOf(logs)), logs);
  assert.deepEqual(placeOf(hashOf({ ...logs, entity: "" })), { ...logs, entity: "" });
});
