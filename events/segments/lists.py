"""Lists kept by hand: put people in and take them out, and tell campaigns."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from events import people, present
from events.models import Profile, Segment, SegmentMember
from events.segments import changes
from events.segments.changes import Answer

BY_HAND = "by hand"


def add(segment: Segment, profile_ids: Collection[int], cause: str = BY_HAND, *, quiet: bool = False) -> int:
    """Put people in; return how many were not in it before. ``cause`` says by what; ``quiet`` tells no campaign."""
    return _set(segment, profile_ids, cause, is_in=True, quiet=quiet)


def remove(segment: Segment, profile_ids: Collection[int], cause: str = BY_HAND, *, quiet: bool = False) -> int:
    """Take people out; return how many were in it. As with ``add``."""
    return _set(segment, profile_ids, cause, is_in=False, quiet=quiet)


@transaction.atomic
def _set(segment: Segment, profile_ids: Collection[int], cause: str, *, is_in: bool, quiet: bool) -> int:
    assert segment.kind == Segment.Kind.MANUAL
    held = people.hold(profile_ids)
    member = SegmentMember.objects.filter(segment=segment, profile_id=OuterRef("pk"))
    rows: Any = Profile.objects.filter(pk__in=held).annotate(was_in=Exists(member))
    answers = [
        Answer(segment.pk, segment.slug, segment.name, pk, was_in, is_in, None, is_test, quiet)
        for pk, was_in, is_test in rows.values_list("pk", "was_in", "is_test")
    ]
    return changes.write(answers, present.now(), [changes.Ask(segment.pk, cause)]).people
