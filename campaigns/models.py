"""When to say what to whom: campaigns, their frozen versions, and each person's journey through one.

Foreign keys point right only: a visit knows its message, a message knows no campaign. Step ids are the stable ids of
the definition (see ``campaigns.engine.definition``), not rows: a frozen version and its history keep them for ever.
"""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, validate_email
from django.db import models
from django.db.models.functions import Now

from campaigns.reasons import Ending, Entry, Outcome
from events.models import Profile
from messaging.models import Message, Priority

# Per cent: a control group larger than the others would be a waste.
MOST_HELD_OUT = 50


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
    paused_because = models.TextField(
        blank=True, default="", db_default="", editable=False, help_text="Why it was stopped by itself."
    )
    guarded_since = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="What was sent before counts for no limit any more."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class Admission(models.Model):
    """Who is let into a campaign of those who qualify; without a row: everybody but the workspace's control group.

    ``stages`` are percentages of all people, ``stage`` the place of the one that holds; empty: no roll-out. After
    ``hours`` at a stage the next one begins by itself, None: by hand only. See ``campaigns.admission``.
    """

    campaign = models.OneToOneField(Campaign, primary_key=True, on_delete=models.CASCADE, related_name="admission")
    holdout = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Per cent of all people who are held out as its control group."
    )
    in_global = models.BooleanField(
        default=True, db_default=True, help_text="Whether the workspace's control group is held out."
    )
    stages = ArrayField(models.PositiveSmallIntegerField(), default=list, db_default=[], blank=True)
    stage = models.PositiveSmallIntegerField(default=0, db_default=0)
    stage_since = models.DateTimeField(null=True, blank=True)
    hours = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(holdout__lte=MOST_HELD_OUT), name="admission_holdout_most"),
        ]

    def __str__(self) -> str:
        return f"Who is let into {self.campaign}"

    @property
    def share(self) -> int:
        """Return the per cent of all people to whom the campaign is rolled out."""
        return self.stages[self.stage] if self.stage < len(self.stages) else 100


def check_addresses(text: str) -> None:
    """Raise ValidationError for what is no list of email addresses."""
    for address in text.split():
        try:
            validate_email(address)
        except ValidationError:
            raise ValidationError(f"{address} is no email address: write one a line.") from None


def _limit(what: str, percent: Decimal | int) -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(
        f"most {what}, in per cent",
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        default=percent,
        db_default=percent,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
        help_text="Empty: not watched.",
    )


class Safeguards(models.Model):
    """What holds for all campaigns of the workspace. There is one row at most."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    holdout = models.PositiveSmallIntegerField(
        "control group of all campaigns, in per cent",
        default=0,
        db_default=0,
        validators=[MaxValueValidator(MOST_HELD_OUT)],
        help_text="So many of all people get nothing of any campaign, and are measured. 0: nobody, 50 at most. A "
        "campaign that everybody has to hear of, such as a receipt, can be left out under “Roll-out”.",
    )

    bounce_limit = _limit("bounces", 10)
    complaint_limit = _limit("spam reports", Decimal("0.5"))
    failure_limit = _limit("failures", 10)
    unsubscribe_limit = _limit("unsubscriptions", 5)
    sample = models.PositiveIntegerField(
        "messages before a limit counts",
        default=50,
        db_default=50,
        validators=[MinValueValidator(1)],
        help_text="A campaign is stopped when more of its messages of the last hour, or of the last day, go wrong than "
        "the limits allow; but not before it has sent so many in that time, and never for fewer than three reports.",
    )
    silent_least = models.PositiveIntegerField(
        "entries that make silence remarkable",
        default=20,
        db_default=20,
        validators=[MinValueValidator(1)],
        help_text="A campaign that usually had so many by this time of the day, and today none, is called silent.",
    )
    operators = models.TextField(
        "email addresses of operators",
        blank=True,
        default="",
        db_default="",
        validators=[check_addresses],
        help_text="They are told when something needs a look; one a line. Empty: those of the setting ADMINS.",
    )
    webhook = models.URLField(
        "web address to be told as well",
        blank=True,
        default="",
        db_default="",
        help_text="The same news as JSON, signed as calls of campaigns are. Empty: none.",
    )

    class Meta:
        verbose_name = "safeguards"
        verbose_name_plural = "safeguards"
        constraints: ClassVar = [
            models.CheckConstraint(condition=models.Q(pk=1), name="safeguards_once"),
            models.CheckConstraint(condition=models.Q(holdout__lte=MOST_HELD_OUT), name="safeguards_holdout_most"),
        ]

    def __str__(self) -> str:
        return "Safeguards"


class CampaignVersion(models.Model):
    """A published definition. Never changes: the database refuses updates of it."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    reason = models.TextField(help_text="Why this version was published.")
    acknowledged = models.JSONField(
        default=list, db_default=[], help_text="What its author was warned of: a list of path and message."
    )
    published_at = models.DateTimeField(db_default=Now())
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["campaign", "number"], name="campaign_version_number")]

    def __str__(self) -> str:
        return f"{self.campaign} v{self.number}"


