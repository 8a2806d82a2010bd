"""A timetable lets people in: each at their time, once, whatever is published, paused, merged or late."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from campaigns import intakes, publishing, timetables
from campaigns.engine.definition import problems
from campaigns.listening import REQUESTED
from campaigns.models import Campaign, Intake, Journey, Timetable
from campaigns.publishing import NotPublishable
from events import merging
from events.models import Event, Pending, Profile, Segment
from events.segments import lists
from tests.campaigns.flow import make_campaign, settle, statements
from tests.campaigns.form import EditorPage
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
NINE = "09:00"
ALWAYS = {"rule": "always"}


def tomorrow(hour: int = 9, days: int = 1) -> datetime:
    """Return an hour of the day of the next 09:00, which may be today, or of so many days less one after it."""
    today = timezone.now().replace(hour=hour, minute=0, second=0, microsecond=0)
    return today + timedelta(days=days if timezone.now().hour >= 9 else days - 1)


def timed(name: str = "News", reentry: dict[str, Any] | None = None, **trigger: Any) -> Campaign:
    usual = {"kind": "schedule", "repeat": "daily", "at": NINE, "whose": "campaign"}
    return make_campaign(name=name, trigger={**usual, **trigger}, time_zone="UTC", reentry=reentry or ALWAYS)


def run(at: datetime) -> None:
    """Do what workers would at a moment; what was asked for is looked at."""
    timetables.open_due(at)
    intakes.run_due(time.monotonic() + 30, at)
    settle()


def asked() -> list[int]:
    return sorted(Event.objects.filter(name=REQUESTED).values_list("profile_id", flat=True))


def repeat(campaign: Campaign, **trigger: Any) -> None:
    campaign.draft["trigger"] |= trigger
    campaign.save()
    publishing.publish(campaign, None, "Again")


@pytest.mark.parametrize(
    ("trigger", "place"),
    [
        ({"repeat": "hourly", "at": NINE}, "trigger.repeat"),
        ({"repeat": "once", "at": NINE}, "trigger.on"),
        ({"repeat": "once", "at": NINE, "on": "2026-02-30"}, "trigger.on"),
        ({"repeat": "weekly", "at": NINE}, "trigger.days"),
        ({"repeat": "monthly", "at": NINE, "day": 32}, "trigger.day"),
        ({"repeat": "daily"}, "trigger.at"),
        ({"repeat": "daily", "at": NINE, "whose": "boss"}, "trigger.whose"),
        ({"repeat": "daily", "at": NINE, "segment": 7}, "trigger.segment"),
    ],
)
def test_a_mistake_is_named_with_its_place(trigger: dict[str, Any], place: str) -> None:
    found = problems({"trigger": {"kind": "schedule", **trigger}, "steps": [{"id": "end", "kind": "exit"}]})
    assert [problem.path for problem in found] == [place]


def test_everybody_is_let_in_when_the_time_comes_and_not_before() -> None:
    people = [make_profile().pk for _ in range(3)]
    timed()
    run(tomorrow() - timedelta(minutes=1))
    assert asked() == []
    run(tomorrow())
    assert asked() == people
    assert Journey.objects.count() == 3
    assert Journey.objects.all()[0].trigger["reason"] == "schedule"
    run(tomorrow() + timedelta(minutes=5))
    assert asked() == people


def test_it_comes_again_the_next_day() -> None:
    person = make_profile()
    timed()
    run(tomorrow())
    run(tomorrow(days=2))
    assert asked() == [person.pk, person.pk]
    assert Timetable.objects.get().next_at == tomorrow(days=3)


def test_only_who_is_in_the_segment_then_and_meets_the_conditions() -> None:
    segment = Segment.objects.create(slug="vip", name="Vip", kind="manual")
    vip, poor = make_profile(traits={"plan": "pro"}), make_profile()
    make_profile(traits={"plan": "pro"})
    timed(segment="vip", where={"trait": "plan", "is": "pro"})
    lists.add(segment, [vip.pk, poor.pk])
    run(tomorrow())
    assert asked() == [vip.pk]


def test_rules_about_the_event_at_hand_are_left_to_the_campaign() -> None:
    person = make_profile()
    timed(where={"property": "reason", "is": "api"})
    run(tomorrow())
    assert asked() == [person.pk] and not Journey.objects.exists()


def test_a_segment_that_is_being_built_is_waited_for() -> None:
    segment = Segment.objects.create(slug="vip", name="Vip", kind="manual", state="building")
    person = make_profile()
    timed(segment="vip")
    lists.add(segment, [person.pk])
    run(tomorrow())
    assert asked() == []
    Segment.objects.update(state="live")
    run(tomorrow() + timedelta(minutes=2))
    assert asked() == [person.pk]


def test_each_persons_own_clock_says_when() -> None:
    tokyo, vienna, york = (make_profile(time_zone=zone) for zone in ("Asia/Tokyo", "Europe/Vienna", "America/New_York"))
    unknown = make_profile(time_zone="Middle/Earth")
    nowhere = make_profile()
    day = tomorrow(days=3)
    timed(repeat="once", on=day.date().isoformat(), whose="person")
    came = []
    for hour in range(-16, 16):
        before = set(asked())
        run(day + timedelta(hours=hour))
        came += [(hour, pk) for pk in sorted(set(asked()) - before)]
    order = [pk for _, pk in came]
    assert order == [tokyo.pk, vienna.pk, nowhere.pk, york.pk, unknown.pk]
    assert came[0][0] == -9 and came[2][0] == 0
    assert Timetable.objects.get().next_at is None


def test_who_moves_to_another_zone_meanwhile_is_asked_once_and_not_forgotten() -> None:
    east, west = make_profile(time_zone="Asia/Tokyo"), make_profile(time_zone="America/New_York")
    day = tomorrow(days=3)
    timed(repeat="once", on=day.date().isoformat(), whose="person")
    run(day)
    Profile.objects.filter(pk=east.pk).update(time_zone="America/New_York")
    Profile.objects.filter(pk=west.pk).update(time_zone="Asia/Tokyo")
    run(day + timedelta(hours=13))
    assert asked() == sorted([east.pk, west.pk])


def test_who_was_merged_after_being_asked_is_not_asked_again() -> None:
    east, west = make_profile(time_zone="Asia/Tokyo"), make_profile(time_zone="America/New_York")
    day = tomorrow(days=3)
    timed(repeat="once", on=day.date().isoformat(), whose="person")
    run(day)
    with transaction.atomic():
        merging.merge([(east.pk, west.pk)])
    run(day + timedelta(hours=13))
    assert asked() == [west.pk]


def test_another_version_moves_nothing_back() -> None:
    make_profile()
    campaign = timed()
    run(tomorrow(10))
    before = Timetable.objects.get()
    repeat(campaign)
    after = Timetable.objects.get()
    assert (after.done_to, after.next_at, after.since) == (before.done_to, before.next_at, before.since)
    repeat(campaign, at="11:00")
    run(tomorrow(12))
    assert len(asked()) == 1, "the day is done, whatever time it is said to be now"
    assert Timetable.objects.get().next_at == tomorrow(11, days=2)


def test_times_that_are_over_when_it_is_published_do_not_count() -> None:
    now = timezone.now()
    yesterday = (now - timedelta(days=2)).date().isoformat()
    timed(repeat="once", on=yesterday)
    assert Timetable.objects.get().next_at is None


def test_what_was_missed_is_made_up_for_within_hours_and_skipped_after_that() -> None:
    person = make_profile()
    timed()
    run(tomorrow(20))
    assert asked() == [person.pk]
    run(tomorrow(8, days=4))
    assert asked() == [person.pk]
    states = list(Intake.objects.order_by("due_at").values_list("state", flat=True))
    assert states == ["done", "skipped", "skipped"]
    run(tomorrow(9, days=4))
    assert asked() == [person.pk, person.pk]


def test_whose_part_of_the_world_was_skipped_is_not_asked_with_the_last_ones() -> None:
    make_profile(time_zone="Asia/Tokyo")
    west = make_profile(time_zone="America/New_York")
    day = tomorrow(days=3)
    timed(repeat="once", on=day.date().isoformat(), whose="person")
    run(day + timedelta(hours=13))
    assert asked() == [west.pk]


def test_a_paused_campaign_lets_nobody_in_and_goes_on_after_a_resume() -> None:
    person = make_profile()
    campaign = timed()
    publishing.pause(campaign)
    run(tomorrow())
    assert asked() == []
    publishing.resume(campaign)
    run(tomorrow(10))
    assert asked() == [person.pk]


def test_another_kind_of_start_ends_the_timetable() -> None:
    campaign = timed()
    campaign.draft["trigger"] = {"event": "Signed Up"}
    campaign.save()
    publishing.publish(campaign, None, "Other")
    assert Timetable.objects.get().next_at is None


def test_portions_go_through_everybody_and_each_costs_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [make_profile().pk for _ in range(23)]
    timed()
    timetables.open_due(tomorrow())
    monkeypatch.setattr(intakes, "LOOK", 5)
    monkeypatch.setattr(intakes, "PORTION", 4)
    intakes._take(tomorrow())
    costs = {statements(lambda: intakes._take(tomorrow())) for _ in range(2)}
    monkeypatch.setattr(intakes, "LOOK", 50)
    monkeypatch.setattr(intakes, "PORTION", 10)
    assert costs == {statements(lambda: intakes._take(tomorrow()))}
    intakes.run_due(time.monotonic() + 30, tomorrow())
    assert asked() == people
    assert (Intake.objects.get().asked, Intake.objects.get().state) == (23, "done")


def test_others_go_first_where_many_events_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(6):
        make_profile()
    timed()
    monkeypatch.setattr(intakes, "CROWD", 3)
    monkeypatch.setattr(intakes, "PORTION", 2)
    timetables.open_due(tomorrow())
    intakes.run_due(time.monotonic() + 30, tomorrow())
    assert Pending.objects.count() == 4
    for _ in range(3):
        settle()
    intakes.run_due(time.monotonic() + 30, tomorrow())
    assert len(asked()) == 6


def test_what_fails_is_put_off_with_the_error_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    person = make_profile()
    bad, good = timed("Bad"), timed("Good")
    ask = intakes._ask

    def fail(intake: Intake, people: Any) -> int:
        if intake.campaign_id == bad.pk:
            raise ValueError("broken")
        return ask(intake, people)

    monkeypatch.setattr(intakes, "_ask", fail)
    run(tomorrow())
    assert Journey.objects.get().campaign == good
    assert "broken" in Intake.objects.get(campaign=bad).error
    monkeypatch.setattr(intakes, "_ask", ask)
    run(tomorrow() + timedelta(minutes=2))
    assert asked() == [person.pk, person.pk]


def test_a_segment_that_is_not_there_cannot_be_let_in() -> None:
    with pytest.raises(NotPublishable) as caught:
        timed(segment="gone")
    assert [problem.path for problem in caught.value.problems] == ["trigger.segment"]


def test_the_card_takes_a_timetable_and_shows_when_it_comes(admin_client: Client) -> None:
    Segment.objects.create(slug="vip", name="Vip", size=1234, kind="manual")
    page = EditorPage(admin_client, timed())
    page.fill({"trigger-repeat": "weekly", "trigger-at": "18:30", "trigger-segment": "vip", "trigger-whose": "person"})
    page.fields["trigger-days"] = ["0", "4"]
    page.press()
    assert page.draft["trigger"] == {
        "kind": "schedule",
        "repeat": "weekly",
        "at": "18:30",
        "whose": "person",
        "segment": "vip",
        "days": [0, 4],
        "where": None,
    }
    assert "Each Mon, Fri at 18:30, by each person’s clock: everybody in the segment “Vip”" in page.html
    assert "about 1,234 people now" in page.html and "Next: " in page.html
    page.fill({"trigger-repeat": "once", "trigger-on": "2020-01-01"}).press()
    assert "days" not in page.draft["trigger"]
    assert "No time of it is still to come." in page.html


def test_an_event_becomes_a_timetable(admin_client: Client) -> None:
    page = EditorPage(admin_client, make_campaign()).fill({"trigger-kind": "schedule"}).press("kind")
    assert page.draft["trigger"] == {
        "kind": "schedule",
        "repeat": "once",
        "at": "09:00",
        "whose": "person",
        "segment": "",
        "where": None,
    }
    assert "choose the day" in page.html


def test_the_tab_shows_how_far_it_is_and_stops_it(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(6):
        make_profile()
    campaign = timed()
    timetables.open_due(tomorrow())
    monkeypatch.setattr(intakes, "PORTION", 2)
    monkeypatch.setattr(intakes, "LOOK", 2)
    intakes._take(tomorrow())
    url = f"/admin/campaigns/campaign/{campaign.pk}/intakes/"
    pk = Intake.objects.get().pk
    html = admin_client.get(url).content.decode()
    assert "Under way" in html and f"{tomorrow():%a %-d %b %Y}" in html
    admin_client.post(f"{url}{pk}/hold/")
    assert not intakes._take(tomorrow())
    assert "Held" in admin_client.get(url).content.decode()
    admin_client.post(f"{url}{pk}/go-on/")
    assert intakes._take(tomorrow())
    admin_client.post(f"{url}{pk}/cancel/")
    assert not intakes._take(tomorrow())
    assert Intake.objects.get().state == "cancelled" and len(asked()) == 4
    assert "Cancelled" in admin_client.get(url).content.decode()
    assert admin_client.post(f"{url}{pk}/explode/").status_code == 404


def test_another_kind_of_start_ends_an_occurrence_that_is_under_way(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        make_profile()
    campaign = timed()
    timetables.open_due(tomorrow())
    monkeypatch.setattr(intakes, "PORTION", 2)
    intakes._take(tomorrow())
    campaign.draft["trigger"] = {"event": "Signed Up"}
    campaign.save()
    publishing.publish(campaign, None, "By event")
    assert not intakes._take(tomorrow()) and len(asked()) == 2
    html = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/intakes/").content.decode()
    assert "no timetable any more" in html
