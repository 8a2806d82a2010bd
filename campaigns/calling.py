"""The calls that steps make: rows, made outside any transaction, again and again until one is answered or time is over.

A claimed call is due again when its lease ends, so that a worker that is killed loses none: a receiver may hear the
same call twice, with the same ``webhook-id``. Calls are signed as Standard Webhooks has it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from campaigns import outgoing, texts
from campaigns.engine import steps
from campaigns.models import Call, Campaign, Journey
from events import nudges, present, raw_json
from events.models import Profile
from messaging import retry
from messaging.channels import webhook

BATCH = 16
LEASE = timedelta(minutes=2)
# What may be otherwise at the next try.
PASSING = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that a visit is to make; ``answers`` are those of earlier calls of the journey, by step."""

    journey: Journey
    visit: int
    step: steps.Call
    answers: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """What came of a try: over, with or without success, or due again at ``again_at``."""

    succeeded: bool
    detail: str
    answer: Any = None
    again_at: datetime | None = None


def make(wanted: Sequence[Wanted], now: datetime) -> None:
    """Note the calls in the transaction that moves the journeys. Three statements at most."""
    if not wanted:
        return
    people = Profile.objects.in_bulk({one.journey.profile_id for one in wanted})
    campaigns = Campaign.objects.only("name").in_bulk({one.journey.campaign_id for one in wanted})
    calls = [_call(one, people[one.journey.profile_id], campaigns[one.journey.campaign_id], now) for one in wanted]
    Call.objects.bulk_create(calls, ignore_conflicts=True)
    nudges.nudge("calls")


def _call(one: Wanted, profile: Profile, campaign: Campaign, now: datetime) -> Call:
    """Return the row. One whose texts cannot be filled in is over at its first try, which calls nobody."""
    step = one.step
    call = Call(
        journey=one.journey,
        visit=one.visit,
        step_id=step.id,
        method=step.method,
        due_at=now,
        until=now + timedelta(seconds=step.seconds),
    )
    given = texts.all_variables(one.journey, campaign, profile, one.answers)
    try:
        filled = texts.fill({"url": step.url, "body": step.body, "headers": dict(step.headers)}, given)
    except texts.CannotFill as error:
        call.detail = str(error)
        return call
    call.url, call.body = texts.said(filled.get("url", "")), texts.said(filled.get("body", ""))
    call.headers = {name: texts.said(value) for name, value in filled["headers"].items()}
    return call


def answers(journey_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return by journey what its calls were answered, by step, the last at each. One statement at most."""
    found: dict[int, dict[str, Any]] = {}
    if journey_ids:
        rows = Call.objects.filter(journey__in=journey_ids, succeeded=True).order_by("visit")
        for journey_id, step_id, answer in rows.values_list("journey_id", "step_id", "answer"):
            found.setdefault(journey_id, {})[step_id] = answer
    return found


def run_due(deadline: float) -> int:
    """Make due calls until none is left or ``time.monotonic()`` passes ``deadline``. Returns how many tries."""
    done = 0
    with ThreadPoolExecutor(BATCH) as pool:
        while time.monotonic() < deadline and (calls := _claim(present.now())):
            for call, settled in zip(calls, pool.map(attempt, calls), strict=True):
                _settle(call, settled)
            done += len(calls)
    return done


def settle_all(answers: Mapping[str, Any]) -> int:
    """Let every call be over without making it, in a world that is not the real one; return how many that were.

    ``answers`` are what they bring back, by step.
    """
    calls = list(Call.objects.filter(finished_at=None).order_by("pk"))
    for call in calls:
        wrong = call.detail and not call.url
        said = call.detail if wrong else "Not called: only tried out"
        _settle(call, Settled(not wrong, said, None if wrong else answers.get(call.step_id)))
    return len(calls)


CLAIM = """
UPDATE campaigns_call SET due_at = %(lease)s, attempts = attempts + 1
WHERE id = ANY(ARRAY(SELECT id FROM campaigns_call WHERE finished_at IS NULL AND due_at <= %(now)s
                     ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED))
RETURNING id
"""


def _claim(now: datetime) -> list[Call]:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, {"lease": now + LEASE, "now": now, "limit": BATCH})
        ids = [pk for (pk,) in cursor.fetchall()]
    return list(Call.objects.filter(pk__in=ids).select_related("journey").order_by("pk"))


def attempt(call: Call) -> Settled:
    """Call once and say what comes of it. Touches no database: the caller holds no transaction."""
    if call.detail and not call.url:
        return Settled(False, call.detail)
    journey = call.journey
    if journey.state == Journey.State.ENDED or journey.visit_number != call.visit:
        return Settled(False, "The journey had gone on")
    body = call.body.encode()
    try:
        reply = outgoing.call(call.method, call.url, {**call.headers, **_own_headers(call, body)}, body)
    except outgoing.Refused as error:
        return Settled(False, str(error))
    except (OSError, HTTPException) as error:
        return _again(call, f"No answer: {error or type(error).__name__}")
    said = f"{reply.status} {reply.reason}".replace("\0", "").strip()
    if 200 <= reply.status < 300:
        return Settled(True, said, _read(reply.body))
    if reply.status >= 500 or reply.status in PASSING:
        return _again(call, said)
    return Settled(False, f"{said}; redirects are not followed" if reply.status < 400 else said)


def _again(call: Call, detail: str) -> Settled:
    at = present.now() + retry.wait(call.attempts, random.random())
    return Settled(False, detail, again_at=at if at < call.until else None)


def _read(body: bytes) -> Any:
    """Return an answer as JSON where it can be stored as such, else as text."""
    text = raw_json.storable(body)
    with suppress(ValueError, RecursionError):
        if raw_json.flaw(b"[%b]" % text) is None:
            return json.loads(text, parse_constant=str)
    return text.decode().replace("\0", "")


def _own_headers(call: Call, body: bytes) -> dict[str, str]:
    """Return the signature, and what kind of body it is where the step says nothing of that."""
    own = signature(f"call_{call.journey_id}_{call.visit}", body)
    if body and "content-type" not in {name.lower() for name in call.headers}:
        own["Content-Type"] = "application/json" if body.lstrip()[:1] in (b"{", b"[") else "text/plain; charset=utf-8"
    return own


def signature(call_id: str, body: bytes) -> dict[str, str]:
    """Return the headers that say what was sent, when and by whom, as Standard Webhooks has it."""
    return {**webhook.signed(_key(), call_id, int(time.time()), body), "User-Agent": "Cuebird"}


def _key() -> bytes:
    return hashlib.sha256(f"campaigns.calling:{settings.SECRET_KEY}".encode()).digest()


def signing_secret() -> str:
    """Return what receivers check signatures with. It follows from SECRET_KEY."""
    return f"whsec_{base64.b64encode(_key()).decode()}"


@transaction.atomic
def _settle(call: Call, settled: Settled) -> None:
    """Write what came of a try; one that is over wakes its journey. The journey is held first, as by whoever erases."""
    now = present.now()
    if settled.again_at is None:
        waiting = Journey.objects.filter(pk=call.journey_id, visit_number=call.visit, state=Journey.State.WAITING)
        if waiting.update(due_at=now):
            nudges.nudge("journeys")
    Call.objects.filter(pk=call.pk, finished_at=None).update(
        succeeded=settled.succeeded if settled.again_at is None else None,
        detail=settled.detail,
        answer=settled.answer,
        finished_at=None if settled.again_at else now,
        due_at=settled.again_at or now,
    )
