"""Campaigns by the management API: as code, and why somebody got one or not."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from campaigns.models import Campaign
from events.models import AuditEntry
from tests.campaigns.flow import delay, happens, make_campaign, send, settle
from tests.campaigns.test_api import token
from tests.factories import make_profile

pytestmark = pytest.mark.django_db
CODE = "/api/v1/manage/campaigns/code/"


def headers(*scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(*scopes)}"}


def post(client: Client, body: dict[str, Any], *scopes: str) -> Any:
    return client.post(CODE, body, content_type="application/json", headers=headers(*(scopes or ("campaigns:write",))))


def test_why_is_told_as_data(client: Client) -> None:
    campaign = make_campaign(
        trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}, "grace_minutes": 0}
    )
    ada = make_profile("ada", traits={"email": "ada@example.com", "plan": "free"})
    happens(ada)
    settle()
    url = f"/api/v1/manage/campaigns/{campaign.slug}/why/"
    told = client.get(url, {"person": "ada"}, headers=headers("campaigns:read")).json()
    assert told["answer"].startswith("ada has not entered: “Signed Up”: The trigger's conditions were not met")
    (line,) = next(each for each in told["sections"] if each["title"] == "What could start it")["lines"]
    assert line["parts"][0]["matches"] is False and "free" in line["parts"][0]["seen"]
    assert client.get(url, {"person": "ada@example.com"}, headers=headers("campaigns:read")).status_code == 200


def test_why_needs_a_person_a_campaign_and_the_scope(client: Client) -> None:
    campaign = make_campaign()
    url = f"/api/v1/manage/campaigns/{campaign.slug}/why/"
    assert client.get(url, {"person": "nobody"}, headers=headers("campaigns:read")).status_code == 404
    assert client.get(url, headers=headers("campaigns:read")).json()["field"] == "person"
    assert client.get(url.replace(campaign.slug, "other"), headers=headers("campaigns:read")).status_code == 404
    assert client.get(url, {"person": "x"}, headers=headers("profiles:read")).status_code == 403


def test_files_are_read_planned_and_applied(client: Client) -> None:
    campaign = make_campaign(delay(3600), send(), name="Mine")
    files = client.get(CODE, {"campaign": "mine"}, headers=headers("campaigns:read")).json()["files"]
    files["campaigns/mine.yaml"] = files["campaigns/mine.yaml"].replace("seconds: 3600", "seconds: 7200")
    planned = post(client, {"files": files, "dry_run": True}).json()
    assert planned["applied"] is False
    (item,) = [each for each in planned["items"] if each["sign"] == "~"]
    assert item["changes"] == [{"sign": "~", "place": "definition.steps/wait.seconds", "text": "3600 → 7200"}]
    assert post(client, {"files": files, "publish": "By the repository."}).json()["applied"] is True
    campaign.refresh_from_db()
    assert campaign.live_version is not None and campaign.live_version.number == 2
    assert AuditEntry.objects.get(action="code").details == {"changed": ["campaign mine"]}


def test_what_is_in_the_way_is_told_and_nothing_is_applied(client: Client) -> None:
    answer = post(client, {"files": {"a.yaml": "kind: topic\nname: X\n"}})
    assert answer.status_code == 409 and answer.json()["items"][0]["faults"][0]["place"] == "slug"
    assert post(client, {"files": {"a.yaml": 3}}).json()["field"] == "files"
    assert post(client, {}).status_code == 400
    assert post(client, {"files": {"a.yaml": ""}}, "campaigns:read").status_code == 403
    assert client.get(CODE, {"campaign": "no"}, headers=headers("campaigns:read")).status_code == 404
    assert not Campaign.objects.exists()
