"""A web site and a visitor, for tests of what runs in other people's pages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.management import call_command
from playwright.sync_api import Browser, Playwright, sync_playwright
from pytest_django import DjangoDbBlocker

from tests import stack
from tests.browser.newcomer import SECRETS
from tests.browser.visiting import OPTIONS, Shop, Visitor, shop_open
from tests.stack import wait_for


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[stack.Stack]:
    """Run the demo for all tests of a file, which share what is stored; the tables are empty afterwards."""
    with django_db_blocker.unblock():
        try:
            with stack.running(**SECRETS) as running:
                running.manage("seed_demo")
                yield running
        finally:
            call_command("flush", verbosity=0, interactive=False, reset_sequences=False)


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with shop_open() as shop:
        yield shop


@pytest.fixture(scope="module")
def chromium(browser_path: str) -> Iterator[tuple[ThreadPoolExecutor, Browser]]:
    with ThreadPoolExecutor(1) as hands:
        playwright: Playwright = hands.submit(lambda: sync_playwright().start()).result(60)
        launch = playwright.chromium.launch
        browser = hands.submit(lambda: launch(executable_path=browser_path, args=OPTIONS)).result(60)
        yield hands, browser
        hands.submit(browser.close).result(60)
        hands.submit(playwright.stop).result(60)


def answering() -> set[threading.Thread]:
    """Return the threads in which servers of this process hold a connection."""
    return {thread for thread in threading.enumerate() if "process_request_thread" in thread.name}


@pytest.fixture
def visitor(chromium: tuple[ThreadPoolExecutor, Browser], shop: Shop) -> Iterator[Visitor]:
    hands, browser = chromium
    others = answering()
    visitor = Visitor(hands, hands.submit(browser.new_context).result(60), shop)
    yield visitor
    visitor.do(visitor.context.close)
    # The tables are about to be emptied, which nobody may be reading.
    wait_for(lambda: answering() <= others, 15, "the last answers")
    assert visitor.complaints == [], "nothing throws into the page"
