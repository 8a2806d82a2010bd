"""From the list of people to a segment of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from events.models import AuditEntry, Event, Profile, Segment, SegmentMember
from events.searching import Search, trait_of
from events.segments import building, changes
from tests.events.segments.test_membership import make_segment, members
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
PEOPLE, GATHER = "/admin/events/profile/", "/admin/events/segment/gather/"
IN_SEGMENT = "segment_memberships__segment__id__exact"


def fill() -> None:
    assert building.build(time.monotonic() + 30) is False
    while changes.fold():
        pass


def ids(*people: Profile) -> set[int]:
    return {person.pk for person in people}


def found(client: Client, query: str) -> str:
    text: str = client.get(f"{PEOPLE}?{query}").content.decode()
    return text


def test_a_trait_finds_people_and_becomes_a_condition(admin_client: Client) -> None:
    ada = make_profile("ada", traits={"plan": "pro"})
    make_profile("ben", traits={"plan": "free"})
    text = found(admin_client, "q=plan%3Dpro")
    assert "ada" in text and "ben" not in text and f'href="{GATHER}?q=plan%3Dpro"' in text
    text = admin_client.get(f"{GATHER}?q=plan=pro").content.decode()
    assert "plan is “pro”" in text and "now and later" in text and "ada" in text and "ben" not in text
    answer = admin_client.post(f"{GATHER}?q=plan=pro", {"name": "Pro & co", "how": "condition"}, follow=True)
    assert "Everybody is being asked" in answer.content.decode()
    fill()
    segment = Segment.objects.get()
    assert (segment.slug, segment.kind, segment.condition) == ("pro-co", "dynamic", {"trait": "plan", "is": "pro"})
    assert members(segment) == ids(ada)
    assert AuditEntry.objects.get(action="segment").details["segment"] == "pro-co"


def test_all_who_are_found_are_put_into_a_list_in_the_background(admin_client: Client) -> None:
    ada, adam = make_profile("ada"), make_profile("x", traits={"email": "Adam@example.com"})
    make_profile("ben")
    assert "now and later" not in admin_client.get(f"{GATHER}?q=ad").content.decode()
    answer = admin_client.post(f"{GATHER}?q=ad", {"name": "Ad"}, follow=True)
    assert "People are being put in" in answer.content.decode() and not SegmentMember.objects.exists()
    fill()
    segment = Segment.objects.get()
    assert members(segment) == ids(ada, adam)
    assert (segment.kind, segment.state, segment.gather, segment.size) == ("manual", "live", None, 2)
    assert not Event.objects.exists(), "campaigns hear nothing"
    assert building.build_slice() is False


def test_many_are_put_in_slice_by_slice_with_progress(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "SLICE", 4)
    people = [make_profile(f"u{number}") for number in range(10)]
    admin_client.post(f"{GATHER}?q=u", {"name": "U"})
    segment = Segment.objects.get()
    assert building.build_slice() and members(segment) == ids(*people[:4])
    text = admin_client.get(f"/admin/events/segment/{segment.pk}/progress/").content.decode()
    assert "People are being put in: " in text and ": 0 %" not in text and ": 100 %" not in text
    assert building.build(time.monotonic() + 30) is False
    segment.refresh_from_db()
    assert (members(segment), segment.size) == (ids(*people), 10), "its page is right without waiting for the beat"


def test_filters_count_as_well(admin_client: Client) -> None:
    vip = make_segment(None, "vip", kind=Segment.Kind.MANUAL)
    ada, ben = make_profile("ada"), make_profile("ben", is_test=True)
    make_profile("eve")
    SegmentMember.objects.bulk_create(SegmentMember(segment=vip, profile=one) for one in (ada, ben))
    query = f"{GATHER}?{IN_SEGMENT}={vip.pk}"
    assert f"in the segment “{vip.name}”" in admin_client.get(query).content.decode()
    admin_client.post(query, {"name": "Very", "how": "condition"})
    admin_client.post(query, {"name": "Listed", "how": "list"})
    admin_client.post(f"{query}&is_test__exact=0", {"name": "Real"})
    fill()
    assert Segment.objects.get(slug="very").condition == {"segment": "vip"}
    by_slug = {segment.slug: members(segment) for segment in Segment.objects.all()}
    assert by_slug == {"vip": ids(ada, ben), "very": ids(ada, ben), "listed": ids(ada, ben), "real": ids(ada)}


def test_the_chosen_are_put_in_at_once(admin_client: Client) -> None:
    ada, ben, eve = (make_profile(name) for name in ("ada", "ben", "eve"))
    said = {"action": "make_segment", "_selected_action": [str(ada.pk), str(eve.pk)]}
    answer = admin_client.post(PEOPLE, said, follow=True)
    address = answer.redirect_chain[-1][0]
    assert "The 2 people you have chosen" in answer.content.decode()
    admin_client.post(address, {"name": "Two"})
    assert members(Segment.objects.get()) == ids(ada, eve)
    assert (Segment.objects.get().state, ben.pk in members(Segment.objects.get())) == ("live", False)


def test_a_name_is_needed_that_is_free(admin_client: Client) -> None:
    make_segment({"event": "X"}, "two")
    for name, words in (("", "Give the segment a name"), ("Two", "There is a segment of this name already")):
        answer = admin_client.post(f"{GATHER}?q=a", {"name": name})
        assert answer.status_code == 200 and words in answer.content.decode()
    assert Segment.objects.count() == 1
    admin_client.post(f"{GATHER}?q=a", {"name": "Two!"})
    assert set(Segment.objects.values_list("slug", flat=True)) == {"two", "two-2"}
    admin_client.post(f"{GATHER}?q=a", {"name": "人"})
    assert Segment.objects.filter(slug="people").exists()


def test_who_may_make_no_segments_is_offered_none(client: Client) -> None:
    user = User.objects.create_user("mia", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_profile"))
    client.force_login(user)
    ada = make_profile("ada")
    text = found(client, "")
    assert "ada" in text and "Make a segment" not in text
    assert client.get(f"{GATHER}?ids={ada.pk}").status_code == 403
    client.post(PEOPLE, {"action": "make_segment", "_selected_action": [str(ada.pk)]})
    assert not Segment.objects.exists()


@pytest.mark.parametrize("query", ["q=%00", "q==", "q=a=", f"{IN_SEGMENT}=x", "is_test__exact=7", "ids=x,,9" * 50])
def test_odd_addresses_do_no_harm(admin_client: Client, query: str) -> None:
    assert admin_client.get(f"{GATHER}?{query}").status_code == 200


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("plan=pro", ["pro"]),
        (" plan = pro max ", ["pro max"]),
        ("address.city=Graz", ["Graz"]),
        ("seats=30", ["30", 30]),
        ("score=1.5", ["1.5", 1.5]),
        ("vip=true", ["true", True]),
        ("plan", None),
        ("a@example.com", None),
        ("=pro", None),
    ],
)
def test_how_a_trait_is_said(text: str, values: Sequence[Any] | None) -> None:
    tree = trait_of(text)
    assert (tree and tree.get("in", [tree.get("is")])) == values


def test_a_condition_means_the_people_who_are_found() -> None:
    number, text, other = (make_profile(traits={"seats": seats}) for seats in (30, "30", 31))
    assert set(Search("seats=30").people(Profile.objects.all())) == {number, text}
    assert Search("seats=30").condition() == {"trait": "seats", "in": ["30", 30]}
    assert Search("sea").condition() is None is Search().condition()
    assert other not in Search("seats=30", is_test=False).people(Profile.objects.all())


def test_a_search_that_takes_too_long_is_given_up_and_can_become_a_segment(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.admin.profiles.SEARCH_SECONDS", 0.001)
    monkeypatch.setattr("events.admin.gather.SECONDS", 0.001)
    Profile.objects.bulk_create(Profile(user_id=f"u{number}", traits={"plan": "free"}) for number in range(8_000))
    text = found(admin_client, "q=plan%3Dpro")
    assert "the search was given up" in text and f'href="{GATHER}?q=plan%3Dpro"' in text
    text = admin_client.get(f"{GATHER}?q=plan=pro").content.decode()
    assert "takes too long" in text and "Make the segment" in text
