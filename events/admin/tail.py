"""The newest of what came in, events and refused calls in one list: what the live page shows.

Only the newest ids are looked at, so that no filter, however rare its matches, reads the whole log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Max, Q, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest

from events.models import Event, InboundRequest, Pending, Profile, Source
from events.searching import found_by
from events.templatetags.console import headline

LINES = 60
EVENTS_LOOKED_AT = 20_000
REQUESTS_LOOKED_AT = 20_000
PEOPLE_MATCHED = 50
# Looking through payloads reads every one of them.
PAYLOADS_LOOKED_AT = 2_000

TEXTS = ("name", "person", "payload")
OUTCOMES = {"": "Everything", "accepted": "Accepted", "refused": "Refused, wholly or in part"}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the reader wants to see."""

    source: int | None = None
    name: str = ""
    person: str = ""
    outcome: str = ""
    payload: str = ""

    @classmethod
    def of(cls, request: HttpRequest) -> Filters:
        source = request.GET.get("source", "")
        outcome = request.GET.get("outcome", "")
        texts = {key: request.GET.get(key, "").replace("\x00", "").strip() for key in TEXTS}
        number = int(source) if source.isascii() and source.isdigit() and len(source) < 19 else None
        return cls(source=number, outcome=outcome if outcome in OUTCOMES else "", **texts)

    @property
    def any(self) -> bool:
        return self != Filters()


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the list. ``event_id`` or ``request_id`` says what it is; ``state`` is what became of it."""

    received_at: datetime
    title: str
    kind: str
    source: Source | None
    event_id: int | None = None
    request_id: int | None = None
    person: Profile | None = None
    state: str = ""
    tone: str = "muted"

    @property
    def key(self) -> str:
        return f"e{self.event_id}" if self.event_id else f"r{self.request_id}"


def tail(filters: Filters) -> list[Line]:
    """Return the newest lines. A handful of statements, each bounded by ids."""
    lines = [] if filters.outcome == "refused" else _events(filters)
    if filters.outcome != "accepted":
        lines += _refused(filters)
    return sorted(lines, key=lambda line: line.received_at, reverse=True)[:LINES]


def signature(lines: Iterable[Line]) -> str:
    """Return a short text that changes whenever the list does."""
    return hashlib.sha256("|".join(f"{line.key}{line.state}" for line in lines).encode()).hexdigest()[:16]


def state_of(pending: Pending | None) -> tuple[str, str]:
    """Say in a word, with a badge's tone, whether campaigns have looked at an event."""
    if pending is None:
        return "Evaluated", "muted"
    return ("Parked", "bad") if pending.parked_at else ("Waiting", "warn")


def _events(filters: Filters) -> list[Line]:
    newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
    looked_at = PAYLOADS_LOOKED_AT if filters.payload else EVENTS_LOOKED_AT
    found = Event.objects.filter(pk__gt=newest - looked_at).select_related("source", "profile")
    if filters.source is not None:
        found = found.filter(source=filters.source)
    if filters.name:
        found = found.filter(name__istartswith=filters.name)
    if filters.person:
        people = found_by(Profile.objects.all(), filters.person).values_list("pk", flat=True)[:PEOPLE_MATCHED]
        found = found.filter(profile__in=list(people))
    if filters.payload:
        found = found.alias(text=Cast("properties", TextField())).filter(text__icontains=filters.payload)
    return _with_state([_event_line(event) for event in found.order_by("-pk")[:LINES]])


def _event_line(event: Event) -> Line:
    return Line(event.received_at, headline(event), event.type, event.source, event.pk, None, event.profile)


def _with_state(lines: list[Line]) -> list[Line]:
    waiting = Pending.objects.in_bulk([line.event_id for line in lines if line.event_id])
    states = ((line, state_of(waiting.get(line.event_id or 0))) for line in lines)
    return [replace(line, state=state, tone=tone) for line, (state, tone) in states]


def _refused(filters: Filters) -> list[Line]:
    newest = InboundRequest.objects.aggregate(newest=Max("pk"))["newest"] or 0
    # What was not stored has neither name nor person: both are looked for in the body.
    in_body = [text for text in (_begins(filters.name), filters.person, filters.payload) if text]
    looked_at = PAYLOADS_LOOKED_AT if in_body else REQUESTS_LOOKED_AT
    found = InboundRequest.objects.filter(pk__gt=newest - looked_at).select_related("source")
    found = found.filter(~Q(status=200) | Q(rejected__gt=0) | Q(throttled__gt=0)).defer("body")
    if filters.source is not None:
        found = found.filter(source=filters.source)
    for text in in_body:
        found = found.filter(body__icontains=text)
    return [_request_line(request) for request in found.order_by("-pk")[:LINES]]


def _begins(name: str) -> str:
    """Return how a text that begins like this looks in JSON."""
    return json.dumps(name, ensure_ascii=False)[:-1] if name else ""


def _request_line(request: InboundRequest) -> Line:
    state, tone = f"Refused {request.status}", "bad"
    if request.status in (200, 207):
        state = f"{request.rejected} refused"
        if not request.rejected:
            state, tone = f"{request.throttled} throttled", "muted"
    title = f"{request.method} {request.path}"
    return Line(request.received_at, title, "call", request.source, None, request.pk, None, state, tone)
