"""A ready-made campaign from the first click to the mail: made and published in a browser, then met by real calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from campaigns.models import Campaign, Decision, Journey
from events import catalog
from events.models import Pending
from messaging.models import Message
from tests import stack
from tests.factories import make_event, make_key, make_profile, make_provider

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser, pytest.mark.slow]
PATIENCE = 40
# Four hours without adding anything take four seconds, and the office is always open.
SPEED = 3_600
ALWAYS = {"days": list(range(7)), "start": "00:00", "end": "00:00"}


def test_an_abandoned_cart_is_reminded_of_and_one_that_was_bought_is_not(
    chromium: tuple[ThreadPoolExecutor, Browser],
) -> None:
    hands, browser = chromium
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    session_key = client.cookies[settings.SESSION_COOKIE_NAME].value
    make_provider(is_default=True)
    # This installation calls an order otherwise.
    make_event(make_profile(), "order_placed")
    catalog.learn()
    key = make_key()
    with stack.running() as running:
        context = hands.submit(browser.new_context).result(60)
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session_key, "url": running.base_url}

        def make() -> None:
            context.add_cookies([cookie])
            page = context.new_page()
            page.goto(f"{running.base_url}/admin/campaigns/campaign/add/")
            link = page.get_by_role("link", name="Abandoned cart", exact=True)
            link.focus()
            page.keyboard.press("Enter")
            expect(page.get_by_label("The event when somebody buys")).to_have_value("order_placed")
            page.get_by_label("Name of the campaign").fill("Carts")
            page.get_by_role("button", name="Make the draft").click()
            page.wait_for_url("**/workflow/")
            expect(page.get_by_text("Carts is a draft")).to_be_visible()

        def publish() -> None:
            page: Page = context.pages[0]
            page.reload()
            page.get_by_role("link", name="Publish").first.click()
            page.get_by_label("Why do you publish this version?").fill("A first try.")
            for warning in page.locator("input[name=seen]").all():
                warning.check()
            page.get_by_role("button", name="Publish").click()
            expect(page.get_by_text("is live").first).to_be_visible()

        def report(user_id: str, *events: str) -> None:
            traits = {"email": f"{user_id}@example.com", "first_name": user_id.capitalize()}
            calls = [
                {"type": "identify", "userId": user_id, "traits": traits},
                *(
                    {"type": "track", "userId": user_id, "event": event, "properties": {"name": "Red Shoes"}}
                    for event in events
                ),
            ]
            answer = requests.post(f"{running.base_url}/v1/batch", json={"batch": calls}, auth=(key, ""), timeout=30)
            assert answer.status_code == 200, answer.text

        hands.submit(make).result(60)
        campaign = Campaign.objects.get(name="Carts")
        assert campaign.status == Campaign.Status.DRAFT
        report("early", "Product Added")
        stack.wait_for(lambda: not Pending.objects.exists(), PATIENCE, "the cart before it was published")
        hasten(campaign)
        hands.submit(publish).result(60)
        report("ada", "Product Added")
        report("bob", "Product Added")
        stack.wait_for(lambda: Journey.objects.count() == 2, PATIENCE, "both to enter")
        report("bob", "order_placed")
        # Who has bought within the hour does not even enter.
        report("eve", "order_placed", "Product Added")
        stack.wait_for(lambda: Message.objects.filter(status="delivered").exists(), PATIENCE, "the mail")
        stack.wait_for(lambda: not Journey.objects.exclude(state="ended").exists(), PATIENCE, "the end")
        hands.submit(context.close).result(60)
    assert dict(Journey.objects.values_list("profile__user_id", "ending")) == {"ada": "completed", "bob": "goal"}
    assert dict(Decision.objects.values_list("profile__user_id", "entry"))["eve"] != "entered"
    message = Message.objects.select_related("profile", "body").get()
    assert message.profile.user_id == "ada"
    assert message.subject == "Red Shoes is still waiting for you"
    assert "Hello Ada," in message.body.html


def hasten(campaign: Campaign) -> None:
    """Set the speed, and open the office at all hours, in the draft that the browser has made."""
    campaign.draft["speed"] = SPEED
    next(step for step in campaign.draft["steps"] if step["kind"] == "window").update(ALWAYS)
    campaign.save(update_fields=["draft"])
