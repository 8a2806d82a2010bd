from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from events.identities import ANONYMOUS, USER, Person, Plan, plan


@dataclass(frozen=True, slots=True)
class Said:
    """A call as identification sees it."""

    type: str = "track"
    user_id: str | None = None
    anonymous_id: str | None = None
    previous_id: str | None = None


def track(user: str | None = None, anonymous: str | None = None) -> Said:
    return Said("track", user, anonymous)


def identify(user: str | None, anonymous: str | None = None) -> Said:
    return Said("identify", user, anonymous)


def alias(previous: str, user: str) -> Said:
    return Said("alias", user, None, previous)


def ends(result: Plan) -> list[Person]:
    return [person.current() for person in result.people]


def test_an_unknown_user_is_made_once() -> None:
    result = plan([track("u"), track("u"), identify("u")], {})
    assert len({*ends(result)}) == len(result.created) == 1
    assert set(result.linked) == {(USER, "u")}
    assert result.created[0].user_id == "u"


def test_a_track_call_with_both_ids_does_not_join_them() -> None:
    visitor = Person(1)
    result = plan([track("u", "a"), track(None, "a")], {(ANONYMOUS, "a"): visitor})
    assert ends(result)[0] is not visitor
    assert ends(result)[1] is visitor
    assert not result.changes_people


def test_identify_names_a_visitor_without_moving_anything() -> None:
    visitor = Person(1)
    result = plan([identify("u", "a")], {(ANONYMOUS, "a"): visitor})
    assert ends(result) == [visitor]
    assert result.renamed == {1: visitor} and visitor.user_id == "u"
    assert not result.created and not result.merged
    assert set(result.linked) == {(USER, "u")}


def test_identify_merges_a_visitor_into_a_known_user() -> None:
    visitor, user = Person(1), Person(2, "u")
    result = plan([track(None, "a"), identify("u", "a")], {(ANONYMOUS, "a"): visitor, (USER, "u"): user})
    assert result.merged == [(visitor, user)]
    assert ends(result) == [user, user]


def test_a_user_who_came_up_in_the_same_batch_takes_over_the_stored_visitor() -> None:
    visitor = Person(1)
    result = plan([track("u"), identify("u", "a")], {(ANONYMOUS, "a"): visitor})
    assert ends(result) == [visitor, visitor]
    assert not result.created and not result.merged
    assert visitor.user_id == "u"


def test_a_second_user_on_one_device_stays_separate() -> None:
    result = plan([identify("u", "a"), identify("v", "a"), track(None, "a")], {})
    first, second, after = ends(result)
    assert first is not second
    assert after is first
    assert {first.user_id, second.user_id} == {"u", "v"}


def test_an_alias_of_a_visitor_and_of_a_user_join_them() -> None:
    visitor, old = Person(1), Person(2, "old")
    known = {(ANONYMOUS, "a"): visitor, (USER, "old"): old}
    result = plan([alias("a", "new"), alias("old", "new")], known)
    assert len({*ends(result)}) == 1
    assert ends(result)[0].user_id == "new"


def test_aliases_chain_in_any_order() -> None:
    for calls in ([alias("a", "b"), alias("b", "c")], [alias("b", "c"), alias("a", "b")]):
        result = plan([track("a"), track("b"), track("c"), *calls, track("a"), track("b"), track("c")], {})
        assert len({*ends(result)}) == 1, calls
        assert ends(result)[0].user_id == "c"


def test_an_alias_of_an_id_nobody_has_used_holds_for_later_calls_of_both_kinds() -> None:
    result = plan([alias("p", "u"), track("p"), track(None, "p")], {})
    assert len({*ends(result)}) == 1
    assert ends(result)[0].user_id == "u"


def test_an_alias_of_a_device_on_which_somebody_else_has_logged_in_moves_the_device_alone() -> None:
    other = Person(1, "other")
    result = plan([alias("a", "u"), track(None, "a")], {(ANONYMOUS, "a"): other, (USER, "other"): other})
    aliased, after = ends(result)
    assert aliased is after is not other
    assert set(result.moved) == {(ANONYMOUS, "a")}
    assert not result.merged


def test_an_alias_of_oneself_changes_nothing() -> None:
    user = Person(1, "u")
    result = plan([alias("u", "u")], {(USER, "u"): user})
    assert ends(result) == [user]
    assert not result.linked and not result.changes_people


IDS = st.sampled_from("abc")
CALLS = st.lists(
    st.builds(track, IDS, st.none() | IDS)
    | st.builds(track, st.none(), IDS)
    | st.builds(identify, IDS, st.none() | IDS)
    | st.builds(alias, IDS, IDS),
    max_size=8,
)
STORED = st.lists(st.tuples(st.sampled_from([None, "a", "b", "c"]), st.sets(IDS)), max_size=4)


@given(CALLS, STORED)
def test_whatever_is_said_everybody_stays_one_person(
    calls: list[Said], stored: list[tuple[str | None, set[str]]]
) -> None:
    known: dict[tuple[str, str], Person] = {}
    people: list[Person] = []
    for number, (user_id, devices) in enumerate(stored, 1):
        if user_id and (USER, user_id) in known:
            continue
        person = Person(number, user_id)
        people.append(person)
        if user_id:
            known[USER, user_id] = person
        for device in devices:
            known.setdefault((ANONYMOUS, device), person)
    result = plan(calls, known)

    survivors = {person.current() for person in [*people, *result.created, *ends(result)]}
    names = [person.user_id for person in survivors if person.user_id]
    assert len(names) == len(set(names)), "a user id belongs to one person"
    for call, person in zip(calls, ends(result), strict=True):
        if call.user_id:
            assert result.index[USER, call.user_id].current() is person
    losers = [loser for loser, _ in result.merged]
    assert len(losers) == len(set(losers)), "nobody is merged away twice"
    assert all(
        loser.profile_id is not None and winner.current().profile_id is not None for loser, winner in result.merged
    )
    assert all(person.survivor is None for person in [*result.created, *result.renamed.values()])
    assert {*known, *result.linked} == {*result.index}
