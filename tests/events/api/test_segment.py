from __future__ import annotations

import gzip
import io
import json
import logging
import os
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.client import FakePayload
from django.utils import timezone

from events.api import body, inbound
from events.models import Event, InboundRequest, Pending, Profile, Source, SourceKey
from tests.factories import make_key, make_source
from tests.tracking import basic, send

pytestmark = pytest.mark.django_db
HI = {"userId": "u", "event": "Hi"}
CALLS: dict[str, dict[str, Any]] = {
    "identify": {"traits": {"plan": "pro"}},
    "track": {"event": "Hi"},
    "page": {"name": "Home"},
    "screen": {"name": "Home"},
    "group": {"groupId": "g"},
    "alias": {"previousId": "p"},
}


@pytest.fixture
def key() -> str:
    return make_key()


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("kind", CALLS)
def test_every_call_is_taken_on_every_path_without_a_redirect(key: str, kind: str, short: bool, slash: str) -> None:
    # The type in the body does not count: the path says it.
    answer = send((kind[0] if short else kind) + slash, {"userId": "u", "type": "track", **CALLS[kind]}, key)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert answer["Content-Type"] == "application/json"
    assert Event.objects.get().type == kind
    assert Pending.objects.count() == 1


@pytest.mark.parametrize("path", ["batch", "batch/", "b", "b/"])
def test_a_batch_takes_calls_of_all_kinds(key: str, path: str) -> None:
    items = [{"type": kind, "userId": "u", **fields} for kind, fields in CALLS.items()]
    answer = send(path, {"batch": items}, key)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert list(Event.objects.order_by("id").values_list("type", flat=True)) == list(CALLS)


def test_dropped_items_are_told_and_the_rest_is_stored(key: str) -> None:
    items = [{"type": "track", **HI}, {"type": "track", "userId": "u"}, 5, {"type": "track", **HI}]
    answer = send("batch", {"batch": items}, key)
    assert answer.status_code == 200
    said = answer.json()
    assert (said["success"], said["rejected_count"]) == (True, 2)
    assert [(item["index"], item["field"]) for item in said["rejected"]] == [(1, "event"), (2, "batch")]
    assert all(item["message"] and item["code"] for item in said["rejected"])
    assert Event.objects.count() == 2
    kept = InboundRequest.objects.get()
    assert (kept.status, kept.accepted, kept.rejected, kept.answer) == (200, 2, 2, said)


def test_a_batch_of_2501_items_loses_the_last(key: str) -> None:
    items = [{"type": "track", "userId": f"u{n % 10}", "event": "Hi", "messageId": f"m{n}"} for n in range(2501)]
    answer = send("batch", {"batch": items}, key)
    assert answer.status_code == 200
    assert [item["index"] for item in answer.json()["rejected"]] == [2500]
    assert Event.objects.count() == 2500


def test_what_was_dropped_does_not_use_up_its_message_id(key: str) -> None:
    send("batch", {"batch": [{"type": "track", "userId": "u", "messageId": "m"}]}, key)
    send("batch", {"batch": [{"type": "track", **HI, "messageId": "m"}]}, key)
    assert Event.objects.get().message_id == "m"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "",
        "multipart/form-data; boundary=x",
    ],
)
def test_the_content_type_does_not_matter(key: str, content_type: str) -> None:
    assert send("track", HI, key, Content_Type=content_type).status_code == 200
    assert send("track", HI, key, packed=True, Content_Type=content_type).status_code == 200
    assert Event.objects.count() == 2


@pytest.mark.parametrize("accept", ["text/html", "text/plain", "image/png;q=0.1", "", "nonsense"])
def test_whatever_is_accepted_the_answer_is_json(key: str, accept: str) -> None:
    assert send("track", HI, key, Accept=accept).json() == {"success": True}


# --- Bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b"not gzip", gzip.compress(b'{"userId": "u"}')[:-9], gzip.compress(b"{}")[5:], b"", b"\x1f\x8b\x08"],
    ids=["text", "cut short", "no head", "empty", "head alone"],
)
def test_a_bad_gzip_stream_is_refused(key: str, content: bytes) -> None:
    answer = send("track", content, key, Content_Encoding="gzip")
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_gzip"


def test_a_bomb_is_refused_without_unpacking_it(key: str) -> None:
    bomb = gzip.compress(b" " * 30_000_000)
    for path in ("track", "batch"):
        answer = send(path, bomb, key, Content_Encoding="gzip")
        assert (answer.status_code, answer.json()["code"]) == (400, "too_large")


def test_other_encodings_are_refused(key: str) -> None:
    assert send("track", b"x", key, Content_Encoding="br").json()["field"] == "Content-Encoding"


