// What @azure/service-bus does against the emulator: each check is one line of JSON on stdout.
// Arguments: the connection string, "tcp" or "websocket", the folder with node_modules, and the prefix of entity names.
// The entities are there already: see test_parity.py, which reads the second argument of `check`.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const [connectionString, transport, modules] = process.argv.slice(2);
const { ServiceBusClient, ServiceBusAdministrationClient } = createRequire(path.join(modules, "package.json"))("@azure/service-bus");

const checks = [];
const check = (name, kind, body) => checks.push({ name, kind, body });
const options = transport === "websocket" ? { webSocketOptions: { webSocket: WebSocket } } : {};
const quick = { retryOptions: { maxRetries: 0 } };
const connect = (more = {}, string = connectionString) => new ServiceBusClient(string, { ...options, ...more });
const numbers = (count) => Array.from({ length: count }, (_, n) => n);
const bodies = (messages) => messages.map((message) => message.body);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function fill(client, entity, count, more = {}) {
  const sender = client.createSender(entity);
  await sender.sendMessages(numbers(count).map((n) => ({ body: n, messageId: `m${n}`, ...more })));
  await sender.close();
}

async function take(receiver, count) {
  const found = [];
  while (found.length < count) {
    const more = await receiver.receiveMessages(count - found.length, { maxWaitTimeInMs: 5000 });
    assert.notEqual(more.length, 0, `only ${found.length} of ${count} messages came`);
    found.push(...more);
  }
  return found;
}

async function nothing(receiver) {
  assert.deepEqual(bodies(await receiver.receiveMessages(1, { maxWaitTimeInMs: 300 })), []);
}

async function fails(code, act) {
  try {
    await act();
  } catch (error) {
    assert.equal(error.code, code, `${error.name}: ${error.message}`);
    return error;
  }
  assert.fail(`there was no error, expected ${code}`);
}

check("send, receive and delete", "queue", async ({ client, entity }) => {
  await fill(client, entity, 3);
  const receiver = client.createReceiver(entity, { receiveMode: "receiveAndDelete" });
  const found = await take(receiver, 3);
  assert.deepEqual(bodies(found), [0, 1, 2]);
  assert.equal(found[0].lockToken, undefined);
  await nothing(receiver);
});

check("properties come back", "queue", async ({ client, entity }) => {
  const sent = {
    body: { a: [1, "x", null] }, messageId: "id", correlationId: "corr", contentType: "application/json", subject: "s",
    to: "there", replyTo: "here", timeToLive: 60_000, partitionKey: "p",
    applicationProperties: { text: "t", whole: 7, real: 1.5, yes: true, none: null },
  };
  await client.createSender(entity).sendMessages(sent);
  const [found] = await take(client.createReceiver(entity, { receiveMode: "receiveAndDelete" }), 1);
  for (const name of Object.keys(sent)) assert.deepEqual(found[name], sent[name], name);
  assert.equal(found.deliveryCount, 0);
  assert.ok(found.sequenceNumber && found.enqueuedTimeUtc instanceof Date && found.expiresAtUtc > found.enqueuedTimeUtc);
  assert.equal(found.state, "active");
});

check("bodies of every kind", "queue", async ({ client, entity }) => {
  const sender = client.createSender(entity);
  await sender.sendMessages({ body: Buffer.from([1, 2, 3]) });
  await sender.sendMessages({ bodyType: "value", body: { k: 1 } });
  await sender.sendMessages({ bodyType: "sequence", body: [[1, 2], [3]] });
  const [data, value, sequence] = await take(client.createReceiver(entity, { receiveMode: "receiveAndDelete" }), 3);
  assert.deepEqual([...data.body], [1, 2, 3]);
  assert.deepEqual([value._rawAmqpMessage.bodyType, value.body], ["value", { k: 1 }]);
  assert.deepEqual([sequence._rawAmqpMessage.bodyType, sequence.body], ["sequence", [[1, 2], [3]]]);
});

