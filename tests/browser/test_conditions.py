"""The builder of conditions under real hands: the keyboard alone, whatever tree there is, one person and everybody."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect, sync_playwright

from campaigns.models import Campaign
from events import catalog, patience
from events.conditions import parse
from events.models import Segment
from tests.browser.visiting import OPTIONS
from tests.factories import make_event, make_profile, make_topic
from tests.races.test_stopping import SLOW, busy_subscriptions, counting
from tests.stack import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
NARROW = 390

ADDED = {"event": "Product Added", "within": "3d"}
TREES: list[Any] = [
    {"trait": "plan", "is": "pro"},
    {"trait": "plan", "is": ""},
    {"trait": "zip", "is": "0815"},
    {"trait": "seats", "is": 3},
    {"trait": "seats", "gt": 1.5},
    {"trait": "seats", "lte": -2},
    {"trait": "active", "is": True},
    {"trait": "active", "is_not": False},
    {"trait": "plan", "in": ["pro", "team, large"]},
    {"trait": "seats", "in": [1, 2]},
    {"trait": "mixed", "in": ["1", 2, True]},
    {"trait": "tags", "contains": "vip"},
    {"trait": "numbers", "contains": 7},
    {"trait": "name", "starts": "A"},
    {"trait": "phone", "exists": False},
    {"trait": "born", "before": "2000-01-01"},
    {"trait": "born", "after": "2000-01-01T09:30"},
    {"trait": "born", "after": "2000-01-01T09:30:01+02:00"},
    {"trait": "trial_ends", "before": "+7d"},
    {"trait": "trial_ends", "within_next": "36h"},
    {"trait": "address.city", "is": "Graz"},
    {"trait": ["odd.key", "0"], "is": "Graz"},
    {"trait": "[odd", "is": "Graz"},
    {"property": "price", "gte": 10},
    {"group": "company"},
    {"group": "company", "trait": "size", "gt": 10},
    {"segment": "vip"},
    {"not": {"segment": "vip"}},
    {"event": "Signed In"},
    {"page": "Pricing", "since": "2026-05-01"},
    {"screen": "Home", "since": "-30d"},
    {"not": {"event": "Signed In", "within": "7d"}},
    {"not": {"event": "Signed In", "count": {"gte": 2}}},
    {"event": "Signed In", "count": {"is_not": 0}, "within": "2w"},
    {"event": "Order Completed", "sum": {"property": "total", "gt": 99.5}, "where": {"property": "paid", "is": True}},
    {"event": "Order Completed", "avg": {"property": ["a.b"], "lt": 3}},
    {"event": "Order Completed", "min": {"property": "total", "is": 3}},
    {"event": "Order Completed", "max": {"property": "total", "lte": 3}},
    {"event": "Signed In", "first": {"after": "2026-05-01"}},
    {"event": "Signed In", "last": {"before": "-7d"}},
    {
        **ADDED,
        "then_not": {
            "event": "Order Completed",
            "within": "4h",
            "same": "cart.id",
            "where": {"not": {"all": [{"property": "total", "lt": 1}, {"property": "free", "is": True}]}},
        },
    },
    {
        "sequence": [{"event": "A", "where": {"any": [{"property": "x", "is": 1}, {"property": "y", "is": "1"}]}}]
        + [{"page": "B"}, {"screen": "C"}],
        "within": "48h",
        "since": "-90d",
        "same": "sku",
    },
    {"not": {"not": {"trait": "a", "gt": 1}}},
    {"not": {"any": [{"trait": "a", "gt": 1}, {"not": {"all": [ADDED, {"any": [ADDED]}]}}]}},
    {"all": [{"any": [{"all": [{"any": [ADDED]}]}, ADDED]}, {"all": [ADDED]}]},
]

Drive = Callable[[Callable[[BrowserContext, str], None]], None]


@pytest.fixture
def drive(browser_path: str, live_server: object) -> Drive:
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    key, base = client.cookies[settings.SESSION_COOKIE_NAME].value, str(live_server)

    def run(work: Callable[[BrowserContext, str], None]) -> None:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=OPTIONS)
            context = browser.new_context(viewport={"width": 1280, "height": 900})
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": key, "url": base}])
            context.set_default_timeout(15_000)
            wrong: list[str] = []
            context.on("weberror", lambda error: wrong.append(str(error.error)))
            work(context, base)
            browser.close()
            assert wrong == []

    return run


def new_segment(context: BrowserContext, base: str) -> Page:
    page = context.new_page()
    page.goto(f"{base}/admin/events/segment/add/")
    expect(page.get_by_role("button", name="Add a rule")).to_be_visible()
    return page


def press_tab_until(page: Page, wanted: Locator, keys: str = "Tab") -> None:
    """Go to a control by the keyboard alone."""
    for _ in range(80):
        page.keyboard.press(keys)
        if wanted.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"the keyboard does not reach {wanted}")


def typed(page: Page) -> Any:
    return json.loads(page.locator("textarea[name=condition]").input_value())


def put(page: Page, tree: Any) -> None:
    """Type a condition into the view for experts, and go back to the rules."""
    switch = page.get_by_role("button", name="Edit as JSON")
    switch.click()
    page.locator("textarea[name=condition]").fill(json.dumps(tree))
    switch.click()


def test_whatever_tree_there_is_goes_through_the_builder_unchanged(drive: Drive) -> None:
    written: list[Any] = []

    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        for tree in TREES:
            put(page, {"all": [tree, {"trait": "touched", "is": "1"}]})
            page.get_by_role("combobox", name="Trait").last.fill("typed")
            written.append(typed(page))

    drive(work)
    for tree, found in zip(TREES, written, strict=True):
        assert found == {"all": [tree, {"trait": "typed", "is": "1"}]}
        assert [type(each) for each in flat(found["all"][0])] == [type(each) for each in flat(tree)]
        assert parse(found["all"][0]) == parse(tree)


def flat(tree: Any) -> list[Any]:
    """Every value of a tree in the order of its keys."""
    if isinstance(tree, dict):
        return [value for key in sorted(tree) for value in flat(tree[key])]
    return [value for each in tree for value in flat(each)] if isinstance(tree, list) else [tree]


def test_a_segment_is_built_by_the_keyboard_alone(drive: Drive) -> None:
    for number in range(3):
        person = make_profile(f"p{number}", traits={"plan": "pro"})
        make_event(person, "Order Completed", properties={"total": number})
        make_event(person, "", {"plan": "pro"}, type="identify")
    catalog.learn()

    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        page.locator("[name=name]").focus()
        page.keyboard.type("Good ones")
        press_tab_until(page, page.get_by_role("button", name="Add a rule"))
        page.keyboard.press("Enter")
        expect(page.get_by_label("What the rule is about")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.type("pl")
        expect(page.get_by_role("option", name="plan")).to_be_visible()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.get_by_role("combobox", name="Trait")).to_have_value("plan")
        press_tab_until(page, page.get_by_role("combobox", name="Value", exact=True))
        page.keyboard.type("pro")
        page.keyboard.press("Alt+Shift+Enter")
        second = page.get_by_role("group", name="Rule 2")
        expect(second.get_by_label("What the rule is about")).to_be_focused()
        second.get_by_label("What the rule is about").select_option(label="Event")
        expect(second.get_by_role("combobox", name="Event")).to_be_visible()
        press_tab_until(page, second.get_by_role("combobox", name="Event"))
        page.keyboard.type("Order Completed")
        press_tab_until(page, second.get_by_label("How", exact=True))
        second.get_by_label("How", exact=True).select_option(label="more than")
        press_tab_until(page, second.get_by_label("Number of times", exact=True))
        page.keyboard.press("Control+A")
        page.keyboard.type("1")
        page.keyboard.press("Alt+Shift+ArrowUp")
        expect(page.get_by_role("group", name="Rule 1").get_by_label("Number of times", exact=True)).to_be_focused()
        first = page.get_by_role("toolbar", name="Rule 1")
        press_tab_until(page, first.get_by_role("button", name="Move up"))
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Group 1: which of these have to hold")).to_be_focused()
        page.keyboard.press("Alt+Shift+Delete")
        expect(page.get_by_label("What the rule is about")).to_be_focused()
        undo = page.get_by_role("button", name="Bring it back")
        press_tab_until(page, undo)
        page.keyboard.press("Enter")
        expect(page.get_by_label("Group 1: which of these have to hold")).to_be_focused()
        page.get_by_role("button", name="Save", exact=True).press("Enter")
        page.wait_for_url("**/segment/")

    drive(work)
    segment = Segment.objects.get()
    assert segment.condition == {
        "all": [{"any": [{"event": "Order Completed", "count": {"gt": 1}}]}, {"trait": "plan", "is": "pro"}]
    }


def test_what_is_not_finished_is_marked_kept_and_left_out_of_the_sentence(drive: Drive) -> None:
    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        put(page, {"all": [{"trait": "plan", "is": "pro"}, {"trait": "seats", "gt": 3}]})
        expect(page.locator(".cbb-sentence")).to_have_text("plan is “pro” and seats is more than 3")
        page.get_by_label("Value", exact=True).last.fill("many")
        expect(page.get_by_role("group", name="Rule 2")).to_contain_text("Not finished: needs a number.")
        expect(page.locator(".cbb-sentence")).to_have_text("plan is “pro”")
        expect(page.locator(".cbb-said")).to_contain_text("Without the rule that is not finished yet.")
        assert typed(page)["all"][1] == {"trait": "seats", "gt": "many"}
        page.get_by_role("button", name="Edit as JSON").click()
        page.locator("textarea[name=condition]").fill('{"all": [{"trait": "plan", "iss": 1}]}')
        expect(page.locator(".cbb-sentence")).to_contain_text("all[0]: needs exactly one of")
        page.locator("textarea[name=condition]").fill('{"all": ')
        expect(page.locator(".cbb-note")).to_contain_text("This is not JSON yet")
        page.get_by_role("button", name="Edit as JSON").click()
        expect(page.locator("textarea[name=condition]")).to_be_focused()
        assert page.locator("textarea[name=condition]").input_value() == '{"all": '

    drive(work)


def test_a_misspelled_name_is_mended_by_one_press(drive: Drive) -> None:
    for number in range(3):
        make_event(make_profile(f"p{number}", traits={"plan": "pro"}), "", {"plan": "pro"}, type="identify")
    catalog.learn()

    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        put(page, {"not": {"any": [{"trait": "plna", "is": "pro"}, {"trait": "plan", "is": "pro"}]}})
        rule = page.get_by_role("group", name="Rule 1")
        expect(rule).to_contain_text("Did you mean “plan”?")
        rule.get_by_role("button", name="Use “plan”").click()
        assert typed(page) == {"not": {"any": [{"trait": "plan", "is": "pro"}] * 2}}
        expect(rule).not_to_contain_text("Did you mean")

    drive(work)


def test_everybody_is_counted_only_when_asked_and_then_at_each_change(drive: Drive) -> None:
    for number in range(4):
        make_event(make_profile(f"p{number}"), "Bought", properties={"total": number})

    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        asked: list[Any] = []
        page.on("request", lambda request: asked.append(request.post_data_json) if "look" in request.url else None)
        put(page, {"event": "Bought", "where": {"property": "total", "gte": 1}})
        expect(page.locator(".cbb-sentence")).to_contain_text("did “Bought” where total is at least 1")
        assert asked and not any(each["count"] for each in asked)
        page.get_by_role("button", name="Count who matches").click()
        expect(page.locator(".cbb-count")).to_have_text("3 people match now, 75 % of everybody.")
        page.get_by_label("Value", exact=True).fill("3")
        expect(page.locator(".cbb-count")).to_have_text("1 person matches now, 25 % of everybody.")

    drive(work)


def test_counting_that_is_stopped_fails_or_takes_too_long_says_what_to_do_next(
    drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO events_profile (user_id, traits) SELECT n, '{}' FROM generate_series(1, 20000) n")
    # The database itself gives up, much sooner than usual.
    real, limit = patience.at_most, [5.0]
    monkeypatch.setattr(patience, "at_most", lambda seconds, settings=None: real(min(seconds, limit[0]), settings))

    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        counts, again = page.locator(".cbb-count"), page.get_by_role("button", name="Count who matches")
        again.click()
        expect(counts).to_have_text("Nothing to count yet: add a rule first.")
        put(page, {"trait": "plan", "is": "pro"})
        expect(counts).to_have_text(re.compile("^Nobody matches now. Choose somebody below"))
        held: list[Route] = []
        page.route("**/conditions/look/", lambda route: held.append(route))
        page.get_by_role("combobox", name="Value", exact=True).fill("free")
        expect(page.locator(".cbb-busy")).to_be_visible()
        expect(counts).to_be_empty()
        page.get_by_role("button", name="Stop counting").click()
        expect(counts).to_have_text("Stopped. Press “Count who matches” to count again.")
        expect(again).to_have_attribute("aria-pressed", "false")
        page.unroute("**/conditions/look/")
        limit[0] = 0.001
        again.click()
        expect(counts).to_contain_text("Counting takes too long. Ask about a shorter time")
        page.route("**/conditions/look/", lambda route: route.abort())
        page.get_by_role("combobox", name="Value", exact=True).fill("gone")
        expect(counts).to_contain_text("It could not be counted:")
        expect(counts).to_contain_text("to try again.")

    drive(work)


def test_a_count_that_is_stopped_or_out_of_date_ends_in_the_database(drive: Drive) -> None:
    make_topic()
    make_profile()

    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        put(page, SLOW)
        with ThreadPoolExecutor(1) as beside, busy_subscriptions_of(beside):
            page.get_by_role("button", name="Count who matches").click()
            expect(page.locator(".cbb-busy")).to_be_visible()
            beside.submit(wait_for, lambda: counting() == 1, 4, "the count").result()
            page.get_by_role("button", name="Stop counting").click()
            expect(page.locator(".cbb-count")).to_contain_text("Stopped.")
            beside.submit(wait_for, lambda: counting() == 0, 2, "its end").result()
            page.get_by_role("button", name="Count who matches").click()
            beside.submit(wait_for, lambda: counting() == 1, 4, "the count").result()
            put(page, {"trait": "plan", "exists": False})
            expect(page.locator(".cbb-count")).to_contain_text("1 person matches now")
            beside.submit(wait_for, lambda: counting() == 0, 1, "its end").result()

    drive(work)


@contextmanager
def busy_subscriptions_of(beside: ThreadPoolExecutor) -> Iterator[None]:
    """Hold the table in another thread: in this one Playwright has its loop, where the ORM may not be asked."""
    busy = busy_subscriptions()
    beside.submit(busy.__enter__).result()
    try:
        yield
    finally:
        beside.submit(busy.__exit__, None, None, None).result()
        beside.submit(lambda: connection.close()).result()


def test_beside_each_rule_stands_whether_it_holds_for_a_person_and_what_was_seen(drive: Drive) -> None:
    person = make_profile("ada", traits={"plan": "pro"})
    make_event(person, "Order Completed")
    never = {"not": {"event": "Order Completed", "within": "30d"}}
    none = {"not": {"any": [{"trait": "plan", "is": "free"}, {"event": "Order Completed"}]}}

    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        put(page, {"any": [{"trait": "plan", "is": "pro"}, never, none]})
        page.get_by_role("combobox", name="Does this person match").click()
        page.get_by_role("option", name="ada").click()
        expect(page.locator(".cbb-verdict")).to_have_text("matches ada meets the condition.")
        seen = page.locator(".cbb-seen")
        expect(seen).to_contain_text(["Yes", "Yes: “pro”", "No: once", "No", "No: “pro”", "Yes: once"])
        expect(seen.filter(has_text="decides")).to_have_count(2)
        assert "decides" in seen.nth(0).inner_text() and "decides" in seen.nth(1).inner_text()

    drive(work)


def test_every_control_has_a_name_and_nothing_is_wider_than_a_telephone(drive: Drive) -> None:
    nameless = """() => [...document.querySelectorAll('.cbb :is(button, input, select, textarea)')]
        .filter((each) => !each.ariaLabel && !each.labels.length && !(each.matches('button') && each.innerText.trim()))
        .map((each) => each.outerHTML)"""
    doubled = """() => [...document.querySelectorAll('[id]')].map((each) => each.id)
        .filter((each, at, all) => all.indexOf(each) !== at)"""

    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        page.set_viewport_size({"width": NARROW, "height": 800})
        put(page, {"all": [*TREES, {"trait": "seats", "is": None}]})
        expect(page.locator(".cbb-rule").first).to_be_visible()
        assert page.evaluate(nameless) == []
        assert page.evaluate(doubled) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW

    drive(work)


def test_a_rule_is_one_line_and_shows_what_it_can_do_without_only_when_asked(drive: Drive) -> None:
    Segment.objects.create(name="Very good customers", slug="vip", kind=Segment.Kind.MANUAL)
    counted = {"event": "Product Viewed", "count": {"gte": 3}, "within": "7d"}

    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        put(page, {"all": [counted, {"message": "opened"}, {"segment": "vip"}]})
        rule = page.get_by_role("group", name="Rule 1")
        heights = rule.locator(".cbb-line > *").evaluate_all("all => all.map((each) => each.getBoundingClientRect())")
        assert max(each["top"] for each in heights) - min(each["top"] for each in heights) < 20, "one line"
        message = page.get_by_role("group", name="Rule 2")
        expect(message.get_by_label("in the last: how many")).to_have_count(0)
        message.get_by_role("button", name="in the last").press("Enter")
        expect(message.get_by_label("in the last: how many")).to_be_focused()
        assert typed(page)["all"][1] == {"message": "opened", "within": "7d"}
        link = message.get_by_role("button", name="with a link that contains")
        expect(link).to_have_count(0)
        message.get_by_label("what happened").select_option(label="clicked in a message")
        link.press("Enter")
        message.get_by_label("with a link that contains", exact=True).fill("/pricing")
        assert typed(page)["all"][1] == {"message": "clicked", "link": "/pricing", "within": "7d"}
        message.get_by_label("what happened").select_option(label="opened a message")
        assert typed(page)["all"][1] == {"message": "opened", "within": "7d"}
        message.get_by_role("button", name="Without “in the last”").press("Enter")
        expect(message.get_by_role("button", name="in the last")).to_be_focused()
        assert typed(page)["all"][1] == {"message": "opened"}
        segment = page.get_by_role("combobox", name="Segment")
        expect(segment).to_have_value("Very good customers")
        segment.fill("somebody else")
        assert typed(page)["all"][2] == {"segment": "somebody else"}
        segment.fill("very good Customers")
        expect(page.get_by_role("option", name="Very good customers")).to_be_visible()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(segment).to_have_value("Very good customers")
        assert typed(page)["all"][2] == {"segment": "vip"}

    drive(work)


OUTLINE = """
- group "Condition":
  - button "Edit as JSON"
  - group "Rules":
    - 'combobox "Rules: which of these have to hold"'
    - list:
      - listitem:
        - group "Rule 1":
          - combobox "What the rule is about"
          - combobox "Trait": plan
          - 'combobox "Value: comparison"'
          - combobox "Value": pro
          - toolbar "Rule 1":
            - 'button "Move up: Rule 1"'
            - 'button "Move down: Rule 1"'
            - 'button "Put into a group: Rule 1"'
            - 'button "Duplicate: Rule 1"'
            - 'button "Remove: Rule 1"'
      - listitem:
        - group "Group 2, level 2, at least one of these holds":
          - 'combobox "Group 2: which of these have to hold"'
          - toolbar "Group 2"
          - list:
            - listitem:
              - group "Rule 2.1":
                - combobox "Trait": seats
                - textbox "Value": many
                - paragraph: "Not finished: needs a number."
