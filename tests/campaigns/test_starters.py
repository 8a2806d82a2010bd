"""Campaigns to start from: each is whole, fits the names of the installation, and publishes nothing."""

from __future__ import annotations

import re
import time

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from campaigns import places, publishing, starters, starting
from campaigns.engine.definition import parse
from campaigns.models import Campaign, CampaignVersion, Journey
from campaigns.publishing import problems
from campaigns.starters import INACTIVE_7, POWER_USERS, STARTERS, WELCOME, Slot, Starter
from events import conditions
from events.models import AuditEntry, EventCount, EventDefinition, Segment, SegmentMember
from events.segments import building
from events.segments.starters import STARTERS as SEGMENTS
from messaging.models import Message, Template
from tests.campaigns.flow import happens, settle
from tests.factories import make_event, make_profile, make_provider

pytestmark = pytest.mark.django_db
ADD = "/admin/campaigns/campaign/add/"
USUAL = {slot.usual: slot.usual for starter in STARTERS for slot in starter.slots}
BY_SLUG = pytest.mark.parametrize("starter", STARTERS, ids=lambda starter: starter.slug)


def seen(name: str, times: int = 1) -> None:
    EventDefinition.objects.create(name=name)
    EventCount.objects.create(hour=timezone.now().replace(minute=0, second=0, microsecond=0), name=name, count=times)


def named(starter: Starter) -> set[str]:
    """Return the events that the definition and the segment's condition name."""
    segment = starters.segment_of(starter)
    trees = repr(starter.tree) + repr(segment.condition if segment else "")
    return set(re.findall(r"'event': '([^']+)'", trees))


@BY_SLUG
def test_each_can_be_published_as_it_is_and_says_all_that_matters(starter: Starter) -> None:
    campaign = starting.start(starter, starter.name, starter.slug, USUAL)
    assert problems(campaign) == []
    workflow = parse(campaign.draft)
    assert workflow.trigger.where is not None or starter.segment
    assert workflow.goal is not None
    assert workflow.trigger.max_age_hours <= 24
    kinds = [step["kind"] for _, step in places.all_steps(campaign.draft)]
    assert {"window", "send"} <= set(kinds)
    assert {"delay", "quiet", "wait"} & set(kinds)
    assert publishing.publish(campaign, None, "For the test.").number == 1


@BY_SLUG
def test_each_asks_for_exactly_the_events_that_it_names(starter: Starter) -> None:
    assert named(starter) == {slot.usual for slot in starter.slots}
    names = {slot.usual: f"my {slot.usual}" for slot in starter.slots}
    campaign = starting.start(starter, "Mine", "mine", names)
    text = repr(campaign.draft) + repr(list(Segment.objects.values_list("condition", flat=True)))
    for usual in names:
        assert f"'my {usual}'" in text
        assert f"'{usual}'" not in text
    assert all("Put your own" not in segment.description for segment in Segment.objects.all())


@BY_SLUG
def test_what_is_made_along_can_be_made_twice(starter: Starter) -> None:
    for number in (1, 2):
        starting.start(starter, f"Mine {number}", f"mine-{number}", USUAL)
    assert Template.objects.count() == 2 * len(starter.mails)
    assert Segment.objects.count() == (1 if starter.segment else 0), "one of the same condition is used again"


def test_a_segment_of_another_condition_keeps_its_name() -> None:
    Segment.objects.create(slug="power-users", name="Power users", condition={"trait": "plan", "is": "pro"})
    campaign = starting.start(POWER_USERS, "Mine", "mine", USUAL)
    made = Segment.objects.get(slug="power-users-2")
    assert made.name == "Power users 2"
    assert made.state == Segment.State.BUILDING
    assert campaign.draft["trigger"]["segment"] == "power-users-2"


def test_who_enters_its_segment_later_starts_a_journey_and_who_was_in_it_does_not() -> None:
    early, late, idle = make_profile("early"), make_profile("late"), make_profile("idle")
    for _ in range(10):
        make_event(early, "Task Completed")
    names = {**USUAL, "Project Created": "Task Completed"}
    campaign = starting.start(POWER_USERS, "Mine", "mine", names)
    publishing.publish(campaign, None, "For the test.")
    building.build(time.monotonic() + 30)
    assert Segment.objects.get().state == Segment.State.LIVE
    for _ in range(10):
        happens(late, "Task Completed")
        happens(early, "Task Completed")
    for _ in range(9):
        happens(idle, "Task Completed")
    settle()
    settle()
    assert list(SegmentMember.objects.order_by("pk").values_list("profile", flat=True)) == [early.pk, late.pk]
    journey = Journey.objects.get()
    assert (journey.profile_id, journey.step_id) == (late.pk, "wait")
    happens(late, "Friend Invited")
    settle()
    journey.refresh_from_db()
    assert journey.ending == "goal"


def test_who_signs_up_is_welcomed_at_once_and_who_begins_gets_no_help() -> None:
    make_provider(is_default=True)
    publishing.publish(starting.start(WELCOME, "Mine", "mine", USUAL), None, "For the test.")
    ada = make_profile("ada", traits={"email": "ada@example.com", "first_name": "Ada"})
    happens(ada, "Signed Up")
    settle()
    assert Journey.objects.get().step_id == "begin"
    assert Message.objects.get().visit.step_id == "mail"
    happens(ada, "Project Created")
    happens(ada, "Signed Up")
    settle()
    assert Journey.objects.get().ending == "goal"
    assert Message.objects.count() == 1


