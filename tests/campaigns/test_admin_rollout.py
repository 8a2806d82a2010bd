"""The roll-out tab and the safeguards of the workspace."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from campaigns import rollouts
from campaigns.admin import rollout
from campaigns.models import Admission, Campaign, Safeguards, StepCount
from tests.campaigns.flow import make_campaign, send

pytestmark = pytest.mark.django_db


def at(campaign: Campaign, page: str = "") -> str:
    return f"/admin/campaigns/campaign/{campaign.pk}/rollout/{page}"


def text(client: Client, campaign: Campaign) -> str:
    return " ".join(client.get(at(campaign)).content.decode().split())


def count(campaign: Campaign, **figures: int) -> None:
    for metric, number in figures.items():
        StepCount.objects.create(
            campaign=campaign,
            version=campaign.live_version,
            step_id="",
            day=timezone.now().date(),
            metric=metric,
            count=number,
        )


def test_a_campaign_without_any_says_so(admin_client: Client) -> None:
    said = text(admin_client, make_campaign(send()))
    assert "Everybody who qualifies is let in. To begin with a few, name stages below, such as 1, 10, 50, 100." in said
    assert "There is none. With one you see what people do" in said


def test_stages_and_groups_are_stored_and_the_next_stage_begins_by_the_button(admin_client: Client) -> None:
    campaign = make_campaign(send())
    typed = {"holdout": "10", "in_global": "on", "stages": "1 %, 10, 50 100", "hours": "24"}
    assert admin_client.post(at(campaign), typed).status_code == 302
    admission = Admission.objects.get()
    assert (admission.holdout, admission.in_global, admission.stages, admission.hours) == (
        10,
        True,
        [1, 10, 50, 100],
        24,
    )
    assert "1 % of all people are let in when they qualify" in text(admin_client, campaign)
    for _ in range(2):
        admin_client.post(at(campaign, "next/"), {"stage": "0"})
    assert Admission.objects.get().stage == 1
    history = admin_client.get(f"/admin/campaigns/campaign/{campaign.pk}/history/").content.decode()
    assert "Rolled out to 10 % of all people." in history and "control group 10 %" in history


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("holdout", "51", "Control group, in per cent: Ensure this value is less than or equal to 50."),
        ("stages", "10, 1", "Stages, in per cent of all people: Each stage has to be larger than the one before it"),
        ("stages", "0, 100", "Each stage has to be larger"),
        ("stages", "one", "Write whole per cents with commas between them"),
        ("hours", "0", "Hours after which the next stage begins by itself: Ensure this value is greater"),
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_nothing_is_stored(
    admin_client: Client, field: str, value: str, said: str
) -> None:
    campaign = make_campaign(send())
    answer = admin_client.post(at(campaign), {"holdout": "0", "stages": "", "hours": "", field: value})
    assert answer.status_code == 400
    assert said in answer.content.decode()
    assert not Admission.objects.exists()


def test_who_may_only_look_changes_nothing(client: Client) -> None:
    campaign = make_campaign(send())
    rollouts.set_up(campaign, rollouts.Wanted(0, True, [1, 100], None))
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_campaign"))
    client.force_login(user)
    assert "Next stage" not in text(client, campaign) and ">Save<" not in text(client, campaign)
    assert client.post(at(campaign, "next/"), {"stage": "0"}).status_code == 403
    assert client.post(at(campaign), {"holdout": "50"}).status_code == 403
    assert Admission.objects.get().stage == 0


def test_the_comparison_is_honest() -> None:
    campaign = make_campaign(send(), goal={"event": "Order Completed", "hours": 24})
    assert rollout.comparison(campaign, {}) == []
    few = rollout.comparison(campaign, {"held_out": 20, "held_out_goal": 1, "treated": 900, "treated_goal": 90})
    assert few[0] == "Control group: 20 people, 5.0 % reached the goal; the others (900 people): 10.0 %."
    assert few[1].startswith("Too few to say")
    chance = rollout.comparison(campaign, {"held_out": 200, "held_out_goal": 18, "treated": 900, "treated_goal": 90})
    assert chance[1].startswith("The difference may be chance")
    sure = rollout.comparison(campaign, {"held_out": 2000, "held_out_goal": 100, "treated": 9000, "treated_goal": 900})
    assert sure[1].startswith("The campaign changes it by +5.0 points")
    aimless = rollout.comparison(make_campaign(send()), {"held_out": 1, "treated": 3})
    assert aimless == ["Control group: 1 person. The campaign has no goal, so there is nothing to compare them by."]


def test_the_page_shows_the_comparison(admin_client: Client) -> None:
    campaign = make_campaign(send(), goal={"event": "Order Completed", "hours": 24})
    count(campaign, held_out=20, held_out_goal=1, treated=900, treated_goal=90)
    assert "Control group: 20 people, 5.0 % reached the goal" in text(admin_client, campaign)


def test_the_workspaces_safeguards_are_one_row(admin_client: Client) -> None:
    page = "/admin/campaigns/safeguards/"
    assert admin_client.get(page).status_code == 200
    usual = {"sample": "50", "silent_least": "20", "operators": "", "webhook": "", "complaint_limit": ""}
    wrong = admin_client.post(page, {**usual, "holdout": "60"})
    assert (wrong.status_code, Safeguards.objects.get().holdout) == (200, 0)
    assert "less than or equal to 50" in wrong.content.decode()
    assert admin_client.post(page, {**usual, "holdout": "5", "bounce_limit": "7.5"}).status_code == 302
    row = Safeguards.objects.get()
    assert (row.holdout, row.bounce_limit, row.complaint_limit) == (5, Decimal("7.5"), None)
    assert admin_client.get(f"{page}add/").status_code == 403


def test_operators_are_addresses_one_a_line(admin_client: Client) -> None:
    page = "/admin/campaigns/safeguards/"
    usual = {"holdout": "0", "sample": "50", "silent_least": "20", "webhook": ""}
    wrong = admin_client.post(page, {**usual, "operators": "ops@example.com\nnobody"})
    assert "nobody is no email address" in wrong.content.decode()
    admin_client.post(page, {**usual, "operators": "ops@example.com\nlead@example.com"})
    assert Safeguards.objects.get().operators.split() == ["ops@example.com", "lead@example.com"]
