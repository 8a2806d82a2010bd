"""The attribute ``unsubscribed``: an application says whether a person wants marketing at all.

What follows from it is decided where messages are kept. It stays an attribute like others as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from msgspec import Raw

from events import signals
from events.api.customerio import persons
from events.api.customerio.identifiers import Who
from events.ingest import in_one_go
from events.models import Source

ATTRIBUTE = "unsubscribed"
SAID = {b"true": True, b'"true"': True, b"false": False, b'"false"': False}


@dataclass(frozen=True, slots=True)
class Consent:
    """What a call says of one person's consent."""

    who: Who
    leaves: bool

    @property
    def people(self) -> tuple[Who, ...]:
        return (self.who,)

    def named(self, names: Mapping[str, Who]) -> Self:
        """Return the same with a person whom it names by an id of ours named as the log knows them."""
        return replace(self, who=self.who.named(names))


def read(who: Who, attributes: Mapping[str, Raw]) -> list[Consent]:
    """Return what attributes say of consent, if anything."""
    leaves = SAID.get(bytes(attributes.get(ATTRIBUTE, b"")))
    return [] if leaves is None else [Consent(who, leaves)]


def save(source: Source, said: Sequence[Consent], received_at: datetime) -> None:
    """Hand on what is said, the last word about each person, in a transaction of its own. Raises OperationalError."""
    in_one_go(lambda: _save(source, said, received_at))


def _save(source: Source, said: Sequence[Consent], received_at: datetime) -> None:
    ids = persons.hold(source, [one.who for one in said], received_at)
    leaves = {ids[one.who]: one.leaves for one in said if one.who in ids}
    signals.consent_said.send(sender=save, leaves=leaves)
