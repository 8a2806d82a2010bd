"""Control groups and roll-outs: fair, sticky, and none of them says anything about another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.engine.groups import is_held_out, is_held_out_of_all, is_rolled_out

PEOPLE = range(1, 20_001)
IDS = st.integers(1, 2**63 - 1)
PERCENT = st.integers(0, 100)


def chi_square(members: int, percent: int, people: int) -> float:
    expected = people * percent / 100
    rest = people - expected
    return (members - expected) ** 2 / expected + (people - members - rest) ** 2 / rest


@pytest.mark.parametrize("percent", [1, 5, 10, 25, 50])
@pytest.mark.parametrize(
    "is_in",
    [
        lambda person, percent: is_held_out(3, person, percent),
        lambda person, percent: is_held_out_of_all(person, percent),
        lambda person, percent: is_rolled_out(3, person, percent),
    ],
)
def test_a_group_has_its_share_of_people_whose_ids_follow_each_other(
    is_in: Callable[[int, int], bool], percent: int
) -> None:
    members = sum(is_in(person, percent) for person in PEOPLE)
    # One degree of freedom: by chance alone it is beyond once in 30,000 draws; these draws are always the same.
    assert chi_square(members, percent, len(PEOPLE)) < 17.5


@given(IDS, IDS, PERCENT, PERCENT)
def test_who_is_in_at_a_smaller_share_is_in_at_a_larger_one(campaign: int, person: int, one: int, other: int) -> None:
    small, large = sorted((one, other))
    for is_in in (is_held_out, is_rolled_out):
        assert is_in(campaign, person, large) or not is_in(campaign, person, small)
    assert is_held_out_of_all(person, large) or not is_held_out_of_all(person, small)


@given(IDS, IDS)
def test_nobody_is_in_at_nought_and_everybody_at_a_hundred(campaign: int, person: int) -> None:
    assert not is_held_out(campaign, person, 0) and not is_held_out_of_all(person, 0)
    assert is_rolled_out(campaign, person, 100)


def test_groups_know_nothing_of_each_other() -> None:
    groups: list[Callable[[int], bool]] = [
        lambda person: is_held_out(1, person, 50),
        lambda person: is_held_out(2, person, 50),
        lambda person: is_held_out_of_all(person, 50),
        lambda person: is_rolled_out(1, person, 50),
    ]
    for place, one in enumerate(groups):
        for other in groups[place + 1 :]:
            both = sum(one(person) and other(person) for person in PEOPLE)
            assert chi_square(both, 25, len(PEOPLE)) < 17.5


def test_a_new_version_or_another_process_draws_the_same() -> None:
    # Were these to change, everybody would change groups: whoever was held out would suddenly be written to.
    assert [person for person in range(200) if is_held_out(7, person, 5)] == PINNED_HELD_OUT
    assert [person for person in range(200) if is_rolled_out(7, person, 5)] == PINNED_ROLLED_OUT


PINNED_HELD_OUT = [12, 34, 46, 66, 76, 77, 96, 134, 150, 160, 174, 183]
PINNED_ROLLED_OUT = [58, 78, 82, 88, 114, 144, 146]
