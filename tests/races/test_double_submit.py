"""A form that is sent twice at the same moment makes one thing, and the later answer says why it made no other."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from campaigns.models import Campaign
from events.models import ComputedTrait, Segment
from messaging.models import Template, Topic
from tests.factories import make_profile
from tests.races.together import at_once

pytestmark = [pytest.mark.race, pytest.mark.django_db(transaction=True)]
FORMS: dict[str, tuple[str, type[Any], dict[str, Any], str]] = {
    "segment": (
        "/admin/events/segment/add/",
        Segment,
        {"name": "Buyers", "slug": "buyers", "kind": "dynamic", "condition": '{"event": "Bought"}'},
        "There is a segment of this short name already. Choose another.",
    ),
    "topic": (
        "/admin/messaging/topic/add/",
        Topic,
        {
            "name": "News",
            "slug": "news",
            "joining": "opt_in",
            "position": "0",
            "translations-TOTAL_FORMS": "0",
            "translations-INITIAL_FORMS": "0",
        },
        "already exists",
    ),
    "computed": (
        "/admin/events/computedtrait/add/",
        ComputedTrait,
        {"name": "orders", "function": "count", "event_type": "track", "event": "Bought", "number": "5"},
        "already",
    ),
    "campaign": ("/admin/campaigns/campaign/add/", Campaign, {"name": "Welcome"}, "already exists"),
    "template": (
        "/admin/messaging/template/add/",
        Template,
        {
            "name": "Thanks",
            "purpose": "marketing",
            "subject": "Hi",
            "html": "<p>Hello</p>",
            "translations-TOTAL_FORMS": "0",
            "translations-INITIAL_FORMS": "0",
        },
        "already exists",
    ),
    "gathered": (
        "/admin/events/segment/gather/?q=plan%3Dpro",
        Segment,
        {"name": "Pros", "how": "condition"},
        "There is a segment of this name already.",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_is_sent_twice_makes_one_thing_and_says_why_not_two(form: str) -> None:
    url, model, said, words = FORMS[form]
    make_profile(traits={"plan": "pro"})
    clients = [Client(), Client(), Client()]
    user = User.objects.create_superuser("root")
    for client in clients:
        client.force_login(user)
    answers = at_once([lambda each=each: each.post(url, said) for each in clients])
    assert sorted(answer.status_code for answer in answers) == [200, 200, 302]
    assert model.objects.count() == 1
    for answer in answers:
        assert answer.status_code == 302 or words in answer.content.decode()
