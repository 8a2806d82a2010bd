"""Where a queryset keeps what a condition speaks of, and which moment is asked about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import DateTimeField, ExpressionWrapper, F, Func, OuterRef, TextField, Value
from django.db.models.functions import Coalesce, Least, NullIf

from events.conditions.nodes import Moment


@dataclass(frozen=True, slots=True)
class Scope:
    """Field look-ups of a queryset, such as ``profile__traits``, and the moment.

    ``as_of`` is an instant; or the field of the queryset that holds one for each row; or None for that of the event at
    hand: then the queryset is one of events. In both it is ``depth`` subqueries further out. With ``everyone`` the
    candidates are all profiles or many of them: the past is then looked through once and not for each of them.
    """

    profile_id: str
    traits: str
    properties: str | None
    as_of: datetime | str | None
    zone: str = "profile__time_zone"
    everyone: bool = False
    depth: int = 0

    @property
    def moment(self) -> Any:
        """Return the timestamp of the event at hand, or ``as_of``."""
        return self._of_event("timestamp") if self.as_of is None else self._as_of(self.as_of)

    @property
    def arrival(self) -> Any:
        """Return the moment that spans are reckoned from: an event from the future happened when it arrived."""
        if self.as_of is not None:
            return self._as_of(self.as_of)
        return Least(self._of_event("timestamp"), self._of_event("received_at"))

    def inner(self, levels: int = 1) -> Scope:
        """Return the scope of events of the past, so many subqueries further in."""
        return replace(EVENTS, as_of=self.as_of, everyone=self.everyone, depth=self.depth + levels)

    def at(self, moment: Moment) -> Any:
        """Return the instant that ``moment`` means for the person."""
        if isinstance(moment, datetime):
            return _instant(moment) if moment.tzinfo else _local(moment, self.zone_name)
        if isinstance(self.as_of, datetime):
            return _instant(self.as_of + moment)
        return self.arrival + Value(moment)

    @property
    def zone_name(self) -> Any:
        """Return the person's time zone, else the installation's."""
        known = NullIf(F(self.zone), Value("", TextField()))
        return Coalesce(known, Value(settings.FALLBACK_TIME_ZONE, TextField()))

    def _as_of(self, as_of: datetime | str) -> Any:
        if isinstance(as_of, datetime):
            return _instant(as_of)
        return ExpressionWrapper(outer(as_of, self.depth), output_field=DateTimeField())

    def _of_event(self, field: str) -> Any:
        return outer(field, self.depth)


def outer(field: str, levels: int) -> Any:
    """Return a reference to ``field`` of the queryset so many subqueries further out; 0 is the queryset itself."""
    found: Any = F(field) if levels == 0 else OuterRef(field)
    for _ in range(levels - 1):
        found = OuterRef(found)
    return found


def _instant(at: datetime) -> Value:
    return Value(at, DateTimeField())


def _local(at: datetime, zone: Any) -> Func:
    return Func(
        Value(at.isoformat(), TextField()),
        zone,
        template="(%(expressions)s)",
        arg_joiner="::timestamp AT TIME ZONE ",
        output_field=DateTimeField(),
    )


# The events of a batch, each with its own moment.
EVENTS = Scope(profile_id="profile_id", traits="profile__traits", properties="properties", as_of=None)


def profiles(as_of: datetime, *, everyone: bool = False) -> Scope:
    """Return the scope of a queryset of profiles: a few that are named, or with ``everyone`` all of them."""
    return Scope("id", "traits", None, as_of, "time_zone", everyone)
