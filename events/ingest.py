"""Take in what an application reports: people, their traits, what they did. One transaction, then the answer.

``ingest_many`` is set-based: the number of SQL statements depends on what is in its parcels (new people, traits),
never on how much, nor on how many they are; ``events.grouping`` makes use of that. The stages, in this order: what is
new to its source (``_without_repeated``), who is meant (``_resolve``), what comes too soon (``_timely``), the log
(``_row``), what is known of people (``_remember``) and of groups (``groups.apply``). What the tracking plan does not
let in never gets this far: see ``parcel``. A message id that the source has used before is passed over whole, so a
late repetition of an old identify does not bring old traits back. Concurrent requests about the same people and ids
are safe; see ``events.identities`` for the order of locks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar

import msgspec
from django.db import OperationalError, connection, transaction

from events import counts, groups, identities, log, origin, plan, repetitions, suppression, throttle, traits
from events.api.refusal import Refusal
from events.computed import following
from events.giving_way import lost_a_deadlock
from events.identifying import Person
from events.models import Event, InboundRequest, Source
from events.segments import asking

# A collision or deadlock means that another request got through: so many in a row only happen when something is wrong.
TRIES = 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Item:
    """One call, checked and made ready: ids as text, time corrected, JSON fit to be stored.

    ``properties``, ``context`` and ``extra`` are JSON objects as bytes; ``traits`` are an identify's alone, null for
    what is to be forgotten. ``email`` is there only when the person is to be found by it. ``time_zone`` and
    ``language`` are the device's. Items whose message id was made up here are not ``repeatable``: nobody can send them
    again. ``index`` is the place in the request, for what is to be said about one. ``group`` is there when a group call
    says more than a company's traits.
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
    index: int = 0
    group: groups.Described | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How many items were stored, how many had been before, how many came too soon, and which were refused."""

    accepted: int
    repeated: int
    throttled: int = 0
    refused: tuple[tuple[int, Refusal], ...] = ()


@dataclass(slots=True)
class Parcel:
    """What one request brings: items of one source, and the request itself when it is to be kept. See ``parcel``.

    ``refused`` are items that the tracking plan does not let in, with their indexes; ``windows`` names that it wants
    throttled, with the seconds.
    """

    source: Source
    items: Sequence[Item]
    received_at: datetime
    request: InboundRequest | None = None
    refused: Sequence[tuple[int, Refusal]] = ()
    windows: Mapping[str, int] = field(default_factory=dict)


Pair = tuple[Item, Person]


def parcel(
    source: Source,
    items: Sequence[Item],
    received_at: datetime,
    request: InboundRequest | None = None,
    address: str = "",
) -> Parcel:
    """Make a parcel of the ``items`` as they may be stored of their source. They were sent from ``address``.

    Who answers a request looks at ``refused``, and may set ``request`` to what then is to be kept.
    """
    recognisable = repetitions.recognisable(source, items, received_at)
    screened = plan.screen(source, origin.as_stored(source, recognisable, address))
    return Parcel(source, screened.items, received_at, request, screened.refused, screened.windows)


def ingest(
    source: Source,
    items: Sequence[Item],
    received_at: datetime,
    request: InboundRequest | None = None,
    address: str = "",
) -> Result:
    """Store one parcel by a transaction of its own; see ``ingest_many``."""
    return ingest_many([parcel(source, items, received_at, request, address)])[0]


def ingest_many(
    parcels: Sequence[Parcel], lock_ms: int | None = None, tell: Callable[[Sequence[Result]], None] | None = None
) -> list[Result]:
    """Store all parcels in one transaction: all of them or none. Either all are of sandboxes or none is.

    What is about suppressed people is passed over, and a request that names them is not kept. With ``lock_ms`` no
    lock is waited for longer than that, in milliseconds. ``tell`` gets the results right after the commit, before
    workers are woken. Raises OperationalError when the database cannot take them now.
    """

    def store() -> list[Result]:
        results: list[Result] = []
        if tell is not None:
            transaction.on_commit(lambda: tell(results))
        results += _store(parcels, lock_ms)
        return results

    return in_one_go(store)


def in_one_go(act: Callable[[], T]) -> T:
    """Do ``act`` in a transaction of its own; anew whenever another request has changed the same people meanwhile.

    Raises OperationalError when the database cannot do it now.
    """
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                return act()
        except (identities.Collision, log.ProfileGone):
            continue
        except OperationalError as error:
            if not lost_a_deadlock(error):
                raise
    raise OperationalError(f"other requests came in between {TRIES} times in a row")


def _store(parcels: Sequence[Parcel], lock_ms: int | None) -> list[Result]:
    new = _without_repeated(parcels, lock_ms)
    resolved = iter(_resolve([item for items in new for item in items], parcels[0].source))
    stored = [[pair for pair in islice(resolved, len(items)) if pair] for items in new]
    timely = _timely(parcels, stored)
    _keep_requests(parcels, new, stored, timely)
    arrivals = [(parcel, *pair) for parcel, pairs in zip(parcels, timely, strict=True) for pair in pairs]
    if arrivals:
        log.write([_row(*arrival) for arrival in arrivals])
        moved = _remember(arrivals)
        groups.apply(arrivals, is_sandbox=parcels[0].source.is_sandbox)
        _let_others_follow(arrivals, moved)
    return [
        Result(len(kept), len(parcel.items) - len(items), len(pairs) - len(kept), tuple(parcel.refused))
        for parcel, items, pairs, kept in zip(parcels, new, stored, timely, strict=True)
    ]


LIMIT_WAITS = "SELECT set_config('lock_timeout', %s, true)"

# Sorted, so that two requests with the same ids wait for each other at the first of them and not in a circle; and so
# that the limit holds before the first is written. A statement of its own would cost each single event a round trip.
ACCEPT = f"""
WITH patience AS MATERIALIZED ({LIMIT_WAITS.replace("%s", "coalesce(%s, current_setting('lock_timeout'))")})
INSERT INTO events_acceptedmessage (source_id, message_id, received_at)
SELECT (key->>0)::bigint, key->>1, %s FROM patience, jsonb_array_elements(%s) AS key ORDER BY 1, 2
ON CONFLICT DO NOTHING
RETURNING source_id, message_id
"""


def _without_repeated(parcels: Sequence[Parcel], lock_ms: int | None) -> list[list[Item]]:
    """Return each parcel's items whose message ids are new to the source, the first of each; note the ids.

    Sets the limit for locks. One statement, if anything is to be noted or set.
    """
    first: dict[tuple[int, str], Item] = {}
    for parcel in parcels:
        for item in parcel.items:
            first.setdefault((parcel.source.pk, item.message_id), item)
    ids = [key for key, item in first.items() if item.repeatable]
    limit = None if lock_ms is None else f"{lock_ms}ms"
    if limit and not ids:
        with connection.cursor() as cursor:
            cursor.execute(LIMIT_WAITS, [limit])
    if ids:
        with connection.cursor() as cursor:
            cursor.execute(ACCEPT, [limit, parcels[0].received_at, msgspec.json.encode(ids).decode()])
            for key in set(ids).difference(cursor.fetchall()):
                del first[key]
    return [
        [item for item in parcel.items if first.get((parcel.source.pk, item.message_id)) is item] for parcel in parcels
    ]


def _resolve(items: Sequence[Item], source: Source) -> list[Pair | None]:
    return identities.resolve(items, sandbox=source.is_sandbox) if items else []


def _timely(parcels: Sequence[Parcel], stored: Sequence[Sequence[Pair]]) -> Sequence[Sequence[Pair]]:
    """Leave out what the tracking plan throttles, and count it. No statement where nothing of the kind has come."""
    windows = {name: seconds for parcel in parcels for name, seconds in parcel.windows.items()}
    if not windows:
        return stored
    timely = throttle.timely(stored, windows)
    late = Counter(item.name for pairs in stored for item, _ in pairs)
    late.subtract(item.name for pairs in timely for item, _ in pairs)
    if late.total() and not parcels[0].source.is_sandbox:
        counts.record_throttled(late, parcels[0].received_at)
    return timely


def _keep_requests(
    parcels: Sequence[Parcel],
    new: Sequence[Sequence[Item]],
    stored: Sequence[Sequence[Pair]],
    timely: Sequence[Sequence[Pair]],
) -> None:
    """Store the requests that are to be kept, unless they name suppressed people. One statement or none as a rule."""
    kept = []
    for parcel, items, pairs, arriving in zip(parcels, new, stored, timely, strict=True):
        request = parcel.request
        if request is None:
            continue
        request.accepted = len(arriving)
        request.throttled = len(pairs) - len(arriving)
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


def _let_others_follow(arrivals: Iterable[tuple[Parcel, Item, Person]], moved: Set[int]) -> None:
    """Have segments and computed traits ask about people of what no campaign hears of: nobody will claim it.

    And about those who have ``moved`` to another time zone, which comes with calls of any name.
    """
    heard: dict[tuple[str, str], set[int]] = {}
    for _, item, person in arrivals:
        if not item.pending and person.profile_id is not None:
            heard.setdefault((item.type, item.name), set()).add(person.profile_id)
    following.hear(heard, moved)
    asking.hear(heard, "what was stored as history")
    if told := set().union(*(people for what, people in heard.items() if what[0] == Event.Type.GROUP)):
        asking.groups_changed((), told, groups.CAUSE, quiet=True)
    current = {person.profile_id for _, item, person in arrivals if item.pending}
    asking.zones_changed(moved & current)
    asking.zones_changed(moved - current, quiet=True)


def _remember(arrivals: Iterable[tuple[Parcel, Item, Person]]) -> set[int]:
    """Fold what the items say about each person, in their order, and write it where it says anything new.

    Returns whose time zone is another now.
    """
    news: dict[Person, traits.News] = {}
    for parcel, item, person in arrivals:
        about = news.get(person) or news.setdefault(person, traits.News(history=True))
        about.traits |= item.traits
        about.history = about.history and not (item.pending and item.traits)
        about.time_zone = item.time_zone or about.time_zone
        about.language = item.language or about.language
        if item.active:
            # Not later than now, whatever the sender's clock says.
            seen_at = min(item.timestamp, parcel.received_at)
            about.seen_at = max(about.seen_at or seen_at, seen_at)
    return traits.apply({person: about for person, about in news.items() if about.matters_to(person)})
