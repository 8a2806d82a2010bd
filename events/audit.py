"""Note who did what to people's data: the audit log. It names acts and internal numbers, never personal data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from events.models import ApiToken, AuditEntry, Source

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

# Looking at the same person again within this time is the same act.
LOOK_GRAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a user of the admin, the bearer of a token, a source's key, or Cuebird itself."""

    name: str
    user_id: int | None = None

    @classmethod
    def of_user(cls, user: AbstractBaseUser | AnonymousUser) -> Actor:
        return cls(str(user), user.pk)

    @classmethod
    def of_token(cls, token: ApiToken) -> Actor:
        return cls(f"token {token.label}", token.created_by_id)

    @classmethod
    def of_source(cls, source: Source) -> Actor:
        return cls(f"source {source.name}")


def note(actor: Actor, action: str, profile_id: int | None = None, **details: Any) -> None:
    """Write down an act, in the caller's transaction. ``details`` is JSON; no ids, names or addresses of people."""
    AuditEntry.objects.create(
        user_id=actor.user_id, actor=actor.name, action=action, profile_id=profile_id, details=details
    )


def note_each(actor: Actor, action: str, profile_ids: Iterable[int], **details: Any) -> None:
    """Write down an act on several people. One statement."""
    AuditEntry.objects.bulk_create(
        AuditEntry(user_id=actor.user_id, actor=actor.name, action=action, profile_id=profile_id, details=details)
        for profile_id in profile_ids
    )


def note_look(actor: Actor, action: str, profile_id: int) -> None:
    """Write down that somebody looked at a person; once an hour is enough. Two statements at most."""
    since = timezone.now() - LOOK_GRAIN
    same = AuditEntry.objects.filter(profile_id=profile_id, action=action, actor=actor.name, at__gt=since)
    if not same.exists():
        note(actor, action, profile_id)
