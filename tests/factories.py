"""Rows for tests, made with what matters to the test and sensible values for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import Any

from django.utils import timezone

from events import plan
from events.models import Event, EventDefinition, Identity, Pending, Profile, Source, SourceKey, new_key
from messaging import versions
from messaging.models import Message, MessageBody, Provider, Purpose, Template, TemplateVersion, Topic
from messaging.states import Status

_numbers = count(1)


def make_source(name: str = "", *, enabled: bool = True) -> Source:
    number = next(_numbers)
    return Source.objects.create(name=name or f"Source {number}", site_id=f"site-{number}", enabled=enabled)


def make_key(source: Source | None = None, kind: str = SourceKey.Kind.SECRET) -> str:
    """Give a source (a new one unless named) a write key and return it as a client would send it."""
    key = new_key(kind)
    row = SourceKey(source=source or make_source(), kind=kind)
    row.set_key(key)
    row.save()
    return key


def make_profile(
    user_id: str | None = "",
    *,
    anonymous_ids: tuple[str, ...] = (),
    traits: Mapping[str, Any] | None = None,
    **columns: Any,
) -> Profile:
    """Make a person with the identities that lead to them. ``user_id=None`` makes a visitor nobody has named."""
    if user_id == "":
        user_id = f"user-{next(_numbers)}"
    traits = dict(traits or {})
    columns.setdefault("email", traits.get("email", ""))
    profile = Profile.objects.create(user_id=user_id, traits=traits, **columns)
    ids = [(Identity.Kind.ANONYMOUS, value) for value in anonymous_ids]
    if user_id is not None:
        ids.append((Identity.Kind.USER, user_id))
    Identity.objects.bulk_create(Identity(profile=profile, kind=kind, value=value) for kind, value in ids)
    return profile


def make_event(
    profile: Profile,
    name: str = "Order Completed",
    properties: Mapping[str, Any] | None = None,
    *,
    timestamp: datetime | None = None,
    pending: bool = False,
    **columns: Any,
) -> Event:
    """Put an event into the log, and before the campaigns when it is to be ``pending``."""
    columns.setdefault("type", Event.Type.TRACK)
    event = Event.objects.create(
        profile=profile,
        name=name,
        properties=dict(properties or {}),
        timestamp=timestamp or timezone.now(),
        **columns,
    )
    if pending:
        Pending.objects.create(event_id=event.pk, event_timestamp=event.timestamp, profile=profile, name=event.name)
    return event


def planned(name: str, **columns: Any) -> EventDefinition:
    """Plan an event, from now on."""
    definition, _ = EventDefinition.objects.update_or_create(name=name, defaults=columns)
    plan.memory.until = 0.0
    return definition


def make_provider(name: str = "", kind: str = Provider.Kind.MAILBOX, **columns: Any) -> Provider:
    columns.setdefault("from_email", "Acme <hello@acme.example>")
    return Provider.objects.create(name=name or f"Provider {next(_numbers)}", kind=kind, **columns)


def make_template(name: str = "", **columns: Any) -> Template:
    columns.setdefault("subject", "Hello {{ customer.first_name }}")
    columns.setdefault("html", "<p>Hello {{ customer.first_name }}</p>")
    return Template.objects.create(name=name or f"Template {next(_numbers)}", **columns)


def make_topic(slug: str = "newsletter", **columns: Any) -> Topic:
    return Topic.objects.create(**{"slug": slug, "name": slug.capitalize(), **columns})


def make_version(template: Template | None = None) -> TemplateVersion:
    return versions.freeze(template or make_template())


def make_message(
    profile: Profile | None = None, status: str = Status.QUEUED, *, html: str = "", **columns: Any
) -> Message:
    """Put a message into the outbox; ``html`` gives it a body, as if it had been rendered."""
    profile = profile or make_profile(traits={"email": "ada@example.com"})
    if "template_version" not in columns:
        columns["template_version"] = make_version()
    columns.setdefault("key", f"message-{next(_numbers)}")
    columns.setdefault("purpose", Purpose.MARKETING)
    message = Message.objects.create(profile=profile, status=status, **columns)
    if html:
        MessageBody.objects.create(message=message, from_email="hello@acme.example", html=html, text="In text")
    return message
