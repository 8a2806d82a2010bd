"""Starts that are put off until it has been quiet: of many events in a row, the last one starts the journey."""

from __future__ import annotations

import json
import random
import time
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from campaigns import enrollment, publishing
from campaigns.admin import page, words
from campaigns.engine.definition import parse, problems
from campaigns.models import Campaign, Decision, Journey, Parked, PutOff
from campaigns.quiet import Last, joined
from campaigns.reasons import Entry
from events import portrait, privacy
from events.audit import Actor
from events.merging import merge
from events.models import Event, Pending, Profile
from tests.campaigns.flow import delay, happens, make_campaign, settle, statements
from tests.factories import make_profile

START = datetime(2026, 5, 4, 9, tzinfo=UTC)
db = pytest.mark.django_db


def listen(rule: str = "always", by: str = "", **trigger: Any) -> Campaign:
    return make_campaign(
        delay(),
        trigger={"event": "Signed Up", "quiet_minutes": 10, **trigger},
        reentry={"rule": rule, **({"by": by} if by else {})},
    )


def pass_minutes(minutes: float) -> None:
    ago = timedelta(minutes=minutes)
    PutOff.objects.update(until=F("until") - ago, look_at=F("look_at") - ago)


def sweep() -> None:
    enrollment.enroll_waiting(time.monotonic() + 30)


def entries() -> list[str]:
    return list(Decision.objects.order_by("event_id").values_list("entry", flat=True))


def started() -> list[int | None]:
    return list(Journey.objects.order_by("pk").values_list("trigger_event_id", flat=True))


def heard(number: int, happened: int, received: int, quiet: int = 10, most: int = 60) -> Last:
    """Return what one event comes to, minutes after the start."""
    at = START + timedelta(minutes=received)
    happened_at = START + timedelta(minutes=happened)
    return Last(happened_at, number, happened_at, 1, "X", at + timedelta(minutes=quiet), at + timedelta(minutes=most))


def after(*lasts: Last) -> Last:
    found: Last | None = None
    for last in lasts:
        found = joined(found, last)
    assert found
    return found


@pytest.mark.parametrize(
    ("lasts", "event", "minute"),
    [
        ([heard(1, 0, 0)], 1, 10),
        ([heard(1, 0, 0), heard(2, 5, 5)], 2, 15),
        ([heard(1, 5, 5), heard(2, 0, 6)], 1, 16),
        ([heard(1, 0, 0), heard(2, 0, 0)], 2, 10),
        ([heard(n, 9 * n, 9 * n) for n in range(8)], 7, 60),
        ([heard(1, 0, 0, quiet=10, most=5)], 1, 5),
    ],
    ids=["alone", "later", "an older one comes in later", "same instant", "the bound", "a bound below the quiet"],
)
def test_the_last_event_starts_it_when_it_has_been_quiet_or_has_waited_long(
    lasts: list[Last], event: int, minute: int
) -> None:
    found = after(*lasts)
    assert (found.event_id, found.look_at) == (event, START + timedelta(minutes=minute))


@hypothesis_settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(1, 30), st.integers(1, 90)),
        min_size=1,
        max_size=6,
    ),
    st.integers(0),
)
def test_in_whatever_order_events_come_the_outcome_is_the_same(
    events: list[tuple[int, int, int, int]], seed: int
) -> None:
    lasts = [heard(number, *event) for number, event in enumerate(events)]
    shuffled = random.Random(seed).sample(lasts, len(lasts))
    found = after(*shuffled)
    assert found == after(*lasts)
    assert found.event_id == max(lasts, key=lambda last: (last.happened_at, last.event_id)).event_id
    assert found.look_at == min(max(last.look_at for last in lasts), found.until)
    untils = list(accumulate(shuffled, joined))
    assert all(later.until <= earlier.until for earlier, later in zip(untils, untils[1:], strict=False))


@pytest.mark.parametrize(
    ("trigger", "place"),
    [
        ({"quiet_minutes": -1}, "trigger.quiet_minutes"),
        ({"quiet_minutes": "soon"}, "trigger.quiet_minutes"),
        ({"quiet_minutes": 20, "quiet_most_minutes": 10}, "trigger.quiet_most_minutes"),
    ],
)
def test_a_mistake_is_named_with_its_place(trigger: dict[str, Any], place: str) -> None:
    found = problems({"trigger": {"event": "X", **trigger}, "steps": [delay()]})
    assert [problem.path for problem in found] == [place]


def test_the_bound_is_a_day_and_never_less_than_the_quiet() -> None:
    def most(**trigger: Any) -> int:
        return parse({"trigger": {"event": "X", **trigger}, "steps": [delay()]}).trigger.quiet_most_minutes

    assert (most(), most(quiet_minutes=10), most(quiet_minutes=2_000)) == (1440, 1440, 2000)


