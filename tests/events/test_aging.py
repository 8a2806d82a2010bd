"""Events go when they are of age: by name, by month, in portions, and what comes late as well."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from events import aging, partitions
from events.models import Event, EventDefinition, KeepFor
from tests.factories import make_event, make_profile, planned

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
FAR = 1e12


def happened(days: float, name: str = "A", **columns: Any) -> Event:
    at = NOW - timedelta(days=days)
    return make_event(make_profile(), name, timestamp=at, **{"received_at": at, **columns})


def left() -> set[tuple[str, int]]:
    rows = Event.objects.values_list("name", "timestamp")
    return {(name, (NOW - at).days) for name, at in rows}


def test_without_an_age_nothing_goes() -> None:
    happened(5000)
    assert aging.sweep(NOW, None, FAR) == 0
    assert left() == {("A", 5000)} and not KeepFor.objects.exists()


def test_each_name_goes_at_its_own_age_and_all_others_at_the_usual_one() -> None:
    planned("Long", retention_days=400)
    planned("Short", retention_days=3)
    planned("[identify]", retention_days=10)
    for name in ("Long", "Short", "Other"):
        for days in (500, 100, 20, 4, 1):
            happened(days, name)
    happened(20, "", type=Event.Type.IDENTIFY)
    happened(4, "", type=Event.Type.IDENTIFY)
    deleted = aging.sweep(NOW, 30, FAR)
    assert deleted == 1 + 4 + 2 + 1
    assert left() == {
        *(("Long", days) for days in (100, 20, 4, 1)),
        ("Short", 1),
        *(("Other", days) for days in (20, 4, 1)),
        ("", 4),
    }
    assert aging.sweep(NOW, 30, FAR) == 0


def test_an_age_of_a_name_counts_without_a_usual_one() -> None:
    planned("Short", retention_days=3)
    happened(5, "Short")
    happened(5, "Other")
    assert aging.sweep(NOW, None, FAR) == 1
    assert left() == {("Other", 5)}


def test_a_second_run_finds_what_came_of_age_and_what_came_in_late() -> None:
    happened(29.5)
    aging.sweep(NOW, 30, FAR)
    happened(200, "Late", received_at=NOW + timedelta(hours=2))
    assert aging.sweep(NOW + timedelta(days=1), 30, FAR) == 2
    assert left() == set()


def test_where_the_age_grows_or_shrinks_nothing_goes_too_early_and_nothing_stays() -> None:
    happened(10)
    aging.sweep(NOW, 5, FAR)
    assert left() == set()
    happened(10, received_at=NOW)
    assert aging.sweep(NOW + timedelta(hours=1), 20, FAR) == 0
    assert left() == {("A", 10)}
    assert aging.sweep(NOW + timedelta(hours=3), 5, FAR) == 1


def test_a_name_that_loses_its_own_age_goes_at_the_usual_one() -> None:
    definition = planned("Long", retention_days=400)
    happened(100, "Long")
    aging.sweep(NOW, 30, FAR)
    assert left() == {("Long", 100)}
    EventDefinition.objects.filter(pk=definition.pk).update(retention_days=None)
    assert aging.sweep(NOW, None, FAR) == 0
    assert aging.sweep(NOW, 30, FAR) == 1


def test_a_run_stops_in_time_and_the_next_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aging, "CHUNK", 3)
    for number in range(10):
        happened(40 + number / 100)
    portions = []
    while count := aging.sweep(NOW, 30, time.monotonic() + 0.001):
        portions.append(count)
        assert len(portions) < 20
    aging.sweep(NOW, 30, FAR)
    assert left() == set()


def test_months_that_are_of_age_are_dropped_whole_but_not_where_a_name_is_kept_longer() -> None:
    partitions.ensure(datetime(2025, 3, 1, tzinfo=UTC).date(), back=1, ahead=1)
    for month in (2, 3, 4):
        make_event(make_profile(), "A", timestamp=datetime(2025, month, 5, tzinfo=UTC))
    now = datetime(2025, 5, 20, tzinfo=UTC)
    keeper = planned("Kept", retention_days=4000)
    aging.sweep(now, 40, FAR)
    assert "events_event_2025_02" in partitions.months(), "somebody may want events of it"
    assert Event.objects.count() == 0
    EventDefinition.objects.filter(pk=keeper.pk).delete()
    make_event(make_profile(), "A", timestamp=datetime(2025, 2, 6, tzinfo=UTC))
    assert aging.sweep(now, 40, FAR) == 0, "dropped, not deleted"
    assert {"events_event_2025_02", "events_event_2025_03"}.isdisjoint(partitions.months())
    assert "events_event_2025_04" in partitions.months()
    make_event(make_profile(), "A", timestamp=datetime(2025, 2, 7, tzinfo=UTC))
    assert Event.objects.count() == 1, "what comes later goes where strays go"


@pytest.mark.django_db(transaction=True)
def test_a_month_that_somebody_reads_is_dropped_another_time() -> None:
    partitions.ensure(datetime(2024, 3, 1, tzinfo=UTC).date(), back=0, ahead=0)
    with transaction.atomic():
        list(Event.objects.filter(timestamp__year=2024, timestamp__month=3))
        found: list[list[str]] = []

        def drop() -> None:
            try:
                found.append(aging.drop_months(datetime(2024, 6, 1, tzinfo=UTC)))
            finally:
                connection.close()

        thread = Thread(target=drop)
        thread.start()
        thread.join(20)
        assert found == [[]]
    assert aging.drop_months(datetime(2024, 6, 1, tzinfo=UTC)) == ["events_event_2024_03"]


def test_a_sweep_reads_by_block_and_not_the_whole_log() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO events_event (timestamp, received_at, type, name, properties, context, profile_id)"
            " SELECT %s - n * interval '1 minute', %s - n * interval '1 minute', 'track', 'A', '{}', '{}', 1"
            " FROM generate_series(200000, 1, -1) AS n",
            [timezone.now(), timezone.now()],
        )
        cursor.execute(
            "SELECT brin_summarize_new_values(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indrelid"
            " JOIN pg_class i ON i.oid = indexrelid JOIN pg_am a ON a.oid = i.relam"
            " WHERE c.relname LIKE 'events_event%%' AND a.amname = 'brin' AND i.relkind = 'i'"
        )
        cursor.execute("ANALYZE events_event")
        end = timezone.now() - timedelta(days=100)
        cursor.execute(
            "EXPLAIN (FORMAT TEXT) " + aging.DELETE.format(which=aging.OTHERS, late=""),
            {"start": end - aging.DAY, "end": end, "names": [], "limit": 5000},
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Bitmap Index Scan" in plan, plan
