"""Where a source keeps no addresses and no browsers, none is anywhere in the database, whichever door was used."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from django.test import Client

from events.models import Event, InboundRequest, Source, SourceKey
from tests import dump
from tests.factories import make_key, make_source, planned
from tests.tracking import basic

pytestmark = pytest.mark.django_db
ADDRESS, BROWSER = "203.0.113.99", "SecretBrowser/1.0"
CONTEXT = {"ip": ADDRESS, "userAgent": BROWSER, "userAgentData": {"brands": [BROWSER]}}


def knock(method: str, path: str, body: Any, authorization: str) -> int:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"User-Agent": BROWSER, "X-Forwarded-For": ADDRESS, "Forwarded": f"for={ADDRESS}"}
    if authorization:
        headers["Authorization"] = authorization
    client = Client(REMOTE_ADDR=ADDRESS)
    return client.generic(method, path, content, content_type="application/json", headers=headers).status_code


def knock_at_every_door(source: Source) -> None:
    hook = make_source()
    kept = {"store_ip": source.store_ip, "store_user_agent": source.store_user_agent}
    Source.objects.filter(pk=hook.pk).update(kind="segment", slug="from-segment", **kept)
    public = make_key(source, SourceKey.Kind.PUBLIC)
    secret = basic(make_key(source))
    cio = "Basic " + b64encode(f"{source.site_id}:{make_key(source)}".encode()).decode()
    call = {"userId": "u", "event": "Hi", "context": {**CONTEXT, "direct": True}}
    planned("Checked", schema={"required": ["price"]})
    statuses = [
        knock("POST", "/v1/track", call, secret),
        knock("POST", "/v1/identify", {"userId": "u", "traits": {"a": 1}, "context": CONTEXT}, secret),
        knock("POST", "/v1/track", {**call, "event": "Checked"}, secret),
        knock("POST", "/v1/batch", {"batch": [{"type": "track", **call}], "context": CONTEXT}, secret),
        knock("GET", f"/pixel/v1/track?writeKey={public}&userId=u&event=Hi&context.ip={ADDRESS}", b"", ""),
        knock("POST", f"/beacon/v1/batch?writeKey={public}", {"batch": [{"type": "track", **call}]}, ""),
        knock("POST", "/hooks/from-segment/", {"type": "track", **call}, ""),
        knock("POST", "/api/v1/customers/u/events", {"name": "Hi", "data": {}}, cio),
        knock("POST", "/api/v2/entity", {"type": "person", "identifiers": {"id": "u"}, "action": "identify"}, cio),
    ]
    assert statuses == [200] * len(statuses)
    assert knock("POST", "/v1/track", {"context": CONTEXT}, secret) == 400
    assert knock("POST", "/v1/batch", {"batch": [{"type": "none", "context": CONTEXT}]}, secret) in (200, 400)
    assert knock("POST", "/v1/track", json.dumps(call).encode()[:-1], secret) == 400
    assert knock("POST", "/hooks/from-segment/", {"type": "none", "context": CONTEXT}, "") == 400


@pytest.mark.parametrize("keeps", [True, False])
def test_what_a_source_does_not_keep_is_nowhere(keeps: bool) -> None:
    source = make_source()
    Source.objects.filter(pk=source.pk).update(store_ip=keeps, store_user_agent=keeps)
    source.refresh_from_db()
    knock_at_every_door(source)
    assert Event.objects.count() >= 9 and InboundRequest.objects.count() >= 10
    tables = {name.partition("_20")[0] for name in dump.places_of(ADDRESS, BROWSER)}
    assert tables == ({"events_event", "events_inboundrequest"} if keeps else set())