check("a message of many frames", "queue", async ({ client, entity }) => {
  const body = Buffer.alloc(250_000, 7);
  await client.createSender(entity).sendMessages({ body });
  const [found] = await take(client.createReceiver(entity), 1);
  assert.ok(body.equals(found.body));
});

check("a message past the limit is refused", "queue", async ({ client, entity }) => {
  await fails("MessageSizeExceeded", () => client.createSender(entity).sendMessages({ body: Buffer.alloc(300_000) }));
});

check("a batch keeps its order", "queue", async ({ client, entity }) => {
  const sender = client.createSender(entity);
  const batch = await sender.createMessageBatch();
  for (const n of numbers(50)) assert.ok(batch.tryAddMessage({ body: n }));
  await sender.sendMessages(batch);
  assert.deepEqual(bodies(await take(client.createReceiver(entity, { receiveMode: "receiveAndDelete" }), 50)), numbers(50));
});

check("a batch is full at the limit of the tier", "queue", async ({ client, entity }) => {
  const sender = client.createSender(entity);
  const batch = await sender.createMessageBatch();
  assert.equal(batch.maxSizeInBytes, 262_144);
  while (batch.tryAddMessage({ body: Buffer.alloc(10_000) }));
  assert.ok(batch.count >= 25 && batch.sizeInBytes <= 262_144, `${batch.count} messages, ${batch.sizeInBytes} bytes`);
  await sender.sendMessages(batch);
  assert.equal((await take(client.createReceiver(entity, { receiveMode: "receiveAndDelete" }), batch.count)).length, batch.count);
  await assert.rejects(sender.createMessageBatch({ maxSizeInBytes: 300_000 }));
});

check("complete", "queue", async ({ client, entity }) => {
  await fill(client, entity, 2);
  const receiver = client.createReceiver(entity);
  const found = await take(receiver, 2);
  assert.ok(found[0].lockToken && found[0].lockedUntilUtc > new Date());
  for (const message of found) await receiver.completeMessage(message);
  await nothing(client.createReceiver(entity));
});

check("abandon counts, and changes properties", "queue", async ({ client, entity }) => {
  await fill(client, entity, 1);
  const receiver = client.createReceiver(entity);
  const [first] = await take(receiver, 1);
  await receiver.abandonMessage(first, { tried: "once" });
  const [second] = await take(receiver, 1);
  assert.deepEqual([second.deliveryCount, second.applicationProperties.tried], [1, "once"]);
  await receiver.completeMessage(second);
});

check("defer, and receive deferred messages", "queue", async ({ client, entity }) => {
  await fill(client, entity, 2);
  const receiver = client.createReceiver(entity);
  const found = await take(receiver, 2);
  for (const message of found) await receiver.deferMessage(message, { why: "later" });
  await nothing(receiver);
  const deferred = await receiver.receiveDeferredMessages(found.map((message) => message.sequenceNumber));
  assert.deepEqual(bodies(deferred), [0, 1]);
  assert.deepEqual([deferred[0].state, deferred[0].applicationProperties.why], ["deferred", "later"]);
  await receiver.completeMessage(deferred[0]);
  await receiver.deadLetterMessage(deferred[1]);
  await fails("MessageNotFound", () => receiver.receiveDeferredMessages(found[0].sequenceNumber));
});

check("dead-letter with a reason, and read the dead letters", "queue", async ({ client, entity }) => {
  await fill(client, entity, 1);
  const receiver = client.createReceiver(entity);
  const [message] = await take(receiver, 1);
  await receiver.deadLetterMessage(message, { deadLetterReason: "bad", deadLetterErrorDescription: "very", extra: 5 });
  const dead = client.createReceiver(entity, { subQueueType: "deadLetter" });
  const [found] = await take(dead, 1);
  assert.deepEqual([found.deadLetterReason, found.deadLetterErrorDescription], ["bad", "very"]);
  assert.equal(found.applicationProperties.extra, 5);
  await dead.completeMessage(found);
});

