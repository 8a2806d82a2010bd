"""Finding people, and the page of one: header, traits, ids, activity log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events import panels
from events.admin.activity import PAGE_SIZE, Place, Wish, activity
from events.models import Event, Profile
from events.searching import found_by
from tests.factories import make_event, make_profile, make_source

pytestmark = pytest.mark.django_db


def page_of(client: Client, profile: Profile, query: str = "") -> str:
    return client.get(f"/admin/events/profile/{profile.pk}/change/?{query}").content.decode()


def test_people_are_found_by_the_beginning_of_email_or_user_id_whatever_the_case() -> None:
    ada = make_profile("Ada-1", email="ADA@example.com")
    make_profile("ben-1", email="ben@example.com")
    for term in ("ada@", "ADA@EXAMPLE.COM", "ada-1", "Ada"):
        assert list(found_by(Profile.objects.all(), term)) == [ada], term


def test_people_are_found_by_a_whole_anonymous_id() -> None:
    ada = make_profile(anonymous_ids=("4f1d-visitor",))
    assert list(found_by(Profile.objects.all(), "4f1d-visitor")) == [ada]
    assert not found_by(Profile.objects.all(), "4f1d").exists()


def test_signs_that_mean_something_to_like_are_taken_as_they_are() -> None:
    make_profile("a_b", email="100%@example.com")
    assert not found_by(Profile.objects.all(), "a%").exists()
    assert not found_by(Profile.objects.all(), "axb").exists()
    assert found_by(Profile.objects.all(), "100%").exists()


def test_the_search_can_use_the_pattern_indexes() -> None:
    make_profile("ada", email="ada@example.com")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = found_by(Profile.objects.all(), "ada").explain()
    assert "profile_email_search" in plan
    assert "profile_user_search" in plan


def test_the_list_counts_nothing_and_leads_to_older_people(admin_client: Client) -> None:
    for number in range(51):
        make_profile(f"person-{number:02}")
    with CaptureQueriesContext(connection) as queries:
        first = admin_client.get("/admin/events/profile/")
    sql = [query["sql"] for query in queries if "events_profile" in query["sql"]]
    assert not any("COUNT(" in statement or "OFFSET" in statement for statement in sql)
    text = first.content.decode()
    assert "person-50" in text and "person-00" not in text
    older = first.context["cl"].older_url()
    assert "person-00" in admin_client.get(f"/admin/events/profile/{older}").content.decode()


def test_autocomplete_finds_people(admin_client: Client) -> None:
    ada = make_profile("ada")
    address = "/admin/autocomplete/?app_label=messaging&model_name=message&field_name=profile&term=ad"
    assert admin_client.get(address).json()["results"] == [{"id": str(ada.pk), "text": "ada"}]


def test_the_page_shows_ids_traits_and_what_happened(admin_client: Client) -> None:
    ada = make_profile(
        "ada", anonymous_ids=("visitor-9",), traits={"first_name": "Ada", "address": {"city": "Vienna"}, "vip": True}
    )
    make_event(ada, "Signed Up", {"plan": "pro"}, source=make_source("Web shop"))
    text = page_of(admin_client, ada)
    for expected in ("visitor-9", "first_name", "Vienna", "Signed Up", "plan: pro", "Web shop"):
        assert expected in text


def test_markup_in_traits_and_properties_stays_text(admin_client: Client) -> None:
    ada = make_profile("ada", traits={"<b>bold</b>": "<script>alert(1)</script>"})
    make_event(ada, "<i>name</i>", {"key": "<script>alert(2)</script>"})
    text = page_of(admin_client, ada)
    assert "<script>alert" not in text and "<i>name</i>" not in text and "<b>bold</b>" not in text


def test_the_number_of_statements_does_not_grow_with_history(admin_client: Client) -> None:
    ada, ben = make_profile(), make_profile()
    make_event(ada)
    source = make_source()
    for number in range(60):
        make_event(ben, timestamp=timezone.now() - timedelta(minutes=number), source=source)
    # The first look at somebody is noted.
    page_of(admin_client, ada)
    page_of(admin_client, ben)
    with CaptureQueriesContext(connection) as few:
        page_of(admin_client, ada)
    with CaptureQueriesContext(connection) as many:
        page_of(admin_client, ben)
    assert len(many) == len(few)


def test_the_log_is_paged_by_time_also_where_many_events_share_one() -> None:
    ada = make_profile()
    now = timezone.now()
    for number in range(PAGE_SIZE + 25):
        make_event(ada, f"Event {number}", timestamp=now - timedelta(hours=number // 10))
    first = activity(ada, Wish())
    assert first.older
    before = Place.parse(first.older.removeprefix("before=").replace("%3A", ":"))
    second = activity(ada, Wish(before=before))
    assert second.older == ""
    seen = [event.pk for page in (first, second) for event in page.events]
    expected = Event.objects.filter(profile=ada).order_by("-timestamp", "-pk").values_list("pk", flat=True)
    assert seen == list(expected)


def test_the_log_can_be_narrowed_to_a_kind_or_a_name() -> None:
    ada = make_profile()
    make_event(ada, "Signed Up")
    make_event(ada, "", {"plan": "pro"}, type=Event.Type.IDENTIFY)
    make_event(ada, "Prices", type=Event.Type.PAGE)
    names = {
        kind: [event.type for event in activity(ada, Wish(kind=kind)).events] for kind in ("events", "traits", "views")
    }
    assert names == {"events": ["track"], "traits": ["identify"], "views": ["page"]}
    assert [event.name for event in activity(ada, Wish(name="Signed Up")).events] == ["Signed Up"]


@pytest.mark.parametrize("text", ["", "x", "_", "2026-01-01_", "_5", "2026-99-01T00:00:00_5", "a_b_c"])
def test_a_place_that_cannot_be_read_means_the_top(text: str) -> None:
    assert Place.parse(text) is None


def test_polling_answers_nothing_until_something_new_came(admin_client: Client) -> None:
    ada = make_profile()
    make_event(ada, "Signed Up")
    address = f"/admin/events/profile/{ada.pk}/activity/?seen={activity(ada, Wish()).seen}"
    assert admin_client.get(address).status_code == 204
    make_event(ada, "Project Created")
    answer = admin_client.get(address)
    assert answer.status_code == 200
    assert "Project Created" in answer.content.decode()


def test_the_page_is_reached_by_any_user_id(admin_client: Client) -> None:
    ada = make_profile("team/ada @home")
    answer = admin_client.get("/admin/events/profile/by-user/team/ada%20@home/")
    assert answer["Location"] == f"/admin/events/profile/{ada.pk}/change/"
    assert admin_client.get("/admin/events/profile/by-user/nobody/").status_code == 404


def test_the_test_switch_needs_a_post_and_the_right_to_change(
    admin_client: Client, client: Client, django_user_model: Any
) -> None:
    ada = make_profile()
    address = f"/admin/events/profile/{ada.pk}/test/"
    assert admin_client.get(address).status_code == 405
    client.force_login(django_user_model.objects.create_user("viewer", is_staff=True))
    assert client.post(address, {"is_test": "1"}).status_code == 403
    ada.refresh_from_db()
    assert not ada.is_test
    admin_client.post(address, {"is_test": "1"})
    ada.refresh_from_db()
    assert ada.is_test


def test_nobody_without_the_right_sees_a_person(client: Client, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_user("viewer", is_staff=True))
    ada = make_profile()
    for address in ("", f"{ada.pk}/change/", f"{ada.pk}/activity/"):
        assert client.get(f"/admin/events/profile/{address}").status_code == 403


def test_a_person_that_is_not_there_is_not_found(admin_client: Client) -> None:
    for key in ("999999", "x", "99999999999999999999999"):
        assert admin_client.get(f"/admin/events/profile/{key}/change/").status_code == 404


def test_other_rooms_can_add_a_panel(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panels, "_builders", {panels.PROFILE: {}, panels.BADGES: {}, panels.EVENT: {}})
    ada = make_profile("ada")

    def build(profile: Profile, request: HttpRequest) -> panels.Content | None:
        return panels.Content("admin/events/value.html", {"value": "Forty-two"}, link="/x/") if profile == ada else None

    panels.register(panels.PROFILE, "Answers", build)
    assert "Answers" in page_of(admin_client, ada) and "Forty-two" in page_of(admin_client, ada)
    assert "Answers" not in page_of(admin_client, make_profile())
