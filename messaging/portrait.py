"""What this room adds to the copy of a person's data: messages, what became of them, and consent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import F

from events.portrait import Section, rows
from messaging.models import Consent, DeliveryEvent, Message, Subscription, TrackingRefusal, Unsubscription

MESSAGE = ("public_id", "channel", "purpose", "status", "reason", "address", "subject", "created_at", "sent_at")
DELIVERY = ("type", "timestamp", "received_at", "reason", "description", "mta_response", "url", "user_agent")


def sections(sender: object, profile_id: int, **kwargs: Any) -> Iterator[Section]:
    messages = Message.objects.filter(profile=profile_id).order_by("pk")
    body = {"html": F("body__html"), "text": F("body__text"), "template": F("template_version__template__name")}
    yield "messages", rows(messages, *MESSAGE, json=("variables", "labels"), **body)
    deliveries = DeliveryEvent.objects.filter(message__profile=profile_id).order_by("message_id", "timestamp")
    yield "deliveries", rows(deliveries, *DELIVERY, json=("raw",), message_public_id=F("message__public_id"))
    left = Unsubscription.objects.filter(profile=profile_id)
    yield "unsubscriptions", rows(left, "method", "created_at")
    given = Consent.objects.filter(profile=profile_id).order_by("pk")
    yield "consents", rows(given, "channel", "basis", "source", "detail", "given_at", "expires_at")
    refusal = TrackingRefusal.objects.filter(profile=profile_id)
    yield "tracking_refusals", rows(refusal, "source", "created_at")
    said = Subscription.objects.filter(profile=profile_id).order_by("pk")
    yield "subscriptions", rows(said, "channel", "state", "source", "basis", "at", topic_slug=F("topic__slug"))