def test_the_rule_is_said_in_words() -> None:
    said = words.trigger({"trigger": {"event": "Product Added", "quiet_minutes": 10}})
    assert said.startswith("Product Added; starts with the last one when no more has come for 10 minutes, ")
    assert said.endswith(" 1 day after the first at the latest")


@db
def test_of_many_events_the_last_starts_the_journey_with_its_properties() -> None:
    listen()
    ada = make_profile("ada")
    for number in range(3):
        happens(ada, properties={"n": number})
        settle()
        pass_minutes(6)
        sweep()
    assert entries() == [Entry.REPLACED, Entry.REPLACED, Entry.QUIET] and not Journey.objects.exists()
    pass_minutes(5)
    sweep()
    assert Journey.objects.get().trigger == {"n": 2}
    assert entries() == [Entry.REPLACED, Entry.REPLACED, Entry.ENTERED]
    assert Decision.objects.get(entry=Entry.ENTERED).journey == Journey.objects.get()
    assert not PutOff.objects.exists()
    sweep()
    assert Journey.objects.count() == 1


@db
@pytest.mark.parametrize("in_one_batch", [True, False])
def test_what_happened_last_counts_not_what_came_in_last(in_one_batch: bool) -> None:
    listen()
    ada, now = make_profile("ada"), timezone.now()
    for minutes in (3, 1, 2):
        happens(ada, properties={"ago": minutes}, timestamp=now - timedelta(minutes=minutes))
        if not in_one_batch:
            settle()
    settle()
    assert entries() == [Entry.REPLACED, Entry.QUIET, Entry.REPLACED]
    pass_minutes(11)
    sweep()
    assert Journey.objects.get().trigger == {"ago": 1}


@db
def test_what_never_gets_quiet_starts_at_its_bound() -> None:
    listen(quiet_most_minutes=30)
    ada = make_profile("ada")
    for number in range(4):
        happens(ada, properties={"n": number})
        settle()
        sweep()
        assert not Journey.objects.exists()
        pass_minutes(8)
    happens(ada, properties={"n": 4})
    sweep()
    assert Journey.objects.get().trigger == {"n": 3}, "it waits no more, though another is to be claimed"


@db
def test_it_is_not_quiet_while_an_event_is_to_be_claimed() -> None:
    listen()
    ada = make_profile("ada")
    happens(ada)
    settle()
    pass_minutes(11)
    last = happens(ada)
    sweep()
    assert not Journey.objects.exists()
    settle()
    pass_minutes(11)
    happens(ada, "Something Else")
    Pending.objects.filter(event_id=happens(ada)).update(parked_at=timezone.now())
    sweep()
    assert started() == [last]


@db
def test_values_of_a_property_are_kept_apart_however_long() -> None:
    listen(by="order")
    ada = make_profile("ada")
    long = "x" * 20_000
    for order in ("a", long, "a", None):
        happens(ada, properties={"order": order} if order else {})
    settle()
    assert entries() == [Entry.REPLACED, Entry.QUIET, Entry.QUIET, Entry.QUIET]
    assert PutOff.objects.count() == 3


@db
def test_only_events_that_meet_the_conditions_put_it_off() -> None:
    listen(where={"property": "n", "gt": 1})
    ada = make_profile("ada")
    for number in (2, 1):
        happens(ada, properties={"n": number})
        settle()
        pass_minutes(4)
    sweep()
    assert entries() == [Entry.QUIET, Entry.FILTERED]
    pass_minutes(3)
    sweep()
    assert Journey.objects.get().trigger == {"n": 2}


@db
def test_who_is_in_or_was_in_is_told_so_when_it_is_quiet() -> None:
    listen("once")
    ada = make_profile("ada")
    for _ in range(2):
        happens(ada)
        settle()
        pass_minutes(11)
        sweep()
    assert entries() == [Entry.ENTERED, Entry.ALREADY_IN]


@db
def test_a_pause_leaves_what_waits_and_a_new_version_goes_on_with_it() -> None:
    campaign = listen()
    ada = make_profile("ada")
    happens(ada)
    settle()
    publishing.pause(campaign)
    happens(ada)
    settle()
    assert entries() == [Entry.QUIET], "what comes during a pause is nothing to the campaign"
    campaign.draft["trigger"]["quiet_minutes"] = 20
    campaign.save(update_fields=["draft"])
    version = publishing.publish(campaign, None, "Longer.")
    last = happens(ada)
    settle()
    assert PutOff.objects.get().version == version
    pass_minutes(11)
    sweep()
    assert not Journey.objects.exists()
    pass_minutes(10)
    sweep()
    assert started() == [last] and Journey.objects.get().version == version


