"""10,000 messages that are due at once, with a template of 2 kB, and provider webhooks in posts of 1,000 events.

Everything is real but the mail service, a process beside that answers each call after some milliseconds: 5 as one
nearby does, 150 as one across an ocean. Rendering, status writes, bodies and the news of each message (``Email Sent``)
are within the figures; the rate is from the commit of the outbox to the last mail accepted, processor time goes on
until nothing is left to do. Baseline of the same run: the same calls by ``requests`` from 32 threads, and nothing else.

By environment: ``BENCH_MESSAGES``, and that of ``engine``.
"""

from __future__ import annotations

import base64
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from events.models import Pending, Profile
from messaging import outbox
from messaging.models import DeliveryEvent, Message, Template
from messaging.outbox import Draft
from messaging.versions import freeze
from tests import stack
from tests.benchmarks import engine
from tests.benchmarks.engine import Engine

MESSAGES = int(os.environ.get("BENCH_MESSAGES", "10000"))
THREADS = 32
SECRET = "hook:secret"
PARAGRAPH = "<p>Hello {{ customer.name | default: 'there' }}, the {{ trigger.plan | upcase }} plan is still yours.</p>"
_own = threading.local()


@pytest.fixture(params=[5, 150], ids=lambda milliseconds: f"{milliseconds} ms")
def measured(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[tuple[Engine, int]]:
    with django_db_blocker.unblock(), engine.started(request.param) as started:
        yield started, request.param


def prepare() -> int:
    """Make people and a template of 2 kB; return the version's id."""
    Profile.objects.bulk_create(
        Profile(user_id=f"user-{n}", email=f"user-{n}@example.com", traits={"name": f"Ada {n}"})
        for n in range(MESSAGES)
    )
    template = Template.objects.get()
    html = PARAGRAPH * 3 + '<p><a href="https://acme.example/{{ customer.user_id }}">Look</a></p>'
    template.html = html + "<p>Some words that stay as they are. </p>" * ((2048 - len(html)) // 40)
    template.save()
    return freeze(template).pk


def queue(version_id: int) -> None:
    ids = list(Profile.objects.order_by("pk").values_list("pk", flat=True))
    now = timezone.now()
    with transaction.atomic():
        for start in range(0, len(ids), 1000):
            outbox.queue(
                [
                    Draft(
                        key=str(uuid.uuid4()),
                        profile_id=pk,
                        template_version_id=version_id,
                        purpose="marketing",
                        provider_id=None,
                        variables={"trigger": {"plan": "pro"}},
                        is_test=False,
                        due_at=now,
                    )
                    for pk in ids[start : start + 1000]
                ]
            )


def test_messages(measured: tuple[Engine, int]) -> None:
    engine_, milliseconds = measured
    version_id = prepare()
    with engine_.running() as running:
        for name in ("warming up", f"{milliseconds} ms"):
            queue(version_id)
            engine_.taker.accepted()
            before, began = engine_.cpu_seconds(running), time.monotonic()
            accepted = wait_for(engine_)
            wait_until_idle()
            spent = engine.told(before, engine_.cpu_seconds(running), MESSAGES)
            rate = MESSAGES / (accepted[-1] - began)
            print(f"\n{name}: {rate:,.0f} messages/s; {spent}")
        assert not Message.objects.exclude(status="sent").exists()
    bare_rate = bare(engine_)
    print(f"bare calls: {bare_rate:,.0f} a second; ours {rate / bare_rate:.2f} of that")


def wait_for(engine_: Engine) -> list[float]:
    accepted: list[float] = []

    def all_there() -> bool:
        time.sleep(0.2)
        accepted.extend(engine_.taker.accepted())
        return len(accepted) >= MESSAGES

    stack.wait_for(all_there, 600, f"{MESSAGES} mails")
    return accepted


def wait_until_idle() -> None:
    def idle() -> bool:
        time.sleep(0.3)
        return not (Pending.objects.exists() or Message.objects.filter(status__in=["queued", "sending"]).exists())

    stack.wait_for(idle, 120, "everything to be done")


def bare(engine_: Engine) -> float:
    body = {"personalizations": [{"to": [{"email": "ada@example.com"}]}], "content": [{"value": "x" * 3000}]}
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: hand_over(engine_.taker.url, body), range(MESSAGES)))
    return MESSAGES / (time.monotonic() - began)


def hand_over(url: str, body: object) -> None:
    session = _own.__dict__.setdefault("session", requests.Session())
    session.trust_env = False
    assert session.post(f"{url}mail/send", json=body, timeout=30).status_code == 202


def test_webhooks(django_db_blocker: DjangoDbBlocker) -> None:
    with django_db_blocker.unblock(), engine.started() as engine_:
        version_id = prepare()
        queue(version_id)
        Message.objects.update(status="sent", sent_at=timezone.now(), address="a@example.com")
        ids = [str(public_id) for public_id in Message.objects.values_list("public_id", flat=True)]
        os.environ["WEBHOOK_SECRET"] = SECRET
        try:
            with engine_.running("web") as running:
                headers = {"Authorization": "Basic " + base64.b64encode(SECRET.encode()).decode()}
                address = f"{running.base_url}/webhooks/anymail/sendgrid/tracking/"
                for event in ("delivered", "open", "click"):
                    posts = [_post(ids[start : start + 1000], event) for start in range(0, len(ids), 1000)]
                    before, began = engine_.cpu_seconds(running), time.monotonic()
                    with ThreadPoolExecutor(2) as pool:
                        answers = list(pool.map(lambda body: requests.post(address, body, headers=headers), posts))
                    seconds = time.monotonic() - began
                    assert {answer.status_code for answer in answers} == {200}
                    wait_until_idle()
                    spent = engine.told(before, engine_.cpu_seconds(running), len(ids))
                    print(f"\n{event}: {len(ids) / seconds:,.0f} events/s; {spent}")
                assert DeliveryEvent.objects.count() == 3 * len(ids)
        finally:
            del os.environ["WEBHOOK_SECRET"]


def _post(ids: list[str], event: str) -> bytes:
    def said(public_id: str) -> dict[str, Any]:
        more = {"url": "https://acme.example/x"} if event == "click" else {}
        key = uuid.uuid4().hex
        return {
            "event": event,
            "email": "a@example.com",
            "timestamp": int(time.time()),
            "message_id": public_id,
            "sg_event_id": key,
            "useragent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0",
            **more,
        }

    return json.dumps([said(public_id) for public_id in ids]).encode()
