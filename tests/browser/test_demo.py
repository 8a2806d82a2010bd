"""A newcomer's first quarter of an hour in a real browser: the shop, the mailbox, the check list, every page."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urljoin

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests import stack
from tests.browser.newcomer import browser, log_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# Widths and colours in which each page is looked at.
LOOKS: tuple[tuple[int, Literal["light", "dark"]], ...] = ((1280, "light"), (1280, "dark"), (390, "light"))
# How many pixels a page is wider than its window, once it has been laid out anew.
SETTLED = """() => new Promise((tell) => requestAnimationFrame(() => requestAnimationFrame(() =>
    tell(document.documentElement.scrollWidth - document.documentElement.clientWidth))))"""
# Long enough for the ten seconds that the demo's hour takes.
PATIENCE = 30_000


def sign_up(page: Page, base_url: str, name: str) -> None:
    page.goto(f"{base_url}/demo/")
    card = page.locator("#signed_up")
    card.get_by_label("First name").fill(name)
    card.get_by_label("Email").fill(f"{name}@example.com")
    card.get_by_role("button", name="Sign up").click()
    expect(page.locator("#who")).to_contain_text(name)
    expect(page.locator("#calls")).to_contain_text("200")


def test_sign_up_is_answered_by_a_mail_that_can_be_read_and_clicked(demo: stack.Stack, browser_path: str) -> None:
    with browser(browser_path) as chromium:
        page = chromium.new_page()
        sign_up(page, demo.base_url, "grace")
        log_in(page, demo.base_url)
        page.get_by_role("link", name="Mailbox").first.click()
        expect(page.get_by_text("Welcome, Grace").first).to_be_visible(timeout=PATIENCE)
        page.get_by_text("Welcome, Grace").first.click()
        letter = page.frame_locator("iframe").first
        expect(letter.get_by_text("Welcome, Grace").first).to_be_visible()
        expect(page.get_by_text("Opened").first).to_be_visible(timeout=PATIENCE)


def test_the_check_list_follows_the_pricing_mail_and_a_wait_can_be_skipped(
    demo: stack.Stack, browser_path: str
) -> None:
    with browser(browser_path) as chromium:
        shop = chromium.new_page()
        sign_up(shop, demo.base_url, "linus")
        shop.get_by_role("button", name="Look at this plan").click()
        expect(shop.locator("#calls")).to_contain_text("Visited Pricing Page")
        check_url = shop.locator("#visited_pricing_page a[data-check]").get_attribute("href")
        assert check_url, "the shop links to the check list of the person"
        page = chromium.new_page()
        log_in(page, demo.base_url)
        page.goto(urljoin(demo.base_url, check_url))
        checklist = page.locator("#checklist")
        expect(checklist).to_contain_text("3 of 4 done", timeout=PATIENCE)
        _skip_waits(page)
        expect(checklist).to_contain_text("4 of 4 done", timeout=PATIENCE)
        expect(checklist).to_contain_text(re.compile("delivered", re.IGNORECASE))
        page.get_by_role("link", name="Mailbox").first.click()
        expect(page.get_by_text("linus@example.com").first).to_be_visible()


def _skip_waits(page: Page) -> None:
    """Skip the hour's delay and, outside office hours, the window behind it."""
    for _ in range(20):
        skip = page.get_by_role("button", name="Skip the wait")
        if "4 of 4" in page.locator("#checklist").inner_text():
            return
        if skip.count():
            skip.first.click()
        page.wait_for_timeout(1000)


def test_every_main_page_opens_without_errors_and_fits(demo: stack.Stack, browser_path: str) -> None:
    with browser(browser_path) as chromium:
        page = chromium.new_page()
        complaints: list[str] = []
        _gather_complaints(page, complaints)
        log_in(page, demo.base_url)
        for address in _addresses(page):
            answer = page.goto(urljoin(demo.base_url, address))
            assert answer is not None and answer.status == 200, address
            for width, scheme in LOOKS:
                page.emulate_media(color_scheme=scheme)
                page.set_viewport_size({"width": width, "height": 900})
                wider = page.evaluate(SETTLED)
                assert wider <= 1, f"{address} is {wider} px wider than the window of {width}"
        assert complaints == []


def _addresses(page: Page) -> list[str]:
    """Return where the menu of the home page leads, and the tabs of a campaign."""
    links = page.locator("a[href^='/admin/']").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    campaign = page.get_by_role("link", name="Pricing follow-up").first.get_attribute("href") or ""
    tabs = [
        re.sub(r"(\d+)/.*", rf"\1/{tab}/", campaign) for tab in ("workflow", "journeys", "metrics", "check", "versions")
    ]
    wanted = [address for address in links if "logout" not in address and "password" not in address]
    return list(dict.fromkeys([*wanted, *tabs]))


def _gather_complaints(page: Page, complaints: list[str]) -> None:
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.extend(_complaint(message)))


def _complaint(message: ConsoleMessage) -> list[str]:
    return [f"{message.location.get('url')}: {message.text}"] if message.type == "error" else []
