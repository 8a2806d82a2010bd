"""A date of a person's starts a campaign: at its time, once, however it moves and whatever else happens."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from campaigns import dates, enrollment, publishing, timetables
from campaigns.engine.definition import problems
from campaigns.listening import REQUESTED
from campaigns.models import Campaign, DateTurn, Decision, Journey, Timetable
from campaigns.reasons import Entry
from events import merging, privacy, traits
from events.audit import Actor
from events.identifying import Person
from events.models import Event, Profile
from tests.campaigns.flow import happens, make_campaign, settle, statements
from tests.campaigns.form import EditorPage
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def day(days: int) -> date:
    return timezone.now().date() + timedelta(days=days)


def at(days: int, hour: int = 9) -> datetime:
    return (timezone.now() + timedelta(days=days)).replace(hour=hour, minute=0, second=0, microsecond=0)


def dated(name: str = "Renewal", **trigger: Any) -> Campaign:
    usual = {"kind": "date", "trait": "renews", "days": 0, "at": "09:00"}
    return make_campaign(name=name, trigger={**usual, **trigger}, time_zone="UTC", reentry={"rule": "always"})


def run(moment: datetime) -> None:
    """Do what workers would at a moment; what was asked for is looked at."""
    deadline = time.monotonic() + 30
    enrollment.enroll_pending(deadline)
    dates.turn_due(deadline, moment)
    dates.build(deadline, moment)
    settle()


def renews(days: int, **columns: Any) -> Profile:
    return make_profile(traits={"renews": day(days).isoformat()}, **columns)


def becomes(person: Profile, **said: Any) -> None:
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in said.items()}
    traits.apply({Person(profile_id=person.pk): traits.News(raw)})


def asked() -> list[int]:
    return sorted(
        event.profile_id for event in Event.objects.filter(name=REQUESTED) if not event.properties.get("missed")
    )


@pytest.mark.parametrize(
    ("trigger", "place"),
    [
        ({"at": "09:00"}, "trigger.trait"),
        ({"trait": "renews"}, "trigger.at"),
        ({"trait": "renews", "at": "09:00", "days": 366}, "trigger.days"),
        ({"trait": "renews", "at": "09:00", "yearly": "often"}, "trigger.yearly"),
    ],
)
def test_a_mistake_is_named_with_its_place(trigger: dict[str, Any], place: str) -> None:
    found = problems({"trigger": {"kind": "date", **trigger}, "steps": [{"id": "end", "kind": "exit"}]})
    assert [problem.path for problem in found] == [place]


def test_whoever_has_the_date_enters_at_its_time_and_once() -> None:
    soon = renews(5)
    renews(30), make_profile(), make_profile(traits={"renews": "someday"})
    dated(days=-3)
    run(timezone.now())
    run(at(2) - timedelta(minutes=1))
    assert asked() == []
    for _ in range(2):
        run(at(2))
    run(at(3))
    assert asked() == [soon.pk]
    journey = Journey.objects.get()
    assert journey.trigger["occurrence"] == day(5).isoformat() and journey.trigger["reason"] == "date"


def test_each_persons_own_clock_counts() -> None:
    tokyo, york = renews(5, time_zone="Asia/Tokyo"), renews(5, time_zone="America/New_York")
    odd = renews(5, time_zone="Middle/Earth")
    dated()
    run(timezone.now())
    run(at(5, 0))
    assert asked() == [tokyo.pk]
    run(at(5))
    assert asked() == [tokyo.pk, odd.pk]
    run(at(5, 14))
    assert asked() == sorted([tokyo.pk, york.pk, odd.pk])


@pytest.mark.parametrize(
    ("value", "hour"),
    [("T23:30:00-03:00", 0), ("T23:30:00", 0), ("T05:30:00+09:00", -24), ("T00:00:00Z", 0)],
)
def test_an_instant_is_the_day_that_it_is_for_the_person(value: str, hour: int) -> None:
    person = make_profile(traits={"billing": {"next": f"{day(5)}{value}"}}, time_zone="America/Sao_Paulo")
    if value == "T00:00:00Z":
        hour = -24
    dated(trait="billing.next")
    run(timezone.now())
    run(at(5, 12) + timedelta(hours=hour - 1))
    assert asked() == []
    run(at(5, 12) + timedelta(hours=hour))
    assert asked() == [person.pk]


def test_a_date_that_moves_takes_the_start_along() -> None:
    person = renews(5)
    dated()
    run(timezone.now())
    becomes(person, renews=day(8).isoformat())
    run(timezone.now())
    run(at(5))
    assert asked() == []
    run(at(8))
    assert asked() == [person.pk]


def test_a_date_that_comes_later_or_goes_is_heeded() -> None:
    person, other = make_profile(), renews(5)
    dated()
    run(timezone.now())
    becomes(person, renews=day(5).isoformat())
    becomes(other, renews=None)
    run(timezone.now())
    run(at(5))
    assert asked() == [person.pk]


def test_a_date_that_moves_there_and_back_starts_once() -> None:
    person = renews(5)
    campaign = dated()
    run(timezone.now())
    run(at(5))
    for value in (day(20), day(5)):
        becomes(person, renews=value.isoformat())
        run(at(5, 10))
    campaign.draft["trigger"]["at"] = "11:00"
    campaign.save()
    publishing.publish(campaign, None, "Later")
    run(at(5, 11))
    run(at(5, 12))
    assert asked() == [person.pk]


def test_who_moves_to_another_zone_is_looked_at_by_the_new_clock() -> None:
    person = renews(5, time_zone="America/New_York")
    dated()
    run(timezone.now())
    Profile.objects.update(time_zone="Asia/Tokyo")
    happens(person, "Seen")
    run(timezone.now())
    run(at(5, 0))
    assert asked() == [person.pk]


def test_a_birthday_comes_each_year() -> None:
    born = day(5)
    born = born.replace(year=1990, day=min(born.day, 28))
    person = make_profile(traits={"born": born.isoformat()})
    dated(trait="born", yearly=True)
    run(timezone.now())
    first = (
        born.replace(year=day(5).year)
        if born.replace(year=day(5).year) > day(0)
        else born.replace(year=day(5).year + 1)
    )
    for year in range(3):
        moment = datetime.combine(first.replace(year=first.year + year), at(0).timetz())
        run(moment)
        run(moment + timedelta(hours=1))
    assert asked() == [person.pk] * 3
    occurrences = [journey.trigger["occurrence"] for journey in Journey.objects.order_by("pk")]
    assert occurrences[0] == first.isoformat()


def test_a_date_that_was_over_when_it_went_live_starts_nobody() -> None:
    renews(0)
    Profile.objects.update(traits={"renews": (timezone.now() - timedelta(days=1)).date().isoformat()})
    dated(at="00:00")
    run(timezone.now())
    assert asked() == []


def test_what_was_missed_is_made_up_for_within_a_day() -> None:
    early, late = renews(3), renews(5)
    dated()
    run(timezone.now())
    run(at(6, 8))
    assert asked() == [late.pk]
    assert Decision.objects.get(profile=early).entry == Entry.TOO_LATE
    run(at(6, 10))
    assert Decision.objects.filter(profile=early).count() == 1 and not Journey.objects.filter(profile=early).exists()


def test_a_pause_is_made_up_for_and_what_changed_meanwhile_counts() -> None:
    moved, stays = renews(5), renews(5)
    campaign = dated()
    run(timezone.now())
    publishing.pause(campaign)
    becomes(moved, renews=day(9).isoformat())
    run(at(5))
    assert asked() == []
    publishing.resume(campaign)
    run(at(5, 10))
    assert asked() == [stays.pk]
    run(at(9))
    assert asked() == [moved.pk, stays.pk]


def test_two_who_become_one_are_asked_once_and_keep_the_date() -> None:
    asked_already, same = renews(5), renews(5, time_zone="America/New_York")
    other, nobody = renews(7), make_profile()
    dated()
    run(timezone.now())
    run(at(5))
    assert asked() == [asked_already.pk]
    with transaction.atomic():
        merging.merge([(asked_already.pk, same.pk), (other.pk, nobody.pk)])
    run(at(5, 20))
    assert asked() == [same.pk]
    run(at(7, 20))
    assert asked() == sorted([same.pk, nobody.pk])


def test_nothing_is_left_of_who_is_erased() -> None:
    person = renews(5)
    dated()
    run(timezone.now())
    assert DateTurn.objects.exists()
    privacy.erase([person.pk], Actor("me"))
    assert not DateTurn.objects.exists()
    run(at(5))
    assert asked() == []


def test_conditions_are_asked_when_the_date_comes() -> None:
    renews(5)
    dated(where={"trait": "plan", "is": "pro"}, grace_minutes=0)
    run(timezone.now())
    run(at(5))
    assert len(asked()) == 1 and not Journey.objects.exists()


def test_another_kind_of_start_asks_nobody() -> None:
    renews(5)
    campaign = dated()
    run(timezone.now())
    campaign.draft["trigger"] = {"event": "Signed Up"}
    campaign.save()
    publishing.publish(campaign, None, "Other")
    run(at(5))
    assert asked() == []


def test_it_costs_as_much_for_many_as_for_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dates, "PORTION", 100)
    for _ in range(2):
        renews(5)
    for _ in range(12):
        renews(6)
    dated()
    run(timezone.now())
    few = statements(lambda: dates._turn(at(5)))
    assert statements(lambda: dates._turn(at(6))) == few
    assert len(asked()) == 14
    assert Timetable.objects.get().built_to is None


def test_everybody_is_reckoned_portion_by_portion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dates, "PORTION", 3)
    people = [renews(5).pk for _ in range(10)]
    dated()
    run(timezone.now())
    assert sorted(DateTurn.objects.values_list("profile_id", flat=True)) == people
    run(at(5))
    assert asked() == people
    assert timetables.open_due(at(9)) == 0


def test_the_card_says_the_date_and_what_comes_next(admin_client: Client) -> None:
    renews(20)
    campaign = dated(days=-14)
    run(timezone.now())
    page = EditorPage(admin_client, campaign)
    assert "14 days before renews at 09:00, by each person’s clock" in page.html
    assert f"Next: {at(6):%a %-d %b %Y} 09:00 UTC; 1 person within a week" in page.html
    page.fill(
        {"trigger-days": "1", "trigger-side": "after", "trigger-often": "yearly", "trigger-trait": "born"}
    ).press()
    assert page.draft["trigger"] == {
        "kind": "date",
        "trait": "born",
        "days": 1,
        "at": "09:00",
        "yearly": True,
        "where": None,
    }
    assert "1 day after born each year at 09:00" in page.html


def test_an_event_becomes_a_date(admin_client: Client) -> None:
    page = EditorPage(admin_client, make_campaign()).fill({"trigger-kind": "date"}).press("kind")
    assert page.draft["trigger"]["kind"] == "date" and page.draft["trigger"]["yearly"] is False
    assert "choose the trait that holds the date" in page.html
