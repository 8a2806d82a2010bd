"""How long things are kept."""

from __future__ import annotations

from django.db import models


class KeepFor(models.Model):
    """The age at which one kind of thing is deleted, where somebody chose another than usual; empty: never.

    The kinds are those of ``events.retention``. For events, what happened before ``swept_to`` and had come in by
    ``swept_at`` has been deleted, but for names with an age of their own: see ``EventDefinition``.
    """

    kind = models.CharField(max_length=40, unique=True)
    days = models.PositiveIntegerField(null=True, blank=True)
    swept_to = models.DateTimeField(null=True, editable=False)
    swept_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "age"
        verbose_name_plural = "how long things are kept"

    def __str__(self) -> str:
        return self.kind
