"""A person's events after a certain one, such as the order after the cart, as a queryset to be asked with others.

An event whose timestamp lies ahead of its arrival counts as having happened when it arrived. Libraries report whole
milliseconds: of two events at the same one, the later in the log came later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import OuterRef, Q, QuerySet, TextField, Value
from django.db.models.functions import Coalesce

from events.audience.compiler import compile_condition
from events.audience.history import HAPPENED
from events.audience.scope import EVENTS
from events.audience.values import JsonAt, Ordered
from events.conditions.nodes import Node
from events.models import Event


@dataclass(frozen=True, slots=True)
class Later:
    """Calls of track that are meant. ``same``: a property whose value the earlier event has as well, as text.

    ``within`` is the time after the earlier one by which they bear their timestamps.
    """

    event: str
    where: Node | None = None
    same: tuple[str, ...] | None = None
    within: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """Where the rows of an outer queryset keep the person and the earlier event: field look-ups.

    ``event_id`` may be NULL there, which is before all.
    """

    at: str = "trigger_at"
    event_id: str = "trigger_event_id"
    properties: str = "trigger"
    profile_id: str = "profile_id"


class _Text(JsonAt):
    """What stands at a path as text, so that 42 and "42" are one order; NULL where there is nothing."""

    function = "jsonb_extract_path_text"
    output_field = TextField()  # type: ignore[assignment]


def events_after(later: Later, earlier: Earlier) -> QuerySet[Event]:
    """Return the events of each outer row's person that came after its earlier event."""
    since = OuterRef(earlier.at)
    at_once = Q(Ordered(HAPPENED, "=", since)) & Q(pk__gt=Coalesce(OuterRef(earlier.event_id), 0))
    # None had happened before its timestamp, which the index knows.
    found = Event.objects.filter(
        Q(Ordered(HAPPENED, ">", since)) | at_once,
        profile_id=OuterRef(earlier.profile_id),
        name=later.event,
        type=Event.Type.TRACK,
        timestamp__gte=since,
    )
    if later.within is not None:
        found = found.filter(timestamp__lte=since + Value(later.within))
    if later.same is not None:
        key = _Text(OuterRef(earlier.properties), later.same)
        found = found.annotate(key=_Text("properties", later.same)).filter(key=key)
    if later.where is not None:
        found = found.filter(compile_condition(later.where, EVENTS))
    return found
