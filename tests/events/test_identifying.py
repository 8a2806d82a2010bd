from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from events.identifying import ANONYMOUS, EMAIL, USER, Person, Plan, email_key, plan


@dataclass(frozen=True, slots=True)
class Said:
    """A call as identification sees it."""

    type: str = "track"
    user_id: str | None = None
    anonymous_id: str | None = None
    email: str | None = None
    previous_id: str | None = None


def track(user: str | None = None, anonymous: str | None = None) -> Said:
    return Said("track", user, anonymous)


def identify(user: str | None = None, anonymous: str | None = None, *, email: str | None = None) -> Said:
    return Said("identify", user, anonymous, email)


def mail(email: str, anonymous: str | None = None) -> Said:
    return Said("track", None, anonymous, email)


def alias(previous: str, user: str) -> Said:
    return Said("alias", user, previous_id=previous)


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


def test_an_email_makes_one_person_however_it_is_written() -> None:
    result = plan([mail("Ada@x.io"), mail("ada@X.IO"), identify(email="ada@x.io")], {})
    assert len({*ends(result)}) == len(result.created) == 1
    person = result.created[0]
    assert (person.user_id, person.email) == (None, "Ada@x.io")
    assert set(result.linked) == {(EMAIL, "ada@x.io"), (USER, "Ada@x.io")}


def test_whoever_was_known_by_an_email_becomes_the_user_who_comes_with_it() -> None:
    known = Person(1, email="ada@x.io")
    result = plan([identify("u", email="ada@x.io"), track("u")], {(EMAIL, "ada@x.io"): known})
    assert ends(result) == [known, known]
    assert result.renamed == {1: known} and known.user_id == "u"
    assert not result.created and not result.merged


def test_whoever_was_known_by_an_email_is_merged_into_a_user_who_is_there_already() -> None:
    known, user = Person(1, email="ada@x.io"), Person(2, "u")
    result = plan([identify("u", email="ada@x.io")], {(EMAIL, "ada@x.io"): known, (USER, "u"): user})
    assert result.merged == [(known, user)]
    assert ends(result) == [user]


def test_who_is_both_email_and_visitor_of_one_id_becomes_the_user_of_an_alias_once() -> None:
    result = plan([identify(email="a", anonymous="a"), track("b"), alias("a", "b")], {})
    assert len({*ends(result)}) == len(result.created) == 1
    assert result.created[0].user_id == "b"


def test_an_email_of_another_user_stays_theirs() -> None:
    other = Person(1, "other")
    result = plan([identify("u", email="ada@x.io"), mail("ada@x.io")], {(EMAIL, "ada@x.io"): other})
    user, after = ends(result)
    assert user.user_id == "u" and after is other
    assert not result.changes_people


def test_within_a_batch_an_email_leads_to_the_user_who_came_with_it() -> None:
    result = plan([identify("u", email="ada@x.io"), mail("ada@x.io")], {})
    assert len({*ends(result)}) == len(result.created) == 1
    assert set(result.linked) == {(USER, "u")}, "what is known by a trait needs no identity"


def test_an_email_that_is_a_users_id_means_that_user() -> None:
    user, other = Person(1, "ada@x.io"), Person(2, "other")
    result = plan([mail("ada@x.io")], {(USER, "ada@x.io"): user, (EMAIL, "ada@x.io"): other})
    assert ends(result) == [user]


def test_a_user_whose_id_is_the_email_is_the_same_person() -> None:
    known = Person(1, email="ada@x.io")
    result = plan([track("ada@x.io")], {(USER, "ada@x.io"): known, (EMAIL, "ada@x.io"): known})
    assert ends(result) == [known]
    assert result.renamed == {1: known} and known.user_id == "ada@x.io"


def test_a_visitor_joins_whoever_is_identified_by_email() -> None:
    visitor, known = Person(1), Person(2, email="ada@x.io")
    index = {(ANONYMOUS, "a"): visitor, (EMAIL, "ada@x.io"): known}
    assert plan([identify(None, "a", email="ada@x.io")], index).merged == [(visitor, known)]
    fresh = Person(3)
    result = plan([identify(None, "b", email="ben@x.io")], {(ANONYMOUS, "b"): fresh})
    assert ends(result) == [fresh]
    assert not result.created and not result.merged
    assert set(result.linked) == {(EMAIL, "ben@x.io"), (USER, "ben@x.io")}


def test_a_second_email_on_one_device_is_a_second_person() -> None:
    result = plan([identify(None, "a", email="ada@x.io"), identify(None, "a", email="ben@x.io")], {})
    first, second = ends(result)
    assert first is not second


def test_whoever_left_an_email_on_the_device_becomes_the_user_who_logs_in_there() -> None:
    known = Person(1, email="ada@x.io")
    result = plan([identify("u", "a")], {(ANONYMOUS, "a"): known, (EMAIL, "ada@x.io"): known})
    assert ends(result) == [known] and known.user_id == "u"
    result = plan([identify("v", "a", email="ben@x.io")], {(ANONYMOUS, "a"): Person(1, email="ada@x.io")})
    assert result.created and not result.renamed, "another email, another person"


IDS = st.sampled_from("abc")
CALLS = st.lists(
    st.builds(track, IDS, st.none() | IDS)
    | st.builds(track, st.none(), IDS)
    | st.builds(identify, IDS, st.none() | IDS)
    | st.builds(identify, st.none() | IDS, st.none() | IDS, email=IDS)
    | st.builds(mail, IDS, st.none() | IDS)
    | st.builds(alias, IDS, IDS),
    max_size=8,
)
STORED = st.lists(st.tuples(st.sampled_from([None, "a", "b", "c"]), st.sets(IDS), st.none() | IDS), max_size=4)


@given(CALLS, STORED)
def test_whatever_is_said_everybody_stays_one_person(
    calls: list[Said], stored: list[tuple[str | None, set[str], str | None]]
) -> None:
    known: dict[tuple[str, str], Person] = {}
    people: list[Person] = []
    for number, (user_id, devices, email) in enumerate(stored, 1):
        if user_id and (USER, user_id) in known:
            continue
        has_email = email is not None and email_key(email) not in known
        person = Person(number, user_id, email=email if has_email and email and not user_id else "")
        people.append(person)
        if user_id:
            known[USER, user_id] = person
        if has_email and email:
            known[email_key(email)] = person
        for device in devices:
            known.setdefault((ANONYMOUS, device), person)
    result = plan(calls, known)

    survivors = {person.current() for person in [*people, *result.created, *ends(result)]}
    names = [person.user_id for person in survivors if person.user_id]
    assert len(names) == len(set(names)), "a user id belongs to one person"
    for call, person in zip(calls, ends(result), strict=True):
        if call.user_id:
            assert result.index[USER, call.user_id].current() is person
            assert person.user_id is not None
        elif call.email:
            assert person in (result.find(USER, call.email), result.find(*email_key(call.email)))
    losers = [loser for loser, _ in result.merged]
    assert len(losers) == len(set(losers)), "nobody is merged away twice"
    assert all(
        loser.profile_id is not None and winner.current().profile_id is not None for loser, winner in result.merged
    )
    assert all(person.survivor is None for person in [*result.created, *result.renamed.values()])
    assert {*known, *result.linked} <= {*result.index}
    assert {kind for kind, _ in {*result.index} - {*known, *result.linked}} <= {EMAIL}
