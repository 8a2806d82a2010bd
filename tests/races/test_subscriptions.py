"""People say things of topics while they are merged, and while others say the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from events.audit import Actor
from events.merging import merge_people
from events.models import Event
from messaging import subscriptions
from messaging.models import Subscription, Topic
from messaging.policy import TopicState
from messaging.subscriptions import Said
from tests.factories import make_profile, make_topic
from tests.races.test_ingest import deadlocks
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
ROUNDS = 30


def saying(people: list[int], topic: Topic, state: str) -> Callable[[], int]:
    return lambda: subscriptions.note(Said(pk, topic.pk, state, "page") for pk in people)


def test_the_same_said_at_once_is_told_once() -> None:
    people, topic, before = [make_profile().pk for _ in range(20)], make_topic(), deadlocks()
    backwards = people[::-1]
    new = at_once([saying(people, topic, "unsubscribed"), saying(backwards, topic, "unsubscribed")] * 4)
    assert sum(new) == len(people) == Subscription.objects.count()
    assert Event.objects.filter(name="Topic Unsubscribed").count() == len(people)
    assert deadlocks() == before


def test_who_leaves_while_being_merged_has_left() -> None:
    """Whoever comes first: the loser's word goes along, or there is nobody left whom it could be about."""
    topic, before = make_topic(), deadlocks()
    for _ in range(ROUNDS):
        loser, winner = make_profile(), make_profile()
        subscriptions.subscribe([loser.pk, winner.pk], topic, "page")

        def join(pair: tuple[int, int] = (loser.pk, winner.pk)) -> int:
            merge_people(*pair, Actor("admin"))
            return 0

        noted, _ = at_once([saying([loser.pk], topic, "unsubscribed"), join])
        asked = (winner.pk, topic.pk, "email")
        expected = TopicState.LEFT if noted else TopicState.OPEN
        assert subscriptions.states([asked])[asked] is expected
        assert not Subscription.objects.filter(profile=loser.pk).exists()
    assert deadlocks() == before
