"""In-app messages in a real Chromium, on a page of another origin: shown, pressed, closed, and told of."""

from __future__ import annotations

import time

import pytest

from events.models import Event, Profile, SourceKey
from messaging import delivery
from messaging.models import Message
from messaging.versions import freeze
from tests.browser.visiting import Shop, Visitor
from tests.factories import make_key, make_message, make_provider, make_template
from tests.stack import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.browser]
PAGE = """<title>Shop</title><button id="other">Other</button>
<script>window.cuebird = []; cuebird.push(["load", "%(key)s", {flushAfter: 10}]);
cuebird.push(["identify", "ada", {name: "Ada"}]);</script>
<script src="%(host)s/static/events/cuebird.js"></script>
<script src="%(host)s/static/messaging/cuebird-messages.js" data-key="%(key)s" data-every="0.3"></script>"""
BOX = "[...document.body.children].map((e) => e.shadowRoot && e.shadowRoot.querySelector('.box')).find(Boolean)"


def say(**options: str) -> Message:
    template = make_template(
        channel="in_app", subject="Hi {{ customer.name }}", html="", text="<b>News</b>", options=options
    )
    ada = Profile.objects.get(user_id="ada")
    message = make_message(ada, template_version=freeze(template), channel="in_app")
    delivery.deliver_due(float("inf"))
    return message


def status(message: Message) -> str:
    message.refresh_from_db()
    return message.status


def test_a_message_is_shown_and_what_becomes_of_it_is_told(visitor: Visitor, shop: Shop, live_server: object) -> None:
    make_provider(kind="in_app", is_default=True)
    key = make_key(kind=SourceKey.Kind.PUBLIC)
    shop.headers = {}
    shop.pages = {"/": PAGE % {"key": key, "host": live_server}, "/sale": "<title>Sale</title>"}
    page = visitor.open("/")
    wait_for(lambda: Profile.objects.filter(user_id="ada").exists(), 20, "the visitor")

    card = say(style="card", url="/sale", button="To the sale")
    visitor.do(lambda: page.wait_for_function(f"() => {BOX}", timeout=20_000))
    text = visitor.do(lambda: page.evaluate(f"({BOX}).innerText"))
    assert "Hi Ada" in text and "<b>News</b>" in text and "To the sale" in text
    wait_for(lambda: status(card) == "opened", 10, "the view to be told")
    visitor.do(lambda: page.evaluate(f"({BOX}).querySelector('.go').click()"))
    wait_for(lambda: status(card) == "clicked", 10, "the click to be told")

    page = visitor.open("/")
    modal = say(style="modal")
    visitor.do(lambda: page.wait_for_function(f"() => {BOX}", timeout=20_000))
    role = visitor.do(lambda: page.evaluate(f"[({BOX}).getAttribute('role'), ({BOX}).getAttribute('aria-modal')]"))
    assert role == ["dialog", "true"]
    focused = "document.activeElement.shadowRoot && document.activeElement.shadowRoot.activeElement.className"
    assert visitor.do(lambda: page.evaluate(focused)) == "x"
    visitor.do(lambda: page.keyboard.press("Escape"))
    wait_for(
        lambda: Event.objects.filter(name="In-App Dismissed", properties__message_id=str(modal.public_id)).exists(),
        10,
        "the dismissal to be told",
    )
    visitor.open("/")
    time.sleep(1)
    assert not visitor.do(lambda: page.evaluate(f"Boolean({BOX})"))
    assert visitor.complaints == []
