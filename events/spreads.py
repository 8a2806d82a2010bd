"""How the values of a trait or property are spread of late: what to compare with, and at which number to cut.

Every answer rests on a bounded sample: people chosen at random, or the newest events of a name. Values that tell of
one person are not told: see ``catalog.PERSONAL``.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import TextField
from django.db.models.functions import Cast

from events import catalog, patience, people
from events.audience.values import JsonAt
from events.models import Event, Group, Profile
from events.vocabulary import About

SECONDS = 3
SAMPLE = 20_000
BINS = 20
QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
SHARES = (0.5, 0.25, 0.1, 0.05, 0.01)
# A chart leaves out what lies farther out than this many times the width that nearly all keep to.
FAR = 2
TOO_LARGE = 1e300
# What the sizes of steps between bins begin with.
NICE = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of JSON, each with who had it. ``cut_off`` says that there are more than were looked at."""

    rows: Sequence[tuple[int, Any]]
    cut_off: bool


@dataclass(frozen=True, slots=True)
class Value:
    value: str | float | bool
    share: float


@dataclass(frozen=True, slots=True)
class Bin:
    """``number`` values from ``low`` (included) up to ``high``. An ``open`` one has all from there on."""

    low: float
    high: float
    number: int
    open: bool = False


def sample(kind: str, path: tuple[str, ...], about: About, now: datetime, days: int) -> Sample:
    """Return values of a trait, group_trait, or property of the last ``days``. Raises TooLong. Two statements."""
    with patience.at_most(SECONDS):
        if kind == "trait":
            return _of_people(path)
        if kind == "group_trait":
            rows: Any = Group.objects.filter(type=about.group, is_sandbox=False).order_by("-pk")
            return _read(rows, "pk", "traits", path)
        since = now - timedelta(days=days)
        events = Event.objects.filter(type=about.type, name=about.event, timestamp__gt=since, profile__is_test=False)
        return _read(events.order_by("-timestamp"), "profile_id", "properties", path)


def _of_people(path: tuple[str, ...]) -> Sample:
    everybody = Profile.objects.filter(is_test=False)
    if Profile.objects.order_by().values("pk")[: SAMPLE + 1].count() <= SAMPLE:
        return _read(everybody, "pk", "traits", path)
    chosen = everybody.filter(pk__in=people.ids_at_random(SAMPLE))
    return Sample(_read(chosen, "pk", "traits", path).rows, cut_off=True)


def _read(rows: Any, owner: str, column: str, path: tuple[str, ...]) -> Sample:
    found = list(rows.annotate(found=Cast(JsonAt(column, path), TextField())).values_list(owner, "found")[: SAMPLE + 1])
    values = [(who, json.loads(text)) for who, text in found[:SAMPLE] if text is not None]
    return Sample(values, len(found) > SAMPLE)


# --- Which values there are --------------------------------------------------------------------------------------


def common(of: Sample, path: tuple[str, ...]) -> list[Value]:
    """Return the values that two people at least have, the frequent ones first; of lists, what is in them.

    None of a name under which people tell who they are.
    """
    if catalog.PERSONAL.search(".".join(path)):
        return []
    number: dict[str, int] = defaultdict(int)
    owners: dict[str, set[int]] = defaultdict(set)
    for who, value in of.rows:
        for text in {json.dumps(each) for each in _scalars(value)}:
            number[text] += 1
            owners[text].add(who)
    shared = [text for text in number if len(owners[text]) > 1]
    ordered = sorted(shared, key=lambda text: (-number[text], text))
    return [Value(json.loads(text), number[text] / len(of.rows)) for text in ordered]


def _scalars(value: Any) -> Iterator[Any]:
    for each in value if isinstance(value, list) else [value]:
        short = isinstance(each, str) and len(each) <= catalog.EXAMPLE_LETTERS and "@" not in each
        if (short and each) or isinstance(each, bool) or _is_number(each):
            yield each


# --- Where to cut ------------------------------------------------------------------------------------------------


def numbers(of: Sample) -> list[float]:
    """Return the numbers among the values, in order; true and false are none."""
    return sorted(value for _, value in of.rows if _is_number(value))


def _is_number(value: Any) -> bool:
    """JSON may hold numbers beyond what can be reckoned with here: they are passed over."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < TOO_LARGE


def share(ordered: Sequence[float], operator: str, cut: float) -> float:
    """Return which part of the numbers is more ("gt"), at least, less or at most ("lte") ``cut``; 0 of none."""
    below = bisect_left(ordered, cut) if operator in ("gte", "lt") else bisect_right(ordered, cut)
    part = below if operator in ("lt", "lte") else len(ordered) - below
    return part / len(ordered) if ordered else 0.0


def quantile(ordered: Sequence[float], q: float) -> float:
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def advice(ordered: Sequence[float], operator: str) -> list[tuple[float, float]]:
    """Return (share, cut) for round shares: where to cut, and which part meets the comparison there in truth."""
    found: dict[float, float] = {}
    for wanted in SHARES if ordered else ():
        cut = quantile(ordered, wanted if operator in ("lt", "lte") else 1 - wanted)
        found.setdefault(cut, share(ordered, operator, cut))
    return [(part, cut) for cut, part in found.items() if 0 < part < 1]


def bins(ordered: Sequence[float]) -> list[Bin]:
    """Return up to ``BINS`` bins of equal width between round numbers; the few that lie far out are in an open one."""
    if not ordered:
        return []
    low, high = ordered[0], ordered[-1]
    usual = quantile(ordered, 0.99)
    if high - low > FAR * (usual - low) > 0:
        high = usual
    step = _step((high - low) / BINS, all(float(each).is_integer() for each in ordered))
    first = math.floor(low / step)
    last = math.floor(high / step)
    edges = [float(f"{index * step:.12g}") for index in range(first, last + 2)]
    edges[0] = min(edges[0], low)
    places = [bisect_left(ordered, edge) for edge in edges]
    found = [Bin(edges[index], edges[index + 1], places[index + 1] - places[index]) for index in range(len(edges) - 1)]
    beyond = len(ordered) - places[-1]
    return [*found, Bin(edges[-1], edges[-1], beyond, open=True)] if beyond else found


def _step(least: float, whole: bool) -> float:
    """Return the next round number: 1, 2 or 5 times a power of ten; of whole numbers at least 1."""
    if least <= 0:
        return 1
    power = 10.0 ** math.floor(math.log10(least))
    step = next(power * nice for nice in NICE if power * nice >= least * (1 - 1e-9))
    return max(1, step) if whole else step
