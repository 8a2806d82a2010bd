"""Who people are and what they did: the tables every other room reads.

``Event`` is append-only and partitioned by month of ``timestamp``; a unique index on a partitioned table has to hold
the partition key, so exact de-duplication lives in the narrow ``AcceptedMessage``. Everything a request stores is
written in one transaction by ``events.ingest``.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex, OpClass
from django.db import models
from django.db.models.functions import Lower, Now

KEY_PREFIXES = {"public": "pk_", "secret": "sk_", "token": "cb_"}


def hash_key(key: str) -> str:
    """Return the form in which a secret is stored. The keys are long and random, so a plain digest is enough."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_key(kind: str) -> str:
    """Make a random key whose prefix tells what it is."""
    return KEY_PREFIXES[kind] + secrets.token_urlsafe(24)


class Source(models.Model):
    """Something that sends data in: a web site, a server, another platform."""

    name = models.CharField(max_length=100, unique=True)
    site_id = models.CharField(
        max_length=64, unique=True, help_text="The user name of Customer.io-style log-ins; no secret."
    )
    enabled = models.BooleanField(default=True, help_text="A disabled source is refused with 401.")
    created_at = models.DateTimeField(auto_now_add=True)
    last_event_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class SourceKey(models.Model):
    """A key of a source: *public* may sit in a web page and only write, *secret* stays on servers."""

    class Kind(models.TextChoices):
        PUBLIC = "public", "Public (browsers and apps, write only)"
        SECRET = "secret", "Secret (servers)"

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="keys")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.PUBLIC)
    label = models.CharField(max_length=100, blank=True)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    # Public keys can be read by anyone who opens the page they sit in; only they are kept readable.
    public_value = models.CharField(max_length=100, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.label or f"{self.get_kind_display()} key"

    def set_key(self, key: str) -> None:
        """Remember ``key``: its digest, and its text when it is public. Does not save."""
        self.key_hash = hash_key(key)
        self.public_value = key if self.kind == self.Kind.PUBLIC else ""


class ApiToken(models.Model):
    """A bearer token for the management API."""

    label = models.CharField(max_length=100)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.label


class Profile(models.Model):
    """One person. In Liquid: ``customer``.

    ``traits`` holds everything the application said; the columns beside it are copies that queries and sending need.
    A profile without ``user_id`` is a visitor that no application has named yet.
    """

    user_id = models.TextField(null=True, blank=True, unique=True)
    traits = models.JSONField(default=dict, blank=True, db_default={})
    email = models.TextField(blank=True, db_default="", default="")
    phone = models.TextField(blank=True, db_default="", default="")
    time_zone = models.TextField(blank=True, db_default="", default="", help_text="IANA name, such as Europe/Vienna.")
    language = models.TextField(blank=True, db_default="", default="")
    is_test = models.BooleanField(
        default=False,
        db_default=False,
        verbose_name="test person",
        help_text="Kept out of every figure, and their waits can be skipped.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        indexes: ClassVar = [
            # Pattern indexes serve equality and "begins with", which is what the search box asks; no extension needed.
            models.Index(OpClass(Lower("email"), "text_pattern_ops"), name="profile_email_search"),
            models.Index(OpClass(Lower("user_id"), "text_pattern_ops"), name="profile_user_search"),
        ]

    def __str__(self) -> str:
        return self.user_id or self.email or f"Visitor {self.pk}"


class Identity(models.Model):
    """One id a profile is known by. Several identities lead to one profile, never one to several."""

    class Kind(models.TextChoices):
        USER = "user", "User id"
        ANONYMOUS = "anonymous", "Anonymous id"

    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="identities")
    kind = models.CharField(max_length=10, choices=Kind)
    value = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "identities"
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "value"], name="identity_unique")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value}"


class InboundRequest(models.Model):
    """A call of the tracking API as it came in and was answered, for the debugger. Kept for days, not for ever.

    Every refused call is kept; of the accepted ones a bounded number a second, so that storing them never costs
    more than the events themselves.
    """

    source = models.ForeignKey(Source, null=True, blank=True, on_delete=models.CASCADE)
    received_at = models.DateTimeField(db_default=Now())
    method = models.CharField(max_length=8)
    path = models.TextField()
    client = models.TextField(blank=True, help_text="User agent.")
    body = models.TextField(blank=True, help_text="As received, keys masked, cut at 32 kB.")
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField(default=dict)
    accepted = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)

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
            BrinIndex(fields=["received_at"], name="event_received", pages_per_range=32),
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
