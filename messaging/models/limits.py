"""What holds mail back from everybody: the one row of settings that every way of sending looks at, and the caps."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F
from django.db.models.functions import Now

from messaging.caps import Cap
from messaging.models.messages import Subscription, Topic
from messaging.quiet import QuietHours


class SendingLimits(models.Model):
    """Whether anything goes out, to whom, and at which hours not. There is one row at most; none means: no limits.

    ``hold_until`` ends a hold by itself; without it somebody has to. Only ``messaging.limits`` writes here.
    """

    class Mode(models.TextChoices):
        NORMAL = "normal", "Normal: every message goes to its recipient"
        REDIRECT = "redirect", "Redirect: every message goes to one test address"
        HOLD = "hold", "Hold: nothing goes out"

    class Consent(models.TextChoices):
        EVERYBODY = "everybody", "Everybody, until they unsubscribe (as in the United States)"
        CONSENTED = "consented", "Only those whose consent is on record (as in the European Union and Canada)"

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.NORMAL, db_default="normal")
    redirect_to = models.CharField(max_length=254, blank=True, default="", db_default="", verbose_name="test address")
    hold_until = models.DateTimeField(null=True, blank=True, verbose_name="hold until (UTC)")
    quiet_start = models.TimeField(null=True, blank=True, verbose_name="quiet from")
    quiet_end = models.TimeField(null=True, blank=True, verbose_name="quiet until")
    quiet_spares_urgent = models.BooleanField(
        default=False, db_default=False, verbose_name="urgent campaigns send all the same"
    )
    quiet_spares_transactional = models.BooleanField(
        default=True, db_default=True, verbose_name="transactional mails (receipts, passwords) are sent all the same"
    )
    postal_address = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="Of whoever sends. Marketing mails that do not show it have it at their end, as the law of many "
        "countries asks for. Templates can show it as {{ postal_address }}.",
    )
    consent = models.CharField(
        max_length=10,
        choices=Consent,
        default=Consent.EVERYBODY,
        db_default="everybody",
        verbose_name="who gets marketing",
    )
    test_addresses = models.TextField(
        blank=True,
        default="",
        db_default="",
        verbose_name="tests of templates may go to",
        help_text="Addresses, or whole domains such as @acme.com, one a line, besides the users of this admin. Others "
        "get a test of a marketing template only if they would get the message itself.",
    )
    utm_source = models.CharField(
        max_length=60,
        blank=True,
        default="",
        db_default="",
        verbose_name="tag links with utm_source",
        help_text="Such as newsletter: links of mails get it as utm_source, with utm_medium and, as utm_campaign, the "
        "campaign. Links that have such tags keep theirs. Empty: no tags.",
    )
    changed_by = models.CharField(max_length=254, blank=True, default="", db_default="")
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(id=1), name="one_row_of_sending_limits"),
            models.CheckConstraint(
                condition=~models.Q(mode="redirect") | ~models.Q(redirect_to=""), name="redirect_has_an_address"
            ),
            models.CheckConstraint(
                condition=models.Q(quiet_start=None, quiet_end=None)
                | models.Q(quiet_start__isnull=False, quiet_end__isnull=False) & ~models.Q(quiet_start=F("quiet_end")),
                name="quiet_hours_begin_and_end",
            ),
        ]
        verbose_name = verbose_name_plural = "sending limits"

    def __str__(self) -> str:
        return "Sending limits"

    @classmethod
    def current(cls) -> Self:
        """Return the settings, the usual ones where nobody has chosen any. One statement."""
        return cls.objects.filter(pk=cls.ONLY).first() or cls()

    def holds(self, now: datetime) -> bool:
        """Say whether nothing goes out at ``now``. In SQL: ``messaging.claims.HELD``."""
        return self.mode == self.Mode.HOLD and (self.hold_until is None or self.hold_until > now)

    @property
    def quiet(self) -> QuietHours | None:
        """The quiet hours, None where there are none."""
        if self.quiet_start is None or self.quiet_end is None:
            return None
        return QuietHours(self.quiet_start, self.quiet_end, self.quiet_spares_urgent, self.quiet_spares_transactional)

    @property
    def needs_consent(self) -> bool:
        """Whether marketing is for those only whose consent is on record."""
        return self.consent == self.Consent.CONSENTED

    @property
    def postal(self) -> str:
        """The postal address that marketing mails show: as it is set here, else as the installation has it."""
        return self.postal_address.strip() or settings.POSTAL_ADDRESS

    @property
    def target(self) -> str:
        """The address that gets everybody's messages, "" where they go to their recipients."""
        return self.redirect_to if self.mode == self.Mode.REDIRECT else ""


