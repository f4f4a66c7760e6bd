import assert from "node:assert/strict";
import { test } from "node:test";
import { scaleOf } from "../src/scale.ts";

test("places are in the order of time, from 0 to 1", () => {
  const scale = scaleOf([1, 5, 900, 905], 1000, true);
  const places = [0, 1, 5, 400, 900, 905, 1000].map((at) => scale.place(at));
  assert.deepEqual(places, [...places].sort((a, b) => a - b));
  assert.deepEqual([places[0], places.at(-1)], [0, 1]);
});

test("a long stretch with nothing in it is folded, and what happens has its room", () => {
  const busy = Array.from({ length: 21 }, (_, n) => n * 5);
  const folded = scaleOf(busy, 10_000, true);
  assert.deepEqual(folded.folds, [{ from: 100, to: 10_000 }]);
  assert.ok(folded.place(100) > 0.2);
  assert.ok(scaleOf(busy, 10_000, false).place(100) < 0.02);
});

test("ticks are round, and do not stand on each other", () => {
  const scale = scaleOf([0, 3000], 3000, true);
  assert.ok(scale.ticks.includes(1000));
  const places = scale.ticks.map((tick) => scale.place(tick));
  for (let i = 1; i < places.length; i++) assert.ok(places[i]! - places[i - 1]! >= 0.089);
});

test("ticks stand further apart where there is little room", () => {
  const places = (gap: number) => {
    const scale = scaleOf([0, 100, 600, 700, 1000, 1200, 1500, 2000], 2000, true, gap);
    return scale.ticks.map((tick) => scale.place(tick));
  };
  const few = places(0.2);
  assert.ok(few.length < places(0.09).length);
  for (let i = 1; i < few.length; i++) assert.ok(few[i]! - few[i - 1]! >= 0.199);
});

test("a case in which nothing happens has a scale as well", () => {
  assert.equal(scaleOf([], 0, true).place(0), 0);
});

test("a place leads back to its moment", () => {
  const scale = scaleOf([1, 5, 900, 905], 1000, true);
  for (const at of [0, 3, 400, 902, 1000]) assert.ok(Math.abs(scale.at(scale.place(at)) - at) < 1e-6);
});
