"""Events that come late: what they change for events that were looked at before them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns import enrollment, late, publishing
from campaigns.late import looks_back
from campaigns.listening import REQUESTED
from campaigns.models import Campaign, Decision, Journey, LivePeriod, Parked, PutOff, Waiting
from campaigns.reasons import Entry
from events.conditions import parse
from events.models import Profile
from tests.campaigns.flow import delay, happens, make_campaign, statements
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
OFTEN: dict[str, Any] = {"event": "Clicked", "count": {"gt": 2}, "within": "10m"}
VIEWED: dict[str, Any] = {"event": "Viewed", "count": {"gte": 2}, "within": "1h"}
NOW = timezone.now().replace(microsecond=0)


def listen(where: dict[str, Any] = OFTEN, event: str = "Clicked", **definition: Any) -> Campaign:
    trigger = {"event": event, "where": where, **definition.pop("trigger", {})}
    return make_campaign(delay(), trigger=trigger, reentry={"rule": "always"}, **definition)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def comes(person: Profile, minutes: float, name: str = "Clicked", **columns: Any) -> int:
    """Let something that happened so many minutes ago come now, alone, and be looked at."""
    event_id = happens(person, name, timestamp=ago(minutes), **columns)
    enroll()
    return event_id


def enroll() -> None:
    while enrollment.enroll_batch(500):
        pass


def entries(*event_ids: int) -> list[str]:
    found = dict(Decision.objects.values_list("event_id", "entry"))
    return [found[event_id] for event_id in event_ids]


def test_an_event_that_met_the_condition_but_for_latecomers_starts_a_journey_when_they_come() -> None:
    listen()
    ada = make_profile()
    third = comes(ada, 1)
    first = comes(ada, 9)
    assert entries(third, first) == [Entry.FILTERED] * 2
    second = comes(ada, 5)
    assert entries(first, second, third) == [Entry.FILTERED, Entry.FILTERED, Entry.ENTERED]
    journey = Journey.objects.get()
    assert (journey.trigger_event_id, journey.trigger_at) == (third, ago(1))
    assert Decision.objects.get(event_id=third).journey == journey


def test_the_first_of_several_that_meet_it_now_starts_the_journey() -> None:
    listen({"event": "Viewed"})
    ada = make_profile()
    clicks = [comes(ada, minutes) for minutes in (1, 3, 2)]
    comes(ada, 5, "Viewed")
    assert entries(*clicks) == [Entry.ALREADY_IN, Entry.ENTERED, Entry.ALREADY_IN]


def test_what_comes_late_may_be_another_event_than_the_trigger() -> None:
    listen({"all": [VIEWED, {"page": "Pricing"}]}, "Ordered")
    ada = make_profile()
    order = comes(ada, 1, "Ordered")
    comes(ada, 5, "Viewed")
    comes(ada, 6, "Pricing", type="page")
    assert entries(order) == [Entry.FILTERED]
    comes(ada, 7, "Viewed")
    assert entries(order) == [Entry.ENTERED]
    bea = make_profile()
    order = comes(bea, 1, "Ordered")
    for minutes in (5, 6):
        comes(bea, minutes, "Viewed")
    assert entries(order) == [Entry.FILTERED]
    comes(bea, 7, "Pricing", type="page")
    assert entries(order) == [Entry.ENTERED]


@pytest.mark.parametrize(
    ("happened", "arrived_after", "hours", "entry"),
    [
        (62, 0, 72, Entry.FILTERED),
        (60.5, 0, 72, Entry.ENTERED),
        (60.5, 2, 2, Entry.FILTERED),
        (60.5, 1.9, 2, Entry.ENTERED),
    ],
    ids=["out of reach", "within reach", "too old by then", "of age"],
)
def test_how_far_the_condition_looks_back_and_the_age_are_the_bounds(
    happened: float, arrived_after: float, hours: int, entry: Entry
) -> None:
    listen(VIEWED, "Ordered", trigger={"max_age_hours": hours})
    LivePeriod.objects.update(started_at=ago(600))
    ada = make_profile()
    order = comes(ada, 1, "Ordered", received_at=NOW)
    comes(ada, 30, "Viewed")
    comes(ada, happened, "Viewed", received_at=NOW + timedelta(hours=arrived_after))
    assert entries(order) == [entry]


def test_it_is_asked_before_the_version_that_turned_it_away() -> None:
    campaign = listen()
    first = campaign.live_version
    ada = make_profile()
    third = comes(ada, 1)
    comes(ada, 5)
    campaign.draft = {**campaign.draft, "trigger": {"event": "Other"}}
    campaign.save()
    publishing.publish(campaign, None, "Starts on something else now.")
    comes(ada, 9)
    assert entries(third) == [Entry.ENTERED]
    assert Journey.objects.get().version == first


def test_a_paused_campaign_lets_nobody_in() -> None:
    campaign = listen()
    ada = make_profile()
    third = comes(ada, 1)
    comes(ada, 5)
    publishing.pause(campaign)
    comes(ada, 9)
    assert entries(third) == [Entry.FILTERED]
    publishing.resume(campaign)
    assert entries(third) == [Entry.FILTERED]
    comes(ada, 4)
    assert entries(third) != [Entry.FILTERED], "the next that comes late has it asked again"


def test_what_others_did_and_what_is_only_history_ask_nobody_again() -> None:
    listen()
    ada, bea = make_profile(), make_profile()
    third = comes(ada, 1)
    for minutes in (5, 8, 9):
        comes(bea, minutes)
    comes(ada, 5)
    assert entries(third) == [Entry.FILTERED]


def test_who_entered_stays_in_when_the_latecomer_belies_it() -> None:
    listen({"not": {"event": "Ordered", "within": "1h"}})
    ada = make_profile()
    click = comes(ada, 1)
    comes(ada, 10, "Ordered")
    assert entries(click) == [Entry.ENTERED]
    assert Journey.objects.get().state == Journey.State.WAITING


def test_who_has_entered_by_then_does_not_enter_again() -> None:
    make_campaign(delay(), trigger={"event": "Clicked", "where": OFTEN}, reentry={"rule": "once"})
    ada = make_profile()
    early = comes(ada, 4)
    for minutes in (3, 2):
        comes(ada, minutes)
    Journey.objects.update(state=Journey.State.ENDED, ended_at=NOW)
    for minutes in (9, 8):
        comes(ada, minutes)
    assert entries(early) == [Entry.NOT_AGAIN]
    assert Journey.objects.count() == 1


def test_what_lacks_only_a_trait_then_waits_for_it() -> None:
    listen({"all": [OFTEN, {"trait": "plan", "is": "pro"}]})
    ada = make_profile()
    third = comes(ada, 1)
    for minutes in (5, 9):
        comes(ada, minutes)
    assert entries(third) == [Entry.WAITING]
    assert Waiting.objects.get().event_id == third


def test_what_has_to_be_quiet_first_waits_for_quiet() -> None:
    listen(trigger={"quiet_minutes": 10})
    ada = make_profile()
    third = comes(ada, 1)
    for minutes in (5, 9):
        comes(ada, minutes)
    assert entries(third) == [Entry.QUIET]
    assert PutOff.objects.get().event_id == third


def test_a_start_that_another_campaign_asked_for_is_asked_again_as_well() -> None:
    listen({"event": "Viewed"}, "Other", name="Winback")
    ada = make_profile()
    asked = comes(ada, 1, REQUESTED, properties={"campaign": "winback"}, context={"made_by": 1})
    assert entries(asked) == [Entry.FILTERED]
    comes(ada, 5, "Viewed")
    assert entries(asked) == [Entry.ENTERED]


def test_of_very_many_those_that_came_next_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "NEAREST", 2)
    listen({"event": "Viewed"})
    ada = make_profile()
    clicks = [comes(ada, minutes) for minutes in (1, 2, 3)]
    comes(ada, 5, "Viewed")
    assert entries(*clicks) == [Entry.FILTERED, Entry.ALREADY_IN, Entry.ENTERED]


def test_a_condition_that_fails_then_parks_what_it_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    listen()
    ada = make_profile()
    third = comes(ada, 1)
    comes(ada, 5)
    happens(ada, "Clicked", timestamp=ago(9))
    meeting = enrollment.judge.__globals__["meeting"]

    def fail(nodes: Any, events: Any, reading: Any) -> Any:
        if third in dict(events):
            raise ArithmeticError("bad luck")
        return meeting(nodes, events, reading)

    monkeypatch.setitem(enrollment.judge.__globals__, "meeting", fail)
    enrollment.enroll_batch(500, careful=True)
    assert entries(third) == [Entry.PARKED]
    assert Parked.objects.get().error == "ArithmeticError: bad luck"


CONDITIONS: list[dict[str, Any]] = [
    OFTEN,
    {"event": "Clicked", "sum": {"property": "n", "gt": 5}, "within": "30m"},
    {"sequence": [{"event": "Viewed"}, {"event": "Clicked"}, {"event": "Viewed"}], "since": "-20m"},
    {"any": [{"page": "Pricing", "within": "5m"}, VIEWED]},
    {"all": [{"event": "Viewed"}, {"event": "Clicked", "first": {"within_last": "15m"}}]},
]


def met(person: Profile, happened: dict[int, int]) -> dict[int, set[int]]:
    """Return by campaign which of the person's events met the condition."""
    found: dict[int, set[int]] = {}
    for campaign_id, event_id in (
        Decision.objects.filter(profile=person).exclude(entry=Entry.FILTERED).values_list("campaign_id", "event_id")
    ):
        found.setdefault(campaign_id, set()).add(happened[event_id])
    return found


