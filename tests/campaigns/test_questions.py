"""What conditions ask about campaigns, of people who really go through some."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from campaigns import questions, runner
from campaigns.models import Decision, Journey
from events.audience import compile_condition, explaining, profiles
from events.conditions import ConditionError, parse
from events.conditions.kinds import known
from events.conditions.words import say
from events.models import Event, Profile, Segment, SegmentMember
from messaging import delivery, feedback
from messaging.models import Message
from tests.campaigns.flow import delay, happens, make_campaign, settle
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def in_segment(slug: str) -> set[str]:
    members = SegmentMember.objects.filter(segment__slug=slug)
    return set(members.values_list("profile__user_id", flat=True))


def watch(slug: str, condition: object) -> None:
    Segment.objects.create(slug=slug, name=slug, condition=condition)


def test_messages_bear_the_campaign_and_step_and_segments_hear_of_them() -> None:
    make_campaign(name="Welcome")
    watch("openers", {"message": "opened", "campaign": "welcome", "step": "mail"})
    watch("others", {"message": "opened", "campaign": "bye"})
    ada = make_profile("ada", traits={"email": "ada@example.com"})
    happens(ada)
    settle()
    delivery.deliver_due(time.monotonic() + 20)
    message = Message.objects.get()
    feedback.record([feedback.Report("opened", "1", timezone.now(), message_public_id=str(message.public_id))])
    settle()
    labels = {"campaign": "welcome", "step": "mail", "template": "Hello", "channel": "email"}
    for name in ("Email Sent", "Email Delivered", "Email Opened"):
        assert labels.items() <= Event.objects.get(name=name).properties.items()
    assert in_segment("openers") == {"ada"}
    assert in_segment("others") == set()


def test_campaigns_are_offered_by_name() -> None:
    make_campaign(name="Welcome")
    assert list(questions.names()) == [("welcome", "Welcome")]


def fits(state: str, *, ago: timedelta = timedelta(0)) -> set[str]:
    """Return of whom it holds, asked one by one and of everybody: the answers have to be the same."""
    node = parse({"journey": "welcome", "is": state})
    one, all_of_them = (
        set(
            Profile.objects.filter(
                compile_condition(node, profiles(timezone.now() - ago, everyone=everyone))
            ).values_list("user_id", flat=True)
        )
        for everyone in (False, True)
    )
    assert one == all_of_them
    return one


def news(person: Profile) -> list[tuple[str, str]]:
    """Return what the log tells of the person's journeys, each with how it ended."""
    found = Event.objects.filter(profile=person, properties__has_key="journey_id").order_by("pk")
    return [(name, properties.get("ending", "")) for name, properties in found.values_list("name", "properties")]


def test_every_state_is_asked_of_journeys_and_told_in_the_log() -> None:
    goal = {"event": "Bought"}
    make_campaign(delay(), name="Welcome", goal=goal)
    make_campaign(delay(), event="Other", name="Other")
    ada, ben, eve = make_profile("ada"), make_profile("ben"), make_profile("eve")
    for state in questions.STATES:
        watch(state.replace("_", "-"), {"journey": "welcome", "is": state})
    happens(ada)
    happens(ben)
    happens(eve, "Other")
    settle()
    assert fits("in") == fits("been_in") == in_segment("in") == in_segment("been-in") == {"ada", "ben"}
    assert fits("in", ago=timedelta(minutes=1)) == set(), "they were not yet"
    happens(ada, "Bought")
    then = timezone.now() - timedelta(hours=1)
    Journey.objects.filter(profile=ben).update(step_entered_at=then, due_at=timezone.now())
    settle()
    settle()
    assert fits("converted") == in_segment("converted") == {"ada"}
    assert fits("completed") == in_segment("completed") == {"ben"}
    assert fits("in") == in_segment("in") == set()
    assert fits("been_in") == in_segment("been-in") == {"ada", "ben"}
    assert news(ada) == [("Journey Started", ""), ("Goal Reached", ""), ("Journey Ended", "goal")]
    assert news(ben) == [("Journey Started", ""), ("Journey Ended", "completed")]


