from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from events import counts, partitions, retention, tasks
from events.models import AcceptedMessage, EventCount, EventCountChange, InboundRequest
from tests.factories import make_source

pytestmark = pytest.mark.django_db


def remember(message_id: str, days: float) -> None:
    AcceptedMessage.objects.create(
        source=make_source(), message_id=message_id, received_at=timezone.now() - timedelta(days=days)
    )


def keep_request(path: str, days: float) -> None:
    InboundRequest.objects.create(
        method="POST", path=path, status=200, received_at=timezone.now() - timedelta(days=days)
    )


def test_message_ids_are_kept_for_35_days_and_calls_for_a_week() -> None:
    for days in (0, 34.9, 35.1, 400):
        remember(f"{days} days", days)
    for days in (8, 7.1, 6.9, 0):
        keep_request(f"{days} days", days)
    tasks.forget()
    assert {row.message_id for row in AcceptedMessage.objects.all()} == {"0 days", "34.9 days"}
    assert {row.path for row in InboundRequest.objects.all()} == {"6.9 days", "0 days"}


def test_forgetting_goes_on_in_chunks_until_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "CHUNK", 2)
    for number in range(7):
        remember(str(number), 50 + number)
        keep_request(str(number), 50 - number)
    retention.forget(timezone.now(), time.monotonic() - 1)
    assert (AcceptedMessage.objects.count(), InboundRequest.objects.count()) == (5, 5)
    retention.forget(timezone.now(), time.monotonic() + 60)
    assert (AcceptedMessage.objects.count(), InboundRequest.objects.count()) == (0, 0)


def test_folding_goes_on_until_all_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "FOLD_LIMIT", 2)
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    EventCountChange.objects.bulk_create(EventCountChange(hour=hour, name="A", count=n) for n in range(5))
    tasks.fold_counts()
    assert not EventCountChange.objects.exists()
    assert EventCount.objects.get().count == 10


def test_partitions_stand_ready_for_the_months_to_come() -> None:
    tasks.make_partitions()
    assert partitions.ensure(timezone.now().date(), back=1, ahead=2) == []
