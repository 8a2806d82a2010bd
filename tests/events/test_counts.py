from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from events import counts
from events.log import ClaimedEvent
from events.models import EventCount, EventCountChange

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def claimed(name: str, minute: int = 0, event_type: str = "track", is_test: bool = False) -> ClaimedEvent:
    at = NOON + timedelta(minutes=minute)
    return ClaimedEvent(1, at, at, 1, None, event_type, name, {}, is_test)


def test_events_are_counted_by_hour_and_name() -> None:
    counts.record([claimed("A"), claimed("A", 59), claimed("B"), claimed("A", 60)])
    assert counts.per_hour(None, NOON) == [(NOON, "A", 2), (NOON, "B", 1), (NOON + timedelta(hours=1), "A", 1)]


def test_calls_other_than_track_count_by_their_kind() -> None:
    counts.record([claimed("Pricing", event_type="page"), claimed("", event_type="identify")])
    assert counts.per_hour(None, NOON) == [(NOON, "[identify]", 1), (NOON, "[page]", 1)]


def test_test_people_do_not_count() -> None:
    counts.record([claimed("A", is_test=True)])
    assert counts.per_hour(None, NOON) == []


def test_folding_changes_no_figure() -> None:
    counts.record([claimed("A"), claimed("B")])
    assert counts.fold() == 2
    counts.record([claimed("A", 5)])
    before = counts.per_hour(None, NOON)
    assert before == [(NOON, "A", 2), (NOON, "B", 1)]
    assert counts.fold() == 1
    assert counts.per_hour(None, NOON) == before
    assert not EventCountChange.objects.exists()
    assert EventCount.objects.get(name="A").count == 2
    assert counts.fold() == 0


def test_figures_can_be_asked_for_by_name_and_from_an_hour_on() -> None:
    counts.record([claimed("A", -60), claimed("A"), claimed("B")])
    assert counts.per_hour(["A"], NOON + timedelta(minutes=30)) == [(NOON, "A", 1)]
    assert counts.per_hour([], NOON) == []
