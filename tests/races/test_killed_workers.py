"""Kill the worker again and again, flush the broker: every event is answered by exactly one mail."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from django.utils import timezone

from campaigns.models import Journey
from events.models import Pending
from messaging import credentials, outbox
from messaging.models import Message, Provider
from tests import stack
from tests.campaigns.flow import make_campaign, make_template, send
from tests.factories import make_key
from tests.fakes import FakeSendGrid

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race, pytest.mark.slow]
EVENTS, KILLS, FLUSHED_AFTER = 2_000, 10, (3, 7)
SECRET = "hook:secret"


def test_two_thousand_events_make_two_thousand_mails() -> None:
    with FakeSendGrid() as sendgrid:
        make_template()
        provider = Provider.objects.get()
        provider.kind, provider.settings = Provider.Kind.SENDGRID, {"api_url": sendgrid.url}
        credentials.store(provider, {"api_key": "SG.test"})
        provider.save()
        make_campaign(send(), event="Signed Up")
        with stack.running(WEBHOOK_SECRET=SECRET) as running:
            reporter = threading.Thread(target=_report_all, args=(running.base_url, make_key()))
            reporter.start()
            _kill_and_flush(running)
            reporter.join()
            _wait_until_idle()
            _let_leases_end(running)
            _post_webhooks(running.base_url, sendgrid)
            # What is in doubt now, the provider has never seen: an operator may send it.
            for message in Message.objects.filter(status="unknown"):
                outbox.requeue(message)
            _wait_until_idle()
            stack.wait_for(lambda: len(sendgrid.message_ids()) >= EVENTS, 60, "the last mails")
        received = Counter(sendgrid.message_ids())
        assert [message_id for message_id, times in received.items() if times > 1] == []
        assert len(received) == EVENTS
        assert {str(public_id) for public_id in Message.objects.values_list("public_id", flat=True)} == set(received)
        assert Journey.objects.filter(state="ended").count() == EVENTS


def _report_all(base_url: str, key: str) -> None:
    """Report every person once, from eight connections, through whatever happens."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: _report_one(base_url, key), range(EVENTS)))


def _report_one(base_url: str, key: str) -> None:
    user_id = str(uuid.uuid4())
    batch = [
        {"type": "identify", "userId": user_id, "traits": {"email": f"{user_id}@example.com", "name": "Ada"}},
        {"type": "track", "userId": user_id, "event": "Signed Up"},
    ]
    answer = requests.post(f"{base_url}/v1/batch", json={"batch": batch}, auth=(key, ""), timeout=30)
    assert answer.status_code == 200, answer.text


def _kill_and_flush(running: stack.Stack) -> None:
    for number in range(1, KILLS + 1):
        seen = Message.objects.count()
        stack.wait_for(lambda seen=seen: Message.objects.count() > seen or _is_idle(), 60, "the worker to work")
        time.sleep(0.3)
        running.kill("worker")
        if number in FLUSHED_AFTER:
            running.redis.flushall()
        running.start("worker")


def _is_idle() -> bool:
    return not (
        Pending.objects.exists()
        or Journey.objects.exclude(state="ended").exists()
        or Message.objects.filter(status="queued").exists()
    )


def _wait_until_idle() -> None:
    stack.wait_for(_is_idle, 180, "the workers to finish")


def _let_leases_end(running: stack.Stack) -> None:
    """Pass the time that a dead worker's leases have left, while nobody alive holds one."""
    running.kill("worker")
    Message.objects.filter(status="sending").update(lease_until=timezone.now() - timedelta(seconds=1))
    running.start("worker")
    stack.wait_for(lambda: not Message.objects.filter(status="sending").exists(), 60, "the recovery")
    _wait_until_idle()


def _post_webhooks(base_url: str, sendgrid: FakeSendGrid) -> None:
    """Report each accepted mail as delivered, as the provider would."""
    user, password = SECRET.split(":")
    address = f"{base_url}/webhooks/anymail/sendgrid/tracking/"
    reports = sendgrid.reports("delivered")
    for start in range(0, len(reports), 500):
        answer = requests.post(address, json=reports[start : start + 500], auth=(user, password), timeout=60)
        assert answer.status_code == 200, answer.text
