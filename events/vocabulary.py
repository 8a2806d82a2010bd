"""The names that conditions can speak of: traits, events, pages, groups, and what other rooms' questions speak of.

Names come from the catalogue and from bounded samples of what is newest, so a name that is not here may exist all the
same: nobody may refuse one because of it. Other rooms ``register`` more names
of a kind, such as traits that are reckoned; what stands in the fields of their questions is known by those.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Max

from events import catalog
from events.conditions.kinds import Field, Kind
from events.conditions.kinds import known as foreign_kinds
from events.counts import label
from events.models import Event, EventDefinition, Group, PropertyStat

MAX_WORDS = 2_000
# So many of the newest events, and groups of a type, are looked at for names that no catalogue keeps.
NEWEST_EVENTS = 20_000
NEWEST_GROUPS = 500


@dataclass(frozen=True, slots=True)
class Word:
    """One name. ``seen`` says in words how often it was met, ``examples`` are values of it that tell of nobody."""

    value: str
    type: str = ""
    seen: str = ""
    examples: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What the names belong to, where their kind wants that: an event of a type, or a type of groups."""

    event: str = ""
    type: str = Event.Type.TRACK.value
    group: str = ""


Find = Callable[[About], Iterable[Word]]
NOTHING = About()
_finders: dict[str, list[Find]] = defaultdict(list)


def register(kind: str, find: Find) -> None:
    """Let ``find`` return names of ``kind``, the most used first; called by a room's ``AppConfig.ready``."""
    _finders[kind].append(find)


def own_events(names: Iterable[str]) -> None:
    """Have the events that we tell of ourselves be known before the first of them has come."""
    told = [Word(name, seen="told by Cuebird itself") for name in sorted(set(names))]
    register("event", lambda about: told)


def kinds() -> list[str]:
    """Return all kinds of names, those of other rooms' fields included."""
    return [*_finders, *_fields()]


def of_field(kind: Kind, field: Field) -> str:
    """Return the kind of the names that stand in a field of another room's question."""
    return kind.key if field.key == kind.key else f"{kind.key}.{field.key}"


def words(kind: str, about: About = NOTHING) -> list[Word]:
    """Return the names of ``kind``, the most used first; none for a kind that nobody knows. A few statements."""
    found: dict[str, Word] = {}
    for find in _finders.get(kind, ()):
        for word in find(about):
            found.setdefault(word.value, word)
    if (names := _fields().get(kind)) is not None:
        for value, shown in names():
            found.setdefault(value, Word(value, label=shown))
    return list(found.values())[:MAX_WORDS]


def _fields() -> dict[str, Callable[[], Iterable[tuple[str, str]]]]:
    """Return what lists the names of other rooms' fields."""
    return {
        of_field(kind, field): field.names
        for kind in foreign_kinds().values()
        for field in (kind.form.fields if kind.form else ())
        if field.names is not None
    }


def search(found: Sequence[Word], query: str, limit: int) -> list[Word]:
    """Return those of the names that fit what was typed: they begin with it, contain it, or are spelled like it."""
    wanted = query.strip().casefold()
    texts = {word: f"{word.value} {word.label}".casefold() for word in found}
    begins = [word for word, text in texts.items() if text.startswith(wanted)]
    contains = [word for word, text in texts.items() if wanted in text and not text.startswith(wanted)]
    chosen = [*begins, *contains]
    if not chosen:
        close = difflib.get_close_matches(wanted, [word.value.casefold() for word in found], 5, 0.7)
        chosen = [word for word in found if word.value.casefold() in close]
    return chosen[:limit]


# --- What this room knows ----------------------------------------------------------------------------------------


def _learned(name: str) -> list[Word]:
    """Return the properties of a name of the catalogue with their shares."""
    stats = catalog.properties(name)
    observed = EventDefinition.objects.filter(name=name).values_list("observed", flat=True).first() or 0
    return [_property(stat, observed) for stat in stats]


def _property(stat: PropertyStat, observed: int) -> Word:
    kind = max(stat.types, key=lambda key: stat.types[key], default="")
    share = f"in {_percent(stat.filled, observed)}" if observed else ""
    return Word(stat.path, kind, share, tuple(stat.examples))


def _percent(part: int, whole: int) -> str:
    share = 100 * part / whole
    return f"{share:.0f} %" if share >= 1 or not part else "less than 1 %"


def _traits(about: About) -> list[Word]:
    return _learned(catalog.TRAITS)


def _properties(about: About) -> list[Word]:
    if about.event:
        return _learned(label(about.type, about.event))
    paths = PropertyStat.objects.exclude(definition__name=catalog.TRAITS).order_by("-filled", "path")
    return [Word(stat.path, examples=tuple(stat.examples)) for stat in paths[:MAX_WORDS]]


def _events(about: About) -> list[Word]:
    volumes = catalog.volumes()
    return [
        Word(name, seen=f"{volumes[name]:,} in {catalog.LATELY_DAYS} days" if name in volumes else "none of late")
        for name in catalog.events_to_choose(MAX_WORDS)
    ]


def _named(type_: str) -> Find:
    def find(about: About) -> list[Word]:
        newest = Event.objects.aggregate(newest=Max("pk"))["newest"] or 0
        names = Event.objects.filter(pk__gt=newest - NEWEST_EVENTS, type=type_).exclude(name="")
        counted = Counter(names.values_list("name", flat=True))
        return [Word(name, seen=f"{count:,} of late") for name, count in counted.most_common(MAX_WORDS)]

    return find


GROUP_TYPES = """
WITH RECURSIVE found AS (
    (SELECT type FROM events_group ORDER BY type LIMIT 1)
    UNION ALL
    SELECT (SELECT g.type FROM events_group g WHERE g.type > found.type ORDER BY g.type LIMIT 1)
    FROM found WHERE found.type IS NOT NULL
) SELECT type FROM found WHERE type IS NOT NULL LIMIT %s
"""


def _group_types(about: About) -> list[Word]:
    """Return the types by hopping from one to the next in their index: there are few, and many groups of each."""
    with connection.cursor() as cursor:
        cursor.execute(GROUP_TYPES, [MAX_WORDS])
        return [Word(type_) for (type_,) in cursor.fetchall()]


def _group_traits(about: About) -> list[Word]:
    newest: Any = Group.objects.filter(type=about.group, is_sandbox=False).order_by("-pk")
    rows = list(newest.values_list("pk", "traits")[:NEWEST_GROUPS])
    sample = catalog.observe((pk, Event.Type.GROUP, "", pk, pk, json.dumps(traits)) for pk, traits in rows)
    seen = next(iter(sample.values())).paths if sample else {}
    ordered = sorted(seen.items(), key=lambda pair: (-pair[1].filled, pair[0]))
    return [
        Word(
            path,
            max(what.types, key=lambda key: what.types[key]),
            f"in {_percent(what.filled, len(rows))}",
            tuple(text for text, groups in what.values.items() if len(groups) > 1)[: catalog.EXAMPLES],
        )
        for path, what in ordered
    ]


register("trait", _traits)
register("property", _properties)
register("event", _events)
register(Event.Type.PAGE.value, _named(Event.Type.PAGE.value))
register(Event.Type.SCREEN.value, _named(Event.Type.SCREEN.value))
register("group", _group_types)
register("group_trait", _group_traits)
