"""The workflow editor under real hands: keyboard alone, two people at once, a signed-out tab, a narrow screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from campaigns.models import Campaign
from tests.browser.visiting import OPTIONS
from tests.campaigns.flow import make_template

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
NARROW = 390


@pytest.fixture
def campaign() -> Campaign:
    steps = [
        {"id": "wait", "kind": "delay", "name": "", "seconds": 3600},
        {"id": "mail", "kind": "send", "name": "Hello", "template": make_template().pk},
    ]
    return Campaign.objects.create(
        name="Try", slug="try", draft={"trigger": {"event": "Signed Up", "where": None}, "steps": steps}
    )


@pytest.fixture
def session_key() -> str:
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    return client.cookies[settings.SESSION_COOKIE_NAME].value


def use(path: str, session_key: str, base_url: str, work: Callable[[BrowserContext], None]) -> None:
    """Let ``work`` drive a signed-in browser. The ORM must rest meanwhile: Playwright runs an event loop here."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session_key, "url": base_url}])
        context.set_default_timeout(15_000)
        work(context)
        browser.close()


@pytest.fixture
def editor(
    browser_path: str, live_server: object, session_key: str, campaign: Campaign
) -> Iterator[Callable[[Callable[[BrowserContext, str], None]], dict[str, object]]]:
    base = str(live_server)
    url = f"{base}/admin/campaigns/campaign/{campaign.pk}/workflow/"

    def drive(work: Callable[[BrowserContext, str], None]) -> dict[str, object]:
        use(browser_path, session_key, base, lambda context: work(context, url))
        campaign.refresh_from_db()
        return dict(campaign.draft)

    yield drive


def status(page: Page, words: str) -> None:
    expect(page.locator(".cbw-bar__state")).to_contain_text(words)


def press_tab_until(page: Page, name: str) -> None:
    """Go to the control of this name by the keyboard alone."""
    for _ in range(80):
        page.keyboard.press("Tab")
        found = "(e => e.getAttribute('aria-label') || e.innerText || e.name || '')(document.activeElement)"
        if name in page.evaluate(found):
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def test_a_step_is_added_filled_in_and_moved_by_the_keyboard_alone(editor: Callable[..., dict[str, object]]) -> None:
    def work(context: BrowserContext, url: str) -> None:
        page = context.new_page()
        page.goto(url)
        press_tab_until(page, "Add a step")
        page.keyboard.press("Enter")
        press_tab_until(page, "Only at certain hours")
        page.keyboard.press("Enter")
        status(page, "Step added.")
        expect(page.locator("#id_step-hours-days_0")).to_be_focused()
        page.keyboard.press("Space")
        press_tab_until(page, "step-hours-name")
        page.keyboard.type("At work")
        page.keyboard.press("Enter")
        status(page, "Saved.")
        page.keyboard.press("Shift+Tab")
        for _ in range(30):
            if page.evaluate("document.activeElement.id") == "down-hours":
                break
            page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        status(page, "Step moved down.")
        expect(page.locator("#down-hours")).to_be_focused()

    steps = editor(work)["steps"]
    assert isinstance(steps, list)
    assert [step["id"] for step in steps] == ["wait", "hours", "mail"]
    assert steps[1]["days"] == [1, 2, 3, 4] and steps[1]["name"] == "At work"


def test_what_is_typed_in_one_card_survives_work_in_another(editor: Callable[..., dict[str, object]]) -> None:
    def work(context: BrowserContext, url: str) -> None:
        page = context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(url)
        page.locator("#step-wait summary").click()
        page.locator("[name=step-wait-amount]").fill("soon")
        page.get_by_role("button", name="Delete Hello").click()
        status(page, "Saved, except for what is marked.")
        expect(page.locator("[name=step-wait-amount]")).to_have_value("soon")
        expect(page.locator("#step-wait")).to_contain_text("Wait: Enter a number.")
        expect(page.locator("#step-mail")).to_have_count(0)

    assert editor(work)["steps"] == [{"id": "wait", "kind": "delay", "name": "", "seconds": 3600}]


