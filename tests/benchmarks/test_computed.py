"""What computed traits cost: following a batch of 500 events with 20 of them, and reckoning one for 100,000 people."""

from __future__ import annotations

import random
import statistics
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from events import log
from events.computed import building, following
from events.log import Entry
from events.models import ComputedTrait, Profile
from tests.campaigns.flow import statements

pytestmark = pytest.mark.django_db(transaction=True)
TRAITS, BATCH, PEOPLE, HISTORY, ROUNDS = 20, 500, 100_000, 10, 9
EVENT = "Product Viewed"
KINDS: list[dict[str, Any]] = [
    {"function": "count"},
    {"function": "sum", "properties": ["price"]},
    {"function": "last_values", "properties": ["sku", "price"]},
    {"function": "most_frequent", "properties": ["sku"], "within": "30d"},
    {"function": "count", "where": {"property": "price", "gt": 50}, "within": "7d"},
]
PEOPLE_MADE = "INSERT INTO events_profile (user_id) SELECT 'u' || n FROM generate_series(1, %s) AS n"
HISTORY_MADE = """
INSERT INTO events_event (id, timestamp, received_at, type, name, properties, context, profile_id)
SELECT nextval('events_event_id_seq'), at, at, 'track', %s,
       jsonb_build_object('sku', 'sku-' || floor(random() * 40), 'price', floor(random() * 100)), '{}', id
FROM events_profile, generate_series(1, %s) AS n,
     LATERAL (SELECT now() - n * random() * interval '2 days' AS at) AS moment
"""


def populate() -> None:
    with connection.cursor() as cursor:
        cursor.execute(PEOPLE_MADE, [PEOPLE])
        cursor.execute(HISTORY_MADE, [EVENT, HISTORY])
        cursor.execute("ANALYZE")


def follow() -> float:
    """Let a batch come in, and return what following it costs, in milliseconds."""
    people = random.sample(range(PEOPLE), BATCH)
    first = Profile.objects.order_by("pk").values_list("pk", flat=True)[0]
    now = timezone.now() - timedelta(seconds=1)
    log.append([Entry(first + n, EVENT, {"sku": "new", "price": n % 100}, now) for n in people])
    with transaction.atomic():
        claimed = log.claim_pending(BATCH)
        began = time.perf_counter()
        assert len(following.follow(claimed, timezone.now())) == TRAITS
        return 1000 * (time.perf_counter() - began)


def test_computed_traits(capsys: pytest.CaptureFixture[str]) -> None:
    populate()
    row = ComputedTrait.objects.create(name="t0", event=EVENT, **KINDS[2])
    began = time.perf_counter()
    while building.build_slice():
        pass
    built = time.perf_counter() - began
    row.refresh_from_db()
    assert row.values.count() == PEOPLE
    for number in range(1, TRAITS):
        ComputedTrait.objects.create(name=f"t{number}", event=EVENT, state="live", **KINDS[number % len(KINDS)])
    follow()
    cost = statistics.median(follow() for _ in range(ROUNDS))
    number = statements(follow)
    with capsys.disabled():
        print(
            f"\n{TRAITS} computed traits: a batch of {BATCH} events of {BATCH} people is followed in {cost:.0f} ms,"
            f" {number} statements with its claim; one is reckoned for {PEOPLE:,} people with {PEOPLE * HISTORY:,}"
            f" events in {built:.0f} s"
        )
