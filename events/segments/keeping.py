"""Make, change and delete segments, by the admin's pages and by API alike."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from events import nudges, older, references
from events.conditions import ConditionError, parse
from events.models import Segment
from events.segments import usage
from events.segments.usage import Use


class Mistake(ValueError):
    """Raised for a segment that cannot be as it is wanted; ``field`` names what is wrong, with the place in it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class InUse(ValueError):
    """Raised for a segment that is used; the message names by what, and ``uses`` lists it."""

    def __init__(self, uses: Collection[Use]) -> None:
        super().__init__(f"It is used by {usage.listed(uses)}. Take it out there first.")
        self.uses = uses


def problems(kind: str, slug: str, condition: Any) -> Iterator[str]:
    """Yield what is wrong with the condition of a segment of a kind and short name; it can be read already."""
    if kind == Segment.Kind.MANUAL and condition is not None:
        yield "A list that is kept by hand has no condition. Leave this empty."
    if kind == Segment.Kind.DYNAMIC and condition is None:
        yield "Say who belongs to it, or choose to add people by hand."
    if condition is not None and slug and (way := usage.circle(slug, condition)):
        yield f"This leads back to the segment itself: {' → '.join(way)}."


def save(segment: Segment, changed: Collection[str]) -> None:
    """Check a segment whose fields ``changed``, and ``store`` it. Raises Mistake."""
    try:
        with transaction.atomic():
            references.hold()
            _check(segment, changed)
            store(segment, changed)
    except IntegrityError:
        raise Mistake("slug", "A segment of this short name or name is there already.") from None


def store(segment: Segment, changed: Collection[str]) -> None:
    """Write what ``changed`` and nothing else, as the beat counts meanwhile; a new condition is asked of everybody."""
    is_new, fields = segment.pk is None, set(changed)
    if "condition" in changed and segment.condition is not None:
        building = older.afresh()
        for name, value in building.items():
            setattr(segment, name, value)
        fields |= building.keys()
        if not is_new:
            segment.revision = F("revision") + 1
            fields.add("revision")
        nudges.nudge("segments")
    segment.save(update_fields=None if is_new else fields)
    segment.refresh_from_db()


@transaction.atomic
def delete(segment: Segment) -> None:
    """Delete a segment. Raises InUse, and leaves it, when something uses it."""
    references.hold()
    if uses := usage.uses(segment):
        raise InUse(uses)
    segment.delete()


def _check(segment: Segment, changed: Collection[str]) -> None:
    try:
        segment.full_clean(exclude=["condition"])
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise Mistake(field, messages[0]) from None
    if "condition" in changed and segment.condition is not None:
        try:
            parse(segment.condition)
        except ConditionError as error:
            raise Mistake(f"condition.{error.path}".rstrip("."), error.message) from None
    for problem in problems(segment.kind, segment.slug, segment.condition):
        raise Mistake("condition", problem)
