"""What a person's page shows of this room: their last messages, and whether they may be written to."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from events.models import Profile
from events.panels import Content
from messaging import lists
from messaging.admin import whereabouts
from messaging.models import Message, Suppression, Unsubscription

SHOWN = 10


def messages_panel(profile: Profile, request: HttpRequest) -> Content | None:
    """Return the person's messages, newest first; None for users who may not see messages. Three statements."""
    if not request.user.has_perm("messaging.view_message"):
        return None
    newest = Message.objects.filter(profile=profile).defer("variables").order_by("-pk")[: SHOWN + 1]
    rows = [(message, whereabouts.tone(message.status), whereabouts.why(message)) for message in newest]
    context = {"rows": rows[:SHOWN], **_refusals(profile)}
    link = reverse("admin:messaging_message_changelist") + f"?profile__id__exact={profile.pk}"
    return Content("admin/messaging/profile_messages.html", context, link if len(rows) > SHOWN else "")


def refusal_badges(profile: Profile, request: HttpRequest) -> Content | None:
    """Return the words beside the person's name when nothing, or no marketing, may be sent. Two statements."""
    found = _refusals(profile)
    return Content("admin/messaging/profile_badges.html", found) if any(found.values()) else None


def _refusals(profile: Profile) -> dict[str, Any]:
    address = profile.email.strip()
    suppressions = Suppression.objects.filter(channel="email", address__in=lists.forms(address))
    return {
        "unsubscription": Unsubscription.objects.filter(pk=profile.pk).first(),
        "suppression": suppressions.first() if address else None,
    }
