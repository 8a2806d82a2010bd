"""How long from an event's arrival to the mail in the mailbox, on an idle system, everything included.

Baseline of the same run: the tracking call alone, that is HTTP, parsing and the commit before the answer.
"""

from __future__ import annotations

import statistics
import time
import uuid

import pytest
import requests

from messaging.models import Message
from tests import stack
from tests.campaigns.flow import make_campaign, send
from tests.factories import make_key

pytestmark = pytest.mark.django_db(transaction=True)
TRIES = 50


def test_event_to_mailbox() -> None:
    make_campaign(send(), event="Signed Up")
    key = make_key()
    with stack.running() as running, requests.Session() as session:
        session.auth = (key, "")

        def call(path: str, **body: object) -> None:
            session.post(f"{running.base_url}/v1/{path}", json=body, timeout=10).raise_for_status()

        def answered() -> float:
            began = time.perf_counter()
            call("track", userId=str(uuid.uuid4()), event="Looked Around")
            return time.perf_counter() - began

        def mailed() -> float:
            user_id = str(uuid.uuid4())
            call("identify", userId=user_id, traits={"email": f"{user_id}@example.com"})
            time.sleep(0.1 + time.time() % 0.3)  # meet the beat at different moments
            began = time.perf_counter()
            call("track", userId=user_id, event="Signed Up")
            arrived = Message.objects.filter(profile__user_id=user_id, status="delivered")
            while not arrived.exists():
                assert time.perf_counter() - began < 20, running.log("worker")[-3000:]
                time.sleep(0.004)
            return time.perf_counter() - began

        mailed()
        calls = sorted(answered() for _ in range(TRIES))
        time.sleep(1)
        mails = sorted(mailed() for _ in range(TRIES))
    alone, mail, late = statistics.median(calls), statistics.median(mails), mails[int(TRIES * 0.95)]
    print(
        f"\nevent to mailbox, idle: p50 {mail * 1000:.0f} ms, p95 {late * 1000:.0f} ms, worst {mails[-1] * 1000:.0f} ms"
    )
    print(f"tracking call alone:    p50 {alone * 1000:.1f} ms; the whole way takes {mail / alone:.0f} times as long")
