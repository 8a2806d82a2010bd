"""How values are spread: bins and cuts held against plain counting, and samples read from the database."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from events import spreads
from events.models import Group
from events.spreads import Bin, Sample
from events.vocabulary import NOTHING, About
from tests.events.test_audience_reference import settings_of_the_reference
from tests.factories import make_event, make_profile

floats = st.lists(st.one_of(st.integers(-1000, 1000), st.floats(-1e6, 1e6)), min_size=1, max_size=200).map(sorted)
OPERATORS = {"gt": float.__gt__, "gte": float.__ge__, "lt": float.__lt__, "lte": float.__le__}


@settings_of_the_reference(200)
@given(floats)
def test_bins_hold_every_number_once(ordered: list[float]) -> None:
    found = spreads.bins(ordered)
    assert sum(each.number for each in found) == len(ordered)
    assert len(found) <= spreads.BINS + 3
    for each in found:
        inside = [number for number in ordered if each.low <= number and (each.open or number < each.high)]
        assert each.number == len(inside)
    assert all(one.high == other.low for one, other in zip(found, found[1:], strict=False))


@settings_of_the_reference(200)
@given(floats, st.sampled_from(sorted(OPERATORS)), st.floats(-1000, 1000))
def test_a_share_is_that_of_plain_counting(ordered: list[float], operator: str, cut: float) -> None:
    wanted = sum(OPERATORS[operator](float(number), cut) for number in ordered) / len(ordered)
    assert spreads.share(ordered, operator, cut) == pytest.approx(wanted)
    for part, at in spreads.advice(ordered, operator):
        assert part == spreads.share(ordered, operator, at) and 0 < part < 1


def test_advice_gives_the_cut_for_round_shares() -> None:
    ordered = list(range(1, 101))
    assert spreads.advice(ordered, "gte") == [(0.5, 51), (0.25, 76), (0.1, 91), (0.05, 96), (0.01, 100)]
    assert spreads.advice([], "gte") == [] == spreads.advice([7, 7, 7], "gte")


def test_bins_begin_at_round_numbers_and_those_far_out_are_kept_together() -> None:
    assert spreads.bins([1, 2, 2, 3])[:3] == [Bin(1, 2, 1), Bin(2, 3, 2), Bin(3, 4, 1)]
    found = spreads.bins([*range(200), 100_000])
    assert found[0] == Bin(0, 10, 10) and found[-1] == Bin(200, 200, 1, open=True)
    assert spreads.bins([5.5]) == [Bin(5, 6, 1)] and spreads.bins([]) == []


def test_values_of_one_person_or_of_personal_names_are_not_told() -> None:
    of = Sample([(1, "pro"), (2, "pro"), (3, "free"), (3, "free"), (4, ["pro", "x"]), (5, None), (6, "a@b.c")], False)
    assert [(each.value, round(each.share, 2)) for each in spreads.common(of, ("plan",))] == [("pro", 0.43)]
    assert spreads.common(of, ("email",)) == [] == spreads.common(of, ("address", "city"))


def test_true_one_and_the_text_1_are_three_values() -> None:
    rows: Any = [(1, True), (2, True), (1, 1), (2, 1), (1, "1"), (2, "1")]
    assert {repr(each.value) for each in spreads.common(Sample(rows, False), ("x",))} == {"True", "1", "'1'"}


@pytest.mark.django_db
def test_samples_are_of_people_groups_and_the_newest_events(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    for number in range(3):
        ada = make_profile(traits={"a": {"b": number}})
        make_event(ada, "Left", {"seconds": number}, timestamp=now - timedelta(days=number))
        Group.objects.create(type="company", key=str(number), traits={"seats": number})
    make_event(make_profile(traits={"a": {"b": 99}}, is_test=True), "Left", {"seconds": 99})
    event = About(event="Left")
    assert spreads.numbers(spreads.sample("trait", ("a", "b"), NOTHING, now, 30)) == [0, 1, 2]
    assert spreads.numbers(spreads.sample("property", ("seconds",), event, now, 30)) == [0, 1, 2]
    assert spreads.numbers(spreads.sample("property", ("seconds",), event, now, 1)) == [0]
    assert spreads.numbers(spreads.sample("group_trait", ("seats",), About(group="company"), now, 30)) == [0, 1, 2]
    monkeypatch.setattr(spreads, "SAMPLE", 2)
    found = spreads.sample("property", ("seconds",), event, now, 30)
    assert spreads.numbers(found) == [0, 1] and found.cut_off
    assert spreads.sample("trait", ("a", "b"), NOTHING, now, 30).cut_off


@pytest.mark.django_db
def test_numbers_that_cannot_be_reckoned_with_are_passed_over() -> None:
    ada = make_profile()
    for value in (3, True, "4", 10**400, None):
        make_event(ada, "Left", {"seconds": value})
    found = spreads.sample("property", ("seconds",), About(event="Left"), timezone.now(), 1)
    assert spreads.numbers(found) == [3]
