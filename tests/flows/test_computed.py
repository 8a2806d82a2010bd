"""Computed traits with real processes: what somebody looked at stands in the mail that the last look started."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests

from events.audit import Actor
from events.computed import keeping
from events.models import ComputedTrait, Profile
from messaging.models import Message
from tests import stack
from tests.campaigns.flow import make_campaign, make_template
from tests.factories import make_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
PATIENCE = 30
HTML = "{% for item in customer.recent_views %}<p>{{ item.name }} for {{ item.price }}</p>{% endfor %}"


def make(name: str, function: str, **columns: Any) -> ComputedTrait:
    row = ComputedTrait(name=name, function=function, event="Product Viewed", **columns)
    keeping.save(row, Actor("test"))
    return row


def view(key: str, base_url: str, *products: dict[str, Any]) -> None:
    batch: list[dict[str, Any]] = [{"type": "identify", "userId": "ada", "traits": {"email": "ada@example.com"}}]
    batch += [{"type": "track", "userId": "ada", "event": "Product Viewed", "properties": each} for each in products]
    answer = requests.post(f"{base_url}/v1/batch", json={"batch": batch}, auth=(key, ""), timeout=30)
    assert answer.status_code == 200, answer.text


def is_built(row: ComputedTrait) -> bool:
    row.refresh_from_db()
    return row.state == ComputedTrait.State.LIVE


def test_the_mail_shows_what_was_looked_at_the_last_look_included() -> None:
    key = make_key()
    lamp, sofa, desk = (
        {"sku": name[0], "name": name, "price": 10 * n} for n, name in enumerate(("lamp", "sofa", "desk"), 1)
    )
    with stack.running() as running:
        view(key, running.base_url, lamp, sofa)
        stack.wait_for(lambda: Profile.objects.filter(user_id="ada").exists(), PATIENCE, "the person")
        recent = make("recent_views", "last_values", properties=["sku", "name", "price"], number=2)
        views = make("views", "count")
        stack.wait_for(lambda: is_built(recent) and is_built(views), PATIENCE, "everybody to be looked through")
        assert Profile.objects.get(user_id="ada").traits["views"] == 2, "what was before counts"
        make_template(html=HTML + "<a href='{{ unsubscribe_url }}'>Unsubscribe</a>")
        make_campaign(
            event="Product Viewed", trigger={"event": "Product Viewed", "where": {"trait": "views", "gte": 3}}
        )
        began = time.monotonic()
        view(key, running.base_url, desk)
        sent = Message.objects.filter(status__in=("sent", "delivered"))
        stack.wait_for(sent.exists, PATIENCE, "the mail")
        print(f"\nmail after {time.monotonic() - began:.2f} s")
    html = sent.get().body.html
    assert "<p>desk for 30</p><p>sofa for 20</p>" in html
    assert "lamp" not in html
