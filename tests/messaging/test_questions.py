"""Questions about consent: how they are read and said, and what they come to, now and in the past."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import unknown
from events.audience import compile_condition, explaining, profiles
from events.conditions import ConditionError, parse
from events.conditions.words import say
from events.models import Profile
from messaging import consent, subscriptions
from messaging.models import Subscription, Topic
from messaging.subscriptions import Said
from tests.factories import make_profile, make_topic

NEWS = {"topic": "newsletter", "is": "subscribed"}
STATES = ("subscribed", "unsubscribed", "never_asked")


@pytest.mark.parametrize(
    ("tree", "path", "message"),
    [
        ({"topic": 3, "is": "subscribed"}, "topic", "must be the short name of a topic"),
        ({"topic": "a\x00", "is": "subscribed"}, "topic", "must be the short name of a topic"),
        ({"topic": "newsletter"}, "is", "must be one of subscribed, unsubscribed, pending, never_asked"),
        ({"topic": "newsletter", "is": True}, "is", "must be one of subscribed"),
        ({**NEWS, "channel": "pigeon"}, "channel", "must be one of email, sms"),
        ({**NEWS, "channel": ["email"]}, "channel", "must be one of email, sms"),
        ({**NEWS, "within": "7d"}, "within", "is not known here"),
        ({"subscribed": "yes"}, "subscribed", "must be true or false"),
        ({"all": [{"subscribed": None}]}, "all[0].subscribed", "must be true or false"),
    ],
)
def test_mistakes_name_their_place(tree: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(ConditionError) as error:
        parse(tree)
    assert error.value.path == path
    assert error.value.message.startswith(message)


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        (NEWS, "has subscribed to the topic newsletter"),
        ({**NEWS, "is": "unsubscribed", "channel": "sms"}, "has unsubscribed from the topic newsletter for SMS"),
        (
            {**NEWS, "is": "never_asked", "channel": "email"},
            "has never said anything about the topic newsletter for email",
        ),
        ({"subscribed": True}, "has not unsubscribed from marketing"),
        ({"subscribed": False}, "has unsubscribed from marketing"),
    ],
)
def test_they_are_said_in_words(tree: dict[str, Any], words: str) -> None:
    assert say(parse(tree)) == words


def fits(tree: dict[str, Any], at: datetime | None = None) -> set[Profile]:
    """Return who meets the condition, asked one by one and of everybody: the answers have to be the same."""
    one, everyone = (
        set(Profile.objects.filter(compile_condition(parse(tree), profiles(at or timezone.now(), everyone=everyone))))
        for everyone in (False, True)
    )
    assert one == everyone
    return one


def note(profile: Profile, topic: Topic, state: str, channel: str = "all") -> None:
    subscriptions.note([Said(profile.pk, topic.pk, state, "page", channel)])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("said", "last", "email", "sms"),
    [
        ([], "never_asked", "never_asked", "never_asked"),
        ([("subscribed", "all")], "subscribed", "subscribed", "subscribed"),
        ([("unsubscribed", "email")], "unsubscribed", "unsubscribed", "never_asked"),
        ([("subscribed", "all"), ("unsubscribed", "email")], "unsubscribed", "unsubscribed", "subscribed"),
        ([("unsubscribed", "email"), ("subscribed", "all")], "subscribed", "subscribed", "subscribed"),
        ([("unsubscribed", "all"), ("subscribed", "sms")], "subscribed", "unsubscribed", "subscribed"),
    ],
)
def test_what_they_come_to(said: list[tuple[str, str]], last: str, email: str, sms: str) -> None:
    ada, topic, other = make_profile(), make_topic(), make_topic("offers", joining="opt_in")
    for state, channel in said:
        note(ada, topic, state, channel)
    for state in STATES:
        tree = {"topic": "newsletter", "is": state}
        assert fits(tree) == ({ada} if state == last else set())
        assert fits({"not": tree}) == (set() if state == last else {ada})
        assert fits({**tree, "channel": "email"}) == ({ada} if state == email else set())
        assert fits({**tree, "channel": "sms"}) == ({ada} if state == sms else set())
    assert fits({"topic": other.slug, "is": "never_asked"}) == {ada} == fits({"topic": "nothing", "is": "never_asked"})


@pytest.mark.django_db
def test_of_topics_the_past_is_known() -> None:
    ada, topic, now = make_profile(), make_topic(), timezone.now()
    for days, state in ((10, "subscribed"), (5, "unsubscribed")):
        Subscription.objects.create(profile=ada, topic=topic, state=state, source="page", at=now - timedelta(days=days))
    then = {
        days: [state for state in STATES if fits({**NEWS, "is": state}, now - timedelta(days=days))]
        for days in (12, 7, 1)
    }
    assert then == {12: ["never_asked"], 7: ["subscribed"], 1: ["unsubscribed"]}


@pytest.mark.django_db
def test_of_marketing_it_is_known_since_when_somebody_is_gone() -> None:
    ada, bob = make_profile(), make_profile()
    before = timezone.now()
    consent.unsubscribe(ada.pk, "page")
    assert (fits({"subscribed": False}), fits({"subscribed": True})) == ({ada}, {bob})
    assert fits({"subscribed": True}, before - timedelta(minutes=1)) == {ada, bob}
    consent.resubscribe(ada.pk)
    assert fits({"subscribed": True}) == {ada, bob}


@pytest.mark.django_db
def test_unknown_topics_are_warned_of_with_the_nearest() -> None:
    make_topic()
    (found,) = unknown.warnings({"topic": "newsleter", "is": "subscribed"})
    assert (found.path, found.nearest) == ("topic", "newsletter")
    assert found.message == "There is no topic “newsleter”. Did you mean “newsletter”?"
    assert unknown.warnings(NEWS) == unknown.warnings({"event": "Topic Unsubscribed"}) == []


@pytest.mark.django_db
def test_what_was_seen_is_told_beside_it() -> None:
    ada, bob, topic = make_profile(), make_profile(), make_topic()
    note(ada, topic, "unsubscribed", "email")
    consent.unsubscribe(ada.pk, "page")
    tree = {"any": [NEWS, {"subscribed": True}, {"topic": "offers", "is": "subscribed"}]}

    def seen(person: Profile) -> list[str]:
        found = explaining.of_person(tree, person.pk, timezone.now())
        assert found is not None
        return [part.seen for part in found.parts][1:]

    assert seen(ada) == [
        "unsubscribed for Email just now (said by the person on a page)",
        "unsubscribed just now (Unsubscribe page)",
        "no such topic",
    ]
    assert seen(bob)[:2] == ["has never said anything; gets it all the same", "has not unsubscribed"]


SAYINGS = st.lists(
    st.tuples(st.sampled_from(STATES[:2]), st.sampled_from(["all", "email", "sms"]), st.integers(0, 9)), max_size=6
)


def expected(said: list[tuple[str, str, int]], channel: str, at: int) -> str:
    """Return, slowly and in Python, what somebody had said last by the minute ``at``."""
    known = [state for state, where, minute in said if minute <= at and (not channel or where in (channel, "all"))]
    return known[-1] if known else "never_asked"


@pytest.mark.django_db
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SAYINGS, st.sampled_from(["", "email", "sms"]), st.integers(0, 9))
def test_they_agree_with_a_slow_evaluator(said: list[tuple[str, str, int]], channel: str, at: int) -> None:
    topic = Topic.objects.get_or_create(slug="newsletter", name="Newsletter")[0]
    ada, begin = make_profile(), timezone.now() - timedelta(hours=1)
    said = sorted(said, key=lambda one: one[2])
    for state, where, minute in said:
        Subscription.objects.create(
            profile=ada, topic=topic, state=state, channel=where, source="page", at=begin + timedelta(minutes=minute)
        )
    extra = {"channel": channel} if channel else {}
    moment = begin + timedelta(minutes=at, seconds=1)
    answers = [state for state in STATES if ada in fits({"topic": "newsletter", "is": state, **extra}, moment)]
    assert answers == [expected(said, channel, at)]
