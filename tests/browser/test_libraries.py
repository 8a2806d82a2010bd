"""The browser libraries of Segment, Customer.io and RudderStack as published, on a page of another origin.

Changed in nothing but where they ask and send. The database says what arrived, the console that nothing was amiss.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from events import grouping
from events.admin import recipes
from events.admin.recipes import RECIPES
from events.api.cors import AnyOriginView
from events.ingest import ingest_many
from events.models import Event, Group, InboundRequest, Profile, SourceKey
from tests.browser.visiting import Shop, Visitor
from tests.clients import packages
from tests.factories import make_key
from tests.stack import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]


@dataclass(frozen=True, slots=True)
class Library:
    """A package's file and how a page starts it: HOST, KEY and OPTIONS are known there.

    ``paths`` are where its calls go, ``asks`` those of which a browser asks first whether it may.
    ``batching`` are the options that let calls wait, ``left_for`` where they go when the page is left.
    """

    name: str
    file: str
    start: str
    ready: str
    paths: frozenset[str]
    asks: frozenset[str]
    batching: dict[str, Any]
    left_for: str


WAITING = {"deliveryStrategy": {"strategy": "batching", "config": {"size": 50, "timeout": 60_000}}}
LETTERS = ["t", "i", "p", "g", "a"]
SEGMENT = Library(
    "Segment",
    "@segment/analytics-next/dist/umd/index.js",
    "analytics = AnalyticsNext.AnalyticsBrowser.load({ writeKey: KEY, cdnURL: HOST }, OPTIONS);",
    "analytics.instance",
    # Its Authorization makes the browser ask, though a text/plain would not.
    frozenset(f"/v1/{letter}" for letter in LETTERS),
    frozenset(f"/v1/{letter}" for letter in LETTERS),
    {"integrations": {"Segment.io": WAITING}},
    "/v1/b",
)
CUSTOMERIO = Library(
    "Customer.io",
    "@customerio/cdp-analytics-browser/dist/umd/index.js",
    "analytics = AnalyticsNext.AnalyticsBrowser.load({ writeKey: KEY, cdnURL: `${HOST}/cdp` }, OPTIONS);",
    "analytics.instance",
    frozenset(f"/cdp/v1/{letter}" for letter in LETTERS),
    frozenset(),
    {"integrations": {"Customer.io Data Pipelines": WAITING}},
    "/cdp/v1/b",
)
WORDS = ["track", "identify", "page", "group", "alias"]
RUDDERSTACK = Library(
    "RudderStack",
    "@rudderstack/analytics-js/dist/npm/modern/bundled/umd/index.js",
    """
    analytics = new rudderanalytics.RudderAnalytics();
    analytics.load(KEY, HOST, { configUrl: HOST, ...OPTIONS });
    """,
    "analytics.getAnonymousId()",
    frozenset(f"/v1/{word}" for word in WORDS),
    frozenset(["/sourceConfig/", *(f"/v1/{word}" for word in WORDS)]),
    {"useBeacon": True, "beaconQueueOptions": {"maxItems": 50, "flushQueueInterval": 60_000}},
    "/beacon/v1/batch",
)
ALL = [pytest.param(library, id=library.name) for library in (SEGMENT, CUSTOMERIO, RUDDERSTACK)]
# What Segment's HTML snippet does: calls are gathered in a list, and the file finds list, key and host in the page.
SNIPPET = """
<script>
  analytics = [["track", "Visited", { path: "/pricing" }], ["identify", "ada"]];
  analytics._writeKey = %s; analytics._cdn = %s;
