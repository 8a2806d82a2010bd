// @customerio/cdp-analytics-node, changed in nothing but its host, and its path where one is named.
import { Analytics } from "@customerio/cdp-analytics-node";

const [host, writeKey, path] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, path });
analytics.on("error", (error) => {
  console.error(error);
  process.exitCode = 1;
});

analytics.track({ anonymousId: "device", event: "Visited", properties: { path: "/pricing" } });
analytics.identify({ userId: "ada", anonymousId: "device", traits: { email: "ada@example.com", age: 36 } });
const properties = { total: 19.99, items: [{ sku: "A" }], at: new Date("2026-01-02T03:04:05Z") };
analytics.track({ userId: "ada", event: "Order Completed", properties });
analytics.page({ userId: "ada", category: "docs", name: "Home", properties: { url: "/" } });
analytics.screen({ userId: "ada", name: "Main" });
analytics.group({ userId: "ada", groupId: "company-1", traits: { seats: 5 } });
analytics.alias({ userId: "ada@example.com", previousId: "ada" });
analytics.track({ userId: "ada", event: "Imported", timestamp: new Date("2025-06-07T08:09:10Z") });
for (let n = 0; n < 250; n++) {
  analytics.track({ userId: "ada@example.com", event: `Event ${n}`, properties: { n, text: "ü 🎉 ".repeat(20) } });
}
await analytics.closeAndFlush();
