"""Calls without a message id, recognised by what they say where the source wants it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.ingest import Item, ingest
from events.models import Event, Profile, Source
from tests.events.api.customerio.account import Account, done
from tests.factories import make_source
from tests.tracking import send

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def source() -> Source:
    source = make_source()
    source.dedupe_content = True
    source.save(update_fields=["dedupe_content"])
    return source


def track(at: datetime = NOW, **fields: Any) -> Item:
    fields = {"user_id": "ada", "name": "Hi", "properties": b'{"n": 1}', **fields}
    return Item("track", f"{datetime.now(UTC).timestamp()}", at, repeatable=False, **fields)


def test_the_same_call_counts_once_a_day(source: Source) -> None:
    for hours in (0, 1, 11):
        ingest(source, [track(NOW + timedelta(hours=hours))] * 2, NOW + timedelta(hours=hours))
    assert Event.objects.count() == 1
    ingest(source, [track(NOW + timedelta(hours=12))], NOW + timedelta(hours=12))
    assert Event.objects.count() == 2


def test_a_time_of_the_senders_makes_it_the_same_on_any_day(source: Source) -> None:
    for days in (0, 1):
        ingest(source, [track(NOW - timedelta(hours=1))], NOW + timedelta(days=days))
    ingest(source, [track(NOW - timedelta(hours=2))], NOW)
    assert Event.objects.count() == 2


@pytest.mark.parametrize(
    "other",
    [{"user_id": "ben"}, {"user_id": None, "anonymous_id": "ada"}, {"name": "Ho"}, {"properties": b'{"n": 2}'}],
)
def test_another_call_counts(source: Source, other: dict[str, Any]) -> None:
    ingest(source, [track(), track(**other)], NOW)
    assert Event.objects.count() == 2


def test_an_id_of_the_senders_is_what_counts(source: Source) -> None:
    ingest(source, [replace(track(), message_id=number, repeatable=True) for number in "12"], NOW)
    assert Event.objects.count() == 2


def test_what_is_known_of_people_may_change_back(source: Source) -> None:
    account = Account.make()
    Source.objects.filter(pk=account.source.pk).update(dedupe_content=True)
    for plan in ("free", "pro", "free"):
        assert done(account.identify("ada", plan=plan))
    assert Profile.objects.get().traits == {"plan": "free"}


@pytest.mark.parametrize("wanted", [True, False])
def test_every_api_keeps_to_it(wanted: bool) -> None:
    account = Account.make()
    Source.objects.filter(pk=account.source.pk).update(dedupe_content=wanted)
    for _ in range(2):
        assert done(account.track("ada", "Hi", data={"a": 1}))
        assert send("track", {"userId": "ada", "event": "Ho"}, account.key).status_code == 200
        assert done(account.batch({"type": "person", "action": "page", "identifiers": {"id": "ada"}, "name": "/"}))
    assert Event.objects.count() == (3 if wanted else 6)