check("too many deliveries end among the dead letters", "queue", async ({ client, entity }) => {
  await fill(client, entity, 1);
  const receiver = client.createReceiver(entity);
  for (const _ of numbers(3)) await receiver.abandonMessage((await take(receiver, 1))[0]);
  const [found] = await take(client.createReceiver(entity, { subQueueType: "deadLetter" }), 1);
  assert.equal(found.deadLetterReason, "MaxDeliveryCountExceeded");
});

check("renew a message's lock", "queue", async ({ client, entity }) => {
  await fill(client, entity, 1);
  const receiver = client.createReceiver(entity);
  const [message] = await take(receiver, 1);
  const before = message.lockedUntilUtc;
  await pause(50);
  const until = await receiver.renewMessageLock(message);
  assert.ok(until > before && message.lockedUntilUtc.getTime() === until.getTime());
  await receiver.completeMessage(message);
});

check("a lost lock is told", "short", async ({ client, entity }) => {
  await fill(client, entity, 1);
  const receiver = client.createReceiver(entity, { maxAutoLockRenewalDurationInMs: 0 });
  const [message] = await take(receiver, 1);
  await pause(1300);
  await fails("MessageLockLost", () => receiver.completeMessage(message));
  const [again] = await take(receiver, 1);
  assert.equal(again.deliveryCount, 1);
});

check("locks are renewed while a receiver has the message", "short", async ({ client, entity }) => {
  await fill(client, entity, 1);
  const receiver = client.createReceiver(entity, { maxAutoLockRenewalDurationInMs: 10_000 });
  const [message] = await take(receiver, 1);
  await pause(2500);
  await receiver.completeMessage(message);
});

check("schedule and cancel", "queue", async ({ client, entity }) => {
  const sender = client.createSender(entity);
  const soon = new Date(Date.now() + 2000);
  const later = new Date(Date.now() + 60_000);
  const [kept] = await sender.scheduleMessages({ body: "kept" }, soon);
  const cancelled = await sender.scheduleMessages([{ body: "a" }, { body: "b" }], later);
  const [peeked] = await client.createReceiver(entity).peekMessages(1, { fromSequenceNumber: cancelled[0] });
  assert.deepEqual([peeked.state, peeked.scheduledEnqueueTimeUtc.getTime()], ["scheduled", later.getTime()]);
  await sender.cancelScheduledMessages(cancelled);
  const receiver = client.createReceiver(entity, { receiveMode: "receiveAndDelete" });
  const [found] = await take(receiver, 1);
  assert.equal(found.body, "kept");
  assert.ok(found.enqueuedTimeUtc >= soon);
  assert.deepEqual(await receiver.peekMessages(5), []);
  await fails("MessageNotFound", () => sender.cancelScheduledMessages(kept));
});

check("peek goes on, and takes nothing", "queue", async ({ client, entity }) => {
  await fill(client, entity, 5);
  const receiver = client.createReceiver(entity);
  assert.deepEqual(bodies(await receiver.peekMessages(3)), [0, 1, 2]);
  assert.deepEqual(bodies(await receiver.peekMessages(3)), [3, 4]);
  assert.deepEqual(await receiver.peekMessages(3), []);
  assert.equal((await take(receiver, 5)).length, 5);
});

check("subscribe() handles and completes", "queue", async ({ client, entity }) => {
  await fill(client, entity, 20);
  const receiver = client.createReceiver(entity);
  const seen = new Set();
  await new Promise((resolve, reject) => {
    receiver.subscribe(
      {
        processMessage: async (message) => (seen.add(message.body), seen.size === 20 && resolve()),
        processError: async ({ error }) => reject(error),
      },
      { maxConcurrentCalls: 4 },
    );
  });
  await receiver.close();
  await nothing(client.createReceiver(entity));
});