@pytest.mark.parametrize(("path", "limit"), [("track", body.CALL_LIMIT), ("batch", body.BATCH_LIMIT)])
@pytest.mark.parametrize("packed", [False, True])
def test_the_limits_hold_for_the_unpacked_size(key: str, path: str, limit: int, packed: bool) -> None:
    content: dict[str, Any] = {"batch": [], "pad": ""} if path == "batch" else {**HI, "pad": ""}
    content["pad"] = "x" * (limit - len(json.dumps(content)))
    assert send(path, content, key, packed=packed).status_code == 200
    content["pad"] += "x"
    answer = send(path, content, key, packed=packed)
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (400, "too_large", "body")


@pytest.mark.parametrize("packed", [False, True])
def test_a_batch_of_a_rudderstack_library_may_be_larger(key: str, packed: bool) -> None:
    """Their items name a channel. The first of them has to: who sends much has to say so at once."""
    item = {"type": "track", "channel": "server", **HI, "properties": {"pad": "x" * 30_000}}
    answer = send("batch", {"batch": [item] * 100}, key, packed=packed)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert Event.objects.count() == 100
    for batch in ([], [5, item], {}, [{**item, "pad": "x" * body.RUDDERSTACK_LIMIT}]):
        answer = send("batch", {"batch": batch, "pad": "x" * body.BATCH_LIMIT}, key, packed=packed)
        assert (answer.status_code, answer.json()["code"]) == (400, "too_large")
    assert Event.objects.count() == 100


@pytest.mark.parametrize("packed", [False, True])
def test_a_body_beyond_all_bounds_is_refused_after_it_was_read(key: str, packed: bool) -> None:
    content = FakePayload(os.urandom(9_000_000))
    headers = {"Authorization": basic(key)} | ({"Content-Encoding": "gzip"} if packed else {})
    answer = Client().generic(
        "POST", "/v1/batch", b"-", headers=headers, **{"wsgi.input": content, "CONTENT_LENGTH": "9000000"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "too_large")
    assert not content.read()
    assert len(InboundRequest.objects.get().body) <= 32 * 1024


def test_a_body_in_chunks_without_a_length_is_read(key: str) -> None:
    chunked = {"wsgi.input": io.BytesIO(json.dumps(HI).encode()), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    answer = Client().generic("POST", "/v1/track", b"-", headers={"Authorization": basic(key)}, **chunked)
    assert answer.status_code == 200
    assert Event.objects.count() == 1


def test_a_byte_order_mark_is_passed_over(key: str) -> None:
    assert send("track", b"\xef\xbb\xbf" + json.dumps(HI).encode(), key).status_code == 200


ODD = {
    "": "empty",
    "a.b": {"c": [1, 2.5, None, True, {"d": []}]},
    "<script>": "<b>&amp;</b>",
    "漢字 🎉": "ß\u2028\u2029\t\\ \"'",
    "__proto__": {"constructor": 1},
    "$set": "%s {{ x }} {% y %}",
    "x" * 5000: "y" * 5000,
    "big": 12345678901234567890123,
    "false": False,
    "zero": 0,
    "space ": " ",
}


def test_values_are_kept_exactly(key: str) -> None:
    for kind, field in (("track", "properties"), ("identify", "traits")):
        call = {"userId": "u", "event": "Öffnete <b>", field: ODD, "context": ODD | {"traits": {}}}
        assert send(kind, call, key).status_code == 200
        assert Event.objects.get(type=kind).properties == ODD
        assert Event.objects.get(type=kind).context == ODD | {"traits": {}}
    assert Event.objects.get(type="track").name == "Öffnete <b>"
    # A trait that is null has been forgotten; what is null further down stays.
    assert Profile.objects.get().traits == ODD


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        (rb'"a\u0000b"', "a\ufffdb"),
        (rb'"\ud800"', "\ufffd"),
        (b'"\xff"', "\ufffd"),
        (b"NaN", None),
        (b"1e308", 10**308),
        (b"1e400", ...),
        (b"[" * 3000 + b"]" * 3000, ...),
        (b"[" * 16000, ...),
        (b'"' + b"x" * 5000 + b'"', "x" * 5000),
        (b"9" * 5000, ...),
        (b"1e99999", ...),
    ],
)
def test_no_value_makes_the_server_stumble(key: str, content: bytes, stored: Any) -> None:
    call = b'{"type": "track", "userId": "u", "event": "Hi", "messageId": "m", "properties": {"a": %s}}' % content
    answer = send("track", call, key)
    if stored is ...:
        assert answer.status_code == 400
        assert answer.json().keys() == {"code", "message", "field"}
    else:
        assert answer.status_code == 200
        assert Event.objects.get().properties == {"a": stored}
    assert send(
        "batch", b'{"batch": [%s, {"type": "track", "userId": "u", "event": "Good"}]}' % call, key
    ).status_code in ((200, 400) if content.endswith(b"[") else (200,))


