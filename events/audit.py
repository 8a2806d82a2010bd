"""Note who did what to people's data: the audit log. It names acts and internal numbers, never personal data.

An erased person's number gives way to a pseudonym, which tells their entries from others' and nobody who it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.utils import timezone

from events.models import ApiToken, AuditEntry, Source
from events.pseudonyms import digest

if TYPE_CHECKING:
    from django.contrib.auth.base_user import AbstractBaseUser
    from django.contrib.auth.models import AnonymousUser

# What there is to be noted, in words.
ACTIONS: dict[str, str] = {
    "look": "Opened their page",
    "read": "Read messages to them",
    "export": "Exported everything about them",
    "merge": "Merged another person into them",
    "erase": "Erased them",
    "suppress": "Erased them, and ignores their ids",
    "unsuppress": "Hears suppressed ids again",
    "download": "Downloaded people, events or messages",
    "source": "Changed a source",
    "plan": "Changed the tracking plan",
    "segment": "Changed a segment",
    "computed": "Changed a computed trait",
    "members": "Changed who is in a list",
    "subscriptions": "Changed who is subscribed to a topic",
    "consents": "Changed what somebody has consented to",
    "suppressions": "Changed which addresses are not written to",
    "limits": "Changed what may be sent",
    "code": "Applied campaigns from files",
    "pages": "Changed the look of public pages",
    "domains": "Changed a sending domain",
    "holds": "Let held marketing go on",
    "drafts": "Approved or refused drafts of messages",
    "retention": "Changed how long things are kept",
}

# Looking at the same person again within this time is the same act.
LOOK_GRAIN = timedelta(hours=1)
PSEUDONYM_LETTERS = 16


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


# The numbers of people who were merged into them would tell as much.
DISGUISE = """
UPDATE events_auditentry a SET profile_id = NULL, pseudonym = r.pseudonym, details = a.details - 'merged'
FROM unnest(%s::bigint[], %s::text[]) AS r(profile_id, pseudonym) WHERE a.profile_id = r.profile_id
"""


def disguise(profile_ids: Collection[int]) -> None:
    """Put a pseudonym in the place of each number, for people who are erased. One statement."""
    ids = list(profile_ids)
    with connection.cursor() as cursor:
        cursor.execute(DISGUISE, [ids, [pseudonym(profile_id) for profile_id in ids]])


def pseudonym(profile_id: int) -> str:
    """Return what stands for an erased person's number; without the installation's key nobody can tell whose it is."""
    return digest(f"profile {profile_id}").hex()[:PSEUDONYM_LETTERS]
