"""Forget who logged in to the admin, or tried to, from where, and when; and sessions that are over."""

from __future__ import annotations

from datetime import datetime

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session

DATED = (
    (AccessAttempt, "attempt_time"),
    (AccessFailureLog, "attempt_time"),
    (AccessLog, "attempt_time"),
    (Session, "expire_date"),
)


def forget(before: datetime, limit: int) -> int:
    """Delete rows of before ``before``, up to ``limit`` of each table; return the most that any table lost."""
    return max(_forget(model, column, before, limit) for model, column in DATED)


def _forget(
    model: type[AccessAttempt | AccessFailureLog | AccessLog | Session], column: str, before: datetime, limit: int
) -> int:
    old = model._default_manager.filter(**{f"{column}__lt": before}).order_by("pk").values_list("pk", flat=True)
    keys = list(old[:limit])
    model._default_manager.filter(pk__in=keys).delete()
    return len(keys)
