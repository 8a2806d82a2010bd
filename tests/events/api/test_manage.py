from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from events import groups
from events.models import ApiToken, Profile, hash_key
from tests.factories import make_event, make_key, make_profile
from tests.tracking import manage, send

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_profile_is_shown_with_its_traits_and_ids() -> None:
    make_profile("u", anonymous_ids=("a", "b"), traits={"plan": "pro", "email": "u@example.com"}, time_zone="UTC")
    answer = manage("profiles/u/")
    assert answer.status_code == 200
    shown = answer.json()
    assert shown["user_id"] == "u"
    assert shown["traits"] == {"plan": "pro", "email": "u@example.com"}
    assert shown["devices"] == []
    assert (shown["anonymous_ids"], shown["email"], shown["time_zone"]) == (["a", "b"], "u@example.com", "UTC")


def test_a_profile_is_shown_with_its_groups_the_present_one_first() -> None:
    ada = make_profile("ada")
    groups.relate(ada.pk, "team", "17", {})
    groups.save_object("company", "acme", {"plan": "pro"})
    groups.relate(ada.pk, "company", "acme", {})
    assert manage("profiles/ada/").json()["groups"] == [
        {"type": "company", "id": "acme", "traits": {"plan": "pro"}},
        {"type": "team", "id": "17", "traits": {}},
    ]


@pytest.mark.parametrize(
    "user_id",
    [
        "a/b",
        "/",
        "a//",
        "a b",
        "a@b.example",
        "a+b",
        "100%",
        "%2F",
        "ü/漢🎉",
        "a?b=c",
        "#",
        "a\nb",
        "activity",
        "a.b;c",
    ],
)
def test_a_user_id_may_hold_anything(user_id: str) -> None:
    make_event(make_profile(user_id))
    path = quote(user_id, safe="")
    assert manage(f"profiles/{path}/").json()["user_id"] == user_id
    assert len(manage(f"profiles/{path}/activity/").json()["results"]) == 1


def test_a_slash_at_the_end_is_optional() -> None:
    make_profile("u")
    assert manage("profiles/u").status_code == manage("profiles/u/activity").status_code == 200


@pytest.mark.parametrize("path", ["profiles/nobody/", "profiles/nobody/activity/", "profiles/%00/", "profiles/%FF/"])
def test_nobody_is_404_in_json(path: str) -> None:
    answer = manage(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_ids_that_were_merged_away_lead_to_the_person() -> None:
    key = make_key()
    send("track", {"userId": "old", "event": "Hi"}, key)
    send("alias", {"userId": "new", "previousId": "old"}, key)
    assert manage("profiles/old/").json()["user_id"] == "new"
    assert len(manage("profiles/old/activity/").json()["results"]) == 2


def test_a_profile_made_by_hand_is_found() -> None:
    Profile.objects.create(user_id="by hand")
    assert manage("profiles/by%20hand/").status_code == 200


def test_activity_is_newest_first_by_the_time_of_the_event() -> None:
    profile = make_profile("u")
    make_event(make_profile("other"))
    for minutes in (2, 0, 1):
        make_event(
            profile,
            f"Event {minutes}",
            {"n": minutes},
            timestamp=NOW - timedelta(minutes=minutes),
            message_id=f"m{minutes}",
        )
    results = manage("profiles/u/activity/").json()["results"]
    assert [entry["name"] for entry in results] == ["Event 0", "Event 1", "Event 2"]
    newest = results[0]
    assert (newest["type"], newest["properties"], newest["message_id"]) == ("track", {"n": 0}, "m0")
    assert datetime.fromisoformat(newest["timestamp"]) == NOW


def test_activity_comes_in_pages_that_miss_and_repeat_nothing() -> None:
    profile = make_profile("u/1")
    for n in range(7):
        make_event(profile, f"Event {n}", timestamp=NOW - timedelta(minutes=n // 3))
    seen: list[str] = []
    address = "profiles/u%2F1/activity/?limit=2"
    for _ in range(4):
        page = manage(address).json()
        seen += [entry["name"] for entry in page["results"]]
        if page["next"] is None:
            break
        assert page["next"].startswith("http://testserver/api/v1/manage/")
        address = page["next"].removeprefix("http://testserver/api/v1/manage/")
    assert page["next"] is None
    assert sorted(seen) == [f"Event {n}" for n in range(7)]


@pytest.mark.parametrize("query", ["limit=0", "limit=-1", "limit=x", "cursor=x", "cursor=2026-01-01~x", "cursor=~"])
def test_a_bad_question_is_named(query: str) -> None:
    make_profile("u")
    answer = manage(f"profiles/u/activity/?{query}")
    assert answer.status_code == 400
    assert answer.json()["field"] == query.split("=")[0]


def test_a_high_limit_is_a_thousand() -> None:
    make_profile("u")
    assert manage("profiles/u/activity/?limit=99999").status_code == 200


def test_numbers_come_out_with_every_digit() -> None:
    digits = "12345678901234567890.123456789012345678901"
    send("identify", f'{{"userId": "u", "traits": {{"n": {digits}}}}}'.encode(), make_key())
    assert f'"n": {digits}'.encode() in manage("profiles/u/").content
    assert f'"n": {digits}'.encode() in manage("profiles/u/activity/").content


def test_every_call_of_the_tracking_api_is_one_entry() -> None:
    key = make_key()
    items: list[dict[str, Any]] = [
        {"type": "track", "userId": "u", "event": "Hi", "properties": {"a": 1}},
        {"type": "page", "userId": "u", "name": "Home", "properties": {"b": 2}},
        {"type": "screen", "userId": "u", "name": "Main"},
        {"type": "group", "userId": "u", "groupId": "g", "traits": {"seats": 5}},
        {"type": "identify", "userId": "u", "traits": {"plan": "pro"}},
    ]
    times = [(NOW + timedelta(minutes=n)).isoformat() for n in range(5)]
    batch = [{**item, "timestamp": at, "messageId": at} for item, at in zip(items, times, strict=True)]
    send("batch", {"batch": batch}, key)
    results = manage("profiles/u/activity/?limit=1000").json()["results"]
    assert [
        (entry["type"], entry["name"], entry["properties"], entry["message_id"]) for entry in reversed(results)
    ] == [
        ("track", "Hi", {"a": 1}, times[0]),
        ("page", "Home", {"b": 2}, times[1]),
        ("screen", "Main", {}, times[2]),
        ("group", "g", {"seats": 5}, times[3]),
        ("identify", "", {"plan": "pro"}, times[4]),
    ]


def test_without_a_good_token_nothing_is_shown() -> None:
    make_profile("u")
    ApiToken.objects.create(label="old", key_hash=hash_key("cb_old"), revoked_at=timezone.now())
    for token in ("cb_old", "cb_unknown", "", "\xff", "x" * 10_000, make_key()):
        answer = Client().get("/api/v1/manage/profiles/u/", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401
        assert answer.json()["code"] == "unauthorized"
    assert Client().get("/api/v1/manage/profiles/u/").status_code == 401


def test_the_use_of_a_token_is_noted() -> None:
    make_profile("u")
    manage("profiles/u/")
    assert ApiToken.objects.get().last_used_at is not None


def test_a_page_of_a_long_history_reads_an_index() -> None:
    profile = make_profile("u")
    make_event(profile)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT * FROM events_event WHERE profile_id = %s AND timestamp <= now()"
            " AND (timestamp < now() OR timestamp = now() AND id < 5) ORDER BY timestamp DESC, id DESC LIMIT 10",
            [profile.pk],
        )
        assert "profile_id_timestamp_id_idx" in "\n".join(line for (line,) in cursor.fetchall())
