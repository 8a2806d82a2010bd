// @rudderstack/rudder-sdk-node, changed in nothing but its data plane. An error of a flush ends the script.
import Analytics from "@rudderstack/rudder-sdk-node";

const [dataPlaneUrl, writeKey, gzip] = process.argv.slice(2);
const analytics = new Analytics(writeKey, { dataPlaneUrl, gzip: gzip === "gzip" });
const done = (error) => {
  if (error) {
    console.error(error);
    process.exitCode = 1;
  }
};

analytics.track({ anonymousId: "device", event: "Visited", properties: { path: "/pricing" } }, done);
analytics.identify({ userId: "ada", anonymousId: "device", traits: { email: "ada@example.com", age: 36 } }, done);
const properties = { total: 19.99, items: [{ sku: "A" }], at: new Date("2026-01-02T03:04:05Z") };
analytics.track({ userId: "ada", event: "Order Completed", properties }, done);
analytics.page({ userId: "ada", category: "docs", name: "Home", properties: { url: "/" } }, done);
analytics.screen({ userId: "ada", name: "Main" }, done);
analytics.group({ userId: "ada", groupId: "company-1", traits: { seats: 5 } }, done);
analytics.alias({ userId: "ada@example.com", previousId: "ada" }, done);
analytics.track({ userId: "ada", event: "Imported", originalTimestamp: new Date("2025-06-07T08:09:10Z") }, done);
for (let n = 0; n < 250; n++) {
  const properties = { n, text: "ü 🎉 ".repeat(20) };
  analytics.track({ userId: "ada@example.com", event: `Event ${n}`, properties }, done);
}
while (analytics.queue.length) {
  await analytics.flush();
}