def test_a_segment_of_a_starter_is_one_that_there_is() -> None:
    assert {starter.segment for starter in STARTERS if starter.segment} <= {segment.slug for segment in SEGMENTS}
    for starter in STARTERS:
        if segment := starters.segment_of(starter):
            conditions.parse(segment.condition)


@pytest.mark.parametrize(
    ("known", "guessed"),
    [
        (["Order Completed", "order_completed"], "Order Completed"),
        (["order_completed"], "order_completed"),
        (["orderPlaced", "Order Compiled"], "orderPlaced"),
        (["Order Complete"], "Order Complete"),
        (["Clicked", "Signed Up"], ""),
        (["Order Cancelled"], ""),
        ([], ""),
    ],
)
def test_the_event_of_the_nearest_name_is_guessed(known: list[str], guessed: str) -> None:
    assert starting.guess(Slot("Order Completed", "somebody buys", ("Order Placed",)), known) == guessed


def test_an_event_of_another_meaning_is_not_guessed() -> None:
    assert starting.guess(starters.SIGNED_IN, ["Signed Up", "Logged Out"]) == ""
    assert starting.guess(starters.ADDED, ["Product Removed"]) == ""
    assert starting.guess(starters.UPGRADED, ["Plan Downgraded"]) == ""


def test_the_page_for_a_new_campaign_shows_each_and_the_empty_one(admin_client: Client) -> None:
    text = admin_client.get(ADD).content.decode()
    for starter in STARTERS:
        assert f'href="{ADD}{starter.slug}/"' in text
    assert "Or start empty" in text
    campaign = Campaign.objects.create(name="Old", slug="old")
    details = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/details/").content.decode()
    assert "Start from one of these" not in details


def test_its_page_tells_which_events_were_seen_and_chooses_the_nearest(admin_client: Client) -> None:
    seen("Product Added", 1234)
    seen("order_placed", 7)
    text = admin_client.get(f"{ADD}abandoned-cart/").content.decode()
    assert "“Product Added” was seen 1,234 times in the last 30 days." in text
    assert "“Order Completed” was not seen yet" in text
    assert "“order_placed” is nearest" in text
    assert '<option value="order_placed" selected>' in text
    assert '<option value="Product Added" selected>' in text
    assert Template.objects.count() == Campaign.objects.count() == 0, "looking makes nothing"


def test_it_makes_a_draft_and_publishes_nothing(admin_client: Client) -> None:
    seen("order_placed")
    choice = {"name": "Carts", "event-0": "Product Added", "event-1": "order_placed"}
    answer = admin_client.post(f"{ADD}abandoned-cart/", choice, follow=True)
    campaign = Campaign.objects.get()
    assert answer.redirect_chain[0][0] == f"/admin/campaigns/campaign/{campaign.pk}/workflow/"
    assert (campaign.name, campaign.slug, campaign.status) == ("Carts", "carts", Campaign.Status.DRAFT)
    assert campaign.draft["goal"]["event"] == "order_placed"
    assert not CampaignVersion.objects.exists()
    assert "nothing is sent before you publish it" in answer.content.decode()


def test_a_segment_that_is_made_along_is_told_of_and_noted(admin_client: Client) -> None:
    assert "The segment “Inactive for 7 days”" in admin_client.get(f"{ADD}inactive-7-days/").content.decode()
    admin_client.post(f"{ADD}inactive-7-days/", {"name": INACTIVE_7.name, "event-0": "Signed In"})
    assert Segment.objects.get().slug == "inactive-7-days"
    assert AuditEntry.objects.get(action="segment").details["segment"] == "inactive-7-days"


def test_a_mistake_is_told_and_makes_nothing(admin_client: Client) -> None:
    seen("Product Added")
    Campaign.objects.create(name="Carts", slug="carts")

    def told(**said: str) -> str:
        choice = {"name": "New", "event-0": "Product Added", "event-1": "Order Completed"} | said
        return admin_client.post(f"{ADD}abandoned-cart/", choice).content.decode()

    assert "There is a campaign of this name already." in told(name="Carts")
    assert "Give the campaign a name." in told(name=" ")
    assert "This event is chosen above for something else." in told(**{"event-1": "Product Added"})
    assert "Choose one of the events in the list." in told(**{"event-0": "Nobody sends this"})
    assert Campaign.objects.count() == 1
    assert Template.objects.count() == 0
    assert admin_client.get(f"{ADD}no-such-starter/").status_code == 404


def test_it_needs_the_right_to_make_all_of_its_parts(client: Client) -> None:
    user = User.objects.create_user("mara", is_staff=True)
    client.force_login(user)

    def allow(*names: str) -> None:
        user.user_permissions.add(*Permission.objects.filter(codename__in=names))

    allow("add_campaign", "view_campaign")
    assert client.get(f"{ADD}abandoned-cart/").status_code == 403
    allow("add_template")
    assert client.get(f"{ADD}abandoned-cart/").status_code == 200
    assert client.get(f"{ADD}power-users/").status_code == 403
    offered = client.get(ADD).content.decode()
    assert f"{ADD}abandoned-cart/" in offered
    assert f"{ADD}power-users/" not in offered
    allow("add_segment")
    assert client.get(f"{ADD}power-users/").status_code == 200


def test_when_a_part_cannot_be_made_nothing_is() -> None:
    Campaign.objects.create(name="Mine", slug="mine")
    with pytest.raises(IntegrityError), transaction.atomic():
        starting.start(INACTIVE_7, "Mine", "other", USUAL)
    assert Segment.objects.count() == Template.objects.count() == 0
