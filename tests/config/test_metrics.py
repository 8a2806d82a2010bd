"""What Prometheus reads, and who may ask."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from campaigns import latency
from campaigns.enrollment import enroll_batch
from campaigns.models import Journey
from events.models import Pending, Profile
from messaging.models import Message
from tests.campaigns.flow import happens, make_campaign, make_template, send, settle
from tests.factories import make_event, make_message, make_profile

pytestmark = pytest.mark.django_db


def scrape(**headers: str) -> dict[str, float]:
    answer = Client().get("/metrics", headers=headers)
    assert answer.status_code == 200
    lines = [line for line in answer.content.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_what_waits_is_counted_with_its_age() -> None:
    event = make_event(make_profile("ada"), pending=True)
    parked = make_event(make_profile("bob"), pending=True)
    Pending.objects.filter(pk=parked.pk).update(parked_at=timezone.now() - timedelta(hours=1))
    make_message(due_at=timezone.now() - timedelta(minutes=5))
    figures = scrape()
    assert figures['cuebird_up{part="database"}'] == 1
    assert figures['cuebird_waiting{what="pending_events"}'] == 1
    assert figures['cuebird_waiting{what="parked_events"}'] == 1
    assert figures['cuebird_oldest_seconds{what="parked_events"}'] == pytest.approx(3600, abs=5)
    assert figures['cuebird_oldest_seconds{what="overdue_messages"}'] == pytest.approx(300, abs=5)
    assert figures["cuebird_events_stored_total"] >= event.pk


def test_how_long_events_and_messages_waited_is_measured() -> None:
    make_template()
    make_campaign(send(), event="Signed Up")
    now = timezone.now()
    event = make_event(make_profile("ada"), "Signed Up", pending=True)
    type(event).objects.filter(pk=event.pk).update(received_at=now - timedelta(seconds=2))
    enroll_batch(10)
    message = make_message(attempts=1)
    Message.objects.filter(pk=message.pk).update(due_at=now, created_at=now, sent_at=now + timedelta(seconds=3))
    later = now + timedelta(seconds=4)
    assert latency.sending(later) == latency.Latency((3.0, 3.0, 3.0), 1)
    assert latency.sending(later + latency.WINDOW).count == 0
    figures = scrape()
    assert figures['cuebird_latency_seconds{quantile="0.95",stage="send"}'] == 3


def test_an_event_that_waits_for_traits_has_been_evaluated_at_once() -> None:
    trigger = {"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}}
    make_campaign(trigger=trigger)
    ada = make_profile("ada")
    happens(ada)
    settle()
    assert latency.evaluation(timezone.now()).count == 1
    with time_machine.travel(timezone.now() + timedelta(minutes=20)):
        Profile.objects.update(traits={"plan": "pro"})
        happens(ada, "", type="identify")
        settle()
        Journey.objects.get()
        assert latency.evaluation(timezone.now()).seconds[-1] < 10


def test_without_a_token_only_this_machine_may_ask(client: Client) -> None:
    assert client.get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 403
    assert client.get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 403


def test_a_token_opens_from_anywhere(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "let-me-in"
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 403
    right = {"Authorization": "Bearer let-me-in"}
    assert client.get("/metrics", headers=right, REMOTE_ADDR="10.0.0.9").status_code == 200
