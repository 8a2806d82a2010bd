"""For each client library the curl command that sends what it sends: to see, without the library, what it gets back.

Address, credentials, headers and fields are those of the library; ``tests/clients/test_recipes.py`` compares both as
they arrive. Pure; HOST, WRITE_KEY and SITE_ID are filled in by ``events.admin.recipes``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

JSON = "application/json"
TEXT = "text/plain"
TRAITS = {"email": "ada@example.com", "first_name": "Ada"}
# Shell variables in the bodies below: a moment, and the beginning of ids that no two runs share.
NOW, ID = "$now", "$id"
SET_BOTH = "now=$(date -u +%Y-%m-%dT%H:%M:%SZ) id=$(date +%s)-$$"
KEY_AS_USER = '-u "WRITE_KEY:"'
SITE_AND_KEY = '-u "SITE_ID:WRITE_KEY"'

Call = dict[str, Any]


def calls(library: str, time: str = "timestamp", **more: Any) -> list[Call]:
    """Return an identify and a track call with what every library adds. ``time`` is the field with the moment."""
    common = {time: NOW, **more, "context": {"library": {"name": library}}}
    return [
        {"type": "identify", "userId": "user-1", "traits": TRAITS, "messageId": f"{ID}-1", **common},
        {
            "type": "track",
            "userId": "user-1",
            "event": "Signed Up",
            "properties": {"plan": "free"},
            "messageId": f"{ID}-2",
            **common,
        },
    ]


def with_traits_in_context(items: list[Call], *, alone: bool) -> list[Call]:
    """Say an identify's traits in its context, as RudderStack's libraries do; ``alone``: nowhere else."""
    identify, *others = items
    moved = {**identify, "context": {"traits": TRAITS, **identify["context"]}}
    if alone:
        del moved["traits"]
    return [moved, *others]


def batch(
    items: list[Call], path: str = "v1/batch", *, packed: bool = False, content_type: str = JSON, **around: Any
) -> str:
    """Return the command for one batch; ``packed``: with gzip."""
    lines = ",\n".join(f"  {json.dumps(item)}" for item in items)
    end = "".join(f", {json.dumps(name)}: {json.dumps(value)}" for name, value in around.items())
    body = f'{{"batch": [\n{lines}\n]{end}}}'
    options = f'{KEY_AS_USER} -H "Content-Type: {content_type}"'
    if packed:
        options = f'{options} \\\n  -H "Content-Encoding: gzip" --data-binary @-'
        return f"{SET_BOTH}\ngzip <<END | curl HOST/{path} {options}\n{body}\nEND\n"
    return f"{SET_BOTH}\n{_post(path, options, body)}"


def one_by_one(items: list[Call], paths: tuple[str, str], options: str, content_type: str = JSON, **around: Any) -> str:
    """Return a command for each call. ``around`` are fields that each of them has besides."""
    options = f'{options} -H "Content-Type: {content_type}"'.strip()
    commands = [_post(path, options, json.dumps({**item, **around})) for path, item in zip(paths, items, strict=True)]
    return f"{SET_BOTH}\n" + "\n".join(commands)


def _post(path: str, options: str, body: str) -> str:
    return f"curl HOST/{path} {options} \\\n  --data-binary @- <<END\n{body}\nEND\n"


def _settings(path: str, options: str = "") -> str:
    """Return the command by which a library in a browser asks for its settings first."""
    return f"curl {f'{options} ' if options else ''}HOST/{path}\n\n"


def _without_type(items: list[Call]) -> list[Call]:
    return [{name: value for name, value in item.items() if name != "type"} for item in items]


def _snippet() -> str:
    items = [{**call, "anonymousId": "visitor-1"} for call in calls("cuebird.js")]
    body = json.dumps({"writeKey": "WRITE_KEY", "sentAt": NOW, "batch": items})
    command = _post("v1/b", f'-H "Content-Type: {TEXT}"', body)
    return f"{SET_BOTH}\n{command}"


SEGMENT_PYTHON = batch(calls("analytics-python", integrations={}, anonymousId=None), sentAt=NOW, writeKey="WRITE_KEY")
RUDDER_PYTHON = batch(
    with_traits_in_context(
        calls("analytics-python", integrations={"All": True}, anonymousId=None, channel="server"), alone=True
    ),
    packed=True,
    sentAt=NOW,
)
CUSTOMERIO_PIPELINES_PYTHON = batch(
    calls("analytics-python", integrations={}, anonymousId=None), "cdp/v1/batch", sentAt=NOW
)
SEGMENT_NODE = batch(calls("@segment/analytics-node", integrations={}), writeKey="WRITE_KEY", sentAt=NOW)
RUDDER_NODE = batch(
    with_traits_in_context(calls("analytics-node", "originalTimestamp", channel="server", sentAt=NOW), alone=False),
    packed=True,
    content_type="application/x-www-form-urlencoded",
    timestamp=NOW,
    sentAt=NOW,
)
CUSTOMERIO_PIPELINES_NODE = batch(calls("@customerio/cdp-analytics-node", integrations={}), "cdp/v1/batch")
CUSTOMERIO_NODE_PIPELINES = one_by_one(
    _without_type(calls("customerio-node")), ("cdp/v1/identify", "cdp/v1/track"), KEY_AS_USER
)
CUSTOMERIO_TRACK = f"""\
curl -X PUT HOST/api/v1/customers/user-1 {SITE_AND_KEY} -H "Content-Type: {JSON}" \\
  -d '{json.dumps(TRAITS)}'

curl HOST/api/v1/customers/user-1/events {SITE_AND_KEY} -H "Content-Type: {JSON}" \\
  -d '{{"name": "Signed Up", "data": {{"plan": "free"}}}}'
"""
SNIPPET = _snippet()
_VISITOR: Mapping[str, Any] = {"anonymousId": "visitor-1", "integrations": {}}
SEGMENT_BROWSER = _settings("v1/projects/WRITE_KEY/settings") + one_by_one(
    calls("analytics.js", **_VISITOR), ("v1/i", "v1/t"), KEY_AS_USER, TEXT, writeKey="WRITE_KEY", sentAt=NOW
)
CUSTOMERIO_BROWSER = _settings("cdp/v1/projects/WRITE_KEY/settings") + one_by_one(
    calls("analytics.js", **_VISITOR), ("cdp/v1/i", "cdp/v1/t"), "", TEXT, writeKey="WRITE_KEY", sentAt=NOW
)
RUDDER_BROWSER = _settings("sourceConfig/", KEY_AS_USER) + one_by_one(
    with_traits_in_context(
        calls("RudderLabs JavaScript SDK", "originalTimestamp", channel="web", anonymousId="visitor-1"), alone=True
    ),
    ("v1/identify", "v1/track"),
    KEY_AS_USER,
    sentAt=NOW,
)
FETCH = one_by_one(
    [
        {"writeKey": "WRITE_KEY", "messageId": f"{ID}-1", "userId": "user-1", "traits": TRAITS},
        {
            "writeKey": "WRITE_KEY",
            "messageId": f"{ID}-2",
            "userId": "user-1",
            "event": "Signed Up",
            "properties": {"plan": "free"},
        },
    ],
    ("v1/identify", "v1/track"),
    "",
    TEXT,
)
