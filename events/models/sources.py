"""Where data comes from, and the keys that open the doors."""

from __future__ import annotations

import hashlib
import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models

SHOWN_LETTERS = 9
KEY_PREFIXES = {"public": "pk_", "secret": "sk_", "token": "cb_"}


def hash_key(key: str) -> str:
    """Return the form in which a secret is stored. The keys are long and random, so a plain digest is enough."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def new_key(kind: str) -> str:
    """Make a random key whose prefix tells what it is."""
    return KEY_PREFIXES[kind] + secrets.token_urlsafe(24)


def every_scope() -> list[str]:
    return ["*"]


class Source(models.Model):
    """Something that sends data in: a web site, a server, another platform.

    What a *sandbox* source reports stays apart: its people get ids of their own (``sandbox:…``), reach no real provider
    and count in no figure. ``mapping`` says how a *webhook* source's JSON becomes calls (``events.mapping``);
    ``lock`` how its callers prove who they are; ``signing_secret`` is encrypted.
    """

    class Kind(models.TextChoices):
        TRACKING = "tracking", "Application (tracking API, client libraries)"
        WEBHOOK = "webhook", "Webhook (any JSON, mapped to calls)"
        SEGMENT = "segment", "Segment's Webhooks destination"

    class Lock(models.TextChoices):
        ADDRESS = "address", "The address is the secret"
        KEY = "key", "A key of this source"
        SIGNATURE = "signature", "A signature of the body"

    class Digest(models.TextChoices):
        SHA256 = "sha256", "HMAC-SHA256"
        SHA1 = "sha1", "HMAC-SHA1"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TRACKING, db_default=Kind.TRACKING)
    site_id = models.CharField(
        max_length=64, unique=True, help_text="The user name of Customer.io-style log-ins; no secret."
    )
    enabled = models.BooleanField(default=True, help_text="A disabled source is refused with 401.")
    slug = models.SlugField(
        max_length=60, unique=True, null=True, blank=True, help_text="The last part of a webhook's address."
    )
    mapping = models.JSONField(default=dict, db_default={}, blank=True)
    lock = models.CharField(max_length=10, choices=Lock, default=Lock.ADDRESS, db_default=Lock.ADDRESS)
    signature_header = models.CharField(max_length=100, default="X-Signature", db_default="X-Signature")
    signature_digest = models.CharField(max_length=10, choices=Digest, default=Digest.SHA256, db_default=Digest.SHA256)
    signing_secret = models.TextField(blank=True, default="", db_default="", editable=False)
    is_sandbox = models.BooleanField(
        default=False,
        db_default=False,
        verbose_name="sandbox",
        help_text="For trying things out: its people never reach a real provider and never count in figures.",
    )
    strict = models.BooleanField(
        default=False,
        db_default=False,
        verbose_name="strict answers",
        help_text="Answer pipelines calls that cannot be taken with an error, instead of 200 and a note here.",
    )
    dedupe_content = models.BooleanField(
        default=False,
        db_default=False,
        verbose_name="recognise repeated calls by content",
        help_text="For libraries that send no message id: the same event on one day (UTC) counts once.",
    )
    store_ip = models.BooleanField(default=True, db_default=True, verbose_name="keep IP addresses")
    store_user_agent = models.BooleanField(default=True, db_default=True, verbose_name="keep user agents")
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
    # Enough to tell one key from another, too little to guess it.
    beginning = models.CharField(max_length=12, blank=True, default="", db_default="", editable=False)
    # Public keys can be read by anyone who opens the page they sit in; only they are kept readable.
    public_value = models.CharField(max_length=100, blank=True, editable=False)
    allowed_origins = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="Web origins, such as https://shop.example, from which browsers may use a public key; none: all.",
    )
    rate_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="Events a second that this key may send; empty: no limit."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.label or f"{self.get_kind_display()} key"

    def set_key(self, key: str) -> None:
        """Remember ``key``: its digest, how it begins, and its text when it is public. Does not save."""
        self.key_hash = hash_key(key)
        self.beginning = key[: min(SHOWN_LETTERS, len(key) // 3)]
        self.public_value = key if self.kind == self.Kind.PUBLIC else ""


class ApiToken(models.Model):
    """A bearer token for the management API; ``scopes`` say what it may do, ``*`` everything."""

    label = models.CharField(max_length=100)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=every_scope, db_default=["*"])
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.label
