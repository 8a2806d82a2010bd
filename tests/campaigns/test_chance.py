"""Chance that can be repeated: fair, sticky, and independent from one draw to the next."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.engine.chance import draw, pick

NAMES = st.lists(st.one_of(st.integers(), st.text(max_size=20)), min_size=1, max_size=4)
WEIGHTS = st.lists(st.integers(0, 1_000_000), min_size=1, max_size=8).filter(any)


@given(NAMES)
def test_the_same_names_draw_the_same_number_and_it_is_a_part_of_one(names: list[object]) -> None:
    assert draw(*names) == draw(*names)
    assert 0 <= draw(*names) < 1


@given(WEIGHTS, NAMES)
def test_the_same_person_is_picked_the_same_path_and_never_one_without_a_share(
    weights: list[int], names: list[object]
) -> None:
    place = pick(weights, *names)
    assert place == pick(weights, *names)
    assert weights[place] > 0


@given(WEIGHTS, st.integers(1, 1_000), NAMES)
def test_only_the_relation_of_the_shares_counts(weights: list[int], times: int, names: list[object]) -> None:
    assert pick(weights, *names) == pick([weight * times for weight in weights], *names)


# The same examples each time: a search for bad luck finds some.
@settings(derandomize=True, max_examples=50)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=5), st.integers())
def test_each_path_gets_its_share_of_many_people(weights: list[int], campaign: int) -> None:
    people = 2_000
    taken = [pick(weights, "split", campaign, "step", person) for person in range(people)]
    for place, weight in enumerate(weights):
        share = weight / sum(weights)
        # Five standard deviations: by chance alone it is outside once in a million.
        assert abs(taken.count(place) / people - share) < 5 * (share * (1 - share) / people) ** 0.5
