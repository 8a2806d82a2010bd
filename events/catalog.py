"""What event names, properties and traits there are, learned from traffic.

Track calls stand under their names; other calls under their kind, such as ``[identify]``, whose properties are the
traits. Names are complete, as they come from the counts. Properties are learned from samples of the newest events: one
that commits late may be missed, which does not matter to shares. Figures slide: beyond ``SLIDE`` observed events they
are halved, so that they are about the recent ones.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Max, Sum
from django.utils import timezone

from events import counts
from events.models import Event, EventCount, EventCountChange, EventDefinition, PropertyStat

TRAITS = "[identify]"
# Bounds: events looked at in one run, names altogether, properties of a name and of one event, levels of nesting.
SAMPLE = 2_000
MAX_NAMES = 2_000
MAX_PATHS = 200
MAX_PATHS_PER_EVENT = 100
MAX_DEPTH = 3
MAX_PATH = 100
SLIDE = 10_000
LATELY_DAYS = 14
EXAMPLES = 5
EXAMPLE_LETTERS = 60
# What nobody has said anything about may go.
UNWANTED: dict[str, Any] = {
    "expected": False,
    "description": "",
    "rename_to": "",
    "schema__isnull": True,
    "throttle_seconds__isnull": True,
    "retention_days__isnull": True,
}
# In this order: true and false are numbers to Python.
KINDS = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
# What a text or number under such a name says is somebody's own, and never an example.
PERSONAL = re.compile(
    r"name|mail|phone|mobile|address|street|city|zip|postal|birth|token|secret|passw|key|card|iban|\bip\b|(^|[._])id$|Id$",
    re.IGNORECASE,
)


@dataclass(slots=True)
class Seen:
    """What a sample says of one property; ``values`` are those who may be examples, by people."""

    filled: int = 0
    types: Counter[str] = field(default_factory=Counter)
    values: dict[str, set[int]] = field(default_factory=dict)


@dataclass(slots=True)
class Observed:
    """What a sample says of one name."""

    count: int = 0
    newest: int = 0
    last_seen_at: datetime | None = None
    paths: dict[str, Seen] = field(default_factory=dict)


# --- Reading -----------------------------------------------------------------------------------------------------


def names(prefix: str = "", limit: int = 200) -> list[str]:
    """Return names of track events that have been seen or planned, in order of the alphabet."""
    found = EventDefinition.objects.exclude(name__startswith="[").filter(name__istartswith=prefix)
    return list(found.order_by("name").values_list("name", flat=True)[:limit])


def events_to_choose(limit: int) -> list[str]:
    """Return names that events are stored under, seen or planned: the frequent ones of late first. Two statements."""
    volume = volumes()
    known = EventDefinition.objects.filter(rename_to="").exclude(name__startswith="[").values_list("name", flat=True)
    return sorted(known, key=lambda name: (-volume.get(name, 0), name))[:limit]


def volumes(days: int = LATELY_DAYS) -> dict[str, int]:
    """Return how many events of each name came in within ``days``, the most frequent first. One statement."""
    since = timezone.now() - timedelta(days=days)
    counted = EventCount.objects.filter(hour__gte=since).values_list("name").annotate(total=Sum("count"))
    return dict(counted.order_by("-total")[:MAX_NAMES])


def is_full() -> bool:
    """Say whether there are as many names as are learned."""
    return EventDefinition.objects.count() >= MAX_NAMES


def properties(name: str) -> list[PropertyStat]:
    """Return what is known of an event's properties, the most filled first."""
    return list(PropertyStat.objects.filter(definition__name=name).order_by("-filled", "path"))


def traits() -> list[PropertyStat]:
    """Return what is known of people's traits, the most filled first."""
    return properties(TRAITS)


def spelled_like(name: str, known: Iterable[str], likeness: float = 0.7) -> str:
    """Return the one of the ``known`` names that is spelled most like ``name``; "" for none as like as that (to 1)."""
    by_letters = {each.casefold(): each for each in known}
    close = difflib.get_close_matches(name.casefold(), by_letters, 1, likeness)
    return by_letters[close[0]] if close else ""


