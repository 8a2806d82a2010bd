"""Put the people of a search into a list kept by hand: at once where they are named, else a slice at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from events import nudges, older
from events.models import Profile, Segment
from events.searching import Search
from events.segments import lists

CAUSE = "found in the list of people"


def begin(segment: Segment, search: Search) -> None:
    """Have everybody looked through for whom ``search`` means, in the background. ``segment`` is not saved yet."""
    segment.gather = asdict(search)
    for name, value in older.afresh().items():
        setattr(segment, name, value)
    segment.save()
    nudges.nudge("segments")


def put_in(segment: Segment, ids: Sequence[int]) -> int:
    """Put in those who are named, without a word to campaigns: they had been chosen before anybody could listen."""
    return lists.add(segment, ids, CAUSE, quiet=True)


def take(segment: Segment, people: Sequence[int]) -> None:
    """Put in those of ``people``, whom the caller holds, whom the segment's search means."""
    meant = Search(**segment.gather).people(Profile.objects.filter(pk__in=people)) if segment.gather else None
    if meant is not None:
        put_in(segment, list(meant.values_list("pk", flat=True)))
