"""Events that one campaign cannot look at: parked before that campaign, tried again or given up; others go on.

The poison is real: two prices whose sum is beyond what PostgreSQL can hold.
"""

from __future__ import annotations

import time

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client

from campaigns import enrollment, parking
from campaigns.models import Campaign, Decision, Journey, Parked
from campaigns.reasons import Entry
from events.models import Event, Pending, Profile
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
    text = admin_client.post("/admin/campaigns/parked/", data, follow=True).content.decode()
    assert "1 given up" in text
    assert entries_of(bad) == [Entry.DROPPED] and not Parked.objects.exists()
    assert "overflow" in LogEntry.objects.latest("id").change_message


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
    assert "on its way again" in admin_client.get("/admin/campaigns/parked/").content.decode()
    enrollment.enroll_waiting(time.monotonic() + 30)
    assert entries_of(bad) == [Entry.ENTERED] * 3
    assert "All is well" in admin_client.get("/admin/campaigns/parked/").content.decode()
