"""What became of messages, as a file."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from events.models import ApiToken, AuditEntry, hash_key, new_key
from events.transfers.exports import Period
from messaging import exports
from messaging.models import Message
from messaging.reasons import Reason
from messaging.states import Status
from tests.factories import make_message, make_profile

pytestmark = pytest.mark.django_db
AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
PERIOD = Period(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))


def written(at: datetime = AT, **columns: Any) -> Message:
    message = make_message(columns.pop("profile", None) or make_profile("ada"), **columns)
    Message.objects.filter(pk=message.pk).update(created_at=at)
    return message


def read(answer: Any) -> str:
    return b"".join(answer.streaming_content).decode()


def test_each_message_of_the_period_is_told_with_what_became_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "BATCH", 2)
    ada = make_profile("ada")
    told = [
        written(profile=ada, status=Status.DELIVERED, address="ada@example.com", subject="Hello"),
        written(profile=ada, status=Status.SKIPPED, reason=Reason.UNSUBSCRIBED),
        written(profile=ada),
    ]
    written(datetime(2026, 2, 1, tzinfo=UTC), profile=ada)
    written(profile=ada, is_test=True)
    written(profile=make_profile("sandbox:ada", is_sandbox=True, is_test=True))
    rows = list(exports.messages(PERIOD))
    assert [row["message_id"] for row in rows] == [str(message.public_id) for message in told]
    assert (rows[0]["user_id"], rows[0]["address"], rows[0]["subject"]) == ("ada", "ada@example.com", "Hello")
    assert [(row["status"], row["reason"]) for row in rows] == [
        ("delivered", ""),
        ("skipped", "unsubscribed"),
        ("queued", ""),
    ]
    assert rows[0]["template"] == told[0].template_version.template.name


def test_the_management_api_hands_out_both_kinds_of_file() -> None:
    written(subject="=1+1")
    token = new_key("token")
    ApiToken.objects.create(label="ci", key_hash=hash_key(token), scopes=["messages:read"])
    client = Client(headers={"Authorization": f"Bearer {token}"})
    address = "/api/v1/manage/exports/messages"
    (line,) = read(client.get(f"{address}.ndjson?since=2026-01-01T00:00:00Z")).splitlines()
    assert json.loads(line)["subject"] == "=1+1"
    header, row = csv.reader(read(client.get(f"{address}.csv?since=2026-01-01T00:00:00Z")).splitlines())
    assert header == list(exports.COLUMNS)
    assert row[header.index("subject")] == "'=1+1", "no formula"
    assert read(client.get(f"{address}.ndjson?until=2026-01-01T00:00:00Z")) == ""
    assert AuditEntry.objects.filter(actor="token ci", action="download", details__kind="messages").count() == 3
    ApiToken.objects.update(scopes=["profiles:read"])
    assert client.get(f"{address}.csv").status_code == 403


def test_the_admin_offers_the_export_above_the_list(admin_client: Client) -> None:
    message = written()
    page = admin_client.get("/admin/messaging/message/").content.decode()
    address = "/admin/messaging/message/export/"
    assert f'action="{address}"' in page
    days = {"since": "2026-01-15", "until": "2026-01-15"}
    answer = admin_client.post(address, {"format": "csv", **days})
    assert str(message.public_id) in read(answer)
    assert "messages-" in answer["Content-Disposition"]
    answer = admin_client.post(address, {"format": "csv", "since": "yesterday"}, follow=True)
    assert "Nothing was exported" in answer.content.decode()


def test_only_who_may_see_messages_may_export_them(client: Client) -> None:
    client.force_login(User.objects.create_user("reader", is_staff=True))
    assert client.post("/admin/messaging/message/export/", {"format": "csv"}).status_code == 403
