"""Take in what an application reports: people, their traits, what they did. One transaction, then the answer.

``ingest`` is set-based: the number of SQL statements depends on what is in a batch (new people, traits), never on
how much. A message id that the source has used before is passed over whole, so a late repetition of an old identify
does not bring old traits back. Concurrent requests about the same people and ids are safe; see
``events.identities`` for the order of locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from django.db import OperationalError, connection, transaction
from psycopg import errors

from events import identities, log, origin, suppression, traits
from events.identifying import Person
from events.models import InboundRequest, Source

# A collision or deadlock means that another request got through: so many in a row only happen when something is wrong.
TRIES = 20


@dataclass(frozen=True, slots=True)
class Item:
    """One call, checked and made ready: ids as text, time corrected, JSON fit to be stored.

    ``properties``, ``context`` and ``extra`` are JSON objects as bytes; ``traits`` are an identify's alone, null for
    what is to be forgotten. ``email`` is there only when the person is to be found by it. ``time_zone`` and
    ``language`` are the device's. Items whose message id was made up here are not ``repeatable``: nobody can send them
    again.
    """

    type: str
    message_id: str
    timestamp: datetime
    user_id: str | None = None
    anonymous_id: str | None = None
    email: str | None = None
    previous_id: str | None = None
    name: str = ""
    properties: bytes = b"{}"
    context: bytes = b"{}"
    extra: bytes = b"{}"
    traits: Mapping[str, msgspec.Raw] = field(default_factory=dict)
    time_zone: str = ""
    language: str = ""
    active: bool = True
    pending: bool = True
    repeatable: bool = True


@dataclass(frozen=True, slots=True)
class Result:
    """How many items were stored, and how many had been stored before."""

    accepted: int
    repeated: int


def ingest(
    source: Source,
    items: Sequence[Item],
    received_at: datetime,
    request: InboundRequest | None = None,
    address: str = "",
) -> Result:
    """Store ``items`` in one transaction, and the ``request`` they came in when it is given, sent from ``address``.

    What is about suppressed people is passed over, and a request that names them is not kept.
    Raises OperationalError when the database cannot take them now; nothing is stored then.
    """
    items = origin.as_stored(source, items, address)
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                return _store(source, items, received_at, request)
        except (identities.Collision, log.ProfileGone):
            continue
        except OperationalError as error:
            if not isinstance(error.__cause__, errors.DeadlockDetected):
                raise
    raise OperationalError(f"other requests came in between {TRIES} times in a row")


def _store(source: Source, items: Sequence[Item], received_at: datetime, request: InboundRequest | None) -> Result:
    new = _without_repeated(source, items, received_at)
    heard = identities.resolve(new, sandbox=source.is_sandbox) if new else []
    if request is not None:
        request.accepted = len(heard)
        request.pk = None
        whole = len(new) == len(items) and not request.rejected
        if len(heard) == len(new) and (whole or not suppression.concerns(request)):
            request.save(force_insert=True)
    if heard:
        rows = [_row(item, person) for item, person in heard]
        log.write(rows, received_at, source.pk, request.pk if request else None)
        _remember(heard, received_at)
    return Result(len(heard), len(items) - len(new))


# Sorted, so that two requests with the same ids wait for each other at the first of them and not in a circle.
ACCEPT = """
INSERT INTO events_acceptedmessage (source_id, message_id, received_at)
SELECT %s, id, %s FROM jsonb_array_elements_text(%s) AS id ORDER BY id
ON CONFLICT DO NOTHING
RETURNING message_id
"""


def _without_repeated(source: Source, items: Sequence[Item], received_at: datetime) -> list[Item]:
    """Return the items whose message ids are new to the source, the first of each; note the ids."""
    first: dict[str, Item] = {}
    for item in items:
        first.setdefault(item.message_id, item)
    ids = [item.message_id for item in first.values() if item.repeatable]
    if not ids:
        return list(first.values())
    with connection.cursor() as cursor:
        cursor.execute(ACCEPT, [source.pk, received_at, msgspec.json.encode(ids).decode()])
        accepted = {message_id for (message_id,) in cursor.fetchall()}
    return [item for item in first.values() if item.message_id in accepted or not item.repeatable]


def _row(item: Item, person: Person) -> log.Row:
    assert person.profile_id is not None
    return log.Row(
        profile_id=person.profile_id,
        type=item.type,
        name=item.name,
        properties=item.properties,
        context=item.context,
        extra=item.extra,
        timestamp=item.timestamp,
        message_id=item.message_id,
        pending=item.pending,
    )


def _remember(heard: Iterable[tuple[Item, Person]], received_at: datetime) -> None:
    """Fold what the items say about each person, in their order, and write it where it says anything new."""
    news: dict[Person, traits.News] = {}
    for item, person in heard:
        about = news.get(person) or news.setdefault(person, traits.News())
        about.traits |= item.traits
        about.time_zone = item.time_zone or about.time_zone
        about.language = item.language or about.language
        if item.active:
            # Not later than now, whatever the sender's clock says.
            seen_at = min(item.timestamp, received_at)
            about.seen_at = max(about.seen_at or seen_at, seen_at)
    traits.apply({person: about for person, about in news.items() if about.matters_to(person)})
