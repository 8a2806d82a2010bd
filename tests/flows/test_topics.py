"""Topics with real processes: who leaves one leaves the segment, starts a campaign, and gets no mail about it."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from events.models import ApiToken, Segment, SegmentMember, hash_key
from messaging.models import Message, Template
from tests import stack
from tests.campaigns.flow import make_campaign
from tests.factories import make_key, make_provider, make_topic

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
TOKEN = "cb_for_the_test"
PATIENCE = 30


def make_mail(name: str, event: str, **columns: Any) -> None:
    """Publish a campaign that answers ``event`` with a mail of its own."""
    html = "<p>Hello</p><a href='{{ unsubscribe_url }}'>Unsubscribe</a>"
    template = Template.objects.create(name=name, subject=name, html=html, **columns)
    step = {"id": "mail", "kind": "send", "name": "Mail", "template": template.pk}
    make_campaign(step, name=name, event=event, trigger={"event": event}, reentry={"rule": "always"})


def test_who_leaves_a_topic_leaves_the_segment_and_gets_nothing_about_it() -> None:
    ApiToken.objects.create(label="test", key_hash=hash_key(TOKEN))
    make_provider(is_default=True)
    topic = make_topic()
    readers = Segment.objects.create(
        slug="readers", name="Readers", condition={"topic": "newsletter", "is": "subscribed", "channel": "email"}
    )
    make_mail("Issue", "Issue Published", topic=topic)
    make_mail("Farewell", "Topic Unsubscribed")
    key = make_key()

    def report(running: stack.Stack, *calls: dict[str, Any]) -> None:
        batch = [{"userId": "ada", **call} for call in calls]
        answer = requests.post(f"{running.base_url}/v1/batch", json={"batch": batch}, auth=(key, ""), timeout=30)
        assert answer.status_code == 200, answer.text

    def say(running: stack.Stack, state: str) -> None:
        url = f"{running.base_url}/api/v1/manage/subscriptions/ada/"
        said = {"topics": {"newsletter": state}}
        answer = requests.post(url, json=said, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
        assert answer.status_code == 200, answer.text

    def became(subject: str, status: str) -> bool:
        return Message.objects.filter(template_version__template__name=subject, status=status).exists()

    def is_in() -> bool:
        return SegmentMember.objects.filter(segment=readers, profile__user_id="ada").exists()

    with stack.running() as running:
        report(running, {"type": "identify", "traits": {"email": "ada@example.com"}})
        say(running, "subscribed")
        stack.wait_for(is_in, PATIENCE, "the segment to have her")
        report(running, {"type": "track", "event": "Issue Published"})
        stack.wait_for(lambda: became("Issue", "delivered"), PATIENCE, "the mail about the topic")
        say(running, "unsubscribed")
        stack.wait_for(lambda: not is_in(), PATIENCE, "the segment to lose her")
        stack.wait_for(lambda: became("Farewell", "delivered"), PATIENCE, "the mail about no topic")
        report(running, {"type": "track", "event": "Issue Published"})
        stack.wait_for(lambda: became("Issue", "skipped"), PATIENCE, "the refusal")
    refused = Message.objects.get(status="skipped")
    assert (refused.reason, refused.get_reason_display()) == (
        "topic_left",
        "The person has unsubscribed from the message's topic",
    )
