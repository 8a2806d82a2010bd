from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from events.models import Event, InboundRequest, SourceKey
from tests.factories import make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def key() -> str:
    return make_key(kind=SourceKey.Kind.PUBLIC)


def show(kind: str, **query: str) -> Any:
    return Client().get(f"/pixel/v1/{kind}", query)


def assert_is_an_image(answer: Any) -> None:
    assert answer["Content-Type"] == "image/gif"
    # Width and height, two bytes each.
    assert answer.content[:10] == b"GIF89a" + b"\1\0\1\0"
    assert answer["Cache-Control"] == "no-store"
    assert answer["Access-Control-Allow-Origin"] == "*"


def test_a_pixel_tracks_what_its_address_says(key: str) -> None:
    answer = show(
        "track",
        writeKey=key,
        anonymousId="visitor",
        event="Opened",
        messageId="m",
        **{"properties.letter": "March", "properties.a.b": "ü", "context.page.url": "https://shop.example/"},
    )
    assert answer.status_code == 200
    assert_is_an_image(answer)
    event = Event.objects.get()
    assert (event.type, event.name, event.message_id) == ("track", "Opened", "m")
    assert event.properties == {"letter": "March", "a": {"b": "ü"}}
    assert event.context == {"page": {"url": "https://shop.example/"}}
    assert event.profile.identities.get().value == "visitor"


@pytest.mark.parametrize("path", ["page", "page/"])
def test_a_pixel_views_a_page(key: str, path: str) -> None:
    assert show(path, writeKey=key, userId="ada", name="Home").status_code == 200
    assert Event.objects.get().type == "page" and Event.objects.get().profile.user_id == "ada"


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"anonymousId": "a", "event": "Hi", "writeKey": "nobody"}, 401, "Authorization"),
        ({"anonymousId": "a", "event": "Hi", "writeKey": "\0"}, 401, "Authorization"),
        ({"anonymousId": "a"}, 400, "event"),
        ({"event": "Hi"}, 400, "userId"),
        ({"anonymousId": "a\0", "event": "Hi"}, 400, "anonymousId"),
        ({"anonymousId": "a", "event": "Hi", "properties": "x"}, 400, "properties"),
        ({"anonymousId": "a", "event": "Hi", "pad": "x" * 33_000}, 400, "body"),
    ],
)
def test_what_cannot_be_taken_is_an_image_too_and_told_in_the_debugger(
    key: str, query: dict[str, str], status: int, field: str
) -> None:
    answer = show("track", **{"writeKey": key} | query)
    assert answer.status_code == status
    assert_is_an_image(answer)
    kept = InboundRequest.objects.get()
    assert (kept.method, kept.path, kept.status, kept.answer["field"]) == ("GET", "/pixel/v1/track", status, field)
    assert not Event.objects.exists()


def test_odd_addresses_are_taken_as_they_are(key: str) -> None:
    names = [".", "a..b", "properties" + ".x" * 5000, "properties.", "[]", "%zz", *(f"extra{n}" for n in range(1500))]
    query = "&".join([f"writeKey={key}&anonymousId=a&event=Hi&event=Bye&&=&%ff=%ff", *(f"{name}=1" for name in names)])
    assert Client().get("/pixel/v1/track", QUERY_STRING=query).status_code == 200
    assert Event.objects.get().name == "Bye"


def test_what_is_kept_shows_no_whole_key(key: str) -> None:
    show("track", writeKey=key, anonymousId="a", event="Hi")
    kept = InboundRequest.objects.get()
    assert key not in kept.path + kept.body
    assert json.loads(kept.body)["event"] == "Hi"


def test_a_secret_key_does_not_belong_into_an_address() -> None:
    secret = make_key(kind=SourceKey.Kind.SECRET)
    assert show("page", writeKey=secret, anonymousId="a").status_code == 403
    body = json.dumps({"batch": []})
    answer = Client().post(f"/beacon/v1/batch?writeKey={secret}", body, content_type="text/plain")
    assert (answer.status_code, answer.json()["code"]) == (403, "secret_key_in_browser")


def test_a_beacon_brings_a_batch_with_its_key_in_the_address(key: str) -> None:
    items = [{"type": "track", "anonymousId": "a", "event": "Left"}, {"type": "track"}]
    answer = Client().post(f"/beacon/v1/batch?writeKey={key}", json.dumps({"batch": items}), content_type="text/plain")
    assert (answer.status_code, answer.json()["rejected_count"]) == (200, 1)
    assert Event.objects.get().name == "Left"
    assert Client().post("/beacon/v1/batch", "{}", content_type="text/plain").status_code == 401


def test_other_pixels_there_are_none(key: str) -> None:
    assert show("identify", writeKey=key, anonymousId="a").status_code == 404
    assert Client().post(f"/pixel/v1/track?writeKey={key}").status_code == 405
