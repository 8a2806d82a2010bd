"""The first steps of a new installation, from connecting a source to the first delivered message."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from campaigns.admin import links
from campaigns.models import Campaign
from events.models import Event, SourceKey
from messaging.models import Message, Provider, Template
from messaging.states import Status

DELIVERED = (Status.DELIVERED, Status.OPENED, Status.CLICKED)


@dataclass(frozen=True, slots=True)
class Step:
    """One line: what to do, whether it is done, and the page where it is done."""

    done: bool
    title: str
    text: str
    url: str


def checklist() -> list[Step]:
    """Return the steps, or nothing once all are done. Each asks only whether a single row exists."""
    provider_ready = Q(check_ok=True) | Q(kind=Provider.Kind.MAILBOX)
    steps = [
        Step(
            SourceKey.objects.filter(revoked_at=None, source__enabled=True).exists(),
            "Connect a source",
            "Say where your data comes from, and get a key.",
            links.to("events_source_changelist"),
        ),
        Step(
            Event.objects.filter(source__isnull=False).exists(),
            "Receive a first event",
            "Copy a few lines of code from the source’s page and run them.",
            links.to("events_event_changelist"),
        ),
        Step(
            Provider.objects.filter(provider_ready, enabled=True, is_default=True).exists(),
            "Choose what carries your mail",
            "The built-in mailbox will do for trying out; a real provider needs its connection checked.",
            links.to("messaging_provider_changelist"),
        ),
        Step(
            Template.objects.exists(),
            "Write a template",
            "Subject and text of a mail, with the person’s name in it.",
            links.to("messaging_template_changelist"),
        ),
        Step(
            Campaign.objects.filter(status=Campaign.Status.LIVE).exists(),
            "Publish a campaign",
            "Say which event starts it, and what it sends and when.",
            links.to("campaigns_campaign_changelist"),
        ),
        Step(
            Message.objects.filter(status__in=DELIVERED).exists(),
            "See a first message delivered",
            "Do yourself what starts the campaign, and watch the message go.",
            links.to("messaging_message_changelist"),
        ),
    ]
    return [] if all(step.done for step in steps) else steps
