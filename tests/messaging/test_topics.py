"""Where topics are used, and what keeps one from being deleted."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from campaigns import publishing
from campaigns.models import Campaign
from events.models import Segment
from events.segments import usage
from messaging import subscriptions, topics
from messaging.models import Topic
from tests.campaigns.flow import make_campaign, make_template, send
from tests.factories import make_profile, make_topic

pytestmark = pytest.mark.django_db
SUBSCRIBED = {"topic": "newsletter", "is": "subscribed"}
LEAVES = {"when": "condition", "if": {"topic": "newsletter", "is": "unsubscribed"}}
JOIN = {"id": "join", "kind": "subscribe", "name": "Join", "topic": "newsletter", "subscribed": True}


def make_segment(condition: Any, name: str = "Readers") -> Segment:
    return Segment.objects.create(slug=name.lower(), name=name, condition=condition)


def used_by(topic: Topic) -> dict[str, tuple[str, ...]]:
    return {f"{use.kind} {use.name}": use.places for use in topics.uses(topic)}


@pytest.mark.parametrize(
    "tree",
    [
        SUBSCRIBED,
        {"not": {"any": [{"trait": "plan", "exists": True}, {**SUBSCRIBED, "is": "never_asked"}]}},
        {"event": "Topic Unsubscribed", "where": {"property": "topic", "is": "newsletter"}},
        {"event": "Topic Subscribed", "where": {"property": "topic", "in": ["offers", "newsletter"]}},
        {"steps": [JOIN]},
    ],
)
def test_every_way_to_speak_of_a_topic_is_found(tree: Any) -> None:
    assert topics.mentions(tree, "newsletter") and not topics.mentions(tree, "news")


def test_what_only_looks_like_a_topic_is_none() -> None:
    sends_along = {"kind": "track", "event": "Read", "properties": {"topic": "newsletter"}}
    assert not topics.mentions([sends_along, {"trait": "topic", "is": "newsletter"}], "newsletter")


def test_a_topic_is_used_by_templates_segments_and_campaigns() -> None:
    topic, other = make_topic(), make_topic("offers")
    make_segment({"any": [SUBSCRIBED, {"event": "Bought"}]})
    make_template(topic=topic)
    make_campaign(send(), JOIN, name="Welcome", trigger={"event": "Signed Up", "where": SUBSCRIBED}, exits=[LEAVES])
    assert used_by(topic) == {
        "Template Hello": (),
        "Segment Readers": (),
        "Campaign Welcome": (
            "what starts it, who leaves early, the step “Say hello”, the step “Join” (version 1, live)",
            "what starts it, who leaves early, the step “Say hello”, the step “Join” (the draft)",
        ),
    }
    assert used_by(other) == {}


def test_a_live_version_sends_what_it_was_published_with_and_a_draft_what_is_edited_now() -> None:
    old, new = make_topic(), make_topic("offers")
    template = make_template(topic=old)
    make_campaign(send(), name="Welcome")
    template.topic = new
    template.save()
    assert used_by(old) == {"Campaign Welcome": ("the step “Say hello” (version 1, live)",)}
    assert used_by(new) == {"Template Hello": (), "Campaign Welcome": ("the step “Say hello” (the draft)",)}
    publishing.publish(Campaign.objects.get(), None, "By its new topic.")
    assert used_by(old) == {} and topics.is_kept(old)


def test_malformed_drafts_are_passed_over() -> None:
    topic = make_topic()
    Campaign.objects.create(name="Odd", slug="odd", draft={"steps": [{"template": [1]}, "odd", {"topic": {}}]})
    assert used_by(topic) == {}


def test_a_segment_says_which_topics_it_asks_about() -> None:
    topic = make_topic(name="The newsletter")
    segment = make_segment({"all": [SUBSCRIBED, {"not": {"topic": "gone", "is": "subscribed"}}]})
    (use,) = usage.needs(segment)
    assert (use.kind, use.name, use.url) == ("Topic", "The newsletter", f"/admin/messaging/topic/{topic.pk}/change/")
    assert list(topics.asked({"unreadable": 1})) == []


def test_the_page_says_where_a_topic_is_used_and_it_is_deleted_only_when_it_is_not(admin_client: Client) -> None:
    topic = make_topic()
    segment = make_segment(SUBSCRIBED)
    url = f"/admin/messaging/topic/{topic.pk}/"
    page = admin_client.get(f"{url}change/").content.decode()
    assert f'<a href="/admin/events/segment/{segment.pk}/change/">Readers</a>' in page
    assert f"{url}delete/" not in page
    answer = admin_client.post(f"{url}delete/", {"post": "yes"}, follow=True).content.decode()
    assert "It was not deleted. It is used by Segment “Readers”. Take it out there first." in answer
    segment.delete()
    assert f"{url}delete/" in admin_client.get(f"{url}change/").content.decode()
    assert admin_client.post(f"{url}delete/", {"post": "yes"}).status_code == 302
    assert not Topic.objects.exists()


def test_what_people_have_said_of_a_topic_is_kept(admin_client: Client) -> None:
    topic = make_topic()
    subscriptions.unsubscribe([make_profile().pk], topic, "page")
    url = f"/admin/messaging/topic/{topic.pk}/"
    assert "it can be archived, and not deleted" in admin_client.get(f"{url}change/").content.decode()
    answer = admin_client.post(f"{url}delete/", {"post": "yes"}, follow=True).content.decode()
    assert "Archive it instead." in answer
    with pytest.raises(topics.CannotDelete):
        topics.delete(topic)
    assert Topic.objects.get() == topic
