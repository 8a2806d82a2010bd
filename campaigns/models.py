"""When to say what to whom: campaigns, their frozen versions, and each person's journey through one.

Foreign keys point right only: a visit knows its message, a message knows no campaign. Step ids are the stable ids of
the definition (see ``campaigns.engine.definition``), not rows: a frozen version and its history keep them for ever.
"""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from campaigns.reasons import Ending, Entry, Outcome
from events.models import Profile
from messaging.models import Message


class Campaign(models.Model):
    """Trigger, workflow, goal and limits. ``draft`` is what its author edits; publishing freezes it."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        LIVE = "live", "Live"
        PAUSED = "paused", "Paused"

    name = models.CharField(max_length=120, unique=True)
    slug = models.SlugField(max_length=120, unique=True)
    description = models.TextField(blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT, editable=False)
    draft = models.JSONField(default=dict, editable=False)
    live_version = models.ForeignKey(
        "CampaignVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+", editable=False
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class CampaignVersion(models.Model):
    """A published definition. Never changes: the database refuses updates of it."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    reason = models.TextField(help_text="Why this version was published.")
    published_at = models.DateTimeField(db_default=Now())
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["campaign", "number"], name="campaign_version_number")]

    def __str__(self) -> str:
        return f"{self.campaign} v{self.number}"


class LivePeriod(models.Model):
    """A span of time in which a version took people in. An event belongs to the version live when it arrived.

    ``event`` is the name that its trigger listens for: the index from a name to the campaigns that want it.
    """

    version = models.ForeignKey(CampaignVersion, on_delete=models.CASCADE, related_name="live_periods")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="live_periods")
    event = models.TextField(default="", db_default="")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign"], condition=models.Q(ended_at=None), name="one_open_live_period")
        ]
        indexes: ClassVar = [models.Index(fields=["event", "ended_at"], name="live_period_event")]

    def __str__(self) -> str:
        return f"{self.version} from {self.started_at:%Y-%m-%d %H:%M}"


