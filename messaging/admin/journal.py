"""Record in the admin's log what somebody did by a button instead of a form."""

from __future__ import annotations

from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model
from django.http import HttpRequest


def note(request: HttpRequest, subject: Model, words: str) -> None:
    """Write ``words`` into the history of ``subject``, in the name of the user who is logged in."""
    assert request.user.pk is not None
    LogEntry.objects.log_actions(request.user.pk, [subject], CHANGE, words, single_object=True)
