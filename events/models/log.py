"""The event log and what stands beside it: calls as they came in, message ids, what is pending, hourly counts."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from events.models.people import Profile
from events.models.sources import Source


class InboundRequest(models.Model):
    """A call of the tracking API as it came in and was answered, for the debugger. Kept for days, not for ever.

    Every refused call is kept; of the accepted ones a bounded number a second, so that storing them never costs
    more than the events themselves.
    """

    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.CASCADE)
    received_at = models.DateTimeField(db_default=Now())
    method = models.CharField(max_length=8)
    path = models.TextField()
    headers = models.JSONField(default=dict, db_default={}, help_text="Secrets masked.")
    client = models.TextField(blank=True, help_text="User agent.")
    body = models.TextField(blank=True, help_text="As received, keys masked, cut at 32 kB.")
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField(default=dict)
    accepted = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    throttled = models.PositiveIntegerField(default=0, db_default=0, help_text="Left out by the tracking plan.")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["-id"], name="request_refused", condition=~models.Q(status=200))]

    def __str__(self) -> str:
        return f"{self.method} {self.path} → {self.status}"


class Event(models.Model):
    """One thing that happened. Append-only; the table is partitioned by month of ``timestamp``.

    In the database the primary key is ``(id, timestamp)``; ``id`` alone comes from one sequence and is unique.
    ``properties`` holds an identify's or group's traits as well, as the type says; ``extra`` what else the call said.
    """

    class Type(models.TextChoices):
        TRACK = "track"
        IDENTIFY = "identify"
        PAGE = "page"
        SCREEN = "screen"
        GROUP = "group"
        ALIAS = "alias"

    id = models.BigAutoField(primary_key=True)
    timestamp = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    profile = models.ForeignKey(
        Profile, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="events"
    )
    source = models.ForeignKey(
        Source, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="events"
    )
    request = models.ForeignKey(
        InboundRequest, null=True, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False
    )
    type = models.CharField(max_length=10, choices=Type)
    name = models.TextField(db_default="", default="")
    properties = models.JSONField(default=dict)
    context = models.JSONField(default=dict)
    extra = models.JSONField(default=dict, db_default={})
    message_id = models.TextField(db_default="", default="")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["profile", "name", "-timestamp"], name="event_profile_name_time"),
            models.Index(fields=["profile", "-timestamp", "-id"], name="event_profile_time"),
            # For questions about everybody: all they need is in it, so the log itself is left alone. They say that they
            # mean it by asking for ids above 0; others, about one person, would go through all events of a name where
            # statistics are not aware of it yet.
            models.Index(
                fields=["name", "timestamp"],
                include=["profile", "received_at", "type"],
                condition=models.Q(id__gt=0),
                name="event_name_time",
            ),
            BrinIndex(fields=["received_at"], name="event_received", pages_per_range=32),
            # For what is deleted by age; costs a writer next to nothing.
            BrinIndex(fields=["timestamp"], name="event_happened", pages_per_range=32),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.name}"


class AcceptedMessage(models.Model):
    """The ids already stored, kept at least 30 days: what makes a repeated call harmless."""

    pk = models.CompositePrimaryKey("source_id", "message_id")
    source = models.ForeignKey(Source, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    message_id = models.TextField()
    received_at = models.DateTimeField(db_default=Now(), db_index=True)

    def __str__(self) -> str:
        return self.message_id


class Pending(models.Model):
    """An event that no campaign has looked at yet.

    Claimed with SKIP LOCKED and deleted in the transaction that acts on it, so that each event is evaluated exactly
    once. A row whose evaluation fails on its own is parked with the error and waits for a person.
    """

    event_id = models.BigIntegerField(primary_key=True)
    event_timestamp = models.DateTimeField()
    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    name = models.TextField(db_default="", default="")
    parked_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(db_default="", default="", blank=True)

    class Meta:
        verbose_name = "pending event"
        indexes: ClassVar = [
            models.Index(fields=["event_id"], name="pending_ready", condition=models.Q(parked_at=None)),
            models.Index(fields=["event_id"], name="pending_parked", condition=~models.Q(parked_at=None)),
            models.Index(fields=["profile"], name="pending_profile"),
        ]

    def __str__(self) -> str:
        return f"{self.name} #{self.event_id}"


class EventCount(models.Model):
    """How many events of a name came in during an hour: the pulse, read without touching the log."""

    hour = models.DateTimeField()
    name = models.TextField()
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["hour", "name"], name="event_count_key")]

    def __str__(self) -> str:
        return f"{self.name} {self.count}"


class EventCountChange(models.Model):
    """A change of an hourly count, appended where the events are claimed and folded by the beat."""

    hour = models.DateTimeField()
    name = models.TextField()
    count = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.name} {self.count:+d}"
