import assert from "node:assert/strict";
import { test } from "node:test";
import { goodAt, sasIn } from "../src/sas.ts";

const URL_ = "http://127.0.0.1:10000/acme/uploads/a.png?st=2026-11-27T10:00:00Z&se=2026-11-27T10:10:00Z&sp=rw&sr=b&sig=***";

test("a SAS in a body is taken apart, once however often it stands there", () => {
  assert.deepEqual(sasIn(JSON.stringify({ url: URL_, again: URL_ })), [
    { resource: "http://127.0.0.1:10000/acme/uploads/a.png", permissions: "read, write", from: "2026-11-27T10:00:00Z", until: "2026-11-27T10:10:00Z", kind: "blob", more: "" },
  ]);
});

test("a URL without one is none", () => {
  assert.deepEqual(sasIn("https://x/y?se=1 https://x/y?a=b"), []);
});

test("it is told whether it was good when it was used", () => {
  const [sas] = sasIn(URL_);
  assert.equal(goodAt(sas!, Date.parse("2026-11-27T10:05:00Z")), "valid then");
  assert.equal(goodAt(sas!, Date.parse("2026-11-27T10:10:00Z")), "over by then");
  assert.equal(goodAt(sas!, Date.parse("2026-11-27T09:00:00Z")), "not yet valid then");
});
