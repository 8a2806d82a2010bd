"""Every page of the admin in a real browser, under the policy it is sent with: nothing is refused or complains."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.templatetags.admin_urls import admin_urlname
from django.contrib.auth.models import Group as Team
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from playwright.sync_api import BrowserContext, ConsoleMessage, expect, sync_playwright
from playwright.sync_api import Error as BrowserError

from campaigns.demo import seed
from campaigns.models import Call, Campaign, Finding, Journey, Parked, Safeguards
from events.models import AuditEntry, ComputedTrait, Import, KeepFor, Segment, Violation
from events.models import Group as Company
from messaging import dns_rules
from messaging.models import (
    Feed,
    FrequencyCap,
    PublicPages,
    ReportEndpoint,
    SendingDomain,
    SendingLimits,
    Snippet,
    Suppression,
    Unsubscription,
)
from tests.browser.visiting import OPTIONS
from tests.factories import make_event, make_message, make_profile, make_source, make_topic, planned

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
# Kept by a package, and in no menu.
# Consents stand on the pages of their people.
WITHOUT = {"AccessAttempt", "AccessLog", "AccessFailureLog", "Consent"}
# Addresses differ by what they show, not by which one: one example of each is opened.
ONE_OF = re.compile(r"(?<=/)[0-9a-f-]{36}(?=/)|(?<=/)\d+(?=/)")
LINKS = "() => [...document.querySelectorAll('a[href]')].filter((each) => !each.download).map((each) => each.href)"


Browse = Callable[[], AbstractContextManager[tuple[BrowserContext, str]]]


class Walk:
    """Somebody who opens each kind of page once; ``complaints`` are what the browser wrote into its console."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.base, self.page = base, context.new_page()
        self.seen: dict[str, str] = {}
        self.ahead: list[str] = []
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{self.page.url}: {message.text}")

    def wants(self, url: str) -> None:
        parts = urlsplit(url)
        kind = ONE_OF.sub("N", parts.path)
        here = f"{parts.scheme}://{parts.netloc}" == self.base and parts.path.startswith("/admin/")
        if here and kind not in self.seen and "logout" not in kind:
            self.seen[kind] = url
            self.ahead.append(url)

    def everything(self) -> None:
        while self.ahead:
            self.open(self.ahead.pop(0))

    def open(self, url: str) -> None:
        try:
            self.page.goto(url)
        except BrowserError as error:
            # What is for downloading opens no page.
            assert "Download is starting" in str(error), f"{url}: {error}"
            return
        # What is asked for once the page is there, such as previews, is looked at as well.
        self.page.wait_for_timeout(60)
        for link in self.page.evaluate(LINKS):
            self.wants(link)


def make_one_of_each() -> None:
    """Make something of every kind that has pages. What stands in the log and outbox comes with the demo."""
    seed.seed(seed.Secrets.of({name.upper(): f"{name}-for-the-walk" for name in seed.Secrets.__slots__}))
    ada = make_profile("ada", traits={"email": "ada@example.com", "plan": "pro"})
    event, campaign, now = make_event(ada, "Signed Up"), Campaign.objects.all()[0], timezone.now()
    Violation.objects.create(name="Signed Up", path="plan", message="must be a text", sample={"plan": 1})
    file = {"kind": "profiles", "format": "csv", "file_name": "people.csv", "columns": {"delimiter": ","}}
    Import.objects.create(source=make_source(), **file)
    ComputedTrait.objects.create(name="orders", function="count", event="Order Completed")
    Segment.objects.create(slug="pro", name="Pro", condition={"all": [{"trait": "plan", "is": "pro"}]})
    Company.objects.create(key="acme", traits={"name": "Acme"})
    planned("Signed Up")
    make_topic()
    ReportEndpoint.objects.create(name="CRM", url="https://crm.example/hooks")
    Snippet.objects.create(slug="footer", content="Acme")
    Feed.objects.create(slug="offers", url="https://shop.example/offers")
    make_message(ada, html="<p style='color: red'>Hello Ada</p>")
    FrequencyCap.objects.create(most=2, window_length=1)
    Suppression.objects.create(address="gone@example.com")
    Unsubscription.objects.create(profile=ada)
    PublicPages.objects.create(sender="Acme")
    check = dns_rules.Finding("spf", "fail", "acme.example", "No SPF record", "v=spf1 ~all", "Publish it.")
    SendingDomain.objects.create(name="acme.example", checked_at=now, findings=[asdict(check)])
    parked = {"event_id": event.pk, "event_timestamp": event.timestamp, "profile": ada, "error": "broken"}
    Parked.objects.create(campaign=campaign, version=campaign.versions.all()[0], name="Signed Up", **parked)
    journey = Journey.objects.create(
        profile=ada, campaign=campaign, version=campaign.versions.all()[0], entry_key="walk", trigger_at=now, due_at=now
    )
    Call.objects.create(journey=journey, visit=1, step_id="crm", method="GET", due_at=now, until=now)
    Finding.objects.create(kind=Finding.Kind.STUCK, campaign=campaign, says="One journey is stuck.", since=now)
    Safeguards.objects.get_or_create(pk=1)
    SendingLimits.objects.get_or_create(pk=SendingLimits.ONLY)
    Team.objects.create(name="Team")
    every = IntervalSchedule.objects.create(every=1, period="days")
    PeriodicTask.objects.create(name="Tidy", task="events.tidy", interval=every)
    CrontabSchedule.objects.create()
    AuditEntry.objects.create(actor="walker", action="segment.changed")
    KeepFor.objects.get_or_create(kind="events")
    SolarSchedule.objects.create(event="sunset", latitude=47, longitude=15)
    ClockedSchedule.objects.create(clocked_time=timezone.now())


