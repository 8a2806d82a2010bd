"""Somebody names a segment, a computed trait or a topic while somebody else takes it away."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event as Signal

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from campaigns import publishing, starting
from campaigns.models import Campaign
from campaigns.starters import POWER_USERS
from events.audit import Actor
from events.computed import keeping as computed_keeping
from events.models import ComputedTrait, Segment
from events.segments import keeping
from messaging import topics
from messaging.models import Template, Topic
from tests.campaigns.flow import delay, make_campaign
from tests.factories import make_topic
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
# The other one has looked long before this, if nothing holds it up.
WHILE = 0.5
ASKS = {"segment": "buyers"}


def refused_while(name: Callable[[], object], take_away: Callable[[], None], refusal: type[Exception]) -> bool:
    """Take something away while a transaction that names it is not over yet. Returns whether that was refused."""
    named = Signal()

    def first() -> None:
        with transaction.atomic():
            name()
            named.set()
            time.sleep(WHILE)

    def second() -> bool:
        assert named.wait(10)
        try:
            take_away()
        except refusal:
            return True
        return False

    return bool(at_once([first, second])[1])


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def buyers() -> Segment:
    return Segment.objects.create(slug="buyers", name="Buyers", condition={"event": "Bought"})


def delete(buyers: Segment) -> Callable[[], None]:
    return lambda: keeping.delete(buyers)


def test_a_segment_that_another_one_begins_to_ask_for_stays(buyers: Segment) -> None:
    other = Segment(slug="others", name="Others", condition={"not": ASKS})
    assert refused_while(lambda: keeping.save(other, ["condition"]), delete(buyers), keeping.InUse)
    assert Segment.objects.count() == 2


def test_the_page_that_deletes_a_segment_looks_once_more(buyers: Segment, browser: Client) -> None:
    other = Segment(slug="others", name="Others", condition={"not": ASKS})

    def press() -> None:
        page = browser.post(f"/admin/events/segment/{buyers.pk}/delete/", {"post": "yes"}, follow=True)
        assert "It was not deleted. It is used by Segment “Others”." in page.content.decode()
        raise keeping.InUse([])

    assert refused_while(lambda: keeping.save(other, ["condition"]), press, keeping.InUse)
    assert Segment.objects.count() == 2


def test_a_segment_that_comes_back_into_a_draft_stays(buyers: Segment, browser: Client) -> None:
    asking = make_campaign(delay(), trigger={"event": "Signed Up", "where": ASKS})
    Campaign.objects.filter(pk=asking.pk).update(draft={**asking.draft, "trigger": {"event": "Signed Up"}})
    asking.refresh_from_db()
    publishing.publish(asking, None, "For everybody.")

    def restore() -> None:
        answer = browser.post(f"/admin/campaigns/campaign/{asking.pk}/versions/1/restore/")
        assert answer.status_code == 302

    assert refused_while(restore, delete(buyers), keeping.InUse)
    assert Segment.objects.exists()


def test_a_segment_that_a_ready_made_campaign_begins_to_start_by_stays(browser: Client) -> None:
    names = {slot.usual: slot.usual for slot in POWER_USERS.slots}
    with transaction.atomic():
        starting.start(POWER_USERS, "First", "first", names)
    Campaign.objects.all().delete()
    segment = Segment.objects.get()
    said = {"name": "Second", "event-0": "Project Created", "event-1": "Friend Invited"}

    def start() -> None:
        assert browser.post("/admin/campaigns/campaign/add/power-users/", said).status_code == 302

    assert refused_while(start, delete(segment), keeping.InUse)
    assert Segment.objects.get() == segment


def test_a_computed_trait_that_a_template_begins_to_show_stays(browser: Client) -> None:
    row = ComputedTrait(name="orders", function="count", event="Bought")
    computed_keeping.save(row, Actor("test"))
    said = {"name": "Thanks", "purpose": "marketing", "subject": "{{ customer.orders }}", "html": "<p>Hello</p>"}
    said |= {"translations-TOTAL_FORMS": "0", "translations-INITIAL_FORMS": "0"}

    def write() -> None:
        assert browser.post("/admin/messaging/template/add/", said).status_code == 302
        assert Template.objects.exists()

    def remove() -> None:
        computed_keeping.remove(row, Actor("test"))

    assert refused_while(write, remove, computed_keeping.InUse)
    row.refresh_from_db()
    assert row.state != ComputedTrait.State.GOING


def test_segments_that_begin_to_ask_for_each_other_make_no_circle(buyers: Segment) -> None:
    others = Segment.objects.create(slug="others", name="Others", condition={"event": "Looked"})
    others.condition = {"not": ASKS}
    buyers.condition = {"not": {"segment": "others"}}
    first, second = (lambda: keeping.save(others, ["condition"])), (lambda: keeping.save(buyers, ["condition"]))
    assert refused_while(first, second, keeping.Mistake)


def test_a_topic_that_a_segment_begins_to_ask_for_stays() -> None:
    topic = make_topic()
    asking = Segment(slug="readers", name="Readers", condition={"topic": "newsletter", "is": "subscribed"})
    assert refused_while(lambda: keeping.save(asking, ["condition"]), lambda: topics.delete(topic), topics.CannotDelete)
    assert Topic.objects.exists()