def suggested_schema(definition: EventDefinition) -> dict[str, Any] | None:
    """Return a schema that what was seen keeps to: types, and as required what was always there. None before that."""
    stats = [stat for stat in definition.properties.order_by("path") if "." not in stat.path and stat.types]
    if not stats:
        return None
    return {
        "type": "object",
        "properties": {stat.path: {"type": _schema_type(stat.types)} for stat in stats},
        "required": [stat.path for stat in stats if stat.filled >= definition.observed],
    }


def _schema_type(types: Mapping[str, int]) -> str | list[str]:
    kinds = sorted(types)
    return kinds[0] if len(kinds) == 1 else kinds


# --- Learning ----------------------------------------------------------------------------------------------------

LEARNER = 0x0CA7A106
NEW = """
SELECT e.id, e.type, e.name, e.profile_id, e.received_at, e.properties
FROM events_event e JOIN events_profile p ON p.id = e.profile_id AND NOT p.is_test
WHERE e.id > %s ORDER BY e.id LIMIT %s
"""


def learn() -> int:
    """Look at the newest events since last time, at most ``SAMPLE``. Returns how many; one process at a time does."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LEARNER])
        if not cursor.fetchone()[0]:
            return 0
        learned_to = EventDefinition.objects.aggregate(to=Max("learned_to"))["to"] or 0
        newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
        cursor.execute(NEW, [max(learned_to, newest - SAMPLE), SAMPLE])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        sample = observe(rows)
        _write(sample, _counted())
    return len(rows)


def observe(rows: Iterable[tuple[Any, ...]]) -> dict[str, Observed]:
    """Fold (id, type, name, profile, time, properties as JSON) into what they say of each name."""
    sample: dict[str, Observed] = {}
    for pk, kind, name, profile_id, at, text in rows:
        observed = sample.setdefault(counts.label(kind, name), Observed())
        observed.count += 1
        observed.newest, observed.last_seen_at = pk, max(observed.last_seen_at or at, at)
        for path, value in _paths(json.loads(text) if isinstance(text, str | bytes) else text):
            if path in observed.paths or len(observed.paths) < MAX_PATHS:
                _see(observed.paths.setdefault(path, Seen()), path, value, profile_id)
    return sample


def _see(seen: Seen, path: str, value: Any, profile_id: int) -> None:
    seen.types[_type(value)] += 1
    if value in (None, "", [], {}):
        return
    seen.filled += 1
    if not isinstance(value, list | dict) and not PERSONAL.search(path):
        text = value if isinstance(value, str) else json.dumps(value)
        if len(text) <= EXAMPLE_LETTERS and "@" not in text:
            seen.values.setdefault(text, set()).add(profile_id)


def _type(value: Any) -> str:
    return next((name for kind, name in KINDS.items() if isinstance(value, kind)), "null")


def _paths(properties: Any) -> Iterator[tuple[str, Any]]:
    """Walk through nested objects, to bounds of depth and number."""
    found = 0
    waiting: list[tuple[str, Any, int]] = [("", properties, 0)]
    while waiting:
        prefix, value, depth = waiting.pop()
        for name, inner in value.items() if isinstance(value, dict) else ():
            path = f"{prefix}{name}"
            if not name or len(path) > MAX_PATH or found >= MAX_PATHS_PER_EVENT:
                continue
            found += 1
            yield path, inner
            if isinstance(inner, dict) and depth + 1 < MAX_DEPTH:
                waiting.append((f"{path}.", inner, depth + 1))


def _counted() -> set[str]:
    """Return the names that have been counted of late: all there were, sampled or not."""
    since = timezone.now() - timedelta(hours=2)
    found: set[str] = set()
    for model in (EventCountChange, EventCount):
        rows = model.objects.filter(hour__gte=since).exclude(name__startswith=counts.THROTTLED)
        found.update(rows.values_list("name", flat=True).distinct()[:MAX_NAMES])
    return found


def _write(sample: Mapping[str, Observed], counted: Collection[str]) -> None:
    now = timezone.now()
    known = set(EventDefinition.objects.filter(name__in={*sample, *counted}).values_list("name", flat=True))
    often = {name: observed.count for name, observed in sample.items()}
    fresh = sorted({*sample, *counted} - known, key=lambda name: (-often.get(name, 0), name))
    fresh = fresh[: _room(fresh, often)]
    EventDefinition.objects.bulk_create(
        (EventDefinition(name=name, first_seen_at=now, last_seen_at=now) for name in fresh), ignore_conflicts=True
    )
    # Locked: who edits a definition in the admin meanwhile writes other columns, after us.
    definitions = list(EventDefinition.objects.select_for_update().filter(name__in=sample).order_by("pk"))
    stats: dict[int, dict[str, PropertyStat]] = {}
    for stat in PropertyStat.objects.filter(definition__in=definitions):
        stats.setdefault(stat.definition_id, {})[stat.path] = stat
    changed: list[PropertyStat] = []
    for definition in definitions:
        changed += _fold(definition, sample[definition.name], stats.get(definition.pk, {}))
    EventDefinition.objects.bulk_update(definitions, ["observed", "learned_to", "first_seen_at", "last_seen_at"], 500)
    columns = ["filled", "types", "examples", "last_seen_at"]
    PropertyStat.objects.bulk_create(
        changed, 1000, update_conflicts=True, unique_fields=["definition", "path"], update_fields=columns
    )


def _room(fresh: Sequence[str], often: Mapping[str, int]) -> int:
    """Return for how many of the ``fresh`` names, the frequent ones first, there is room.

    Where it is crowded a name that nobody wants, and that was seen less often than the fresh one, makes room: so a
    flood of names that are never seen twice does not keep others out. Three statements at most.
    """
    room = max(0, MAX_NAMES - EventDefinition.objects.count())
    crowded = [often.get(name, 0) for name in fresh[room:]]
    if not any(count > 1 for count in crowded):
        return room
    unwanted = EventDefinition.objects.filter(**UNWANTED).exclude(name__in=often).order_by("observed", "last_seen_at")
    rare = unwanted.values_list("pk", "observed")[: len(crowded)]
    leaving = [pk for (pk, observed), count in zip(rare, crowded, strict=False) if observed < count]
    EventDefinition.objects.filter(pk__in=leaving).delete()
    return room + len(leaving)


def _fold(definition: EventDefinition, observed: Observed, stats: dict[str, PropertyStat]) -> list[PropertyStat]:
    """Add a sample to a definition's figures, in memory. Returns the properties that are to be written."""
    at = observed.last_seen_at or timezone.now()
    definition.first_seen_at = definition.first_seen_at or at
    definition.last_seen_at = max(definition.last_seen_at or at, at)
    definition.learned_to = max(definition.learned_to, observed.newest)
    definition.observed += observed.count
    for path, seen in observed.paths.items():
        stat = stats.get(path)
        if stat is None:
            if len(stats) >= MAX_PATHS:
                continue
            stat = stats[path] = PropertyStat(definition=definition, path=path, last_seen_at=at)
        stat.filled += seen.filled
        stat.types = dict(Counter(stat.types) + seen.types)
        stat.examples = _examples(stat.examples, seen)
        stat.last_seen_at = max(stat.last_seen_at, at)
    if definition.observed <= SLIDE:
        return [stats[path] for path in observed.paths if path in stats]
    definition.observed //= 2
    for stat in stats.values():
        stat.filled //= 2
        stat.types = {kind: count // 2 for kind, count in stat.types.items() if count > 1}
    return list(stats.values())


def _examples(known: list[str], seen: Seen) -> list[str]:
    """Return the newest examples: only values that two people at least had, so that none tells of one person."""
    common = [text for text, people in seen.values.items() if len(people) > 1]
    return list(dict.fromkeys([*common, *known]))[:EXAMPLES]
