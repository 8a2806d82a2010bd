"""A person's activity log: every event about them, newest first, in pages that begin where the last one ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Q
from django.http import HttpRequest
from django.utils.http import urlencode

from events.models import Event, Profile

PAGE_SIZE = 40

# What a person can choose from, and the types behind it.
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "": ("Everything", ()),
    "events": ("Events", (Event.Type.TRACK,)),
    "traits": ("Changed traits", (Event.Type.IDENTIFY,)),
    "views": ("Pages and screens", (Event.Type.PAGE, Event.Type.SCREEN)),
    "ids": ("Groups and aliases", (Event.Type.GROUP, Event.Type.ALIAS)),
}


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the log, which is ordered by falling time and, within one time, falling id."""

    timestamp: datetime
    event_id: int

    @classmethod
    def parse(cls, text: str) -> Place | None:
        """Read what ``str`` wrote; anything else means the top."""
        moment, _, event_id = text.rpartition("_")
        try:
            return cls(datetime.fromisoformat(moment).replace(tzinfo=UTC), int(event_id))
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        return f"{self.timestamp.astimezone(UTC).replace(tzinfo=None).isoformat()}_{self.event_id}"


@dataclass(frozen=True, slots=True)
class Wish:
    """Which part of the log is wanted, as the address says it."""

    kind: str = ""
    name: str = ""
    before: Place | None = None

    @classmethod
    def of(cls, request: HttpRequest) -> Wish:
        kind = request.GET.get("kind", "")
        name = request.GET.get("name", "").replace("\x00", "").strip()
        return cls(kind if kind in KINDS else "", name, Place.parse(request.GET.get("before", "")))

    def query(self, before: Place | None = None) -> str:
        """Return the address's query part for the same wish at another place."""
        parts = {"kind": self.kind, "name": self.name, "before": str(before or "")}
        return urlencode({key: value for key, value in parts.items() if value})


@dataclass(frozen=True, slots=True)
class Activity:
    """One page. ``older`` is the query part of the next one, "" on the last; ``seen`` tells two pages apart."""

    events: list[Event]
    wish: Wish
    older: str

    @property
    def seen(self) -> str:
        return f"{len(self.events)}.{max((event.pk for event in self.events), default=0)}"


def activity(profile: Profile, wish: Wish) -> Activity:
    """Read one page of the log. One statement, along the index of a person's events by time."""
    found = Event.objects.filter(profile=profile).select_related("source")
    if wish.kind:
        found = found.filter(type__in=KINDS[wish.kind][1])
    if wish.name:
        found = found.filter(name=wish.name)
    if wish.before:
        same_time = Q(timestamp=wish.before.timestamp, pk__lt=wish.before.event_id)
        # The first comparison is implied by the second; it is what the index can use.
        found = found.filter(timestamp__lte=wish.before.timestamp)
        found = found.filter(Q(timestamp__lt=wish.before.timestamp) | same_time)
    rows = list(found.order_by("-timestamp", "-pk")[: PAGE_SIZE + 1])
    last = rows[PAGE_SIZE - 1] if len(rows) > PAGE_SIZE else None
    older = wish.query(Place(last.timestamp, last.pk)) if last else ""
    return Activity(rows[:PAGE_SIZE], wish, older)
