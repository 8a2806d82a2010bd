"""The two lists of the console: suppressed addresses and people who unsubscribed."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import ADDITION, DELETION, LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from messaging import consent
from messaging.admin.profile_panel import messages_panel, refusal_badges
from messaging.models import Suppression, Unsubscription
from messaging.states import Status
from tests.factories import make_message, make_profile

pytestmark = pytest.mark.django_db

ADDRESSES = "/admin/messaging/suppression/"
PEOPLE = "/admin/messaging/unsubscription/"


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_address_is_added_by_hand_in_lower_case(admin_client: Client) -> None:
    response = admin_client.post(f"{ADDRESSES}add/", {"address": " Ada@Example.com ", "detail": "asked on the phone"})
    assert response.status_code == 302
    row = Suppression.objects.get()
    assert (row.address, row.cause, row.detail) == ("ada@example.com", "manual", "asked on the phone")
    assert LogEntry.objects.get().action_flag == ADDITION


@pytest.mark.parametrize("address", ["nonsense", "gone@example.com"])
def test_nonsense_and_known_addresses_are_refused(admin_client: Client, address: str) -> None:
    consent.suppress("gone@example.com")
    assert admin_client.post(f"{ADDRESSES}add/", {"address": address, "detail": ""}).status_code == 200
    assert Suppression.objects.count() == 1


def test_address_is_taken_off_after_a_question_and_recorded(admin_client: Client) -> None:
    consent.suppress("gone@example.com")
    row = Suppression.objects.get()
    assert "Are you sure" in text_of(admin_client, f"{ADDRESSES}{row.pk}/delete/")
    admin_client.post(f"{ADDRESSES}{row.pk}/delete/", {"post": "yes"})
    assert not Suppression.objects.exists()
    entry = LogEntry.objects.get()
    assert (entry.action_flag, entry.object_repr) == (DELETION, "gone@example.com")


def test_several_addresses_are_taken_off_at_once(admin_client: Client) -> None:
    consent.suppress("one@example.com")
    consent.suppress("two@example.com")
    ids = list(Suppression.objects.values_list("pk", flat=True))
    admin_client.post(ADDRESSES, {"action": "delete_selected", "_selected_action": ids, "post": "yes"})
    assert not Suppression.objects.exists()


def test_address_is_found_whatever_its_case(admin_client: Client) -> None:
    consent.suppress("gone@example.com")
    consent.suppress("other@example.com")
    text = text_of(admin_client, f"{ADDRESSES}?q=GONE@example.com")
    assert "gone@example.com" in text
    assert "other@example.com" not in text


def test_entry_can_be_looked_at_but_not_changed(admin_client: Client) -> None:
    consent.suppress("gone@example.com", detail="550 user unknown")
    url = f"{ADDRESSES}{Suppression.objects.get().pk}/change/"
    assert "550 user unknown" in text_of(admin_client, url)
    assert admin_client.post(url, {"address": "other@example.com"}).status_code == 403


def test_entry_of_a_person_leads_to_the_person(admin_client: Client) -> None:
    ada = make_profile("ada")
    consent.unsubscribe(ada.pk, "page")
    response = admin_client.get(f"{PEOPLE}{ada.pk}/change/")
    assert response["Location"] == f"/admin/events/profile/{ada.pk}/change/"


def test_person_is_unsubscribed_by_hand(admin_client: Client) -> None:
    ada = make_profile("ada", traits={"email": "ada@example.com"})
    assert admin_client.post(f"{PEOPLE}add/", {"person": "ADA@example.com"}).status_code == 302
    assert Unsubscription.objects.get().profile == ada
    assert Unsubscription.objects.get().method == "manual"


@pytest.mark.parametrize("person", ["nobody", "shared@example.com", "grace"])
def test_unknown_ambiguous_and_unsubscribed_people_are_refused(admin_client: Client, person: str) -> None:
    make_profile("one", traits={"email": "shared@example.com"})
    make_profile("two", traits={"email": "shared@example.com"})
    consent.unsubscribe(make_profile("grace").pk, "page")
    assert admin_client.post(f"{PEOPLE}add/", {"person": person}).status_code == 200
    assert Unsubscription.objects.count() == 1


def test_person_is_let_in_again_after_a_question_and_recorded(admin_client: Client) -> None:
    ada = make_profile("ada")
    consent.unsubscribe(ada.pk, "page")
    url = f"{PEOPLE}{ada.pk}/resubscribe/"
    assert "Yes, they asked for it" in text_of(admin_client, url)
    assert Unsubscription.objects.exists()
    assert admin_client.post(url).status_code == 302
    assert not Unsubscription.objects.exists()
    assert LogEntry.objects.get().change_message == "Resubscribed by hand."


def test_lists_show_the_newest_first_with_the_same_number_of_statements(admin_client: Client) -> None:
    consent.unsubscribe(make_profile("person-first").pk, "page")
    with CaptureQueriesContext(connection) as few:
        text_of(admin_client, PEOPLE)
    for number in range(10):
        consent.unsubscribe(make_profile(f"person-{number}").pk, "page")
    with CaptureQueriesContext(connection) as many:
        text = text_of(admin_client, PEOPLE)
    assert len(many) == len(few)
    assert text.index("person-9") < text.index("person-0") < text.index("person-first")


def test_resubscribing_and_removing_need_their_permission() -> None:
    ada = make_profile("ada")
    consent.unsubscribe(ada.pk, "page")
    consent.suppress("gone@example.com")
    user = User.objects.create_user("viewer", is_staff=True)
    wanted = ["view_unsubscription", "view_suppression"]
    user.user_permissions.set(Permission.objects.filter(codename__in=wanted))
    client = Client()
    client.force_login(user)
    assert client.get(PEOPLE).status_code == client.get(ADDRESSES).status_code == 200
    assert client.post(f"{PEOPLE}{ada.pk}/resubscribe/").status_code == 403
    assert client.post(f"{ADDRESSES}{Suppression.objects.get().pk}/delete/", {"post": "yes"}).status_code == 403


def test_profile_panel_shows_messages_and_refusals(admin_user: User, rf: RequestFactory) -> None:
    ada = make_profile("ada", traits={"email": "ada@example.com"})
    for number in range(12):
        make_message(ada, Status.SENT, subject=f"Mail {number}")
    consent.unsubscribe(ada.pk, "page")
    consent.suppress("ada@example.com")
    request = rf.get("/")
    request.user = admin_user
    with CaptureQueriesContext(connection) as queries:
        content = messages_panel(ada, request)
    assert content is not None
    assert len(queries) <= 3
    assert [str(message) for message, _, _ in content.context["rows"]][:2] == ["Mail 11", "Mail 10"]
    assert content.link.endswith(f"?profile__id__exact={ada.pk}")
    badges = refusal_badges(ada, request)
    assert badges is not None and all(badges.context.values())
    assert refusal_badges(make_profile("grace"), request) is None


def test_profile_panel_links_to_all_messages_of_the_person(admin_client: Client) -> None:
    ada = make_profile("ada")
    make_message(ada, subject="For Ada")
    make_message(make_profile("grace"), subject="For Grace")
    text = text_of(admin_client, f"/admin/messaging/message/?profile__id__exact={ada.pk}")
    assert "For Ada" in text
    assert "For Grace" not in text