class Journey(models.Model):
    """One person's run through one campaign version.

    The timer is ``due_at``; the runner claims what is *waiting* and due. ``wakes`` names the calls that make it due
    before (see ``campaigns.waking``). ``entry_key`` names the entry (an event id,
    or "once"), so that the same event never starts two journeys; the second constraint keeps a person from being in
    a campaign twice at a time.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Under way"
        PAUSED = "paused", "Held: the campaign is paused"
        STUCK = "stuck", "Stuck: needs a look"
        ENDED = "ended", "Ended"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, db_index=False, related_name="journeys")
    version = models.ForeignKey(CampaignVersion, on_delete=models.PROTECT, related_name="journeys")
    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, db_index=False, related_name="journeys")
    entry_key = models.TextField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, db_default="waiting")
    step_id = models.CharField(max_length=60, blank=True, default="", db_default="")
    visit_number = models.PositiveIntegerField(default=0, db_default=0)
    step_entered_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    trigger = models.JSONField(default=dict, help_text="The triggering event's properties.")
    trigger_name = models.TextField(blank=True, default="", db_default="")
    trigger_event_id = models.BigIntegerField(null=True, blank=True)
    trigger_at = models.DateTimeField(help_text="When the triggering event happened.")
    entered_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(max_length=20, choices=Ending.choices(), blank=True, default="", db_default="")
    converted_at = models.DateTimeField(null=True, blank=True)
    is_test = models.BooleanField(default=False, db_default=False)
    wakes = ArrayField(models.TextField(), null=True, blank=True, help_text="Calls that may end the present wait.")
    error = models.TextField(blank=True, default="", db_default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "profile", "entry_key"], name="journey_entry_once"),
            models.UniqueConstraint(
                fields=["campaign", "profile"],
                condition=~models.Q(state="ended"),
                name="journey_one_at_a_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], name="journey_due", condition=models.Q(state="waiting")),
            models.Index(fields=["campaign", "-id"], name="journey_campaign"),
            models.Index(fields=["campaign", "state", "-id"], name="journey_campaign_state"),
            models.Index(fields=["profile", "-id"], name="journey_profile"),
            models.Index(fields=["trigger_event_id"], name="journey_trigger_event"),
            models.Index(
                fields=["profile"],
                name="journey_wakes",
                condition=models.Q(state="waiting", wakes__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"Journey {self.pk}"


class Visit(models.Model):
    """One journey's stay at one step. ``number`` counts the journey's visits from 1."""

    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, db_index=False, related_name="visits")
    number = models.PositiveIntegerField()
    step_id = models.CharField(max_length=60)
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=20, choices=Outcome.choices(), blank=True, default="", db_default="")
    detail = models.TextField(blank=True, default="", db_default="", help_text="The path taken, or why.")
    message = models.OneToOneField(Message, null=True, blank=True, on_delete=models.SET_NULL, related_name="visit")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["journey", "number"], name="visit_number_unique")]

    def __str__(self) -> str:
        return f"Visit {self.number} at {self.step_id}"


class Call(models.Model):
    """The call that a visit makes. Until it is over it is due again and again, at the latest at ``until``.

    ``succeeded`` is None as long as it is not over; ``answer`` is what came back, JSON or text.
    """

    journey = models.ForeignKey(Journey, on_delete=models.CASCADE, db_index=False, related_name="calls")
    visit = models.PositiveIntegerField()
    step_id = models.CharField(max_length=60)
    method = models.CharField(max_length=10)
    url = models.TextField(blank=True, default="")
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True, default="")
    due_at = models.DateTimeField()
    until = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)
    succeeded = models.BooleanField(null=True, blank=True)
    detail = models.TextField(blank=True, default="")
    answer = models.JSONField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["journey", "visit"], name="call_once")]
        indexes: ClassVar = [
            models.Index(fields=["due_at"], name="call_due", condition=models.Q(finished_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.url}"


class Turnstile(models.Model):
    """When the next journey is let through a step that limits how many go on; ``spacing`` is the time between two."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="+")
    step_id = models.CharField(max_length=60)
    spacing = models.DurationField()
    next_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "step_id", "spacing"], name="turnstile_once")
        ]

    def __str__(self) -> str:
        return f"{self.step_id}: {self.next_at:%Y-%m-%d %H:%M:%S}"