def live(
    story: Sequence[tuple[float, str]], order: Sequence[int], sizes: Sequence[int]
) -> tuple[Profile, dict[int, int]]:
    """Let somebody new do what the story says, and have it come in that order, in batches of those sizes."""
    person, happened, batches = make_profile(), {}, itertools.cycle(sizes)
    left = list(order)
    while left:
        for place in [left.pop(0) for _ in range(min(next(batches), len(left)))]:
            minutes, name = story[place]
            kind = "page" if name == "Pricing" else "track"
            happened[happens(person, name, {"n": place}, timestamp=ago(minutes), type=kind)] = place
        enroll()
    return person, happened


@pytest.mark.parametrize("seed", range(12))
def test_in_whatever_order_they_come_the_same_events_meet_the_condition(seed: int) -> None:
    chance = random.Random(seed)
    campaigns = [listen(where) for where in CONDITIONS[:4]]
    names = ["Clicked"] * 5 + ["Viewed"] * 3 + ["Pricing"]
    story = sorted(((chance.uniform(1, 40), chance.choice(names)) for _ in range(8)), reverse=True)
    places = list(range(len(story)))
    expected = met(*live(story, places, [1]))
    for _ in range(4):
        order = chance.sample(places, len(places))
        person, happened = live(story, order, [chance.randrange(1, 4) for _ in range(3)])
        assert met(person, happened) == expected, (story, order)
        assert Journey.objects.filter(profile=person).count() == len(expected)
    assert {campaign.pk for campaign in campaigns} >= set(expected)


