"""What a key may do: from which pages, how much, and what it never opens."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from events.api import inbound, limits
from events.api.authentication import Caller, find_caller
from events.api.refusal import Refusal
from events.models import Event, InboundRequest, SourceKey
from tests.factories import make_key
from tests.tracking import send

pytestmark = pytest.mark.django_db
HI = {"userId": "u", "event": "Hi"}
SHOP = "https://shop.example"
PUBLIC = SourceKey.Kind.PUBLIC


def key_with(**columns: Any) -> str:
    key = make_key(kind=columns.pop("kind", PUBLIC))
    SourceKey.objects.update(**columns)
    return key


def batch_of(count: int) -> dict[str, Any]:
    return {"batch": [{"type": "track", **HI}] * count}


# --- Where it may be used --------------------------------------------------------------------------------------------


def test_a_public_key_may_be_used_from_any_page_unless_it_names_some() -> None:
    assert send("track", HI, key_with(), Origin="https://anywhere.example").status_code == 200


@pytest.mark.parametrize("origin", [SHOP, "https://SHOP.example"])
def test_a_page_that_the_key_names_is_let_in(origin: str) -> None:
    assert send("track", HI, key_with(allowed_origins=[SHOP]), Origin=origin).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil",
        "null",
        "",
    ],
)
def test_every_other_page_is_refused_in_words_that_it_can_read(origin: str) -> None:
    answer = send("track", HI, key_with(allowed_origins=[SHOP]), Origin=origin)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_not_allowed")
    assert origin in answer.json()["message"]
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert not Event.objects.exists()


def test_the_refused_call_is_kept_with_its_source() -> None:
    key = key_with(allowed_origins=[SHOP])
    send("track", HI, key, Origin="https://evil.example")
    assert InboundRequest.objects.get().source == SourceKey.objects.get().source


def test_a_browser_is_told_so_after_it_was_allowed_to_ask() -> None:
    key_with(allowed_origins=[SHOP])
    answer = Client().options("/v1/track", headers={"Origin": "https://evil.example"})
    assert (answer.status_code, answer["Access-Control-Allow-Origin"]) == (204, "*")


def test_servers_name_no_page_and_are_let_in() -> None:
    assert send("track", HI, key_with(allowed_origins=[SHOP])).status_code == 200


@pytest.mark.parametrize("origin", [SHOP, "null"])
def test_a_secret_key_in_a_web_page_is_refused(origin: str) -> None:
    key = key_with(kind=SourceKey.Kind.SECRET)
    answer = send("batch", {"writeKey": key, **batch_of(1)}, Origin=origin, Content_Type="text/plain")
    assert (answer.status_code, answer.json()["code"]) == (403, "secret_key_in_browser")
    assert not Event.objects.exists()
    assert send("track", HI, key).status_code == 200


@pytest.mark.parametrize("kind", SourceKey.Kind.values)
def test_no_write_key_opens_what_can_be_read(kind: str) -> None:
    key = make_key(kind=kind)
    send("track", HI, key)
    for address in ("profiles/u/", "profiles/u/activity/"):
        answer = Client().get(f"/api/v1/manage/{address}", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 401, address


# --- How much --------------------------------------------------------------------------------------------------------


def test_a_key_sends_what_its_limit_allows_and_the_rest_a_second_later() -> None:
    key = key_with(rate_limit=2)
    with time_machine.travel("2026-01-01 12:00:00.25Z", tick=False) as clock:
        assert [send("track", HI, key).status_code for _ in range(3)] == [200, 200, 429]
        answer = send("track", HI, key)
        assert (answer["Retry-After"], answer["X-RateLimit-Reset"]) == ("1", "1")
        assert "2 events a second" in answer.json()["message"]
        assert "retry-after" in answer["Access-Control-Expose-Headers"]
        clock.shift(1)
        assert send("track", HI, key).status_code == 200
    assert Event.objects.count() == 3


def test_a_batch_counts_its_items_and_what_it_took_too_much_is_waited_for() -> None:
    key = key_with(rate_limit=10)
    with time_machine.travel("2026-01-01 12:00:00Z", tick=False) as clock:
        assert send("batch", batch_of(35), key).status_code == 200
        assert send("batch", batch_of(1), key).status_code == 429
        clock.shift(2)
        answer = send("batch", batch_of(1), key)
        assert (answer.status_code, answer["Retry-After"]) == (429, "2")
        clock.shift(1.6)
        assert send("batch", batch_of(1), key).status_code == 200


def test_the_keys_of_a_source_have_limits_of_their_own() -> None:
    limited = key_with(rate_limit=1)
    free = make_key(SourceKey.objects.get().source)
    with time_machine.travel("2026-01-01 12:00:00Z", tick=False):
        assert [send("track", HI, limited).status_code for _ in range(2)] == [200, 429]
        assert send("track", HI, free).status_code == 200


def test_sixteen_threads_spend_no_event_twice() -> None:
    caller = found(key_with(rate_limit=50))

    def spends(_: int) -> bool:
        try:
            limits.spend(caller, 1)
        except Refusal:
            return False
        return True

    with time_machine.travel("2026-01-01 12:00:00Z", tick=False), ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(spends, range(400))) == 50


def test_a_key_without_a_limit_does_not_ask_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "cache", None)
    assert send("track", HI, key_with()).status_code == 200


def test_without_a_cache_there_is_no_limit_and_no_waiting_for_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "_quiet_until", 0.0)
    caller = found(key_with(rate_limit=1))
    dead = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    settings.CACHES = {"default": dead}
    for _ in range(5):
        limits.spend(caller, 1)
    assert len([record for record in caplog.records if record.name == limits.__name__]) == 1


def test_calls_above_the_limit_are_written_down_no_oftener_than_good_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbound, "_accepted", inbound.Sampler(2))
    # On a busy machine the calls take longer than the second that they are counted in.
    monkeypatch.setattr(inbound, "clock", lambda: 0.0)
    key = key_with(rate_limit=1)
    with time_machine.travel("2026-01-01 12:00:00Z", tick=False):
        assert [send("track", HI, key).status_code for _ in range(5)] == [200] + [429] * 4
    assert InboundRequest.objects.count() == 2


def found(key: str) -> Caller:
    cache.clear()
    caller = find_caller(key)
    assert caller is not None
    return caller
