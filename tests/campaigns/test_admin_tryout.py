"""The tab that tries a campaign out."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from campaigns.models import Campaign, Journey
from events.models import Profile
from tests.campaigns.flow import delay, make_campaign, make_template, send
from tests.factories import make_profile

pytestmark = pytest.mark.django_db


def at(campaign: Campaign) -> str:
    return f"/admin/campaigns/campaign/{campaign.pk}/tryout/"


def said(*rows: dict[str, Any], **fields: Any) -> dict[str, Any]:
    usual = {"person": "", "traits": '{"email": "zoe@example.com", "name": "Zoe"}', "workflow": "live"}
    usual |= {"start": "2026-03-02T08:00", "days": "14", "happens-TOTAL_FORMS": len(rows), "happens-INITIAL_FORMS": 0}
    for number, row in enumerate(rows):
        row = {"kind": "does", "name": "", "said": "", "days": "", "hours": "", "minutes": "", **row}
        usual |= {f"happens-{number}-{key}": value for key, value in row.items()}
    return {**usual, **fields}


def test_somebody_new_goes_through_weeks_and_nothing_real_changes(admin_client: Client) -> None:
    campaign = make_campaign(delay(86_400), send())
    assert 'value="Signed Up"' in admin_client.get(at(campaign)).content.decode()
    answer = admin_client.post(at(campaign), said({"name": "Signed Up", "said": '{"plan": "pro"}'}, {}))
    html = answer.content.decode()
    assert answer.status_code == 200 and "Hello Zoe" in html and "Tue 3 Mar, 08:00:00" in html
    assert "“Say hello”: Message handed to the outbox" in html and "sandbox srcdoc" in html
    assert not Profile.objects.exists() and not Journey.objects.exists()
    assert 'name="happens-TOTAL_FORMS" value="3"' in html


def test_somebody_known_whose_traits_change(admin_client: Client) -> None:
    campaign = make_campaign(
        trigger={"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}, "grace_minutes": 0}
    )
    make_profile("ada", traits={"email": "ada@example.com"})
    rows = (
        {"name": "Signed Up"},
        {"kind": "changes", "said": '{"plan": "pro"}', "days": "1"},
        {"name": "Signed Up", "days": "2"},
    )
    html = admin_client.post(at(campaign), said(*rows, person="ada")).content.decode()
    assert (
        "“Signed Up”: The trigger&#x27;s conditions were not met" in html
        and "“Signed Up”: Entered the campaign" in html
    )
    assert Profile.objects.get().traits == {"email": "ada@example.com"}


@pytest.mark.parametrize(
    ("row", "fields", "message"),
    [
        ({"said": '{"a": 1}'}, {}, "Choose the event."),
        ({"name": "Signed Up", "said": "["}, {}, "Write a JSON object"),
        ({"name": "Signed Up", "said": "[1]"}, {}, "Write a JSON object"),
        ({}, {"person": "nobody"}, "Nobody is known by this."),
        ({}, {"days": "0"}, "greater than or equal to 1"),
        ({}, {"start": "soon"}, "Enter a valid date/time."),
    ],
)
def test_what_cannot_be_read_is_said_at_its_field(
    admin_client: Client, row: dict[str, Any], fields: dict[str, Any], message: str
) -> None:
    answer = admin_client.post(at(make_campaign()), said(row, **fields))
    assert answer.status_code == 400 and message in answer.content.decode()


def test_a_draft_that_cannot_run_leads_to_what_is_missing(admin_client: Client) -> None:
    draft = Campaign.objects.create(name="Draft", slug="draft", draft={"trigger": {"event": "Signed Up"}})
    answer = admin_client.post(at(draft), said({"name": "Signed Up"}, workflow="draft"))
    assert answer.status_code == 400 and "The draft cannot run yet" in answer.content.decode()
    answer = admin_client.post(at(draft), said({"name": "Signed Up"}))
    assert "The campaign was never published: try its draft out." in answer.content.decode()


def test_whoever_may_look_may_try(client: Client) -> None:
    user = User.objects.create_user("looker", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_campaign"))
    client.force_login(user)
    make_template()
    assert client.post(at(make_campaign()), said({"name": "Signed Up"})).status_code == 200