def test_the_database_is_asked_at_most_twice_when_nothing_is_late_and_twice_more_for_all_that_is() -> None:
    def cost(people: list[Profile], minutes: float) -> int:
        for person in people:
            happens(person, "Looked", timestamp=ago(minutes))
        return statements(lambda: enrollment.enroll_batch(500))

    people = [make_profile() for _ in range(40)]
    cost(people[:1], 60)
    nobody_asks = cost(people, 59)
    listen({"event": "Looked", "count": {"gte": 100}}, "Clicked")
    for person in people:
        for minutes in (30, 20, 10):
            happens(person, "Clicked", timestamp=ago(minutes))
    enroll()
    assert cost(people[:1], 5) == cost(people, 4) == nobody_asks + 1
    one, all_ = cost(people[:1], 40), cost(people, 41)
    assert one == all_ <= nobody_asks + 6


def test_a_condition_tells_which_calls_may_make_it_true_later_and_how_far_it_looks_back() -> None:
    found = looks_back(
        parse(
            {
                "all": [
                    OFTEN,
                    {"event": "Clicked", "within": "3m"},
                    {"any": [{"page": "Pricing", "since": "-5m"}, {"event": "Ordered", "since": "2026-01-01"}]},
                    {"event": "Viewed", "within": "4m", "then_not": {"screen": "Cart", "within": "1m"}},
                    {"sequence": [{"event": "A"}, {"event": "B"}], "within": "1m", "since": "-6m"},
                    {"event": "Paid", "sum": {"property": "total", "lt": 5}},
                    {"trait": "plan", "is": "pro"},
                ]
            }
        )
    )
    minutes = timedelta(minutes=1)
    assert found == {
        "track Clicked": 10 * minutes,
        "page Pricing": 5 * minutes,
        "track Ordered": None,
        "track Viewed": 4 * minutes,
        "track A": 6 * minutes,
        "track B": 6 * minutes,
        "track Paid": None,
    }
    assert looks_back(None) == looks_back(parse({"property": "n", "gt": 1})) == {}


@pytest.mark.parametrize(
    ("part", "straight", "turned"),
    [
        ({"event": "A"}, {"A"}, set()),
        ({"event": "A", "count": {"gte": 2}}, {"A"}, set()),
        ({"event": "A", "count": {"lt": 2}}, set(), {"A"}),
        ({"event": "A", "count": {"is": 2}}, {"A"}, {"A"}),
        ({"event": "A", "last": {"within_last": "1d"}}, {"A"}, {"A"}),
        ({"event": "A", "then_not": {"event": "B", "within": "1h"}}, {"A"}, {"B"}),
        ({"sequence": [{"event": "A"}, {"event": "B"}]}, {"A", "B"}, set()),
        ({"not": {"event": "A"}}, set(), {"A"}),
    ],
)
def test_what_can_only_make_it_false_has_nobody_asked_again(
    part: dict[str, Any], straight: set[str], turned: set[str]
) -> None:
    assert {name.split()[1] for name in looks_back(parse(part))} == straight
    assert {name.split()[1] for name in looks_back(parse({"not": part}))} == turned


def test_a_flood_of_latecomers_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late, "MOST", 3)
    listen({"event": "Viewed"})
    people = [make_profile() for _ in range(5)]
    clicks = [comes(person, 1) for person in people]
    for person in people:
        happens(person, "Viewed", timestamp=ago(5))
    enroll()
    assert entries(*clicks).count(Entry.ENTERED) == 3
