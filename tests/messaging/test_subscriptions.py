"""What people say of topics: noted once, told to the log, kept through merges, gone with erased people."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from events import privacy
from events.audit import Actor
from events.merging import merge
from events.models import Event, Profile
from messaging import claims, delivery, outbox, portrait, subscriptions, versions
from messaging.models import Message, Provider, Subscription, Topic
from messaging.policy import TopicState
from messaging.subscriptions import Said
from tests.factories import make_profile, make_provider, make_template, make_topic

pytestmark = pytest.mark.django_db
YES, NO = "subscribed", "unsubscribed"


def say(profile: Profile, topic: Topic, state: str, channel: str = "all", source: str = "page") -> int:
    return subscriptions.note([Said(profile.pk, topic.pk, state, source, channel)])


def state(profile: Profile, topic: Topic, channel: str = "email") -> TopicState:
    asked = (profile.pk, topic.pk, channel)
    return subscriptions.states([asked])[asked]


def told() -> list[tuple[str, Any]]:
    events = Event.objects.filter(name__in=subscriptions.EVENTS.values()).order_by("id")
    return [(event.name, event.properties) for event in events]


def test_what_is_new_is_told_once() -> None:
    ada, topic = make_profile(), make_topic()
    assert [say(ada, topic, NO), say(ada, topic, NO), say(ada, topic, NO, "email")] == [1, 0, 0]
    assert [say(ada, topic, YES, "email"), say(ada, topic, YES, "email"), say(ada, topic, NO)] == [1, 0, 1]
    assert told() == [
        ("Topic Unsubscribed", {"topic": "newsletter", "channel": "all", "source": "page"}),
        ("Topic Subscribed", {"topic": "newsletter", "channel": "email", "source": "page"}),
        ("Topic Unsubscribed", {"topic": "newsletter", "channel": "all", "source": "page"}),
    ]


@pytest.mark.parametrize(
    ("said", "email", "sms"),
    [
        ([], TopicState.OPEN, TopicState.OPEN),
        ([(NO, "email")], TopicState.LEFT, TopicState.OPEN),
        ([(NO, "all")], TopicState.LEFT, TopicState.LEFT),
        ([(NO, "all"), (YES, "email")], TopicState.OPEN, TopicState.LEFT),
        ([(YES, "email"), (NO, "all")], TopicState.LEFT, TopicState.LEFT),
        ([(NO, "sms"), (YES, "all")], TopicState.OPEN, TopicState.OPEN),
    ],
)
def test_of_a_channel_the_newest_counts(said: list[tuple[str, str]], email: TopicState, sms: TopicState) -> None:
    ada, topic = make_profile(), make_topic()
    for what, channel in said:
        say(ada, topic, what, channel)
    assert (state(ada, topic), state(ada, topic, "sms")) == (email, sms)


def test_a_topic_for_subscribers_is_for_nobody_else() -> None:
    ada, bob, topic = make_profile(), make_profile(), make_topic(joining="opt_in")
    say(ada, topic, YES)
    assert (state(ada, topic), state(bob, topic)) == (TopicState.OPEN, TopicState.NOT_JOINED)


def test_many_people_cost_no_more_statements(django_assert_num_queries: Any) -> None:
    topic = make_topic()
    for number in (1, 30):
        people = [make_profile().pk for _ in range(number)]
        with django_assert_num_queries(6):  # with the savepoint
            assert subscriptions.unsubscribe(people, topic, "campaign") == number
    assert subscriptions.subscribe([*people, 10**9], topic, "campaign", basis="asked by phone") == 30


def test_an_application_brings_nobody_back_who_left_in_another_way() -> None:
    ada, bob, eve, topic = make_profile(), make_profile(), make_profile(), make_topic()
    say(ada, topic, NO, source="page")
    say(bob, topic, NO, source="application")
    say(eve, topic, NO, "email", source="page")
    assert [say(one, topic, YES, source="application") for one in (ada, bob, eve)] == [0, 1, 0]
    assert [state(one, topic) for one in (ada, bob, eve)] == [TopicState.LEFT, TopicState.OPEN, TopicState.LEFT]
    say(eve, topic, YES, "email", source="page")
    assert say(eve, topic, YES, source="application") == 1


@pytest.mark.parametrize(
    ("loser", "winner", "expected"),
    [
        ([], [], TopicState.OPEN),
        ([NO], [], TopicState.LEFT),
        ([], [NO], TopicState.LEFT),
        ([NO], [YES], TopicState.LEFT),
        ([YES], [NO], TopicState.LEFT),
        ([NO, YES], [], TopicState.OPEN),
        ([NO, YES], [YES], TopicState.OPEN),
        ([], [NO, YES], TopicState.OPEN),
    ],
)
@pytest.mark.parametrize("loser_first", [True, False])
@pytest.mark.parametrize(("one", "other"), [("all", "all"), ("all", "email"), ("email", "all"), ("email", "email")])
def test_a_merge_subscribes_nobody(
    loser: list[str], winner: list[str], expected: TopicState, loser_first: bool, one: str, other: str
) -> None:
    lost, won, topic = make_profile(), make_profile(), make_topic()
    parts = [(lost, loser, one), (won, winner, other)]
    for person, said, channel in parts if loser_first else reversed(parts):
        for what in said:
            say(person, topic, what, channel)
    with transaction.atomic():
        merge([(lost.pk, won.pk)])
    assert state(won, topic) is expected
    assert not Subscription.objects.exclude(profile=won).exists()


def test_an_erased_person_leaves_nothing_and_a_copy_has_everything() -> None:
    ada, topic = make_profile(), make_topic()
    say(ada, topic, NO)
    sections: dict[str, list[Any]] = {name: list(found) for name, found in portrait.sections(None, ada.pk)}
    assert [(row["topic_slug"], row["state"]) for row in sections["subscriptions"]] == [("newsletter", NO)]
    privacy.erase([ada.pk], Actor("admin"))
    assert not Subscription.objects.exists()


# --- Messages ----------------------------------------------------------------------------------------------------


def queue(person: Profile, topic: Topic | None, purpose: str = "marketing", key: str = "1") -> Message:
    version = versions.freeze(make_template(topic=topic, purpose=purpose))
    draft = outbox.Draft(f"{key}:{person.pk}", person.pk, version.pk, purpose, None, {}, False, timezone.now())
    outbox.queue([draft])
    return Message.objects.get(key=draft.key)


def deliver(message: Message) -> tuple[str, str]:
    delivery.deliver_due(time.monotonic() + 20)
    message.refresh_from_db()
    return message.status, message.reason


@pytest.mark.parametrize(
    ("joining", "said", "purpose", "expected"),
    [
        ("opt_out", None, "marketing", ("delivered", "")),
        ("opt_out", NO, "marketing", ("skipped", "topic_left")),
        ("opt_out", YES, "marketing", ("delivered", "")),
        ("opt_in", None, "marketing", ("skipped", "topic_not_joined")),
        ("opt_in", YES, "marketing", ("delivered", "")),
        ("opt_in", NO, "marketing", ("skipped", "topic_left")),
        ("opt_in", NO, "transactional", ("delivered", "")),
    ],
)
def test_a_message_goes_only_to_those_who_want_its_topic(
    joining: str, said: str | None, purpose: str, expected: tuple[str, str]
) -> None:
    make_provider(is_default=True)
    ada, topic = make_profile(email="ada@example.com"), make_topic(joining=joining)
    message = queue(ada, topic, purpose)
    assert message.labels["topic"] == "newsletter"
    if said:
        say(ada, topic, said, "email")
    assert deliver(message) == expected


def test_of_other_topics_and_channels_nothing_follows() -> None:
    make_provider(is_default=True)
    ada, topic, other = make_profile(email="ada@example.com"), make_topic(), make_topic("offers")
    say(ada, other, NO)
    say(ada, topic, NO, "sms")
    assert deliver(queue(ada, topic))[0] == "delivered"
    assert deliver(queue(ada, None, key="2"))[0] == "delivered"


def test_a_version_keeps_the_topic_it_was_frozen_with() -> None:
    template = make_template(topic=make_topic())
    first = versions.freeze(template)
    template.topic = make_topic("offers")
    template.save()
    second = versions.freeze(template)
    assert first.topic is not None and second.topic is not None
    assert (first.topic.slug, second.topic.slug) == ("newsletter", "offers")
    assert versions.freeze(template) == second


def test_who_leaves_between_the_look_and_the_call_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement that notes the call looks once more."""
    make_provider(is_default=True)
    ada, topic = make_profile(email="ada@example.com"), make_topic()
    queue(ada, topic)
    claimed = claims.claim(timezone.now() + timedelta(seconds=1), 10)
    say(ada, topic, NO, "email")
    assert claims.call([claims.Calling(claimed[0], "ada@example.com", Provider.objects.get())], timezone.now()) == set()