class Decision(models.Model):
    """What one event meant to one campaign that listens for its name, and why: the answer to "why not"."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, db_index=False)
    version = models.ForeignKey(CampaignVersion, on_delete=models.CASCADE, db_index=False)
    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, db_index=False, related_name="+")
    event_id = models.BigIntegerField()
    entry = models.CharField(max_length=20, choices=Entry.choices())
    journey = models.ForeignKey(Journey, null=True, blank=True, on_delete=models.CASCADE)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event_id", "version"], name="decision_once_per_event")
        ]
        indexes: ClassVar = [
            models.Index(fields=["profile", "campaign", "-id"], name="decision_profile_campaign"),
            # "Who did not enter?" must not read past all who did.
            models.Index(fields=["campaign", "-id"], name="decision_refused", condition=~models.Q(entry="entered")),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.entry}"


class Waiting(models.Model):
    """An event that failed a trigger's conditions only for traits that are missing: looked at again until ``until``.

    ``look_at`` is when at the latest; see ``campaigns.grace``.
    """

    event_id = models.BigIntegerField()
    event_timestamp = models.DateTimeField()
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, db_index=False, related_name="+")
    version = models.ForeignKey(CampaignVersion, on_delete=models.CASCADE, db_index=False, related_name="+")
    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, related_name="+")
    until = models.DateTimeField()
    look_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["event_id", "version"], name="waiting_once_per_event")]

    def __str__(self) -> str:
        return f"Event {self.event_id} until {self.until:%Y-%m-%d %H:%M}"


class PutOff(models.Model):
    """A start that is put off until it has been quiet: the last event so far, looked at again at ``look_at``.

    That is at the latest ``until``. ``key`` is a digest of what keeps entries of a person apart; see
    ``campaigns.quiet``.
    """

    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, db_index=False, related_name="+")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, db_index=False, related_name="+")
    key = models.CharField(max_length=64)
    version = models.ForeignKey(CampaignVersion, on_delete=models.CASCADE, db_index=False, related_name="+")
    event_id = models.BigIntegerField()
    event_timestamp = models.DateTimeField()
    happened_at = models.DateTimeField()
    name = models.TextField()
    look_at = models.DateTimeField(db_index=True)
    until = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["profile", "campaign", "key"], name="put_off_once")]

    def __str__(self) -> str:
        return f"Event {self.event_id} until {self.look_at:%Y-%m-%d %H:%M}"


class Parked(models.Model):
    """An event that one version could not look at: its condition fails. See ``campaigns.parking``.

    ``retry_at`` is since when somebody wants it to be looked at again.
    """

    event_id = models.BigIntegerField()
    event_timestamp = models.DateTimeField()
    name = models.TextField(db_default="", default="")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, db_index=False, related_name="+")
    version = models.ForeignKey(CampaignVersion, on_delete=models.CASCADE, db_index=False, related_name="+")
    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, related_name="+")
    error = models.TextField()
    tries = models.PositiveIntegerField(default=1, db_default=1)
    parked_at = models.DateTimeField(db_default=Now())
    retry_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "event parked by a campaign"
        verbose_name_plural = "events parked by campaigns"
        constraints: ClassVar = [models.UniqueConstraint(fields=["event_id", "version"], name="parked_once_per_event")]
        indexes: ClassVar = [
            models.Index(fields=["campaign", "-id"], name="parked_campaign"),
            models.Index(fields=["retry_at", "id"], name="parked_again", condition=~models.Q(retry_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.name} #{self.event_id}"


class Strain(models.Model):
    """How many batches in a row the condition of a version has taken too long in. See ``campaigns.strain``."""

    version = models.OneToOneField(CampaignVersion, on_delete=models.CASCADE, primary_key=True, related_name="strain")
    in_a_row = models.PositiveIntegerField()
    last_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.version}: {self.in_a_row}"


class Metric(models.TextChoices):
    """What is counted per step (or, with an empty step id, per campaign)."""

    ENTERED = "entered", "Entered"
    ENDED = "ended", "Ended"
    CONVERTED = "converted", "Converted"
    VISITED = "visited", "Reached the step"
    SENT = "sent", "Sent"
    DELIVERED = "delivered", "Delivered"
    OPENED = "opened", "Opened"
    CLICKED = "clicked", "Clicked"
    BOUNCED = "bounced", "Bounced"
    COMPLAINED = "complained", "Reported as spam"
    UNSUBSCRIBED = "unsubscribed", "Unsubscribed"
    SKIPPED = "skipped", "Not sent"
    FAILED = "failed", "Failed"


class StepCount(models.Model):
    """Rolled-up figures: how often ``metric`` happened at a step of a version on a day (UTC). Test people excluded."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE)
    version = models.ForeignKey(CampaignVersion, on_delete=models.CASCADE)
    step_id = models.CharField(max_length=60, blank=True)
    day = models.DateField()
    metric = models.CharField(max_length=15, choices=Metric)
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "version", "step_id", "day", "metric"], name="step_count_key")
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.count}"


class StepCountChange(models.Model):
    """A change of a figure, appended in the transaction that causes it; the beat folds these into ``StepCount``.

    Appending never waits for another worker, as updating the one hot row would.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, db_index=False)
    version = models.ForeignKey(CampaignVersion, on_delete=models.CASCADE, db_index=False)
    step_id = models.CharField(max_length=60, blank=True)
    day = models.DateField()
    metric = models.CharField(max_length=15, choices=Metric)
    count = models.IntegerField(default=1)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["campaign"], name="step_change_campaign")]

    def __str__(self) -> str:
        return f"{self.metric} {self.count:+d}"
