"""What people have allowed, and how the pages look on which they say so."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from events.models import Profile
from messaging.models.messages import Subscription, Topic


class Consent(models.Model):
    """Why somebody may get marketing, on a channel or all: one row for each time it was given, never changed.

    Whoever takes it back unsubscribes. ``expires_at`` None: it holds until then. See ``messaging.permission``.
    """

    class Basis(models.TextChoices):
        EXPRESS = "express", "Said yes"
        CONFIRMED = "confirmed", "Said yes, and confirmed it by a mail (double opt-in)"
        PURCHASE = "purchase", "Implied: bought something, or is a customer (24 months)"
        INQUIRY = "inquiry", "Implied: asked about something (6 months)"
        OTHER = "other", "Another basis, as noted"

    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, db_index=False, related_name="consents")
    channel = models.CharField(
        max_length=20, choices=Subscription.Channel, default=Subscription.Channel.ALL, db_default="all"
    )
    basis = models.CharField(max_length=12, choices=Basis)
    source = models.CharField(max_length=20, choices=Subscription.Source)
    detail = models.TextField(blank=True, default="", db_default="", help_text="The words agreed to, a form, a page.")
    given_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    noted_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["profile", "-id"], name="consent_profile")]

    def __str__(self) -> str:
        return f"{self.get_basis_display()}, {self.given_at:%Y-%m-%d}"


class TrackingRefusal(models.Model):
    """A person whose opens and clicks are not recorded."""

    profile = models.OneToOneField(Profile, primary_key=True, on_delete=models.DO_NOTHING, related_name="+")
    source = models.CharField(max_length=20, choices=Subscription.Source)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return f"Not to be tracked: {self.profile}"


class TopicTranslation(models.Model):
    """What a topic is called in one language, for the pages that people see."""

    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="translations")
    language = models.CharField(max_length=20, help_text="Such as de, or pt-BR for one country only.")
    name = models.CharField(max_length=100)
    description = models.TextField(blank=True, default="")

    class Meta:
        ordering: ClassVar = ["language"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["topic", "language"], name="topic_translation_language")
        ]

    def __str__(self) -> str:
        return f"{self.topic} in {self.language}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.language = self.language.strip().lower().replace("_", "-")
        super().save(*args, **kwargs)


COLOUR = RegexValidator(r"^#[0-9a-fA-F]{6}$", "Write a colour as # and six digits or letters, such as #1f4fd1.")


class PublicPages(models.Model):
    """How the pages look that recipients reach from their mails. There is one row at most; none: plain pages."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    sender = models.CharField("name of the sender", max_length=100, blank=True, help_text="Stands on top of each page.")
    logo_url = models.URLField(
        "address of the logo", blank=True, help_text="https://… of a picture, shown up to 48 pixels high."
    )
    colour = models.CharField(
        max_length=7, blank=True, validators=[COLOUR], help_text="Of buttons and links, such as #1f4fd1. Empty: blue."
    )
    privacy_url = models.URLField("address of the privacy policy", blank=True)
    note = models.TextField("note at the end", blank=True, help_text="Such as how to reach you. Plain text.")

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(id=1), name="one_row_of_public_pages")]
        verbose_name = verbose_name_plural = "look of public pages"

    def __str__(self) -> str:
        return "Look of public pages"

    @classmethod
    def current(cls) -> PublicPages:
        return cls.objects.filter(pk=cls.ONLY).first() or cls()