def page_of(model: type[Model]) -> str:
    one = model._default_manager.order_by("pk").first()
    assert one is not None, f"an example of {model.__name__} is needed"
    return reverse(admin_urlname(model._meta, "change"), args=[one.pk])


@pytest.fixture
def browse(browser_path: str, live_server: object) -> Browse:
    """Return how to begin with the browser: what the test needs is stored before, as Playwright keeps the ORM away."""
    client, base = Client(), str(live_server)
    client.force_login(User.objects.create_superuser("walker"))
    cookie = {"name": settings.SESSION_COOKIE_NAME, "value": client.cookies[settings.SESSION_COOKIE_NAME].value}

    @contextmanager
    def begin() -> Iterator[tuple[BrowserContext, str]]:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=OPTIONS)
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            context.add_cookies([{"url": base, **cookie}])  # type: ignore[typeddict-item]
            context.set_default_timeout(20_000)
            yield context, base
            browser.close()

    return begin


def test_no_page_of_the_admin_needs_what_its_policy_refuses(browse: Browse) -> None:
    make_one_of_each()
    pages = [page_of(model) for model in admin.site._registry if model.__name__ not in WITHOUT]
    with browse() as (context, base):
        walk = Walk(context, base)
        for path in ["/admin/", *pages]:
            walk.wants(base + path)
        walk.everything()
    assert not walk.complaints, "\n".join(walk.complaints)
    assert len(walk.seen) > 100, sorted(walk.seen)


def test_what_is_written_into_a_page_does_not_run(browse: Browse) -> None:
    refused: list[str] = []
    with browse() as (context, base):
        page = context.new_page()
        page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(f"{base}/admin/")
        page.evaluate(
            """() => {
                const script = (of) => document.body.append(Object.assign(document.createElement("script"), of));
                const bait = `<img src="/static/events/favicon.svg" onload="ran = 1">`;
                document.body.insertAdjacentHTML("beforeend", bait);
                script({ textContent: "ran = 2" });
                script({ src: "http://localhost:1/x.js" });
            }"""
        )
        page.wait_for_timeout(300)
        assert page.evaluate("typeof ran") == "undefined"
    assert len(refused) == 3, refused


def test_a_mail_shows_its_pictures_and_runs_nothing(browse: Browse, live_server: object) -> None:
    elsewhere = str(live_server).replace("localhost", "127.0.0.1")
    picture = f"<img src='{elsewhere}/static/events/favicon.svg' alt='sign'>"
    message = make_message(make_profile("ada"), html=picture + "<script>document.body.id = 'ran'</script>")
    with browse() as (context, base):
        page = context.new_page()
        page.goto(f"{base}/admin/messaging/message/{message.pk}/change/")
        frame = page.frame_locator("iframe[sandbox]").first
        expect(frame.get_by_alt_text("sign")).to_be_visible()
        page.wait_for_timeout(300)
        assert frame.get_by_alt_text("sign").evaluate("image => image.naturalWidth") > 0
        assert frame.locator("#ran").count() == 0
