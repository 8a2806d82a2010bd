"""A person is exported, erased and heard again by keyboard alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from events import suppression
from events.models import AuditEntry, Profile
from tests import stack
from tests.browser.newcomer import SECRETS, browser, log_in
from tests.factories import make_event, make_profile

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
STOPS = 150


def tab_to(page: Page, words: str) -> None:
    """Go to what is called ``words`` by the tabulator; it has to show that it has the focus."""
    for _ in range(STOPS):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        if focused.count() and (focused.inner_text() or focused.get_attribute("name") or "").strip() == words:
            assert focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
            return
    raise AssertionError(f"the tabulator never reaches {words}")


def test_a_person_is_exported_erased_and_heard_again_by_keyboard(browser_path: str) -> None:
    person = make_profile("ada", traits={"plan": "pro"})
    make_event(person)
    with stack.running(**SECRETS) as running, browser(browser_path) as chromium:
        running.manage("seed_demo")
        page = chromium.new_page()
        log_in(page, running.base_url)
        page.goto(f"{running.base_url}/admin/events/profile/{person.pk}/change/")
        tab_to(page, "Export as JSON")
        with page.expect_download() as download:
            page.keyboard.press("Enter")
        exported = json.loads(Path(download.value.path()).read_text())
        assert (exported["traits"], len(exported["events"])) == ({"plan": "pro"}, 1)

        tab_to(page, "Erase…")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Erase ada for good?")).to_be_visible()
        tab_to(page, "ignore")
        page.keyboard.press("ArrowDown")
        tab_to(page, "Erase for good")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Erased, with 1 event.")).to_be_visible()

        page.goto(f"{running.base_url}/admin/events/profile/ignored/")
        # The page puts the cursor there by itself, but on a busy machine not always before it is typed.
        tab_to(page, "value")
        page.keyboard.type("ada")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="ada is ignored")).to_be_visible()
        tab_to(page, "Hear it again")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Heard again: 1 id of")).to_be_visible()
    assert not Profile.objects.filter(user_id="ada").exists() and not suppression.is_listed("ada")
    # What the demo brings with it is noted as well.
    acts = AuditEntry.objects.exclude(action="computed").order_by("pk").values_list("action", flat=True)
    assert list(acts) == ["look", "export", "suppress", "unsuppress"]
