"""Consents with their basis and end, addresses that are not written to, by hand, by file and by API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from events.audit import Actor
from events.merging import merge_people
from events.models import AuditEntry, Profile
from events.privacy import export
from messaging import lists, permission, suppression_files
from messaging.models import Consent, Subscription, Suppression, TrackingRefusal
from messaging.permission import Given
from messaging.policy import ConsentState
from tests.events.api.manage.test_lists import token
from tests.events.api.manage.test_segments import post
from tests.factories import make_profile, make_topic
from tests.tracking import manage

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 8, 31, 12, tzinfo=UTC)


@pytest.fixture
def ada() -> Profile:
    return make_profile("ada", traits={"email": "ada@example.com"})


def state(profile: Profile, channel: str = "email", now: datetime | None = None) -> ConsentState:
    return permission.standings([profile.pk], now or timezone.now())[profile.pk].consent(channel)


@pytest.mark.parametrize(
    ("basis", "ends"),
    [
        ("purchase", datetime(2028, 8, 31, 12, tzinfo=UTC)),
        ("inquiry", datetime(2027, 2, 28, 12, tzinfo=UTC)),
        ("express", None),
        ("confirmed", None),
        ("other", None),
    ],
)
def test_implied_consents_end_by_themselves(ada: Profile, basis: str, ends: datetime | None) -> None:
    (made,) = permission.note([Given(ada.pk, basis, "manual", given_at=NOW)])
    assert made.expires_at == ends
    assert state(ada, now=NOW) is ConsentState.GIVEN
    if ends:
        assert state(ada, now=ends - timedelta(seconds=1)) is ConsentState.GIVEN
        assert state(ada, now=ends) is ConsentState.ENDED


def test_a_consent_counts_for_its_channel_and_the_longest_one_holds(ada: Profile) -> None:
    assert state(ada) is ConsentState.NOT_SAID
    permission.note([Given(ada.pk, "express", "api", channel="sms")])
    assert (state(ada), state(ada, "sms")) == (ConsentState.NOT_SAID, ConsentState.GIVEN)
    permission.note([Given(ada.pk, "inquiry", "api", given_at=NOW - timedelta(days=400))])
    assert (state(ada), state(ada, "sms")) == (ConsentState.ENDED, ConsentState.GIVEN)
    permission.note([Given(ada.pk, "purchase", "api")])
    assert state(ada) is ConsentState.GIVEN
    assert permission.note([Given(0, "express", "api")]) == []


def test_consents_go_along_when_two_become_one_and_into_the_export(ada: Profile) -> None:
    other = make_profile("bob")
    permission.note([Given(other.pk, "express", "page", detail="Ticked a box")])
    permission.track(other.pk, False, "page")
    merge_people(other.pk, ada.pk, Actor("test"))
    assert state(ada) is ConsentState.GIVEN
    assert permission.untracked([ada.pk]) == {ada.pk}
    assert not TrackingRefusal.objects.exclude(pk=ada.pk).exists()
    text = b"".join(export(ada)).decode()
    assert "Ticked a box" in text and "tracking_refusals" in text


# --- By API ----------------------------------------------------------------------------------------------------------


def test_a_consent_is_noted_and_read_by_api(ada: Profile) -> None:
    said = {"basis": "purchase", "channel": "email", "detail": "Order 7", "given_at": "2026-01-31T10:00:00Z"}
    answer = post("consents/ada/", said, token("consent:write"))
    assert answer.status_code == 201, answer.content
    assert answer.json() | {"given_at": ""} == {
        **said,
        "given_at": "",
        "source": "api",
        "expires_at": "2028-01-31T10:00:00Z",
    }
    assert [row["detail"] for row in manage("consents/ada/").json()["consents"]] == ["Order 7"]
    assert AuditEntry.objects.get(action="consents").profile_id == ada.pk


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({}, "basis"),
        ({"basis": "hearsay"}, "basis"),
        ({"basis": "express", "channel": "pigeon"}, "channel"),
        ({"basis": "express", "given_at": "yesterday"}, "given_at"),
        ({"basis": "express", "given_at": "2026-01-02T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"}, "expires_at"),
        ({"basis": "express", "detail": "x" * 1001}, "detail"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(ada: Profile, said: dict[str, Any], field: str) -> None:
    answer = post("consents/ada/", said, token("consent:write"))
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    assert not Consent.objects.exists()


def test_suppressions_are_added_found_and_taken_off_by_api() -> None:
    key = token("consent:write")
    body = {"addresses": ["Ada@Example.com", "ben@example.com"], "cause": "bounce", "reason": "550"}
    assert post("suppressions/", body, key).json() == {"added": 2, "known": 0}
    assert post("suppressions/", {"addresses": ["ada@example.com"]}, key).json() == {"added": 0, "known": 1}
    assert post("suppressions/", {"addresses": ["+43 660 123456"], "channel": "sms"}, key).json()["added"] == 1
    lists.suppress([lists.Struck(lists.disguise("eve@example.com"), "left")])
    rows = manage("suppressions/").json()["results"]
    assert [row["address"] for row in rows] == ["erased", "+43660123456", "ben@example.com", "ada@example.com"]
    (row,) = manage("suppressions/?address=ADA@example.com").json()["results"]
    assert (row["cause"], row["reason"], row["channel"]) == ("bounce", "550", "email")
    head = {"Authorization": f"Bearer {key}"}
    path = "/api/v1/manage/suppressions/"
    assert Client().delete(f"{path}ada@example.com/", headers=head).status_code == 204
    assert Client().delete(f"{path}ada@example.com/", headers=head).status_code == 404
    assert Client().delete(f"{path}%2B43660123456/?channel=sms", headers=head).status_code == 204
    answer = post("suppressions/", {"addresses": ["nobody"]}, key)
    assert (answer.status_code, answer.json()["field"]) == (400, "addresses")
    assert post("suppressions/", body, token("topics:write")).status_code == 403
    text = manage("exports/suppressions.csv").getvalue().decode()
    assert text.splitlines()[0] == "channel,address,cause,reason,since"
    assert "ben@example.com,bounce,550" in text and "eve" not in text


def test_marketing_and_tracking_are_said_by_api(ada: Profile) -> None:
    make_topic(joining="confirmed")
    key = token("topics:write")
    said = {"marketing": False, "tracking": False, "topics": {"newsletter": "subscribed"}, "confirmed": True}
    shown = post("subscriptions/ada/", said, key).json()
    assert (shown["marketing"], shown["tracking"], shown["topics"][0]["gets_email"]) == (False, False, True)
    shown = post("subscriptions/ada/", {"marketing": True, "tracking": True}, key).json()
    assert (shown["marketing"], shown["tracking"]) == (True, True)


# --- Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"ada@example.com\nBen@example.com\n", {"ada@example.com": "manual", "ben@example.com": "manual"}),
        (b"email,reason\na@x.at,Hard bounce\nb@x.at,spam report\n", {"a@x.at": "bounce", "b@x.at": "complaint"}),
        ("\ufeffEmail Address;Status\nä@x.at;Unsubscribed\n".encode(), {"ä@x.at": "left"}),
        (b"created\trecipient\ttype\n1\tc@x.at\tinvalid\n", {"c@x.at": "bounce"}),
        (b"number,channel\n0043 660 123456,sms\n", {"+43660123456": "manual"}),
        (b"channel,address,cause,reason\nemail,d@x.at,complaint,Feedback loop\n", {"d@x.at": "complaint"}),
    ],
)
def test_files_of_other_services_are_read(content: bytes, expected: dict[str, str]) -> None:
    taken = suppression_files.take(content)
    assert (taken.new, taken.refused) == (len(expected), 0), taken
    assert dict(Suppression.objects.values_list("address", "cause")) == expected


def test_a_row_that_cannot_be_read_hides_no_other_and_is_told() -> None:
    taken = suppression_files.take(b"email\nada@example.com\nnobody\n\nben@example.com\nada@example.com\n")
    assert (taken.new, taken.known, taken.refused) == (2, 1, 1)
    assert taken.examples == ["Line 3: “nobody” is no email address."]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"name,age\nada,36\n", b"x" * (suppression_files.MOST_BYTES + 1)])
def test_a_file_without_addresses_is_refused_whole(content: bytes) -> None:
    with pytest.raises(suppression_files.Unreadable):
        suppression_files.take(content)
    assert not Suppression.objects.exists()


def test_what_is_written_is_read_again() -> None:
    suppression_files.take(b"email,reason\na@x.at,Hard bounce\nb@x.at,spam\nc@x.at,unsubscribed\n")
    text = b"".join(suppression_files.download("csv")).replace(b"\r\n", b"\n")  # type: ignore[arg-type]
    before = set(Suppression.objects.values_list("address", "cause", "detail"))
    Suppression.objects.all().delete()
    assert suppression_files.take(text).new == 3
    assert set(Suppression.objects.values_list("address", "cause", "detail")) == before


# --- Admin -----------------------------------------------------------------------------------------------------------


def test_a_file_is_taken_in_the_admin(admin_client: Client) -> None:
    upload = SimpleUploadedFile("bounces.csv", b"email\nada@example.com\nx\n")
    page = admin_client.post("/admin/messaging/suppression/import/", {"file": upload}, follow=True).content.decode()
    assert "1 new on the list" in page and "Line 3: “x” is no email address." in page
    assert AuditEntry.objects.get(action="suppressions").details == {"added": 1, "file": "bounces.csv"}
    page = admin_client.post("/admin/messaging/suppression/import/", follow=True).content.decode()
    assert "Choose a file first" in page
    answer = admin_client.post("/admin/messaging/suppression/export/")
    assert b"ada@example.com" in b"".join(answer)


def test_a_number_is_struck_off_by_hand(admin_client: Client) -> None:
    answer = admin_client.post("/admin/messaging/suppression/add/", {"address": "0043 660 123456", "detail": "asked"})
    assert answer.status_code == 302
    assert Suppression.objects.values_list("channel", "address", "detail").get() == ("sms", "+43660123456", "asked")
    page = admin_client.post("/admin/messaging/suppression/add/", {"address": "nobody"}).content.decode()
    assert "neither an email address nor a number" in page


def test_a_consent_is_noted_on_the_persons_page(admin_client: Client, ada: Profile) -> None:
    url = f"/admin/messaging/consent/{ada.pk}/"
    said = {"basis": "inquiry", "channel": "all", "detail": "Asked for a catalogue", "given_at": "2026-01-02T10:00"}
    page = admin_client.post(f"{url}add/", said, follow=True).content.decode()
    assert "The consent is on record." in page and "Asked for a catalogue" in page
    page = admin_client.post(f"{url}add/", {**said, "detail": ""}, follow=True).content.decode()
    assert "Nothing was noted" in page and "you may have to prove it" in page
    admin_client.post(f"{url}track/", {"tracking": "no"})
    assert permission.untracked([ada.pk])
    assert Consent.objects.count() == 1
    assert AuditEntry.objects.filter(action="consents", profile_id=ada.pk).count() == 2


def test_the_look_of_public_pages_is_chosen(admin_client: Client) -> None:
    url = "/admin/messaging/publicpages/"
    page = admin_client.post(url, {"colour": "blue", "logo_url": "http://x.example/a.png"}).content.decode()
    assert "Write a colour as #" in page and "https:// addresses only" in page
    assert admin_client.post(url, {"colour": "#123456", "sender": "Acme"}).status_code == 302
    assert "background:#123456" in admin_client.get(url).content.decode()


def test_a_topic_has_names_in_other_languages(admin_client: Client) -> None:
    topic = make_topic()
    said = {
        "name": "Newsletter",
        "description": "",
        "joining": "confirmed",
        "position": "0",
        "translations-TOTAL_FORMS": "1",
        "translations-INITIAL_FORMS": "0",
        "translations-0-topic": str(topic.pk),
        "translations-0-language": "DE",
        "translations-0-name": "Rundbrief",
    }
    assert admin_client.post(f"/admin/messaging/topic/{topic.pk}/change/", said).status_code == 302
    topic.refresh_from_db()
    assert topic.joining == "confirmed"
    assert topic.translations.values_list("language", "name").get() == ("de", "Rundbrief")
    assert not Subscription.objects.exists()
