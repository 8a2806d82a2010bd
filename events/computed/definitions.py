"""What computed traits there are, what each reckons, and what is wrong with one that somebody wants to make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from events import catalog
from events.conditions import ConditionError, Performed, What, parse, times, walk
from events.models import ComputedTrait, PropertyStat
from events.segments.live import needs_zone
from events.vocabulary import About, Word

Function = ComputedTrait.Function
# These reckon with events alone, whatever their properties.
WITHOUT_PROPERTY = frozenset({Function.COUNT, Function.FIRST_TIME, Function.LAST_TIME})
# These can show several properties of an event, as an object.
WITH_OBJECTS = frozenset({Function.FIRST, Function.LAST, Function.MOST_FREQUENT, Function.LAST_VALUES})
MAX_PROPERTIES = 10
# What sending goes by, and what every person has in templates.
RESERVED = frozenset(
    ("id", "user_id", "anonymous_id", "cio_id", "email", "phone", "created_at", "unsubscribed")
    + ("timezone", "time_zone", "language", "locale")
)
# What changes what a computed trait means.
MEANING = ("function", "event_type", "event", "properties", "where", "within", "number")


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Definition:
    """A computed trait, read: ``past`` says which events of which time, ``paths`` which of their properties.

    ``names`` are the keys under which an object shows the properties.
    """

    pk: int
    name: str
    function: str
    past: Performed
    paths: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    number: int


def read(row: ComputedTrait) -> Definition:
    """Return what ``row`` means. Raises ConditionError."""
    where = None if row.where is None else _where(row.where, row.event)
    windows = [timedelta(days=row.reach_days)] if row.reach_days else []
    windows += [found for found in [times.span(row.within)] if found]
    since = -min(windows) if windows else None
    paths = tuple(tuple(path.split(".")) for path in row.properties)
    past = Performed(What(row.event, where, row.event_type), since)
    return Definition(row.pk or 0, row.name, row.function, past, paths, tuple(path[-1] for path in paths), row.number)


def _where(tree: object, event: str) -> Any:
    """Read a condition on an event's properties as the language does."""
    try:
        found = parse({"event": event or "-", "where": tree})
    except ConditionError as error:
        raise ConditionError(error.path.removeprefix("where").removeprefix("."), error.message) from None
    assert isinstance(found, Performed)
    return found.what.where


def compares_days(definition: Definition) -> bool:
    """Say whether another time zone of the person may be another value."""
    return any(map(needs_zone, walk(definition.past)))


def problems(row: ComputedTrait) -> dict[str, str]:
    """Return what is wrong by field, in words that say what to do. Names that others use are not its business."""
    found: dict[str, str] = {}
    if row.name in RESERVED:
        found["name"] = f"{row.name} is what Cuebird itself goes by. Choose another name, such as {row.name}_seen."
    if not row.event.strip() or "\0" in row.event:
        found["event"] = "Name the event, page or screen it is about."
    if row.within and times.span(row.within) is None:
        found["within"] = "Write a time span such as 10m, 24h, 30d or 2w, or leave this empty."
    if problem := _problem_of_properties(row):
        found["properties"] = problem
    if row.where is not None:
        try:
            _where(row.where, row.event)
        except ConditionError as error:
            found["where"] = str(error)
    return found


def _problem_of_properties(row: ComputedTrait) -> str:
    paths = row.properties
    if not isinstance(paths, list) or not all(isinstance(path, str) and _is_path(path) for path in paths):
        return "Name properties by letters, with dots where they are nested, such as total or product.name."
    if row.function in WITHOUT_PROPERTY:
        return "This reckons with the events alone. Leave it empty." if paths else ""
    if not paths:
        return "Name the property to reckon with."
    if row.function not in WITH_OBJECTS:
        return "This reckons with one property. Name only that." if len(paths) > 1 else ""
    if len(paths) > MAX_PROPERTIES:
        return f"At most {MAX_PROPERTIES} properties can be shown together."
    names = [path.split(".")[-1] for path in paths]
    if twice := next((name for name in names if names.count(name) > 1), None):
        return f"Two of them would be called {twice} in templates. Leave one out."
    return ""


def _is_path(path: str) -> bool:
    return bool(path) and len(path) <= 200 and "\0" not in path and all(path.split("."))


def is_sent(name: str) -> bool:
    """Say whether applications send a trait of this name. One statement."""
    return PropertyStat.objects.filter(definition__name=catalog.TRAITS, path=name).exists()


def gives(row: ComputedTrait) -> str:
    """Return the JSON type of its values as the catalogue calls it; "" where that is for the property to say."""
    match row.function:
        case Function.LAST_VALUES:
            return "array"
        case Function.FIRST_TIME | Function.LAST_TIME:
            return "string"
        case Function.FIRST | Function.LAST | Function.MOST_FREQUENT:
            return "object" if len(row.properties) > 1 else ""
    return "number"


def names(about: About) -> list[Word]:
    """Return computed traits as names that conditions can speak of, for ``vocabulary``."""
    return [Word(row.name, gives(row), "computed from events") for row in ComputedTrait.objects.all()]


_read: dict[int, tuple[tuple[int, int | None], Definition]] = {}


def current(ids: Iterable[int] | None = None) -> list[Definition]:
    """Return all computed traits, or those with ``ids``; not those that are going. One statement, and one for new ones.

    One that cannot be read any more stays as it was.
    """
    found = ComputedTrait.objects.exclude(state=ComputedTrait.State.GOING).order_by("pk")
    if ids is not None:
        found = found.filter(pk__in=list(ids))
    rows = list(found.values_list("pk", "revision", "reach_days"))
    _learn({pk: key for pk, *key in rows if _read.get(pk, (None,))[0] != tuple(key)})
    return [_read[pk][1] for pk, *_ in rows if pk in _read]


def _learn(new: Mapping[int, Sequence[Any]]) -> None:
    if not new:
        return
    for row in ComputedTrait.objects.filter(pk__in=new):
        try:
            _read[row.pk] = (row.revision, row.reach_days), read(row)
        except ConditionError:
            _read.pop(row.pk, None)