@db
def test_what_waits_when_a_campaign_is_paused_starts_held() -> None:
    campaign = listen()
    happens(make_profile("ada"))
    settle()
    publishing.pause(campaign)
    pass_minutes(11)
    sweep()
    settle()
    assert Journey.objects.get().state == Journey.State.PAUSED


@db
@pytest.mark.parametrize("latest", ["loser", "winner"])
def test_a_merge_joins_what_waits_on_both_sides(latest: str) -> None:
    listen()
    people = {"loser": make_profile("loser"), "winner": make_profile("winner")}
    now = timezone.now()
    for name, person in people.items():
        happens(person, properties={"of": name}, timestamp=now - timedelta(minutes=1 if name == latest else 2))
        settle()
        pass_minutes(4)
    untils = list(PutOff.objects.order_by("look_at").values_list("look_at", "until"))
    merge([(people["loser"].pk, people["winner"].pk)])
    row = PutOff.objects.get()
    assert (row.profile, row.look_at, row.until) == (people["winner"], untils[1][0], untils[0][1])
    assert sorted(entries()) == [Entry.QUIET, Entry.REPLACED]
    pass_minutes(11)
    sweep()
    assert Journey.objects.get().trigger == {"of": latest}
    assert sorted(entries()) == [Entry.ENTERED, Entry.REPLACED]


@db
def test_several_losers_bring_what_waits_to_a_winner_without_any() -> None:
    listen()
    people = [make_profile(f"u{n}") for n in range(3)]
    last = [happens(person) for person in people[:2]][-1]
    settle()
    merge([(people[0].pk, people[2].pk), (people[1].pk, people[2].pk)])
    assert (PutOff.objects.get().profile, PutOff.objects.get().event_id) == (people[2], last)


@db
def test_nothing_waits_for_somebody_erased_and_a_copy_of_the_data_shows_it() -> None:
    listen()
    ada = make_profile("ada")
    happens(ada)
    settle()
    copy = json.loads(b"".join(portrait.export(ada)))
    assert [row["name"] for row in copy["waiting_for_quiet"]] == ["Signed Up"]
    privacy.erase([ada.pk], Actor("test"))
    assert not PutOff.objects.exists()
    pass_minutes(11)
    sweep()
    assert not Journey.objects.exists()


@db
def test_an_event_gone_from_the_log_starts_nothing() -> None:
    listen()
    happens(make_profile("ada"))
    settle()
    Event.objects.all().delete()
    pass_minutes(11)
    sweep()
    assert not PutOff.objects.exists() and not Journey.objects.exists()


@db
def test_who_waited_for_traits_waits_for_quiet_behind_that() -> None:
    listen(where={"trait": "plan", "is": "pro"})
    ada = make_profile("ada")
    happens(ada)
    settle()
    assert entries() == [Entry.WAITING]
    Profile.objects.update(traits={"plan": "pro"})
    happens(ada, "", type="identify")
    settle()
    assert entries() == [Entry.QUIET] and not Parked.objects.exists()
    pass_minutes(11)
    sweep()
    assert entries() == [Entry.ENTERED]


@db
def test_statements_grow_neither_with_events_nor_with_what_is_due() -> None:
    listen()
    people = [make_profile(f"u{n}") for n in range(60)]

    def claim(some: list[Profile]) -> int:
        for person in some:
            happens(person)
        return statements(lambda: enrollment.enroll_batch(500))

    claim(people[:1]), claim(people[:1])
    assert claim(people[1:3]) == claim(people[3:])
    assert claim(people[1:3]) == claim(people[3:]), "also where they replace others"
    PutOff.objects.filter(profile__in=[person.pk for person in people[:2]]).update(look_at=timezone.now())
    few = statements(sweep)
    PutOff.objects.update(look_at=timezone.now())
    assert statements(sweep) == few
    assert Journey.objects.count() == 60


@db
def test_the_pages_say_until_when_it_waits_and_what_took_its_place(admin_client: Client) -> None:
    listen()
    ada = make_profile("ada")
    first, last = happens(ada), happens(ada)
    settle()
    until = f"Waits for quiet until {PutOff.objects.get().look_at:%H:%M} UTC"
    refused = admin_client.get(page.url("refused", Decision.objects.all()[0].campaign_id)).content.decode()
    person = admin_client.get(f"/admin/events/profile/{ada.pk}/change/").content.decode()
    replaced = admin_client.get(f"/admin/events/event/{first}/change/").content.decode()
    waits = admin_client.get(f"/admin/events/event/{last}/change/").content.decode()
    for text in (refused, person, waits):
        assert until in text and "no more has come for 10 minutes" in text
    for text in (refused, person, replaced):
        assert "A later event took its place" in text
    assert "Waits for quiet" not in replaced
