"""A provider that misbehaves in a fifth of all calls, and workers that die at the worst moments: nobody gets a message
twice, and every message ends with its reason.

``CHAOS_MESSAGES`` says how many messages there are.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from messaging import deadlines, delivery, retry
from messaging.channels import email
from messaging.models import Message, Pace
from messaging.states import Status
from tests.factories import make_message, make_profile, make_version
from tests.fakes import FakeSendGrid, Mishap
from tests.messaging.services import sendgrid_provider
from tests.stack import ROOT, database_url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]
MESSAGES = int(os.environ.get("CHAOS_MESSAGES", "500"))
MISHAPS = (
    Mishap(status=429),
    Mishap(status=500),
    Mishap(seconds=0.8, takes=True),
    Mishap(seconds=0.8),
    Mishap(hang_up=True, takes=True),
    Mishap(hang_up=True),
    # What has said 202, however slowly, has taken it.
    Mishap(drips=0.05, takes=True),
)
FINE = Mishap(takes=True)


@pytest.mark.slow
def test_no_message_goes_out_twice_whatever_a_provider_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(email, "TIMEOUT", (1.0, 0.4))
    monkeypatch.setattr(deadlines, "MAX_SECONDS", 0.6)
    monkeypatch.setattr(deadlines, "LOOK_EVERY", 0.1)
    monkeypatch.setattr(retry, "FIRST", timedelta(milliseconds=1))
    chance = random.Random(7)
    with FakeSendGrid() as sendgrid:
        sendgrid_provider(sendgrid, is_default=True)
        sendgrid.mishaps.extend(chance.choice(MISHAPS) if chance.random() < 0.2 else FINE for _ in range(MESSAGES * 2))
        version = make_version()
        for number in range(MESSAGES):
            purpose = "transactional" if number % 50 == 0 else "marketing"
            make_message(make_profile(email=f"p{number}@example.com"), template_version=version, purpose=purpose)
        receipts = {str(one.public_id) for one in Message.objects.filter(purpose="transactional")}
        while Message.objects.filter(status__in=["queued", "sending"]).exists():
            delivery.deliver_due(float("inf"))
            # No rest, and no waiting for the next try: time is not what is tested.
            Pace.objects.update(next_at=timezone.now(), used=0)
            Message.objects.filter(status="queued").update(due_at=timezone.now())
        taken = Counter(sendgrid.message_ids())
    # A receipt in doubt is rather sent twice than never; marketing never.
    assert {public_id for public_id, times in taken.items() if times > 1} <= receipts
    rows = Message.objects.filter(purpose="marketing").values_list("public_id", "status", "reason")
    ended = Counter(status for _, status, _ in rows)
    print(f"\n{MESSAGES} messages: {dict(ended)}; {sum(taken.values())} taken, {len(sendgrid.calls)} calls")
    assert set(ended) <= {Status.SENT, Status.FAILED, Status.UNKNOWN}
    for public_id, status, reason in rows:
        if status == Status.SENT:
            assert taken[str(public_id)] == 1
        else:
            assert reason, public_id
    assert set(Message.objects.filter(purpose="transactional").values_list("status", flat=True)) == {Status.SENT}
    assert ended[Status.SENT] > MESSAGES * 0.8


# --- Killed at each named point --------------------------------------------------------------------------------------

KILLER = """
import os, signal, sys
sys.path.insert(0, {root!r})
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import django
django.setup()
from messaging import claims, delivery, sending, settling

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def after(function):
    def wrapped(*args, **kwargs):
        function(*args, **kwargs)
        die()
    return wrapped

{patch}
delivery.deliver_due(float("inf"))
"""
# The points of messaging/README.md, and where a worker dies at each.
POINTS = {
    "before the claim": "claims.claim = die",
    "after the claim": "claims.claim = after(claims.claim)",
    "after the note of the call": "claims.call = after(claims.call)",
    "after the provider's yes": "sending.hand_over = after(sending.hand_over)",
    "before the status is written": "settling.settle = die",
    "after the status is written": "delivery._settle = after(delivery._settle)",
}


@pytest.mark.parametrize("purpose", ["marketing", "transactional"])
@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_is_killed_leaves_what_the_readme_says(point: str, purpose: str) -> None:
    with FakeSendGrid() as sendgrid:
        sendgrid_provider(sendgrid, is_default=True)
        message = make_message(make_profile(email="ada@example.com"), purpose=purpose)
        script = KILLER.format(root=str(ROOT), patch=POINTS[point])
        killed = subprocess.run(
            [sys.executable, "-c", script], env={**os.environ, "DATABASE_URL": database_url()}, timeout=60, check=False
        )
        assert killed.returncode == -signal.SIGKILL
        # The lease ends, and somebody else goes on.
        Message.objects.filter(status="sending").update(lease_until=timezone.now() - timedelta(seconds=1))
        delivery.recover(timezone.now())
        delivery.deliver_due(float("inf"))
        message.refresh_from_db()
        taken = len(sendgrid.taken)
    is_told = point in ("before the claim", "after the claim", "after the status is written")
    called = point in ("after the provider's yes", "before the status is written")
    if is_told:
        assert (message.status, taken) == ("sent", 1)
    elif purpose == "marketing":
        assert (message.status, message.reason, taken) == ("unknown", "outcome_unknown", int(called))
    else:
        assert (message.status, taken) == ("sent", 1 + called)
