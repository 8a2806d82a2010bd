"""What keeps marketing back until somebody has put it right: domains that fail their checks, and holds.

A hold is set where too much went wrong with what a provider carried, a domain sent or a mailbox provider got
(``campaigns.guards`` compares figures and limits). What waits goes out by itself when it is lifted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parseaddr

from django.db import connection
from django.db.models.functions import Now

from events import nudges
from messaging import mailboxes
from messaging.kinds import KINDS
from messaging.models import Hold, Provider
from messaging.reasons import Reason

# What waits is looked at again so often, and given up after so long.
LOOK_AGAIN = timedelta(minutes=15)
PATIENCE = timedelta(days=3)

CURRENT = """
SELECT 'domain', name, '' FROM messaging_sendingdomain WHERE failures > 1 OR failures = 1 AND passed_at IS NULL
UNION ALL SELECT kind, name, because FROM messaging_hold WHERE lifted_at IS NULL
"""
CALL_UP = """
UPDATE messaging_message SET due_at = now()
WHERE id = ANY(ARRAY(SELECT id FROM messaging_message
    WHERE status = 'queued' AND reason = %s AND due_at > now() ORDER BY id FOR UPDATE SKIP LOCKED))
"""
Kind = Hold.Kind


@dataclass(frozen=True, slots=True)
class Held:
    """What is held now: domains that fail, and why what is held by kind and name."""

    failing: frozenset[str] = frozenset()
    because_of: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def domain_fails(self, provider: Provider | None, sender: str) -> bool:
        """Say whether ``sender``'s domain fails its checks. What stays in the built-in mailbox needs none."""
        return _leaves(provider) and domain_of(sender) in self.failing

    def holds(self, provider: Provider | None, sender: str, address: str) -> bool:
        return _leaves(provider) and any(key in self.because_of for key in _keys(provider, sender, address))

    def because(self, provider: Provider | None, sender: str, address: str) -> str:
        """Say in words what holds a message."""
        if self.domain_fails(provider, sender):
            return f"{domain_of(sender)} fails its checks"
        return next((self.because_of[key] for key in _keys(provider, sender, address) if key in self.because_of), "")


def current() -> Held:
    """Return what is held now. One statement."""
    failing, because = set(), {}
    with connection.cursor() as cursor:
        cursor.execute(CURRENT)
        for kind, name, words in cursor.fetchall():
            if kind == "domain":
                failing.add(name)
            else:
                because[kind, name] = words
    return Held(frozenset(failing), because)


def domain_of(sender: str) -> str:
    """Return the domain of a sender: of ``Acme <hello@mail.acme.com>`` it is mail.acme.com."""
    return parseaddr(sender)[1].rpartition("@")[2].lower()


def hold(kind: str, name: str, label: str, because: str) -> bool:
    """Hold marketing by, from or to something; return whether that is new."""
    _, new = Hold.objects.get_or_create(
        kind=kind, name=name, lifted_at=None, defaults={"label": label, "because": because}
    )
    return new


def lift(found: Hold, by: str) -> None:
    """Let what waits for ``found`` go out; what was sent so far counts for no limit any more."""
    Hold.objects.filter(pk=found.pk, lifted_at=None).update(lifted_at=Now(), lifted_by=by)
    call_up(Reason.HELD)


def call_up(reason: Reason) -> None:
    """Have what waits for ``reason`` looked at now. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(CALL_UP, [reason])
    nudges.nudge("messages")


def lifted_since(now: datetime) -> dict[tuple[str, str], datetime]:
    """Return when holds were lifted within the last day, the latest of each. One statement."""
    lately = Hold.objects.filter(lifted_at__gt=now - timedelta(days=1)).order_by("lifted_at")
    return {(found.kind, found.name): found.lifted_at for found in lately if found.lifted_at}


def _leaves(provider: Provider | None) -> bool:
    return provider is not None and KINDS[provider.kind].calls_out


def _keys(provider: Provider | None, sender: str, address: str) -> list[tuple[str, str]]:
    keys = [(Kind.PROVIDER.value, str(provider.pk))] if provider else []
    if "@" in address:
        keys += [(Kind.SENDER.value, domain_of(sender)), (Kind.MAILBOXES.value, mailboxes.of(address))]
    return keys
