"""Take in what an application reports: people, their traits, what they did. One transaction, then the answer.

``ingest_many`` is set-based: the number of SQL statements depends on what is in its parcels (new people, traits),
never on how much, nor on how many they are; ``events.grouping`` makes use of that. The stages, in this order: what is
new to its source (``_without_repeated``), who is meant (``_resolve``), the log (``_row``), what is known of people
(``_remember``) and of groups (``groups.apply``). A message id that the source has used before is passed over whole, so
a late repetition of an old identify does not bring old traits back. Concurrent requests about the same people and ids
are safe; see ``events.identities`` for the order of locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import msgspec
from django.db import OperationalError, connection, transaction
from psycopg import errors

from events import groups, identities, log, origin, suppression, traits
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


@dataclass(frozen=True, slots=True)
class Parcel:
    """What one request brings: items of one source, and the request itself when it is to be kept."""

    source: Source
    items: Sequence[Item]
    received_at: datetime
    request: InboundRequest | None = None


def parcel(
    source: Source,
    items: Sequence[Item],
    received_at: datetime,
    request: InboundRequest | None = None,
    address: str = "",
) -> Parcel:
    """Make a parcel of the ``items`` as they may be stored of their source. They were sent from ``address``."""
    return Parcel(source, origin.as_stored(source, items, address), received_at, request)


def ingest(
    source: Source,
    items: Sequence[Item],
    received_at: datetime,
    request: InboundRequest | None = None,
    address: str = "",
) -> Result:
    """Store one parcel by a transaction of its own; see ``ingest_many``."""
    return ingest_many([parcel(source, items, received_at, request, address)])[0]


def ingest_many(parcels: Sequence[Parcel]) -> list[Result]:
    """Store all parcels in one transaction: all of them or none. Either all are of sandboxes or none is.

    What is about suppressed people is passed over, and a request that names them is not kept.
    Raises OperationalError when the database cannot take them now.
    """
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                return _store(parcels)
        except (identities.Collision, log.ProfileGone):
            continue
        except OperationalError as error:
            if not isinstance(error.__cause__, errors.DeadlockDetected):
                raise
    raise OperationalError(f"other requests came in between {TRIES} times in a row")


def _store(parcels: Sequence[Parcel]) -> list[Result]:
    new = _without_repeated(parcels)
    resolved = iter(_resolve([item for items in new for item in items], parcels[0].source))
    stored = [[pair for pair in islice(resolved, len(items)) if pair] for items in new]
    _keep_requests(parcels, new, stored)
    arrivals = [(parcel, *pair) for parcel, pairs in zip(parcels, stored, strict=True) for pair in pairs]
    if arrivals:
        log.write([_row(*arrival) for arrival in arrivals])
        _remember(arrivals)
        groups.apply(arrivals, is_sandbox=parcels[0].source.is_sandbox)
    return [
        Result(len(pairs), len(parcel.items) - len(items))
        for parcel, items, pairs in zip(parcels, new, stored, strict=True)
    ]


# Sorted, so that two requests with the same ids wait for each other at the first of them and not in a circle.
ACCEPT = """
INSERT INTO events_acceptedmessage (source_id, message_id, received_at)
SELECT (key->>0)::bigint, key->>1, %s FROM jsonb_array_elements(%s) AS key ORDER BY 1, 2
ON CONFLICT DO NOTHING
RETURNING source_id, message_id
"""


def _without_repeated(parcels: Sequence[Parcel]) -> list[list[Item]]:
    """Return each parcel's items whose message ids are new to the source, the first of each; note the ids."""
    first: dict[tuple[int, str], Item] = {}
    for parcel in parcels:
        for item in parcel.items:
            first.setdefault((parcel.source.pk, item.message_id), item)
    ids = [key for key, item in first.items() if item.repeatable]
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(ACCEPT, [parcels[0].received_at, msgspec.json.encode(ids).decode()])
            for key in set(ids).difference(cursor.fetchall()):
                del first[key]
    return [
        [item for item in parcel.items if first.get((parcel.source.pk, item.message_id)) is item] for parcel in parcels
    ]


def _resolve(items: Sequence[Item], source: Source) -> list[tuple[Item, Person] | None]:
    return identities.resolve(items, sandbox=source.is_sandbox) if items else []


def _keep_requests(
    parcels: Sequence[Parcel], new: Sequence[Sequence[Item]], stored: Sequence[Sequence[tuple[Item, Person]]]
) -> None:
    """Store the requests that are to be kept, unless they name suppressed people. One statement or none as a rule."""
    kept = []
    for parcel, items, pairs in zip(parcels, new, stored, strict=True):
        request = parcel.request
        if request is None:
            continue
        request.accepted = len(pairs)
        request.pk = None
        whole = len(items) == len(parcel.items) and not request.rejected
        if len(pairs) == len(items) and (whole or not suppression.concerns(request)):
            kept.append(request)
    if kept:
        InboundRequest.objects.bulk_create(kept)


def _row(parcel: Parcel, item: Item, person: Person) -> log.Row:
    assert person.profile_id is not None
    return log.Row(
        profile_id=person.profile_id,
        source_id=parcel.source.pk,
        request_id=parcel.request.pk if parcel.request else None,
        received_at=parcel.received_at,
        type=item.type,
        name=item.name,
        properties=item.properties,
        context=item.context,
        extra=item.extra,
        timestamp=item.timestamp,
        message_id=item.message_id,
        pending=item.pending,
    )


def _remember(arrivals: Iterable[tuple[Parcel, Item, Person]]) -> None:
    """Fold what the items say about each person, in their order, and write it where it says anything new."""
    news: dict[Person, traits.News] = {}
    for parcel, item, person in arrivals:
        about = news.get(person) or news.setdefault(person, traits.News())
        about.traits |= item.traits
        about.time_zone = item.time_zone or about.time_zone
        about.language = item.language or about.language
        if item.active:
            # Not later than now, whatever the sender's clock says.
            seen_at = min(item.timestamp, parcel.received_at)
            about.seen_at = max(about.seen_at or seen_at, seen_at)
    traits.apply({person: about for person, about in news.items() if about.matters_to(person)})
