"""Segments with real processes: what is reported, or time alone, moves people, and a mail lies in the mailbox."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from django.utils import timezone

from campaigns.models import Journey
from events.models import Event, Pending, Segment, SegmentMember, SegmentTurn
from events.segments.changes import ENTERED, LEFT
from messaging.models import Message
from tests import stack
from tests.campaigns.flow import make_campaign
from tests.factories import make_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
MINUTE = timedelta(minutes=1)
# What is nearly a minute old when it is reported comes of age while the test waits.
SOON = timedelta(seconds=5)
# Far more than a worker that is alive needs.
PATIENCE = 30
KILLS, CROWD = 4, 40


@pytest.fixture
def running() -> Iterator[stack.Stack]:
    with stack.running() as processes:
        yield processes


def make_segment(slug: str, condition: dict[str, Any]) -> Segment:
    return Segment.objects.create(slug=slug, name=slug.title(), condition=condition)


def mails_on(name: str, segment: Segment) -> None:
    """Publish a campaign that sends a mail each time somebody enters or leaves the segment."""
    where = {"property": "segment", "is": segment.slug}
    make_campaign(event=name, trigger={"event": name, "where": where}, reentry={"rule": "always"})


def report(running: stack.Stack, key: str, user_id: str, name: str, at: datetime | None = None) -> None:
    batch: list[dict[str, Any]] = [
        {"type": "identify", "userId": user_id, "traits": {"email": f"{user_id}@example.com", "name": user_id}},
        {"type": "track", "userId": user_id, "event": name, **({"timestamp": at.isoformat()} if at else {})},
    ]
    answer = requests.post(f"{running.base_url}/v1/batch", json={"batch": batch}, auth=(key, ""), timeout=30)
    assert answer.status_code == 200, answer.text


def told(name: str, segment: Segment) -> Counter[str]:
    """Return how often the log says of each person that they entered or left."""
    found = Event.objects.filter(name=name, properties__segment=segment.slug)
    return Counter(found.values_list("profile__user_id", flat=True))


def mailed() -> Counter[str]:
    """Return how many mails lie in the mailbox for each person."""
    return Counter(Message.objects.filter(status__in=("sent", "delivered")).values_list("profile__user_id", flat=True))


def is_quiet(*under_way: str) -> bool:
    """Say whether all that is due is worked off, mails that are queued, or ``under_way``, as well."""
    return not (
        Pending.objects.exists()
        or SegmentTurn.objects.filter(look_at__lte=timezone.now()).exists()
        or Journey.objects.exclude(state="ended").exists()
        or Message.objects.filter(status__in=("queued", *under_way)).exists()
    )


def test_an_event_lets_somebody_in_and_a_mail_follows(running: stack.Stack) -> None:
    segment = make_segment("buyers", {"event": "Order Completed", "count": {"gte": 2}})
    mails_on(ENTERED, segment)
    key = make_key()
    report(running, key, "ada", "Order Completed")
    stack.wait_for(lambda: is_quiet("sending"), PATIENCE, "the first order")
    assert not SegmentMember.objects.exists() and not mailed(), "one order is not two"
    report(running, key, "ada", "Order Completed")
    began = time.monotonic()
    stack.wait_for(lambda: SegmentMember.objects.filter(segment=segment).exists(), PATIENCE, "the entry")
    entered = time.monotonic() - began
    stack.wait_for(mailed, PATIENCE, "the mail")
    print(f"\nin the segment after {entered:.2f} s, mail after {time.monotonic() - began:.2f} s")
    report(running, key, "ada", "Order Completed")
    stack.wait_for(lambda: is_quiet("sending"), PATIENCE, "the third order")
    assert told(ENTERED, segment) == mailed() == Counter(ada=1), "who is in it does not enter"


def test_time_alone_lets_somebody_in_and_out(running: stack.Stack) -> None:
    away = make_segment("away", {"event": "Signed In", "last": {"before": "-1m"}})
    lately = make_segment("lately", {"event": "Signed In", "within": "1m"})
    mails_on(ENTERED, away)
    mails_on(LEFT, lately)
    # A machine that is busy with others still has to see that it is less than a minute old.
    at = timezone.now() - MINUTE + 3 * SOON
    report(running, make_key(), "ada", "Signed In", at)
    stack.wait_for(lambda: SegmentMember.objects.filter(segment=lately).exists(), PATIENCE, "the entry")
    assert not SegmentMember.objects.filter(segment=away).exists(), "the minute is not over"
    stack.wait_for(lambda: told(ENTERED, away) and told(LEFT, lately), PATIENCE, "the minute to be over")
    moved = Event.objects.filter(name__in=(ENTERED, LEFT)).exclude(name=ENTERED, properties__segment="lately")
    late = [(event.timestamp - at - MINUTE).total_seconds() for event in moved]
    assert min(late) >= 0, "nobody is moved before their time"
    stack.wait_for(lambda: mailed()["ada"] == 2, PATIENCE, "both mails")
    stack.wait_for(lambda: is_quiet("sending"), PATIENCE, "the rest")
    print(f"\nmoved by time alone {max(late):.2f} s after the instant")
    assert told(ENTERED, away) == told(LEFT, lately) == Counter(ada=1)
    assert mailed() == Counter(ada=2)
    assert not SegmentMember.objects.filter(segment=lately).exists()


@pytest.mark.race
def test_killed_workers_tell_of_each_move_once(running: stack.Stack) -> None:
    buyers = make_segment("buyers", {"event": "Order Completed"})
    away = make_segment("away", {"event": "Order Completed", "last": {"before": "-1m"}})
    mails_on(ENTERED, buyers)
    mails_on(ENTERED, away)
    key = make_key()
    people = {f"u{number}" for number in range(CROWD)}
    for number, user_id in enumerate(sorted(people)):
        # They come of age one after the other while workers die.
        report(running, key, user_id, "Order Completed", timezone.now() - MINUTE + SOON * number / 20)
        if number % (CROWD // KILLS) == CROWD // KILLS - 1:
            running.kill("worker")
            running.start("worker")
    stack.wait_for(lambda: told(ENTERED, away).keys() == people, 2 * PATIENCE, "all to come of age")
    stack.wait_for(is_quiet, 2 * PATIENCE, "the workers to finish")
    assert told(ENTERED, buyers) == told(ENTERED, away) == Counter(people)
    # What was being handed to the mailbox when its worker died waits for its lease to end, and is never made twice.
    made = Counter(Message.objects.values_list("profile__user_id", flat=True))
    assert made == Counter(dict.fromkeys(people, 2))
    stack.wait_for(lambda: 2 in mailed().values(), PATIENCE, "the first mails")
    assert max(mailed().values()) == 2
