"""A developer connects a source in a real browser: code to copy, keys, a first event, the last call, the live view."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page, Route, expect

from tests import stack
from tests.browser.newcomer import SECRETS, browser, log_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]
# No script but the site's own files; what the admin's own framework needs besides.
STRICT = "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
SIGN_SECONDS = 15_000


@pytest.fixture
def page(demo: stack.Stack, browser_path: str) -> Iterator[Page]:
    """Log somebody in who may read the clipboard."""
    with browser(browser_path) as chromium:
        page = chromium.new_context(permissions=["clipboard-read", "clipboard-write"]).new_page()
        log_in(page, demo.base_url)
        yield page


def make_source(page: Page, base_url: str, name: str) -> str:
    """Add a source, and return its page's address."""
    page.goto(f"{base_url}/admin/events/source/add/")
    page.locator("#id_name").fill(name)
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_text("Waiting for the first event")).to_be_visible()
    return page.url


def be_strict(page: Page, address: str) -> None:
    """Let the page at this address come with a strict content security policy."""

    def answer(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, headers={**response.headers, "content-security-policy": STRICT})

    page.route(address, answer)


def clipboard(page: Page) -> str:
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def track(running: stack.Stack, key: str, event: str, **fields: str) -> int:
    call = {"userId": "ada", "event": event, **fields}
    return requests.post(f"{running.base_url}/v1/track", json=call, auth=(key, ""), timeout=10).status_code


def test_the_code_copied_from_the_page_makes_its_sign_turn_green(demo: stack.Stack, page: Page) -> None:
    address = make_source(page, demo.base_url, "Copied")
    be_strict(page, address)
    page.reload()
    page.locator("#recipe-client").focus()
    page.keyboard.type("segment-analytics")
    expect(page.locator("#recipe-code")).to_contain_text("import segment.analytics")
    page.locator("#key-kind").select_option("secret")
    page.get_by_label("What is it for?").fill("Server")
    page.keyboard.press("Enter")
    secret = page.locator("#fresh-key").inner_text()
    expect(page.locator("#recipe-code")).to_contain_text(f'write_key = "{secret}"')
    page.locator("#recipe").get_by_role("button", name="Copy").first.press("Enter")
    expect(page.locator("#recipe").get_by_role("button", name="Copied")).to_be_visible()
    code = clipboard(page)
    assert secret in code and demo.base_url in code
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    expect(page.get_by_text("Connected")).to_be_visible(timeout=SIGN_SECONDS)
    page.get_by_text("What it sends, as a curl command").click()
    expect(page.locator("#recipe-curl")).to_contain_text(secret)
    page.reload()
    assert secret not in page.content()


def test_a_key_is_rotated_and_the_old_one_refused_once_it_is_revoked(demo: stack.Stack, page: Page) -> None:
    make_source(page, demo.base_url, "Rotated")
    old = page.locator("code[id^=key-]").inner_text()
    page.get_by_role("button", name="Rotate First key").click()
    expect(page.locator("#fresh-key")).to_be_visible()
    new = page.locator("#fresh-key").inner_text()
    assert [track(demo, key, "Before") for key in (old, new)] == [200, 200]
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Revoke First key").first.click()
    expect(page.get_by_text("Revoked")).to_have_count(0)
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke First key").first.click()
    expect(page.get_by_text("Revoked").first).to_be_visible()
    stack.wait_for(lambda: track(demo, old, "After") == 401, 10, "the old key to be refused")
    assert track(demo, new, "After") == 200
    page.locator("[id^=bounds-] summary").click()
    page.get_by_label("Pages that may use it").fill("shop.example")
    page.get_by_role("button", name="Save", exact=True).first.click()
    expect(page.get_by_text("shop.example is no origin")).to_be_visible()


def test_the_last_call_follows_by_itself_and_waits_while_paused(demo: stack.Stack, page: Page) -> None:
    make_source(page, demo.base_url, "Followed")
    key = page.locator("code[id^=key-]").inner_text()
    page.get_by_role("link", name="Last call").click()
    expect(page.get_by_text("No call yet")).to_be_visible()
    assert track(demo, key, "Order Paid", writeKey=key) == 200
    expect(page.get_by_text("How it is read")).to_be_visible(timeout=SIGN_SECONDS)
    expect(page.get_by_role("link", name="Order Paid")).to_be_visible()
    assert key not in page.content()
    page.get_by_role("button", name="Pause").click()
    assert track(demo, key, "") == 400
    page.wait_for_timeout(4_000)
    expect(page.get_by_text("The track call needs its event")).to_have_count(0)
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("The track call needs its event").first).to_be_visible(timeout=SIGN_SECONDS)


def test_the_live_view_filters_pauses_and_tells_what_an_event_set_off(demo: stack.Stack, page: Page) -> None:
    make_source(page, demo.base_url, "Watched")
    key = page.locator("code[id^=key-]").inner_text()
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("link", name="Watch live").click()
    expect(page.get_by_text("Nothing matches")).to_be_visible()
    assert track(demo, SECRETS["WRITE_KEY"], "Of another source") == 200
    assert track(demo, key, "Order Paid") == 200
    assert track(demo, key, "") == 400
    rows = page.locator("#tail [data-row]")
    expect(rows).to_have_count(2, timeout=SIGN_SECONDS)
    expect(rows.nth(0)).to_contain_text("Refused 400")
    expect(rows.nth(1)).to_contain_text("Order Paid")
    rows.nth(0).get_by_role("link").click()
    expect(page.locator("#detail")).to_contain_text("The track call needs its event")
    rows.nth(1).get_by_role("link").click()
    expect(page.locator("#detail")).to_contain_text("none starts on “Order Paid”")
    page.get_by_role("button", name="Pause").click()
    assert track(demo, key, "While paused") == 200
    page.wait_for_timeout(4_000)
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Go on").click()
    expect(rows).to_have_count(3, timeout=SIGN_SECONDS)
    page.get_by_label("Outcome").select_option("refused")
    page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Refused 400")
