"""Events that one campaign cannot look at: parked before that campaign, tried again or given up; others go on.

The poison is real: two prices whose sum is beyond what PostgreSQL can hold.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.utils import timezone

from campaigns import enrollment, parking, strain
from campaigns.models import Campaign, Decision, Journey, Parked, PutOff, Strain
from campaigns.reasons import Entry
from events.models import Event, Pending, Profile
from messaging.models import Topic
from tests.campaigns.flow import delay, happens, make_campaign, settle
from tests.factories import make_event, make_profile

pytestmark = pytest.mark.django_db
SPENT = {"event": "Order Completed", "sum": {"property": "price", "gt": 100}}
LARGEST = f'{{"price": 9{"0" * 131_071}}}'


def poison(person: Profile) -> None:
    """Give somebody two orders whose sum is more than the database can hold."""
    orders = [make_event(person, "Order Completed", {"price": 1}) for _ in range(2)]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_event SET properties = %s WHERE id = ANY(%s)", [LARGEST, [order.pk for order in orders]]
        )


def cure() -> None:
    Event.objects.filter(name="Order Completed").update(properties={"price": 60})


def campaigns() -> tuple[Campaign, list[Campaign]]:
    """Make the one that fails, and others on the same event before and behind it."""
    first = make_campaign(delay(), trigger={"event": "Signed Up", "where": {"property": "n", "exists": True}})
    bad = make_campaign(delay(), trigger={"event": "Signed Up", "where": SPENT})
    last = make_campaign(delay())
    return bad, [first, last]


def entries_of(campaign: Campaign) -> list[str]:
    return list(Decision.objects.filter(campaign=campaign).order_by("event_id").values_list("entry", flat=True))


def test_a_condition_that_fails_for_one_person_keeps_nobody_else_waiting_and_no_other_campaign() -> None:
    bad, others = campaigns()
    people = [make_profile() for _ in range(7)]
    poison(people[3])
    events = [happens(person, properties={"n": 1}) for person in people]
    settle()
    assert not Pending.objects.exists()
    for campaign in others:
        assert entries_of(campaign) == [Entry.ENTERED] * 7
    assert entries_of(bad) == [Entry.FILTERED] * 3 + [Entry.PARKED] + [Entry.FILTERED] * 3
    parked = Parked.objects.get()
    assert (parked.event_id, parked.campaign, parked.tries, parked.retry_at) == (events[3], bad, 1, None)
    assert "overflow" in parked.error
    assert Journey.objects.count() == 14


def test_once_cured_it_starts_the_journey_exactly_once() -> None:
    bad, _ = campaigns()
    ada = make_profile()
    poison(ada)
    happens(ada, properties={"n": 1})
    settle()
    ids = [Parked.objects.get().pk]

    assert parking.retry(ids) == 1 and parking.retry(ids) == 0
    enrollment.enroll_waiting(time.monotonic() + 30)
    again = Parked.objects.get()
    assert (again.tries, again.retry_at) == (2, None) and entries_of(bad) == [Entry.PARKED]

    cure()
    parking.retry(ids)
    for _ in range(2):
        enrollment.enroll_waiting(time.monotonic() + 30)
    assert not Parked.objects.exists()
    assert entries_of(bad) == [Entry.ENTERED]
    assert Journey.objects.filter(campaign=bad).count() == 1


def test_what_was_given_up_starts_nothing_and_says_so(admin_client: Client) -> None:
    bad, _ = campaigns()
    ada = make_profile()
    poison(ada)
    happens(ada, properties={"n": 1})
    settle()
    cure()
    parked = Parked.objects.get()
    data = {"action": "give_up", "_selected_action": [parked.pk]}
    asked = admin_client.post("/admin/campaigns/parked/", data).content.decode()
    assert "Give 1 event up?" in asked and "Say in a few words" not in asked
    assert (
        "Say in a few words" in admin_client.post("/admin/campaigns/parked/", {**data, "reason": " "}).content.decode()
    )
    assert Parked.objects.exists()
    text = admin_client.post("/admin/campaigns/parked/", {**data, "reason": "A <test>"}, follow=True).content.decode()
    assert "1 given up" in text
    assert entries_of(bad) == [Entry.DROPPED] and not Parked.objects.exists()
    change = LogEntry.objects.latest("id").change_message
    assert "overflow" in change and "A <test>" in change


def test_the_page_tells_what_failed_and_lets_all_of_a_campaign_try_again(admin_client: Client) -> None:
    bad, _ = campaigns()
    people = [make_profile() for _ in range(3)]
    for person in people:
        poison(person)
        happens(person, properties={"n": 1})
    settle()
    text = admin_client.get("/admin/campaigns/parked/").content.decode()
    assert text.count("overflow") >= 3 and str(bad) in text and "once" in text
    cure()
    assert "3 events parked by campaigns" in admin_client.get("/admin/").content.decode()
    one = Parked.objects.first()
    assert one
    admin_client.post("/admin/campaigns/parked/", {"action": "try_all", "_selected_action": [one.pk]})
    page = admin_client.get("/admin/campaigns/parked/").content.decode()
    assert "on its way again" in page and "3 of them are on their way again." in page
    progress = "/admin/campaigns/parked/progress/"
    assert f"{progress}?of=3" in page
    part = admin_client.get(progress, {"of": "5"}).content.decode()
    assert "3 of them are on their way again, 2 have been looked at." in part and 'max="5" value="2"' in part
    assert 'max="3" value="0"' in admin_client.get(progress, {"of": "-1"}).content.decode()
    enrollment.enroll_waiting(time.monotonic() + 30)
    assert admin_client.get(progress, {"of": "3"}).headers["HX-Refresh"] == "true"
    assert entries_of(bad) == [Entry.ENTERED] * 3
    assert "All is well" in admin_client.get("/admin/campaigns/parked/").content.decode()


@contextmanager
def slow_table(name: str) -> Iterator[None]:
    """Let whoever reads a table wait, as one does for a disk that is busy."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
            yield
            cursor.execute("ROLLBACK")
    finally:
        other.close()