class FrequencyCap(models.Model):
    """At most so many marketing messages to one person within any span of time. None means no cap, never 0.

    Only ``messaging.limits`` writes here.
    """

    class Unit(models.TextChoices):
        MINUTES = "minutes", "minutes"
        HOURS = "hours", "hours"
        DAYS = "days", "days"

    class Full(models.TextChoices):
        DEFER = "defer", "They wait until there is room"
        DROP = "drop", "They are not sent"

    CHANNELS: ClassVar = [choice for choice in Subscription.Channel.choices if choice[0] != Subscription.Channel.ALL]
    ONE: ClassVar = {Unit.MINUTES: "a minute", Unit.HOURS: "an hour", Unit.DAYS: "a day"}
    FEW: ClassVar = (MinValueValidator(1), MaxValueValidator(1000))

    most = models.PositiveSmallIntegerField(validators=FEW, verbose_name="at most (messages)")
    window_length = models.PositiveSmallIntegerField(validators=FEW, verbose_name="within")
    window_unit = models.CharField(
        max_length=10,
        choices=Unit,
        default=Unit.DAYS,
        verbose_name="unit",
        help_text="A day is the last 24 hours.",
    )
    topic = models.ForeignKey(
        Topic, null=True, blank=True, on_delete=models.PROTECT, help_text="Empty: whatever messages are about."
    )
    channel = models.CharField(max_length=20, blank=True, choices=CHANNELS, help_text="Empty: all channels together.")
    when_full = models.CharField(
        max_length=10, choices=Full, default=Full.DEFER, verbose_name="what happens to those that find no room"
    )
    give_up_hours = models.PositiveSmallIntegerField(
        default=72,
        validators=[MinValueValidator(1), MaxValueValidator(8760)],
        verbose_name="give up after (hours)",
        help_text="What has waited so long is not sent, with the reason.",
    )
    urgent_passes = models.BooleanField(
        default=False,
        verbose_name="urgent campaigns send all the same",
        help_text="What they send counts nevertheless.",
    )
    enabled = models.BooleanField(default=True, verbose_name="on")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(most__gte=1, window_length__gte=1, give_up_hours__gte=1), name="cap_allows_something"
            )
        ]
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.words

    @property
    def words(self) -> str:
        """What people call it by, such as “At most 2 a day about Newsletter by email”."""
        one = self.ONE[self.Unit(self.window_unit)]
        span = one if self.window_length == 1 else f"in {self.window_length} {self.window_unit}"
        about = f" about {self.topic.name}" if self.topic else ""
        by = f" by {Subscription.Channel(self.channel).label}" if self.channel else ""
        return f"At most {self.most} {span}{about}{by}"

    @property
    def cap(self) -> Cap:
        """The cap as it is decided by."""
        return Cap(
            words=self.words,
            most=self.most,
            window=timedelta(**{self.window_unit: self.window_length}),
            topic=self.topic_id,
            channel=self.channel,
            drops=self.when_full == self.Full.DROP,
            spares_urgent=self.urgent_passes,
            patience=timedelta(hours=self.give_up_hours),
        )

    @classmethod
    def binding(cls) -> list[Cap]:
        """Return the caps that are on. One statement."""
        return [row.cap for row in cls.objects.filter(enabled=True).select_related("topic")]
