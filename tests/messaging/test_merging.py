"""People who become one keep their messages, and who left stays away."""

from __future__ import annotations

import pytest
from django.db import transaction

from events.merging import merge
from messaging import consent
from messaging.models import Unsubscription
from tests.factories import make_message, make_profile

pytestmark = pytest.mark.django_db


def test_messages_go_along() -> None:
    loser, winner = make_profile(), make_profile()
    message, other = make_message(loser), make_message(winner)
    with transaction.atomic():
        merge([(loser.pk, winner.pk)])
    message.refresh_from_db()
    other.refresh_from_db()
    assert message.profile_id == other.profile_id == winner.pk


@pytest.mark.parametrize("left", [("loser",), ("winner",), ("loser", "winner")])
def test_who_left_on_either_side_stays_away(left: tuple[str, ...]) -> None:
    people = {"loser": make_profile(), "winner": make_profile()}
    for name in left:
        consent.unsubscribe(people[name].pk, "page")
    with transaction.atomic():
        merge([(people["loser"].pk, people["winner"].pk)])
    assert Unsubscription.objects.get().profile_id == people["winner"].pk


def test_several_losers_of_one_winner() -> None:
    first, second, winner = make_profile(), make_profile(), make_profile()
    consent.unsubscribe(first.pk, "page")
    consent.unsubscribe(second.pk, "one_click")
    with transaction.atomic():
        merge([(first.pk, winner.pk), (second.pk, winner.pk)])
    left = Unsubscription.objects.get()
    assert (left.profile_id, left.method) == (winner.pk, "page")
