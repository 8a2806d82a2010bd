"""What a person's page shows of this room: their last messages, and whether they may be written to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from events.models import Profile
from events.panels import Content
from messaging import diagnosis, lists
from messaging.admin import whereabouts
from messaging.models import DeliveryEvent, Message, Suppression, Unsubscription
from messaging.states import Status

SHOWN = 10


def messages_panel(profile: Profile, request: HttpRequest) -> Content | None:
    """Return the person's messages, newest first; None for users who may not see messages. Four statements."""
    if not request.user.has_perm("messaging.view_message"):
        return None
    newest = Message.objects.filter(profile=profile).defer("variables").order_by("-pk")[: SHOWN + 1]
    shown = list(newest)
    bounces = _bounces(shown)
    rows = [
        (message, whereabouts.tone(message.status), bounces.get(message.pk) or whereabouts.why(message))
        for message in shown
    ]
    context = {"rows": rows[:SHOWN], **_refusals(profile)}
    link = reverse("admin:messaging_message_changelist") + f"?profile__id__exact={profile.pk}"
    return Content("admin/messaging/profile_messages.html", context, link if len(rows) > SHOWN else "")


def refusal_badges(profile: Profile, request: HttpRequest) -> Content | None:
    """Return the words beside the person's name when nothing, or no marketing, may be sent. Two statements."""
    found = _refusals(profile)
    return Content("admin/messaging/profile_badges.html", found) if any(found.values()) else None


def _bounces(messages: Sequence[Message]) -> dict[int, str]:
    """Return in plain words why messages came back, by message. One statement, none where none did."""
    back = [message.pk for message in messages if message.status in (Status.BOUNCED, Status.REJECTED)]
    if not back:
        return {}
    reports = DeliveryEvent.objects.filter(message__in=back, type__in=["bounced", "rejected", "failed"]).order_by("pk")
    found = {}
    for report in reports:
        response = f"{report.mta_response} {report.description}".strip()
        what = diagnosis.of(response, report.reason)
        words = what.words if what else ""
        found[report.message_id] = f"{words} {response[:200]}".strip()
    return found


def _refusals(profile: Profile) -> dict[str, Any]:
    address = profile.email.strip()
    suppressions = Suppression.objects.filter(channel="email", address__in=lists.forms(address))
    return {
        "unsubscription": Unsubscription.objects.filter(pk=profile.pk).first(),
        "suppression": suppressions.first() if address else None,
    }