class LivePeriod(models.Model):
    """A span of time in which a version took people in. An event belongs to the version live when it arrived.

    ``event`` is the name that its trigger listens for: the index from a name to the campaigns that want it. ``asks``
    are the calls that its trigger's condition looks back at (``track Order Completed``); see ``campaigns.late``.
    """

    version = models.ForeignKey(CampaignVersion, on_delete=models.CASCADE, related_name="live_periods")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="live_periods")
    event = models.TextField(default="", db_default="")
    asks = ArrayField(models.TextField(), null=True, blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign"], condition=models.Q(ended_at=None), name="one_open_live_period")
        ]
        indexes: ClassVar = [
            models.Index(fields=["event", "ended_at"], name="live_period_event"),
            GinIndex(fields=["asks"], name="live_period_asks"),
        ]

    def __str__(self) -> str:
        return f"{self.version} from {self.started_at:%Y-%m-%d %H:%M}"


class Journey(models.Model):
    """One person's run through one campaign version.

    The timer is ``due_at``; the runner claims what is *waiting* and due, by ``priority`` (see ``campaigns.turns``).
    ``wakes`` names the calls that make it due before (see ``campaigns.waking``). ``entry_key`` names the entry (an
    event id, or "once"), so that the same event never starts two journeys; the second constraint keeps a person from
    being in a campaign twice at a time, or where several journeys may be under way, in the same ``lane`` (such as an
    order).
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
    lane = models.TextField(blank=True, default="", db_default="")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, db_default="waiting")
    step_id = models.CharField(max_length=60, blank=True, default="", db_default="")
    visit_number = models.PositiveIntegerField(default=0, db_default=0)
    step_entered_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    priority = models.SmallIntegerField(choices=Priority, default=Priority.NORMAL, db_default=0)
    trigger = models.JSONField(default=dict, help_text="The triggering event's properties.")
    trigger_name = models.TextField(blank=True, default="", db_default="")
    trigger_event_id = models.BigIntegerField(null=True, blank=True)
    trigger_at = models.DateTimeField(help_text="When the triggering event happened.")
    entered_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True, blank=True)
    ending = models.CharField(max_length=20, choices=Ending.choices(), blank=True, default="", db_default="")
    converted_at = models.DateTimeField(null=True, blank=True)
    is_test = models.BooleanField(default=False, db_default=False)
    measured = models.BooleanField(
        default=False, db_default=False, help_text="Counts when a campaign is compared with its control group."
    )
    wakes = ArrayField(models.TextField(), null=True, blank=True, help_text="Calls that may end the present wait.")
    error = models.TextField(blank=True, default="", db_default="")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "profile", "entry_key"], name="journey_entry_once"),
            models.UniqueConstraint(
                fields=["campaign", "profile", "lane"],
                condition=~models.Q(state="ended"),
                name="journey_one_a_lane",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], name="journey_due", condition=models.Q(state="waiting")),
            models.Index(fields=["priority", "due_at", "id"], name="journey_turn", condition=models.Q(state="waiting")),
            models.Index(fields=["campaign", "-id"], name="journey_campaign"),
            models.Index(fields=["campaign", "state", "-id"], name="journey_campaign_state"),
            models.Index(fields=["profile", "-id"], name="journey_profile"),
            models.Index(fields=["trigger_event_id"], name="journey_trigger_event"),
            models.Index(
                fields=["profile"],
                name="journey_under_way",
                condition=~models.Q(state="ended"),
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


class VersionMove(models.Model):
    """Journeys that go on by another version of their campaign, a portion at a time: see ``campaigns.moving``.

    ``places`` says for a step of ``source`` at which step of ``target`` whoever stands there goes on ("": before the
    first); who stands at another stays. ``total`` is how many there were when it was asked for.
    """

    source = models.ForeignKey(CampaignVersion, on_delete=models.CASCADE, related_name="moves_away")
    target = models.ForeignKey(CampaignVersion, on_delete=models.CASCADE, related_name="moves_here")
    places = models.JSONField()
    total = models.PositiveIntegerField()
    moved = models.PositiveIntegerField(default=0, db_default=0)
    asked_by = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source"], condition=models.Q(ended_at=None), name="version_move_one_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.source} to v{self.target.number}"


class Backtest(models.Model):
    """A draft, or the live version, asked what it would have done over the events of some days.

    ``percent`` is how far it is; ``result`` what came of it (``campaigns.backtest.run.Result``). A worker that has it
    holds ``lease_until``; when that has passed, another begins anew.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Under way"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="backtests")
    definition = models.JSONField()
    version = models.PositiveIntegerField(null=True, help_text="The number of the version it is; None: a draft.")
    since = models.DateTimeField()
    until = models.DateTimeField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, db_default=State.WAITING)
    percent = models.PositiveSmallIntegerField(default=0, db_default=0)
    result = models.JSONField(null=True)
    error = models.TextField(default="", db_default="")
    asked_by = models.TextField(default="", db_default="")
    created_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["id"], name="backtest_open", condition=models.Q(state__in=["waiting", "running"])),
            models.Index(fields=["campaign", "-id"], name="backtest_campaign"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.since:%Y-%m-%d} to {self.until:%Y-%m-%d}"


