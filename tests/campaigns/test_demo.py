"""The shop window, and what fills the demo in."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import include, path

from campaigns import enrollment, publishing
from campaigns.demo import people, shop
from campaigns.demo.seed import SOURCE, Secrets, seed
from campaigns.engine import definition
from campaigns.models import Campaign, Decision, Journey
from config.urls import urlpatterns as own_urls
from events.models import ApiToken, ComputedTrait, Event, Profile, Segment, Source, SourceKey, hash_key
from messaging import rendering
from messaging.models import Provider, Template
from messaging.versions import content_of

pytestmark = pytest.mark.django_db

ENVIRON = {
    "ADMIN_USER": "admin",
    "ADMIN_PASSWORD": "long enough for anybody",
    "WRITE_KEY": "write-key-1",
    "SITE_ID": "site-1",
    "API_KEY": "api-key-1",
    "API_TOKEN": "token-1",
    "HOOK": "hook-1",
}
urlpatterns = [*own_urls, path("demo/", include("campaigns.demo.urls"))]
with_demo = override_settings(ROOT_URLCONF=__name__)


@pytest.fixture
def seeded() -> None:
    seed(Secrets.of(ENVIRON))


@pytest.mark.usefixtures("seeded")
def test_everything_is_there_after_seeding(client: Client) -> None:
    assert client.login(username="admin", password=ENVIRON["ADMIN_PASSWORD"], request=_request())
    source = Source.objects.get(name=SOURCE)
    assert source.site_id == "site-1"
    keys = {key.kind: key.key_hash for key in source.keys.all()}
    assert keys == {"public": hash_key("write-key-1"), "secret": hash_key("api-key-1")}
    assert ApiToken.objects.get().key_hash == hash_key("token-1")
    hook = Source.objects.get(kind=Source.Kind.WEBHOOK)
    assert (hook.slug, hook.lock) == ("hook-1", Source.Lock.ADDRESS)
    assert Provider.objects.get(is_default=True).kind == Provider.Kind.MAILBOX
    assert {c.slug: c.status for c in Campaign.objects.all()} == {
        "welcome": "live",
        "pricing-follow-up": "live",
        "project-tips": "live",
    }
    assert set(Segment.objects.values_list("slug", flat=True)) == {"looked-at-prices", "customers"}
    assert set(ComputedTrait.objects.values_list("name", flat=True)) == {"recent_plans", "money_spent"}


def _request() -> Any:
    from django.test import RequestFactory

    return RequestFactory().post("/admin/login/")


@pytest.mark.usefixtures("seeded")
def test_the_campaigns_do_what_they_say() -> None:
    welcome, pricing = Campaign.objects.get(slug="welcome").draft, Campaign.objects.get(slug="pricing-follow-up").draft
    assert welcome["trigger"]["event"] == "Signed Up"
    assert [step["kind"] for step in welcome["steps"]] == ["send"]
    assert [step["kind"] for step in pricing["steps"]] == ["delay", "window", "send"]
    assert pricing["steps"][0]["seconds"] / pricing["speed"] == 10
    assert pricing["goal"]["event"] == "Order Completed"
    for campaign in Campaign.objects.all():
        assert definition.problems(campaign.draft) == [] and publishing.problems(campaign) == []


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize(
    ("name", "trigger", "subject"),
    [
        ("Welcome", {}, "Welcome, Ada"),
        ("Pricing follow-up", {"plan_name": "Pro"}, "The Pro plan, in short"),
        ("Tips for teams", {"project_name": "Garden"}, "Garden: invite your team"),
    ],
)
def test_the_mails_greet_by_name_and_carry_address_and_unsubscribe_link(
    name: str, trigger: dict[str, str], subject: str
) -> None:
    content = content_of(Template.objects.get(name=name))
    url = "https://cue.example/u/1"
    variables = {"customer": {"first_name": "ada"}, "trigger": trigger, "unsubscribe_url": url}
    mail = rendering.render(content, variables)
    assert mail.subject == subject
    assert mail.missing == ()
    for part in (mail.html, mail.text):
        assert url in part and "1 Example Street" in part
    if name == "Welcome":
        assert "Welcome, Ada" in mail.html


@pytest.mark.usefixtures("seeded")
def test_the_made_up_people_are_marked_and_set_campaigns_off() -> None:
    assert Profile.objects.count() == len(people.PEOPLE)
    assert all(profile.traits["demo"] is True for profile in Profile.objects.all())
    enrollment.enroll_pending(time.monotonic() + 20)
    assert Journey.objects.filter(campaign__slug="welcome").count() == len(people.PEOPLE)
    assert not Decision.objects.filter(entry="too_old").exists()


@pytest.mark.usefixtures("seeded")
def test_seeding_again_changes_nothing_and_is_quick(django_user_model: Any) -> None:
    Template.objects.filter(name="Welcome").update(subject="Edited")
    Campaign.objects.filter(slug="welcome").update(description="Edited")
    before = {model: model.objects.count() for model in (Event, Profile, SourceKey, ApiToken, Template, Campaign)}
    hashed = django_user_model.objects.get().password
    began = time.monotonic()
    with CaptureQueriesContext(connection) as queries:
        seed(Secrets.of(ENVIRON))
    assert time.monotonic() - began < 1
    assert {model: model.objects.count() for model in before} == before
    assert Template.objects.get(name="Welcome").subject == "Edited"
    assert django_user_model.objects.get().password == hashed
    writes = [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "DELETE"))]
    assert writes == []


@pytest.mark.usefixtures("seeded")
def test_new_secrets_replace_the_old_log_in_and_add_keys(client: Client) -> None:
    seed(Secrets.of({**ENVIRON, "ADMIN_PASSWORD": "another long one", "WRITE_KEY": "write-key-2"}))
    assert client.login(username="admin", password="another long one", request=_request())
    assert Source.objects.get(name=SOURCE).keys.filter(kind="public").count() == 2


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("API_KEY")
    with pytest.raises(CommandError, match="API_KEY"):
        call_command("seed_demo")


@pytest.mark.usefixtures("seeded")
@with_demo
def test_the_shop_names_the_campaign_that_answers_and_where_to_watch(client: Client) -> None:
    text = client.get("/demo/").content.decode()
    welcome = Campaign.objects.get(slug="welcome")
    assert 'data-write-key="write-key-1"' in text
    assert f"/admin/campaigns/campaign/{welcome.pk}/journeys/" in text
    assert "speed 360: an hour takes 10 s" in text
    assert "/admin/messaging/message/mailbox/" in text


@pytest.mark.usefixtures("seeded")
@with_demo
def test_the_shop_says_so_when_nobody_listens_or_the_key_is_gone(client: Client) -> None:
    for campaign in Campaign.objects.all():
        publishing.pause(campaign)
    SourceKey.objects.filter(kind="public").delete()
    text = client.get("/demo/").content.decode()
    assert "No live campaign listens" in text
    assert "no public key in use" in text


def test_the_home_page_leads_to_the_shop_only_in_the_demo(admin_client: Client) -> None:
    assert 'href="/demo/"' not in admin_client.get("/admin/").content.decode()
    with with_demo:
        assert 'href="/demo/"' in admin_client.get("/admin/").content.decode()


@pytest.mark.usefixtures("seeded")
def test_answers_are_found_by_trigger_and_by_goal() -> None:
    live = list(Campaign.objects.select_related("live_version").order_by("name"))
    assert [(a.name, a.is_goal) for a in shop.answers(live, "Order Completed")] == [("Pricing follow-up", True)]
    assert [(a.name, a.is_goal) for a in shop.answers(live, "Signed Up")] == [("Welcome", False)]
    assert shop.answers(live, "Unheard Of") == []


@pytest.mark.usefixtures("seeded")
@with_demo
def test_the_whole_walk_a_person_from_the_shop_becomes_a_test_person_and_starts_a_journey(client: Client) -> None:
    call = {"writeKey": "write-key-1", "userId": "shop-1", "traits": {"first_name": "ada", "email": "ada@example.com"}}
    assert client.post("/v1/identify", call, "application/json").status_code == 200
    assert client.post("/demo/test-person/", {"userId": "shop-1"}, "application/json").status_code == 200
    event = {"writeKey": "write-key-1", "userId": "shop-1", "event": "Signed Up", "properties": {"plan": "pro"}}
    assert client.post("/v1/track", event, "application/json").status_code == 200
    enrollment.enroll_pending(time.monotonic() + 20)
    journey = Journey.objects.get(profile__user_id="shop-1")
    assert journey.is_test and journey.campaign.slug == "welcome"


@pytest.mark.usefixtures("seeded")
@with_demo
@pytest.mark.parametrize(
    ("body", "status"),
    [('{"userId": "demo-mara"}', 404), ('{"userId": "shop-nobody"}', 404), ("{}", 400), ("[]", 400), ("x", 400)],
)
def test_nobody_else_can_be_made_a_test_person_there(client: Client, body: str, status: int) -> None:
    answer = client.post("/demo/test-person/", body, "application/json")
    assert answer.status_code == status
    assert json.loads(answer.content)["message"]
    assert not Profile.objects.filter(is_test=True).exists()


@pytest.mark.usefixtures("seeded")
@with_demo
def test_making_a_test_person_needs_the_pages_token() -> None:
    answer = Client(enforce_csrf_checks=True).post("/demo/test-person/", {"userId": "shop-1"}, "application/json")
    assert answer.status_code == 403
