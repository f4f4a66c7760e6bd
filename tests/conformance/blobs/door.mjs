// @azure/storage-blob through the door: one JSON line with what each check found wrong, "" for nothing.
import { createRequire } from "node:module";
import assert from "node:assert/strict";

const [modules, url, account, key, token, expires] = process.argv.slice(2);
const sdk = createRequire(`${modules}/`)("@azure/storage-blob");
const credentials = {
  key: new sdk.StorageSharedKeyCredential(account, key),
  token: { getToken: async () => ({ token, expiresOnTimestamp: Number(expires) * 1000 }) },
};
const options = { retryOptions: { maxTries: 1 } };
const odd = ["a b", "ü/ö", "a+b", "a&b=c", "100%", "why?", "a#b", "a//b", "a%2Fb"];
const found = {};

async function check(name, work) {
  try {
    await work();
    found[name] = "";
  } catch (error) {
    found[name] = String(error?.stack ?? error).slice(0, 600);
  }
}

for (const [kind, credential] of Object.entries(credentials)) {
  const service = new sdk.BlobServiceClient(url, credential, options);
  const container = service.getContainerClient(`js-${kind}`);
  await check(`${kind}: container`, () => container.create());
  await check(`${kind}: odd names`, async () => {
    for (const name of odd) {
      await container.getBlockBlobClient(name).upload(name, Buffer.byteLength(name), { metadata: { a: "v  w" } });
      assert.equal((await container.getBlobClient(name).downloadToBuffer()).toString(), name);
    }
    const names = [];
    for await (const blob of container.listBlobsFlat()) names.push(blob.name);
    assert.deepEqual(names.sort(), [...odd].sort());
  });
  await check(`${kind}: blocks and ranges`, async () => {
    const body = Buffer.alloc(5 << 20, "x");
    const blob = container.getBlockBlobClient("large");
    await blob.uploadData(body, { blockSize: 1 << 20, maxSingleShotSize: 1 << 20, concurrency: 3 });
    assert.equal((await blob.downloadToBuffer(1000, 500)).length, 500);
    assert.ok((await blob.downloadToBuffer()).equals(body));
  });
  await check(`${kind}: copy, lease, snapshot`, async () => {
    const copy = container.getBlockBlobClient("copy");
    await (await copy.beginCopyFromURL(container.getBlobClient("large").url)).pollUntilDone();
    const lease = copy.getBlobLeaseClient();
    await lease.acquireLease(15);
    await lease.releaseLease();
    assert.ok((await copy.createSnapshot()).snapshot);
    await copy.delete({ deleteSnapshots: "include" });
  });
  await check(`${kind}: batch`, async () => {
    const done = await service.getBlobBatchClient().deleteBlobs([container.getBlobClient("a b").url, container.getBlobClient("100%").url], credential);
    assert.equal(done.subResponsesSucceededCount, 2);
  });
}

await check("token: user delegation sas", async () => {
  const service = new sdk.BlobServiceClient(url, credentials.token, options);
  const [starts, ends] = [new Date(Date.now() - 60_000), new Date(Date.now() + 3_600_000)];
  const signing = await service.getUserDelegationKey(starts, ends);
  const values = { containerName: "js-token", blobName: "large", permissions: sdk.BlobSASPermissions.parse("r"), expiresOn: ends };
  const sas = sdk.generateBlobSASQueryParameters(values, signing, account).toString();
  const blob = new sdk.BlobClient(`${url}/js-token/large?${sas}`, undefined, options);
  assert.equal((await blob.downloadToBuffer(0, 10)).length, 10);
  await assert.rejects(blob.delete(), { statusCode: 403 });
  await assert.rejects(new sdk.BlobClient(`${url}/js-token/why%3F?${sas}`, undefined, options).download(), { statusCode: 403 });
});
console.log(JSON.stringify(found));