class AppliedCode(models.Model):
    """What a thing was when a file about it was last applied: see ``campaigns.code``."""

    kind = models.CharField(max_length=20)
    key = models.CharField(max_length=120)
    fingerprint = models.CharField(max_length=16)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "key"], name="applied_code_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class Rehearsal(models.Model):
    """A journey of a backtest, for conditions to be asked about: only temporary tables of this name exist.

    ``due_at`` is what its own clock shows. See ``campaigns.backtest``.
    """

    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, related_name="+")
    trigger = models.JSONField()
    trigger_at = models.DateTimeField()
    trigger_event_id = models.BigIntegerField()
    step_entered_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "campaigns_rehearsal"

    def __str__(self) -> str:
        return f"Rehearsal {self.pk}"


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


class Timetable(models.Model):
    """When a campaign that time starts lets people in next. It outlives versions: none of them moves it back.

    ``rule`` is the part of the definition that it was reckoned by, which holds ``since`` then. The occurrence of
    ``next_day`` is opened at ``next_at``, None for none; ``done_to`` is the day of the last that was. See
    ``campaigns.timetables``. Where dates of people start it, they are still to be reckoned from the id ``built_to`` on,
    None: all are.
    """

    campaign = models.OneToOneField(Campaign, primary_key=True, on_delete=models.CASCADE, related_name="timetable")
    rule = models.JSONField(default=dict)
    since = models.DateTimeField()
    done_to = models.DateField(null=True)
    next_day = models.DateField(null=True)
    next_at = models.DateTimeField(null=True, db_index=True)
    built_to = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return f"{self.campaign}: next {self.next_day}"


class DateTurn(models.Model):
    """When to look whether a person's date has come that starts a campaign, None: they have none to come.

    Reckoned in the time zone ``zone``. ``started`` are the dates that they were asked in for. See ``campaigns.dates``.
    """

    pk = models.CompositePrimaryKey("campaign_id", "profile_id")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, db_index=False, related_name="+")
    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, related_name="+")
    look_at = models.DateTimeField(null=True)
    zone = models.TextField(default="", db_default="")
    started = ArrayField(models.TextField(), default=list, db_default=[])

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["campaign", "look_at"], name="date_turn_due", condition=models.Q(look_at__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.profile_id} in {self.campaign_id} at {self.look_at}"


