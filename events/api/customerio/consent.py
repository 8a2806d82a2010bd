"""What attributes say of consent: ``unsubscribed`` of marketing as a whole, ``cio_subscription_preferences`` of topics.

What follows from it is decided where messages are kept. They stay attributes like others as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import msgspec
from msgspec import Raw

from events import signals
from events.api.customerio import persons
from events.api.customerio.identifiers import Who
from events.ingest import in_one_go
from events.models import Source

ATTRIBUTE = "unsubscribed"
# As an object {"topics": {"topic_1": true}}, or one attribute each: cio_subscription_preferences.topics.topic_1.
PREFERENCES = "cio_subscription_preferences"
TOPICS = "topics"
SAID = {b"true": True, b'"true"': True, b"false": False, b'"false"': False}


@dataclass(frozen=True, slots=True)
class Consent:
    """What a call says of one person's consent.

    ``leaves`` is None where nothing is said of marketing as a whole. ``topics`` are (name, wanted), each once.
    """

    who: Who
    leaves: bool | None
    topics: tuple[tuple[str, bool], ...] = ()

    @property
    def people(self) -> tuple[Who, ...]:
        return (self.who,)

    def named(self, names: Mapping[str, Who]) -> Self:
        """Return the same with a person whom it names by an id of ours named as the log knows them."""
        return replace(self, who=self.who.named(names))


def is_among(attributes: Iterable[str]) -> bool:
    """Say whether some of these attributes may be about consent."""
    return any(name == ATTRIBUTE or name.startswith(PREFERENCES) for name in attributes)


def read(who: Who, attributes: Mapping[str, Raw]) -> list[Consent]:
    """Return what attributes say of consent, if anything."""
    leaves = SAID.get(bytes(attributes.get(ATTRIBUTE, b"")))
    topics = _topics(attributes)
    return [] if leaves is None and not topics else [Consent(who, leaves, tuple(topics.items()))]


def _topics(attributes: Mapping[str, Raw]) -> dict[str, bool]:
    """Return what is wanted by the topics' names. What is neither true nor false says nothing."""
    found: dict[str, bool] = {}
    for name, raw in attributes.items():
        if not name.startswith(PREFERENCES):
            continue
        said = msgspec.json.decode(raw)
        for key in reversed(name.split(".", 2)):
            said = {key: said}
        topics = said.get(PREFERENCES)
        topics = topics.get(TOPICS) if isinstance(topics, dict) else None
        if isinstance(topics, dict):
            found |= {topic: wanted for topic, wanted in topics.items() if isinstance(wanted, bool)}
    return found


def save(source: Source, said: Sequence[Consent], received_at: datetime) -> None:
    """Hand on what is said, the last word about each person, in a transaction of its own. Raises OperationalError."""
    in_one_go(lambda: _save(source, said, received_at))


def _save(source: Source, said: Sequence[Consent], received_at: datetime) -> None:
    ids = persons.hold(source, [one.who for one in said], received_at)
    known = [(ids[one.who], one) for one in said if one.who in ids]
    leaves = {profile_id: one.leaves for profile_id, one in known if one.leaves is not None}
    topics: dict[int, dict[str, bool]] = {}
    for profile_id, one in known:
        topics.setdefault(profile_id, {}).update(one.topics)
    if leaves:
        signals.consent_said.send(sender=save, leaves=leaves)
    if any(topics.values()):
        signals.preferences_said.send(sender=save, topics=topics)
