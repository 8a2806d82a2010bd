"""Inbound webhooks: any JSON at ``/hooks/<slug>/``, locks, mappings, and what is answered."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from events import encryption, grouping
from events.api import hooks
from events.models import Event, InboundRequest, Pending, Source
from tests.factories import make_key, make_source, planned
from tests.tracking import basic

pytestmark = pytest.mark.django_db
CART = {"user_id": "12345", "product_id": "98765", "event": "add_to_cart"}
SECRET = "shared secret"


def make_hook(slug: str = "cart", **columns: Any) -> Source:
    source = make_source()
    columns.setdefault("kind", Source.Kind.WEBHOOK)
    if "secret" in columns:
        columns["signing_secret"] = encryption.encrypt(columns.pop("secret"))
    Source.objects.filter(pk=source.pk).update(slug=slug, **columns)
    source.refresh_from_db()
    return source


def post(body: Any, path: str = "cart/", method: str = "POST", **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content_type = named.pop("Content-Type", "application/json")
    return Client().generic(method, f"/hooks/{path}", content, content_type=content_type, headers=named)


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", ["cart", "cart/"])
def test_a_cart_becomes_an_event_without_any_setting(path: str, method: str) -> None:
    source = make_hook()
    answer = post(CART, path, method)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    event = Event.objects.get()
    assert (event.type, event.name, event.properties) == ("track", "add_to_cart", {"product_id": "98765"})
    assert (event.profile.user_id, event.source_id) == ("12345", source.pk)
    assert Pending.objects.get().event_id == event.pk
    source.refresh_from_db()
    assert source.last_event_at is not None


def test_a_list_of_payloads_becomes_a_list_of_events() -> None:
    make_hook()
    assert post([CART, {**CART, "event": "paid"}]).status_code == 200
    assert [event.name for event in Event.objects.order_by("pk")] == ["add_to_cart", "paid"]


def test_a_form_is_read_as_well() -> None:
    make_hook()
    form = b"user_id=7&event=paid&tag=a&tag=b&note=Gr%C3%BC%C3%9Fe"
    answer = post(form, Content_Type="application/x-www-form-urlencoded; charset=utf-8")
    assert answer.status_code == 200
    assert Event.objects.get().properties == {"tag": ["a", "b"], "note": "Grüße"}


def test_the_type_of_json_does_not_matter() -> None:
    make_hook()
    assert post(CART, Content_Type="application/x-www-form-urlencoded").status_code == 200
    assert post(CART, Content_Type="text/plain").status_code == 200


def test_a_mapping_makes_the_calls_it_says_with_headers_too() -> None:
    calls = [
        {"type": "identify", "user_id": "$.buyer.id", "traits": {"email": "$.buyer.mail"}},
        {
            "type": "track",
            "user_id": "$.buyer.id",
            "event": "Order {{ headers.x_shop_topic | capitalize }}",
            "properties": {"total": "$.total", "skus": "$.lines[*].sku"},
        },
    ]
    make_hook(mapping={"calls": calls})
    order = {"buyer": {"id": 7, "mail": "ada@example.com"}, "total": 10.5, "lines": [{"sku": "A"}, {"sku": "B"}]}
    assert post(order, X_Shop_Topic="paid").status_code == 200
    event = Event.objects.get(type="track")
    assert (event.name, event.properties) == ("Order Paid", {"total": 10.5, "skus": ["A", "B"]})
    assert (event.profile.user_id, event.profile.email) == ("7", "ada@example.com")


def test_the_same_message_id_counts_once() -> None:
    make_hook()
    for _ in range(2):
        assert post({**CART, "message_id": "m-1"}).status_code == 200
    assert Event.objects.count() == 1


def test_numbers_keep_every_digit() -> None:
    make_hook()
    post(b'{"user_id": "u", "event": "e", "sum": 1234567890123456789.10}')
    with connection.cursor() as cursor:
        cursor.execute("SELECT properties->>'sum' FROM events_event")
        assert cursor.fetchone() == ("1234567890123456789.10",)


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"", "invalid_json", "body"),
        (b"hello", "invalid_json", "body"),
        (b"5", "invalid_value", "body"),
        (b"[5]", "invalid_value", "body"),
        (b"[" * 500, "invalid_json", "body"),
        (b'{"a":' * 300 + b"1" + b"}" * 300, "invalid_value", "body"),
        (b'{"user_id": "u"}', "unmapped", "calls[0].event"),
        (b'{"event": "e"}', "unmapped", "calls[0].user_id"),
        (b'{"event": "e", "user_id": {"a": 1}}', "invalid_value", "calls[0].user_id"),
        (b'{"event": "e", "user_id": "u", "timestamp": "soon"}', "invalid_value", "calls[0].timestamp"),
        (b'{"event": "e", "user_id": "u", "long": "' + b"x" * 40_000 + b'"}', "too_large", "calls[0].everything"),
        (b"x" * (8 * 1024 * 1024 + 1), "too_large", "body"),
    ],
    ids=range(12),
)
def test_a_payload_that_cannot_be_taken_is_refused_and_says_why(body: bytes, code: str, field: str) -> None:
    source = make_hook()
    answer = post(body)
    assert answer.status_code == 400
    said = answer.json()
    assert (said["code"], said["field"]) == (code, field) and said["message"]
    assert not Event.objects.exists()
    kept = InboundRequest.objects.get()
    assert (kept.source_id, kept.status, kept.answer) == (source.pk, 400, said)


def test_what_is_good_in_a_list_is_stored_and_the_rest_is_told() -> None:
    make_hook()
    said = post([CART, 5, {"event": "e"}]).json()
    assert (said["success"], said["rejected_count"]) == (True, 2)
    assert [(item["index"], item["field"]) for item in said["rejected"]] == [(1, "body"), (2, "calls[0].user_id")]
    assert Event.objects.count() == 1
    assert InboundRequest.objects.get().rejected == 2


def test_a_list_without_anything_good_is_refused_with_all_reasons() -> None:
    make_hook()
    answer = post([5, {"event": "e"}])
    assert answer.status_code == 400
    assert (answer.json()["field"], answer.json()["rejected_count"]) == ("body", 2)


def test_a_payload_that_no_rule_is_for_is_taken_and_says_so() -> None:
    call = {"type": "track", "user_id": "$.user_id", "event": "Paid", "only_when": {"value": "$.event", "is": "paid"}}
    make_hook(mapping={"calls": [call]})
    answer = post(CART)
    assert answer.status_code == 200
    assert answer.json() == {"success": True, "message": hooks.PASSED_OVER}
    assert not Event.objects.exists()
    assert InboundRequest.objects.get().answer == answer.json()


def test_a_mapping_that_cannot_be_used_is_named_in_the_answer() -> None:
    make_hook(mapping={"calls": [{"type": "track", "user_id": "$.", "event": "x"}]})
    answer = post(CART)
    assert (answer.status_code, answer.json()["field"]) == (400, "calls[0].user_id")


def test_an_unknown_address_is_not_found_and_kept_to_be_seen() -> None:
    make_source()
    answer = post(CART, "crat/")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert InboundRequest.objects.get().path == "/hooks/crat/"


def test_a_tracking_source_is_no_hook_and_a_disabled_hook_takes_nothing() -> None:
    make_hook("tracking", kind=Source.Kind.TRACKING)
    make_hook("off", enabled=False)
    assert post(CART, "tracking/").status_code == 404
    assert post(CART, "off/").status_code == 401
    assert not Event.objects.exists()


def test_other_methods_are_told_so() -> None:
    make_hook()
    assert post(b"", method="GET").status_code == 405


def test_trouble_of_ours_asks_for_a_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    make_hook()

    def fail(*args: object) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(grouping, "store", fail)
    answer = post(CART)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")


def test_the_number_of_statements_does_not_grow_with_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    # Whether a call is kept is one statement more or less, as the second has it.
    monkeypatch.setattr(hooks, "KEPT_PER_SECOND", 1000)
    make_hook()
    post(CART)
    with CaptureQueriesContext(connection) as few:
        post([CART])
    with CaptureQueriesContext(connection) as many:
        post([CART] * 500)
    assert len(many) == len(few)


def test_an_address_that_is_the_secret_is_not_shown_in_the_debugger() -> None:
    make_hook("abcdefghijklmnopqrstuvwx")
    make_hook("cart", lock=Source.Lock.KEY)
    post(CART, "abcdefghijklmnopqrstuvwx/")
    post(CART, "cart/")
    assert list(InboundRequest.objects.order_by("pk").values_list("path", flat=True)) == [
        "/hooks/abcde…wx/",
        "/hooks/cart/",
    ]


# --- Locks ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("place", ["basic", "bearer", "header", "query"])
def test_a_key_opens_from_wherever_it_comes(place: str) -> None:
    key = make_key(make_hook(lock=Source.Lock.KEY))
    match place:
        case "basic":
            answer = post(CART, Authorization=basic(key))
        case "bearer":
            answer = post(CART, Authorization=f"Bearer {key}")
        case "header":
            answer = post(CART, X_Api_Key=key)
        case _:
            answer = post(CART, f"cart/?api_key={key}")
    assert answer.status_code == 200


def test_without_a_key_of_this_source_the_door_stays_shut() -> None:
    make_hook(lock=Source.Lock.KEY)
    assert post(CART).status_code == 401
    assert post(CART, X_Api_Key="sk_wrong").status_code == 401
    assert post(CART, X_Api_Key=make_key(make_source())).status_code == 401
    assert not Event.objects.exists()


def signed(body: bytes, digest: str = "sha256") -> str:
    return hmac.new(SECRET.encode(), body, getattr(hashlib, digest)).hexdigest()


BODY = json.dumps(CART).encode()
BASE64 = base64.b64encode(hmac.new(SECRET.encode(), BODY, hashlib.sha256).digest()).decode()


@pytest.mark.parametrize("given", [signed(BODY), signed(BODY).upper(), f"sha256={signed(BODY)}", BASE64])
def test_a_signature_opens_in_the_forms_that_senders_use(given: str) -> None:
    make_hook(lock=Source.Lock.SIGNATURE, secret=SECRET, signature_header="X-Hub-Signature-256")
    assert post(BODY, X_Hub_Signature_256=given).status_code == 200


@pytest.mark.parametrize("given", ["", "wrong", signed(b"{}"), signed(BODY, "sha1"), signed(BODY)[:-1], "é"])
def test_a_signature_that_does_not_fit_is_refused(given: str) -> None:
    make_hook(lock=Source.Lock.SIGNATURE, secret=SECRET)
    answer = post(BODY, X_Signature=given)
    assert (answer.status_code, answer.json()["field"]) == (401, "X-Signature")
    assert not Event.objects.exists()


def test_a_hook_without_a_secret_lets_nobody_in() -> None:
    make_hook(lock=Source.Lock.SIGNATURE)
    empty = hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    assert post(BODY, X_Signature=empty).status_code == 401


def test_a_secret_that_cannot_be_read_asks_for_a_repetition() -> None:
    make_hook(lock=Source.Lock.SIGNATURE, signing_secret="not ours")
    assert post(BODY, X_Signature=signed(BODY)).status_code == 503


def test_what_the_tracking_plan_refuses_is_told_by_the_number_of_its_payload() -> None:
    planned("paid", schema_mode="block", schema={"properties": {"sum": {"type": "number"}}})
    make_hook()
    answer = post([CART, {"user_id": "u", "event": "paid", "sum": "five"}])
    assert [item["index"] for item in answer.json()["rejected"]] == [1]
    assert [event.name for event in Event.objects.all()] == ["add_to_cart"]