check("subscribe() abandons what its handler throws on", "queue", async ({ client, entity }) => {
  await fill(client, entity, 1);
  const receiver = client.createReceiver(entity);
  const errors = [];
  const counts = [];
  await new Promise((resolve) => {
    receiver.subscribe({
      processMessage: async (message) => {
        counts.push(message.deliveryCount);
        if (counts.length === 1) throw new Error("not today");
        resolve();
      },
      processError: async ({ error, errorSource }) => errors.push(`${errorSource}: ${error.message}`),
    });
  });
  assert.deepEqual([counts, errors], [[0, 1], ["processMessageCallback: not today"]]);
});

check("messages by iteration", "queue", async ({ client, entity }) => {
  await fill(client, entity, 3);
  const receiver = client.createReceiver(entity);
  const found = [];
  for await (const message of receiver.getMessageIterator()) {
    found.push(message.body);
    await receiver.completeMessage(message);
    if (found.length === 3) break;
  }
  assert.deepEqual(found, [0, 1, 2]);
});

check("an expired message", "queue", async ({ client, entity }) => {
  await fill(client, entity, 1, { timeToLive: 200 });
  await pause(400);
  await nothing(client.createReceiver(entity));
});

check("a session by its name", "session", async ({ client, entity }) => {
  for (const sessionId of ["a", "b"]) await fill(client, entity, 3, { sessionId });
  const receiver = await client.acceptSession(entity, "b");
  assert.equal(receiver.sessionId, "b");
  assert.ok(receiver.sessionLockedUntilUtc > new Date());
  const found = await take(receiver, 3);
  assert.deepEqual(found.map((message) => [message.sessionId, message.body]), [["b", 0], ["b", 1], ["b", 2]]);
  for (const message of found) await receiver.completeMessage(message);
  await nothing(receiver);
});

check("the next session that there is", "session", async ({ client, entity }) => {
  await fill(client, entity, 1, { sessionId: "only" });
  const receiver = await client.acceptNextSession(entity);
  assert.equal(receiver.sessionId, "only");
  const other = connect({ retryOptions: { maxRetries: 0, timeoutInMs: 1500 } });
  try {
    await fails("ServiceTimeout", () => other.acceptNextSession(entity));
  } finally {
    await other.close();
  }
});

check("a session that another has", "session", async ({ client, entity }) => {
  const first = await client.acceptSession(entity, "mine");
  const other = connect(quick);
  try {
    await fails("SessionCannotBeLocked", () => other.acceptSession(entity, "mine"));
    await first.close();
    await (await other.acceptSession(entity, "mine")).close();
  } finally {
    await other.close();
  }
});

check("a session's state", "session", async ({ client, entity }) => {
  const receiver = await client.acceptSession(entity, "s");
  assert.equal(await receiver.getSessionState(), null);
  await receiver.setSessionState({ step: 2 });
  await receiver.close();
  const again = await client.acceptSession(entity, "s");
  assert.deepEqual(await again.getSessionState(), { step: 2 });
  await again.setSessionState(null);
  assert.equal(await again.getSessionState(), null);
});

check("renew a session's lock", "session", async ({ client, entity }) => {
  const receiver = await client.acceptSession(entity, "s");
  const before = receiver.sessionLockedUntilUtc;
  await pause(50);
  assert.ok((await receiver.renewSessionLock()) > before);
});

check("a session's messages: defer, dead-letter, peek, schedule", "session", async ({ client, entity }) => {
  const sender = client.createSender(entity);
  await fill(client, entity, 2, { sessionId: "s" });
  await sender.scheduleMessages({ body: "later", sessionId: "s" }, new Date(Date.now() + 500));
  const receiver = await client.acceptSession(entity, "s");
  const [first, second] = await take(receiver, 2);
  await receiver.deferMessage(first);
  await receiver.deadLetterMessage(second, { deadLetterReason: "r", deadLetterErrorDescription: "d" });
  assert.equal((await receiver.receiveDeferredMessages(first.sequenceNumber))[0].body, 0);
  assert.equal((await take(receiver, 1))[0].body, "later");
  const [dead] = await take(client.createReceiver(entity, { subQueueType: "deadLetter" }), 1);
  assert.deepEqual([dead.body, dead.sessionId, dead.deadLetterReason], [1, "s", "r"]);
});