def statement_timeout() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        return str(cursor.fetchone()[0])


def test_a_condition_that_takes_too_long_again_and_again_is_left_alone_until_retried(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strain, "PATIENCE", 0.3)
    Topic.objects.create(slug="news", name="News")
    slow = make_campaign(delay(), trigger={"event": "Signed Up", "where": {"topic": "news", "is": "subscribed"}})
    other = make_campaign(delay())
    before = statement_timeout()

    def batch() -> float:
        happens(make_profile())
        began = time.monotonic()
        enrollment.enroll_pending(time.monotonic() + 30)
        return time.monotonic() - began

    def rests() -> str:
        return admin_client.get("/admin/").content.decode()

    with slow_table("messaging_subscription"):
        for number in range(strain.LIMIT):
            assert batch() > 0.3
            assert Strain.objects.get().in_a_row == number + 1
        assert statement_timeout() == before, "only while conditions are asked"
        assert batch() < 5 and Strain.objects.get().in_a_row == strain.LIMIT
    assert entries_of(other) == [Entry.ENTERED] * 4
    assert entries_of(slow) == [Entry.PARKED] * 4
    errors = list(Parked.objects.order_by("pk").values_list("error", flat=True))
    assert "statement timeout" in errors[0] and errors[3] == strain.UNASKED
    assert "is not asked any more" in rests()
    assert "is not asked any more" in admin_client.get("/admin/campaigns/parked/").content.decode()

    batch()
    assert entries_of(slow) == [Entry.PARKED] * 5, "the table is quick again, but nobody has said so"
    with slow_table("messaging_subscription"):
        parking.retry([Parked.objects.order_by("pk")[0].pk])
        enrollment.enroll_waiting(time.monotonic() + 30)
    assert Strain.objects.get().in_a_row == strain.LIMIT and Parked.objects.count() == 5

    parking.retry(list(Parked.objects.values_list("pk", flat=True)))
    assert "5 of them are on their way again" in admin_client.get("/admin/campaigns/parked/").content.decode()
    enrollment.enroll_waiting(time.monotonic() + 30)
    assert set(entries_of(slow)) <= {Entry.FILTERED, Entry.ENTERED}
    assert not Parked.objects.exists() and not Strain.objects.exists()
    assert "is not asked any more" not in rests()


def test_one_time_too_long_is_forgotten_by_the_next_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strain, "PATIENCE", 0.3)
    Topic.objects.create(slug="news", name="News")
    make_campaign(delay(), trigger={"event": "Signed Up", "where": {"topic": "news", "is": "subscribed"}})
    with slow_table("messaging_subscription"):
        happens(make_profile())
        enrollment.enroll_pending(time.monotonic() + 30)
    assert Strain.objects.get().in_a_row == 1
    happens(make_profile())
    enrollment.enroll_pending(time.monotonic() + 30)
    assert not Strain.objects.exists()


def test_a_retry_that_fails_elsewhere_than_in_the_condition_is_parked_again_and_holds_up_no_other() -> None:
    bad, _ = campaigns()
    people = [make_profile() for _ in range(3)]
    for person in people:
        poison(person)
        happens(person, properties={"n": 1})
    settle()
    cure()
    rows = list(Parked.objects.order_by("pk"))
    with connection.cursor() as cursor:
        # As a trigger of the database, or a table that is full, may refuse a journey.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "ALTER TABLE campaigns_journey ADD CONSTRAINT none_of_hers CHECK"
            f" (campaign_id <> {bad.pk} OR profile_id <> {rows[1].profile_id})"
        )
    parking.retry([row.pk for row in rows])
    for _ in range(2):
        enrollment.enroll_waiting(time.monotonic() + 30)
    assert entries_of(bad) == [Entry.ENTERED, Entry.PARKED, Entry.ENTERED]
    left = Parked.objects.get()
    assert (left.pk, left.tries, left.retry_at) == (rows[1].pk, 2, None) and "none_of_hers" in left.error


def test_what_waited_and_fails_is_parked_and_can_be_tried_again() -> None:
    campaign = make_campaign(delay(), trigger={"event": "Signed Up", "quiet_minutes": 10})
    happens(make_profile())
    settle()
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE campaigns_journey ADD CONSTRAINT none_at_all CHECK (campaign_id <> {campaign.pk})")
    PutOff.objects.update(look_at=timezone.now())
    enrollment.enroll_waiting(time.monotonic() + 30)
    assert entries_of(campaign) == [Entry.PARKED] and not PutOff.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE campaigns_journey DROP CONSTRAINT none_at_all")
    parking.retry([Parked.objects.get().pk])
    enrollment.enroll_waiting(time.monotonic() + 30)
    PutOff.objects.update(look_at=timezone.now())
    enrollment.enroll_waiting(time.monotonic() + 30)
    assert entries_of(campaign) == [Entry.ENTERED] and not Parked.objects.exists()
