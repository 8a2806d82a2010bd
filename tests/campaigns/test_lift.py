"""What a control group shows, and what it does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.engine import lift
from campaigns.engine.lift import ENOUGH, Group, compare

GROUPS = st.integers(ENOUGH, 10_000).flatmap(lambda n: st.integers(0, n).map(lambda reached: Group(n, reached)))


def test_newcombes_own_example_comes_out_as_in_his_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    # Statistics in Medicine 17 (1998), table II, example (a), method 10: 56 of 70 against 48 of 80.
    monkeypatch.setattr(lift, "ENOUGH", 70)
    found = compare(Group(80, 48), Group(70, 56))
    assert found is not None
    assert [round(number, 4) for number in (found.difference, found.low, found.high)] == [0.2, 0.0524, 0.3339]


def test_a_few_people_say_nothing() -> None:
    assert compare(Group(ENOUGH - 1, 0), Group(5_000, 2_500)) is None
    assert compare(Group(5_000, 2_500), Group(ENOUGH - 1, 0)) is None
    assert compare(Group(0, 0), Group(0, 0)) is None


@given(GROUPS, GROUPS)
def test_the_interval_holds_the_difference_and_turns_round_with_the_groups(one: Group, other: Group) -> None:
    found, turned = compare(one, other), compare(other, one)
    assert found is not None and turned is not None
    assert found.low <= found.difference <= found.high
    assert found.difference == pytest.approx(-turned.difference) and found.low == pytest.approx(-turned.high)


def test_equal_groups_are_never_sure_and_very_different_ones_are() -> None:
    equal, different = compare(Group(500, 50), Group(500, 50)), compare(Group(500, 50), Group(500, 150))
    assert equal is not None and not equal.is_sure
    assert different is not None and different.is_sure
