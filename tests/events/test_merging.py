"""Merging two people by hand: who stays, what stays, and what cannot be."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from events import groups, people
from events.audit import Actor
from events.merging import CannotMerge, merge_people
from events.models import ApiToken, AuditEntry, Event, Identity, Membership, Profile, hash_key, new_key
from messaging.models import Unsubscription
from messaging.reasons import Reason
from messaging.states import Status
from tests.campaigns.flow import delay, happens, make_campaign, send, settle
from tests.factories import make_event, make_message, make_profile

pytestmark = pytest.mark.django_db
ACTOR = Actor("eve")


def test_everything_goes_to_who_stays_and_it_is_noted() -> None:
    loser = make_profile("old", anonymous_ids=("a",), traits={"plan": "free", "city": "Graz"})
    winner = make_profile("new", traits={"plan": "pro"})
    make_event(loser)
    groups.relate(loser.pk, "company", "acme", {})
    message = make_message(loser)
    Unsubscription.objects.create(profile=loser, method="page")
    merge_people(loser.pk, winner.pk, ACTOR)
    winner.refresh_from_db()
    assert winner.traits == {"plan": "pro", "city": "Graz"}
    assert set(winner.identities.values_list("value", flat=True)) == {"old", "a", "new"}
    assert Event.objects.get().profile == Membership.objects.get().profile == winner
    message.refresh_from_db()
    assert message.profile == Unsubscription.objects.get().profile == winner
    assert people.by_id("old") == winner and Profile.objects.count() == 1
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.profile_id) == ("eve", "merge", winner.pk)
    assert entry.details == {"merged": loser.pk}


def test_a_visitor_who_stays_takes_the_name_and_ids_made_by_hand_lead_on() -> None:
    loser, winner = make_profile("ada"), make_profile(None, anonymous_ids=("a",))
    Identity.objects.filter(kind="user").delete()
    merge_people(loser.pk, winner.pk, ACTOR)
    winner.refresh_from_db()
    assert winner.user_id == "ada" and people.by_id("ada") == winner


def test_what_cannot_be_one_person_changes_nothing() -> None:
    ada, test = make_profile("ada"), make_profile("sandbox:ada", is_sandbox=True, is_test=True)
    for loser, winner in ((ada.pk, ada.pk), (test.pk, ada.pk), (ada.pk, test.pk), (ada.pk, 0)):
        with pytest.raises(CannotMerge):
            merge_people(loser, winner, ACTOR)
    assert Profile.objects.count() == 2 and not AuditEntry.objects.exists()


@pytest.mark.parametrize("steps", ["the journey is over", "the journey goes on"])
def test_what_both_were_about_to_get_is_sent_once(steps: str) -> None:
    make_campaign(*([send()] if steps == "the journey is over" else [send(), delay()]))
    first, second = make_profile(), make_profile()
    for person in (first, second):
        happens(person)
        settle()
    merge_people(first.pk, second.pk, ACTOR)
    messages = list(second.messages.order_by("pk"))
    assert [message.status for message in messages] == [Status.QUEUED, Status.SKIPPED]
    assert messages[1].reason == Reason.MERGED


def test_different_messages_all_go_out() -> None:
    make_campaign()
    make_campaign()
    first, second = make_profile(), make_profile()
    happens(first)
    settle()
    merge_people(first.pk, second.pk, ACTOR)
    assert set(second.messages.values_list("status", flat=True)) == {Status.QUEUED}
    assert second.messages.count() == 2


def post(body: Any, *scopes: str) -> Any:
    token = new_key("token")
    ApiToken.objects.create(label="ci", key_hash=hash_key(token), scopes=list(scopes) or ["*"])
    headers = {"Authorization": f"Bearer {token}"}
    path = "/api/v1/manage/profiles/merge/"
    return Client().post(path, json.dumps(body), content_type="application/json", headers=headers)


def test_the_management_api_merges_and_shows_who_stayed() -> None:
    make_profile("old", traits={"city": "Graz"})
    make_profile("new")
    answer = post({"loser": "old", "winner": "new"}, "profiles:write")
    assert answer.status_code == 200
    assert (answer.json()["user_id"], answer.json()["traits"]) == ("new", {"city": "Graz"})
    assert AuditEntry.objects.get().actor == "token ci"


@pytest.mark.parametrize(
    ("body", "scope", "status", "field"),
    [
        ({"loser": "old"}, "*", 400, "winner"),
        ({"loser": "old", "winner": 5}, "*", 400, "winner"),
        ({"loser": "old", "winner": "nobody"}, "*", 404, None),
        ({"loser": "old", "winner": "old"}, "*", 409, "loser"),
        ({"loser": "old", "winner": "old"}, "profiles:read", 403, "Authorization"),
    ],
)
def test_what_the_management_api_refuses(body: Any, scope: str, status: int, field: str | None) -> None:
    make_profile("old")
    answer = post(body, scope)
    assert (answer.status_code, answer.json().get("field") or None) == (status, field)


def test_the_admin_finds_compares_and_merges(admin_client: Client) -> None:
    ada = make_profile("ada", traits={"plan": "pro", "city": "Graz"})
    other = make_profile("ada-2", traits={"plan": "free", "nick": "<b>"})
    address = f"/admin/events/profile/{ada.pk}/merge/"
    assert address in admin_client.get(f"/admin/events/profile/{ada.pk}/change/").content.decode()
    found = admin_client.get(address, {"find": "ada"}).content.decode()
    assert f"?other={other.pk}" in found and f"?other={ada.pk}" not in found
    assert "Nobody else is found" in admin_client.get(address, {"find": "zoe"}).content.decode()
    page = admin_client.get(address, {"other": other.pk}).content.decode()
    assert page.count("Differs") == 2 and "&lt;b&gt;" in page and "cannot be undone" in page
    answer = admin_client.post(address, {"other": other.pk, "stays": other.pk})
    assert answer.headers["Location"] == f"/admin/events/profile/{other.pk}/change/"
    other.refresh_from_db()
    assert other.traits == {"plan": "free", "city": "Graz", "nick": "<b>"}
    assert AuditEntry.objects.get(action="merge").actor == "admin"


def test_only_who_may_change_people_may_merge_them(client: Client, django_user_model: Any) -> None:
    ada, ben = make_profile(), make_profile()
    viewer = django_user_model.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_profile"))
    client.force_login(viewer)
    answer = client.post(f"/admin/events/profile/{ada.pk}/merge/", {"other": ben.pk, "stays": ada.pk})
    assert answer.status_code == 403 and Profile.objects.count() == 2
