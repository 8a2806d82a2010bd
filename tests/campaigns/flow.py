"""Short hands for tests that take people through campaigns."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.text import slugify

from campaigns import enrollment, preflight, publishing, runner
from campaigns.models import Campaign
from events.models import Profile
from messaging.models import Provider, Template
from tests.factories import make_event

WINDOW = {"id": "hours", "kind": "window", "days": [0, 1, 2, 3, 4], "start": "09:00", "end": "17:00"}


def make_template(name: str = "Hello", **fields: Any) -> Template:
    """Make a template that the default provider, the mailbox, sends."""
    Provider.objects.get_or_create(name="Mailbox", defaults={"is_default": True, "from_email": "hello@example.com"})
    defaults = {"subject": "Hello {{ customer.name }}", "html": "<a href='{{ unsubscribe_url }}'>Unsubscribe</a>"}
    return Template.objects.get_or_create(name=name, defaults={**defaults, **fields})[0]


def send(step_id: str = "mail") -> dict[str, Any]:
    return {"id": step_id, "kind": "send", "name": "Say hello", "template": make_template().pk}


def delay(seconds: int = 3600, step_id: str = "wait") -> dict[str, Any]:
    return {"id": step_id, "kind": "delay", "name": "Wait", "seconds": seconds}


def make_campaign(*steps: dict[str, Any], event: str = "Signed Up", name: str = "", **definition: Any) -> Campaign:
    """Make and publish a campaign; without steps it sends one message at once."""
    name = name or f"Campaign {Campaign.objects.count() + 1}"
    draft = {"trigger": {"event": event}, "steps": list(steps) or [send()], **definition}
    campaign = Campaign.objects.create(name=name, slug=slugify(name), draft=draft)
    publishing.publish(campaign, None, "For the test.")
    return campaign


def acknowledged(campaign: Campaign) -> list[str]:
    """Return what an author ticks who publishes in spite of every warning."""
    return [warning.key for warning in preflight.warnings(campaign)]


def happens(profile: Profile, name: str = "Signed Up", properties: dict[str, Any] | None = None, **columns: Any) -> int:
    """Let the person do something that campaigns have not looked at yet. Returns the event's id."""
    columns.setdefault("received_at", timezone.now())
    return make_event(profile, name, properties, pending=True, **columns).pk


def settle() -> None:
    """Evaluate all that is pending and move all that is due, as workers would."""
    enrollment.enroll_pending(time.monotonic() + 30)
    runner.run_due(time.monotonic() + 30)


def statements(work: Callable[[], object]) -> int:
    """Count the SQL statements of ``work``."""
    with CaptureQueriesContext(connection) as context:
        work()
    return len(context)