# --- Keys ------------------------------------------------------------------------------------------------------------


def test_unknown_revoked_and_disabled_keys_are_refused() -> None:
    revoked, disabled = make_key(), make_key(make_source(enabled=False))
    SourceKey.objects.filter(source__enabled=True).update(revoked_at=timezone.now())
    good = make_key()
    for key in ("unknown", revoked, disabled):
        answer = send("track", HI, key)
        assert answer.status_code == 401
        assert answer.json()["code"] == "unauthorized"
        assert answer["WWW-Authenticate"].startswith("WriteKey")
        assert send("track", {**HI, "writeKey": key}).status_code == 401
    assert send("track", HI, good).status_code == 200
    assert Event.objects.count() == 1


# --- Browsers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [*CALLS, "batch", "t", "b", "t/"])
def test_a_browser_may_call_from_anywhere(path: str) -> None:
    answer = Client().options(
        f"/v1/{path}",
        headers={
            "Origin": "https://shop.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-retry-count",
        },
    )
    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Origin"] == "*"
    allowed = {name.strip() for name in answer["Access-Control-Allow-Headers"].split(",")}
    assert {"authorization", "content-type", "x-retry-count"} <= allowed
    assert "POST" in answer["Access-Control-Allow-Methods"]


def test_errors_can_be_read_from_anywhere_too(key: str) -> None:
    for answer in (send("track", HI), send("track", b"{", key), Client().get("/v1/track"), send("nothing", HI, key)):
        assert answer.status_code in (400, 401, 404, 405)
        assert answer["Access-Control-Allow-Origin"] == "*"
        assert answer.json()["message"]


def test_other_methods_are_refused_in_json() -> None:
    for method in ("get", "put", "delete", "patch"):
        answer = getattr(Client(), method)("/v1/track")
        assert answer.status_code == 405
        assert answer.json()["code"] == "method_not_allowed"
        assert answer["Allow"] == "POST, OPTIONS"


@pytest.mark.parametrize("path", ["", "tracks", "v1/track", "track/x", "projects/", "%00"])
@pytest.mark.parametrize("method", ["get", "post", "put"])
def test_an_address_that_there_is_none_at_is_told_in_json(path: str, method: str) -> None:
    answer = getattr(Client(), method)(f"/v1/{path}")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found" and "identify" in answer.json()["message"]
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert Client().options(f"/v1/{path}").status_code == 204


# --- What is noted ---------------------------------------------------------------------------------------------------


def test_the_use_of_a_key_and_a_source_is_noted(key: str) -> None:
    send("track", HI, key)
    used, seen = SourceKey.objects.get().last_used_at, Source.objects.get().last_event_at
    assert used and seen and timezone.now() - used < timedelta(minutes=1)
    send("track", HI, key)
    assert SourceKey.objects.get().last_used_at == used


def test_refused_calls_are_kept_with_their_keys_masked() -> None:
    send("track", {"writeKey": "sk_this-is-a-secret-key", "event": "Hi", "password": "hunter2"}, User_Agent="client/1")
    kept = InboundRequest.objects.get()
    assert (kept.method, kept.path, kept.client, kept.status, kept.source) == (
        "POST",
        "/v1/track",
        "client/1",
        401,
        None,
    )
    assert kept.answer["code"] == "unauthorized"
    assert "secret" not in kept.body and "hunter2" not in kept.body
    assert '"writeKey": "sk_th…ey"' in kept.body


def test_a_refused_call_of_a_known_source_names_the_source(key: str) -> None:
    send("track", {"event": "Hi"}, key)
    assert InboundRequest.objects.get().source == Source.objects.get()


def test_a_packed_body_is_shown_unpacked(key: str) -> None:
    send("track", {"event": "Hi"}, key, packed=True)
    assert json.loads(InboundRequest.objects.get().body) == {"event": "Hi"}


def test_an_accepted_call_is_kept_and_linked(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests before may have used up this second's share.
    monkeypatch.setattr(inbound, "_accepted", inbound.Sampler(1))
    send("track", HI, key)
    kept = Event.objects.get().request
    assert kept is not None
    assert (kept.status, kept.accepted, kept.rejected, kept.answer) == (200, 1, 0, {"success": True})
    assert json.loads(kept.body) == HI


@pytest.mark.django_db(transaction=True)
def test_trouble_with_the_database_asks_for_patience(key: str, caplog: pytest.LogCaptureFixture) -> None:
    send("track", HI, key)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = connections.create_connection("default")
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [pid])
    other.close()
    with caplog.at_level(logging.CRITICAL):
        answer = send("track", {**HI, "userId": "v"}, key)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert answer.json()["code"] == "unavailable"
    connection.close()
    assert send("track", {**HI, "userId": "v"}, key).status_code == 200
    assert Event.objects.count() == 2