check("subscribe() to a session", "session", async ({ client, entity }) => {
  await fill(client, entity, 3, { sessionId: "s" });
  const receiver = await client.acceptNextSession(entity);
  const found = [];
  await new Promise((resolve, reject) => {
    receiver.subscribe({
      processMessage: async (message) => (found.push(message.body), found.length === 3 && resolve()),
      processError: async ({ error }) => reject(error),
    });
  });
  assert.deepEqual(found, [0, 1, 2]);
});

check("no session id for an entity of sessions", "session", async ({ entity }) => {
  const client = connect(quick);
  try {
    await assert.rejects(client.createSender(entity).sendMessages({ body: 1 }));
    await assert.rejects(client.createReceiver(entity).receiveMessages(1, { maxWaitTimeInMs: 1000 }));
  } finally {
    await client.close();
  }
});

check("a topic and its subscriptions", "topic", async ({ client, entity }) => {
  await fill(client, entity, 2);
  for (const name of ["one", "two"]) {
    const receiver = client.createReceiver(entity, name);
    const found = await take(receiver, 2);
    assert.deepEqual(bodies(found), [0, 1]);
    await receiver.completeMessage(found[0]);
    await receiver.deadLetterMessage(found[1]);
    assert.equal((await take(client.createReceiver(entity, name, { subQueueType: "deadLetter" }), 1))[0].body, 1);
  }
});

check("rules by the rule manager", "topic", async ({ client, entity }) => {
  const manager = client.createRuleManager(entity, "one");
  const listed = async () => {
    const found = [];
    for await (const rule of manager.listRules()) found.push(rule);
    return found;
  };
  assert.deepEqual((await listed()).map((rule) => rule.name), ["$Default"]);
  await manager.deleteRule("$Default");
  await manager.createRule("sql", { sqlExpression: "colour = 'red' AND size > 2" }, { sqlExpression: "SET seen = 'yes'" });
  await manager.createRule("correlation", { subject: "s", applicationProperties: { colour: "blue" } });
  const rules = await listed();
  assert.deepEqual(rules.map((rule) => rule.name).sort(), ["correlation", "sql"]);
  const sql = rules.find((rule) => rule.name === "sql");
  assert.equal(sql.filter.sqlExpression, "colour = 'red' AND size > 2");
  assert.equal(sql.action.sqlExpression, "SET seen = 'yes'");
  const correlation = rules.find((rule) => rule.name === "correlation");
  assert.deepEqual([correlation.filter.subject, correlation.filter.applicationProperties], ["s", { colour: "blue" }]);
  await fails("MessagingEntityAlreadyExists", () => manager.createRule("sql", { sqlExpression: "1=1" }));
  await client.createSender(entity).sendMessages([
    { body: "no", applicationProperties: { colour: "red", size: 1 } },
    { body: "sql", applicationProperties: { colour: "red", size: 3 } },
    { body: "correlation", subject: "s", applicationProperties: { colour: "blue" } },
  ]);
  const found = await take(client.createReceiver(entity, "one"), 2);
  assert.deepEqual(bodies(found), ["sql", "correlation"]);
  assert.equal(found[0].applicationProperties.seen, "yes");
});

