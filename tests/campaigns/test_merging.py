"""Two profiles turn out to be one person: nothing is lost, nothing is said twice."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from campaigns.merging import follow_merge
from campaigns.models import Decision, Journey
from campaigns.reasons import Ending, Entry
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
