"""Everything that is kept about a person, as one JSON document, for whoever asks for a copy of their data.

The rooms on the left add their sections through ``signals.profiles_exported``. Rows are read and written one by one, so
that a long history needs no memory; JSON goes through as the database holds it, every digit kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from django.db.models import F, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from events import signals
from events.models import AuditEntry, Device, Event, Identity, Membership, Pending, Profile

Row = dict[str, object]
Section = tuple[str, Iterable[Row]]
CHUNK = 500


def export(profile: Profile) -> Iterator[bytes]:
    """Yield the pieces of the document."""
    known = {**_one(profile), "exported_at": timezone.now()}
    yield msgspec.json.encode(known)[:-1]
    for name, rows in _sections(profile):
        yield b",\n" + msgspec.json.encode(name) + b":["
        between = b"\n"
        for row in rows:
            yield between + msgspec.json.encode(row)
            between = b",\n"
        yield b"]"
    yield b"}\n"


def rows(queryset: QuerySet[Any], *columns: str, json: tuple[str, ...] = (), **renamed: F) -> Iterator[Row]:
    """Yield rows as JSON objects: ``columns`` as they are, ``json`` to the digit, ``renamed`` from elsewhere."""
    raw = {f"raw_{name}": Cast(name, TextField()) for name in json}
    for row in queryset.values(*columns, **raw, **renamed).iterator(CHUNK):
        yield {
            name.removeprefix("raw_") if name in raw else name: msgspec.Raw(value) if name in raw else value
            for name, value in row.items()
        }


def _one(profile: Profile) -> Row:
    columns = ("user_id", "email", "phone", "time_zone", "language", "created_at", "updated_at", "last_seen_at")
    flags = ("is_test", "is_sandbox")
    return next(rows(Profile.objects.filter(pk=profile.pk), *columns, *flags, json=("traits",)))


def _sections(profile: Profile) -> Iterator[Section]:
    mine = {"profile": profile}
    yield "ids", rows(Identity.objects.filter(**mine).order_by("pk"), "kind", "value", "created_at")
    devices = Device.objects.filter(**mine).order_by("pk")
    yield "devices", rows(devices, "device_id", "platform", "last_used_at", "created_at", json=("attributes",))
    groups = Membership.objects.filter(**mine).order_by("pk")
    yield "groups", rows(groups, "created_at", json=("traits",), group_type=F("group__type"), group_key=F("group__key"))
    events = Event.objects.filter(**mine).order_by("timestamp", "id")
    columns = ("type", "name", "timestamp", "received_at", "message_id")
    json = ("properties", "context", "extra")
    yield "events", rows(events, *columns, json=json, from_source=F("source__name"))
    pending = Pending.objects.filter(**mine).order_by("pk")
    yield "not_yet_looked_at", rows(pending, "name", "event_timestamp", "parked_at", "error")
    acts = AuditEntry.objects.filter(profile_id=profile.pk).order_by("pk")
    yield "acts_on_this_data", rows(acts, "at", "action")
    found: Sequence[tuple[object, Any]] = signals.profiles_exported.send(sender=export, profile_id=profile.pk)
    for _, sections in found:
        yield from sections