check("the administration client: queues", "none", async ({ entity }) => {
  const admin = new ServiceBusAdministrationClient(connectionString);
  const made = await admin.createQueue(entity, { lockDuration: "PT45S", maxDeliveryCount: 7, requiresSession: true, userMetadata: "m" });
  assert.deepEqual([made.name, made.lockDuration, made.maxDeliveryCount, made.requiresSession], [entity, "PT45S", 7, true]);
  assert.ok(await admin.queueExists(entity));
  const got = await admin.getQueue(entity);
  assert.equal(got.userMetadata, "m");
  got.maxDeliveryCount = 9;
  assert.equal((await admin.updateQueue(got)).maxDeliveryCount, 9);
  const names = [];
  for await (const queue of admin.listQueues()) names.push(queue.name);
  assert.ok(names.includes(entity));
  const runtime = await admin.getQueueRuntimeProperties(entity);
  assert.deepEqual([runtime.totalMessageCount, runtime.activeMessageCount, runtime.deadLetterMessageCount], [0, 0, 0]);
  await assert.rejects(admin.createQueue(entity), { statusCode: 409 });
  await admin.deleteQueue(entity);
  assert.equal(await admin.queueExists(entity), false);
  await assert.rejects(admin.getQueue(entity), { code: "MessageEntityNotFoundError" });
  assert.ok((await admin.getNamespaceProperties()).name);
});

check("the administration client: topics, subscriptions, rules", "none", async ({ entity }) => {
  const admin = new ServiceBusAdministrationClient(connectionString);
  await admin.createTopic(entity, { enablePartitioning: false });
  await admin.createSubscription(entity, "sub", { lockDuration: "PT20S" });
  await admin.createRule(entity, "sub", "sql", { sqlExpression: "a = @p", sqlParameters: { "@p": 5 } }, { sqlExpression: "SET b = 1" });
  await admin.createRule(entity, "sub", "correlation", { correlationId: "c", applicationProperties: { x: "y", n: 1 } });
  const rules = [];
  for await (const rule of admin.listRules(entity, "sub")) rules.push(rule);
  assert.deepEqual(rules.map((rule) => rule.name), ["$Default", "correlation", "sql"]);
  assert.deepEqual(rules[1].filter.applicationProperties, { x: "y", n: 1 });
  assert.deepEqual([rules[2].filter.sqlParameters["@p"], rules[2].action.sqlExpression], [5, "SET b = 1"]);
  await admin.deleteRule(entity, "sub", "sql");
  assert.equal(await admin.ruleExists(entity, "sub", "sql"), false);
  assert.equal((await admin.getSubscription(entity, "sub")).lockDuration, "PT20S");
  assert.equal((await admin.getTopicRuntimeProperties(entity)).subscriptionCount, 1);
  assert.equal((await admin.getSubscriptionRuntimeProperties(entity, "sub")).activeMessageCount, 0);
  await admin.deleteSubscription(entity, "sub");
  await admin.deleteTopic(entity);
  assert.equal(await admin.topicExists(entity), false);
});

check("an unknown queue", "none", async ({ entity }) => {
  const client = connect(quick);
  try {
    await fails("MessagingEntityNotFound", () => client.createSender(entity).sendMessages({ body: 1 }));
    await fails("MessagingEntityNotFound", () => client.createReceiver(entity).receiveMessages(1));
  } finally {
    await client.close();
  }
});

check("a wrong key", "queue", async ({ entity }) => {
  const client = connect(quick, connectionString.replace(/SharedAccessKey=[^;]*/, "SharedAccessKey=wrong"));
  try {
    await fails("UnauthorizedAccess", () => client.createSender(entity).sendMessages({ body: 1 }));
  } finally {
    await client.close();
  }
});

check("a receiver's link closes and opens again", "queue", async ({ client, entity }) => {
  await fill(client, entity, 2);
  for (const n of [0, 1]) {
    const receiver = client.createReceiver(entity);
    const [message] = await take(receiver, 1);
    assert.equal(message.body, n);
    await receiver.completeMessage(message);
    await receiver.close();
  }
});

await Promise.all(
  checks.map(async ({ name, kind, body }) => {
    const entity = `${kind}-${name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")}`;
    const client = connect();
    let error = "";
    try {
      await body({ client, entity });
    } catch (problem) {
      error = [problem, ...(problem?.errors ?? [])].map((one) => `${one?.stack ?? one}\ncode: ${one?.code}`).join("\n");
    }
    console.log(JSON.stringify({ name, error }));
    await client.close().catch(() => {});
  }),
);
process.exit(0);
