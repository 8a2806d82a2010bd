"""The compiler against the slow reference: random people, histories and trees, asked of a real PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import BooleanField, ExpressionWrapper
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.audience import compile_condition, profiles
from events.conditions import parse
from events.models import Event, Profile
from tests.events.reference import Happening, Somebody, holds

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
ZONES = ("UTC", "Europe/Vienna", "America/New_York")
TEXTS = ("pro", "prof", "30", "", "2026-03-29", "2026-03-28T23:30:00Z", "2026-03-29 02:30", "2026-02-30", "Grüß")
scalars = st.sampled_from([*TEXTS, 0, 1, 30, 30.5, -2, True, False, 1774785600, 1774785600000])
values = st.one_of(
    scalars, st.none(), st.lists(scalars, max_size=3), st.dictionaries(st.sampled_from("abc"), scalars, max_size=2)
)
objects = st.dictionaries(st.sampled_from("abc"), values, max_size=3)
paths = st.sampled_from(["a", "b", "c", "a.b", "b.0"])
spans = st.sampled_from(["1m", "30m", "2h", "1d", "2w"])
moments = st.sampled_from(["2026-03-28", "2026-03-29", "2026-03-29T03:00", "2026-03-29T11:30:00Z", "-2h", "+1d", "-1d"])
names = st.sampled_from(["A", "B"])
numbers = st.sampled_from([-2, 0, 0, 1, 30, 30.5, 60])
orderings = st.sampled_from(["gt", "gte", "lt", "lte"])
numeric = st.one_of(st.sampled_from(["is", "is_not"]), orderings)
dated = st.one_of(
    st.fixed_dictionaries({"before": moments}),
    st.fixed_dictionaries({"after": moments}),
    st.fixed_dictionaries({"within_last": spans}),
    st.fixed_dictionaries({"within_next": spans}),
)


def one_of_keys(keys: st.SearchStrategy[str], wanted: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(keys, wanted).map(lambda pair: {pair[0]: pair[1]})


comparisons = st.one_of(
    one_of_keys(st.sampled_from(["is", "is_not", "contains"]), scalars),
    one_of_keys(orderings, numbers),
    one_of_keys(st.just("in"), st.lists(scalars, min_size=1, max_size=3)),
    one_of_keys(st.just("exists"), st.booleans()),
    one_of_keys(st.just("starts"), st.sampled_from(["", "pro", "2"])),
    dated,
)


def about(subject: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(paths, comparisons).map(lambda pair: {subject: pair[0], **pair[1]})


def nested(leaves: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            one_of_keys(st.sampled_from(["all", "any"]), st.lists(inner, min_size=1, max_size=3)),
            one_of_keys(st.just("not"), inner),
        ),
        max_leaves=4,
    )


what = st.fixed_dictionaries({"event": names}, optional={"where": nested(about("property"))})
windows = st.one_of(st.just({}), one_of_keys(st.just("within"), spans), one_of_keys(st.just("since"), moments))
totals = st.tuples(paths, numeric, numbers).map(lambda three: {"property": three[0], three[1]: three[2]})
followed = st.fixed_dictionaries(
    {"event": names, "within": spans}, optional={"where": about("property"), "same": paths}
)
measures = st.one_of(
    st.just({}),
    one_of_keys(st.just("count"), one_of_keys(numeric, st.integers(0, 4))),
    one_of_keys(st.sampled_from(["sum", "min", "max", "avg"]), totals),
    one_of_keys(st.sampled_from(["first", "last"]), dated),
    one_of_keys(st.just("then_not"), followed),
)
past = st.tuples(what, windows, measures).map(lambda parts: parts[0] | parts[1] | parts[2])
sequences = st.fixed_dictionaries(
    {"sequence": st.lists(what, min_size=2, max_size=3)},
    optional={"within": spans, "since": moments, "same": paths},
)
trees = nested(st.one_of(about("trait"), about("property"), past, past, sequences))
instants = st.one_of(
    st.sampled_from([-120, -31, -30, -29, -1, 0, 1, 40]).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    st.integers(-80, 2).map(lambda hours: NOW + timedelta(hours=hours)),
)
properties = st.fixed_dictionaries({}, optional={"a": st.sampled_from([1, 30, None, "pro"]), "b": values, "c": values})
happenings = st.tuples(names, properties, instants, st.sampled_from([0, 0, 0, -40, 40]))
people = st.tuples(objects, st.sampled_from(ZONES), st.lists(happenings, max_size=6))


def store(traits: dict[str, Any], zone: str, past: list[Any]) -> tuple[int, Somebody]:
    profile = Profile.objects.create(traits=traits, time_zone=zone)
    events = Event.objects.bulk_create(
        Event(
            profile=profile,
            type="track",
            name=name,
            properties=properties,
            timestamp=timestamp,
            received_at=timestamp + timedelta(minutes=late),
        )
        for name, properties, timestamp, late in past
    )
    return profile.pk, Somebody(
        traits,
        zone,
        [
            Happening(each.pk, each.type, each.name, each.properties, each.timestamp, each.received_at)
            for each in events
        ],
    )


def happened_by(
    now: datetime, traits: dict[str, Any], zone: str, past: list[Any]
) -> tuple[dict[str, Any], str, list[Any]]:
    """Leave the events that have happened and arrived by ``now``."""
    there = [one for one in past if min(one[2], one[2] + timedelta(minutes=one[3])) <= now]
    return traits, zone, there


def check(persons: list[Any], wanted: list[dict[str, Any]]) -> None:
    """Each tree about each person, asked one by one as well as about everybody: one statement for all."""
    known = dict(store(*person) for person in persons)
    nodes = [parse(tree) for tree in wanted]
    asked = {
        f"{'all' if everyone else 'one'}_{index}": ExpressionWrapper(
            compile_condition(node, profiles(NOW, everyone=everyone)), BooleanField()
        )
        for index, node in enumerate(nodes)
        for everyone in (False, True)
    }
    rows = Profile.objects.filter(pk__in=list(known)).annotate(**asked).values("pk", *asked)
    for row in rows:
        for index, node in enumerate(nodes):
            expected = holds(node, known[row["pk"]], NOW)
            assert row[f"one_{index}"] is expected, wanted[index]
            assert row[f"all_{index}"] is expected, wanted[index]


def settings_of_the_reference(examples: int) -> Any:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[
            HealthCheck.function_scoped_fixture,
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
        ],
    )


def against_the_reference(kind: st.SearchStrategy[dict[str, Any]], examples: int) -> Any:
    """Decorate with settings and arguments: some people, many trees of one kind."""

    def decorate(test: Any) -> Any:
        given_them = given(st.lists(people, min_size=2, max_size=4), st.lists(kind, min_size=5, max_size=15))
        return settings_of_the_reference(examples)(given_them(test))

    return decorate


@against_the_reference(nested(about("trait")), 25)
def test_traits_are_compared_as_the_reference_does(persons: list[Any], wanted: list[dict[str, Any]]) -> None:
    check(persons, wanted)


@against_the_reference(past, 60)
def test_the_past_is_reckoned_as_the_reference_does(persons: list[Any], wanted: list[dict[str, Any]]) -> None:
    check(persons, wanted)


@against_the_reference(sequences, 25)
def test_sequences_are_found_as_the_reference_does(persons: list[Any], wanted: list[dict[str, Any]]) -> None:
    check(persons, wanted)


@against_the_reference(trees, 30)
def test_everything_together_means_what_the_reference_says(persons: list[Any], wanted: list[dict[str, Any]]) -> None:
    check(persons, wanted)
