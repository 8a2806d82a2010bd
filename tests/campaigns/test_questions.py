"""What conditions ask about campaigns, of people who really go through some."""

from __future__ import annotations

import time

import pytest
from django.utils import timezone

from campaigns import questions
from events.models import Event, Segment, SegmentMember
from messaging import delivery, feedback
from messaging.models import Message
from tests.campaigns.flow import happens, make_campaign, settle
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
