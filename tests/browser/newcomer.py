"""Somebody who has just set the demo up: a browser, and the way in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.visiting import OPTIONS

PASSWORD = "a-password-for-the-test"
SECRETS = {
    "ADMIN_USER": "admin",
    "ADMIN_PASSWORD": PASSWORD,
    "WRITE_KEY": "pk_browser_test",
    "SITE_ID": "browser-test",
    "API_KEY": "sk_browser_test",
    "API_TOKEN": "cb_browser_test",
    "HOOK": "browser-hook",
    "WEBHOOK_SECRET": "hook:secret",
    "DEMO": "1",
}


@contextmanager
def browser(path: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield launched
        launched.close()


def log_in(page: Page, base_url: str) -> None:
    page.goto(f"{base_url}/admin/login/")
    page.locator("#id_username").fill("admin")
    page.locator("#id_password").fill(PASSWORD)
    page.locator("[type=submit]").click()
    expect(page.get_by_role("heading", name="Is everything running?")).to_be_visible()
