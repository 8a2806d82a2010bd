from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import log
from events.models import Event, Pending
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db


def entries(count: int) -> list[log.Entry]:
    profile = make_profile()
    return [log.Entry(profile.pk, "Email Sent", {"number": n}, timezone.now()) for n in range(count)]


def statements(work: object) -> int:
    with CaptureQueriesContext(connection) as context:
        assert callable(work)
        work()
    return len(context)


def test_an_appended_event_is_in_the_log_and_pending() -> None:
    profile = make_profile()
    at = timezone.now() - timedelta(minutes=5)
    log.append([log.Entry(profile.pk, "Email Opened", {"message_id": "m1"}, at, {"ip": "192.0.2.1"})])
    event = Event.objects.get()
    assert (event.profile, event.source, event.type, event.name) == (profile, None, "track", "Email Opened")
    assert (event.properties, event.context) == ({"message_id": "m1"}, {"ip": "192.0.2.1"})
    assert event.timestamp == at
    pending = Pending.objects.get()
    assert (pending.event_id, pending.event_timestamp, pending.profile, pending.name) == (
        event.pk,
        at,
        profile,
        "Email Opened",
    )


def test_characters_that_a_database_cannot_hold_are_replaced() -> None:
    profile = make_profile()
    log.append([log.Entry(profile.pk, "Email Bounced", {"reason": "a\0b\ud800c\\u0000"}, timezone.now())])
    assert Event.objects.get().properties == {"reason": "a\ufffdb\ufffdc\\u0000"}


def test_appending_for_somebody_who_is_gone_says_so() -> None:
    with pytest.raises(log.ProfileGone), transaction.atomic():
        log.append([*entries(1), log.Entry(987654321, "Email Sent", {}, timezone.now())])
    assert not Event.objects.exists()


def test_the_number_of_statements_does_not_grow_with_the_batch() -> None:
    few, many = entries(2), entries(300)
    assert statements(lambda: log.append(few)) == statements(lambda: log.append(many)) == 1
    assert statements(lambda: log.claim_pending(2)) == statements(lambda: log.claim_pending(300)) == 2


def test_claiming_takes_the_oldest_and_only_so_many() -> None:
    profile = make_profile(is_test=True)
    events = [make_event(profile, f"Event {n}", {"n": n}, pending=True) for n in range(3)]
    claimed = log.claim_pending(2)
    assert [event.id for event in claimed] == [event.pk for event in events[:2]]
    first = claimed[0]
    assert (first.name, first.properties, first.type, first.profile_id) == ("Event 0", {"n": 0}, "track", profile.pk)
    assert first.is_test and first.source_id is None
    assert (first.timestamp, first.received_at) == (events[0].timestamp, Event.objects.earliest("id").received_at)
    assert list(Pending.objects.values_list("event_id", flat=True)) == [events[2].pk]


def test_one_event_can_be_claimed_by_its_id() -> None:
    profile = make_profile()
    events = [make_event(profile, pending=True) for _ in range(3)]
    assert [event.id for event in log.claim_pending(10, only=events[1].pk)] == [events[1].pk]
    assert Pending.objects.count() == 2


def test_an_event_that_left_the_log_is_dropped() -> None:
    profile = make_profile()
    Pending.objects.create(event_id=1, event_timestamp=timezone.now(), profile=profile)
    assert log.claim_pending(10) == []
    assert not Pending.objects.exists()


def test_a_parked_event_is_left_alone_until_it_is_retried() -> None:
    event = make_event(make_profile(), pending=True)
    log.park(event.pk, "ValueError: no \0 such plan")
    assert log.claim_pending(10) == []
    assert Pending.objects.get().error == "ValueError: no  such plan"
    assert log.retry_parked([event.pk]) == 1
    assert log.retry_parked([event.pk]) == 0
    assert [claimed.id for claimed in log.claim_pending(10)] == [event.pk]
