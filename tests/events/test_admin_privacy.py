"""A person's rights by hand, and the log of who made use of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from events import audit, merging, privacy, suppression
from events.audit import Actor
from events.models import AuditEntry, Event, Profile, SuppressedId
from messaging.models import Message
from tests.campaigns import flow
from tests.factories import make_event, make_key, make_message, make_profile
from tests.tracking import send

pytestmark = pytest.mark.django_db
LOG = "/admin/events/auditentry/"
IGNORED = "/admin/events/profile/ignored/"


def page_of(profile: Profile, page: str) -> str:
    return f"/admin/events/profile/{profile.pk}/{page}/"


def acts() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "actor"))


def user(*permissions: str) -> Client:
    someone = User.objects.create_user("eve", is_staff=True)
    someone.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(someone)
    return client


def test_the_export_is_the_whole_person_as_a_file_and_on_record(admin_client: Client) -> None:
    person = make_profile("ada/ä", traits={"plan": "pro"})
    make_event(person)
    answer: Any = admin_client.post(page_of(person, "export"))
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="person-adaa-')
    found = json.loads(b"".join(answer.streaming_content))
    assert (found["user_id"], found["traits"], len(found["events"])) == ("ada/ä", {"plan": "pro"}, 1)
    assert found["acts_on_this_data"][0]["action"] == "export"
    assert acts() == [("export", "admin")]
    assert admin_client.get(page_of(person, "export")).status_code == 405


def test_what_waits_and_what_is_not_yet_looked_at_is_in_the_export(admin_client: Client) -> None:
    flow.make_campaign(trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}})
    person = make_profile()
    flow.happens(person)
    flow.settle()
    flow.happens(person, "Other")
    answer: Any = admin_client.post(page_of(person, "export"))
    found = json.loads(b"".join(answer.streaming_content))
    assert [row["in_campaign"] for row in found["waiting_for_traits"]] == ["Campaign 1"]
    assert [row["name"] for row in found["not_yet_looked_at"]] == ["Other"]


def test_erasing_asks_first_and_counts_what_goes_in_every_room(admin_client: Client) -> None:
    flow.make_campaign()
    person = make_profile("ada", anonymous_ids=("a", "b"), traits={"email": "ada@example.com", "plan": "pro"})
    flow.happens(person)
    make_message(person)
    flow.settle()
    shown = admin_client.get(page_of(person, "change")).content.decode()
    assert page_of(person, "erase") in shown and page_of(person, "export") in shown
    answer = admin_client.get(page_of(person, "erase"))
    weights = dict(answer.context["weights"])
    assert weights == {
        "events in their history": 3,  # its own, and how the journey began and ended
        "ids that lead to them": 3,
        "traits": 2,
        "devices": 0,
        "companies and other groups they belong to": 0,
        "messages, with their text": 2,
        "opens, clicks and other reports": 0,
        "journeys through campaigns": 1,
        "decisions of campaigns about them": 1,
    }
    assert "cannot be undone" in answer.content.decode()
    assert Profile.objects.exists(), "asking erases nobody"
    answer = admin_client.post(page_of(person, "erase"), {"ignore": "0"})
    assert answer.headers["Location"] == "/admin/events/profile/"
    for model in (Profile, Event, Message, SuppressedId):
        assert not model.objects.exists()
    assert acts() == [("look", "admin"), ("erase", "admin")]
    send("track", {"userId": "ada", "event": "Hi"}, make_key())
    assert Profile.objects.exists()


def test_who_is_erased_and_ignored_stays_away_until_somebody_hears_them_again(admin_client: Client) -> None:
    key, person = make_key(), make_profile("ada", anonymous_ids=("a",))
    assert " checked> ignore it" in admin_client.get(page_of(person, "erase") + "?ignore=1").content.decode()
    admin_client.post(page_of(person, "erase"), {"ignore": "1"})
    send("track", {"userId": "ada", "event": "Hi"}, key)
    assert not Profile.objects.exists()
    assert "ada is ignored" in admin_client.post(IGNORED, {"value": "ada"}).content.decode()
    assert admin_client.post(IGNORED, {"value": "ada", "act": "hear"}).status_code == 302
    assert not suppression.among(["ada", "a"])
    send("track", {"userId": "ada", "event": "Hi"}, key)
    assert Profile.objects.get().user_id == "ada"
    assert [action for action, _ in acts()] == ["suppress", "unsuppress"]


def test_an_id_nobody_has_can_be_ignored_and_somebodys_leads_to_them(admin_client: Client) -> None:
    person = make_profile("ada")
    assert "nobody is known by it" in admin_client.post(IGNORED, {"value": "zoe"}).content.decode()
    assert page_of(person, "erase") in admin_client.post(IGNORED, {"value": "ada"}).content.decode()
    admin_client.post(IGNORED, {"value": "Zoe@Example.com", "act": "ignore"})
    assert "is ignored" in admin_client.post(IGNORED, {"value": "zoe@example.com"}).content.decode()
    assert admin_client.post(IGNORED, {"value": "a\0b"}).status_code == 200
    assert acts() == [("suppress", "admin")]


@pytest.mark.parametrize(("page", "permission"), [("export", "export_profile"), ("erase", "erase_profile")])
def test_only_who_may_can(page: str, permission: str) -> None:
    person = make_profile("ada")
    client = user("view_profile", "change_profile")
    shown = client.get(page_of(person, "change")).content.decode()
    assert page_of(person, page) not in shown
    assert client.post(page_of(person, page)).status_code == client.post(IGNORED).status_code == 403
    assert Profile.objects.exists() and acts() == [("look", "eve")]
    User.objects.get(username="eve").user_permissions.add(Permission.objects.get(codename=permission))
    assert page_of(person, page) in client.get(page_of(person, "change")).content.decode()


def test_looking_at_a_person_is_noted_once_an_hour(admin_client: Client) -> None:
    person = make_profile("ada")
    for _ in range(3):
        admin_client.get(page_of(person, "change"))
    assert acts() == [("look", "admin")]


def test_after_an_erasure_a_pseudonym_tells_their_entries_from_others(admin_client: Client) -> None:
    ada, old, ben = make_profile("ada"), make_profile("old"), make_profile("ben")
    for person in (ada, old, ben):
        admin_client.get(page_of(person, "change"))
    merging.merge_people(old.pk, ada.pk, Actor("admin"))
    assert AuditEntry.objects.filter(profile_id=ada.pk).count() == 3, "what was done to the other one goes along"
    privacy.erase([ada.pk], Actor("admin"))
    assert set(AuditEntry.objects.values_list("profile_id", flat=True)) == {None, ben.pk}
    hers = AuditEntry.objects.filter(pseudonym=audit.pseudonym(ada.pk)).order_by("pk")
    assert [entry.action for entry in hers] == ["look", "look", "merge", "erase"]
    assert all("merged" not in entry.details for entry in hers)
    found = admin_client.get(LOG, {"q": audit.pseudonym(ada.pk)}).content.decode()
    assert found.count(audit.pseudonym(ada.pk)) >= 4 and ">ben<" not in found


def test_the_audit_log_filters_and_takes_the_same_statements_however_long(admin_client: Client) -> None:
    def shown(**query: str) -> tuple[str, int]:
        with CaptureQueriesContext(connection) as asked:
            html = admin_client.get(LOG, query).content.decode()
        return html, len(asked)

    ada = make_profile("ada-lovelace")
    audit.note(Actor("token ci"), "export", ada.pk)
    audit.note(Actor("eve"), "unsuppress", ids=3)
    audit.note(Actor("eve"), "retention", days={"events": 365, "requests": None})
    assert "days of events 365, requests for ever" in shown()[0]
    html, few = shown()
    assert "ada-lovelace" in html and "Exported everything about them" in html and "ids 3" in html
    assert "ids 3" not in shown(act="export")[0]
    assert "ids 3" not in shown(by="token ci")[0]
    assert "ids 3" not in shown(q="ada-")[0]
    for _ in range(30):
        audit.note(Actor("eve"), "look", make_profile().pk)
    assert shown()[1] == few


def test_nobody_changes_the_audit_log(admin_client: Client) -> None:
    audit.note(Actor("eve"), "unsuppress", ids=3)
    entry = AuditEntry.objects.get()
    for page in ("change", "delete"):
        admin_client.post(reverse(f"admin:events_auditentry_{page}", args=[entry.pk]), {"actor": "x", "post": "yes"})
    assert admin_client.post(reverse("admin:events_auditentry_add"), {"actor": "x"}).status_code == 403
    assert admin_client.get(reverse("admin:events_auditentry_change", args=[entry.pk])).status_code == 200
    admin_client.post(LOG, {"action": "delete_selected", "_selected_action": entry.pk, "post": "yes"})
    assert AuditEntry.objects.get().actor == "eve"
    assert Client().get(LOG).status_code == 302
    assert user("view_profile").get(LOG).status_code == 403
