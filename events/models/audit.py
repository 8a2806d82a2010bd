"""Who did what to people's data."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now


class AuditEntry(models.Model):
    """One act on personal data, by a user of the admin or the bearer of a token. Holds no personal data itself.

    ``profile_id`` is our number of the person; when they are erased, ``pseudonym`` takes its place.
    """

    at = models.DateTimeField(db_default=Now())
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    actor = models.TextField(help_text="User name, or a token's label.")
    action = models.CharField(max_length=40)
    profile_id = models.BigIntegerField(null=True, blank=True)
    pseudonym = models.CharField(max_length=16, blank=True, default="", db_default="")
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = "act"
        verbose_name_plural = "audit log"
        indexes: ClassVar = [
            models.Index(fields=["profile_id", "-id"], name="audit_profile"),
            models.Index(fields=["pseudonym"], name="audit_pseudonym", condition=~models.Q(pseudonym="")),
        ]

    def __str__(self) -> str:
        return f"{self.actor}: {self.action}"


class Erasure(models.Model):
    """Ids of an erased person, kept until what is stored as text has been searched for them: seconds, as a rule."""

    words = models.JSONField(default=list)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"Erasure {self.pk}"
