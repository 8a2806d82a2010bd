"""The code that a source's page offers to copy. ``events.admin.recipes`` fills in HOST, WRITE_KEY and SITE_ID."""

from __future__ import annotations

CURL = """\
curl HOST/v1/identify -u "WRITE_KEY:" -H "Content-Type: application/json" \\
  -d '{"userId": "user-1", "traits": {"email": "ada@example.com", "first_name": "Ada"}}'

curl HOST/v1/track -u "WRITE_KEY:" -H "Content-Type: application/json" \\
  -d '{"userId": "user-1", "event": "Signed Up", "properties": {"plan": "free"}}'
"""

# --- Web pages -------------------------------------------------------------------------------------------------------

SNIPPET = """\
<script>
  window.cuebird = window.cuebird || [];
  ["load", "identify", "track", "page", "group", "alias", "reset", "ready", "consent"].forEach(function (name) {
    cuebird[name] = cuebird[name] || function () { cuebird.push([name].concat([].slice.call(arguments))); };
  });
  cuebird.load("WRITE_KEY", { capture: true });
  cuebird.identify("user-1", { email: "ada@example.com", first_name: "Ada" });
  cuebird.track("Signed Up", { plan: "free" });
</script>
<script async src="HOST/static/events/cuebird.js"></script>
"""

SEGMENT_BROWSER = """\
// npm install @segment/analytics-next
import { AnalyticsBrowser } from "@segment/analytics-next";

const analytics = AnalyticsBrowser.load({ writeKey: "WRITE_KEY", cdnURL: "HOST" });

analytics.identify("user-1", { email: "ada@example.com", first_name: "Ada" });
analytics.track("Signed Up", { plan: "free" });
"""

CUSTOMERIO_BROWSER = """\
// npm install @customerio/cdp-analytics-browser
import { AnalyticsBrowser } from "@customerio/cdp-analytics-browser";

const analytics = AnalyticsBrowser.load({ writeKey: "WRITE_KEY", cdnURL: "HOST/cdp" });

analytics.identify("user-1", { email: "ada@example.com", first_name: "Ada" });
analytics.track("Signed Up", { plan: "free" });
"""

RUDDER_BROWSER = """\
// npm install @rudderstack/analytics-js; without "bundled" it would fetch its plugins from RudderStack
import { RudderAnalytics } from "@rudderstack/analytics-js/bundled";

const analytics = new RudderAnalytics();
analytics.load("WRITE_KEY", "HOST", { configUrl: "HOST" });

analytics.identify("user-1", { email: "ada@example.com", first_name: "Ada" });
analytics.track("Signed Up", { plan: "free" });
"""

FETCH = """\
const send = (call, body) =>
  fetch("HOST/v1/" + call, {
    method: "POST",
    keepalive: true,
    body: JSON.stringify({ writeKey: "WRITE_KEY", messageId: crypto.randomUUID(), ...body }),
  });

await send("identify", { userId: "user-1", traits: { email: "ada@example.com", first_name: "Ada" } });
await send("track", { userId: "user-1", event: "Signed Up", properties: { plan: "free" } });
"""

# --- Python ----------------------------------------------------------------------------------------------------------

SEGMENT_PYTHON = """\
# pip install segment-analytics-python
import segment.analytics as analytics

analytics.write_key = "WRITE_KEY"
analytics.host = "HOST"

analytics.identify("user-1", {"email": "ada@example.com", "first_name": "Ada"})
analytics.track("user-1", "Signed Up", {"plan": "free"})
analytics.flush()  # before a short script ends
"""

RUDDER_PYTHON = """\
# pip install rudder-sdk-python
import rudderstack.analytics as analytics

analytics.write_key = "WRITE_KEY"
analytics.dataPlaneUrl = "HOST"

analytics.identify("user-1", {"email": "ada@example.com", "first_name": "Ada"})
analytics.track("user-1", "Signed Up", {"plan": "free"})
analytics.flush()  # before a short script ends
"""

CUSTOMERIO_PYTHON = """\
# pip install customerio
from customerio import CustomerIO

cio = CustomerIO("SITE_ID", "WRITE_KEY", host="HOST")

cio.identify(id="user-1", email="ada@example.com", first_name="Ada")
cio.track("user-1", "Signed Up", {"plan": "free"})
"""
# The library turns every address into https.
CUSTOMERIO_PYTHON_PLAIN = CUSTOMERIO_PYTHON.replace(
    'host="HOST")', 'host="HOST")\ncio.base_url = "HOST/api/v1"  # only where there is no https, as in a trial'
)

CUSTOMERIO_PIPELINES_PYTHON = """\
# pip install customerio-cdp-analytics
from customerio import analytics

analytics.write_key = "WRITE_KEY"
analytics.host = "HOST/cdp"

analytics.identify("user-1", {"email": "ada@example.com", "first_name": "Ada"})
analytics.track("user-1", "Signed Up", {"plan": "free"})
analytics.flush()  # before a short script ends
"""

# --- Node.js ---------------------------------------------------------------------------------------------------------

SEGMENT_NODE = """\
// npm install @segment/analytics-node
import { Analytics } from "@segment/analytics-node";

const analytics = new Analytics({ writeKey: "WRITE_KEY", host: "HOST" });

analytics.identify({ userId: "user-1", traits: { email: "ada@example.com", first_name: "Ada" } });
analytics.track({ userId: "user-1", event: "Signed Up", properties: { plan: "free" } });
await analytics.closeAndFlush(); // before a short script ends
"""

RUDDER_NODE = """\
// npm install @rudderstack/rudder-sdk-node
import Analytics from "@rudderstack/rudder-sdk-node";

const analytics = new Analytics("WRITE_KEY", { dataPlaneUrl: "HOST" });

analytics.identify({ userId: "user-1", traits: { email: "ada@example.com", first_name: "Ada" } });
analytics.track({ userId: "user-1", event: "Signed Up", properties: { plan: "free" } });
await analytics.flush(); // before a short script ends
"""

CUSTOMERIO_NODE = """\
// npm install customerio-node
import { TrackClient } from "customerio-node";

const cio = new TrackClient("SITE_ID", "WRITE_KEY", { url: "HOST/api/v1" });

await cio.identify("user-1", { email: "ada@example.com", first_name: "Ada" });
await cio.track("user-1", { name: "Signed Up", data: { plan: "free" } });
"""

CUSTOMERIO_NODE_PIPELINES = """\
// npm install customerio-node
import { PipelinesClient } from "customerio-node";

const cdp = new PipelinesClient("WRITE_KEY", { url: "HOST/cdp/v1" });

await cdp.identify({ userId: "user-1", traits: { email: "ada@example.com", first_name: "Ada" } });
await cdp.track({ userId: "user-1", event: "Signed Up", properties: { plan: "free" } });
"""

CUSTOMERIO_PIPELINES_NODE = """\
// npm install @customerio/cdp-analytics-node
import { Analytics } from "@customerio/cdp-analytics-node";

const analytics = new Analytics({ writeKey: "WRITE_KEY", host: "HOST", path: "/cdp/v1/batch" });

analytics.identify({ userId: "user-1", traits: { email: "ada@example.com", first_name: "Ada" } });
analytics.track({ userId: "user-1", event: "Signed Up", properties: { plan: "free" } });
await analytics.closeAndFlush(); // before a short script ends
"""