def test_what_became_of_journeys_is_asked_of_a_time() -> None:
    make_campaign(delay(), name="Welcome", goal={"event": "Bought"})
    make_campaign(delay(), name="Other", goal={"event": "Bought"})
    ada, ben = make_profile("ada"), make_profile("ben")
    for state in questions.TOLD:
        watch(state.replace("_", "-"), {"journey": "welcome", "is": state, "within": "7d"})
    happens(ada)
    happens(ben)
    settle()
    happens(ada, "Bought")
    then = timezone.now() - timedelta(hours=1)
    Journey.objects.filter(profile=ben).update(step_entered_at=then, due_at=timezone.now())
    settle()
    settle()
    assert in_segment("been-in") == {"ada", "ben"}
    assert in_segment("converted") == {"ada"}
    assert in_segment("completed") == {"ben"}
    for state, people in {"been_in": {"ada", "ben"}, "converted": {"ada"}, "completed": {"ben"}}.items():
        node = parse({"journey": "welcome", "is": state, "since": "-7d"})
        for later, expected in ((timedelta(days=6), people), (timedelta(days=8), set())):
            found = Profile.objects.filter(compile_condition(node, profiles(timezone.now() + later)))
            assert set(found.values_list("user_id", flat=True)) == expected


def test_a_time_is_said_in_words() -> None:
    said = say(parse({"not": {"journey": "welcome", "is": "converted", "within": "7d"}}))
    assert said == "did not reach the goal of a campaign called “welcome” in the last 7 days"


def test_a_journey_stopped_by_hand_is_news_once() -> None:
    make_campaign(delay(), name="Welcome")
    watch("in", {"journey": "welcome", "is": "in"})
    ada = make_profile("ada")
    happens(ada)
    settle()
    assert in_segment("in") == {"ada"}
    for _ in range(2):
        runner.stop(Journey.objects.get())
    settle()
    assert in_segment("in") == set()
    assert news(ada) == [("Journey Started", ""), ("Journey Ended", "stopped")]


def test_a_journey_can_start_another_and_a_circle_does_not_race() -> None:
    always: dict[str, Any] = {"reentry": {"rule": "always"}}
    make_campaign(name="Welcome")
    make_campaign(event="Journey Ended", name="Round", **always)
    ada = make_profile("ada")
    happens(ada)
    for _ in range(5):
        settle()
    assert Journey.objects.filter(campaign__slug="round").count() == 1
    assert list(Decision.objects.filter(campaign__slug="round").order_by("pk").values_list("entry", flat=True)) == [
        "entered",
        "too_soon",
    ]


@pytest.mark.parametrize(
    ("tree", "path", "message"),
    [
        ({"journey": 3, "is": "in"}, "journey", "must be the short name of a campaign"),
        ({"journey": "a\x00", "is": "in"}, "journey", "must be the short name of a campaign"),
        ({"journey": "welcome"}, "is", "must be one of in, been_in, completed, converted"),
        ({"journey": "welcome", "is": ["in"]}, "is", "must be one of"),
        (
            {"journey": "welcome", "is": "in", "within": "1d"},
            "is",
            "must be one of been_in, completed, converted where a time is given",
        ),
        ({"journey": "welcome", "is": "completed", "within": "soon"}, "within", "must be"),
        ({"journey": "welcome", "is": "completed", "within": "7d", "since": "-7d"}, "since", "cannot stand beside"),
    ],
)
def test_mistakes_name_their_place(tree: dict[str, Any], path: str, message: str) -> None:
    with pytest.raises(ConditionError) as error:
        parse(tree)
    assert error.value.path == path
    assert error.value.message.startswith(message)


def test_they_are_said_in_words_and_offered() -> None:
    make_campaign(name="Welcome")
    assert say(parse({"journey": "welcome", "is": "been_in"})) == "has been in the campaign welcome"
    form = known()["journey"].form
    assert form is not None
    assert [list(field.names()) for field in form.fields if field.names] == [[("welcome", "Welcome")]]
    for field in form.fields:
        for value, _ in field.choices:
            parse({"journey": "welcome", field.key: value})


def test_an_explanation_shows_the_newest_journey() -> None:
    campaign = make_campaign(delay(), event="Signed Up")
    ada = make_profile()
    tree = {"journey": campaign.slug, "is": "in"}

    def seen(at: datetime) -> str:
        found = explaining.of_person(tree, ada.pk, at)
        assert found is not None
        return found.parts[0].seen

    now = timezone.now()
    assert seen(now) == "never in it"
    happens(ada)
    settle()
    Journey.objects.update(entered_at=now - timedelta(days=3), converted_at=now - timedelta(days=1))
    assert seen(now) == "entered 3 days ago, converted 1 day ago"
    assert seen(now - timedelta(days=2)) == "entered 1 day ago"
