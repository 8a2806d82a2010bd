"""Lists kept by hand: put people in and take them out, and tell campaigns."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from events.models import Profile, Segment, SegmentMember
from events.segments import changes
from events.segments.changes import Answer

HOLD = "SELECT id FROM events_profile WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"


BY_HAND = "by hand"


def add(segment: Segment, profile_ids: Collection[int], cause: str = BY_HAND, *, quiet: bool = False) -> int:
    """Put people in; return how many were not in it before. ``cause`` says by what; ``quiet`` tells no campaign."""
    return _set(segment, profile_ids, cause, is_in=True, quiet=quiet)


def remove(segment: Segment, profile_ids: Collection[int], cause: str = BY_HAND, *, quiet: bool = False) -> int:
    """Take people out; return how many were in it. As with ``add``."""
    return _set(segment, profile_ids, cause, is_in=False, quiet=quiet)


def hold(profile_ids: Iterable[int]) -> list[int]:
    """Hold people until the caller's transaction ends, in their order; return those who are there. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD, [sorted(set(profile_ids))])
        return [pk for (pk,) in cursor.fetchall()]


@transaction.atomic
def _set(segment: Segment, profile_ids: Collection[int], cause: str, *, is_in: bool, quiet: bool) -> int:
    assert segment.kind == Segment.Kind.MANUAL
    held = hold(profile_ids)
    member = SegmentMember.objects.filter(segment=segment, profile_id=OuterRef("pk"))
    rows: Any = Profile.objects.filter(pk__in=held).annotate(was_in=Exists(member))
    answers = [
        Answer(segment.pk, segment.slug, segment.name, pk, was_in, is_in, None, is_test, quiet)
        for pk, was_in, is_test in rows.values_list("pk", "was_in", "is_test")
    ]
    return changes.write(answers, timezone.now(), [changes.Ask(segment.pk, cause)])
