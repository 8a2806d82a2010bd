"""Where our own reports of messages go: programs that want to hear what becomes of each."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now


class ReportEndpoint(models.Model):
    """A program that is told of messages, signed as Standard Webhooks has it. It rests while it fails."""

    name = models.CharField(max_length=100, unique=True)
    url = models.URLField(max_length=1000, verbose_name="address")
    secret = models.TextField(blank=True, default="", editable=False)
    deeds = models.JSONField(
        default=list, blank=True, verbose_name="what it hears of", help_text="Nothing chosen: of everything."
    )
    enabled = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    next_at = models.DateTimeField(db_default=Now(), editable=False)
    failing_since = models.DateTimeField(null=True, blank=True, editable=False)
    problem = models.TextField(blank=True, default="", db_default="", editable=False)

    class Meta:
        ordering: ClassVar = ["name"]
        verbose_name = "reporting webhook"

    def __str__(self) -> str:
        return self.name


class Report(models.Model):
    """One thing that an endpoint has not been told yet; gone once it has."""

    endpoint = models.ForeignKey(ReportEndpoint, on_delete=models.CASCADE, db_index=False, related_name="reports")
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes: ClassVar = [models.Index(fields=["endpoint", "id"], name="report_endpoint")]

    def __str__(self) -> str:
        return f"Report {self.pk}"
