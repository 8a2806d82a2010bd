"""The tracking plan: which events and properties there are, and what is expected of them."""

from __future__ import annotations

from typing import ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Now

from events.models.sources import Source
from events.schemas import Schema, SchemaError


class EventDefinition(models.Model):
    """What is known and wanted of one event name; calls other than track stand under ``[identify]``, ``[page]`` ….

    ``observed`` counts the events that the properties' figures rest on: a sliding sample, not all there were.
    """

    class SchemaMode(models.TextChoices):
        OFF = "off", "Do not check"
        WARN = "warn", "Store, and list the violation"
        BLOCK = "block", "Refuse the event"

    name = models.TextField(unique=True)
    description = models.TextField(blank=True, default="", db_default="")
    expected = models.BooleanField(
        default=False,
        db_default=False,
        verbose_name="planned",
        help_text="Somebody wants it, rather than it just came.",
    )
    rename_to = models.TextField(
        blank=True, default="", db_default="", help_text="Store events of this name under that one."
    )
    schema = models.JSONField(null=True, blank=True, help_text="JSON Schema of the properties.")
    schema_mode = models.CharField(
        max_length=5, choices=SchemaMode, default=SchemaMode.WARN, db_default=SchemaMode.WARN
    )
    throttle_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="Of one person's events within so many seconds only the first is kept."
    )
    retention_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="Delete events of this name when they are older; empty: as the installation."
    )
    # What happened before ``swept_to`` and had come in by ``swept_at`` has been deleted by age.
    swept_to = models.DateTimeField(null=True, editable=False)
    swept_at = models.DateTimeField(null=True, editable=False)
    observed = models.BigIntegerField(default=0, db_default=0, editable=False)
    learned_to = models.BigIntegerField(
        default=0, db_default=0, editable=False, help_text="The newest event among those observed."
    )
    first_seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "planned event"
        verbose_name_plural = "tracking plan"
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a schema that cannot be used, and renames that lead on or in a circle."""
        problems = {}
        if self.schema is not None:
            try:
                Schema(self.schema)
            except SchemaError as error:
                problems["schema"] = str(error)
        if self.rename_to and (problem := self._problem_of_rename()):
            problems["rename_to"] = problem
        if problems:
            raise ValidationError(problems)

    def _problem_of_rename(self) -> str:
        if self.name.startswith("[") or self.rename_to.startswith("["):
            return "Only track events have names that can be changed."
        if self.rename_to == self.name:
            return "That is the name it has. Leave this empty."
        others = EventDefinition.objects.exclude(pk=self.pk)
        target = others.filter(name=self.rename_to).exclude(rename_to="").first()
        if target:
            return f"{target.name} is itself stored as {target.rename_to}. Choose that one."
        if source := others.filter(rename_to=self.name).first():
            return f"{source.name} is stored under this name. Rename that one first."
        return ""


class PropertyStat(models.Model):
    """What has been seen of one property (or trait) of an event: ``path`` is dotted, ``types`` counts JSON types."""

    definition = models.ForeignKey(EventDefinition, on_delete=models.CASCADE, related_name="properties")
    path = models.TextField()
    filled = models.BigIntegerField(default=0, help_text="In how many of the observed events it had a value.")
    types = models.JSONField(default=dict)
    examples = models.JSONField(default=list)
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["definition", "path"], name="property_stat_unique")]

    def __str__(self) -> str:
        return self.path


class Violation(models.Model):
    """An event that did not keep to its schema, with the place and a sample. Kept for days."""

    occurred_at = models.DateTimeField(db_default=Now())
    source = models.ForeignKey(Source, null=True, on_delete=models.CASCADE)
    name = models.TextField()
    path = models.TextField(blank=True, default="")
    message = models.TextField()
    blocked = models.BooleanField(default=False)
    sample = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["name", "-occurred_at"], name="violation_name_time")]

    def __str__(self) -> str:
        return f"{self.name} {self.path}: {self.message}"
