"""Segments: named conditions with live membership, and lists of people kept by hand."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from events.models.people import Profile


class Segment(models.Model):
    """People with something in common. Conditions and the API name it by its ``slug``, which stays as it is.

    ``revision`` counts the changes of its condition. While it is *building*, people up to the id ``built_to`` have been
    asked (-1: nobody has begun). ``size`` follows with the beat; test people are members and are not counted.
    ``reckoned_in`` is the installation's time zone when everybody was asked. ``gather`` is the search
    (``searching.Search``) whose people are still being put into a list.
    """

    class Kind(models.TextChoices):
        DYNAMIC = "dynamic", "Kept current by a condition"
        MANUAL = "manual", "People are added and removed by hand, by file or by API"

    class State(models.TextChoices):
        BUILDING = "building", "Looking through everybody"
        LIVE = "live", "Live"

    slug = models.CharField(
        max_length=60,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*\Z", "Use small letters, digits and hyphens.")],
        help_text="What conditions and the API call it. It cannot be changed later.",
    )
    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True, default="", db_default="")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.DYNAMIC, db_default=Kind.DYNAMIC)
    condition = models.JSONField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    state = models.CharField(max_length=10, choices=State, default=State.LIVE, db_default=State.LIVE, editable=False)
    built_to = models.BigIntegerField(default=0, db_default=0, editable=False)
    reckoned_in = models.TextField(default="", db_default="", editable=False)
    gather = models.JSONField(null=True, editable=False)
    build_started_at = models.DateTimeField(null=True, editable=False)
    build_seconds = models.FloatField(null=True, editable=False, help_text="How long asking everybody took.")
    size = models.BigIntegerField(default=0, db_default=0, editable=False)
    changed_at = models.DateTimeField(null=True, editable=False, help_text="When somebody last entered or left.")
    changed_by = models.TextField(blank=True, default="", db_default="", editable=False)
    asked_at = models.DateTimeField(null=True, editable=False, help_text="When anybody was last asked about.")
    asked_by = models.TextField(blank=True, default="", db_default="", editable=False)
    asked_of = models.BigIntegerField(null=True, editable=False, help_text="Whose event it was, by profile id.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        permissions: ClassVar = [("explain_segment", "Can see how the database asks a segment's condition")]

    def __str__(self) -> str:
        return self.name


class SegmentMember(models.Model):
    """That a person is in a segment, and since when."""

    pk = models.CompositePrimaryKey("segment_id", "profile_id")
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, db_index=False, related_name="members")
    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, related_name="segment_memberships")
    since = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.profile_id} in {self.segment_id}"


class SegmentTurn(models.Model):
    """When to ask about a person again: time alone may let them enter or leave then.

    Or something has become known that no event at hand tells of, which ``cause`` names; a ``quiet`` turn's outcome is
    told to no campaign.
    """

    pk = models.CompositePrimaryKey("segment_id", "profile_id")
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, db_index=False, related_name="turns")
    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, related_name="+")
    look_at = models.DateTimeField(db_index=True)
    cause = models.TextField(default="", db_default="")
    quiet = models.BooleanField(default=False, db_default=False)

    def __str__(self) -> str:
        return f"{self.profile_id} in {self.segment_id} at {self.look_at:%Y-%m-%d %H:%M}"


class SegmentChange(models.Model):
    """How many entered and left, appended where it happens and folded by the beat, so that no two wait at one row.

    ``asks`` times the condition was put to the database, about ``asked`` people, which took ``seconds``.
    """

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, db_index=False)
    hour = models.DateTimeField()
    entered = models.IntegerField(default=0, db_default=0)
    gone = models.IntegerField(default=0, db_default=0)
    cause = models.TextField(blank=True, default="", db_default="")
    asks = models.IntegerField(default=0, db_default=0)
    asked = models.IntegerField(default=0, db_default=0)
    seconds = models.FloatField(default=0, db_default=0)
    of_person = models.BigIntegerField(null=True)
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"+{self.entered} -{self.gone}"


class SegmentHour(models.Model):
    """How many entered and left a segment in an hour, how many it had at its end, and what asking cost."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, db_index=False, related_name="hours")
    hour = models.DateTimeField()
    entered = models.BigIntegerField(default=0)
    gone = models.BigIntegerField(default=0)
    size = models.BigIntegerField(default=0)
    asks = models.BigIntegerField(default=0, db_default=0)
    asked = models.BigIntegerField(default=0, db_default=0)
    seconds = models.FloatField(default=0, db_default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["segment", "hour"], name="segment_hour_key")]

    def __str__(self) -> str:
        return f"{self.segment_id} {self.hour:%Y-%m-%d %H}: {self.size}"
