"""Tell in the log when a trait changes that somebody watches: ``Trait Changed``, with what it was and what it is.

Whoever wants to hear of a trait says so by ``watch``. Every statement that writes traits compares what is watched as it
writes, so that nothing watched costs nothing; what has changed is appended in the same transaction. A merge tells of
nothing: two people turned out to be one, and nothing has changed about them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec

from events import log, present
from events.models import Event, WatchedTrait

CHANGED = "Trait Changed"
Path = tuple[str, ...]

# For statements that write traits: what is watched, and what of it differs between two columns of traits, as the
# properties of the events to come, NULL where nothing does. A trait that is null is not there.
WATCHED = "watched AS MATERIALIZED (SELECT DISTINCT path FROM events_watchedtrait)"


def changes(before: str, after: str) -> str:
    """Return the expression for changes between the columns ``before`` and ``after``; it needs ``WATCHED``."""
    return f"""(
    SELECT jsonb_agg(jsonb_build_object(
        'trait', array_to_string(w.path, '.'), 'from', {before} #> w.path, 'to', {after} #> w.path))::text
    FROM watched w WHERE coalesce({before} #> w.path, 'null') <> coalesce({after} #> w.path, 'null'))"""


def watch(owner: str, paths: Collection[Path]) -> None:
    """Have changes of the traits at ``paths`` be told from now on, and no others that ``owner`` has wanted before."""
    WatchedTrait.objects.filter(owner=owner).exclude(path__in=[list(path) for path in paths]).delete()
    WatchedTrait.objects.bulk_create(
        [WatchedTrait(owner=owner, path=list(path)) for path in paths], ignore_conflicts=True
    )


def tell(changed: Iterable[tuple[int, str | None]]) -> None:
    """Append what has changed of people, by profile id as ``changes`` has found it. One statement, none for nothing."""
    now = present.now()
    rows = [
        _row(profile_id, bytes(properties), now)
        for profile_id, found in changed
        if found
        for properties in _LIST.decode(found)
    ]
    if rows:
        log.write(rows)


_LIST = msgspec.json.Decoder(list[msgspec.Raw])


def _row(profile_id: int, properties: bytes, now: datetime) -> log.Row:
    return log.Row(
        profile_id=profile_id,
        type=Event.Type.TRACK,
        name=CHANGED,
        properties=properties,
        context=b"{}",
        timestamp=now,
        received_at=now,
    )
