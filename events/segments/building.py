"""Ask everybody once a segment's condition is new, a slice at a time; what comes in meanwhile is followed as ever.

Lists that are made of a search are filled the same way.
"""

from __future__ import annotations

import time

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from events import older
from events.giving_way import lost_a_deadlock
from events.models import ComputedTrait, Profile, Segment
from events.segments import changes, gathering, live, membership

SLICE = 1_000
PAUSE_SECONDS = 0.05
NEXT = "SELECT id FROM events_profile WHERE id > %s ORDER BY id LIMIT %s FOR NO KEY UPDATE"


def build(deadline: float) -> bool:
    """Go on building until all is done or ``time.monotonic()`` passes ``deadline``. Returns whether more is left."""
    begin_in_zone()
    while time.monotonic() < deadline:
        try:
            done = build_slice()
            if done is None:
                time.sleep(PAUSE_SECONDS)
                continue
            if not done:
                return False
            # So that its page shows how it grows, and is right as soon as it is read again at the end.
            changes.fold()
        except OperationalError as error:
            if not lost_a_deadlock(error):
                raise
    return True


def begin_in_zone() -> None:
    """Have everybody asked again where days count, once the installation reckons in another time zone.

    One statement as long as it does not.
    """
    zone = settings.FALLBACK_TIME_ZONE
    others = Segment.objects.exclude(reckoned_in=zone).filter(kind=Segment.Kind.DYNAMIC)
    known = dict(others.values_list("pk", "reckoned_in"))
    if known:
        moved = [pk for pk in live.watching_zones(live.current(known)) if known[pk]]
        others.filter(pk__in=moved).update(**older.afresh())
        others.filter(pk__in=known).update(reckoned_in=zone)


@transaction.atomic
def build_slice() -> bool | None:
    """Ask about the next people of a segment that is being built. Returns False when there is none to build.

    Returns None when ``older`` transactions have to end first: then there is nothing to do but that.
    Whoever is found in it had been so before: nobody is told.
    """
    segment = (
        Segment.objects.select_for_update(skip_locked=True, no_key=True)
        .filter(state=Segment.State.BUILDING)
        .order_by("build_started_at", "pk")
        .first()
    )
    if segment is None:
        return False
    if older.are_under_way(segment):
        return None
    with connection.cursor() as cursor:
        cursor.execute(NEXT, [segment.built_to, SLICE])
        people = [pk for (pk,) in cursor.fetchall()]
    now = timezone.now()
    found = live.current([segment.pk])
    if people and (found or segment.gather is not None):
        if found:
            membership.ask({found[0]: people}, now, {segment.pk: ("its condition is new", None)})
        else:
            gathering.take(segment, people)
        segment.built_to = people[-1]
        segment.save(update_fields=["built_to"])
    else:
        segment.state = Segment.State.LIVE
        if segment.build_started_at:
            segment.build_seconds = (now - segment.build_started_at).total_seconds()
        segment.gather = None
        segment.save(update_fields=["state", "build_seconds", "gather"])
    return True


def percent(row: Segment | ComputedTrait) -> int:
    """Return how much of everybody has been asked, in percent: 100 only once it is done. One statement at most."""
    if row.state != row.State.BUILDING:
        return 100
    last = Profile.objects.order_by("-pk").values_list("pk", flat=True).first() or 1
    return min(99, 100 * max(0, row.built_to) // last)