"""


def test_a_screen_reader_hears_what_belongs_together_what_counts_and_what_is_wrong(drive: Drive) -> None:
    make_profile("ada", traits={"plan": "pro"})

    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        put(page, {"all": [{"trait": "plan", "is": "pro"}, {"any": [{"trait": "seats", "gt": "many"}]}]})
        expect(page.locator(".cbb")).to_match_aria_snapshot(OUTLINE)
        wrong = page.get_by_role("group", name="Rule 2.1").get_by_role("combobox", name="Trait")
        expect(page.get_by_role("group", name="Rule 2.1")).to_have_accessible_description(
            "Not finished: needs a number."
        )
        expect(wrong).to_have_value("seats")
        value = page.get_by_role("group", name="Rule 2.1").get_by_role("textbox", name="Value")
        expect(value).to_have_accessible_description("Not finished: needs a number.")
        expect(value).to_have_attribute("aria-invalid", "true")
        value.fill("3")
        expect(value).to_have_accessible_description("")
        value.fill("many")
        page.get_by_role("button", name="Count who matches").press("Enter")
        counted = page.get_by_role("status").filter(has_text="1 person matches now, 100 % of everybody.")
        expect(counted).to_be_visible()

    drive(work)


def test_what_is_nested_deep_is_laid_out_in_lines_with_the_names_of_things(drive: Drive) -> None:
    Segment.objects.create(name="Very good customers", slug="vip", kind=Segment.Kind.MANUAL)
    inner = {"all": [{"segment": "vip"}, {"not": {"any": [{"trait": "a", "is": 1}, {"trait": "b", "is": 2}]}}]}

    def work(context: BrowserContext, base: str) -> None:
        page = new_segment(context, base)
        put(page, {"all": [{"trait": "plan", "is": "pro"}, {"any": [{"trait": "c", "is": 3}, inner]}]})
        outline = page.locator(".cbb-outline")
        expect(outline).to_be_visible()
        expect(outline).to_match_aria_snapshot(LINES)
        put(page, {"all": [{"trait": "plan", "is": "pro"}, {"segment": "vip"}]})
        expect(page.locator(".cbb-sentence")).to_have_text("plan is “pro” and is in the segment Very good customers")
        expect(outline).to_be_hidden()

    drive(work)


LINES = """
- list:
  - listitem:
    - text: "all of these:"
    - list:
      - listitem: plan is “pro”
      - listitem:
        - text: "at least one of these:"
        - list:
          - listitem: c is 3
          - listitem:
            - text: "all of these:"
            - list:
              - listitem: is in the segment Very good customers
              - listitem:
                - text: "none of these:"
                - list:
                  - listitem: a is 1
                  - listitem: b is 2