</script>
<script src="/npm/@segment/analytics-next/dist/umd/standalone.js"></script>
"""
# What stands in a page without a bundler for the import that a recipe begins with: a file, and the name it leaves.
IMPORT = re.compile(r'^import (\{.*\}) from "(.+)";$', re.MULTILINE)
BUILDS = {
    "@segment/analytics-next": (SEGMENT.file, "AnalyticsNext"),
    "@customerio/cdp-analytics-browser": (CUSTOMERIO.file, "AnalyticsNext"),
    "@rudderstack/analytics-js/bundled": (RUDDERSTACK.file, "rudderanalytics"),
}
HEAD = "<title>Shop</title><link rel='icon' href='data:,'>"


class Site:
    """A web site of which the first page loads a library."""

    def __init__(self, shop: Shop, host: str, key: str) -> None:
        self.shop, self.host, self.key = shop, host, key

    def load(self, library: Library, **options: object) -> None:
        values = f"const HOST = {json.dumps(self.host)}, KEY = {json.dumps(self.key)}, OPTIONS = {json.dumps(options)};"
        file = f"<script src='/npm/{library.file}'></script>"
        self.shop.pages["/"] = f"{HEAD}{file}<script>var analytics; {values} {library.start}</script>"


@pytest.fixture
def site(shop: Shop, live_server: LiveServer) -> Site:
    shop.headers = {}
    shop.pages = {"/plain": f"{HEAD}<p>Somewhere else"}
    shop.files = {"/npm/": packages.installed() / "node_modules"}
    return Site(shop, live_server.url, make_key(kind=SourceKey.Kind.PUBLIC))


@pytest.fixture
def asked_first(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Paths that the browser asked about before it called them: of that Playwright does not tell."""
    paths: list[str] = []
    answer = AnyOriginView.options

    def noted(view: AnyOriginView, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        paths.append(request.path)
        return answer(view, request, *args, **kwargs)

    monkeypatch.setattr(AnyOriginView, "options", noted)
    return paths


@pytest.fixture
def trouble(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Store the first call and say all the same that the database was not there; returns when calls came."""
    times: list[float] = []

    def stored(parcel: Any) -> None:
        ingest_many([parcel])
        times.append(time.monotonic())
        if len(times) == 1:
            raise OperationalError("the connection is gone")

    monkeypatch.setattr(grouping, "store", stored)
    return times


def start(visitor: Visitor, site: Site, library: Library, **options: object) -> Page:
    site.load(library, **options)
    page = visitor.open()
    visitor.until(page, library.ready)
    return page


def track(name: str) -> str:
    return f"analytics.track({json.dumps(name)}); null"


def assert_kept_to_itself(visitor: Visitor, site: Site) -> None:
    """Check that nobody else heard of it, and that the console is empty."""
    hosts = {f"{parts.scheme}://{parts.netloc}" for request in visitor.asked if (parts := urlsplit(request.url))}
    assert hosts == {site.shop.url, site.host}
    assert visitor.console == []


def assert_all_taken() -> None:
    assert not InboundRequest.objects.exclude(status=200).exists()
    assert not InboundRequest.objects.filter(rejected__gt=0).exists()


@pytest.mark.parametrize("library", ALL)
def test_the_library_works_unchanged(visitor: Visitor, site: Site, asked_first: list[str], library: Library) -> None:
    page = start(visitor, site, library)
    visitor.run(page, "analytics.track('Visited', { path: '/pricing' }); analytics.alias('ada'); null")
    visitor.arrived(2)
    assert Profile.objects.get().user_id == "ada", "alias alone makes the visitor the user"
    visitor.run(
        page,
        """
        analytics.identify("ada", { email: "ada@example.com", age: 36 });
        analytics.track("Order Completed", { total: 19.99, items: [{ sku: "A", text: "ü 🎉" }] });
        analytics.page("docs", "Home", { tab: 1 }); analytics.group("company-1", { seats: 5 }); null
        """,
    )
    events = {(event.type, event.name): event for event in visitor.arrived(6)}
    profile = Profile.objects.get()
    assert (profile.user_id, profile.traits) == ("ada", {"email": "ada@example.com", "age": 36})
    assert events["track", "Visited"].properties == {"path": "/pricing"}
    order = events["track", "Order Completed"]
    assert order.properties == {"total": 19.99, "items": [{"sku": "A", "text": "ü 🎉"}]}
    assert abs((order.received_at - order.timestamp).total_seconds()) < 60
    assert order.context["page"]["title"] == "Shop" and "Chrome" in order.context["userAgent"]
    home = events["page", "Home"].properties
    assert (home["tab"], home["url"]) == (1, f"{site.shop.url}/")
    assert Group.objects.get(key="company-1").traits == {"seats": 5}
    assert_all_taken()
    assert_kept_to_itself(visitor, site)
    assert {urlsplit(request.url).path for request in visitor.sent} == library.paths
    assert sorted(asked_first) == sorted(library.asks), "once for each path"
    if library is not RUDDERSTACK:
        assert {request.headers["content-type"] for request in visitor.sent} == {"text/plain"}


@pytest.mark.parametrize("library", ALL)
def test_a_page_that_may_connect_to_us_alone_can_report(visitor: Visitor, site: Site, library: Library) -> None:
    policy = f"default-src 'none'; img-src data:; script-src 'self' 'unsafe-inline'; connect-src {site.host}"
    site.shop.headers = {"Content-Security-Policy": policy}
    page = start(visitor, site, library)
    visitor.run(page, track("Strict"))
    visitor.arrived(1)
    assert_kept_to_itself(visitor, site)


def test_the_file_of_the_html_snippet_works_unchanged(visitor: Visitor, site: Site) -> None:
    site.shop.pages["/"] = HEAD + SNIPPET % (json.dumps(site.key), json.dumps(site.host))
    page = visitor.open()
    visitor.arrived(2)
    visitor.run(page, track("Signed Up"))
    assert {event.name for event in visitor.arrived(3)} == {"Visited", "", "Signed Up"}
    assert Profile.objects.get().user_id == "ada"
    assert_all_taken()
    assert_kept_to_itself(visitor, site)


@pytest.mark.parametrize("library", [SEGMENT, CUSTOMERIO], ids=lambda library: library.name)
def test_a_screen_is_taken_too(visitor: Visitor, site: Site, library: Library) -> None:
    page = start(visitor, site, library)
    visitor.run(page, "analytics.screen('app', 'Main', { tab: 1 }); null")
    (screen,) = visitor.arrived(1)
    assert (screen.type, screen.name, screen.properties["tab"]) == ("screen", "Main", 1)


@pytest.mark.parametrize("library", [CUSTOMERIO, RUDDERSTACK], ids=lambda library: library.name)
def test_who_is_known_can_get_another_id(visitor: Visitor, site: Site, library: Library) -> None:
    page = start(visitor, site, library)
    visitor.run(page, "analytics.identify('ada'); null")
    visitor.arrived(1)
    visitor.run(page, "analytics.alias('ada@example.com'); null")
    visitor.arrived(2)
    assert Profile.objects.get().user_id == "ada@example.com"


def test_segments_alias_of_somebody_known_says_nothing_new_and_does_no_harm(visitor: Visitor, site: Site) -> None:
    page = start(visitor, site, SEGMENT)
    visitor.run(page, "analytics.identify('ada'); null")
    visitor.arrived(1)
    visitor.run(page, "analytics.alias('ada@example.com'); null")
    visitor.arrived(2)
    # As published it puts the present id over the new one.
    assert json.loads(visitor.sent[-1].post_data or "")["userId"] == "ada"
    assert Profile.objects.get().user_id == "ada"


@pytest.mark.parametrize("library", ALL)
def test_what_waits_when_the_page_is_left_is_sent_all_the_same(visitor: Visitor, site: Site, library: Library) -> None:
    page = start(visitor, site, library, **library.batching)
    visitor.run(page, "for (let n = 0; n < 20; n++) analytics.track(`Event ${n}`, { text: 'ü 🎉'.repeat(20) }); null")
    visitor.pause(page, 300)
    assert visitor.sent == [], "they wait"
    visitor.go(page, "/plain")
    found = visitor.arrived(20)
    assert {event.name for event in found} == {f"Event {n}" for n in range(20)}
    assert all(abs((event.received_at - event.timestamp).total_seconds()) < 60 for event in found)
    assert {event.properties["text"] for event in found} == {"ü 🎉" * 20}
    assert list(InboundRequest.objects.values_list("path", "status", "rejected")) == [(library.left_for, 200, 0)]
    assert_kept_to_itself(visitor, site)


@pytest.mark.parametrize("library", ALL)
def test_after_an_outage_a_call_comes_again_and_counts_once(
    visitor: Visitor, site: Site, trouble: list[float], library: Library
) -> None:
    page = start(visitor, site, library)
    visitor.run(page, track("Once"))
    wait_for(lambda: visitor.pause(page, 50) or len(trouble) == 2, 15, "the second try")
    visitor.arrived(1)
    visitor.pause(page, 1500)
    assert len(trouble) == 2, "what was taken does not come again"


@pytest.mark.parametrize("library", ALL)
def test_what_no_page_lived_to_repeat_is_repeated_by_the_next(
    visitor: Visitor, site: Site, trouble: list[float], library: Library
) -> None:
    page = start(visitor, site, library)
    visitor.run(page, track("Once"))
    wait_for(lambda: visitor.pause(page, 10) or trouble, 15, "the first try")
    visitor.go(page, "/plain")
    assert len(trouble) == 1
    visitor.go(page, "/")
    wait_for(lambda: visitor.pause(page, 50) or len(trouble) == 2, 30, "the second try")
    visitor.arrived(1)


@pytest.mark.parametrize("library", ALL)
def test_what_a_rate_limit_refuses_comes_later(visitor: Visitor, site: Site, library: Library) -> None:
    SourceKey.objects.update(rate_limit=1)
    page = start(visitor, site, library)
    for number in range(3):
        visitor.run(page, track(f"Number {number}"))
    assert {event.name for event in visitor.arrived(3)} == {"Number 0", "Number 1", "Number 2"}
    assert InboundRequest.objects.filter(status=429).exists()


@pytest.mark.parametrize("library", ALL)
def test_a_page_that_a_key_does_not_name_is_told_so_at_once(visitor: Visitor, site: Site, library: Library) -> None:
    SourceKey.objects.update(allowed_origins=["https://shop.example"])
    site.load(library)
    page = visitor.open()
    wait_for(lambda: visitor.pause(page, 50) or visitor.console, 15, "a word on the console")
    assert "403" in visitor.console[0]
    visitor.run(page, track("Never"))
    visitor.pause(page, 500)
    assert visitor.sent == [] and not Event.objects.exists()


def show(visitor: Visitor, site: Site, slug: str) -> recipes.Recipe:
    """Open a page with the code that a source's page offers; wait until what it says has arrived."""
    recipe = recipes.filled(slug, site.host, "", site.key)
    code, head = recipe.code, HEAD
    if found := IMPORT.search(code):
        file, name = BUILDS[found[2]]
        head += f"<script src='/npm/{file}'></script>"
        code = IMPORT.sub(f"const {found[1]} = {name};", code)
    site.shop.pages["/"] = head + (code if "<script" in code else f"<script type='module'>{code}</script>")
    visitor.open()
    visitor.arrived(2, type__in=["identify", "track"])
    return recipe


IN_PAGES = pytest.mark.parametrize("slug", [recipe.slug for recipe in RECIPES if recipe.in_browser])


@IN_PAGES
def test_the_code_that_a_sources_page_offers_runs_in_a_page(visitor: Visitor, site: Site, slug: str) -> None:
    show(visitor, site, slug)
    events = {event.type: event for event in visitor.arrived(2, type__in=["identify", "track"])}
    assert (events["track"].name, events["track"].properties) == ("Signed Up", {"plan": "free"})
    person = events["track"].profile
    assert (person.user_id, person.email, person.traits["first_name"]) == ("user-1", "ada@example.com", "Ada")
    assert_all_taken()
    assert_kept_to_itself(visitor, site)


# A batch that failed waits for the timer of what was gathered first.
FIVE = {"strategy": "batching", "config": {"size": 5, "timeout": 3_000}}
GATHERED = [
    pytest.param(SEGMENT, {"integrations": {"Segment.io": {"deliveryStrategy": FIVE}}}, "/v1/b", id="Segment"),
    pytest.param(
        RUDDERSTACK,
        {"queueOptions": {"batch": {"enabled": True, "maxItems": 5, "flushInterval": 60_000}}},
        "/v1/batch",
        id="RudderStack",
    ),
    pytest.param(
        CUSTOMERIO,
        {"integrations": {"Customer.io Data Pipelines": {"deliveryStrategy": FIVE}}},
        "/cdp/v1/b",
        id="Customer.io",
    ),
]


@pytest.mark.parametrize(("library", "options", "path"), GATHERED)
def test_calls_that_are_gathered_come_as_one_batch(
    visitor: Visitor, site: Site, library: Library, options: dict[str, Any], path: str
) -> None:
    page = start(visitor, site, library, **options)
    visitor.run(page, "for (let n = 0; n < 5; n++) analytics.track(`Event ${n}`); null")
    found = visitor.arrived(5)
    assert {event.name for event in found} == {f"Event {n}" for n in range(5)}
    assert [urlsplit(request.url).path for request in visitor.sent] == [path]
    assert_all_taken()
    assert_kept_to_itself(visitor, site)


@pytest.mark.parametrize(("library", "options", "path"), GATHERED[:2])
def test_a_batch_comes_again_after_an_outage_and_counts_once(
    visitor: Visitor, site: Site, trouble: list[float], library: Library, options: dict[str, Any], path: str
) -> None:
    page = start(visitor, site, library, **options)
    visitor.run(page, "for (let n = 0; n < 5; n++) analytics.track(`Event ${n}`); null")
    wait_for(lambda: visitor.pause(page, 50) or len(trouble) == 2, 15, "the second try")
    assert len(visitor.arrived(5)) == 5
    assert {urlsplit(request.url).path for request in visitor.sent} == {path}


@IN_PAGES
def test_the_curl_beside_the_code_sends_to_the_same_places_in_the_same_way(
    visitor: Visitor, site: Site, slug: str
) -> None:
    recipe = show(visitor, site, slug)
    by_page = ways()
    InboundRequest.objects.all().delete()
    subprocess.run(["sh", "-euc", recipe.curl], check=True, timeout=60, capture_output=True)
    assert ways() == by_page


def ways() -> set[tuple[str, ...]]:
    """Return how the calls came: where, as what, and how they named their key."""
    return {
        (
            call.method,
            call.path,
            call.headers["Content-Type"].partition(";")[0],
            call.headers.get("Authorization", "").partition(" ")[0],
            "writeKey" if '"writeKey"' in call.body else "",
        )
        for call in InboundRequest.objects.all()
    }