def test_a_condition_is_built_within_the_workflow_and_survives_its_redrawing(
    editor: Callable[..., dict[str, object]],
) -> None:
    def work(context: BrowserContext, url: str) -> None:
        page = context.new_page()
        page.goto(f"{url}?open=trigger")
        builder = page.locator("#condition-trigger")
        builder.get_by_role("button", name="Add a rule").press("Enter")
        expect(page.locator(".cbw-bar__state")).to_contain_text("Not saved yet.")
        builder.get_by_label("What the rule is about").select_option("property")
        builder.get_by_role("combobox", name="Property of the event").fill("amount")
        builder.get_by_label("Value: comparison").select_option("number:gt")
        page.locator("#step-wait summary").click()
        page.locator("[value='done:step-wait']").click()
        status(page, "Saved, except for what is marked.")
        expect(builder).to_contain_text("Not finished: give a number.")
        builder.get_by_label("Value", exact=True).fill("30")
        page.locator("[value='done:trigger']").click()
        status(page, "Saved.")
        expect(page.locator("#trigger .cbw-card__words")).to_contain_text(
            "Signed Up, if the event’s amount is more than 30"
        )

    assert editor(work)["trigger"] == {"event": "Signed Up", "where": {"property": "amount", "gt": 30}}


def test_a_rule_of_who_leaves_early_is_added_and_another_deleted_by_the_keyboard_alone(
    editor: Callable[..., dict[str, object]],
) -> None:
    def work(context: BrowserContext, url: str) -> None:
        page = context.new_page()
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{url}?open=exits#exits")
        press_tab_until(page, "They unsubscribe")
        page.keyboard.press("Enter")
        status(page, "Rule added.")
        expect(page.locator("#exit-0")).to_be_focused()
        press_tab_until(page, "An event comes")
        page.keyboard.press("Enter")
        status(page, "Rule added.")
        expect(page.locator("[name=exit-1-event]")).to_be_focused()
        page.keyboard.type("Order Completed")
        press_tab_until(page, "exit-1-same")
        page.keyboard.type("order_id")
        page.keyboard.press("Enter")
        status(page, "Saved.")
        expect(page.locator("#exits .cbw-card__words")).to_contain_text(
            "A journey ends when they unsubscribe; when Order Completed with the same order_id comes"
        )
        page.locator("[name=action][value='remove-exit:0']").focus()
        page.keyboard.press("Enter")
        status(page, "Rule removed.")
        expect(page.locator("[name=exit-0-event]")).to_be_focused()

    rule = {"when": "event", "event": "Order Completed", "where": None, "same": "order_id"}
    assert editor(work)["exits"] == [rule]


def test_two_people_and_a_signed_out_tab_lose_nothing(editor: Callable[..., dict[str, object]]) -> None:
    def work(context: BrowserContext, url: str) -> None:
        mine, theirs = context.new_page(), context.new_page()
        mine.goto(url)
        theirs.goto(f"{url}?open=trigger")
        theirs.locator("[name=trigger-event]").fill("Logged In")
        theirs.locator("[value='done:trigger']").click()
        status(theirs, "Saved.")
        mine.locator("#step-wait summary").click()
        mine.locator("[name=step-wait-name]").fill("Mine")
        mine.locator("[value='done:step-wait']").click()
        expect(mine.locator("#conflict")).to_be_focused()
        expect(mine.locator("#step-wait")).to_contain_text("Mine")
        mine.get_by_role("button", name="Keep mine").click()
        status(mine, "Saved.")
        context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
        mine.locator("#trigger summary").click()
        mine.locator("[name=trigger-event]").fill("After all")
        mine.locator("[value='done:trigger']").click()
        status(mine, "Not saved: you have been signed out.")
        expect(mine.locator("[name=trigger-event]")).to_have_value("After all")

    draft = editor(work)
    assert draft["trigger"] == {"event": "Signed Up", "where": None}
    assert isinstance(draft["steps"], list) and draft["steps"][0]["name"] == "Mine"


def test_nothing_is_wider_than_a_telephone(editor: Callable[..., dict[str, object]]) -> None:
    def work(context: BrowserContext, url: str) -> None:
        page = context.new_page()
        page.set_viewport_size({"width": NARROW, "height": 800})
        for name in (
            "workflow/?open=trigger&open=step-wait&open=exits&open=settings",
            "journeys/",
            "check/",
            "publish/",
        ):
            page.goto(url.replace("workflow/", name))
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROW, name

    editor(work)
