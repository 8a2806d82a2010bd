"""The metrics page: rolled-up figures by step, in all and by day."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from html import unescape

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns import publishing
from campaigns.admin import figures
from campaigns.models import Campaign, CampaignVersion, Metric, StepCount
from tests.campaigns.flow import delay, make_campaign, send, statements

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin"))
    return client


def count(version: CampaignVersion | None, metric: str, number: int, step_id: str = "mail", days_ago: int = 0) -> None:
    assert version
    day = timezone.now().date() - timedelta(days=days_ago)
    StepCount.objects.create(
        campaign_id=version.campaign_id, version=version, step_id=step_id, day=day, metric=metric, count=number
    )


def page(client: Client, campaign: Campaign, query: str = "") -> str:
    response = client.get(f"/admin/campaigns/campaign/{campaign.pk}/metrics/{query}")
    assert response.status_code == 200
    return response.content.decode()


def cells(html: str, step: str) -> list[str]:
    row = re.search(rf"<tr>\s*<th scope=\"row\">(?:(?!</th>).)*{step}.*?</tr>", html, re.DOTALL)
    assert row
    found = re.findall(r"<td[^>]*>(.*?)</td>", row[0], re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in found]


def test_a_mail_shows_its_figures_and_their_shares(browser: Client) -> None:
    campaign = make_campaign(delay(60), send())
    version = campaign.live_version
    for metric, number in (
        (Metric.VISITED, 1250),
        (Metric.SENT, 1000),
        (Metric.DELIVERED, 900),
        (Metric.OPENED, 450),
        (Metric.CLICKED, 90),
        (Metric.BOUNCED, 100),
        (Metric.COMPLAINED, 9),
        (Metric.UNSUBSCRIBED, 18),
        (Metric.MACHINE_OPENED, 45),
        (Metric.MACHINE_CLICKED, 9),
        (Metric.SKIPPED, 240),
        (Metric.FAILED, 10),
    ):
        count(version, metric, number)
    count(version, Metric.VISITED, 7, "wait")
    html = page(browser, campaign)
    assert cells(html, "Say hello") == [
        "1,250", "1,000", "900 90.0 %", "450 50.0 %", "90 10.0 %", "45 5.0 %", "9 1.0 %", "100 10.0 %", "9 1.0 %",
        "18 2.0 %", "240", "10",
    ]  # fmt: skip
    assert cells(html, "Wait") == ["7", ""]


def test_the_campaign_as_a_whole_has_its_conversion_rate(browser: Client) -> None:
    campaign = make_campaign()
    for metric, number in ((Metric.ENTERED, 200), (Metric.CONVERTED, 25), (Metric.ENDED, 180)):
        count(campaign.live_version, metric, number, "")
    html = page(browser, campaign)
    found = re.findall(r"cb-kpi\"><strong>(.*?)</strong><span>(.*?)</span>", html)
    expected = [("200", "Entered"), ("25", "Converted"), ("12.5 %", "Conversion rate"), ("180", "Ended")]
    assert found == [*expected, ("0", "Left early")]


def test_nobody_entered_makes_no_rate() -> None:
    assert figures.rate(0, 0) == ""
    assert figures.overall({})[2][1].rate == "–"


def test_the_figures_are_narrowed_to_a_version(browser: Client) -> None:
    campaign = make_campaign(send("mail"))
    first = campaign.live_version
    campaign.draft["steps"] = [{**send("other"), "name": "Other mail"}]
    campaign.save()
    second = publishing.publish(campaign, None, "Another mail")
    count(first, Metric.SENT, 3, "mail")
    count(second, Metric.SENT, 5, "other")
    html = page(browser, campaign)
    assert html.index("Other mail") < html.index("Say hello")
    html = page(browser, campaign, "?version=1")
    assert cells(html, "Say hello")[1] == "3" and "Other mail" not in html
    assert cells(page(browser, campaign, "?version=2"), "Other mail")[1] == "5"


@pytest.mark.parametrize(
    ("query", "days", "sent"), [("", 30, 3), ("?days=7", 7, 1), ("?days=90", 90, 7), ("?days=8", 30, 3)]
)
def test_the_chart_and_its_table_show_each_day_of_the_span(browser: Client, query: str, days: int, sent: int) -> None:
    campaign = make_campaign()
    for days_ago, number in ((0, 1), (20, 2), (80, 4)):
        count(campaign.live_version, Metric.SENT, number, "mail", days_ago)
    html = page(browser, campaign, query)
    data = json.loads(unescape(re.search(r'data-value="(.*?)"', html, re.DOTALL)[1]))  # type: ignore[index]
    assert len(data["labels"]) == days
    line = next(dataset for dataset in data["datasets"] if dataset["label"] == "Sent")
    assert sum(line["data"]) == sent and line["data"][-1] == 1
    assert len(re.findall(r"<tr><th scope=\"row\">\d{4}-\d\d-\d\d</th>", html)) == days


def test_days_without_figures_are_zero() -> None:
    day = date(2026, 11, 1)
    table = figures.by_day([(day, "mail", "sent", 2), (day, "again", "sent", 3)], day - timedelta(days=1), 2)
    assert [list(found.counts) for found in table] == [[0] * 6, [0, 5, 0, 0, 0, 0]]


def test_an_unpublished_campaign_says_that_there_are_no_figures(browser: Client) -> None:
    assert "No figures yet" in page(browser, Campaign.objects.create(name="Idea", slug="idea"))


def test_the_page_asks_as_much_for_many_figures_as_for_one(browser: Client) -> None:
    campaign = make_campaign()
    count(campaign.live_version, Metric.SENT, 1)
    page(browser, campaign)
    one = statements(lambda: page(browser, campaign))
    for number in range(1, 20):
        count(campaign.live_version, Metric.SENT, 1, "mail", number)
        count(campaign.live_version, Metric.OPENED, 1, "mail", number)
    assert statements(lambda: page(browser, campaign)) == one <= 12


def test_only_rolled_up_figures_are_read(browser: Client) -> None:
    campaign = make_campaign()
    with CaptureQueriesContext(connection) as queries:
        page(browser, campaign)
    big = re.compile(r'FROM "(campaigns_journey|campaigns_visit|messaging_message|events_event)"')
    assert not [found["sql"] for found in queries if big.search(found["sql"])]
