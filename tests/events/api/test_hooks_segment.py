"""Segment's Webhooks destination: its events as they are, signed as it signs."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

import pytest
from django.test import Client

from events import encryption
from events.models import Event, InboundRequest, Pending, Profile, Source
from tests.factories import make_source

pytestmark = pytest.mark.django_db
SECRET = "shared secret"
# The shape in which Segment forwards a call: the time is put right already, and sentAt is the first sender's.
TRACK: dict[str, Any] = {
    "anonymousId": "507f191e810c19729de860ea",
    "channel": "server",
    "context": {"library": {"name": "analytics-node", "version": "2.1.0"}, "locale": "de-DE"},
    "event": "Order Completed",
    "integrations": {"All": False, "Webhooks": True},
    "messageId": "api-2LTqCfCdLMJTpVXhPDPXyOxTnIT",
    "originalTimestamp": "2026-01-02T02:04:05.000Z",
    "projectId": "9BxKXVYDhAeKbTTCz5wGU5",
    "properties": {"total": 10.5, "currency": "EUR"},
    "receivedAt": "2026-01-02T03:04:06.000Z",
    "sentAt": "2026-01-02T02:04:06.000Z",
    "timestamp": "2026-01-02T03:04:05.000Z",
    "type": "track",
    "userId": "97980cfea0067",
    "version": 2,
}


@pytest.fixture
def hook() -> Source:
    source = make_source()
    source.kind, source.slug, source.lock = Source.Kind.SEGMENT, "seg", Source.Lock.SIGNATURE
    source.signature_digest, source.signing_secret = Source.Digest.SHA1, encryption.encrypt(SECRET)
    source.save()
    return source


def as_segment_writes(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()


def signature(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()


def post(body: bytes, given: str | None) -> Any:
    headers = {} if given is None else {"X-Signature": given}
    return Client().generic("POST", "/hooks/seg/", body, content_type="application/json", headers=headers)


def test_one_event_arrives_as_segment_had_it(hook: Source) -> None:
    body = as_segment_writes(TRACK)
    answer = post(body, signature(body))
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    event = Event.objects.get()
    assert (event.name, event.properties, event.message_id) == (TRACK["event"], TRACK["properties"], TRACK["messageId"])
    assert event.profile.user_id == "97980cfea0067"
    assert event.extra["projectId"] == TRACK["projectId"]


def test_the_time_that_segment_has_put_right_is_not_moved_again(hook: Source) -> None:
    body = as_segment_writes(TRACK)
    post(body, signature(body))
    assert Event.objects.get().timestamp == datetime.fromisoformat("2026-01-02T03:04:05Z")


def test_what_segment_sends_us_reaches_campaigns_unless_we_are_switched_off_by_name(hook: Source) -> None:
    body = as_segment_writes(TRACK)
    post(body, signature(body))
    assert Pending.objects.count() == 1
    off = as_segment_writes({**TRACK, "messageId": "m-2", "integrations": {"All": True, "Cuebird": False}})
    post(off, signature(off))
    assert (Event.objects.count(), Pending.objects.count()) == (2, 1)


def test_a_batch_is_signed_by_its_first_event_only(hook: Source) -> None:
    batch = [{**TRACK, "messageId": f"m-{number}", "event": "Größe"} for number in range(3)]
    answer = post(as_segment_writes(batch), signature(as_segment_writes(batch[0])))
    assert answer.status_code == 200
    assert Event.objects.count() == 3


@pytest.mark.parametrize("wrong", [None, "", "0" * 40, "second"])
def test_a_wrong_signature_is_refused(hook: Source, wrong: str | None) -> None:
    batch = [TRACK, {**TRACK, "messageId": "m-2"}]
    given = signature(as_segment_writes(batch[1])) if wrong == "second" else wrong
    assert post(as_segment_writes(batch), given).status_code == 401
    assert not Event.objects.exists()


def test_a_repeated_delivery_counts_once(hook: Source) -> None:
    body = as_segment_writes(TRACK)
    for _ in range(2):
        assert post(body, signature(body)).status_code == 200
    assert Event.objects.count() == 1


def test_all_kinds_of_calls_come_through_one_address(hook: Source) -> None:
    identify = {"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com"}, "messageId": "m-1"}
    page = {"type": "page", "userId": "ada", "name": "Prices", "messageId": "m-2"}
    body = as_segment_writes([identify, page])
    assert post(body, signature(body)).status_code == 200
    assert Profile.objects.get().email == "ada@example.com"
    assert [event.type for event in Event.objects.order_by("pk")] == ["identify", "page"]


def test_four_thousand_events_are_taken_at_once_and_no_more(hook: Source) -> None:
    batch = [{"type": "track", "userId": "u", "event": "e", "messageId": f"m-{n}"} for n in range(4001)]
    answer = post(as_segment_writes(batch), signature(as_segment_writes(batch[0])))
    assert answer.status_code == 200
    assert [item["index"] for item in answer.json()["rejected"]] == [4000]
    assert Event.objects.count() == 4000


def test_a_bad_event_does_not_spoil_its_neighbours(hook: Source) -> None:
    batch = [{**TRACK, "event": None}, TRACK]
    answer = post(as_segment_writes(batch), signature(as_segment_writes(batch[0])))
    assert (answer.status_code, answer.json()["rejected"][0]["field"]) == (200, "event")
    assert Event.objects.count() == 1


def test_addresses_stay_out_of_the_debugger_where_the_source_keeps_none(hook: Source) -> None:
    Source.objects.filter(pk=hook.pk).update(store_ip=False)
    batch = [{**TRACK, "context": {"ip": "203.0.113.9", "locale": "de"}, "event": None}, TRACK]
    post(as_segment_writes(batch), signature(as_segment_writes(batch[0])))
    kept = InboundRequest.objects.get()
    assert "203.0.113.9" not in kept.body and "locale" in kept.body
