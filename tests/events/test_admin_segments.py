"""The pages of segments, as a marketer uses them."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.models import Campaign
from events.admin.segment_facts import growth
from events.conditions import parse
from events.models import AuditEntry, ComputedTrait, Event, Segment, SegmentHour, SegmentMember
from events.segments import building, changes, counting, usage
from events.segments.starters import STARTERS
from tests.campaigns.flow import make_campaign
from tests.factories import make_event, make_profile, planned

pytestmark = pytest.mark.django_db
LIST = "/admin/events/segment/"
PRO = {"trait": "plan", "is": "pro"}


def page(segment: Segment) -> str:
    return f"{LIST}{segment.pk}/change/"


def make_segment(slug: str = "pro", condition: Any = None, **columns: Any) -> Segment:
    return Segment.objects.create(slug=slug, name=slug.title(), condition=condition, **columns)


def save(client: Client, **fields: Any) -> Any:
    filled = {"name": "Pro", "slug": "pro", "description": "", "kind": "dynamic", "condition": json.dumps(PRO)} | fields
    return client.post(f"{LIST}add/", filled)


def test_a_new_segment_is_filled_in_the_background(admin_client: Client) -> None:
    ada = make_profile("ada", traits={"plan": "pro"})
    make_profile("ben", traits={"plan": "free"})
    assert save(admin_client).status_code == 302
    segment = Segment.objects.get()
    text = admin_client.get(page(segment)).content.decode()
    assert "Everybody is being asked" in text
    assert building.build(time.monotonic() + 60) is False
    while changes.fold():
        pass
    text = admin_client.get(page(segment)).content.decode()
    assert "plan is “pro”" in text and "ada" in text and "ben" not in text
    assert "Everybody is being asked" not in text
    assert set(SegmentMember.objects.values_list("profile_id", flat=True)) == {ada.pk}
    assert AuditEntry.objects.get(action="segment").details["segment"] == "pro"
    answer = admin_client.get(f"{LIST}{segment.pk}/progress/")
    assert answer["HX-Refresh"] == "true"


def test_only_another_condition_asks_everybody_again(admin_client: Client) -> None:
    save(admin_client)
    building.build(time.monotonic() + 60)
    segment = Segment.objects.get()
    form = {"name": "Pros", "description": "", "condition": json.dumps(PRO)}
    assert admin_client.post(page(segment), form).status_code == 302
    segment.refresh_from_db()
    assert (segment.name, segment.revision, segment.state) == ("Pros", 1, Segment.State.LIVE)
    admin_client.post(page(segment), {**form, "condition": '{"trait": "plan", "is": "max"}'})
    segment.refresh_from_db()
    assert (segment.revision, segment.state) == (2, Segment.State.BUILDING)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"condition": '{"trait": "plan"}'}, "needs exactly one of"),
        ({"condition": "{"}, "This is not JSON"),
        ({"condition": ""}, "Say who belongs to it"),
        ({"kind": "manual"}, "has no condition"),
        ({"slug": "Not good"}, "small letters, digits and hyphens"),
        ({"condition": '{"segment": "pro"}'}, "leads back to the segment itself: pro"),
        ({"condition": '{"segment": "other"}'}, "leads back to the segment itself: Other → pro"),
    ],
)
def test_a_mistake_is_told_and_nothing_saved(admin_client: Client, fields: dict[str, str], words: str) -> None:
    make_segment("other", {"not": {"segment": "pro"}})
    answer = save(admin_client, **fields)
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert Segment.objects.count() == 1


def test_every_starter_can_be_started_from(admin_client: Client) -> None:
    listed = admin_client.get(LIST).content.decode()
    for starter in STARTERS:
        parse(starter.condition)
        assert f"?starter={starter.slug}" in listed
        text = admin_client.get(f"{LIST}add/?starter={starter.slug}").content.decode()
        assert f'value="{starter.slug}"' in text


def test_the_form_has_a_builder_and_names_what_is_wrong(admin_client: Client) -> None:
    text = admin_client.get(f"{LIST}add/").content.decode()
    assert '<condition-builder class="cbb-host" about="person"' in text
    assert "events/conditions.js" in text and 'type="module"' in text

    def told(condition: str) -> str:
        return save(admin_client, condition=condition).content.decode()

    assert "all: must be a list" in told('{"all": []}')
    assert "This is not JSON" in told("{")
    assert "The condition is nested too deeply" in told('{"not": ' * 5000 + "1" + "}" * 5000)
    assert not Segment.objects.exists()


def test_counting_stops_before_anybody_loses_patience() -> None:
    Event.objects.bulk_create(
        Event(profile=make_profile(), type="track", name="Bought", timestamp=timezone.now()) for _ in range(200)
    )
    with pytest.raises(counting.TooLong):
        counting.count(parse({"sequence": [{"event": "Bought"}, {"event": "Bought"}]}), seconds=0.001)
    assert counting.count(parse({"event": "Bought"})) == 200


def test_a_list_is_kept_by_hand(admin_client: Client) -> None:
    segment = make_segment("vip", kind=Segment.Kind.MANUAL)
    ada, ben = make_profile("ada"), make_profile("ben", traits={"email": "ben@example.com"})
    people = f"{LIST}{segment.pk}/people/"
    answer = admin_client.post(people, {"ids": "ada\nben@example.com\n\nnobody", "verb": "add"}, follow=True)
    assert "2 added." in answer.content.decode() and "Nobody is known as nobody" in answer.content.decode()
    admin_client.post(people, {"ids": "ben", "verb": "remove"})
    assert set(SegmentMember.objects.values_list("profile_id", flat=True)) == {ada.pk}
    told = Event.objects.filter(profile__in=[ada, ben]).order_by("pk").values_list("name", "properties__segment")
    assert list(told) == [(changes.ENTERED, "vip"), (changes.ENTERED, "vip"), (changes.LEFT, "vip")]
    assert admin_client.post(f"{LIST}{make_segment(condition=PRO).pk}/people/", {"ids": "ada"}).status_code == 404


def test_nobody_deletes_what_is_used(admin_client: Client) -> None:
    segment = make_segment(condition=PRO)
    Campaign.objects.create(
        name="Upgrade",
        slug="upgrade",
        draft={"trigger": {"event": "Segment Entered", "where": {"property": "segment", "is": "pro"}}},
    )
    make_segment("busy", {"all": [{"event": "X"}, {"not": {"segment": "pro"}}]})
    assert [(use.kind, use.name) for use in usage.uses(segment)] == [("Segment", "Busy"), ("Campaign", "Upgrade")]
    assert admin_client.post(f"{LIST}{segment.pk}/delete/", {"post": "yes"}).status_code == 403
    text = admin_client.get(page(segment)).content.decode()
    assert "Upgrade" in text and "Busy" in text
    busy = Segment.objects.get(slug="busy")
    assert admin_client.post(f"{LIST}{busy.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Segment.objects.filter(slug="busy").exists()


def test_the_page_leads_both_ways(admin_client: Client) -> None:
    bought = planned("Bought")
    buyers = make_segment("buyers", {"all": [{"event": "Bought"}, {"journey": "welcome", "is": "been_in"}]})
    best = make_segment("best", {"all": [{"segment": "buyers"}, {"event": "Praised"}]})
    happy = make_segment("happy", {"segment": "best"})
    asks = {"segment": "buyers"}
    welcome = make_campaign(
        {"id": "which", "kind": "branch", "name": "Which", "paths": [{"id": "p", "name": "Buyers", "if": asks}]},
        name="Welcome",
        goal={"event": "Praised", "where": asks, "hours": 24},
    )
    welcome.draft = {"trigger": {"event": changes.LEFT, "where": {"property": "segment", "is": "buyers"}}}
    welcome.save(update_fields=["draft"])
    by_best, by_campaign = usage.used_by(buyers)
    assert (by_best.name, [use.name for use in by_best.below]) == ("Best", ["Happy"])
    assert by_campaign.places == (
        "its goal, the path “Buyers” of “Which” (version 1, live)",
        "what starts it (the draft)",
    )
    (best_of_happy,) = usage.needs(happy)
    assert [(use.kind, use.name) for use in best_of_happy.below] == [("Segment", "Buyers"), ("Event", "Praised")]
    below = {use.name: use.url for use in best_of_happy.below[0].below}
    assert below == {
        "Welcome": f"/admin/campaigns/campaign/{welcome.pk}/change/",
        "Bought": f"/admin/events/eventdefinition/{bought.pk}/change/",
    }
    text = admin_client.get(page(buyers)).content.decode()
    assert f'href="{page(happy)}"' in text and "its goal, the path “Buyers” of “Which”" in text
    assert "Only what is known of each person" in admin_client.get(page(make_segment(condition=PRO))).content.decode()
    assert admin_client.post(f"{LIST}{best.pk}/delete/", {"post": "yes"}).status_code == 403


def test_computed_traits_use_and_are_used(admin_client: Client) -> None:
    views = ComputedTrait.objects.create(name="views", function="count", event="Viewed")
    keen = make_segment("keen", {"trait": "views", "gt": 3})
    times = ComputedTrait.objects.create(
        name="times_keen", function="count", event=changes.ENTERED, where={"property": "segment", "is": "keen"}
    )
    assert [(use.kind, use.name) for use in usage.needs(keen)] == [("Computed trait", "views")]
    assert [(use.kind, use.name) for use in usage.uses(keen)] == [("Computed trait", "times_keen")]
    text = admin_client.get(page(keen)).content.decode()
    assert all(f"/admin/events/computedtrait/{row.pk}/change/" in text for row in (views, times))
    assert admin_client.post(f"{LIST}{keen.pk}/delete/", {"post": "yes"}).status_code == 403


def test_growth_and_the_last_day_are_told(admin_client: Client) -> None:
    segment = make_segment(condition=PRO)
    assert "Nobody has entered or left yet." in admin_client.get(page(segment)).content.decode()
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for days, entered, gone, size in ((40, 9, 0, 9), (3, 2, 1, 10), (0, 5, 3, 12)):
        at = hour - timedelta(days=days)
        SegmentHour.objects.create(segment=segment, hour=at, entered=entered, gone=gone, size=size)
    (points,) = [line["data"] for line in growth(segment)["datasets"]]
    assert (len(points), points[0], points[-4:]) == (30, 9, [10, 10, 10, 12])
    text = admin_client.get(page(segment)).content.decode()
    assert "5 entered, 3 left" in text and 'data-type="line"' in text


def test_plans_are_shown_to_operators_who_ask(admin_client: Client, client: Client) -> None:
    make_event(make_profile("ada"), "Bought")
    segment = make_segment(condition={"event": "Bought"})
    explain = f"{LIST}{segment.pk}/explain/"
    with CaptureQueriesContext(connection) as context:
        text = admin_client.get(page(segment)).content.decode()
    assert "Show the plans" in text and "EXPLAIN" not in str(context.captured_queries)
    text = admin_client.post(explain, {"run": "0"}).content.decode()
    assert text.count(" of the work, ") == 2 and "Index" in text and "Execution Time" not in text
    text = admin_client.post(explain, {"run": "1"}).content.decode()
    assert text.count(" of the time, ") == 2 and text.count("Execution Time") == 2
    assert admin_client.get(explain).status_code == 405
    assert admin_client.post(f"{LIST}{make_segment('vip', kind='manual').pk}/explain/").status_code == 404
    user = User.objects.create_user("mia", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_segment", "change_segment")))
    client.force_login(user)
    assert "Show the plans" not in client.get(page(segment)).content.decode()
    assert client.post(explain).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="explain_segment"))
    assert client.post(explain).status_code == 200


def test_a_persons_page_names_their_segments(admin_client: Client) -> None:
    ada = make_profile("ada")
    SegmentMember.objects.create(segment=make_segment(condition=PRO), profile=ada)
    assert "Pro" in admin_client.get(f"/admin/events/profile/{ada.pk}/change/").content.decode()
    filtered = admin_client.get(
        f"/admin/events/profile/?segment_memberships__segment__id__exact={Segment.objects.get().pk}"
    )
    assert "ada" in filtered.content.decode()


def test_who_may_not_see_segments_sees_none(client: Client) -> None:
    user = User.objects.create_user("mia", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_profile"))
    client.force_login(user)
    segment = make_segment(condition=PRO)
    assert client.get(page(segment)).status_code == 403
    assert client.get(f"{LIST}{segment.pk}/progress/").status_code == 403
    assert client.post(f"{LIST}{segment.pk}/people/", {"ids": "ada"}).status_code == 403


def test_nobody_is_removed_twice_and_a_short_name_is_asked_for(admin_client: Client) -> None:
    ada = make_profile("ada")
    segment = Segment.objects.create(slug="vip", name="VIP", kind=Segment.Kind.MANUAL)
    url = f"/admin/events/segment/{segment.pk}/people/"

    def said(ids: str, verb: str) -> str:
        return admin_client.post(url, {"ids": ids, "verb": verb}, follow=True).content.decode()

    assert "1 added." in said("ada", "add")
    assert "Nobody was added: all of these people are in the list already." in said("ada", "add")
    assert "1 removed." in said("ada", "remove")
    assert "Nobody was removed: none of these people is in the list." in said("ada", "remove")
    assert "Nobody was removed. Name people by user id or email" in said(" ", "remove")
    assert not SegmentMember.objects.filter(profile=ada).exists()

    form = {"name": "Others", "slug": "", "kind": "manual", "condition": ""}
    page = admin_client.post("/admin/events/segment/add/", form).content.decode()
    assert "Give the segment a short name, such as power-users." in page
    page = admin_client.post("/admin/events/segment/add/", {**form, "slug": "vip"}).content.decode()
    assert "There is a segment of this short name already. Choose another." in page
    page = admin_client.post("/admin/events/segment/add/", {**form, "slug": "Very Important"}).content.decode()
    assert "Use small letters, digits and hyphens." in page
