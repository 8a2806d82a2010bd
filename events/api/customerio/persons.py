"""Find the people that a whole request names, make those whom nobody knows, and hold all of them. Set-based."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from events import identities, origin
from events.api.customerio.identifiers import Who
from events.identifying import Person
from events.ingest import Item
from events.models import Event, Source


def hold(source: Source, people: Iterable[Who], received_at: datetime) -> dict[Who, int]:
    """Return the profile id of each, stored and held as long as the caller's transaction takes.

    Whoever is suppressed is left out. Raises Collision; see ``ingest.in_one_go``.
    """
    distinct = list(dict.fromkeys(people))
    if not distinct:
        return {}
    named = [
        Item(Event.Type.GROUP, "", received_at, who.user_id, who.anonymous_id, who.email, repeatable=False)
        for who in distinct
    ]
    found = identities.resolve(origin.as_stored(source, named), sandbox=source.is_sandbox)
    ids = {who: _id(pair[1]) for who, pair in zip(distinct, found, strict=True) if pair}
    identities.share(set(ids.values()))
    return ids


def _id(person: Person) -> int:
    assert person.profile_id is not None, "resolve() has stored everybody"
    return person.profile_id
