"""The list of campaigns, adding one, publishing, pausing, versions, and who may do what."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from campaigns.models import Campaign, CampaignVersion, Metric, StepCount
from tests.campaigns.flow import acknowledged, delay, make_campaign, make_template, send, statements

pytestmark = pytest.mark.django_db
LIST = "/admin/campaigns/campaign/"
PAGES = ("workflow/", "journeys/", "journeys/refused/", "metrics/", "check/", "versions/", "publish/", "details/")


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin"))
    return client


@pytest.fixture
def as_user(client: Client) -> Callable[..., Client]:
    def sign_in(*permissions: str) -> Client:
        user = User.objects.create_user("somebody", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
        client.force_login(user)
        return client

    return sign_in


def at(campaign: Campaign, page: str) -> str:
    return f"{LIST}{campaign.pk}/{page}"


def text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200, url
    return response.content.decode()


# --- List and add ---


def test_the_list_shows_status_trigger_version_and_the_figures_of_a_week(browser: Client) -> None:
    campaign = make_campaign(name="Pricing", event="Visited Pricing Page")
    today = timezone.now().date()
    for metric, day, number in (
        (Metric.ENTERED, today, 1200),
        (Metric.ENTERED, today - timedelta(days=30), 5000),
        (Metric.SENT, today, 77),
    ):
        StepCount.objects.create(
            campaign=campaign, version=campaign.live_version, step_id="", day=day, metric=metric, count=number
        )
    Campaign.objects.create(name="Idea", slug="idea")
    html = text(browser, LIST)
    for words in ("Pricing", "cb-badge--ok", "Live", "Visited Pricing Page", "1,200", "77", "Idea", "Not chosen yet"):
        assert words in html
    assert "5,000" not in html and "6,200" not in html


def test_the_list_asks_as_much_for_many_campaigns_as_for_one(browser: Client) -> None:
    make_campaign()
    text(browser, LIST)
    one = statements(lambda: text(browser, LIST))
    for _ in range(8):
        make_campaign()
    assert statements(lambda: text(browser, LIST)) == one


def test_a_new_campaign_leads_straight_to_its_workflow(browser: Client) -> None:
    make_campaign(name="Win back")
    assert "Save and continue" not in text(browser, f"{LIST}add/")
    answer = browser.post(f"{LIST}add/", {"name": "Win  back!", "description": "Try"})
    campaign = Campaign.objects.get(name="Win  back!")
    assert answer["Location"] == at(campaign, "workflow/") + "?open=trigger"
    assert campaign.slug == "win-back-2" and campaign.status == Campaign.Status.DRAFT
    assert campaign.draft["steps"][0]["kind"] == "send"
    html = text(browser, answer["Location"])
    assert "Choose what" in html and "There are no templates yet" not in html


def test_a_newcomer_without_templates_is_told_to_write_one(browser: Client) -> None:
    campaign = Campaign.objects.create(name="New", slug="new", draft={"steps": [{"id": "mail", "kind": "send"}]})
    assert "There are no templates yet" in text(browser, at(campaign, "workflow/"))


def test_a_campaigns_address_leads_to_its_workflow(browser: Client) -> None:
    campaign = make_campaign()
    assert browser.get(at(campaign, "change/"))["Location"] == at(campaign, "workflow/")
    assert browser.get(f"{LIST}nonsense/change/")["Location"] == LIST
    assert browser.get(f"{LIST}999/workflow/").status_code == 404


def test_a_campaign_is_renamed_and_its_workflow_left_alone(browser: Client) -> None:
    campaign = make_campaign()
    draft = campaign.draft
    answer = browser.post(at(campaign, "details/"), {"name": "Other name", "description": ""})
    campaign.refresh_from_db()
    assert answer["Location"] == at(campaign, "workflow/")
    assert (campaign.name, campaign.draft) == ("Other name", draft)


def test_only_what_was_never_published_can_be_deleted(browser: Client) -> None:
    idea = Campaign.objects.create(name="Idea", slug="idea")
    assert browser.post(at(make_campaign(), "delete/"), {"post": "yes"}).status_code == 403
    assert browser.post(at(idea, "delete/"), {"post": "yes"}).status_code == 302
    assert not Campaign.objects.filter(name="Idea").exists()


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("pause_selected", Campaign.Status.LIVE, Campaign.Status.PAUSED),
        ("resume_selected", Campaign.Status.PAUSED, Campaign.Status.LIVE),
    ],
)
def test_campaigns_are_paused_and_resumed_from_the_list(browser: Client, action: str, before: str, after: str) -> None:
    campaign, idea = make_campaign(), Campaign.objects.create(name="Idea", slug="idea")
    if before == Campaign.Status.PAUSED:
        browser.post(at(campaign, "pause/"))
    browser.post(LIST, {"action": action, "_selected_action": [campaign.pk, idea.pk]})
    campaign.refresh_from_db()
    idea.refresh_from_db()
    assert (campaign.status, idea.status) == (after, Campaign.Status.DRAFT)


def test_publishing_from_the_list_asks_for_the_reason_of_each(browser: Client) -> None:
    first, second = make_campaign(), make_campaign()
    answer = browser.post(LIST, {"action": "publish_selected", "_selected_action": [first.pk]})
    assert answer["Location"] == at(first, "publish/")
    answer = browser.post(LIST, {"action": "publish_selected", "_selected_action": [first.pk, second.pk]}, follow=True)
    assert "one campaign at a time" in answer.content.decode()


# --- Publish, pause, resume ---


def test_publishing_wants_a_reason(browser: Client) -> None:
    campaign = make_campaign()
    answer = browser.post(at(campaign, "publish/"), {"reason": "  "})
    assert answer.status_code == 400 and "say in a few words why" in answer.content.decode()
    assert campaign.versions.count() == 1


def test_what_is_missing_is_listed_with_the_place_where_it_is_mended(browser: Client) -> None:
    campaign = Campaign.objects.create(name="Idea", slug="idea", draft={"steps": [{"id": "mail", "kind": "send"}]})
    answer = browser.post(at(campaign, "publish/"), {"reason": "Now"})
    html = answer.content.decode()
    assert answer.status_code == 400 and ">Now</textarea>" in html
    assert f'href="{at(campaign, "workflow/")}?open=step-mail#step-mail">Send a mail</a>: choose the template' in html
    assert "choose the event that starts this campaign" in html
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.DRAFT


def test_a_version_remembers_who_published_it_and_why(browser: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    campaign.draft["steps"][0]["seconds"] = 7200
    campaign.save()
    html = text(browser, at(campaign, "publish/"))
    assert "What version 2 changes" in html and "Changed: Wait 1 hour → Wait 2 hours" in html
    said = {"reason": "Kinder <b>so</b>", "seen": acknowledged(campaign)}
    answer = browser.post(at(campaign, "publish/"), said)
    assert answer["Location"] == at(campaign, "check/")
    version = CampaignVersion.objects.get(campaign=campaign, number=2)
    assert version.published_by and version.published_by.username == "admin"
    html = text(browser, at(campaign, "versions/"))
    assert "Kinder &lt;b&gt;so&lt;/b&gt;" in html and "by admin" in html and "This is the first version." in html
    assert LogEntry.objects.filter(object_id=campaign.pk, change_message__contains="Published version 2").exists()


def test_the_head_says_when_the_draft_differs_from_what_is_live(browser: Client) -> None:
    campaign = make_campaign()
    assert "draft differs" not in text(browser, at(campaign, "journeys/"))
    campaign.draft["trigger"]["event"] = "Other"
    campaign.save()
    assert "draft differs" in text(browser, at(campaign, "journeys/"))


def test_the_head_says_when_a_template_was_edited_after_publishing(browser: Client) -> None:
    campaign = make_campaign()
    template = make_template()
    assert "was edited after version 1" not in text(browser, at(campaign, "workflow/"))
    template.subject = "New subject"
    template.save()
    assert "“Hello” was edited after version 1" in text(browser, at(campaign, "workflow/"))


def test_pause_and_resume_stand_in_the_head(browser: Client) -> None:
    campaign = make_campaign()
    assert at(campaign, "pause/") in text(browser, at(campaign, "workflow/"))
    browser.post(at(campaign, "pause/"))
    html = text(browser, at(campaign, "workflow/"))
    assert at(campaign, "resume/") in html and at(campaign, "pause/") not in html
    browser.post(at(campaign, "resume/"))
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.LIVE


def test_an_old_version_becomes_the_draft_again_and_nothing_goes_live(browser: Client) -> None:
    campaign = make_campaign(delay(3600), send())
    first = campaign.draft
    browser.post(at(campaign, "publish/"), {"reason": "Again", "seen": acknowledged(campaign)})
    Campaign.objects.filter(pk=campaign.pk).update(draft={})
    browser.post(at(campaign, "versions/1/restore/"))
    campaign.refresh_from_db()
    assert campaign.draft["steps"] == first["steps"]
    assert campaign.live_version and campaign.live_version.number == 2


# --- Who may do what ---


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_are_for_those_who_may_see_campaigns(as_user: Any, page: str) -> None:
    campaign = make_campaign()
    assert as_user().get(at(campaign, page)).status_code == 403


@pytest.mark.parametrize("page", [page for page in PAGES if page != "details/"])
def test_whoever_may_look_sees_every_page_and_no_button(as_user: Any, page: str) -> None:
    html = text(as_user("view_campaign"), at(make_campaign(), page))
    assert "pause/" not in html and "Rename" not in html


@pytest.mark.parametrize("page", ["workflow/", "publish/", "pause/", "resume/", "versions/1/restore/", "check/test/"])
def test_whoever_may_only_look_changes_nothing(as_user: Any, page: str) -> None:
    campaign = make_campaign()
    assert as_user("view_campaign").post(at(campaign, page), {"reason": "x"}).status_code == 403
    campaign.refresh_from_db()
    assert campaign.status == Campaign.Status.LIVE and campaign.versions.count() == 1


def test_strangers_are_led_to_the_log_in(client: Client) -> None:
    assert "/admin/login/" in client.get(at(make_campaign(), "workflow/"))["Location"]


@pytest.mark.parametrize("page", ["pause/", "resume/", "versions/1/restore/", "check/test/"])
def test_what_changes_something_only_answers_post(browser: Client, page: str) -> None:
    assert browser.get(at(make_campaign(), page)).status_code == 405
