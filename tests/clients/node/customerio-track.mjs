// customerio-node's TrackClient, changed in nothing but its URL: each of its methods, and what it makes of refusals.
import assert from "node:assert/strict";
import { IdentifierType, TrackClient } from "customerio-node";

const [host, siteId, apiKey, deliveryId, list] = process.argv.slice(2);
const cio = new TrackClient(siteId, apiKey, { url: `${host}/api/v1` });
const odd = "ada/1 +ü@🎉%2F";
const seconds = 1767323045;
const ok = async (answer) => assert.deepEqual(await answer, {});
const refused = (answer, statusCode, message) => assert.rejects(answer, { statusCode, message });

const region = await cio.getAccountRegion();
assert.equal(region.region, "us");
assert.ok(region.url && region.environment_id);

await ok(cio.trackAnonymous("device", { name: "Visited", data: { path: "/pricing" }, timestamp: seconds }));
await ok(cio.identify("ada", { email: "ada@example.com", age: 36, gone: null, anonymous_id: "device" }));
await ok(cio.track("ada", { name: "Order Completed", data: { total: 19.99, items: [{ sku: "A" }] }, timestamp: seconds }));
await ok(cio.track("ada", { name: "Once", id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" }));
await ok(cio.track("ada", { name: "Once", id: "01ARZ3NDEKTSV4RRFFQ69G5FAV" }));
await ok(cio.trackPageView("ada", "/pricing"));
await ok(cio.trackAnonymous("", { name: "Invited", data: { recipient: "ben@example.com" } }));
await ok(cio.addDevice("ada", odd, "ios", { last_used: seconds, model: "x" }));
await ok(cio.addDevice("ada", "other", "android"));
await ok(cio.deleteDevice("ada", "other"));

for (const id of [odd, 7]) {
  await ok(cio.identify(id, { plan: "pro" }));
  await ok(cio.suppress(id));
  await ok(cio.track(id, { name: "Not heard" }));
  await ok(cio.unsuppress(id));
  await ok(cio.track(id, { name: "Heard" }));
  await ok(cio.destroy(id));
}

await ok(cio.identify("second@example.com", { city: "Graz" }));
await ok(cio.mergeCustomers(IdentifierType.Id, "ada", IdentifierType.Email, "second@example.com"));
await refused(cio.mergeCustomers(IdentifierType.Id, "ada", IdentifierType.CioId, "cio_999999"), 400, /secondary/);

const object = { type: "object", identifiers: { object_type_id: "1", object_id: "acme" } };
const related = { cio_relationships: [{ identifiers: { id: "ada" }, relationship_attributes: { role: "admin" } }] };
await ok(cio.entity({ ...object, action: "identify", attributes: { name: "Acme" }, ...related }));
const person = { type: "person", identifiers: { id: "ada" } };
const answer = await cio.batch([
  { ...person, action: "event", name: "In a batch" },
  { ...person, action: "event", name: "" },
  { ...person, action: "screen", name: "Home" },
]);
assert.deepEqual(answer.errors.map((error) => [error.batch_index, error.field]), [[1, "name"]]);

await ok(cio.submitForm("newsletter", { email: "cloe@example.com", first_name: "Cloe" }));
await ok(cio.trackPush({ delivery_id: deliveryId, event: "delivered", device_id: odd, timestamp: seconds }));
await ok(cio.reportMetric({ delivery_id: deliveryId, metric: "clicked", href: "https://shop.example/" }));
await ok(cio.unsubscribe(deliveryId));
await ok(cio.unsubscribe(deliveryId, false));
await ok(cio.unsubscribe(deliveryId));

await refused(cio.track("ada", { name: "Order Completed", timestamp: "soon" }), 400, /timestamp/);
await ok(cio.addCustomersToSegment(Number(list), ["ada", "cloe@example.com"]));
await ok(cio.removeCustomersFromSegment(Number(list), ["cloe@example.com"], IdentifierType.Email));
await refused(cio.addCustomersToSegment(987654, ["ada"]), 404, /no manual segment 987654/);
await refused(cio.removeCustomersFromSegment(987654, ["ada"], IdentifierType.Email), 404, /no manual segment 987654/);
await refused(new TrackClient(siteId, "wrong", { url: `${host}/api/v1` }).identify("eve"), 401, /API key/);
