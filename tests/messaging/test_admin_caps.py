"""The console's frequency caps: setting them, what is refused, and who may."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError
from django.test import Client

from events.models import AuditEntry
from messaging.models import FrequencyCap
from tests.factories import make_topic
from tests.messaging.test_admin_messages import viewer

pytestmark = pytest.mark.django_db
CAPS = "/admin/messaging/frequencycap/"
SAID = {
    "most": "2",
    "window_length": "1",
    "window_unit": "days",
    "topic": "",
    "channel": "",
    "when_full": "defer",
    "give_up_hours": "72",
    "enabled": "on",
}


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_a_cap_is_added_changed_and_deleted_and_each_is_on_record(admin_client: Client) -> None:
    assert "A frequency cap says how many" in text_of(admin_client, CAPS)
    assert admin_client.post(f"{CAPS}add/", SAID).status_code == 302
    cap = FrequencyCap.objects.get()
    assert "At most 2 a day" in text_of(admin_client, CAPS)
    assert admin_client.post(f"{CAPS}{cap.pk}/change/", {**SAID, "most": "3", "enabled": ""}).status_code == 302
    assert FrequencyCap.binding() == []
    assert "Off" in text_of(admin_client, CAPS)
    assert admin_client.post(f"{CAPS}{cap.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not FrequencyCap.objects.exists()
    noted = AuditEntry.objects.filter(action="limits").order_by("pk").values_list("actor", "details")
    assert list(noted) == [
        ("admin", {"cap": "At most 2 a day", "on": True}),
        ("admin", {"cap": "At most 3 a day", "on": False}),
        ("admin", {"cap": "At most 3 a day", "deleted": True}),
    ]
    assert LogEntry.objects.count() == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [("most", "0"), ("most", ""), ("window_length", "0"), ("window_unit", "weeks"), ("give_up_hours", "0")],
)
def test_a_cap_that_allows_nothing_is_refused_at_its_field(admin_client: Client, field: str, value: str) -> None:
    answer = admin_client.post(f"{CAPS}add/", {**SAID, field: value})
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not FrequencyCap.objects.exists()


def test_the_database_knows_no_cap_of_nothing() -> None:
    with pytest.raises(IntegrityError, match="cap_allows_something"):
        FrequencyCap.objects.create(most=0, window_length=1)


def test_caps_have_names_that_say_what_they_do() -> None:
    topic = make_topic()
    caps = [
        FrequencyCap(most=1, window_length=1, window_unit="hours"),
        FrequencyCap(most=3, window_length=7, topic=topic),
        FrequencyCap(most=5, window_length=30, window_unit="minutes", topic=topic, channel="sms"),
    ]
    assert [str(cap) for cap in caps] == [
        "At most 1 an hour",
        "At most 3 in 7 days about Newsletter",
        "At most 5 in 30 minutes about Newsletter by SMS",
    ]


def test_the_page_of_limits_names_them(admin_client: Client) -> None:
    page = "/admin/messaging/sendinglimits/"
    assert "one person can get any number of messages" in text_of(admin_client, page)
    FrequencyCap.objects.create(most=2, window_length=1)
    assert "At most 2 a day" in text_of(admin_client, page)
    assert "Frequency caps" in text_of(admin_client, "/admin/"), "it is in the menu"


def test_who_may_only_look_changes_nothing() -> None:
    cap = FrequencyCap.objects.create(most=2, window_length=1)
    client = viewer("view_frequencycap")
    assert "At most 2 a day" in text_of(client, CAPS)
    assert client.post(f"{CAPS}{cap.pk}/change/", {**SAID, "most": "9"}).status_code == 403
    assert client.post(f"{CAPS}add/", SAID).status_code == 403
