"""Where a computed trait is used, in conditions and in texts."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.models import Campaign
from events.computed import usage
from events.models import Segment
from messaging.models import Layout, Template

CASES: list[tuple[Any, bool]] = [
    ({"all": [{"not": {"trait": "views", "gte": 3}}]}, True),
    ({"trait": "views.first", "is": "x"}, True),
    ({"trait": "views_of_pages", "is": "x"}, False),
    ({"group": "company", "trait": "views", "is": "x"}, False),
    ({"property": "views", "is": "x"}, False),
    ({"steps": [{"body": "You saw {{ customer.views[0] }}"}]}, True),
    ({"steps": [{"body": "{% for each in customer['views'] %}"}]}, True),
    ({"steps": [{"body": "{{ customer.views_of_pages }} {{ event.views }} views"}]}, False),
]


@pytest.mark.parametrize(("tree", "found"), CASES)
def test_what_counts_as_speaking_of_it(tree: Any, found: bool) -> None:
    assert usage.mentions(tree, "views") is found


@pytest.mark.django_db
def test_every_room_is_looked_through() -> None:
    Segment.objects.create(slug="s", name="Lookers", condition={"trait": "views", "gte": 1})
    Segment.objects.create(slug="o", name="Others", condition={"trait": "plan", "is": "pro"})
    Template.objects.create(name="Hello", subject="Hi", html="{{ customer.views }}")
    Template.objects.create(name="Plain", subject="Views", html="customer views")
    Layout.objects.create(name="Frame", html="{{ content }}{{ customer.views }}")
    Campaign.objects.create(name="Win back", draft={"trigger": {"event": "X", "where": {"trait": "views", "gt": 1}}})
    found = {(use.kind, use.name) for use in usage.uses("views")}
    assert found == {("Segment", "Lookers"), ("Template", "Hello"), ("Layout", "Frame"), ("Campaign", "Win back")}
