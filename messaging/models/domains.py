"""What mailbox providers see of a sender: domains with their records, figures by carrier, and what is held for them."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class SendingDomain(models.Model):
    """A domain that mails are sent from, and what its DNS said when it was last looked at.

    ``findings`` is a list of ``messaging.dns_rules.Finding`` as JSON. ``keys`` maps a selector to the fingerprint of
    its DKIM key and since when that has been there. ``failures``: how many looks in a row it has failed.
    """

    name = models.CharField(max_length=253, unique=True)
    selectors = ArrayField(
        models.CharField(max_length=63),
        default=list,
        blank=True,
        help_text="Names of the DKIM keys your provider signs with, such as s1, s2; it shows them where it asks for "
        "DNS records. Empty: the usual ones are tried.",
    )
    return_path = models.CharField(
        max_length=253,
        blank=True,
        default="",
        help_text="The domain that bounces go to, such as bounces.mail.example.com. Empty: as the provider has it.",
    )
    findings = models.JSONField(default=list, blank=True, editable=False)
    keys = models.JSONField(default=dict, blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    passed_at = models.DateTimeField(null=True, editable=False, help_text="When it last had nothing that fails.")
    checked_at = models.DateTimeField(null=True, editable=False)
    check_at = models.DateTimeField(db_default=Now(), editable=False, help_text="When it is looked at next.")
    lease_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        indexes: ClassVar = [models.Index(fields=["check_at"], name="sending_domain_due")]

    def __str__(self) -> str:
        return self.name

    @property
    def fails(self) -> bool:
        """Whether marketing from it is held: it has failed twice in a row, or never passed."""
        return self.failures > 1 or (self.failures == 1 and self.passed_at is None)


class CarrierCount(models.Model):
    """What became of messages that were sent within ten minutes, by provider, sending domain and mailbox provider.

    Workers only add rows, whose sums count; ``messaging.carrier_counts`` puts rows of the same subject together.
    """

    bucket = models.DateTimeField(help_text="The beginning of the ten minutes in which they were sent, or failed.")
    provider = models.ForeignKey("messaging.Provider", on_delete=models.CASCADE, db_index=False, related_name="+")
    sender = models.CharField(max_length=253, blank=True, help_text="The domain they were sent from.")
    mailboxes = models.CharField(max_length=30, help_text="Who keeps the mailboxes: messaging.mailboxes.")
    sent = models.IntegerField(default=0, db_default=0)
    bounced = models.IntegerField(default=0, db_default=0)
    complained = models.IntegerField(default=0, db_default=0)
    unsubscribed = models.IntegerField(default=0, db_default=0)
    failed = models.IntegerField(default=0, db_default=0)
    rejected = models.IntegerField(default=0, db_default=0)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["bucket"], name="carrier_count_bucket")]

    def __str__(self) -> str:
        return f"{self.sender} to {self.mailboxes}, {self.bucket:%Y-%m-%d %H:%M}"


class Hold(models.Model):
    """A provider, a sending domain or a recipient domain for which marketing waits, as too much of it went wrong.

    Whoever lifts it sets ``lifted_at``; what was sent before then counts no more.
    """

    class Kind(models.TextChoices):
        PROVIDER = "provider", "Provider"
        SENDER = "sender", "Sending domain"
        MAILBOXES = "mailboxes", "Mailboxes at"

    kind = models.CharField(max_length=12, choices=Kind)
    name = models.CharField(max_length=253, help_text="A provider's id, a domain, or who keeps the mailboxes.")
    label = models.CharField(max_length=253)
    because = models.TextField()
    since = models.DateTimeField(db_default=Now())
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.CharField(max_length=254, blank=True, default="", db_default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "name"], condition=models.Q(lifted_at=None), name="one_open_hold_each"
            )
        ]
        ordering: ClassVar = ["-since"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.label}"

    @classmethod
    def open(cls) -> models.QuerySet[Hold]:
        return cls.objects.filter(lifted_at=None)