"""

# The pages' framework evaluates the expressions of its attributes; everything else of ours has to do without.
STRICT = (
    "default-src 'self'; script-src 'self' 'unsafe-eval'; object-src 'none'; base-uri 'self'; img-src 'self' data:; "
)
STRICT += "style-src 'self' 'unsafe-inline'"


def strictly(page: Page, base: str, refused: list[str]) -> None:
    """Send every page of the site with a policy, and note what it refuses."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, headers={**response.headers, "content-security-policy": STRICT})

    page.route(lambda url: url.startswith(f"{base}/admin/"), answer)
    page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)


def test_nothing_of_the_builder_needs_a_script_in_the_page(drive: Drive) -> None:
    steps = [{"id": "end", "kind": "exit", "name": ""}]
    draft = {"trigger": {"event": "Signed Up", "where": {"trait": "plan", "is": "pro"}}, "steps": steps}
    campaign = Campaign.objects.create(name="Try", slug="try", draft=draft)

    def work(context: BrowserContext, base: str) -> None:
        page, refused = context.new_page(), list[str]()
        strictly(page, base, refused)
        page.goto(f"{base}/admin/events/segment/add/")
        put(page, {"all": TREES})
        page.get_by_role("button", name="Count who matches").click()
        expect(page.locator(".cbb-count")).not_to_be_empty()
        page.goto(f"{base}/admin/campaigns/campaign/{campaign.pk}/workflow/")
        page.locator("details.cbw-edit > summary").first.press("Enter")
        expect(page.get_by_role("combobox", name="Trait")).to_have_value("plan")
        assert refused == []
        page.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
        page.get_by_role("button", name="Add a rule").first.press("Enter")
        expect(page.get_by_label("What the rule is about").last).to_be_focused()
        assert len(refused) == 1, "what the policy refuses is heard"

    drive(work)


