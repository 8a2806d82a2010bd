"""Two profiles turn out to be one person: nothing is lost, nothing is said twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from campaigns import publishing
from campaigns.merging import follow_merge
from campaigns.models import Decision, Journey, Visit
from campaigns.reasons import Ending, Entry
from events.models import Profile
from messaging.models import Message
from tests.campaigns.flow import delay, happens, make_campaign, send, settle
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def test_journeys_and_decisions_follow_and_only_the_oldest_goes_on() -> None:
    make_campaign(delay(), send())
    winner, *losers = [make_profile() for _ in range(3)]
    for person in (losers[0], winner, losers[1]):
        happens(person)
        settle()
    follow_merge(None, [(loser.pk, winner.pk) for loser in losers])
    assert [j.profile for j in Journey.objects.all()] == [winner] * 3
    assert [j.ending for j in Journey.objects.order_by("pk")] == ["", Ending.MERGED, Ending.MERGED]
    assert set(Decision.objects.values_list("profile_id", flat=True)) == {winner.pk}
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        settle()
    assert Message.objects.count() == 1


def test_who_has_been_in_stays_known_as_having_been_in() -> None:
    make_campaign()
    winner, loser = make_profile(), make_profile()
    happens(loser)
    settle()
    follow_merge(None, [(loser.pk, winner.pk)])
    happens(winner)
    settle()
    assert Decision.objects.latest("pk").entry == Entry.NOT_AGAIN


def one_of(winner: Profile, *losers: Profile) -> None:
    follow_merge(None, [(loser.pk, winner.pk) for loser in losers])


def an_hour_later() -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        settle()


def enters(person: Profile) -> Journey:
    happens(person)
    settle()
    return Journey.objects.latest("pk")


def test_journeys_side_by_side_all_go_on_but_for_those_of_the_same_order() -> None:
    make_campaign(delay(), send(), reentry={"rule": "once", "by": "order_id", "parallel": True})
    winner, loser = make_profile(), make_profile()
    for person, order in ((winner, 1), (loser, 1), (loser, 2)):
        happens(person, properties={"order_id": order})
        settle()
    one_of(winner, loser)
    under_way = Journey.objects.exclude(state="ended").order_by("pk")
    assert [(j.profile, j.trigger["order_id"]) for j in under_way] == [(winner, 1), (winner, 2)]
    an_hour_later()
    assert Message.objects.filter(status="queued").count() == 2


def test_messages_that_wait_for_several_orders_all_go_on() -> None:
    make_campaign(send(), reentry={"rule": "always", "by": "order_id", "parallel": True})
    winner, loser = make_profile(), make_profile()
    for person, order in ((winner, 1), (loser, 1), (loser, 2)):
        happens(person, properties={"order_id": order})
        settle()
    one_of(winner, loser)
    assert sorted(Message.objects.values_list("status", flat=True)) == ["queued", "queued", "skipped"]


@pytest.mark.parametrize("first_stays", [True, False])
def test_the_journey_that_has_said_more_goes_on(first_stays: bool) -> None:
    campaign = make_campaign(delay(), send(), delay(step_id="rest"), send("last"))
    slow, fast = make_profile(), make_profile()
    enters(slow)
    campaign.draft = {**campaign.draft, "steps": [send(), delay(step_id="rest"), send("last")]}
    campaign.save()
    publishing.publish(campaign, None, "No waiting first.")
    further = enters(fast)
    Message.objects.update(status="sent")
    one_of(*((slow, fast) if first_stays else (fast, slow)))
    assert Journey.objects.exclude(state="ended").get() == further
    an_hour_later()
    assert list(Visit.objects.exclude(message=None).order_by("pk").values_list("step_id", flat=True)) == [
        "mail",
        "last",
    ]


@pytest.mark.parametrize("through_stays", [True, False])
@pytest.mark.parametrize("through_first", [True, False])
@pytest.mark.parametrize(
    ("reentry", "again"),
    [
        ({"rule": "once"}, False),
        ({"rule": "period", "hours": 48}, False),
        ({"rule": "period", "hours": 1}, True),
        ({"rule": "always"}, True),
    ],
)
def test_who_has_been_through_goes_on_only_where_the_campaign_is_for_twice(
    reentry: dict[str, Any], again: bool, through_first: bool, through_stays: bool
) -> None:
    make_campaign(delay(), send(), reentry=reentry)
    through, under_way = make_profile(), make_profile()
    journeys = [enters(person) for person in ((through, under_way) if through_first else (under_way, through))]
    Journey.objects.filter(pk=journeys[1].pk).update(trigger_at=journeys[0].trigger_at + timedelta(hours=2))
    Journey.objects.filter(profile=through).update(state="ended", ending=Ending.COMPLETED, due_at=None)
    one_of(*((through, under_way) if through_stays else (under_way, through)))
    assert Journey.objects.exclude(state="ended").exists() is again
    an_hour_later()
    assert Message.objects.exists() is again


def test_a_third_merge_ends_nobody_for_a_journey_that_an_earlier_one_ended() -> None:
    make_campaign(delay(), send())
    first, second, third = (make_profile() for _ in range(3))
    enters(first)
    enters(second)
    one_of(first, second)
    one_of(third, first)
    an_hour_later()
    assert Message.objects.count() == 1


@pytest.mark.parametrize(("rule", "queued"), [("once", 0), ("always", 1)])
def test_what_one_has_got_the_other_gets_only_where_the_campaign_is_for_twice(rule: str, queued: int) -> None:
    make_campaign(reentry={"rule": rule})
    first, second = make_profile(), make_profile()
    enters(first)
    Message.objects.update(status="delivered")
    enters(second)
    one_of(second, first)
    assert Message.objects.filter(status="queued").count() == queued
