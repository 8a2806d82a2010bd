"""Computed traits: what is known of people because it was reckoned from what they did."""

from __future__ import annotations

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Now

from events.models.people import Profile


class ComputedTrait(models.Model):
    """A trait that follows from events: the value stands among ``Profile.traits`` under ``name``, which stays as it is.

    ``properties`` are dotted paths: the first is what is reckoned with and what tells values apart, all of them are
    what an object shows. ``revision`` counts the changes of what it means. While it is *building*, people up to the id
    ``built_to`` have it (-1: nobody has begun); while it is *going*, it is taken from everybody. ``reach_days`` is the
    age at which its events are deleted; it looks no further back. ``reckoned_in`` is the ``FALLBACK_TIME_ZONE`` it was
    computed with; "" is not known.
    """

    class Function(models.TextChoices):
        COUNT = "count", "How often it happened"
        SUM = "sum", "The sum of a property"
        MIN = "min", "The least value of a property"
        MAX = "max", "The greatest value of a property"
        AVERAGE = "average", "The average of a property"
        FIRST = "first", "The first value of a property"
        LAST = "last", "The last value of a property"
        MOST_FREQUENT = "most_frequent", "The most frequent value of a property"
        LAST_VALUES = "last_values", "The last different values of a property, as a list"
        DISTINCT = "distinct", "How many different values a property had"
        FIRST_TIME = "first_time", "When it happened for the first time"
        LAST_TIME = "last_time", "When it happened for the last time"

    class EventType(models.TextChoices):
        TRACK = "track", "Event"
        PAGE = "page", "Page"
        SCREEN = "screen", "Screen"

    class State(models.TextChoices):
        BUILDING = "building", "Being computed for everybody"
        LIVE = "live", "Live"
        GOING = "going", "Being removed"

    name = models.CharField(
        max_length=60,
        unique=True,
        validators=[
            RegexValidator(r"^[a-z][a-z0-9_]*\Z", "Begin with a small letter; then small letters, digits and _.")
        ],
        help_text="What templates and conditions call it, such as recent_views. It cannot be changed later.",
    )
    description = models.TextField(blank=True, default="", db_default="")
    function = models.CharField(max_length=20, choices=Function)
    event_type = models.CharField(max_length=10, choices=EventType, default=EventType.TRACK, db_default=EventType.TRACK)
    event = models.TextField()
    properties = models.JSONField(default=list, db_default=[], blank=True)
    where = models.JSONField(null=True, blank=True)
    within = models.CharField(max_length=10, blank=True, default="", db_default="")
    number = models.PositiveSmallIntegerField(
        default=5, db_default=5, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    revision = models.PositiveIntegerField(default=1, db_default=1, editable=False)
    reach_days = models.PositiveIntegerField(null=True, editable=False)
    state = models.CharField(
        max_length=10, choices=State, default=State.BUILDING, db_default=State.BUILDING, editable=False
    )
    built_to = models.BigIntegerField(default=0, db_default=0, editable=False)
    build_started_at = models.DateTimeField(db_default=Now(), editable=False)
    build_seconds = models.FloatField(null=True, editable=False, help_text="How long reckoning for everybody took.")
    reckoned_in = models.TextField(default="", db_default="", editable=False)
    created_by = models.TextField(blank=True, default="", db_default="", editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class ComputedValue(models.Model):
    """That a person has a computed trait, or had events for it; and when to look again.

    Time alone may change it then, or something has become known that nobody will claim. What comes of a ``quiet`` look
    is told to no campaign.
    """

    pk = models.CompositePrimaryKey("computed_id", "profile_id")
    computed = models.ForeignKey(ComputedTrait, on_delete=models.CASCADE, db_index=False, related_name="values")
    profile = models.ForeignKey(Profile, on_delete=models.DO_NOTHING, related_name="+")
    look_at = models.DateTimeField(null=True, db_index=True)
    quiet = models.BooleanField(default=False, db_default=False)

    def __str__(self) -> str:
        return f"{self.computed_id} of {self.profile_id}"
