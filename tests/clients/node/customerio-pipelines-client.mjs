// customerio-node's PipelinesClient, changed in nothing but its URL: each of its methods, permissive and strict.
import assert from "node:assert/strict";
import { PipelinesClient } from "customerio-node";

const [host, writeKey] = process.argv.slice(2);
const url = `${host}/cdp/v1`;
const cdp = new PipelinesClient(writeKey, { url, defaultContext: { locale: "de-AT" } });
const strict = new PipelinesClient(writeKey, { url, strictMode: true });
const ok = async (answer) => assert.deepEqual(await answer, { success: true });

await ok(cdp.track({ anonymousId: "device", event: "Visited", properties: { path: "/pricing" } }));
await ok(cdp.identify({ userId: "ada", anonymousId: "device", traits: { email: "ada@example.com", age: 36 } }));
await ok(strict.track({ userId: "ada", event: "Order Completed", properties: { total: 19.99 }, messageId: "once" }));
await ok(strict.track({ userId: "ada", event: "Order Completed", properties: { total: 19.99 }, messageId: "once" }));
await ok(cdp.page({ userId: "ada", name: "Home", properties: { url: "/" } }));
await ok(cdp.screen({ userId: "ada", name: "Main" }));
await ok(cdp.group({ userId: "ada", groupId: "acme", traits: { seats: 5 } }));
await ok(cdp.alias({ userId: "ada@example.com", previousId: "ada" }));
await ok(
  cdp.batch([
    { type: "track", userId: "ada", event: "Imported", timestamp: "2025-06-07T08:09:10Z" },
    { type: "track", userId: "ada", event: "Device Created or Updated", context: { device: { token: "t", type: "ios" } } },
  ]),
);

const bad = { userId: "ada", event: "Too late", timestamp: "soon" };
const answer = await cdp.track(bad);
assert.equal(answer.rejected[0].field, "timestamp");
await assert.rejects(strict.track(bad), { statusCode: 400 });
const batch = await strict.batch([{ type: "track", userId: "ada", event: "Beside" }, { type: "track", ...bad }]);
assert.deepEqual(batch.rejected.map((one) => one.index), [1]);
await assert.rejects(new PipelinesClient("wrong", { url }).track({ userId: "ada", event: "Hi" }), { statusCode: 401 });

await ok(strict.track({ userId: "gone", event: "Hi" }));
await ok(strict.track({ userId: "gone", event: "User Deleted" }));
