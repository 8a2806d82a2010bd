"""A webhook's mapping in a real browser: what comes in is tried at once, and mended beside the field."""

from __future__ import annotations

import pytest
import requests
from playwright.sync_api import Page, expect

from tests import stack
from tests.browser.newcomer import SECRETS, browser, log_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
ORDER = {"topic": "orders/paid", "buyer": {"id": 7}, "lines": [{"sku": "A"}, {"sku": "B"}]}


def make_hook(page: Page, base_url: str) -> str:
    page.goto(f"{base_url}/admin/events/source/add/")
    page.locator("#id_name").fill("Shop system")
    page.locator("#id_kind").select_option("webhook")
    page.get_by_role("button", name="Save", exact=True).first.click()
    return page.locator("#hook-address").inner_text()


def test_a_refused_payload_is_mapped_by_filling_in_a_form(browser_path: str) -> None:
    with stack.running(**SECRETS) as running, browser(browser_path) as chromium:
        running.manage("seed_demo")
        page = chromium.new_page()
        log_in(page, running.base_url)
        address = make_hook(page, running.base_url)
        assert requests.post(address, json=ORDER, timeout=10).status_code == 400
        expect(page.locator("#hook-payloads")).to_contain_text("Refused 400", timeout=15_000)
        page.get_by_role("button", name="Try it").click()
        expect(page.locator("#hook-0-user_id")).to_contain_text("Nothing was found")
        page.get_by_label("Who: the person’s id").fill("buyer.id")
        expect(page.locator("#hook-0-user_id")).to_contain_text("Write $.buyer.id to look it up")
        page.get_by_label("Who: the person’s id").fill("$.buyer.id")
        page.get_by_label("What happened").fill("Order Paid")
        page.get_by_role("button", name="Add a property").click()
        page.locator("[name=c0-name]").fill("skus")
        page.locator("[name=c0-expression]").fill("$.lines[*].sku")
        expect(page.locator("#hook-trial")).to_contain_text("Order Paid")
        expect(page.locator("#hook-0-word-0")).to_contain_text('["A","B"]')
        page.get_by_role("button", name="Save the mapping").click()
        expect(page.get_by_text("The next call is mapped like this")).to_be_visible()
        assert requests.post(address, json=ORDER, timeout=10).json() == {"success": True}
        expect(page.locator("#hook-payloads")).to_contain_text("1 stored", timeout=15_000)
