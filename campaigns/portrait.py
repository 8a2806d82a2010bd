"""What this room adds to the copy of a person's data: journeys, the steps of each, and why none began."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import F

from campaigns.models import Decision, Journey, Parked, PutOff, Visit, Waiting
from events.portrait import Section, rows

JOURNEY = ("id", "state", "trigger_name", "trigger_at", "entered_at", "ended_at", "ending", "converted_at", "is_test")
VISIT = ("number", "step_id", "entered_at", "left_at", "outcome", "detail")


def sections(sender: object, profile_id: int, **kwargs: Any) -> Iterator[Section]:
    journeys = Journey.objects.filter(profile=profile_id).order_by("pk")
    yield "journeys", rows(journeys, *JOURNEY, json=("trigger",), in_campaign=F("campaign__name"))
    visits = Visit.objects.filter(journey__profile=profile_id).order_by("journey_id", "number")
    yield "visits", rows(visits, *VISIT, of_journey=F("journey_id"), message_public_id=F("message__public_id"))
    decisions = Decision.objects.filter(profile=profile_id).order_by("pk")
    yield "decisions", rows(decisions, "entry", "created_at", in_campaign=F("campaign__name"))
    parked = Parked.objects.filter(profile=profile_id).order_by("pk")
    yield "parked_events", rows(parked, "name", "event_timestamp", "error", in_campaign=F("campaign__name"))
    waiting = Waiting.objects.filter(profile=profile_id).order_by("pk")
    yield "waiting_for_traits", rows(waiting, "event_timestamp", "until", in_campaign=F("campaign__name"))
    put_off = PutOff.objects.filter(profile=profile_id).order_by("pk")
    yield "waiting_for_quiet", rows(put_off, "name", "event_timestamp", "look_at", in_campaign=F("campaign__name"))