class Intake(models.Model):
    """People who are asked into a campaign, a portion at a time: at an ``occurrence`` of its timetable, or by hand.

    Goes through the ids from ``position`` to ``last`` of those who are in ``segment`` ("": everybody), meet
    ``condition`` and live in ``zones`` ([]: whoever was not asked yet); ``per_minute`` at most, None: as fast as others
    allow. ``asked`` is for how many a start was asked. See ``campaigns.intakes``.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Under way"
        HELD = "held", "Held"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        SKIPPED = "skipped", "Skipped: it was too late"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="intakes")
    reason = models.CharField(max_length=20)
    occurrence = models.TextField()
    segment = models.TextField(default="", db_default="", blank=True)
    condition = models.JSONField(null=True, blank=True)
    zones = ArrayField(models.TextField(), default=list, db_default=[])
    per_minute = models.PositiveIntegerField(null=True)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING, db_default=State.WAITING)
    due_at = models.DateTimeField()
    next_at = models.DateTimeField()
    position = models.BigIntegerField(default=0, db_default=0)
    last = models.BigIntegerField(null=True)
    asked = models.PositiveIntegerField(default=0, db_default=0)
    error = models.TextField(default="", db_default="", blank=True)
    asked_by = models.TextField(default="", db_default="", blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "reason", "occurrence", "due_at"], name="intake_once"),
            models.UniqueConstraint(
                fields=["campaign", "occurrence"],
                name="intake_back_populate_once",
                condition=models.Q(reason="back-populate"),
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_at"], name="intake_due", condition=models.Q(state__in=["waiting", "running"]))
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.occurrence}"


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
    LEFT = "left", "Left early"
    VISITED = "visited", "Reached the step"
    SENT = "sent", "Sent"
    DELIVERED = "delivered", "Delivered"
    OPENED = "opened", "Opened"
    CLICKED = "clicked", "Clicked"
    MACHINE_OPENED = "machine_opened", "Opened by programs"
    MACHINE_CLICKED = "machine_clicked", "Clicked by programs"
    BOUNCED = "bounced", "Bounced"
    COMPLAINED = "complained", "Reported as spam"
    UNSUBSCRIBED = "unsubscribed", "Unsubscribed"
    SKIPPED = "skipped", "Not sent"
    FAILED = "failed", "Failed"
    REJECTED = "rejected", "Rejected by the provider"
    HELD_OUT = "held_out", "People in the control group"
    HELD_OUT_GOAL = "held_out_goal", "Of them, those who reached the goal"
    TREATED = "treated", "People to compare them with"
    TREATED_GOAL = "treated_goal", "Of these, those who reached the goal"


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
    at = models.DateTimeField(null=True, blank=True, help_text="For RecentCount, where the figure counts there.")
    count = models.IntegerField(default=1)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["campaign"], name="step_change_campaign")]

    def __str__(self) -> str:
        return f"{self.metric} {self.count:+d}"


class RecentCount(models.Model):
    """Figures of the last days, by campaign: what was let in by the hour, and what became of messages by the minute.

    ``at`` is the beginning of that hour or minute; of a message's it is that in which the message was *sent*, whenever
    the report came. Folded along with ``StepCount``.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, db_index=False)
    at = models.DateTimeField(db_index=True)
    metric = models.CharField(max_length=15, choices=Metric)
    count = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["campaign", "at", "metric"], name="recent_count_key"),
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.count}"


class Finding(models.Model):
    """Something that was the matter from ``since`` to ``until``; see ``campaigns.watch``. One open row a subject.

    ``lease_until``: somebody is telling operators of it.
    """

    class Kind(models.TextChoices):
        HALTED = "halted", "A campaign was stopped by itself"
        HELD = "held", "Marketing is held"
        DOMAIN_FAILS = "domain_fails", "A sending domain fails its checks"
        DOMAIN_LISTED = "domain_listed", "A sending domain is on a blocklist"
        KEY_OLD = "key_old", "A DKIM key wants to be changed"
        OVERDUE = "overdue", "Timers are overdue"
        STUCK = "stuck", "Journeys are stuck"
        PARKED = "parked", "Events are parked"
        PARKED_BY_CAMPAIGN = "parked_by_campaign", "A campaign parks events"
        SILENT = "silent", "Nobody enters a campaign"
        HOT = "hot", "Far more people than usual enter a campaign"
        NO_WORKER = "no_worker", "No worker or beat is alive"

    kind = models.CharField(max_length=20, choices=Kind)
    campaign = models.ForeignKey(Campaign, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    subject = models.CharField(
        max_length=300, blank=True, default="", db_default="", help_text="What it is about besides a campaign."
    )
    says = models.TextField()
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    over_told_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "campaign", "subject"],
                condition=models.Q(until=None),
                nulls_distinct=False,
                name="finding_open_once",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["until"], name="finding_ended", condition=models.Q(over_told_at=None)),
        ]

    def __str__(self) -> str:
        return self.says
