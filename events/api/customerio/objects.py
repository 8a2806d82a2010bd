"""What Customer.io calls objects: companies and other groups, and the people who are related to them.

What a request says of any number of them is written at once. Its relationships are ``cio_relationships``: of a person,
a list of objects; of an object, a list of people. Version 1 wraps the list and says in it whether they end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import msgspec
from msgspec import Raw

from events import groups, sandbox
from events.api.authentication import Caller
from events.api.customerio import identifiers, persons
from events.api.customerio.acts import require_secret
from events.api.customerio.identifiers import Who
from events.api.customerio.items import NULL, attributes_of, null_for_empty
from events.api.fields import OBJECT, Fields, id_of, text_of
from events.api.refusal import Refusal
from events.ingest import in_one_go
from events.models import Source

ADD, DELETE = "add_relationships", "delete_relationships"
RELATIONSHIPS = "cio_relationships"
# Attributes of an object that say who is related to it.
ABOUT_THE_CALL = ("anonymous_id", "object_type_id", RELATIONSHIPS)
# Together with the longest id it still fits into an index.
MAX_TYPE = 100
_LIST = msgspec.json.Decoder(list[Raw])


@dataclass(frozen=True, slots=True)
class Related:
    """A person who belongs to an object, and what is said about that."""

    who: Who
    attributes: Mapping[str, Raw]


@dataclass(frozen=True, slots=True)
class Told:
    """What a call says of one object: attributes, null for what is to be forgotten, and people who belong to it."""

    key: groups.Key
    attributes: Mapping[str, Raw]
    related: tuple[Related, ...] = ()

    @property
    def people(self) -> tuple[Who, ...]:
        return tuple(one.who for one in self.related)

    def named(self, names: Mapping[str, Who]) -> Self:
        """Return the same with people whom it names by an id of ours named as the log knows them."""
        return replace(self, related=tuple(replace(one, who=one.who.named(names)) for one in self.related))


@dataclass(frozen=True, slots=True)
class Unrelate:
    """Take a person out of an object."""

    who: Who
    key: groups.Key

    def perform(self, caller: Caller, received_at: datetime) -> None:
        person = self.who.find(caller.source)
        if person is not None:
            groups.unrelate(person.pk, *_own(self.key, caller.source))


@dataclass(frozen=True, slots=True)
class DeleteObject:
    key: groups.Key

    def perform(self, caller: Caller, received_at: datetime) -> None:
        require_secret(caller, "delete objects")
        groups.delete_object(*_own(self.key, caller.source))


def save(source: Source, told: Sequence[Told], received_at: datetime) -> None:
    """Write all that is said of objects, in a transaction of its own; who is related and unknown becomes known.

    Relationships of suppressed people are passed over. The number of statements does not depend on how many they are.
    Raises OperationalError.
    """
    in_one_go(lambda: _save(source, told, received_at))


def _save(source: Source, told: Sequence[Told], received_at: datetime) -> None:
    ids = persons.hold(source, [one.who for about in told for one in about.related], received_at)
    news = groups.News()
    for about in told:
        key = _own(about.key, source)
        news.describe(key, about.attributes)
        for one in about.related:
            if one.who in ids:
                news.join(ids[one.who], key, one.attributes, received_at)
    groups.save(news)


def key_of(fields: Fields) -> groups.Key:
    """Read ``{"object_type_id": "1", "object_id": "acme"}``; companies are the first type. Raises Refusal."""
    object_id = id_of(fields, "object_id")
    if not object_id:
        raise Refusal("missing_field", "An object is named by its object_type_id and its object_id.", "object_id")
    type_id = id_of(fields, "object_type_id") or "1"
    if len(type_id) > MAX_TYPE:
        raise Refusal("invalid_value", f"object_type_id may have {MAX_TYPE} characters.", "object_type_id")
    return groups.CUSTOMERIO_TYPES.get(type_id, type_id), object_id


def attributes(fields: Fields) -> dict[str, Raw]:
    """Return what is said of an object: its attributes, and the time that Segment puts beside them. Raises Refusal."""
    said = attributes_of(fields, "attributes")
    if "created_at" in fields:
        said = {"created_at": fields["created_at"], **said}
    return null_for_empty({name: raw for name, raw in said.items() if name not in ABOUT_THE_CALL})


def people_in(fields: Fields) -> tuple[Related, ...]:
    """Read the people related to an object. Raises Refusal."""
    return tuple(
        Related(identifiers.of_fields(attributes_of(one, "identifiers"), RELATIONSHIPS), _about(one))
        for one in _entries(fields, RELATIONSHIPS)
    )


def objects_in(who: Who, fields: Fields, name: str = RELATIONSHIPS) -> list[Told]:
    """Read the objects a person is related to. Raises Refusal."""
    return [
        Told(key_of(attributes_of(one, "identifiers")), {}, (Related(who, _about(one)),))
        for one in _entries(fields, name)
    ]


def left_by(who: Who, fields: Fields, name: str = RELATIONSHIPS) -> list[Unrelate]:
    """Read the objects a person is no longer related to. Raises Refusal."""
    return [Unrelate(who, key_of(attributes_of(one, "identifiers"))) for one in _entries(fields, name)]


def wrapped(who: Who, fields: Fields) -> list[Told] | list[Unrelate]:
    """Read ``{"action": "add_relationships", "relationships": […]}``, which version 1 has in attributes.

    Raises Refusal.
    """
    said = attributes_of(fields, RELATIONSHIPS)
    if not said:
        return []
    action = text_of(said, "action") or ""
    if action == DELETE:
        return left_by(who, said, "relationships")
    if action != ADD:
        raise Refusal("invalid_value", f"The action has to be {ADD} or {DELETE}.", f"{RELATIONSHIPS}.action")
    return objects_in(who, said, "relationships")


def _about(relationship: Fields) -> dict[str, Raw]:
    return attributes_of(relationship, "relationship_attributes")


def _entries(fields: Fields, name: str) -> list[Fields]:
    raw = bytes(fields.get(name, NULL))
    if raw == b"null":
        return []
    try:
        return [OBJECT.decode(one) for one in _LIST.decode(raw)]
    except msgspec.ValidationError:
        raise Refusal("invalid_value", f"{name} has to be a list of objects with identifiers.", name) from None


def _own(key: groups.Key, source: Source) -> groups.Key:
    """Return the key under which this source's object is kept."""
    return key[0], sandbox.own(key[1]) if source.is_sandbox else key[1]