def test_a_trigger_is_narrowed_by_the_keyboard_alone(drive: Drive) -> None:
    steps = [{"id": "end", "kind": "exit", "name": ""}]
    campaign = Campaign.objects.create(
        name="Try", slug="try", draft={"trigger": {"event": "Signed Up", "where": None}, "steps": steps}
    )

    def work(context: BrowserContext, base: str) -> None:
        page = context.new_page()
        page.goto(f"{base}/admin/campaigns/campaign/{campaign.pk}/workflow/")
        page.locator("details.cbw-edit > summary").first.focus()
        page.keyboard.press("Enter")
        trigger = page.locator("#condition-trigger, .cbw-condition").first
        press_tab_until(page, trigger.get_by_role("button", name="Add a rule"))
        page.keyboard.press("Enter")
        expect(trigger.get_by_label("What the rule is about")).to_be_focused()
        press_tab_until(page, trigger.get_by_role("combobox", name="Trait"))
        page.keyboard.type("plan")
        press_tab_until(page, trigger.get_by_role("combobox", name="Value", exact=True))
        page.keyboard.type("pro")
        expect(trigger.locator(".cbb-sentence")).to_have_text("plan is “pro”")
        press_tab_until(page, page.get_by_role("button", name="Save and close").first)
        page.keyboard.press("Enter")
        expect(page.locator(".cbw-card--start")).to_contain_text("plan is “pro”")

    drive(work)
    campaign.refresh_from_db()
    assert campaign.draft["trigger"]["where"] == {"trait": "plan", "is": "pro"}
