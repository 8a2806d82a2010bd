"""Keys of sources: what an origin is, what a successor inherits, what no key may do."""

from __future__ import annotations

import pytest
from django.test import Client

from events import keys
from events.models import SourceKey
from tests.factories import make_key, make_source
from tests.tracking import basic, send

EVENT = {"userId": "ada", "event": "Hi"}


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Shop.Example/", "https://shop.example"),
        (" https://shop.example:443 ", "https://shop.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("capacitor://localhost", "capacitor://localhost"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(text: str, origin: str) -> None:
    assert keys.origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        "shop.example",
        "https://",
        "https://shop.example/cart",
        "https://a.b:99999",
        "http://[",
        "*",
        "https://u@a.b",
    ],
)
def test_what_is_no_origin_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ValueError, match="is no origin"):
        keys.origin(text)


@pytest.mark.django_db
def test_a_successor_is_good_for_the_same_and_the_old_key_works_until_revoked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("events.api.authentication.REMEMBER_SECONDS", 0)
    old, old_text = keys.make(make_source(), "public", "Shop")
    keys.bind(old, ["https://shop.example"], 50)
    new, new_text = keys.successor(old)
    assert (new.label, new.kind, new.allowed_origins, new.rate_limit) == (
        "Shop",
        "public",
        ["https://shop.example"],
        50,
    )
    assert [send("track", EVENT, text).status_code for text in (old_text, new_text)] == [200, 200]
    keys.revoke(old)
    assert [send("track", EVENT, text).status_code for text in (old_text, new_text)] == [401, 200]


@pytest.mark.django_db
def test_revoking_again_does_not_move_the_time() -> None:
    key, _ = keys.make(make_source(), "secret")
    keys.revoke(key)
    before = key.revoked_at
    keys.revoke(key)
    key.refresh_from_db()
    assert key.revoked_at == before


@pytest.mark.django_db
def test_of_a_secret_key_only_the_beginning_is_kept() -> None:
    key, text = keys.make(make_source(), "secret")
    assert key.beginning == text[:9] and text.startswith("sk_")
    assert text not in str(vars(key))


@pytest.mark.django_db
@pytest.mark.parametrize("kind", SourceKey.Kind.values)
@pytest.mark.parametrize("path", ["profiles/", "profiles/ada/", "events/", "sources/", "profiles/ada/activity/"])
def test_no_write_key_opens_the_management_api(kind: str, path: str) -> None:
    key = make_key(kind=kind)
    for authorization in (f"Bearer {key}", basic(key)):
        answer = Client().get(f"/api/v1/manage/{path}", headers={"Authorization": authorization})
        assert answer.status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["track", "t"])
def test_a_secret_key_in_a_web_page_is_refused_with_advice(path: str) -> None:
    answer = send(path, EVENT, make_key(), Origin="https://shop.example")
    assert answer.status_code == 403
    assert "revoke it" in answer.json()["message"]
