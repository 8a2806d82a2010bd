"""Show how to send a first event from elsewhere: code to copy, with address and key filled in. Pure."""

from __future__ import annotations

from dataclasses import dataclass

PERSON = '"email": "ada@example.com", "first_name": "Ada"'

CURL = """\
curl {host}/v1/identify -u "{key}:" -H "Content-Type: application/json" \\
  -d '{{"userId": "user-1", "traits": {{{person}}}}}'

curl {host}/v1/track -u "{key}:" -H "Content-Type: application/json" \\
  -d '{{"userId": "user-1", "event": "Signed Up", "properties": {{"plan": "free"}}}}'"""

PYTHON = """\
# pip install segment-analytics-python
import segment.analytics as analytics

analytics.write_key = "{key}"
analytics.host = "{host}"

analytics.identify("user-1", {{{person}}})
analytics.track("user-1", "Signed Up", {{"plan": "free"}})
analytics.flush()  # before a short script ends"""

NODE = """\
// npm install @segment/analytics-node
import {{ Analytics }} from "@segment/analytics-node";

const analytics = new Analytics({{ writeKey: "{key}", host: "{host}" }});

analytics.identify({{ userId: "user-1", traits: {{ {person} }} }});
analytics.track({{ userId: "user-1", event: "Signed Up", properties: {{ plan: "free" }} }});
await analytics.closeAndFlush();"""

BROWSER = """\
// Only a public key belongs into a web page.
const send = (call, body) =>
  fetch("{host}/v1/" + call, {{
    method: "POST",
    keepalive: true,
    body: JSON.stringify({{ writeKey: "{key}", messageId: crypto.randomUUID(), ...body }}),
  }});

await send("identify", {{ userId: "user-1", traits: {{ {person} }} }});
await send("track", {{ userId: "user-1", event: "Signed Up", properties: {{ plan: "free" }} }});"""


@dataclass(frozen=True, slots=True)
class Recipe:
    slug: str
    title: str
    code: str


def recipes(host: str, key: str) -> list[Recipe]:
    """Return one recipe per kind of sender."""
    texts = (
        ("curl", "Command line", CURL),
        ("python", "Python", PYTHON),
        ("node", "Node.js", NODE),
        ("browser", "Browser", BROWSER),
    )
    return [Recipe(slug, title, text.format(host=host, key=key, person=PERSON)) for slug, title, text in texts]
